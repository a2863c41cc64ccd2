//! Direct push: data that comes in URCs.

mod common;

use std::net::SocketAddr;

use common::Host;
use quectel_sim::{Config, Echo, PayloadUrcs, Record, Sink, Source, Then};

fn server() -> SocketAddr {
    "192.0.2.7:7".parse().expect("an address")
}

fn open(host: &mut Host) {
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,0,1\r", "\r\nOK\r\n");
    host.expect("\r\n+QIOPEN: 0,0\r\n");
}

fn pushed(id: u8, data: &[u8]) -> Vec<u8> {
    let head = format!("\r\n+QIURC: \"recv\",{id},{}\r\n", data.len());
    [head.as_bytes(), data, b"\r\n"].concat()
}

fn noise(n: usize) -> Vec<u8> {
    (0..n as u32)
        .map(|i| (i.wrapping_mul(i) / 7) as u8)
        .collect()
}

#[test]
fn data_comes_by_itself_and_is_counted() {
    let mut host = Host::ready(Config::default());
    host.sim.serve(server(), || Echo);
    open(&mut host);
    host.qisend(0, b"\r\nOK\r\n");
    host.expect(pushed(0, b"\r\nOK\r\n"));
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 6,6,0\r\n\r\nOK\r\n");
    host.talk("AT+QIRD=0,1500\r", "\r\nERROR\r\n");
    host.send("AT+QISTATE=1,0\r");
    let row = String::from_utf8(host.take(62)).expect("text");
    assert!(row.contains(",2,1,0,1,\"uart1\""), "{row}");
}

#[test]
fn a_burst_is_cut_and_the_end_comes_last() {
    let data = noise(5000);
    let source = data.clone();
    let mut host = Host::ready(Config::default());
    host.sim
        .serve(server(), move || Source::new(source.clone(), Then::Close));
    open(&mut host);
    let mut got = Vec::new();
    let mut most = 0;
    while got.len() < data.len() {
        host.expect("\r\n+QIURC: \"recv\",0,");
        let mut digits = host.take(1);
        while digits.last() != Some(&b'\n') {
            digits.extend(host.take(1));
        }
        let text = String::from_utf8(digits).expect("text");
        let n: usize = text.trim_end().parse().expect("a number");
        most = most.max(n);
        got.extend(host.take(n));
        host.expect("\r\n");
    }
    assert!(got == data);
    assert!((1..=1500).contains(&most));
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
    host.silence(1_000_000);
}

#[test]
fn a_slow_line_holds_the_peer_up() {
    let mut config = Config {
        baud: 9_600,
        ..Config::default()
    };
    config.link.delay_us = 1_000;
    let mut host = Host::ready(config);
    host.sim
        .serve(server(), || Source::new(noise(200_000), Then::Keep));
    open(&mut host);
    host.sim.run_until(host.sim.now() + 10_000_000);
    let queued = host.sim.with_peer(server(), |io| io.undelivered());
    // 9600 bytes have passed, 10240 are in the receive buffer.
    assert!(queued.is_some_and(|n| n > 175_000), "{queued:?}");
}

#[test]
fn a_udp_service_tells_who_sent() {
    let mut host = Host::ready(Config::default());
    host.talk(
        "AT+QIOPEN=1,2,\"UDP SERVICE\",\"127.0.0.1\",0,3030,1\r",
        "\r\nOK\r\n\r\n+QIOPEN: 2,0\r\n",
    );
    let from = "198.51.100.7:40000".parse().expect("an address");
    host.sim.send_datagram(from, 3030, b"hello");
    host.sim.send_datagram(from, 3030, &[b'x'; 1472]);
    host.expect("\r\n+QIURC: \"recv\",2,5,\"198.51.100.7\",40000\r\nhello\r\n");
    host.expect("\r\n+QIURC: \"recv\",2,1472,\"198.51.100.7\",40000\r\n");
    host.expect([b'x'; 1472]);
    host.expect("\r\n");
}

#[test]
fn a_udp_client_gets_a_datagram_a_urc() {
    let mut host = Host::ready(Config::default());
    host.sim.serve_udp(server(), Echo);
    host.talk(
        "AT+QIOPEN=1,0,\"UDP\",\"192.0.2.7\",7,3030,1\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
    host.sim.send_datagram(server(), 3030, b"one");
    host.sim.send_datagram(server(), 3030, b"two");
    host.expect(pushed(0, b"one"));
    host.expect(pushed(0, b"two"));
}

#[test]
fn clients_of_a_listener_inherit_the_mode() {
    let mut host = Host::ready(Config::default());
    host.talk(
        "AT+QIOPEN=1,0,\"TCP LISTENER\",\"127.0.0.1\",0,8080,1\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
    let from = "10.176.100.3:51257".parse().expect("an address");
    host.sim.dial(from, 8080, Source::new(*b"&", Then::Keep));
    host.expect("\r\n+QIURC: \"incoming\",11,0,\"10.176.100.3\",51257\r\n");
    host.expect("\r\n+QIURC: \"recv\",11,1\r\n&\r\n");
}

#[test]
fn the_mode_can_be_switched() {
    let mut host = Host::ready(Config::default());
    host.sim.serve(server(), || Echo);
    host.open(0);
    host.qisend(0, b"kept");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.talk("AT+QISWTMD=0,1\r", "\r\nOK\r\n");
    host.expect(pushed(0, b"kept"));
    host.qisend(0, b"pushed");
    host.expect(pushed(0, b"pushed"));
    host.talk("AT+QISWTMD=0,0\r", "\r\nOK\r\n");
    host.qisend(0, b"buffered");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.qird(0, b"buffered");
    for command in ["AT+QISWTMD=1,1\r", "AT+QISWTMD=0,3\r", "AT+QISWTMD=0\r"] {
        host.talk(command, "\r\nERROR\r\n");
    }
}

#[test]
fn options_change_how_it_is_printed() {
    let mut host = Host::ready(Config::default());
    host.sim.serve(server(), || Echo);
    open(&mut host);
    host.talk("AT+QICFG=\"viewmode\",1\r", "\r\nOK\r\n");
    host.qisend(0, b"hello");
    host.expect("\r\n+QIURC: \"recv\",0,5,hello\r\n");
    host.talk("AT+QICFG=\"viewmode\",0\r", "\r\nOK\r\n");
    host.talk("AT+QICFG=\"dataformat\",0,1\r", "\r\nOK\r\n");
    host.qisend(0, b"\x01\xAB");
    host.expect("\r\n+QIURC: \"recv\",0,2\r\n01AB\r\n");
}

#[test]
fn a_push_waits_while_payload_is_awaited() {
    let mut host = Host::ready(Config::default());
    host.sim.serve(server(), || Sink);
    open(&mut host);
    host.silence(1_000_000);
    host.talk("AT+QISEND=0,4\r", "\r\n> ");
    host.sim.with_peer(server(), |io| io.send(b"urgent"));
    host.silence(1_000_000);
    host.talk(
        "test",
        [&pushed(0, b"urgent")[..], b"\r\nSEND OK\r\n"].concat(),
    );
    host.sim.profile_mut().payload_urcs = PayloadUrcs::Pass;
    host.talk("AT+QISEND=0,4\r", "\r\n> ");
    host.sim.with_peer(server(), |io| io.send(b"urgent"));
    host.expect(pushed(0, b"urgent"));
    host.talk("test", "\r\nSEND OK\r\n");
}

#[test]
fn lost_urcs_lose_data() {
    let mut host = Host::ready(Config::default());
    let record = Record::new();
    host.sim.serve(server(), record.of(|| Echo));
    open(&mut host);
    host.sim.lose_recv_urcs(1);
    host.qisend(0, b"lost");
    host.silence(1_000_000);
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 4,4,0\r\n\r\nOK\r\n");
    host.qisend(0, b"seen");
    host.expect(pushed(0, b"seen"));
}
