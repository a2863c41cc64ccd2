//! TCP sockets, whole and split.

use core::{mem, net::SocketAddr};

use embedded_io_async::{ErrorType, Read, ReadReady, Write, WriteReady};

use super::{Core, Error, Shared, wait::Place};
use crate::{
    engine::{Engine, FROM_NEXT_POLL, Side, Wait},
    error::{ConnectError, OpenError, SendError},
    slot::Handle,
    state::SocketState,
};

/// What both kinds of socket have. Dropped, it closes.
#[derive(Debug)]
pub(super) struct Socket<'a> {
    pub(super) shared: &'a Shared<'a>,
    handle: Handle,
    /// Milliseconds.
    timeout: Option<u32>,
}

impl<'a> Socket<'a> {
    pub(super) const fn new(shared: &'a Shared<'a>, handle: Handle) -> Self {
        Self {
            shared,
            handle,
            timeout: None,
        }
    }

    pub(super) fn set_timeout(&mut self, ms: Option<u32>) {
        self.timeout = ms;
    }

    /// Attempts one of the engine's calls until it no longer would block.
    pub(super) fn wait<T, E: Into<Error>>(
        &self,
        side: Side,
        wait: Wait,
        mut attempt: impl FnMut(&mut Engine<'a>, Handle) -> nb::Result<T, E>,
    ) -> impl Future<Output = Result<T, Error>> {
        let handle = self.handle;
        let attempt = move |core: &mut Core<'a>| attempt(&mut core.engine, handle);
        let place = Place::Socket(handle, side, wait);
        self.shared.wait(place, self.timeout, attempt)
    }

    /// One of the engine's calls that never waits.
    pub(super) fn ask<T>(
        &self,
        call: impl FnOnce(&mut Engine<'a>, Handle) -> T,
    ) -> Result<T, Error> {
        self.shared.with(|core| call(&mut core.engine, self.handle))
    }

    /// Starts to open, and waits for the outcome; given up when the time is
    /// over.
    pub(super) fn open(
        &self,
        start: impl Fn(&mut Engine<'a>, Handle) -> Result<(), ConnectError>,
    ) -> impl Future<Output = Result<(), Error>> {
        let mut started = false;
        let attempt = move |engine: &mut Engine<'a>, handle| {
            if !mem::replace(&mut started, true) {
                start(engine, handle)?;
            }
            engine.connected(handle)
        };
        self.wait(Side::Tx, Wait::Open, attempt)
    }

    pub(super) fn local(&self) -> Option<SocketAddr> {
        self.ask(|engine, handle| engine.local(handle))
            .ok()
            .flatten()
    }

    pub(super) fn remote(&self) -> Option<SocketAddr> {
        self.ask(|engine, handle| engine.remote(handle))
            .ok()
            .flatten()
    }

    pub(super) fn state(&self) -> SocketState {
        let state = self.ask(|engine, handle| engine.state(handle));
        // A handle goes stale when only TIME_WAIT was left of the socket.
        state.ok().flatten().unwrap_or_default()
    }

    fn read(&self, buffer: &mut [u8]) -> impl Future<Output = Result<usize, Error>> {
        let attempt = |engine: &mut Engine<'a>, handle| engine.recv(handle, buffer);
        self.wait(Side::Rx, Wait::Receive, attempt)
    }

    fn write(&self, data: &[u8]) -> impl Future<Output = Result<usize, Error>> {
        let attempt = |engine: &mut Engine<'a>, handle| engine.send(handle, data);
        self.wait(Side::Tx, Wait::Send(1), attempt)
    }

    fn write_all(&self, mut data: &[u8]) -> impl Future<Output = Result<(), Error>> {
        let attempt = move |engine: &mut Engine<'a>, handle| {
            while !data.is_empty() {
                let n = engine.send(handle, data)?;
                data = data.get(n..).unwrap_or_default();
            }
            Ok::<_, nb::Error<SendError>>(())
        };
        self.wait(Side::Tx, Wait::Send(1), attempt)
    }

    pub(super) fn flush(&self) -> impl Future<Output = Result<(), Error>> {
        self.wait(Side::Tx, Wait::Flush, |engine, handle| {
            engine.flushed(handle)
        })
    }

    fn wait_acked(&self) -> impl Future<Output = Result<(), Error>> {
        self.wait(Side::Tx, Wait::Ack, |engine, handle| engine.acked(handle))
    }

    /// Whether a call would not wait.
    fn ready(&self, wait: Wait) -> Result<bool, Error> {
        self.ask(|engine, handle| engine.is_ready(handle, wait))
    }

    pub(super) fn close(&self) -> impl Future<Output = Result<(), Error>> {
        let attempt = |engine: &mut Engine<'a>, handle| {
            engine.start_close(FROM_NEXT_POLL, handle);
            match engine.is_closed(handle) {
                true => engine.untold_loss(handle).map_err(nb::Error::Other),
                false => Err(nb::Error::WouldBlock),
            }
        };
        self.wait(Side::Tx, Wait::Close, attempt)
    }

    pub(super) fn abort(self) {
        let _ = self.ask(|engine, handle| engine.abort(FROM_NEXT_POLL, handle));
    }
}

impl Drop for Socket<'_> {
    fn drop(&mut self) {
        let _ = self.ask(|engine, handle| engine.release(FROM_NEXT_POLL, handle));
        self.shared.kick();
    }
}

/// A TCP socket: a client after [`connect`](Self::connect), a server after
/// [`listen`](Self::listen). Dropped, it is closed as by
/// [`close`](Self::close), which then nobody awaits.
///
/// ```
/// use core::{mem, net::SocketAddr};
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
#[derive(Debug)]
pub struct TcpSocket<'a>(pub(super) Socket<'a>);

impl<'a> TcpSocket<'a> {
    /// Milliseconds that each call may wait, from the call on: the runner
    /// looks at the clock when it has its next turn. `None`, as at the
    /// beginning, for any time. A call that fails with [`Error::TimedOut`]
    /// has taken and delivered nothing; `write_all` may have taken some.
    pub fn set_timeout(&mut self, ms: Option<u32>) {
        self.0.set_timeout(ms);
    }

    /// Minutes of silence before the peer is probed, 1 to 120; 0 for never.
    /// For the next `connect` or `listen`.
    ///
    /// # Errors
    /// [`ConnectError::KeepAlive`](crate::ConnectError::KeepAlive) if out of
    /// range.
    pub fn set_keep_alive(&mut self, minutes: u8) -> Result<(), Error> {
        let set = self
            .0
            .ask(|engine, handle| engine.set_keep_alive(handle, minutes));
        Ok(set??)
    }

    /// Connects with `AT+QIOPEN`. When its time is over it is cancelled
    /// (`AT+QICLOSE=<id>,0`); dropped, it goes on, and `connect` with the same
    /// address joins it.
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError), [`Error::TimedOut`]
    pub fn connect(&mut self, remote: SocketAddr) -> impl Future<Output = Result<(), Error>> {
        self.0
            .open(move |engine, handle| engine.connect(handle, remote))
    }

    /// Names the local port, 0 for any, for the `connect` or `listen` to come.
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError)
    pub fn bind(&mut self, local: SocketAddr) -> Result<(), Error> {
        Ok(self.0.ask(|engine, handle| engine.bind(handle, local))??)
    }

    /// Opens a `"TCP LISTENER"`. Up to `backlog` connections, at least one,
    /// wait to be accepted; those beyond are closed.
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError), [`Error::TimedOut`]
    pub fn listen(&mut self, backlog: u8) -> impl Future<Output = Result<(), Error>> {
        self.0
            .open(move |engine, handle| engine.listen(handle, backlog))
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
        let handle = self.0.handle;
        let place = Place::Socket(handle, Side::Rx, Wait::Accept);
        let attempt = |core: &mut Core<'a>| core.engine.accept_waiting(core.now, handle);
        let accepted = self.0.shared.wait(place, self.0.timeout, attempt);
        let (child, remote) = accepted.await?;
        Ok((Self(Socket::new(self.0.shared, child)), remote))
    }

    /// Two halves, for two tasks or for `join`.
    pub fn split(&mut self) -> (TcpReader<'_, 'a>, TcpWriter<'_, 'a>) {
        (TcpReader(&self.0), TcpWriter(&self.0))
    }

    /// Starts to close and keeps the socket, so that [`state`](Self::state)
    /// can be watched: what was taken is sent, its acknowledgement awaited
    /// for [`Config::linger_ms`](crate::Config::linger_ms), then `AT+QICLOSE`.
    ///
    /// # Errors
    /// [`OpenError::NotConnected`]
    pub fn shutdown(&mut self) -> Result<(), Error> {
        let close = |engine: &mut Engine<'a>, handle| engine.shutdown(FROM_NEXT_POLL, handle);
        let outcome = self.0.ask(close)?;
        self.0.shared.kick();
        Ok(outcome?)
    }

    /// Sends what was taken, closes, and gives the slot back. Bounded by the
    /// linger time and `AT+QICLOSE`'s own, 10 s each. The time-out and a drop
    /// end the waiting, not the closing.
    ///
    /// # Errors
    /// [`SendError`](crate::SendError) if bytes are known to be lost and no
    /// earlier call has said so; [`Error::TimedOut`]. The socket is closed all
    /// the same.
    pub async fn close(self) -> Result<(), Error> {
        self.0.close().await
    }

    /// Closes at once: what was not sent is lost, the peer sees a reset.
    pub fn abort(self) {
        self.0.abort();
    }

    /// The state of the connection.
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

/// The half of a [`TcpSocket`] that receives.
#[derive(Debug)]
pub struct TcpReader<'s, 'a>(&'s Socket<'a>);

/// The half of a [`TcpSocket`] that sends.
#[derive(Debug)]
pub struct TcpWriter<'s, 'a>(&'s Socket<'a>);

macro_rules! reads {
    ([$($life:lifetime),+] $name:ty) => {
        impl<$($life),+> $name {
            /// Receives into `buffer`, at least a byte; `Ok(0)` is the end of
            /// the data.
            ///
            /// # Errors
            /// [`RecvError`](crate::RecvError), [`Error::TimedOut`]. A broken
            /// connection is told once, after everything that had arrived.
            pub fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<usize, Error>> {
                self.0.read(buffer)
            }
        }

        impl<$($life),+> Read for $name {
            async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
                self.0.read(buffer).await
            }
        }

        impl<$($life),+> ReadReady for $name {
            fn read_ready(&mut self) -> Result<bool, Error> {
                self.0.ready(Wait::Receive)
            }
        }
    };
}

macro_rules! writes {
    ([$($life:lifetime),+] $name:ty) => {
        impl<$($life),+> $name {
            /// Takes at least a byte of `data` into the transmit ring, and
            /// returns how many. What was taken is sent, whatever happens to
            /// the task.
            ///
            /// # Errors
            /// [`SendError`](crate::SendError), [`Error::TimedOut`]; nothing
            /// was taken then.
            pub fn write(&mut self, data: &[u8]) -> impl Future<Output = Result<usize, Error>> {
                self.0.write(data)
            }

            /// Takes all of it; the time-out is for all. Dropped, or with an
            /// error, it may have taken some.
            ///
            /// # Errors
            /// As [`write`](Self::write).
            pub fn write_all(&mut self, data: &[u8]) -> impl Future<Output = Result<(), Error>> {
                self.0.write_all(data)
            }

            /// Waits until the module has taken the last byte (`SEND OK`) and
            /// its count of bytes agrees.
            ///
            /// # Errors
            /// [`SendError`](crate::SendError), [`Error::TimedOut`]
            pub fn flush(&mut self) -> impl Future<Output = Result<(), Error>> {
                self.0.flush()
            }

            /// Waits until the peer has acknowledged the last byte: asks with
            /// `AT+QISEND=<id>,0`, with growing pauses of up to 2 s.
            ///
            /// # Errors
            /// [`SendError`](crate::SendError), [`Error::TimedOut`]
            pub fn wait_acked(&mut self) -> impl Future<Output = Result<(), Error>> {
                self.0.wait_acked()
            }
        }

        impl<$($life),+> Write for $name {
            async fn write(&mut self, data: &[u8]) -> Result<usize, Error> {
                self.0.write(data).await
            }

            async fn flush(&mut self) -> Result<(), Error> {
                self.0.flush().await
            }
        }

        impl<$($life),+> WriteReady for $name {
            fn write_ready(&mut self) -> Result<bool, Error> {
                self.0.ready(Wait::Send(1))
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
reads!(['s, 'a] TcpReader<'s, 'a>);
writes!(['s, 'a] TcpWriter<'s, 'a>);
