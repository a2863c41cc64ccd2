//! With echo on, nothing counts as the answer before the module has repeated
//! the command to the byte.

mod bench;

use bench::{
    Bench, ERROR, OK, SEND_FAIL, SEND_OK,
    replay::{READY, RECV},
};
use quectel_at_commands::{
    Token::{Echo, Garbled, Header, Info, Payload, Prompt, Unknown},
    Trailer,
    general::Identify,
    tcp::{GetSendCounters, ReadData, Send},
};

const READ: ReadData = ReadData { id: 0, len: 1500 };
const READ_LINE: &[u8] = b"AT+QIRD=0,1500\r";
const ANSWER: &[u8] = b"\r\n+QIRD: 2\r\nhi\r\n\r\nOK\r\n";
const SEND: Send = Send { id: 0, len: 4 };

fn bench() -> Bench {
    Bench::new(Trailer::BlankLine)
}

#[test]
fn the_echo_comes_first() {
    bench()
        .asks_echoed(&READ)
        .hears(READ_LINE, &[Echo])
        .hears(ANSWER, &[Header(2), Payload(b"hi"), OK])
        .asks_echoed(&SEND)
        .hears(b"AT+QISEND=0,4\r\r\n> ", &[Echo, Prompt])
        .hears(b"\r\nSEND OK\r\n", &[SEND_OK])
        .asks_echoed(&Identify {})
        .hears(
            b"ATI\r\r\nQuectel\r\n\r\nOK\r\n",
            &[Echo, Info(b"Quectel"), OK],
        );
}

#[test]
fn what_comes_before_it_is_not_the_answer() {
    bench()
        .asks_echoed(&READ)
        .hears(
            b"\r\nOK\r\n\r\nERROR\r\n",
            &[Unknown(b"OK"), Unknown(b"ERROR")],
        )
        .hears(b"\r\n+QIRD: 2\r\n", &[Unknown(b"+QIRD: 2")])
        .hears(b"\r\n+QIURC: \"recv\",0\r\n", &[RECV])
        .hears(READ_LINE, &[Echo])
        .hears(ANSWER, &[Header(2), Payload(b"hi"), OK])
        .asks_echoed(&SEND)
        .hears(b"\r\n> \r\n", &[Unknown(b">")])
        .hears(b"\r\nSEND OK\r\n", &[Unknown(b"SEND OK")])
        .hears(b"AT+QISEND=0,4\r", &[Echo])
        .hears(b"\r\n> ", &[Prompt])
        .hears(b"\r\nSEND FAIL\r\n", &[SEND_FAIL])
        // Bare text neither.
        .asks_echoed(&Identify {})
        .hears(b"\r\nQuectel\r\n", &[Unknown(b"Quectel")])
        .hears(
            b"ATI\r\r\nQuectel\r\n\r\nERROR\r\n",
            &[Echo, Info(b"Quectel"), ERROR],
        );
}

/// One byte lost, doubled or changed.
#[test]
fn what_comes_instead_of_it() {
    let sent = READ_LINE.trim_ascii_end();
    for at in 0..sent.len() {
        let mut lost = sent.to_vec();
        lost.remove(at);
        let mut doubled = sent.to_vec();
        doubled.insert(at, sent[at]);
        let mut changed = sent.to_vec();
        changed[at] ^= 1;
        for line in [lost, doubled, changed] {
            // What begins like the echo and ends is an echo that a URC cuts.
            if sent.starts_with(&line) || line == sent {
                continue;
            }
            let with_end = [&line, &b"\r"[..]].concat();
            let mut bench = bench();
            bench.asks_echoed(&READ);
            let seen = [Garbled(&line)];
            let late = [Unknown(&line)];
            // Unless it looks like an answer.
            let tokens = if line.starts_with(b"+") { &late } else { &seen };
            bench.hears(&with_end, tokens);
            // Whatever follows still needs the echo.
            bench.hears(b"\r\nERROR\r\n", &[Unknown(b"ERROR")]);
        }
    }
    // A line that has nothing of it is any line.
    bench()
        .asks_echoed(&READ)
        .hears(b"hello\r\n", &[Unknown(b"hello")])
        .hears(b"\r\nRDY\r\n", &[READY]);
}

#[test]
fn a_urc_cuts_it_in_two() {
    for at in 0..=READ_LINE.len() {
        let (before, behind) = READ_LINE.split_at(at);
        let urc = b"\r\n+QIURC: \"recv\",0\r\n";
        let all = [before, urc, behind, ANSWER].concat();
        let answer = [Header(2), Payload(b"hi"), OK];
        let tokens = match at {
            0..15 => [&[RECV, Echo][..], &answer].concat(),
            _ => [&[Echo, RECV][..], &answer].concat(),
        };
        // In front of its last CR the URC's own ends it.
        let tokens = match at {
            14 => [&[Echo, RECV][..], &answer].concat(),
            _ => tokens,
        };
        bench().asks_echoed(&READ).hears(&all, &tokens);
    }
}

/// It stands there in part already, and begins again.
#[test]
fn it_begins_again() {
    for at in 1..READ_LINE.len() - 1 {
        bench()
            .asks_echoed(&READ)
            .hears(&READ_LINE[..at], &[])
            .hears(b"\r\n+QIURC: \"recv\",0\r\n", &[RECV])
            .hears(READ_LINE, &[Echo])
            .hears(ANSWER, &[Header(2), Payload(b"hi"), OK]);
    }
}

/// What a released command would have been repeated as is a line.
#[test]
fn released_it_is_a_line() {
    bench()
        .asks_echoed(&READ)
        .release()
        .hears(READ_LINE, &[Unknown(b"AT+QIRD=0,1500")])
        .hears(b"\r\nOK\r\n", &[Unknown(b"OK")]);
}

/// A CR without its LF is told of once; those of the lines have theirs.
#[test]
fn stray_carriage_returns() {
    let counters = GetSendCounters { id: 0, zero: 0 };
    let mut bench = bench();
    bench
        .asks_echoed(&counters)
        .hears(b"AT+QISEND=0,0\r", &[Echo])
        .hears(
            b"\r\n+QISEND: 4,4,0\r\n\r\nOK\r\n",
            &[Info(b"+QISEND: 4,4,0"), OK],
        )
        .hears(b"\r\n\r\n\r\n", &[]);
    assert!(!bench.all(|framer| framer.take_stray()));
    bench
        .asks_echoed(&READ)
        .hears(b"\r", &[])
        .hears(READ_LINE, &[Echo]);
    assert!(bench.all(|framer| framer.take_stray()));
    assert!(!bench.all(|framer| framer.take_stray()));
    bench.hears(ANSWER, &[Header(2), Payload(b"hi"), OK]);
    assert!(!bench.all(|framer| framer.take_stray()));
}

/// Filler has gone out without a prompt: its result, and no other.
#[test]
fn the_result_of_filler() {
    for (line, token) in [
        (&b"\r\nSEND OK\r\n"[..], SEND_OK),
        (b"\r\nSEND FAIL\r\n", SEND_FAIL),
        (b"\r\nERROR\r\n", ERROR),
    ] {
        let mut bench = bench();
        bench.all(|framer| framer.expect_send_result());
        bench
            .hears(b"\r\r\r\r\n> \r\n", &[Unknown(b">")])
            .hears(b"\r\nOK\r\n", &[Unknown(b"OK")])
            .hears(b"\r\n+QIURC: \"recv\",0\r\n", &[RECV])
            .hears(line, &[token])
            .hears(b"\r\nSEND OK\r\n", &[Unknown(b"SEND OK")]);
    }
}
