//! IPv6 contexts.

mod common;

use std::net::{IpAddr, SocketAddr};

use common::Host;
use quectel_sim::{Config, Echo, Source, Then};

fn server() -> SocketAddr {
    "[2001:db8::7]:7".parse().expect("an address")
}

/// A host whose context 1 is of this kind.
fn ready(kind: u8) -> Host {
    let mut host = Host::new(Config::default());
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT+QISDE=0\r", "\r\nOK\r\n");
    host.talk(format!("AT+QICSGP=1,{kind},\"test\"\r"), "\r\nOK\r\n");
    host.talk("AT+QIACT=1\r", "\r\nOK\r\n");
    host.sim.serve(server(), || Echo);
    host.sim.serve_udp(server(), Echo);
    host.sim
        .serve("192.0.2.7:7".parse().expect("an address"), || Echo);
    let both: [IpAddr; 2] = [
        "192.0.2.7".parse().expect("an address"),
        "2001:db8::7".parse().expect("an address"),
    ];
    host.sim.set_name_addresses("both.example", &both, 60);
    host
}

#[test]
fn the_addresses_of_a_context() {
    for (kind, addresses) in [
        (1, "\"10.7.157.1\""),
        (2, "\"2001:DB8:9D:0:0:0:0:1\""),
        (3, "\"10.7.157.1\",\"2001:DB8:9D:0:0:0:0:1\""),
    ] {
        let mut host = ready(kind);
        host.talk(
            "AT+QIACT?\r",
            format!("\r\n+QIACT: 1,1,{kind},{addresses}\r\n\r\nOK\r\n"),
        );
    }
}

#[test]
fn tcp_udp_and_ping() {
    for kind in [2, 3] {
        let mut host = ready(kind);
        host.talk("AT+QIOPEN=1,0,\"TCP\",\"2001:db8::7\",7\r", "\r\nOK\r\n");
        host.expect("\r\n+QIOPEN: 0,0\r\n");
        host.qisend(0, b"hello");
        host.expect("\r\n+QIURC: \"recv\",0\r\n");
        host.qird(0, b"hello");
        host.talk(
            "AT+QIOPEN=1,1,\"UDP\",\"2001:db8::7\",7\r",
            "\r\nOK\r\n\r\n+QIOPEN: 1,0\r\n",
        );
        host.qisend(1, b"hello");
        host.expect("\r\n+QIURC: \"recv\",1\r\n");
        host.qird(1, b"hello");
        host.talk("AT+QPING=1,\"2001:db8::7\",4,1\r", "\r\nOK\r\n");
        host.expect("\r\n+QPING: 0,\"2001:db8::7\",32,40,255\r\n");
        host.expect("\r\n+QPING: 0,1,1,0,40,40,40\r\n");
        host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    }
}

#[test]
fn servers() {
    let mut host = ready(2);
    host.talk(
        "AT+QIOPEN=1,0,\"TCP LISTENER\",\"::1\",0,8080,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
    let client = "[2001:db8::c]:40000".parse().expect("an address");
    assert!(host.sim.dial(client, 8080, Source::new(*b"x", Then::Keep)));
    host.expect("\r\n+QIURC: \"incoming\",11,0,\"2001:db8::c\",40000\r\n");
    host.expect("\r\n+QIURC: \"recv\",11\r\n");
    host.talk(
        "AT+QIOPEN=1,1,\"UDP SERVICE\",\"::1\",0,3030,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 1,0\r\n",
    );
    assert!(host.sim.send_datagram(client, 3030, b"hello"));
    host.expect("\r\n+QIURC: \"recv\",1\r\n");
    host.talk(
        "AT+QIRD=1\r",
        "\r\n+QIRD: 5,\"2001:db8::c\",40000\r\nhello\r\n\r\nOK\r\n",
    );
}

#[test]
fn a_name_gives_what_the_context_can_reach() {
    for (kind, address) in [(1, "192.0.2.7"), (2, "2001:db8::7")] {
        let mut host = ready(kind);
        host.talk("AT+QIDNSGIP=1,\"both.example\"\r", "\r\nOK\r\n");
        host.expect("\r\n+QIURC: \"dnsgip\",0,1,60\r\n");
        host.expect(format!("\r\n+QIURC: \"dnsgip\",\"{address}\"\r\n"));
        host.talk("AT+QIOPEN=1,0,\"TCP\",\"both.example\",7\r", "\r\nOK\r\n");
        host.expect("\r\n+QIOPEN: 0,0\r\n");
    }
    let mut host = ready(3);
    host.talk("AT+QIDNSGIP=1,\"both.example\"\r", "\r\nOK\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",0,2,60\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",\"192.0.2.7\"\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",\"2001:db8::7\"\r\n");
}

#[test]
fn the_other_version_cannot_be_reached() {
    for (kind, address) in [(1, "2001:db8::7"), (2, "192.0.2.7")] {
        let mut host = ready(kind);
        for service in ["TCP", "UDP"] {
            host.talk(
                format!("AT+QIOPEN=1,0,\"{service}\",\"{address}\",7\r"),
                "\r\nOK\r\n\r\n+QIOPEN: 0,566\r\n",
            );
            host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
        }
    }
}
