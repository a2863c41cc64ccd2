//! Connections: `bind`, `listen`, `accept`, `connect`, `shutdown`, `close`.

use core::net::SocketAddr;

use super::{Address, CLOSE_MS, Error, Patience, Socket, Type, convert};
use crate::{
    error::{ConnectError, errno},
    stack::Port,
};

/// How a connection is shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Shutdown {
    /// Nothing more is received.
    Read = 0,
    /// Nothing more is sent.
    Write = 1,
    /// Both.
    Both = 2,
}

/// Not offered: modules have no half-close.
pub const SHUT_RD: Shutdown = Shutdown::Read;
/// Not offered: modules have no half-close.
pub const SHUT_WR: Shutdown = Shutdown::Write;
/// Both directions.
pub const SHUT_RDWR: Shutdown = Shutdown::Both;

impl<'s, 'a, P: Port> Socket<'s, 'a, P> {
    /// `socket.bind(address)`: the local port, 0 for any. The IP address is
    /// unspecified (`("", port)`) or the module's own.
    ///
    /// A TCP socket uses it for the `connect` or `listen` to come. A UDP
    /// socket is opened (`"UDP SERVICE"`) and receives from everyone; a
    /// non-blocking one does not wait for that, and `recvfrom` or `sendto`
    /// tell if it failed.
    ///
    /// # Errors
    /// [`ConnectError::AddressInUse`], `AddressNotAvailable`, `AlreadyBound`,
    /// `NoNetwork`; [`Error::TimedOut`].
    ///
    /// ```
    /// use quectel_sockets::{Port, Stack, socket::{AF_INET, Error, Protocol, SOCK_DGRAM}};
    /// fn serve(stack: &Stack<'_, impl Port>) -> Result<(), Error> {
    ///     let mut socket = stack.socket(AF_INET, SOCK_DGRAM, Protocol::DEFAULT)?;
    ///     socket.bind(("", 5683))?;
    ///     let mut buffer = [0; 1500];
    ///     let (n, from) = socket.recvfrom(&mut buffer)?;
    ///     socket.sendto(&buffer[..n], from)?;
    ///     Ok(())
    /// }
    /// ```
    pub fn bind<'n>(&mut self, address: impl Into<Address<'n>>) -> Result<(), Error> {
        let handle = self.handle()?;
        let started = self.stack.now()?;
        let stack = self.stack;
        let local = stack.address(address.into(), self.family, self.patience)?;
        stack.core()?.engine.bind(handle, local)?;
        if self.kind != Type::Datagram {
            return Ok(());
        }
        let patience = self.patience_left(started)?;
        let outcome = stack.wait(patience, |stack| {
            stack.core()?.engine.connected(handle).map_err(convert)
        });
        match outcome {
            Err(Error::WouldBlock) => Ok(()),
            Err(Error::TimedOut) => {
                self.stack.core()?.engine.cancel_connect(handle);
                Err(Error::TimedOut)
            }
            other => other,
        }
    }

    /// `socket.listen([backlog])`: opens a `"TCP LISTENER"`. Up to `backlog`
    /// connections wait to be accepted, at least one; those beyond are
    /// closed. Each takes one of the module's 12 connect ids.
    ///
    /// A non-blocking socket does not wait for the module; `accept` tells if
    /// it failed.
    ///
    /// # Errors
    /// [`ConnectError::AddressInUse`], `NotSupported` for UDP, `NoNetwork`;
    /// [`Error::TimedOut`].
    ///
    /// ```
    /// use quectel_sockets::{Port, Stack, socket::{AF_INET, Error, IPPROTO_TCP, SOCK_STREAM}};
    /// fn serve(stack: &Stack<'_, impl Port>) -> Result<(), Error> {
    ///     let mut listener = stack.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)?;
    ///     listener.bind(("", 7))?;
    ///     listener.listen(2)?;
    ///     let (mut client, _address) = listener.accept()?;
    ///     let mut buffer = [0; 64];
    ///     let n = client.recv(&mut buffer)?;
    ///     client.sendall(&buffer[..n])?;
    ///     client.close()
    /// }
    /// ```
    pub fn listen(&mut self, backlog: impl Into<Option<u8>>) -> Result<(), Error> {
        let handle = self.handle()?;
        let backlog = backlog.into().unwrap_or(0);
        self.stack.core()?.engine.listen(handle, backlog)?;
        let outcome = self.stack.wait(self.patience, |stack| {
            stack.core()?.engine.connected(handle).map_err(convert)
        });
        match outcome {
            Err(Error::WouldBlock) => Ok(()),
            Err(Error::TimedOut) => {
                self.stack.core()?.engine.cancel_connect(handle);
                Err(Error::TimedOut)
            }
            other => other,
        }
    }

    /// `socket.accept()`: a new socket and the client's address. The new
    /// socket is blocking, whatever this one is.
    ///
    /// # Errors
    /// [`AcceptError`](crate::AcceptError), [`Error::TimedOut`],
    /// [`Error::WouldBlock`].
    pub fn accept(&mut self) -> Result<(Socket<'s, 'a, P>, SocketAddr), Error> {
        let handle = self.handle()?;
        let (child, remote) = self.stack.wait(self.patience, |stack| {
            let mut core = stack.core()?;
            let now = core.port.now();
            core.engine.accept(now, handle).map_err(convert)
        })?;
        let child = Socket::new(self.stack, child, self.family, Type::Stream);
        Ok((child, remote))
    }

    /// `socket.connect(address)`: resolves a name, then `AT+QIOPEN`. Blocks
    /// for the time-out; a connect that timed out is cancelled
    /// (`AT+QICLOSE=<id>,0`) and can be tried again at once.
    ///
    /// A non-blocking socket starts and returns [`Error::InProgress`];
    /// calling again is [`ConnectError::AlreadyConnecting`] while it runs and
    /// tells the outcome once it has ended. A name cannot be resolved without
    /// waiting: give an address from [`getaddrinfo`](crate::Stack::getaddrinfo).
    ///
    /// A UDP socket gets a peer: `send` goes there, and what others send is
    /// dropped. If it was bound before, nothing is sent to the module and the
    /// peer can be changed; else it is opened (`"UDP"`).
    ///
    /// # Errors
    /// [`ConnectError`], [`ResolveError`](crate::ResolveError), [`Error::TimedOut`].
    pub fn connect<'n>(&mut self, address: impl Into<Address<'n>>) -> Result<(), Error> {
        let handle = self.handle()?;
        let started = self.stack.now()?;
        let stack = self.stack;
        let remote = stack.address(address.into(), self.family, self.patience)?;
        let patience = self.patience_left(started)?;
        let running = {
            let mut core = self.stack.core()?;
            let running = core.engine.is_connecting(handle);
            core.engine.connect(handle, remote)?;
            running
        };
        let outcome = self.stack.wait(patience, |stack| {
            stack.core()?.engine.connected(handle).map_err(convert)
        });
        match outcome {
            Err(Error::WouldBlock) if running => Err(ConnectError::AlreadyConnecting.into()),
            Err(Error::WouldBlock) => Err(Error::InProgress),
            Err(Error::TimedOut) => {
                self.stack.core()?.engine.cancel_connect(handle);
                Err(Error::TimedOut)
            }
            other => other,
        }
    }

    /// `socket.shutdown(how)`: starts to close and keeps the socket, so that
    /// [`getsocketsta`](Self::getsocketsta) can be watched through the states
    /// 5 to 10. Never waits.
    ///
    /// # Errors
    /// [`OpenError::NotConnected`](crate::OpenError::NotConnected);
    /// [`Error::NotSupported`] with EOPNOTSUPP for one direction alone.
    pub fn shutdown(&mut self, how: Shutdown) -> Result<(), Error> {
        let handle = self.handle()?;
        if how != SHUT_RDWR {
            return Err(Error::NotSupported(errno::EOPNOTSUPP));
        }
        let now = self.stack.now()?;
        self.stack.core()?.engine.shutdown(now, handle)?;
        self.stack.poll()
    }

    /// `socket.close()`: sends what was taken, closes and gives the slot
    /// back. A blocking socket waits until the module has answered
    /// (10 s linger and 10 s `AT+QICLOSE` at the most, and its time-out if
    /// that is shorter); what is not finished then goes on in the steps of
    /// later calls. Closing twice is no error.
    ///
    /// # Errors
    /// [`SendError`](crate::SendError) if bytes that `send` took are known to be lost and no
    /// earlier call has said so; the socket is closed all the same.
    /// [`Error::Busy`]; the socket is closed by the next step then.
    pub fn close(&mut self) -> Result<(), Error> {
        let Some(handle) = self.handle.take() else {
            return Ok(());
        };
        let Ok(now) = self.stack.now() else {
            self.stack.drop_socket(handle);
            return Err(Error::Busy);
        };
        let patience = match self.patience {
            Patience::Ms(ms) => Patience::Ms(ms.min(CLOSE_MS)),
            Patience::Forever => Patience::Ms(CLOSE_MS),
        };
        self.stack.core()?.engine.start_close(now, handle);
        let _ = self.stack.wait(patience, |stack| {
            if stack.core()?.engine.is_closed(handle) {
                Ok(())
            } else {
                Err(nb::Error::WouldBlock)
            }
        });
        let now = self.stack.now()?;
        let engine = &mut self.stack.core()?.engine;
        let lost = engine.untold_loss(handle);
        engine.release(now, handle);
        Ok(lost?)
    }
}
