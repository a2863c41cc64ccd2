#![doc = include_str!("trace.md")]
// Much of what is on the line was written by whoever is at the other end of a
// connection, and a log is read by others than the program's author. Without
// the two features nothing of this is linked.

use core::fmt;

use quectel_at_commands::Token;

use crate::{
    engine::{Event, Fault},
    error::Failure,
};

/// Whether anything listens.
const ON: bool = cfg!(any(feature = "log", feature = "defmt"));

/// Tells, with the time of the engine's latest call.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    #[cfg(any(feature = "log", feature = "defmt"))]
    now: u64,
}

/// The same line to both crates; its first argument is the time.
macro_rules! tell {
    ($level:ident, $trace:expr, $format:literal $(, $arg:expr)*) => {{
        $(let _ = &$arg;)*
        #[cfg(feature = "log")]
        log::$level!(target: "quectel_sockets::at", $format, $trace.now $(, $arg)*);
        #[cfg(feature = "defmt")]
        defmt::$level!($format, $trace.now $(, $arg)*);
    }};
}

impl Trace {
    /// It is now so late, in milliseconds.
    #[inline(always)]
    pub(crate) fn at(&mut self, now: u64) {
        #[cfg(any(feature = "log", feature = "defmt"))]
        {
            self.now = now;
        }
        #[cfg(not(any(feature = "log", feature = "defmt")))]
        let _ = now;
    }

    /// A command is put on the line.
    #[inline(always)]
    pub(crate) fn command(&self, command: &[u8]) {
        if ON {
            match shown(command) {
                (all, false) => tell!(trace, self, "{} ms >> {}", Escaped(all)),
                (head, true) => tell!(trace, self, "{} ms >> {}...", Escaped(head)),
            }
        }
    }

    /// So many bytes of payload were transmitted.
    #[inline(always)]
    pub(crate) fn payload(&self, len: u16) {
        if ON {
            tell!(trace, self, "{} ms >> {} bytes of payload", len);
        }
    }

    /// The module has sent this. `private`: what nothing waits for may be
    /// payload, or the echo of a password. `trusted`: what looks like an
    /// answer or a URC is one.
    #[inline(always)]
    pub(crate) fn token(&self, token: Token<'_>, private: bool, trusted: bool) {
        if ON {
            match token {
                // The echo repeats what was shown. Of payload the header has
                // told the length.
                Token::Echo | Token::Payload(_) => {}
                Token::Prompt => tell!(trace, self, "{} ms << >"),
                Token::Header(n) => tell!(trace, self, "{} ms << +QIRD: {}", n),
                Token::DatagramHeader(n, from) => {
                    tell!(trace, self, "{} ms << +QIRD: {} from {}", n, from);
                }
                Token::Final(code) => tell!(trace, self, "{} ms << {}", code),
                Token::Urc(urc) if trusted => tell!(trace, self, "{} ms << {}", urc),
                Token::Urc(_) => tell!(trace, self, "{} ms << a URC, not believed"),
                Token::Info(line) if trusted => {
                    tell!(trace, self, "{} ms << {}", Escaped(line));
                }
                Token::Unknown(line) if !private => {
                    tell!(trace, self, "{} ms << {}", Escaped(line));
                }
                Token::Info(line) | Token::Unknown(line) | Token::Garbled(line) => {
                    tell!(trace, self, "{} ms << a line of {} bytes", line.len());
                }
                Token::TooLong => tell!(trace, self, "{} ms << a line that is too long"),
                Token::Broken(error) => {
                    tell!(
                        debug,
                        self,
                        "{} ms recovery: the answer is damaged: {:?}",
                        error
                    )
                }
            }
        }
    }

    /// A step of the recovery.
    #[inline(always)]
    pub(crate) fn recovery(&self, step: Recovery) {
        if ON {
            tell!(debug, self, "{} ms recovery: {}", step);
        }
    }

    /// What the application is told.
    #[inline(always)]
    pub(crate) fn event(&self, event: Event) {
        if ON {
            match event {
                Event::Up
                | Event::LineRestored
                | Event::ModuleRestarted
                | Event::ContextLost
                | Event::UrcPortChanged => tell!(info, self, "{} ms event {:?}", event),
                _ => tell!(warn, self, "{} ms event {:?}", event),
            }
        }
    }

    /// A socket has failed.
    #[inline(always)]
    pub(crate) fn failed(&self, slot: usize, failure: Failure) {
        if ON {
            tell!(warn, self, "{} ms slot {} failed: {:?}", slot, failure);
        }
    }

    /// The engine has stopped for good.
    #[inline(always)]
    pub(crate) fn stopped(&self, fault: Fault) {
        if ON {
            tell!(warn, self, "{} ms stopped: {:?}", fault);
        }
    }
}

/// How the engine gets from doubt back to a known state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Recovery {
    /// No module answers `AT` yet.
    NotThere,
    /// The outstanding command was not answered in its time.
    NoAnswer,
    /// Something else than the echo came.
    EchoDamaged,
    /// So many carriage returns, for payload that the module may wait for.
    Filler(u16),
    /// One carriage return, for a half-typed line.
    EndLine,
    /// The first, second or third try has failed.
    TryFailed(usize),
    /// The module may have restarted unnoticed.
    Suspicion,
    /// It has not.
    Unfounded,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotThere => "no answer yet, asks again",
            Self::NoAnswer => "no answer in time",
            Self::EchoDamaged => "not the echo that was due",
            Self::Filler(n) => return write!(f, "{n} CR for payload that may be owed"),
            Self::EndLine => "a CR ends the line",
            Self::TryFailed(n) => return write!(f, "try {n} failed"),
            Self::Suspicion => "has the module restarted unnoticed?",
            Self::Unfounded => "it has not",
        })
    }
}

/// Commands of which all can be shown, or all up to so many commas. Any
/// other's arguments stay hidden: one that is forgotten here tells too little,
/// not too much.
const SHOWN: [(&[u8], usize); 15] = [
    (b"AT+CFUN", usize::MAX),
    (b"AT+CMEE", usize::MAX),
    (b"AT+QIACT", usize::MAX),
    (b"AT+QICFG", usize::MAX),
    (b"AT+QICLOSE", usize::MAX),
    // The access point's name, but neither user nor password.
    (b"AT+QICSGP", 3),
    (b"AT+QIDEACT", usize::MAX),
    (b"AT+QIDNSGIP", usize::MAX),
    (b"AT+QIOPEN", usize::MAX),
    (b"AT+QIRD", usize::MAX),
    (b"AT+QISDE", usize::MAX),
    (b"AT+QISEND", usize::MAX),
    // Payload in hexadecimal digits.
    (b"AT+QISENDEX", 1),
    (b"AT+QISTATE", usize::MAX),
    (b"AT+QURCCFG", usize::MAX),
];

/// What can be shown of a command, and whether that is not all of it.
fn shown(command: &[u8]) -> (&[u8], bool) {
    let command = command.trim_ascii_end();
    let Some(equals) = command.iter().position(|byte| *byte == b'=') else {
        return (command, false);
    };
    let name = command.get(..equals).unwrap_or_default();
    let known = SHOWN.iter().find(|(known, _)| *known == name);
    let commas = known.map_or(0, |(_, commas)| *commas);
    let mut left = commas;
    let last = command.iter().position(|byte| match byte {
        b'=' => left == 0,
        b',' => {
            left = left.saturating_sub(1);
            left == 0
        }
        _ => false,
    });
    match last.map(|last| command.split_at(last + 1)) {
        Some((head, rest)) => (head, !rest.is_empty()),
        None => (command, false),
    }
}

/// Text from the line. Neither ends the log's line nor controls a terminal.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0 {
            match byte {
                b'\\' => f.write_str("\\\\")?,
                b' '..=b'~' => fmt::Write::write_char(f, char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        Ok(())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Escaped<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        // The decoder escapes it.
        defmt::write!(f, "{=[u8]:a}", self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::{string::ToString, vec::Vec};

    use super::*;

    #[test]
    fn commands_are_shown_as_far_as_they_are_harmless() {
        for (command, head, hidden) in [
            ("AT\r", "AT", false),
            ("AT+CPIN?\r", "AT+CPIN?", false),
            ("AT+CPIN=1234\r", "AT+CPIN=", true),
            ("AT+QIRD=0,1500\r", "AT+QIRD=0,1500", false),
            (
                "AT+QICSGP=1,1,\"internet\",\"u\",\"p\",1\r",
                "AT+QICSGP=1,1,\"internet\",",
                true,
            ),
            (
                "AT+QICSGP=1,1,\"\",\"\",\"\",0\r",
                "AT+QICSGP=1,1,\"\",",
                true,
            ),
            ("AT+QICSGP=1\r", "AT+QICSGP=1", false),
            // A comma in the name: less is shown.
            (
                "AT+QICSGP=1,1,\"a,b=c\",\"u\",\"p\",1\r",
                "AT+QICSGP=1,1,\"a,",
                true,
            ),
            ("AT+QISENDEX=0,\"00FF\"\r", "AT+QISENDEX=0,", true),
            ("AT+QSSLCERT=\"secret\"\r", "AT+QSSLCERT=", true),
            ("\r", "", false),
        ] {
            let expected = (head.as_bytes(), hidden);
            assert_eq!(shown(command.as_bytes()), expected, "{command:?}");
        }
    }

    #[test]
    fn what_is_not_printable_is_escaped() {
        for (bytes, text) in [
            (&b"+CPIN: \"READY\"~"[..], "+CPIN: \"READY\"~"),
            (b"a\r\nOK", "a\\x0d\\x0aOK"),
            (b"\x1b[2J\x00\x7f\x80\xff", "\\x1b[2J\\x00\\x7f\\x80\\xff"),
            (b"\\x41", "\\\\x41"),
            ("\u{202e}".as_bytes(), "\\xe2\\x80\\xae"),
        ] {
            assert_eq!(Escaped(bytes).to_string(), text);
        }
        let all: Vec<u8> = (0..=255).collect();
        let shown = Escaped(&all).to_string();
        assert!(shown.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    }
}
