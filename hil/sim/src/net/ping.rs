//! The module's echo requests.

use std::net::IpAddr;

use smoltcp::iface::SocketHandle;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::icmp::{Endpoint, PacketBuffer, PacketMetadata, Socket};
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr};

use super::stack::Stack;

/// What echo requests are told apart by.
const IDENT: u16 = 0x5143;
/// The data of a request, as Quectel modules have it.
pub(crate) const PING_BYTES: usize = 32;

/// The socket for echo requests, while there are any.
#[derive(Default)]
pub(super) struct Pinger {
    handle: Option<SocketHandle>,
}

impl Pinger {
    /// Sends a request. False if it cannot be sent.
    pub(super) fn send(&mut self, stack: &mut Stack, from: IpAddr, to: IpAddr, seq: u16) -> bool {
        let handle = *self.handle.get_or_insert_with(|| {
            let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 8], vec![0; 1024]);
            let mut socket = Socket::new(buffer(), buffer());
            // Fails only if it is bound already.
            let _ = socket.bind(Endpoint::Ident(IDENT));
            stack.sockets.add(socket)
        });
        stack.touch();
        let socket = stack.sockets.get_mut::<Socket>(handle);
        let data = [b'Q'; PING_BYTES];
        let checksums = ChecksumCapabilities::default();
        match (from, to) {
            (IpAddr::V4(_), IpAddr::V4(_)) => {
                let request = Icmpv4Repr::EchoRequest {
                    ident: IDENT,
                    seq_no: seq,
                    data: &data,
                };
                let Ok(buffer) = socket.send(request.buffer_len(), to.into()) else {
                    return false;
                };
                request.emit(&mut Icmpv4Packet::new_unchecked(buffer), &checksums);
            }
            (IpAddr::V6(from), IpAddr::V6(address)) => {
                let request = Icmpv6Repr::EchoRequest {
                    ident: IDENT,
                    seq_no: seq,
                    data: &data,
                };
                let Ok(buffer) = socket.send(request.buffer_len(), to.into()) else {
                    return false;
                };
                let mut packet = Icmpv6Packet::new_unchecked(buffer);
                request.emit(&from, &address, &mut packet, &checksums);
            }
            _ => return false,
        }
        true
    }

    /// The next answer: from where, and to which request.
    pub(super) fn receive(&self, stack: &mut Stack) -> Option<(IpAddr, u16)> {
        let socket = stack.sockets.get_mut::<Socket>(self.handle?);
        while let Ok((data, from)) = socket.recv() {
            let from = IpAddr::from(from);
            let seq = match from {
                IpAddr::V4(_) => Icmpv4Packet::new_checked(data).map(|p| p.echo_seq_no()),
                IpAddr::V6(_) => Icmpv6Packet::new_checked(data).map(|p| p.echo_seq_no()),
            };
            if let Ok(seq) = seq {
                return Some((from, seq));
            }
        }
        None
    }

    /// No more requests.
    pub(super) fn stop(&mut self, stack: &mut Stack) {
        if let Some(handle) = self.handle.take() {
            stack.sockets.remove(handle);
        }
    }
}
