//! Cuts the bytes that a module sends into tokens.
//!
//! Lines, prompts and payload share one stream without a length in front, so
//! the framer knows what is outstanding ([`Expect`]): payload is counted and
//! never searched, a prompt counts only where one is awaited, and a line
//! answers the outstanding command only if prefix and shape fit. Everything
//! else is a URC or an unknown line, on which nothing hangs.
//!
//! One lost byte must not cost more than it has to: a line ends at its CR or
//! its LF, whichever comes first, so neither is missed alone. Around a payload
//! nothing is forgiven, since there a missing byte shifts the count.
//!
//! Each byte is looked at a bounded number of times, nothing recurses, and
//! the only memory is one line of [`LINE`] bytes.

use core::net::SocketAddr;

use atat::AtatUrc;

use crate::{
    fields::{self, Fields},
    result::ResultCode,
    urc::Urc,
};

/// Longest line in bytes that is kept; a longer one is reported and dropped.
pub const LINE: usize = 256;

/// What ends a counted payload. Which of the two it is is a constant of the
/// module family: a framer that took either would accept a payload that lost
/// two bytes on the way.
///
/// The trailer tells of lost bytes whatever their number, and of up to 5
/// ([`BlankLine`](Self::BlankLine)) or 3 ([`NoBlankLine`](Self::NoBlankLine))
/// doubled ones. More go unnoticed if the payload itself ends like a trailer;
/// a changed byte is never noticed. Only TLS helps against those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Trailer {
    /// `<data>\r\n\r\nOK\r\n` (EC2x, BG9x, ECx00x)
    BlankLine,
    /// `<data>\r\nOK\r\n`
    NoBlankLine,
}

impl Trailer {
    const fn behind_payload(self) -> State {
        State::Trailer(match self {
            Self::BlankLine => Step::BlankCr,
            Self::NoBlankLine => Step::Cr,
        })
    }

    /// An empty answer has no payload line and so no end of one, whatever
    /// the family. It is matched all the same: a header that lost a digit
    /// could announce nothing, too.
    const fn behind_header(self, n: usize) -> State {
        match n {
            0 => State::Trailer(Step::Cr),
            n => State::Payload(n),
        }
    }
}

/// What follows the command line on the wire, besides information lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Information lines and a final result code.
    Lines,
    /// A `> ` prompt, then our payload, then `SEND OK` or `SEND FAIL`.
    Prompt,
    /// Nothing before `SEND OK` or `SEND FAIL`.
    SendResult,
    /// A header `<prefix> <n>`, then n bytes, then a trailer with `OK`.
    Counted,
    /// The same with the header `<prefix> <n>,"<ip>",<port>`; `<prefix> 0` if
    /// there is nothing.
    Datagram,
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
    /// The header announces more bytes than were asked for or no number, or
    /// a byte of it was lost, doubled or changed.
    Header,
    /// The bytes behind the payload are not its trailer: bytes were lost or
    /// doubled inside the payload.
    Trailer,
}

/// One piece of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// The module repeated the command.
    Echo,
    /// The module waits for the payload of the outstanding command.
    Prompt,
    /// An information line of the outstanding command, without its line end.
    Info(&'a [u8]),
    /// The header of a counted payload of this many bytes.
    Header(usize),
    /// The header of a counted payload of this many bytes, and its sender.
    DatagramHeader(usize, SocketAddr),
    /// Bytes of the counted payload. They must not be delivered before
    /// [`Token::Final`], which stands for a fitting trailer.
    Payload(&'a [u8]),
    /// The outstanding command is answered.
    Final(ResultCode),
    /// An unsolicited result code.
    Urc(Urc),
    /// A line that nothing waits for.
    Unknown(&'a [u8]),
    /// A line in the place of the echo that was to come: the module has
    /// received something else than was sent, or its echo was damaged.
    Garbled(&'a [u8]),
    /// A line longer than [`LINE`] was dropped.
    TooLong,
    /// Stream and expectation do not fit; the rest of the answer is unusable.
    /// What follows may be payload: no line of it, whatever it looks like, is
    /// to be believed until the module has answered something that only it
    /// can know.
    Broken(FrameError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Collecting a line, or waiting for one to begin.
    Line,
    /// The `>` of the prompt was seen. Its blank is waited for: some modules
    /// drop a LF that arrives before they have sent it.
    HalfPrompt,
    /// The prompt was seen; lines come, `SEND OK` is among the codes.
    Prompted,
    /// The CR of a header was seen, its LF must follow; then so much payload.
    HeaderEnd(usize),
    /// Counting payload, this many bytes to come.
    Payload(usize),
    /// Matching the trailer.
    Trailer(Step),
}

/// Place inside `\r\n[\r\n<URC>\r\n]…\r\nOK\r`, byte by byte. The last LF is
/// not waited for: the count has been proven, and what waits for one byte can
/// wait for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The CR and LF of the blank line.
    BlankCr,
    BlankLf,
    /// The CR and LF in front of a line.
    Cr,
    Lf,
    /// Inside the line, up to its CR.
    Text,
    /// The LF of a URC.
    UrcLf,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub struct Framer {
    line: [u8; LINE],
    len: usize,
    /// The line did not fit.
    overflow: bool,
    /// The line had begun before the outstanding command was sent, so it
    /// cannot be its answer.
    stale: bool,
    /// How much of the echo this line completes; `None` once it differs.
    echo: Option<usize>,
    /// How much of the echo lines before this one have brought.
    echoed: usize,
    /// Nothing counts as the answer before the echo.
    echo_due: bool,
    /// The last byte was a CR where a line could begin.
    bare_cr: bool,
    /// Such a CR had no LF behind it, or a blank stood where none is sent.
    stray: bool,
    /// The blank of a prompt may yet come.
    blank_due: bool,
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
            stale: false,
            echo: Some(0),
            echoed: 0,
            echo_due: false,
            bare_cr: false,
            stray: false,
            blank_due: false,
            state: State::Line,
            expect: None,
            most: 0,
            trailer,
        }
    }

    /// A framer that has just counted the last of `n` bytes of payload.
    #[cfg(feature = "atat-ingress")]
    pub(crate) const fn behind_payload(trailer: Trailer, n: usize) -> Self {
        let mut framer = Self::new(trailer);
        framer.state = match n {
            0 => trailer.behind_header(0),
            _ => trailer.behind_payload(),
        };
        framer
    }

    /// A command is about to be transmitted: to be called before its first
    /// byte goes out. `most` bounds the bytes of a counted payload. A
    /// half-collected line is kept, but it will not be taken for the answer.
    pub fn expect(&mut self, expect: Expect, most: usize) {
        self.expect = Some(expect);
        self.most = most;
        self.state = State::Line;
        self.stale = !self.at_line_start();
        self.echoed = 0;
        self.echo_due = false;
    }

    /// As [`expect`](Self::expect), but nothing counts as the answer before
    /// the module has repeated the command (`ATE1`), so that neither a late
    /// answer to another command nor the answer to a damaged one is taken for
    /// it. What comes instead of the echo is a [`Token::Garbled`]. A URC may
    /// cut the echo in two.
    pub fn expect_echoed(&mut self, expect: Expect, most: usize) {
        self.expect(expect, most);
        self.echo_due = true;
    }

    /// Payload has gone out although no prompt was seen: `SEND OK`,
    /// `SEND FAIL` or an error may come.
    pub fn expect_send_result(&mut self) {
        self.expect(
            Expect {
                body: Body::Prompt,
                ..Expect::CODE
            },
            0,
        );
        self.state = State::Prompted;
    }

    /// Whether a CR without its LF has come since the last call: the echo of
    /// a CR that was left over from payload, if it was not the line's fault.
    pub fn take_stray(&mut self) -> bool {
        core::mem::take(&mut self.stray)
    }

    /// Nothing is outstanding any more; a half-collected line is kept. What
    /// is left of a counted payload would be read as lines: let it be counted
    /// to its end instead, or treat what follows as after [`Token::Broken`].
    pub fn release(&mut self) {
        self.expect = None;
        self.state = State::Line;
        self.echo_due = false;
    }

    /// Takes a `>` without its blank for the prompt: to be called when the
    /// blank did not come within a few byte times. Returns whether there was
    /// one.
    pub fn take_half_prompt(&mut self) -> bool {
        let half = self.state == State::HalfPrompt;
        if half {
            self.state = State::Prompted;
            self.blank_due = true;
        }
        half
    }

    /// Whether the `>` of a prompt was seen, and its blank is waited for.
    pub fn has_half_prompt(&self) -> bool {
        self.state == State::HalfPrompt
    }

    /// Whether the outstanding command's prompt can still come.
    fn awaits_prompt(&self) -> bool {
        self.state == State::Line
            && !self.echo_due
            && self.expect.is_some_and(|e| e.body == Body::Prompt)
    }

    fn at_line_start(&self) -> bool {
        self.len == 0 && !self.overflow
    }

    /// Takes bytes from the front of `input` up to the end of the next token.
    /// Returns how many were taken, and the token if one is complete. With no
    /// token all of `input` was taken. `sent` is the outstanding command as
    /// transmitted, with its CR, or empty.
    ///
    /// ```
    /// use quectel_at_commands::{Command, Framer, ResultCode, Token, Trailer, sim::GetSimState};
    /// let mut framer = Framer::new(Trailer::BlankLine);
    /// framer.expect(GetSimState::EXPECT, 0);
    /// let (sent, mut rest) = (&b"AT+CPIN?\r"[..], &b"\r\n+CPIN: READY\r\n\r\nOK\r\n"[..]);
    /// let (taken, token) = framer.next(sent, rest);
    /// assert_eq!(token, Some(Token::Info(b"+CPIN: READY")));
    /// rest = &rest[taken..];
    /// let (_, token) = framer.next(sent, rest);
    /// assert_eq!(token, Some(Token::Final(ResultCode::Ok)));
    /// ```
    pub fn next<'a>(&'a mut self, sent: &[u8], input: &'a [u8]) -> (usize, Option<Token<'a>>) {
        let mut taken = 0;
        while let Some(rest) = input.get(taken..)
            && let Some(byte) = rest.first()
        {
            let done = match self.state {
                State::Payload(left) => {
                    let payload = rest.get(..left).unwrap_or(rest);
                    self.payload_taken(left - payload.len());
                    return (taken + payload.len(), Some(Token::Payload(payload)));
                }
                State::HalfPrompt => {
                    self.state = State::Prompted;
                    if *byte != b' ' {
                        // The first byte of a line completes no token.
                        self.line_byte(sent, *byte);
                    }
                    return (taken + 1, Some(Token::Prompt));
                }
                State::HeaderEnd(n) => self.header_end(n, *byte),
                State::Trailer(step) => self.trailer_byte(step, *byte),
                State::Line | State::Prompted => self.line_byte(sent, *byte),
            };
            taken += 1;
            if let Some(done) = done {
                return (taken, Some(self.token(sent, done)));
            }
        }
        (taken, None)
    }

    /// Between the CR of a header and its payload stands one LF. Was it lost,
    /// the count would begin one byte too late.
    fn header_end(&mut self, n: usize, byte: u8) -> Option<Done> {
        if byte != b'\n' {
            return Some(Done::Broken(FrameError::Header));
        }
        self.state = self.trailer.behind_header(n);
        None
    }

    fn payload_taken(&mut self, left: usize) {
        self.state = match left {
            0 => self.trailer.behind_payload(),
            _ => State::Payload(left),
        };
    }

    fn line_byte(&mut self, sent: &[u8], byte: u8) -> Option<Done> {
        if self.at_line_start() {
            if byte == b'>' && self.awaits_prompt() {
                self.state = State::HalfPrompt;
                return None;
            }
            self.stray |= self.bare_cr && byte != b'\n';
            self.bare_cr = byte == b'\r';
            // Blank lines, and the blank of the prompt.
            if byte.is_ascii_whitespace() {
                // A line begins with a blank only if one was left over, or if
                // the prompt's own is late.
                let blank = !matches!(byte, b'\r' | b'\n');
                let late = blank && core::mem::take(&mut self.blank_due);
                self.stray |= blank && !late;
                return None;
            }
            // The rest of an echo that a URC has cut, or an echo from its
            // beginning.
            if self.echoed > 0
                && sent.get(self.echoed) != Some(&byte)
                && sent.first() == Some(&byte)
            {
                self.echoed = 0;
            }
            self.echo = Some(self.echoed);
        }
        if let Some(matched) = self.echo {
            self.echo = (sent.get(matched) == Some(&byte)).then_some(matched + 1);
            if self.echo == Some(sent.len()) {
                self.clear();
                self.echo_due = false;
                return Some(Done::Echo);
            }
            if self.echo.is_none() && byte == b'\r' && self.echo_due && matched > self.echoed {
                // A URC begins in the middle of the echo.
                self.echoed = matched;
                self.bare_cr = true;
                self.clear();
                return None;
            }
        }
        if matches!(byte, b'\r' | b'\n') {
            return Some(Done::Line { end: byte });
        }
        self.push(byte);
        None
    }

    /// A trailer is matched to the byte: what deviates means that the payload
    /// was counted wrong.
    fn trailer_byte(&mut self, step: Step, byte: u8) -> Option<Done> {
        let next = match (step, byte) {
            (Step::BlankCr, b'\r') => Step::BlankLf,
            (Step::BlankLf, b'\n') => Step::Cr,
            (Step::Cr, b'\r') => Step::Lf,
            (Step::Lf, b'\n') => Step::Text,
            (Step::Text, b'\r') => return Some(Done::TrailerLine),
            (Step::Text, b) if b != b'\n' => {
                self.push(byte);
                Step::Text
            }
            (Step::UrcLf, b'\n') => Step::Cr,
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
        self.stale = false;
    }

    /// Turns what `next` found into a token. Separate from finding it, since
    /// the token borrows the line buffer.
    fn token(&mut self, sent: &[u8], done: Done) -> Token<'_> {
        let (len, overflow, stale) = (self.len, self.overflow, self.stale);
        match done {
            Done::Echo => Token::Echo,
            Done::Broken(error) => self.broken(error),
            Done::Line { end } => {
                self.clear();
                self.line_token(sent, len, overflow, stale, end)
            }
            Done::TrailerLine => {
                self.clear();
                self.trailer_token(len, overflow)
            }
        }
    }

    fn broken(&mut self, error: FrameError) -> Token<'static> {
        self.release();
        Token::Broken(error)
    }

    /// Between payload and `OK` only URCs may stand.
    fn trailer_token(&mut self, len: usize, overflow: bool) -> Token<'_> {
        let line = self.line.get(..len).unwrap_or_default();
        if line == b"OK" {
            self.release();
            return Token::Final(ResultCode::Ok);
        }
        match Urc::parse(line).filter(|_| !overflow) {
            Some(urc) => {
                self.state = State::Trailer(Step::UrcLf);
                Token::Urc(urc)
            }
            None => self.broken(FrameError::Trailer),
        }
    }

    fn line_token(
        &mut self,
        sent: &[u8],
        len: usize,
        overflow: bool,
        stale: bool,
        end: u8,
    ) -> Token<'_> {
        let line = self.line.get(..len).unwrap_or_default().trim_ascii();
        let Some(expect) = self.expect.filter(|_| !stale && !self.echo_due) else {
            let late = line.starts_with(b"+") || ResultCode::parse(line).is_some();
            return match Urc::parse(line) {
                _ if overflow => Token::TooLong,
                Some(urc) => Token::Urc(urc),
                None if self.echo_due && !late && almost(line, sent.trim_ascii_end()) => {
                    Token::Garbled(line)
                }
                None => Token::Unknown(line),
            };
        };
        if matches!(expect.body, Body::Counted | Body::Datagram)
            && (line.starts_with(expect.prefix.as_bytes())
                || almost(line, expect.prefix.as_bytes()) && Urc::parse(line).is_none())
        {
            let header = match expect.body {
                Body::Datagram => datagram_header(line, expect.prefix),
                _ => header(line, expect.prefix).map(|n| (n, None)),
            };
            let header = header.filter(|(n, _)| !overflow && *n <= self.most);
            (self.state, self.expect) = match header {
                None => (State::Line, None),
                Some((n, _)) if end == b'\r' => (State::HeaderEnd(n), Some(expect)),
                Some((n, _)) => (self.trailer.behind_header(n), Some(expect)),
            };
            return match header {
                // The payload behind a damaged header must not be read as
                // lines.
                None => Token::Broken(FrameError::Header),
                Some((n, None)) => Token::Header(n),
                Some((n, Some(from))) => Token::DatagramHeader(n, from),
            };
        }
        if overflow {
            return Token::TooLong;
        }
        if let Some(code) = ResultCode::parse(line) {
            let sends = matches!(code, ResultCode::SendOk | ResultCode::SendFail);
            let fits = match (expect.body, self.state) {
                (Body::Prompt, State::Prompted) => sends || code.is_error(),
                // `OK` comes behind the prompt or the header, or it is the
                // late answer to something else.
                (Body::Prompt | Body::Counted | Body::Datagram, _) => code.is_error(),
                (Body::SendResult, _) => sends || code.is_error(),
                (Body::Lines, _) => !sends,
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
        if answer.is_some_and(|rest| (expect.shape)(rest.trim_ascii())) {
            return Token::Info(line);
        }
        match Urc::parse(line) {
            Some(urc) => Token::Urc(urc),
            None if expect.bare && !line.starts_with(b"+") => Token::Info(line),
            None => Token::Unknown(line),
        }
    }
}

/// The bytes that a header line announces.
fn header(line: &[u8], prefix: &str) -> Option<usize> {
    let rest = line.strip_prefix(prefix.as_bytes())?;
    usize::try_from(fields::decimal(rest.trim_ascii())?).ok()
}

/// A header with its sender, or `<prefix> 0`.
fn datagram_header(line: &[u8], prefix: &str) -> Option<(usize, Option<SocketAddr>)> {
    if let Some(0) = header(line, prefix) {
        return Some((0, None));
    }
    let mut f = Fields::of(line, prefix)?;
    let n = usize::from(f.number::<u16>()?);
    let from = SocketAddr::new(f.address()?, f.number()?);
    Some((n, Some(from)))
}

/// Whether `line` would begin with `prefix` if one byte had not been lost,
/// added or changed.
fn almost(line: &[u8], prefix: &[u8]) -> bool {
    let same = line.iter().zip(prefix).take_while(|(a, b)| a == b).count();
    let (line, prefix) = (line.get(same..), prefix.get(same..));
    let (line, prefix) = (line.unwrap_or_default(), prefix.unwrap_or_default());
    let (Some((_, line_on)), Some((_, prefix_on))) = (line.split_first(), prefix.split_first())
    else {
        return prefix.len() < 2;
    };
    line.starts_with(prefix_on) || line_on.starts_with(prefix_on) || line_on.starts_with(prefix)
}

/// What the byte loop found, before it becomes a [`Token`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Echo,
    /// A line, and the byte that ended it.
    Line {
        end: u8,
    },
    TrailerLine,
    Broken(FrameError),
}
