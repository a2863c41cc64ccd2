//! The engine: bytes and the time go in, bytes and the next wake-up time
//! come out. It touches no UART, no clock and no executor.
//!
//! ```text
//! rx ─► Framer ─► Token ─► World::on ─► socket table, network state
//! tx ◄─ outstanding job ◄─ poll ◄─ World::next_job: whose turn is it
//! ```
//!
//! One AT transaction runs at a time. [`Wire`] holds the bytes, [`World`]
//! everything else, so that a token borrowed from the one can be handed to
//! the other.

mod answers;
mod audit;
mod datagrams;
mod dns;
mod event;
mod ids;
mod incoming;
mod job;
mod resync;
mod server;
mod setup;
mod sockets;
mod trouble;
mod turns;
#[cfg(feature = "asynch")]
mod waits;

use quectel_at_commands::{Command, Framer, LONGEST, Token, Urc};

pub use self::datagrams::Received;
pub use self::dns::Addresses;
pub use self::event::Event;
pub(crate) use self::setup::SIM_READY;
pub use self::setup::{ModuleInfo, Network};
pub use self::sockets::Readiness;
pub use self::trouble::Fault;
#[cfg(feature = "asynch")]
pub(crate) use self::waits::{Limit, SIDES, Side, Wait, Waiter, Waiters};
use self::{
    dns::Dns,
    event::Events,
    ids::Ids,
    incoming::Incoming,
    job::Outstanding,
    resync::{Canary, QUIET_MAX_MS, QUIET_MS, Recovery},
    trouble::Escalation,
};
use crate::{config::Config, slot::Slot, trace::Trace};

/// Most slots of an engine; no family has more than 12 connect ids.
pub const SLOTS: usize = 64;

/// Drives one module: bytes and the time go in through [`rx`](Self::rx) and
/// [`poll`](Self::poll), bytes come out of [`tx`](Self::tx), the next wake-up
/// time of [`wake_at`](Self::wake_at). It touches no UART, no clock and no
/// executor; [`Stack`](crate::Stack) joins it to both.
#[derive(Debug)]
pub struct Engine<'a> {
    wire: Wire,
    world: World<'a>,
}

/// A URC that is to come within a documented time is waited for so much
/// longer, in milliseconds: one that comes late must not meet the next job.
const URC_GRACE_MS: u64 = 5_000;

/// The time, given to a close or release by a caller that does not know it:
/// the linger time starts at the next poll.
pub(crate) const FROM_NEXT_POLL: u64 = u64::MAX;

/// Local ports that are chosen here: the dynamic ones of RFC 6335.
const FIRST_PORT: u16 = 49_152;
const PORTS: u32 = 16_384;

/// How long the blank of a prompt is waited for, in milliseconds: three byte
/// times at 4800 baud.
const PROMPT_BLANK_MS: u64 = 6;

/// What is on the line: the framer, and the command being transmitted.
#[derive(Debug)]
struct Wire {
    framer: Framer,
    out: [u8; LONGEST],
    /// Length of the command in `out`, kept until it is answered: its echo
    /// is known by it.
    len: usize,
    /// How much of it has been transmitted.
    sent: usize,
    /// `out` holds carriage returns, not a command.
    filler: bool,
}

impl Wire {
    /// Puts a command on the line. Returns the longest time in milliseconds
    /// that its answer may take, or `None` if it did not fit.
    fn command<C: Command>(&mut self, echoed: bool, command: &C, most: usize) -> Option<u32> {
        self.len = command.render(&mut self.out).ok()?;
        self.sent = 0;
        self.filler = false;
        if echoed {
            self.framer.expect_echoed(C::EXPECT, most);
        } else {
            self.framer.expect(C::EXPECT, most);
        }
        Some(C::MAX_TIMEOUT_MS)
    }

    /// Puts `n` carriage returns on the line.
    fn carriage_returns(&mut self, n: usize) {
        let n = n.min(self.out.len());
        self.out.get_mut(..n).unwrap_or_default().fill(b'\r');
        (self.len, self.sent, self.filler) = (n, 0, true);
    }

    /// What the module may repeat.
    fn echo(&self) -> &[u8] {
        let len = if self.filler { 0 } else { self.len };
        self.out.get(..len).unwrap_or_default()
    }

    /// The outstanding command is answered or given up.
    fn release(&mut self) {
        self.framer.release();
        (self.len, self.sent, self.filler) = (0, 0, false);
    }

    fn unsent(&self) -> &[u8] {
        self.out.get(self.sent..self.len).unwrap_or_default()
    }
}

/// Everything but the bytes on the line.
#[derive(Debug)]
struct World<'a> {
    slots: &'a mut [Slot<'a>],
    config: Config<'a>,
    job: Option<Outstanding>,
    ids: Ids,
    incoming: Incoming,
    dns: Dns,
    network: Network,
    fault: Option<Fault>,
    recovery: Option<Recovery>,
    escalation: Option<Escalation>,
    reset_wanted: bool,
    /// The module may have restarted unnoticed.
    suspected: bool,
    canary: Canary,
    events: Events,
    /// When a byte came last.
    heard_at: u64,
    /// Since when a module that never answered has been asked.
    silent_since: Option<u64>,
    /// Whose payload the module has taken last, until the next echo shows
    /// that no byte of it was left over.
    last_send: Option<usize>,
    /// The set-up has been through once in this life of the module.
    was_up: bool,
    /// The application wants to decide when to connect again.
    held: bool,
    /// Minutes of the module's keep-alive, once it was told.
    keep_alive: Option<u8>,
    /// The next local port that is chosen here.
    next_port: u16,
    /// Whose turn it is next; `slots.len()` is the turn shared by all but
    /// reads and sends.
    turn: usize,
    /// Who in the shared turn comes next.
    shared_turn: usize,
    counters: Counters,
    trace: Trace,
}

/// What the line has carried that nothing waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counters {
    /// Lines that were neither an answer nor a known URC.
    pub unknown_lines: u32,
    /// Lines too long to be kept.
    pub long_lines: u32,
    /// URCs.
    pub urcs: u32,
}

impl<'a> Engine<'a> {
    /// An engine over these slots. At most [`SLOTS`] are used.
    ///
    /// ```
    /// use quectel_sockets::{Config, Engine, Slot};
    /// let (mut rx, mut tx) = ([0; 1500], [0; 1460]);
    /// let mut slots = [Slot::new(&mut rx, &mut tx)];
    /// let mut engine = Engine::new(&mut slots, Config::default());
    /// engine.poll(0);
    /// assert_eq!(engine.tx(), b"AT\r");
    /// ```
    pub fn new(slots: &'a mut [Slot<'a>], config: Config<'a>) -> Self {
        let count = slots.len().min(SLOTS);
        Self {
            wire: Wire {
                framer: Framer::new(config.family.trailer),
                out: [0; LONGEST],
                len: 0,
                sent: 0,
                filler: false,
            },
            world: World {
                slots: slots.get_mut(..count).unwrap_or_default(),
                ids: Ids::new(config.family.sockets),
                incoming: Incoming::default(),
                keep_alive: None,
                next_port: FIRST_PORT.wrapping_add((config.seed % PORTS) as u16),
                network: Network::new(),
                canary: Canary::new(config.seed),
                config,
                job: None,
                dns: Dns::default(),
                fault: None,
                recovery: None,
                escalation: None,
                reset_wanted: false,
                suspected: false,
                events: Events::default(),
                heard_at: 0,
                silent_since: None,
                last_send: None,
                was_up: false,
                held: false,
                turn: 0,
                shared_turn: 0,
                counters: Counters::default(),
                trace: Trace::default(),
            },
        }
    }

    /// Takes bytes that the module has sent. `now` is in milliseconds, from
    /// any start. Call [`poll`](Self::poll) afterwards.
    pub fn rx(&mut self, now: u64, bytes: &[u8]) {
        let mut rest = bytes;
        self.world.trace.at(now);
        if !bytes.is_empty() {
            self.world.heard_at = now;
        }
        while !rest.is_empty() && self.world.fault.is_none() {
            // The framer takes at least one byte a call.
            let Self { wire, world } = self;
            let echo_len = wire.echo().len();
            let sent = wire.out.get(..echo_len).unwrap_or_default();
            let (taken, token) = wire.framer.next(sent, rest);
            let echo = token == Some(Token::Echo);
            let prompt = token == Some(Token::Prompt);
            if token.is_some_and(|token| world.on(token, now)) {
                wire.release();
            }
            if prompt {
                // What came before is not left over from this payload.
                wire.framer.take_stray();
            }
            if echo && wire.framer.take_stray() {
                world.send_spoilt();
            } else if echo {
                world.last_send = None;
            }
            rest = rest.get(taken.max(1)..).unwrap_or_default();
            if let Some(outstanding) = &mut world.job {
                outstanding.heard(now, &world.config);
            }
        }
    }

    /// The bytes to transmit next; empty if there are none.
    pub fn tx(&self) -> &[u8] {
        let command = self.wire.unsent();
        if command.is_empty() {
            self.world.payload()
        } else {
            command
        }
    }

    /// The first `n` bytes of [`tx`](Self::tx) have been handed to the UART.
    pub fn tx_done(&mut self, now: u64, n: usize) {
        let command = self.wire.unsent().len();
        self.world.trace.at(now);
        if command > 0 {
            self.wire.sent += n.min(command);
            if n >= command && self.wire.filler {
                self.world.filler_sent(now);
            } else if n >= command {
                self.world.command_sent(now);
            }
        } else {
            self.world.payload_sent(now, n);
        }
    }

    /// Does what is due: time-outs, and the next command if the line is free.
    /// Bounded work; call it after [`rx`](Self::rx), after a socket call and
    /// at [`wake_at`](Self::wake_at).
    pub fn poll(&mut self, now: u64) {
        self.world.trace.at(now);
        self.world.expire(now);
        if self.world.fault.is_some() {
            return;
        }
        if now >= self.world.heard_at.saturating_add(PROMPT_BLANK_MS)
            && self.wire.framer.take_half_prompt()
        {
            self.world.show(Token::Prompt);
            self.world.prompted(now);
        }
        if let (None, Some(outstanding)) = (&self.world.recovery, &self.world.job) {
            // An answer that is just coming in is not cut off.
            let deadline = outstanding.deadline;
            let quiet = now >= self.world.heard_at.saturating_add(QUIET_MS);
            if now >= deadline && (quiet || now >= deadline.saturating_add(QUIET_MAX_MS)) {
                self.line_lost(now);
            }
        }
        self.world.begin_suspicion();
        if self.world.recovery.is_some() {
            self.recover(now);
        }
        // What has just been given up may be followed by something at once.
        let world = &self.world;
        if world.recovery.is_some() || world.job.is_some() || world.fault.is_some() {
            return;
        }
        if let Some((job, limit)) = self.world.escalation_job(now) {
            self.start(job, now);
            if let Some(outstanding) = &mut self.world.job {
                outstanding.limit_to(limit);
            }
        } else if let Some(job) = self.world.next_job(now) {
            self.start(job, now);
        }
    }

    /// When [`poll`](Self::poll) has to be called next if nothing else
    /// happens, in milliseconds; `None` if not at all. `now` must be that of
    /// the latest `poll`: what has become due since would be overlooked.
    pub fn wake_at(&self, now: u64) -> Option<u64> {
        let blank = self.wire.framer.has_half_prompt();
        let blank = blank.then_some(self.world.heard_at.saturating_add(PROMPT_BLANK_MS));
        let blank = blank.filter(|at| *at > now);
        self.world.wake_at(now).into_iter().chain(blank).min()
    }

    /// What the line has carried that nothing waited for.
    pub fn counters(&self) -> Counters {
        self.world.counters
    }
}

impl World<'_> {
    /// Takes one token. Returns whether the outstanding command has ended.
    fn on(&mut self, token: Token<'_>, now: u64) -> bool {
        self.show(token);
        match token {
            Token::Echo => {}
            Token::Prompt => self.prompted(now),
            Token::Info(line) => self.info(line, now),
            Token::Header(n) => self.header(n, None),
            Token::DatagramHeader(n, from) => self.header(n, Some(from)),
            Token::Payload(bytes) => self.payload_received(bytes),
            Token::Final(code) => {
                if !self.filler_answered(code) {
                    // First: what the answer tells may start another one.
                    self.answer_came();
                    self.finish(code, now);
                }
                return true;
            }
            // What looks like a URC may be payload then; the audit makes up
            // for a real one.
            Token::Urc(_) if !self.trusts() => {}
            Token::Urc(urc) => {
                self.counters.urcs = self.counters.urcs.wrapping_add(1);
                return self.urc(urc, now);
            }
            Token::Unknown(line) => {
                self.unknown_line(line);
                self.counters.unknown_lines = self.counters.unknown_lines.wrapping_add(1);
            }
            Token::TooLong => {
                self.counters.long_lines = self.counters.long_lines.wrapping_add(1);
            }
            Token::Broken(_) => {
                self.answer_broken(now);
                return true;
            }
            Token::Garbled(_) => {
                self.counters.unknown_lines = self.counters.unknown_lines.wrapping_add(1);
                self.echo_garbled(now);
                return self.job.is_none();
            }
        }
        false
    }

    /// For the trace.
    fn show(&self, token: Token<'_>) {
        let private = self.recovery.is_some()
            || self.escalates()
            || !self.network.is_greeted()
            || self
                .job
                .as_ref()
                .is_some_and(|outstanding| outstanding.job.is_private());
        self.trace.token(token, private, self.trusts());
    }

    /// Returns whether the outstanding command will not be answered any more.
    fn urc(&mut self, urc: Urc, now: u64) -> bool {
        match urc {
            Urc::Ready => {
                self.restarted(now);
                return true;
            }
            Urc::PoweredDown => {
                self.powered_down(now);
                return true;
            }
            Urc::ContextLost { context } => self.context_lost(context, now),
            Urc::Open { id, error } => self.opened(id, error, now),
            Urc::Received { id } => self.data_arrived(id, now),
            Urc::Closed { id } => self.peer_closed(id),
            Urc::Incoming { id, server, remote } => self.child_arrived(id, server, remote),
            Urc::IncomingFull => self.incoming_full(),
            Urc::DnsCount { count, .. } => self.dns.count(count, now),
            Urc::DnsAddress(address) => self.dns.address(address, now),
            Urc::DnsFailed(error) => self.dns.failed(error, now),
            Urc::Functionality(_) | Urc::Sim(_) | Urc::Registration(..) | Urc::Notice => {}
        }
        false
    }
}
