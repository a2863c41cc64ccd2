//! A dialogue with the framer. Every step is fed to 64 framers at once, one
//! per chunk size from 1 to 64 bytes, and all must give the same tokens.
#![allow(dead_code, unused_macros, reason = "each test file uses a part of it")]

#[macro_use]
pub(crate) mod replay;

use std::net::SocketAddr;

use atat::{Error, InternalError};
use quectel_at_commands::{
    Command, Expect, Framer, LONGEST, ResultCode, Token, Trailer, Urc,
    framer::{Body, FrameError},
    tcp::READ_MAX,
};

pub(crate) const OK: Token<'static> = Token::Final(ResultCode::Ok);
pub(crate) const ERROR: Token<'static> = Token::Final(ResultCode::Error);
pub(crate) const SEND_OK: Token<'static> = Token::Final(ResultCode::SendOk);
pub(crate) const SEND_FAIL: Token<'static> = Token::Final(ResultCode::SendFail);
pub(crate) const BAD_HEADER: Token<'static> = Token::Broken(FrameError::Header);
pub(crate) const BAD_TRAILER: Token<'static> = Token::Broken(FrameError::Trailer);

/// A [`Token`] that owns its bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Echo,
    Prompt,
    Info(Vec<u8>),
    Header(usize),
    DatagramHeader(usize, SocketAddr),
    Payload(Vec<u8>),
    Final(ResultCode),
    Urc(Urc),
    Unknown(Vec<u8>),
    Garbled(Vec<u8>),
    TooLong,
    Broken(FrameError),
}

impl From<&Token<'_>> for Seen {
    fn from(token: &Token<'_>) -> Self {
        match token {
            Token::Echo => Self::Echo,
            Token::Prompt => Self::Prompt,
            Token::Info(line) => Self::Info(line.to_vec()),
            Token::Header(n) => Self::Header(*n),
            Token::DatagramHeader(n, from) => Self::DatagramHeader(*n, *from),
            Token::Payload(bytes) => Self::Payload(bytes.to_vec()),
            Token::Final(code) => Self::Final(*code),
            Token::Urc(urc) => Self::Urc(*urc),
            Token::Unknown(line) => Self::Unknown(line.to_vec()),
            Token::Garbled(line) => Self::Garbled(line.to_vec()),
            Token::TooLong => Self::TooLong,
            Token::Broken(error) => Self::Broken(*error),
        }
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Info(line) => write!(f, "Info({})", line.escape_ascii()),
            Self::Unknown(line) => write!(f, "Unknown({})", line.escape_ascii()),
            Self::Garbled(line) => write!(f, "Garbled({})", line.escape_ascii()),
            Self::Payload(bytes) => {
                write!(f, "Payload({} B: {})", bytes.len(), bytes.escape_ascii())
            }
            Self::Echo => f.write_str("Echo"),
            Self::Prompt => f.write_str("Prompt"),
            Self::TooLong => f.write_str("TooLong"),
            Self::Header(n) => write!(f, "Header({n})"),
            Self::DatagramHeader(n, from) => write!(f, "Header({n} from {from})"),
            Self::Final(code) => write!(f, "Final({code:?})"),
            Self::Urc(urc) => write!(f, "Urc({urc:?})"),
            Self::Broken(error) => write!(f, "Broken({error:?})"),
        }
    }
}

/// One framer and what it was told is outstanding.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) framer: Framer,
    sent: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(trailer: Trailer) -> Self {
        Self {
            framer: Framer::new(trailer),
            sent: Vec::new(),
        }
    }

    pub(crate) fn expect(&mut self, sent: &[u8], expect: Expect, most: usize) {
        self.sent = sent.to_vec();
        self.framer.expect(expect, most);
    }

    pub(crate) fn expect_echoed(&mut self, sent: &[u8], expect: Expect, most: usize) {
        self.sent = sent.to_vec();
        self.framer.expect_echoed(expect, most);
    }

    /// Feeds `bytes` in pieces of `chunk`. Neighbouring pieces of payload are
    /// put together. As the engine does, forgets the command once it has been
    /// answered.
    pub(crate) fn hears(&mut self, bytes: &[u8], chunk: usize) -> Vec<Seen> {
        let mut seen = Vec::new();
        for mut rest in bytes.chunks(chunk) {
            while !rest.is_empty() {
                let (taken, token) = self.framer.next(&self.sent, rest);
                assert!(taken > 0 && taken <= rest.len(), "took {taken} bytes");
                assert!(
                    token.is_some() || taken == rest.len(),
                    "without a token all is taken"
                );
                rest = &rest[taken..];
                let Some(token) = &token else { continue };
                match (seen.last_mut(), Seen::from(token)) {
                    (Some(Seen::Payload(bytes)), Seen::Payload(more)) => bytes.extend(more),
                    (_, token) => seen.push(token),
                }
                if matches!(token, Token::Final(_) | Token::Broken(_)) {
                    self.sent.clear();
                }
            }
        }
        seen
    }
}

/// See the [module documentation](self).
pub(crate) struct Bench {
    wires: Vec<Wire>,
    /// Where the bytes come from; what is heard must stand in it.
    transcript: Option<&'static str>,
}

impl Bench {
    pub(crate) fn new(trailer: Trailer) -> Self {
        Self {
            wires: (1..=64).map(|_| Wire::new(trailer)).collect(),
            transcript: None,
        }
    }

    /// A module whose output stands in `transcript`.
    pub(crate) fn replays(transcript: &'static str, trailer: Trailer) -> Self {
        Self {
            transcript: Some(transcript),
            ..Self::new(trailer)
        }
    }

    /// The command line `sent` goes out.
    pub(crate) fn expect(&mut self, sent: &[u8], expect: Expect) -> &mut Self {
        self.expect_at_most(sent, expect, READ_MAX)
    }

    pub(crate) fn expect_at_most(&mut self, sent: &[u8], expect: Expect, most: usize) -> &mut Self {
        for wire in &mut self.wires {
            wire.expect(sent, expect, most);
        }
        self
    }

    /// `command` goes out.
    pub(crate) fn asks(&mut self, command: &impl Command) -> &mut Self {
        let mut line = [0; LONGEST];
        let n = command.render(&mut line).expect("fits");
        self.expect(&line[..n], expect_of(command))
    }

    /// `command` goes out, and nothing counts as its answer before its echo.
    pub(crate) fn asks_echoed(&mut self, command: &impl Command) -> &mut Self {
        let mut line = [0; LONGEST];
        let n = command.render(&mut line).expect("fits");
        for wire in &mut self.wires {
            wire.expect_echoed(&line[..n], expect_of(command), READ_MAX);
        }
        self
    }

    /// What the framers answer to this, which must be the same for all.
    #[track_caller]
    pub(crate) fn all<T: PartialEq + std::fmt::Debug>(
        &mut self,
        ask: impl Fn(&mut Framer) -> T,
    ) -> T {
        let mut answers = self.wires.iter_mut().map(|wire| ask(&mut wire.framer));
        let first = answers.next().expect("a wire");
        for answer in answers {
            assert_eq!(answer, first);
        }
        first
    }

    /// The bytes of one `<<` line come in and give these tokens.
    #[track_caller]
    pub(crate) fn hears(&mut self, bytes: &[u8], tokens: &[Token<'_>]) -> &mut Self {
        if let Some(transcript) = self.transcript {
            let line = escape(bytes);
            assert!(transcript.contains(&line), "not in the transcript: {line}");
        }
        self.hears_unrecorded(bytes, tokens)
    }

    /// The transcript hides the payload: the same with `payload` in its place.
    #[track_caller]
    pub(crate) fn hears_payload(
        &mut self,
        [head, tail]: [&[u8]; 2],
        payload: &[u8],
        tokens: &[Token<'_>],
    ) -> &mut Self {
        for part in [head, tail] {
            let line = escape(part);
            let transcript = self.transcript.expect("a transcript");
            assert!(transcript.contains(&line), "not in the transcript: {line}");
        }
        self.hears_unrecorded(&[head, payload, tail].concat(), tokens)
    }

    /// The same with bytes that the transcript does not show.
    #[track_caller]
    pub(crate) fn hears_unrecorded(&mut self, bytes: &[u8], tokens: &[Token<'_>]) -> &mut Self {
        let tokens: Vec<Seen> = tokens.iter().map(Seen::from).collect();
        for (wire, chunk) in self.wires.iter_mut().zip(1..) {
            let seen = wire.hears(bytes, chunk);
            assert_eq!(seen, tokens, "in chunks of {chunk} bytes");
        }
        self
    }

    /// Nothing is outstanding any more.
    pub(crate) fn release(&mut self) -> &mut Self {
        for wire in &mut self.wires {
            wire.sent.clear();
            wire.framer.release();
        }
        self
    }
}

fn expect_of<C: Command>(_: &C) -> Expect {
    C::EXPECT
}

/// As transcripts write it.
fn escape(bytes: &[u8]) -> String {
    let text = str::from_utf8(bytes).expect("text");
    let text = text.replace('\r', "\\r").replace('\n', "\\n");
    match text.strip_suffix("> ") {
        Some(front) => format!("{front}>\\x20"),
        None => text,
    }
}

/// What `command` makes of `answer`.
pub(crate) fn parsed<C: Command>(command: &C, answer: &[u8]) -> Result<C::Response, Error> {
    command.parse(Ok::<_, InternalError<'_>>(answer))
}

/// Every byte value, over and over; no two neighbours alike.
pub(crate) fn bytes(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7 + i / 256) as u8).collect()
}

/// A counted answer as of `AT+QIRD`.
pub(crate) const COUNTED: Expect = Expect {
    body: Body::Counted,
    ..Expect::lines("+QIRD:")
};

/// As of `AT+QISEND=<id>,<n>`.
pub(crate) const PROMPTED: Expect = Expect {
    body: Body::Prompt,
    ..Expect::CODE
};
