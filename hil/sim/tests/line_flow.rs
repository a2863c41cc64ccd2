//! The serial line: RTS and CTS, DTR, sleep, and bytes that find no room.

mod common;

use common::Host;
use quectel_sim::{Config, Profile, Record, Sink, Source, TcpState, Then};

fn host() -> Host {
    let mut host = Host::new(Config::default());
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host
}

#[test]
fn rts_stops_the_module_between_two_bytes() {
    let mut host = host();
    host.talk("AT+IFC=2,2\r", "\r\nOK\r\n");
    host.send("ATI\r");
    host.expect("\r\nQue");
    // In the middle of the next byte, which still comes.
    host.sim.run_until(host.sim.now() + 40);
    host.sim.set_rts(false);
    host.silence(0);
    host.sim.run_until(host.sim.now() + 10_000_000);
    assert_eq!(host.sim.readable(), 1);
    assert_eq!(host.sim.next_event(), None);
    host.sim.set_rts(true);
    let begin = host.sim.now();
    host.expect("ctel\r\nEC25\r\nRevision: EC25EFAR06A06M4G\r\n\r\nOK\r\n");
    // Forty-five bytes of 86.8 µs, without a gap.
    assert_eq!(host.sim.now() - begin, 3_907);
}

#[test]
fn what_comes_up_meanwhile_waits_too() {
    let mut host = host();
    host.talk("AT+IFC=2,2\r", "\r\nOK\r\n");
    host.sim.set_rts(false);
    host.send("AT\r");
    host.silence(1_000_000);
    host.sim.send_urc("RING");
    host.silence(1_000_000);
    host.sim.set_rts(true);
    host.expect("\r\nOK\r\n\r\nRING\r\n");
}

#[test]
fn a_module_without_flow_control_takes_no_notice() {
    let mut host = host();
    host.sim.set_rts(false);
    host.talk("AT+IFC?\r", "\r\n+IFC: 0,0\r\n\r\nOK\r\n");
    assert!(host.sim.cts());
}

#[test]
fn pushed_data_is_held_up_and_comes_whole() {
    let data: Vec<u8> = (0..100_000u32).map(|i| ((i * 7919) >> 8) as u8).collect();
    let source = data.clone();
    let mut host = host();
    host.talk("AT+IFC=2,2;+QISDE=0;+QIACT=1\r", "\r\nOK\r\n");
    host.sim.serve("192.0.2.7:7".parse().unwrap(), move || {
        Source::new(source.clone(), Then::Keep)
    });
    host.talk(
        "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,0,2\r",
        "\r\nCONNECT\r\n",
    );
    let mut got = Vec::new();
    while got.len() < data.len() {
        got.extend(host.take(1_000));
        host.sim.set_rts(false);
        let now = host.sim.now();
        host.sim.run_until(now + 20_000 + now % 77);
        host.sim.set_rts(true);
    }
    assert!(got == data);
}

#[test]
fn a_host_that_does_not_read_in_time_loses_bytes_if_its_fifo_is_small() {
    let mut host = host();
    host.sim.set_receive_fifo(Some(4));
    host.send("ATI\r");
    host.sim.run_until(host.sim.now() + 1_000_000);
    // 51 bytes in all.
    host.expect("\r\nQu");
    assert_eq!(host.sim.host_overruns(), 47);
    // One that does loses nothing.
    host.talk("AT\r", "\r\nO");
    host.expect("K\r\n");
}

/// The receive buffer of a busy module fills: CTS goes off at three quarters.
#[test]
fn cts_goes_off_while_the_module_is_busy() {
    let mut config = Config::default();
    config.profile.serial.buffer = 40;
    config.profile.activate_us = 5_000_000;
    let mut host = Host::new(config);
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT+IFC=2,2\r", "\r\nOK\r\n");
    host.send("AT+QIACT=1\r");
    host.silence(1_000_000);
    assert!(host.sim.cts());
    host.send("AT\r".repeat(9));
    host.silence(10_000);
    assert!(host.sim.cts());
    host.send("AT\r");
    host.silence(10_000);
    assert!(!host.sim.cts());
    host.expect("\r\nOK\r\n".repeat(11));
    assert!(host.sim.cts());
    host.sim.power_off();
    assert!(!host.sim.cts());
}

#[test]
fn a_module_may_lose_what_its_buffer_cannot_hold() {
    let mut host = host();
    host.sim
        .add_fault("switch:serial-overruns:on".parse().unwrap());
    host.sim
        .add_fault("switch:serial-buffer:30".parse().unwrap());
    host.send("AT+QIACT=1\r");
    host.silence(100_000);
    host.send("AT\r".repeat(12));
    host.silence(100_000);
    assert_eq!(host.sim.module_overruns(), 6);
    host.expect("\r\nOK\r\n".repeat(11));
    host.silence(1_000_000);
}

fn transparent(command: &str) -> (Host, Record) {
    let record = Record::new();
    let mut host = Host::ready(Config::default());
    host.talk(command, "\r\nOK\r\n");
    host.sim
        .serve("192.0.2.7:7".parse().unwrap(), record.of(|| Sink));
    host.talk(
        "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,0,2\r",
        "\r\nCONNECT\r\n",
    );
    host.send("hello");
    host.silence(1_000);
    (host, record)
}

#[test]
fn dtr_leads_back_to_commands() {
    let (mut host, record) = transparent("AT&D1\r");
    host.sim.set_dtr(false);
    host.expect("\r\nOK\r\n");
    host.talk(
        "AT+QISTATE=1,0\r",
        "\r\n+QISTATE: 0,\"TCP\",\"192.0.2.7\",7,61977,2,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
    );
    host.silence(100_000);
    assert_eq!(record.data(0), b"hello");
    host.sim.set_dtr(true);
    host.silence(100_000);
    host.talk("ATO\r", "\r\nCONNECT\r\n");
}

#[test]
fn dtr_closes_the_connection() {
    let (mut host, record) = transparent("AT&D2\r");
    host.sim.set_dtr(false);
    host.expect("\r\nNO CARRIER\r\n");
    host.talk("AT+QISTATE\r", "\r\nOK\r\n");
    host.silence(100_000);
    assert_eq!(record.data(0), b"hello");
    let states: Vec<TcpState> = host.sim.tcp_sockets().iter().map(|one| one.state).collect();
    assert_eq!(states, [TcpState::TimeWait]);
}

#[test]
fn dtr_does_nothing_if_told_so() {
    let (mut host, record) = transparent("AT&D0\r");
    host.sim.set_dtr(false);
    host.silence(100_000);
    host.send("AT\r");
    host.silence(1_000_000);
    assert_eq!(record.data(0), b"helloAT\r");
}

#[test]
fn dtr_lets_the_module_sleep_and_wakes_it() {
    let mut host = host();
    host.talk("AT+QSCLK=1\r", "\r\nOK\r\n");
    host.silence(60_000_000);
    host.talk("AT\r", "\r\nOK\r\n");
    host.sim.set_dtr(false);
    host.silence(4_900_000);
    assert!(!host.sim.sleeps());
    host.talk("AT\r", "\r\nOK\r\n");
    host.silence(5_100_000);
    assert!(host.sim.sleeps());
    host.send("AT\rAT\r");
    host.silence(1_000_000);
    // A URC is sent all the same, and keeps it awake for a while.
    host.sim.send_urc("RING");
    host.expect("\r\nRING\r\n");
    host.talk("AT\r", "\r\nOK\r\n");
    host.silence(6_000_000);
    host.sim.set_dtr(true);
    host.talk("AT\r", "\r\nOK\r\n");
}

#[test]
fn bytes_may_wake_the_module_and_the_first_is_lost() {
    let mut host = host();
    host.sim.add_fault("switch:bytes-wake:on".parse().unwrap());
    host.talk("AT+QSCLK=1\r", "\r\nOK\r\n");
    host.sim.set_dtr(false);
    host.silence(6_000_000);
    host.send("AT\r");
    host.silence(100_000);
    host.talk("AT\r", "\r\nOK\r\n");
    host.silence(6_000_000);
    host.sim.add_fault("switch:wake-loses:4".parse().unwrap());
    host.talk("AT\rAT+CSQ\r", "");
    host.silence(100_000);
    host.sim.add_fault("switch:wake-loses:0".parse().unwrap());
    host.silence(6_000_000);
    host.talk("\rAT\r", "\r\nOK\r\n");
}

#[test]
fn a_bg96_and_a_bc660k_wake_by_what_they_receive() {
    for (profile, command) in [
        (Profile::bg96(), "AT+QSCLK=2\r"),
        (Profile::bc660k(), "AT+QSCLK=1\r"),
    ] {
        let mut host = Host::new(Config {
            profile,
            ..Config::default()
        });
        host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
        host.talk(command, "\r\nOK\r\n");
        host.silence(6_000_000);
        assert!(host.sim.sleeps());
        host.send("AT\r");
        host.silence(100_000);
        host.talk("AT\r", "\r\nOK\r\n");
    }
}
