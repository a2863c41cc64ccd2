//! Bytes that get lost, doubled or changed on the line: around a payload none
//! goes unnoticed, elsewhere one costs no more than the line that it was in.

mod bench;

use bench::{
    Bench, COUNTED, OK, Seen, Wire,
    replay::{RECV, connected},
};
use quectel_at_commands::{
    Expect, ResultCode,
    Token::{self, Header, Info, Payload},
    Trailer,
    pdp::GetActiveContexts,
    tcp::ReadData,
};

const TRAILERS: [(Trailer, &[u8]); 2] = [
    (Trailer::BlankLine, b"\r\n\r\nOK\r\n"),
    (Trailer::NoBlankLine, b"\r\nOK\r\n"),
];

/// Payloads, some of which end like a trailer or a part of one.
const PAYLOADS: [&[u8]; 8] = [
    b"0123456789",
    b"\r\r\r\r\r\r\r\r",
    b"\r\n\r\n\r\n\r\n\r\n",
    b"hello\r",
    b"hello\r\n",
    b"hello\r\n\r\n",
    b"hello\r\nOK\r\n",
    b"hello\r\n\r\nOK\r\n",
];

/// What comes after the answer on a busy line.
const BEHIND: &[u8] = b"\r\n+QIURC: \"recv\",0\r\n";

fn read(trailer: Trailer, bytes: &[u8]) -> Vec<Seen> {
    let mut wire = Wire::new(trailer);
    wire.expect(b"AT+QIRD=0,1500\r", COUNTED, 1500);
    wire.hears(bytes, 5)
}

/// The payload that may be delivered: what was counted before an `OK`.
fn delivered(seen: &[Seen]) -> Option<Vec<u8>> {
    let ok = Seen::Final(ResultCode::Ok);
    let end = seen.iter().position(|token| *token == ok)?;
    let payload = seen[..end].iter().filter_map(|token| match token {
        Seen::Payload(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    Some(payload.collect::<Vec<_>>().concat())
}

/// All ways to choose `n` places below `len`, in order.
fn choices(len: usize, n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for mut choice in choices(len, n - 1) {
        for next in choice.last().map_or(0, |last| last + 1)..len {
            choice.push(next);
            all.push(choice.clone());
            choice.pop();
        }
    }
    all
}

/// `payload` with the bytes at `places` there `times` times.
fn with_bytes(payload: &[u8], places: &[usize], times: usize) -> Vec<u8> {
    let byte = |(at, byte): (usize, &u8)| {
        let times = if places.contains(&at) { times } else { 1 };
        vec![*byte; times]
    };
    payload.iter().enumerate().flat_map(byte).collect()
}

#[test]
fn payload_with_lost_or_doubled_bytes_is_never_delivered() {
    let mut cases = 0;
    for (trailer, tail) in TRAILERS {
        for payload in PAYLOADS {
            let head = format!("\r\n+QIRD: {}\r\n", payload.len());
            for n in 1..=4 {
                for places in choices(payload.len(), n) {
                    for times in [0, 2] {
                        let damaged = with_bytes(payload, &places, times);
                        let bytes = [head.as_bytes(), &damaged, tail, BEHIND].concat();
                        let seen = read(trailer, &bytes);
                        assert_eq!(
                            delivered(&seen),
                            None,
                            "{trailer:?} {} x{times} at {places:?}: {seen:?}",
                            payload.escape_ascii()
                        );
                        cases += 1;
                    }
                }
            }
        }
    }
    assert!(cases > 10_000, "{cases}");
}

#[test]
fn a_block_of_bytes_that_comes_twice_is_noticed() {
    for (trailer, tail) in TRAILERS {
        for payload in PAYLOADS {
            let head = format!("\r\n+QIRD: {}\r\n", payload.len());
            for n in 1..=4 {
                for at in 0..=payload.len() - n {
                    let (front, rest) = payload.split_at(at);
                    let bytes = [head.as_bytes(), front, &rest[..n], rest, tail, BEHIND].concat();
                    assert_eq!(delivered(&read(trailer, &bytes)), None, "{n} at {at}");
                }
            }
        }
    }
}

#[test]
fn a_trailer_is_matched_to_the_byte() {
    for (trailer, tail) in TRAILERS {
        // With a URC in front of the OK; the LF behind it is not waited for.
        let (front, ok) = tail.split_at(tail.len() - b"\r\nOK\r\n".len());
        let tail = [front, b"\r\n+QIND: SMS DONE\r\n", &ok[..5]].concat();
        let head = b"\r\n+QIRD: 5\r\nhello";
        assert!(delivered(&read(trailer, &[head, &tail[..]].concat())).is_some());
        for at in 0..tail.len() {
            if tail[at].is_ascii_graphic() || tail[at] == b' ' {
                continue;
            }
            let (front, rest) = (&tail[..at], &tail[at + 1..]);
            for other in [&b""[..], b"x", b" ", b"\r\r", b"\n\n"] {
                let bytes = [head, front, other, rest, b"xx\r\n"].concat();
                let seen = read(trailer, &bytes);
                // A CR behind the OK is beyond the trailer.
                let past = at + 1 == tail.len() && other == b"\r\r";
                assert_eq!(
                    seen.contains(&Seen::from(&bench::BAD_TRAILER)),
                    !past,
                    "{trailer:?} {} {seen:?}",
                    bytes.escape_ascii()
                );
                assert_eq!(delivered(&seen).is_some(), past);
            }
        }
        // A line too long to be known for a URC.
        let long = [b"\r\n+QIND: ".as_slice(), &[b'x'; 300], b"\r\n"].concat();
        let bytes = [head, &tail[..front.len()], &long, ok].concat();
        assert_eq!(delivered(&read(trailer, &bytes)), None);
    }
}

#[test]
fn what_no_trailer_can_show() {
    // The limits stated at `Trailer`: so many bytes more, and the payload
    // itself ends like the trailer.
    for (trailer, tail, payload) in [
        (Trailer::NoBlankLine, TRAILERS[1].1, &b"1234\r\nOK"[..]),
        (Trailer::BlankLine, TRAILERS[0].1, b"123456\r\n\r\nOK"),
    ] {
        let end = match trailer {
            Trailer::BlankLine => 6,
            Trailer::NoBlankLine => 4,
        };
        let head = format!("\r\n+QIRD: {}\r\n", payload.len());
        for more in 1..=end {
            let bytes = [head.as_bytes(), &payload[..more], payload, tail].concat();
            let altered = delivered(&read(trailer, &bytes)).is_some();
            assert_eq!(altered, more == end, "{trailer:?}, {more} more");
        }
    }
}

#[test]
fn the_other_familys_trailer_does_not_fit() {
    for (trailer, _) in TRAILERS {
        for (other, tail) in TRAILERS {
            let bytes = [b"\r\n+QIRD: 5\r\nhello", tail, BEHIND].concat();
            let fits = delivered(&read(trailer, &bytes)).is_some();
            assert_eq!(fits, trailer == other, "{trailer:?} with {other:?}");
        }
    }
}

/// `bytes` with the byte at `at` lost, doubled, or changed to each other byte
/// of interest.
fn damaged(bytes: &[u8], at: usize) -> Vec<Vec<u8>> {
    let (front, rest) = (&bytes[..at], &bytes[at + 1..]);
    let byte = bytes[at];
    let mut variants = vec![
        [front, rest].concat(),
        [front, &[byte, byte], rest].concat(),
    ];
    for other in *b"\r\n 09+>xO\0\xff" {
        if other != byte {
            variants.push([front, &[other], rest].concat());
        }
    }
    variants
}

#[test]
fn one_damaged_byte_around_a_payload_never_alters_what_is_delivered() {
    // Either the payload comes as it is, or nothing of it. The payload has no
    // trailer inside, so that a changed digit of the header shows, too.
    let payload = b"+QIURC: \"closed\",1\r\n0123456789";
    for (trailer, tail) in TRAILERS {
        let head = format!("\r\n+QIRD: {}\r\n", payload.len());
        let bytes = [head.as_bytes(), payload, tail, BEHIND].concat();
        let (start, end) = (head.len(), head.len() + payload.len());
        let mut whole = 0;
        for at in (0..start).chain(end..bytes.len()) {
            for variant in damaged(&bytes, at) {
                let seen = read(trailer, &variant);
                if let Some(data) = delivered(&seen) {
                    assert_eq!(data, payload, "{} {seen:?}", variant.escape_ascii());
                    whole += 1;
                }
            }
        }
        assert!(whole > 0, "some damage does no harm");
    }
}

#[test]
fn a_damaged_header_does_not_let_its_payload_pass_for_lines() {
    // The payload would close another socket and report a restart. (A byte
    // that turns into a line end cuts the header in two and is not noticed.)
    let payload = b"\r\n+QIURC: \"closed\",1\r\n\r\nRDY\r\n\r\nOK\r\n";
    let header = format!("+QIRD: {}", payload.len());
    for (trailer, tail) in TRAILERS {
        for at in 0..header.len() {
            let variants = damaged(header.as_bytes(), at);
            let whole = |line: &Vec<u8>| !line.contains(&b'\r') && !line.contains(&b'\n');
            for variant in variants.into_iter().filter(whole) {
                let bytes = [b"\r\n", &variant[..], b"\r\n", payload, tail].concat();
                let seen = read(trailer, &bytes);
                let broken = seen.iter().position(|t| matches!(t, Seen::Broken(_)));
                let before = &seen[..broken.unwrap_or(seen.len())];
                assert!(
                    !before.iter().any(|t| matches!(t, Seen::Urc(_))),
                    "{} {seen:?}",
                    bytes.escape_ascii()
                );
            }
        }
    }
}

/// One byte of every line end is lost in turn: what is heard stays the same.
#[track_caller]
fn whichever_line_end_is_lost(expect: Expect, bytes: &[u8], tokens: &[Token<'_>]) {
    for at in 0..bytes.len() {
        if !matches!(bytes[at], b'\r' | b'\n') {
            continue;
        }
        let lossy = [&bytes[..at], &bytes[at + 1..]].concat();
        Bench::new(Trailer::BlankLine)
            .expect(b"AT+X\r", expect)
            .hears(&lossy, tokens);
    }
}

#[test]
fn one_lost_cr_or_lf_between_lines_does_no_harm() {
    whichever_line_end_is_lost(
        Expect::CODE,
        b"\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n\r\n+QIURC: \"recv\",0\r\n",
        &[OK, connected(0), RECV],
    );
    whichever_line_end_is_lost(
        Expect::lines("+QIACT:"),
        b"\r\n+QIACT: 1,1,1,\"10.0.0.1\"\r\n+QIACT: 2,1,1,\"10.0.0.2\"\r\n\r\nOK\r\n",
        &[
            Info(b"+QIACT: 1,1,1,\"10.0.0.1\""),
            Info(b"+QIACT: 2,1,1,\"10.0.0.2\""),
            OK,
        ],
    );
    whichever_line_end_is_lost(
        bench::PROMPTED,
        b"\r\n+QIURC: \"recv\",0\r\n\r\n> ",
        &[RECV, Token::Prompt],
    );
}

#[test]
fn an_answer_does_not_wait_for_its_last_byte() {
    // Lost, it would come with the next line at best.
    Bench::new(Trailer::BlankLine)
        .asks(&GetActiveContexts {})
        .hears(b"\r\nOK\r", &[OK])
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(
            b"\r\n+QIRD: 2\r\nhi\r\n\r\nOK\r",
            &[Header(2), Payload(b"hi"), OK],
        )
        .asks(&GetActiveContexts {})
        .hears(b"\n\r\nOK\r\n", &[OK]);
}

#[test]
fn a_header_that_lost_its_first_digit_does_not_announce_nothing() {
    Bench::new(Trailer::BlankLine)
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(
            b"\r\n+QIRD: 0\r\n0123456789",
            &[Header(0), bench::BAD_TRAILER],
        );
}

#[test]
fn only_the_cr_of_a_header_may_be_missing() {
    Bench::new(Trailer::BlankLine)
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(
            b"\r\n+QIRD: 2\nhi\r\n\r\nOK\r\n",
            &[Header(2), Payload(b"hi"), OK],
        )
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(b"\r\n+QIRD: 2\rh", &[Header(2), bench::BAD_HEADER]);
}
