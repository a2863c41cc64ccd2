//! One IP stack: a smoltcp interface, its sockets, and the queues of packets in and out.

use std::collections::VecDeque;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::phy::{RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::HardwareAddress;

use super::packet::MTU;

/// When to ask a stack again that says it is due although it has just been polled, in µs.
const RETRY_US: u64 = 1_000;

/// The packets in and out of a stack.
#[derive(Debug, Default)]
struct Port {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

struct Receive(Vec<u8>);
struct Transmit<'a>(&'a mut VecDeque<Vec<u8>>);

impl RxToken for Receive {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.push_back(packet);
        result
    }
}

impl Device for Port {
    type RxToken<'a> = Receive;
    type TxToken<'a> = Transmit<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Receive, Transmit<'_>)> {
        let packet = self.incoming.pop_front()?;
        Some((Receive(packet), Transmit(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Transmit<'_>> {
        Some(Transmit(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ip;
        caps.max_transmission_unit = MTU;
        // The link loses packets but never alters one.
        caps.checksum = ChecksumCapabilities::ignored();
        caps
    }
}

/// A point in virtual time, for smoltcp.
pub(super) fn instant(us: u64) -> Instant {
    Instant::from_micros(i64::try_from(us).unwrap_or(i64::MAX))
}

pub(super) struct Stack {
    pub(super) iface: Interface,
    pub(super) sockets: SocketSet<'static>,
    port: Port,
    /// Something was done to a socket, or a packet came in.
    touched: bool,
    timer: Option<u64>,
}

impl Stack {
    pub(super) fn new(seed: u64) -> Stack {
        let mut port = Port::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        Stack {
            iface: Interface::new(config, &mut port, instant(0)),
            sockets: SocketSet::new(Vec::new()),
            port,
            touched: true,
            timer: None,
        }
    }

    /// Says that a socket was changed, so that the next [`Stack::poll`] looks at it.
    pub(super) fn touch(&mut self) {
        self.touched = true;
    }

    /// Gives the stack a packet; [`Stack::poll`] handles it.
    pub(super) fn receive(&mut self, packet: Vec<u8>) {
        self.port.incoming.push_back(packet);
        self.touched = true;
    }

    /// The next packet that the stack wants to send.
    pub(super) fn transmit(&mut self) -> Option<Vec<u8>> {
        self.port.outgoing.pop_front()
    }

    /// Does everything due at `now`. False if there was nothing to do.
    pub(super) fn poll(&mut self, now: u64) -> bool {
        if !self.touched && self.timer.is_none_or(|at| at > now) {
            return false;
        }
        self.touched = false;
        let time = instant(now);
        self.iface.poll(time, &mut self.port, &mut self.sockets);
        self.timer = self.iface.poll_at(time, &self.sockets).map(|at| {
            let at = u64::try_from(at.total_micros()).unwrap_or(0);
            // It has just done all it could: what it calls due cannot be done at this instant.
            if at > now { at } else { now + RETRY_US }
        });
        true
    }

    /// When the stack wants to be polled next; `now` if something was done to it.
    pub(super) fn next(&self, now: u64) -> Option<u64> {
        if self.touched { Some(now) } else { self.timer }
    }
}
