//! The `socket` face: the calls of Python's and QuecPython's `socket`, in
//! Rust. Blocking with time-outs, or not blocking at all.
//!
//! ```
//! use quectel_sockets::{Port, Stack, socket::{AF_INET, Error, IPPROTO_TCP, SOCK_STREAM}};
//!
//! fn fetch(stack: &Stack<'_, impl Port>, answer: &mut [u8]) -> Result<usize, Error> {
//!     let mut sock = stack.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)?;
//!     sock.settimeout(Some(30.0))?;
//!     sock.connect(("example.com", 80))?;
//!     sock.sendall(b"GET / HTTP/1.0\r\n\r\n")?;
//!     let n = sock.read(answer)?.unwrap_or(0);
//!     sock.close()?;
//!     Ok(n)
//! }
//! ```

#[doc = include_str!("python.md")]
pub mod python {}

mod address;
mod connection;
mod error;
mod file;
mod options;
mod transfer;

use core::net::SocketAddr;

pub use self::address::{AddrInfo, AddrInfos, Address, Hints};
pub use self::connection::{SHUT_RD, SHUT_RDWR, SHUT_WR, Shutdown};
pub use self::error::Error;
pub use self::file::{File, Mode};
pub use self::options::{OptionValue, SO_REUSEADDR, SOL_SOCKET, TCP_KEEPALIVE};
pub use self::transfer::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT};
pub use crate::engine::Received;
use crate::{
    error::{OpenError, errno},
    slot::Handle,
    stack::{Port, Stack},
    state::SocketState,
};

/// Address family of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Family {
    /// `AF_INET`: IPv4
    Inet = 2,
    /// `AF_INET6`: IPv6
    Inet6 = 10,
}

/// Type of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Type {
    /// `SOCK_STREAM`: TCP
    Stream = 1,
    /// `SOCK_DGRAM`: UDP
    Datagram = 2,
    /// `SOCK_RAW`: not offered by modules
    Raw = 3,
}

/// Protocol of a socket; [`Protocol::DEFAULT`] goes with every type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Protocol(pub u8);

impl Protocol {
    /// What goes with the type.
    pub const DEFAULT: Self = Self(0);
}

/// IPv4
pub const AF_INET: Family = Family::Inet;
/// IPv6
pub const AF_INET6: Family = Family::Inet6;
/// TCP
pub const SOCK_STREAM: Type = Type::Stream;
/// UDP
pub const SOCK_DGRAM: Type = Type::Datagram;
/// Raw: not offered by modules
pub const SOCK_RAW: Type = Type::Raw;
/// TCP
pub const IPPROTO_TCP: Protocol = Protocol(6);
/// UDP
pub const IPPROTO_UDP: Protocol = Protocol(17);
/// TCP whose local port will be bound; QuecPython's server sockets. Here
/// every socket can be bound, so it means the same as [`IPPROTO_TCP`].
pub const IPPROTO_TCP_SER: Protocol = Protocol(7);
/// A local port will be bound; QuecPython's clients with a port of their own.
/// Here every socket can be bound, so it means the type's own protocol.
pub const TCP_CUSTOMIZE_PORT: Protocol = Protocol(8);

/// The protocol that a socket of this type has.
const fn protocol(kind: Type, proto: Protocol) -> Result<Protocol, Error> {
    match (kind, proto.0) {
        (Type::Stream, 0 | 6 | 7 | 8) => Ok(IPPROTO_TCP),
        (Type::Datagram, 0 | 17 | 8) => Ok(IPPROTO_UDP),
        (Type::Raw, _) => Err(Error::NotSupported(errno::ESOCKTNOSUPPORT)),
        _ => Err(Error::NotSupported(errno::EPROTONOSUPPORT)),
    }
}

/// How long a call may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Forever,
    /// Milliseconds; 0 is a non-blocking socket.
    Ms(u64),
}

impl Patience {
    /// Seconds, `None` for ever.
    fn of(seconds: Option<f32>) -> Result<Self, Error> {
        match seconds {
            None => Ok(Self::Forever),
            Some(seconds) if seconds >= 0.0 => {
                // Saturates; a time-out above 0 must not become 0.
                let ms = (seconds * 1_000.0) as u64;
                Ok(Self::Ms(if seconds > 0.0 { ms.max(1) } else { 0 }))
            }
            Some(_) => Err(Error::InvalidArgument),
        }
    }

    fn until(self, now: u64) -> u64 {
        match self {
            Self::Forever => u64::MAX,
            Self::Ms(ms) => now.saturating_add(ms),
        }
    }
}

/// Extra time for `close` beyond linger and `AT+QICLOSE`.
const CLOSE_MS: u64 = 30_000;

impl<'a, P: Port> Stack<'a, P> {
    /// `socket.socket(af, type, proto)`.
    ///
    /// If every slot is in use, but one of them by a connection that is just
    /// being closed, waits for that one.
    ///
    /// # Errors
    /// [`OpenError::NoSlot`]; [`Error::NotSupported`] for what the module
    /// does not have: `SOCK_RAW` (ESOCKTNOSUPPORT), an address family that
    /// the context does not have (EAFNOSUPPORT), a protocol that does not go
    /// with the type (EPROTONOSUPPORT).
    pub fn socket(
        &self,
        family: Family,
        kind: Type,
        proto: Protocol,
    ) -> Result<Socket<'_, 'a, P>, Error> {
        protocol(kind, proto)?;
        if !self.core()?.engine.has_family(family == AF_INET6) {
            return Err(Error::NotSupported(errno::EAFNOSUPPORT));
        }
        // Sockets that were just dropped give their slots back.
        self.step()?;
        let handle = self.wait(Patience::Ms(CLOSE_MS), |stack| {
            let engine = &mut stack.core()?.engine;
            let socket = match kind {
                Type::Datagram => engine.udp_socket(),
                _ => engine.tcp_socket(),
            };
            match socket {
                Err(OpenError::NoSlot) if engine.is_closing_any() => Err(nb::Error::WouldBlock),
                other => other.map_err(|error| nb::Error::Other(error.into())),
            }
        });
        let handle = handle.map_err(|error| match error {
            Error::TimedOut => Error::Open(OpenError::NoSlot),
            other => other,
        })?;
        Ok(Socket::new(self, handle, family, kind))
    }

    /// Steps until `ready` no longer would block, or patience is over.
    fn wait<T>(
        &self,
        patience: Patience,
        mut ready: impl FnMut(&Self) -> nb::Result<T, Error>,
    ) -> Result<T, Error> {
        let deadline = patience.until(self.now()?);
        loop {
            // First look without a step: a socket that has data need not
            // move bytes.
            match ready(self) {
                Ok(value) => return Ok(value),
                Err(nb::Error::Other(error)) => return Err(error),
                Err(nb::Error::WouldBlock) => {}
            }
            let now = self.step()?;
            match ready(self) {
                Ok(value) => return Ok(value),
                Err(nb::Error::Other(error)) => return Err(error),
                Err(nb::Error::WouldBlock) if patience == Patience::Ms(0) => {
                    return Err(Error::WouldBlock);
                }
                Err(nb::Error::WouldBlock) if now >= deadline => return Err(Error::TimedOut),
                Err(nb::Error::WouldBlock) => self.idle(deadline)?,
            }
        }
    }
}

fn convert<E: Into<Error>>(error: nb::Error<E>) -> nb::Error<Error> {
    error.map(Into::into)
}

/// A TCP or UDP socket. Dropping it closes it as [`close`](Self::close) does,
/// in the steps of later calls on the stack.
#[derive(Debug)]
pub struct Socket<'s, 'a, P: Port> {
    stack: &'s Stack<'a, P>,
    /// `None` after `close`.
    handle: Option<Handle>,
    family: Family,
    kind: Type,
    patience: Patience,
}

impl<'s, 'a, P: Port> Socket<'s, 'a, P> {
    const fn new(stack: &'s Stack<'a, P>, handle: Handle, family: Family, kind: Type) -> Self {
        Self {
            stack,
            handle: Some(handle),
            family,
            kind,
            patience: Patience::Forever,
        }
    }

    fn handle(&self) -> Result<Handle, Error> {
        self.handle.ok_or(Error::Open(OpenError::BadHandle))
    }

    /// What is left of the patience of a call that began at `started`.
    fn patience_left(&self, started: u64) -> Result<Patience, Error> {
        Ok(match self.patience {
            Patience::Ms(ms) if ms > 0 => {
                let spent = self.stack.now()?.saturating_sub(started);
                Patience::Ms(ms.saturating_sub(spent).max(1))
            }
            other => other,
        })
    }

    /// `socket.settimeout(value)`: seconds that a call may wait, `None` for
    /// any time, 0 for not at all.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if negative or not a number.
    pub fn settimeout(&mut self, seconds: Option<f32>) -> Result<(), Error> {
        self.patience = Patience::of(seconds)?;
        Ok(())
    }

    /// `socket.setblocking(flag)`: `settimeout(None)` or `settimeout(0)`.
    pub fn setblocking(&mut self, blocking: bool) {
        self.patience = if blocking {
            Patience::Forever
        } else {
            Patience::Ms(0)
        };
    }

    /// `socket.getsocketsta()`: the [`SocketState`]'s number, -1 after
    /// `close`.
    pub fn getsocketsta(&mut self) -> i8 {
        self.state().map_or(-1, |state| state as i8)
    }

    /// The state of the socket; `None` after `close`.
    pub fn state(&mut self) -> Option<SocketState> {
        let handle = self.handle?;
        // Inside another call on the stack nothing can be learnt.
        let _ = self.stack.poll();
        let mut core = self.stack.core().ok()?;
        // A handle that went stale while only TIME_WAIT was left.
        Some(core.engine.state(handle).unwrap_or_default())
    }

    /// `socket.fileno()`: the number of the socket's slot, -1 after `close`.
    pub fn fileno(&self) -> i16 {
        self.handle.map_or(-1, |handle| i16::from(handle.index))
    }

    /// `socket.getpeername()`
    ///
    /// # Errors
    /// [`OpenError::NotConnected`]
    pub fn getpeername(&self) -> Result<SocketAddr, Error> {
        let handle = self.handle()?;
        let remote = self.stack.core()?.engine.remote(handle);
        Ok(remote.ok_or(OpenError::NotConnected)?)
    }

    /// `socket.getsockname()`: the module's address in the context, and the
    /// local port; 0 while the module has not told it.
    ///
    /// # Errors
    /// [`OpenError::NotConnected`] while the context is down.
    pub fn getsockname(&self) -> Result<SocketAddr, Error> {
        let handle = self.handle()?;
        let local = self.stack.core()?.engine.local(handle);
        Ok(local.ok_or(OpenError::NotConnected)?)
    }
}

impl<P: Port> Drop for Socket<'_, '_, P> {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            self.stack.drop_socket(handle);
        }
    }
}

/// What stream methods of Python return instead of EAGAIN.
fn none_if_blocking(result: Result<usize, Error>) -> Result<Option<usize>, Error> {
    match result {
        Ok(n) => Ok(Some(n)),
        Err(Error::WouldBlock) => Ok(None),
        Err(error) => Err(error),
    }
}
