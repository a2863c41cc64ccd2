//! The lists: all of them say what the library says.

use quectel_sim::{Coverage, Fault, Profile, Sim, Switch, commands};

use crate::program::{Reader, program, run};

#[track_caller]
fn list(args: &[&str]) -> String {
    let (code, text, errors) = run(args, b"");
    assert_eq!((code, errors.as_str()), (0, ""), "{args:?}");
    text
}

fn word(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::Implemented => "implemented",
        Coverage::Accepted => "accepted",
        Coverage::Missing => "missing",
    }
}

#[test]
fn the_commands_of_all_families_in_columns() {
    let text = list(&["commands", "--all-families", "--format", "tsv"]);
    let mut rows = text.lines();
    assert_eq!(
        rows.next(),
        Some("family\tchapter\tcommand\tcoverage\tforms")
    );
    for profile in Profile::families() {
        for one in commands(&profile) {
            let row = [
                profile.model.as_str(),
                one.chapter,
                one.name,
                word(one.coverage),
                &one.examples.join(" | "),
            ];
            assert_eq!(rows.next(), Some(row.join("\t").as_str()));
        }
    }
    assert_eq!(rows.next(), None);
}

#[test]
fn the_commands_of_one_family() {
    for (name, profile) in Profile::NAMES.iter().zip(Profile::families()) {
        let text = list(&["commands", "--family", &name.to_lowercase()]);
        let all = commands(&profile);
        let count = |how| all.iter().filter(|one| one.coverage == how).count();
        let head = format!(
            "{} {}: {} commands implemented, {} accepted only, {} missing",
            profile.model,
            profile.revision,
            count(Coverage::Implemented),
            count(Coverage::Accepted),
            count(Coverage::Missing)
        );
        assert_eq!(text.lines().next(), Some(head.as_str()));
        let mut rows = text.lines().skip(1).filter(|row| row.starts_with("  "));
        for one in all {
            let words: Vec<&str> = rows.next().unwrap().split_whitespace().collect();
            let how = match one.coverage {
                Coverage::Implemented => vec![],
                other => vec![word(other)],
            };
            let forms: Vec<&str> = one
                .examples
                .iter()
                .flat_map(|form| form.split_whitespace())
                .collect();
            assert_eq!(words, [vec![one.name], how, forms].concat(), "{name}");
        }
        assert_eq!(rows.next(), None);
    }
    let default = list(&["commands"]);
    assert_eq!(default, list(&["commands", "--family", "EC25"]));
}

#[test]
fn the_commands_of_all_families_beside_one_another() {
    let text = list(&["commands", "--all-families"]);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|row| row.starts_with("  "))
        .map(|row| row.split_whitespace().collect())
        .collect();
    let models = Profile::families().map(|profile| profile.model);
    assert_eq!(rows[0], models);
    let mut cells = 0;
    for (column, profile) in Profile::families().iter().enumerate() {
        let all = commands(profile);
        for row in &rows[1..] {
            let found = all.iter().find(|one| one.name == row[0]);
            let cell = match found.map(|one| one.coverage) {
                Some(Coverage::Implemented) => "yes",
                Some(other) => word(other),
                None => "-",
            };
            assert_eq!(row[column + 1], cell, "{} {}", profile.model, row[0]);
            cells += usize::from(found.is_some());
        }
        cells -= all.len();
    }
    assert_eq!(cells, 0);
}

#[test]
fn families_with_their_switches() {
    let mut rows = Vec::new();
    for (name, profile) in Profile::NAMES.iter().zip(Profile::families()) {
        let first = rows.len();
        rows.push(format!("{name}  {} {}", profile.model, profile.revision));
        for quirk in profile.quirks() {
            rows.push(format!("  {}={}", quirk.name(), quirk.value()));
        }
        let one = list(&["families", name]);
        assert_eq!(one.lines().collect::<Vec<_>>(), rows[first..]);
    }
    let all = list(&["families"]);
    assert_eq!(all.lines().collect::<Vec<_>>(), rows);
}

#[test]
fn switches_and_faults() {
    assert_eq!(list(&["switches"]), Switch::list());
    assert_eq!(list(&["faults"]), Fault::help());
}

#[test]
fn a_reader_that_has_enough() {
    let mut child = program(&["commands", "--all-families", "--format", "tsv"])
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let errors = Reader::new(child.stderr.take().unwrap()).rest();
    assert_eq!(
        (child.wait().unwrap().code(), errors.as_str()),
        (Some(0), "")
    );
}

#[test]
fn the_readme_says_the_same() {
    let readme = include_str!("../../README.md");
    let help = Fault::help();
    let (faults, _) = help.split_once("\nSwitches:").unwrap();
    for (text, file) in [
        (Sim::control_help(), "src/control.txt"),
        (faults, "src/fault.txt"),
        (include_str!("../../src/troubles.md"), "src/troubles.md"),
    ] {
        assert!(
            readme.contains(text),
            "README.md has another text than {file}"
        );
    }
    for row in readme.lines().filter_map(|row| row.strip_prefix("| `")) {
        // Rows of the table of switches.
        if let Some((name, value)) = row.split('`').next().unwrap().split_once('=') {
            let fault: Result<Fault, _> = format!("switch:{name}:{value}").parse();
            assert!(fault.is_ok(), "{row}");
        }
    }
}
