//! The table of commands: a name, and a handler for each form the command has.

use super::parse::{Call, Form, Malformed};
use super::reply::{Final, Reply};
use crate::module::{Module, Wait};

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

/// A command and its forms.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    execute: Option<Handler>,
    test: Option<Handler>,
    read: Option<Handler>,
    write: Option<Handler>,
    /// Malformed parameters are a TCP/IP error (552).
    tcpip: bool,
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
        }
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

    /// A command whose execute and write forms are accepted without effect.
    pub(crate) const fn accepted(name: &'static str) -> Command {
        Command::new(name).execute(accept).write(accept)
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

fn accept(_: &mut Module, _: &Call, _: &mut Reply) -> Result<Outcome, Malformed> {
    Ok(Outcome::OK)
}
