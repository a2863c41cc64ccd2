//! The one error type of the `nb` face.

use core::fmt;

use embedded_io::ErrorKind;
use embedded_nal::{TcpError, TcpErrorKind};

use crate::{
    error::{AcceptError, ConnectError, OpenError, RecvError, ResolveError, SendError, errno},
    socket,
};

/// What went wrong; [`errno`](Self::errno) gives Linux's number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Error {
    /// `socket`: no slot is free.
    Open(OpenError),
    /// `connect`, `bind`, `listen`
    Connect(ConnectError),
    /// `accept`
    Accept(AcceptError),
    /// `send`, `send_to`, `close`
    Send(SendError),
    /// `receive`
    Receive(RecvError),
    /// `get_host_by_name`
    Resolve(ResolveError),
    /// `receive`: the peer has closed and everything before that was
    /// received.
    Ended,
    /// `receive`: the datagram was longer than the buffer or the receive
    /// ring. The buffer holds its first `len` bytes, the rest is lost.
    Truncated {
        /// Bytes that were copied.
        len: usize,
        /// Bytes that the datagram had.
        whole: usize,
    },
    /// Called from inside another call on the same stack.
    Busy,
    /// `get_host_by_address`: modules do not resolve addresses.
    NotSupported,
}

impl Error {
    /// The errno, as Linux numbers it.
    pub const fn errno(self) -> i32 {
        match self {
            Self::Open(error) => error.errno(),
            Self::Connect(error) => error.errno(),
            Self::Accept(error) => error.errno(),
            Self::Send(error) => error.errno(),
            Self::Receive(error) => error.errno(),
            Self::Resolve(error) => error.errno(),
            Self::Ended => errno::EPIPE,
            Self::Truncated { .. } => errno::EMSGSIZE,
            Self::Busy => errno::EBUSY,
            Self::NotSupported => errno::EOPNOTSUPP,
        }
    }
}

impl TcpError for Error {
    /// `PipeClosed` if the connection has ended, in whatever way, and a new
    /// one is needed.
    fn kind(&self) -> TcpErrorKind {
        match self {
            Self::Ended
            | Self::Send(SendError::Closed | SendError::Failed(_))
            | Self::Receive(RecvError::Failed(_)) => TcpErrorKind::PipeClosed,
            _ => TcpErrorKind::Other,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Connect(error) => error.fmt(f),
            Self::Accept(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Receive(error) => error.fmt(f),
            Self::Resolve(error) => error.fmt(f),
            Self::Ended => f.write_str("the peer has closed the connection"),
            Self::Truncated { .. } => f.write_str("the datagram was longer than the buffer"),
            Self::Busy => f.write_str("the stack is in use by the calling code"),
            Self::NotSupported => f.write_str("not supported by the module"),
        }
    }
}

impl core::error::Error for Error {}

impl embedded_io::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Open(error) => error.kind(),
            Self::Connect(error) => error.kind(),
            Self::Accept(error) => error.kind(),
            Self::Send(error) => error.kind(),
            Self::Receive(error) => error.kind(),
            Self::Resolve(error) => error.kind(),
            Self::Ended => ErrorKind::BrokenPipe,
            Self::Truncated { .. } => ErrorKind::InvalidInput,
            Self::Busy => ErrorKind::Other,
            Self::NotSupported => ErrorKind::Unsupported,
        }
    }
}

/// All that the stack itself, apart from its sockets, can say.
pub(super) fn busy(_: socket::Error) -> Error {
    Error::Busy
}

macro_rules! from {
    ($($error:ident => $variant:ident),+) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )+};
}
from!(OpenError => Open, ConnectError => Connect, AcceptError => Accept, SendError => Send, RecvError => Receive, ResolveError => Resolve);
