//! BSD sockets for microcontrollers on the TCP/IP stack inside a Quectel
//! cellular module.
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

mod check_net;
mod config;
mod engine;
mod error;
mod family;
mod ring;
mod slot;
pub mod socket;
mod stack;
mod state;

pub use check_net::CheckNetwork;
pub use config::Config;
pub use engine::{Addresses, Counters, Engine, Fault, ModuleInfo, Network, SLOTS};
pub use error::{ConnectError, Failure, OpenError, RecvError, ResolveError, SendError, errno};
pub use family::Family;
pub use quectel_at_commands::{
    pdp::{Authentication, ContextType},
    text::{Apn, Credential, HostName, TextError},
};
pub use slot::{Handle, Slot};
pub use stack::{Port, Stack};
pub use state::SocketState;
