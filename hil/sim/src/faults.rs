//! Faults that a test asks for: URCs in awkward places, lost URCs, late answers, and the like.
//!
//! Faults of the line itself are in [`crate::LineFault`].

use std::collections::VecDeque;

use crate::at::reply::Format;
use crate::line::LineFault;

/// Where an injected URC stands in the dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UrcPlace {
    /// Between the echo of a command, or its `\r` if there is no echo, and anything else.
    AfterEcho,
    /// Directly before the answer; for `AT+QIRD` before its header.
    BeforeAnswer,
    /// Behind the first row of an information response that has several.
    BetweenRows,
    /// Between the information response and `OK`.
    BeforeOk,
    /// Directly after the final code, in the same write.
    AfterAnswer,
    /// Directly before the prompt.
    BeforePrompt,
    /// Between the payload, or its echo, and `SEND OK`.
    BeforeSendOk,
}

/// Which answer of a command is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The module takes longer to carry the command out: prompt or answer are late.
    Command,
    /// The module takes longer to take the payload over, and `SEND OK` is late with it.
    Payload,
    /// What the command does is done in time; only its final answer is late.
    Answer,
}

/// How often a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Times {
    /// The next time only.
    Once,
    /// So many times.
    Times(u32),
    /// Every time.
    Always,
}

impl Times {
    /// Nothing happens.
    pub(crate) const NEVER: Times = Times::Times(0);

    /// This and that.
    pub(crate) fn and(self, more: Times) -> Times {
        match (self, more) {
            (Times::Always, _) | (_, Times::Always) => Times::Always,
            (one, other) => Times::Times(one.number().saturating_add(other.number())),
        }
    }

    fn number(self) -> u32 {
        match self {
            Times::Once => 1,
            Times::Times(n) => n,
            Times::Always => u32::MAX,
        }
    }

    /// Counts one; false if there is none left.
    pub(crate) fn count(&mut self) -> bool {
        match self {
            Times::Always => true,
            Times::Once => {
                *self = Times::Times(0);
                true
            }
            Times::Times(0) => false,
            Times::Times(left) => {
                *left -= 1;
                true
            }
        }
    }
}

#[derive(Debug)]
struct Injection {
    place: UrcPlace,
    command: String,
    bytes: Vec<u8>,
    times: Times,
}

#[derive(Debug)]
struct Delay {
    part: Part,
    command: String,
    by_us: u64,
    times: Times,
}

/// A fault of one byte of the serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Damage {
    /// The byte is lost; its time on the line passes.
    Drop,
    /// The byte arrives twice.
    Double,
    /// The byte arrives changed: exclusive-or with this.
    Corrupt(u8),
    /// The line pauses before the byte, for this long in µs.
    Stall(u64),
}

impl Damage {
    /// This fault at a position of the line.
    pub(crate) fn at(self, position: u64) -> LineFault {
        match self {
            Damage::Drop => LineFault::Drop(position),
            Damage::Double => LineFault::Double(position),
            Damage::Corrupt(mask) => LineFault::Corrupt(position, mask),
            Damage::Stall(us) => LineFault::Stall(position, us),
        }
    }
}

/// What goes wrong with a whole command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mishap {
    /// It is echoed, but neither carried out nor answered.
    Ignore,
    /// It is not carried out, and answered with `ERROR`.
    Refuse,
    /// It is carried out, but the answer, or what ends an `AT+QISEND`, is lost.
    LoseAnswer,
}

/// A byte on the serial line.
///
/// Bytes are counted from 0. Faults do not change the count: a lost byte counts, a doubled one counts
/// once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// Of everything that the module sends.
    ToHost(u64),
    /// Of everything that the host sends.
    ToModule(u64),
    /// Of the next answer to this command that is long enough: information response and final
    /// code, or what ends an `AT+QISEND`. An empty command stands for all.
    Answer(String, u64),
    /// Of the next prompt, `\r\n> `.
    Prompt(u64),
    /// Of the next payload of `AT+QISEND` that is long enough.
    Payload(u64),
}

/// What a relative [`Place`] is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Answer,
    Prompt,
    Payload,
}

/// What happens at a relative [`Place`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Damage(Damage),
    Incident(Incident),
}

#[derive(Debug)]
struct Placed {
    target: Target,
    command: String,
    byte: u64,
    effect: Effect,
    times: Times,
}

/// When something happens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// At this time in µs.
    At(u64),
    /// When the module has sent the byte at this position; what follows it is cut off by a reset.
    ByteToHost(u64),
    /// When the module has received the byte at this position.
    ByteToModule(u64),
}

/// What happens by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Incident {
    /// The module restarts: the line is cut, everything not saved is gone, `RDY` after the boot time.
    Reset,
    /// The same, but neither `RDY` nor any of the URCs that follow it is sent.
    SilentReset,
    /// The network takes a PDP context away.
    PdpDeact(u8),
    /// The module neither listens nor speaks for this long, in µs. What it is sent is lost.
    Mute(u64),
    /// Many URCs come; or a single one, on its own.
    Storm(Storm),
}

/// URCs that come one after another, and what is sent of them so far.
///
/// Those that fall into a time in which the module is off, boots or is mute are lost.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Storm {
    /// How many.
    pub count: u32,
    /// The URC without its CRLFs. `{}` in it is the number of the copy, from 0.
    pub text: String,
    /// The time from one to the next in µs; 0 is back to back.
    pub every_us: u64,
}

impl Storm {
    /// The most copies that the text form takes.
    pub(crate) const MOST: u32 = 10_000;

    /// A copy of it.
    fn copy(&self, number: u32) -> String {
        self.text.replace("{}", &number.to_string())
    }
}

/// A storm that is going on.
#[derive(Debug)]
struct Blowing {
    storm: Storm,
    sent: u32,
    /// When the next copy is due.
    at: u64,
}

/// The faults that are waiting to happen.
#[derive(Debug)]
pub(crate) struct Faults {
    injections: Vec<Injection>,
    delays: Vec<Delay>,
    mishaps: Vec<(Mishap, String, Times)>,
    placed: Vec<Placed>,
    pub(crate) incidents: VecDeque<(When, Incident)>,
    storms: Vec<Blowing>,
    /// The next recv URCs that are lost.
    pub(crate) lose_recv: Times,
    /// The next closed URCs that are lost.
    pub(crate) lose_closed: Times,
    /// The next payloads answered with `SEND FAIL`.
    pub(crate) send_fail: Times,
    /// The next prompts replaced by `ERROR`.
    pub(crate) refuse_prompt: Times,
    /// The next prompts that are lost.
    pub(crate) lose_prompt: Times,
    /// The module is mute until then.
    pub(crate) mute_until: Option<u64>,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults {
            injections: Vec::new(),
            delays: Vec::new(),
            mishaps: Vec::new(),
            placed: Vec::new(),
            incidents: VecDeque::new(),
            storms: Vec::new(),
            lose_recv: Times::NEVER,
            lose_closed: Times::NEVER,
            send_fail: Times::NEVER,
            refuse_prompt: Times::NEVER,
            lose_prompt: Times::NEVER,
            mute_until: None,
        }
    }
}

impl Faults {
    pub(crate) fn inject(&mut self, place: UrcPlace, command: &str, text: &str, times: Times) {
        self.injections.push(Injection {
            place,
            command: command.to_ascii_uppercase(),
            bytes: Format::default().line(text),
            times,
        });
    }

    pub(crate) fn delay_answer(&mut self, part: Part, command: &str, by_us: u64, times: Times) {
        self.delays.push(Delay {
            part,
            command: command.to_ascii_uppercase(),
            by_us,
            times,
        });
    }

    /// The URCs injected at this place of this command.
    pub(crate) fn urcs(&mut self, place: UrcPlace, command: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for one in &mut self.injections {
            if one.place == place
                && (one.command.is_empty() || one.command == command)
                && one.times.count()
            {
                bytes.extend(&one.bytes);
            }
        }
        self.injections.retain(|one| one.times != Times::NEVER);
        bytes
    }

    /// How much later than usual this part of this command is, in µs.
    pub(crate) fn delay(&mut self, part: Part, command: &str) -> u64 {
        let mut by = 0;
        for one in &mut self.delays {
            if one.part == part
                && (one.command.is_empty() || one.command == command)
                && one.times.count()
            {
                by += one.by_us;
            }
        }
        self.delays.retain(|one| one.times != Times::NEVER);
        by
    }

    /// A storm begins.
    pub(crate) fn blow(&mut self, storm: Storm, now: u64) {
        self.storms.push(Blowing {
            storm,
            sent: 0,
            at: now,
        });
    }

    /// When the next URC of a storm is due.
    pub(crate) fn next_of_storms(&self) -> Option<u64> {
        self.storms.iter().map(|one| one.at).min()
    }

    /// The URCs of storms that are due.
    pub(crate) fn urcs_of_storms(&mut self, now: u64) -> Vec<String> {
        let mut urcs = Vec::new();
        for one in &mut self.storms {
            while one.sent < one.storm.count && one.at <= now {
                urcs.push(one.storm.copy(one.sent));
                one.sent += 1;
                one.at = one.at.saturating_add(one.storm.every_us);
            }
        }
        self.storms.retain(|one| one.sent < one.storm.count);
        urcs
    }

    pub(crate) fn add_mishap(&mut self, what: Mishap, command: &str, times: Times) {
        self.mishaps
            .push((what, command.to_ascii_uppercase(), times));
    }

    /// Whether this goes wrong with this command now.
    pub(crate) fn mishap(&mut self, what: Mishap, command: &str) -> bool {
        let hit = self
            .mishaps
            .iter_mut()
            .find(|(one, name, _)| *one == what && (name.is_empty() || name == command));
        let any = hit.is_some_and(|(_, _, times)| times.count());
        self.mishaps.retain(|(_, _, times)| *times != Times::NEVER);
        any
    }

    /// Lets something happen at a byte. Absolute places of the line itself are not for here.
    pub(crate) fn place(
        &mut self,
        target: Target,
        command: &str,
        byte: u64,
        effect: Effect,
        times: Times,
    ) {
        self.placed.push(Placed {
            target,
            command: command.to_ascii_uppercase(),
            byte,
            effect,
            times,
        });
    }

    /// What happens at which bytes of this answer, prompt or payload of `len` bytes.
    pub(crate) fn placed(
        &mut self,
        target: Target,
        command: &str,
        len: usize,
    ) -> Vec<(u64, Effect)> {
        let mut effects = Vec::new();
        for one in &mut self.placed {
            if one.target == target
                && (one.command.is_empty() || one.command == command)
                && one.byte < len as u64
                && one.times.count()
            {
                effects.push((one.byte, one.effect.clone()));
            }
        }
        self.placed.retain(|one| one.times != Times::NEVER);
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_injection_happens_at_its_place_as_often_as_asked() {
        let mut faults = Faults::default();
        faults.inject(UrcPlace::BeforeOk, "+qird", "X", Times::Times(2));
        assert_eq!(faults.urcs(UrcPlace::BeforeOk, "+QISEND"), b"");
        assert_eq!(faults.urcs(UrcPlace::AfterEcho, "+QIRD"), b"");
        assert_eq!(faults.urcs(UrcPlace::BeforeOk, "+QIRD"), b"\r\nX\r\n");
        assert_eq!(faults.urcs(UrcPlace::BeforeOk, "+QIRD"), b"\r\nX\r\n");
        assert_eq!(faults.urcs(UrcPlace::BeforeOk, "+QIRD"), b"");
        faults.delay_answer(Part::Answer, "", 5, Times::Always);
        assert_eq!(faults.delay(Part::Answer, "+QIRD"), 5);
        assert_eq!(faults.delay(Part::Answer, "+QIRD"), 5);
    }
}
