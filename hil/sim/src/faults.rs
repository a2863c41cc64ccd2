//! Faults that a test asks for: URCs in awkward places, lost URCs, late answers, and the like.
//!
//! Faults of the line itself are in [`crate::LineFault`].

use std::collections::VecDeque;

use crate::at::reply::framed;

/// Where an injected URC stands in the dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UrcPlace {
    /// Between the echo of a command, or its `\r` if there is no echo, and anything else.
    AfterEcho,
    /// Directly before the answer; for `AT+QIRD` before its header.
    BeforeAnswer,
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
    /// Counts one; false if there is none left.
    fn count(&mut self) -> bool {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Incident {
    /// The module restarts: the line is cut, everything not saved is gone, `RDY` after the boot time.
    Reset,
    /// The network takes a PDP context away.
    PdpDeact(u8),
    /// The module neither listens nor speaks for this long, in µs. What it is sent is lost.
    Mute(u64),
}

/// The faults that are waiting to happen.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    injections: Vec<Injection>,
    delays: Vec<Delay>,
    pub(crate) incidents: VecDeque<(When, Incident)>,
    /// The next recv URCs that are lost.
    pub(crate) lose_recv: u32,
    /// The next closed URCs that are lost.
    pub(crate) lose_closed: u32,
    /// The next payloads answered with `SEND FAIL`.
    pub(crate) send_fail: u32,
    /// The next prompts replaced by `ERROR`.
    pub(crate) refuse_prompt: u32,
    /// The module is mute until then.
    pub(crate) mute_until: Option<u64>,
}

impl Faults {
    pub(crate) fn inject(&mut self, place: UrcPlace, command: &str, text: &str, times: Times) {
        self.injections.push(Injection {
            place,
            command: command.to_ascii_uppercase(),
            bytes: framed(text),
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
        self.injections.retain(|one| one.times != Times::Times(0));
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
        self.delays.retain(|one| one.times != Times::Times(0));
        by
    }

    /// Counts one of the faults of this kind; false if none is waiting.
    pub(crate) fn count(left: &mut u32) -> bool {
        let any = *left > 0;
        *left = left.saturating_sub(1);
        any
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
