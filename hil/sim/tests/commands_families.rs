//! The whole table of commands, sent to a module of each family.

mod common;

use common::{Host, shown};
use quectel_sim::{Config, Coverage, Echo, Profile, commands};

const MS: u64 = 1_000;
const S: u64 = 1_000_000;

/// The answer to a command that nobody knows, made unmistakable.
const UNKNOWN: &str = "\r\n+CME ERROR: 58\r\n";

/// How long the manuals allow a command to take, in µs.
fn longest(command: &str) -> u64 {
    let end = command.find(['=', '?']).unwrap_or(command.len());
    match &command[..end] {
        "AT+CFUN" => 15 * S,
        "AT+CPIN" | "AT+CLCK" => 5 * S,
        "AT+COPS" => 180 * S,
        "AT+CGATT" => 140 * S,
        "AT+CGACT" | "AT+QIACT" => 150 * S,
        "AT+QIDEACT" => 40 * S,
        "AT+QICLOSE" => 10 * S,
        "AT+QISEND" => 120 * S,
        _ => 300 * MS,
    }
}

/// Examples that end with something else than `OK` or `SEND OK`, for all families that have them.
const OTHERS: &[(&str, &str)] = &[
    // There is no connection in transparent mode, no client of a listener, no fix, no lock.
    ("ATO", "NO CARRIER"),
    // From here on result codes are digits.
    ("ATV", "0"),
    ("AT+QIACCEPT=0,1", "ERROR"),
    ("AT+QGPSLOC", "+CME ERROR: 516"),
    ("AT+QGPSLOC=2", "+CME ERROR: 516"),
    ("AT+CPIN=1234", "+CME ERROR: 3"),
];

/// A registered module with its first context active and connect id 0 open.
fn module(profile: &Profile) -> Host {
    let mut profile = profile.clone();
    profile.unknown_command = Some(58);
    let context = profile.first_context;
    let mut host = Host::new(Config {
        profile,
        ..Config::default()
    });
    host.sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    let address = "192.0.2.7".parse().unwrap();
    host.sim.set_name("server.example", &[address], 60);
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.send(format!("AT+QIACT={context}\r"));
    host.sim.run_until(host.sim.now() + 2 * S);
    host.send(format!(
        "AT+QIOPEN={context},0,\"TCP\",\"192.0.2.7\",7,0,0\r"
    ));
    host.sim.run_until(host.sim.now() + 2 * S);
    let n = host.sim.readable();
    host.take(n);
    host
}

/// The result code of an answer, if it has come.
fn code(answer: &str) -> Option<&str> {
    const CODES: &[&str] = &[
        "OK",
        "ERROR",
        "CONNECT",
        "NO CARRIER",
        "SEND OK",
        "SEND FAIL",
    ];
    if answer == "0\r" {
        return Some("0");
    }
    let whole = answer.strip_suffix("\r\n")?;
    let line = whole.rsplit("\r\n").next()?;
    (CODES.contains(&line) || line.starts_with("+CME ERROR: ")).then_some(line)
}

/// Sends a command, and payload if it asks for that; its answer up to the result code.
#[track_caller]
fn answer(host: &mut Host, command: &str) -> String {
    let begin = host.sim.now();
    let until = begin + longest(command) + 10 * MS;
    host.send(format!("{command}\r"));
    let mut got = String::new();
    loop {
        let byte = host.take(1);
        assert_eq!(byte.len(), 1, "{command}: {got:?}");
        got.push(char::from(byte[0]));
        if got == "\r\n> " {
            host.send("hihi\x1a");
        }
        if code(&got).is_some() {
            break;
        }
        assert!(host.sim.now() <= until, "{command} takes too long");
    }
    assert!(host.sim.now() <= until, "{command} takes too long");
    got
}

#[test]
fn every_example_is_answered_by_every_family() {
    for profile in Profile::families() {
        for entry in commands(&profile) {
            assert!(!entry.examples.is_empty(), "{}", entry.name);
            for example in &entry.examples {
                let what = format!("{} {example}", profile.model);
                let got = answer(&mut module(&profile), example);
                if entry.coverage == Coverage::Missing {
                    assert_eq!(got, UNKNOWN, "{what}");
                    continue;
                }
                let other = OTHERS.iter().find(|(command, _)| command == example);
                let ends = match other {
                    Some((_, ends)) => *ends,
                    None if got.ends_with("SEND OK\r\n") => "SEND OK",
                    None => "OK",
                };
                assert_eq!(code(&got), Some(ends), "{what}: {got:?}");
            }
        }
    }
}

#[test]
fn no_family_answers_the_commands_of_another() {
    for profile in Profile::families() {
        let own: Vec<&str> = commands(&profile).iter().map(|one| one.name).collect();
        for other in Profile::families() {
            for entry in commands(&other)
                .iter()
                .filter(|one| !own.contains(&one.name))
            {
                let example = &entry.examples[0];
                let got = answer(&mut module(&profile), example);
                assert_eq!(got, UNKNOWN, "{} {example}", profile.model);
            }
        }
    }
}

/// The differences that the families are known for, as a host sees them.
#[test]
fn what_only_some_families_have() {
    let known = |profile: &Profile, name: &str| {
        let all = commands(profile);
        let found = all.iter().find(|one| one.name == name);
        found.is_some_and(|one| one.coverage != Coverage::Missing)
    };
    for (name, families) in [
        ("+CPSMS", &["BG96", "BG95", "BC660K"][..]),
        ("+CEDRXS", &["BG96", "BG95", "BC660K"]),
        ("+QPSMS", &["BG96", "BG95"]),
        ("+QNBIOTEVENT", &["BC660K"]),
        ("+QIACTEX", &["EC25", "EC200U", "EG800K"]),
        ("+QIACCEPT", &["EC25", "EC200U", "EG800K"]),
        ("+QISWTMD", &["EC25", "BG96", "BG95", "EC200U", "EG800K"]),
        ("+QISDE", &["EC25", "BG96", "BG95", "EC200U", "EG800K"]),
        ("+QCCID", &["EC25", "BG96", "BG95", "EC200U", "EG800K"]),
        ("+NCCID", &["BC660K"]),
        ("+CBAUD", &["EC200U"]),
        (
            "+QIRD",
            &["EC25", "BG96", "BG95", "EC200U", "EG800K", "BC660K"],
        ),
    ] {
        for family in Profile::NAMES {
            let profile = Profile::named(family).unwrap();
            assert_eq!(
                known(&profile, name),
                families.contains(&family),
                "{family} {name}"
            );
        }
    }
}

/// The contexts and connect ids of each family, from the first to the last, and none beside.
#[test]
fn ranges_of_contexts_and_connect_ids() {
    for (name, first, last, ids) in [
        ("EC25", 1, 16, 12),
        ("BG96", 1, 16, 12),
        ("BG95", 1, 15, 12),
        ("EC200U", 1, 7, 12),
        ("EG800K", 1, 8, 12),
        ("BC660K", 0, 0, 5),
    ] {
        let mut host = module(&Profile::named(name).unwrap());
        let error = match name {
            "BC660K" => "\r\n+CME ERROR: 552\r\n",
            _ => "\r\nERROR\r\n",
        };
        let row = host_row(&mut host, first);
        host.talk(
            format!("AT+QISTATE=0,{first}\r"),
            format!("{row}\r\nOK\r\n"),
        );
        if last > first {
            host.talk(format!("AT+QISTATE=0,{last}\r"), "\r\nOK\r\n");
        }
        host.talk(format!("AT+QISTATE=0,{}\r", last + 1), error);
        host.talk(format!("AT+QISTATE=1,{}\r", ids - 1), "\r\nOK\r\n");
        host.talk(format!("AT+QISTATE=1,{ids}\r"), error);
    }
}

/// What `AT+QISTATE` prints of the connection, which begins with what is known of it.
fn host_row(host: &mut Host, context: u8) -> String {
    let got = answer(host, "AT+QISTATE=1,0");
    let head = "\r\n+QISTATE: 0,\"TCP\",\"192.0.2.7\",7,";
    assert!(got.starts_with(head), "{}", shown(got.as_bytes()));
    let state = format!(",2,{context},");
    assert!(got.contains(&state), "{}", shown(got.as_bytes()));
    got.strip_suffix("\r\nOK\r\n").unwrap().to_owned()
}
