//! What is fuzzed: functions that take an input, and panic if something is wrong.
//!
//! An input is a dialogue with the time between its pieces. Bytes below 0x80 stand for themselves;
//! the others are operations, so that a seed reads almost as what is on the line.

pub mod engine;
pub mod simulator;

/// An input, taken from the front.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next byte, or 0 behind the end.
    fn number(&mut self) -> u64 {
        self.byte().unwrap_or(0).into()
    }

    /// The bytes that stand for themselves from here on.
    fn text(&mut self) -> &[u8] {
        let n = self.0.iter().take_while(|byte| byte.is_ascii()).count();
        let (text, rest) = self.0.split_at(n);
        self.0 = rest;
        text
    }
}
