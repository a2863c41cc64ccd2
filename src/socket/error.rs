//! The one error type of the `socket` face.

use core::fmt;

use crate::error::{
    AcceptError, ConnectError, OpenError, RecvError, ResolveError, SendError, errno,
};

/// What went wrong; [`errno`](Self::errno) gives the number that Python
/// programs compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Error {
    /// No slot, or a stale handle.
    Open(OpenError),
    /// `connect`, `bind`, `listen`
    Connect(ConnectError),
    /// `accept`
    Accept(AcceptError),
    /// `send`, `sendall`, `write`
    Send(SendError),
    /// `recv`, `read`, …
    Recv(RecvError),
    /// `getaddrinfo`
    Resolve(ResolveError),
    /// The socket's own time-out.
    TimedOut,
    /// A call on a non-blocking socket would have to wait.
    WouldBlock,
    /// A non-blocking connect was started.
    InProgress,
    /// Called from inside another call on the same stack.
    Busy,
    /// A number out of range: time-out below 0 or not a number, size.
    InvalidArgument,
    /// The module does not have this: the errno says what.
    NotSupported(i32),
}

impl Error {
    /// The errno, as Linux and QuecPython number it.
    pub const fn errno(self) -> i32 {
        match self {
            Self::Open(error) => error.errno(),
            Self::Connect(error) => error.errno(),
            Self::Accept(error) => error.errno(),
            Self::Send(error) => error.errno(),
            Self::Recv(error) => error.errno(),
            Self::Resolve(error) => error.errno(),
            Self::TimedOut => errno::ETIMEDOUT,
            Self::WouldBlock => errno::EAGAIN,
            Self::InProgress => errno::EINPROGRESS,
            Self::Busy => errno::EBUSY,
            Self::InvalidArgument => errno::EINVAL,
            Self::NotSupported(errno) => errno,
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
            Self::Recv(error) => error.fmt(f),
            Self::Resolve(error) => error.fmt(f),
            Self::TimedOut => f.write_str("timed out"),
            Self::WouldBlock => f.write_str("the call would block"),
            Self::InProgress => f.write_str("the connect is in progress"),
            Self::Busy => f.write_str("the stack is in use by the calling code"),
            Self::InvalidArgument => f.write_str("argument out of range"),
            Self::NotSupported(_) => f.write_str("not supported by the module"),
        }
    }
}

impl core::error::Error for Error {}

impl embedded_io::Error for Error {
    fn kind(&self) -> embedded_io::ErrorKind {
        use embedded_io::ErrorKind;
        match self {
            Self::Open(error) => error.kind(),
            Self::Connect(error) => error.kind(),
            Self::Accept(error) => error.kind(),
            Self::Send(error) => error.kind(),
            Self::Recv(error) => error.kind(),
            Self::Resolve(error) => error.kind(),
            Self::TimedOut => ErrorKind::TimedOut,
            Self::InvalidArgument => ErrorKind::InvalidInput,
            Self::NotSupported(_) => ErrorKind::Unsupported,
            Self::WouldBlock | Self::InProgress | Self::Busy => ErrorKind::Other,
        }
    }
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
from!(OpenError => Open, ConnectError => Connect, AcceptError => Accept, SendError => Send, RecvError => Recv, ResolveError => Resolve);
