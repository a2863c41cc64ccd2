//! A fault as a value, and its text form: what the command is given, and what tests can be given.

mod text;

use std::fmt;
use std::str::FromStr;

use crate::commands;
use crate::faults::{Damage, Incident, Mishap, Part, Place, Storm, Times, UrcPlace};
use crate::switches::{Allowed, Switch};

pub(crate) use text::time_text;

/// A fault for [`Sim::add_fault`](crate::Sim::add_fault), often parsed from text.
///
/// ```
/// use quectel_sim::Fault;
///
/// let fault: Fault = "urc:before-prompt:+QISEND:\"+CEREG: 1\":2".parse().unwrap();
/// let error = "drop:host:x".parse::<Fault>().unwrap_err();
/// assert_eq!(error.to_string(), "'x' is not a byte position: a number, from 0");
///
/// // Written out, it is the same text.
/// assert_eq!(fault.to_string(), "urc:before-prompt:+QISEND:\"+CEREG: 1\":2");
/// ```
///
/// # The text
///
/// ```text
#[doc = include_str!("fault.txt")]
/// ```
///
/// # What goes wrong with drivers
///
#[doc = include_str!("troubles.md")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// A byte on the serial line is lost, doubled, changed or late.
    Line {
        /// Which byte.
        place: Place,
        /// What happens to it.
        damage: Damage,
        /// How often, if the place is one that comes again; elsewhere once.
        times: Times,
    },
    /// Something happens at a time.
    At {
        /// The time in µs since the simulation began.
        at: u64,
        /// What happens.
        incident: Incident,
    },
    /// Something happens when a byte has passed.
    Byte {
        /// Which byte.
        place: Place,
        /// What happens.
        incident: Incident,
        /// How often, if the place is one that comes again; elsewhere once.
        times: Times,
    },
    /// A URC comes in the dialogue of a command.
    Urc {
        /// Where in the dialogue.
        place: UrcPlace,
        /// The command; an empty one stands for all.
        command: String,
        /// The URC without its CRLFs.
        text: String,
        /// How often.
        times: Times,
    },
    /// A part of a command is late.
    Late {
        /// Which part.
        part: Part,
        /// The command; an empty one stands for all.
        command: String,
        /// By how much, in µs.
        by_us: u64,
        /// How often.
        times: Times,
    },
    /// A command is ignored, refused, or not answered.
    Spoil {
        /// Which of these.
        what: Mishap,
        /// The command; an empty one stands for all.
        command: String,
        /// How often.
        times: Times,
    },
    /// The prompt is lost, and payload is awaited.
    LosePrompt(Times),
    /// `ERROR` instead of the prompt.
    RefusePrompt(Times),
    /// `SEND FAIL`, and the payload is dropped.
    SendFail(Times),
    /// The recv URC is lost.
    LoseRecv(Times),
    /// The closed URC is lost.
    LoseClosed(Times),
    /// All URCs go to this port.
    UrcPort(String),
    /// A context is active already, and `AT+QIACT` answers `ERROR`.
    AlreadyActive(u8),
    /// Another behaviour that modules have.
    Switch(Switch),
}

impl Fault {
    /// The names of all faults: what its text form begins with.
    pub fn names() -> Vec<&'static str> {
        NAMES.iter().map(|(name, _)| *name).collect()
    }

    /// The text form of all faults, with a list of the switches; what `--help` prints.
    pub fn help() -> String {
        let grammar = include_str!("fault.txt");
        format!("{grammar}\nSwitches:\n{}", Switch::list())
    }
}

/// Text that is no fault: which part of it is wrong, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultError(String);

impl FaultError {
    pub(crate) fn of(word: &str, what: &str, allowed: &str) -> FaultError {
        FaultError(format!("'{word}' is not {what}: {allowed}"))
    }
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FaultError {}

type Result<T> = std::result::Result<T, FaultError>;

type Parse = fn(&mut Words<'_>) -> Result<Fault>;

/// The faults by name, in the order of the help.
const NAMES: &[(&str, Parse)] = &[
    ("drop", |w| line(w, |_| Ok(Damage::Drop))),
    ("double", |w| line(w, |_| Ok(Damage::Double))),
    ("corrupt", |w| line(w, |w| Ok(Damage::Corrupt(w.mask()?)))),
    ("stall", |w| line(w, |w| Ok(Damage::Stall(w.time()?)))),
    ("ignore", |w| spoil(w, Mishap::Ignore)),
    ("refuse", |w| spoil(w, Mishap::Refuse)),
    ("lose-answer", |w| spoil(w, Mishap::LoseAnswer)),
    ("slow", |w| late(w, Part::Command)),
    ("late", |w| late(w, Part::Answer)),
    ("slow-payload", |w| {
        Ok(Fault::Late {
            part: Part::Payload,
            command: "+QISEND".into(),
            by_us: w.time()?,
            times: w.times()?,
        })
    }),
    ("lose-prompt", |w| Ok(Fault::LosePrompt(w.times()?))),
    ("refuse-prompt", |w| Ok(Fault::RefusePrompt(w.times()?))),
    ("send-fail", |w| Ok(Fault::SendFail(w.times()?))),
    ("urc", urc),
    ("lose-recv", |w| Ok(Fault::LoseRecv(w.times()?))),
    ("lose-closed", |w| Ok(Fault::LoseClosed(w.times()?))),
    ("urc-port", |w| {
        let port = w.choice("a port", PORTS)?;
        Ok(Fault::UrcPort(port.into()))
    }),
    ("reset", |w| happens(w, |_| Ok(Incident::Reset))),
    ("silent-reset", |w| {
        happens(w, |_| Ok(Incident::SilentReset))
    }),
    ("mute", |w| happens(w, |w| Ok(Incident::Mute(w.time()?)))),
    ("pdpdeact", |w| {
        let context = w.context()?;
        happens(w, |_| Ok(Incident::PdpDeact(context)))
    }),
    ("storm", |w| {
        let storm = Storm {
            count: w.copies()?,
            text: w.quoted()?,
            every_us: w.time()?,
        };
        happens(w, |_| Ok(Incident::Storm(storm)))
    }),
    ("already-active", |w| {
        let context = if w.any_left() { w.context()? } else { 1 };
        Ok(Fault::AlreadyActive(context))
    }),
    ("switch", switch),
];

const PORTS: &[(&str, &str)] = &[
    ("usbat", "usbat"),
    ("usbmodem", "usbmodem"),
    ("uart1", "uart1"),
    ("uart2", "uart2"),
    ("all", "all"),
];

const SPOTS: &[(&str, UrcPlace)] = &[
    ("after-echo", UrcPlace::AfterEcho),
    ("before-answer", UrcPlace::BeforeAnswer),
    ("between-rows", UrcPlace::BetweenRows),
    ("before-ok", UrcPlace::BeforeOk),
    ("after-answer", UrcPlace::AfterAnswer),
    ("before-prompt", UrcPlace::BeforePrompt),
    ("before-send-ok", UrcPlace::BeforeSendOk),
];

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Fault> {
        let mut words = Words {
            all: text,
            at: Some(0),
        };
        let name = words.word("the name of a fault")?;
        let Some((_, parse)) = NAMES.iter().find(|(one, _)| *one == name) else {
            return Err(wrong(name, "the name of a fault", &names(NAMES)));
        };
        let fault = parse(&mut words)?;
        match words.at {
            None => Ok(fault),
            Some(at) => Err(FaultError(format!(
                "'{}' is too much behind '{}'",
                &text[at..],
                &text[..at - 1]
            ))),
        }
    }
}

fn line(words: &mut Words<'_>, damage: fn(&mut Words<'_>) -> Result<Damage>) -> Result<Fault> {
    let place = words.place()?;
    let damage = damage(words)?;
    let times = words.times_at(&place)?;
    Ok(Fault::Line {
        place,
        damage,
        times,
    })
}

fn spoil(words: &mut Words<'_>, what: Mishap) -> Result<Fault> {
    Ok(Fault::Spoil {
        what,
        command: words.command()?,
        times: words.times()?,
    })
}

fn late(words: &mut Words<'_>, part: Part) -> Result<Fault> {
    Ok(Fault::Late {
        part,
        command: words.command()?,
        by_us: words.time()?,
        times: words.times()?,
    })
}

fn urc(words: &mut Words<'_>) -> Result<Fault> {
    let place = words.choice("a spot in the dialogue", SPOTS)?;
    let command = words.command()?;
    let of_send = matches!(place, UrcPlace::BeforePrompt | UrcPlace::BeforeSendOk);
    if of_send && !matches!(command.as_str(), "" | "+QISEND") {
        let what = "a command with a prompt";
        return Err(wrong(&command, what, "+QISEND, or any"));
    }
    Ok(Fault::Urc {
        place,
        command,
        text: words.quoted()?,
        times: words.times()?,
    })
}

fn happens(
    words: &mut Words<'_>,
    incident: impl FnOnce(&mut Words<'_>) -> Result<Incident>,
) -> Result<Fault> {
    if words.starts_with_digit() {
        return Ok(Fault::At {
            at: words.time()?,
            incident: incident(words)?,
        });
    }
    let place = words.place_as("a time or a place", |places| {
        format!("a time such as 10s, {places}")
    })?;
    let incident = incident(words)?;
    let times = words.times_at(&place)?;
    Ok(Fault::Byte {
        place,
        incident,
        times,
    })
}

fn switch(words: &mut Words<'_>) -> Result<Fault> {
    let what = "the name of a switch";
    let name = words.word(what)?;
    let row = Switch::find(name).map_err(|Allowed(names)| wrong(name, what, &names))?;
    let what = format!("a value of {name}");
    let value = words.remainder(&what)?;
    let switch = Switch::to(row, value).map_err(|Allowed(values)| wrong(value, &what, &values))?;
    Ok(Fault::Switch(switch))
}

fn wrong(word: &str, what: &str, allowed: &str) -> FaultError {
    FaultError::of(word, what, allowed)
}

fn names<T>(choices: &[(&str, T)]) -> String {
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// A time with its unit, in µs; at most about three years.
pub(crate) fn time(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit {
        "us" | "µs" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "min" => 60_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.len() > 9 || fraction.len() > 6 {
        return None;
    }
    let part: u64 = fraction.parse().ok()?;
    let us = whole.parse::<u64>().ok()? * unit + part * unit / 10u64.pow(fraction.len() as u32);
    (us <= 100_000_000_000_000).then_some(us)
}

/// The text and how far it was read.
struct Words<'a> {
    all: &'a str,
    /// Where the next word begins; none if there is no more.
    at: Option<usize>,
}

const POSITION: (&str, &str) = ("a byte position", "a number, from 0");
const TIME: (&str, &str) = ("a time", "a number with its unit, such as 500ms or 1.5s");
const CONTEXT: (&str, &str) = ("a PDP context", "1 to 16");
const COMMAND: (&str, &str) = (
    "a command",
    "one that the module knows, without its AT, such as +QIRD, or any",
);
const PLACES: &str = "host:N, module:N, answer:COMMAND:N, prompt:N or payload:N";

impl<'a> Words<'a> {
    fn any_left(&self) -> bool {
        self.at.is_some()
    }

    fn rest(&self) -> &'a str {
        self.at.map_or("", |at| &self.all[at..])
    }

    fn starts_with_digit(&self) -> bool {
        self.rest().starts_with(|c: char| c.is_ascii_digit())
    }

    /// The next word, which is to be `what`.
    fn word(&mut self, what: &str) -> Result<&'a str> {
        let Some(at) = self.at else {
            return Err(FaultError(format!(
                "'{}' goes on with {what}: '{}:...'",
                self.all, self.all
            )));
        };
        let word = self.rest().split(':').next().unwrap_or_default();
        let end = at + word.len();
        self.at = (end < self.all.len()).then_some(end + 1);
        Ok(word)
    }

    /// All that is left, which is to be `what` and may hold colons.
    fn remainder(&mut self, what: &str) -> Result<&'a str> {
        if self.at.is_none() {
            return self.word(what);
        }
        let rest = self.rest();
        self.at = None;
        Ok(rest)
    }

    fn parsed<T>(
        &mut self,
        (what, allowed): (&str, &str),
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T> {
        let word = self.word(&format!("{what} ({allowed})"))?;
        parse(word).ok_or_else(|| wrong(word, what, allowed))
    }

    fn choice<T: Copy>(&mut self, what: &str, choices: &[(&str, T)]) -> Result<T> {
        let allowed = names(choices);
        self.parsed((what, &allowed), |word| {
            let found = choices.iter().find(|(name, _)| *name == word);
            found.map(|(_, value)| *value)
        })
    }

    fn time(&mut self) -> Result<u64> {
        self.parsed(TIME, time)
    }

    fn mask(&mut self) -> Result<u8> {
        self.parsed(("a mask", "1 to 255, or 0x01 to 0xff"), |word| {
            let hex = word.strip_prefix("0x").or(word.strip_prefix("0X"));
            let mask = match hex {
                Some(digits) => u8::from_str_radix(digits, 16),
                None => word.parse(),
            };
            mask.ok().filter(|mask| *mask > 0)
        })
    }

    fn context(&mut self) -> Result<u8> {
        self.parsed(CONTEXT, |word| {
            word.parse().ok().filter(|id| (1..=16).contains(id))
        })
    }

    /// A command without its `AT`, in capitals; empty for any.
    fn command(&mut self) -> Result<String> {
        self.parsed(COMMAND, |word| {
            let name = word.to_ascii_uppercase();
            let name = match name.strip_prefix("AT") {
                Some(rest) if !rest.is_empty() => rest,
                _ => &name,
            };
            match name {
                "ANY" => Some(String::new()),
                _ => commands::exists(name).then(|| name.to_owned()),
            }
        })
    }

    fn copies(&mut self) -> Result<u32> {
        self.parsed(("a number of URCs", "1 to 10000"), |word| {
            let number = word.parse().ok();
            number.filter(|n| (1..=Storm::MOST).contains(n))
        })
    }

    fn byte(&mut self) -> Result<u64> {
        self.parsed(POSITION, |word| word.parse().ok())
    }

    fn place(&mut self) -> Result<Place> {
        self.place_as("a place", str::to_owned)
    }

    fn place_as(&mut self, what: &str, allowed: impl FnOnce(&str) -> String) -> Result<Place> {
        let allowed = allowed(PLACES);
        let kind = self.word(&format!("{what} ({allowed})"))?;
        Ok(match kind {
            "host" => Place::ToHost(self.byte()?),
            "module" => Place::ToModule(self.byte()?),
            "answer" => Place::Answer(self.command()?, self.byte()?),
            "prompt" => Place::Prompt(self.parsed(("a byte of the prompt", "0 to 3"), |word| {
                word.parse().ok().filter(|byte| *byte < 4)
            })?),
            "payload" => Place::Payload(self.byte()?),
            _ => return Err(wrong(kind, what, &allowed)),
        })
    }

    fn times(&mut self) -> Result<Times> {
        if !self.any_left() {
            return Ok(Times::Once);
        }
        let allowed = "a number from 1, or always";
        self.parsed(("a number of times", allowed), |word| match word {
            "always" => Some(Times::Always),
            _ => match word.parse().ok()? {
                0 => None,
                n => Some(Times::Times(n)),
            },
        })
    }

    /// How often, where the place comes again.
    fn times_at(&mut self, place: &Place) -> Result<Times> {
        match place {
            Place::ToHost(_) | Place::ToModule(_) => Ok(Times::Once),
            Place::Answer(..) | Place::Prompt(_) | Place::Payload(_) => self.times(),
        }
    }

    /// A text in quotes, which may hold colons and quotes: it ends at the last quote.
    fn quoted(&mut self) -> Result<String> {
        let (what, allowed) = ("a URC in quotes", "such as \"+CEREG: 1\"");
        let rest = self.rest();
        let inside = rest.strip_prefix('"').and_then(|rest| rest.rfind('"'));
        let Some(len) = inside.filter(|len| *len > 0) else {
            let word = self.word(&format!("{what} ({allowed})"))?;
            return Err(wrong(word, what, allowed));
        };
        let text = &rest[1..=len];
        let after = &rest[len + 2..];
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            let what = "part of a URC";
            return Err(wrong(
                &control.escape_default().to_string(),
                what,
                "no control characters",
            ));
        }
        self.at = match after.strip_prefix(':') {
            Some(more) => Some(self.all.len() - more.len()),
            None if after.is_empty() => None,
            None => return Err(wrong(after, "the end", "or a colon and a number of times")),
        };
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests;
