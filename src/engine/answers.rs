//! What the module's answers and URCs do to a socket.

use quectel_at_commands::{
    ResultCode, TcpIpError,
    tcp::{ModuleState, OPEN_MS, SendCounters},
};

use super::{URC_GRACE_MS, World, job::Job};
use crate::{
    error::{ConnectError, Failure},
    slot::{AskState, Opening, Sock},
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

impl World<'_> {
    /// A slot nobody needs; else one whose TIME_WAIT is only watched.
    pub(super) fn free_slot(&self) -> Option<usize> {
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
    pub(super) fn abandon(&mut self, slot: usize) {
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
            _ if sock.is_stream() => sock.state = SocketState::SynSent,
            _ => {}
        }
    }

    /// The answer to `AT+QICFG="tcp/keepalive"`.
    pub(super) fn keep_alive_answered(&mut self, slot: usize, minutes: u8, code: ResultCode) {
        if !code.is_error() {
            self.keep_alive = Some(minutes);
            // Before another socket changes the setting again.
            self.goes_next(slot);
        } else if self
            .sock(slot)
            .is_some_and(|sock| sock.opening == Opening::Wanted)
        {
            self.end_open(slot, ConnectError::KeepAlive);
        }
    }

    /// A local port for a socket that asked for none.
    pub(super) fn any_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = match port {
            u16::MAX => super::FIRST_PORT,
            port => port + 1,
        };
        port
    }

    /// `+QIOPEN: <id>,<err>`
    pub(super) fn opened(&mut self, id: u8, error: Option<TcpIpError>, now: u64) {
        let Some(slot) = self.by_id(id) else {
            return;
        };
        let refused_within = u64::from(self.config.family.refused_within_ms);
        let look_ms = self.config.look_ms;
        let other_port = match error {
            Some(TcpIpError::BIND_FAILED) => self.any_port(),
            _ => 0,
        };
        let Some(sock) = self.sock(slot) else {
            return;
        };
        let Opening::Running { since } = sock.opening else {
            return;
        };
        let error = match error {
            None => {
                sock.opening = Opening::Ended(Ok(()));
                sock.connected = !sock.is_listener();
                sock.local_port = sock.bind_port;
                sock.state = if sock.is_listener() {
                    SocketState::Listen
                } else {
                    SocketState::Established
                };
                sock.ask_state = None;
                sock.watch(now, look_ms);
                return;
            }
            Some(error) => error,
        };
        let first = sock.first_open.unwrap_or(now);
        let in_time = now.saturating_sub(first) < u64::from(OPEN_MS);
        if in_time && (error == TcpIpError::ID_IN_USE || error.is_busy()) {
            // Try again under another id.
            let pause = if error.is_busy() { BUSY_MS } else { 0 };
            sock.opening = Opening::Wanted;
            sock.state = SocketState::Closed;
            sock.id = None;
            sock.retry_at = now.saturating_add(pause);
            return self.ids.discard(id);
        }
        if in_time && error == TcpIpError::BIND_FAILED && sock.any_port && sock.strikes < STRIKES {
            sock.opening = Opening::Wanted;
            sock.state = SocketState::Closed;
            sock.id = None;
            sock.strikes += 1;
            sock.bind_port = other_port;
            return self.ids.discard(id);
        }
        let error = match error {
            TcpIpError::CONNECT_FAILED if now.saturating_sub(since) < refused_within => {
                ConnectError::Refused
            }
            TcpIpError::CONNECT_FAILED | TcpIpError::TIMEOUT => ConnectError::TimedOut,
            TcpIpError::BIND_FAILED | TcpIpError::PORT_BUSY => ConnectError::AddressInUse,
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
            return self.child_closed(id);
        };
        if self
            .slots
            .get(slot)
            .is_some_and(|slot| !slot.sock.is_stream())
        {
            // The module gave it up by itself.
            return self.fail(slot, Failure::Reset);
        }
        let job = self.job.as_ref().map(|outstanding| outstanding.job);
        let lost = self.recovery.as_ref().and_then(|recovery| recovery.lost);
        let mut jobs = job.into_iter().chain(lost);
        let sending = jobs.any(|job| {
            let of_send = matches!(
                job,
                Job::Send { .. } | Job::SendHex { .. } | Job::Counters { .. }
            );
            job.slot() == Some(slot) && of_send
        });
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
                entry.consume_sent(len);
                let sock = &mut entry.sock;
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
    pub(super) fn counted(&mut self, slot: usize, id: u8, answer: Option<SendCounters>, now: u64) {
        self.compare_counters(slot, id, answer, now);
        self.lose_unsendable(slot);
    }

    fn compare_counters(&mut self, slot: usize, id: u8, answer: Option<SendCounters>, now: u64) {
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        let sock = &mut entry.sock;
        if sock.id != Some(id) {
            // Failed meanwhile; the slot may wait to connect again.
            return;
        }
        let Some(counters) = answer else {
            // The module has no such connection any more, or does not say.
            sock.strikes = sock.strikes.saturating_add(1);
            sock.back_off(now);
            sock.ask_state.get_or_insert(AskState::Refused);
            let waited_for = sock.in_doubt.is_some() || sock.flush_wanted || sock.ack_wanted;
            if waited_for && sock.strikes > STRIKES {
                self.fail(slot, Failure::LineDamaged);
            } else if sock.strikes > STRIKES {
                sock.acked = true;
            }
            return;
        };
        if let Some(len) = sock.in_doubt.take() {
            let old = sock.sent_total;
            if counters.total == old.wrapping_add(u32::from(len)) {
                entry.consume_sent(len);
                let sock = &mut entry.sock;
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
            // What was written meanwhile is still to be counted.
            sock.flush_wanted &= !entry.tx.is_empty();
            sock.acked = counters.unacked == 0;
            sock.ack_wanted &= !sock.acked;
            if sock.acked {
                sock.progress();
            } else if sock.close_wanted || sock.ack_wanted {
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
            _ if running => {
                // Why was told by a URC that did not arrive, and perhaps one
                // before it said that the context is gone.
                self.end_open(slot, ConnectError::Module(UNKNOWN));
                self.suspect();
            }
            Some(ModuleState::Closing) => self.peer_closed(id),
            Some(ModuleState::Initial | ModuleState::Opening) => self.fail(slot, Failure::Reset),
            None => {
                // Its id is closed all the same: the row may have been lost
                // on the line. All of them may be gone.
                self.fail(slot, Failure::Reset);
                self.suspect();
            }
        }
    }

    /// The answer to `AT+QISTATE` was damaged: once more, a few times.
    pub(super) fn ask_again(&mut self, slot: usize, now: u64) {
        if let Some(sock) = self.sock(slot) {
            sock.strikes = sock.strikes.saturating_add(1);
            sock.back_off(now);
            if sock.strikes > STRIKES {
                self.fail(slot, Failure::LineDamaged);
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
            // The `closed` URC stands.
            sock.drained |= why == AskState::Drained;
            if sock.strikes > STRIKES {
                self.fail(slot, Failure::ModuleLost);
            }
        }
    }

    /// Starts to close, or makes a close that runs an abort.
    pub(super) fn close(&mut self, slot: usize, now: u64, abort: bool) {
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
        self.drop_children(id);
        if let Some(entry) = self.slots.get_mut(slot) {
            let sock = &mut entry.sock;
            // What an abort throws away, the peer may not have.
            let forced = sock.state == SocketState::Established && sock.is_stream();
            sock.unsent |= !entry.tx.is_empty() || forced && sock.sent_total > 0 && !sock.acked;
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
