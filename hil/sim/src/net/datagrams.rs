//! UDP beyond the link: servers inside the simulator, and sockets of this PC.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::packet;
use super::peers::{Echo, Sink};
use super::real_udp::RealUdp;

/// A UDP server inside the simulator: one for all its clients.
///
/// A closure with the arguments of [`UdpPeer::received`] is one too.
pub trait UdpPeer: Send {
    /// A datagram from the module.
    fn received(&mut self, io: &mut UdpIo, from: SocketAddr, data: &[u8]);

    /// The time asked for by [`UdpIo::wake_at`] has come.
    fn woken(&mut self, io: &mut UdpIo) {
        let _ = io;
    }
}

impl<F: FnMut(&mut UdpIo, SocketAddr, &[u8]) + Send> UdpPeer for F {
    fn received(&mut self, io: &mut UdpIo, from: SocketAddr, data: &[u8]) {
        self(io, from, data);
    }
}

impl UdpPeer for Echo {
    fn received(&mut self, io: &mut UdpIo, from: SocketAddr, data: &[u8]) {
        io.send_to(from, data);
    }
}

impl UdpPeer for Sink {
    fn received(&mut self, _: &mut UdpIo, _: SocketAddr, _: &[u8]) {}
}

/// A UDP server's view of the network.
#[derive(Debug)]
pub struct UdpIo {
    now: u64,
    server: SocketAddr,
    outgoing: VecDeque<(SocketAddr, Vec<u8>)>,
    wake_at: Option<u64>,
}

impl UdpIo {
    /// The time in µs.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The server's own address.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// Sends a datagram. It is lost if it is longer than the link takes: 1472 bytes with IPv4, 1452
    /// with IPv6.
    pub fn send_to(&mut self, to: SocketAddr, data: &[u8]) {
        self.outgoing.push_back((to, data.to_vec()));
    }

    /// Asks for a call of [`UdpPeer::woken`] at this time in µs, replacing an earlier wish.
    pub fn wake_at(&mut self, at: u64) {
        self.wake_at = Some(at);
    }
}

struct Server {
    peer: Box<dyn UdpPeer>,
    io: UdpIo,
}

pub(super) struct Datagrams {
    servers: BTreeMap<SocketAddr, Server>,
    outgoing: VecDeque<Vec<u8>>,
    pub(super) real: RealUdp,
}

impl Datagrams {
    /// `real`: datagrams to addresses without a server go to the real network.
    pub(super) fn new(real: bool) -> Datagrams {
        Datagrams {
            servers: BTreeMap::new(),
            outgoing: VecDeque::new(),
            real: RealUdp::new(real),
        }
    }

    pub(super) fn serve(&mut self, at: SocketAddr, peer: Box<dyn UdpPeer>) {
        let io = UdpIo {
            now: 0,
            server: at,
            outgoing: VecDeque::new(),
            wake_at: None,
        };
        self.servers.insert(at, Server { peer, io });
    }

    /// A datagram that nobody has asked for, to the module.
    pub(super) fn send(&mut self, from: SocketAddr, to: SocketAddr, data: &[u8]) {
        self.outgoing.extend(packet::datagram(from, to, data));
    }

    /// A datagram from the module.
    pub(super) fn receive(&mut self, now: u64, from: SocketAddr, to: SocketAddr, data: &[u8]) {
        match self.servers.get_mut(&to) {
            Some(server) => {
                server.io.now = now;
                server.peer.received(&mut server.io, from, data);
            }
            None => self.real.send(now, from, to, data),
        }
    }

    /// Does everything due at `now`. `address` is the module's, of the same version as another.
    pub(super) fn poll(&mut self, now: u64, address: &dyn Fn(IpAddr) -> Option<IpAddr>) {
        for server in self.servers.values_mut() {
            if server.io.wake_at.is_some_and(|at| at <= now) {
                server.io.wake_at = None;
                server.io.now = now;
                server.peer.woken(&mut server.io);
            }
            let from = server.io.server;
            let sent = server.io.outgoing.drain(..);
            self.outgoing
                .extend(sent.filter_map(|(to, data)| packet::datagram(from, to, &data)));
        }
        let real = self.real.poll(now, address).into_iter();
        self.outgoing
            .extend(real.filter_map(|(from, to, data)| packet::datagram(from, to, &data)));
    }

    /// The next packet for the module.
    pub(super) fn transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    /// When there is something to do next.
    pub(super) fn next(&self, now: u64) -> Option<u64> {
        let waiting = self.outgoing.front().map(|_| now);
        let woken = self.servers.values().filter_map(|server| server.io.wake_at);
        woken.chain(waiting).chain(self.real.next()).min()
    }
}
