//! What both kinds of socket have.

use core::{marker::PhantomData, mem, net::SocketAddr};

use super::{Error, Shared, wait::Call};
use crate::{
    engine::{Engine, FROM_NEXT_POLL, Wait},
    error::{ConnectError, OpenError},
    runner::Core,
    slot::Handle,
    state::SocketState,
};

/// A socket: a [`TcpSocket`](super::TcpSocket) or a
/// [`UdpSocket`](super::UdpSocket). Dropped, it is closed as by
/// [`close`](Self::close), which then nobody awaits.
#[derive(Debug)]
pub struct Socket<'a, K> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) handle: Handle,
    /// Milliseconds.
    timeout: Option<u32>,
    kind: PhantomData<K>,
}

impl<'a, K> Socket<'a, K> {
    pub(super) const fn new(shared: &'a Shared<'a>, handle: Handle) -> Self {
        Self {
            shared,
            handle,
            timeout: None,
            kind: PhantomData,
        }
    }

    /// To wait with one of the engine's calls.
    pub(super) fn wait(&self, wait: Wait) -> Call<'a, 'a> {
        Call {
            shared: self.shared,
            handle: Some(self.handle),
            wait,
            timeout: self.timeout,
            again: false,
        }
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
        let (handle, mut started) = (self.handle, false);
        self.wait(Wait::OPEN).until(move |core: &mut Core<'a>| {
            if !mem::replace(&mut started, true) {
                start(&mut core.engine, handle)?;
            }
            core.engine.connected(handle)
        })
    }

    /// Milliseconds that each call may wait, from the call on: the runner
    /// looks at the clock when it has its next turn. `None`, as at the
    /// beginning, for any time. A call that fails with [`Error::TimedOut`]
    /// has taken and delivered nothing; `write_all` may have taken some.
    pub fn set_timeout(&mut self, ms: Option<u32>) {
        self.timeout = ms;
    }

    /// Of a TCP socket: connects with `AT+QIOPEN`. When its time is over it
    /// is cancelled (`AT+QICLOSE=<id>,0`); dropped, it goes on, and `connect`
    /// with the same address joins it.
    ///
    /// Of a UDP socket: names the peer, to whom `send` goes. What others send
    /// is dropped.
    ///
    /// # Errors
    /// [`ConnectError`](crate::ConnectError), [`Error::TimedOut`]
    pub fn connect(&mut self, remote: SocketAddr) -> impl Future<Output = Result<(), Error>> {
        self.open(move |engine, handle| engine.connect(handle, remote))
    }

    pub(super) fn flushed(&self) -> impl Future<Output = Result<(), Error>> {
        let handle = self.handle;
        let attempt = move |core: &mut Core<'a>| core.engine.flushed(handle);
        self.wait(Wait::FLUSH).until(attempt)
    }

    /// Whether a call would not wait.
    pub(super) fn ready(&self, wait: Wait) -> Result<bool, Error> {
        self.ask(|engine, handle| engine.is_ready(handle, wait))
    }

    /// Sends what was taken, closes, and gives the slot back. Bounded by the
    /// linger time and `AT+QICLOSE`'s own, 10 s each. The time-out and a drop
    /// end the waiting, not the closing.
    ///
    /// # Errors
    /// [`SendError`](crate::SendError) if bytes are known to be lost and no
    /// earlier call has said so; [`Error::TimedOut`]. The socket is closed all
    /// the same.
    pub fn close(self) -> impl Future<Output = Result<(), Error>> {
        self.wait(Wait::CLOSE).until(move |core: &mut Core<'a>| {
            // All of it belongs to the future, not the handle alone.
            let socket = &self;
            let handle = socket.handle;
            core.engine.start_close(FROM_NEXT_POLL, handle);
            match core.engine.is_closed(handle) {
                true => core.engine.untold_loss(handle).map_err(nb::Error::Other),
                false => Err(nb::Error::WouldBlock),
            }
        })
    }

    /// The state of the socket.
    pub fn state(&self) -> SocketState {
        let state = self.ask(Engine::state);
        // A handle goes stale when only TIME_WAIT was left of the socket.
        state.ok().flatten().unwrap_or_default()
    }

    /// The module's address, and the local port; 0 while that is not known.
    ///
    /// # Errors
    /// [`OpenError::NotConnected`] while the network is down.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        Ok(self.ask(Engine::local)?.ok_or(OpenError::NotConnected)?)
    }

    /// The peer's address.
    ///
    /// # Errors
    /// [`OpenError::NotConnected`]
    pub fn remote_addr(&self) -> Result<SocketAddr, Error> {
        Ok(self.ask(Engine::remote)?.ok_or(OpenError::NotConnected)?)
    }
}

impl<K> Drop for Socket<'_, K> {
    fn drop(&mut self) {
        let _ = self.ask(|engine, handle| engine.release(FROM_NEXT_POLL, handle));
        self.shared.kick();
    }
}
