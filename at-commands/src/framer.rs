//! Cuts the bytes that a module sends into tokens.
//!
//! Lines, prompts and payload share one stream without a length in front, so
//! the framer knows what is outstanding ([`Expect`]): payload is counted and
//! never searched, a prompt counts only where one is awaited, and a line
//! answers the outstanding command only if prefix and shape fit. Everything
//! else is a URC or an unknown line, on which nothing hangs.
//!
//! Each byte is looked at a bounded number of times, nothing recurses, and
//! the only memory is one line of [`LINE`] bytes.

use atat::AtatUrc;

use crate::{fields, result::ResultCode, urc::Urc};

/// Longest line in bytes that is kept; a longer one is reported and dropped.
pub const LINE: usize = 256;

/// What ends a counted payload. Which of the two it is is a constant of the
/// module family: a framer that took either would accept a payload that lost
/// two bytes on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Trailer {
    /// `<data>\r\n\r\nOK\r\n` (EC2x, BG9x, ECx00x)
    BlankLine,
    /// `<data>\r\nOK\r\n`
    NoBlankLine,
}

/// What follows the command line on the wire, besides information lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Information lines and a final result code.
    Lines,
    /// A `> ` prompt, then our payload, then `SEND OK` or `SEND FAIL`.
    Prompt,
    /// A header `<prefix> <n>`, then n bytes, then a trailer with `OK`.
    Counted,
}

/// The answer that a command expects.
#[derive(Debug, Clone, Copy)]
pub struct Expect {
    /// Prefix of information lines with its colon, empty if there are none.
    pub prefix: &'static str,
    /// Whether what follows the prefix has the shape of the answer, where a
    /// URC has the same prefix.
    pub shape: fn(&[u8]) -> bool,
    /// Information text comes without a prefix (`ATI`).
    pub bare: bool,
    /// What else comes.
    pub body: Body,
}

impl Expect {
    /// Nothing but a final result code.
    pub const CODE: Self = Self {
        prefix: "",
        shape: |_| true,
        bare: false,
        body: Body::Lines,
    };

    /// Information text without a prefix, then a final result code.
    pub const TEXT: Self = Self {
        bare: true,
        ..Self::CODE
    };

    /// Lines that begin with `prefix`, then a final result code.
    pub const fn lines(prefix: &'static str) -> Self {
        Self {
            prefix,
            ..Self::CODE
        }
    }
}

/// Why the stream and the expectation no longer fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FrameError {
    /// The header announces more bytes than were asked for, or no number.
    Header,
    /// The bytes behind the payload are not its trailer: bytes were lost or
    /// doubled inside the payload.
    Trailer,
}

/// One piece of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// The module repeated the command.
    Echo,
    /// The module waits for the payload of the outstanding command.
    Prompt,
    /// An information line of the outstanding command, without its line end.
    Info(&'a [u8]),
    /// The header of a counted payload of this many bytes.
    Header(usize),
    /// Bytes of the counted payload. They must not be delivered before
    /// [`Token::Final`], which stands for a fitting trailer.
    Payload(&'a [u8]),
    /// The outstanding command is answered.
    Final(ResultCode),
    /// An unsolicited result code.
    Urc(Urc),
    /// A line that nothing waits for.
    Unknown(&'a [u8]),
    /// A line longer than [`LINE`] was dropped.
    TooLong,
    /// Stream and expectation do not fit; the rest of the answer is unusable.
    Broken(FrameError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Collecting a line, or waiting for one to begin.
    Line,
    /// The prompt was seen; lines come, `SEND OK` is among the codes.
    Prompted,
    /// Counting payload, this many bytes to come.
    Payload(usize),
    /// Matching the trailer.
    Trailer(Step),
}

/// Place inside `\r\n[\r\n<URC>\r\n]…\r\nOK\r\n`, byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The CR and LF of the blank line.
    BlankCr,
    BlankLf,
    /// The CR and LF in front of a line.
    Cr,
    Lf,
    /// Inside the line.
    Text,
    /// The LF after the line's CR.
    End,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub struct Framer {
    line: [u8; LINE],
    len: usize,
    /// The line did not fit.
    overflow: bool,
    /// How much of the line equals the command just sent; `None` once it
    /// differs.
    echo: Option<usize>,
    state: State,
    expect: Option<Expect>,
    /// Most bytes that a counted payload may have.
    most: usize,
    trailer: Trailer,
}

impl Framer {
    /// A framer for a module with this payload trailer.
    pub const fn new(trailer: Trailer) -> Self {
        Self {
            line: [0; LINE],
            len: 0,
            overflow: false,
            echo: Some(0),
            state: State::Line,
            expect: None,
            most: 0,
            trailer,
        }
    }

    /// A command is on its way. `most` bounds the bytes of a counted payload.
    pub fn expect(&mut self, expect: Expect, most: usize) {
        self.expect = Some(expect);
        self.most = most;
        self.state = State::Line;
    }

    /// Nothing is outstanding any more; a half-collected line is kept.
    pub fn release(&mut self) {
        self.expect = None;
        self.state = State::Line;
    }

    /// Whether the outstanding command's prompt can still come.
    fn awaits_prompt(&self) -> bool {
        self.state == State::Line && self.expect.is_some_and(|e| e.body == Body::Prompt)
    }

    /// Takes bytes from the front of `input` up to the end of the next token.
    /// Returns how many were taken, and the token if one is complete. With no
    /// token all of `input` was taken. `sent` is the outstanding command as
    /// transmitted, with its CR, or empty.
    pub fn next<'a>(&'a mut self, sent: &[u8], input: &'a [u8]) -> (usize, Option<Token<'a>>) {
        if let State::Payload(left) = self.state {
            let taken = left.min(input.len());
            self.payload_taken(left - taken);
            let payload = input.get(..taken).unwrap_or_default();
            return (taken, (taken > 0).then_some(Token::Payload(payload)));
        }
        for (at, byte) in input.iter().enumerate() {
            let done = match self.state {
                State::Trailer(step) => self.trailer_byte(step, *byte),
                _ => self.line_byte(sent, *byte),
            };
            if let Some(done) = done {
                return (at + 1, Some(self.token(done)));
            }
        }
        (input.len(), None)
    }

    fn payload_taken(&mut self, left: usize) {
        self.state = match (left, self.trailer) {
            (0, Trailer::BlankLine) => State::Trailer(Step::BlankCr),
            (0, Trailer::NoBlankLine) => State::Trailer(Step::Cr),
            _ => State::Payload(left),
        };
    }

    fn line_byte(&mut self, sent: &[u8], byte: u8) -> Option<Done> {
        let at_start = self.len == 0 && !self.overflow;
        if at_start {
            if byte == b'>' && self.awaits_prompt() {
                self.state = State::Prompted;
                return Some(Done::Prompt);
            }
            // Blank lines, and the blank of the prompt.
            if matches!(byte, b'\r' | b'\n' | b' ') {
                return None;
            }
            self.echo = Some(0);
        }
        if let Some(matched) = self.echo {
            self.echo = (sent.get(matched) == Some(&byte)).then_some(matched + 1);
            if self.echo == Some(sent.len()) {
                self.clear();
                return Some(Done::Echo);
            }
        }
        if byte != b'\n' {
            self.push(byte);
            return None;
        }
        let text = self.line.get(..self.len).unwrap_or_default().trim_ascii();
        if text.is_empty() && !self.overflow {
            self.clear();
            return None;
        }
        Some(Done::Line)
    }

    /// A trailer is matched to the byte: what deviates means that the payload
    /// was counted wrong.
    fn trailer_byte(&mut self, step: Step, byte: u8) -> Option<Done> {
        let next = match (step, byte) {
            (Step::BlankCr, b'\r') => Step::BlankLf,
            (Step::BlankLf, b'\n') => Step::Cr,
            (Step::Cr, b'\r') => Step::Lf,
            (Step::Lf, b'\n') => Step::Text,
            (Step::Text, b'\r') if self.len > 0 => Step::End,
            (Step::Text, b) if b != b'\r' && b != b'\n' => {
                self.push(byte);
                Step::Text
            }
            (Step::End, b'\n') => return Some(Done::TrailerLine),
            _ => {
                self.clear();
                return Some(Done::Broken(FrameError::Trailer));
            }
        };
        self.state = State::Trailer(next);
        None
    }

    fn push(&mut self, byte: u8) {
        match self.line.get_mut(self.len) {
            Some(place) => {
                *place = byte;
                self.len += 1;
            }
            None => self.overflow = true,
        }
    }

    fn clear(&mut self) {
        self.len = 0;
        self.overflow = false;
    }

    /// Turns what `next` found into a token. Separate from finding it, since
    /// the token borrows the line buffer.
    fn token(&mut self, done: Done) -> Token<'_> {
        let (len, overflow) = (self.len, self.overflow);
        match done {
            Done::Echo => Token::Echo,
            Done::Prompt => Token::Prompt,
            Done::Broken(error) => self.broken(error),
            Done::Line | Done::TrailerLine if overflow => {
                self.clear();
                if done == Done::TrailerLine {
                    return self.broken(FrameError::Trailer);
                }
                Token::TooLong
            }
            Done::Line => {
                self.clear();
                self.line_token(len)
            }
            Done::TrailerLine => {
                self.clear();
                self.trailer_token(len)
            }
        }
    }

    fn broken(&mut self, error: FrameError) -> Token<'static> {
        self.release();
        Token::Broken(error)
    }

    /// Between payload and `OK` only URCs may stand.
    fn trailer_token(&mut self, len: usize) -> Token<'_> {
        let line = self.line.get(..len).unwrap_or_default();
        if line == b"OK" {
            self.release();
            return Token::Final(ResultCode::Ok);
        }
        match Urc::parse(line) {
            Some(urc) => {
                self.state = State::Trailer(Step::Cr);
                Token::Urc(urc)
            }
            None => self.broken(FrameError::Trailer),
        }
    }

    fn line_token(&mut self, len: usize) -> Token<'_> {
        let line = self.line.get(..len).unwrap_or_default().trim_ascii();
        let Some(expect) = self.expect else {
            return Urc::parse(line).map_or(Token::Unknown(line), Token::Urc);
        };
        if let Some(code) = ResultCode::parse(line) {
            let sends = matches!(code, ResultCode::SendOk | ResultCode::SendFail);
            let fits = match (expect.body, self.state) {
                (Body::Prompt, State::Prompted) => sends || code.is_error(),
                (Body::Prompt, _) => code.is_error(),
                _ => !sends,
            };
            if !fits {
                return Token::Unknown(line);
            }
            self.expect = None;
            self.state = State::Line;
            return Token::Final(code);
        }
        let answer = (!expect.prefix.is_empty())
            .then(|| line.strip_prefix(expect.prefix.as_bytes()))
            .flatten();
        if let Some(rest) = answer.map(<[u8]>::trim_ascii)
            && (expect.shape)(rest)
        {
            if expect.body != Body::Counted {
                return Token::Info(line);
            }
            let announced = fields::decimal(rest).and_then(|n| usize::try_from(n).ok());
            let Some(n) = announced.filter(|n| *n <= self.most) else {
                self.expect = None;
                self.state = State::Line;
                return Token::Broken(FrameError::Header);
            };
            if n > 0 {
                self.state = State::Payload(n);
            }
            return Token::Header(n);
        }
        match Urc::parse(line) {
            Some(urc) => Token::Urc(urc),
            None if expect.bare => Token::Info(line),
            None => Token::Unknown(line),
        }
    }
}

/// What the byte loop found, before it becomes a [`Token`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Echo,
    Prompt,
    Line,
    TrailerLine,
    Broken(FrameError),
}
