//! Fairness, lost contexts, restarts, and lines that nobody waited for,
//! against hand-written bytes.

mod support;

use nb::Error::{Other, WouldBlock};
use quectel_sockets::{Config, ConnectError, Event, Failure, Fault, RecvError, SendError};
use support::dialogue::{
    BRING_UP, Dialogue, GET_CANARY, NO_DATA, PROMPT, SEND_OK, config, pattern, qird,
};

/// Answers whatever the host sends as a module does whose socket 0 is
/// flooded; returns the commands in order.
fn flooded(d: &mut Dialogue<'_>, flood: quectel_sockets::Handle, commands: usize) -> Vec<String> {
    let data = pattern(1_460);
    let mut sent = Vec::new();
    for _ in 0..commands {
        let command = String::from_utf8(d.transmitted()).unwrap();
        let answer = match command.get(..8) {
            Some("AT+QIRD=") if command.starts_with("AT+QIRD=0") => qird(&data),
            Some("AT+QIRD=") => NO_DATA.to_vec(),
            Some("AT+QISEN") => {
                d.module(PROMPT);
                d.transmitted();
                SEND_OK.to_vec()
            }
            _ => b"\r\nOK\r\n".to_vec(),
        };
        // The application takes everything at once.
        d.engine.rx(d.now, &answer);
        d.received(flood);
        sent.push(command);
    }
    sent
}

#[test]
fn a_flood_on_one_socket_starves_nobody() {
    up!(d, 4);
    let (flood, sender, closing) = (d.socket(0), d.socket(1), d.socket(2));
    d.engine.send(flood, b"data").unwrap();
    d.engine.send(sender, b"data").unwrap();
    d.engine.shutdown(d.now, closing).unwrap();
    let opening = d.engine.tcp_socket().unwrap();
    let remote = "192.0.2.20:80".parse().unwrap();
    d.engine.connect(opening, remote).unwrap();
    assert_eq!(d.engine.resolve("a.test"), Err(WouldBlock));
    d.engine.rx(d.now, b"\r\n+QIURC: \"recv\",0\r\n");
    let sent = flooded(&mut d, flood, 20);
    for command in [
        "AT+QISEND=0,4\r",
        "AT+QISEND=1,4\r",
        "AT+QICLOSE=2,2\r",
        "AT+QIOPEN=1,3,\"TCP\",\"192.0.2.20\",80,0,0\r",
        "AT+QIDNSGIP=1,\"a.test\"\r",
    ] {
        let at = sent.iter().position(|other| other == command);
        assert!(at.is_some_and(|at| at < 14), "{command}: {sent:?}");
    }
    // And the flood itself went on.
    let reads = sent.iter().filter(|c| c.starts_with("AT+QIRD=0")).count();
    assert!(reads >= 10, "{sent:?}");
}

#[test]
fn reads_and_sends_of_one_socket_alternate() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.rx(d.now, b"\r\n+QIURC: \"recv\",0\r\n");
    let mut kinds = String::new();
    for _ in 0..5 {
        let _ = d.engine.send(socket, &pattern(1460));
        for command in flooded(&mut d, socket, 2) {
            // AT+QIRD, AT+QISEND
            kinds.push(char::from(command.as_bytes()[5]));
        }
    }
    assert_eq!(kinds, "RSRSRSRSRS");
}

/// Row J: every socket of the context fails; the context is set up anew.
#[test]
fn a_lost_context() {
    up!(d, 3);
    let (a, b, idle) = (d.socket(0), d.socket(1), d.engine.tcp_socket().unwrap());
    d.line("+QIURC: \"recv\",0")
        .host("AT+QIRD=0,1500\r")
        .module(qird(b"kept"));
    d.host("AT+QIRD=0,1500\r").module(NO_DATA);
    d.line("+QIURC: \"pdpdeact\",7").silent();
    assert_eq!((d.state(a), d.state(b)), (4, 4));
    d.line("+QIURC: \"pdpdeact\",1");
    assert_eq!((d.state(a), d.state(b), d.state(idle)), (0, 0, 0));
    // What had arrived is still delivered, then the error, once.
    let mut buffer = [0; 9];
    assert_eq!(d.engine.recv(a, &mut buffer), Ok(4));
    assert_eq!(&buffer[..4], b"kept");
    let lost = RecvError::Failed(Failure::ContextLost);
    assert_eq!(lost.errno(), 103);
    assert_eq!(d.engine.recv(a, &mut [0; 4]), Err(Other(lost)));
    assert_eq!(d.engine.recv(a, &mut [0; 4]), Ok(0));
    let lost = SendError::Failed(Failure::ContextLost);
    assert_eq!(d.engine.send(b, b"x"), Err(Other(lost)));
    assert_eq!(d.engine.flushed(b), Err(Other(lost)));
    assert!(!d.engine.network().is_up());
    let remote = "192.0.2.20:80".parse().unwrap();
    assert_eq!(d.engine.connect(idle, remote), Err(ConnectError::NoNetwork));

    d.host("AT+QIDEACT=1\r").quiet(39_000).ok();
    d.line("+QIURC: \"pdpdeact\",1");
    // Lost again meanwhile.
    d.host("AT+QICSGP=1,1,\"\",\"\",\"\",0\r").ok();
    d.host("AT+QIDEACT=1\r").ok();
    d.bring_up_from("AT+QICSGP=1,1,\"\",\"\",\"\",0\r");
    d.host("AT+QICLOSE=0,0\r")
        .ok()
        .host("AT+QICLOSE=1,0\r")
        .ok();
    d.connect(a, 2);
}

/// Row I, in every phase of a connection's life.
#[test]
fn a_restart_in_every_phase() {
    /// What the host sends, what the module answers.
    type Turn = (&'static str, &'static [u8]);
    let phases: [(&str, &[Turn]); 8] = [
        ("idle", &[]),
        ("the command of a send", &[("AT+QISEND=0,4\r", b"")]),
        ("the prompt", &[("AT+QISEND=0,4\r", PROMPT)]),
        ("the payload", &[("AT+QISEND=0,4\r", PROMPT), ("data", b"")]),
        ("a read", &[("AT+QIRD=0,1500\r", b"")]),
        (
            "an empty read",
            &[("AT+QIRD=0,1500\r", b"\r\n+QIRD: 0\r\n")],
        ),
        ("a close", &[("AT+QICLOSE=0,2\r", b"")]),
        (
            "a look",
            &[
                ("AT+QICLOSE=0,2\r", b"\r\nOK\r\n"),
                ("AT+QISTATE=1,0\r", b""),
            ],
        ),
    ];
    for (phase, dialogue) in phases {
        up!(d, 2);
        let (socket, other) = (d.socket(0), d.socket(1));
        match dialogue.first().map(|(host, _)| &host[..8]) {
            Some("AT+QISEN") => drop(d.engine.send(socket, b"data")),
            Some("AT+QIRD=") => drop(d.line("+QIURC: \"recv\",0")),
            Some("AT+QICLO") => d.engine.shutdown(d.now, socket).unwrap(),
            _ => {}
        }
        for (host, module) in dialogue {
            d.host(host).module(module);
        }
        d.line("RDY");
        assert_eq!((d.state(socket), d.state(other)), (0, 0), "{phase}");
        let lost = RecvError::Failed(Failure::Restarted);
        assert_eq!(lost.errno(), 104);
        assert_eq!(
            d.engine.recv(other, &mut [0; 4]),
            Err(Other(lost)),
            "{phase}"
        );
        assert!(!d.engine.network().is_up());
        d.host("AT\r").module(b"AT\r\r\nOK\r\n");
        assert_eq!(d.sleep(), "ATE0\\r", "{phase}");
        d.module(b"ATE0\r\r\nOK\r\n");
        d.bring_up_from("AT+CMEE=1\r");
        // The module has forgotten every id.
        d.connect(socket, 0);
        d.connect(other, 1);
    }
}

/// Bytes of a payload that say `RDY` are payload.
#[test]
fn a_restart_in_the_middle_of_a_payload() {
    up!(d, 1);
    let socket = d.socket(0);
    d.line("+QIURC: \"recv\",0").host("AT+QIRD=0,1500\r");
    d.module(b"\r\n+QIRD: 1500\r\n").line("RDY").silent();
    assert_eq!(d.state(socket), 4);
    // The rest never comes: bounded, and nothing is delivered. The canary
    // tells of the restart.
    d.wakes(20_000..=25_000, "\r").wakes(300..=300, GET_CANARY);
    let damaged = RecvError::Failed(Failure::LineDamaged);
    assert_eq!(d.engine.recv(socket, &mut [0; 4]), Err(Other(damaged)));
    d.module(b"\r\n+QICFG: \"transpktsize\",1024\r\n\r\nOK\r\n");
    assert!(!d.engine.network().is_up());
    assert_eq!(
        d.events(),
        [Event::Up, Event::LineLost, Event::ModuleRestarted]
    );
    d.host("AT\r").ok().host("ATE0\r").ok();
    d.bring_up_from("AT+CMEE=1\r");
    assert_eq!(d.received(socket), b"");
}

/// Row T: answers with nothing outstanding.
#[test]
fn stray_answers_touch_nobody() {
    up!(d, 2);
    let (socket, other) = (d.socket(0), d.socket(1));
    let before = d.engine.counters().unknown_lines;
    for line in [
        "OK",
        "ERROR",
        "SEND OK",
        "SEND FAIL",
        "+CME ERROR: 3",
        "CONNECT",
        "NO CARRIER",
        "+QIRD: 5",
        "+QIRD: 0",
        "+QISEND: 1,1,0",
        "+QISTATE: 0,\"TCP\",\"1.2.3.4\",80,0,4,1,1",
        "+QIACT: 1,0,1",
        "> ",
        "hello",
        "AT+QICLOSE=0",
        "+",
        "\"",
    ] {
        d.line(line).silent();
    }
    for line in [
        "+QIOPEN: 0,566",
        "+QIOPEN: 99,0",
        "+QIOPEN:",
        "+QIURC: \"recv\",99",
        "+QIURC: \"closed\",99",
        "+QIURC: \"closed\",2",
        "+QIURC: \"what\",0",
        "+QIURC:",
        "+QIURC: \"closed\"",
        "+QIURC: \"incoming full\"",
        "POWERED DOWN!",
    ] {
        d.line(line).silent();
    }
    assert!(d.engine.counters().unknown_lines - before >= 17);
    assert_eq!((d.state(socket), d.state(other)), (4, 4));
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r")
        .module(PROMPT)
        .host("data")
        .module(SEND_OK);
    d.flush(socket, 0, 4);
    assert_eq!(d.engine.recv(other, &mut [0; 4]), Err(WouldBlock));
}

/// Row V
#[test]
fn line_ends_and_short_lines_by_the_thousand() {
    up!(d, 1);
    let socket = d.socket(0);
    d.module("\r\n".repeat(100_000))
        .module("\r".repeat(100_000))
        .module("\n".repeat(100_000));
    d.module("a\r\n".repeat(100_000)).silent();
    assert!(d.engine.counters().unknown_lines >= 100_000);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r")
        .module("\r\n".repeat(10_000))
        .module(PROMPT);
    d.host("data").module("\r\n".repeat(10_000)).module(SEND_OK);
    d.flush(socket, 0, 4);
}

#[test]
fn lines_that_are_too_long() {
    up!(d, 1);
    let socket = d.socket(0);
    for n in [255, 256, 257, 10_000] {
        d.line("x".repeat(n)).silent();
        d.line(format!("+QIURC: \"closed\",0{}", " ".repeat(n)))
            .silent();
    }
    assert!(d.engine.counters().long_lines >= 4);
    let state = d.state(socket);
    assert!(matches!(state, 4 | 7), "{state}");
    // In the middle of an answer, too.
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r")
        .line("y".repeat(9_999))
        .module(PROMPT);
    d.host("data").line("z".repeat(9_999)).module(SEND_OK);
    d.flush(socket, 0, 4);
}

/// All bytes but line ends, without an end: nothing is kept, nothing stops.
#[test]
fn a_line_that_never_ends() {
    up!(d, 1);
    let socket = d.socket(0);
    let noise: Vec<u8> = (0..=255).filter(|b| !b"\r\n".contains(b)).collect();
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r");
    for _ in 0..1_000 {
        d.module(&noise).silent();
    }
    d.line("").module(PROMPT).host("data").module(SEND_OK);
    d.flush(socket, 0, 4);
}

#[test]
fn an_unplugged_port() {
    up!(d, 2);
    let (socket, other) = (d.socket(0), d.socket(1));
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").module(PROMPT);
    d.engine.port_failed(d.now);
    assert_eq!(d.engine.fault(), Some(Fault::Port));
    assert_eq!((d.state(socket), d.state(other)), (0, 0));
    assert_eq!(d.engine.tx(), b"");
    d.quiet(1_000_000);
    assert!(matches!(d.engine.resolve("a.test"), Err(Other(_))));
    d.engine.release(d.now, socket);
    assert!(d.engine.tcp_socket().is_ok());
}

/// The UART takes nothing: bounded too, and every rung is climbed.
#[test]
fn a_command_that_cannot_be_transmitted() {
    up!(d, 1);
    let socket = d.socket(0);
    d.events();
    d.engine.send(socket, b"data").unwrap();
    d.engine.poll(d.now);
    assert_eq!(d.engine.tx(), b"AT+QISEND=0,4\r");
    let mut events = Vec::new();
    while events.last() != Some(&Event::ModuleLost) {
        let at = d.engine.wake_at(d.now).unwrap();
        assert!(at > d.now && at <= 200_000, "{at}: {events:?}");
        d.now = at;
        d.engine.poll(at);
        events.extend(d.events());
    }
    let all = [
        Event::LineLost,
        Event::Escalated,
        Event::ResetWanted,
        Event::ModuleLost,
    ];
    assert_eq!(events, all);
    let lost = SendError::Failed(Failure::ModuleLost);
    assert_eq!(d.engine.flushed(socket), Err(Other(lost)));
    assert_eq!(d.engine.fault(), None);
}

/// With looks turned off an idle engine sleeps for good.
#[test]
fn an_idle_engine_is_never_woken() {
    up!(d, 2);
    let socket = d.socket(0);
    d.socket(1);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r")
        .module(PROMPT)
        .host("data")
        .module(SEND_OK);
    d.line("+QIURC: \"recv\",1")
        .host("AT+QIRD=1,1500\r")
        .module(NO_DATA);
    assert_eq!(d.engine.wake_at(d.now), None);
}

/// Looks become rare: an hour of silence costs a few dozen of them.
#[test]
fn looks_become_rare() {
    up!(
        d,
        1,
        Config {
            look_ms: 2_000,
            ..config()
        }
    );
    d.socket(0);
    let (end, mut looks) = (d.now + 3_600_000, 0);
    while d.now < end {
        match d.sleep().as_str() {
            "AT+QIRD=0,1500\\r" => d.module(NO_DATA),
            "AT+QISTATE=1,0\\r" => d.module(
                b"\r\n+QISTATE: 0,\"TCP\",\"192.0.2.20\",80,22742,2,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
            ),
            other => panic!("{other}"),
        };
        looks += 1;
    }
    assert!((100..=140).contains(&looks), "{looks}");
}

/// A clock near the end of its range: nothing overflows.
#[test]
fn extreme_clocks() {
    for now in [0, u64::MAX - 1_000_000] {
        dialogue!(d, 1);
        d.now = now;
        for (host, module) in BRING_UP {
            d.host(host).module(module);
        }
        let socket = d.socket(0);
        d.engine.send(socket, b"data").unwrap();
        d.host("AT+QISEND=0,4\r")
            .module(PROMPT)
            .host("data")
            .line("SEND FAIL");
        d.engine.release(d.now, socket);
        for step in [1, 500_000, 499_999] {
            d.now += step;
            d.transmitted();
            d.ok();
            assert!(d.engine.wake_at(d.now).is_none_or(|at| at > d.now));
        }
    }
}
