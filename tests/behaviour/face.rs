//! What a script can do with a set of sockets, and what it can see of it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use quectel_sockets::SocketState;

/// How long something on this PC may take, on a busy machine.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// A socket of a [`Face`], from 0 in the order of their creation.
pub(crate) type Id = usize;

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    Refused,
    Reset,
    AlreadyConnected,
    NotConnected,
    AddressInUse,
    BrokenPipe,
    NoSuchName,
    /// Anything else, with its errno if it has one.
    Other(Option<i32>),
}

impl Failure {
    /// Of an errno, with Linux' numbers.
    pub(crate) fn of_errno(number: i32) -> Self {
        match number {
            -2 => Self::NoSuchName,
            32 => Self::BrokenPipe,
            98 => Self::AddressInUse,
            104 => Self::Reset,
            106 => Self::AlreadyConnected,
            107 => Self::NotConnected,
            111 => Self::Refused,
            number => Self::Other(Some(number)),
        }
    }

    pub(crate) fn of_kind(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset => Self::Reset,
            io::ErrorKind::AddrInUse => Self::AddressInUse,
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            io::ErrorKind::NotConnected => Self::NotConnected,
            _ => Self::Other(None),
        }
    }
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Sockets, whichever face they have. Every call lasts until it is done.
pub(crate) trait Face {
    /// A connection to this address.
    fn connect(&mut self, to: SocketAddr) -> Result<Id>;
    /// Sends all of it.
    fn send(&mut self, id: Id, data: &[u8]) -> Result<()>;
    /// What there is, `most` bytes at the most; nothing at the end of the data.
    fn recv(&mut self, id: Id, most: usize) -> Result<Vec<u8>>;
    /// Begins the close of a connection; it can be looked at until [`release`](Self::release).
    fn close(&mut self, id: Id);
    /// The socket is given back; closes it if it is open.
    fn release(&mut self, id: Id);
    fn resolve(&mut self, name: &str) -> Result<IpAddr>;

    /// A listening socket, and the address at which the rest of this PC reaches it. Faces that have
    /// none return `None`.
    fn listen(&mut self) -> Option<Result<(Id, SocketAddr)>>;
    fn accept(&mut self, _: Id) -> Result<Id> {
        unreachable!("a face without listeners")
    }

    /// A datagram socket; with a remote address it is connected to that one.
    fn udp(&mut self, to: Option<SocketAddr>) -> Result<Id>;
    /// `to` is that of [`udp`](Self::udp) if the socket is connected.
    fn send_to(&mut self, id: Id, to: SocketAddr, data: &[u8]) -> Result<()>;
    /// A datagram and who sent it; a connected socket may not say who.
    fn recv_from(&mut self, id: Id, most: usize) -> Result<(Vec<u8>, Option<SocketAddr>)>;

    /// The states that the connection can be in; none if the face does not tell.
    fn states(&mut self, _: Id) -> Option<Vec<SocketState>> {
        None
    }

    /// Lets some time pass.
    fn pass(&mut self) {
        thread::yield_now();
    }
}

/// Lets time pass on this face until `done` gives something.
#[track_caller]
pub(crate) fn until<F: Face + ?Sized, T>(
    face: &mut F,
    what: &str,
    mut done: impl FnMut(&mut F) -> Option<T>,
) -> T {
    let begin = Instant::now();
    while begin.elapsed() < BOUND {
        if let Some(value) = done(face) {
            return value;
        }
        face.pass();
    }
    panic!("not within {BOUND:?}: {what}");
}
