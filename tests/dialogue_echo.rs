//! The echo check, against hand-written bytes: nothing counts as the answer
//! to a command that the module has not repeated to the byte.

mod support;

use nb::Error::{Other, WouldBlock};
use quectel_sockets::{Event, Failure, Handle, RecvError, SendError};
use support::dialogue::{
    Dialogue, Memory, NO_DATA, PROMPT, SEND_OK, config, connected, qird, state_row,
};

/// `d` is a dialogue with so many sockets and echo on; bring-up is over.
macro_rules! echoing {
    ($d:ident, $n:literal) => {
        let mut memory = Memory::<$n>::new();
        let mut slots = memory.slots();
        let mut $d = Dialogue::echoing(&mut slots, config());
        $d.bring_up();
        assert_eq!($d.events(), [Event::Up]);
    };
}

const READ_1: &str = "AT+QIRD=1,1500\r";

/// 4 bytes, up to `SEND OK`.
fn send(d: &mut Dialogue<'_>, socket: Handle) {
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").module(PROMPT).host("data");
    d.module(SEND_OK);
}

#[track_caller]
fn damaged(d: &mut Dialogue<'_>, socket: Handle) {
    let damaged = SendError::Failed(Failure::LineDamaged);
    assert_eq!(d.engine.flushed(socket), Err(Other(damaged)));
    let damaged = RecvError::Failed(Failure::LineDamaged);
    assert_eq!(d.engine.recv(socket, &mut [0; 4]), Err(Other(damaged)));
}

#[test]
fn a_transfer_with_echo() {
    echoing!(d, 1);
    let socket = d.socket(0);
    send(&mut d, socket);
    d.flush(socket, 0, 4);
    d.line("+QIURC: \"recv\",0");
    d.host("AT+QIRD=0,1500\r").module(qird(b"AT+QIRD=0,1500\r"));
    d.host("AT+QIRD=0,1500\r").module(NO_DATA);
    assert_eq!(d.received(socket), b"AT+QIRD=0,1500\r");
    d.line("+QIURC: \"closed\",0");
    d.host("AT+QIRD=0,1500\r").module(NO_DATA);
    d.host("AT+QISTATE=1,0\r").module(state_row(0, 4));
    assert_eq!(d.engine.recv(socket, &mut [0; 4]), Ok(0));
    d.engine.release(d.now, socket);
    d.host("AT+QICLOSE=0,10\r").ok().quiet(200_000);
    assert_eq!(d.engine.counters().unknown_lines, 0);
    assert_eq!(d.events(), []);
}

/// The line doubled a byte: what is left over of the block is echoed, and a
/// URC comes before the next command would show it.
#[test]
fn a_left_over_byte_before_a_urc() {
    let urc = b"\r\n+QIURC: \"recv\",0\r\n";
    for left_over in [&b"\xf4"[..], b"4", b"+", b"A", b">", b"\0\x1a"] {
        echoing!(d, 1);
        let socket = d.socket(0);
        send(&mut d, socket);
        d.module([left_over, urc].concat());
        damaged(&mut d, socket);
    }
    // A late answer is no such thing, nor is what comes behind an echo.
    echoing!(d, 1);
    let socket = d.socket(0);
    send(&mut d, socket);
    d.line("OK");
    d.flush(socket, 0, 4);
    d.module(b"\xf4\r\n").silent();
    assert_eq!(d.state(socket), 4);
}

/// In pieces, and in one piece with the answer.
#[test]
fn an_echo_in_pieces() {
    let answer = [b"AT+QIRD=0,1500\r", &qird(b"hello")[..]].concat();
    for size in [1, 2, 3, 7, 1_000] {
        echoing!(d, 1);
        let socket = d.socket(0);
        d.line("+QIURC: \"recv\",0").sends("AT+QIRD=0,1500\r");
        // The CR of `OK` is its end.
        let (most, end) = answer.split_at(answer.len() - 2);
        for chunk in most.chunks(size) {
            d.silent().module(chunk);
        }
        d.silent().module(end);
        assert_eq!(d.received(socket), b"hello", "{size}");
        assert_eq!(d.events(), []);
    }
}

/// The answer to something else comes late: before the echo it is nobody's.
#[test]
fn a_late_answer_before_the_echo() {
    echoing!(d, 1);
    let socket = d.socket(0);
    send(&mut d, socket);
    assert_eq!(d.engine.flushed(socket), Err(WouldBlock));
    d.sends("AT+QISEND=0,0\r");
    for late in [
        "+QISEND: 99,99,0",
        "+QIRD: 5",
        "OK",
        "ERROR",
        "SEND OK",
        "+CME ERROR: 3",
    ] {
        d.line(late).silent();
        assert_eq!(d.engine.flushed(socket), Err(WouldBlock), "{late}");
    }
    d.module(b"AT+QISEND=0,0\r\r\n+QISEND: 4,4,0\r\n\r\nOK\r\n");
    assert_eq!(d.engine.flushed(socket), Ok(()));
    assert_eq!(d.engine.counters().unknown_lines, 6);
    // Neither a prompt nor a header either.
    d.engine.send(socket, b"more").unwrap();
    d.sends("AT+QISEND=0,4\r");
    d.module(b"\r\n> \r\n\r\n>\r\n").quiet(100);
    d.module(b"AT+QISEND=0,4\r")
        .silent()
        .module(PROMPT)
        .host("more");
    d.module(SEND_OK).line("+QIURC: \"recv\",0");
    d.sends("AT+QIRD=0,1500\r");
    d.line("+QIRD: 3").ok().silent();
    d.module(b"AT+QIRD=0,1500\r").module(qird(b"hello"));
    assert_eq!(d.received(socket), b"hello");
    assert_eq!(d.events(), []);
}

/// The module does not echo at all: no answer counts.
#[test]
fn an_answer_without_its_echo() {
    echoing!(d, 1);
    let socket = d.socket(0);
    d.line("+QIURC: \"incoming\",11,0,\"198.51.100.7\",62060");
    d.sends("AT+QICLOSE=11,0\r");
    d.ok();
    d.resync(12_000..=14_000).audit(&[connected(0, 0, 0)]);
    assert_eq!(d.events(), [Event::LineLost, Event::LineRestored]);
    assert_eq!(d.state(socket), 4);
}

/// The module may have read another length or another id: it may wait for
/// any number of bytes, and gets none of the payload.
#[test]
fn a_garbled_echo_of_a_send() {
    for garbled in [
        "AT+QISEND=0,44",
        "AT+QISEND=1,4",
        "AT+QISEND0,4",
        "AAT+QISEND=0,4",
        "T+QISEND=0,4",
    ] {
        echoing!(d, 1);
        let socket = d.socket(0);
        d.engine.send(socket, b"data").unwrap();
        d.sends("AT+QISEND=0,4\r");
        d.module(garbled).module(b"\r").error().quiet(5_999);
        d.now += 1;
        let (mut filler, mut bursts) = (0, 0);
        loop {
            let sent = d.transmitted();
            assert!(sent.iter().all(|byte| *byte == b'\r') && sent.len() <= 32);
            d.module(&sent);
            filler += sent.len();
            bursts += 1;
            if filler == 1_460 {
                break;
            }
            assert_eq!(sent.len(), 32, "{garbled}, {filler}");
            d.quiet(99);
            d.now += 1;
        }
        assert_eq!(bursts, 46);
        d.resync(100..=100).audit(&[connected(0, 0, 0)]);
        // The module never waited for payload: nothing was lost.
        assert_eq!(d.events(), [Event::LineLost, Event::LineRestored]);
        assert_eq!(d.state(socket), 4, "{garbled}");
        let next = d.transmitted();
        if next == b"AT+QIRD=0,1500\r" {
            d.module(next).module(NO_DATA).host("AT+QISEND=0,4\r");
        } else {
            d.module(next);
        }
        d.module(PROMPT).host("data").module(SEND_OK);
    }
}

/// The end of the command was lost: the module may wait for fewer bytes,
/// never for more.
#[test]
fn an_echo_that_ends_early() {
    echoing!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"0123456789abcd").unwrap();
    d.sends("AT+QISEND=0,14\r");
    d.module(b"AT+QISEND=0,1\r\r\n> ").quiet(15_999);
    d.wakes(1..=1, "\r".repeat(14)).module(SEND_OK);
    d.module("\r".repeat(13));
    d.resync(1..=100).rows(&[connected(0, 0, 1)]);
    d.counters(connected(0, 0, 1)).active();
    damaged(&mut d, socket);
}

/// Filler goes on until the module has what it waits for.
#[test]
fn filler_ends_with_the_modules_answer() {
    for answer in ["SEND OK", "SEND FAIL", "ERROR"] {
        echoing!(d, 1);
        let socket = d.socket(0);
        d.engine.send(socket, b"data").unwrap();
        d.sends("AT+QISEND=0,4\r");
        d.module(b"AT+QISEND=0,44\r").module(PROMPT);
        d.wakes(6_000..=6_000, "\r".repeat(32));
        d.wakes(100..=100, "\r".repeat(32)).line(answer);
        let taken = if answer == "SEND OK" { 44 } else { 0 };
        d.resync(1..=100).rows(&[connected(0, 0, taken)]);
        d.counters(connected(0, 0, taken)).active();
        if taken == 0 {
            assert_eq!(d.state(socket), 4, "{answer}");
            continue;
        }
        // Filler has gone to the peer.
        damaged(&mut d, socket);
        d.host("AT+QICLOSE=0,0\r").ok().quiet(200_000);
    }
}

/// The line doubled a byte of the payload: one was left over, and stands in
/// front of the next command. The socket that sent has failed, no other.
#[test]
fn a_byte_left_over_from_payload() {
    echoing!(d, 2);
    let (sender, other) = (d.socket(0), d.socket(1));
    send(&mut d, sender);
    d.line("+QIURC: \"recv\",1").sends(READ_1);
    d.module(b"aAT+QIRD=1,1500\r").silent();
    damaged(&mut d, sender);
    d.module(b"\r\nERROR\r\n");
    d.resync(300..=300)
        .rows(&[connected(0, 0, 4), connected(1, 0, 0)])
        .counters(connected(1, 0, 0))
        .active();
    assert_eq!(d.state(other), 4);
    assert_eq!(d.events(), [Event::LineLost, Event::LineRestored]);
    d.host("AT+QICLOSE=0,0\r").ok();
    d.host(READ_1).module(qird(b"alive"));
    assert_eq!(d.received(other), b"alive");
}

/// A CR that was left over is an empty command line: the next command is
/// repeated as it should be, only the CR tells.
#[test]
fn a_bare_cr_left_over_from_payload() {
    for early in [false, true] {
        echoing!(d, 2);
        let (sender, other) = (d.socket(0), d.socket(1));
        d.engine.send(sender, b"data").unwrap();
        d.host("AT+QISEND=0,4\r").module(PROMPT).host("data");
        // It may be repeated before the result.
        d.module(if early { &b"\r"[..] } else { b"" });
        d.module(SEND_OK).line("+QIURC: \"recv\",1").sends(READ_1);
        d.module(if early { &b""[..] } else { b"\r" });
        d.module(READ_1).silent();
        damaged(&mut d, sender);
        // The command itself was understood.
        d.module(qird(b"alive"));
        assert_eq!(d.received(other), b"alive");
        assert_eq!(d.events(), []);
    }
}

/// Once a clean echo has come, nothing is blamed on what was sent before.
#[test]
fn a_clean_echo_clears_the_socket_that_sent_last() {
    echoing!(d, 2);
    let (sender, other) = (d.socket(0), d.socket(1));
    send(&mut d, sender);
    d.flush(sender, 0, 4);
    d.line("+QIURC: \"recv\",1").sends(READ_1);
    d.module(b"\r").module(READ_1).module(qird(b"alive"));
    assert_eq!(d.received(other), b"alive");
    assert_eq!((d.state(sender), d.state(other)), (4, 4));
}

/// A CR that came before the payload was sent was not left over from it.
#[test]
fn a_bare_cr_before_the_prompt_blames_nobody() {
    echoing!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").module(b"\r").module(PROMPT);
    d.host("data").module(SEND_OK).flush(socket, 0, 4);
}

/// URCs come at any time, in the middle of an echo too.
#[test]
fn a_urc_that_cuts_the_echo_in_two() {
    let echo = b"AT+QIRD=0,1500\r";
    for at in 0..=echo.len() {
        echoing!(d, 2);
        let (socket, other) = (d.socket(0), d.socket(1));
        send(&mut d, socket);
        d.line("+QIURC: \"recv\",0").sends(echo);
        let (before, behind) = echo.split_at(at);
        d.module(before).line("+QIURC: \"closed\",1").module(behind);
        d.module(qird(b"hello"));
        assert_eq!(d.state(other), 7, "{at}");
        assert_eq!(d.received(socket), b"hello", "{at}");
        assert_eq!(d.state(socket), 4);
        assert_eq!(d.events(), [], "{at}");
    }
}

/// The first bytes of an echo stand there already, from another one.
#[test]
fn an_echo_that_begins_again() {
    for stale in ["A", "AT", "AT+QIRD=", "AT+QIRD=0,150"] {
        echoing!(d, 1);
        let socket = d.socket(0);
        d.line("+QIURC: \"recv\",0").sends("AT+QIRD=0,1500\r");
        d.module(stale).line("+QIURC: \"recv\",0");
        d.module(b"AT+QIRD=0,1500\r").module(qird(b"hello"));
        assert_eq!(d.received(socket), b"hello", "{stale}");
        assert_eq!(d.events(), []);
    }
}

/// Any other command is asked again after a resynchronisation.
#[test]
fn a_garbled_echo_of_another_command() {
    echoing!(d, 1);
    let socket = d.engine.tcp_socket().unwrap();
    let remote = "192.0.2.20:80".parse().unwrap();
    d.engine.connect(socket, remote).unwrap();
    d.sends("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",80,0,0\r");
    // Another port: the connection would be to somebody else.
    d.module(b"AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",8,0,0\r\r\nERROR\r\n");
    d.resync(300..=300).audit(&[]);
    d.host("AT+QIOPEN=1,1,\"TCP\",\"192.0.2.20\",80,0,0\r");
    d.ok().line("+QIOPEN: 1,0");
    assert_eq!(d.engine.connected(socket), Ok(()));
    d.host(READ_1).module(NO_DATA);
    assert_eq!(d.engine.resolve("a.test"), Err(WouldBlock));
    d.sends("AT+QIDNSGIP=1,\"a.test\"\r");
    d.module(b"AT+QIDNSGIP=1,\"atest\"\r\r\nOK\r\n");
    d.resync(300..=300).audit(&[connected(1, 0, 0)]);
    d.host(READ_1).module(NO_DATA);
    let again = d.sleep();
    assert_eq!(again, "AT+QIDNSGIP=1,\\\"a.test\\\"\\r");
}

/// Modules swallow a line feed without an echo, so one that is left over
/// from a block with a doubled byte would go unnoticed: no block ends with
/// one, and those that would go in a command of their own.
#[test]
fn line_feeds_at_the_end_of_a_block() {
    echoing!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"GET\r\n\r\n\n").unwrap();
    d.host("AT+QISEND=0,6\r").module(PROMPT).host("GET\r\n\r");
    d.module(SEND_OK);
    d.host("AT+QISENDEX=0,\"0A0A\"\r").module(SEND_OK);
    d.flush(socket, 0, 8);
    d.quiet(1_000);
    assert_eq!(d.events(), []);
}

#[test]
fn line_feeds_that_the_module_has_no_room_for() {
    echoing!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"\n\n\n").unwrap();
    d.host("AT+QISENDEX=0,\"0A0A0A\"\r");
    d.module("\r\nSEND FAIL\r\n").silent().after(1_000);
    d.host("AT+QISENDEX=0,\"0A0A0A\"\r").module(SEND_OK);
    d.flush(socket, 0, 3);
    assert_eq!(d.events(), []);
}

/// At most so many as fit the command.
#[test]
fn many_line_feeds() {
    echoing!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, &[b'\n'; 200]).unwrap();
    for n in [180, 20] {
        let line = format!("AT+QISENDEX=0,\"{}\"\r", "0A".repeat(n));
        d.host(&line).module(SEND_OK);
    }
    d.flush(socket, 0, 200);
}

/// What the module has taken may not be what was sent: only if it has taken
/// nothing the socket goes on.
#[test]
fn a_garbled_echo_of_line_feeds() {
    for (taken, lives) in [(0, true), (2, false)] {
        echoing!(d, 1);
        let socket = d.socket(0);
        d.engine.send(socket, b"\n\n").unwrap();
        d.sends("AT+QISENDEX=0,\"0A0A\"\r");
        d.module("AT+QISENDEX=0,\"0B0A\"\r").module(SEND_OK);
        d.resync(300..=3_500).audit(&[connected(0, 0, taken)]);
        assert_eq!(d.events(), [Event::LineLost, Event::LineRestored]);
        if lives {
            d.host("AT+QIRD=0,1500\r").module(NO_DATA);
            d.host("AT+QISENDEX=0,\"0A0A\"\r").module(SEND_OK);
            d.flush(socket, 0, 2);
        } else {
            damaged(&mut d, socket);
        }
    }
}
