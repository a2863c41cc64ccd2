//! Socket calls, and what the answers to their commands do to a socket.

use core::net::SocketAddr;

use quectel_at_commands::{
    ResultCode, TcpIpError,
    tcp::{ModuleState, OPEN_MS, SendCounters},
};

use super::{Engine, URC_GRACE_MS, World};
use crate::{
    error::{ConnectError, Failure, OpenError, RecvError, SendError},
    family::Family,
    slot::{AskState, Handle, Opening, Slot, Sock},
    state::SocketState,
};

/// What a bare ERROR is worth.
pub(super) const UNKNOWN: TcpIpError = TcpIpError(550);
/// Errors in a row after which a socket is given up.
const STRIKES: u8 = 5;
/// A `SEND OK` that comes so shortly before the end of the module's own
/// time-out, or later, may be due to it. In milliseconds.
const SEND_LATE_MS: u64 = 1_000;
/// Pause before an open that the module was too busy for is tried again.
const BUSY_MS: u64 = 500;

/// The module's connect ids. They are not slot numbers: an id is used again
/// only after its `AT+QICLOSE` was answered, the longest unused one first,
/// because a late URC names nothing but the id.
#[derive(Debug)]
pub(super) struct Ids {
    uses: [IdUse; Family::MAX_SOCKETS],
    count: u8,
    clock: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IdUse {
    /// Since this moment of `clock`.
    Free(u32),
    Taken,
    /// Must be closed before it can be used.
    Discard,
}

impl Ids {
    pub(super) const fn new(count: u8) -> Self {
        Self {
            uses: [IdUse::Free(0); Family::MAX_SOCKETS],
            count,
            clock: 0,
        }
    }

    fn set(&mut self, id: u8, to: IdUse) {
        if let Some(entry) = self.uses.get_mut(usize::from(id)) {
            *entry = to;
        }
    }

    pub(super) fn least_recently_used(&self) -> Option<u8> {
        let ids = (0..self.count).zip(&self.uses);
        let free = ids.filter_map(|(id, entry)| match entry {
            IdUse::Free(since) => Some((since, id)),
            _ => None,
        });
        free.min().map(|(_, id)| id)
    }

    pub(super) fn take(&mut self, id: u8) {
        self.set(id, IdUse::Taken);
    }

    pub(super) fn free(&mut self, id: u8) {
        self.clock = self.clock.wrapping_add(1);
        self.set(id, IdUse::Free(self.clock));
    }

    pub(super) fn free_all(&mut self) {
        self.uses = [IdUse::Free(0); Family::MAX_SOCKETS];
    }

    /// The module may hold a socket under this id that nobody wants.
    pub(super) fn discard(&mut self, id: u8) {
        self.set(id, IdUse::Discard);
    }

    /// The module gave a free id to a connection that nobody asked for.
    pub(super) fn refuse(&mut self, id: u8) {
        if let Some(IdUse::Free(_)) = self.uses.get(usize::from(id)) {
            self.discard(id);
        }
    }

    pub(super) fn to_discard(&self) -> Option<u8> {
        let mut ids = (0..).zip(&self.uses);
        ids.find(|(_, entry)| **entry == IdUse::Discard)
            .map(|(id, _)| id)
    }

    /// The module does not list this id.
    pub(super) fn gone(&mut self, id: u8) {
        if let Some(IdUse::Discard) = self.uses.get(usize::from(id)) {
            self.free(id);
        }
    }

    pub(super) fn any_to_discard(&self) -> bool {
        self.to_discard().is_some()
    }
}

impl<'a> Engine<'a> {
    fn slot(&mut self, handle: Handle) -> Option<&mut Slot<'a>> {
        let slot = self.world.slots.get_mut(usize::from(handle.index))?;
        let live = slot.generation == handle.generation && slot.sock.used && !slot.sock.released;
        live.then_some(slot)
    }

    /// Takes a free slot for a new socket. Nothing is sent.
    ///
    /// # Errors
    /// [`OpenError::NoSlot`] if there is none.
    pub fn socket(&mut self) -> Result<Handle, OpenError> {
        let at = self.world.free_slot().ok_or(OpenError::NoSlot)?;
        let slot = self.world.slots.get_mut(at).ok_or(OpenError::NoSlot)?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.sock = Sock {
            used: true,
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
    pub fn connect(&mut self, handle: Handle, remote: SocketAddr) -> Result<(), ConnectError> {
        let up = self.world.network.is_up();
        let lost = self.world.fault.is_some();
        let Slot { rx, tx, sock, .. } = self.slot(handle).ok_or(ConnectError::BadHandle)?;
        if remote.port() == 0 || remote.ip().is_unspecified() {
            return Err(ConnectError::InvalidAddress);
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
            _ => {}
        }
        if lost {
            return Err(ConnectError::Failed(Failure::ModuleLost));
        }
        if !up {
            return Err(ConnectError::NoNetwork);
        }
        // What an earlier connection left unread is not the new one's.
        rx.clear();
        tx.clear();
        *sock = Sock {
            used: true,
            opening: Opening::Wanted,
            remote: Some(remote),
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
        slot.sock.sendable()?;
        let taken = slot.tx.push(data);
        if taken > 0 {
            slot.sock.acked = false;
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

    /// Copies received bytes into `buffer` and returns how many; `Ok(0)` is
    /// the end of the data (or an empty buffer).
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing yet. A broken connection is reported
    /// once, after everything that had arrived.
    pub fn recv(&mut self, handle: Handle, buffer: &mut [u8]) -> nb::Result<usize, RecvError> {
        let slot = self.slot(handle).ok_or(RecvError::BadHandle)?;
        if !slot.rx.is_empty() {
            let n = slot.rx.peek(buffer);
            slot.rx.consume(n);
            return Ok(n);
        }
        let sock = &mut slot.sock;
        if let Some(failure) = sock.failure.filter(|_| !sock.failure_seen) {
            sock.failure_seen = true;
            return Err(RecvError::Failed(failure).into());
        }
        match sock.opening {
            Opening::Wanted | Opening::Running { .. } => return Err(nb::Error::WouldBlock),
            _ if !sock.connected => return Err(RecvError::NotConnected.into()),
            _ => {}
        }
        if buffer.is_empty() || sock.drained || !sock.reads() {
            return Ok(0);
        }
        Err(nb::Error::WouldBlock)
    }

    /// Whether the next `recv` reports a broken connection.
    pub(crate) fn recv_fails(&mut self, handle: Handle) -> bool {
        self.slot(handle).is_none_or(|slot| {
            slot.rx.is_empty() && slot.sock.failure.is_some() && !slot.sock.failure_seen
        })
    }

    /// Bytes that `recv` would return at once.
    pub fn readable(&mut self, handle: Handle) -> usize {
        self.slot(handle).map_or(0, |slot| slot.rx.len())
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

    /// Whether some slot waits for a close that nobody watches any more.
    pub fn is_closing_any(&self) -> bool {
        self.world.slots.iter().any(|slot| slot.sock.released)
    }
}

impl Sock {
    fn sendable(&self) -> nb::Result<(), SendError> {
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

impl World<'_> {
    /// A slot nobody needs; else one whose TIME_WAIT is only watched.
    fn free_slot(&self) -> Option<usize> {
        let busy = self
            .job
            .as_ref()
            .and_then(|outstanding| outstanding.job.slot());
        let mut free = self.slots.iter().enumerate();
        let unused = free.position(|(at, slot)| !slot.sock.used && Some(at) != busy);
        unused.or_else(|| {
            let mut slots = self.slots.iter().enumerate();
            slots
                .position(|(at, slot)| slot.sock.state == SocketState::TimeWait && Some(at) != busy)
        })
    }

    pub(super) fn by_id(&self, id: u8) -> Option<usize> {
        self.slots.iter().position(|slot| slot.sock.id == Some(id))
    }

    /// A job of this slot has ended: what was kept for it goes.
    pub(super) fn job_ended(&mut self, slot: usize) {
        if let Some(entry) = self.slots.get_mut(slot)
            && entry.sock.id.is_none()
        {
            entry.rx.rollback();
            entry.tx.clear();
            self.free_if_done(slot);
        }
    }

    /// A released slot is free once the module no longer has its connection.
    pub(super) fn free_if_done(&mut self, slot: usize) {
        if let Some(sock) = self.sock(slot)
            && sock.released
            && sock.id.is_none()
        {
            *sock = Sock::default();
            // Nobody is left to be told.
            self.last_send = self.last_send.filter(|last| *last != slot);
        }
    }

    /// When an open must have ended, as the module's maximum says.
    pub(super) fn open_until(&self, slot: usize) -> Option<u64> {
        match self.slots.get(slot)?.sock.opening {
            Opening::Running { since } => {
                Some(since.saturating_add(u64::from(OPEN_MS) + URC_GRACE_MS))
            }
            _ => None,
        }
    }

    /// The open's URC did not come in the module's maximum time.
    pub(super) fn open_expired(&mut self, slot: usize) {
        self.end_open(slot, ConnectError::TimedOut);
    }

    /// An open has failed: its id must be closed before it is used again.
    pub(super) fn end_open(&mut self, slot: usize, error: ConnectError) {
        if let Some(sock) = self.sock(slot) {
            sock.opening = Opening::Ended(Err(error));
            sock.state = SocketState::Closed;
            sock.ask_state = None;
            if let Some(id) = sock.id.take() {
                self.ids.discard(id);
            }
            self.free_if_done(slot);
        }
    }

    /// The caller gave the open up.
    fn abandon(&mut self, slot: usize) {
        if let Some(sock) = self.sock(slot) {
            sock.opening = Opening::Idle;
            sock.state = SocketState::Closed;
            sock.ask_state = None;
            if let Some(id) = sock.id.take() {
                self.ids.discard(id);
            }
        }
    }

    /// The answer to `AT+QIOPEN`; the connection itself comes by URC.
    pub(super) fn open_answered(&mut self, slot: usize, id: u8, code: ResultCode, now: u64) {
        let Some(sock) = self.sock(slot).filter(|sock| sock.id == Some(id)) else {
            return;
        };
        if !matches!(sock.opening, Opening::Running { .. }) {
            return;
        }
        match code {
            // Some firmware gives here what others give by URC.
            ResultCode::Cme(error) => self.opened(id, Some(TcpIpError(error.0)), now),
            _ if code.is_error() => self.end_open(slot, ConnectError::Module(UNKNOWN)),
            _ => sock.state = SocketState::SynSent,
        }
    }

    /// `+QIOPEN: <id>,<err>`
    pub(super) fn opened(&mut self, id: u8, error: Option<TcpIpError>, now: u64) {
        let Some(slot) = self.by_id(id) else {
            return;
        };
        let refused_within = u64::from(self.config.family.refused_within_ms);
        let look_ms = self.config.look_ms;
        let Some(sock) = self.sock(slot) else {
            return;
        };
        let Opening::Running { since } = sock.opening else {
            return;
        };
        let error = match error {
            None => {
                sock.opening = Opening::Ended(Ok(()));
                sock.state = SocketState::Established;
                sock.connected = true;
                sock.ask_state = None;
                sock.watch(now, look_ms);
                return;
            }
            Some(error) => error,
        };
        if error == TcpIpError::ID_IN_USE || error.is_busy() {
            // Try again under another id; the caller's time-out bounds it.
            let pause = if error.is_busy() { BUSY_MS } else { 0 };
            sock.opening = Opening::Wanted;
            sock.state = SocketState::Closed;
            sock.id = None;
            sock.retry_at = now.saturating_add(pause);
            return self.ids.discard(id);
        }
        let error = match error {
            TcpIpError::CONNECT_FAILED if now.saturating_sub(since) < refused_within => {
                ConnectError::Refused
            }
            TcpIpError::CONNECT_FAILED | TcpIpError::TIMEOUT => ConnectError::TimedOut,
            TcpIpError::BIND_FAILED => ConnectError::AddressInUse,
            TcpIpError::PDP_FAILED | TcpIpError::PDP_BROKEN => ConnectError::NoNetwork,
            other => ConnectError::Module(other),
        };
        self.end_open(slot, error);
        if error == ConnectError::NoNetwork {
            // The module disagrees on the context: perhaps it restarted.
            self.suspect();
        }
    }

    /// `+QIURC: "recv"`
    pub(super) fn data_arrived(&mut self, id: u8, now: u64) {
        let look_ms = self.config.look_ms;
        if let Some(sock) = self.by_id(id).and_then(|slot| self.sock(slot)) {
            sock.data_ready = true;
            sock.watch(now, look_ms);
        }
    }

    /// `+QIURC: "closed"`
    pub(super) fn peer_closed(&mut self, id: u8) {
        let Some(slot) = self.by_id(id) else {
            return;
        };
        let job = self.job.as_ref().map(|outstanding| outstanding.job);
        let lost = self.recovery.as_ref().and_then(|recovery| recovery.lost);
        let mut jobs = job.into_iter().chain(lost);
        let sending =
            jobs.any(|job| job.slot() == Some(slot) && matches!(job, super::Job::Send { .. }));
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        let sock = &mut entry.sock;
        match sock.state {
            SocketState::Established => sock.state = SocketState::CloseWait,
            SocketState::FinWait1 => sock.state = SocketState::Closing,
            _ => return,
        }
        sock.peer_closed = true;
        sock.data_ready = true;
        if !sending && !entry.tx.is_empty() {
            sock.unsent = true;
            sock.in_doubt = None;
            entry.tx.clear();
        }
    }

    /// The answer to `AT+QISEND`.
    pub(super) fn sent(
        &mut self,
        slot: usize,
        len: u16,
        sent: Option<u16>,
        code: ResultCode,
        since: u64,
        now: u64,
    ) {
        let timeout = u64::from(self.config.family.send_timeout_s) * 1_000;
        let late = now.saturating_sub(since) >= timeout.saturating_sub(SEND_LATE_MS);
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        let sock = &mut entry.sock;
        if sock.id.is_none() {
            // Failed meanwhile; the ring was kept for the payload only.
            return;
        }
        match code {
            // Ended before all was transmitted: a byte was doubled, or the
            // module's time-out was over. The rest will reach the module as
            // commands.
            ResultCode::SendOk if sent.is_some_and(|sent| sent < len) => {
                self.fail(slot, Failure::LineDamaged);
                return self.resynchronise(now);
            }
            // The module's own time-out may have ended the block, short of
            // bytes that the line has lost: the counters tell.
            ResultCode::SendOk if sent == Some(len) && late => sock.in_doubt = Some(len),
            ResultCode::SendOk if sent == Some(len) => {
                entry.tx.consume(usize::from(len));
                sock.sent_total = sock.sent_total.wrapping_add(u32::from(len));
                sock.unverified = true;
                sock.progress();
                self.last_send = Some(slot);
            }
            // The module's buffer is full, nothing was taken.
            ResultCode::SendFail => sock.back_off(now),
            // No prompt: nothing of the payload went out.
            _ if sent.is_none() => sock.refused(now),
            // The payload went out, its fate is unknown.
            _ => sock.in_doubt = Some(len),
        }
        self.lose_unsendable(slot);
    }

    /// What the module has not taken when the peer closes is never sent.
    pub(super) fn lose_unsendable(&mut self, slot: usize) {
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        let sock = &mut entry.sock;
        if sock.peer_closed && !entry.tx.is_empty() {
            sock.unsent = true;
            sock.in_doubt = None;
            entry.tx.clear();
        }
    }

    /// The answer to `AT+QISEND=<id>,0`.
    pub(super) fn counted(&mut self, slot: usize, answer: Option<SendCounters>, now: u64) {
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        let sock = &mut entry.sock;
        let Some(counters) = answer else {
            // The module has no such connection any more, or does not say.
            sock.strikes = sock.strikes.saturating_add(1);
            sock.back_off(now);
            sock.ask_state.get_or_insert(AskState::Refused);
            if sock.in_doubt.is_some() && sock.strikes > STRIKES {
                self.fail(slot, Failure::LineDamaged);
            } else if sock.strikes > STRIKES {
                sock.acked = true;
            }
            return;
        };
        if let Some(len) = sock.in_doubt.take() {
            let old = sock.sent_total;
            if counters.total == old.wrapping_add(u32::from(len)) {
                entry.tx.consume(usize::from(len));
                sock.sent_total = counters.total;
                sock.unverified = false;
                sock.progress();
            } else if counters.total == old {
                sock.refused(now);
            } else {
                self.fail(slot, Failure::LineDamaged);
            }
        } else if counters.total != sock.sent_total {
            self.fail(slot, Failure::LineDamaged);
        } else {
            sock.unverified = false;
            sock.flush_wanted = false;
            sock.acked = counters.unacked == 0;
            if sock.acked {
                sock.progress();
            } else if sock.close_wanted {
                sock.back_off(now);
            }
        }
    }

    /// The answer to `AT+QIRD`.
    pub(super) fn read(
        &mut self,
        slot: usize,
        announced: Option<usize>,
        discard: bool,
        code: ResultCode,
        now: u64,
    ) {
        let look_ms = self.config.look_ms;
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        let sock = &mut entry.sock;
        if sock.id.is_none() {
            return;
        }
        match (code, announced) {
            (ResultCode::Ok, Some(0)) => {
                if sock.peer_closed && !sock.data_ready {
                    // A `closed` whose id the line has changed must not end
                    // another connection.
                    sock.ask_state = Some(AskState::Drained);
                }
                sock.read_went_well();
            }
            (ResultCode::Ok, Some(n)) if !discard => {
                entry.rx.commit();
                let n = u32::try_from(n).unwrap_or(u32::MAX);
                sock.received_total = sock.received_total.wrapping_add(n);
                sock.data_ready = true;
                sock.read_went_well();
                sock.watch(now, look_ms);
            }
            // No header before the OK, or more bytes than announced.
            (ResultCode::Ok, _) => self.fail(slot, Failure::LineDamaged),
            // The buffered bytes are gone with the connection.
            _ if sock.peer_closed => {
                let failure = Failure::Reset;
                self.fail(slot, failure);
            }
            _ => {
                sock.data_ready = true;
                sock.refused(now);
            }
        }
    }

    /// The answer to `AT+QISTATE=1,<id>`; no row means that the id is free.
    pub(super) fn state_told(
        &mut self,
        slot: usize,
        id: u8,
        why: AskState,
        row: Option<ModuleState>,
        now: u64,
    ) {
        let Some(sock) = self.sock(slot).filter(|sock| sock.id == Some(id)) else {
            return;
        };
        sock.ask_state = None;
        if why == AskState::Closed {
            if row.is_none() || now >= sock.linger_until {
                self.closed(slot, id, SocketState::TimeWait, now);
            } else {
                sock.state = SocketState::FinWait2;
                sock.ask_state = Some(AskState::Closed);
                sock.back_off(now);
            }
            return;
        }
        let running = matches!(sock.opening, Opening::Running { .. });
        if why == AskState::Drained {
            match row {
                Some(ModuleState::Connected | ModuleState::Listening) => {
                    sock.state = SocketState::Established;
                    sock.peer_closed = false;
                }
                Some(_) => sock.drained = true,
                None => {
                    sock.drained = true;
                    self.closed(slot, id, SocketState::Closed, now);
                }
            }
            return;
        }
        match row {
            // BG96 has been seen to report a live client as listening.
            Some(ModuleState::Connected | ModuleState::Listening) if running => {
                self.opened(id, None, now)
            }
            Some(ModuleState::Connected | ModuleState::Listening) => {
                if sock.strikes > STRIKES {
                    self.fail(slot, Failure::LineDamaged);
                }
            }
            Some(ModuleState::Initial | ModuleState::Opening) if running => {}
            _ if running => self.end_open(slot, ConnectError::Module(UNKNOWN)),
            Some(ModuleState::Closing) => self.peer_closed(id),
            Some(ModuleState::Initial | ModuleState::Opening) => self.fail(slot, Failure::Reset),
            None => {
                self.fail(slot, Failure::Reset);
                self.ids.free(id);
                // All of them may be gone.
                self.suspect();
            }
        }
    }

    /// `AT+QISTATE` was refused: never asked for ever, since other work of
    /// the socket waits for it.
    pub(super) fn state_not_told(&mut self, slot: usize, id: u8, why: AskState, now: u64) {
        if why == AskState::Closed {
            return self.state_told(slot, id, why, None, now);
        }
        if let Some(sock) = self.sock(slot) {
            sock.ask_state = None;
            if sock.strikes > STRIKES {
                self.fail(slot, Failure::ModuleLost);
            }
        }
    }

    /// Starts to close, or makes a close that runs an abort.
    fn close(&mut self, slot: usize, now: u64, abort: bool) {
        let linger = u64::from(self.config.linger_ms);
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        let sock = &mut entry.sock;
        if matches!(sock.opening, Opening::Wanted | Opening::Running { .. }) {
            return self.abandon(slot);
        }
        if !sock.close_wanted {
            sock.close_wanted = true;
            sock.linger_until = now.saturating_add(linger);
            sock.retry_at = 0;
        }
        sock.abort |= abort;
    }

    /// The answer to `AT+QICLOSE` of a slot's connection.
    pub(super) fn close_answered(
        &mut self,
        slot: usize,
        id: u8,
        in_time: bool,
        code: ResultCode,
        now: u64,
    ) {
        let linger = u64::from(self.config.linger_ms);
        let Some(sock) = self.sock(slot).filter(|sock| sock.id == Some(id)) else {
            // Failed meanwhile, and the id is on its way out already.
            return;
        };
        let state = sock.state;
        if code.is_error() {
            self.closed(slot, id, SocketState::Closed, now);
            return self.ids.discard(id);
        }
        match state {
            // The peer's FIN came first (a `closed` that comes after our
            // command has crossed it), or the close was forced.
            SocketState::LastAck
            | SocketState::Closing
            | SocketState::CloseWait
            | SocketState::Established => {
                self.closed(slot, id, SocketState::Closed, now);
            }
            _ if !in_time => self.closed(slot, id, SocketState::Closed, now),
            // One look tells whether the module still has it.
            _ if !sock.released => {
                sock.ask_state = Some(AskState::Closed);
                sock.linger_until = now.saturating_add(linger);
            }
            _ => self.closed(slot, id, SocketState::TimeWait, now),
        }
    }

    /// The module no longer has the connection.
    pub(super) fn closed(&mut self, slot: usize, id: u8, state: SocketState, now: u64) {
        let time_wait = u64::from(self.config.family.time_wait_ms);
        self.ids.free(id);
        if let Some(entry) = self.slots.get_mut(slot) {
            let sock = &mut entry.sock;
            sock.unsent |= !entry.tx.is_empty();
            entry.tx.clear();
            sock.id = None;
            sock.state = state;
            sock.time_wait_until = now.saturating_add(time_wait);
            sock.ask_state = None;
        }
        self.free_if_done(slot);
    }
}

impl Sock {
    /// The module refused a command that should have worked: ask it for the
    /// socket's state, then try again a little later.
    fn refused(&mut self, now: u64) {
        self.strikes = self.strikes.saturating_add(1);
        self.ask_state.get_or_insert(AskState::Refused);
        self.back_off(now);
    }
}
