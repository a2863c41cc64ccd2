//! `QuectelDigester` by itself: what it makes of a buffer, step by step.

use atat::{DigestResult, Digester, InternalError};
use quectel_at_commands::{Trailer, digester::QuectelDigester};

/// What came out of the buffer.
#[derive(Debug, PartialEq, Eq)]
enum Out {
    Urc(&'static str),
    Answer(&'static str),
    Failed(&'static str),
    Prompt,
}
use Out::{Answer, Failed, Prompt, Urc};

/// All results for `bytes`, which come in pieces of every size.
#[track_caller]
fn gives(bytes: &'static str, expected: &[Out]) {
    for chunk in 1..=bytes.len() {
        let mut digester = QuectelDigester::new(Trailer::BlankLine);
        let (mut seen, mut start, mut end) = (Vec::new(), 0, 0);
        while end < bytes.len() {
            end = bytes.len().min(end + chunk);
            loop {
                let buffer = &bytes.as_bytes()[start..end];
                let (result, consumed) = digester.digest(buffer);
                let text = |bytes: &'static [u8]| str::from_utf8(bytes).expect("text");
                start += consumed;
                seen.push(match result {
                    DigestResult::Urc(line) => Urc(text(line)),
                    DigestResult::Response(Ok(answer)) => Answer(text(answer)),
                    DigestResult::Response(Err(InternalError::InvalidResponse)) => {
                        Failed("invalid")
                    }
                    DigestResult::Response(Err(InternalError::Error)) => Failed("error"),
                    DigestResult::Response(Err(error)) => panic!("{error:?}"),
                    DigestResult::Prompt(_) => Prompt,
                    DigestResult::None if consumed == 0 => break,
                    DigestResult::None => continue,
                });
            }
        }
        assert_eq!(seen, expected, "in pieces of {chunk} bytes");
    }
}

const CLOSED: &str = "+QIURC: \"closed\",1";

#[test]
fn an_answer_with_a_urc_inside_is_one_answer() {
    gives(
        "\r\n+QIRD: 2\r\nhi\r\n\r\n+QIURC: \"closed\",1\r\n\r\nOK\r\n\r\nOK\r\n",
        &[Answer("+QIRD: 2\r\nhi"), Urc(CLOSED), Answer("")],
    );
    gives(
        "\r\n+CEREG: 0,1\r\n\r\n+QIURC: \"closed\",1\r\n\r\nOK\r\n\r\nOK\r\n",
        &[Answer("+CEREG: 0,1"), Urc(CLOSED), Answer("")],
    );
}

#[test]
fn an_answer_begins_where_it_is_known_to() {
    gives(
        "\r\nRING\r\n\r\n+QISEND: 3,2,1\r\n\r\nOK\r\n",
        &[Answer("+QISEND: 3,2,1")],
    );
    gives(
        "\r\n+CPIN: READY\r\n\r\n+FOO: 1\r\n\r\nOK\r\n",
        &[Urc("+CPIN: READY"), Answer("+FOO: 1")],
    );
    gives(
        "\r\nRING\r\n\r\n+QIRD: 2\r\nhi\r\n\r\nOK\r\n",
        &[Answer("+QIRD: 2\r\nhi")],
    );
    // Nothing tells that the first line is none of it.
    gives(
        "\r\nRING\r\n\r\n+FOO: 1\r\n+FOO: 2\r\n\r\nOK\r\n",
        &[Answer("RING\r\n\r\n+FOO: 1\r\n+FOO: 2")],
    );
}

#[test]
fn reads_without_data() {
    gives("\r\n+QIRD: 0\r\n\r\nOK\r\n", &[Answer("+QIRD: 0")]);
    // `AT+QIRD=<id>,0`, which has no type here (T02).
    gives(
        "\r\n+QIRD: 3524,3005,519\r\n\r\nOK\r\n",
        &[Answer("+QIRD: 3524,3005,519")],
    );
}

#[test]
fn a_send_is_answered_by_nothing() {
    gives("\r\n+FOO: 1\r\n\r\nSEND OK\r\n", &[Answer("")]);
}

/// The answer to `AT+QIRD=<id>` of a UDP service: T15.
#[test]
fn a_datagram_and_its_sender() {
    gives(
        "\r\n+QIRD: 4,\"203.0.113.15\",7\r\n\r\nOK\r\n\r\nOK\r\n",
        &[Answer("+QIRD: 4,\"203.0.113.15\",7\r\n\r\nOK")],
    );
}

#[test]
fn a_header_that_is_none() {
    for header in [
        "\r\n+QIRD: 2\rhi\r\n\r\nOK\r\n\r\nERROR\r\n",
        "\r\n+QIRD: 1501\r\n\r\nOK\r\n\r\nERROR\r\n",
        "\r\n+QIRD: 2,\"1.2.3.4\"\r\nhi\r\n\r\nOK\r\n\r\nERROR\r\n",
        "\r\n+QIRD: 0\r\nhi\r\n\r\nOK\r\n\r\nERROR\r\n",
    ] {
        // The OK that belongs to it answers nothing.
        gives(header, &[Failed("invalid"), Failed("error")]);
    }
}

#[test]
fn a_prompt_stands_alone_at_a_line_start() {
    let mut digester = QuectelDigester::new(Trailer::BlankLine);
    let mut digest = |bytes: &'static [u8]| digester.digest(bytes);
    for (bytes, n) in [
        (&b"\r\n> "[..], 4),
        (b"\r\n>", 3),
        (b">", 1),
        (b"\r\n>\r\n", 5),
    ] {
        assert_eq!(digest(bytes), (DigestResult::Prompt(b'>'), n));
    }
    assert_eq!(digest(b"\r\n+FOO: > "), (DigestResult::None, 0));
    assert_eq!(digest(b"\r\n> x"), (DigestResult::None, 0));
    assert_eq!(
        digest(b"\r\n> \r\nERROR\r\n"),
        (DigestResult::Response(Err(InternalError::Error)), 13)
    );
}

#[test]
fn what_is_not_complete_stays_in_the_buffer() {
    let mut digester = QuectelDigester::new(Trailer::BlankLine);
    let answer = b"\r\n+QIRD: 4\r\nOK\r\n\r\n\r\nOK\r\n";
    for n in 1..answer.len() - 1 {
        assert_eq!(digester.digest(&answer[..n]), (DigestResult::None, 0));
    }
    assert_eq!(
        digester.digest(answer),
        (
            DigestResult::Response(Ok(b"+QIRD: 4\r\nOK\r\n")),
            answer.len()
        )
    );
}
