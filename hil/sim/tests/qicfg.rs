//! `AT+QICFG`: what each family has, and what the options do that no other test shows.

mod common;

use std::net::SocketAddr;

use common::Host;
use quectel_sim::{Config, Echo, OptionSet, Sink};

fn server() -> SocketAddr {
    "192.0.2.7:7".parse().expect("an address")
}

fn host(options: OptionSet) -> Host {
    let mut config = Config::default();
    config.profile.options = options;
    let mut host = Host::ready(config);
    host.sim.serve(server(), || Echo);
    host
}

/// BG95-M3, as it was recorded.
#[test]
fn the_options_of_a_bg95() {
    let mut host = host(OptionSet::Bg9x);
    host.talk(
        "AT+QICFG=?\r",
        "\r\n+QICFG: \"transpktsize\",(1-1460)\r\n+QICFG: \"transwaittm\",(0-20)\r\n\
         +QICFG: \"dataformat\",(0,1),(0,1)\r\n+QICFG: \"viewmode\",(0,1)\r\n\
         +QICFG: \"recvind\",(0,1)\r\n+QICFG: \"sack\",(0,1)\r\n\
         +QICFG: \"tcp/keepalive\",(0-1),(1-120),(25-100),(3-10)\r\n\
         +QICFG: \"tcp/retranscfg\",(3-20),(5-1000)\r\n\r\nOK\r\n",
    );
    host.talk("AT+QICFG=\"passiveclosed\",1\r", "\r\nERROR\r\n");
    host.talk("AT+QICFG=\"close/mode\",1\r", "\r\nERROR\r\n");
}

#[test]
fn values_are_remembered_and_checked() {
    for (options, name, first, good, bad) in [
        (OptionSet::Ec2x, "transpktsize", "1024", "1460", "1461"),
        (OptionSet::Ec2x, "transpktsize", "1024", "1", "0"),
        (OptionSet::Ec2x, "transwaittm", "2", "20", "21"),
        (OptionSet::Ec2x, "dataformat", "0,0", "1,1", "1"),
        (
            OptionSet::Ec2x,
            "tcp/retranscfg",
            "12,600",
            "20,1000",
            "21,600",
        ),
        (OptionSet::Ec2x, "qisend/timeout", "0", "3600", "3601"),
        (
            OptionSet::Ec2x,
            "recv/buffersize",
            "10240",
            "524288",
            "10239",
        ),
        (OptionSet::Ec2x, "udp/sendmode", "0", "1", "2"),
        (OptionSet::Ec2x, "dns/cache", "1", "0", "2"),
        (OptionSet::Bg9x, "sack", "1", "0", "2"),
        (OptionSet::Ec200u, "tcp/retranscfg", "8,6", "12,60", "13,6"),
        (OptionSet::Ec200u, "close/mode", "0", "1", "2"),
        (OptionSet::Ec200u, "tcp/twrecycle", "0", "1", "2"),
        (
            OptionSet::Ec200x,
            "send/buffersize",
            "10240",
            "1460",
            "1459",
        ),
    ] {
        let mut host = host(options);
        let query = format!("AT+QICFG=\"{name}\"\r");
        let shown = |v: &str| format!("\r\n+QICFG: \"{name}\",{v}\r\n\r\nOK\r\n");
        host.talk(&query, shown(first));
        host.talk(format!("AT+QICFG=\"{name}\",{bad}\r"), "\r\nERROR\r\n");
        host.talk(format!("AT+QICFG=\"{name}\",{good}\r"), "\r\nOK\r\n");
        host.talk(&query, shown(good));
    }
}

#[test]
fn a_close_may_be_told_by_a_urc() {
    let mut host = host(OptionSet::Ec200u);
    host.talk("AT+QICFG=\"close/mode\",1\r", "\r\nOK\r\n");
    host.open(0);
    let begin = host.sim.now();
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    assert!(host.sim.now() < begin + 10_000);
    host.talk("AT+QISEND=0,1\r", "\r\nERROR\r\n");
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
    host.talk("AT+QISTATE\r", "\r\nOK\r\n");
    // Nobody acknowledges.
    host.open(0);
    let now = host.sim.now();
    host.sim.link_mut().blackouts.push(now..u64::MAX);
    host.talk("AT+QICLOSE=0,3\r", "\r\nOK\r\n");
    host.silence(2_900_000);
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
    // There is nothing to close.
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    host.silence(1_000_000);
    // No handshake, no wait.
    host.talk(
        "AT+QIOPEN=1,1,\"UDP\",\"192.0.2.7\",7\r",
        "\r\nOK\r\n\r\n+QIOPEN: 1,0\r\n",
    );
    host.talk("AT+QICLOSE=1\r", "\r\nOK\r\n\r\n+QIURC: \"closed\",1\r\n");
}

#[test]
fn sending_may_tell_the_room_left() {
    let mut host = host(OptionSet::Ec200u);
    host.sim.serve(server(), || Sink);
    host.talk("AT+QICFG=\"sendinfo\",1\r", "\r\nOK\r\n");
    host.open(0);
    host.silence(100_000);
    host.sim.with_peer(server(), |io| io.pause(true));
    let now = host.sim.now();
    host.sim.link_mut().blackouts.push(now..u64::MAX);
    for i in 1..=7 {
        host.talk("AT+QISEND=0,1460\r", "\r\n> ");
        let free = 10_240 - 1_460 * i;
        host.talk(
            [b'x'; 1_460],
            format!("\r\n+QISEND: 0,0,{free}\r\n\r\nOK\r\n"),
        );
    }
    host.talk("AT+QISEND=0,1460\r", "\r\n> ");
    host.talk([b'x'; 1_460], "\r\n+QISEND: 0,1,20\r\n\r\nOK\r\n");
}

#[test]
fn the_prompt_may_be_a_line() {
    let mut host = host(OptionSet::Ec200u);
    host.open(0);
    host.talk("AT+QICFG=\"formatcfg\",1\r", "\r\nOK\r\n");
    host.talk("AT+QISEND=0,4\r", "\r\n>\r\n");
    host.talk("test", "\r\nSEND OK\r\n");
}

#[test]
fn keep_alive_counts_in_the_family_s_unit() {
    let mut host = host(OptionSet::Ec200u);
    host.talk("AT+QICFG=\"tcp/keepalive\",1,30,25,3\r", "\r\nOK\r\n");
    host.open(0);
    let now = host.sim.now();
    host.sim.link_mut().blackouts.push(now..u64::MAX);
    host.silence(100_000_000);
    host.sim.run_until(now + 110_000_000);
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
}

#[test]
fn retransmission_ends_when_the_option_says() {
    let mut host = host(OptionSet::Ec2x);
    // 1 + 2 + 4 s.
    host.talk("AT+QICFG=\"tcp/retranscfg\",3,600\r", "\r\nOK\r\n");
    host.open(0);
    let now = host.sim.now();
    host.sim.link_mut().blackouts.push(now..u64::MAX);
    host.qisend(0, b"lost");
    host.silence(6_900_000);
    host.sim.run_until(now + 7_500_000);
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
}

#[test]
fn the_send_buffer_may_be_small() {
    let mut host = host(OptionSet::Ec200x);
    host.sim.serve(server(), || Sink);
    host.talk("AT+QICFG=\"send/buffersize\",1460\r", "\r\nOK\r\n");
    host.open(0);
    let now = host.sim.now();
    host.sim.link_mut().blackouts.push(now..u64::MAX);
    host.qisend(0, &[b'x'; 1_460]);
    host.talk("AT+QISEND=0,1\r", "\r\n> ");
    host.talk("x", "\r\nSEND FAIL\r\n");
}

#[test]
fn payload_may_be_hexadecimal() {
    let mut host = host(OptionSet::Ec2x);
    host.open(0);
    host.talk("AT+QICFG=\"dataformat\",1,0\r", "\r\nOK\r\n");
    host.qisend(0, b"00FFa5");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.qird(0, b"\x00\xFF\xA5");
    for text in ["123", "0G"] {
        host.talk(format!("AT+QISEND=0,{}\r", text.len()), "\r\n> ");
        host.talk(text, "\r\nERROR\r\n");
    }
    host.talk("AT+QISENDEX=0,\"3132\"\r", "\r\nSEND OK\r\n");
    host.talk("AT+QISEND=0,0\r", "\r\n+QISEND: 5,3,2\r\n\r\nOK\r\n");
}
