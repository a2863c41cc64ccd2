//! UDP: whole datagrams, with the address of the other side. None of the
//! calls waits.

use core::net::SocketAddr;

use quectel_at_commands::tcp::Service;

use super::Engine;
use crate::{
    datagram::{DATAGRAM_HEADER, Header},
    error::{ConnectError, OpenError, RecvError, SendError},
    slot::{Handle, Opening, Slot},
};

/// A datagram that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes that were copied.
    pub len: usize,
    /// Bytes that the datagram had: more than `len` if the buffer was too
    /// small, or the receive ring.
    pub whole: usize,
    /// The sender.
    pub from: SocketAddr,
}

impl Received {
    /// The end of the datagram did not fit and is lost.
    pub const fn is_truncated(&self) -> bool {
        self.len < self.whole
    }
}

impl Engine<'_> {
    /// Takes a free slot for a new UDP socket. Nothing is sent.
    ///
    /// # Errors
    /// [`OpenError::NoSlot`] if there is none.
    pub fn udp_socket(&mut self) -> Result<Handle, OpenError> {
        self.socket(Service::Udp)
    }

    /// Queues one datagram, to the connected peer if `to` is `None`. A socket
    /// that was neither connected nor bound is bound to a port of its own. A
    /// call that did not succeed has taken nothing.
    ///
    /// # Errors
    /// `WouldBlock` if the ring has no room or the socket is being opened;
    /// [`SendError`]. Datagrams have 1 to 1460 bytes, and must fit the ring
    /// with [`DATAGRAM_HEADER`] bytes in front.
    pub fn send_to(
        &mut self,
        handle: Handle,
        data: &[u8],
        to: Option<SocketAddr>,
    ) -> nb::Result<usize, SendError> {
        let most = usize::from(self.world.config.family.send_max);
        let available = match to {
            Some(to) => Some(self.world.is_available(to)),
            None => None,
        };
        let slot = self.slot(handle).ok_or(SendError::BadHandle)?;
        if !slot.sock.is_datagram() {
            return Err(SendError::AlreadyConnected.into());
        }
        if data.is_empty() {
            return Err(SendError::NotSupported.into());
        }
        if data.len() > most || data.len() + DATAGRAM_HEADER > slot.tx.capacity() {
            return Err(SendError::TooLong.into());
        }
        if to.is_some_and(|to| to.port() == 0 || to.ip().is_unspecified()) {
            return Err(SendError::InvalidAddress.into());
        }
        if let Some(Err(_)) = available {
            return Err(SendError::AddressFamily.into());
        }
        let peer = slot.sock.remote;
        let address = match (to, peer) {
            (Some(to), Some(peer)) if to != peer => {
                return Err(SendError::AlreadyConnected.into());
            }
            (to, peer) => to.or(peer).ok_or(SendError::NoDestination)?,
        };
        if let Opening::Ended(Err(error)) = slot.sock.opening {
            slot.sock.opening = Opening::Idle;
            return Err(SendError::Open(error).into());
        }
        if slot.sock.opening == Opening::Idle && slot.sock.id.is_none() && !slot.sock.connected {
            self.bind_any(handle, address).map_err(SendError::Open)?;
            return Err(nb::Error::WouldBlock);
        }
        let slot = self.slot(handle).ok_or(SendError::BadHandle)?;
        let sendable = slot.sock.sendable();
        slot.sock.loss_told |= matches!(sendable, Err(nb::Error::Other(SendError::Failed(_))));
        sendable?;
        if slot.tx.free() < data.len() + DATAGRAM_HEADER {
            return Err(nb::Error::WouldBlock);
        }
        // `most` fits 16 bits.
        let len = u16::try_from(data.len()).map_err(|_| SendError::TooLong)?;
        let header = Header {
            stored: len,
            whole: len,
            address: Some(address),
        };
        slot.tx.push(&header.encode());
        slot.tx.push(data);
        Ok(data.len())
    }

    fn bind_any(&mut self, handle: Handle, like: SocketAddr) -> Result<(), ConnectError> {
        let any = match like {
            SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
            SocketAddr::V6(_) => SocketAddr::from(([0u16; 8], 0)),
        };
        if let Some(slot) = self.slot(handle) {
            slot.sock.bind_port = 0;
        }
        self.bind(handle, any)
    }

    /// Takes the next datagram. What does not fit `buffer` is lost.
    ///
    /// # Errors
    /// `WouldBlock` if there is none; [`RecvError`].
    pub fn recv_from(
        &mut self,
        handle: Handle,
        buffer: &mut [u8],
    ) -> nb::Result<Received, RecvError> {
        let received = self.peek_from(handle, buffer)?;
        if let Some(slot) = self.slot(handle) {
            let stored = Slot::first(&slot.rx).map_or(0, |header| header.stored);
            slot.rx.consume(DATAGRAM_HEADER + usize::from(stored));
        }
        Ok(received)
    }

    /// Copies the next datagram and leaves it where it is.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    pub fn peek_from(
        &mut self,
        handle: Handle,
        buffer: &mut [u8],
    ) -> nb::Result<Received, RecvError> {
        let slot = self.slot(handle).ok_or(RecvError::BadHandle)?;
        if !slot.sock.is_datagram() {
            return Err(RecvError::NotSupported.into());
        }
        if let Some(header) = Slot::first(&slot.rx) {
            let n = buffer.len().min(usize::from(header.stored));
            let part = buffer.get_mut(..n).unwrap_or_default();
            let len = slot.rx.peek_at(DATAGRAM_HEADER, part);
            return Ok(Received {
                len,
                whole: usize::from(header.whole),
                // None is kept without one.
                from: header
                    .address
                    .or(slot.sock.remote)
                    .ok_or(RecvError::NotConnected)?,
            });
        }
        let sock = &mut slot.sock;
        if let Some(failure) = sock.failure {
            (sock.failure_seen, sock.loss_told) = (true, true);
            return Err(RecvError::Failed(failure).into());
        }
        match sock.opening {
            Opening::Ended(Err(error)) => {
                sock.opening = Opening::Idle;
                Err(RecvError::Open(error).into())
            }
            Opening::Wanted | Opening::Running { .. } => Err(nb::Error::WouldBlock),
            _ if sock.connected && sock.id.is_some() => Err(nb::Error::WouldBlock),
            _ => Err(RecvError::NotConnected.into()),
        }
    }
}
