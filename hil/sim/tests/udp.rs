//! UDP: clients, services, and what is lost.

mod common;

use std::net::SocketAddr;

use common::Host;
use quectel_sim::{Config, Echo, RecvUrc, Sink, UdpIo};

fn server() -> SocketAddr {
    "192.0.2.7:7".parse().expect("an address")
}

/// A host with a UDP client on id 0, from port 3030.
fn client(config: Config) -> Host {
    let mut host = Host::ready(config);
    host.sim.serve_udp(server(), Echo);
    host.talk(
        "AT+QIOPEN=1,0,\"UDP\",\"192.0.2.7\",7,3030,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
    host
}

/// A host with a UDP service on id 0 at port 3030.
fn service(config: Config) -> Host {
    let mut host = Host::ready(config);
    host.talk(
        "AT+QIOPEN=1,0,\"UDP SERVICE\",\"127.0.0.1\",0,3030,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
    host
}

fn send_to_module(host: &mut Host, from: &str, data: &[u8]) {
    let from = from.parse().expect("an address");
    assert!(host.sim.send_datagram(from, 3030, data));
    host.sim.run_until(host.sim.now() + 20_000);
}

#[test]
fn a_client_keeps_the_boundaries() {
    let mut host = client(Config::default());
    host.talk(
        "AT+QISTATE=1,0\r",
        "\r\n+QISTATE: 0,\"UDP\",\"192.0.2.7\",7,3030,2,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
    );
    host.qisend(0, b"first");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.qisend(0, b"second one");
    host.qisend(0, b"3");
    host.talk("AT+QISEND=0,0\r", "\r\n+QISEND: 16,16,0\r\n\r\nOK\r\n");
    // No other recv URC: there was unread data.
    host.silence(1_000_000);
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 16,0,16\r\n\r\nOK\r\n");
    host.qird(0, b"first");
    host.qird(0, b"second one");
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 16,15,1\r\n\r\nOK\r\n");
    host.qird(0, b"3");
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
    host.qisend(0, b"again");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.qird(0, b"again");
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    host.talk("AT+QISTATE=1,0\r", "\r\nOK\r\n");
    host.talk("AT+QIRD=0,1500\r", "\r\nERROR\r\n");
}

#[test]
fn a_client_opens_by_name_and_gets_a_port() {
    let mut host = Host::ready(Config::default());
    let address = "192.0.2.7".parse().expect("an address");
    host.sim.set_name("echo.example", &[address], 60);
    host.sim.serve_udp(server(), Echo);
    host.talk("AT+QIOPEN=1,3,\"UDP\",\"echo.example\",7\r", "\r\nOK\r\n");
    host.expect("\r\n+QIOPEN: 3,0\r\n");
    host.send("AT+QISTATE=1,3\r");
    let row = host.take(62);
    let row = String::from_utf8(row).expect("text");
    let port = row.split(',').nth(4).and_then(|p| p.parse::<u16>().ok());
    assert!(port.is_some_and(|port| port >= 49_152), "{row}");
    host.sim.run_until(host.sim.now() + 100_000);
    let rest = host.sim.readable();
    host.take(rest);
    host.talk("AT+QIOPEN=1,4,\"UDP\",\"nobody.example\",7\r", "\r\nOK\r\n");
    host.expect("\r\n+QIOPEN: 4,565\r\n");
}

#[test]
fn a_short_read_leaves_the_rest_or_loses_it() {
    let mut host = client(Config::default());
    host.qisend(0, b"0123456789");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.talk("AT+QIRD=0,4\r", "\r\n+QIRD: 4\r\n0123\r\n\r\nOK\r\n");
    host.qird(0, b"456789");
    host.sim.profile_mut().datagram_rest_lost = true;
    host.qisend(0, b"0123456789");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.talk("AT+QIRD=0,4\r", "\r\n+QIRD: 4\r\n0123\r\n\r\nOK\r\n");
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
}

#[test]
fn stream_mode_joins_datagrams() {
    let mut host = client(Config::default());
    host.talk("AT+QICFG=\"udp/readmode\",1\r", "\r\nOK\r\n");
    host.qisend(0, b"first");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.qisend(0, b"second");
    host.silence(1_000_000);
    host.talk("AT+QIRD=0,7\r", "\r\n+QIRD: 7\r\nfirstse\r\n\r\nOK\r\n");
    host.qird(0, b"cond");
}

#[test]
fn the_recv_urc_may_wait_for_a_read_of_nothing() {
    let mut config = Config::default();
    config.profile.recv_urc = RecvUrc::AfterZeroRead;
    let mut host = client(config);
    host.talk("AT+QICFG=\"recvind\",1\r", "\r\nOK\r\n");
    host.qisend(0, b"first");
    host.expect("\r\n+QIURC: \"recv\",0,5\r\n");
    host.qird(0, b"first");
    host.qisend(0, b"second");
    host.silence(1_000_000);
    host.qird(0, b"second");
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
    host.qisend(0, b"third");
    host.expect("\r\n+QIURC: \"recv\",0,5\r\n");
}

#[test]
fn the_largest_datagram_and_one_byte_more() {
    let mut host = client(Config::default());
    let data = [0xA5; 1460];
    host.qisend(0, &data);
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.qird(0, &data);
    host.talk("AT+QISEND=0,1461\r", "\r\nERROR\r\n");
    host.talk("AT+QISEND=0,4,\"192.0.2.7\",7\r", "\r\nERROR\r\n");
    host.talk(
        "AT+QIGETERROR\r",
        "\r\n+QIGETERROR: 552,invalid parameters\r\n\r\nOK\r\n",
    );
}

#[test]
fn a_full_buffer_loses_datagrams() {
    let mut host = client(Config::default());
    for i in 0..9u8 {
        let from = server().to_string();
        send_to_module(&mut host, &from, &[i; 1400]);
    }
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.silence(1_000_000);
    // 10240 bytes hold seven.
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 9800,0,9800\r\n\r\nOK\r\n");
    for i in 0..7 {
        host.qird(0, &[i; 1400]);
    }
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
    let from = server().to_string();
    send_to_module(&mut host, &from, b"room again");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.qird(0, b"room again");
}

#[test]
fn a_client_hears_only_its_server() {
    let mut host = client(Config::default());
    send_to_module(&mut host, "192.0.2.7:8", b"stranger");
    send_to_module(&mut host, "192.0.2.8:7", b"stranger");
    host.silence(1_000_000);
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 0,0,0\r\n\r\nOK\r\n");
}

#[test]
fn a_service_talks_to_many() {
    let mut host = service(Config::default());
    host.talk(
        "AT+QISTATE=1,0\r",
        "\r\n+QISTATE: 0,\"UDP SERVICE\",\"10.7.157.1\",0,3030,2,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
    );
    send_to_module(&mut host, "198.51.100.7:40000", b"hello");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    send_to_module(&mut host, "203.0.113.9:5", b"OK\r\n");
    host.silence(1_000_000);
    host.talk(
        "AT+QIRD=0\r",
        "\r\n+QIRD: 5,\"198.51.100.7\",40000\r\nhello\r\n\r\nOK\r\n",
    );
    host.talk(
        "AT+QIRD=0\r",
        "\r\n+QIRD: 4,\"203.0.113.9\",5\r\nOK\r\n\r\n\r\nOK\r\n",
    );
    host.talk("AT+QIRD=0\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
    host.sim.serve_udp(server(), Echo);
    host.talk("AT+QISEND=0,4,\"192.0.2.7\",7\r", "\r\n> ");
    host.talk("ping", "\r\nSEND OK\r\n");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.talk(
        "AT+QIRD=0\r",
        "\r\n+QIRD: 4,\"192.0.2.7\",7\r\nping\r\n\r\nOK\r\n",
    );
    host.talk("AT+QISEND=0,0\r", "\r\n+QISEND: 4,4,0\r\n\r\nOK\r\n");
    host.sim.profile_mut().udp_service_state_3 = true;
    host.talk(
        "AT+QISTATE=1,0\r",
        "\r\n+QISTATE: 0,\"UDP SERVICE\",\"10.7.157.1\",0,3030,3,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
    );
}

#[test]
fn what_a_service_refuses() {
    let mut host = service(Config::default());
    for command in [
        // The remote end is missing, a name, or half given.
        "AT+QISEND=0,4\r",
        "AT+QISEND=0,4,\"echo.example\",7\r",
        "AT+QISEND=0,4,\"192.0.2.7\"\r",
        "AT+QISEND=0,4,\"192.0.2.7\",0\r",
        "AT+QISEND=0,0,\"192.0.2.7\",7\r",
        "AT+QISEND=0,1461,\"192.0.2.7\",7\r",
        // There is no local port.
        "AT+QIOPEN=1,1,\"UDP SERVICE\",\"127.0.0.1\",0\r",
        "AT+QIOPEN=1,1,\"UDP SERVICE\",\"127.0.0.1\",0,0,0\r",
        // There is no remote port.
        "AT+QIOPEN=1,1,\"UDP\",\"192.0.2.7\",0\r",
        "AT+QIOPEN=1,1,\"SCTP\",\"192.0.2.7\",7\r",
    ] {
        host.talk(command, "\r\nERROR\r\n");
    }
    host.talk(
        "AT+QIOPEN=1,1,\"UDP SERVICE\",\"127.0.0.1\",0,3030,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 1,556\r\n",
    );
    host.sim.profile_mut().port_taken_error = 574;
    host.talk(
        "AT+QIOPEN=1,2,\"UDP\",\"192.0.2.7\",7,3030\r",
        "\r\nOK\r\n\r\n+QIOPEN: 2,574\r\n",
    );
    // TCP has ports of its own.
    host.talk(
        "AT+QIOPEN=1,3,\"TCP LISTENER\",\"127.0.0.1\",0,3030,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 3,0\r\n",
    );
}

#[test]
fn datagrams_after_the_context_is_lost() {
    let mut host = service(Config::default());
    send_to_module(&mut host, "198.51.100.7:40000", b"hello");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.sim.schedule(
        quectel_sim::When::At(host.sim.now()),
        quectel_sim::Incident::PdpDeact(1),
    );
    host.expect("\r\n+QIURC: \"pdpdeact\",1\r\n");
    let from = "198.51.100.7:40000".parse().expect("an address");
    assert!(!host.sim.send_datagram(from, 3030, b"gone"));
    host.talk("AT+QISEND=0,4,\"192.0.2.7\",7\r", "\r\nERROR\r\n");
    host.talk(
        "AT+QISTATE=1,0\r",
        "\r\n+QISTATE: 0,\"UDP SERVICE\",\"127.0.0.1\",0,3030,4,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
    );
    host.talk("AT+QIDEACT=1\r", "\r\nOK\r\n");
    host.talk("AT+QIACT=1\r", "\r\nOK\r\n");
    host.talk(
        "AT+QIOPEN=1,0,\"UDP SERVICE\",\"127.0.0.1\",0,3030,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
}

#[test]
fn a_server_may_answer_late_and_often() {
    /// Answers three times, a second apart.
    struct Slow(Option<SocketAddr>, u8);
    impl quectel_sim::UdpPeer for Slow {
        fn received(&mut self, io: &mut UdpIo, from: SocketAddr, _: &[u8]) {
            self.0 = Some(from);
            io.wake_at(io.now() + 1_000_000);
        }
        fn woken(&mut self, io: &mut UdpIo) {
            if let Some(to) = self.0 {
                io.send_to(to, &[b'0' + self.1]);
                self.1 += 1;
                if self.1 < 3 {
                    io.wake_at(io.now() + 1_000_000);
                }
            }
        }
    }
    let mut host = client(Config::default());
    host.sim.serve_udp(server(), Slow(None, 0));
    host.qisend(0, b"go");
    for digit in [b"0", b"1", b"2"] {
        host.silence(900_000);
        host.expect("\r\n+QIURC: \"recv\",0\r\n");
        host.qird(0, digit);
    }
    host.silence(3_000_000);
}

#[test]
fn a_lossy_link_loses_datagrams_and_keeps_their_order() {
    let mut config = Config {
        seed: 4,
        ..Config::default()
    };
    config.link.loss_ppm = 300_000;
    let mut host = client(config);
    for i in 0..30u8 {
        host.talk("AT+QISEND=0,1\r", "\r\n> ");
        host.send([i]);
        host.sim.run_until(host.sim.now() + 100_000);
        let n = host.sim.readable();
        host.take(n);
    }
    let mut got = Vec::new();
    loop {
        host.send("AT+QIRD=0,1500\r");
        host.sim.run_until(host.sim.now() + 100_000);
        let n = host.sim.readable();
        let answer = host.take(n);
        match answer.strip_prefix(b"\r\n+QIRD: 1\r\n") {
            Some(rest) => got.push(rest[0]),
            None => break,
        }
    }
    assert!((5..25).contains(&got.len()), "{got:?}");
    assert!(got.is_sorted(), "{got:?}");
}

#[test]
fn nobody_at_home_says_nothing() {
    let mut host = client(Config::default());
    host.sim.serve_udp(server(), Sink);
    host.qisend(0, b"hello");
    host.silence(5_000_000);
    host.talk("AT+QISEND=0,0\r", "\r\n+QISEND: 5,5,0\r\n\r\nOK\r\n");
}
