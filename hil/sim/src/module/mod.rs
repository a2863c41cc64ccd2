//! The module's state: what the commands act on and what changes by itself.

mod clock;
mod ntp;
mod pdp;
mod ping;
mod power;
mod radio;
mod saving;
mod sim_lock;
mod sockets;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) use clock::Clock;
pub(crate) use pdp::{Context, ContextState, Definition, quoted};
pub(crate) use power::Power;
pub(crate) use saving::Psm;
pub(crate) use sim_lock::SimLock;
pub(crate) use sockets::{OpenRequest, Row, Service, Sockets, bytes_of, from_text};

use crate::at::reply::{Final, Format};
use crate::at::table::Outcome;
use crate::commands::numbers::Numbers;
use crate::commands::qicfg::QicfgValues;
use crate::config::{Boot, Cellular, Config, SimCard};
use crate::dns::{Answer, Asker, Beyond, Question, Resolver};
use crate::faults::Faults;
use crate::net::{Internet, Limits, Net};
use crate::profile::Profile;

/// URCs that are held back at a time; what is too much is lost.
const CACHED_URCS: usize = 1_000;

/// What a blocking command waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wait {
    /// `AT+QIOPEN` in transparent mode.
    Connect { id: u8 },
    /// `AT+QICLOSE`: TCP, or this time.
    Close { id: u8, until: u64 },
    /// `AT+QIACT`: this time, and registration, but no longer than that.
    Activate { context: u8, ready: u64, until: u64 },
    /// `AT+QIDEACT`.
    Deactivate { context: u8, at: u64 },
    /// `AT+CFUN`.
    Functionality { level: u8, at: u64 },
    /// `AT+CGACT`: a bearer comes or goes.
    Bearer { context: u8, on: bool, at: u64 },
    /// `AT+CGATT`
    Attach { on: bool, at: u64 },
    /// `AT+QISEND` with `TCP/SendMode`: the peer's acknowledgement.
    Acknowledged { id: u8 },
    /// Nothing but this time.
    Until(u64),
}

/// What does not survive a restart.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) echo: bool,
    pub(crate) cmee: u8,
    /// `AT+CREG`, `AT+CGREG`, `AT+CEREG`.
    pub(crate) registration_urc: [u8; 3],
    /// `AT+QISDE`
    pub(crate) payload_echo: bool,
    /// `AT+COPS=<mode>`: how the operator is selected.
    pub(crate) operator_mode: u8,
    /// `AT+COPS=3,<format>`
    pub(crate) operator_format: u8,
    pub(crate) simstat_urc: bool,
    pub(crate) qicfg: QicfgValues,
    /// `AT+CSCS`
    pub(crate) characters: &'static str,
    pub(crate) numbers: Numbers,
}

/// What survives a restart.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    pub(crate) urc_port: String,
    /// `AT&W`
    pub(crate) echo: bool,
    pub(crate) registration_urc: [u8; 3],
    pub(crate) baud: u32,
    pub(crate) numbers: Numbers,
    /// `AT+QCFG`, what was set.
    pub(crate) qcfg: BTreeMap<&'static str, Vec<String>>,
    pub(crate) psm: Psm,
    /// `AT+CEDRXS`: technology and cycle.
    pub(crate) edrx: Option<(u8, String)>,
    /// `AT+CGDCONT`
    pub(crate) definitions: BTreeMap<u8, Definition>,
}

/// What happens at a known time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    Urc(String),
    /// The module turns itself off, and on again; the start ends at this time, if one is given.
    Restart(Option<u64>),
    /// It hears nothing any more.
    Leave,
    /// It says which contexts are lost because it is on its way down.
    TellContexts,
    TurnOff,
    /// It turns itself off to save power, until this time if it is not woken before.
    Sleep(Option<u64>),
    /// `AT+QIDEACTEX` takes effect.
    DeactivateEx(u8),
}

pub(crate) struct Module {
    pub(crate) now: u64,
    /// `AT+IPR`; 0 if it is the host's.
    pub(crate) baud: u32,
    pub(crate) profile: Profile,
    pub(crate) cellular: Cellular,
    pub(crate) sim_card: SimCard,
    pub(crate) sim_lock: SimLock,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) saved: Saved,
    power: Power,
    /// When power came.
    pub(crate) powered_at: u64,
    /// It is on its way down, and hears nothing any more.
    pub(crate) leaving: bool,
    /// The host's speed, once it is found, while [`Module::baud`] is 0.
    pub(crate) found_speed: Option<u32>,
    /// The next start is without URCs.
    silent_boot: bool,
    /// `AT+CFUN`
    pub(crate) functionality: u8,
    sim_ready_at: u64,
    /// When the search for a network ends.
    register_at: Option<u64>,
    /// `AT+QINISTAT`
    initialised: u8,
    /// Registered on the network, with the state in [`Cellular::registration`].
    registered: bool,
    /// `AT+COPS=2`
    network_left: bool,
    /// `AT+CGATT`
    pub(crate) attached: bool,
    /// `AT+CGACT`: contexts that the 3GPP layer holds beside those of `AT+QIACT`.
    pub(crate) bearers: BTreeSet<u8>,
    /// `AT+QIACTEX`
    activating: BTreeMap<u8, pdp::Activation>,
    /// When power saving begins.
    sleep_at: Option<u64>,
    /// When the module wakes from it by itself.
    wake_at: Option<u64>,
    /// URCs that `AT+QCFG="urc/cache"` holds back.
    cached_urcs: Vec<Vec<u8>>,
    events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    pub(crate) contexts: BTreeMap<u8, Context>,
    pub(crate) sockets: Sockets,
    ping: Option<ping::Ping>,
    ntp: Option<ntp::Ntp>,
    pub(crate) resolver: Resolver,
    pub(crate) net: Net,
    pub(crate) faults: Faults,
    /// For `AT+QIGETERROR`.
    pub(crate) last_error: u16,
    urcs: Vec<Vec<u8>>,
    /// The line must be cut: the module lost its power.
    pub(crate) cut: bool,
}

impl Module {
    pub(crate) fn new(config: &Config) -> Module {
        let profile = config.profile.clone();
        let saved = Saved {
            urc_port: profile.urc_port.clone(),
            echo: true,
            registration_urc: [0; 3],
            baud: config.baud,
            numbers: Numbers::default(),
            qcfg: BTreeMap::new(),
            psm: Psm::default(),
            edrx: None,
            definitions: BTreeMap::from([(profile.first_context, Definition::default())]),
        };
        let limits = Limits {
            retransmission: profile.retransmission_us,
            fin_wait_2: profile.fin_wait_2_us,
            release: 120_000_000,
            released: profile.released_sockets,
        };
        let mut module = Module {
            now: 0,
            baud: config.baud,
            settings: Settings::new(&profile, &saved),
            saved,
            cellular: config.cellular.clone(),
            sim_lock: SimLock::new(&config.sim_card, &config.cellular.puk),
            sim_card: config.sim_card.clone(),
            clock: Clock::default(),
            power: Power::Off,
            powered_at: 0,
            leaving: false,
            found_speed: None,
            silent_boot: false,
            functionality: 1,
            sim_ready_at: 0,
            register_at: None,
            initialised: 0,
            registered: false,
            network_left: false,
            attached: true,
            bearers: BTreeSet::new(),
            activating: BTreeMap::new(),
            sleep_at: None,
            wake_at: None,
            cached_urcs: Vec::new(),
            events: BTreeMap::new(),
            sequence: 0,
            contexts: BTreeMap::new(),
            sockets: Sockets::default(),
            ping: None,
            ntp: None,
            resolver: Resolver::new(match (config.internet, config.name_server) {
                (Internet::Virtual, _) => Beyond::Nobody,
                (Internet::Real, None) => Beyond::ThisPc,
                (Internet::Real, Some(server)) => Beyond::Server(server),
            }),
            net: Net::new(config, limits),
            faults: Faults::default(),
            last_error: 0,
            urcs: Vec::new(),
            cut: false,
            profile,
        };
        module.baud = module.first_baud();
        match config.boot {
            Boot::Off => {}
            Boot::Cold => module.power_on(),
            Boot::Booted => {
                module.power = Power::On;
                if module.sim_ready() {
                    module.initialised = module.profile.initialised;
                }
                match module.sim_card {
                    SimCard::Ready => module.register(),
                    _ => module.start_sim_card(),
                }
            }
        }
        module
    }

    fn schedule(&mut self, after: u64, event: Event) {
        self.events.insert((self.now + after, self.sequence), event);
        self.sequence += 1;
    }

    // URCs.

    /// Whether URCs go to the port that is served.
    pub(crate) fn urcs_come_here(&self) -> bool {
        self.saved.urc_port == self.profile.port || self.saved.urc_port == "all"
    }

    /// A URC for the host, unless URCs go to another port.
    pub(crate) fn urc(&mut self, text: &str) {
        self.stay_awake();
        if self.urcs_come_here() {
            let urc = self.settings.format().line(text);
            match self.qcfg_number("urc/cache", 0) {
                1 if self.cached_urcs.len() < CACHED_URCS => self.cached_urcs.push(urc),
                1 => {}
                _ => self.urcs.push(urc),
            }
        }
    }

    /// Lets URCs go that were held back, if they are not to be any more.
    pub(crate) fn release_urcs(&mut self) {
        if self.qcfg_number("urc/cache", 0) == 0 {
            self.urcs.append(&mut self.cached_urcs);
        }
    }

    pub(crate) fn take_urcs(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.urcs)
    }

    // Errors.

    /// The failure of a TCP/IP command.
    pub(crate) fn tcpip_error(&mut self, number: u16) -> Outcome {
        Outcome::Done(self.failure(number))
    }

    /// The code that ends a TCP/IP command that failed.
    pub(crate) fn failure(&mut self, number: u16) -> Final {
        self.last_error = number;
        match self.profile.tcpip_cme {
            true => Final::Cme(number),
            false => Final::Error,
        }
    }

    /// `AT+QINISTAT`: 1 for the PIN, 2 for short messages, 4 for the phone book.
    pub(crate) fn initialised(&self) -> u8 {
        if self.sim_ready() {
            self.initialised
        } else {
            0
        }
    }

    /// A URC of a start was due.
    fn progress(&mut self, urc: &str) {
        self.initialised |= match urc {
            "+CPIN: READY" => 1,
            "+QIND: SMS DONE" => 2,
            "+QIND: PB DONE" => 4,
            _ => 0,
        };
    }

    /// The IPv4 address that the network gives a context.
    pub(crate) fn context_address(&self, context: u8) -> Ipv4Addr {
        let first = u32::from(self.cellular.address);
        Ipv4Addr::from(first.wrapping_add(u32::from(context).saturating_sub(1)))
    }

    /// The IPv6 address that the network gives a context.
    pub(crate) fn context_address_v6(&self, context: u8) -> Ipv6Addr {
        let first = u128::from(self.cellular.address_v6);
        Ipv6Addr::from(first.wrapping_add(u128::from(context).saturating_sub(1)))
    }

    /// The address of an active context from which one like this can be reached.
    pub(crate) fn local_address(&self, context: u8, like: IpAddr) -> Option<IpAddr> {
        let mut all = self.contexts.get(&context)?.addresses.iter();
        all.find(|one| one.is_ipv4() == like.is_ipv4()).copied()
    }

    // Time.

    /// Does what is due.
    pub(crate) fn tick(&mut self) {
        if self.wake_at.is_some_and(|at| at <= self.now) {
            self.power_on();
        }
        if let Power::Booting(until) = self.power
            && until <= self.now
        {
            self.booted();
        }
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            match entry.remove() {
                Event::Urc(text) => {
                    self.progress(&text);
                    self.urc(&text);
                }
                Event::Restart(ready) => {
                    self.restart();
                    if let Some(ready) = ready {
                        self.power = Power::Booting(ready);
                    }
                }
                Event::Leave => self.leaving = true,
                Event::TellContexts => self.tell_contexts(),
                Event::TurnOff => self.power_off(),
                Event::Sleep(until) => {
                    self.power_off();
                    self.wake_at = until;
                }
                Event::DeactivateEx(context) => self.deactivated_ex(context),
            }
        }
        self.tick_activating();
        if self.register_at.is_some_and(|at| at <= self.now) {
            self.register();
        }
        if let Some(answer) = self.resolver.poll(self.now) {
            match answer {
                Answer::Urc(urcs) => urcs.iter().for_each(|urc| self.urc(urc)),
                Answer::Address(Asker::Open(id), address) => self.resolved(id, address),
                Answer::Address(Asker::Ping, address) => self.ping_resolved(address),
                Answer::Address(Asker::Time, address) => self.ntp_resolved(address),
                Answer::Address(Asker::Host, _) => {}
            }
        }
        self.tick_sockets();
        self.tick_ping();
        self.tick_ntp();
        self.tick_saving();
    }

    /// Begins a look-up of a name.
    pub(crate) fn ask(&mut self, asker: Asker, context: u8, name: &str) {
        let question = Question {
            asker,
            name,
            us: self.cellular.dns_us,
            limit_us: self.profile.dns_timeout_us,
            ttl: self.profile.dns_ttl,
            kind: self.active_kind(context),
        };
        self.resolver.ask(self.now, &question);
    }

    /// When something happens by itself next.
    pub(crate) fn next(&self) -> Option<u64> {
        let boot = match self.power {
            Power::Booting(until) => Some(until),
            _ => None,
        };
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        [
            boot,
            event,
            self.register_at,
            self.resolver.next(self.now),
            self.next_socket(),
            self.ping_at(),
            self.ntp_at(),
            self.activating_at(),
            self.sleep_at.filter(|_| self.power == Power::On),
            self.wake_at,
            self.net.next(self.now),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When to look at a blocking command again, if nothing else happens before.
    pub(crate) fn wait_until(&self, wait: &Wait) -> Option<u64> {
        Some(match *wait {
            Wait::Connect { .. } | Wait::Acknowledged { .. } => return None,
            Wait::Close { until, .. } => until,
            Wait::Activate { ready, .. } if ready > self.now => ready,
            Wait::Activate { until, .. } => until,
            Wait::Deactivate { at, .. }
            | Wait::Functionality { at, .. }
            | Wait::Bearer { at, .. }
            | Wait::Attach { at, .. }
            | Wait::Until(at) => at,
        })
    }

    /// Whether what a blocking command waits for has happened, and with which outcome.
    pub(crate) fn check(&mut self, wait: &Wait) -> Option<Outcome> {
        match *wait {
            Wait::Connect { id } => self.check_connect(id),
            Wait::Acknowledged { id } => self.check_acknowledged(id),
            Wait::Close { id, until } => self.check_close(id, until),
            Wait::Activate {
                context,
                ready,
                until,
            } => self.check_activate(context, ready, until),
            Wait::Deactivate { context, at } if at <= self.now => {
                self.deactivate(context);
                Some(Outcome::OK)
            }
            Wait::Functionality { level, at } if at <= self.now => {
                self.set_functionality(level);
                Some(Outcome::OK)
            }
            Wait::Bearer { context, on, at } if at <= self.now => {
                Some(self.set_bearer(context, on))
            }
            Wait::Attach { on, at } if at <= self.now => {
                self.set_attached(on);
                Some(Outcome::OK)
            }
            Wait::Until(at) if at <= self.now => Some(Outcome::OK),
            Wait::Deactivate { .. }
            | Wait::Functionality { .. }
            | Wait::Bearer { .. }
            | Wait::Attach { .. }
            | Wait::Until(_) => None,
        }
    }
}

impl Settings {
    fn new(profile: &Profile, saved: &Saved) -> Settings {
        Settings {
            echo: saved.echo,
            cmee: profile.cmee,
            registration_urc: saved.registration_urc,
            payload_echo: true,
            operator_mode: 0,
            operator_format: 0,
            simstat_urc: false,
            qicfg: QicfgValues::new(profile),
            characters: "GSM",
            numbers: saved.numbers.clone(),
        }
    }

    /// How lines are written.
    pub(crate) fn format(&self) -> Format {
        let byte = |name| self.numbers.get(name, 0) as u8;
        Format {
            verbose: byte("V") == 1,
            quiet: byte("Q") == 1,
            end: [byte("S3"), byte("S4")],
        }
    }
}
