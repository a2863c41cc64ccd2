//! What goes over the wire between a host and a Quectel cellular module: AT
//! commands, replies, unsolicited result codes, and the [`framer`] that cuts
//! the module's bytes into them. There is no I/O and no state machine of
//! sockets here; `quectel-sockets` is built on this.
//!
//! Commands are [atat] types, one module per chapter of the manual:
//! [`general`], [`sim`], [`network`], [`pdp`], [`dns`], [`tcp`],
//! [`settings`].
//!
//! ```
//! use quectel_at_commands::{Command, sim::GetSimState};
//! let mut buffer = [0; quectel_at_commands::LONGEST];
//! let n = GetSimState {}.render(&mut buffer).unwrap();
//! assert_eq!(&buffer[..n], b"AT+CPIN?\r");
//! ```
//!
//! # Features
//! - `atat-ingress`: `digester::QuectelDigester`, for atat's own `Ingress` and
//!   clients.
//! - `defmt`: `defmt::Format` for the public types.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::string_slice
    )
)]

#[cfg(test)]
extern crate std;

mod command;
#[cfg(feature = "atat-ingress")]
pub mod digester;
pub mod dns;
pub mod fields;
pub mod framer;
pub mod general;
pub mod network;
pub mod pdp;
pub mod result;
pub mod settings;
pub mod sim;
pub mod tcp;
pub mod text;
pub mod urc;

pub use command::{BufferFull, Command, LONGEST};
pub use framer::{Expect, Framer, Token, Trailer};
pub use result::{CmeError, ResultCode, TcpIpError};
pub use urc::Urc;

/// The lines of an answer that atat hands over in one piece. Besides rows it
/// can hold URCs that are not known here; they are for the reader to skip.
fn lines(answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    answer
        .split(|b| matches!(b, b'\r' | b'\n'))
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
}

/// The answer of one row: the last line that `parse` takes.
fn row<T>(answer: &[u8], parse: impl Fn(&[u8]) -> Option<T>) -> Result<T, ()> {
    lines(answer).filter_map(parse).last().ok_or(())
}

/// Every row of a multi-row answer.
///
/// # Errors
/// A row that `parse` refuses, or more than `N` rows.
fn rows<T, const N: usize>(
    answer: &[u8],
    prefix: &str,
    parse: fn(&[u8]) -> Option<T>,
) -> Result<heapless::Vec<T, N>, ()> {
    let mut rows = heapless::Vec::new();
    for line in lines(answer).filter(|line| line.starts_with(prefix.as_bytes())) {
        rows.push(parse(line).ok_or(())?).map_err(|_| ())?;
    }
    Ok(rows)
}
