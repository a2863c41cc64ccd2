//! TCP sockets, whole and split.

use core::net::SocketAddr;

use embedded_io_async::{ErrorType, Read, ReadReady, Write, WriteReady};

use super::{Error, Socket};
use crate::{
    engine::{FROM_NEXT_POLL, Wait},
    error::SendError,
    runner::Core,
};

/// The kind of a [`TcpSocket`].
#[derive(Debug)]
pub enum Tcp {}

/// A TCP socket: a client after [`connect`](Socket::connect), a server after
/// [`listen`](Socket::listen).
///
/// ```
/// use core::net::SocketAddr;
/// use quectel_sockets::asynch::{Error, Stack};
/// async fn ask(stack: Stack<'_>, server: SocketAddr) -> Result<[u8; 4], Error> {
///     let mut socket = stack.tcp_socket().await?;
///     socket.set_timeout(Some(30_000));
///     socket.connect(server).await?;
///     socket.write_all(b"time?").await?;
///     socket.flush().await?;
///     let mut answer = [0; 4];
///     socket.read(&mut answer).await?;
///     socket.close().await?;
///     Ok(answer)
/// }
/// ```
pub type TcpSocket<'a> = Socket<'a, Tcp>;

impl<'a> TcpSocket<'a> {
    /// Minutes of silence before the peer is probed, 1 to 120; 0 for never.
    /// For the next `connect` or `listen`.
    ///
    /// # Errors
    /// [`ConnectError::KeepAlive`](crate::ConnectError::KeepAlive) if out of
    /// range.
    pub fn set_keep_alive(&mut self, minutes: u8) -> Result<(), Error> {
        Ok(self.ask(|engine, handle| engine.set_keep_alive(handle, minutes))??)
    }

    /// Names the local port, 0 for any, for the `connect` or `listen` to come.
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError)
    pub fn bind(&mut self, local: SocketAddr) -> Result<(), Error> {
        Ok(self.ask(|engine, handle| engine.bind(handle, local))??)
    }

    /// Opens a `"TCP LISTENER"`. Up to `backlog` connections, at least one,
    /// wait to be accepted; those beyond are closed.
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError), [`Error::TimedOut`]
    pub fn listen(&mut self, backlog: u8) -> impl Future<Output = Result<(), Error>> {
        self.open(move |engine, handle| engine.listen(handle, backlog))
    }

    /// Waits for a connection, and for a slot to put it in.
    ///
    /// # Errors
    /// [`AcceptError`](crate::AcceptError), [`Error::TimedOut`]
    ///
    /// ```
    /// use quectel_sockets::asynch::{Error, Stack};
    /// async fn serve(stack: Stack<'_>) -> Result<(), Error> {
    ///     let mut listener = stack.tcp_socket().await?;
    ///     listener.bind("0.0.0.0:7".parse().unwrap())?;
    ///     listener.listen(2).await?;
    ///     loop {
    ///         let (mut client, _from) = listener.accept().await?;
    ///         let mut buffer = [0; 64];
    ///         let n = client.read(&mut buffer).await?;
    ///         client.write_all(&buffer[..n]).await?;
    ///     }
    /// }
    /// ```
    pub async fn accept(&mut self) -> Result<(TcpSocket<'a>, SocketAddr), Error> {
        let handle = self.handle;
        let attempt = |core: &mut Core<'a>| core.engine.accept_waiting(core.now, handle);
        let (child, remote) = self.wait(Wait::ACCEPT).value(attempt).await?;
        Ok((Self::new(self.shared, child), remote))
    }

    /// Two halves, for two tasks or for `join`.
    pub fn split(&mut self) -> (TcpReader<'_, 'a>, TcpWriter<'_, 'a>) {
        (TcpReader(self), TcpWriter(self))
    }

    /// Starts to close and keeps the socket, so that [`state`](Self::state)
    /// can be watched: what was taken is sent, its acknowledgement awaited
    /// for [`Config::linger_ms`](crate::Config::linger_ms), then `AT+QICLOSE`.
    ///
    /// # Errors
    /// [`OpenError::NotConnected`](crate::OpenError::NotConnected)
    pub fn shutdown(&mut self) -> Result<(), Error> {
        let outcome = self.ask(|engine, handle| engine.shutdown(FROM_NEXT_POLL, handle))?;
        self.shared.kick();
        Ok(outcome?)
    }

    /// Closes at once: what was not sent is lost, the peer sees a reset.
    pub fn abort(self) {
        let _ = self.ask(|engine, handle| engine.abort(FROM_NEXT_POLL, handle));
    }

    fn receive(&self, buffer: &mut [u8]) -> impl Future<Output = Result<usize, Error>> {
        let handle = self.handle;
        let attempt = move |core: &mut Core<'a>| core.engine.recv(handle, buffer);
        self.wait(Wait::RECEIVE).until(attempt)
    }

    fn send(&self, data: &[u8]) -> impl Future<Output = Result<usize, Error>> {
        let handle = self.handle;
        let attempt = move |core: &mut Core<'a>| core.engine.send(handle, data);
        self.wait(Wait::SEND).until(attempt)
    }

    fn send_all(&self, mut data: &[u8]) -> impl Future<Output = Result<(), Error>> {
        let handle = self.handle;
        self.wait(Wait::SEND).until(move |core: &mut Core<'a>| {
            while !data.is_empty() {
                let n = core.engine.send(handle, data)?;
                data = data.get(n..).unwrap_or_default();
            }
            Ok::<_, nb::Error<SendError>>(())
        })
    }

    fn acked(&self) -> impl Future<Output = Result<(), Error>> {
        let handle = self.handle;
        let attempt = move |core: &mut Core<'a>| core.engine.acked(handle);
        self.wait(Wait::ACK).until(attempt)
    }
}

/// The half of a [`TcpSocket`] that receives.
#[derive(Debug)]
pub struct TcpReader<'s, 'a>(&'s TcpSocket<'a>);

/// The half of a [`TcpSocket`] that sends.
#[derive(Debug)]
pub struct TcpWriter<'s, 'a>(&'s TcpSocket<'a>);

macro_rules! reads {
    ([$($life:lifetime),+] $name:ty $(, $whole:tt)?) => {
        impl<$($life),+> $name {
            /// Receives into `buffer`, at least a byte; `Ok(0)` is the end of
            /// the data.
            ///
            /// # Errors
            /// [`RecvError`](crate::RecvError), [`Error::TimedOut`]. A broken
            /// connection is told once, after everything that had arrived.
            pub fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<usize, Error>> {
                self$(.$whole)?.receive(buffer)
            }
        }

        impl<$($life),+> Read for $name {
            async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
                self$(.$whole)?.receive(buffer).await
            }
        }

        impl<$($life),+> ReadReady for $name {
            fn read_ready(&mut self) -> Result<bool, Error> {
                self$(.$whole)?.ready(Wait::RECEIVE)
            }
        }
    };
}

macro_rules! writes {
    ([$($life:lifetime),+] $name:ty $(, $whole:tt)?) => {
        impl<$($life),+> $name {
            /// Takes at least a byte of `data` into the transmit ring, and
            /// returns how many. What was taken is sent, whatever happens to
            /// the task.
            ///
            /// # Errors
            /// [`SendError`](crate::SendError), [`Error::TimedOut`]; nothing
            /// was taken then.
            pub fn write(&mut self, data: &[u8]) -> impl Future<Output = Result<usize, Error>> {
                self$(.$whole)?.send(data)
            }

            /// Takes all of it; the time-out is for all. Dropped, or with an
            /// error, it may have taken some.
            ///
            /// # Errors
            /// As [`write`](Self::write).
            pub fn write_all(&mut self, data: &[u8]) -> impl Future<Output = Result<(), Error>> {
                self$(.$whole)?.send_all(data)
            }

            /// Waits until the module has taken the last byte (`SEND OK`) and
            /// its count of bytes agrees.
            ///
            /// # Errors
            /// [`SendError`](crate::SendError), [`Error::TimedOut`]
            pub fn flush(&mut self) -> impl Future<Output = Result<(), Error>> {
                self$(.$whole)?.flushed()
            }

            /// Waits until the peer has acknowledged the last byte: asks with
            /// `AT+QISEND=<id>,0`, with growing pauses of up to 2 s.
            ///
            /// # Errors
            /// [`SendError`](crate::SendError), [`Error::TimedOut`]
            pub fn wait_acked(&mut self) -> impl Future<Output = Result<(), Error>> {
                self$(.$whole)?.acked()
            }
        }

        impl<$($life),+> Write for $name {
            async fn write(&mut self, data: &[u8]) -> Result<usize, Error> {
                self$(.$whole)?.send(data).await
            }

            async fn flush(&mut self) -> Result<(), Error> {
                self$(.$whole)?.flushed().await
            }
        }

        impl<$($life),+> WriteReady for $name {
            fn write_ready(&mut self) -> Result<bool, Error> {
                self$(.$whole)?.ready(Wait::SEND)
            }
        }
    };
}

impl ErrorType for TcpSocket<'_> {
    type Error = Error;
}
impl ErrorType for TcpReader<'_, '_> {
    type Error = Error;
}
impl ErrorType for TcpWriter<'_, '_> {
    type Error = Error;
}
reads!(['a] TcpSocket<'a>);
writes!(['a] TcpSocket<'a>);
reads!(['s, 'a] TcpReader<'s, 'a>, 0);
writes!(['s, 'a] TcpWriter<'s, 'a>, 0);
