//! The dialogue as a test checks it: in order, each side by itself, with times.

use std::fmt::{self, Write};

use crate::sim::Sim;
use crate::trace::{Direction, Traced};

/// The recorded dialogue, and how far it has been checked.
///
/// A failed check panics and shows the whole dialogue, with a line at the place reached. Bytes are
/// what was put on the line, before any fault of it. While the module's echo is on, it is part of
/// what the module says.
///
/// ```
/// use quectel_sim::Sim;
///
/// let mut sim = Sim::builder().build();
/// sim.exchange("ATE0\r", 50_000);
/// sim.exchange("AT+CSQ\r", 50_000);
///
/// let mut seen = sim.transcript();
/// seen.expect_command("ATE0");
/// seen.expect_answer("ATE0\r\r\nOK\r\n");
/// let asked = seen.expect_command("AT+CSQ");
/// let told = seen.expect_answer("\r\n+CSQ: 22,99\r\n");
/// assert!(told - asked < 20_000);
/// seen.expect_answer("\r\nOK\r\n");
/// seen.expect_end();
/// ```
#[derive(Debug, Clone)]
pub struct Transcript {
    turns: Vec<Traced>,
    /// The first turn that has not been checked to its end, and how much of it has.
    turn: usize,
    byte: usize,
}

impl Transcript {
    pub(crate) fn new(pieces: &[Traced]) -> Transcript {
        Transcript {
            turns: pieces.to_vec(),
            turn: 0,
            byte: 0,
        }
    }

    /// The next thing that the host sends is this command line, given without its `\r`. What the
    /// module says before is passed over. When it was sent, in µs.
    ///
    /// # Panics
    /// If it is another one, or none.
    #[track_caller]
    pub fn expect_command(&mut self, line: impl AsRef<[u8]>) -> u64 {
        self.expect_payload([line.as_ref(), b"\r"].concat())
    }

    /// The next bytes that the host sends are these. What the module says before is passed over. When
    /// the first was sent, in µs.
    ///
    /// # Panics
    /// If they are others, or none.
    #[track_caller]
    pub fn expect_payload(&mut self, bytes: impl AsRef<[u8]>) -> u64 {
        let bytes = bytes.as_ref();
        self.pass_over(Direction::ToHost);
        self.take(Direction::ToModule, bytes)
            .unwrap_or_else(|| self.fail("the host was to send", bytes))
    }

    /// The next bytes that the module sends, before the host sends any more, are these. When the first
    /// was put on the line, in µs.
    ///
    /// # Panics
    /// If they are others, or none.
    #[track_caller]
    pub fn expect_answer(&mut self, bytes: impl AsRef<[u8]>) -> u64 {
        let bytes = bytes.as_ref();
        self.take(Direction::ToHost, bytes)
            .unwrap_or_else(|| self.fail("the module was to say", bytes))
    }

    /// Passes everything over until the host has sent this command line, given without its `\r`. When
    /// it was sent, in µs.
    ///
    /// # Panics
    /// If it was not sent.
    #[track_caller]
    pub fn skip_to_command(&mut self, line: impl AsRef<[u8]>) -> u64 {
        let line = [line.as_ref(), b"\r"].concat();
        self.skip(Direction::ToModule, &line)
            .unwrap_or_else(|| self.fail("some time the host was to send", &line))
    }

    /// Passes everything over until the module has said this. When it was put on the line, in µs.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn skip_to_answer(&mut self, bytes: impl AsRef<[u8]>) -> u64 {
        let bytes = bytes.as_ref();
        self.skip(Direction::ToHost, bytes)
            .unwrap_or_else(|| self.fail("some time the module was to say", bytes))
    }

    /// From here on the host sends nothing that begins like this, wherever in its turn.
    ///
    /// # Panics
    /// If it does.
    #[track_caller]
    pub fn expect_no_command(&self, start: impl AsRef<[u8]>) {
        let start = start.as_ref();
        let mut rest = self.clone();
        if rest.skip(Direction::ToModule, start).is_some() {
            rest.fail("the host was never to send", start)
        }
    }

    /// Nothing follows.
    ///
    /// # Panics
    /// If something does.
    #[track_caller]
    pub fn expect_end(&self) {
        if self.turn < self.turns.len() {
            self.fail("nothing was to follow", b"")
        }
    }

    /// What both sides said in turn: pieces without a word of the other side between them are one.
    pub fn turns(&self) -> Vec<Traced> {
        let mut turns: Vec<Traced> = Vec::new();
        for piece in &self.turns {
            match turns.last_mut() {
                Some(last) if last.direction == piece.direction => last.bytes.extend(&piece.bytes),
                _ => turns.push(piece.clone()),
            }
        }
        turns
    }

    /// The unchecked rest of the turn reached.
    fn rest(&self) -> Option<(&Traced, &[u8])> {
        let turn = self.turns.get(self.turn)?;
        Some((turn, turn.bytes.get(self.byte..).unwrap_or_default()))
    }

    fn advance(&mut self, bytes: usize) {
        self.byte += bytes;
        if self
            .turns
            .get(self.turn)
            .is_some_and(|turn| self.byte >= turn.bytes.len())
        {
            (self.turn, self.byte) = (self.turn + 1, 0);
        }
    }

    fn pass_over(&mut self, direction: Direction) {
        while self
            .turns
            .get(self.turn)
            .is_some_and(|turn| turn.direction == direction)
        {
            (self.turn, self.byte) = (self.turn + 1, 0);
        }
    }

    /// Takes exactly these bytes of one side; nothing is taken if they are not next.
    fn take(&mut self, direction: Direction, mut bytes: &[u8]) -> Option<u64> {
        let before = (self.turn, self.byte);
        let mut at = None;
        while !bytes.is_empty() {
            let fits = self.rest().and_then(|(turn, rest)| {
                let n = rest.len().min(bytes.len());
                let fits = turn.direction == direction && rest[..n] == bytes[..n];
                fits.then_some((turn.at, n))
            });
            let Some((first, n)) = fits else {
                (self.turn, self.byte) = before;
                return None;
            };
            at = at.or(Some(first));
            bytes = &bytes[n..];
            self.advance(n);
        }
        at.or_else(|| self.rest().map(|(turn, _)| turn.at))
    }

    /// Passes over until these bytes of one side have been found and taken. They may stand anywhere in
    /// a module's turn, and at the beginning of one of the host's, or behind a line end in it.
    fn skip(&mut self, direction: Direction, bytes: &[u8]) -> Option<u64> {
        let before = (self.turn, self.byte);
        while let Some((turn, _)) = self.rest() {
            let starts = direction == Direction::ToHost || self.line_starts();
            if turn.direction == direction && starts {
                if let Some(at) = self.take(direction, bytes) {
                    return Some(at);
                }
                self.advance(1);
            } else if turn.direction == direction {
                self.advance(1);
            } else {
                self.pass_over(turn.direction);
            }
        }
        (self.turn, self.byte) = before;
        None
    }

    /// Whether what the host sends begins a line here.
    fn line_starts(&self) -> bool {
        let last = match self.byte.checked_sub(1) {
            Some(i) => self.turns.get(self.turn).and_then(|turn| turn.bytes.get(i)),
            None => {
                let before = self.turn.checked_sub(1).and_then(|i| self.turns.get(i));
                let same = before.filter(|turn| turn.direction == Direction::ToModule);
                same.and_then(|turn| turn.bytes.last())
            }
        };
        matches!(last, None | Some(b'\r' | b'\n'))
    }

    #[track_caller]
    fn fail(&self, what: &str, bytes: &[u8]) -> ! {
        panic!("{what}: {}\n{self}", bytes.escape_ascii())
    }
}

impl fmt::Display for Transcript {
    /// The turns, a line each, with the times in µs, and a line at the place reached.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, rest) = self.turns.split_at(self.turn);
        let mut done = done.to_vec();
        let mut rest = rest.to_vec();
        if let Some(turn) = rest.first_mut()
            && self.byte > 0
        {
            let tail = turn.bytes.split_off(self.byte);
            done.push(std::mem::replace(
                turn,
                Traced {
                    bytes: tail,
                    ..turn.clone()
                },
            ));
        }
        show(f, &done)?;
        writeln!(f, "------------ checked up to here")?;
        show(f, &rest)
    }
}

fn show(f: &mut fmt::Formatter<'_>, pieces: &[Traced]) -> fmt::Result {
    for turn in Transcript::new(pieces).turns() {
        writeln!(f, "{turn}")?;
    }
    Ok(())
}

impl Sim {
    /// The dialogue so far, to be checked; empty unless [`Config::trace`](crate::Config::trace) is set.
    pub fn transcript(&self) -> Transcript {
        Transcript::new(self.dialogue())
    }

    /// Checks the whole dialogue, turn by turn, in the form of `quectel-sim serve --trace` without its
    /// times.
    ///
    /// ```
    /// let mut sim = quectel_sim::Sim::builder().build();
    /// sim.exchange("AT\r", 50_000);
    /// sim.exchange("AT+QIOPEN=1,0\r", 50_000);
    /// sim.assert_dialogue(&[
    ///     r">> AT\r",
    ///     r"<< AT\r\r\nOK\r\n",
    ///     r">> AT+QIOPEN=1,0\r",
    ///     r"<< AT+QIOPEN=1,0\r\r\nERROR\r\n",
    /// ]);
    /// ```
    ///
    /// # Panics
    /// If it was another one.
    #[track_caller]
    pub fn assert_dialogue(&self, expected: &[&str]) {
        let turns = self.transcript().turns();
        let found = turns.iter().map(|turn| {
            let line = turn.to_string();
            line.trim_start()
                .split_once(' ')
                .map_or_else(String::new, |(_, text)| text.to_owned())
        });
        let found: Vec<String> = found.collect();
        let same = found
            .iter()
            .zip(expected)
            .take_while(|(a, b)| a == b)
            .count();
        if same < found.len() || same < expected.len() {
            let mut message = format!("another dialogue from turn {same}, counted from 0:\n");
            let none = "nothing";
            for (i, turn) in turns.iter().enumerate().take(same + 1) {
                let mark = if i < same { ' ' } else { '!' };
                let _ = writeln!(message, "{mark} {turn}");
            }
            let wanted = expected.get(same).unwrap_or(&none);
            let got = found.get(same).map_or(none, String::as_str);
            panic!("{message}expected: {wanted}\n   found: {got}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Content;
    use Direction::{ToHost, ToModule};

    fn transcript(pieces: &[(u64, Direction, &str)]) -> Transcript {
        let pieces: Vec<Traced> = pieces
            .iter()
            .map(|&(at, direction, text)| Traced {
                at,
                direction,
                content: Content::Dialogue,
                bytes: text.into(),
            })
            .collect();
        Transcript::new(&pieces)
    }

    fn sample() -> Transcript {
        transcript(&[
            (1, ToModule, "A"),
            (2, ToModule, "T\r"),
            (5, ToHost, "\r\nOK\r\n"),
            (9, ToHost, "\r\nRDY\r\n"),
            (20, ToModule, "AT+A\rAT+B=AT+C\r"),
            (30, ToHost, "\r\nERROR\r\n"),
        ])
    }

    #[test]
    fn pieces_join_and_split() {
        let mut seen = sample();
        assert_eq!(seen.expect_command("AT"), 1);
        assert_eq!(seen.expect_answer("\r\nOK"), 5);
        assert_eq!(seen.expect_answer("\r\n\r\nRDY\r\n"), 5);
        assert_eq!(seen.expect_command("AT+A"), 20);
        seen.expect_payload("AT+B");
        seen.expect_no_command("AT+C");
        assert_eq!(seen.skip_to_answer("ERROR"), 30);
        seen.expect_answer("\r\n");
        seen.expect_end();
    }

    #[test]
    fn commands_are_found_at_line_starts() {
        let mut seen = sample();
        assert_eq!(seen.skip_to_command("AT+B=AT+C"), 20);
        let mut seen = sample();
        assert_eq!(seen.skip_to_command("AT"), 1);
        assert!(sample().skip(ToModule, b"AT+C").is_none());
    }

    #[test]
    #[should_panic(
        expected = "the host was to send: AT+B\\r\n           1 >> AT\\r\n           5 \
        << \\r\\nOK\\r\\n\\r\\nRDY\\r\\n\n------------ checked up to here\n          20 >> AT+A\\r"
    )]
    fn a_failure_shows_where() {
        let mut seen = sample();
        seen.expect_command("AT");
        seen.expect_command("AT+B");
    }

    #[test]
    #[should_panic(expected = "the module was to say: \\r\\nOK\\r\\n")]
    fn an_answer_comes_before_the_next_command() {
        let mut seen = sample();
        seen.expect_command("AT");
        seen.skip_to_answer("RDY\r\n");
        seen.expect_answer("\r\nOK\r\n");
    }

    #[test]
    #[should_panic(expected = "the host was never to send: AT+A")]
    fn a_forbidden_command() {
        sample().expect_no_command("AT+A");
    }

    #[test]
    #[should_panic(expected = "nothing was to follow")]
    fn more_than_expected() {
        sample().expect_end();
    }
}
