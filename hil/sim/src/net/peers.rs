//! Ready-made peers, and the record in which a test sees what a peer received.

use std::sync::{Arc, Mutex, PoisonError};

use super::peer::{Ending, Peer, PeerIo};

/// What a peer does when it has sent all it has to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Then {
    /// Sends a FIN.
    Close,
    /// Leaves the connection open.
    Keep,
    /// Sends a RST.
    Abort,
}

impl Then {
    fn apply(self, io: &mut PeerIo) {
        match self {
            Then::Close => io.close(),
            Then::Keep => {}
            Then::Abort => io.abort(),
        }
    }
}

/// Sends back what it receives.
#[derive(Debug, Clone, Copy, Default)]
pub struct Echo;

impl Peer for Echo {
    fn received(&mut self, io: &mut PeerIo, data: &[u8]) {
        io.send(data);
    }
}

/// Takes everything and says nothing. Wrap it with [`Record::of`] to see what came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sink;

impl Peer for Sink {}

/// Sends given bytes as soon as the connection stands.
#[derive(Debug, Clone)]
pub struct Source {
    data: Arc<[u8]>,
    then: Then,
}

impl Source {
    /// A peer that sends `data`.
    pub fn new(data: impl Into<Arc<[u8]>>, then: Then) -> Source {
        Source {
            data: data.into(),
            then,
        }
    }
}

impl Peer for Source {
    fn connected(&mut self, io: &mut PeerIo) {
        io.send(&self.data);
        if self.then == Then::Close {
            io.close();
        }
    }

    fn delivered(&mut self, io: &mut PeerIo) {
        self.then.apply(io);
    }
}

/// Answers each request that ends with a blank line with the same bytes, as a simple web server.
#[derive(Debug, Clone)]
pub struct Answer {
    reply: Arc<[u8]>,
    then: Then,
    seen: usize,
}

impl Answer {
    /// A peer that answers with `reply`.
    pub fn new(reply: impl Into<Arc<[u8]>>, then: Then) -> Answer {
        Answer {
            reply: reply.into(),
            then,
            seen: 0,
        }
    }
}

impl Peer for Answer {
    fn received(&mut self, io: &mut PeerIo, data: &[u8]) {
        const END: &[u8] = b"\r\n\r\n";
        for &byte in data {
            self.seen = match byte {
                _ if byte == END[self.seen] => self.seen + 1,
                b'\r' => 1,
                _ => 0,
            };
            if self.seen == END.len() {
                self.seen = 0;
                io.send(&self.reply);
                if self.then == Then::Close {
                    io.close();
                }
            }
        }
    }

    fn delivered(&mut self, io: &mut PeerIo) {
        self.then.apply(io);
    }
}

/// Resets the connection after it has received this many bytes.
#[derive(Debug, Clone, Copy)]
pub struct ResetAfter(pub usize);

impl Peer for ResetAfter {
    fn connected(&mut self, io: &mut PeerIo) {
        self.received(io, &[]);
    }

    fn received(&mut self, io: &mut PeerIo, data: &[u8]) {
        self.0 = self.0.saturating_sub(data.len());
        if self.0 == 0 {
            io.abort();
        }
    }
}

/// What the connections to one server received, in the order they were made.
#[derive(Debug, Clone, Default)]
pub struct Record(Arc<Mutex<Vec<Recorded>>>);

/// What one connection received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Every byte from the module.
    pub data: Vec<u8>,
    /// How the module ended its side, if it has.
    pub ending: Option<Ending>,
}

impl Record {
    /// An empty record.
    pub fn new() -> Record {
        Record::default()
    }

    /// A server whose peers do what `make` says, and are recorded here.
    pub fn of<P: Peer>(
        &self,
        mut make: impl FnMut() -> P + Send + 'static,
    ) -> impl FnMut() -> Recording<P> + Send + 'static {
        let record = self.clone();
        move || Recording {
            inner: make(),
            record: record.clone(),
            index: record.add(),
        }
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.with(|all| all.len())
    }

    /// What connection `index` received so far; empty if there was no such connection.
    pub fn data(&self, index: usize) -> Vec<u8> {
        self.get(index).data
    }

    /// How many bytes connection `index` received so far.
    pub fn len(&self, index: usize) -> usize {
        self.with(|all| all.get(index).map_or(0, |one| one.data.len()))
    }

    /// Whether connection `index` received nothing so far.
    pub fn is_empty(&self, index: usize) -> bool {
        self.len(index) == 0
    }

    /// What is known of connection `index`.
    pub fn get(&self, index: usize) -> Recorded {
        self.with(|all| all.get(index).cloned().unwrap_or_default())
    }

    fn add(&self) -> usize {
        self.with(|all| {
            all.push(Recorded::default());
            all.len() - 1
        })
    }

    fn with<R>(&self, f: impl FnOnce(&mut Vec<Recorded>) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A peer that is recorded; see [`Record::of`].
#[derive(Debug)]
pub struct Recording<P> {
    inner: P,
    record: Record,
    index: usize,
}

impl<P> Recording<P> {
    fn note(&self, f: impl FnOnce(&mut Recorded)) {
        self.record.with(|all| all.get_mut(self.index).map(f));
    }
}

impl<P: Peer> Peer for Recording<P> {
    fn connected(&mut self, io: &mut PeerIo) {
        self.inner.connected(io);
    }
    fn received(&mut self, io: &mut PeerIo, data: &[u8]) {
        self.note(|one| one.data.extend(data));
        self.inner.received(io, data);
    }
    fn delivered(&mut self, io: &mut PeerIo) {
        self.inner.delivered(io);
    }
    fn woken(&mut self, io: &mut PeerIo) {
        self.inner.woken(io);
    }
    fn closed(&mut self, io: &mut PeerIo, how: Ending) {
        self.note(|one| one.ending = Some(how));
        self.inner.closed(io, how);
    }
}
