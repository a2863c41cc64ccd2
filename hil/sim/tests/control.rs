//! Changes while a simulation runs, as text.

mod common;

use common::Host;
use quectel_sim::{Boot, Config, Echo, Sim};

fn host() -> Host {
    let mut host = Host::new(Config::default());
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host
}

/// Does what most lines do: without a word.
#[track_caller]
fn act(host: &mut Host, line: &str) {
    assert_eq!(host.sim.control(line).as_deref(), Ok(""), "{line}");
}

#[test]
fn lines_that_do_nothing() {
    let mut host = host();
    for line in ["", "   ", "# dtr off", "\t"] {
        act(&mut host, line);
    }
    let help = host.sim.control("help").unwrap();
    assert_eq!(format!("{help}\n"), Sim::control_help());
}

#[test]
fn the_speed_of_the_host() {
    let mut host = host();
    host.talk("AT+IPR=9600\r", "\r\nOK\r\n");
    act(&mut host, "baud 9600");
    host.talk("AT\r", "\r\nOK\r\n");
}

#[test]
fn flow_control() {
    let mut host = host();
    host.talk("AT+IFC=2,2\r", "\r\nOK\r\n");
    act(&mut host, "rts off");
    host.send("AT\r");
    host.silence(1_000_000);
    act(&mut host, "  rts   on ");
    host.expect("\r\nOK\r\n");
}

#[test]
fn dtr_and_sleep() {
    let mut host = host();
    host.talk("AT+QSCLK=1\r", "\r\nOK\r\n");
    act(&mut host, "dtr off");
    host.silence(6_000_000);
    host.send("AT\r");
    host.silence(1_000_000);
    act(&mut host, "dtr on");
    host.talk("AT\r", "\r\nOK\r\n");
}

#[test]
fn the_pins() {
    let mut host = Host::new(Config {
        boot: Boot::Off,
        ..Config::default()
    });
    assert_eq!(host.sim.control("status").as_deref(), Ok("low"));
    act(&mut host, "powerkey press 499ms");
    host.silence(30_000_000);
    act(&mut host, "powerkey press");
    host.expect("\r\nRDY\r\n");
    assert_eq!(host.sim.control("status").as_deref(), Ok("high"));
    host.silence_of_boot();
    act(&mut host, "reset down");
    host.silence(1_000_000);
    act(&mut host, "reset up");
    host.expect("\r\nRDY\r\n");
    host.silence_of_boot();
    act(&mut host, "reset press");
    host.expect("\r\nRDY\r\n");
    host.silence_of_boot();
    act(&mut host, "powerkey down");
    host.silence(700_000);
    act(&mut host, "powerkey up");
    host.expect("\r\nPOWERED DOWN\r\n");
    host.silence(6_000_000);
    act(&mut host, "power on");
    host.expect("\r\nRDY\r\n");
    act(&mut host, "power cut");
    host.silence(60_000_000);
    act(&mut host, "power on");
    host.expect("\r\nRDY\r\n");
    host.silence_of_boot();
    act(&mut host, "powerkey press");
    host.expect("\r\nPOWERED DOWN\r\n");
}

#[test]
fn the_sim_card() {
    let mut host = host();
    act(&mut host, "simcard absent");
    host.expect("\r\n+CPIN: NOT READY\r\n");
    host.talk("AT+CPIN?\r", "\r\n+CME ERROR: 10\r\n");
    act(&mut host, "simcard pin 4711");
    host.expect("\r\n+CPIN: SIM PIN\r\n");
    host.talk("AT+CPIN=4711\r", "\r\nOK\r\n");
    host.expect("\r\n+CPIN: READY\r\n");
}

#[test]
fn faults_and_urcs() {
    let mut host = host();
    act(&mut host, "urc +QIND: \"csq\",17,99");
    host.expect("\r\n+QIND: \"csq\",17,99\r\n");
    act(&mut host, "fault refuse:+CSQ:3");
    host.talk("AT+CSQ\r", "\r\nERROR\r\n");
    let position = host.sim.position(quectel_sim::Direction::ToHost);
    act(&mut host, &format!("fault drop:host:{}", position + 1));
    act(&mut host, "fault reset:1000s");
    act(&mut host, "faults clear");
    host.talk("AT+CSQ\r", "\r\n+CSQ: 22,99\r\n\r\nOK\r\n");
    host.silence(1_100_000_000);
}

#[test]
fn names() {
    let mut host = Host::ready(Config::default());
    act(
        &mut host,
        "name server.test 192.0.2.7 2001:db8::7 192.0.2.8",
    );
    host.talk("AT+QIDNSGIP=1,\"server.test\"\r", "\r\nOK\r\n");
    host.expect(
        "\r\n+QIURC: \"dnsgip\",0,2,300\r\n\r\n+QIURC: \"dnsgip\",\"192.0.2.7\"\r\n\
        \r\n+QIURC: \"dnsgip\",\"192.0.2.8\"\r\n",
    );
    act(&mut host, "name server.test");
    host.talk("AT+QIDNSGIP=1,\"server.test\"\r", "\r\nOK\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",565\r\n");
}

#[test]
fn the_state_in_words() {
    let mut host = Host::ready(Config::default());
    host.sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    host.talk("AT+QICSGP=2,3,\"internet\"\r", "\r\nOK\r\n");
    host.talk("AT+QIACT=2\r", "\r\nOK\r\n");
    host.open(0);
    host.qisend(0, b"hello");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.talk(
        "AT+QIOPEN=1,1,\"UDP SERVICE\",\"127.0.0.1\",0,3030,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 1,0\r\n",
    );
    act(&mut host, "registration roaming");
    act(&mut host, "link down");
    host.sim.run_until(9_000_001);
    let state = host.sim.control("state").unwrap();
    let expected = "\
time 9.000001
power on status high
serial host 115200 module 115200 rts on cts on dtr on overruns host 0 module 0
network roaming signal 22 link down
context 1 active 10.7.157.1
context 2 active 10.7.157.2 2001:db8:9d::2
socket 0 \"TCP\" local 61977 remote 192.0.2.7:7 state Established sent 5 unacked 0 read 0 unread 5
socket 1 \"UDP SERVICE\" local 3030 remote 127.0.0.1:0 state Open sent 0 unacked 0 read 0 unread 0";
    assert_eq!(state, expected);
    act(&mut host, "power cut");
    let expected = "\
time 9.000001
power off status low
serial host 115200 module 115200 rts on cts off dtr on overruns host 0 module 0
network off signal 22 link down";
    assert_eq!(host.sim.control("state").unwrap(), expected);
}

#[test]
fn errors_name_the_bad_word_and_what_is_allowed() {
    let mut host = host();
    let before = host.sim.control("state").unwrap();
    for (line, error) in [
        (
            "dts on",
            "'dts' is not a verb: baud, rts, dtr, powerkey, reset, power, simcard, status, signal, \
            registration, pdp, apn, link, name, fault, faults, plan, urc, storm, state, help",
        ),
        ("dtr", "the line goes on with a state (on, off)"),
        ("dtr up", "'up' is not a state: on, off"),
        ("dtr on off", "'off' is too much"),
        ("baud 0", "'0' is not a speed: 300 to 10000000"),
        ("baud 9600 9600", "'9600' is too much"),
        (
            "powerkey",
            "the line goes on with what is done to the pin (down, up, press)",
        ),
        (
            "powerkey press 600",
            "'600' is not a time: a number and its unit: 600ms, 2s",
        ),
        ("powerkey down 600ms", "'600ms' is too much"),
        ("power off", "'off' is not a state of the supply: cut, on"),
        (
            "signal",
            "the line goes on with a signal strength (0 to 31, or 99)",
        ),
        ("signal 32", "'32' is not a signal strength: 0 to 31, or 99"),
        ("signal 5 8", "'8' is not a bit error rate: 0 to 7, or 99"),
        (
            "registration gone",
            "'gone' is not a registration: home, roaming, searching, denied, lost",
        ),
        ("pdp drop 17", "'17' is not a PDP context: 0 to 16"),
        ("pdp drop 1", "context 1 is not active"),
        (
            "link",
            "the line goes on with a property of the link: down, up, delay=, jitter=, loss=, \
            reorder=, rate=, nat-tcp= or nat-udp=",
        ),
        (
            "link down delay=5",
            "'5' is not a value of delay: a time such as 50ms",
        ),
        (
            "link down loss=101%",
            "'101%' is not a value of loss: 0% to 100%",
        ),
        (
            "link rate=fast",
            "'fast' is not a value of rate: bytes a second, such as 64000 or 64k",
        ),
        (
            "link down=yes",
            "'down=yes' is not a property of the link: down, up, delay=, jitter=, loss=, \
            reorder=, rate=, nat-tcp= or nat-udp=",
        ),
        (
            "name server.test 192.0.2",
            "'192.0.2' is not an address: such as 192.0.2.7 or 2001:db8::7",
        ),
        ("fault", "the line goes on with a fault"),
        (
            "fault drop:host:x",
            "'x' is not a byte position: a number, from 0",
        ),
        (
            "faults",
            "the line goes on with what becomes of the faults (clear)",
        ),
        ("urc", "the line goes on with a URC"),
        (
            "urc A\x07B",
            "'\\u{7}' is not part of a URC: no control characters",
        ),
        ("state now", "'now' is too much"),
    ] {
        let got = host.sim.control(line).map_err(|error| error.to_string());
        assert_eq!(got, Err(error.to_owned()), "{line}");
    }
    assert_eq!(host.sim.control("state").unwrap(), before);
    host.silence(1_000_000);
}

#[test]
fn numbers_of_the_link() {
    let mut host = host();
    act(
        &mut host,
        "link delay=50ms jitter=1.5ms loss=3% reorder=0.25% rate=64k nat-tcp=5min nat-udp=30s",
    );
    let link = host.sim.link_mut().clone();
    assert_eq!((link.delay_us, link.jitter_us), (50_000, 1_500));
    assert_eq!((link.loss_ppm, link.reorder_ppm), (30_000, 2_500));
    assert_eq!(link.rate, 64_000);
    assert_eq!(
        (link.nat_tcp_us, link.nat_udp_us),
        (300_000_000, 30_000_000)
    );
    assert!(!link.down);
}
