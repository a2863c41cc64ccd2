//! UDP of the real network: sockets of this PC, as a NAT has them.

use std::collections::BTreeMap;
use std::io::Result;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// How often sockets are looked at, in µs.
const POLL_US: u64 = 1_000;
/// An entry without a datagram for this long is gone, in µs.
const IDLE_US: u64 = 300_000_000;
/// Sockets at a time; the one idle longest makes room.
const MOST: usize = 64;
/// Ends known to one socket; the one idle longest makes room.
const MOST_ENDS: usize = 256;

/// A datagram to the module: from, to, data.
pub(super) type Incoming = (SocketAddr, SocketAddr, Vec<u8>);

/// A socket of this PC that stands for one of the module's.
struct Flow {
    socket: UdpSocket,
    /// The ends the module has written to, or has heard from, and when that was last.
    ends: BTreeMap<SocketAddr, u64>,
    used_at: u64,
}

/// A port of this PC whose datagrams go to a port of the module.
struct Forward {
    flow: Flow,
    module_port: u16,
}

pub(super) struct RealUdp {
    /// Datagrams may go out to the real network.
    outward: bool,
    flows: BTreeMap<SocketAddr, Flow>,
    forwards: Vec<Forward>,
    poll_at: u64,
}

impl Flow {
    fn new(socket: UdpSocket, now: u64) -> Result<Flow> {
        socket.set_nonblocking(true)?;
        Ok(Flow {
            socket,
            ends: BTreeMap::new(),
            used_at: now,
        })
    }

    fn open(to: SocketAddr, now: u64) -> Result<Flow> {
        let any: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        Flow::new(UdpSocket::bind(any)?, now)
    }

    fn note(&mut self, now: u64, end: SocketAddr) {
        self.used_at = now;
        self.ends.insert(end, now);
        if self.ends.len() > MOST_ENDS {
            let oldest = self.ends.iter().min_by_key(|(_, at)| **at);
            if let Some(end) = oldest.map(|(end, _)| *end) {
                self.ends.remove(&end);
            }
        }
    }

    fn send(&mut self, now: u64, to: SocketAddr, data: &[u8]) {
        self.note(now, to);
        // What cannot be sent is lost, as datagrams are.
        let _ = self.socket.send_to(data, to);
    }

    /// What has come; from a stranger too, if `all`.
    fn receive(&mut self, now: u64, all: bool) -> impl Iterator<Item = (SocketAddr, Vec<u8>)> {
        let mut got = Vec::new();
        let mut buffer = [0; 2048];
        // Bounded, and a refused datagram is reported as an error of the next call.
        for _ in 0..MOST {
            match self.socket.recv_from(&mut buffer) {
                Ok((n, from)) if all || self.ends.contains_key(&from) => {
                    self.note(now, from);
                    got.push((from, buffer[..n].to_vec()));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Ok(_) | Err(_) => {}
            }
        }
        got.into_iter()
    }
}

impl RealUdp {
    pub(super) fn new(outward: bool) -> RealUdp {
        RealUdp {
            outward,
            flows: BTreeMap::new(),
            forwards: Vec::new(),
            poll_at: 0,
        }
    }

    /// Lets what comes to a socket of this PC go to the module.
    pub(super) fn forward(&mut self, socket: UdpSocket, module_port: u16) -> Result<()> {
        let flow = Flow::new(socket, 0)?;
        self.forwards.push(Forward { flow, module_port });
        Ok(())
    }

    /// A datagram from the module.
    pub(super) fn send(&mut self, now: u64, from: SocketAddr, to: SocketAddr, data: &[u8]) {
        let answer =
            |f: &&mut Forward| f.module_port == from.port() && f.flow.ends.contains_key(&to);
        if let Some(forward) = self.forwards.iter_mut().find(answer) {
            forward.flow.send(now, to, data);
            return;
        }
        if !self.outward {
            return;
        }
        if !self.flows.contains_key(&from) {
            let Ok(flow) = Flow::open(to, now) else {
                return;
            };
            if self.flows.len() >= MOST
                && let Some(oldest) = self.oldest()
            {
                self.flows.remove(&oldest);
            }
            self.flows.insert(from, flow);
        }
        if let Some(flow) = self.flows.get_mut(&from) {
            flow.send(now, to, data);
        }
    }

    fn oldest(&self) -> Option<SocketAddr> {
        let oldest = self.flows.iter().min_by_key(|(_, flow)| flow.used_at);
        oldest.map(|(module, _)| *module)
    }

    /// What has come. `address` is the module's, of the same version as another.
    pub(super) fn poll(
        &mut self,
        now: u64,
        address: &dyn Fn(IpAddr) -> Option<IpAddr>,
    ) -> Vec<Incoming> {
        let mut got = Vec::new();
        if now < self.poll_at || self.flows.is_empty() && self.forwards.is_empty() {
            return got;
        }
        self.poll_at = now + POLL_US;
        self.flows
            .retain(|_, flow| now.saturating_sub(flow.used_at) < IDLE_US);
        for (module, flow) in &mut self.flows {
            got.extend(
                flow.receive(now, false)
                    .map(|(from, data)| (from, *module, data)),
            );
        }
        for forward in &mut self.forwards {
            let port = forward.module_port;
            got.extend(forward.flow.receive(now, true).filter_map(|(from, data)| {
                let module = SocketAddr::new(address(from.ip())?, port);
                Some((from, module, data))
            }));
        }
        got
    }

    pub(super) fn next(&self) -> Option<u64> {
        let any = !self.flows.is_empty() || !self.forwards.is_empty();
        any.then_some(self.poll_at)
    }
}
