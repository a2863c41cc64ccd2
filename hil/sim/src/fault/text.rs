//! A fault written out: the text that parses to it again.

use std::fmt::{Display, Formatter, Result};

use super::{Fault, SPOTS};
use crate::faults::{Damage, Incident, Mishap, Part, Place, Times, UrcPlace};

/// The text that parses to this fault again.
///
/// Values that no text gives are written as the nearest that has one: a byte of the whole line happens
/// once, and only `+QISEND` has a payload.
impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Fault::Line {
                place,
                damage,
                times,
            } => {
                write!(f, "{}:{}", damage.name(), Text(place))?;
                match damage {
                    Damage::Drop | Damage::Double => {}
                    Damage::Corrupt(mask) => write!(f, ":{mask:#04x}")?,
                    Damage::Stall(us) => write!(f, ":{}", time_text(*us))?,
                }
                write!(f, "{}", Text(&times.at(place)))
            }
            Fault::At { at, incident } => happens(f, incident, &time_text(*at)),
            Fault::Byte {
                place,
                incident,
                times,
            } => {
                happens(f, incident, &Text(place).to_string())?;
                write!(f, "{}", Text(&times.at(place)))
            }
            Fault::Urc {
                place,
                command,
                text,
                times,
            } => {
                let (spot, command) = (place.name(), named(command));
                write!(f, "urc:{spot}:{command}:\"{text}\"{}", Text(times))
            }
            Fault::Late {
                part,
                command,
                by_us,
                times,
            } => {
                let (by, times) = (time_text(*by_us), Text(times));
                match part {
                    Part::Command => write!(f, "slow:{}:{by}{times}", named(command)),
                    Part::Answer => write!(f, "late:{}:{by}{times}", named(command)),
                    Part::Payload => write!(f, "slow-payload:{by}{times}"),
                }
            }
            Fault::Spoil {
                what,
                command,
                times,
            } => {
                let name = match what {
                    Mishap::Ignore => "ignore",
                    Mishap::Refuse => "refuse",
                    Mishap::LoseAnswer => "lose-answer",
                };
                write!(f, "{name}:{}{}", named(command), Text(times))
            }
            Fault::LosePrompt(times) => write!(f, "lose-prompt{}", Text(times)),
            Fault::RefusePrompt(times) => write!(f, "refuse-prompt{}", Text(times)),
            Fault::SendFail(times) => write!(f, "send-fail{}", Text(times)),
            Fault::LoseRecv(times) => write!(f, "lose-recv{}", Text(times)),
            Fault::LoseClosed(times) => write!(f, "lose-closed{}", Text(times)),
            Fault::UrcPort(port) => write!(f, "urc-port:{port}"),
            Fault::AlreadyActive(context) => write!(f, "already-active:{context}"),
            Fault::Switch(switch) => write!(f, "switch:{switch}"),
        }
    }
}

fn happens(f: &mut Formatter<'_>, incident: &Incident, when: &str) -> Result {
    match incident {
        Incident::Reset => write!(f, "reset:{when}"),
        Incident::SilentReset => write!(f, "silent-reset:{when}"),
        Incident::PdpDeact(context) => write!(f, "pdpdeact:{context}:{when}"),
        Incident::Mute(us) => write!(f, "mute:{when}:{}", time_text(*us)),
        Incident::Storm(storm) => {
            let every = time_text(storm.every_us);
            write!(f, "storm:{}:\"{}\":{every}:{when}", storm.count, storm.text)
        }
    }
}

/// A command; no name stands for all.
fn named(command: &str) -> &str {
    if command.is_empty() { "any" } else { command }
}

/// A time in µs with its unit, in no more digits than [`super::time`] takes.
pub(crate) fn time_text(us: u64) -> String {
    match us {
        0 => "0s".into(),
        us if us >= 1_000_000_000 && us % 1_000_000 > 0 => {
            format!("{}.{:06}s", us / 1_000_000, us % 1_000_000)
        }
        us if us % 1_000_000 == 0 => format!("{}s", us / 1_000_000),
        us if us % 1_000 == 0 => format!("{}ms", us / 1_000),
        us => format!("{us}us"),
    }
}

/// How a part of a fault is written.
struct Text<T>(T);

impl Display for Text<&Place> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Place::ToHost(byte) => write!(f, "host:{byte}"),
            Place::ToModule(byte) => write!(f, "module:{byte}"),
            Place::Answer(command, byte) => write!(f, "answer:{}:{byte}", named(command)),
            Place::Prompt(byte) => write!(f, "prompt:{byte}"),
            Place::Payload(byte) => write!(f, "payload:{byte}"),
        }
    }
}

/// With its colon; nothing for once.
impl Display for Text<&Times> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Times::Once => Ok(()),
            Times::Times(n) => write!(f, ":{n}"),
            Times::Always => f.write_str(":always"),
        }
    }
}

impl Times {
    /// How often at this place.
    fn at(self, place: &Place) -> Times {
        match place {
            Place::ToHost(_) | Place::ToModule(_) => Times::Once,
            Place::Answer(..) | Place::Prompt(_) | Place::Payload(_) => self,
        }
    }
}

impl Damage {
    fn name(self) -> &'static str {
        match self {
            Damage::Drop => "drop",
            Damage::Double => "double",
            Damage::Corrupt(_) => "corrupt",
            Damage::Stall(_) => "stall",
        }
    }
}

impl UrcPlace {
    fn name(self) -> &'static str {
        let found = SPOTS.iter().find(|(_, place)| *place == self);
        found.map_or("", |(name, _)| name)
    }
}
