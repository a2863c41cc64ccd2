//! The module's TCP sockets: the truth behind connect ids.
//!
//! A connect id is the AT layer's name for a socket and is free again after `AT+QICLOSE`; the TCP
//! socket lives on in here until TCP is done with it, so TIME_WAIT and its like stay visible.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Duration;

use super::ports::Ports;
use super::stack::Stack;

/// States of a TCP socket, numbered as in lwIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TcpState {
    /// No connection.
    Closed = 0,
    /// Waiting for connections.
    Listen = 1,
    /// SYN sent, nothing heard yet.
    SynSent = 2,
    /// SYN received and answered.
    SynRcvd = 3,
    /// Open both ways.
    Established = 4,
    /// Our FIN is on its way.
    FinWait1 = 5,
    /// Our FIN is acknowledged, the peer may still send.
    FinWait2 = 6,
    /// The peer's FIN has come, we may still send.
    CloseWait = 7,
    /// Both FINs crossed, ours is not acknowledged yet.
    Closing = 8,
    /// Our FIN followed the peer's and is not acknowledged yet.
    LastAck = 9,
    /// Closed both ways; the port is kept for stray packets.
    TimeWait = 10,
}

impl From<State> for TcpState {
    fn from(state: State) -> TcpState {
        match state {
            State::Closed => TcpState::Closed,
            State::Listen => TcpState::Listen,
            State::SynSent => TcpState::SynSent,
            State::SynReceived => TcpState::SynRcvd,
            State::Established => TcpState::Established,
            State::FinWait1 => TcpState::FinWait1,
            State::FinWait2 => TcpState::FinWait2,
            State::CloseWait => TcpState::CloseWait,
            State::Closing => TcpState::Closing,
            State::LastAck => TcpState::LastAck,
            State::TimeWait => TcpState::TimeWait,
        }
    }
}

/// A TCP socket of the module's stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpSocket {
    /// Which open it was, counted from 1.
    pub serial: u64,
    /// The connect id it was opened with.
    pub connect_id: u8,
    /// Whether the connect id still stands for it: no `AT+QICLOSE` was answered yet. A client that a
    /// listener has not been told of yet has the listener's connect id, and is not attached.
    pub attached: bool,
    /// The port of the module.
    pub local_port: u16,
    /// The other end; unspecified for a listener.
    pub remote: SocketAddr,
    /// Its state.
    pub state: TcpState,
}

/// How a socket is opened.
pub(crate) struct Open {
    pub(crate) connect_id: u8,
    pub(crate) local: IpAddr,
    /// 0 for any.
    pub(crate) local_port: u16,
    pub(crate) remote: SocketAddr,
    pub(crate) buffers: Buffers,
}

/// How a listener is opened.
pub(crate) struct Listen {
    pub(crate) connect_id: u8,
    pub(crate) local: IpAddr,
    pub(crate) local_port: u16,
    pub(crate) buffers: Buffers,
}

/// What all sockets need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buffers {
    pub(crate) receive: usize,
    pub(crate) send: usize,
    pub(crate) nagle: bool,
    /// Idle time before the first probe, and how long silence is borne after that, in µs.
    pub(crate) keep_alive: Option<(u64, u64)>,
}

/// Limits that the stack itself does not have, in µs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// No progress with unacknowledged data: the connection is given up.
    pub(crate) retransmission: u64,
    /// A released socket in FIN_WAIT_2.
    pub(crate) fin_wait_2: u64,
    /// A released socket in any other state short of TIME_WAIT.
    pub(crate) release: u64,
    /// Released sockets kept; more push out the oldest.
    pub(crate) released: usize,
}

struct Entry {
    handle: SocketHandle,
    info: TcpSocket,
    source: IpAddr,
    released_at: Option<u64>,
    state_since: u64,
    unacked: usize,
    progress_at: u64,
    role: Role,
}

#[derive(Debug, Clone, Copy)]
enum Role {
    /// A client, or an accepted one.
    Connection,
    /// The socket is the spare one that the next client gets.
    Listener(Buffers),
    /// A client of the listener with this serial number, not yet accepted.
    Pending(u64),
}

/// Clients of a listener whose handshake is going on; one more pushes out the oldest.
const BACKLOG: usize = 8;
/// A client that does not finish its handshake in this time, in µs, is forgotten.
const HANDSHAKE_US: u64 = 75_000_000;

pub(crate) struct TcpTable {
    entries: BTreeMap<u64, Entry>,
    opened: u64,
    ports: Ports,
    limits: Limits,
    /// Clients whose handshake is done: listener and client.
    established: Vec<(u64, u64)>,
}

impl TcpTable {
    pub(super) fn new(limits: Limits, random: u64) -> TcpTable {
        TcpTable {
            entries: BTreeMap::new(),
            opened: 0,
            ports: Ports::new(random),
            limits,
            established: Vec::new(),
        }
    }

    /// Starts a connect and gives the serial number of the socket; `None` if the port is taken.
    pub(super) fn connect(&mut self, stack: &mut Stack, now: u64, open: &Open) -> Option<u64> {
        let entries = &self.entries;
        let taken = |e: &Entry| {
            e.info.local_port == open.local_port
                && (e.info.state != TcpState::TimeWait || e.info.remote == open.remote)
        };
        let local_port = match open.local_port {
            0 => self
                .ports
                .free(|port| entries.values().any(|e| e.info.local_port == port)),
            _ if entries.values().any(taken) => return None,
            port => port,
        };
        let mut socket = open.buffers.socket();
        let local = (open.local, local_port);
        socket
            .connect(stack.iface.context(), open.remote, local)
            .ok()?;
        let handle = stack.sockets.add(socket);
        stack.touch();
        let info = TcpSocket {
            serial: 0,
            connect_id: open.connect_id,
            attached: true,
            local_port,
            remote: open.remote,
            state: TcpState::SynSent,
        };
        Some(self.insert(now, handle, info, open.local, Role::Connection))
    }

    /// Begins to listen and gives the serial number of the socket; `None` if the port is taken.
    pub(super) fn listen(&mut self, stack: &mut Stack, now: u64, open: &Listen) -> Option<u64> {
        let taken =
            |e: &Entry| e.info.local_port == open.local_port && e.info.state != TcpState::TimeWait;
        if self.entries.values().any(taken) {
            return None;
        }
        let mut socket = open.buffers.socket();
        socket.listen((open.local, open.local_port)).ok()?;
        let handle = stack.sockets.add(socket);
        let any: IpAddr = match open.local {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let info = TcpSocket {
            serial: 0,
            connect_id: open.connect_id,
            attached: true,
            local_port: open.local_port,
            remote: SocketAddr::new(any, 0),
            state: TcpState::Listen,
        };
        Some(self.insert(now, handle, info, open.local, Role::Listener(open.buffers)))
    }

    fn insert(
        &mut self,
        now: u64,
        handle: SocketHandle,
        info: TcpSocket,
        source: IpAddr,
        role: Role,
    ) -> u64 {
        self.opened += 1;
        let serial = self.opened;
        let entry = Entry {
            handle,
            info: TcpSocket { serial, ..info },
            source,
            released_at: None,
            state_since: now,
            unacked: 0,
            progress_at: now,
            role,
        };
        self.entries.insert(serial, entry);
        serial
    }

    pub(super) fn set_retransmission(&mut self, us: u64) {
        self.limits.retransmission = us;
    }

    /// Whether anything listens.
    pub(super) fn listens(&self) -> bool {
        let mut roles = self.entries.values().map(|entry| entry.role);
        roles.any(|role| matches!(role, Role::Listener(_)))
    }

    /// The address of a listener on this port, of the same version as `like`.
    pub(super) fn listener(&self, port: u16, like: IpAddr) -> Option<IpAddr> {
        let fits = |e: &&Entry| {
            matches!(e.role, Role::Listener(_))
                && e.info.local_port == port
                && e.source.is_ipv4() == like.is_ipv4()
        };
        self.entries.values().find(fits).map(|entry| entry.source)
    }

    /// The clients whose handshake was done since the last call: listener and client.
    pub(super) fn take_established(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.established)
    }

    /// A client gets a connect id of its own.
    pub(super) fn adopt(&mut self, serial: u64, connect_id: u8) {
        if let Some(entry) = self.entries.get_mut(&serial) {
            entry.info.connect_id = connect_id;
            entry.info.attached = true;
            entry.role = Role::Connection;
        }
    }

    /// A SYN has come to a listener's spare socket: it becomes a client, and the listener gets another.
    fn hand_over(&mut self, stack: &mut Stack, now: u64, listener: u64) {
        let Some(entry) = self.entries.get_mut(&listener) else {
            return;
        };
        let Role::Listener(buffers) = entry.role else {
            return;
        };
        let (info, source) = (entry.info, entry.source);
        let mut spare = buffers.socket();
        if spare.listen((source, info.local_port)).is_err() {
            return;
        }
        let handle = std::mem::replace(&mut entry.handle, stack.sockets.add(spare));
        let remote = stack.sockets.get::<Socket>(handle).remote_endpoint();
        let info = TcpSocket {
            attached: false,
            remote: remote.map_or(info.remote, SocketAddr::from),
            state: TcpState::SynRcvd,
            ..info
        };
        self.insert(now, handle, info, source, Role::Pending(listener));
        let of_listener = |e: &&Entry| {
            matches!(e.role, Role::Pending(one) if one == listener)
                && e.info.state == TcpState::SynRcvd
        };
        let mut pending = self.entries.values().filter(of_listener);
        if pending.clone().count() > BACKLOG
            && let Some(oldest) = pending.next().map(|e| e.info.serial)
        {
            self.kill(stack, oldest);
        }
    }

    /// Ends the handshakes of a listener, with RSTs, and the listener.
    fn stop_listening(&mut self, stack: &mut Stack, listener: u64) {
        for entry in self.entries.values_mut() {
            if matches!(entry.role, Role::Pending(one) if one == listener) {
                stack.sockets.get_mut::<Socket>(entry.handle).abort();
                entry.released_at = Some(entry.state_since);
            }
        }
        stack.touch();
        self.kill(stack, listener);
    }

    fn socket<'a>(&self, stack: &'a Stack, serial: u64) -> Option<&'a Socket<'static>> {
        let entry = self.entries.get(&serial)?;
        Some(stack.sockets.get(entry.handle))
    }

    fn socket_mut<'a>(&self, stack: &'a mut Stack, serial: u64) -> Option<&'a mut Socket<'static>> {
        let entry = self.entries.get(&serial)?;
        stack.touch();
        Some(stack.sockets.get_mut(entry.handle))
    }

    pub(super) fn state(&self, stack: &Stack, serial: u64) -> TcpState {
        self.socket(stack, serial)
            .map_or(TcpState::Closed, |socket| socket.state().into())
    }

    pub(super) fn info(&self, serial: u64) -> Option<&TcpSocket> {
        self.entries.get(&serial).map(|entry| &entry.info)
    }

    /// Every socket, the oldest first.
    pub(super) fn list(&self, stack: &Stack) -> Vec<TcpSocket> {
        let now = |entry: &Entry| TcpSocket {
            state: self.state(stack, entry.info.serial),
            ..entry.info
        };
        self.entries.values().map(now).collect()
    }

    /// Bytes received and not read.
    pub(super) fn unread(&self, stack: &Stack, serial: u64) -> usize {
        self.socket(stack, serial).map_or(0, Socket::recv_queue)
    }

    /// Bytes accepted and not acknowledged.
    pub(super) fn unacked(&self, stack: &Stack, serial: u64) -> usize {
        self.socket(stack, serial).map_or(0, Socket::send_queue)
    }

    /// Bytes that would be accepted now.
    pub(super) fn room(&self, stack: &Stack, serial: u64) -> usize {
        self.socket(stack, serial)
            .map_or(0, |socket| socket.send_capacity() - socket.send_queue())
    }

    /// Reads up to `n` bytes.
    pub(super) fn read(&self, stack: &mut Stack, serial: u64, n: usize) -> Vec<u8> {
        let mut data = Vec::new();
        if self.unread(stack, serial) == 0 {
            // Nothing changes, so the stack need not look.
            return data;
        }
        if let Some(socket) = self.socket_mut(stack, serial) {
            data.resize(n.min(socket.recv_queue()), 0);
            let read = socket.recv_slice(&mut data).unwrap_or(0);
            data.truncate(read);
        }
        data
    }

    /// Accepts all of `data` or, if there is no room for it, nothing.
    pub(super) fn write(&self, stack: &mut Stack, serial: u64, data: &[u8]) -> bool {
        if data.len() > self.room(stack, serial) {
            return false;
        }
        let socket = self.socket_mut(stack, serial);
        socket.is_some_and(|socket| socket.send_slice(data) == Ok(data.len()))
    }

    pub(super) fn close(&self, stack: &mut Stack, serial: u64) {
        if let Some(socket) = self.socket_mut(stack, serial) {
            socket.close();
        }
    }

    pub(super) fn abort(&self, stack: &mut Stack, serial: u64) {
        if let Some(socket) = self.socket_mut(stack, serial) {
            socket.abort();
        }
    }

    /// The connect id no longer stands for the socket; TCP finishes on its own.
    pub(super) fn release(&mut self, stack: &mut Stack, now: u64, serial: u64) {
        if self.is_listener(serial) {
            self.stop_listening(stack, serial);
            return;
        }
        if let Some(entry) = self.entries.get_mut(&serial) {
            entry.info.attached = false;
            entry.released_at = Some(now);
            stack.touch();
        }
        let mut released = self.entries.values().filter(|e| e.released_at.is_some());
        if released.clone().count() > self.limits.released
            && let Some(oldest) = released.next().map(|e| e.info.serial)
        {
            self.kill(stack, oldest);
        }
    }

    fn is_listener(&self, serial: u64) -> bool {
        let entry = self.entries.get(&serial);
        entry.is_some_and(|entry| matches!(entry.role, Role::Listener(_)))
    }

    /// Forgets a socket; no packet tells the peer.
    pub(super) fn kill(&mut self, stack: &mut Stack, serial: u64) {
        if let Some(entry) = self.entries.remove(&serial) {
            stack.sockets.remove(entry.handle);
        }
    }

    /// Forgets all sockets with this source address.
    pub(super) fn kill_all(&mut self, stack: &mut Stack, source: IpAddr) {
        let from = |e: &&Entry| e.source == source;
        let serials: Vec<u64> = self
            .entries
            .values()
            .filter(from)
            .map(|e| e.info.serial)
            .collect();
        for serial in serials {
            self.kill(stack, serial);
        }
    }

    /// Applies the time limits that smoltcp lacks, and forgets released sockets that are closed.
    pub(super) fn tick(&mut self, stack: &mut Stack, now: u64) {
        let mut finished = Vec::new();
        let mut taken = Vec::new();
        let mut touched = false;
        for (serial, entry) in &mut self.entries {
            let socket = stack.sockets.get_mut::<Socket>(entry.handle);
            if matches!(entry.role, Role::Listener(_)) {
                if socket.state() != State::Listen {
                    taken.push(*serial);
                }
                continue;
            }
            let state = socket.state().into();
            if state != entry.info.state {
                entry.info.state = state;
                entry.state_since = now;
            }
            let unacked = socket.send_queue();
            if unacked != entry.unacked || unacked == 0 {
                entry.unacked = unacked;
                entry.progress_at = now;
            }
            if let Role::Pending(listener) = entry.role {
                match state {
                    TcpState::SynRcvd => {}
                    // The client took its SYN back.
                    TcpState::Listen | TcpState::Closed => entry.released_at = Some(now),
                    _ => {
                        entry.role = Role::Connection;
                        self.established.push((listener, *serial));
                    }
                }
                if state == TcpState::Listen {
                    socket.abort();
                }
            }
            let due = entry.deadline(&self.limits).is_some_and(|at| at <= now);
            if entry.released_at.is_some() {
                let silent = socket.remote_endpoint().is_none();
                if due || (state == TcpState::Closed && silent) {
                    finished.push(*serial);
                }
            } else if due {
                socket.abort();
                touched = true;
            }
        }
        if touched {
            stack.touch();
        }
        for serial in finished {
            self.kill(stack, serial);
        }
        for serial in taken {
            self.hand_over(stack, now, serial);
        }
    }

    /// When a time limit ends next.
    pub(super) fn next(&self) -> Option<u64> {
        self.entries
            .values()
            .filter_map(|entry| entry.deadline(&self.limits))
            .min()
    }
}

impl Buffers {
    fn socket(&self) -> Socket<'static> {
        let mut socket = Socket::new(
            SocketBuffer::new(vec![0; self.receive]),
            SocketBuffer::new(vec![0; self.send]),
        );
        socket.set_nagle_enabled(self.nagle);
        if let Some((idle, silence)) = self.keep_alive {
            socket.set_keep_alive(Some(Duration::from_micros(idle)));
            socket.set_timeout(Some(Duration::from_micros(idle + silence)));
        }
        socket
    }
}

impl Entry {
    fn deadline(&self, limits: &Limits) -> Option<u64> {
        if let (Role::Pending(_), TcpState::SynRcvd) = (self.role, self.info.state) {
            return Some(self.state_since + HANDSHAKE_US);
        }
        match (self.released_at, self.info.state) {
            (_, TcpState::TimeWait) => None,
            (Some(at), TcpState::FinWait2) => Some(at.max(self.state_since) + limits.fin_wait_2),
            (Some(at), _) => Some(at + limits.release),
            (None, TcpState::Closed) => None,
            (None, _) if self.unacked > 0 => Some(self.progress_at + limits.retransmission),
            (None, _) => None,
        }
    }
}
