//! The audit at the end of a resynchronisation: the module's list of sockets
//! and its byte counters against ours. What does not agree has failed, what
//! agrees goes on.

use quectel_at_commands::tcp::ModuleState;

use super::{World, job::Job, resync::Probe};
use crate::{
    error::{ConnectError, Failure},
    slot::{AskState, Opening},
    state::SocketState,
};

impl World<'_> {
    /// The next slot whose counters are to be compared, else what comes then.
    pub(super) fn next_count(&self, from: usize) -> Option<Probe> {
        let mut slots = self.slots.iter().enumerate().skip(from);
        let counted = slots.find(|(_, slot)| slot.sock.id.is_some() && slot.sock.connected);
        Some(counted.map_or(Probe::Context, |(at, slot)| {
            // Datagrams may have been dropped on either side.
            if slot.sock.is_datagram() {
                Probe::Sent(at)
            } else {
                Probe::Received(at)
            }
        }))
    }

    /// The module's list against our table.
    pub(super) fn compare_rows(&mut self, now: u64) {
        let Some(recovery) = &self.recovery else {
            return;
        };
        let (rows, lost) = (recovery.rows, recovery.lost);
        for (id, row) in (0u8..).zip(rows) {
            match self.by_id(id) {
                Some(slot) => self.compare_row(slot, id, row, lost, now),
                None if row.is_some() && self.incoming.holds(id) => {}
                None if row.is_some() => self.ids.discard(id),
                None if self.incoming.remove(id) => self.ids.free(id),
                None => self.ids.gone(id),
            }
        }
    }

    fn compare_row(
        &mut self,
        slot: usize,
        id: u8,
        row: Option<ModuleState>,
        lost: Option<Job>,
        now: u64,
    ) {
        let Some(sock) = self.sock(slot) else {
            return;
        };
        sock.data_ready = true;
        let close_answered = sock.ask_state == Some(AskState::Closed);
        if sock.state != SocketState::FinWait2 {
            sock.ask_state = None;
        }
        let running = matches!(sock.opening, Opening::Running { .. });
        let open_lost = matches!(lost, Some(Job::Open { slot: at, .. }) if at == slot);
        match (row, sock.state) {
            // The open never reached the module: once more.
            (None, _) if running && open_lost => {
                sock.opening = Opening::Wanted;
                sock.state = SocketState::Closed;
                sock.id = None;
                self.ids.free(id);
            }
            (None | Some(ModuleState::Closing), _) if running => {
                self.end_open(slot, ConnectError::Module(super::answers::UNKNOWN));
            }
            (Some(ModuleState::Connected | ModuleState::Listening), _) if running => {
                self.opened(id, None, now)
            }
            (Some(_), _) if running => sock.state = SocketState::SynSent,
            (None, SocketState::FinWait1 | SocketState::FinWait2) => {
                self.closed(slot, id, SocketState::TimeWait, now);
            }
            (None, SocketState::Closing | SocketState::LastAck) => {
                self.closed(slot, id, SocketState::Closed, now);
            }
            (None, _) => self.fail(slot, Failure::Reset),
            // Our close was answered: the module waits for the peer's FIN.
            (Some(_), SocketState::FinWait1) if close_answered => {
                sock.ask_state = Some(AskState::Closed);
            }
            // Our close did not reach the module: it is sent again.
            (
                Some(ModuleState::Closing),
                SocketState::FinWait1 | SocketState::Closing | SocketState::LastAck,
            ) => {
                sock.state = SocketState::CloseWait;
                sock.peer_closed = true;
            }
            (
                Some(ModuleState::Connected | ModuleState::Listening),
                SocketState::FinWait1 | SocketState::Closing | SocketState::LastAck,
            ) => {
                // A `closed` before was not for this connection.
                sock.state = SocketState::Established;
                sock.peer_closed = false;
            }
            (Some(ModuleState::Closing), SocketState::Established) => self.peer_closed(id),
            (Some(ModuleState::Initial | ModuleState::Opening), _) => {
                self.fail(slot, Failure::Reset)
            }
            _ => {}
        }
    }

    /// Bytes handed over by the module against bytes that arrived.
    pub(super) fn compare_received(&mut self, slot: usize, read: Option<u32>) {
        let matches = self
            .sock(slot)
            .is_some_and(|sock| read == Some(sock.received_total));
        if !matches {
            self.fail(slot, Failure::LineDamaged);
        }
    }

    /// Bytes taken by the module against bytes sent.
    pub(super) fn compare_sent(&mut self, slot: usize, total: Option<u32>) {
        let Some(recovery) = &self.recovery else {
            return;
        };
        let (filled, filler_taken) = (recovery.filled, recovery.filler_taken);
        let block = match recovery.lost {
            Some(Job::Send {
                slot: at,
                len,
                sent,
                ..
            }) if at == slot => Some((len, sent == Some(len))),
            _ => None,
        };
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        let sock = &mut entry.sock;
        let (old, total) = match total {
            Some(total) if sock.id.is_some() => (sock.sent_total, total),
            _ => return self.fail(slot, Failure::LineDamaged),
        };
        // A block in doubt from before is settled here, too.
        let block = block.or(sock.in_doubt.take().map(|len| (len, true)));
        let spoilt = filler_taken && block.is_some();
        if total == old && !spoilt {
            sock.progress();
            return self.lose_unsendable(slot);
        }
        if let Some((len, all_sent)) = block
            && total == old.wrapping_add(u32::from(len))
            && all_sent
            && !filled
        {
            entry.consume_sent(len);
            let sock = &mut entry.sock;
            sock.sent_total = total;
            sock.progress();
            return self.lose_unsendable(slot);
        }
        self.fail(slot, Failure::LineDamaged);
    }
}
