//! TCP: clients, and servers in the module.

use core::net::SocketAddr;

use embedded_nal::{TcpClientStack, TcpFullStack};

use super::{Error, Outcome, Place, Result, convert};
use crate::{
    engine::Engine,
    stack::{Port, Stack},
    state::SocketState,
};

/// A TCP socket. Dropping it closes it as `close` does.
#[derive(Debug)]
pub struct TcpSocket<'s, 'a, P: Port> {
    place: Place<'s, 'a, P>,
    backlog: u8,
}

impl<'s, 'a, P: Port> TcpSocket<'s, 'a, P> {
    /// A socket of this stack, as the trait's `socket` makes it.
    ///
    /// # Errors
    /// [`OpenError::NoSlot`](crate::OpenError::NoSlot) (EMFILE). A socket
    /// that was closed keeps its slot until the module has answered that.
    pub fn new(stack: &'s Stack<'a, P>) -> Outcome<Self> {
        let place = Place::new(stack, Engine::tcp_socket)?;
        Ok(Self { place, backlog: 1 })
    }

    /// How many connections may wait to be accepted, for the next `listen`; 1
    /// to begin with. Those beyond are closed. On a socket that listens,
    /// `listen` again makes it valid.
    pub fn set_backlog(&mut self, connections: u8) {
        self.backlog = connections;
    }

    /// Whether the module has taken everything that `send` took (`SEND OK`,
    /// and its count agrees).
    ///
    /// # Errors
    /// `WouldBlock` if not yet; [`SendError`](crate::SendError).
    pub fn flush(&mut self) -> Result<()> {
        let flushed = self
            .place
            .turn(|engine, handle, _| engine.flushed(handle))?;
        flushed.map_err(convert)
    }

    /// The state of the socket.
    ///
    /// # Errors
    /// [`Error::Busy`]
    pub fn state(&self) -> Outcome<SocketState> {
        let state = self.place.turn(|engine, handle, _| engine.state(handle))?;
        // A handle that went stale while only TIME_WAIT was left.
        Ok(state.unwrap_or_default())
    }

    /// The module's address in the context and the local port, 0 while that
    /// is not known; `None` while the context is down.
    ///
    /// # Errors
    /// [`Error::Busy`]
    pub fn local(&self) -> Outcome<Option<SocketAddr>> {
        self.place.local()
    }
}

impl<'s, 'a, P: Port> TcpClientStack for &'s Stack<'a, P> {
    type TcpSocket = TcpSocket<'s, 'a, P>;
    type Error = Error;

    /// Takes a free slot; see [`TcpSocket::new`].
    fn socket(&mut self) -> Outcome<Self::TcpSocket> {
        TcpSocket::new(self)
    }

    /// Starts to connect, or tells how far that has come. To be called again
    /// with the same address while it says `WouldBlock`. Success is told
    /// once; a call behind that is EISCONN.
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError); EALREADY for another address
    /// while the first attempt runs. After a failure the next call starts
    /// anew.
    fn connect(&mut self, socket: &mut Self::TcpSocket, remote: SocketAddr) -> Result<()> {
        let outcome = socket.place.turn(|engine, handle, _| {
            engine.connect(handle, remote)?;
            engine.connected(handle)
        })?;
        outcome.map_err(convert)
    }

    /// Copies what fits into the socket's transmit buffer and returns how
    /// much; later steps send it. Nothing was taken if this says
    /// `WouldBlock`, or fails.
    ///
    /// # Errors
    /// [`SendError`](crate::SendError)
    fn send(&mut self, socket: &mut Self::TcpSocket, buffer: &[u8]) -> Result<usize> {
        let place = &socket.place;
        let taken = place.turn(|engine, handle, _| engine.send(handle, buffer))?;
        taken.map_err(convert)
    }

    /// Copies what has come; 0 bytes only into an empty buffer.
    ///
    /// # Errors
    /// [`Error::Ended`] at the end of the data, whenever it is called then;
    /// [`RecvError`](crate::RecvError) once, behind everything that had
    /// arrived.
    fn receive(&mut self, socket: &mut Self::TcpSocket, buffer: &mut [u8]) -> Result<usize> {
        let place = &socket.place;
        let received = place.turn(|engine, handle, _| engine.recv(handle, buffer))?;
        match received.map_err(convert)? {
            0 if !buffer.is_empty() => Err(Error::Ended.into()),
            n => Ok(n),
        }
    }

    /// Starts to close: what was taken is sent, then the connection is
    /// closed, by later steps.
    ///
    /// # Errors
    /// [`SendError`](crate::SendError) if bytes that `send` took are known to
    /// be lost and no call has said so; the socket is closed all the same.
    fn close(&mut self, socket: Self::TcpSocket) -> Outcome<()> {
        socket.place.close()
    }
}

impl<P: Port> TcpFullStack for &Stack<'_, P> {
    /// Names the local port of the `listen` or `connect` to come, 0 for any.
    ///
    /// # Errors
    /// [`ConnectError::AlreadyBound`](crate::ConnectError::AlreadyBound)
    fn bind(&mut self, socket: &mut Self::TcpSocket, local_port: u16) -> Outcome<()> {
        socket.place.bind(local_port)
    }

    /// Starts to listen; `accept` tells if that fails. A socket that was not
    /// bound gets a port of its own.
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError): no network, or the socket is
    /// connected.
    fn listen(&mut self, socket: &mut Self::TcpSocket) -> Outcome<()> {
        let TcpSocket { place, backlog } = socket;
        Ok(place.turn(|engine, handle, _| engine.listen(handle, *backlog))??)
    }

    /// The connection that has waited longest, and its address.
    ///
    /// # Errors
    /// [`AcceptError`](crate::AcceptError); `NoSlot` leaves the connection
    /// waiting, `Open` says why `listen` has failed.
    fn accept(&mut self, socket: &mut Self::TcpSocket) -> Result<(Self::TcpSocket, SocketAddr)> {
        let Place { stack, .. } = socket.place;
        let place = &socket.place;
        let accepted = place.turn(|engine, handle, now| engine.accept(now, handle))?;
        let (handle, remote) = accepted.map_err(convert)?;
        let place = Place { stack, handle };
        Ok((TcpSocket { place, backlog: 1 }, remote))
    }
}
