//! The framer's rules behind atat's `Digester`, for those who drive these
//! commands with atat's own `Ingress` and clients.
//!
//! A digester sees a buffer and not the command that is outstanding, so it
//! can do less than [`Framer`]. What that means:
//!
//! - A reply is taken out of the buffer in one piece. The buffer of `Ingress`
//!   must hold [`BUFFER`] bytes and the `ResponseSlot` [`REPLY`]; `Ingress`
//!   clears a buffer that is full, and what is left of a payload would then
//!   be read as lines.
//! - Whatever answer comes belongs to the command that waits: a late one is
//!   given to the next command, and a `> ` always counts as a prompt.
//! - A line that is neither URC nor final code could be part of an answer
//!   that is still to come. It is kept until a final code or a URC follows.
//!   The answers in this crate skip such strangers; types derived with atat
//!   refuse them.
//! - `+CPIN:`, `+CFUN:` and `+QSIMSTAT:` lines are answers and URCs alike.
//!   They are published as URCs and handed to the command that waits as well.
//! - A `+QIRD` header that was damaged on the line is not recognised, and its
//!   payload is read as lines.
//! - When the bytes around a payload do not fit, the command fails with
//!   `InvalidResponse` and nothing of the payload is delivered, but the line
//!   is not resynchronised. Send `AT` until it is answered.
//! - A full `UrcChannel` stops reception.

use atat::{AtatCmd, AtatUrc, DigestResult, Digester, Error, InternalError};

use crate::{
    command::Command,
    fields::Fields,
    framer::{Framer, Token, Trailer},
    general::NoResponse,
    network::{GetCircuitRegistration, GetEpsRegistration, GetPacketRegistration},
    pdp::GetActiveContexts,
    result::ResultCode,
    tcp::{GetSendCounters, GetSockets, READ_MAX, ReadData, Send},
    urc::Urc,
};

/// Bytes that the buffer of `Ingress` should have: the largest reply, and
/// URCs that arrive with it.
pub const BUFFER: usize = READ_MAX + 500;

/// Bytes that the `ResponseSlot` must have: the largest `+QIRD` header line,
/// and its payload.
pub const REPLY: usize = "+QIRD: 1500\r\n".len() + READ_MAX;

/// What these prefixes begin is an answer and never a URC, so its final code
/// will come.
const ANSWERS: [&str; 6] = [
    GetActiveContexts::EXPECT.prefix,
    GetSockets::EXPECT.prefix,
    GetSendCounters::EXPECT.prefix,
    GetEpsRegistration::EXPECT.prefix,
    GetPacketRegistration::EXPECT.prefix,
    GetCircuitRegistration::EXPECT.prefix,
];

/// What these prefixes begin can be either.
const EITHER: [&str; 3] = ["+CPIN:", "+CFUN:", "+QSIMSTAT:"];

/// Digests the output of a Quectel module for atat's `Ingress`. See the
/// [module documentation](self) for its limits.
///
/// ```
/// use atat::{DigestResult, Digester};
/// use quectel_at_commands::{Trailer, digester::QuectelDigester};
/// let mut digester = QuectelDigester::new(Trailer::BlankLine);
/// let read = b"\r\n+QIRD: 6\r\n\r\nOK\r\n\r\n\r\nOK\r\n";
/// assert_eq!(
///     digester.digest(read),
///     (DigestResult::Response(Ok(b"+QIRD: 6\r\n\r\nOK\r\n")), read.len())
/// );
/// ```
#[derive(Debug, Clone)]
pub struct QuectelDigester {
    trailer: Trailer,
    /// The reply at the front of the buffer has been handed over because of
    /// a URC inside it: up to its final code only URCs matter.
    answered: bool,
}

impl QuectelDigester {
    /// A digester for a module with this payload trailer.
    pub const fn new(trailer: Trailer) -> Self {
        Self {
            trailer,
            answered: false,
        }
    }

    /// Hands over a reply that ends at `end`. A URC inside it stays in the
    /// buffer, with all that is behind it.
    fn reply<'a>(
        &mut self,
        reply: Result<&'a [u8], InternalError<'a>>,
        urc: Option<usize>,
        end: usize,
    ) -> (DigestResult<'a>, usize) {
        self.answered = urc.is_some();
        (DigestResult::Response(reply), urc.unwrap_or(end))
    }

    /// The stream does not fit. Its final code, should one come, is no answer
    /// to the next command.
    fn invalid<'a>(&mut self, end: usize) -> (DigestResult<'a>, usize) {
        self.reply(Err(InternalError::InvalidResponse), Some(end), end)
    }

    /// Up to the final code of a reply that has been handed over.
    fn leftover<'a>(&mut self, line: &Line<'a>) -> (DigestResult<'a>, usize) {
        if let Some(urc) = line.urc() {
            return (urc, line.next);
        }
        self.answered = ResultCode::parse(line.text).is_none();
        (DigestResult::None, line.next)
    }

    /// A `+QIRD` reply whose header is `line`.
    fn counted<'a>(&mut self, buf: &'a [u8], line: &Line<'a>) -> (DigestResult<'a>, usize) {
        let wait = (DigestResult::None, 0);
        let Some(n) = line.count().filter(|n| *n <= READ_MAX) else {
            return self.invalid(line.next);
        };
        // A CR alone ends other lines, but not this one.
        if line.end == b'\r' {
            return match buf.get(line.next) {
                Some(_) => self.invalid(line.next),
                None => wait,
            };
        }
        let mut at = line.next + n;
        let end = if n > 0 {
            at
        } else {
            line.start + line.text.len()
        };
        let Some(reply) = buf.get(line.start..end) else {
            return wait;
        };
        let mut framer = Framer::behind_payload(self.trailer, n);
        let mut inside = None;
        loop {
            let (taken, token) = framer.next(b"", buf.get(at..).unwrap_or_default());
            match token {
                None => return wait,
                Some(Token::Urc(_)) => inside = inside.or(Some(at)),
                Some(Token::Final(_)) => {
                    let end = after_lf(buf, at + taken);
                    return self.reply(Ok(reply), inside, end);
                }
                Some(_) => return self.invalid(at),
            }
            at += taken;
        }
    }
}

impl Digester for QuectelDigester {
    fn digest<'a>(&mut self, buf: &'a [u8]) -> (DigestResult<'a>, usize) {
        let mut info = Info::default();
        // Where the first URC inside a certain answer begins.
        let mut inside = None;
        let mut at = 0;
        while let Some(line) = Line::at(buf, at) {
            if line.is_prompt(buf) {
                self.answered = false;
                return (DigestResult::Prompt(b'>'), buf.len());
            }
            if line.end == 0 {
                return (DigestResult::None, 0);
            }
            if line.is_echo() {
                self.answered = false;
                return (DigestResult::None, line.next);
            }
            if self.answered {
                return self.leftover(&line);
            }
            if let Some(code) = ResultCode::parse(line.text) {
                let answer = buf.get(info.from..info.to).unwrap_or_default();
                return self.reply(result(code, answer, line.text), inside, line.next);
            }
            if line.is_header() {
                return self.counted(buf, &line);
            }
            let either = line.is_one_of(&EITHER);
            match line.urc() {
                Some(_) if info.certain => inside = inside.or(Some(at)),
                // Without the line end in front it has been here before.
                Some(urc) if either && line.start > at => return (urc, line.start),
                Some(urc) if !either => return (urc, line.next),
                _ => info.add(&line, either),
            }
            at = line.next;
        }
        // All blank. The line end in front of the next line stays.
        let blank = if at == 0 { buf.len() } else { 0 };
        (DigestResult::None, blank.saturating_sub(2))
    }
}

/// The answer as far as it is there.
#[derive(Default)]
struct Info {
    from: usize,
    to: usize,
    /// It holds a line that only an answer can be.
    certain: bool,
    /// It is one line that can be a URC as well.
    either: bool,
}

impl Info {
    fn add(&mut self, line: &Line<'_>, either: bool) {
        let answer = line.is_one_of(&ANSWERS);
        // What stood in front of an answer was a stranger.
        let first = self.to == 0 || self.either || (answer && !self.certain);
        if first {
            self.from = line.start;
        }
        self.to = line.start + line.text.len();
        self.certain |= answer;
        self.either = first && either;
    }
}

/// What a final code makes of the answer in front of it.
fn result<'a>(
    code: ResultCode,
    answer: &'a [u8],
    line: &'a [u8],
) -> Result<&'a [u8], InternalError<'a>> {
    Err(match code {
        ResultCode::Ok => return Ok(answer),
        ResultCode::SendOk => return Ok(b""),
        ResultCode::SendFail => InternalError::Custom(line),
        ResultCode::Error => InternalError::Error,
        ResultCode::Cme(error) => InternalError::CmeError(error.0.into()),
        ResultCode::Cms(error) => InternalError::CmsError(error.into()),
    })
}

/// The place behind the LF at `at`, if there is one.
fn after_lf(buf: &[u8], at: usize) -> usize {
    at + usize::from(buf.get(at) == Some(&b'\n'))
}

/// A line in the buffer.
struct Line<'a> {
    text: &'a [u8],
    /// Where the text begins.
    start: usize,
    /// Where the next line begins.
    next: usize,
    /// The last byte of the line end, 0 while there is none.
    end: u8,
}

impl<'a> Line<'a> {
    /// The first line that is not blank from `at` on.
    fn at(buf: &'a [u8], at: usize) -> Option<Self> {
        let rest = buf.get(at..)?;
        let start = at + rest.iter().position(|b| !b.is_ascii_whitespace())?;
        let rest = buf.get(start..)?;
        let len = rest.iter().position(|b| matches!(b, b'\r' | b'\n'));
        let text = len.and_then(|len| rest.get(..len)).unwrap_or(rest);
        let mut end = rest.get(text.len()).copied().unwrap_or(0);
        let mut next = start + text.len() + usize::from(end != 0);
        if end == b'\r' && buf.get(next) == Some(&b'\n') {
            (next, end) = (next + 1, b'\n');
        }
        Some(Self {
            text: text.trim_ascii_end(),
            start,
            next,
            end,
        })
    }

    fn is_prompt(&self, buf: &[u8]) -> bool {
        let behind = buf.get(self.start + 1..).unwrap_or_default();
        self.text.first() == Some(&b'>') && behind.trim_ascii().is_empty()
    }

    fn is_echo(&self) -> bool {
        let name = self.text.first_chunk::<2>();
        name.is_some_and(|name| name.eq_ignore_ascii_case(b"AT"))
    }

    fn is_one_of(&self, prefixes: &[&str]) -> bool {
        prefixes
            .iter()
            .any(|prefix| self.text.starts_with(prefix.as_bytes()))
    }

    fn urc(&self) -> Option<DigestResult<'a>> {
        Urc::parse(self.text).map(|_| DigestResult::Urc(self.text))
    }

    /// The number behind `+QIRD:`, which stands alone or in front of a
    /// datagram's sender.
    fn count(&self) -> Option<usize> {
        let mut fields = Fields::of(self.text, ReadData::EXPECT.prefix)?;
        let n = fields.number::<u16>()?;
        let sender = fields.clone();
        let alone = fields.raw().is_none();
        let mut fields = sender;
        let sent = fields.address().is_some() && fields.number::<u16>().is_some();
        (alone || sent).then_some(usize::from(n))
    }

    /// `+QIRD:`, and not with the three counters of `AT+QIRD=<id>,0`.
    fn is_header(&self) -> bool {
        let Some(mut fields) = Fields::of(self.text, ReadData::EXPECT.prefix) else {
            return false;
        };
        (0..3).any(|_| fields.number::<u32>().is_none())
    }
}

/// The second half of a send: waits for the `SEND OK` of a payload. To be
/// sent once [`Send`] has been answered, which is when the prompt has come.
/// `SEND FAIL` is `Error::Custom`.
///
/// ```
/// use atat::blocking::AtatClient;
/// use embedded_io::Write;
/// use quectel_at_commands::{digester::SendPayload, tcp::Send};
///
/// fn send(client: &mut impl AtatClient, id: u8, data: &[u8]) -> Result<(), atat::Error> {
///     client.send(&Send { id, len: data.len() as u16 })?;
///     client.send_with(&SendPayload, |uart| uart.write_all(data))?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendPayload;

impl AtatCmd for SendPayload {
    type Response = NoResponse;
    const MAX_TIMEOUT_MS: u32 = Send::MAX_TIMEOUT_MS;

    /// Writes nothing: the payload goes out by `send_with`.
    fn write(&self, _: &mut [u8]) -> usize {
        0
    }

    fn parse(&self, answer: Result<&[u8], InternalError<'_>>) -> Result<NoResponse, Error> {
        answer.map(|_| NoResponse).map_err(Error::from)
    }
}
