//! Where URCs can appear, byte by byte, and many of them at once.

mod common;

use common::Host;
use quectel_sim::{Config, Echo, Storm, UrcPlace};
use quectel_sim::{Incident, Times, When};

/// A connected host that has sent nothing.
fn connected() -> Host {
    Host::connected(Config::default(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), || Echo)
    })
}

#[track_caller]
fn add(host: &mut Host, fault: &str) {
    host.sim.add_fault(fault.parse().unwrap());
}

#[test]
fn while_nothing_goes_on() {
    let mut host = connected();
    let at = host.sim.now() + 2_000_000;
    add(&mut host, &format!("storm:1:\"+CEREG: 1\":0s:{at}us"));
    host.silence(1_999_999);
    host.expect("\r\n+CEREG: 1\r\n");
    host.silence(10_000_000);
}

#[test]
fn between_the_echo_and_the_answer() {
    let mut host = Host::new(Config::default());
    add(&mut host, "urc:after-echo:+CSQ:\"+CEREG: 1\"");
    host.talk(
        "AT+CSQ\r",
        "AT+CSQ\r\r\n+CEREG: 1\r\n\r\n+CSQ: 22,99\r\n\r\nOK\r\n",
    );
}

#[test]
fn before_and_behind_the_head_of_data() {
    let mut host = connected();
    host.qisend(0, b"hi");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    add(&mut host, "urc:before-answer:+QIRD:\"+CEREG: 1\"");
    add(&mut host, "urc:between-rows:+QIRD:\"+CEREG: 2\":always");
    add(&mut host, "urc:before-ok:+QIRD:\"+CEREG: 3\"");
    // Data follows its head; there are no rows to stand between.
    host.talk(
        "AT+QIRD=0,10\r",
        "\r\n+CEREG: 1\r\n\r\n+QIRD: 2\r\nhi\r\n\r\n+CEREG: 3\r\n\r\nOK\r\n",
    );
}

#[test]
fn between_the_rows_of_one_answer() {
    let mut host = connected();
    add(&mut host, "urc:between-rows:any:\"+CEREG: 1\"");
    // One row has nothing between.
    host.talk("AT+CSQ\r", "\r\n+CSQ: 22,99\r\n\r\nOK\r\n");
    host.talk(
        "AT+CSQ;I\r",
        "\r\n+CSQ: 22,99\r\n\r\nQuectel\r\n\r\n+CEREG: 1\r\nEC25\r\nRevision: EC25EFAR06A06M4G\r\n\r\nOK\r\n",
    );
}

#[test]
fn between_command_and_prompt_and_between_payload_and_send_ok() {
    let mut host = connected();
    add(&mut host, "urc:before-prompt:+QISEND:\"+CEREG: 1\"");
    add(&mut host, "urc:before-send-ok:+QISEND:\"+CEREG: 2\"");
    host.talk("AT+QISEND=0,2\r", "\r\n+CEREG: 1\r\n\r\n> ");
    host.talk("hi", "\r\n+CEREG: 2\r\n\r\nSEND OK\r\n");
}

#[test]
fn behind_the_final_code_in_the_same_read() {
    let mut host = connected();
    add(&mut host, "urc:after-answer:+QISEND:\"+CEREG: 1\"");
    add(&mut host, "urc:after-answer:+CSQ:\"+CEREG: 2\"");
    host.talk("AT+QISEND=0,2\r", "\r\n> ");
    host.talk("hi", "\r\nSEND OK\r\n\r\n+CEREG: 1\r\n");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.send("AT+CSQ\r");
    let answer = b"\r\n+CSQ: 22,99\r\n\r\nOK\r\n\r\n+CEREG: 2\r\n";
    // One read, if the host waits until the line is idle.
    host.sim.run_for(20_000);
    assert_eq!(host.sim.read_all(), answer);
}

#[test]
fn a_storm_with_time_between() {
    let mut host = connected();
    let at = host.sim.now() + 1_000_000;
    add(&mut host, &format!("storm:3:\"+X: {{}}\":2s:{at}us"));
    host.silence(999_999);
    host.expect("\r\n+X: 0\r\n");
    host.silence(1_900_000);
    host.expect("\r\n+X: 1\r\n");
    // A dialogue in the middle of it.
    host.talk("AT\r", "\r\nOK\r\n");
    host.expect("\r\n+X: 2\r\n");
    host.silence(60_000_000);
}

#[test]
fn a_storm_back_to_back() {
    let mut host = connected();
    host.sim.send_storm(10_000, "+CEREG: {}", 0);
    let all: String = (0..10_000)
        .map(|number| format!("\r\n+CEREG: {number}\r\n"))
        .collect();
    host.expect(all);
    host.talk("AT\r", "\r\nOK\r\n");
}

#[test]
fn a_storm_at_a_byte_that_comes_again() {
    let mut host = connected();
    add(&mut host, "storm:2:\"+X: {}\":0s:payload:1:2");
    for _ in 0..2 {
        host.talk("AT+QISEND=0,2\r", "\r\n> ");
        // URCs wait until the payload is there.
        host.talk("hi", "\r\n+X: 0\r\n\r\n+X: 1\r\n\r\nSEND OK\r\n");
        host.expect("\r\n+QIURC: \"recv\",0\r\n");
        host.qird(0, b"hi");
        host.talk("AT+QIRD=0\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
    }
    host.qisend(0, b"hi");
}

#[test]
fn a_storm_that_is_called_off_or_that_nobody_can_hear() {
    let mut host = connected();
    host.sim.send_storm(100, "+X: {}", 1_000_000);
    host.expect("\r\n+X: 0\r\n");
    host.sim.clear_faults();
    host.silence(10_000_000);
    // It goes on while the module is mute, and what falls into that is lost.
    let storm = Storm {
        count: 5,
        text: "+X: {}".into(),
        every_us: 1_000_000,
    };
    let now = host.sim.now();
    host.sim
        .schedule(When::At(now + 500_000), Incident::Mute(3_000_000));
    host.sim.schedule(When::At(now), Incident::Storm(storm));
    host.expect("\r\n+X: 0\r\n");
    host.silence(3_400_000);
    host.expect("\r\n+X: 4\r\n");
    // Elsewhere.
    host.sim.set_urc_port("usbat");
    host.sim.send_storm(3, "+X: {}", 0);
    host.silence(10_000_000);
}

#[test]
fn spots_by_value() {
    let mut host = connected();
    let urc = "+CEREG: 1";
    let between = UrcPlace::BetweenRows;
    host.sim.inject_urc(between, "i", urc, Times::Once);
    host.talk(
        "ATI\r",
        "\r\nQuectel\r\n\r\n+CEREG: 1\r\nEC25\r\nRevision: EC25EFAR06A06M4G\r\n\r\nOK\r\n",
    );
}

#[test]
fn a_storm_by_a_control_line() {
    let mut host = connected();
    let done = host.sim.control("storm 2 0s +QIND: \"csq\",{},99").unwrap();
    assert_eq!(done, "");
    host.expect("\r\n+QIND: \"csq\",0,99\r\n\r\n+QIND: \"csq\",1,99\r\n");
    for (line, error) in [
        (
            "storm",
            "the line goes on with a number of URCs (1 to 10000)",
        ),
        ("storm 0 0s X", "'0' is not a number of URCs: 1 to 10000"),
        (
            "storm 2 0 X",
            "'0' is not a time: a number and its unit: 20ms, 0s",
        ),
        ("storm 2 0s", "the line goes on with a URC"),
        (
            "storm 2 0s a\tb",
            "'\\t' is not part of a URC: no control characters",
        ),
    ] {
        let wrong = host.sim.control(line).unwrap_err();
        assert_eq!(wrong.to_string(), error);
    }
}
