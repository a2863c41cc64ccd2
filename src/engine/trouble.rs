//! What happens when the module or the network goes away, and what is tried
//! when the module no longer answers at all.

use super::{Engine, Event, World, job::Job, setup::Step};
use crate::{
    config::Policy,
    error::{ConnectError, Failure},
    slot::Opening,
    state::SocketState,
    trace,
};

/// Why the engine has stopped for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fault {
    /// The serial port failed.
    Port,
    /// A command did not fit its buffer, which cannot happen.
    Internal,
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Port => "the serial port failed",
            Self::Internal => "internal error",
        })
    }
}

impl core::error::Error for Fault {}

/// What is tried, in this order, when three probes were not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escalation {
    /// `AT+QIDEACT` closes all sockets.
    Deactivate,
    /// `AT+CFUN=1,1`
    Restart,
    /// Waits until then for the module to start.
    Boot { until: u64 },
    /// The reset pin was asked for; waits until then.
    Pin { until: u64 },
    /// Nothing helped, or the module was switched off: it is asked now and
    /// then.
    Lost,
}

/// Longest times for the two commands, in milliseconds.
const DEACTIVATE_MS: u32 = 10_000;
const RESTART_MS: u32 = 15_000;
/// How long a module may take to start: 12 to 20 s are usual.
const BOOT_MS: u64 = 40_000;
/// How long a module that never answered is asked before its reset pin is
/// pulled.
const FIRST_BOOT_MS: u64 = 60_000;

impl Engine<'_> {
    /// Why the engine has stopped, if it has: make a new one.
    pub fn fault(&self) -> Option<Fault> {
        self.world.fault
    }

    /// The serial port failed, a USB port was unplugged for example: every
    /// socket fails, nothing more is sent.
    pub fn port_failed(&mut self, now: u64) {
        self.world.trace.at(now);
        self.give_up(Fault::Port, now);
    }

    /// Whether the module's reset pin is to be pulled; asking takes the
    /// request back. [`Event::ResetWanted`] tells the same.
    pub fn take_reset_request(&mut self) -> bool {
        core::mem::take(&mut self.world.reset_wanted)
    }

    /// Sets the context up again after it was lost, where
    /// [`Policy::Report`] left that to the application.
    pub fn reconnect(&mut self) {
        self.world.held = false;
    }

    /// The outstanding command was not answered in its time.
    pub(super) fn line_lost(&mut self, now: u64) {
        self.world.trace.recovery(trace::Recovery::NoAnswer);
        if let Some(escalation) = self.world.escalation
            && matches!(escalation, Escalation::Deactivate | Escalation::Restart)
        {
            self.world.job = None;
            self.wire.release();
            return self.world.escalation_answered(now);
        }
        let setup = match self.world.job.as_ref().map(|outstanding| outstanding.job) {
            Some(Job::Setup(step)) => Some(step),
            _ => None,
        };
        if setup.is_some() && self.world.canary.value.is_none() {
            // Nothing is at stake yet: from the beginning.
            self.world.job = None;
            self.wire.release();
            return self.world.attention_missed(now);
        }
        self.world.answer_missing(now);
        if self.world.job.is_none() {
            self.wire.release();
        }
    }

    pub(super) fn give_up(&mut self, fault: Fault, now: u64) {
        self.wire.release();
        self.world.trace.stopped(fault);
        self.world.fault.get_or_insert(fault);
        self.world.job = None;
        self.world.recovery = None;
        self.world.fail_all(Failure::ModuleLost, now);
    }

    /// Probes were not answered: every socket fails, then ever stronger
    /// means, each bounded.
    pub(super) fn escalate(&mut self, now: u64) {
        self.wire.release();
        let world = &mut self.world;
        world.job = None;
        world.recovery = None;
        world.fail_all(Failure::ModuleLost, now);
        world.incoming.clear();
        world.ids.free_all();
        world.context_anew();
        world.tell(Event::Escalated);
        // One that runs is not begun again.
        world.escalation.get_or_insert(Escalation::Deactivate);
    }
}

impl World<'_> {
    /// Whether a command of the escalation is outstanding.
    pub(super) fn escalates(&self) -> bool {
        let commands = [Escalation::Deactivate, Escalation::Restart];
        self.escalation
            .is_some_and(|escalation| commands.contains(&escalation))
    }

    /// The next command of the escalation, if one is due.
    pub(super) fn escalation_job(&mut self, now: u64) -> Option<(Job, u32)> {
        match self.escalation? {
            Escalation::Deactivate => Some((Job::Setup(Step::Deactivate), DEACTIVATE_MS)),
            Escalation::Restart => Some((Job::Restart, RESTART_MS)),
            Escalation::Boot { until } if now >= until => {
                self.pull_reset(now);
                None
            }
            Escalation::Pin { until } if now >= until => {
                self.escalation = Some(Escalation::Lost);
                self.tell(Event::ModuleLost);
                None
            }
            _ => None,
        }
    }

    /// The escalation's command is answered, or its time is over.
    pub(super) fn escalation_answered(&mut self, now: u64) {
        self.escalation = match self.escalation {
            Some(Escalation::Deactivate) => Some(Escalation::Restart),
            Some(Escalation::Restart) => {
                self.setup_anew(true);
                Some(Escalation::Boot {
                    until: now.saturating_add(BOOT_MS),
                })
            }
            other => other,
        };
    }

    pub(super) fn escalation_wake_at(&self) -> Option<u64> {
        match self.escalation? {
            Escalation::Boot { until } | Escalation::Pin { until } => Some(until),
            _ => None,
        }
    }

    fn pull_reset(&mut self, now: u64) {
        self.reset_wanted = true;
        self.tell(Event::ResetWanted);
        self.escalation = Some(Escalation::Pin {
            until: now.saturating_add(BOOT_MS),
        });
    }

    /// The set-up's first question was not answered: the module is off, or
    /// still starts. Asked again for ever; the caller has its own time-out.
    pub(super) fn attention_missed(&mut self, now: u64) {
        let lost = self.escalation == Some(Escalation::Lost);
        let since = *self.silent_since.get_or_insert(now);
        if self.escalation.is_none() && now >= since.saturating_add(FIRST_BOOT_MS) {
            self.pull_reset(now);
        }
        self.trace.recovery(trace::Recovery::NotThere);
        self.attention_again(now, lost);
    }

    /// The module answers.
    pub(super) fn attention_heard(&mut self) {
        self.escalation = None;
        self.silent_since = None;
    }

    /// The module has restarted: what it knew is gone, and no answer will
    /// come.
    pub(super) fn restarted(&mut self, now: u64) {
        let asked = self.job.take().is_some();
        let recovering = self.recovery.take().is_some();
        self.fail_all(Failure::Restarted, now);
        self.incoming.clear();
        self.ids.free_all();
        self.setup_anew(asked);
        self.last_send = None;
        self.suspected = false;
        if let Some(Escalation::Deactivate | Escalation::Restart) = self.escalation {
            // That is what they were for.
            self.escalation = Some(Escalation::Boot {
                until: now.saturating_add(BOOT_MS),
            });
        }
        if self.was_up || recovering {
            self.tell(Event::ModuleRestarted);
            self.held = self.config.policy == Policy::Report;
        }
        self.was_up = false;
    }

    /// The module was switched off, or sleeps: its sockets are gone. It is
    /// asked now and then, and its reset pin left alone.
    pub(super) fn powered_down(&mut self, now: u64) {
        self.restarted(now);
        self.escalation = Some(Escalation::Lost);
        self.attention_again(now, true);
    }

    /// The network dropped the context.
    pub(super) fn context_lost(&mut self, context: u8, now: u64) {
        if context == self.config.context {
            self.fail_all(Failure::ContextLost, now);
            if self.context_anew() {
                self.tell(Event::ContextLost);
                self.held = self.config.policy == Policy::Report;
            }
        }
    }

    pub(super) fn fail_all(&mut self, failure: Failure, now: u64) {
        for slot in 0..self.slots.len() {
            self.fail(slot, failure);
        }
        self.dns.abort(failure, now);
    }

    /// What was sent last may have been spoilt on its way to the module.
    pub(super) fn send_spoilt(&mut self) {
        if let Some(slot) = self.last_send.take() {
            self.fail(slot, Failure::LineDamaged);
        }
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
        sock.unsent |= sock.connected && (!entry.tx.is_empty() || sock.unverified);
        let listener = sock.is_listener();
        let id = sock.id.take();
        match sock.opening {
            Opening::Wanted | Opening::Running { .. } => {
                self.trace.failed(slot, failure);
                sock.opening = Opening::Ended(Err(ConnectError::Failed(failure)));
            }
            // A connection that the user closed has nothing left to lose.
            _ if sock.close_wanted && entry.tx.is_empty() && !sock.unverified => {}
            _ if (sock.connected || listener) && sock.state != SocketState::TimeWait => {
                if sock.failure.is_none() {
                    self.trace.failed(slot, failure);
                }
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
        if let Some(id) = id {
            self.ids.discard(id);
            self.drop_children(id);
        }
    }
}
