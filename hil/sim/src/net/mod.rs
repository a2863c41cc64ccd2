//! The network: the module's IP stack, the link, and the world behind it.

mod gateway;
mod link;
mod peer;
mod peers;
mod real;
mod stack;
mod tcp;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::wire::{IpCidr, Ipv4Cidr};

pub use link::Link;
pub use peer::{Ending, Peer, PeerIo};
pub use peers::{Answer, Echo, Record, Recorded, Recording, ResetAfter, Sink, Source, Then};
pub(crate) use tcp::{Limits, Open};
pub use tcp::{TcpSocket, TcpState};

use crate::config::Config;
use crate::rng::Rng;
use gateway::{Gateway, Pair, Verdict};
use link::Way;
use real::Dialer;
use stack::Stack;
use tcp::TcpTable;

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

type Factory = Box<dyn FnMut() -> Box<dyn Peer> + Send>;

/// What was put at an address.
enum Service {
    Peer(Factory),
    Unbound(Unbound),
}

pub(crate) struct Net {
    module: Stack,
    /// The module's addresses, one for each active context.
    addresses: Vec<Ipv4Addr>,
    tcp: TcpTable,
    link: Link,
    up: Way,
    down: Way,
    gateway: Gateway,
    services: BTreeMap<SocketAddrV4, Service>,
    unbound: Unbound,
    /// For connections that lead to the real network.
    dialer: Option<Dialer>,
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
            up: Way::default(),
            down: Way::default(),
            gateway: Gateway::new(rng.next_u64()),
            services: BTreeMap::new(),
            unbound: config.unbound,
            dialer: (config.internet == Internet::Real).then(Dialer::default),
            rng,
        }
    }

    pub(crate) fn serve<P: Peer + 'static>(
        &mut self,
        at: SocketAddrV4,
        mut make: impl FnMut() -> P + Send + 'static,
    ) {
        let factory: Factory = Box::new(move || Box::new(make()));
        self.services.insert(at, Service::Peer(factory));
    }

    pub(crate) fn set_unbound(&mut self, at: SocketAddrV4, what: Unbound) {
        self.services.insert(at, Service::Unbound(what));
    }

    pub(crate) fn peer(&mut self, now: u64, server: SocketAddrV4) -> Option<&mut PeerIo> {
        self.gateway.youngest(now, server)
    }

    pub(crate) fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Gives the module this address, if it has not got it.
    pub(crate) fn add_address(&mut self, address: Ipv4Addr) {
        if !self.addresses.contains(&address) {
            self.addresses.push(address);
            self.update_addresses();
        }
    }

    /// Takes this address away. Its connections vanish without a packet.
    pub(crate) fn remove_address(&mut self, address: Ipv4Addr) {
        self.tcp.kill_all(&mut self.module, address);
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
                let cidr = IpCidr::Ipv4(Ipv4Cidr::new(*address, 32));
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

    pub(crate) fn state(&self, serial: u64) -> TcpState {
        self.tcp.state(&self.module, serial)
    }

    pub(crate) fn info(&self, serial: u64) -> Option<&TcpSocket> {
        self.tcp.info(serial)
    }

    pub(crate) fn list(&self) -> Vec<TcpSocket> {
        self.tcp.list(&self.module)
    }

    pub(crate) fn unread(&self, serial: u64) -> usize {
        self.tcp.unread(&self.module, serial)
    }

    pub(crate) fn unacked(&self, serial: u64) -> usize {
        self.tcp.unacked(&self.module, serial)
    }

    pub(crate) fn read(&mut self, serial: u64, n: usize) -> Vec<u8> {
        self.tcp.read(&mut self.module, serial, n)
    }

    pub(crate) fn write(&mut self, serial: u64, data: &[u8]) -> bool {
        self.tcp.write(&mut self.module, serial, data)
    }

    pub(crate) fn close(&mut self, serial: u64) {
        self.tcp.close(&mut self.module, serial);
    }

    pub(crate) fn abort(&mut self, serial: u64) {
        self.tcp.abort(&mut self.module, serial);
    }

    pub(crate) fn release(&mut self, now: u64, serial: u64) {
        self.tcp.release(&mut self.module, now, serial);
    }

    /// Does everything due at `now`.
    pub(crate) fn poll(&mut self, now: u64) {
        loop {
            let mut busy = false;
            while let Some(packet) = self.down.receive(now) {
                self.module.receive(packet);
            }
            if self.module.next(now).is_some_and(|at| at <= now)
                || self.tcp.next().is_some_and(|at| at <= now)
            {
                self.module.poll(now);
                self.tcp.tick(&mut self.module, now);
            }
            while let Some(packet) = self.module.transmit() {
                self.up.send(now, packet, &self.link, &mut self.rng);
                busy = true;
            }
            while let Some(packet) = self.up.receive(now) {
                let (services, dialer) = (&mut self.services, &mut self.dialer);
                let unbound = self.unbound;
                let mut judge = |pair: Pair| match (services.get_mut(&pair.1), dialer.as_mut()) {
                    (Some(Service::Peer(make)), _) => Verdict::Accept(make()),
                    (Some(Service::Unbound(what)), _) => (*what).into(),
                    (None, Some(dialer)) => dialer.dial(now, pair),
                    (None, None) => unbound.into(),
                };
                self.gateway.receive(now, packet, &mut judge);
                busy = true;
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
            while let Some(packet) = self.gateway.transmit() {
                self.down.send(now, packet, &self.link, &mut self.rng);
                busy = true;
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
            self.dialer.as_ref().and_then(Dialer::next),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

impl From<Unbound> for Verdict {
    fn from(what: Unbound) -> Verdict {
        match what {
            Unbound::Refuse => Verdict::Refuse,
            Unbound::Silence => Verdict::Silence,
        }
    }
}
