//! UDP: whole datagrams.

use core::net::SocketAddr;

use embedded_nal::{UdpClientStack, UdpFullStack};

use super::{Error, Outcome, Place, Result, convert};
use crate::{
    engine::Engine,
    stack::{Port, Stack},
};

/// A UDP socket. Dropping it closes it as `close` does.
#[derive(Debug)]
pub struct UdpSocket<'s, 'a, P: Port> {
    place: Place<'s, 'a, P>,
    /// Where the last `send_to` went.
    last: Option<SocketAddr>,
}

impl<'s, 'a, P: Port> UdpSocket<'s, 'a, P> {
    /// A socket of this stack, as the trait's `socket` makes it.
    ///
    /// # Errors
    /// [`OpenError::NoSlot`](crate::OpenError::NoSlot) (EMFILE)
    pub fn new(stack: &'s Stack<'a, P>) -> Outcome<Self> {
        let place = Place::new(stack, Engine::udp_socket)?;
        Ok(Self { place, last: None })
    }

    /// The module's address in the context and the local port, 0 while that
    /// is not known; `None` while the context is down.
    ///
    /// # Errors
    /// [`Error::Busy`]
    pub fn local(&self) -> Outcome<Option<SocketAddr>> {
        self.place.local()
    }

    fn send(&self, to: Option<SocketAddr>, data: &[u8]) -> Result<()> {
        let taken = self.place.turn(|engine, handle, _| {
            let to = to.or(engine.remote(handle)).or(self.last);
            engine.send_to(handle, data, to)
        })?;
        taken.map(drop).map_err(convert)
    }
}

impl<'s, 'a, P: Port> UdpClientStack for &'s Stack<'a, P> {
    type UdpSocket = UdpSocket<'s, 'a, P>;
    type Error = Error;

    /// Takes a free slot; see [`UdpSocket::new`].
    fn socket(&mut self) -> Outcome<Self::UdpSocket> {
        UdpSocket::new(self)
    }

    /// Starts to open the socket to one peer: what others send is dropped.
    /// `send` and `receive` tell if that fails. A socket that was bound
    /// changes its peer at once.
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError)
    fn connect(&mut self, socket: &mut Self::UdpSocket, remote: SocketAddr) -> Outcome<()> {
        let place = &socket.place;
        Ok(place.turn(|engine, handle, _| engine.connect(handle, remote))??)
    }

    /// Takes one datagram, to the peer or to where `send_to` went last; later
    /// steps send it. Nothing was taken if this says `WouldBlock`, or fails.
    ///
    /// # Errors
    /// [`SendError`](crate::SendError): a datagram has 1 to 1460 bytes, and
    /// must fit the transmit buffer with
    /// [`DATAGRAM_HEADER`](crate::DATAGRAM_HEADER) bytes in front.
    fn send(&mut self, socket: &mut Self::UdpSocket, buffer: &[u8]) -> Result<()> {
        socket.send(None, buffer)
    }

    /// The next datagram and its sender.
    ///
    /// # Errors
    /// [`Error::Truncated`] for a datagram that is longer than the buffer;
    /// [`RecvError`](crate::RecvError)
    fn receive(
        &mut self,
        socket: &mut Self::UdpSocket,
        buffer: &mut [u8],
    ) -> Result<(usize, SocketAddr)> {
        let place = &socket.place;
        let received = place.turn(|engine, handle, _| engine.recv_from(handle, buffer))?;
        let received = received.map_err(convert)?;
        if received.is_truncated() {
            let (len, whole) = (received.len, received.whole);
            return Err(Error::Truncated { len, whole }.into());
        }
        Ok((received.len, received.from))
    }

    /// Starts to close, in later steps.
    ///
    /// # Errors
    /// [`SendError`](crate::SendError) if datagrams that were taken are known
    /// to be lost and no call has said so; the socket is closed all the same.
    fn close(&mut self, socket: Self::UdpSocket) -> Outcome<()> {
        socket.place.close()
    }
}

impl<P: Port> UdpFullStack for &Stack<'_, P> {
    /// Starts to open the local port, 0 for any, to receive from everyone.
    /// `send_to` and `receive` tell if that fails.
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError)
    fn bind(&mut self, socket: &mut Self::UdpSocket, local_port: u16) -> Outcome<()> {
        socket.place.bind(local_port)
    }

    /// Takes one datagram to this address. A socket that was not bound is
    /// bound to a port of its own first.
    ///
    /// # Errors
    /// As `send`; EISCONN for somebody else than the peer of a socket that is
    /// connected.
    fn send_to(
        &mut self,
        socket: &mut Self::UdpSocket,
        remote: SocketAddr,
        buffer: &[u8],
    ) -> Result<()> {
        socket.send(Some(remote), buffer)?;
        socket.last = Some(remote);
        Ok(())
    }
}
