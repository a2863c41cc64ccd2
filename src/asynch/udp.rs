//! UDP sockets.

use core::net::SocketAddr;

use super::{Error, Received, Socket};
use crate::{engine::Wait, runner::Core};

/// The kind of a [`UdpSocket`].
#[derive(Debug)]
pub enum Udp {}

/// A UDP socket. It can be bound, or connected to one peer, or neither: the
/// first datagram then binds it to a port of its own.
///
/// ```
/// use quectel_sockets::asynch::{Error, Stack};
/// async fn echo(stack: Stack<'_>) -> Result<(), Error> {
///     let mut socket = stack.udp_socket().await?;
///     socket.bind("0.0.0.0:5683".parse().unwrap()).await?;
///     let mut buffer = [0; 1460];
///     loop {
///         let received = socket.recv_from(&mut buffer).await?;
///         socket.send_to(&buffer[..received.len], received.from).await?;
///     }
/// }
/// ```
pub type UdpSocket<'a> = Socket<'a, Udp>;

impl<'a> UdpSocket<'a> {
    /// Opens a `"UDP SERVICE"` at this local port, 0 for any, that receives
    /// from everyone.
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError), [`Error::TimedOut`]
    pub fn bind(&mut self, local: SocketAddr) -> impl Future<Output = Result<(), Error>> {
        self.open(move |engine, handle| engine.bind(handle, local))
    }

    /// Takes one datagram, whole, and returns its length.
    ///
    /// # Errors
    /// [`SendError`](crate::SendError), [`Error::TimedOut`]; nothing was
    /// taken then. Datagrams have 1 to 1460 bytes and must fit the transmit
    /// ring with [`DATAGRAM_HEADER`](crate::DATAGRAM_HEADER) bytes in front.
    pub fn send_to(
        &mut self,
        data: &[u8],
        to: SocketAddr,
    ) -> impl Future<Output = Result<usize, Error>> {
        self.send_opt(data, Some(to))
    }

    /// As [`send_to`](Self::send_to), to the peer.
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to).
    pub fn send(&mut self, data: &[u8]) -> impl Future<Output = Result<usize, Error>> {
        self.send_opt(data, None)
    }

    fn send_opt(
        &self,
        data: &[u8],
        to: Option<SocketAddr>,
    ) -> impl Future<Output = Result<usize, Error>> {
        let handle = self.handle;
        let attempt = move |core: &mut Core<'a>| core.engine.send_to(handle, data, to);
        self.wait(Wait::send(data.len())).until(attempt)
    }

    /// Receives one datagram. What does not fit `buffer` is lost, which
    /// [`Received::is_truncated`] tells.
    ///
    /// # Errors
    /// [`RecvError`](crate::RecvError), [`Error::TimedOut`]
    pub async fn recv_from(&mut self, buffer: &mut [u8]) -> Result<Received, Error> {
        let handle = self.handle;
        let attempt = |core: &mut Core<'a>| core.engine.recv_from(handle, buffer);
        self.wait(Wait::RECEIVE).value(attempt).await
    }

    /// Waits until the module has taken every datagram (`SEND OK`).
    ///
    /// # Errors
    /// [`SendError`](crate::SendError), [`Error::TimedOut`]
    pub fn flush(&mut self) -> impl Future<Output = Result<(), Error>> {
        self.flushed()
    }
}
