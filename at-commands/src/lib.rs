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
//! - `atat-ingress`: `QuectelDigester`, for atat's own `Ingress` and clients.
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

/// Every line of a multi-row answer through `parse`.
fn rows<T, const N: usize>(
    answer: &[u8],
    parse: fn(&[u8]) -> Option<T>,
) -> Result<heapless::Vec<T, N>, ()> {
    let mut rows = heapless::Vec::new();
    for line in answer.split(|b| *b == b'\n').map(<[u8]>::trim_ascii) {
        if !line.is_empty() {
            rows.push(parse(line).ok_or(())?).map_err(|_| ())?;
        }
    }
    Ok(rows)
}
