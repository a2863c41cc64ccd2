//! Echo requests to the real network, by sockets that need no special rights.
//!
//! A request of the module is held back until the real host has answered, and is then given to the
//! network's own stack, which answers it. Where the PC does not allow such sockets, nobody answers.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use smoltcp::wire::Ipv4Packet;
use socket2::{Domain, Protocol, Socket, Type};

/// How often sockets are looked at, in µs.
const POLL_US: u64 = 1_000;
/// A request is held for this long, in µs: no `AT+QPING` waits longer.
const HOLD_US: u64 = 256_000_000;
/// Requests held at a time.
const MOST: usize = 64;
/// Bytes of an IPv6 header, and of the head of an echo request.
const IPV6_HEADER: usize = 40;
const ECHO_HEAD: usize = 8;

#[derive(Debug, Default)]
pub(super) struct RealPing {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    /// By host and sequence number: when they came, and the packets.
    held: BTreeMap<(IpAddr, u16), (u64, Vec<u8>)>,
    poll_at: u64,
}

fn open(to: IpAddr) -> Option<UdpSocket> {
    let (domain, protocol) = match to {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(protocol)).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket.into())
}

/// The sequence number of an echo request or answer.
fn sequence(icmp: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(icmp.get(6..8)?.try_into().ok()?))
}

impl RealPing {
    /// A packet of the module that is neither TCP nor UDP.
    pub(super) fn send(&mut self, now: u64, to: IpAddr, packet: Vec<u8>) {
        const REQUESTS: [u8; 2] = [8, 128];
        let header = match to {
            IpAddr::V4(_) => usize::from(Ipv4Packet::new_unchecked(&packet).header_len()),
            IpAddr::V6(_) => IPV6_HEADER,
        };
        let Some(icmp) = packet.get(header..).filter(|icmp| icmp.len() >= ECHO_HEAD) else {
            return;
        };
        let request = icmp.first().is_some_and(|kind| REQUESTS.contains(kind));
        let Some(sequence) = sequence(icmp).filter(|_| request && self.held.len() < MOST) else {
            return;
        };
        let socket = match to {
            IpAddr::V4(_) => &mut self.v4,
            IpAddr::V6(_) => &mut self.v6,
        };
        if socket.is_none() {
            *socket = open(to);
        }
        // What cannot be sent is lost.
        if let Some(socket) = socket
            && socket.send_to(icmp, SocketAddr::new(to, 0)).is_ok()
        {
            self.held.insert((to, sequence), (now, packet));
            self.poll_at = now + POLL_US;
        }
    }

    /// The requests that were answered.
    pub(super) fn poll(&mut self, now: u64) -> Vec<Vec<u8>> {
        let mut answered = Vec::new();
        if self.held.is_empty() || now < self.poll_at {
            return answered;
        }
        self.poll_at = now + POLL_US;
        let mut buffer = [0; 2048];
        for socket in [&self.v4, &self.v6].into_iter().flatten() {
            for _ in 0..MOST {
                let Ok((n, from)) = socket.recv_from(&mut buffer) else {
                    break;
                };
                let mut icmp = &buffer[..n];
                // Some systems leave the IPv4 header on.
                if icmp.first().is_some_and(|first| first >> 4 == 4) {
                    icmp = icmp.get(20..).unwrap_or_default();
                }
                let held = sequence(icmp).and_then(|seq| self.held.remove(&(from.ip(), seq)));
                answered.extend(held.map(|(_, packet)| packet));
            }
        }
        self.held
            .retain(|_, (at, _)| now.saturating_sub(*at) < HOLD_US);
        answered
    }

    pub(super) fn next(&self) -> Option<u64> {
        (!self.held.is_empty()).then_some(self.poll_at)
    }
}
