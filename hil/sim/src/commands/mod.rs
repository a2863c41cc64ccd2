//! The commands, one chapter a file. Each chapter has a table; [`run`] looks a command up in them.

mod clock;
mod data;
mod dns;
mod general;
mod missing;
pub(crate) mod numbers;
mod pdp;
mod power;
mod qcfg;
pub(crate) mod qicfg;
mod registration;
mod signal;
mod sim_card;
mod tcpip;
mod v250;

use crate::at::parse::Call;
use crate::at::reply::{Final, Reply};
use crate::at::table::{Command, Coverage, Outcome};
use crate::module::Module;
use crate::profile::Profile;

/// Every chapter.
const CHAPTERS: &[(&str, &[Command])] = &[
    ("V.250", v250::COMMANDS),
    ("General", general::COMMANDS),
    ("SIM card", sim_card::COMMANDS),
    ("Power", power::COMMANDS),
    ("Registration", registration::COMMANDS),
    ("Signal", signal::COMMANDS),
    ("Clock", clock::COMMANDS),
    ("Configuration", qcfg::COMMANDS),
    ("PDP contexts", pdp::COMMANDS),
    ("Sockets", tcpip::COMMANDS),
    ("Data", data::COMMANDS),
    ("Socket options", qicfg::COMMANDS),
    ("Names, ping and time", dns::COMMANDS),
    ("Other subjects", missing::COMMANDS),
];

fn all() -> impl Iterator<Item = &'static Command> {
    CHAPTERS.iter().flat_map(|(_, commands)| commands.iter())
}

fn find(name: &str, profile: &Profile) -> Option<&'static Command> {
    all().find(|command| command.name == name && command.exists(profile))
}

/// Whether there is a command of this name, given in capitals and without `AT`.
pub(crate) fn exists(name: &str) -> bool {
    all().any(|command| command.name == name && command.coverage != Coverage::Missing)
}

/// A command of a module, for those who want to know what the simulated one can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandInfo {
    /// The subject it belongs to.
    pub chapter: &'static str,
    /// The name without `AT`, such as `+QIRD`.
    pub name: &'static str,
    /// How much of it there is.
    pub coverage: Coverage,
    /// An example of each of its forms, such as `AT+QIRD=0,1500`. A registered module answers it if its
    /// first context is active and connect id 0 is open.
    pub examples: Vec<String>,
}

/// Every command that a module like this one has, as far as known.
///
/// ```
/// use quectel_sim::{Coverage, Profile, commands};
///
/// let all = commands(&Profile::ec25());
/// let read = all.iter().find(|one| one.name == "+QIRD").unwrap();
/// assert_eq!(read.coverage, Coverage::Implemented);
/// ```
pub fn commands(profile: &Profile) -> Vec<CommandInfo> {
    let chapters = CHAPTERS
        .iter()
        .flat_map(|(chapter, commands)| commands.iter().map(move |one| (*chapter, one)));
    chapters
        .filter(|(_, command)| command.belongs(profile))
        .map(|(chapter, command)| CommandInfo {
            chapter,
            name: command.name,
            coverage: command.coverage,
            examples: command.examples(profile),
        })
        .collect()
}

/// Carries a command out.
pub(crate) fn run(module: &mut Module, call: &Call, reply: &mut Reply) -> Outcome {
    match find(&call.name, &module.profile) {
        Some(command) => command.run(module, call, reply),
        None => match module.profile.unknown_command {
            Some(number) => Outcome::Done(Final::Cme(number)),
            None => Outcome::ERROR,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::at::parse::Form;

    #[test]
    fn every_form_has_an_example_and_no_other() {
        for command in all().filter(|one| one.coverage != Coverage::Missing) {
            let lines = command.examples(&Profile::ec25());
            let calls: Vec<Call> = lines
                .iter()
                .map(|line| {
                    Call::next(&mut &line[2..])
                        .expect("one")
                        .expect("well formed")
                })
                .collect();
            let given = |form| calls.iter().any(|call| call.form == form);
            let forms = [Form::Execute, Form::Test, Form::Read, Form::Write];
            let shown: Vec<Form> = forms.into_iter().filter(|form| given(*form)).collect();
            assert_eq!(shown, command.forms(), "{}", command.name);
            assert!(calls.iter().all(|call| call.name == command.name));
        }
    }

    #[test]
    fn no_module_has_a_command_twice() {
        for profile in Profile::families() {
            let mut names: Vec<&str> = commands(&profile).iter().map(|one| one.name).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", profile.model);
        }
    }
}
