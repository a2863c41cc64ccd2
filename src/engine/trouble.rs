//! What happens when the line or the module does not do what it should.

use super::{Engine, World, job::Job, job::Outstanding, setup::Step};
use crate::{error::Failure, slot::Opening, state::SocketState};

/// Why the engine has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fault {
    /// A command was not answered within its documented maximum time.
    NoAnswer,
    /// An answer did not have its form: bytes were lost on the line.
    BadAnswer,
    /// The serial port failed.
    Port,
    /// A command did not fit its buffer, which cannot happen.
    Internal,
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NoAnswer => "the module did not answer in time",
            Self::BadAnswer => "the module's answer was damaged on the serial line",
            Self::Port => "the serial port failed",
            Self::Internal => "internal error",
        })
    }
}

impl core::error::Error for Fault {}

impl Engine<'_> {
    /// Why the engine has stopped, if it has. It takes no further part in
    /// the dialogue: reset the module and make a new engine.
    pub fn fault(&self) -> Option<Fault> {
        self.world.fault
    }

    /// The serial port failed, a USB port was unplugged for example: every
    /// socket fails, nothing more is sent.
    pub fn port_failed(&mut self, now: u64) {
        self.give_up(Fault::Port, now);
    }

    /// The outstanding command was not answered in its time. The place where
    /// the line is to be resynchronised.
    pub(super) fn line_lost(&mut self, now: u64) {
        if let Some(Outstanding {
            job: Job::Setup(Step::Attention),
            ..
        }) = self.world.job
        {
            self.world.job = None;
            self.wire.release();
            return self.world.attention_missed(now);
        }
        self.give_up(Fault::NoAnswer, now);
    }

    pub(super) fn give_up(&mut self, fault: Fault, now: u64) {
        self.wire.release();
        self.world.stop(fault, now);
    }
}

impl World<'_> {
    fn stop(&mut self, fault: Fault, now: u64) {
        self.fault.get_or_insert(fault);
        self.job = None;
        self.fail_all(Failure::ModuleLost, now);
    }

    /// The answer of the outstanding command does not have its form.
    pub(super) fn damaged(&mut self, now: u64) {
        let slot = self
            .job
            .as_ref()
            .and_then(|outstanding| outstanding.job.slot());
        self.job = None;
        if let Some(slot) = slot {
            self.fail(slot, Failure::LineDamaged);
        }
        self.stop(Fault::BadAnswer, now);
    }

    /// The module has restarted: what it knew is gone, and no answer will
    /// come.
    pub(super) fn restarted(&mut self, now: u64) {
        let asked = self.job.take().is_some();
        self.fail_all(Failure::Restarted, now);
        self.ids.free_all();
        self.setup_anew(asked);
    }

    /// The network dropped the context.
    pub(super) fn context_lost(&mut self, context: u8, now: u64) {
        if context == self.config.context {
            self.fail_all(Failure::ContextLost, now);
            self.context_anew();
        }
    }

    fn fail_all(&mut self, failure: Failure, now: u64) {
        for slot in 0..self.slots.len() {
            self.fail(slot, failure);
        }
        self.dns.abort(failure, now);
    }

    /// Ends a slot's connection. What had arrived stays readable.
    pub(super) fn fail(&mut self, slot: usize, failure: Failure) {
        let busy = self.job.as_mut().is_some_and(|outstanding| {
            if let Job::Read {
                slot: reading,
                discard,
                ..
            } = &mut outstanding.job
            {
                *discard |= *reading == slot;
            }
            outstanding.job.slot() == Some(slot)
        });
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        entry.rx.rollback();
        let sock = &mut entry.sock;
        if !sock.used {
            return;
        }
        if let Some(id) = sock.id.take() {
            self.ids.discard(id);
        }
        match sock.opening {
            Opening::Wanted | Opening::Running { .. } => {
                sock.opening = Opening::Ended(Err(crate::ConnectError::Failed(failure)));
            }
            // A connection that the user closed has nothing left to lose.
            _ if sock.close_wanted && entry.tx.is_empty() => {}
            _ if sock.connected && sock.state != SocketState::TimeWait => {
                sock.failure.get_or_insert(failure);
            }
            _ => {}
        }
        if sock.state != SocketState::TimeWait {
            sock.state = SocketState::Closed;
        }
        // A payload once begun is finished with the real bytes.
        if !busy {
            entry.tx.clear();
            self.free_if_done(slot);
        }
    }
}
