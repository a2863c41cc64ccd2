//! The real network: connections of the module become ordinary connections of this PC.
//!
//! A connect is begun here, on a thread of its own, when the module's SYN comes, and the SYN is
//! answered when it has succeeded or failed. Afterwards a [`Splice`] passes bytes, FINs and RSTs both
//! ways. Nothing else blocks; the sockets are looked at every millisecond.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use socket2::SockRef;

use super::gateway::{Pair, Verdict};
use super::peer::{Ending, Peer, PeerIo};
use crate::background;

/// How often sockets are looked at, in µs.
const POLL_US: u64 = 1_000;
/// Bytes that wait in one direction of a splice before reading stops.
const WAITING: usize = 64 << 10;
/// A connect that takes longer than this is one that nobody answers.
const CONNECT_LIMIT: Duration = Duration::from_secs(130);

/// Connects that are going on.
#[derive(Debug, Default)]
pub(super) struct Dialer {
    pending: BTreeMap<Pair, Receiver<Result<TcpStream>>>,
    poll_at: u64,
}

impl Dialer {
    /// Begins a connect.
    pub(super) fn dial(&mut self, now: u64, pair: Pair) -> Verdict {
        let server = pair.1;
        let connect = move || TcpStream::connect_timeout(&server, CONNECT_LIMIT);
        let Some(result) = background::start(connect) else {
            return Verdict::Silence;
        };
        self.pending.insert(pair, result);
        self.poll_at = now + POLL_US;
        Verdict::Wait
    }

    /// The module has given up a connect.
    pub(super) fn cancel(&mut self, pair: Pair) {
        self.pending.remove(&pair);
    }

    /// The connects that have come to an end.
    pub(super) fn poll(&mut self, now: u64) -> Vec<(Pair, Verdict)> {
        let mut decided = Vec::new();
        if self.pending.is_empty() || now < self.poll_at {
            return decided;
        }
        self.poll_at = now + POLL_US;
        self.pending.retain(|pair, result| {
            let verdict = match result.try_recv() {
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => Verdict::Refuse,
                Ok(Err(error)) if error.kind() == ErrorKind::TimedOut => Verdict::Silence,
                Ok(Err(_)) => Verdict::Refuse,
                Ok(Ok(stream)) => match Splice::new(stream) {
                    Ok(splice) => Verdict::Accept(Box::new(splice)),
                    Err(_) => Verdict::Refuse,
                },
            };
            decided.push((*pair, verdict));
            false
        });
        decided
    }

    pub(super) fn next(&self) -> Option<u64> {
        (!self.pending.is_empty()).then_some(self.poll_at)
    }
}

/// Ports of this PC whose connections go to ports of the module.
#[derive(Debug, Default)]
pub(super) struct Forwards {
    listeners: Vec<(TcpListener, u16)>,
    poll_at: u64,
}

impl Forwards {
    pub(super) fn add(&mut self, listener: TcpListener, module_port: u16) -> Result<()> {
        listener.set_nonblocking(true)?;
        self.listeners.push((listener, module_port));
        Ok(())
    }

    /// The connections that have come: from where, to which port of the module, and the peer.
    pub(super) fn poll(&mut self, now: u64) -> Vec<(SocketAddr, u16, Box<dyn Peer>)> {
        let mut come: Vec<(SocketAddr, u16, Box<dyn Peer>)> = Vec::new();
        if self.listeners.is_empty() || now < self.poll_at {
            return come;
        }
        self.poll_at = now + POLL_US;
        for (listener, port) in &self.listeners {
            while let Ok((stream, from)) = listener.accept() {
                if let Ok(splice) = Splice::new(stream) {
                    come.push((from, *port, Box::new(splice)));
                }
            }
        }
        come
    }

    pub(super) fn next(&self) -> Option<u64> {
        (!self.listeners.is_empty()).then_some(self.poll_at)
    }
}

/// A connection of the module, joined to one of this PC.
#[derive(Debug)]
struct Splice {
    stream: Option<TcpStream>,
    /// Bytes from the module that the real socket has not taken.
    waiting: Vec<u8>,
    /// The module has sent its FIN.
    finished: bool,
    /// That FIN was passed on.
    shut: bool,
    /// The real peer has sent its FIN.
    ended: bool,
    /// The real connection was reset: so is the module's, once it has what came before.
    reset: bool,
}

impl Splice {
    fn new(stream: TcpStream) -> Result<Splice> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Splice {
            stream: Some(stream),
            waiting: Vec::new(),
            finished: false,
            shut: false,
            ended: false,
            reset: false,
        })
    }

    fn fail(&mut self, io: &mut PeerIo) {
        self.stream = None;
        self.reset = true;
        self.waiting.clear();
        io.pause(false);
        if io.undelivered() == 0 {
            io.abort();
        }
    }

    /// Passes on what can be passed on.
    fn pump(&mut self, io: &mut PeerIo) {
        if self.write_out().is_err() || self.read_in(io).is_err() {
            self.fail(io);
        }
        io.pause(self.waiting.len() >= WAITING);
        if self.stream.is_some() {
            io.wake_at(io.now() + POLL_US);
        }
    }

    fn write_out(&mut self) -> Result<()> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        while !self.waiting.is_empty() {
            match stream.write(&self.waiting) {
                Ok(n) => drop(self.waiting.drain(..n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.finished && self.ended {
            self.stream = None;
        } else if self.finished && !self.shut {
            self.shut = true;
            // Fails only if the peer is gone, which the next read tells.
            let _ = stream.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    fn read_in(&mut self, io: &mut PeerIo) -> Result<()> {
        let mut buffer = [0; 4096];
        while !self.ended && io.queued() < WAITING {
            let Some(stream) = &mut self.stream else {
                return Ok(());
            };
            match stream.read(&mut buffer) {
                Ok(0) => {
                    self.ended = true;
                    io.close();
                }
                Ok(n) => io.send(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Peer for Splice {
    fn connected(&mut self, io: &mut PeerIo) {
        self.pump(io);
    }

    fn received(&mut self, io: &mut PeerIo, data: &[u8]) {
        if !self.reset {
            self.waiting.extend(data);
            self.pump(io);
        }
    }

    fn delivered(&mut self, io: &mut PeerIo) {
        if self.reset {
            io.abort();
        }
    }

    fn woken(&mut self, io: &mut PeerIo) {
        self.pump(io);
    }

    fn closed(&mut self, io: &mut PeerIo, how: Ending) {
        match how {
            Ending::Fin => {
                self.finished = true;
                self.pump(io);
            }
            Ending::Reset => {
                if let Some(stream) = self.stream.take() {
                    // Without this the close would be a FIN.
                    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                }
            }
        }
    }
}
