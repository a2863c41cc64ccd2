//! `setsockopt`.

use super::{Error, IPPROTO_TCP, Socket, Type};
use crate::{
    error::{ConnectError, errno},
    stack::Port,
};

/// Level of the options of every socket, as lwIP numbers it.
pub const SOL_SOCKET: i32 = 0xfff;
/// Binding to a port that was in use just before. Modules need no such
/// option: they hold no port back, or say that it is in use (EADDRINUSE). It
/// is taken and changes nothing.
pub const SO_REUSEADDR: i32 = 4;
/// Minutes of silence before a TCP connection is probed, 1 to 120; 0 for
/// never. Set in the module before the next `connect` or `listen`; the
/// module's setting is global, each socket sets its own before it is opened.
pub const TCP_KEEPALIVE: i32 = 2;

/// The value of a socket option: an integer, or its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionValue<'v> {
    /// A number.
    Integer(i32),
    /// A number of 1, 2 or 4 bytes, the lowest first.
    Bytes(&'v [u8]),
}

impl From<i32> for OptionValue<'_> {
    fn from(value: i32) -> Self {
        Self::Integer(value)
    }
}

impl<'v> From<&'v [u8]> for OptionValue<'v> {
    fn from(value: &'v [u8]) -> Self {
        Self::Bytes(value)
    }
}

impl<'v, const N: usize> From<&'v [u8; N]> for OptionValue<'v> {
    fn from(value: &'v [u8; N]) -> Self {
        Self::Bytes(value)
    }
}

impl OptionValue<'_> {
    fn number(self) -> Result<i32, Error> {
        Ok(match self {
            Self::Integer(number) => number,
            Self::Bytes([a]) => i32::from(*a),
            Self::Bytes([a, b]) => i32::from(u16::from_le_bytes([*a, *b])),
            Self::Bytes([a, b, c, d]) => i32::from_le_bytes([*a, *b, *c, *d]),
            Self::Bytes(_) => return Err(Error::InvalidArgument),
        })
    }
}

impl<P: Port> Socket<'_, '_, P> {
    /// `socket.setsockopt(level, optname, value)`
    ///
    /// # Errors
    /// [`Error::NotSupported`] with ENOPROTOOPT for an option that modules do
    /// not have (`TCP_NODELAY` for example) or that does not go with the
    /// socket; [`Error::InvalidArgument`] for a value out of range.
    ///
    /// ```
    /// use quectel_sockets::{Port, socket::{Error, SO_REUSEADDR, SOL_SOCKET, Socket, TCP_KEEPALIVE}};
    /// fn configure(socket: &mut Socket<'_, '_, impl Port>) -> Result<(), Error> {
    ///     socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)?;
    ///     socket.setsockopt(SOL_SOCKET, TCP_KEEPALIVE, &[5, 0, 0, 0])
    /// }
    /// ```
    pub fn setsockopt<'v>(
        &mut self,
        level: i32,
        option: i32,
        value: impl Into<OptionValue<'v>>,
    ) -> Result<(), Error> {
        let handle = self.handle()?;
        let number = value.into().number()?;
        let of_tcp = level == SOL_SOCKET || level == i32::from(IPPROTO_TCP.0);
        match option {
            SO_REUSEADDR if level == SOL_SOCKET => Ok(()),
            TCP_KEEPALIVE if of_tcp && self.kind == Type::Stream => {
                let minutes = u8::try_from(number).map_err(|_| Error::InvalidArgument)?;
                let set = self.stack.core()?.engine.set_keep_alive(handle, minutes);
                set.map_err(|error| match error {
                    ConnectError::KeepAlive => Error::InvalidArgument,
                    other => other.into(),
                })
            }
            _ => Err(Error::NotSupported(errno::ENOPROTOOPT)),
        }
    }
}
