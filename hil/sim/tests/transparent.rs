//! Transparent mode: the serial line is a pipe.

mod common;

use std::net::SocketAddr;

use common::Host;
use quectel_sim::{Config, Echo, Incident, Record, Sink, Source, Then, Unbound, When};

fn server() -> SocketAddr {
    "192.0.2.7:7".parse().expect("an address")
}

const OPEN: &str = "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,0,2\r";
const SECOND: u64 = 1_000_000;

/// A host in transparent mode, and what its server receives.
fn piped(config: Config) -> (Host, Record) {
    let mut host = Host::ready(config);
    let record = Record::new();
    host.sim.serve(server(), record.of(|| Echo));
    host.talk(OPEN, "\r\nCONNECT\r\n");
    (host, record)
}

fn noise(n: usize) -> Vec<u8> {
    (0..n as u32)
        .map(|i| (i.wrapping_mul(i) / 7) as u8)
        .collect()
}

#[test]
fn bytes_pass_as_they_are() {
    let (mut host, record) = piped(Config::default());
    let mut data = noise(20_000);
    data.extend(b"AT+QICLOSE=0\r\r\nOK\r\n+++\x1a\x1b");
    host.send(&data);
    let got = host.take(data.len());
    assert!(got == data);
    assert!(record.data(0) == data);
    host.silence(5 * SECOND);
}

#[test]
fn the_escape_leads_to_commands_and_ato_back() {
    let (mut host, record) = piped(Config::default());
    host.send("abc");
    host.expect("abc");
    host.silence(SECOND);
    host.send("+++");
    let begin = host.sim.now();
    host.expect("\r\nOK\r\n");
    let took = host.sim.now() - begin;
    assert!((1_000_000..1_002_000).contains(&took), "{took}");
    // Buffer mode now.
    host.qisend(0, b"def");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.qird(0, b"def");
    host.talk("AT+QISEND=0,0\r", "\r\n+QISEND: 6,6,0\r\n\r\nOK\r\n");
    host.talk("ATO\r", "\r\nCONNECT\r\n");
    host.send("ghi");
    host.expect("ghi");
    assert_eq!(record.data(0), b"abcdefghi");
    host.silence(SECOND);
    host.send("+++");
    host.expect("\r\nOK\r\n");
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    host.talk("ATO\r", "\r\nNO CARRIER\r\n");
}

#[test]
fn pluses_that_are_no_escape() {
    let (mut host, record) = piped(Config::default());
    // No silence before.
    host.send("abc");
    host.silence(0);
    host.sim.run_until(host.sim.now() + 500_000);
    host.take(3);
    host.send("+++");
    host.expect("+++");
    // No silence after.
    host.silence(2 * SECOND);
    host.send("+++");
    host.silence(900_000);
    host.send("x");
    host.expect("+++x");
    // Too many, too few, too slow.
    host.silence(2 * SECOND);
    host.send("++++");
    host.expect("++++");
    host.silence(2 * SECOND);
    host.send("++");
    host.expect("++");
    host.silence(2 * SECOND);
    host.send("+");
    host.silence(600_000);
    host.send("+");
    host.silence(600_000);
    host.send("+");
    host.expect("+++");
    host.silence(2 * SECOND);
    // One after the other, but within a second.
    for _ in 0..3 {
        host.send("+");
        host.sim.run_until(host.sim.now() + 300_000);
    }
    host.expect("\r\nOK\r\n");
    assert_eq!(record.data(0), b"abc++++++x+++++++++");
}

#[test]
fn packets_go_when_full_or_when_it_is_time() {
    let (mut host, record) = piped(Config::default());
    let begin = host.sim.now();
    host.send("x");
    host.run_while(|_| record.is_empty(0));
    let took = host.sim.now() - begin;
    // transwaittm 2, and 20 ms on the link.
    assert!((220_000..221_000).contains(&took), "{took}");
    host.silence(0);
    host.take(1);
    host.sim.run_until(host.sim.now() + 2 * SECOND);
    host.send("+++");
    host.sim.run_until(host.sim.now() + 2 * SECOND);
    host.expect("\r\nOK\r\n");
    host.talk("AT+QICFG=\"transpktsize\",100\r", "\r\nOK\r\n");
    host.talk("AT+QICFG=\"transwaittm\",20\r", "\r\nOK\r\n");
    host.talk("ATO\r", "\r\nCONNECT\r\n");
    let begin = host.sim.now();
    host.send([b'y'; 150]);
    host.run_while(|_| record.len(0) < 101);
    let took = host.sim.now() - begin;
    assert!((28_000..30_000).contains(&took), "{took}");
    host.run_while(|_| record.len(0) < 151);
    let took = host.sim.now() - begin;
    assert!((2_020_000..2_040_000).contains(&took), "{took}");
}

#[test]
fn the_peer_closes() {
    let mut host = Host::ready(Config::default());
    let data = noise(6_000);
    let source = data.clone();
    host.sim
        .serve(server(), move || Source::new(source.clone(), Then::Close));
    host.talk(OPEN, "\r\nCONNECT\r\n");
    assert!(host.take(data.len()) == data);
    host.expect("\r\nNO CARRIER\r\n");
    host.silence(SECOND);
    host.send("AT+QISTATE=1,0\r");
    host.sim.run_until(host.sim.now() + 100_000);
    let n = host.sim.readable();
    let row = String::from_utf8(host.take(n)).expect("text");
    assert!(row.contains(",4,1,0,2,\"uart1\"\r\n\r\nOK\r\n"), "{row}");
    host.talk("ATO\r", "\r\nNO CARRIER\r\n");
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
}

#[test]
fn the_peer_resets_or_the_context_is_lost() {
    let (mut host, _) = piped(Config::default());
    host.silence(100_000);
    let reset = host.sim.with_peer(server(), |io| io.abort());
    assert!(reset.is_some());
    host.expect("\r\nNO CARRIER\r\n");
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    host.talk(OPEN, "\r\nCONNECT\r\n");
    host.sim
        .schedule(When::At(host.sim.now()), Incident::PdpDeact(1));
    host.expect("\r\nNO CARRIER\r\n\r\n+QIURC: \"pdpdeact\",1\r\n");
}

#[test]
fn an_open_that_fails() {
    let mut host = Host::ready(Config::default());
    host.talk(OPEN, "\r\nERROR\r\n");
    host.talk(
        "AT+QIGETERROR\r",
        "\r\n+QIGETERROR: 566,socket connect failed\r\n\r\nOK\r\n",
    );
    host.talk(OPEN, "\r\nERROR\r\n");
    host.talk(
        "AT+QIGETERROR\r",
        "\r\n+QIGETERROR: 563,socket identity has been used\r\n\r\nOK\r\n",
    );
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    host.sim.set_unbound(server(), Unbound::Silence);
    host.send(OPEN);
    host.silence(74 * SECOND);
    host.expect("\r\nERROR\r\n");
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    let soon = When::At(host.sim.now() + SECOND);
    host.sim.schedule(soon, Incident::PdpDeact(1));
    host.talk(OPEN, "\r\n+QIURC: \"pdpdeact\",1\r\n\r\nERROR\r\n");
    // A server has no pipe.
    host.talk(
        "AT+QIOPEN=1,1,\"TCP LISTENER\",\"127.0.0.1\",0,8080,2\r",
        "\r\nERROR\r\n",
    );
}

#[test]
fn only_so_many_urcs_wait() {
    let (mut host, _) = piped(Config::default());
    for _ in 0..1_100 {
        host.sim.send_urc("X");
    }
    host.silence(2 * SECOND);
    host.send("+++");
    host.expect(format!("\r\nOK\r\n{}", "\r\nX\r\n".repeat(1_000)));
    host.silence(SECOND);
}

#[test]
fn a_pipe_at_the_end_of_a_line() {
    let mut host = Host::ready(Config::default());
    host.sim.serve(server(), || Sink);
    let line = format!("AT+CFUN?;{}", OPEN.trim_start_matches("AT"));
    host.talk(line, "\r\n+CFUN: 1\r\n\r\nCONNECT\r\n");
}

#[test]
fn urcs_wait_for_the_end_of_the_pipe() {
    let (mut host, _) = piped(Config::default());
    host.sim.send_urc("+CREG: 5");
    host.silence(3 * SECOND);
    host.send("+++");
    host.expect("\r\nOK\r\n\r\n+CREG: 5\r\n");
}

#[test]
fn a_switch_into_the_pipe_and_the_line_feed_of_the_command() {
    let mut host = Host::ready(Config::default());
    let record = Record::new();
    host.sim.serve(server(), record.of(|| Sink));
    host.open(0);
    host.talk("AT+QISWTMD=0,2\r\n", "\r\nCONNECT\r\n");
    host.send("\ndata");
    host.run_while(|_| record.len(0) < 5);
    assert_eq!(record.data(0), b"\ndata");
}

#[test]
fn udp_passes_too() {
    let mut host = Host::ready(Config::default());
    host.sim.serve_udp(server(), Echo);
    host.talk(
        "AT+QIOPEN=1,0,\"UDP\",\"192.0.2.7\",7,0,2\r",
        "\r\nCONNECT\r\n",
    );
    host.send("hello");
    host.expect("hello");
}

#[test]
fn a_full_window_holds_the_host_up_and_loses_nothing() {
    let mut host = Host::ready(Config::default());
    let record = Record::new();
    host.sim.serve(server(), record.of(|| Sink));
    host.talk(OPEN, "\r\nCONNECT\r\n");
    host.silence(100_000);
    host.sim.with_peer(server(), |io| io.pause(true));
    let data = noise(100_000);
    host.send(&data);
    host.silence(20 * SECOND);
    assert!(record.len(0) < 50_000);
    host.sim.with_peer(server(), |io| io.pause(false));
    host.run_while(|_| record.len(0) < data.len());
    assert!(record.data(0) == data);
}
