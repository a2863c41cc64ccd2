//! UDP sockets.

use core::net::SocketAddr;

use super::{Error, Received, tcp::Socket};
use crate::{
    engine::{Engine, Side, Wait},
    error::OpenError,
    state::SocketState,
};

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
#[derive(Debug)]
pub struct UdpSocket<'a>(pub(super) Socket<'a>);

impl<'a> UdpSocket<'a> {
    /// Milliseconds that each call may wait; as
    /// [`TcpSocket::set_timeout`](super::TcpSocket::set_timeout).
    pub fn set_timeout(&mut self, ms: Option<u32>) {
        self.0.set_timeout(ms);
    }

    /// Opens a `"UDP SERVICE"` at this local port, 0 for any, that receives
    /// from everyone.
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError), [`Error::TimedOut`]
    pub fn bind(&mut self, local: SocketAddr) -> impl Future<Output = Result<(), Error>> {
        self.0
            .open(move |engine, handle| engine.bind(handle, local))
    }

    /// Names the peer: [`send`](Self::send) goes there, and what others send
    /// is dropped.
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError), [`Error::TimedOut`]
    pub fn connect(&mut self, remote: SocketAddr) -> impl Future<Output = Result<(), Error>> {
        self.0
            .open(move |engine, handle| engine.connect(handle, remote))
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
        let wait = Wait::Send(data.len());
        let attempt = move |engine: &mut Engine<'a>, handle| engine.send_to(handle, data, to);
        self.0.wait(Side::Tx, wait, attempt)
    }

    /// Receives one datagram. What does not fit `buffer` is lost, which
    /// [`Received::is_truncated`] tells.
    ///
    /// # Errors
    /// [`RecvError`](crate::RecvError), [`Error::TimedOut`]
    pub async fn recv_from(&mut self, buffer: &mut [u8]) -> Result<Received, Error> {
        let attempt = |engine: &mut Engine<'a>, handle| engine.recv_from(handle, buffer);
        self.0.wait(Side::Rx, Wait::Receive, attempt).await
    }

    /// Waits until the module has taken every datagram (`SEND OK`).
    ///
    /// # Errors
    /// [`SendError`](crate::SendError), [`Error::TimedOut`]
    pub fn flush(&mut self) -> impl Future<Output = Result<(), Error>> {
        self.0.flush()
    }

    /// Sends what was taken, closes, and gives the slot back; as
    /// [`TcpSocket::close`](super::TcpSocket::close).
    ///
    /// # Errors
    /// As [`TcpSocket::close`](super::TcpSocket::close).
    pub async fn close(self) -> Result<(), Error> {
        self.0.close().await
    }

    /// The state of the socket.
    pub fn state(&self) -> SocketState {
        self.0.state()
    }

    /// The module's address, and the local port; 0 while that is not known.
    ///
    /// # Errors
    /// [`OpenError::NotConnected`] while the network is down.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        Ok(self.0.local().ok_or(OpenError::NotConnected)?)
    }

    /// The peer's address.
    ///
    /// # Errors
    /// [`OpenError::NotConnected`]
    pub fn remote_addr(&self) -> Result<SocketAddr, Error> {
        Ok(self.0.remote().ok_or(OpenError::NotConnected)?)
    }
}
