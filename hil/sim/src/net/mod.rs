//! The network: the module's IP stack, the link, and the world behind it.

mod capture;
mod datagrams;
mod gateway;
mod link;
mod nat;
mod ntp;
mod packet;
mod peer;
mod peers;
mod ping;
mod ports;
mod real;
mod real_ping;
mod real_udp;
mod stack;
mod tcp;
mod udp;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use smoltcp::wire::IpCidr;

pub use datagrams::{UdpIo, UdpPeer};
pub use link::Link;
pub use ntp::NtpServer;
pub(crate) use ntp::{time_request, unix_seconds};
pub use peer::{Ending, Peer, PeerIo};
pub use peers::{Answer, Echo, Record, Recorded, Recording, ResetAfter, Sink, Source, Then};
pub(crate) use ping::PING_BYTES;
pub(crate) use tcp::{Buffers, Limits, Listen, Open};
pub use tcp::{TcpSocket, TcpState};
pub(crate) use udp::OpenUdp;

use crate::config::Config;
use crate::rng::Rng;
use capture::Capture;
use datagrams::Datagrams;
use gateway::{Gateway, Pair, Verdict};
use link::Way;
use nat::Nat;
use packet::{Content, MTU};
use ping::Pinger;
use real::{Dialer, Forwards};
use real_ping::RealPing;
use stack::Stack;
use tcp::TcpTable;
use udp::UdpTable;

/// What happens to a connection to an address at which nothing was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unbound {
    /// It is refused with a RST.
    #[default]
    Refuse,
    /// Nothing answers.
    Silence,
}

/// Where connections to addresses lead at which nothing was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Internet {
    /// Nowhere: there are only the servers inside the simulator.
    #[default]
    Virtual,
    /// To the real network, by sockets of this PC. Time should then follow the clock.
    Real,
}

/// A socket of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketId {
    /// A TCP connection or listener, by its serial number.
    Tcp(u64),
    /// A UDP socket, by its serial number.
    Udp(u64),
}

/// Sees the packets at the module's end of the link: the time in µs, and an IP packet. What the link
/// loses on its way to the module is not seen.
pub type Tap = Box<dyn FnMut(u64, &[u8]) + Send>;

type Factory = Box<dyn FnMut() -> Box<dyn Peer> + Send>;

/// What was put at an address.
enum Service {
    Peer(Factory),
    Unbound(Unbound),
}

pub(crate) struct Net {
    module: Stack,
    /// The module's addresses, one for each active context.
    addresses: Vec<IpAddr>,
    tcp: TcpTable,
    udp: UdpTable,
    pinger: Pinger,
    link: Link,
    /// Whether the module is registered: nothing passes if not.
    pub(crate) covered: bool,
    up: Way,
    down: Way,
    gateway: Gateway,
    datagrams: Datagrams,
    services: BTreeMap<SocketAddr, Service>,
    unbound: Unbound,
    /// For connections that lead to the real network.
    dialer: Option<Dialer>,
    forwards: Forwards,
    real_ping: RealPing,
    tap: Option<Tap>,
    capture: Option<Capture>,
    /// Hosts that are switched off.
    silent: BTreeSet<IpAddr>,
    nat: Nat,
    rng: Rng,
}

impl Net {
    pub(crate) fn new(config: &Config, limits: Limits) -> Net {
        let mut rng = Rng::new(config.seed);
        Net {
            module: Stack::new(rng.next_u64()),
            addresses: Vec::new(),
            tcp: TcpTable::new(limits, rng.next_u64()),
            link: config.link.clone(),
            covered: true,
            up: Way::default(),
            down: Way::default(),
            gateway: Gateway::new(rng.next_u64()),
            services: BTreeMap::new(),
            unbound: config.unbound,
            dialer: (config.internet == Internet::Real).then(Dialer::default),
            forwards: Forwards::default(),
            real_ping: RealPing::default(),
            pinger: Pinger::default(),
            silent: BTreeSet::new(),
            nat: Nat::default(),
            tap: None,
            capture: None,
            datagrams: Datagrams::new(config.internet == Internet::Real),
            // A generator of its own: what is left to chance on the link must not depend on this.
            udp: UdpTable::new(Rng::new(!config.seed).next_u64()),
            rng,
        }
    }

    pub(crate) fn serve<P: Peer + 'static>(
        &mut self,
        at: SocketAddr,
        mut make: impl FnMut() -> P + Send + 'static,
    ) {
        let factory: Factory = Box::new(move || Box::new(make()));
        self.services.insert(at, Service::Peer(factory));
    }

    pub(crate) fn serve_udp(&mut self, at: SocketAddr, peer: Box<dyn UdpPeer>) {
        self.datagrams.serve(at, peer);
    }

    /// A datagram from outside to a port of the module. False if the module has no such address.
    pub(crate) fn send_datagram(&mut self, from: SocketAddr, port: u16, data: &[u8]) -> bool {
        let to = address_like(&self.addresses, from.ip());
        if let Some(to) = to {
            self.datagrams.send(from, SocketAddr::new(to, port), data);
        }
        to.is_some()
    }

    /// A client outside connects to a port of the module. False if that cannot be tried.
    pub(crate) fn dial(
        &mut self,
        now: u64,
        remote: SocketAddr,
        port: u16,
        peer: Box<dyn Peer>,
    ) -> bool {
        let listener = self.tcp.listener(port, remote.ip());
        let Some(address) = listener.or_else(|| address_like(&self.addresses, remote.ip())) else {
            return false;
        };
        let module = SocketAddr::new(address, port);
        self.gateway.dial(now, (module, remote), peer)
    }

    pub(crate) fn forward_tcp(&mut self, from: TcpListener, port: u16) -> std::io::Result<()> {
        self.forwards.add(from, port)
    }

    pub(crate) fn forward_udp(&mut self, from: UdpSocket, port: u16) -> std::io::Result<()> {
        self.datagrams.real.forward(from, port)
    }

    pub(crate) fn set_unbound(&mut self, at: SocketAddr, what: Unbound) {
        self.services.insert(at, Service::Unbound(what));
    }

    pub(crate) fn peer(&mut self, now: u64, server: SocketAddr) -> Option<&mut PeerIo> {
        self.gateway.youngest(now, server)
    }

    /// Whether nothing passes.
    pub(crate) fn is_down(&self) -> bool {
        self.link.down || !self.covered
    }

    pub(crate) fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Gives the module this address, if it has not got it.
    pub(crate) fn add_address(&mut self, address: IpAddr) {
        if !self.addresses.contains(&address) {
            self.addresses.push(address);
            self.update_addresses();
        }
    }

    /// Takes this address away. Its connections vanish without a packet.
    pub(crate) fn remove_address(&mut self, address: IpAddr) {
        self.tcp.kill_all(&mut self.module, address);
        self.udp.kill_all(&mut self.module, address);
        self.gateway.forget(address);
        self.addresses.retain(|one| *one != address);
        self.update_addresses();
    }

    /// The module lost its power: everything it had, and everything on the link, is gone.
    pub(crate) fn remove_all_addresses(&mut self) {
        for address in self.addresses.clone() {
            self.remove_address(address);
        }
        self.up.clear();
        self.down.clear();
    }

    fn update_addresses(&mut self) {
        let addresses = &self.addresses;
        self.module.iface.update_ip_addrs(|all| {
            all.clear();
            for address in addresses {
                let bits = if address.is_ipv4() { 32 } else { 128 };
                let cidr = IpCidr::new((*address).into(), bits);
                // Without an address, because it is none or the stack has no room, connects fail.
                if cidr.address().is_unicast() {
                    let _ = all.push(cidr);
                }
            }
        });
        self.module.touch();
    }

    pub(crate) fn connect(&mut self, now: u64, open: &Open) -> Option<u64> {
        self.tcp.connect(&mut self.module, now, open)
    }

    pub(crate) fn listen(&mut self, now: u64, open: &Listen) -> Option<u64> {
        self.tcp.listen(&mut self.module, now, open)
    }

    pub(crate) fn take_established(&mut self) -> Vec<(u64, u64)> {
        self.tcp.take_established()
    }

    pub(crate) fn adopt(&mut self, serial: u64, connect_id: u8) {
        self.tcp.adopt(serial, connect_id);
    }

    pub(crate) fn open_udp(&mut self, open: &OpenUdp) -> Option<u64> {
        self.udp.open(&mut self.module, open)
    }

    pub(crate) fn state(&self, serial: u64) -> TcpState {
        self.tcp.state(&self.module, serial)
    }

    pub(crate) fn info(&self, serial: u64) -> Option<&TcpSocket> {
        self.tcp.info(serial)
    }

    pub(crate) fn list(&self) -> Vec<TcpSocket> {
        self.tcp.list(&self.module)
    }

    pub(crate) fn local_port(&self, socket: SocketId) -> Option<u16> {
        match socket {
            SocketId::Tcp(serial) => self.tcp.info(serial).map(|info| info.local_port),
            SocketId::Udp(serial) => self.udp.local(serial).map(|local| local.port()),
        }
    }

    /// Bytes received and not read.
    pub(crate) fn unread(&self, socket: SocketId) -> usize {
        match socket {
            SocketId::Tcp(serial) => self.tcp.unread(&self.module, serial),
            SocketId::Udp(serial) => self.udp.unread(serial),
        }
    }

    /// Bytes of the oldest datagram that was not read.
    pub(crate) fn first_datagram(&self, serial: u64) -> usize {
        self.udp.first(serial)
    }

    /// Bytes that would be accepted now.
    pub(crate) fn room(&self, socket: SocketId) -> usize {
        match socket {
            SocketId::Tcp(serial) => self.tcp.room(&self.module, serial),
            SocketId::Udp(_) => MTU,
        }
    }

    /// Bytes accepted and not acknowledged.
    pub(crate) fn unacked(&self, socket: SocketId) -> usize {
        match socket {
            SocketId::Tcp(serial) => self.tcp.unacked(&self.module, serial),
            SocketId::Udp(_) => 0,
        }
    }

    pub(crate) fn read(&mut self, serial: u64, n: usize) -> Vec<u8> {
        self.tcp.read(&mut self.module, serial, n)
    }

    pub(crate) fn read_datagram(
        &mut self,
        serial: u64,
        n: usize,
        cut: bool,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        self.udp.read(serial, n, cut)
    }

    /// Accepts all of `data` or, if there is no room for it, nothing. `to` is for a UDP socket
    /// without a remote end.
    pub(crate) fn write(&mut self, socket: SocketId, to: Option<SocketAddr>, data: &[u8]) -> bool {
        match socket {
            SocketId::Tcp(serial) => self.tcp.write(&mut self.module, serial, data),
            SocketId::Udp(serial) => self.udp.write(&mut self.module, serial, to, data),
        }
    }

    pub(crate) fn close(&mut self, serial: u64) {
        self.tcp.close(&mut self.module, serial);
    }

    /// Ends a TCP connection with a RST.
    pub(crate) fn abort(&mut self, serial: u64) {
        self.tcp.abort(&mut self.module, serial);
    }

    /// The connect id no longer stands for the socket. TCP goes on without it, UDP ends.
    pub(crate) fn release(&mut self, now: u64, socket: SocketId) {
        match socket {
            SocketId::Tcp(serial) => self.tcp.release(&mut self.module, now, serial),
            SocketId::Udp(serial) => self.udp.kill(&mut self.module, serial),
        }
    }

    /// Sends an echo request. False if it cannot be sent.
    pub(crate) fn send_ping(&mut self, from: IpAddr, to: IpAddr, seq: u16) -> bool {
        self.pinger.send(&mut self.module, from, to, seq)
    }

    pub(crate) fn receive_ping(&mut self) -> Option<(IpAddr, u16)> {
        self.pinger.receive(&mut self.module)
    }

    pub(crate) fn stop_ping(&mut self) {
        self.pinger.stop(&mut self.module);
    }

    /// How long unacknowledged data is borne from now on, in µs.
    pub(crate) fn set_retransmission(&mut self, us: u64) {
        self.tcp.set_retransmission(us);
    }

    pub(crate) fn set_silent(&mut self, host: IpAddr, silent: bool) {
        if silent {
            self.silent.insert(host);
        } else {
            self.silent.remove(&host);
        }
    }

    pub(crate) fn set_tap(&mut self, tap: Tap) {
        self.tap = Some(tap);
    }

    pub(crate) fn set_capture(&mut self, out: Box<dyn Write + Send>) -> std::io::Result<()> {
        self.capture = Some(Capture::new(out)?);
        Ok(())
    }

    pub(crate) fn end_capture(&mut self) {
        self.capture = None;
    }

    pub(crate) fn capture_failure(&self) -> Option<&std::io::Error> {
        self.capture.as_ref()?.failure()
    }

    fn see(&mut self, now: u64, packet: &[u8]) {
        if self.tap.is_none() && self.capture.is_none() {
            return;
        }
        let packet = packet::with_checksums(packet.to_vec());
        if let Some(tap) = &mut self.tap {
            tap(now, &packet);
        }
        if let Some(capture) = &mut self.capture {
            capture.packet(now, &packet);
        }
    }

    fn poll_module(&mut self, now: u64) {
        if self.module.next(now).is_some_and(|at| at <= now)
            || self.tcp.next().is_some_and(|at| at <= now)
        {
            self.module.poll(now);
            self.tcp.tick(&mut self.module, now);
            self.udp.tick(&mut self.module);
        }
    }

    /// Does everything due at `now`.
    pub(crate) fn poll(&mut self, now: u64) {
        loop {
            let mut busy = false;
            // A listener has one spare socket, and smoltcp's UDP sockets hold little.
            let one_by_one = self.tcp.listens() || !self.udp.is_empty();
            while let Some(packet) = self.down.receive(now) {
                self.see(now, &packet);
                self.module.receive(packet);
                if one_by_one {
                    self.poll_module(now);
                }
            }
            self.poll_module(now);
            while let Some(packet) = self.module.transmit() {
                self.see(now, &packet);
                busy = true;
                if self.covered {
                    self.up.send(now, packet, &self.link, &mut self.rng);
                }
            }
            while let Some(packet) = self.up.receive(now) {
                busy = true;
                let seen = packet::parse(&packet);
                if seen.is_some_and(|seen| {
                    self.silent.contains(&seen.to.ip()) || !self.nat.outward(now, &seen, &self.link)
                }) {
                    continue;
                }
                if let Some(seen) = seen
                    && seen.content == Content::Other
                    && self.dialer.is_some()
                {
                    self.real_ping.send(now, seen.to.ip(), packet);
                    continue;
                }
                if let Some(seen) = seen
                    && let Content::Udp(data) = seen.content
                {
                    self.datagrams.receive(now, seen.from, seen.to, data);
                    continue;
                }
                let (services, dialer) = (&mut self.services, &mut self.dialer);
                let unbound = self.unbound;
                let mut judge = |pair: Pair| match (services.get_mut(&pair.1), dialer.as_mut()) {
                    (Some(Service::Peer(make)), _) => Verdict::Accept(make()),
                    (Some(Service::Unbound(what)), _) => (*what).into(),
                    (None, Some(dialer)) => dialer.dial(now, pair),
                    (None, None) => unbound.into(),
                };
                self.gateway.receive(now, packet, &mut judge);
            }
            for (from, port, peer) in self.forwards.poll(now) {
                // A connection that cannot be made ends when its peer is dropped.
                self.dial(now, from, port, peer);
            }
            let addresses = &self.addresses;
            self.datagrams
                .poll(now, &|like| address_like(addresses, like));
            for packet in self.real_ping.poll(now) {
                self.gateway.receive(now, packet, &mut |_| Verdict::Silence);
            }
            if let Some(dialer) = &mut self.dialer {
                for pair in self.gateway.take_cancelled() {
                    dialer.cancel(pair);
                }
                for (pair, verdict) in dialer.poll(now) {
                    self.gateway.decide(now, pair, verdict);
                }
            }
            busy |= self.gateway.poll(now);
            while let Some(packet) = self
                .gateway
                .transmit()
                .or_else(|| self.datagrams.transmit())
            {
                let seen = packet::parse(&packet);
                if seen.is_some_and(|seen| !self.nat.inward(now, &seen, &self.link)) {
                    continue;
                }
                busy = true;
                if self.covered {
                    self.down.send(now, packet, &self.link, &mut self.rng);
                }
            }
            if !busy {
                return;
            }
        }
    }

    /// When there is something to do next.
    pub(crate) fn next(&self, now: u64) -> Option<u64> {
        [
            self.module.next(now),
            self.tcp.next(),
            self.up.next(),
            self.down.next(),
            self.gateway.next(now),
            self.datagrams.next(now),
            self.dialer.as_ref().and_then(Dialer::next),
            self.forwards.next(),
            self.real_ping.next(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// The first address of the same version.
fn address_like(addresses: &[IpAddr], like: IpAddr) -> Option<IpAddr> {
    let fits = |one: &&IpAddr| one.is_ipv4() == like.is_ipv4();
    addresses.iter().find(fits).copied()
}

impl From<Unbound> for Verdict {
    fn from(what: Unbound) -> Verdict {
        match what {
            Unbound::Refuse => Verdict::Refuse,
            Unbound::Silence => Verdict::Silence,
        }
    }
}
