//! What the module can do, as lists: commands, families, switches, faults. All of it is the
//! library's own.

use std::fmt::Write;

use clap::{Args, ValueEnum};
use quectel_sim::{CommandInfo, Coverage, Fault, Profile, Switch, commands};

use super::args::family;

#[derive(Args)]
pub(super) struct Commands {
    /// The module family
    #[arg(long, value_name = "FAMILY", value_parser = family, default_value = Profile::NAMES[0])]
    family: Profile,
    /// All families beside one another: yes, accepted, missing, or - where a
    /// module has no such command
    #[arg(long, conflicts_with = "family")]
    all_families: bool,
    /// tsv: a heading, then fields with tabs between them
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Tsv,
}

#[derive(Args)]
pub(super) struct Families {
    /// This one alone
    #[arg(value_name = "FAMILY", value_parser = family)]
    family: Option<Profile>,
}

impl Commands {
    pub(super) fn list(&self) -> String {
        let all = Profile::families();
        let families = match self.all_families {
            true => &all[..],
            false => std::slice::from_ref(&self.family),
        };
        match self.format {
            Format::Tsv => tsv(families),
            Format::Text if self.all_families => table(families),
            Format::Text => chapters(&self.family),
        }
    }
}

fn coverage(of: Coverage) -> &'static str {
    match of {
        Coverage::Implemented => "implemented",
        Coverage::Accepted => "accepted",
        Coverage::Missing => "missing",
    }
}

/// One row for each family and command.
fn tsv(families: &[Profile]) -> String {
    let mut text = String::from("family\tchapter\tcommand\tcoverage\tforms\n");
    for profile in families {
        for command in commands(profile) {
            let CommandInfo { chapter, name, .. } = command;
            let (how, forms) = (coverage(command.coverage), command.examples.join(" | "));
            let _ = writeln!(text, "{}\t{chapter}\t{name}\t{how}\t{forms}", profile.model);
        }
    }
    text
}

/// One row for each command, one column for each family.
fn table(families: &[Profile]) -> String {
    let lists: Vec<Vec<CommandInfo>> = families.iter().map(commands).collect();
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for one in lists.iter().flatten() {
        if !rows.contains(&(one.chapter, one.name)) {
            // Behind what is of its chapter already.
            let chapter = rows.iter().rposition(|row| row.0 == one.chapter);
            let at = chapter.map_or(rows.len(), |last| last + 1);
            rows.insert(at, (one.chapter, one.name));
        }
    }
    let mut text = format!("{:<22}", "");
    for profile in families {
        let _ = write!(text, " {:<9}", profile.model);
    }
    let mut last = "";
    for (chapter, name) in rows {
        if last != chapter {
            let _ = write!(text, "\n{chapter}\n");
            last = chapter;
        }
        let _ = write!(text, "  {name:<20}");
        for list in &lists {
            let found = list.iter().find(|one| one.name == name);
            let how = match found.map(|one| one.coverage) {
                Some(Coverage::Implemented) => "yes",
                Some(how) => coverage(how),
                None => "-",
            };
            let _ = write!(text, " {how:<9}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Chapter by chapter, with the forms.
fn chapters(profile: &Profile) -> String {
    let all = commands(profile);
    let count = |how| all.iter().filter(|one| one.coverage == how).count();
    let mut text = format!(
        "{} {}: {} commands implemented, {} accepted only, {} missing\n",
        profile.model,
        profile.revision,
        count(Coverage::Implemented),
        count(Coverage::Accepted),
        count(Coverage::Missing)
    );
    let mut last = "";
    for one in &all {
        if last != one.chapter {
            let _ = write!(text, "\n{}\n", one.chapter);
            last = one.chapter;
        }
        let how = match one.coverage {
            Coverage::Implemented => "",
            how => coverage(how),
        };
        let forms = one.examples.join("  ");
        let row = format!("  {:<16} {how:<9} {forms}", one.name);
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text.push_str(
        "\naccepted: it answers as a module does, and its settings can be read back, but it\n\
         changes nothing else. missing: modules have it, this one answers ERROR.\n",
    );
    text
}

impl Families {
    pub(super) fn list(&self) -> String {
        let all = Profile::families();
        let families = match &self.family {
            Some(one) => std::slice::from_ref(one),
            None => &all[..],
        };
        let mut text = String::new();
        for profile in families {
            let known = all.iter().position(|one| one == profile);
            let name = known.map_or("", |at| Profile::NAMES[at]);
            let _ = writeln!(text, "{name}  {} {}", profile.model, profile.revision);
            for quirk in profile.quirks() {
                let _ = writeln!(text, "  {}={}", quirk.name(), quirk.value());
            }
        }
        text
    }
}

pub(super) fn switches() -> String {
    Switch::list()
}

pub(super) fn faults() -> String {
    Fault::help()
}
