//! The commands, one chapter a file. Each chapter has a table; [`run`] looks a command up in them.

mod data;
mod dns;
mod general;
mod pdp;
pub(crate) mod qicfg;
mod registration;
mod sim_card;
mod tcpip;

use crate::at::parse::Call;
use crate::at::reply::{Final, Reply};
use crate::at::table::{Command, Outcome};
use crate::module::Module;

/// Every chapter.
const CHAPTERS: &[&[Command]] = &[
    general::COMMANDS,
    sim_card::COMMANDS,
    registration::COMMANDS,
    pdp::COMMANDS,
    tcpip::COMMANDS,
    data::COMMANDS,
    qicfg::COMMANDS,
    dns::COMMANDS,
];

fn find(name: &str) -> Option<&'static Command> {
    let mut commands = CHAPTERS.iter().copied().flatten();
    commands.find(|command| command.name == name)
}

/// Whether there is a command of this name, given in capitals and without `AT`.
pub(crate) fn exists(name: &str) -> bool {
    find(name).is_some()
}

/// Carries a command out.
pub(crate) fn run(module: &mut Module, call: &Call, reply: &mut Reply) -> Outcome {
    match find(&call.name) {
        Some(command) => command.run(module, call, reply),
        None => match module.profile.unknown_command {
            Some(number) => Outcome::Done(Final::Cme(number)),
            None => Outcome::ERROR,
        },
    }
}
