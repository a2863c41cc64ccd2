//! What comes after a prompt: the payload of an `AT+QISEND`, and what it is answered with.

use std::collections::VecDeque;

use super::{CTRL_Z, Channel, Io, Job, SEND, State, damage, injected};
use crate::at::reply::Final;
use crate::at::table::Payload;
use crate::commands::qicfg::Key;
use crate::faults::{Effect, Mishap, Part, Target, UrcPlace, When};
use crate::module::{Module, Wait};
use crate::profile::{EscapeAnswer, Prompt, SendTimeout};
use crate::trace::Content;

const ESC: u8 = 0x1B;

/// What comes after a prompt.
#[derive(Debug)]
pub(super) struct DataPhase {
    payload: Payload,
    /// When the module stops waiting for it.
    pub(super) until: Option<u64>,
    data: Vec<u8>,
    /// A line feed that arrives by this time belongs to the command line.
    line_feed_until: Option<u64>,
}

impl DataPhase {
    /// How many bytes are waited for, and which ones are looked at earlier.
    pub(super) fn awaits(&self, module: &Module) -> (usize, &'static [u8]) {
        match self.line_feed_until {
            Some(_) => (1, &[]),
            None => self.lacks(module),
        }
    }

    /// The same without regard to a line feed that may belong to the command line.
    fn lacks(&self, module: &Module) -> (usize, &'static [u8]) {
        let have = self.data.len();
        match self.payload.length {
            Some(length) if module.profile.escape_ends_fixed => {
                (length.saturating_sub(have), &[ESC])
            }
            Some(length) => (length.saturating_sub(have), &[]),
            None => {
                let longest = module.profile.longest_payload;
                (longest.saturating_sub(have), &[CTRL_Z, ESC])
            }
        }
    }

    /// How many of these bytes, which follow those that are coming, are payload.
    pub(super) fn payload_in(&self, module: &Module, coming: &VecDeque<u8>, bytes: &[u8]) -> usize {
        let (lacks, ends) = self.lacks(module);
        if coming.iter().any(|byte| ends.contains(byte)) {
            return 0;
        }
        // What is too much is swallowed until the end.
        let most = match self.payload.length.is_some() || module.profile.full_payload_sends {
            true => lacks.saturating_sub(coming.len()).min(bytes.len()),
            false => bytes.len(),
        };
        let end = bytes.iter().position(|byte| ends.contains(byte));
        end.map_or(most, |end| most.min(end + 1))
    }
}

/// How a data phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Complete,
    Escaped,
    TimedOut,
}

impl Channel {
    pub(super) fn prompt(&mut self, job: &mut Job, payload: Payload, io: &mut Io<'_>) {
        let mut before = std::mem::take(&mut job.answer);
        before.extend(injected(io.module, UrcPlace::BeforePrompt, &job.name));
        let end = io.module.settings.format().end;
        let prompt = match io.module.profile.prompt {
            _ if io.module.settings.qicfg.get(Key::FormatCfg, 0) == 1 => Prompt::Line,
            prompt => prompt,
        };
        let prompt = match prompt {
            Prompt::Blank => [&end[..], b"> "].concat(),
            Prompt::Bare => [&end[..], b">"].concat(),
            Prompt::Line => [&end[..], b">", &end].concat(),
        };
        if !io.module.faults.lose_prompt.count() {
            damage(io, Target::Prompt, &job.name, before.len(), prompt.len());
            io.to_host.push(io.now, &[before, prompt].concat());
        }
        let longest = io.module.profile.longest_payload;
        damage_payload(io, payload.length.unwrap_or(longest));
        // No host has seen the prompt before its last byte is sent.
        let sent = io.to_host.idle_at().unwrap_or(io.now);
        self.scanned = 0;
        self.state = State::Data(DataPhase {
            payload,
            until: payload.limit_us.map(|limit| io.now + limit),
            data: Vec::new(),
            line_feed_until: (!io.module.profile.line_feed_is_payload).then_some(sent),
        });
    }

    /// Drops the line feed of `\r\n`. A payload may begin with one too, but that comes later.
    fn skip_line_feed(&mut self, phase: &mut DataPhase, io: &mut Io<'_>) -> bool {
        let Some(until) = phase.line_feed_until else {
            return false;
        };
        if io.from_host.arrived() == 0 && io.now <= until {
            return false;
        }
        phase.line_feed_until = None;
        if io.now <= until && io.from_host.queue().front() == Some(&b'\n') {
            self.take(io.from_host, 1);
        }
        true
    }

    pub(super) fn read_payload(&mut self, mut phase: DataPhase, io: &mut Io<'_>) -> bool {
        let mut progress = self.skip_line_feed(&mut phase, io);
        let before = phase.data.len();
        let mut ended = None;
        let profile = &io.module.profile;
        let (fixed, fills) = (phase.payload.length, profile.full_payload_sends);
        let escapes = fixed.is_none() || profile.escape_ends_fixed;
        let longest = fixed.unwrap_or(profile.longest_payload);
        if !escapes {
            phase.data.extend(self.take(io.from_host, longest - before));
        }
        while escapes && ended.is_none() && io.from_host.arrived() > 0 {
            match self.take(io.from_host, 1).first() {
                Some(&CTRL_Z) if fixed.is_none() => ended = Some(Ended::Complete),
                Some(&ESC) => ended = Some(Ended::Escaped),
                Some(&byte) if phase.data.len() < longest => phase.data.push(byte),
                _ => {}
            }
            if fills && phase.data.len() == longest || fixed == Some(phase.data.len()) {
                break;
            }
        }
        let full = phase.data.len() == longest && (fixed.is_some() || fills);
        if ended.is_none() && full {
            ended = Some(Ended::Complete);
        }
        if ended.is_none() && phase.until.is_some_and(|until| until <= io.now) {
            ended = Some(Ended::TimedOut);
        }
        let Some(ended) = ended else {
            progress |= phase.data.len() > before;
            self.state = State::Data(phase);
            return progress;
        };
        self.scanned = 0;
        let DataPhase { payload, data, .. } = phase;
        if echoes_payload(io.module) {
            io.to_host.push_as(Content::Payload, io.now, &data);
        }
        let at = io.now + self.latency + io.module.faults.delay(Part::Payload, SEND);
        self.state = State::Sending(at, payload, data, ended);
        true
    }

    pub(super) fn send_payload(
        &mut self,
        payload: Payload,
        data: &[u8],
        ended: Ended,
        io: &mut Io<'_>,
    ) {
        let nothing = data.is_empty() && io.module.profile.empty_send_fails;
        let code = match (ended, io.module.profile.send_timeout) {
            (Ended::Complete, _) if nothing => Final::SendFail,
            (Ended::Complete, _) | (Ended::TimedOut, SendTimeout::SendPart) => {
                let code = io.module.send_payload(payload.id, payload.to, data);
                io.module.send_code(code)
            }
            (Ended::Escaped, _) => {
                io.module.last_error = 571;
                match io.module.profile.escape {
                    EscapeAnswer::Ok => Final::Ok,
                    EscapeAnswer::SendFail => Final::SendFail,
                    EscapeAnswer::OkSendOk => Final::OkSendOk,
                }
            }
            (Ended::TimedOut, SendTimeout::Fail) => {
                io.module.last_error = 569;
                Final::SendFail
            }
            (Ended::TimedOut, _) => io.module.failure(569),
        };
        if io.module.awaits_acknowledgement(payload.id, code) {
            let job = Job {
                name: SEND.into(),
                ..Job::default()
            };
            let wait = Wait::Acknowledged { id: payload.id };
            self.state = State::Blocked(job, wait);
            return;
        }
        let by = io.module.faults.delay(Part::Answer, SEND);
        self.state = State::LateResult(io.now + by, code);
        if by == 0 {
            self.send_result(code, io);
        }
    }

    /// Sends what ends an `AT+QISEND`.
    pub(super) fn send_result(&mut self, code: Final, io: &mut Io<'_>) {
        self.state = State::Command;
        if io.module.faults.mishap(Mishap::LoseAnswer, SEND) {
            return;
        }
        let before = injected(io.module, UrcPlace::BeforeSendOk, SEND);
        let format = io.module.settings.format();
        let answer = code.bytes(io.module.settings.cmee, &io.module.profile, format);
        let after = injected(io.module, UrcPlace::AfterAnswer, SEND);
        damage(io, Target::Answer, SEND, before.len(), answer.len());
        io.to_host.push(io.now, &[before, answer, after].concat());
    }
}

fn echoes_payload(module: &Module) -> bool {
    match module.profile.payload_echo_by_ate {
        true => module.settings.echo,
        false => module.settings.payload_echo,
    }
}

/// The same for the payload that the host is going to send.
fn damage_payload(io: &mut Io<'_>, len: usize) {
    let first = io.from_host.position();
    for (byte, effect) in io.module.faults.placed(Target::Payload, SEND, len) {
        let position = first + byte;
        match effect {
            Effect::Damage(damage) => io.from_host.add_fault(damage.at(position)),
            Effect::Incident(incident) => {
                let when = When::ByteToModule(position);
                io.module.faults.incidents.push_back((when, incident));
            }
        }
    }
}
