//! Resynchronisation, against hand-written bytes: what is waited for, the
//! filler, the canary, the audit, and what is tried when nothing helps.

mod support;

use nb::Error::{Other, WouldBlock};
use quectel_sockets::{ConnectError, Event, Failure, Handle, RecvError, SendError};
use support::dialogue::{
    Dialogue, GET_CANARY, NO_DATA, PROMPT, Row, SEND_OK, SET_CANARY, closing, connected, opening,
    pattern, qird, state_row,
};

const RESTORED: [Event; 2] = [Event::LineLost, Event::LineRestored];

#[track_caller]
fn failed(d: &mut Dialogue<'_>, socket: Handle, failure: Failure) {
    let lost = SendError::Failed(failure);
    assert_eq!(d.engine.flushed(socket), Err(Other(lost)));
    assert_eq!(d.engine.send(socket, b"a"), Err(Other(lost)));
    let lost = RecvError::Failed(failure);
    assert_eq!(d.engine.recv(socket, &mut [0; 4]), Err(Other(lost)));
    assert_eq!(d.state(socket), 0);
}

/// The socket goes on.
#[track_caller]
fn lives(d: &mut Dialogue<'_>, socket: Handle) {
    assert_eq!(d.state(socket), 4);
    assert_eq!(d.engine.recv(socket, &mut [0; 4]), Err(WouldBlock));
}

/// A send whose prompt does not come; the silence has begun.
fn without_prompt(d: &mut Dialogue<'_>, socket: Handle, n: usize) {
    d.events();
    d.engine.send(socket, &pattern(n)).unwrap();
    d.host(format!("AT+QISEND=0,{n}\r")).quiet(10_000);
    assert_eq!(d.events(), [Event::LineLost]);
}

/// 4 bytes are sent, then the answer to another command is lost.
fn lose_an_answer(d: &mut Dialogue<'_>, socket: Handle, id: u8) {
    d.engine.send(socket, b"data").unwrap();
    d.host(format!("AT+QISEND={id},4\r")).module(PROMPT);
    d.host("data").module(SEND_OK);
    // Of an id that is nobody's, so that nothing depends on it.
    d.line("+QIURC: \"incoming\",11,0,\"198.51.100.7\",62060");
    d.host("AT+QICLOSE=11,0\r");
    d.events();
}

/// 0a: the prompt comes in the silence; the real bytes are sent.
#[test]
fn a_late_prompt() {
    for late in [0, 3_000, 5_999] {
        up!(d, 1);
        let socket = d.socket(0);
        without_prompt(&mut d, socket, 1_460);
        d.quiet(late).module(PROMPT).host(pattern(1_460));
        // The silence would be over now.
        d.quiet(3_000).module(SEND_OK);
        d.flush(socket, 0, 1_460);
        assert_eq!(d.events(), [Event::LineRestored]);
    }
}

/// A line without blanks behind its prompts.
#[test]
fn a_late_prompt_without_its_blank() {
    up!(d, 1);
    let socket = d.socket(0);
    without_prompt(&mut d, socket, 3);
    d.quiet(5_990).module(b"\r\n>").wakes(6..=6, pattern(3));
    d.quiet(3_000).module(SEND_OK).flush(socket, 0, 3);
}

/// 0a: no prompt. The module does not know of the send: filler does nothing,
/// and the bytes are sent afterwards.
#[test]
fn a_send_that_never_reached_the_module() {
    up!(d, 1);
    let socket = d.socket(0);
    without_prompt(&mut d, socket, 100);
    d.wakes(6_000..=6_000, "\r".repeat(32));
    d.wakes(100..=100, "\r".repeat(32));
    d.wakes(100..=100, "\r".repeat(32));
    d.wakes(100..=100, "\r".repeat(4));
    d.resync(100..=100).audit(&[connected(0, 0, 0)]);
    assert_eq!(d.events(), [Event::LineRestored]);
    lives(&mut d, socket);
    let next = d.sleep();
    if next.starts_with("AT+QIRD") {
        d.module(NO_DATA).host("AT+QISEND=0,100\r");
    }
    d.module(PROMPT).host(pattern(100)).module(SEND_OK);
    assert!(matches!(d.engine.flushed(socket), Err(WouldBlock)));
}

/// 0a: the module waited for payload and got filler.
#[test]
fn filler_that_was_taken() {
    for taken in [100, 0] {
        up!(d, 1);
        let socket = d.socket(0);
        without_prompt(&mut d, socket, 100);
        d.wakes(6_000..=6_000, "\r".repeat(32));
        d.wakes(100..=100, "\r".repeat(32));
        d.wakes(100..=100, "\r".repeat(32));
        d.wakes(100..=100, "\r".repeat(4)).module(SEND_OK);
        // Whatever the module counts: its answer tells.
        let row = connected(0, 0, taken);
        d.resync(1..=100).rows(&[row]).counters(row).active();
        failed(&mut d, socket, Failure::LineDamaged);
        d.host("AT+QICLOSE=0,0\r").ok().quiet(200_000);
    }
    // The same without an answer: the count tells.
    up!(d, 1);
    let socket = d.socket(0);
    without_prompt(&mut d, socket, 4);
    d.wakes(6_000..=6_000, "\r\r\r\r");
    d.resync(100..=100).audit(&[connected(0, 0, 4)]);
    failed(&mut d, socket, Failure::LineDamaged);
}

/// No more of it than the module wants.
#[test]
fn filler_ends_with_the_answer() {
    for answer in ["SEND OK", "SEND FAIL", "ERROR", "+CME ERROR: 3"] {
        up!(d, 1);
        let socket = d.socket(0);
        without_prompt(&mut d, socket, 1_460);
        d.wakes(6_000..=6_000, "\r".repeat(32)).line(answer);
        d.wakes(1..=100, "\r").wakes(300..=300, GET_CANARY);
    }
}

/// A UART that is held up gets no second burst before the first is out, and
/// no more than one a tenth of a second.
#[test]
fn filler_on_a_slow_line() {
    up!(d, 1);
    let socket = d.socket(0);
    without_prompt(&mut d, socket, 64);
    d.quiet(5_999);
    d.now += 1;
    d.engine.poll(d.now);
    for _ in 0..32 {
        assert_eq!(d.engine.tx().len(), 32);
        d.now += 10;
        d.engine.poll(d.now);
    }
    d.engine.tx_done(d.now, 31);
    d.now += 50;
    d.engine.poll(d.now);
    assert_eq!(d.engine.tx().len(), 1);
    d.engine.tx_done(d.now, 1);
    d.wakes(100..=100, "\r".repeat(32));
    d.resync(100..=100);
}

/// 0b: payload out, the result comes late: as usual, but verified.
#[test]
fn a_result_that_comes_in_the_silence() {
    up!(d, 1);
    let socket = d.socket(0);
    d.events();
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").module(PROMPT).host("data");
    d.quiet(121_000);
    assert_eq!(d.events(), [Event::LineLost]);
    d.quiet(5_999).module(SEND_OK);
    assert_eq!(d.events(), [Event::LineRestored]);
    d.host("AT+QISEND=0,0\r")
        .module(b"\r\n+QISEND: 4,4,0\r\n\r\nOK\r\n");
    assert_eq!(d.engine.flushed(socket), Ok(()));
    d.quiet(200_000);
}

/// 0b: no result. Nothing is sent before the silence is over; nothing is
/// sent twice.
#[test]
fn a_result_that_never_comes() {
    for (taken, ok) in [(0, true), (4, false), (3, false), (1, false)] {
        up!(d, 1);
        let socket = d.socket(0);
        d.engine.send(socket, b"data").unwrap();
        d.host("AT+QISEND=0,4\r").module(PROMPT).host("data");
        d.quiet(126_999).wakes(1..=1, "\r\r\r\r");
        d.resync(100..=100).audit(&[connected(0, 0, taken)]);
        if ok {
            lives(&mut d, socket);
            let next = d.sleep();
            if next.starts_with("AT+QIRD") {
                d.module(NO_DATA).host("AT+QISEND=0,4\r");
            }
            d.module(PROMPT).host("data");
        } else {
            // Filler may be among the bytes that were taken.
            failed(&mut d, socket, Failure::LineDamaged);
        }
    }
}

/// 0c: what comes behind a read that has stalled may be payload: nothing in
/// it is believed.
#[test]
fn urcs_of_an_untrusted_line() {
    let fakes = [
        "RDY",
        "APP RDY",
        "+QIURC: \"closed\",1",
        "+QIURC: \"pdpdeact\",1",
        "+QIOPEN: 2,0",
    ];
    up!(d, 3);
    let (reader, other) = (d.socket(0), d.socket(1));
    let opens = d.engine.tcp_socket().unwrap();
    let remote = "192.0.2.20:80".parse().unwrap();
    d.engine.connect(opens, remote).unwrap();
    d.host("AT+QIOPEN=1,2,\"TCP\",\"192.0.2.20\",80,0,0\r").ok();
    d.events();
    d.line("+QIURC: \"recv\",0").host("AT+QIRD=0,1500\r");
    d.module(b"\r\n+QIRD: 1500\r\nhello")
        .wakes(20_000..=20_000, "\r");
    failed(&mut d, reader, Failure::LineDamaged);
    let all = |d: &mut Dialogue<'_>| {
        for fake in fakes {
            d.line(fake);
            assert_eq!((d.state(other), d.state(opens)), (4, 2), "{fake}");
            assert!(d.engine.network().is_up());
        }
    };
    all(&mut d);
    d.quiet(299).after(1).host(GET_CANARY);
    all(&mut d);
    d.tell_canary().host(SET_CANARY);
    all(&mut d);
    d.ok().host(GET_CANARY);
    all(&mut d);
    d.tell_canary();
    // From here on they are the module's.
    d.host("AT+QISTATE?\r").line("+QIOPEN: 2,0");
    assert_eq!(d.state(opens), 4);
    d.line("+QISTATE: 1,\"TCP\",\"192.0.2.20\",80,22742,2,1,0,0,\"uart1\"");
    d.line("+QISTATE: 2,\"TCP\",\"192.0.2.20\",80,22742,2,1,0,0,\"uart1\"");
    d.ok()
        .counters(connected(1, 0, 0))
        .counters(connected(2, 0, 0));
    d.active();
    assert_eq!(d.events(), RESTORED);
    lives(&mut d, other);
}

/// Where no payload is in question, URCs go on to be believed.
#[test]
fn urcs_while_the_line_is_resynchronised() {
    up!(d, 2);
    let (socket, other) = (d.socket(0), d.socket(1));
    lose_an_answer(&mut d, socket, 0);
    d.wakes(12_000..=14_000, "\r").line("+QIURC: \"closed\",1");
    assert_eq!(d.state(other), 7);
    d.quiet(299).after(1).suspicion();
    d.audit(&[connected(0, 0, 4), closing(1)]);
    assert_eq!(d.events(), RESTORED);
    // And a real restart ends it.
    up!(d, 1);
    let socket = d.socket(0);
    lose_an_answer(&mut d, socket, 0);
    d.wakes(12_000..=14_000, "\r").line("RDY");
    assert_eq!(d.events(), [Event::LineLost, Event::ModuleRestarted]);
    failed(&mut d, socket, Failure::Restarted);
    d.host("AT\r").ok();
    assert_eq!(d.sleep(), "ATE0\\r");
    d.ok().bring_up_from("AT+CMEE=1\r");
}

/// The answer that is just coming in is heard out; a line that is never
/// quiet is not waited for.
#[test]
fn the_pause_that_ends_a_late_answer() {
    up!(d, 1);
    let socket = d.socket(0);
    lose_an_answer(&mut d, socket, 0);
    d.quiet(12_999).module(b"\r\nO").quiet(299).module(b"K\r\n");
    d.flush(socket, 0, 4);
    assert_eq!(d.events(), []);
}

/// Default: the module has restarted, and nobody said so.
#[test]
fn a_canary_that_is_the_default() {
    for policy in [
        quectel_sockets::Policy::Reconnect,
        quectel_sockets::Policy::Report,
    ] {
        let config = quectel_sockets::Config {
            policy,
            ..support::dialogue::config()
        };
        up!(d, 2, config);
        let (socket, other) = (d.socket(0), d.socket(1));
        lose_an_answer(&mut d, socket, 0);
        d.wakes(12_000..=14_000, "\r").wakes(300..=300, GET_CANARY);
        d.module(b"\r\n+QICFG: \"transpktsize\",1024\r\n\r\nOK\r\n");
        assert_eq!(d.events(), [Event::LineLost, Event::ModuleRestarted]);
        failed(&mut d, socket, Failure::Restarted);
        failed(&mut d, other, Failure::Restarted);
        d.host("AT\r").ok().host("ATE0\r").ok();
        if policy == quectel_sockets::Policy::Reconnect {
            d.bring_up_from("AT+CMEE=1\r");
            continue;
        }
        // The context waits for the application.
        let first = d.canary;
        for (host, module) in support::dialogue::BRING_UP.iter().skip(2).take(8) {
            d.host(host).module(module);
        }
        assert_ne!(d.canary, first);
        d.quiet(1_000_000);
        d.engine.reconnect();
        d.bring_up_from("AT+QICSGP=1,1,\"\",\"\",\"\",0\r");
        assert_eq!(d.events(), [Event::Up]);
    }
}

/// A canary that is wrong, refused or missing: another try. The third one
/// may succeed.
#[test]
fn a_canary_that_is_not_told() {
    for answer in [
        "+QICFG: \"transpktsize\",1399\r\n\r\nOK",
        "+QICFG: \"transpktsize\",\r\n\r\nOK",
        "+QICFG: \"qisend/timeout\",1417\r\n\r\nOK",
        "OK",
        "ERROR",
        "+CME ERROR: 3",
        "",
    ] {
        up!(d, 1);
        let socket = d.socket(0);
        lose_an_answer(&mut d, socket, 0);
        d.wakes(12_000..=14_000, "\r");
        for limit in [1_000, 2_000] {
            d.wakes(300..=300, GET_CANARY).line(answer);
            if answer.is_empty() {
                d.wakes(limit..=limit, "\r");
            }
        }
        d.quiet(299)
            .after(1)
            .suspicion()
            .audit(&[connected(0, 0, 4)]);
        assert_eq!(d.events(), RESTORED, "{answer}");
        lives(&mut d, socket);
    }
}

/// The value may have been written though that was not told.
#[test]
fn a_canary_whose_writing_is_not_told() {
    for written in [false, true] {
        for check in [false, true] {
            up!(d, 1);
            let socket = d.socket(0);
            lose_an_answer(&mut d, socket, 0);
            d.wakes(12_000..=14_000, "\r").wakes(300..=300, GET_CANARY);
            let old = d.canary;
            d.tell_canary().host(SET_CANARY);
            assert_ne!(d.canary, old);
            if check {
                d.ok().host(GET_CANARY);
            } else if !written {
                d.canary = old;
            }
            d.resync(1_000..=1_000).audit(&[connected(0, 0, 4)]);
            assert_eq!(d.events(), RESTORED, "{written} {check}");
            lives(&mut d, socket);
        }
    }
}

/// What is read back is not what was written.
#[test]
fn a_canary_that_was_not_written() {
    up!(d, 1);
    let socket = d.socket(0);
    lose_an_answer(&mut d, socket, 0);
    d.wakes(12_000..=14_000, "\r").wakes(300..=300, GET_CANARY);
    let old = d.canary;
    d.tell_canary().host(SET_CANARY).ok().host(GET_CANARY);
    d.canary = old;
    d.tell_canary().quiet(299).after(1);
    d.suspicion().audit(&[connected(0, 0, 4)]);
    assert_eq!(d.events(), RESTORED);
}

/// Three tries, then every rung in its time, down to a question now and then.
fn escalate(d: &mut Dialogue<'_>) {
    d.wakes(12_000..=14_000, "\r").wakes(300..=300, GET_CANARY);
    d.wakes(1_000..=1_000, "\r").wakes(300..=300, GET_CANARY);
    d.wakes(2_000..=2_000, "\r").wakes(300..=300, GET_CANARY);
    assert_eq!(d.events(), [Event::LineLost]);
    d.wakes(4_000..=4_000, "AT+QIDEACT=1\r");
    assert_eq!(d.events(), [Event::Escalated]);
}

#[test]
fn every_rung() {
    up!(d, 2);
    let (socket, other) = (d.socket(0), d.socket(1));
    lose_an_answer(&mut d, socket, 0);
    escalate(&mut d);
    failed(&mut d, socket, Failure::ModuleLost);
    failed(&mut d, other, Failure::ModuleLost);
    assert!(!d.engine.is_up());
    let remote = "192.0.2.20:80".parse().unwrap();
    assert_eq!(
        d.engine.connect(socket, remote),
        Err(ConnectError::NoNetwork)
    );
    d.wakes(10_000..=10_000, "AT+CFUN=1,1\r");
    d.wakes(15_000..=15_000, "AT\r");
    let restarted = d.now;
    while d.events().is_empty() {
        assert!(!d.engine.take_reset_request());
        d.sleep();
    }
    assert!((40_000..=42_000).contains(&(d.now - restarted)));
    assert!(d.engine.take_reset_request());
    let reset = d.now;
    let mut events = d.events();
    while events.is_empty() {
        d.sleep();
        events = d.events();
    }
    assert_eq!(events, [Event::ModuleLost]);
    assert!((38_000..=42_000).contains(&(d.now - reset)));
    for _ in 0..1_000 {
        d.wakes(10_000..=13_000, "AT\r");
    }
    assert!(!d.engine.take_reset_request());
    assert_eq!(d.engine.fault(), None);
    // One day it is back.
    d.ok();
    assert_eq!(d.sleep(), "ATE0\\r");
    d.ok().bring_up_from("AT+CMEE=1\r");
    assert_eq!(d.events(), [Event::Up]);
    d.connect(socket, 0);
    d.engine.release(d.now, other);
}

/// Each rung may bring the module back.
#[test]
fn rungs_that_help() {
    for rung in 0..6 {
        up!(d, 1);
        let socket = d.socket(0);
        lose_an_answer(&mut d, socket, 0);
        escalate(&mut d);
        match rung {
            // Both are answered.
            0 => {
                d.ok().host("AT+CFUN=1,1\r").ok().host("AT\r").quiet(500);
                d.line("RDY").host("AT\r");
            }
            1 => {
                d.error().host("AT+CFUN=1,1\r").error().host("AT\r");
            }
            // The module restarts by itself: it is not restarted again.
            2 => {
                d.line("RDY").host("AT\r");
            }
            // The answer to the restart is lost.
            3 => {
                d.ok().host("AT+CFUN=1,1\r").line("RDY").host("AT\r");
            }
            4 => {
                d.ok().host("AT+CFUN=1,1\r").ok().host("AT\r").quiet(1_000);
                d.wakes(600..=600, "AT\r").line("APP RDY").host("AT\r");
            }
            // The pin.
            _ => {
                d.ok().host("AT+CFUN=1,1\r").ok();
                while !d.engine.take_reset_request() {
                    assert_eq!(d.sleep(), "AT\\r");
                }
                d.line("RDY").host("AT\r");
            }
        }
        d.ok();
        assert_eq!(d.sleep(), "ATE0\\r", "{rung}");
        d.ok().bring_up_from("AT+CMEE=1\r");
        assert_eq!(d.events().last(), Some(&Event::Up), "{rung}");
        assert!(d.engine.is_up());
        d.connect(socket, 0);
        d.quiet(1_000_000);
        assert!(!d.engine.take_reset_request());
    }
}

/// One socket's row is missing, one is there that nobody knows.
#[test]
fn rows_that_do_not_agree() {
    up!(d, 3);
    let (asks, gone, lives_on) = (d.socket(0), d.socket(1), d.socket(2));
    lose_an_answer(&mut d, asks, 0);
    d.resync(12_000..=14_000)
        .rows(&[connected(0, 0, 4), connected(2, 0, 0), connected(7, 0, 0)])
        .counters(connected(0, 0, 4))
        .counters(connected(2, 0, 0))
        .active();
    assert_eq!(d.events(), RESTORED);
    failed(&mut d, gone, Failure::Reset);
    lives(&mut d, asks);
    lives(&mut d, lives_on);
    let mut closed = 0;
    for _ in 0..5 {
        let sent = String::from_utf8(d.transmitted()).unwrap();
        match sent.as_str() {
            "AT+QIRD=0,1500\r" | "AT+QIRD=2,1500\r" => d.module(NO_DATA),
            // The id whose row is missing, too: the row may have been lost.
            "AT+QICLOSE=7,0\r" | "AT+QICLOSE=1,0\r" => {
                closed += 1;
                d.ok()
            }
            "" => break,
            other => panic!("{other}"),
        };
    }
    assert_eq!(closed, 2);
    d.quiet(200_000);
}

/// What is opening: the row tells how far it has come.
#[test]
fn rows_of_a_socket_that_is_opened() {
    for (row, state) in [
        (Some(opening(1)), 2),
        (Some(connected(1, 0, 0)), 4),
        (Some(closing(1)), 0),
        (None, 0),
    ] {
        up!(d, 2);
        let asks = d.socket(0);
        let opens = d.engine.tcp_socket().unwrap();
        let remote = "192.0.2.20:80".parse().unwrap();
        d.engine.connect(opens, remote).unwrap();
        d.host("AT+QIOPEN=1,1,\"TCP\",\"192.0.2.20\",80,0,0\r").ok();
        lose_an_answer(&mut d, asks, 0);
        let rows: Vec<Row> = [connected(0, 0, 4)].into_iter().chain(row).collect();
        d.resync(12_000..=14_000).rows(&rows);
        assert_eq!(d.state(opens), state);
        d.counters(connected(0, 0, 4));
        if state == 4 {
            d.counters(connected(1, 0, 0));
        }
        d.active();
        match (state, d.engine.connected(opens)) {
            (2, Err(WouldBlock)) | (4, Ok(())) => {}
            (0, Err(Other(ConnectError::Module(_)))) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Bytes that one side counts and the other does not.
#[test]
fn counters_that_do_not_agree() {
    for (read, taken) in [(5, 4), (0, 3), (0, 5), (0, 8), (1, 4)] {
        up!(d, 2);
        let (bad, good) = (d.socket(0), d.socket(1));
        lose_an_answer(&mut d, bad, 0);
        let row = connected(0, read, taken);
        d.resync(12_000..=14_000).rows(&[row, connected(1, 0, 0)]);
        d.host("AT+QIRD=0,0\r")
            .module(format!("\r\n+QIRD: {read},{read},0\r\n\r\nOK\r\n"));
        if read == 0 {
            d.host("AT+QISEND=0,0\r")
                .module(format!("\r\n+QISEND: {taken},{taken},0\r\n\r\nOK\r\n"));
        } else {
            // It has failed already: an id that does not exist is asked for.
            d.host("AT+QISEND=12,0\r").error();
        }
        d.counters(connected(1, 0, 0)).active();
        failed(&mut d, bad, Failure::LineDamaged);
        lives(&mut d, good);
        assert_eq!(d.events(), RESTORED);
    }
}

/// The context went while nothing could be believed.
#[test]
fn a_context_that_is_gone() {
    up!(d, 1);
    let socket = d.socket(0);
    lose_an_answer(&mut d, socket, 0);
    d.resync(12_000..=14_000).rows(&[connected(0, 0, 4)]);
    d.counters(connected(0, 0, 4)).host("AT+QIACT?\r").ok();
    failed(&mut d, socket, Failure::ContextLost);
    let events = [Event::LineLost, Event::ContextLost, Event::LineRestored];
    assert_eq!(d.events(), events);
    d.host("AT+QIDEACT=1\r").ok();
    d.bring_up_from("AT+QICSGP=1,1,\"\",\"\",\"\",0\r");
}

/// An answer of the audit is lost: from the canary on once more.
#[test]
fn an_audit_that_is_cut_off() {
    for lost in [
        "AT+QISTATE?\r",
        "AT+QIRD=0,0\r",
        "AT+QISEND=0,0\r",
        "AT+QIACT?\r",
    ] {
        up!(d, 1);
        let socket = d.socket(0);
        lose_an_answer(&mut d, socket, 0);
        d.resync(12_000..=14_000);
        let answers: [(&str, Vec<u8>); 4] = [
            ("AT+QISTATE?\r", state_row(0, 2)),
            ("AT+QIRD=0,0\r", b"\r\n+QIRD: 0,0,0\r\n\r\nOK\r\n".into()),
            (
                "AT+QISEND=0,0\r",
                b"\r\n+QISEND: 4,4,0\r\n\r\nOK\r\n".into(),
            ),
            ("AT+QIACT?\r", vec![]),
        ];
        for (command, answer) in &answers {
            d.host(command);
            if *command == lost {
                break;
            }
            d.module(answer);
        }
        if lost == "AT+QISEND=0,0\r" {
            // It may have become a send.
            fill(&mut d, 7_000);
            d.resync(100..=100);
        } else {
            d.resync(1_000..=1_000);
        }
        d.audit(&[connected(0, 0, 4)]);
        assert_eq!(d.events(), RESTORED, "{lost}");
        lives(&mut d, socket);
    }
}

/// As much filler as a send can want, after so many milliseconds.
fn fill(d: &mut Dialogue<'_>, after: u64) {
    d.wakes(after..=after, "\r".repeat(32));
    for _ in 0..44 {
        d.wakes(100..=100, "\r".repeat(32));
    }
    d.wakes(100..=100, "\r".repeat(20));
}

/// `AT+QISEND=0,0` that loses its last byte but one is a send: filler, too.
#[test]
fn a_lost_question_for_the_counters() {
    up!(d, 1);
    let socket = d.socket(0);
    d.events();
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").module(PROMPT).host("data");
    d.module(SEND_OK);
    assert_eq!(d.engine.flushed(socket), Err(WouldBlock));
    d.host("AT+QISEND=0,0\r");
    fill(&mut d, 7_300);
    d.resync(100..=100).audit(&[connected(0, 0, 4)]);
    assert_eq!(d.events(), RESTORED);
    lives(&mut d, socket);
    // Late is not lost.
    let next = d.sleep();
    if next.starts_with("AT+QIRD") {
        d.module(NO_DATA).host("AT+QISEND=0,0\r");
    }
    d.quiet(7_000).module(b"\r\n+QISEND: 4,4,0\r\n\r\nOK\r\n");
    assert_eq!(d.engine.flushed(socket), Ok(()));
    assert_eq!(d.events(), RESTORED);
}

/// Nothing else is sent meanwhile, whatever the application calls.
#[test]
fn calls_during_a_resynchronisation_wait() {
    up!(d, 3);
    let (socket, closes) = (d.socket(0), d.socket(1));
    lose_an_answer(&mut d, socket, 0);
    d.wakes(12_000..=14_000, "\r");
    assert!(!d.engine.is_up());
    assert_eq!(d.engine.stage(), (3, 0));
    assert_eq!(d.engine.send(socket, b"more"), Ok(4));
    let opens = d.engine.tcp_socket().unwrap();
    let remote = "192.0.2.20:80".parse().unwrap();
    d.engine.connect(opens, remote).unwrap();
    assert_eq!(d.engine.resolve("a.test"), Err(WouldBlock));
    d.engine.abort(d.now, closes);
    d.quiet(299).after(1).suspicion();
    d.audit(&[connected(0, 0, 4), connected(1, 0, 0)]);
    assert!(d.engine.is_up());
    let mut sent = Vec::new();
    for _ in 0..5 {
        let command = String::from_utf8(d.transmitted()).unwrap();
        match command.get(..8) {
            Some("AT+QISEN") => d.module(PROMPT).host("more").module(SEND_OK),
            Some("AT+QIRD=") => d.module(NO_DATA),
            _ => d.ok(),
        };
        sent.push(command);
    }
    for command in ["AT+QISEND=0,4\r", "AT+QICLOSE=1,0\r"] {
        assert!(sent.contains(&command.into()), "{command}: {sent:?}");
    }
    for start in ["AT+QIOPEN=", "AT+QIDNSGIP="] {
        assert!(sent.iter().any(|c| c.starts_with(start)), "{sent:?}");
    }
}

/// A sign of a restart in the middle of a send: the send is finished first.
#[test]
fn a_suspicion_waits_for_its_turn() {
    up!(d, 2);
    let socket = d.socket(0);
    let opens = d.engine.tcp_socket().unwrap();
    let remote = "192.0.2.20:80".parse().unwrap();
    d.engine.connect(opens, remote).unwrap();
    d.host("AT+QIOPEN=1,1,\"TCP\",\"192.0.2.20\",80,0,0\r").ok();
    d.events();
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r")
        .line("+QIOPEN: 1,561")
        .quiet(9_000);
    let failed = d.engine.connected(opens);
    assert_eq!(failed, Err(Other(ConnectError::NoNetwork)));
    d.module(PROMPT).host("data").quiet(3_000).module(SEND_OK);
    d.suspicion().audit(&[connected(0, 0, 4)]);
    // Nothing was amiss, so there is nothing to tell.
    assert_eq!(d.events(), []);
    lives(&mut d, socket);
}

/// The same where the send is lost: its payload is not mixed with commands.
#[test]
fn a_suspicion_during_a_send_that_is_lost() {
    up!(d, 2);
    let socket = d.socket(0);
    let opens = d.engine.tcp_socket().unwrap();
    let remote = "192.0.2.20:80".parse().unwrap();
    d.engine.connect(opens, remote).unwrap();
    d.host("AT+QIOPEN=1,1,\"TCP\",\"192.0.2.20\",80,0,0\r").ok();
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").line("+QIOPEN: 1,570");
    d.quiet(15_999).wakes(1..=1, "\r\r\r\r");
    d.resync(100..=100).audit(&[connected(0, 0, 0)]);
    lives(&mut d, socket);
}

/// The peer closes while a send is lost: what was not taken is never sent,
/// and that is said.
#[test]
fn closed_while_a_send_is_lost() {
    for taken in [0, 4] {
        up!(d, 1);
        let socket = d.socket(0);
        d.engine.send(socket, b"data").unwrap();
        d.host("AT+QISEND=0,4\r").module(PROMPT).host("data");
        d.quiet(122_000).line("+QIURC: \"closed\",0");
        assert_eq!(d.state(socket), 7);
        d.wakes(5_000..=5_000, "\r\r\r\r");
        let row = Row {
            taken,
            ..closing(0)
        };
        d.resync(100..=100).rows(&[row]).counters(row).active();
        let failure = match taken {
            0 => Failure::Reset,
            _ => Failure::LineDamaged,
        };
        let lost = SendError::Failed(failure);
        assert_eq!(d.engine.flushed(socket), Err(Other(lost)));
    }
}

/// A close whose end is watched goes on after a resynchronisation.
#[test]
fn fin_wait_2_over_a_resynchronisation() {
    up!(d, 2);
    let (closes, asks) = (d.socket(0), d.socket(1));
    d.engine.shutdown(d.now, closes).unwrap();
    d.host("AT+QICLOSE=0,2\r").ok();
    d.host("AT+QISTATE=1,0\r").module(state_row(0, 4));
    assert_eq!(d.state(closes), 6);
    lose_an_answer(&mut d, asks, 1);
    d.resync(12_000..=14_000);
    let rows = [closing(0), connected(1, 0, 4)];
    d.audit(&rows);
    let mut asked = false;
    while d.state(closes) == 6 {
        match d.sleep().as_str() {
            "AT+QISTATE=1,0\\r" => {
                asked = true;
                d.ok();
            }
            "AT+QIRD=1,1500\\r" => drop(d.module(NO_DATA)),
            "AT+QISEND=1,0\\r" => drop(d.module(b"\r\n+QISEND: 4,4,0\r\n\r\nOK\r\n")),
            other => panic!("{other}"),
        }
    }
    assert!(asked);
    assert_eq!(d.state(closes), 10);
}

/// A socket that was given back while its last command was lost: its slot is
/// free in the end.
#[test]
fn a_slot_whose_last_command_is_lost_becomes_free() {
    up!(d, 1);
    let socket = d.socket(0);
    lose_an_answer(&mut d, socket, 0);
    d.line("+QIURC: \"pdpdeact\",1");
    d.engine.release(d.now, socket);
    d.wakes(12_000..=14_000, "\r");
    d.quiet(299).after(1).suspicion();
    assert!(d.engine.tcp_socket().is_ok());
    d.host("AT+QIDEACT=1\r");
}

/// A look that finds nothing under its id: all of them may be gone.
#[test]
fn a_missing_row_makes_the_engine_ask() {
    up!(d, 2);
    let (socket, other) = (d.socket(0), d.socket(1));
    d.events();
    d.line("+QIURC: \"recv\",0")
        .host("AT+QIRD=0,1500\r")
        .error();
    d.wakes(1..=500, "AT+QISTATE=1,0\r").ok();
    failed(&mut d, socket, Failure::Reset);
    d.host(GET_CANARY);
    d.module(b"\r\n+QICFG: \"transpktsize\",1024\r\n\r\nOK\r\n");
    failed(&mut d, other, Failure::Restarted);
    assert_eq!(d.events().last(), Some(&Event::ModuleRestarted));
    d.host("AT\r");
}

/// What was there before the line was lost is still delivered.
#[test]
fn data_survives_a_resynchronisation() {
    up!(d, 1);
    let socket = d.socket(0);
    d.line("+QIURC: \"recv\",0").host("AT+QIRD=0,1500\r");
    d.module(qird(b"before"));
    d.host("AT+QIRD=0,1500\r");
    // The whole command was lost on the way to the module.
    d.resync(5_000..=7_000).audit(&[connected(0, 6, 0)]);
    d.host("AT+QIRD=0,1500\r").module(qird(b"behind"));
    assert_eq!(d.received(socket), b"beforebehind");
    d.host("AT+QIRD=0,1500\r").module(NO_DATA).quiet(200_000);
}
