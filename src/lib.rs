//! BSD sockets for microcontrollers on the TCP/IP stack inside a Quectel
//! cellular module. No allocator, no unsafe code.
//!
//! [`Engine`] is the driver: a state machine over bytes and time that touches
//! no UART. [`Stack`] joins it to a [`Port`], a serial line with a clock, and
//! offers the calls of Python's and QuecPython's `socket`: see [`socket`].
//! The module `nb` is for loops that never wait, `asynch` for tasks on an
//! executor. Which one to use, how to come from another crate and what to do
//! when something breaks: the module `guide`, which is there with the features
//! `asynch` and `nb` together.
//!
//! # Errors and recovery
//! - An operation's error names what failed and has an `errno()`. The socket
//!   can be closed, and a new one opened, after every error.
//! - An answer that is missing or damaged starts a resynchronisation: the
//!   sockets whose data was touched fail with [`Failure::LineDamaged`], the
//!   others go on.
//! - [`Failure::Restarted`] and [`Failure::ContextLost`] end every connection;
//!   the set-up runs again by itself, or when you say so ([`Policy`]).
//! - A module that no longer answers is restarted: `AT+CFUN=1,1`, then its
//!   reset pin. [`Event`] tells of each of these.
//! - [`Stack::fault`] is final: the serial port failed.
//!
//! # Features
//! None is on by default, each only adds, and any of them go together.
//! - `asynch`: the module `asynch`, for tasks that await sockets.
//! - `defmt`: `defmt::Format` for the public types, and the [`trace`] by
//!   defmt's macros.
//! - `log`: the [`trace`] through the crate `log`.
//! - `nb`: the module [`nb`], the traits of embedded-nal 0.9 for super-loops
//!   and RTIC.
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

/// The programs in the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

#[cfg(feature = "asynch")]
pub mod asynch;
mod check_net;
mod config;
mod datagram;
mod engine;
mod error;
mod family;
#[cfg(all(feature = "asynch", feature = "nb"))]
pub mod guide;
#[cfg(feature = "nb")]
pub mod nb;
mod ring;
#[cfg(feature = "asynch")]
mod runner;
mod slot;
pub mod socket;
mod stack;
mod state;
pub mod trace;

pub use check_net::CheckNetwork;
pub use config::{Config, Policy};
pub use datagram::DATAGRAM_HEADER;
pub use engine::{
    Addresses, Counters, Engine, Event, Fault, ModuleInfo, Network, Readiness, Received, SLOTS,
};
pub use error::{
    AcceptError, ConnectError, Failure, OpenError, RecvError, ResolveError, SendError, errno,
};
pub use family::Family;
pub use quectel_at_commands::{
    TcpIpError,
    pdp::{Authentication, ContextType},
    settings::PortName,
    text::{Apn, Credential, HostName, TextError},
};
pub use slot::{Handle, Slot};
pub use stack::{Port, Stack};
pub use state::{SocketState, StateTable};
