//! Receiving, against hand-written bytes.

mod support;

use nb::Error::{Other, WouldBlock};
use quectel_sockets::{Config, Event, Failure, RecvError, Slot};
use support::dialogue::{Dialogue, NO_DATA, PROMPT, SEND_OK, config, connected, pattern, qird};

const RECV: &str = "+QIURC: \"recv\",0";
const CLOSED: &str = "+QIURC: \"closed\",0";

fn row(state: u8) -> String {
    format!("\r\n+QISTATE: 0,\"TCP\",\"192.0.2.20\",80,22742,{state},1,0,0,\"uart1\"\r\n\r\nOK\r\n")
}

/// T34: read until `+QIRD: 0`, then nothing before the next URC.
#[test]
fn data_is_read_until_there_is_none() {
    up!(d, 1);
    let socket = d.socket(0);
    assert_eq!(d.engine.recv(socket, &mut [0; 4]), Err(WouldBlock));
    d.quiet(60_000);
    // With and without the length (4.7).
    for urc in [RECV, "+QIURC: \"recv\",0,25"] {
        d.line(urc);
        for data in [&b"one"[..], b"\r\nOK\r\n", b"+QIURC: \"closed\",0\r\n"] {
            d.host("AT+QIRD=0,1500\r").module(qird(data));
            assert_eq!(d.received(socket), data);
        }
        d.host("AT+QIRD=0,1500\r").module(NO_DATA).quiet(60_000);
    }
    assert_eq!(d.state(socket), 4);
}

/// Row A: every byte value, and what only looks like the module's words.
#[test]
fn payload_is_counted_and_never_searched() {
    let mut data: Vec<u8> = (0..=255).collect();
    data.extend(
        b"\r\nOK\r\n\r\nERROR\r\n\r\n+QIURC: \"closed\",0\r\nSEND OK\r\n> \r\n+QIRD: 1500\r\n\
        +CME ERROR: 3\r\nRDY\r\n+QIURC: \"pdpdeact\",1\r\n+++AT+CFUN=0\r",
    );
    let answer = qird(&data);
    for size in [1, 2, 3, 5, 8, 13, 64, 1_000] {
        up!(d, 1);
        let socket = d.socket(0);
        d.line(RECV).host("AT+QIRD=0,1500\r");
        for chunk in answer.chunks(size) {
            d.module(chunk);
        }
        assert_eq!(d.received(socket), data, "chunks of {size}");
        assert_eq!(d.state(socket), 4);
        assert_eq!(d.engine.counters().unknown_lines, 0);
    }
}

#[test]
fn nothing_is_delivered_before_the_trailer() {
    up!(d, 1);
    let socket = d.socket(0);
    d.line(RECV).host("AT+QIRD=0,1500\r");
    let answer = qird(b"hello");
    let (before, ok) = answer.split_at(answer.len() - 4);
    for byte in before {
        d.module([*byte]).silent();
        assert_eq!(d.engine.readable(socket), 0);
        assert_eq!(d.engine.recv(socket, &mut [0; 9]), Err(WouldBlock));
    }
    d.module(ok);
    assert_eq!(d.engine.readable(socket), 5);
    assert_eq!(d.received(socket), b"hello");
}

/// A URC may stand between payload and OK, and in front of the header.
#[test]
fn urcs_around_the_payload() {
    up!(d, 1);
    let socket = d.socket(0);
    d.line(RECV).host("AT+QIRD=0,1500\r");
    d.line("+CEREG: 5")
        .line(RECV)
        .line("+QIURC: \"recv\",3")
        .silent();
    d.module(b"\r\n+QIRD: 5\r\nhello\r\n\r\n+QIND: SMS DONE\r\n\r\nOK\r\n");
    assert_eq!(d.received(socket), b"hello");
    d.host("AT+QIRD=0,1500\r").module(NO_DATA).silent();
}

/// What is asked for always fits; a read for a few bytes is not worth it.
#[test]
fn the_read_is_as_long_as_the_ring_has_room() {
    let (mut rx, mut tx) = ([0; 2_000], [0; 10]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let mut d = Dialogue::up(&mut slots, config());
    let socket = d.socket(0);
    let data = pattern(3_000);
    d.line(RECV)
        .host("AT+QIRD=0,1500\r")
        .module(qird(&data[..1000]));
    d.host("AT+QIRD=0,1000\r").module(qird(&data[1000..1900]));
    // Row N: no room, nothing is asked.
    d.quiet(60_000);
    let mut buffer = [0; 1_000];
    assert_eq!(d.engine.recv(socket, &mut buffer[..600]), Ok(600));
    assert_eq!(buffer[..600], data[..600]);
    d.quiet(60_000);
    assert_eq!(d.engine.recv(socket, &mut buffer[..300]), Ok(300));
    assert_eq!(buffer[..300], data[600..900]);
    d.host("AT+QIRD=0,1000\r").module(qird(&data[1900..2900]));
    let rest = d.received(socket);
    assert_eq!(rest, data[900..2900]);
    d.host("AT+QIRD=0,1500\r");
}

/// Row N
#[test]
fn a_full_ring_stops_reading_and_nothing_else() {
    let ((mut rx, mut tx), (mut rx2, mut tx2)) = (([0; 8], [0; 8]), ([0; 8], [0; 8]));
    let mut slots = [Slot::new(&mut rx, &mut tx), Slot::new(&mut rx2, &mut tx2)];
    let mut d = Dialogue::up(&mut slots, config());
    let (full, other) = (d.socket(0), d.socket(1));
    d.line(RECV).host("AT+QIRD=0,8\r").module(qird(b"01234567"));
    d.line(RECV).quiet(60_000);
    d.engine.send(full, b"data").unwrap();
    d.host("AT+QISEND=0,4\r")
        .module(PROMPT)
        .host("data")
        .module(SEND_OK);
    d.line("+QIURC: \"recv\",1")
        .host("AT+QIRD=1,8\r")
        .module(qird(b"abc"));
    d.host("AT+QIRD=1,5\r").module(NO_DATA).silent();
    assert_eq!(d.received(other), b"abc");
    assert_eq!(d.received(full), b"01234567");
    d.host("AT+QIRD=0,8\r").module(qird(b"89"));
    assert_eq!(d.received(full), b"89");
}

/// Row F: 5000 bytes wait in the module when the peer closes.
#[test]
fn closed_before_the_data_is_read() {
    up!(d, 1);
    let socket = d.socket(0);
    let data = pattern(5_000);
    d.line(RECV).line(CLOSED);
    assert_eq!(d.state(socket), 7);
    let (mut all, mut at) = (Vec::new(), 0);
    while at < data.len() {
        let command = String::from_utf8(d.transmitted()).unwrap();
        let most = command.strip_prefix("AT+QIRD=0,").expect(&command);
        let n = most.trim().parse::<usize>().unwrap().min(data.len() - at);
        d.module(qird(&data[at..at + n]));
        at += n;
        all.extend(d.received(socket));
    }
    assert_eq!(d.engine.recv(socket, &mut [0; 4]), Err(WouldBlock));
    d.host("AT+QIRD=0,1500\r").module(NO_DATA);
    // Whether the end is real.
    assert_eq!(d.engine.recv(socket, &mut [0; 4]), Err(WouldBlock));
    d.host("AT+QISTATE=1,0\r").module(row(4));
    assert_eq!(all, data);
    for _ in 0..3 {
        assert_eq!(d.engine.recv(socket, &mut [0; 4]), Ok(0));
    }
    // Closing is the application's.
    d.quiet(1_000_000);
    assert_eq!(d.state(socket), 7);
    d.engine.release(d.now, socket);
    d.host("AT+QICLOSE=0,10\r");
}

/// `closed` between a read that finds nothing and its answer: data may have
/// come in between.
#[test]
fn closed_during_a_read() {
    for found in [false, true] {
        up!(d, 1);
        let socket = d.socket(0);
        d.line(RECV).host("AT+QIRD=0,1500\r").line(CLOSED);
        d.module(if found { qird(b"a") } else { NO_DATA.to_vec() });
        d.host("AT+QIRD=0,1500\r").module(qird(b"tail"));
        d.host("AT+QIRD=0,1500\r").module(NO_DATA);
        d.host("AT+QISTATE=1,0\r").module(row(4)).quiet(60_000);
        let expected: &[u8] = if found { b"atail" } else { b"tail" };
        assert_eq!(d.received(socket), expected);
        assert_eq!(d.engine.recv(socket, &mut [0; 4]), Ok(0));
    }
}

/// Row U: only `+QIRD: 0` with no URC since says that there is nothing.
#[test]
fn a_recv_urc_between_a_read_and_its_answer() {
    up!(d, 1);
    let socket = d.socket(0);
    d.line(RECV)
        .host("AT+QIRD=0,1500\r")
        .line(RECV)
        .module(NO_DATA);
    d.host("AT+QIRD=0,1500\r").module(qird(b"late"));
    assert_eq!(d.received(socket), b"late");
    // The same within the answer.
    d.host("AT+QIRD=0,1500\r");
    d.module(b"\r\n+QIRD: 0\r\n\r\n+QIURC: \"recv\",0\r\n\r\nOK\r\n");
    d.host("AT+QIRD=0,1500\r").module(NO_DATA).quiet(60_000);
}

/// Row U: a lost `recv` URC is found by looking, ever more rarely.
#[test]
fn a_lost_recv_urc_is_found_by_looking() {
    let looks = Config {
        look_ms: 2_000,
        look_max_ms: 5_000,
        ..config()
    };
    up!(d, 1, looks);
    let socket = d.socket(0);
    let look = |d: &mut Dialogue<'_>, pause: u64, data: &[u8], state: u8| {
        let start = d.now;
        let mut asked = [d.sleep(), String::new()];
        assert_eq!(d.now - start, pause);
        for i in 0..2 {
            let read = asked[i].starts_with("AT+QIRD");
            d.module(if read {
                data.into()
            } else {
                row(state).into_bytes()
            });
            if i == 0 {
                asked[1] = d.transmitted().escape_ascii().to_string();
            }
        }
        asked.sort();
        assert_eq!(asked, ["AT+QIRD=0,1500\\r", "AT+QISTATE=1,0\\r"]);
    };
    for pause in [2_000, 4_000, 5_000, 5_000] {
        look(&mut d, pause, NO_DATA, 2);
        d.silent();
    }
    look(&mut d, 5_000, &qird(b"data"), 2);
    assert_eq!(d.received(socket), b"data");
    d.host("AT+QIRD=0,1500\r").module(NO_DATA);
    // Something came: the looks start over. This time `closed` was lost.
    look(&mut d, 2_000, NO_DATA, 4);
    assert_eq!(d.state(socket), 7);
    d.host("AT+QISTATE=1,0\r").module(row(4)).quiet(1_000_000);
    assert_eq!(d.engine.recv(socket, &mut [0; 4]), Ok(0));
}

#[test]
fn a_look_finds_that_the_connection_is_gone() {
    up!(
        d,
        1,
        Config {
            look_ms: 2_000,
            ..config()
        }
    );
    let socket = d.socket(0);
    d.wakes(2_000..=2_000, "AT+QIRD=0,1500\r").module(NO_DATA);
    d.host("AT+QISTATE=1,0\r").ok();
    assert_eq!(d.state(socket), 0);
    let reset = RecvError::Failed(Failure::Reset);
    assert_eq!(d.engine.recv(socket, &mut [0; 4]), Err(Other(reset)));
    assert_eq!(reset.errno(), 104);
    assert_eq!(d.engine.recv(socket, &mut [0; 4]), Ok(0));
    // All of them may be gone: did the module restart?
    d.suspicion().audit(&[]).quiet(1_000_000);
}

/// The module may refuse to tell; the look goes by and nothing hangs on it.
#[test]
fn a_look_that_is_refused() {
    up!(
        d,
        1,
        Config {
            look_ms: 2_000,
            ..config()
        }
    );
    let socket = d.socket(0);
    for _ in 0..8 {
        d.wakes(1..=60_000, "AT+QIRD=0,1500\r").module(NO_DATA);
        d.host("AT+QISTATE=1,0\r").error().silent();
    }
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r")
        .module(PROMPT)
        .host("data")
        .module(SEND_OK);
    d.engine.abort(d.now, socket);
    d.host("AT+QICLOSE=0,0\r");
}

/// T03: after `closed` the buffered data is gone with the id.
#[test]
fn a_refused_read_after_closed() {
    up!(d, 1);
    let socket = d.socket(0);
    d.line(RECV).host("AT+QIRD=0,1500\r").module(qird(b"data"));
    d.host("AT+QIRD=0,1500\r").line(CLOSED).error();
    assert_eq!(d.state(socket), 0);
    let mut buffer = [0; 9];
    assert_eq!(d.engine.recv(socket, &mut buffer), Ok(4));
    let reset = RecvError::Failed(Failure::Reset);
    assert_eq!(d.engine.recv(socket, &mut buffer), Err(Other(reset)));
    assert_eq!(d.engine.recv(socket, &mut buffer), Ok(0));
    d.host("AT+QICLOSE=0,0\r").ok().quiet(1_000_000);
}

#[test]
fn a_refused_read_before_closed() {
    up!(d, 1);
    let socket = d.socket(0);
    d.line(RECV).host("AT+QIRD=0,1500\r").error();
    assert_eq!(d.state(socket), 4);
    d.wakes(1..=500, "AT+QISTATE=1,0\r").module(row(2));
    d.host("AT+QIRD=0,1500\r").module(qird(b"data"));
    assert_eq!(d.received(socket), b"data");
    // Now the id is gone.
    d.host("AT+QIRD=0,1500\r").error();
    d.wakes(1..=500, "AT+QISTATE=1,0\r").ok();
    assert_eq!(d.state(socket), 0);
    let reset = RecvError::Failed(Failure::Reset);
    assert_eq!(d.engine.recv(socket, &mut [0; 9]), Err(Other(reset)));
    d.suspicion().audit(&[]).quiet(1_000_000);
}

/// Row E: the count does not fit. Nothing of that block is delivered.
#[test]
fn damaged_reads() {
    for (answer, why) in [
        ("\r\n+QIRD: 1501\r\n", "longer than asked for"),
        ("\r\n+QIRD: 4\r\nhello\r\n\r\nOK\r\n", "a byte doubled"),
        ("\r\n+QIRD: 6\r\nhello\r\n\r\nOK\r\n", "a byte lost"),
        ("\r\n+QIRD: 7\r\nhello\r\n\r\nOK\r\n", "two bytes lost"),
        ("\r\n+QIRD: 5\r\nhello\r\nOK\r\n", "the other trailer"),
        ("\r\n+QIRD: 5\r\nhello\r\n\r\nERROR\r\n", "no OK"),
        ("\r\n+QIRD: 5\r\nhello\r\n\r\nnonsense\r\n", "no URC"),
    ] {
        up!(d, 2);
        let (socket, other) = (d.socket(0), d.socket(1));
        d.line(RECV).host("AT+QIRD=0,1500\r").module(qird(b"good"));
        d.host("AT+QIRD=0,1500\r").module(answer);
        assert_eq!(d.engine.fault(), None, "{why}");
        let mut buffer = [0; 9];
        assert_eq!(d.engine.recv(socket, &mut buffer), Ok(4), "{why}");
        assert_eq!(&buffer[..4], b"good");
        let damaged = RecvError::Failed(Failure::LineDamaged);
        assert_eq!(damaged.errno(), 5);
        assert_eq!(
            d.engine.recv(socket, &mut buffer),
            Err(Other(damaged)),
            "{why}"
        );
        assert_eq!((d.state(socket), d.state(other)), (0, 4));
        // What follows may be payload.
        d.line("RDY").line("+QIURC: \"closed\",1");
        assert_eq!((d.state(socket), d.state(other)), (0, 4));
        d.resync(300..=300)
            .rows(&[connected(0, 0, 0), connected(1, 0, 0)]);
        d.counters(connected(1, 0, 0)).active();
        // The one is closed, the other goes on.
        d.host("AT+QIRD=1,1500\r").module(qird(b"alive"));
        d.host("AT+QICLOSE=0,0\r").ok();
        d.host("AT+QIRD=1,1500\r").module(NO_DATA);
        assert_eq!(d.received(other), b"alive", "{why}");
        assert_eq!(d.engine.recv(other, &mut buffer), Err(WouldBlock));
        let events = [Event::Up, Event::LineLost, Event::LineRestored];
        assert_eq!(d.events(), events);
        d.quiet(1_000_000);
    }
}

/// Row D: the clock restarts at each byte.
#[test]
fn a_module_that_stalls_in_the_middle_of_a_payload() {
    up!(d, 1);
    let socket = d.socket(0);
    d.line(RECV)
        .host("AT+QIRD=0,1500\r")
        .module(b"\r\n+QIRD: 5\r\n");
    for byte in *b"hello" {
        d.quiet(15_000).module([byte]);
    }
    d.quiet(15_000).module(b"\r\n\r\nOK\r\n");
    assert_eq!(d.received(socket), b"hello");

    d.host("AT+QIRD=0,1500\r").module(b"\r\n+QIRD: 5\r\nhel");
    d.quiet(19_000);
    assert_eq!(d.state(socket), 4);
    d.resync(1_000..=2_000);
    let damaged = RecvError::Failed(Failure::LineDamaged);
    assert_eq!(d.engine.recv(socket, &mut [0; 9]), Err(Other(damaged)));
    d.audit(&[]).quiet(200_000);
}

/// The OK of an empty read is lost; URCs that go on do not hide it.
#[test]
fn a_lost_ok_is_noticed_while_urcs_come() {
    // Rarely, and without a pause that ends them.
    for pause in [5_000, 200] {
        up!(d, 1);
        let socket = d.socket(0);
        d.line(RECV)
            .host("AT+QIRD=0,1500\r")
            .module(b"\r\n+QIRD: 0\r\n");
        let (start, mut sent) = (d.now, Vec::new());
        while sent.is_empty() {
            d.line("+QIND: \"csq\",20,99");
            let end = d.now + pause;
            while sent.is_empty() && d.now < end {
                sent = d.transmitted();
                let at = d.engine.wake_at(d.now).unwrap_or(end);
                assert!(at > d.now);
                d.now = at.min(end);
            }
            assert!(d.now - start <= 15_000, "{pause}");
        }
        assert_eq!(sent, b"\r");
        // The rest of the answer might have been payload.
        assert_eq!(d.state(socket), 0);
    }
}

/// The owner is gone in the middle of a read: bytes are counted and dropped,
/// the slot waits for the end.
#[test]
fn payload_of_a_socket_that_failed_meanwhile_is_dropped() {
    up!(d, 1);
    let socket = d.socket(0);
    d.line(RECV).host("AT+QIRD=0,1500\r");
    d.module(b"\r\n+QIRD: 40\r\n0123")
        .line("+QIURC: \"pdpdeact\",1");
    // That was payload.
    assert_eq!(d.state(socket), 4);
    d.module(b"0123456789ab\r\n\r\n+QIURC: \"pdpdeact\",1\r\n");
    assert_eq!(d.state(socket), 0);
    d.engine.release(d.now, socket);
    assert!(d.engine.tcp_socket().is_err());
    d.silent().module(b"\r\nOK\r\n");
    assert_eq!(d.engine.fault(), None);
    let next = d.engine.tcp_socket().unwrap();
    assert_eq!(d.engine.readable(next), 0);
    d.host("AT+QIDEACT=1\r");
}

#[test]
fn a_released_socket_reads_no_more() {
    up!(d, 1);
    let socket = d.socket(0);
    d.line(RECV)
        .host("AT+QIRD=0,1500\r")
        .module(b"\r\n+QIRD: 5\r\nhe");
    d.engine.release(d.now, socket);
    assert_eq!(d.engine.readable(socket), 0);
    d.silent()
        .module(b"llo\r\n\r\nOK\r\n")
        .host("AT+QICLOSE=0,10\r")
        .ok();
    let next = d.engine.tcp_socket().unwrap();
    assert_eq!(d.engine.readable(next), 0);
    d.connect(next, 1);
    assert_eq!(d.received(next), b"");
}

/// What an earlier connection of the same socket left is gone.
#[test]
fn connecting_again_starts_with_empty_rings() {
    up!(d, 1);
    let socket = d.socket(0);
    d.line(RECV).host("AT+QIRD=0,1500\r").module(qird(b"old"));
    d.host("AT+QIRD=0,1500\r").line(CLOSED).error();
    d.host("AT+QICLOSE=0,0\r").ok();
    let remote = "192.0.2.20:80".parse().unwrap();
    d.engine.connect(socket, remote).unwrap();
    assert_eq!(d.engine.recv(socket, &mut [0; 9]), Err(WouldBlock));
    d.host("AT+QIOPEN=1,1,\"TCP\",\"192.0.2.20\",80,0,0\r").ok();
    d.line("+QIOPEN: 1,0");
    assert_eq!(d.engine.recv(socket, &mut [0; 9]), Err(WouldBlock));
    assert_eq!(d.engine.flushed(socket), Ok(()));
}

/// The smallest rings, and a wrap in every block.
#[test]
fn rings_of_a_few_bytes() {
    for capacity in 1..=9 {
        let (mut rx, mut tx) = (vec![0; capacity], [0; 1]);
        let mut slots = [Slot::new(&mut rx, &mut tx)];
        let mut d = Dialogue::up(&mut slots, config());
        let socket = d.socket(0);
        let data = pattern(100);
        let (mut at, mut all) = (0, Vec::<u8>::new());
        d.line(RECV);
        while all.len() < data.len() {
            let command = String::from_utf8(d.transmitted()).unwrap();
            let most = command.strip_prefix("AT+QIRD=0,").expect(&command);
            let n = most.trim().parse::<usize>().unwrap().min(data.len() - at);
            d.module(qird(&data[at..at + n]));
            at += n;
            let mut buffer = [0; 3];
            while let Ok(n @ 1..) = d.engine.recv(socket, &mut buffer) {
                all.extend(&buffer[..n]);
            }
        }
        assert_eq!(all, data, "{capacity}");
    }
}
