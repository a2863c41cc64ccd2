//! One AT port: the order in which commands, prompts, payload, answers and URCs pass.
//!
//! A command line is echoed as it comes in, and complete with its `\r`. It is carried out after the
//! latency, and answered in one piece; until then what follows waits in the receive buffer.

mod payload;

use std::collections::VecDeque;

use self::payload::{DataPhase, Ended};
use super::parse::Call;
use super::pipe::{Pipe, Turn};
use super::reply::{Final, Reply};
use super::table::{Outcome, Payload};
use crate::commands;
use crate::faults::{Effect, Mishap, Part, Target, UrcPlace, When};
use crate::line::Line;
use crate::module::{Module, Wait};
use crate::profile::{LineEcho, PayloadUrcs};
use crate::trace::Content;

const CTRL_Z: u8 = 0x1A;
/// URCs that wait; what is too much is lost.
const HELD_URCS: usize = 1_000;
/// The command that has a payload.
const SEND: &str = "+QISEND";

/// A command line being carried out.
#[derive(Debug, Default)]
struct Job {
    /// What is left of the line.
    rest: String,
    /// The command being carried out.
    name: String,
    /// Information responses so far.
    answer: Vec<u8>,
    /// Where in it the second row of this command begins.
    second_row: Option<usize>,
}

#[derive(Debug)]
enum State {
    /// A command line is awaited.
    Command,
    /// The next command of the line is carried out at this time.
    Due(u64, Job),
    /// A command blocks the port.
    Blocked(Job, Wait),
    /// The prompt was sent, and payload is awaited.
    Data(DataPhase),
    /// The payload is sent, or cancelled, at this time.
    Sending(u64, Payload, Vec<u8>, Ended),
    /// What ends an `AT+QISEND` is late on purpose.
    LateResult(u64, Final),
    /// A job whose answer is late on purpose.
    LateAnswer(u64, Job, Final),
    /// Transparent mode.
    Pipe(Pipe),
}

#[derive(Debug)]
pub(crate) struct Channel {
    state: State,
    /// Bytes at the front of the receive buffer in which the byte looked for is not.
    scanned: usize,
    /// What [`Line::changes`] said when they were looked at.
    changes: u64,
    /// Bytes at the front of the receive buffer that were echoed, or are not to be.
    echoed: usize,
    /// Something of the line that is coming in was echoed.
    in_line: bool,
    overlong: bool,
    /// What followed the `AT` of the last line, for `A/`.
    last_line: String,
    held_urcs: VecDeque<Vec<u8>>,
    latency: u64,
}

/// What the channel works on.
pub(crate) struct Io<'a> {
    pub(crate) now: u64,
    pub(crate) from_host: &'a mut Line,
    pub(crate) to_host: &'a mut Line,
    pub(crate) module: &'a mut Module,
}

impl Channel {
    pub(crate) fn new(latency: u64) -> Channel {
        Channel {
            state: State::Command,
            scanned: 0,
            changes: 0,
            echoed: 0,
            in_line: false,
            overlong: false,
            last_line: String::new(),
            held_urcs: VecDeque::new(),
            latency,
        }
    }

    /// The module restarted: nothing of what was going on is left.
    pub(crate) fn reset(&mut self) {
        *self = Channel::new(self.latency);
    }

    /// Whether no command is being carried out.
    pub(crate) fn between_commands(&self) -> bool {
        matches!(self.state, State::Command)
    }

    /// DTR goes off: the end of transparent mode, if `AT&D` says so.
    pub(crate) fn dtr_off(&mut self, io: &mut Io<'_>) {
        let State::Pipe(pipe) = &mut self.state else {
            return;
        };
        let code = match io.module.settings.numbers.get("&D", 0) {
            0 => return,
            1 => {
                pipe.flush(io);
                io.module.leave_pipe(pipe.id);
                Final::Ok
            }
            _ => {
                pipe.flush(io);
                io.module.hang_up(pipe.id);
                Final::NoCarrier
            }
        };
        self.state = State::Command;
        let format = io.module.settings.format();
        let bytes = code.bytes(io.module.settings.cmee, &io.module.profile, format);
        io.to_host.push(io.now, &bytes);
    }

    /// When the channel can go on by itself, given the receive buffer.
    pub(crate) fn next(
        &mut self,
        now: u64,
        from_host: &Line,
        to_host: &Line,
        module: &Module,
    ) -> Option<u64> {
        let push = !self.holds_urcs(module) && module.has_push();
        let push = push.then(|| Some(to_host.idle_at()?.max(now))).flatten();
        let own = match &self.state {
            State::Due(at, _)
            | State::Sending(at, ..)
            | State::LateResult(at, _)
            | State::LateAnswer(at, ..) => Some(*at),
            State::Blocked(_, wait) => module.wait_until(wait),
            State::Command => {
                let end = self.line_end(from_host, module);
                let index = match echoes_as_received(module) {
                    true if self.echoed < from_host.queue().len() => Some(self.echoed),
                    _ => end,
                };
                index.and_then(|index| from_host.arrival_of(index))
            }
            State::Data(phase) => {
                let (until, (most, ends)) = (phase.until, phase.awaits(module));
                let index = match ends {
                    [] => Some(most.saturating_sub(1)),
                    ends => self.find(from_host, most, |b| ends.contains(&b)),
                };
                let end = index.and_then(|index| from_host.arrival_of(index));
                end.into_iter().chain(until).min()
            }
            State::Pipe(pipe) => pipe.next(now, from_host, to_host, module),
        };
        // What arrives may be other than what was looked at.
        let changed = from_host.may_change().then(|| from_host.next_arrival());
        own.into_iter().chain(push).chain(changed.flatten()).min()
    }

    /// The place of the first byte that fits, or of the last one that may be waited for.
    fn find(&mut self, line: &Line, most: usize, fits: impl Fn(u8) -> bool) -> Option<usize> {
        if self.changes != line.changes() {
            (self.scanned, self.changes) = (0, line.changes());
        }
        let queue = line.queue();
        let scanned = self.scanned.min(queue.len());
        let found = queue
            .range(scanned..)
            .position(|&b| fits(b))
            .map(|i| scanned + i);
        self.scanned = found.unwrap_or(queue.len());
        match found {
            Some(index) => Some(index.min(most.saturating_sub(1))),
            None => (queue.len() >= most).then(|| most.saturating_sub(1)),
        }
    }

    fn take(&mut self, line: &mut Line, n: usize) -> Vec<u8> {
        let bytes: Vec<u8> = line.take(n).collect();
        self.scanned = self.scanned.saturating_sub(bytes.len());
        self.echoed = self.echoed.saturating_sub(bytes.len());
        bytes
    }

    /// How many of the bytes that the host is going to send are payload.
    pub(crate) fn payload_ahead(&self, module: &Module, from_host: &Line, bytes: &[u8]) -> usize {
        match &self.state {
            State::Pipe(_) => bytes.len(),
            State::Data(phase) => phase.payload_in(module, from_host.queue(), bytes),
            _ => 0,
        }
    }

    /// Whether a command is being carried out or answered.
    pub(crate) fn is_busy(&self) -> bool {
        !matches!(self.state, State::Command | State::Data(_) | State::Pipe(_))
    }

    /// Whether URCs must wait: payload is awaited, or passed through.
    fn holds_urcs(&self, module: &Module) -> bool {
        match self.state {
            State::Pipe(_) => true,
            State::Data(_) => module.profile.payload_urcs == PayloadUrcs::Wait,
            _ => false,
        }
    }

    /// Sends the URCs that have come up. True if that may bring up others.
    ///
    /// Data is pushed at the speed of the line: what waits holds the peer up by TCP's window.
    pub(crate) fn send_urcs(&mut self, io: &mut Io<'_>) -> bool {
        self.held_urcs.extend(io.module.take_urcs());
        if self.holds_urcs(io.module) {
            self.held_urcs.truncate(HELD_URCS);
            return false;
        }
        for urc in self.held_urcs.drain(..) {
            io.to_host.push_as(Content::Urc, io.now, &urc);
        }
        let mut pushed = false;
        while io.to_host.idle_at().is_some_and(|at| at <= io.now)
            && let Some(push) = io.module.take_push()
        {
            io.to_host.push_as(Content::Urc, io.now, &push);
            pushed = true;
        }
        pushed
    }

    /// Does what is due at `now`. False if that was nothing.
    pub(crate) fn tick(&mut self, io: &mut Io<'_>) -> bool {
        io.from_host.advance(io.now);
        match std::mem::replace(&mut self.state, State::Command) {
            State::Command => self.read_line(io),
            State::Due(at, mut job) if at <= io.now => {
                self.carry_out(&mut job, io);
                true
            }
            State::Blocked(mut job, wait) => match io.module.check(&wait) {
                Some(outcome) => {
                    self.proceed(&mut job, outcome, io);
                    true
                }
                None => {
                    self.state = State::Blocked(job, wait);
                    false
                }
            },
            State::Data(phase) => self.read_payload(phase, io),
            State::Sending(at, payload, data, ended) if at <= io.now => {
                self.send_payload(payload, &data, ended, io);
                true
            }
            State::LateResult(at, code) if at <= io.now => {
                self.send_result(code, io);
                true
            }
            State::LateAnswer(at, mut job, code) if at <= io.now => {
                self.answer_now(&mut job, code, io);
                true
            }
            State::Pipe(pipe) => self.pass(pipe, io),
            state => {
                self.state = state;
                false
            }
        }
    }

    /// Echoes what has arrived of the command line, its `\r` included. False if that is nothing.
    ///
    /// The line feed of a host that ends its lines with `\r\n` is not echoed.
    fn echo(&mut self, io: &mut Io<'_>) -> bool {
        if !echoes_as_received(io.module) {
            return false;
        }
        let before = self.echoed;
        let (end, repeats) = (terminator(io.module), self.repeats(io.from_host));
        while self.echoed < io.from_host.arrived() {
            let Some(&byte) = io.from_host.queue().get(self.echoed) else {
                break;
            };
            self.echoed += 1;
            if self.in_line || byte != b'\n' {
                self.in_line = byte != end;
                io.to_host.push_echo(io.now, byte);
            }
            if byte == end || repeats.is_some_and(|at| self.echoed > at) {
                break;
            }
        }
        self.echoed > before
    }

    /// The last byte of the command line that is coming in.
    fn line_end(&mut self, line: &Line, module: &Module) -> Option<usize> {
        let end = terminator(module);
        let longest = module.profile.longest_line;
        self.repeats(line)
            .or_else(|| self.find(line, longest, |b| b == end))
    }

    /// The end of `A/`, which has no terminator.
    fn repeats(&self, line: &Line) -> Option<usize> {
        let queue = line.queue();
        let mut bytes = queue.iter().take(8).enumerate();
        let (start, first) = bytes.find(|(_, byte)| !matches!(byte, b'\n' | b' '))?;
        let second = queue.get(start + 1)?;
        let repeats = first.eq_ignore_ascii_case(&b'A') && *second == b'/' && !self.overlong;
        repeats.then_some(start + 1)
    }

    fn read_line(&mut self, io: &mut Io<'_>) -> bool {
        let echoed = self.echo(io);
        let Some(index) = self.line_end(io.from_host, io.module) else {
            return echoed;
        };
        if index >= io.from_host.arrived() {
            return echoed;
        }
        let repeats = self.repeats(io.from_host) == Some(index);
        let mut line = self.take(io.from_host, index + 1);
        let end = terminator(io.module);
        if !repeats && line.last() != Some(&end) {
            self.overlong = true;
            return true;
        }
        self.in_line = false;
        let overlong = std::mem::take(&mut self.overlong);
        if io.module.settings.echo && io.module.profile.line_echo == LineEcho::AtEnd && !overlong {
            let start = line.iter().position(|&b| b != b'\n').unwrap_or(0);
            io.to_host.push_as(Content::Echo, io.now, &line[start..]);
        }
        line.retain(|&b| b == end || (b != b'\n' && b != CTRL_Z && b != 0));
        let line = line.split_last().map_or(&[][..], |(_, text)| text);
        let line = String::from_utf8_lossy(line).into_owned();
        let start = line.to_ascii_uppercase().find("AT");
        let rest = match start {
            _ if overlong => "\u{fffd}".to_owned(),
            _ if repeats => String::new(),
            Some(start) => line.get(start + 2..).unwrap_or_default().to_owned(),
            None => return true,
        };
        let rest = match repeats {
            true => self.last_line.clone(),
            false => rest,
        };
        self.last_line.clone_from(&rest);
        let job = Job {
            rest,
            ..Job::default()
        };
        let name = first_name(&job.rest);
        let urcs = injected(io.module, UrcPlace::AfterEcho, &name);
        io.to_host.push_as(Content::Urc, io.now, &urcs);
        if io.module.faults.mishap(Mishap::Ignore, &name) {
            return true;
        }
        let delay = self.latency + io.module.faults.delay(Part::Command, &name);
        self.state = State::Due(io.now + delay, job);
        true
    }

    fn carry_out(&mut self, job: &mut Job, io: &mut Io<'_>) {
        let mut rest = job.rest.as_str();
        let call = Call::next(&mut rest);
        let rest = rest.to_owned();
        job.rest = rest;
        let outcome = match call {
            None => Outcome::OK,
            Some(Err(_)) => Outcome::ERROR,
            Some(Ok(call)) => {
                job.name.clone_from(&call.name);
                if io.module.faults.mishap(Mishap::Refuse, &call.name) {
                    Outcome::ERROR
                } else {
                    let mut reply = Reply::new(io.module.settings.format());
                    io.module.stay_awake();
                    let outcome = commands::run(io.module, &call, &mut reply);
                    let second = reply.between_rows();
                    job.second_row = second.map(|at| job.answer.len() + at);
                    job.answer.extend(reply.into_bytes());
                    outcome
                }
            }
        };
        self.proceed(job, outcome, io);
    }

    fn proceed(&mut self, job: &mut Job, outcome: Outcome, io: &mut Io<'_>) {
        match outcome {
            Outcome::Wait(wait) => {
                self.state = State::Blocked(std::mem::take(job), wait);
            }
            Outcome::Prompt(payload) => self.prompt(job, payload, io),
            Outcome::Connect(id) => self.connect(job, id, io),
            Outcome::Done(Final::Ok) if !job.rest.trim().is_empty() => {
                self.state = State::Due(io.now, std::mem::take(job));
            }
            Outcome::Done(code) => match io.module.faults.delay(Part::Answer, &job.name) {
                0 => self.answer_now(job, code, io),
                by => self.state = State::LateAnswer(io.now + by, std::mem::take(job), code),
            },
        }
    }

    /// The port becomes a pipe.
    fn connect(&mut self, job: &mut Job, id: u8, io: &mut Io<'_>) {
        // What the commands before it on the line had to say.
        let mut answer = std::mem::take(job).answer;
        answer.extend(Final::connect(io.module.settings.format()));
        io.to_host.push(io.now, &answer);
        (self.scanned, self.echoed) = (0, 0);
        // The line feed of a command line that ended with both.
        if io.from_host.arrived() > 0 && io.from_host.queue().front() == Some(&b'\n') {
            self.take(io.from_host, 1);
        }
        self.state = State::Pipe(Pipe::new(id, io.now));
    }

    /// Passes data through the pipe. False if there was none.
    fn pass(&mut self, mut pipe: Pipe, io: &mut Io<'_>) -> bool {
        let turn = pipe.tick(io);
        let code = match turn {
            Turn::Idle | Turn::Progress => {
                self.state = State::Pipe(pipe);
                return turn == Turn::Progress;
            }
            Turn::Escaped => {
                io.module.leave_pipe(pipe.id);
                Final::Ok
            }
            Turn::NoCarrier => Final::NoCarrier,
        };
        let format = io.module.settings.format();
        let bytes = code.bytes(io.module.settings.cmee, &io.module.profile, format);
        io.to_host.push(io.now, &bytes);
        true
    }

    /// Sends information responses and the final code in one piece.
    fn answer_now(&mut self, job: &mut Job, code: Final, io: &mut Io<'_>) {
        self.state = State::Command;
        let name = &job.name;
        let mut answer = std::mem::take(&mut job.answer);
        if io.module.faults.mishap(Mishap::LoseAnswer, name) {
            return;
        }
        let before = injected(io.module, UrcPlace::BeforeAnswer, name);
        if let Some(at) = job.second_row {
            answer.splice(at..at, injected(io.module, UrcPlace::BetweenRows, name));
        }
        if !answer.is_empty() {
            answer.extend(injected(io.module, UrcPlace::BeforeOk, name));
        }
        let format = io.module.settings.format();
        answer.extend(code.bytes(io.module.settings.cmee, &io.module.profile, format));
        let after = injected(io.module, UrcPlace::AfterAnswer, name);
        damage(io, Target::Answer, name, before.len(), answer.len());
        io.to_host.push(io.now, &[before, answer, after].concat());
    }
}

/// What ends a command line: S3, or CR if that is no character.
fn terminator(module: &Module) -> u8 {
    module.settings.format().end[0]
}

/// Whether the bytes of a command line are echoed one by one.
fn echoes_as_received(module: &Module) -> bool {
    module.settings.echo && module.profile.line_echo == LineEcho::AsReceived
}

/// The URCs injected at this place of this command; none if URCs go to another port.
fn injected(module: &mut Module, place: UrcPlace, name: &str) -> Vec<u8> {
    let urcs = module.faults.urcs(place, name);
    if module.urcs_come_here() {
        urcs
    } else {
        Vec::new()
    }
}

/// Puts the faults that wait for this answer or prompt on the line, which is going to carry `before`
/// other bytes and then the `len` bytes of it.
fn damage(io: &mut Io<'_>, target: Target, name: &str, before: usize, len: usize) {
    let first = io.to_host.position() + before as u64;
    for (byte, effect) in io.module.faults.placed(target, name, len) {
        let position = first + byte;
        match effect {
            Effect::Damage(damage) => io.to_host.add_fault(damage.at(position)),
            Effect::Incident(incident) => {
                let when = When::ByteToHost(position);
                io.module.faults.incidents.push_back((when, incident));
            }
        }
    }
}

/// The name of the first command of a line, in capitals; empty if there is none.
fn first_name(rest: &str) -> String {
    let mut rest = rest;
    match Call::next(&mut rest) {
        Some(Ok(call)) => call.name,
        _ => String::new(),
    }
}
