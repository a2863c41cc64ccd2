//! The one error type of the `nb` face.

use core::fmt;

use embedded_io::ErrorKind;
use embedded_nal::{TcpError, TcpErrorKind};

use crate::{
    error::{
        About, AcceptError, ConnectError, OpenError, RecvError, ResolveError, SendError, errno,
        error_traits,
    },
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
    const fn about(self) -> About {
        match self {
            Self::Open(error) => error.about(),
            Self::Connect(error) => error.about(),
            Self::Accept(error) => error.about(),
            Self::Send(error) => error.about(),
            Self::Receive(error) => error.about(),
            Self::Resolve(error) => error.about(),
            Self::Ended => (
                errno::EPIPE,
                ErrorKind::BrokenPipe,
                "the peer has closed the connection",
            ),
            Self::Truncated { .. } => (
                errno::EMSGSIZE,
                ErrorKind::InvalidInput,
                "the datagram was longer than the buffer",
            ),
            Self::Busy => (
                errno::EBUSY,
                ErrorKind::Other,
                "the stack is in use by the calling code",
            ),
            Self::NotSupported => (
                errno::EOPNOTSUPP,
                ErrorKind::Unsupported,
                "modules do not resolve addresses",
            ),
        }
    }
}

error_traits!(Error);

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
