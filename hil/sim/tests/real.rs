//! The real network: servers on this PC, reached by the simulated module.
//!
//! While a real socket is waited for, virtual time follows the clock.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use common::Host;
use quectel_sim::{Config, Internet, TcpState};
use socket2::SockRef;

/// How long a real socket may take, on a busy machine.
const BOUND: Duration = Duration::from_secs(60);

fn config() -> Config {
    Config {
        internet: Internet::Real,
        ..Config::default()
    }
}

/// Lets time pass as the clock does, until `done` gives something.
#[track_caller]
fn until<T>(host: &mut Host, what: &str, mut done: impl FnMut(&mut Host) -> Option<T>) -> T {
    let (clock, begin) = (Instant::now(), host.sim.now());
    while clock.elapsed() < BOUND {
        if let Some(value) = done(host) {
            return value;
        }
        let elapsed = clock.elapsed().as_micros() as u64;
        host.sim.run_until(host.sim.now().max(begin + elapsed));
        std::thread::yield_now();
    }
    panic!("not within {BOUND:?}: {what}");
}

/// Waits for so many bytes at the host.
#[track_caller]
fn expect(host: &mut Host, bytes: &str) {
    until(host, bytes, |host| {
        (host.sim.readable() >= bytes.len()).then_some(())
    });
    host.expect(bytes);
}

fn connect(host: &mut Host, to: &str, listener: &TcpListener) -> TcpStream {
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    host.talk(
        format!("AT+QIOPEN=1,0,\"TCP\",\"{to}\",{port},0,0\r"),
        "\r\nOK\r\n",
    );
    let stream = until(host, "accept", |_| match listener.accept() {
        Ok((stream, _)) => Some(stream),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    });
    expect(host, "\r\n+QIOPEN: 0,0\r\n");
    stream.set_nonblocking(true).unwrap();
    stream
}

#[track_caller]
fn read(host: &mut Host, stream: &mut TcpStream, n: usize) -> Vec<u8> {
    let mut got = Vec::new();
    until(host, "data at the server", |_| {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(read) => got.extend(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
        (got.len() >= n).then_some(())
    });
    got
}

#[test]
fn bytes_and_fins_pass_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut host = Host::ready(config());
    let mut server = connect(&mut host, "127.0.0.1", &listener);
    host.qisend(0, b"ping");
    assert_eq!(read(&mut host, &mut server, 4), b"ping");
    let soon = host.sim.next_event();
    assert!(soon.is_some_and(|at| at <= host.sim.now() + 1_000));
    server.write_all(b"pong").unwrap();
    expect(&mut host, "\r\n+QIURC: \"recv\",0\r\n");
    host.qird(0, b"pong");
    drop(server);
    expect(&mut host, "\r\n+QIURC: \"closed\",0\r\n");
    assert_eq!(host.sim.tcp_state(0), Some(TcpState::CloseWait));
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    until(&mut host, "closed", |host| {
        host.sim.tcp_sockets().is_empty().then_some(())
    });
}

#[test]
fn the_module_closes_first() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut host = Host::ready(config());
    let mut server = connect(&mut host, "localhost", &listener);
    host.qisend(0, b"last words");
    host.send("AT+QICLOSE=0\r");
    expect(&mut host, "\r\nOK\r\n");
    assert_eq!(read(&mut host, &mut server, 10), b"last words");
    let ended = |server: &mut TcpStream| match server.read(&mut [0; 1]) {
        Ok(0) => Some(()),
        _ => None,
    };
    until(&mut host, "end of file", |_| ended(&mut server));
    let half = host.sim.tcp_sockets()[0];
    assert_eq!(half.state, TcpState::FinWait2);
    drop(server);
    until(&mut host, "TIME_WAIT", |host| {
        (host.sim.tcp_sockets().first()?.state == TcpState::TimeWait).then_some(())
    });
}

#[test]
fn resets_pass_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut host = Host::ready(config());
    let server = connect(&mut host, "127.0.0.1", &listener);
    SockRef::from(&server)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(server);
    expect(&mut host, "\r\n+QIURC: \"closed\",0\r\n");
    assert_eq!(host.sim.tcp_state(0), Some(TcpState::Closed));
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");

    let mut server = connect(&mut host, "127.0.0.1", &listener);
    host.talk("AT+QICLOSE=0,0\r", "\r\nOK\r\n");
    let error = until(&mut host, "reset", |_| match server.read(&mut [0; 1]) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        other => Some(other),
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_port_nobody_listens_on_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut host = Host::ready(config());
    host.talk(
        format!("AT+QIOPEN=1,0,\"TCP\",\"127.0.0.1\",{port}\r"),
        "\r\nOK\r\n",
    );
    expect(&mut host, "\r\n+QIOPEN: 0,566\r\n");
}

#[test]
fn a_server_that_does_not_read_holds_the_module_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut host = Host::ready(Config {
        baud: 4_000_000,
        ..config()
    });
    let mut server = connect(&mut host, "127.0.0.1", &listener);
    let block = [b'x'; 1460];
    let mut sent = 0;
    until(&mut host, "SEND FAIL", |host| {
        host.talk("AT+QISEND=0,1460\r", "\r\n> ");
        host.send(block);
        let answer = host.take(b"\r\nSEND OK\r\n".len());
        if answer == b"\r\nSEND OK\r\n" {
            sent += block.len();
            return None;
        }
        host.expect("\r\n");
        Some(())
    });
    assert_eq!(read(&mut host, &mut server, sent).len(), sent);
}

#[test]
fn the_resolver_of_the_pc_answers_after_the_table() {
    let mut host = Host::ready(config());
    host.sim
        .set_name("localhost.test", &["192.0.2.9".parse().unwrap()], 5);
    host.talk("AT+QIDNSGIP=1,\"localhost.test\"\r", "\r\nOK\r\n");
    expect(
        &mut host,
        "\r\n+QIURC: \"dnsgip\",0,1,5\r\n\r\n+QIURC: \"dnsgip\",\"192.0.2.9\"\r\n",
    );
    host.talk("AT+QIDNSGIP=1,\"localhost\"\r", "\r\nOK\r\n");
    expect(
        &mut host,
        "\r\n+QIURC: \"dnsgip\",0,1,60\r\n\r\n+QIURC: \"dnsgip\",\"127.0.0.1\"\r\n",
    );
}

#[test]
fn datagrams_pass_both_ways() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let port = server.local_addr().unwrap().port();
    let mut host = Host::ready(config());
    host.talk(
        format!("AT+QIOPEN=1,0,\"UDP\",\"127.0.0.1\",{port},0,0\r"),
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
    host.qisend(0, b"ping");
    let (data, from) = until(&mut host, "a datagram", |_| receive(&server));
    assert_eq!(data, b"ping");
    // Not from the one it was sent to: never arrives.
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let nat = ("127.0.0.1", from.port());
    stranger.send_to(b"hello", nat).unwrap();
    server.send_to(b"pong", nat).unwrap();
    expect(&mut host, "\r\n+QIURC: \"recv\",0\r\n");
    host.qird(0, b"pong");
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 4,4,0\r\n\r\nOK\r\n");
}

fn receive(socket: &UdpSocket) -> Option<(Vec<u8>, std::net::SocketAddr)> {
    let mut buffer = [0; 2048];
    match socket.recv_from(&mut buffer) {
        Ok((n, from)) => Some((buffer[..n].to_vec(), from)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_client_on_this_pc_reaches_a_listener() {
    let gate = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gate.local_addr().unwrap();
    let mut host = Host::ready(Config::default());
    host.sim.forward_tcp(gate, 8080).unwrap();
    // Nobody listens yet.
    let mut refused = TcpStream::connect(address).unwrap();
    refused.set_nonblocking(true).unwrap();
    until(&mut host, "the end", |_| match refused.read(&mut [0]) {
        Ok(0) => Some(()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Some(()),
        other => panic!("{other:?}"),
    });
    host.talk(
        "AT+QIOPEN=1,0,\"TCP LISTENER\",\"127.0.0.1\",0,8080,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
    let mut client = TcpStream::connect(address).unwrap();
    client.set_nonblocking(true).unwrap();
    let port = client.local_addr().unwrap().port();
    expect(
        &mut host,
        &format!("\r\n+QIURC: \"incoming\",11,0,\"127.0.0.1\",{port}\r\n"),
    );
    client.write_all(b"hello").unwrap();
    expect(&mut host, "\r\n+QIURC: \"recv\",11\r\n");
    host.qird(11, b"hello");
    host.qisend(11, b"welcome");
    assert_eq!(read(&mut host, &mut client, 7), b"welcome");
    drop(client);
    expect(&mut host, "\r\n+QIURC: \"closed\",11\r\n");
}

#[test]
fn datagrams_from_this_pc_reach_a_service() {
    let gate = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = gate.local_addr().unwrap();
    let mut host = Host::ready(Config::default());
    host.sim.forward_udp(gate, 3030).unwrap();
    host.talk(
        "AT+QIOPEN=1,0,\"UDP SERVICE\",\"127.0.0.1\",0,3030,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_nonblocking(true).unwrap();
    let port = client.local_addr().unwrap().port();
    client.send_to(b"hello", address).unwrap();
    expect(&mut host, "\r\n+QIURC: \"recv\",0\r\n");
    host.talk(
        "AT+QIRD=0\r",
        format!("\r\n+QIRD: 5,\"127.0.0.1\",{port}\r\nhello\r\n\r\nOK\r\n"),
    );
    host.talk(format!("AT+QISEND=0,4,\"127.0.0.1\",{port}\r"), "\r\n> ");
    host.talk("back", "\r\nSEND OK\r\n");
    let (data, from) = until(&mut host, "a datagram", |_| receive(&client));
    assert_eq!((data.as_slice(), from), (b"back".as_slice(), address));
}

/// Where the PC does not allow echo requests without special rights, nobody answers.
#[test]
fn pings_reach_real_hosts_only() {
    let allowed = socket2::Socket::new(
        socket2::Domain::IPV4,
        socket2::Type::DGRAM,
        Some(socket2::Protocol::ICMPV4),
    );
    let mut host = Host::ready(config());
    host.talk("AT+QPING=1,\"127.0.0.1\",2,1\r", "\r\nOK\r\n");
    if allowed.is_ok() {
        expect(&mut host, "\r\n+QPING: 0,\"127.0.0.1\",32,");
    } else {
        expect(&mut host, "\r\n+QPING: 569\r\n");
    }
    host.sim.run_until(host.sim.now() + 3_000_000);
    let n = host.sim.readable();
    host.take(n);
    // An address for documentation: nobody is there.
    host.talk("AT+QPING=1,\"192.0.2.1\",1,1\r", "\r\nOK\r\n");
    host.expect("\r\n+QPING: 569\r\n\r\n+QPING: 0,1,0,1,0,0,0\r\n");
}

/// Answers two questions: one name is known, any other is not.
fn answer_two_questions(server: &UdpSocket) {
    let mut buffer = [0; 512];
    for _ in 0..2 {
        let (n, from) = server.recv_from(&mut buffer).unwrap();
        let known = &buffer[12..n] == b"\x04name\x04test\0\x00\x01\x00\x01";
        let mut answer = buffer[..n].to_vec();
        // An answer, with recursion, and how many rows it has.
        answer[2..4].copy_from_slice(&[0x81, 0x80]);
        answer[7] = u8::from(known);
        if known {
            answer.extend(b"\xC0\x0C\x00\x01\x00\x01\x00\x00\x02\x58\x00\x04\xCB\x00\x71\x09");
        }
        server.send_to(&answer, from).unwrap();
    }
}

#[test]
fn names_are_looked_up_by_the_name_server_that_was_given() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut host = Host::ready(Config {
        name_server: Some(server.local_addr().unwrap()),
        ..config()
    });
    let answering = std::thread::spawn(move || answer_two_questions(&server));
    host.sim
        .set_name("table.test", &["192.0.2.9".parse().unwrap()], 300);
    for (name, urcs) in [
        (
            "table.test",
            "\r\n+QIURC: \"dnsgip\",0,1,300\r\n\r\n+QIURC: \"dnsgip\",\"192.0.2.9\"\r\n",
        ),
        (
            "name.test",
            "\r\n+QIURC: \"dnsgip\",0,1,600\r\n\r\n+QIURC: \"dnsgip\",\"203.0.113.9\"\r\n",
        ),
        ("nobody.test", "\r\n+QIURC: \"dnsgip\",565\r\n"),
    ] {
        host.talk(format!("AT+QIDNSGIP=1,\"{name}\"\r"), "\r\nOK\r\n");
        expect(&mut host, urcs);
    }
    answering.join().unwrap();
}
