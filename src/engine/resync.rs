//! Resynchronisation: from "the line can no longer be trusted" back to a
//! known state, without a byte that the module could take for payload.
//!
//! ```text
//! Silence ─► Filler ─► EndLine ─► canary ─► audit ─► jobs go on
//!    │     (payload owed)  ▲         │ three tries
//!    ▼                     └─────────┤
//! late answer: as usual              ▼ escalation
//! ```
//!
//! The canary is a volatile setting with a value that only this engine
//! knows. Reading it back proves that everything older has passed; finding
//! its default proves that the module restarted. The audit compares the
//! module's list of sockets and its byte counters with ours: what does not
//! agree has failed, what agrees goes on.

use quectel_at_commands::{
    ResultCode,
    pdp::ActiveContext,
    settings::{Setting, SettingValue, TRANSPARENT_PACKET_SIZE},
    tcp::{ModuleState, ReadCounters, SendCounters, SocketRow},
};

use super::{Engine, Event, World, job::Job};
use crate::{error::Failure, family::Family, trace};

/// Silence that ends a late answer, in milliseconds.
pub(super) const QUIET_MS: u64 = 300;
/// Longest wait for that silence: URCs may go on for ever.
pub(super) const QUIET_MAX_MS: u64 = 3_000;
/// Filler bytes of one burst, and the pause behind it in milliseconds.
const BURST: u16 = 32;
const BURST_MS: u64 = 100;
/// Longest time for the transmission of one burst: flow control may hold it
/// up. In milliseconds.
const BURST_MAX_MS: u64 = 10_000;
/// Limits of the commands of the three tries, in milliseconds.
const TRIES_MS: [u32; 3] = [1_000, 2_000, 4_000];
/// Values of the canary. 1024, the default, is not among them.
const CANARY_MIN: u16 = 1_400;
const CANARY_COUNT: u32 = 61;

/// A resynchronisation that is under way.
#[derive(Debug)]
pub(super) struct Recovery {
    /// The transaction whose end is not known.
    pub(super) lost: Option<Job>,
    phase: Phase,
    /// Payload may still come: no URC is believed before the canary.
    untrusted: bool,
    /// Bytes of payload that the module may wait for.
    owed: u16,
    /// Filler was sent, and taken for payload.
    pub(super) filled: bool,
    pub(super) filler_taken: bool,
    tries: usize,
    /// What `AT+QISTATE?` has listed, by connect id.
    pub(super) rows: [Option<ModuleState>; Family::MAX_SOCKETS],
    /// The number that the last command has told.
    told: Option<u32>,
    /// It began without a sign of damage.
    suspicion: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing is sent until then; a late answer still counts.
    Silence { until: u64 },
    /// Waits for a pause in what the module sends, until then at the most.
    Quiet { until: u64 },
    /// Sends carriage returns for the payload that is owed: the next burst
    /// then, unless the last one is still being transmitted.
    Filler { next: u64 },
    /// One carriage return ends a half-typed line.
    EndLine { until: u64 },
    /// This command is next, or outstanding.
    Ask(Probe),
}

/// The commands of a resynchronisation, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    ReadCanary,
    WriteCanary,
    CheckCanary,
    /// `AT+QISTATE?`
    Rows,
    /// `AT+QIRD=<id>,0` of this slot.
    Received(usize),
    /// `AT+QISEND=<id>,0` of this slot.
    Sent(usize),
    /// `AT+QIACT?`
    Context,
}

/// The secret value in the module's settings.
#[derive(Debug)]
pub(super) struct Canary {
    /// What the module has, once it was told.
    pub(super) value: Option<u16>,
    /// What it is told next.
    pub(super) next: u16,
    random: u32,
}

impl Canary {
    pub(super) fn new(seed: u32) -> Self {
        let mut canary = Self {
            value: None,
            next: CANARY_MIN,
            // xorshift stays at 0 for ever.
            random: seed | 1,
        };
        canary.draw();
        canary
    }

    /// A value other than the one before, 1400 to 1460.
    pub(super) fn draw(&mut self) {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        let drawn = u16::try_from(self.random % CANARY_COUNT).unwrap_or(0);
        let mut value = CANARY_MIN.saturating_add(drawn);
        if value == self.next {
            value = if value > CANARY_MIN {
                value - 1
            } else {
                value + 1
            };
        }
        self.next = value;
    }

    /// The module has taken `next`.
    pub(super) fn told(&mut self) {
        self.value = Some(self.next);
        self.draw();
    }
}

impl Engine<'_> {
    /// Does what the resynchronisation has to do now.
    pub(super) fn recover(&mut self, now: u64) {
        let Self { wire, world } = self;
        if world.job.is_none() && world.tries_over() {
            return self.escalate(now);
        }
        let quiet = now >= world.heard_at.saturating_add(QUIET_MS);
        let deadline = world.job.as_ref().map(|outstanding| outstanding.deadline);
        let Some(recovery) = &mut world.recovery else {
            return;
        };
        match recovery.phase {
            Phase::Silence { until } if now >= until => {
                world.job = None;
                wire.release();
                if recovery.owed > 0 {
                    wire.framer.expect_send_result();
                    recovery.phase = Phase::Filler { next: now };
                    self.recover(now);
                } else {
                    self.end_line(now);
                }
            }
            Phase::Quiet { until } if quiet || now >= until => self.end_line(now),
            Phase::Filler { next } if now >= next => {
                if recovery.owed == 0 || !wire.unsent().is_empty() {
                    return self.end_line(now);
                }
                let burst = recovery.owed.min(BURST);
                recovery.owed -= burst;
                recovery.filled = true;
                recovery.phase = Phase::Filler {
                    next: now.saturating_add(BURST_MAX_MS),
                };
                wire.carriage_returns(usize::from(burst));
                world.trace.recovery(trace::Recovery::Filler(burst));
            }
            Phase::EndLine { until } if now >= until => {
                let first = match world.canary.value {
                    Some(_) => Probe::ReadCanary,
                    None => Probe::Rows,
                };
                self.ask(first, now);
            }
            Phase::Ask(probe) if world.job.is_none() => self.ask(probe, now),
            Phase::Ask(_) if deadline.is_some_and(|deadline| now >= deadline) => {
                self.try_again(now)
            }
            _ => {}
        }
    }

    fn end_line(&mut self, now: u64) {
        self.wire.release();
        self.wire.carriage_returns(1);
        self.world.trace.recovery(trace::Recovery::EndLine);
        if let Some(recovery) = &mut self.world.recovery {
            recovery.phase = Phase::EndLine {
                until: now.saturating_add(QUIET_MS),
            };
        }
    }

    fn ask(&mut self, probe: Probe, now: u64) {
        let tries = match &mut self.world.recovery {
            Some(recovery) => {
                recovery.phase = Phase::Ask(probe);
                recovery.told = None;
                if probe == Probe::Rows {
                    recovery.rows = Default::default();
                }
                recovery.tries
            }
            None => return,
        };
        self.start(Job::Resync(probe), now);
        if let Some(outstanding) = &mut self.world.job {
            outstanding.limit_to(TRIES_MS.get(tries).copied().unwrap_or(4_000));
        }
    }

    /// The try has failed.
    fn try_again(&mut self, now: u64) {
        self.world.job = None;
        self.wire.release();
        let (most, silence) = (self.world.config.family.send_max, self.world.silence(now));
        if let Some(recovery) = &mut self.world.recovery {
            recovery.tries += 1;
            self.world
                .trace
                .recovery(trace::Recovery::TryFailed(recovery.tries));
            if let Phase::Ask(Probe::Sent(_)) = recovery.phase
                && recovery.tries < TRIES_MS.len()
            {
                // What it lost a byte of may have been a send.
                (recovery.owed, recovery.phase) = (most, silence);
                return;
            }
        }
        if self.world.tries_over() {
            self.escalate(now);
        } else {
            self.end_line(now);
        }
    }
}

impl World<'_> {
    /// Whether a URC can be believed.
    pub(super) fn trusts(&self) -> bool {
        self.recovery
            .as_ref()
            .is_none_or(|recovery| !recovery.untrusted)
    }

    /// When the resynchronisation has to go on.
    pub(super) fn recovery_wake_at(&self) -> Option<u64> {
        match self.recovery.as_ref()?.phase {
            Phase::Silence { until } | Phase::EndLine { until } => Some(until),
            Phase::Filler { next } => Some(next),
            Phase::Quiet { until } => Some(until.min(self.heard_at.saturating_add(QUIET_MS))),
            Phase::Ask(_) => None,
        }
    }

    /// The outstanding transaction was not answered in its time.
    pub(super) fn answer_missing(&mut self, now: u64) {
        let Some(job) = self.job.as_ref().map(|outstanding| outstanding.job) else {
            return;
        };
        match job {
            // Payload went out or may be waited for: the module gives it up
            // by itself first.
            Job::Send { len, .. } => self.lose_job(Some(job), self.silence(now), len),
            // `AT+QISEND=0,0` that lost a byte is a send, too.
            Job::Counters { .. } => {
                self.lose_job(Some(job), self.silence(now), self.config.family.send_max);
            }
            // The rest of its payload may come at any time.
            Job::Read {
                slot, announced, ..
            } => {
                self.job = None;
                if announced.is_some() {
                    self.fail(slot, Failure::LineDamaged);
                }
                self.lose_job(Some(job), self.quiet(now), 0);
                self.distrust();
            }
            // What was taken may not be what was sent: the counters must
            // say that nothing was.
            Job::SendHex { .. } => {
                self.job = None;
                self.lose_job(None, self.quiet(now), 0);
            }
            _ => {
                self.job = None;
                self.lose_job(Some(job), self.quiet(now), 0);
            }
        }
    }

    /// Until the module has given up waiting for payload by itself.
    fn silence(&self, now: u64) -> Phase {
        let wait = u64::from(self.config.family.send_timeout_s) * 1_000 + 1_000;
        Phase::Silence {
            until: now.saturating_add(wait),
        }
    }

    fn quiet(&self, now: u64) -> Phase {
        Phase::Quiet {
            until: now.saturating_add(QUIET_MAX_MS),
        }
    }

    fn lose_job(&mut self, lost: Option<Job>, phase: Phase, owed: u16) {
        // A mere suspicion is nothing to tell of.
        let suspicion = phase == Phase::Ask(Probe::ReadCanary);
        if suspicion {
            self.trace.recovery(trace::Recovery::Suspicion);
        } else {
            self.tell(Event::LineLost);
        }
        self.recovery = Some(Recovery {
            lost,
            phase,
            untrusted: false,
            owed,
            filled: false,
            filler_taken: false,
            tries: 0,
            rows: Default::default(),
            told: None,
            suspicion,
        });
    }

    fn distrust(&mut self) {
        if let Some(recovery) = &mut self.recovery {
            recovery.untrusted = true;
        }
    }

    /// The answer has not the form it must have: bytes were lost or doubled.
    pub(super) fn answer_broken(&mut self, now: u64) {
        if self.escalates() {
            self.job = None;
            return self.escalation_answered(now);
        }
        let job = self.job.take().map(|outstanding| outstanding.job);
        if let Some(Job::Read { slot, .. }) = job {
            self.fail(slot, Failure::LineDamaged);
        }
        if self.recovery.is_some() {
            // A probe's answer: its deadline leads to the next try.
            return;
        }
        self.lose_job(job, self.quiet(now), 0);
        self.distrust();
    }

    /// Something else came instead of the echo: the module may have received
    /// something else than was sent.
    pub(super) fn echo_garbled(&mut self, now: u64) {
        self.trace.recovery(trace::Recovery::EchoDamaged);
        self.send_spoilt();
        if self.escalates() {
            self.job = None;
            return self.escalation_answered(now);
        }
        let most = self.config.family.send_max;
        let silence = self.silence(now);
        let job = self.job.as_ref().map(|outstanding| outstanding.job);
        if let Some(recovery) = &mut self.recovery {
            match recovery.phase {
                Phase::Silence { .. } => recovery.owed = most,
                Phase::Ask(Probe::Sent(_)) => {
                    recovery.owed = most;
                    recovery.phase = silence;
                    recovery.tries += 1;
                }
                _ => {}
            }
            return;
        }
        self.job = None;
        match job {
            // It may wait for any number of bytes, for any connection.
            Some(Job::Send { .. } | Job::Counters { .. }) => self.lose_job(job, silence, most),
            Some(Job::SendHex { .. }) => self.lose_job(None, self.quiet(now), 0),
            _ => {
                self.lose_job(job, self.quiet(now), 0);
                if let Some(Job::Read { .. }) = job {
                    self.distrust();
                }
            }
        }
    }

    /// What the module has received is in doubt, though no answer is missing.
    pub(super) fn resynchronise(&mut self, now: u64) {
        if self.recovery.is_none() {
            self.lose_job(None, self.quiet(now), 0);
        }
    }

    /// A sign that the module may have restarted unnoticed.
    pub(super) fn suspect(&mut self) {
        self.suspected = true;
    }

    /// Asks the canary if there was such a sign, as soon as the line is free.
    pub(super) fn begin_suspicion(&mut self) {
        let free = self.recovery.is_none() && self.job.is_none();
        if free
            && core::mem::take(&mut self.suspected)
            && self.canary.value.is_some()
            && self.network.is_up()
        {
            self.lose_job(None, Phase::Ask(Probe::ReadCanary), 0);
        }
    }

    /// Ends the waiting if an answer came after all.
    pub(super) fn answer_came(&mut self) {
        let probe = self.job.as_ref().map(|outstanding| outstanding.job);
        if let Some(Job::Resync(_)) = probe {
            return;
        }
        if let Some(Recovery {
            phase: Phase::Silence { .. },
            ..
        }) = self.recovery
        {
            self.recovery = None;
            self.tell(Event::LineRestored);
        }
    }

    /// A burst of filler has been transmitted.
    pub(super) fn filler_sent(&mut self, now: u64) {
        if let Some(recovery) = &mut self.recovery
            && let Phase::Filler { next } = &mut recovery.phase
        {
            *next = now.saturating_add(BURST_MS);
        }
    }

    /// A final code while filler is sent. Returns whether it was for that.
    pub(super) fn filler_answered(&mut self, code: ResultCode) -> bool {
        let Some(recovery) = &mut self.recovery else {
            return false;
        };
        if !matches!(recovery.phase, Phase::Filler { .. }) {
            return false;
        }
        recovery.filler_taken |= code == ResultCode::SendOk && recovery.filled;
        recovery.owed = 0;
        true
    }

    fn tries_over(&self) -> bool {
        self.recovery
            .as_ref()
            .is_some_and(|recovery| recovery.tries >= TRIES_MS.len())
    }

    /// Returns whether the line is a row of the answer.
    pub(super) fn probe_info(&mut self, probe: Probe, line: &[u8]) -> bool {
        let context = self.config.context;
        let Some(recovery) = &mut self.recovery else {
            return false;
        };
        recovery.told = match probe {
            Probe::ReadCanary | Probe::WriteCanary | Probe::CheckCanary => {
                let value = SettingValue::parse(line, Setting::TransparentPacketSize);
                value.map(|value| u32::from(value.0))
            }
            Probe::Rows => {
                let row = SocketRow::parse(line);
                if let Some(row) = row
                    && let Some(place) = recovery.rows.get_mut(usize::from(row.id))
                {
                    *place = Some(row.state);
                    self.child_listed(row);
                }
                return row.is_some();
            }
            Probe::Received(_) => ReadCounters::parse(line).map(|c| c.read),
            Probe::Sent(_) => SendCounters::parse(line).map(|c| c.total),
            Probe::Context => {
                let row = ActiveContext::parse(line);
                if row.is_some_and(|row| row.context == context && row.active) {
                    recovery.told = Some(1);
                }
                return row.is_some();
            }
        };
        recovery.told.is_some()
    }

    /// A command of the resynchronisation is answered.
    pub(super) fn probe_answered(
        &mut self,
        probe: Probe,
        code: ResultCode,
        blurred: bool,
        now: u64,
    ) {
        let Some(recovery) = &mut self.recovery else {
            return;
        };
        let (ok, told) = (code == ResultCode::Ok, recovery.told);
        let next = match probe {
            Probe::ReadCanary if ok && told == Some(u32::from(TRANSPARENT_PACKET_SIZE)) => {
                return self.restarted(now);
            }
            Probe::ReadCanary if ok && told == self.canary.value.map(u32::from) => {
                Some(Probe::WriteCanary)
            }
            // The answer to the write was lost in an earlier try.
            Probe::ReadCanary if ok && told == Some(u32::from(self.canary.next)) => {
                self.canary.told();
                Some(Probe::WriteCanary)
            }
            Probe::WriteCanary if ok => Some(Probe::CheckCanary),
            Probe::CheckCanary if ok && told == Some(u32::from(self.canary.next)) => {
                self.canary.told();
                recovery.untrusted = false;
                if !self.network.is_up() {
                    return self.recovered(now);
                }
                Some(Probe::Rows)
            }
            Probe::Rows if ok && !blurred => {
                recovery.untrusted = false;
                self.compare_rows(now);
                self.next_count(0)
            }
            Probe::Received(slot) => {
                self.compare_received(slot, ok.then_some(told).flatten());
                Some(Probe::Sent(slot))
            }
            Probe::Sent(slot) => {
                self.compare_sent(slot, ok.then_some(told).flatten());
                self.next_count(slot + 1)
            }
            Probe::Context if ok && (told.is_some() || !blurred) => {
                if told.is_none() {
                    self.context_lost(self.config.context, now);
                }
                return self.recovered(now);
            }
            Probe::WriteCanary => {
                // Refused: another value.
                self.canary.draw();
                None
            }
            _ => None,
        };
        let Some(recovery) = &mut self.recovery else {
            return;
        };
        match next {
            Some(next) => recovery.phase = Phase::Ask(next),
            None => {
                recovery.tries += 1;
                recovery.phase = Phase::EndLine {
                    until: now.saturating_add(QUIET_MS),
                };
                self.trace
                    .recovery(trace::Recovery::TryFailed(recovery.tries));
            }
        }
    }

    /// The line works again.
    fn recovered(&mut self, now: u64) {
        let Some(Recovery {
            lost, suspicion, ..
        }) = self.recovery.take()
        else {
            return;
        };
        if let Some(slot) = lost.and_then(|job| job.slot()) {
            self.job_ended(slot);
        }
        match lost {
            Some(Job::Resolve) => self.dns.again(now),
            Some(Job::Setup(step)) => self.setup_again(step),
            _ => {}
        }
        if suspicion {
            self.trace.recovery(trace::Recovery::Unfounded);
        } else {
            self.tell(Event::LineRestored);
        }
    }
}
