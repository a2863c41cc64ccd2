//! The network's side of the link: it answers for every address there is.
//!
//! Each connection that the module makes gets a socket of its own and a [`Peer`] that speaks for the
//! server. The first SYN of a connection is held back until it is decided what becomes of it: an
//! accepted one is then given to a fresh listening socket, a refused one to the bare stack, which
//! answers with a RST, and for a silent one nothing happens. So a server that takes long to answer
//! looks to the module exactly as it would on the Internet, and no timer of the stack runs meanwhile.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};

use super::packet::{self, Content};
use super::peer::{Ending, Peer, PeerIo};
use super::stack::Stack;

const RECEIVE_BUFFER: usize = 32 << 10;
const SEND_BUFFER: usize = 64 << 10;
/// Connections at a time; a SYN beyond that is dropped unless one in TIME_WAIT can go.
const MOST: usize = 512;
/// A connection that is not established or not closed after this long without progress is dropped.
const PATIENCE_US: u64 = 120_000_000;

/// A connection as the network sees it: client (the module) and server.
pub(super) type Pair = (SocketAddr, SocketAddr);

/// What becomes of a connection that the module tries to make.
pub(super) enum Verdict {
    Accept(Box<dyn Peer>),
    Refuse,
    Silence,
    /// Not known yet: the SYN waits for [`Gateway::decide`].
    Wait,
}

struct Connection {
    serial: u64,
    handle: SocketHandle,
    peer: Box<dyn Peer>,
    io: PeerIo,
    established: bool,
    ended: bool,
    finished_sending: bool,
    /// Something sent has not been acknowledged, as last seen.
    busy: bool,
    changed_at: u64,
    last_state: State,
}

pub(super) struct Gateway {
    stack: Stack,
    connections: BTreeMap<Pair, Connection>,
    /// SYNs that wait for a verdict, with the time they came.
    held: BTreeMap<Pair, (u64, Vec<u8>)>,
    /// Connections that the module gave up while their SYN waited.
    cancelled: Vec<Pair>,
    accepted: u64,
}

impl Gateway {
    pub(super) fn new(seed: u64) -> Gateway {
        let mut stack = Stack::new(seed);
        stack.iface.set_any_ip(true);
        Gateway {
            stack,
            connections: BTreeMap::new(),
            held: BTreeMap::new(),
            cancelled: Vec::new(),
            accepted: 0,
        }
    }

    /// A packet from the link. `judge` is asked about each connection not seen before.
    pub(super) fn receive(
        &mut self,
        now: u64,
        packet: Vec<u8>,
        judge: &mut dyn FnMut(Pair) -> Verdict,
    ) {
        let Some(seen) = packet::parse(&packet) else {
            return;
        };
        let Content::Tcp { opening, reset } = seen.content else {
            self.stack.receive(packet);
            return;
        };
        let pair = (seen.from, seen.to);
        if self.held.contains_key(&pair) {
            if reset {
                self.held.remove(&pair);
                self.cancelled.push(pair);
            }
        } else if opening && !self.connections.contains_key(&pair) {
            let verdict = judge(pair);
            self.apply(now, pair, packet, verdict);
        } else {
            self.stack.receive(packet);
        }
    }

    /// The verdict on a connection whose SYN waits.
    pub(super) fn decide(&mut self, now: u64, pair: Pair, verdict: Verdict) {
        if let Some((_, packet)) = self.held.remove(&pair) {
            self.apply(now, pair, packet, verdict);
        }
    }

    /// The connections that the module has given up while their SYN waited, since the last call.
    pub(super) fn take_cancelled(&mut self) -> Vec<Pair> {
        std::mem::take(&mut self.cancelled)
    }

    fn apply(&mut self, now: u64, pair: Pair, packet: Vec<u8>, verdict: Verdict) {
        match verdict {
            Verdict::Accept(peer) => {
                if self.make_room() {
                    self.accept(now, pair, peer);
                    self.stack.receive(packet);
                    self.poll(now);
                }
            }
            Verdict::Refuse => {
                self.stack.receive(packet);
                self.poll(now);
            }
            Verdict::Silence => {}
            Verdict::Wait => {
                self.held.insert(pair, (now, packet));
            }
        }
    }

    fn make_room(&mut self) -> bool {
        if self.connections.len() < MOST {
            return true;
        }
        let done = |c: &Connection| c.ended && c.finished_sending;
        let old = self
            .connections
            .iter()
            .find(|(_, c)| done(c))
            .map(|(pair, _)| *pair);
        old.is_some_and(|pair| self.drop_connection(pair))
    }

    fn drop_connection(&mut self, pair: Pair) -> bool {
        let dropped = self.connections.remove(&pair);
        if let Some(connection) = &dropped {
            self.stack.sockets.remove(connection.handle);
        }
        dropped.is_some()
    }

    /// Begins a connection to the module. False if there is one of this pair of addresses, or no room.
    pub(super) fn dial(&mut self, now: u64, pair: Pair, peer: Box<dyn Peer>) -> bool {
        let (module, remote) = pair;
        if self.connections.contains_key(&pair) || !self.make_room() {
            return false;
        }
        let mut socket = new_socket();
        let context = self.stack.iface.context();
        if socket.connect(context, module, remote).is_err() {
            return false;
        }
        self.insert(now, pair, peer, socket);
        self.stack.touch();
        true
    }

    fn accept(&mut self, now: u64, pair: Pair, peer: Box<dyn Peer>) {
        let mut socket = new_socket();
        // Port 0 cannot be listened on; the bare stack then refuses the connection.
        if socket.listen(pair.1).is_ok() {
            self.insert(now, pair, peer, socket);
        }
    }

    fn insert(&mut self, now: u64, pair: Pair, peer: Box<dyn Peer>, socket: Socket<'static>) {
        let (client, server) = pair;
        let last_state = socket.state();
        let handle = self.stack.sockets.add(socket);
        self.accepted += 1;
        let connection = Connection {
            serial: self.accepted,
            handle,
            peer,
            io: PeerIo::new(server, client),
            established: false,
            ended: false,
            finished_sending: false,
            busy: false,
            changed_at: now,
            last_state,
        };
        self.connections.insert(pair, connection);
    }

    /// The youngest established connection to a server; its socket is looked at by the next poll.
    pub(super) fn youngest(&mut self, now: u64, server: SocketAddr) -> Option<&mut PeerIo> {
        self.stack.touch();
        let to_server = |(pair, c): &(&Pair, &mut Connection)| pair.1 == server && c.established;
        let all = self.connections.iter_mut().filter(to_server);
        let (_, youngest) = all.max_by_key(|(_, c)| c.serial)?;
        youngest.io.now = now;
        Some(&mut youngest.io)
    }

    /// The next packet for the module.
    pub(super) fn transmit(&mut self) -> Option<Vec<u8>> {
        self.stack.transmit()
    }

    /// The module's address is gone: so are its connections.
    pub(super) fn forget(&mut self, client: IpAddr) {
        let pairs: Vec<Pair> = self
            .connections
            .keys()
            .filter(|p| p.0.ip() == client)
            .copied()
            .collect();
        for pair in pairs {
            if let Some(connection) = self.connections.get_mut(&pair)
                && connection.established
                && !connection.ended
            {
                connection.peer.closed(&mut connection.io, Ending::Reset);
            }
            self.drop_connection(pair);
        }
        self.held.retain(|pair, _| {
            let keep = pair.0.ip() != client;
            if !keep {
                self.cancelled.push(*pair);
            }
            keep
        });
    }

    /// Does everything due at `now`. False if there was nothing to do.
    pub(super) fn poll(&mut self, now: u64) -> bool {
        let due = |c: &Connection| c.due_at().is_some_and(|at| at <= now);
        if self.connections.values().any(due) {
            self.stack.touch();
        }
        if !self.stack.poll(now) {
            return false;
        }
        let mut gone = Vec::new();
        for (pair, connection) in &mut self.connections {
            let socket = self.stack.sockets.get_mut::<Socket>(connection.handle);
            let (changed, finished) = connection.serve(now, socket);
            if changed {
                self.stack.touch();
            }
            if finished {
                gone.push(*pair);
            }
        }
        for pair in gone {
            self.drop_connection(pair);
        }
        self.held
            .retain(|_, (since, _)| now.saturating_sub(*since) < 2 * PATIENCE_US);
        true
    }

    /// When there is something to do next.
    pub(super) fn next(&self, now: u64) -> Option<u64> {
        let peers = self.connections.values().filter_map(Connection::due_at);
        self.stack.next(now).into_iter().chain(peers).min()
    }
}

fn new_socket() -> Socket<'static> {
    let mut socket = Socket::new(
        SocketBuffer::new(vec![0; RECEIVE_BUFFER]),
        SocketBuffer::new(vec![0; SEND_BUFFER]),
    );
    socket.set_nagle_enabled(false);
    socket
}

impl Connection {
    fn due_at(&self) -> Option<u64> {
        self.io.wake_at.into_iter().chain(self.deadline()).min()
    }

    fn deadline(&self) -> Option<u64> {
        let unfinished = !self.established || self.ended;
        (unfinished && self.last_state != State::TimeWait).then_some(self.changed_at + PATIENCE_US)
    }

    /// Lets the peer act on what its socket has seen. Says whether the socket was changed, and
    /// whether the connection is over.
    fn serve(&mut self, now: u64, socket: &mut Socket<'_>) -> (bool, bool) {
        self.io.now = now;
        self.io.unacked = socket.send_queue();
        let state = socket.state();
        if state != self.last_state {
            self.last_state = state;
            self.changed_at = now;
        }
        if state == State::Listen || self.deadline().is_some_and(|at| at <= now) {
            // The module cancelled its connect, or is not heard of any more.
            if !self.established && state == State::SynSent {
                self.peer.closed(&mut self.io, Ending::Reset);
            }
            return (false, true);
        }
        if matches!(state, State::SynSent | State::SynReceived) {
            return (false, false);
        }
        if !self.established && state == State::Closed {
            // The module has refused it.
            self.ended = true;
            self.peer.closed(&mut self.io, Ending::Reset);
            return (false, true);
        }
        if !self.established {
            self.established = true;
            self.peer.connected(&mut self.io);
        }
        let mut changed = self.receive(socket);
        self.notice_ending(socket);
        if self.io.wake_at.is_some_and(|at| at <= now) {
            self.io.wake_at = None;
            self.peer.woken(&mut self.io);
        }
        changed |= self.send(socket);
        let over = socket.state() == State::Closed && socket.remote_endpoint().is_none();
        (changed, over)
    }

    fn receive(&mut self, socket: &mut Socket<'_>) -> bool {
        let mut changed = false;
        while !self.io.paused && !self.io.aborting && socket.can_recv() {
            let (peer, io) = (&mut self.peer, &mut self.io);
            let read = socket.recv(|data| {
                peer.received(io, data);
                (data.len(), data.len())
            });
            changed = true;
            if read.unwrap_or(0) == 0 {
                break;
            }
        }
        changed
    }

    fn notice_ending(&mut self, socket: &Socket<'_>) {
        if self.ended || socket.can_recv() {
            return;
        }
        let how = match socket.state() {
            State::CloseWait | State::Closing | State::LastAck | State::TimeWait => Ending::Fin,
            State::Closed if !self.io.aborting => Ending::Reset,
            _ => return,
        };
        self.ended = true;
        self.peer.closed(&mut self.io, how);
    }

    fn send(&mut self, socket: &mut Socket<'_>) -> bool {
        let mut changed = false;
        if !self.io.aborting {
            while !self.io.outgoing.is_empty() {
                let sent = socket
                    .send_slice(self.io.outgoing.as_slices().0)
                    .unwrap_or(0);
                self.io.outgoing.drain(..sent);
                changed |= sent > 0;
                if sent == 0 {
                    break;
                }
            }
            self.io.unacked = socket.send_queue();
            let busy = self.io.undelivered() > 0;
            if self.busy && !busy {
                self.peer.delivered(&mut self.io);
                // What it sends now is taken by the next look.
                changed = true;
            }
            self.busy = busy;
        }
        if self.io.aborting && socket.state() != State::Closed {
            socket.abort();
            changed = true;
        } else if self.io.closing && self.io.outgoing.is_empty() && !self.finished_sending {
            self.finished_sending = true;
            socket.close();
            changed = true;
        }
        changed
    }
}
