//! Errors, one small enum per operation, each with the errno that users of
//! Python's `socket` know and the kind that embedded-io knows.

use core::fmt;

use embedded_io::ErrorKind;
use quectel_at_commands::{TcpIpError, text::TextError};

/// Linux errno numbers, as QuecPython has them.
pub mod errno {
    /// Input/output error
    pub const EIO: i32 = 5;
    /// The socket is closed or its handle stale
    pub const EBADF: i32 = 9;
    /// Try again; also EWOULDBLOCK
    pub const EAGAIN: i32 = 11;
    /// Called from inside another call on the same stack
    pub const EBUSY: i32 = 16;
    /// No such device: the module is lost
    pub const ENODEV: i32 = 19;
    /// Invalid argument
    pub const EINVAL: i32 = 22;
    /// Too many open sockets
    pub const EMFILE: i32 = 24;
    /// The peer takes no more data
    pub const EPIPE: i32 = 32;
    /// No destination address
    pub const EDESTADDRREQ: i32 = 89;
    /// Datagram too long
    pub const EMSGSIZE: i32 = 90;
    /// No such option
    pub const ENOPROTOOPT: i32 = 92;
    /// The protocol does not go with the type
    pub const EPROTONOSUPPORT: i32 = 93;
    /// Type not supported
    pub const ESOCKTNOSUPPORT: i32 = 94;
    /// Operation not supported
    pub const EOPNOTSUPP: i32 = 95;
    /// Address family not supported
    pub const EAFNOSUPPORT: i32 = 97;
    /// Local port in use
    pub const EADDRINUSE: i32 = 98;
    /// Not an address of this module
    pub const EADDRNOTAVAIL: i32 = 99;
    /// The PDP context was lost
    pub const ECONNABORTED: i32 = 103;
    /// Reset by the peer, or the module restarted
    pub const ECONNRESET: i32 = 104;
    /// No memory in the module
    pub const ENOBUFS: i32 = 105;
    /// Connected already
    pub const EISCONN: i32 = 106;
    /// Not connected
    pub const ENOTCONN: i32 = 107;
    /// Timed out
    pub const ETIMEDOUT: i32 = 110;
    /// Refused
    pub const ECONNREFUSED: i32 = 111;
    /// No network
    pub const EHOSTUNREACH: i32 = 113;
    /// An earlier connect still runs
    pub const EALREADY: i32 = 114;
    /// Started, not finished
    pub const EINPROGRESS: i32 = 115;
    /// getaddrinfo: the name does not resolve (`EAI_NONAME`)
    pub const EAI_NONAME: i32 = -2;
}

/// Why a connection, or all of them, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Failure {
    /// The module has no such connection any more: reset by the peer.
    Reset,
    /// The module restarted by itself.
    Restarted,
    /// The network dropped the PDP context.
    ContextLost,
    /// The serial line lost or doubled bytes inside this socket's data.
    /// Nothing of the damaged block was delivered.
    LineDamaged,
    /// The module no longer answers, or not what it was asked.
    ModuleLost,
}

/// `errno()`, `Display`, `Error` and `embedded_io::Error` from `about`.
macro_rules! error_traits {
    ($($name:ident),+) => {$(
        impl $name {
            /// The errno, as Linux numbers it.
            pub const fn errno(self) -> i32 {
                self.about().0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.about().2)
            }
        }

        impl core::error::Error for $name {}

        impl embedded_io::Error for $name {
            fn kind(&self) -> ErrorKind {
                self.about().1
            }
        }
    )+};
}
#[cfg(feature = "nb")]
pub(crate) use error_traits;
error_traits!(
    Failure,
    OpenError,
    AcceptError,
    ConnectError,
    SendError,
    RecvError,
    ResolveError
);

/// errno, kind and text of an error.
pub(crate) type About = (i32, ErrorKind, &'static str);

impl Failure {
    pub(crate) const fn about(self) -> About {
        match self {
            Self::Reset => (
                errno::ECONNRESET,
                ErrorKind::ConnectionReset,
                "the connection was reset by the peer",
            ),
            Self::Restarted => (
                errno::ECONNRESET,
                ErrorKind::ConnectionReset,
                "the module restarted",
            ),
            Self::ContextLost => (
                errno::ECONNABORTED,
                ErrorKind::ConnectionAborted,
                "the network dropped the PDP context",
            ),
            Self::LineDamaged => (
                errno::EIO,
                ErrorKind::Other,
                "the serial line lost or doubled bytes",
            ),
            Self::ModuleLost => (
                errno::ENODEV,
                ErrorKind::Other,
                "the module does not answer as it should",
            ),
        }
    }
}

const BAD_HANDLE: About = (errno::EBADF, ErrorKind::Other, "the socket is closed");

/// Why a socket could not be created or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OpenError {
    /// The handle's socket is closed.
    BadHandle,
    /// Every slot is in use.
    NoSlot,
    /// Not connected.
    NotConnected,
}

impl OpenError {
    pub(crate) const fn about(self) -> About {
        match self {
            Self::BadHandle => BAD_HANDLE,
            Self::NoSlot => (
                errno::EMFILE,
                ErrorKind::OutOfMemory,
                "every socket slot is in use",
            ),
            Self::NotConnected => NOT_CONNECTED,
        }
    }
}

/// Why a connection was not established.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConnectError {
    /// The handle's socket is closed.
    BadHandle,
    /// The PDP context is not up.
    NoNetwork,
    /// The peer refused.
    Refused,
    /// The peer did not answer within the module's own time-out.
    TimedOut,
    /// Nothing was started, or it was given up.
    NotStarted,
    /// Another connect of this socket still runs.
    AlreadyConnecting,
    /// The socket is connected.
    AlreadyConnected,
    /// The local port is in use.
    AddressInUse,
    /// Port 0, or an unspecified address.
    InvalidAddress,
    /// An IPv6 address on a context without IPv6, or the other way round.
    AddressFamily,
    /// An address that is not the module's own, to be bound to.
    AddressNotAvailable,
    /// Bound already, or not in a state to be bound or to listen.
    AlreadyBound,
    /// The kind of socket does not do this.
    NotSupported,
    /// The module does not take the keep-alive setting.
    KeepAlive,
    /// The socket is being closed.
    Closing,
    /// The module gave another result code.
    Module(TcpIpError),
    /// The connection broke while it was opened.
    Failed(Failure),
}

impl ConnectError {
    pub(crate) const fn about(self) -> About {
        match self {
            Self::BadHandle => BAD_HANDLE,
            Self::NoNetwork => (
                errno::EHOSTUNREACH,
                ErrorKind::NotConnected,
                "the network is not up",
            ),
            Self::Refused => (
                errno::ECONNREFUSED,
                ErrorKind::ConnectionRefused,
                "the peer refused the connection",
            ),
            Self::TimedOut => (
                errno::ETIMEDOUT,
                ErrorKind::TimedOut,
                "the peer did not answer",
            ),
            Self::NotStarted => NOT_CONNECTED,
            Self::AlreadyConnecting => (
                errno::EALREADY,
                ErrorKind::Other,
                "an earlier connect still runs",
            ),
            Self::AlreadyConnected => (
                errno::EISCONN,
                ErrorKind::Other,
                "the socket is connected already",
            ),
            Self::AddressInUse => (
                errno::EADDRINUSE,
                ErrorKind::AddrInUse,
                "the local port is in use",
            ),
            Self::InvalidAddress => (
                errno::EINVAL,
                ErrorKind::InvalidInput,
                "the remote address or port is 0",
            ),
            Self::AddressFamily => (
                errno::EAFNOSUPPORT,
                ErrorKind::InvalidInput,
                "the PDP context does not have this address family",
            ),
            Self::AddressNotAvailable => (
                errno::EADDRNOTAVAIL,
                ErrorKind::AddrNotAvailable,
                "not an address of the module",
            ),
            Self::AlreadyBound => (
                errno::EINVAL,
                ErrorKind::InvalidInput,
                "the socket is bound or in use already",
            ),
            Self::NotSupported => NOT_SUPPORTED,
            Self::KeepAlive => (
                errno::ENOPROTOOPT,
                ErrorKind::Unsupported,
                "the module does not take the keep-alive setting",
            ),
            Self::Closing => (
                errno::EALREADY,
                ErrorKind::Other,
                "the socket is being closed",
            ),
            Self::Module(_) => (
                errno::EIO,
                ErrorKind::Other,
                "the module could not open the connection",
            ),
            Self::Failed(failure) => failure.about(),
        }
    }
}

const NOT_CONNECTED: About = (
    errno::ENOTCONN,
    ErrorKind::NotConnected,
    "the socket is not connected",
);

const NOT_SUPPORTED: About = (
    errno::EOPNOTSUPP,
    ErrorKind::Unsupported,
    "this kind of socket does not do that",
);

/// Why no connection was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AcceptError {
    /// The handle's socket is closed.
    BadHandle,
    /// `listen` was not called, or has failed.
    NotListening,
    /// Every slot is in use; the connection goes on waiting.
    NoSlot,
    /// The listener could not be opened.
    Open(ConnectError),
    /// The listener broke.
    Failed(Failure),
}

impl AcceptError {
    pub(crate) const fn about(self) -> About {
        match self {
            Self::BadHandle => BAD_HANDLE,
            Self::NotListening => (
                errno::EINVAL,
                ErrorKind::InvalidInput,
                "the socket does not listen",
            ),
            Self::NoSlot => OpenError::NoSlot.about(),
            Self::Open(error) => error.about(),
            Self::Failed(failure) => failure.about(),
        }
    }
}

/// Why data was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SendError {
    /// The handle's socket is closed.
    BadHandle,
    /// Never connected, or not yet.
    NotConnected,
    /// The peer has closed, or `shutdown` was called.
    Closed,
    /// A datagram longer than the module or the transmit ring takes.
    TooLong,
    /// A datagram without an address, on a socket that is not connected.
    NoDestination,
    /// An address other than the peer's, on a socket that is connected.
    AlreadyConnected,
    /// Port 0, or an unspecified address.
    InvalidAddress,
    /// An IPv6 address on a context without IPv6, or the other way round.
    AddressFamily,
    /// A datagram of no bytes: modules do not have them.
    NotSupported,
    /// The socket could not be opened.
    Open(ConnectError),
    /// The connection broke; bytes taken before may not have arrived.
    Failed(Failure),
}

impl SendError {
    pub(crate) const fn about(self) -> About {
        match self {
            Self::BadHandle => BAD_HANDLE,
            Self::NotConnected => NOT_CONNECTED,
            Self::Closed => (
                errno::EPIPE,
                ErrorKind::BrokenPipe,
                "the connection takes no more data",
            ),
            Self::TooLong => (
                errno::EMSGSIZE,
                ErrorKind::InvalidInput,
                "the datagram is too long",
            ),
            Self::NoDestination => (
                errno::EDESTADDRREQ,
                ErrorKind::InvalidInput,
                "the datagram has no address",
            ),
            Self::AlreadyConnected => ConnectError::AlreadyConnected.about(),
            Self::InvalidAddress => ConnectError::InvalidAddress.about(),
            Self::AddressFamily => ConnectError::AddressFamily.about(),
            Self::NotSupported => NOT_SUPPORTED,
            Self::Open(error) => error.about(),
            Self::Failed(failure) => failure.about(),
        }
    }
}

/// Why nothing was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RecvError {
    /// The handle's socket is closed.
    BadHandle,
    /// Never connected, or not yet.
    NotConnected,
    /// A socket of bytes has no datagrams.
    NotSupported,
    /// The socket could not be opened.
    Open(ConnectError),
    /// The connection broke. Reported once, after everything that had
    /// arrived was delivered; later calls see the end of the data.
    Failed(Failure),
}

impl RecvError {
    pub(crate) const fn about(self) -> About {
        match self {
            Self::BadHandle => BAD_HANDLE,
            Self::NotConnected => NOT_CONNECTED,
            Self::NotSupported => NOT_SUPPORTED,
            Self::Open(error) => error.about(),
            Self::Failed(failure) => failure.about(),
        }
    }
}

/// Why a name was not resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ResolveError {
    /// Not a host name; nothing was sent.
    InvalidName(TextError),
    /// The PDP context is not up.
    NoNetwork,
    /// The name does not resolve.
    NotFound,
    /// No answer within the module's own time-out.
    TimedOut,
    /// The module failed meanwhile.
    Failed(Failure),
}

impl ResolveError {
    pub(crate) const fn about(self) -> About {
        match self {
            Self::InvalidName(_) => (errno::EINVAL, ErrorKind::InvalidInput, "not a host name"),
            Self::NoNetwork => (
                errno::EHOSTUNREACH,
                ErrorKind::NotConnected,
                "the network is not up",
            ),
            Self::NotFound => (
                errno::EAI_NONAME,
                ErrorKind::NotFound,
                "the name does not resolve",
            ),
            Self::TimedOut => (
                errno::ETIMEDOUT,
                ErrorKind::TimedOut,
                "the name server did not answer",
            ),
            Self::Failed(failure) => failure.about(),
        }
    }
}
