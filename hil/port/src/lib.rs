//! The serial line of a PC to a module, for [`quectel_sockets`]: a serial
//! device, a pseudo-terminal or a serial server on the network.
//!
//! | what is opened | is |
//! |---|---|
//! | `/dev/ttyUSB2`, `/dev/ttyS0`, `/dev/serial/by-id/…` | a serial device |
//! | `/dev/pts/3` | a pseudo-terminal, such as that of a simulated module |
//! | `tcp:HOST:PORT`, `tcp:[::1]:PORT` | a serial server, such as ser2net or a simulated module |
//!
//! ```no_run
//! use quectel_port::{FlowControl, PcPort, Settings};
//! use quectel_sockets::{Config, Slot, Stack};
//!
//! let settings = Settings {
//!     baud: 921_600,
//!     flow_control: FlowControl::RtsCts,
//!     ..Settings::default()
//! };
//! let port = PcPort::open("/dev/ttyUSB2", &settings)?;
//! let (mut rx, mut tx) = ([0; 4096], [0; 1460]);
//! let mut slots = [Slot::new(&mut rx, &mut tx)];
//! let stack = Stack::new(port, &mut slots, Config::default());
//! stack.poll()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With the feature `asynch`, `AsyncPort` makes such a port, or any other, fit
//! [`quectel_sockets::asynch`], and is an executor for a PC.
//!
//! # When the port goes away
//! A device that is unplugged and a server that closes the connection are a
//! [`PortError`], once and ever after. A module on USB goes away whenever it
//! restarts; its path can change then, `/dev/serial/by-id/…` does not.
//!
//! # Platforms
//! Linux. It is written for macOS as well, but was never run there.
#![forbid(unsafe_code)]

#[cfg(not(unix))]
compile_error!("quectel-port is for Linux and macOS only");

#[cfg(feature = "asynch")]
mod asynch;
mod device;
mod error;
mod holders;
mod list;
mod port;
mod tcp;

#[cfg(feature = "asynch")]
pub use asynch::{AsyncPort, PortClock, Rx, Tx};
pub use error::{OpenError, PortError, Reason};
pub use holders::Holder;
pub use list::{FoundPort, ports};
pub use port::PcPort;

use std::time::Duration;

/// How a port is opened.
///
/// ```
/// use quectel_port::Settings;
///
/// let settings = Settings { baud: 460_800, ..Settings::default() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Rate of a serial device, in bits a second, with 8 data bits, no parity
    /// and 1 stop bit; 115200 by default. A serial server has its own.
    pub baud: u32,
    /// Of a serial device; none by default. A serial server has its own.
    pub flow_control: FlowControl,
    /// Longest wait for a serial server, for each of its addresses; 5 s by
    /// default.
    pub connect_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            baud: 115_200,
            flow_control: FlowControl::None,
            connect_timeout: Duration::from_secs(5),
        }
    }
}

/// Who holds back bytes that the other side cannot take yet.
///
/// ```
/// assert_eq!(quectel_port::FlowControl::default(), quectel_port::FlowControl::None);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FlowControl {
    /// Nobody: TX, RX and ground are enough.
    #[default]
    None,
    /// The lines RTS and CTS. The module has to be told as well: `AT+IFC=2,2`.
    RtsCts,
}
