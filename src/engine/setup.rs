//! Bring-up: from a module that may be in any state to an active PDP
//! context. It runs by itself from the first poll, tries again what fails,
//! and starts over when the module restarts.

use core::net::IpAddr;

use heapless::String;
use quectel_at_commands::{
    CmeError, ResultCode,
    network::{Domain, Registration},
    pdp::ActiveContext,
    settings,
    sim::SimState,
    tcp::SocketRow,
};

use super::{Engine, Event, World, job::Job};

/// What is asked or told next. The order is the order of bring-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Is the module there?
    Attention,
    Echo,
    ErrorFormat,
    /// Must be off before the first send.
    PayloadEcho,
    Identify,
    /// Where URCs go; asked first, since it is written to flash.
    UrcPort,
    SetUrcPort,
    /// How long the module waits for payload.
    SendTimeout,
    /// From here on the line can be resynchronised.
    Canary,
    /// Sockets that a host before its reset left open.
    Leftovers,
    /// Waits until they are closed.
    CloseLeftovers,
    Sim,
    Registration(Domain),
    /// After the network dropped the context, and before it is tried again.
    Deactivate,
    Configure,
    Activate,
    /// The module's list decides, since activating an active context may be
    /// answered with ERROR.
    CheckActive,
    /// The context is active.
    Up,
}

/// Pause before the module is asked again whether it is there.
const ATTENTION_MS: u64 = 300;
/// The same for a module that nothing has brought back.
const SELDOM_MS: u64 = 10_000;
/// Pause before SIM and registration are asked again.
const ASK_AGAIN_MS: u64 = 500;
/// First and longest pause between attempts to activate the context.
const ACTIVATE_MS: u32 = 1_000;
const ACTIVATE_MAX_MS: u32 = 60_000;

/// How far bring-up has come, in the numbers of QuecPython's `checkNet`.
#[derive(Debug, Clone)]
pub struct Network {
    step: Step,
    /// The step waits until then.
    not_before: u64,
    /// An answer to something asked before the last `AT` may still come.
    stray: bool,
    backoff: u32,
    sim: u8,
    registration: i8,
    /// What the domain asked now has answered.
    answer: Option<Registration>,
    seen_active: bool,
    /// The context's own address.
    address: Option<IpAddr>,
    rows: u8,
    info: ModuleInfo,
}

/// What `ATI` told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleInfo {
    /// `EC25` for example; empty until it is known.
    pub model: String<16>,
    /// Firmware revision; empty until it is known.
    pub revision: String<40>,
}

/// SIM ready, in `checkNet`'s numbers.
pub(crate) const SIM_READY: u8 = 1;
const SIM_UNKNOWN: u8 = 21;

impl Network {
    pub(super) fn new() -> Self {
        Self {
            step: Step::Attention,
            not_before: 0,
            stray: false,
            backoff: 0,
            sim: SIM_UNKNOWN,
            registration: -1,
            answer: None,
            seen_active: false,
            address: None,
            rows: 0,
            info: ModuleInfo::default(),
        }
    }

    /// The PDP context is active: sockets can be opened.
    pub fn is_up(&self) -> bool {
        self.step == Step::Up
    }

    /// The module's own address in the context, while that is active and the
    /// module has told it.
    pub fn address(&self) -> Option<IpAddr> {
        self.address.filter(|_| self.is_up())
    }

    /// SIM status as `checkNet` numbers it: 0 absent, 1 ready, 2 PIN, 3 PUK,
    /// 8 PIN2, 9 PUK2, 10 locked, 18 busy, 20 wrong, 21 unknown.
    pub fn sim(&self) -> u8 {
        self.sim
    }

    /// Registration status, -1 while unknown, else
    /// [`Registration`](quectel_at_commands::network::Registration)'s number.
    pub fn registration(&self) -> i8 {
        self.registration
    }

    fn stage(&self) -> (u8, i8) {
        if self.is_up() {
            (3, 1)
        } else if self.sim != SIM_READY {
            (1, i8::try_from(self.sim).unwrap_or(i8::MAX))
        } else if u8::try_from(self.registration).is_ok_and(|n| Registration(n).is_registered()) {
            (3, 0)
        } else {
            (2, self.registration)
        }
    }

    /// What the module said of itself.
    pub fn info(&self) -> &ModuleInfo {
        &self.info
    }

    /// When the next step is due; `None` while there is none.
    pub(super) fn wake_at(&self) -> Option<u64> {
        (!matches!(self.step, Step::Up | Step::CloseLeftovers)).then_some(self.not_before)
    }

    fn go(&mut self, step: Step) {
        self.step = step;
        self.not_before = 0;
    }

    fn again(&mut self, step: Step, at: u64) {
        self.step = step;
        self.not_before = at;
    }
}

/// `checkNet`'s number for a SIM error; `None` for other errors.
fn sim_error(error: CmeError) -> Option<u8> {
    Some(match error {
        CmeError::SIM_NOT_INSERTED => 0,
        CmeError::SIM_PIN => 2,
        CmeError::SIM_PUK => 3,
        CmeError::SIM_FAILURE => 21,
        CmeError::SIM_BUSY => 18,
        CmeError::SIM_WRONG => 20,
        CmeError::SIM_PIN2 => 8,
        CmeError::SIM_PUK2 => 9,
        _ => return None,
    })
}

fn sim_number(state: SimState) -> u8 {
    match state {
        SimState::Ready => SIM_READY,
        SimState::Pin => 2,
        SimState::Puk => 3,
        SimState::Pin2 => 8,
        SimState::Puk2 => 9,
        SimState::Locked => 10,
        SimState::NotReady => 18,
        SimState::NotInserted => 0,
    }
}

impl Engine<'_> {
    /// How far bring-up has come.
    pub fn network(&self) -> &Network {
        &self.world.network
    }

    /// The PDP context is active, and the line to the module in order.
    pub fn is_up(&self) -> bool {
        let world = &self.world;
        let sound = world.recovery.is_none() && world.escalation.is_none();
        world.network.is_up() && sound && world.fault.is_none()
    }

    /// Nothing is to be gained by waiting: [`is_up`](Self::is_up), or it will
    /// not be.
    pub(crate) fn is_decided(&self) -> bool {
        // Absent, codes and locks do not go away by waiting.
        let hopeless = !matches!(self.network().sim(), SIM_READY | 18 | 20 | 21);
        self.is_up() || hopeless || self.world.fault.is_some()
    }

    /// Stage and code as `checkNet` numbers them; (3, 1) if
    /// [`is_up`](Self::is_up).
    pub fn stage(&self) -> (u8, i8) {
        match self.world.network.stage() {
            (3, 1) if !self.is_up() => (3, 0),
            stage => stage,
        }
    }
}

impl World<'_> {
    /// The next command of the set-up, if one is due.
    pub(super) fn setup_job(&mut self, now: u64) -> Option<Job> {
        let network = &mut self.network;
        if network.step == Step::CloseLeftovers && !self.ids.any_to_discard() {
            network.go(Step::Sim);
        }
        match network.step {
            Step::Up | Step::CloseLeftovers => None,
            // The application decides when to connect again.
            Step::Deactivate | Step::Configure if self.held => None,
            step if now >= network.not_before => {
                network.rows = 0;
                network.answer = None;
                network.seen_active = false;
                Some(Job::Setup(step))
            }
            _ => None,
        }
    }

    pub(super) fn setup_info(&mut self, step: Step, line: &[u8]) {
        let context = self.config.context;
        let network = &mut self.network;
        match step {
            Step::Identify => {
                // Maker, model, revision: a row each.
                let text = core::str::from_utf8(line).unwrap_or_default();
                let text = text.strip_prefix("Revision: ").unwrap_or(text);
                match network.rows {
                    1 => network.info.model = fitting(text),
                    2 => network.info.revision = fitting(text),
                    _ => {}
                }
                network.rows = network.rows.saturating_add(1);
            }
            Step::Leftovers => {
                if let Some(row) = SocketRow::parse(line) {
                    self.ids.discard(row.id);
                }
            }
            Step::UrcPort => {
                let wanted = self.config.urc_port.map(|port| port.as_str());
                network.seen_active = settings::urc_port(line) != wanted;
            }
            Step::Sim => {
                if let Some(state) = SimState::parse(line) {
                    network.sim = sim_number(state);
                    network.seen_active = true;
                }
            }
            Step::Registration(domain) => {
                network.answer = Registration::parse_answer(line, domain);
            }
            Step::CheckActive => {
                let row = ActiveContext::parse(line);
                let row = row.filter(|row| row.context == context && row.active);
                network.seen_active |= row.is_some();
                network.address = row.map_or(network.address, |row| row.address);
            }
            _ => {}
        }
    }

    pub(super) fn setup_finished(&mut self, step: Step, code: ResultCode, now: u64) {
        let network = &mut self.network;
        let ok = code == ResultCode::Ok;
        match step {
            // The context was lost while this was asked: too late an answer.
            _ if network.step != step => {}
            // An error means rubbish in the module's line buffer.
            Step::Attention if !ok => self.attention_missed(now),
            // Lets a second OK come to nothing: given to the next command,
            // it would shift every answer by one.
            Step::Attention if network.stray => {
                network.stray = false;
                network.again(Step::Echo, now.saturating_add(ATTENTION_MS));
            }
            Step::Attention => {
                network.go(Step::Echo);
            }
            // Neither is needed: an echo is recognised, errors are read in
            // every form.
            // Not before: what answers `AT` can be a module that is about to
            // restart.
            Step::Echo => {
                network.go(Step::ErrorFormat);
                self.attention_heard();
            }
            Step::ErrorFormat => network.go(Step::PayloadEcho),
            Step::PayloadEcho if !ok => network.again(step, now.saturating_add(ASK_AGAIN_MS)),
            Step::PayloadEcho => network.go(Step::Identify),
            Step::Identify => network.go(match self.config.urc_port {
                Some(_) => Step::UrcPort,
                None => Step::SendTimeout,
            }),
            // Some families do not know the setting: URCs come anyway.
            Step::UrcPort if ok && network.seen_active => network.go(Step::SetUrcPort),
            Step::UrcPort => network.go(Step::SendTimeout),
            Step::SetUrcPort => {
                network.go(Step::SendTimeout);
                if ok {
                    self.events.push(Event::UrcPortChanged);
                }
            }
            Step::SendTimeout => network.go(Step::Canary),
            Step::Canary => {
                network.go(Step::Leftovers);
                if ok {
                    self.canary.told();
                }
            }
            Step::Leftovers => network.go(Step::CloseLeftovers),
            Step::Sim => {
                if let ResultCode::Cme(error) = code
                    && let Some(number) = sim_error(error)
                {
                    network.sim = number;
                } else if !ok || !network.seen_active {
                    network.sim = SIM_UNKNOWN;
                }
                if network.sim == SIM_READY {
                    network.go(Step::Registration(Domain::Eps));
                } else {
                    network.again(step, now.saturating_add(ASK_AGAIN_MS));
                }
            }
            Step::Registration(domain) => self.registration_told(domain, now),
            // Whatever the answer, configuring comes next.
            Step::Deactivate => {
                let at = network.not_before;
                network.again(Step::Configure, at);
            }
            // A refusal can mean that the context is active.
            Step::Configure if !ok => network.go(Step::CheckActive),
            Step::Configure => network.go(Step::Activate),
            Step::Activate => network.go(Step::CheckActive),
            Step::CheckActive if network.seen_active => {
                network.backoff = 0;
                network.go(Step::Up);
                self.was_up = true;
                self.events.push(Event::Up);
            }
            Step::CheckActive => {
                network.backoff = network
                    .backoff
                    .saturating_mul(2)
                    .clamp(ACTIVATE_MS, ACTIVATE_MAX_MS);
                let at = now.saturating_add(u64::from(network.backoff));
                network.again(Step::Deactivate, at);
            }
            Step::CloseLeftovers | Step::Up => {}
        }
    }

    /// One domain has answered, or said that it does not know the command.
    fn registration_told(&mut self, domain: Domain, now: u64) {
        let network = &mut self.network;
        let answer = network.answer;
        if domain == Domain::Eps {
            // A new round: older numbers count no longer.
            network.registration = -1;
        }
        if let Some(stat) = answer {
            // On another radio technology a domain says 0 or 4 while all is
            // well: such a number does not replace a more telling one.
            let telling = !matches!(stat.0, 0 | 4);
            if domain == Domain::Eps || telling || network.registration < 0 {
                network.registration = i8::try_from(stat.0).unwrap_or(4);
            }
        }
        if answer.is_some_and(Registration::is_registered) {
            return network.go(Step::Configure);
        }
        match domain {
            Domain::Eps => network.go(Step::Registration(Domain::PacketSwitched)),
            Domain::PacketSwitched => network.go(Step::Registration(Domain::CircuitSwitched)),
            Domain::CircuitSwitched => network.again(
                Step::Registration(Domain::Eps),
                now.saturating_add(ASK_AGAIN_MS),
            ),
        }
    }

    /// Asks once more whether the module is there.
    pub(super) fn attention_again(&mut self, now: u64, seldom: bool) {
        let pause = if seldom { SELDOM_MS } else { ATTENTION_MS };
        // The answer may come yet.
        self.network.stray = true;
        self.network
            .again(Step::Attention, now.saturating_add(pause));
    }

    /// A step whose answer was lost is taken again.
    pub(super) fn setup_again(&mut self, step: Step) {
        if self.network.step == step {
            self.network.go(step);
        }
    }

    /// Everything that the module was told is gone. `asked`: a command was
    /// outstanding, and may be answered yet: `APP RDY` comes seconds after
    /// `RDY`.
    pub(super) fn setup_anew(&mut self, asked: bool) {
        let info = core::mem::take(&mut self.network.info);
        self.network = Network::new();
        self.network.info = info;
        self.network.stray = asked;
        self.canary.value = None;
        self.keep_alive = None;
    }

    /// The context is gone, the rest of the set-up stands. Returns whether
    /// there was one.
    pub(super) fn context_anew(&mut self) -> bool {
        let had = matches!(
            self.network.step,
            Step::Up | Step::Configure | Step::Activate | Step::CheckActive
        );
        if had {
            self.network.go(Step::Deactivate);
        }
        had
    }
}

/// As much of `text` as fits.
fn fitting<const N: usize>(text: &str) -> String<N> {
    let mut fitted = String::new();
    for char in text.chars().filter(char::is_ascii) {
        // What does not fit any more is left out.
        if fitted.push(char).is_err() {
            break;
        }
    }
    fitted
}
