//! Names, echo requests, the time of day.

mod common;

use std::net::{IpAddr, SocketAddr};

use common::Host;
use quectel_sim::{Cellular, Config, NtpServer};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// EC25-class: the transcript of a ping, with this link's time.
#[test]
fn a_ping_of_a_name() {
    let mut host = Host::ready(Config::default());
    host.sim
        .set_name_addresses("google.com", &[ip("203.0.113.17")], 60);
    host.talk("at+qping=1,\"google.com\"\r", "\r\nOK\r\n");
    let begin = host.sim.now();
    for _ in 0..4 {
        host.expect("\r\n+QPING: 0,\"203.0.113.17\",32,40,255\r\n");
    }
    host.expect("\r\n+QPING: 0,4,4,0,40,40,40\r\n");
    let took = host.sim.now() - begin;
    assert!((3_000_000..3_200_000).contains(&took), "{took}");
    host.silence(2_000_000);
}

#[test]
fn a_host_that_is_off_gives_569() {
    let mut host = Host::ready(Config::default());
    host.sim.set_silent(ip("203.0.113.17"), true);
    host.talk("AT+QPING=1,\"203.0.113.17\",2,3\r", "\r\nOK\r\n");
    host.silence(1_900_000);
    host.expect("\r\n+QPING: 569\r\n");
    host.sim.set_silent(ip("203.0.113.17"), false);
    host.expect("\r\n+QPING: 0,\"203.0.113.17\",32,40,255\r\n");
    host.sim.set_silent(ip("203.0.113.17"), true);
    host.expect("\r\n+QPING: 569\r\n\r\n+QPING: 0,3,1,2,40,40,40\r\n");
}

#[test]
fn pings_that_cannot_be() {
    let mut host = Host::new(Config::default());
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk(
        "AT+QPING=1,\"openairinterface.org\"\r",
        "\r\nOK\r\n\r\n+QPING: 561\r\n",
    );
    host.sim.profile_mut().ping_activates = true;
    host.talk("AT+QPING=1,\"203.0.113.17\",4,1\r", "\r\nOK\r\n");
    host.expect("\r\n+QPING: 0,\"203.0.113.17\",32,40,255\r\n");
    host.expect("\r\n+QPING: 0,1,1,0,40,40,40\r\n\r\n+QIURC: \"pdpdeact\",1\r\n");
    host.talk("AT+QIACT?\r", "\r\nOK\r\n");
    host.talk("AT+QIACT=1\r", "\r\nOK\r\n");
    host.talk("AT+QPING=1,\"nobody.example\"\r", "\r\nOK\r\n");
    host.expect("\r\n+QPING: 565\r\n");
    host.talk("AT+QPING=1,\"203.0.113.17\"\r", "\r\nOK\r\n");
    host.talk("AT+QPING=1,\"203.0.113.17\"\r", "\r\nERROR\r\n");
    for _ in 0..4 {
        host.expect("\r\n+QPING: 0,\"203.0.113.17\",32,40,255\r\n");
    }
    host.expect("\r\n+QPING: 0,4,4,0,40,40,40\r\n");
    for command in [
        "AT+QPING=1,\"203.0.113.17\",0\r",
        "AT+QPING=1,\"203.0.113.17\",256\r",
        "AT+QPING=1,\"203.0.113.17\",4,11\r",
        "AT+QPING=1,\"\"\r",
        "AT+QPING=1\r",
    ] {
        host.talk(command, "\r\nERROR\r\n");
    }
}

/// EC200U: the time is UTC, whatever zone stands behind it.
#[test]
fn the_time_from_a_server() {
    let mut host = Host::ready(Config {
        cellular: Cellular {
            zone_quarters: 32,
            ..Cellular::default()
        },
        ..Config::default()
    });
    let server = SocketAddr::new(ip("203.0.113.5"), 123);
    // 3 July 2026, 00:56:21 UTC.
    let unix_s = 1_783_040_181 - host.sim.now() / 1_000_000;
    host.sim.serve_udp(server, NtpServer { unix_s });
    host.sim
        .set_name_addresses("ntp.aliyun.com", &[server.ip()], 60);
    host.sim.run_until(host.sim.now() + 5_900_000);
    host.talk("AT+QNTP=1,\"ntp.aliyun.com\"\r", "\r\nOK\r\n");
    host.expect("\r\n+QNTP: 0,\"2026/07/03,00:56:27+32\"\r\n");
}

#[test]
fn a_time_server_that_does_not_answer() {
    let mut host = Host::ready(Config::default());
    let begin = host.sim.now();
    host.talk("AT+QNTP=1,\"203.0.113.5\",123,1,2,5\r", "\r\nOK\r\n");
    host.talk("AT+QNTP=1,\"203.0.113.5\"\r", "\r\nERROR\r\n");
    host.expect("\r\n+QNTP: 569\r\n");
    let took = host.sim.now() - begin;
    assert!((10_000_000..10_100_000).contains(&took), "{took}");
    host.talk("AT+QNTP=1,\"nobody.example\"\r", "\r\nOK\r\n");
    host.expect("\r\n+QNTP: 565\r\n");
    host.talk("AT+QIDEACT=1\r", "\r\nOK\r\n");
    host.talk(
        "AT+QNTP=1,\"203.0.113.5\"\r",
        "\r\nOK\r\n\r\n+QNTP: 561\r\n",
    );
}
