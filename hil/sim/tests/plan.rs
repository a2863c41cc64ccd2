//! Faults as text, and what the host sees of each.

mod common;

use common::{Host, shown};
use quectel_sim::{Config, Echo, LineEcho, Profile, Record, Sink, Source, Then};

/// A connected host; what it sends is recorded.
fn connected() -> (Host, Record) {
    let record = Record::new();
    let peers = record.of(|| Sink);
    let host = Host::connected(Config::default(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), peers)
    });
    (host, record)
}

/// A connected host that has 100 bytes to read.
fn with_data() -> Host {
    let source = || Source::new([b'x'; 100], Then::Keep);
    let mut host = Host::connected(Config::default(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), source)
    });
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host
}

#[track_caller]
fn add(host: &mut Host, faults: &[&str]) {
    for fault in faults {
        host.sim.add_fault(fault.parse().unwrap());
    }
}

/// What comes within this time, in µs.
fn read(host: &mut Host, us: u64) -> String {
    host.sim.run_until(host.sim.now() + us);
    let n = host.sim.readable();
    shown(&host.take(n))
}

#[test]
fn bytes_of_an_answer() {
    let head = r"\r\n+QIRD: 100\r\n";
    for (fault, answer) in [
        (
            "drop:answer:+QIRD:8",
            r"\r\n+QIRD:100\r\n".to_owned() + &"x".repeat(100),
        ),
        (
            "corrupt:answer:+QIRD:9:8",
            r"\r\n+QIRD: 900\r\n".to_owned() + &"x".repeat(100),
        ),
        ("drop:answer:+QIRD:20", head.to_owned() + &"x".repeat(99)),
        ("double:answer:+QIRD:14", head.to_owned() + &"x".repeat(101)),
        (
            "corrupt:answer:+QIRD:14:1",
            head.to_owned() + "y" + &"x".repeat(99),
        ),
    ] {
        let mut host = with_data();
        // Too short an answer is not meant.
        add(&mut host, &[fault]);
        host.talk("AT\r", "\r\nOK\r\n");
        host.send("AT+QIRD=0,100\r");
        assert_eq!(
            read(&mut host, 1_000_000),
            answer + r"\r\n\r\nOK\r\n",
            "{fault}"
        );
        host.talk("AT+QIRD=0,100\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
    }
}

#[test]
fn a_final_code() {
    let (mut host, _) = connected();
    add(
        &mut host,
        &["drop:answer:any:3:2", "corrupt:answer:+QISEND:7:0x20"],
    );
    host.talk("AT\r", "\r\nO\r\n");
    host.talk("AT\r", "\r\nO\r\n");
    host.talk("AT+QISEND=0,2\r", "\r\n> ");
    host.talk("hi", "\r\nSEND oK\r\n");
}

#[test]
fn a_stall_in_the_middle_of_data() {
    let mut host = with_data();
    add(&mut host, &["stall:answer:+QIRD:50:6s"]);
    host.send("AT+QIRD=0,100\r");
    assert_eq!(host.take(50).len(), 50);
    host.silence(5_900_000);
    let rest = [&[b'x'; 64], b"\r\n\r\nOK\r\n".as_slice()].concat();
    host.expect(rest);
}

#[test]
fn bytes_of_the_prompt_and_of_the_payload() {
    let (mut host, record) = connected();
    add(
        &mut host,
        &["drop:prompt:2", "drop:payload:1", "corrupt:payload:3:0x20"],
    );
    host.talk("AT+QISEND=0,4\r\n", "\r\n ");
    host.send("abcd");
    host.silence(10_000_000);
    // The module waits for one more.
    host.talk("\rAT\r", "\r\nSEND OK\r\n\r\nOK\r\n");
    host.run_while(|_| record.len(0) < 4);
    assert_eq!(record.data(0), b"acD\r");
}

#[test]
fn restarts_in_the_middle() {
    let (read_some, send_some) = (["AT+QIRD=0,100\r", ""], ["AT+QISEND=0,4\r", "abcd"]);
    for (fault, dialogue, seen) in [
        ("reset:answer:+QIRD:3", read_some, r"\r\n+Q"),
        ("reset:prompt:2", send_some, r"\r\n>"),
        ("reset:payload:2", send_some, r"\r\n> "),
        ("reset:10s", send_some, r"\r\n> \r\nSEND OK\r\n"),
    ] {
        let mut host = with_data();
        add(&mut host, &[fault]);
        let mut got = String::new();
        for bytes in dialogue {
            host.send(bytes);
            got += &read(&mut host, 1_000_000);
        }
        assert_eq!(got, seen, "{fault}");
        host.expect("\r\nRDY\r\n");
        assert!(host.sim.tcp_sockets().is_empty(), "{fault}");
    }
}

#[test]
fn a_restart_that_nothing_tells_of() {
    let mut host = with_data();
    add(&mut host, &["silent-reset:payload:1"]);
    host.talk("AT+QISEND=0,4\r", "\r\n> ");
    host.send("abcd");
    host.silence(60_000_000);
    host.talk("AT+QISTATE\r", "AT+QISTATE\r\r\nOK\r\n");
    add(&mut host, &["reset:module:0"]);
    host.expect("\r\nRDY\r\n");
}

#[test]
fn a_context_taken_away_and_a_deaf_module() {
    let (mut host, _) = connected();
    add(&mut host, &["mute:prompt:3:5s"]);
    host.talk("AT+QISEND=0,4\r", "\r\n> ");
    host.send("abcd");
    host.silence(6_000_000);
    host.talk("AT\r", "\r\nOK\r\n");
    add(&mut host, &["pdpdeact:1:payload:1"]);
    host.talk("AT+QISEND=0,4\r", "\r\n> ");
    host.talk("abcd", "\r\n+QIURC: \"pdpdeact\",1\r\n\r\nERROR\r\n");
}

#[test]
fn commands_that_are_ignored_refused_and_not_answered() {
    let (mut host, record) = connected();
    add(
        &mut host,
        &["ignore:+QIRD:2", "refuse:+QISTATE", "lose-answer:+CMEE"],
    );
    for _ in 0..2 {
        host.send("AT+QIRD=0\r");
        host.silence(200_000_000);
    }
    host.talk("AT+QIRD=0\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
    host.talk("AT+QISTATE\r", "\r\nERROR\r\n");
    host.send("AT+CMEE=2\r");
    host.silence(200_000_000);
    host.talk("AT+CMEE?\r", "\r\n+CMEE: 2\r\n\r\nOK\r\n");

    add(&mut host, &["lose-answer:+QISEND", "ignore:any:always"]);
    host.send("AT\r");
    host.silence(200_000_000);
    let (mut host, record) = (record.is_empty(0)).then(connected).unwrap();
    add(&mut host, &["lose-answer:+QISEND", "lose-prompt:2"]);
    for _ in 0..2 {
        host.send("AT+QISEND=0,2\r");
        host.silence(10_000_000);
        host.send("hi");
        host.run_while(|_| record.is_empty(0));
    }
    host.expect("\r\nSEND OK\r\n");
    host.qisend(0, b"ho");
    host.run_while(|_| record.len(0) < 6);
    assert_eq!(record.data(0), b"hihiho");
}

#[test]
fn late_and_slow() {
    let (mut host, record) = connected();
    add(
        &mut host,
        &["late:+QISEND:3s:2", "slow:+QISEND:2s", "slow-payload:1s"],
    );
    host.send("AT+QISEND=0,2\r");
    host.silence(2_000_000);
    host.expect("\r\n> ");
    host.send("hi");
    host.silence(1_000_000);
    host.run_while(|_| record.is_empty(0));
    host.silence(2_500_000);
    host.expect("\r\nSEND OK\r\n");
    host.talk("AT+QISEND=0,2\r", "\r\n> ");
    host.send("hi");
    host.silence(3_000_000);
    host.expect("\r\nSEND OK\r\n");
    host.qisend(0, b"hi");
}

#[test]
fn counted_faults_add_up() {
    let (mut host, _) = connected();
    add(
        &mut host,
        &["send-fail", "send-fail:1", "refuse-prompt:always"],
    );
    host.talk("AT+QISEND=0,2\r", "\r\nERROR\r\n");
    host.talk("AT+QISENDEX=0,\"6869\"\r", "\r\nSEND FAIL\r\n");
    host.talk("AT+QISENDEX=0,\"6869\"\r", "\r\nSEND FAIL\r\n");
    host.talk("AT+QISENDEX=0,\"6869\"\r", "\r\nSEND OK\r\n");
    host.talk("AT+QISEND=0,2\r", "\r\nERROR\r\n");
}

#[test]
fn no_urc_at_all_where_they_go_to_another_port() {
    let mut host = Host::ready(Config::default());
    host.sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    host.sim
        .set_name("a.test", &["192.0.2.7".parse().unwrap()], 60);
    add(
        &mut host,
        &[
            "urc-port:usbat",
            "urc:after-answer:any:\"+CEREG: 1\":always",
        ],
    );
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7\r", "\r\nOK\r\n");
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7\r", "\r\nOK\r\n");
    host.talk("AT+QIDNSGIP=1,\"a.test\"\r", "\r\nOK\r\n");
    host.silence(10_000_000);
    host.qisend(0, b"hi");
    host.silence(10_000_000);
    host.qird(0, b"hi");
    add(&mut host, &["pdpdeact:1:0s"]);
    host.silence(1_000_000);
    host.sim.reset();
    host.silence(60_000_000);
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk(
        "AT+QURCCFG=\"urcport\"\r",
        "\r\n+QURCCFG: \"urcport\",\"usbat\"\r\n\r\nOK\r\n",
    );
    host.talk(
        "AT+QURCCFG=\"urcport\",\"uart1\"\r",
        "\r\nOK\r\n\r\n+CEREG: 1\r\n",
    );
}

#[test]
fn a_context_that_is_active_already() {
    let mut host = Host::new(Config::default());
    add(&mut host, &["already-active"]);
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    for _ in 0..2 {
        host.talk("AT+QIACT=1\r", "\r\nERROR\r\n");
        host.talk(
            "AT+QIACT?\r",
            "\r\n+QIACT: 1,1,1,\"10.7.157.1\"\r\n\r\nOK\r\n",
        );
        host.sim.reset();
        host.silence_of_boot();
        host.silence_of_boot();
        host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    }
}

#[test]
fn switches() {
    let (mut host, _) = connected();
    add(&mut host, &["switch:client-state-3:on"]);
    host.send("AT+QISTATE=1,0\r");
    assert!(read(&mut host, 1_000_000).contains(",3,1,0,0,"));
    add(
        &mut host,
        &[
            "switch:tcpip-cme:on",
            "switch:cme-form:text",
            "switch:cme-blank:off",
        ],
    );
    host.talk("AT+QIRD=5\r", "\r\n+CME ERROR:operation not allowed\r\n");
}

#[test]
fn payload_in_hexadecimal() {
    let (mut host, record) = connected();
    host.talk("AT+QISENDEX=0,\"000d0A1aFf\"\r", "\r\nSEND OK\r\n");
    host.talk("AT+QISEND=0,0\r", "\r\n+QISEND: 5,0,5\r\n\r\nOK\r\n");
    host.run_while(|_| record.len(0) < 5);
    assert_eq!(record.data(0), b"\x00\r\n\x1a\xff");
    let longest = "00".repeat(512);
    host.talk(format!("AT+QISENDEX=0,\"{longest}\"\r"), "\r\nSEND OK\r\n");
    for wrong in [
        "0,\"\"",
        "0,\"0\"",
        "0,\"0g\"",
        "0,00",
        "0",
        "1,\"00\"",
        "12,\"00\"",
        "0,\"+1\"",
        &format!("0,\"{longest}00\""),
    ] {
        host.talk(format!("AT+QISENDEX={wrong}\r"), "\r\nERROR\r\n");
    }
}

#[test]
fn echo_of_each_byte_as_it_comes() {
    let mut host = Host::new(Config::default());
    host.talk("AT", "AT");
    host.silence(10_000_000);
    // A URC comes between.
    host.sim.send_urc("+CEREG: 1");
    host.expect("\r\n+CEREG: 1\r\n");
    host.talk("E1", "E1");
    host.talk("\r\n", "\r\r\nOK\r\n");
    // What stands before AT, and lines without it.
    host.talk("\x1axyAT\r", "\x1axyAT\r\r\nOK\r\n");
    host.talk("\r\r\n\rAT\r", "\r\r\rAT\r\r\nOK\r\n");
    host.talk("no command\r", "no command\r");
    host.talk("a\nb\r", "a\nb\r");
    // Echo off from the next line on.
    host.talk("ATE0\rAT\r", "ATE0\r\r\nOK\r\n\r\nOK\r\n");
    host.talk("ATE1\rAT\r", "\r\nOK\r\nAT\r\r\nOK\r\n");
}

#[test]
fn what_follows_the_payload_belongs_to_the_next_line() {
    let (mut host, record) = connected();
    host.talk("ATE1\r", "\r\nOK\r\n");
    host.talk("AT+QISEND=0,4\r\n", "AT+QISEND=0,4\r\r\n> ");
    host.talk("\nbcdXY", "\r\nSEND OK\r\nXY");
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    host.talk("AT+QISEND=0,4\r", "AT+QISEND=0,4\r\r\n> ");
    host.talk("abcd\r\r\rAT\r", "\r\nSEND OK\r\n\r\r\rAT\r\r\nOK\r\n");
    host.run_while(|_| record.len(0) < 8);
    assert_eq!(record.data(0), b"\nbcdabcd");
}

#[test]
fn echo_of_whole_lines() {
    let mut host = Host::new(Config {
        trace: true,
        profile: Profile {
            line_echo: LineEcho::AtEnd,
            ..Profile::ec25()
        },
        ..Config::default()
    });
    host.send("\x1aAT");
    host.silence(10_000_000);
    host.talk("\r\n", "\x1aAT\r\r\nOK\r\n");
    host.talk("\rATI\r", "\rATI\r\r\nQuectel\r\n");
}

#[test]
fn an_echo_is_one_line_of_the_dialogue() {
    for line_echo in [LineEcho::AsReceived, LineEcho::AtEnd] {
        let mut host = Host::new(Config {
            trace: true,
            profile: Profile {
                line_echo,
                ..Profile::ec25()
            },
            ..Config::default()
        });
        host.talk("AT+CFUN?\r", "AT+CFUN?\r\r\n+CFUN: 1\r\n\r\nOK\r\n");
        let lines = host.sim.take_dialogue();
        let lines: Vec<String> = lines.iter().map(|line| shown(&line.bytes)).collect();
        let answer = r"\r\n+CFUN: 1\r\n\r\nOK\r\n";
        assert_eq!(lines, [r"AT+CFUN?\r", r"AT+CFUN?\r", answer]);
        assert!(host.sim.dialogue().is_empty());
    }
}
