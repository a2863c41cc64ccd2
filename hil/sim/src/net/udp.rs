//! The module's UDP sockets.
//!
//! What arrives is kept here, datagram by datagram, up to the size of the socket's receive buffer;
//! what exceeds it is lost, as UDP has it.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use smoltcp::iface::SocketHandle;
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket, UdpMetadata};

use super::ports::Ports;
use super::stack::Stack;

/// Datagrams, and their bytes, between smoltcp and this file or the link.
const PACKETS: usize = 16;
const BYTES: usize = 32 << 10;

struct Entry {
    handle: SocketHandle,
    local: SocketAddr,
    /// A client hears only this.
    remote: Option<SocketAddr>,
    queue: VecDeque<(SocketAddr, Vec<u8>)>,
    bytes: usize,
    capacity: usize,
}

/// How a UDP socket is opened.
pub(crate) struct OpenUdp {
    pub(crate) local: IpAddr,
    /// 0 for any.
    pub(crate) local_port: u16,
    pub(crate) remote: Option<SocketAddr>,
    /// Bytes received and not read.
    pub(crate) receive_buffer: usize,
}

pub(super) struct UdpTable {
    entries: BTreeMap<u64, Entry>,
    opened: u64,
    ports: Ports,
}

impl UdpTable {
    pub(super) fn new(random: u64) -> UdpTable {
        UdpTable {
            entries: BTreeMap::new(),
            opened: 0,
            ports: Ports::new(random),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Opens a socket and gives its serial number; `None` if the port is taken.
    pub(super) fn open(&mut self, stack: &mut Stack, open: &OpenUdp) -> Option<u64> {
        let entries = &self.entries;
        let taken = |port: u16| entries.values().any(|e| e.local.port() == port);
        let port = match open.local_port {
            0 => self.ports.free(taken),
            port if taken(port) => return None,
            port => port,
        };
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; PACKETS], vec![0; BYTES]);
        let mut socket = Socket::new(buffer(), buffer());
        let local = SocketAddr::new(open.local, port);
        socket.bind(local).ok()?;
        self.opened += 1;
        let entry = Entry {
            handle: stack.sockets.add(socket),
            local,
            remote: open.remote,
            queue: VecDeque::new(),
            bytes: 0,
            capacity: open.receive_buffer,
        };
        self.entries.insert(self.opened, entry);
        Some(self.opened)
    }

    pub(super) fn local(&self, serial: u64) -> Option<SocketAddr> {
        Some(self.entries.get(&serial)?.local)
    }

    /// Bytes received and not read.
    pub(super) fn unread(&self, serial: u64) -> usize {
        self.entries.get(&serial).map_or(0, |entry| entry.bytes)
    }

    /// Bytes of the oldest datagram that was not read.
    pub(super) fn first(&self, serial: u64) -> usize {
        let entry = self.entries.get(&serial);
        entry.map_or(0, |e| e.queue.front().map_or(0, |(_, data)| data.len()))
    }

    /// Up to `n` bytes of the oldest datagram, and who sent it. The rest of it stays, unless it is
    /// `cut`.
    pub(super) fn read(
        &mut self,
        serial: u64,
        n: usize,
        cut: bool,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        let entry = self.entries.get_mut(&serial)?;
        let (from, mut data) = entry.queue.pop_front()?;
        entry.bytes -= data.len();
        let rest = data.split_off(n.min(data.len()));
        if !rest.is_empty() && !cut {
            entry.bytes += rest.len();
            entry.queue.push_front((from, rest));
        }
        Some((from, data))
    }

    /// Sends a datagram; false if there is no room for it.
    pub(super) fn write(
        &self,
        stack: &mut Stack,
        serial: u64,
        to: Option<SocketAddr>,
        data: &[u8],
    ) -> bool {
        let Some(entry) = self.entries.get(&serial) else {
            return false;
        };
        let Some(to) = to.or(entry.remote) else {
            return false;
        };
        stack.touch();
        let socket = stack.sockets.get_mut::<Socket>(entry.handle);
        let mut meta = UdpMetadata::from(to);
        meta.local_address = Some(entry.local.ip().into());
        socket.send_slice(data, meta).is_ok()
    }

    /// Forgets a socket.
    pub(super) fn kill(&mut self, stack: &mut Stack, serial: u64) {
        if let Some(entry) = self.entries.remove(&serial) {
            stack.sockets.remove(entry.handle);
        }
    }

    /// Forgets all sockets with this source address.
    pub(super) fn kill_all(&mut self, stack: &mut Stack, source: IpAddr) {
        let from = |(serial, e): (&u64, &Entry)| (e.local.ip() == source).then_some(*serial);
        let serials: Vec<u64> = self.entries.iter().filter_map(from).collect();
        for serial in serials {
            self.kill(stack, serial);
        }
    }

    /// Takes over what has arrived.
    pub(super) fn tick(&mut self, stack: &mut Stack) {
        for entry in self.entries.values_mut() {
            let socket = stack.sockets.get_mut::<Socket>(entry.handle);
            while let Ok((data, meta)) = socket.recv() {
                let from = SocketAddr::from(meta.endpoint);
                let foreign = entry.remote.is_some_and(|remote| remote != from);
                let full = entry.bytes + data.len() > entry.capacity;
                // A datagram of no bytes cannot be told from none by AT+QIRD.
                if !foreign && !full && !data.is_empty() {
                    entry.bytes += data.len();
                    entry.queue.push_back((from, data.to_vec()));
                }
            }
        }
    }
}
