//! Sending, against hand-written bytes: every gap, every answer.

mod support;

use nb::Error::{Other, WouldBlock};
use quectel_sockets::{Event, Failure, SendError, Slot};
use support::dialogue::{
    Dialogue, GET_CANARY, NO_DATA, PROMPT, SEND_OK, config, connected, pattern, qird, state_row,
};

const FAIL: &str = "SEND FAIL";

/// Lines that may come in any gap, and end no connection (row B).
const URCS: [&str; 7] = [
    "+CEREG: 1",
    "+CGREG: 2,\"5650\",\"29A7DF4\",2",
    "+QIND: SMS DONE",
    "+QIURC: \"recv\",5",
    "+QIURC: \"closed\",5",
    "+QIOPEN: 5,566",
    "+CME ERROR",
];

#[test]
fn urcs_in_every_gap() {
    up!(d, 1);
    let socket = d.socket(0);
    let mut taken = 0;
    for urc in URCS {
        d.engine.send(socket, b"data").unwrap();
        d.host("AT+QISEND=0,4\r").line(urc).silent();
        d.module(PROMPT).line(urc).host("data").line(urc).silent();
        assert_eq!(d.engine.flushed(socket), Err(WouldBlock));
        d.module(SEND_OK).line(urc);
        taken += 4;
        assert_eq!(d.engine.flushed(socket), Err(WouldBlock));
        d.host("AT+QISEND=0,0\r").line(urc);
        d.line(format!("+QISEND: {taken},{taken},0")).line(urc);
        assert_eq!(d.engine.flushed(socket), Err(WouldBlock));
        d.ok().line(urc).silent();
        assert_eq!(d.engine.flushed(socket), Ok(()));
    }
    assert_eq!(d.state(socket), 4);
    // T41: URC and SEND OK in one read.
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").module(PROMPT).host("data");
    d.module(b"\r\nSEND OK\r\n\r\n+QIURC: \"recv\",0\r\n");
    d.host("AT+QIRD=0,1500\r").module(NO_DATA).silent();
}

/// Row M, and the ring's end in the middle of a payload.
#[test]
fn a_write_above_1460_bytes_is_split() {
    let (mut rx, mut tx) = ([0; 100], [0; 4000]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let mut d = Dialogue::up(&mut slots, config());
    let socket = d.socket(0);
    let data = pattern(9_000);
    let (mut given, mut arrived) = (0, Vec::new());
    while arrived.len() < data.len() {
        given += d.engine.send(socket, &data[given..]).unwrap_or(0);
        let n = (given - arrived.len()).min(1460);
        d.host(format!("AT+QISEND=0,{n}\r")).module(PROMPT);
        let payload = d.transmitted();
        assert_eq!(payload.len(), n);
        arrived.extend(payload);
        d.silent().module(SEND_OK);
    }
    assert_eq!(arrived, data);
    d.flush(socket, 0, 9_000);
}

#[test]
fn a_uart_that_takes_any_number_of_bytes() {
    for step in [1, 2, 3, 7, 100, 5_000] {
        let (mut rx, mut tx) = ([0; 100], [0; 50]);
        let mut slots = [Slot::new(&mut rx, &mut tx)];
        let mut d = Dialogue::up(&mut slots, config());
        let socket = d.socket(0);
        let data = pattern(50);
        for round in 0..3 {
            // 30 + 50 bytes: the second block wraps around.
            let n = if round % 2 == 0 { 30 } else { 50 };
            d.engine.send(socket, &data[..n]).unwrap();
            let drain = |d: &mut Dialogue<'_>| {
                let mut all = Vec::new();
                d.engine.poll(d.now);
                while !d.engine.tx().is_empty() {
                    let taken = d.engine.tx().len().min(step);
                    all.extend_from_slice(&d.engine.tx()[..taken]);
                    d.engine.tx_done(d.now, taken);
                    d.engine.tx_done(d.now, 0);
                }
                all
            };
            assert_eq!(drain(&mut d), format!("AT+QISEND=0,{n}\r").as_bytes());
            d.module(PROMPT);
            assert_eq!(drain(&mut d), &data[..n]);
            d.module(SEND_OK);
        }
    }
}

#[test]
fn send_takes_what_fits_and_nothing_when_it_blocks() {
    let (mut rx, mut tx) = ([0; 100], [0; 10]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let mut d = Dialogue::up(&mut slots, config());
    let socket = d.socket(0);
    assert_eq!(d.engine.send(socket, b""), Ok(0));
    assert_eq!(d.engine.send(socket, b"0123456"), Ok(7));
    assert_eq!(d.engine.send(socket, b"789abc"), Ok(3));
    assert_eq!(d.engine.send(socket, b"abc"), Err(WouldBlock));
    assert_eq!(d.engine.send(socket, b""), Ok(0));
    // The block keeps its bytes until SEND OK.
    d.host("AT+QISEND=0,10\r").module(PROMPT).host("0123456789");
    assert_eq!(d.engine.send(socket, b"abc"), Err(WouldBlock));
    d.module(SEND_OK);
    assert_eq!(d.engine.send(socket, b"abc"), Ok(3));
    d.host("AT+QISEND=0,3\r").module(PROMPT).host("abc");
}

/// What is added while a block is on its way belongs to the next one.
#[test]
fn data_given_while_a_block_is_sent() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"one").unwrap();
    d.host("AT+QISEND=0,3\r");
    d.engine.send(socket, b"two").unwrap();
    d.module(PROMPT).host("one");
    d.engine.send(socket, b"three").unwrap();
    d.silent().module(SEND_OK);
    assert_eq!(d.engine.flushed(socket), Err(WouldBlock));
    d.host("AT+QISEND=0,8\r").module(PROMPT).host("twothree");
}

/// Row G: nothing was queued, the same bytes again, ever later.
#[test]
fn send_fail_is_tried_again_with_the_same_bytes() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r");
    for pause in [100, 200, 400, 800, 1_600, 2_000, 2_000] {
        d.module(PROMPT).host("data").line(FAIL);
        assert_eq!(d.engine.flushed(socket), Err(WouldBlock));
        d.wakes(pause..=pause, "AT+QISEND=0,4\r");
    }
    d.module(PROMPT).host("data").module(SEND_OK);
    d.flush(socket, 0, 4);
    // The next failure starts over.
    d.engine.send(socket, b"more").unwrap();
    d.host("AT+QISEND=0,4\r")
        .module(PROMPT)
        .host("more")
        .line(FAIL);
    d.wakes(100..=100, "AT+QISEND=0,4\r");
}

/// The peer may wait for us to read before it takes more.
#[test]
fn a_full_send_buffer_does_not_stop_reading() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").module(PROMPT).host("data");
    d.line(FAIL).line("+QIURC: \"recv\",0");
    for _ in 0..3 {
        d.host("AT+QIRD=0,1500\r").module(qird(b"hello"));
        assert_eq!(d.received(socket), b"hello");
    }
    d.host("AT+QIRD=0,1500\r").module(NO_DATA);
    d.wakes(1..=100, "AT+QISEND=0,4\r");
}

/// Row H
#[test]
fn error_instead_of_the_prompt_sends_no_payload() {
    for answer in [
        "ERROR",
        "+CME ERROR: 567",
        "+CME ERROR: operation not allowed",
    ] {
        up!(d, 1);
        let socket = d.socket(0);
        d.engine.send(socket, b"data").unwrap();
        d.host("AT+QISEND=0,4\r").line(answer);
        d.module(PROMPT).silent();
        d.wakes(1..=500, "AT+QISTATE=1,0\r").module(
            b"\r\n+QISTATE: 0,\"TCP\",\"192.0.2.20\",80,22742,2,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
        );
        d.host("AT+QISEND=0,4\r")
            .module(PROMPT)
            .host("data")
            .module(SEND_OK);
        d.flush(socket, 0, 4);
    }
}

/// Not even when other sockets keep the shared turn busy.
#[test]
fn a_refused_send_is_not_repeated_before_the_state_is_known() {
    up!(d, 3);
    let socket = d.socket(0);
    let others = [
        d.engine.tcp_socket().unwrap(),
        d.engine.tcp_socket().unwrap(),
    ];
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").error();
    for other in others {
        let remote = "192.0.2.20:80".parse().unwrap();
        d.engine.connect(other, remote).unwrap();
    }
    d.now += 2_000;
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(String::from_utf8(d.transmitted()).unwrap());
        d.ok();
    }
    assert!(sent.contains(&"AT+QISTATE=1,0\r".into()), "{sent:?}");
    assert!(!sent.iter().any(|s| s.contains("QISEND")), "{sent:?}");
}

#[test]
fn a_refused_send_on_a_connection_that_is_gone() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").error();
    d.wakes(1..=500, "AT+QISTATE=1,0\r").ok();
    assert_eq!(d.state(socket), 0);
    let reset = SendError::Failed(Failure::Reset);
    assert_eq!(d.engine.flushed(socket), Err(Other(reset)));
    assert_eq!(d.engine.send(socket, b"a"), Err(Other(reset)));
    // All of them may be gone: did the module restart?
    d.suspicion().audit(&[]).quiet(200_000);
}

#[test]
fn sends_that_are_refused_for_ever_end() {
    for row in [
        "+QISTATE: 0,\"TCP\",\"192.0.2.20\",80,22742,2,1,0,0,\"uart1\"\r\n\r\nOK",
        "ERROR",
    ] {
        up!(d, 1);
        let socket = d.socket(0);
        d.engine.send(socket, b"data").unwrap();
        d.host("AT+QISEND=0,4\r").error();
        let mut rounds = 0;
        loop {
            d.wakes(1..=5_000, "AT+QISTATE=1,0\r").line(row);
            rounds += 1;
            if d.state(socket) != 4 {
                break;
            }
            d.host("AT+QISEND=0,4\r").error();
        }
        assert!((3..=10).contains(&rounds), "{rounds}");
        assert!(matches!(d.engine.flushed(socket), Err(Other(_))));
        d.host("AT+QICLOSE=0,0\r").ok().quiet(200_000);
    }
}

/// A block in doubt: the module's counter tells (`AT+QISEND=id,0`, T34).
fn in_doubt(counters: &str) -> (Vec<u8>, nb::Result<(), SendError>, i8) {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"12345").unwrap();
    d.host("AT+QISEND=0,5\r")
        .module(PROMPT)
        .host("12345")
        .module(SEND_OK);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r")
        .module(PROMPT)
        .host("data")
        .error();
    assert_eq!(d.engine.flushed(socket), Err(WouldBlock));
    d.host("AT+QISEND=0,0\r")
        .module(format!("\r\n{counters}\r\n\r\nOK\r\n"));
    let next = d.transmitted();
    (next, d.engine.flushed(socket), d.state(socket))
}

#[test]
fn error_after_the_payload_that_was_taken() {
    assert_eq!(in_doubt("+QISEND: 9,5,4"), (vec![], Ok(()), 4));
}

/// Counters that were asked for before a byte was written say nothing of it,
/// though the block it went in was in doubt.
#[test]
fn a_block_in_doubt_is_not_acknowledged_by_older_counters() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"a").unwrap();
    d.host("AT+QISEND=0,1\r")
        .module(PROMPT)
        .host("a")
        .module(SEND_OK);
    assert_eq!(d.engine.acked(socket), Err(WouldBlock));
    d.host("AT+QISEND=0,0\r");
    d.engine.send(socket, b"b").unwrap();
    d.module(b"\r\n+QISEND: 1,1,0\r\n\r\nOK\r\n");
    d.host("AT+QISEND=0,1\r").module(PROMPT).host("b").error();
    d.host("AT+QISEND=0,0\r")
        .module(b"\r\n+QISEND: 2,1,1\r\n\r\nOK\r\n");
    assert_eq!(d.engine.acked(socket), Err(WouldBlock));
    d.host("AT+QISEND=0,0\r")
        .module(b"\r\n+QISEND: 2,2,0\r\n\r\nOK\r\n");
    assert_eq!(d.engine.acked(socket), Ok(()));
}

#[test]
fn error_after_the_payload_that_was_not_taken() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r")
        .module(PROMPT)
        .host("data")
        .error();
    d.host("AT+QISEND=0,0\r")
        .module(b"\r\n+QISEND: 0,0,0\r\n\r\nOK\r\n");
    d.wakes(1..=500, "AT+QISTATE=1,0\r")
        .module(b"\r\n+QISTATE: 0,\"TCP\",\"192.0.2.20\",80,22742,2,1,0,0,\"uart1\"\r\n\r\nOK\r\n");
    d.host("AT+QISEND=0,4\r")
        .module(PROMPT)
        .host("data")
        .module(SEND_OK);
    d.flush(socket, 0, 4);
}

#[test]
fn error_after_a_payload_of_which_a_part_was_taken() {
    for counters in ["+QISEND: 7,5,2", "+QISEND: 10,5,5", "+QISEND: 0,0,0"] {
        let (next, flushed, state) = in_doubt(counters);
        assert_eq!(next, b"AT+QICLOSE=0,0\r", "{counters}");
        let damaged = SendError::Failed(Failure::LineDamaged);
        assert_eq!(flushed, Err(Other(damaged)));
        assert_eq!(state, 0);
    }
}

#[test]
fn a_block_in_doubt_of_which_the_module_tells_nothing() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r")
        .module(PROMPT)
        .host("data")
        .error();
    let start = d.now;
    let mut asked = 0;
    while d.state(socket) == 4 {
        let sent = String::from_utf8(d.transmitted()).unwrap();
        match sent.as_str() {
            "" => d.now = d.engine.wake_at(d.now).unwrap(),
            "AT+QISEND=0,0\r" => {
                asked += 1;
                d.error();
            }
            "AT+QISTATE=1,0\r" => {
                d.module(b"\r\n+QISTATE: 0,\"TCP\",\"192.0.2.20\",80,22742,2,1,0,0,\"uart1\"\r\n\r\nOK\r\n");
            }
            other => panic!("{other}"),
        }
        assert!(d.now - start < 60_000);
    }
    assert!((3..=10).contains(&asked), "{asked}");
    assert!(matches!(d.engine.flushed(socket), Err(Other(_))));
}

/// `closed` in every gap of a send: the block is finished with the real
/// bytes, what was not sent is lost and said to be.
#[test]
fn closed_in_every_gap() {
    let closed = "+QIURC: \"closed\",0";
    for gap in 0..5 {
        up!(d, 1);
        let socket = d.socket(0);
        d.engine.send(socket, &pattern(1460)).unwrap();
        if gap == 0 {
            d.line(closed);
        } else {
            d.host("AT+QISEND=0,1460\r");
            if gap == 1 {
                d.line(closed).error();
            } else {
                d.module(PROMPT);
                if gap == 2 {
                    d.line(closed);
                }
                d.host(pattern(1460));
                if gap == 3 {
                    d.line(closed).error();
                } else {
                    d.module(SEND_OK);
                }
                if gap == 4 {
                    d.line(closed);
                }
            }
        }
        assert_eq!(d.state(socket), 7, "{gap}");
        let flushed = d.engine.flushed(socket);
        if gap == 2 || gap == 4 {
            assert_eq!(flushed, Ok(()), "{gap}");
        } else {
            let lost = SendError::Failed(Failure::Reset);
            assert_eq!(flushed, Err(Other(lost)), "{gap}");
        }
        assert!(matches!(d.engine.send(socket, b"a"), Err(Other(_))));
        // Nothing more is sent; the data is still fetched. In gap 1 the
        // module has been told off, so its state is asked first.
        if gap == 1 {
            d.wakes(1..=500, "AT+QISTATE=1,0\r").module(
                b"\r\n+QISTATE: 0,\"TCP\",\"192.0.2.20\",80,0,4,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
            );
        }
        d.host("AT+QIRD=0,1500\r").module(qird(b"bye"));
        d.host("AT+QIRD=0,1500\r").module(NO_DATA);
        d.host("AT+QISTATE=1,0\r").module(state_row(0, 4));
        assert_eq!(d.received(socket), b"bye", "{gap}");
        assert_eq!(d.engine.recv(socket, &mut [0; 4]), Ok(0), "{gap}");
        d.quiet(200_000);
    }
}

/// The peer closed while a block was in doubt: what came before is still
/// delivered, and the end of it is the end, not an error.
#[test]
fn closed_while_a_block_is_in_doubt() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").module(PROMPT).host("data");
    d.module(b"\r\nERROR\r\n\r\n+QIURC: \"closed\",0\r\n");
    d.host("AT+QIRD=0,1500\r").module(qird(b"bye"));
    d.host("AT+QIRD=0,1500\r").module(NO_DATA);
    d.host("AT+QISTATE=1,0\r")
        .module(state_row(0, 4))
        .quiet(200_000);
    assert_eq!(d.received(socket), b"bye");
    assert_eq!(d.engine.recv(socket, &mut [0; 4]), Ok(0));
    let lost = SendError::Failed(Failure::Reset);
    assert_eq!(d.engine.flushed(socket), Err(Other(lost)));
}

#[test]
fn send_after_the_peer_or_the_user_closed() {
    up!(d, 2);
    let (peer, user) = (d.socket(0), d.socket(1));
    d.line("+QIURC: \"closed\",0");
    let refused = d.engine.send(peer, b"a");
    assert_eq!(refused, Err(Other(SendError::Closed)));
    assert_eq!(SendError::Closed.errno(), 32);
    d.engine.shutdown(d.now, user).unwrap();
    let refused = d.engine.send(user, b"a");
    assert_eq!(refused, Err(Other(SendError::Closed)));
}

/// Two sockets: one block each, in turn.
#[test]
fn sends_of_two_sockets_take_turns() {
    up!(d, 2);
    let (a, b) = (d.socket(0), d.socket(1));
    let data = pattern(1460);
    let mut ids = Vec::new();
    for _ in 0..6 {
        let _ = d.engine.send(a, &data);
        let _ = d.engine.send(b, &data);
        let command = String::from_utf8(d.transmitted()).unwrap();
        ids.push(command.as_bytes()[10] - b'0');
        d.module(PROMPT).host(&data).module(SEND_OK);
    }
    assert!(ids.windows(2).all(|w| w[0] != w[1]), "{ids:?}");
}

/// The command is echoed even now, the payload is not.
#[test]
fn a_send_with_echo_on() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"AT+QISEND=0,4\r").unwrap();
    d.host("AT+QISEND=0,14\r").module(b"AT+QISEND=0,14\r\r\n> ");
    d.host("AT+QISEND=0,4\r").module(SEND_OK);
    d.flush(socket, 0, 14);
    assert_eq!(d.engine.counters().unknown_lines, 0);
}

/// The prompt with and without its blank, in pieces (1.4).
#[test]
fn prompts_in_every_form() {
    for prompt in ["\r\n> ", "\r\n>", ">", "\r\n>\r\n", "> "] {
        up!(d, 1);
        let socket = d.socket(0);
        d.engine.send(socket, b"data").unwrap();
        d.host("AT+QISEND=0,4\r");
        for byte in prompt.bytes() {
            d.module([byte]);
        }
        if prompt.ends_with('>') {
            // The blank may be on its way, and some modules drop what comes
            // before it is.
            d.wakes(6..=6, "data");
        } else {
            d.host("data");
        }
        d.module(SEND_OK).flush(socket, 0, 4);
    }
}

/// The blank is waited for, however slow the line.
#[test]
fn a_prompt_whose_blank_comes_late() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").module(b"\r\n>").quiet(5);
    d.module(b" ").host("data").module(SEND_OK);
    // After those 6 ms it is a blank like any other.
    d.engine.send(socket, b"more").unwrap();
    d.host("AT+QISEND=0,4\r").module(b"\r\n>");
    d.wakes(6..=6, "more").module(b" ").module(SEND_OK);
    d.flush(socket, 0, 8);
    assert_eq!(d.engine.counters().unknown_lines, 0);
}

/// A `>` counts at line start only.
#[test]
fn what_only_looks_like_a_prompt() {
    up!(d, 1);
    let socket = d.socket(0);
    d.module(b"\r\n> ").silent();
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r")
        .line("+QIND: \"a>b\"")
        .line("x > y")
        .silent();
    d.module(PROMPT).host("data").module(PROMPT).silent();
    d.module(SEND_OK).flush(socket, 0, 4);
}

/// `OK` is not `SEND OK`, and neither counts before the prompt.
#[test]
fn codes_that_end_no_send() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r")
        .ok()
        .module(SEND_OK)
        .line(FAIL)
        .silent();
    d.module(PROMPT).host("data").ok().silent();
    assert_eq!(d.engine.flushed(socket), Err(WouldBlock));
    d.module(SEND_OK);
    d.host("AT+QISEND=0,0\r")
        .module(b"\r\n+QISEND: 4,4,0\r\n\r\nOK\r\n");
    assert_eq!(d.engine.flushed(socket), Ok(()));
    // Stray ones change nothing.
    d.module(SEND_OK).line(FAIL).silent();
    assert_eq!(d.engine.flushed(socket), Ok(()));
}

/// The line doubled a byte: the module had its count before we were done.
#[test]
fn send_ok_before_the_last_byte() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").module(PROMPT);
    assert_eq!(d.engine.tx(), b"data");
    d.engine.tx_done(d.now, 3);
    d.module(SEND_OK);
    let damaged = SendError::Failed(Failure::LineDamaged);
    assert_eq!(d.engine.flushed(socket), Err(Other(damaged)));
    // A part of it may stand in the module's command line.
    d.resync(300..=300).rows(&[connected(0, 0, 4)]).active();
    d.host("AT+QICLOSE=0,0\r").ok().quiet(200_000);
}

/// Row C: SEND OK may take 120 s; nothing is sent twice. One so late can come
/// from the module's own time-out: its counter tells.
#[test]
fn send_ok_after_two_minutes() {
    for after in [4_000, 5_000, 119_000] {
        for taken in [0, 3, 4] {
            up!(d, 1);
            let socket = d.socket(0);
            d.engine.send(socket, b"data").unwrap();
            d.host("AT+QISEND=0,4\r").module(PROMPT).host("data");
            d.quiet(after).module(SEND_OK).host("AT+QISEND=0,0\r");
            assert_eq!(d.engine.flushed(socket), Err(WouldBlock));
            d.module(format!("\r\n+QISEND: {taken},{taken},0\r\n\r\nOK\r\n"));
            let damaged = SendError::Failed(Failure::LineDamaged);
            match taken {
                0 => {
                    d.wakes(1..=500, "AT+QISTATE=1,0\r").module(state_row(0, 2));
                    d.host("AT+QISEND=0,4\r").module(PROMPT).host("data");
                    d.module(SEND_OK).host("AT+QISEND=0,0\r");
                }
                3 => assert_eq!(d.engine.flushed(socket), Err(Other(damaged))),
                _ => assert_eq!(d.engine.flushed(socket), Ok(())),
            }
        }
    }
    // In time it is believed.
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").module(PROMPT).host("data");
    d.quiet(3_999).module(SEND_OK).silent();
}

#[test]
fn a_prompt_or_a_result_that_never_comes_ends_with_the_module() {
    for prompt in [false, true] {
        up!(d, 2);
        let (socket, other) = (d.socket(0), d.socket(1));
        d.events();
        d.engine.send(socket, b"data").unwrap();
        d.host("AT+QISEND=0,4\r");
        if prompt {
            d.module(PROMPT).host("data");
        }
        let (start, mut sent) = (d.now, Vec::new());
        while d.engine.flushed(socket) == Err(WouldBlock) {
            sent.push(d.sleep());
        }
        let limit = if prompt { 146_000 } else { 35_000 };
        assert!(d.now - start <= limit, "{}", d.now - start);
        // Filler for the payload, then three tries.
        assert_eq!(sent[0], "\\r".repeat(4));
        let canary = GET_CANARY.escape_debug().to_string();
        let tries = ["\\r", &canary].repeat(3);
        assert_eq!(sent[1..7], tries);
        assert_eq!(d.events(), [Event::LineLost, Event::Escalated]);
        for socket in [socket, other] {
            assert_eq!(d.state(socket), 0);
            let lost = SendError::Failed(Failure::ModuleLost);
            assert_eq!(d.engine.flushed(socket), Err(Other(lost)));
            assert_eq!(lost.errno(), 19);
        }
        assert_eq!(d.engine.fault(), None);
        d.module(PROMPT).silent();
    }
}

/// The context goes in the middle of a payload, which is finished with the
/// real bytes: fewer would leave the module waiting.
#[test]
fn a_context_lost_in_the_middle_of_a_payload() {
    for answer in ["SEND OK", "SEND FAIL", "ERROR"] {
        up!(d, 1);
        let socket = d.socket(0);
        d.engine.send(socket, b"0123456789").unwrap();
        d.host("AT+QISEND=0,10\r").module(PROMPT);
        d.engine.tx_done(d.now, 4);
        d.line("+QIURC: \"pdpdeact\",1");
        d.engine.release(d.now, socket);
        let next = d.engine.tcp_socket();
        assert!(next.is_err(), "the slot's ring is in use");
        d.host("456789").line(answer);
        assert!(d.engine.tcp_socket().is_ok());
        d.host("AT+QIDEACT=1\r");
    }
}
