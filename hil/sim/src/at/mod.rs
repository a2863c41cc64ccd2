//! The AT layer: command lines in, framed answers out.
//!
//! [`parse`] reads a line, [`table`] finds the command, the chapters in [`crate::commands`] carry it
//! out, [`reply`] frames the answer, and [`channel`] keeps the order of all this on the serial line.

pub(crate) mod channel;
pub(crate) mod parse;
mod pipe;
pub(crate) mod reply;
pub(crate) mod table;
