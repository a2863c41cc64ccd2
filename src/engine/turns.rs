//! Whose turn it is: round robin over the sockets, a turn being one read or
//! one send, alternating; everything else shares one turn a round. So a
//! flood on one socket starves neither the others nor the opens.

use quectel_at_commands::tcp;

use super::{FROM_NEXT_POLL, World, job::Job, resync::QUIET_MS};
use crate::{
    datagram::DATAGRAM_HEADER,
    slot::{AskState, Opening, Slot, Sock},
    state::SocketState,
};

/// Shared turns before those of the slots.
const SLOT_TURNS: usize = 2;

impl World<'_> {
    /// The next transaction, if one is due. The line is free.
    pub(super) fn next_job(&mut self, now: u64) -> Option<Job> {
        if let Some(job) = self.setup_job(now) {
            return Some(job);
        }
        let positions = self.slots.len() + 1;
        for _ in 0..positions {
            let turn = self.turn;
            self.turn = (turn + 1) % positions;
            let job = if turn < self.slots.len() {
                self.data_job(turn, now)
            } else {
                self.shared_job(now)
            };
            if job.is_some() {
                return job;
            }
        }
        None
    }

    /// A read or a send of this slot; which one goes first alternates.
    fn data_job(&mut self, slot: usize, now: u64) -> Option<Job> {
        let first_read = !self.slots.get(slot)?.sock.read_last;
        let job = if first_read {
            self.read_job(slot, now)
                .or_else(|| self.send_job(slot, now))
        } else {
            self.send_job(slot, now)
                .or_else(|| self.read_job(slot, now))
        }?;
        let sock = self.sock(slot)?;
        sock.read_last = matches!(job, Job::Read { .. });
        Some(job)
    }

    fn read_job(&self, slot: usize, now: u64) -> Option<Job> {
        let entry = self.slots.get(slot)?;
        let sock = &entry.sock;
        // A pause without a strike is for sends only.
        let refused = sock.strikes > 0 && (now < sock.retry_at || sock.must_ask());
        if !sock.reads() || !sock.data_ready || sock.released || refused {
            return None;
        }
        let read_max = usize::from(self.config.family.read_max);
        let (len, keep) = if sock.is_datagram() {
            // What does not fit is cut off, so there must be room for the
            // largest, or all of the ring.
            let most = (read_max + DATAGRAM_HEADER).min(entry.rx.capacity());
            if entry.rx.free() < most || most <= DATAGRAM_HEADER {
                return None;
            }
            (read_max, 0)
        } else {
            // A read for a few bytes costs as much as one for many: wait
            // until half of the most is free, or of the ring.
            let most = read_max.min(entry.rx.capacity());
            let len = entry.rx.free().min(most);
            if len == 0 || len < most / 2 {
                return None;
            }
            (len, usize::MAX)
        };
        Some(Job::Read {
            slot,
            id: sock.id?,
            len: u16::try_from(len).ok()?,
            keep,
            announced: None,
            discard: false,
        })
    }

    fn send_job(&self, slot: usize, now: u64) -> Option<Job> {
        let entry = self.slots.get(slot)?;
        let sock = &entry.sock;
        let open = sock.state == SocketState::Established && !sock.abort;
        let lingers = !sock.close_wanted || now < sock.linger_until;
        if !open
            || !lingers
            || entry.tx.is_empty()
            || now < sock.retry_at
            || sock.in_doubt.is_some()
            || sock.must_ask()
        {
            return None;
        }
        let id = sock.id?;
        if sock.is_datagram() {
            return Some(Job::Send {
                slot,
                id,
                len: Slot::first(&entry.tx)?.stored,
                sent: None,
            });
        }
        let len = entry.tx.len().min(usize::from(self.config.family.send_max));
        // A byte that is doubled on its way leaves the block's last one over,
        // and only its echo tells. A line feed has none: no block ends with
        // one, and those go where each byte is repeated by the module.
        let feeds = if self.config.check_echo {
            entry.tx.run_at_end(len, b'\n')
        } else {
            0
        };
        if feeds > 0 && feeds == len {
            let len = len.min(entry.tx.chunk(0).len()).min(tcp::SEND_HEX_MAX);
            let len = u16::try_from(len).ok()?;
            return Some(Job::SendHex { slot, id, len });
        }
        Some(Job::Send {
            slot,
            id,
            len: u16::try_from(len - feeds).ok()?,
            sent: None,
        })
    }

    /// The next shared turn is this slot's.
    pub(super) fn goes_next(&mut self, slot: usize) {
        self.shared_turn = slot + SLOT_TURNS;
    }

    /// Look-ups, ids to be closed, and per slot: opens, closes, questions.
    fn shared_job(&mut self, now: u64) -> Option<Job> {
        let positions = self.slots.len() + SLOT_TURNS;
        for _ in 0..positions {
            let turn = self.shared_turn;
            self.shared_turn = (turn + 1) % positions;
            let job = if let Some(slot) = turn.checked_sub(SLOT_TURNS) {
                self.slot_job(slot, now)
            } else if turn == 0 {
                self.dns.is_due(now).then_some(Job::Resolve)
            } else {
                self.ids.to_discard().map(|id| Job::Discard { id })
            };
            if job.is_some() {
                return job;
            }
        }
        None
    }

    fn slot_job(&mut self, slot: usize, now: u64) -> Option<Job> {
        let up = self.network.is_up();
        let others = self.others_open(slot);
        let opening = self.opens_running() < self.config.family.opens_in_flight;
        let family = self.config.family;
        let entry = self.slots.get(slot)?;
        let sock = &entry.sock;
        if now < sock.retry_at {
            return None;
        }
        if sock.opening == Opening::Wanted {
            let id = (up && opening)
                .then(|| self.ids.least_recently_used())
                .flatten()?;
            // Global in the module: it applies to what is opened next.
            let minutes = sock.keep_alive;
            if !sock.is_datagram() && minutes != self.keep_alive.unwrap_or(0) {
                return Some(Job::KeepAlive { slot, minutes });
            }
            return Some(Job::Open { slot, id });
        }
        let id = sock.id?;
        if sock.in_doubt.is_some() {
            return Some(Job::Counters {
                slot,
                id,
                answer: None,
            });
        }
        if let Some(why) = sock.ask_state {
            return Some(Job::AskState {
                slot,
                id,
                why,
                answer: None,
            });
        }
        let asked = sock.flush_wanted && sock.unverified || sock.ack_wanted;
        let flush = asked && entry.tx.is_empty();
        if flush && !sock.close_wanted && sock.state == SocketState::Established {
            return Some(Job::Counters {
                slot,
                id,
                answer: None,
            });
        }
        if !sock.close_wanted {
            return None;
        }
        match sock.state {
            SocketState::CloseWait | SocketState::Established => {}
            SocketState::Listen => {
                return Some(Job::Close {
                    slot,
                    id,
                    timeout: 0,
                });
            }
            _ => return None,
        }
        let gives_up = sock.abort || now >= sock.linger_until;
        if sock.state == SocketState::Established && !gives_up {
            if !entry.tx.is_empty() {
                return None;
            }
            // Nobody acknowledges datagrams.
            let acked = sock.acked || sock.is_datagram();
            if sock.sent_total > 0 && (!acked || sock.unverified) {
                return Some(Job::Counters {
                    slot,
                    id,
                    answer: None,
                });
            }
        }
        let timeout = match (gives_up, others) {
            (true, _) => 0,
            (false, true) => family.close_shared_s,
            (false, false) => family.close_s,
        };
        Some(Job::Close { slot, id, timeout })
    }

    /// Whether another socket would be held up by a blocking close.
    fn others_open(&self, slot: usize) -> bool {
        let mut others = self.slots.iter().enumerate().filter(|(at, _)| *at != slot);
        others.any(|(_, other)| other.sock.id.is_some() || other.sock.opening == Opening::Wanted)
    }

    fn opens_running(&self) -> u8 {
        let running = self
            .slots
            .iter()
            .filter(|slot| matches!(slot.sock.opening, Opening::Running { .. }));
        u8::try_from(running.count()).unwrap_or(u8::MAX)
    }

    /// What happens by the passing of time alone.
    pub(super) fn expire(&mut self, now: u64) {
        self.dns.expire(now);
        for at in 0..self.slots.len() {
            let linger = u64::from(self.config.linger_ms);
            let Some(sock) = self.sock(at) else {
                return;
            };
            if sock.close_wanted && sock.linger_until == FROM_NEXT_POLL {
                sock.linger_until = now.saturating_add(linger);
            }
            if sock.state == SocketState::TimeWait && now >= sock.time_wait_until {
                sock.state = SocketState::Closed;
                self.free_if_done(at);
            } else if self.open_until(at).is_some_and(|until| now >= until) {
                self.open_expired(at);
            } else {
                self.look_if_due(at, now);
            }
        }
    }

    /// A URC may have been lost: look at the socket now and then.
    fn look_if_due(&mut self, slot: usize, now: u64) {
        let (step, most) = (self.config.look_ms, self.config.look_max_ms);
        let Some(sock) = self.sock(slot) else {
            return;
        };
        let looks = looked_at(sock) && !sock.released;
        if step == 0 || !looks || now < sock.look_at {
            return;
        }
        sock.look_step = sock.look_step.saturating_mul(2).clamp(step, most.max(step));
        sock.look_at = now.saturating_add(u64::from(sock.look_step));
        sock.data_ready |= sock.state == SocketState::Established;
        sock.ask_state.get_or_insert(AskState::Look);
    }

    /// See [`Engine::wake_at`](super::Engine::wake_at).
    pub(super) fn wake_at(&self, now: u64) -> Option<u64> {
        let slots = self.slots.iter().enumerate().flat_map(|(at, slot)| {
            let sock = &slot.sock;
            let time_wait = (sock.state == SocketState::TimeWait).then_some(sock.time_wait_until);
            let looks = self.config.look_ms > 0 && looked_at(sock);
            let free = self.job.is_none();
            [
                time_wait,
                self.open_until(at),
                looks.then_some(sock.look_at),
                (free && sock.used).then_some(sock.retry_at),
                (free && sock.close_wanted).then_some(sock.linger_until),
            ]
        });
        let deadline = self.job.as_ref().map(|outstanding| {
            // Past the deadline an answer that is coming in is heard out.
            let quiet = self.heard_at.saturating_add(QUIET_MS);
            if now < outstanding.deadline {
                outstanding.deadline
            } else {
                quiet
            }
        });
        let setup = self.job.is_none().then(|| self.network.wake_at()).flatten();
        let rest = [
            deadline,
            setup,
            self.dns.wake_at(),
            self.recovery_wake_at(),
            self.escalation_wake_at(),
        ];
        slots.chain(rest).flatten().filter(|at| *at > now).min()
    }
}

/// A URC of this socket may have been lost.
fn looked_at(sock: &Sock) -> bool {
    // An open that runs; one of a datagram socket has no state of its own.
    let opens = matches!(sock.opening, Opening::Running { .. });
    opens && sock.id.is_some()
        || matches!(
            sock.state,
            SocketState::Established | SocketState::SynSent | SocketState::Listen
        )
}
