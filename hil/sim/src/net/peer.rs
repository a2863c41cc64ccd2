//! What stands at the other end of a connection: the [`Peer`] trait.

use std::collections::VecDeque;
use std::net::SocketAddr;

/// How the module ended its side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// With a FIN: everything it sent has been delivered.
    Fin,
    /// With a RST, or the module went away.
    Reset,
}

/// A server inside the simulator: one per connection, called when something happens to it.
///
/// Everything has a default, so a peer says only what it cares about.
pub trait Peer: Send {
    /// The connection is established.
    fn connected(&mut self, io: &mut PeerIo) {
        let _ = io;
    }

    /// Bytes from the module.
    fn received(&mut self, io: &mut PeerIo, data: &[u8]) {
        let _ = (io, data);
    }

    /// The module's TCP has acknowledged everything sent so far.
    fn delivered(&mut self, io: &mut PeerIo) {
        let _ = io;
    }

    /// The time asked for by [`PeerIo::wake_at`] has come.
    fn woken(&mut self, io: &mut PeerIo) {
        let _ = io;
    }

    /// The module has ended its side. Called once. Closes this side too unless overridden.
    fn closed(&mut self, io: &mut PeerIo, how: Ending) {
        let _ = how;
        io.close();
    }
}

impl Peer for Box<dyn Peer> {
    fn connected(&mut self, io: &mut PeerIo) {
        (**self).connected(io);
    }
    fn received(&mut self, io: &mut PeerIo, data: &[u8]) {
        (**self).received(io, data);
    }
    fn delivered(&mut self, io: &mut PeerIo) {
        (**self).delivered(io);
    }
    fn woken(&mut self, io: &mut PeerIo) {
        (**self).woken(io);
    }
    fn closed(&mut self, io: &mut PeerIo, how: Ending) {
        (**self).closed(io, how);
    }
}

/// A peer's view of its connection.
#[derive(Debug)]
pub struct PeerIo {
    pub(super) now: u64,
    pub(super) server: SocketAddr,
    pub(super) client: SocketAddr,
    pub(super) outgoing: VecDeque<u8>,
    /// Bytes that TCP has taken and that are not acknowledged.
    pub(super) unacked: usize,
    pub(super) closing: bool,
    pub(super) aborting: bool,
    pub(super) paused: bool,
    pub(super) wake_at: Option<u64>,
}

impl PeerIo {
    pub(super) fn new(server: SocketAddr, client: SocketAddr) -> PeerIo {
        PeerIo {
            now: 0,
            server,
            client,
            outgoing: VecDeque::new(),
            unacked: 0,
            closing: false,
            aborting: false,
            paused: false,
            wake_at: None,
        }
    }

    /// The time in µs.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The address that the module connected to.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// The module's address.
    pub fn client(&self) -> SocketAddr {
        self.client
    }

    /// Queues bytes for the module. The queue has no limit; see [`PeerIo::queued`].
    pub fn send(&mut self, data: &[u8]) {
        if !self.closing {
            self.outgoing.extend(data);
        }
    }

    /// Bytes queued here that TCP has not taken yet.
    pub fn queued(&self) -> usize {
        self.outgoing.len()
    }

    /// Bytes that the module's TCP has not acknowledged yet, queued or on their way.
    pub fn undelivered(&self) -> usize {
        self.outgoing.len() + self.unacked
    }

    /// Ends this side with a FIN after what is queued. The module may still send.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// Ends the connection at once with a RST.
    pub fn abort(&mut self) {
        self.aborting = true;
    }

    /// Stops or resumes reading. While stopped, TCP's window fills and the module is held up.
    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Asks for a call of [`Peer::woken`] at this time in µs, replacing an earlier wish.
    pub fn wake_at(&mut self, at: u64) {
        self.wake_at = Some(at);
    }
}
