//! Socket calls: what a face can ask of the engine. None of them waits.

use core::net::SocketAddr;

use quectel_at_commands::tcp::Service;

use super::Engine;
use crate::{
    datagram::DATAGRAM_HEADER,
    error::{ConnectError, Failure, OpenError, RecvError, SendError},
    slot::{Handle, Opening, Slot, Sock},
    state::SocketState,
};

impl<'a> Engine<'a> {
    pub(super) fn slot(&mut self, handle: Handle) -> Option<&mut Slot<'a>> {
        let slot = self.world.slots.get_mut(usize::from(handle.index))?;
        let live = slot.generation == handle.generation && slot.sock.used && !slot.sock.released;
        live.then_some(slot)
    }

    /// Takes a free slot for a new TCP socket. Nothing is sent.
    ///
    /// # Errors
    /// [`OpenError::NoSlot`] if there is none.
    pub fn tcp_socket(&mut self) -> Result<Handle, OpenError> {
        self.socket(Service::Tcp)
    }

    pub(super) fn socket(&mut self, service: Service) -> Result<Handle, OpenError> {
        let at = self.world.free_slot().ok_or(OpenError::NoSlot)?;
        let slot = self.world.slots.get_mut(at).ok_or(OpenError::NoSlot)?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.sock = Sock {
            used: true,
            service,
            ..Sock::default()
        };
        slot.rx.clear();
        slot.tx.clear();
        Ok(Handle {
            index: u8::try_from(at).map_err(|_| OpenError::NoSlot)?,
            generation: slot.generation,
        })
    }

    /// Starts to connect with `AT+QIOPEN`; [`connected`](Self::connected)
    /// tells the outcome. Starting again with the same address is no error
    /// while the first attempt runs.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing has been started then.
    // Inlined into a future its copy of a socket becomes `memmove`, 1.6 KB.
    #[inline(never)]
    pub fn connect(&mut self, handle: Handle, remote: SocketAddr) -> Result<(), ConnectError> {
        let available = self.world.is_available(remote);
        let index = usize::from(handle.index);
        let busy = self.world.job.as_ref().and_then(|job| job.job.slot()) == Some(index);
        let Slot { rx, tx, sock, .. } = self.slot(handle).ok_or(ConnectError::BadHandle)?;
        if remote.port() == 0 || remote.ip().is_unspecified() {
            return Err(ConnectError::InvalidAddress);
        }
        if sock.service == Service::UdpService && sock.failure.is_none() {
            match sock.opening {
                // It is as it was before `bind`.
                Opening::Idle => {
                    (sock.service, sock.bind_port, sock.any_port) = (Service::Udp, 0, false);
                }
                Opening::Ended(Err(error)) => {
                    sock.opening = Opening::Idle;
                    return Err(error);
                }
                // Open already: from now on it has one peer.
                _ => {
                    sock.remote = Some(remote);
                    return Ok(());
                }
            }
        }
        match sock.opening {
            Opening::Wanted | Opening::Running { .. } if sock.remote == Some(remote) => {
                return Ok(());
            }
            Opening::Wanted | Opening::Running { .. } => {
                return Err(ConnectError::AlreadyConnecting);
            }
            Opening::Ended(_) if sock.remote == Some(remote) => return Ok(()),
            Opening::Ended(Ok(())) | Opening::Reported if sock.id.is_some() => {
                return Err(ConnectError::AlreadyConnected);
            }
            _ if sock.close_wanted && sock.id.is_some() => return Err(ConnectError::Closing),
            _ if sock.is_listener() => return Err(ConnectError::NotSupported),
            _ => {}
        }
        available??;
        // What an earlier connection left unread is not the new one's.
        rx.clear();
        if !busy {
            // A payload once begun is finished with the real bytes.
            tx.clear();
        }
        *sock = Sock {
            used: true,
            opening: Opening::Wanted,
            remote: Some(remote),
            service: sock.service,
            v6: sock.v6,
            bind_port: sock.bind_port,
            any_port: sock.any_port,
            keep_alive: sock.keep_alive,
            ..Sock::default()
        };
        Ok(())
    }

    /// How the connect has ended. Success is told any number of times,
    /// failure once.
    ///
    /// # Errors
    /// `WouldBlock` while it runs, [`ConnectError`] if it failed.
    pub fn connected(&mut self, handle: Handle) -> nb::Result<(), ConnectError> {
        let sock = &mut self.slot(handle).ok_or(ConnectError::BadHandle)?.sock;
        match sock.opening {
            Opening::Wanted | Opening::Running { .. } => Err(nb::Error::WouldBlock),
            Opening::Ended(Ok(())) => {
                sock.opening = Opening::Reported;
                Ok(())
            }
            Opening::Ended(Err(error)) => {
                sock.opening = Opening::Idle;
                Err(error.into())
            }
            Opening::Reported => Ok(()),
            Opening::Idle => Err(ConnectError::NotStarted.into()),
        }
    }

    /// Whether a connect runs or has ended untold.
    pub fn is_connecting(&mut self, handle: Handle) -> bool {
        self.slot(handle).is_some_and(|slot| {
            matches!(
                slot.sock.opening,
                Opening::Wanted | Opening::Running { .. } | Opening::Ended(_)
            )
        })
    }

    /// Gives a running connect up: `AT+QICLOSE=<id>,0`. The socket can
    /// connect again at once, under another id.
    pub fn cancel_connect(&mut self, handle: Handle) {
        if let Some(slot) = self.slot(handle)
            && matches!(slot.sock.opening, Opening::Wanted | Opening::Running { .. })
        {
            self.world.abandon(usize::from(handle.index));
        }
    }

    /// Copies as much of `data` as fits into the socket's transmit ring and
    /// returns how much. What was taken is sent in order by later polls;
    /// a call that did not succeed has taken nothing.
    ///
    /// # Errors
    /// `WouldBlock` if the ring is full or the socket still connects.
    pub fn send(&mut self, handle: Handle, data: &[u8]) -> nb::Result<usize, SendError> {
        let slot = self.slot(handle).ok_or(SendError::BadHandle)?;
        if slot.sock.is_datagram() {
            return self.send_to(handle, data, None);
        }
        let sendable = slot.sock.sendable();
        slot.sock.loss_told |= matches!(sendable, Err(nb::Error::Other(SendError::Failed(_))));
        if data.is_empty() && sendable == Err(nb::Error::WouldBlock) {
            return Ok(0);
        }
        sendable?;
        let taken = slot.tx.push(data);
        if taken > 0 {
            slot.sock.acked = false;
            if core::mem::take(&mut slot.sock.ack_wanted) {
                // The pause between questions does not hold up new data.
                slot.sock.retry_at = 0;
            }
        }
        if taken == 0 && !data.is_empty() {
            return Err(nb::Error::WouldBlock);
        }
        Ok(taken)
    }

    /// Whether the module has taken everything that `send` took: `SEND OK` of
    /// the last byte, and the module's count of bytes agrees with ours.
    ///
    /// # Errors
    /// `WouldBlock` if not yet.
    pub fn flushed(&mut self, handle: Handle) -> nb::Result<(), SendError> {
        let slot = self.slot(handle).ok_or(SendError::BadHandle)?;
        let (failure, unsent) = (slot.sock.failure, slot.sock.unsent);
        slot.sock.loss_told |= failure.is_some() || unsent;
        match failure {
            Some(failure) => Err(SendError::Failed(failure).into()),
            None if unsent => Err(SendError::Failed(Failure::Reset).into()),
            None if slot.tx.is_empty() && !slot.sock.unverified => Ok(()),
            // Nothing can be compared with a connection that is gone.
            None if slot.tx.is_empty() && slot.sock.state != SocketState::Established => Ok(()),
            None => {
                slot.sock.flush_wanted = true;
                Err(nb::Error::WouldBlock)
            }
        }
    }

    /// Whether the peer has acknowledged everything that `send` took: asks
    /// with `AT+QISEND=<id>,0`, again and again with growing pauses. Nobody
    /// acknowledges datagrams: as [`flushed`](Self::flushed) then.
    ///
    /// # Errors
    /// `WouldBlock` if not yet; [`SendError::Closed`] if the connection ended
    /// before it was known.
    pub fn acked(&mut self, handle: Handle) -> nb::Result<(), SendError> {
        let slot = self.slot(handle).ok_or(SendError::BadHandle)?;
        if slot.sock.is_datagram() {
            return self.flushed(handle);
        }
        let (failure, unsent) = (slot.sock.failure, slot.sock.unsent);
        slot.sock.loss_told |= failure.is_some() || unsent;
        let sock = &slot.sock;
        let known = sock.sent_total == 0 || sock.acked && !sock.unverified;
        match failure {
            Some(failure) => Err(SendError::Failed(failure).into()),
            None if unsent => Err(SendError::Failed(Failure::Reset).into()),
            None if slot.tx.is_empty() && known => Ok(()),
            None if sock.can_be_acked() => {
                slot.sock.ack_wanted = true;
                Err(nb::Error::WouldBlock)
            }
            None => Err(SendError::Closed.into()),
        }
    }

    /// Copies received bytes into `buffer` and returns how many; `Ok(0)` is
    /// the end of the data (or an empty buffer).
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing yet. A broken connection is reported
    /// once, after everything that had arrived.
    pub fn recv(&mut self, handle: Handle, buffer: &mut [u8]) -> nb::Result<usize, RecvError> {
        let slot = self.slot(handle).ok_or(RecvError::BadHandle)?;
        if slot.sock.is_datagram() {
            return Ok(self.recv_from(handle, buffer)?.len);
        }
        if !slot.rx.is_empty() {
            let n = slot.rx.peek(buffer);
            slot.rx.consume(n);
            return Ok(n);
        }
        let sock = &mut slot.sock;
        if let Some(failure) = sock.failure.filter(|_| !sock.failure_seen) {
            sock.failure_seen = true;
            sock.loss_told = true;
            return Err(RecvError::Failed(failure).into());
        }
        match sock.opening {
            Opening::Wanted | Opening::Running { .. } if buffer.is_empty() => return Ok(0),
            Opening::Wanted | Opening::Running { .. } => return Err(nb::Error::WouldBlock),
            _ if !sock.connected => return Err(RecvError::NotConnected.into()),
            _ => {}
        }
        if buffer.is_empty() || sock.drained || !sock.reads() {
            return Ok(0);
        }
        Err(nb::Error::WouldBlock)
    }

    /// As [`recv`](Self::recv), but leaves the bytes where they are.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn peek(&mut self, handle: Handle, buffer: &mut [u8]) -> nb::Result<usize, RecvError> {
        let slot = self.slot(handle).ok_or(RecvError::BadHandle)?;
        if slot.sock.is_datagram() {
            return Ok(self.peek_from(handle, buffer)?.len);
        }
        if !slot.rx.is_empty() {
            return Ok(slot.rx.peek(buffer));
        }
        // Nothing to leave: what `recv` would say.
        self.recv(handle, buffer)
    }

    /// Whether the next `recv` reports a broken connection.
    pub(crate) fn recv_fails(&mut self, handle: Handle) -> bool {
        self.slot(handle).is_none_or(|slot| {
            slot.rx.is_empty() && slot.sock.failure.is_some() && !slot.sock.failure_seen
        })
    }

    /// Bytes that `recv` would return at once: those of the next datagram, on
    /// a UDP socket.
    pub fn readable(&mut self, handle: Handle) -> usize {
        self.slot(handle).map_or(0, |slot| {
            if slot.sock.is_datagram() {
                Slot::first(&slot.rx).map_or(0, |header| usize::from(header.stored))
            } else {
                slot.rx.len()
            }
        })
    }

    /// What can be done with the socket without waiting, as `poll(2)` tells
    /// it.
    pub fn readiness(&mut self, handle: Handle) -> Readiness {
        let waiting = self.waiting(handle) > 0;
        let Some(Slot { rx, tx, sock, .. }) = self.slot(handle) else {
            return Readiness::INVALID;
        };
        let opening = matches!(sock.opening, Opening::Wanted | Opening::Running { .. });
        let failed = sock.failure.is_some() || matches!(sock.opening, Opening::Ended(Err(_)));
        let ended = !opening && !sock.is_datagram() && sock.connected && sock.drained_or_gone();
        let fresh = sock.opening == Opening::Idle && !sock.connected && sock.failure.is_none();
        let room = if sock.is_datagram() {
            DATAGRAM_HEADER
        } else {
            0
        };
        let takes = sock.sendable().is_ok() && tx.free() > room;
        Readiness {
            readable: !rx.is_empty() || waiting || failed || ended,
            // A socket nobody has used: as lwIP has it.
            writable: takes || fresh,
            error: failed && !sock.failure_seen,
            hang_up: failed || sock.peer_closed || fresh && !sock.is_datagram(),
            invalid: false,
        }
    }

    /// Starts to close and keeps the handle, so that the states 5 to 10 can
    /// be watched: what was taken is sent, its acknowledgement awaited for
    /// [`Config::linger_ms`](crate::Config::linger_ms), then `AT+QICLOSE`.
    ///
    /// # Errors
    /// [`OpenError::NotConnected`] if there is nothing to close.
    pub fn shutdown(&mut self, now: u64, handle: Handle) -> Result<(), OpenError> {
        let slot = self.slot(handle).ok_or(OpenError::BadHandle)?;
        if slot.sock.id.is_none() && slot.sock.opening != Opening::Wanted {
            return Err(OpenError::NotConnected);
        }
        self.world.close(usize::from(handle.index), now, false);
        Ok(())
    }

    /// Closes and gives the handle back. The slot is free again when the
    /// connection is closed.
    pub fn release(&mut self, now: u64, handle: Handle) {
        self.let_go(now, handle, false);
    }

    /// As [`release`](Self::release), but what was not sent yet is dropped
    /// and the peer sees a reset.
    pub fn abort(&mut self, now: u64, handle: Handle) {
        self.let_go(now, handle, true);
    }

    /// Whether bytes that were taken will never arrive, and no call has said
    /// so yet: the last question to a socket that [`is_closed`](Self::is_closed).
    ///
    /// # Errors
    /// [`SendError::Failed`] with the reason.
    pub fn untold_loss(&mut self, handle: Handle) -> Result<(), SendError> {
        let sock = match self.slot(handle) {
            Some(slot) => &slot.sock,
            None => return Ok(()),
        };
        if sock.unsent && !sock.loss_told {
            return Err(SendError::Failed(sock.failure.unwrap_or(Failure::Reset)));
        }
        Ok(())
    }

    /// Starts what [`release`](Self::release) does and keeps the handle.
    pub(crate) fn start_close(&mut self, now: u64, handle: Handle) {
        if self.slot(handle).is_some() {
            self.world.close(usize::from(handle.index), now, false);
        }
    }

    /// Releases sockets that were dropped; a bit a slot, for even and odd
    /// generations.
    pub(crate) fn release_dropped(&mut self, now: u64, dropped: [u64; 2]) {
        if dropped == [0; 2] {
            return;
        }
        for index in 0..self.world.slots.len() {
            let Some(generation) = self.world.slots.get(index).map(|slot| slot.generation) else {
                return;
            };
            let bits = dropped
                .get(usize::from(generation % 2))
                .copied()
                .unwrap_or(0);
            if bits.checked_shr(index as u32).unwrap_or(0) & 1 == 1
                && let Ok(index) = u8::try_from(index)
            {
                self.release(now, Handle { index, generation });
            }
        }
    }

    fn let_go(&mut self, now: u64, handle: Handle, abort: bool) {
        if let Some(slot) = self.slot(handle) {
            slot.sock.released = true;
            let index = usize::from(handle.index);
            self.world.close(index, now, abort);
            self.world.free_if_done(index);
        }
    }

    /// The socket's state; `None` after it was released.
    pub fn state(&mut self, handle: Handle) -> Option<SocketState> {
        self.slot(handle).map(|slot| slot.sock.state)
    }

    /// Whether a close that was started has ended.
    pub fn is_closed(&mut self, handle: Handle) -> bool {
        self.slot(handle).is_none_or(|slot| {
            let sock = &slot.sock;
            sock.id.is_none() && matches!(sock.state, SocketState::Closed | SocketState::TimeWait)
        })
    }

    /// The peer's address, once connecting has begun.
    pub fn remote(&mut self, handle: Handle) -> Option<SocketAddr> {
        self.slot(handle).and_then(|slot| slot.sock.remote)
    }

    /// Whether some slot waits for a close that nobody watches any more, or
    /// for the end of the command that was its last.
    pub fn is_closing_any(&self) -> bool {
        let job = self.world.job.as_ref();
        let busy = job.and_then(|outstanding| outstanding.job.slot());
        let mut slots = self.world.slots.iter().enumerate();
        slots.any(|(at, slot)| slot.sock.released || !slot.sock.used && Some(at) == busy)
    }
}

/// What can be done with a socket without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Readiness {
    /// `recv` or `accept` returns at once: data, a connection, the end of the
    /// data, or an error. POLLIN
    pub readable: bool,
    /// `send` takes at least a byte. POLLOUT
    pub writable: bool,
    /// The connection broke and no `recv` has told. POLLERR
    pub error: bool,
    /// The peer has closed, the connection broke, or there never was one.
    /// POLLHUP
    pub hang_up: bool,
    /// The handle's socket is closed. POLLNVAL
    pub invalid: bool,
}

impl Readiness {
    const INVALID: Self = Self {
        readable: false,
        writable: false,
        error: false,
        hang_up: false,
        invalid: true,
    };
}

impl Sock {
    /// `recv` has nothing more to wait for.
    fn drained_or_gone(&self) -> bool {
        self.drained || !self.reads()
    }

    /// The module can still tell what the peer has acknowledged.
    pub(super) fn can_be_acked(&self) -> bool {
        self.state == SocketState::Established
    }

    pub(super) fn sendable(&self) -> nb::Result<(), SendError> {
        if let Some(failure) = self.failure {
            return Err(SendError::Failed(failure).into());
        }
        if self.unsent {
            return Err(SendError::Failed(Failure::Reset).into());
        }
        if self.close_wanted || self.peer_closed {
            return Err(SendError::Closed.into());
        }
        match self.opening {
            Opening::Wanted | Opening::Running { .. } => Err(nb::Error::WouldBlock),
            _ if self.state == SocketState::Established => Ok(()),
            _ => Err(SendError::NotConnected.into()),
        }
    }
}
