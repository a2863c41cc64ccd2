//! The module's TCP sockets: the truth behind connect ids.
//!
//! A connect id is the AT layer's name for a socket and is free again after `AT+QICLOSE`; the TCP
//! socket lives on in here until TCP is done with it, so TIME_WAIT and its like stay visible.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Duration;

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
    /// Whether the connect id still stands for it: no `AT+QICLOSE` was answered yet.
    pub attached: bool,
    /// The port of the module.
    pub local_port: u16,
    /// The other end.
    pub remote: SocketAddrV4,
    /// Its state.
    pub state: TcpState,
}

/// How a socket is opened.
pub(crate) struct Open {
    pub(crate) connect_id: u8,
    pub(crate) local: Ipv4Addr,
    /// 0 for any.
    pub(crate) local_port: u16,
    pub(crate) remote: SocketAddrV4,
    pub(crate) receive_buffer: usize,
    pub(crate) send_buffer: usize,
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
    source: Ipv4Addr,
    released_at: Option<u64>,
    state_since: u64,
    unacked: usize,
    progress_at: u64,
}

pub(crate) struct TcpTable {
    entries: BTreeMap<u64, Entry>,
    opened: u64,
    next_port: u16,
    limits: Limits,
}

/// Ports that clients get, as on the modules seen: 49152 and up.
const FIRST_PORT: u16 = 49_152;

impl TcpTable {
    pub(super) fn new(limits: Limits, random: u64) -> TcpTable {
        let span = u64::from(u16::MAX - FIRST_PORT);
        TcpTable {
            entries: BTreeMap::new(),
            opened: 0,
            next_port: FIRST_PORT + (random % span) as u16,
            limits,
        }
    }

    fn free_port(&mut self) -> u16 {
        loop {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
            // There are far fewer sockets than ports, so this ends.
            if !self.entries.values().any(|e| e.info.local_port == port) {
                return port;
            }
        }
    }

    /// Starts a connect and gives the serial number of the socket; `None` if the port is taken.
    pub(super) fn connect(&mut self, stack: &mut Stack, now: u64, open: &Open) -> Option<u64> {
        let taken = |e: &Entry| {
            e.info.local_port == open.local_port
                && (e.info.state != TcpState::TimeWait || e.info.remote == open.remote)
        };
        let local_port = match open.local_port {
            0 => self.free_port(),
            _ if self.entries.values().any(taken) => return None,
            port => port,
        };
        let mut socket = Socket::new(
            SocketBuffer::new(vec![0; open.receive_buffer]),
            SocketBuffer::new(vec![0; open.send_buffer]),
        );
        socket.set_nagle_enabled(open.nagle);
        if let Some((idle, silence)) = open.keep_alive {
            socket.set_keep_alive(Some(Duration::from_micros(idle)));
            socket.set_timeout(Some(Duration::from_micros(idle + silence)));
        }
        socket
            .connect(stack.iface.context(), open.remote, (open.local, local_port))
            .ok()?;
        let handle = stack.sockets.add(socket);
        stack.touch();
        self.opened += 1;
        let info = TcpSocket {
            serial: self.opened,
            connect_id: open.connect_id,
            attached: true,
            local_port,
            remote: open.remote,
            state: TcpState::SynSent,
        };
        let entry = Entry {
            handle,
            info,
            source: open.local,
            released_at: None,
            state_since: now,
            unacked: 0,
            progress_at: now,
        };
        self.entries.insert(self.opened, entry);
        Some(self.opened)
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

    /// Reads up to `n` bytes.
    pub(super) fn read(&self, stack: &mut Stack, serial: u64, n: usize) -> Vec<u8> {
        let mut data = Vec::new();
        if let Some(socket) = self.socket_mut(stack, serial) {
            data.resize(n.min(socket.recv_queue()), 0);
            let read = socket.recv_slice(&mut data).unwrap_or(0);
            data.truncate(read);
        }
        data
    }

    /// Accepts all of `data` or, if there is no room for it, nothing.
    pub(super) fn write(&self, stack: &mut Stack, serial: u64, data: &[u8]) -> bool {
        let Some(socket) = self.socket_mut(stack, serial) else {
            return false;
        };
        let room = socket.send_capacity() - socket.send_queue();
        data.len() <= room && socket.send_slice(data) == Ok(data.len())
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

    /// Forgets a socket; no packet tells the peer.
    pub(super) fn kill(&mut self, stack: &mut Stack, serial: u64) {
        if let Some(entry) = self.entries.remove(&serial) {
            stack.sockets.remove(entry.handle);
        }
    }

    /// Forgets all sockets with this source address.
    pub(super) fn kill_all(&mut self, stack: &mut Stack, source: Ipv4Addr) {
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
        let mut touched = false;
        for (serial, entry) in &mut self.entries {
            let socket = stack.sockets.get_mut::<Socket>(entry.handle);
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
    }

    /// When a time limit ends next.
    pub(super) fn next(&self) -> Option<u64> {
        self.entries
            .values()
            .filter_map(|entry| entry.deadline(&self.limits))
            .min()
    }
}

impl Entry {
    fn deadline(&self, limits: &Limits) -> Option<u64> {
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
