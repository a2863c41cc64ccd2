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
    /// Parameters may be left away before others.
    gaps: bool,
    /// The modules that have it; all if empty.
    sets: &'static [CommandSet],
    pub(crate) coverage: Coverage,
    /// What follows the name in a command that a registered module answers whose first context is
    /// active; `@` stands for that context.
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
            gaps: false,
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

    /// An example of every form; of one that is missing, all that a host may try.
    pub(crate) fn examples(&self, profile: &Profile) -> Vec<String> {
        let name = self.name;
        let missing = self.coverage == Coverage::Missing;
        let extended = name.starts_with('+');
        let mut lines = Vec::new();
        let mut add = |wanted: bool, rest: &str| {
            if wanted {
                lines.push(format!("AT{name}{rest}"));
            }
        };
        add(self.execute.is_some() || missing, "");
        add(extended, "=?");
        add(self.read.is_some() || missing && extended, "?");
        add(missing && extended, "=1");
        let context = profile.first_context.to_string();
        for rest in self.samples {
            add(true, &rest.replace('@', &context));
        }
        lines
    }

    /// The forms that have a handler, and the test form, which every extended command has.
    #[cfg(test)]
    pub(crate) fn forms(&self) -> Vec<Form> {
        let forms = [
            (Form::Execute, self.execute.is_some()),
            (Form::Test, self.name.starts_with('+')),
            (Form::Read, self.read.is_some()),
            (Form::Write, self.write.is_some()),
        ];
        let there = forms.into_iter().filter(|(_, there)| *there);
        there.map(|(form, _)| form).collect()
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

    /// Parameters may be left away before others: `AT+X=1,,2`. Elsewhere that is an error.
    pub(crate) const fn gaps(self) -> Command {
        Command { gaps: true, ..self }
    }

    /// Its failures are TCP/IP errors, for `AT+QIGETERROR`.
    pub(crate) const fn tcpip(self) -> Command {
        Command {
            tcpip: true,
            ..self
        }
    }

    pub(crate) fn run(&self, module: &mut Module, call: &Call, reply: &mut Reply) -> Outcome {
        if self.tcpip {
            // `AT+QIGETERROR` tells of the last TCP/IP command only.
            module.last_error = 0;
        }
        let handler = match call.form {
            Form::Execute => self.execute,
            Form::Test => self.test,
            Form::Read => self.read,
            Form::Write => self.write,
        };
        let outcome = match handler {
            Some(_) if call.has_gaps() && !self.gaps => Err(Malformed),
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
