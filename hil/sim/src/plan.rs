//! Faults drawn from a seed.

use std::fmt;
use std::str::FromStr;

use crate::fault::{Fault, FaultError, time, time_text};
use crate::rng::Rng;
use crate::sim::Sim;
use crate::trace::Direction;

/// Faults of all kinds, drawn from a seed: the same plan draws the same faults on every machine.
///
/// Every fault has a text form, so that a run that failed can be repeated, and then be reduced by
/// leaving faults out. What a plan draws ends by itself: nothing happens `always`. Only the URC port,
/// switches and `already-active` stay as they were set.
///
/// ```
/// use quectel_sim::{Fault, Plan, Sim};
///
/// let plan = Plan::new(7).count(3).kinds(&["drop", "late", "storm"]).unwrap();
/// let mut sim = Sim::builder().build();
/// let faults: Vec<Fault> = sim.add_plan(&plan);
/// assert_eq!(faults, plan.faults());
/// for fault in faults {
///     // For `quectel-sim serve --fault`, or for `Sim::add_fault`.
///     let text = fault.to_string();
///     assert_eq!(text.parse(), Ok(fault));
/// }
/// // The same as text.
/// assert_eq!("7:3".parse(), Ok(Plan::new(7).count(3)));
/// ```
///
/// # The text
///
/// `SEED[:COUNT[:TIME]]`, such as `7`, `7:10` or `7:10:5min`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    seed: u64,
    count: usize,
    span_us: u64,
    kinds: Vec<&'static str>,
}

/// Bytes of each direction, from now on, among which those of `host:N` and `module:N` are.
const BYTES: u64 = 20_000;
const COUNT: usize = 5;
const MOST: usize = 1_000;
const SPAN_US: u64 = 60_000_000;

/// Where the faults of a plan begin.
#[derive(Debug, Clone, Copy, Default)]
struct Origin {
    now: u64,
    to_host: u64,
    to_module: u64,
}

impl Plan {
    /// Five faults of any kind; those that happen at a time do so within 60 s.
    pub fn new(seed: u64) -> Plan {
        Plan {
            seed,
            count: COUNT,
            span_us: SPAN_US,
            kinds: Fault::names(),
        }
    }

    /// So many faults, at most 1000.
    pub fn count(mut self, count: usize) -> Plan {
        self.count = count.min(MOST);
        self
    }

    /// The time in µs within which those happen that happen at a time. Others happen when their byte
    /// or their command comes.
    pub fn span_us(mut self, us: u64) -> Plan {
        self.span_us = us;
        self
    }

    /// Only faults of these names, such as `drop`; see [`Fault::names`].
    ///
    /// # Errors
    /// If there is no fault of such a name, or no name.
    pub fn kinds(mut self, names: &[&str]) -> Result<Plan, FaultError> {
        let all = Fault::names();
        if let Some(name) = names.iter().find(|name| !all.contains(name)) {
            let all = all.join(", ");
            return Err(FaultError::of(name, "the name of a fault", &all));
        }
        self.kinds = all.into_iter().filter(|n| names.contains(n)).collect();
        match self.kinds.is_empty() {
            true => Err(FaultError::of("", "a list of faults", "one at least")),
            false => Ok(self),
        }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What it draws for a simulation that begins.
    pub fn faults(&self) -> Vec<Fault> {
        self.draw(Origin::default())
    }

    fn draw(&self, from: Origin) -> Vec<Fault> {
        let mut draw = Draw {
            rng: Rng::new(self.seed),
            span_us: self.span_us,
            from,
        };
        let mut faults = Vec::new();
        for _ in 0..self.count {
            let kind = draw.one_of(&self.kinds);
            // All that is drawn has a meaning; the tests draw every kind.
            faults.extend(draw.fault(kind).parse::<Fault>());
        }
        faults
    }
}

impl Sim {
    /// Adds the faults of a plan, and gives them: times and positions count from now on. What is given
    /// counts from the start, as [`Sim::add_fault`] takes it.
    pub fn add_plan(&mut self, plan: &Plan) -> Vec<Fault> {
        let faults = plan.draw(Origin {
            now: self.now(),
            to_host: self.position(Direction::ToHost),
            to_module: self.position(Direction::ToModule),
        });
        for fault in &faults {
            self.add_fault(fault.clone());
        }
        faults
    }
}

impl FromStr for Plan {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Plan, FaultError> {
        let mut words = text.splitn(3, ':');
        let word = words.next().unwrap_or_default();
        let seed = word.parse();
        let seed = seed.map_err(|_| FaultError::of(word, "a seed", "a number from 0"))?;
        let mut plan = Plan::new(seed);
        if let Some(word) = words.next() {
            let count = word.parse().ok().filter(|n| (1..=MOST).contains(n));
            let wrong = || FaultError::of(word, "a number of faults", "1 to 1000");
            plan.count = count.ok_or_else(wrong)?;
        }
        if let Some(word) = words.next() {
            let wrong = || FaultError::of(word, "a time", "such as 500ms or 5min");
            plan.span_us = time(word).ok_or_else(wrong)?;
        }
        Ok(plan)
    }
}

/// `SEED:COUNT:TIME`; a choice of kinds has no text.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = time_text(self.span_us);
        write!(f, "{}:{}:{span}", self.seed, self.count)
    }
}

/// What a driver of sockets says.
const COMMANDS: &[&str] = &[
    "any", "+QISEND", "+QIRD", "+QIOPEN", "+QICLOSE", "+QISTATE", "+QIACT", "+QIDEACT", "+CEREG",
    "+CSQ", "E", "+CMEE",
];

/// Nothing that a host would have to believe although it is not true.
const URCS: &[&str] = &[
    "+CEREG: 1",
    "+CREG: 1",
    "+CGREG: 1",
    "+QIND: \"csq\",20,99",
    "+QIND: SMS DONE",
    "+QUSIM: 1",
    "+CPIN: READY",
    "+QIURC: \"recv\",0",
    "+QIURC: \"recv\",11",
    "+QIURC: \"pdpdeact\",1",
    "RDY",
];

const STORMS: &[&str] = &[
    "+CEREG: 1",
    "+QIND: \"csq\",{},99",
    "+QIURC: \"recv\",{}",
    "+QIURC: \"recv\",0",
    "RDY",
];

/// Switches that modules in use differ in.
const SWITCHES: &[&str] = &[
    "closed-urc:after-drain",
    "recv-urc:after-zero-read",
    "payload-urcs:pass",
    "send-timeout:fail",
    "close-answer:both-closed",
    "close-timeout:linger",
    "rows:short",
    "cme-form:text",
    "cme-blank:off",
    "tcpip-cme:on",
    "client-state-3:on",
    "line-echo:at-end",
    "nagle:on",
    "connect-ids:5",
    "activate-again-fails:on",
];

/// From a blink to more than any command may take, in µs.
const TIMES_US: &[u64] = &[
    1_000,
    40_000,
    300_000,
    1_200_000,
    6_000_000,
    30_000_000,
    160_000_000,
];

struct Draw {
    rng: Rng,
    span_us: u64,
    from: Origin,
}

impl Draw {
    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.rng.up_to(all.len() as u64 - 1) as usize]
    }

    fn fault(&mut self, kind: &str) -> String {
        let arguments = match kind {
            "drop" | "double" => {
                let (place, times) = self.place();
                format!("{place}{times}")
            }
            "corrupt" => {
                let (place, times) = self.place();
                format!("{place}:{:#04x}{times}", 1 + self.rng.up_to(254))
            }
            "stall" => {
                let (place, times) = self.place();
                format!("{place}:{}{times}", self.time())
            }
            "ignore" | "refuse" | "lose-answer" => format!("{}{}", self.command(), self.times()),
            "slow" | "late" => format!("{}:{}{}", self.command(), self.time(), self.times()),
            "slow-payload" => format!("{}{}", self.time(), self.times()),
            "urc" => self.urc(),
            "urc-port" => self.one_of(&["usbat", "uart1", "all"]).to_string(),
            "reset" | "silent-reset" => self.when(),
            "mute" => {
                let (place, times) = self.place_or_time();
                format!("{place}:{}{times}", self.time())
            }
            "pdpdeact" => format!("1:{}", self.when()),
            "storm" => {
                let count = self.one_of(&[1, 3, 20, 200]);
                let every = self.one_of(&["0s", "1ms", "50ms"]);
                let (text, when) = (self.one_of(STORMS), self.when());
                format!("{count}:\"{text}\":{every}:{when}")
            }
            "already-active" => "1".into(),
            "switch" => self.one_of(SWITCHES).to_string(),
            // Those that happen the next so many times: `lose-recv` and others.
            _ => format!("{}", 1 + self.rng.up_to(2)),
        };
        format!("{kind}:{arguments}")
    }

    fn urc(&mut self) -> String {
        const SPOTS: &[&str] = &[
            "after-echo",
            "before-answer",
            "between-rows",
            "before-ok",
            "after-answer",
            "before-prompt",
            "before-send-ok",
        ];
        let spot = self.one_of(SPOTS);
        let command = match spot {
            "before-prompt" | "before-send-ok" => "+QISEND",
            _ => self.command(),
        };
        let text = self.one_of(URCS);
        format!("{spot}:{command}:\"{text}\"{}", self.times())
    }

    fn command(&mut self) -> &'static str {
        self.one_of(COMMANDS)
    }

    fn time(&mut self) -> String {
        time_text(self.one_of(TIMES_US))
    }

    /// Mostly once, and nothing for that.
    fn times(&mut self) -> &'static str {
        self.one_of(&["", "", "", ":2", ":3"])
    }

    fn when(&mut self) -> String {
        let (place, times) = self.place_or_time();
        format!("{place}{times}")
    }

    fn place_or_time(&mut self) -> (String, &'static str) {
        match self.rng.up_to(1) {
            0 => {
                let at = self.rng.up_to(self.span_us);
                (time_text(self.from.now.saturating_add(at)), "")
            }
            _ => self.place(),
        }
    }

    /// A byte, and how often it is meant.
    fn place(&mut self) -> (String, &'static str) {
        let (from, bytes) = (self.from, self.rng.up_to(BYTES));
        match self.rng.up_to(4) {
            0 => (format!("host:{}", from.to_host + bytes), ""),
            1 => (format!("module:{}", from.to_module + bytes), ""),
            2 => {
                // Most answers are short.
                let longest = self.one_of(&[5, 20, 1_500]);
                let (command, byte) = (self.command(), self.rng.up_to(longest));
                (format!("answer:{command}:{byte}"), self.times())
            }
            3 => (format!("prompt:{}", self.rng.up_to(3)), self.times()),
            _ => (format!("payload:{}", self.rng.up_to(1_459)), self.times()),
        }
    }
}
