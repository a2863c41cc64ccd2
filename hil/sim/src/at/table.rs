//! The table of commands: a name, and a handler for each form the command has.

use super::parse::{Call, Form, Malformed};
use super::reply::{Final, Reply};
use crate::module::{Module, Wait};
use crate::profile::{CommandSet, Profile};

/// What a handler says about the command it was given.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is done.
    Done(Final),
    /// The prompt is due, then payload.
    Prompt(Payload),
    /// It blocks the port until this has happened.
    Wait(Wait),
    /// The port becomes a pipe to this connection.
    Connect(u8),
}

impl Outcome {
    pub(crate) const OK: Outcome = Outcome::Done(Final::Ok);
    pub(crate) const ERROR: Outcome = Outcome::Done(Final::Error);
}

/// What `AT+QISEND` was told to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) id: u8,
    /// For a UDP service.
    pub(crate) to: Option<std::net::SocketAddr>,
    /// The exact length; without it Ctrl-Z ends the payload.
    pub(crate) length: Option<usize>,
    /// How long the module waits for the payload, in µs.
    pub(crate) limit_us: Option<u64>,
}

pub(crate) type Handler = fn(&mut Module, &Call, &mut Reply) -> Result<Outcome, Malformed>;

/// How much of a command there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coverage {
    /// It does what it says.
    Implemented,
    /// It answers as a module does, and its settings can be read back, but it changes nothing else.
    Accepted,
    /// Modules have it, this one does not: it is answered like a command that nobody knows.
    Missing,
}

/// A command and its forms.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    execute: Option<Handler>,
    test: Option<Handler>,
    read: Option<Handler>,
    write: Option<Handler>,
    /// Malformed parameters are a TCP/IP error (552).
    tcpip: bool,
    /// The modules that have it; all if empty.
    sets: &'static [CommandSet],
    pub(crate) coverage: Coverage,
    /// What follows the name in a command that a registered module with context 1 active answers.
    samples: &'static [&'static str],
}

impl Command {
    pub(crate) const fn new(name: &'static str) -> Command {
        Command {
            name,
            execute: None,
            test: None,
            read: None,
            write: None,
            tcpip: false,
            sets: &[],
            coverage: Coverage::Implemented,
            samples: &[],
        }
    }

    /// A command that modules have and this one does not.
    pub(crate) const fn missing(name: &'static str) -> Command {
        Command {
            coverage: Coverage::Missing,
            ..Command::new(name)
        }
    }

    /// Only these modules have it.
    pub(crate) const fn on(self, sets: &'static [CommandSet]) -> Command {
        Command { sets, ..self }
    }

    /// It changes nothing but itself.
    pub(crate) const fn accepted(self) -> Command {
        Command {
            coverage: Coverage::Accepted,
            ..self
        }
    }

    /// Examples of what may follow the name, for forms with parameters.
    pub(crate) const fn samples(self, samples: &'static [&'static str]) -> Command {
        Command { samples, ..self }
    }

    pub(crate) fn exists(&self, profile: &Profile) -> bool {
        self.coverage != Coverage::Missing && self.belongs(profile)
    }

    /// Whether modules like this one have it.
    pub(crate) fn belongs(&self, profile: &Profile) -> bool {
        self.sets.is_empty() || self.sets.contains(&profile.commands)
    }

    /// An example of every form.
    pub(crate) fn examples(&self) -> Vec<String> {
        let name = self.name;
        let mut lines = Vec::new();
        let extended = name.starts_with('+');
        if self.execute.is_some() {
            lines.push(format!("AT{name}"));
        }
        if extended && self.coverage != Coverage::Missing {
            lines.push(format!("AT{name}=?"));
        }
        if self.read.is_some() {
            lines.push(format!("AT{name}?"));
        }
        lines.extend(self.samples.iter().map(|rest| format!("AT{name}{rest}")));
        lines
    }

    /// Whether the forms with parameters have an example.
    #[cfg(test)]
    pub(crate) fn has_samples(&self) -> bool {
        self.write.is_none() || !self.samples.is_empty()
    }

    pub(crate) const fn execute(self, handler: Handler) -> Command {
        Command {
            execute: Some(handler),
            ..self
        }
    }

    pub(crate) const fn test(self, handler: Handler) -> Command {
        Command {
            test: Some(handler),
            ..self
        }
    }

    pub(crate) const fn read(self, handler: Handler) -> Command {
        Command {
            read: Some(handler),
            ..self
        }
    }

    pub(crate) const fn write(self, handler: Handler) -> Command {
        Command {
            write: Some(handler),
            ..self
        }
    }

    /// Its failures are TCP/IP errors, for `AT+QIGETERROR`.
    pub(crate) const fn tcpip(self) -> Command {
        Command {
            tcpip: true,
            ..self
        }
    }

    pub(crate) fn run(&self, module: &mut Module, call: &Call, reply: &mut Reply) -> Outcome {
        let handler = match call.form {
            Form::Execute => self.execute,
            Form::Test => self.test,
            Form::Read => self.read,
            Form::Write => self.write,
        };
        let outcome = match handler {
            Some(handler) => handler(module, call, reply),
            // A test form without a list of its own only says that the command exists.
            None if call.form == Form::Test => Ok(Outcome::OK),
            None => Err(Malformed),
        };
        match outcome {
            Ok(outcome) => outcome,
            Err(Malformed) if self.tcpip => module.tcpip_error(552),
            Err(Malformed) => Outcome::ERROR,
        }
    }
}
