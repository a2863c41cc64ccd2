//! Dialogues that are hard to frame: payload that looks like anything else,
//! URCs at every place, prompts, headers, long lines, echo, answers that
//! share their prefix with a URC.

mod bench;

use bench::{
    BAD_HEADER, Bench, COUNTED, ERROR, OK, PROMPTED, SEND_OK, Wire,
    replay::{NOTICE, READY, RECV, cme, connected, urc},
};
use quectel_at_commands::{
    Command, Expect, LONGEST,
    Token::{DatagramHeader, Echo, Header, Info, Payload, Prompt, TooLong, Unknown},
    Trailer, Urc,
    framer::LINE,
    general::Identify,
    network::{
        Domain, GetCircuitRegistration, GetEpsRegistration, GetPacketRegistration, Registration,
    },
    pdp::{Authentication, ConfigureContext, ContextType},
    tcp::{ReadData, ReadDatagram, Send},
    text::{Apn, Credential},
};

/// A payload that holds everything a framer might look for.
const HOSTILE: &[u8] = b"\r\nOK\r\n\r\n+QIURC: \"closed\",0\r\n\r\n+QIURC: \"recv\",1\r\n\
    \r\nSEND OK\r\n\r\n> \r\nERROR\r\n\r\n+QIRD: 1500\r\n\r\n+CME ERROR: 3\r\n\r\nRDY\r\n\
    \r\n+QIURC: \"pdpdeact\",1\r\n\0\x1a\x1b\x11\x13+++AT+CFUN=0\r\n\r\n\r\nOK\r\n\r\n>";

/// The same with all 256 byte values behind it.
fn hostile() -> Vec<u8> {
    HOSTILE.iter().copied().chain(0..=255).collect()
}

/// A `+QIRD` answer.
fn answer(payload: &[u8], trailer: Trailer) -> Vec<u8> {
    let tail: &[u8] = match trailer {
        Trailer::BlankLine => b"\r\n\r\nOK\r\n",
        Trailer::NoBlankLine => b"\r\nOK\r\n",
    };
    let head = format!("\r\n+QIRD: {}\r\n", payload.len());
    [head.as_bytes(), payload, tail].concat()
}

#[test]
fn payload_is_counted_and_never_searched() {
    let payload = hostile();
    for trailer in [Trailer::BlankLine, Trailer::NoBlankLine] {
        let expected = [Header(payload.len()), Payload(&payload), OK];
        Bench::new(trailer)
            .asks(&ReadData { id: 0, len: 1500 })
            .hears(&answer(&payload, trailer), &expected)
            .hears(b"\r\n+QIURC: \"recv\",0\r\n", &[RECV]);
    }
}

#[test]
fn payload_may_end_a_read_anywhere() {
    // Every place at which a read can end, once with every prefix of the
    // hostile payload as the whole payload.
    for n in 1..=HOSTILE.len() {
        let payload = &HOSTILE[..n];
        let bytes = answer(payload, Trailer::BlankLine);
        for cut in 0..=bytes.len() {
            let mut wire = Wire::new(Trailer::BlankLine);
            wire.expect(b"AT+QIRD=0,1500\r", COUNTED, 1500);
            let mut seen = wire.hears(&bytes[..cut], bytes.len());
            seen.extend(wire.hears(&bytes[cut..], bytes.len()));
            let (mut data, mut others) = (Vec::new(), Vec::new());
            for token in seen {
                match token {
                    bench::Seen::Payload(bytes) => data.extend(bytes),
                    other => others.push(other),
                }
            }
            assert_eq!(data, payload);
            assert_eq!(
                others,
                [bench::Seen::from(&Header(n)), bench::Seen::from(&OK)],
                "{n} bytes, cut at {cut}"
            );
        }
    }
}

#[test]
fn urc_between_command_and_prompt() {
    Bench::new(Trailer::BlankLine)
        .asks(&Send { id: 0, len: 4 })
        .hears(
            b"\r\n+QIURC: \"recv\",0\r\n\r\n+QIND: \"csq\",15,3\r\n\r\n> ",
            &[RECV, NOTICE, Prompt],
        )
        .hears(b"\r\nSEND OK\r\n", &[SEND_OK]);
}

#[test]
fn urc_between_payload_and_send_ok() {
    Bench::new(Trailer::BlankLine)
        .asks(&Send { id: 0, len: 4 })
        .hears(b"\r\n> ", &[Prompt])
        .hears(
            b"\r\n+QIURC: \"pdpdeact\",1\r\n\r\nSEND OK\r\n\r\n+QIURC: \"recv\",0\r\n",
            &[urc(Urc::ContextLost { context: 1 }), SEND_OK, RECV],
        );
}

#[test]
fn urc_around_and_inside_a_read() {
    let roaming = urc(Urc::Registration(Domain::Eps, Registration(5)));
    Bench::new(Trailer::BlankLine)
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(
            b"\r\n+CEREG: 5\r\n\r\n+QIND: SMS DONE\r\n\r\n+QIRD: 2\r\nhi\r\n\
              \r\n+QIURC: \"recv\",0\r\n\
              \r\n+QIURC: \"closed\",1\r\n\
              \r\nOK\r\n\
              \r\n+QIOPEN: 2,0\r\n",
            &[
                roaming,
                // One byte away from the prefix of the answer.
                NOTICE,
                Header(2),
                Payload(b"hi"),
                RECV,
                urc(Urc::Closed { id: 1 }),
                OK,
                connected(2),
            ],
        );
    Bench::new(Trailer::NoBlankLine)
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(
            b"\r\n+QIRD: 2\r\nhi\r\n+QIURC: \"recv\",0\r\n\r\nOK\r\n",
            &[Header(2), Payload(b"hi"), RECV, OK],
        );
}

#[test]
fn urc_behind_an_empty_read() {
    // "Data that arrives between the QIRD that emptied the buffer and its OK."
    Bench::new(Trailer::BlankLine)
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(
            b"\r\n+QIRD: 0\r\n\r\n+QIURC: \"recv\",0\r\n\r\nOK\r\n",
            &[Header(0), RECV, OK],
        );
}

#[test]
fn a_prompt_counts_only_where_one_is_awaited() {
    let mut bench = Bench::new(Trailer::BlankLine);
    bench
        .hears(b"\r\n> \r\n", &[Unknown(b">")])
        .expect(b"AT\r", Expect::CODE)
        .hears(b"\r\n> \r\nOK\r\n", &[Unknown(b">"), OK])
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(b"\r\n>\r\n", &[Unknown(b">")])
        .hears(
            b"\r\n+QIRD: 1\r\n>\r\n\r\nOK\r\n",
            &[Header(1), Payload(b">"), OK],
        );
    // Awaited, but inside a line, and a second time.
    bench
        .asks(&Send { id: 0, len: 4 })
        .hears(b"\r\n+FOO: > \r\n", &[Unknown(b"+FOO: >")])
        .hears(b"\r\n> ", &[Prompt])
        .hears(b"\r\n> ", &[])
        .hears(b"\r\nSEND OK\r\n", &[Unknown(b">"), SEND_OK]);
}

#[test]
fn a_prompt_in_every_form() {
    // Reference 1.4: without the blank, with a CR LF behind it.
    for form in [&b"\r\n> "[..], b"> ", b"\r\n>\r\n", b"\r\n> \r\n"] {
        Bench::new(Trailer::BlankLine)
            .asks(&Send { id: 0, len: 4 })
            .hears(form, &[Prompt])
            .hears(b"\r\nSEND OK\r\n", &[SEND_OK]);
    }
}

/// The blank is waited for, and can be given up.
#[test]
fn a_prompt_without_its_blank() {
    for form in [&b"\r\n>"[..], b">"] {
        let mut bench = Bench::new(Trailer::BlankLine);
        bench.asks(&Send { id: 0, len: 4 });
        assert!(!bench.all(|framer| framer.take_half_prompt()));
        bench.hears(form, &[]);
        assert!(bench.all(|framer| framer.has_half_prompt()));
        assert!(bench.all(|framer| framer.take_half_prompt()));
        assert!(!bench.all(|framer| framer.has_half_prompt()));
        // The blank that comes after all is none of anybody's business.
        bench.hears(b" \r\nSEND OK\r\n", &[SEND_OK]);
        // The next byte shows that there is none.
        Bench::new(Trailer::BlankLine)
            .asks(&Send { id: 0, len: 4 })
            .hears(form, &[])
            .hears(b"\r\nSEND OK\r\n", &[Prompt, SEND_OK]);
        // Given up by the host.
        let mut bench = Bench::new(Trailer::BlankLine);
        bench
            .asks(&Send { id: 0, len: 4 })
            .hears(form, &[])
            .release();
        assert!(!bench.all(|framer| framer.has_half_prompt()));
    }
}

#[test]
fn an_error_instead_of_the_prompt_or_behind_the_payload() {
    Bench::new(Trailer::BlankLine)
        .asks(&Send { id: 0, len: 4 })
        .hears(b"\r\nERROR\r\n", &[ERROR])
        .asks(&Send { id: 0, len: 4 })
        .hears(b"\r\n> ", &[Prompt])
        .hears(b"\r\nERROR\r\n", &[ERROR])
        .asks(&Send { id: 0, len: 4 })
        .hears(b"\r\n+CME ERROR:567\r\n", &[cme(567)]);
}

#[test]
fn a_late_answer_belongs_to_nobody() {
    Bench::new(Trailer::BlankLine)
        .hears(
            b"\r\nSEND OK\r\n\r\nOK\r\n\r\nERROR\r\n",
            &[Unknown(b"SEND OK"), Unknown(b"OK"), Unknown(b"ERROR")],
        )
        // The next send is not ended by what the last one was waiting for.
        .asks(&Send { id: 0, len: 4 })
        .hears(b"\r\nSEND OK\r\n", &[Unknown(b"SEND OK")])
        .hears(b"\r\nOK\r\n", &[Unknown(b"OK")])
        .hears(b"\r\n> ", &[Prompt])
        .hears(b"\r\nSEND OK\r\n", &[SEND_OK])
        // Nor is anything else.
        .expect(b"AT\r", Expect::CODE)
        .hears(b"\r\nSEND OK\r\n", &[Unknown(b"SEND OK")])
        .hears(b"\r\nOK\r\n", &[OK])
        // Nor is a read, whose OK stands behind its header.
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(b"\r\nOK\r\n", &[Unknown(b"OK")])
        .hears(b"\r\nSEND OK\r\n", &[Unknown(b"SEND OK")])
        .hears(
            b"\r\n+QIRD: 2\r\nhi\r\n\r\nOK\r\n",
            &[Header(2), Payload(b"hi"), OK],
        );
}

#[test]
fn a_line_that_began_before_the_command_is_not_its_answer() {
    for (begun, rest, line) in [
        (&b"\r\nO"[..], &b"K\r\n"[..], &b"OK"[..]),
        (b"\r\nERR", b"OR\r\n", b"ERROR"),
        (b"\r\n+QIRD: ", b"2\r\n", b"+QIRD: 2"),
    ] {
        Bench::new(Trailer::BlankLine)
            .hears(begun, &[])
            .asks(&ReadData { id: 0, len: 1500 })
            .hears(rest, &[Unknown(line)])
            .hears(
                b"\r\n+QIRD: 2\r\nhi\r\n\r\nOK\r\n",
                &[Header(2), Payload(b"hi"), OK],
            );
    }
    // A URC, though, is one whenever it began.
    Bench::new(Trailer::BlankLine)
        .hears(b"\r\n+QIURC: \"re", &[])
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(
            b"cv\",0\r\n\r\n+QIRD: 0\r\n\r\nOK\r\n",
            &[RECV, Header(0), OK],
        );
}

#[test]
fn a_header_that_announces_more_than_was_asked_for() {
    let mut bench = Bench::new(Trailer::BlankLine);
    let read = b"AT+QIRD=0,4\r";
    bench
        .expect_at_most(read, COUNTED, 4)
        .hears(
            b"\r\n+QIRD: 4\r\nabcd\r\n\r\nOK\r\n",
            &[Header(4), Payload(b"abcd"), OK],
        )
        .expect_at_most(read, COUNTED, 4)
        .hears(b"\r\n+QIRD: 5\r", &[BAD_HEADER])
        // What is behind it is nobody's any more.
        .hears(
            b"\nabcde\r\n\r\nOK\r\n",
            &[Unknown(b"abcde"), Unknown(b"OK")],
        );
}

#[test]
fn a_header_of_anything_else() {
    for header in [
        "+QIRD",
        "+QIRD:",
        "+QIRD: -1",
        "+QIRD: 1x",
        "+QIRD: 1 2",
        "+QIRD: 4294967296",
        "+QIRD: 14,\"203.0.113.15\",7",
        "+QIRD: 5,5,0",
        // One byte lost, added or changed in the prefix: its payload follows.
        "QIRD: 2",
        "+QID: 2",
        "+QIRD 2",
        "++QIRD: 2",
        "+QIIRD: 2",
        "+QJRD: 2",
        "*QIRD: 2",
        "+QIRD; 2",
    ] {
        Bench::new(Trailer::BlankLine)
            .asks(&ReadData { id: 0, len: 1500 })
            .hears(format!("\r\n{header}\r").as_bytes(), &[BAD_HEADER]);
    }
    // Cut off before the number is complete.
    let zeros = "0".repeat(LINE);
    Bench::new(Trailer::BlankLine)
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(format!("\r\n+QIRD: {zeros}2\r").as_bytes(), &[BAD_HEADER]);
    // Not a header, however damaged.
    for line in ["+QIXX: 2", "+CSQ: 15,3", "QI", "+QIACT: 1,1,1"] {
        Bench::new(Trailer::BlankLine)
            .asks(&ReadData { id: 0, len: 1500 })
            .hears(
                format!("\r\n{line}\r\n").as_bytes(),
                &[Unknown(line.as_bytes())],
            )
            .hears(
                b"\r\n+QIRD:2\r\nhi\r\n\r\nOK\r\n",
                &[Header(2), Payload(b"hi"), OK],
            );
    }
}

#[test]
fn a_line_is_kept_up_to_its_limit() {
    let line = vec![b'x'; LINE];
    let longer = vec![b'x'; LINE + 1];
    let mut bench = Bench::new(Trailer::BlankLine);
    bench
        .hears(&[b"\r\n", &line[..], b"\r\n"].concat(), &[Unknown(&line)])
        .hears(&[b"\r\n", &longer[..], b"\r\n"].concat(), &[TooLong])
        .hears(b"\r\n+QIURC: \"recv\",0\r\n", &[RECV]);
    // In front of an answer; the second is one byte away from its prefix.
    for urc in ["+QMTRECV: ", "+QIND: "] {
        let urc = [b"\r\n", urc.as_bytes(), &longer, b"\r\n"].concat();
        bench
            .asks(&ReadData { id: 0, len: 1500 })
            .hears(&urc, &[TooLong]);
    }
    bench.hears(b"\r\n+QIRD: 0\r\n\r\nOK\r\n", &[Header(0), OK]);
}

#[test]
fn thousands_of_line_ends_and_short_lines_cost_one_look_a_byte() {
    const N: usize = 20_000;
    let mut wire = Wire::new(Trailer::BlankLine);
    // `hears` checks that every call consumes or finishes.
    assert_eq!(wire.hears(&b"\r\n".repeat(N), 64), []);
    assert_eq!(wire.hears(&b"x\r\n".repeat(N), 64).len(), N);
    assert_eq!(wire.hears(&b"\r\nOK\r\n".repeat(N), 64).len(), N);
    // One call takes everything there is when there is nothing in it.
    let mut wire = Wire::new(Trailer::BlankLine);
    let blank = b"\r\n".repeat(N);
    assert_eq!(wire.framer.next(b"", &blank), (blank.len(), None));
    assert_eq!(wire.framer.next(b"", b""), (0, None));
    // Inside a payload they are payload.
    let payload = b"\r\n".repeat(750);
    Bench::new(Trailer::BlankLine)
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(
            &answer(&payload, Trailer::BlankLine),
            &[Header(1500), Payload(&payload), OK],
        );
}

fn longest() -> (ConfigureContext<'static>, Vec<u8>) {
    let text = "a".repeat(100).leak();
    let command = ConfigureContext {
        context: 16,
        kind: ContextType::V4V6,
        apn: Apn::new(text).expect("an APN"),
        user: Credential::new(text).expect("a name"),
        password: Credential::new(text).expect("a password"),
        authentication: Authentication::PapOrChap,
    };
    let mut line = [0; LONGEST];
    let n = command.render(&mut line).expect("fits");
    assert!(n > LINE, "longer than a line that is kept");
    (command, line[..n].to_vec())
}

#[test]
fn an_echo_longer_than_a_line_is_still_an_echo() {
    let (command, line) = longest();
    Bench::new(Trailer::BlankLine)
        .asks(&command)
        .hears(&line, &[Echo])
        .hears(b"\r\nOK\r\n", &[OK]);
}

#[test]
fn an_unfinished_echo_is_a_line_like_any_other() {
    let (command, line) = longest();
    Bench::new(Trailer::BlankLine)
        .asks(&command)
        .hears(&line[..300], &[])
        .hears(b"\r\nERROR\r\n", &[TooLong, ERROR])
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(
            b"AT+QIRD=0\r\n+QIRD: 2\r\nhi\r\n\r\nOK\r\n",
            &[Unknown(b"AT+QIRD=0"), Header(2), Payload(b"hi"), OK],
        );
}

#[test]
fn only_the_command_just_sent_is_an_echo() {
    Bench::new(Trailer::BlankLine)
        .expect(b"AT+CSQ\r", Expect::lines("+CSQ:"))
        .hears(b"AT+CSQ?\r\r\n", &[Unknown(b"AT+CSQ?")])
        .hears(
            b"AT+CSQ\r\r\n+CSQ: 1,99\r\n\r\nOK\r\n",
            &[Echo, Info(b"+CSQ: 1,99"), OK],
        )
        .hears(b"AT+CSQ\r\r\n", &[Unknown(b"AT+CSQ")]);
}

#[test]
fn text_without_a_prefix_is_taken_from_among_urcs() {
    Bench::new(Trailer::BlankLine).asks(&Identify {}).hears(
        b"ATI\r\r\nQuectel\r\nEC25\r\n\r\nRDY\r\n\r\n+QMTRECV: 0,0\r\nRevision: 1\r\n\r\nOK\r\n",
        &[
            Echo,
            Info(b"Quectel"),
            Info(b"EC25"),
            READY,
            Unknown(b"+QMTRECV: 0,0"),
            Info(b"Revision: 1"),
            OK,
        ],
    );
}

/// While the read command of `domain` is outstanding, lines that differ only
/// in their shape (reference 2.4, n = 0, 1, 2 and 4).
#[track_caller]
fn registration(command: &impl Command, domain: Domain) {
    let prefix = domain.prefix();
    let mut bench = Bench::new(Trailer::BlankLine);
    for answer in [
        " 0,1",
        " 1,5",
        " 2,1,\"5650\",\"29A7DF4\",2",
        " 4,1,\"5650\",\"29A7DF4\",7,,,\"00100100\",\"01000111\"",
        " 2,0",
        "0,4",
    ] {
        let line = format!("{prefix}{answer}");
        bench
            .asks(command)
            .hears(
                format!("\r\n{line}\r\n\r\nOK\r\n").as_bytes(),
                &[Info(line.as_bytes()), OK],
            )
            // The same answer, too late.
            .hears(
                format!("\r\n{line}\r\n").as_bytes(),
                &[Unknown(line.as_bytes())],
            );
    }
    for (stat, fields) in [
        (1, " 1"),
        (5, " 5"),
        (1, " 1,\"5650\",\"29A7DF4\",2"),
        (1, " 1,\"5650\",\"29A7DF4\",7,,,\"00100100\",\"01000111\""),
        (3, " 3,,,,0,11"),
        (0, "0"),
    ] {
        let line = format!("\r\n{prefix}{fields}\r\n");
        let urc = urc(Urc::Registration(domain, Registration(stat)));
        bench
            .hears(line.as_bytes(), &[urc])
            .asks(command)
            .hears(line.as_bytes(), &[urc])
            .hears(b"\r\nOK\r\n", &[OK]);
    }
}

#[test]
fn registration_answers_and_urcs_differ_in_shape() {
    registration(&GetEpsRegistration {}, Domain::Eps);
    registration(&GetPacketRegistration {}, Domain::PacketSwitched);
    registration(&GetCircuitRegistration {}, Domain::CircuitSwitched);
}

#[test]
fn nothing_hangs_on_an_unknown_line() {
    Bench::new(Trailer::BlankLine)
        .expect(b"AT+QISEND=0,4\r", PROMPTED)
        .hears(
            b"\r\nCONNECT\r\n\r\nNO CARRIER\r\n\r\n\xff\xfe\0\r\n",
            &[
                Unknown(b"CONNECT"),
                Unknown(b"NO CARRIER"),
                Unknown(b"\xff\xfe\0"),
            ],
        )
        .hears(b"\r\n> ", &[Prompt]);
}

/// A datagram's header names its sender; anything else in its place does not
/// say how many bytes follow.
#[test]
fn the_header_of_a_datagram() {
    let from = "192.0.2.7:5683".parse().expect("an address");
    let v6 = "[2001:db8::7]:1".parse().expect("an address");
    Bench::new(Trailer::BlankLine)
        .asks(&ReadDatagram { id: 0 })
        .hears(
            b"\r\n+QIRD: 2,\"192.0.2.7\",5683\r\nhi\r\n\r\nOK\r\n",
            &[DatagramHeader(2, from), Payload(b"hi"), OK],
        )
        .asks(&ReadDatagram { id: 0 })
        .hears(
            b"\r\n+QIRD: 2,\"2001:DB8:0:0:0:0:0:7\",1\r\nhi\r\n\r\nOK\r\n",
            &[DatagramHeader(2, v6), Payload(b"hi"), OK],
        )
        .asks(&ReadDatagram { id: 0 })
        .hears(b"\r\n+QIRD: 0\r\n\r\nOK\r\n", &[Header(0), OK])
        .asks(&ReadDatagram { id: 0 })
        .hears(b"\r\nERROR\r\n", &[ERROR]);
    for header in [
        "+QIRD: 2",
        "+QIRD: 2,192.0.2.7,5683",
        "+QIRD: 2,\"192.0.2\",5683",
        "+QIRD: 2,\"192.0.2.7\"",
        "+QIRD: 2,\"192.0.2.7\",70000",
        "+QIRD: 1501,\"192.0.2.7\",5683",
        "QIRD: 2,\"192.0.2.7\",5683",
    ] {
        Bench::new(Trailer::BlankLine)
            .asks(&ReadDatagram { id: 0 })
            .hears(format!("\r\n{header}\r").as_bytes(), &[BAD_HEADER]);
    }
}
