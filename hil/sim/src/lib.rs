//! A simulated Quectel cellular module.
//!
//! [`Sim`] is a module behind a serial line, as a state machine over bytes and time. What the host
//! sends is given to [`Sim::write`], what the module answers comes out of [`Sim::read`], and
//! [`Sim::run_until`] lets time pass. Nothing in here sleeps or looks at a clock, and all chance comes
//! from one seed: the same calls give the same bytes at the same times.
//!
//! Inside, the module has a real TCP/IP stack, and so has the network it talks to; they are joined by
//! a link with delay, loss and reordering. [`Sim::tcp_state`] tells the true state of a connection,
//! which a host can only infer. At the other end stand [`Peer`]s and [`UdpPeer`]s inside the simulator:
//! servers ([`Sim::serve`], [`Sim::serve_udp`]), clients of a module that listens ([`Sim::dial`]), and
//! datagrams from nowhere ([`Sim::send_datagram`]).
//!
//! Beside the data there are the other wires: the speeds of both ends ([`Sim::set_host_baud`],
//! `AT+IPR`), RTS and CTS ([`Sim::set_rts`], [`Sim::cts`]), DTR ([`Sim::set_dtr`]), and the pins
//! ([`Sim::set_power_key`], [`Sim::set_reset`], [`Sim::status`]). The network changes while the module
//! runs: registration ([`Sim::set_registration`]), contexts ([`Sim::drop_context`]), the link
//! ([`Sim::set_link`]); [`Sim::capture`] writes what passes on it to a file. All of that can be said in
//! text, too: [`Sim::control`].
//!
//! ```
//! use quectel_sim::{Config, Echo, Sim};
//!
//! let mut sim = Sim::new(Config::default());
//! sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
//! sim.write(b"AT\r");
//! sim.run_until(1_000_000);
//! let mut answer = [0; 64];
//! let n = sim.read(&mut answer);
//! assert_eq!(&answer[..n], b"AT\r\r\nOK\r\n");
//! ```
#![forbid(unsafe_code)]

mod at;
mod background;
mod builder;
mod changes;
mod commands;
mod config;
mod control;
mod describe;
mod dns;
mod expect;
mod fault;
mod faults;
mod hardware;
mod line;
mod module;
mod name_server;
mod net;
mod plan;
mod profile;
mod reception;
mod rng;
mod sim;
mod switches;
mod trace;
mod transcript;
mod uart;
mod wires;

pub use at::table::Coverage;
pub use builder::Builder;
pub use commands::qicfg::OptionSet;
pub use commands::{CommandInfo, commands};
pub use config::{Boot, Cellular, Config, SimCard};
pub use control::ControlError;
pub use fault::{Fault, FaultError};
pub use faults::{Damage, Incident, Mishap, Part, Place, Storm, Times, UrcPlace, When};
pub use hardware::{Pins, Serial};
pub use line::LineFault;
pub use net::{
    Answer, Echo, Ending, Internet, Link, NtpServer, Peer, PeerIo, Record, Recorded, Recording,
    ResetAfter, Sink, Source, Tap, TcpSocket, TcpState, Then, UdpIo, UdpPeer, Unbound,
};
pub use plan::Plan;
pub use profile::{
    CloseAnswer, CloseOpening, CloseTimeout, ClosedUrc, CmeForm, CommandSet, EscapeAnswer,
    LineEcho, PayloadUrcs, Profile, Prompt, QirdTail, RecvUrc, Rows, SendTimeout,
};
pub use sim::Sim;
pub use switches::Switch;
pub use trace::{Content, Direction, Traced};
pub use transcript::Transcript;
pub use uart::{Stuck, Uart};

#[doc = include_str!("library.md")]
pub mod library {}

/// The example in the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
