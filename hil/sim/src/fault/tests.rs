use super::*;

#[track_caller]
fn parsed(text: &str) -> Fault {
    match text.parse() {
        Ok(fault) => fault,
        Err(error) => panic!("{text}: {error}"),
    }
}

#[test]
fn faults_of_the_line() {
    let line = |place, damage, times| Fault::Line {
        place,
        damage,
        times,
    };
    for (text, fault) in [
        (
            "drop:host:1234",
            line(Place::ToHost(1234), Damage::Drop, Times::Once),
        ),
        (
            "double:module:77",
            line(Place::ToModule(77), Damage::Double, Times::Once),
        ),
        (
            "corrupt:host:99:0x20",
            line(Place::ToHost(99), Damage::Corrupt(0x20), Times::Once),
        ),
        (
            "stall:answer:+qird:100:1.5s:3",
            line(
                Place::Answer("+QIRD".into(), 100),
                Damage::Stall(1_500_000),
                Times::Times(3),
            ),
        ),
        (
            "drop:prompt:2:always",
            line(Place::Prompt(2), Damage::Drop, Times::Always),
        ),
        (
            "drop:payload:0",
            line(Place::Payload(0), Damage::Drop, Times::Once),
        ),
    ] {
        assert_eq!(parsed(text), fault, "{text}");
    }
}

#[test]
fn urcs_hold_colons_and_quotes() {
    let Fault::Urc { text, times, .. } =
        parsed("urc:before-ok:AT+QIRD:\"+QIURC: \"pdpdeact\",1\":2")
    else {
        panic!("no URC");
    };
    assert_eq!(text, "+QIURC: \"pdpdeact\",1");
    assert_eq!(times, Times::Times(2));
}

#[test]
fn what_happens_by_itself() {
    assert_eq!(
        parsed("mute:10s:500ms"),
        Fault::At {
            at: 10_000_000,
            incident: Incident::Mute(500_000)
        }
    );
    assert_eq!(
        parsed("pdpdeact:1:payload:10:2"),
        Fault::Byte {
            place: Place::Payload(10),
            incident: Incident::PdpDeact(1),
            times: Times::Times(2)
        }
    );
    assert_eq!(
        parsed("reset:host:1234"),
        Fault::Byte {
            place: Place::ToHost(1234),
            incident: Incident::Reset,
            times: Times::Once
        }
    );
}

#[test]
fn the_help_names_every_fault() {
    let help = Fault::help();
    for (name, _) in NAMES {
        assert!(
            help.lines()
                .any(|line| line.starts_with(&format!("  {name}"))),
            "{name}"
        );
    }
}

#[test]
fn times_with_units() {
    for (text, us) in [
        ("250us", Some(250)),
        ("500ms", Some(500_000)),
        ("1.25s", Some(1_250_000)),
        ("2min", Some(120_000_000)),
        ("0s", Some(0)),
        ("2", None),
        (".5s", None),
        ("1.s", None),
        ("-1s", None),
        ("1h", None),
        ("999999999min", None),
    ] {
        assert_eq!(time(text), us, "{text}");
    }
}

#[test]
fn errors_name_the_bad_part_and_what_is_allowed() {
    for (text, part, allowed) in [
        ("", "''", "drop, double"),
        ("drp:host:1", "'drp'", "drop, double"),
        ("drop", "'drop'", "host:N"),
        ("drop:hots:1", "'hots'", "host:N"),
        ("drop:host", "'drop:host'", "a number, from 0"),
        ("drop:host:x", "'x'", "a number, from 0"),
        ("drop:host:1:2", "'2'", "too much behind 'drop:host:1'"),
        ("drop:host:1:", "''", "too much behind 'drop:host:1'"),
        ("drop:prompt:4", "'4'", "0 to 3"),
        ("corrupt:host:1:0", "'0'", "1 to 255"),
        ("stall:host:1:5", "'5'", "500ms"),
        ("late:+QISND:3s", "'+QISND'", "+QIRD"),
        ("send-fail:0", "'0'", "a number from 1, or always"),
        ("urc:in-prompt:any:\"X\"", "'in-prompt'", "before-prompt"),
        ("urc:before-prompt:+QIRD:\"X\"", "'+QIRD'", "+QISEND"),
        ("urc:before-ok:any:X", "'X'", "in quotes"),
        ("urc:before-ok:any:\"\"", "'\"\"'", "in quotes"),
        (
            "urc:before-ok:any:\"X\r\"",
            "'\\r'",
            "no control characters",
        ),
        ("urc:before-ok:any:\"X\"y", "'y'", "a number of times"),
        ("reset:soon", "'soon'", "a time such as 10s, host:N"),
        ("pdpdeact:17:1s", "'17'", "1 to 16"),
        ("urc-port:usb", "'usb'", "usbat"),
        ("switch:closed-url:x", "'closed-url'", "closed-urc"),
        ("switch:closed-urc:x", "'x'", "at-once or after-drain"),
        ("switch:nagle", "'switch:nagle'", "a value of nagle"),
    ] {
        let error = text.parse::<Fault>().expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
        assert!(error.contains(allowed), "{text}: {error}");
    }
}

/// One or more faults of every kind, as they are written out.
const WRITTEN: &[&str] = &[
    "drop:host:1234",
    "drop:prompt:2:always",
    "double:module:77",
    "corrupt:payload:1459:0x20:3",
    "corrupt:host:0:0x01",
    "stall:answer:+QIRD:100:1500ms:3",
    "stall:answer:any:0:1us",
    "ignore:+QIRD:2",
    "refuse:any:always",
    "lose-answer:E",
    "slow:+QISEND:2s",
    "late:+QISEND:1234.567890s:2",
    "slow-payload:100000000s:always",
    "lose-prompt",
    "refuse-prompt:1",
    "send-fail:2",
    "urc:after-echo:any:\"+CEREG: 1\"",
    "urc:before-answer:+QIRD:\"a \"b\":c\":2",
    "urc:between-rows:+QISTATE:\"+CEREG: 1\"",
    "urc:before-ok:+QIRD:\"+QIURC: \"recv\",0\":always",
    "urc:after-answer:+QIRD:\"X\"",
    "urc:before-prompt:+QISEND:\"X\"",
    "urc:before-send-ok:any:\"X\"",
    "lose-recv",
    "lose-closed:always",
    "urc-port:usbmodem",
    "reset:host:1234",
    "silent-reset:0s",
    "mute:10s:500ms",
    "mute:prompt:3:5s:2",
    "pdpdeact:16:payload:10:2",
    "storm:10000:\"+QIURC: \"recv\",{}\":0s:10s",
    "storm:1:\"RDY\":250us:payload:10:always",
    "already-active:2",
    "switch:closed-urc:after-drain",
    "switch:boot-urcs:1s RDY; 2s +CFUN: 1",
];

#[test]
fn what_is_written_out_is_the_same_fault() {
    for text in WRITTEN {
        assert_eq!(parsed(text).to_string(), *text);
    }
    for (name, _) in NAMES {
        let written = |text: &&str| text.split(':').next() == Some(name);
        assert!(WRITTEN.iter().any(written), "{name}");
    }
    for (spot, _) in SPOTS {
        let written = |text: &&str| text.starts_with(&format!("urc:{spot}:"));
        assert!(WRITTEN.iter().any(written), "{spot}");
    }
}

#[test]
fn storms() {
    let storm = Storm {
        count: 3,
        text: "+QIURC: \"recv\",{}".into(),
        every_us: 20_000,
    };
    assert_eq!(
        parsed("storm:3:\"+QIURC: \"recv\",{}\":20ms:payload:10:2"),
        Fault::Byte {
            place: Place::Payload(10),
            incident: Incident::Storm(storm),
            times: Times::Times(2)
        }
    );
    for (text, error) in [
        (
            "storm:0:\"X\":0s:1s",
            "'0' is not a number of URCs: 1 to 10000",
        ),
        (
            "storm:10001:\"X\":0s:1s",
            "'10001' is not a number of URCs: 1 to 10000",
        ),
        (
            "storm:1:X:0s:1s",
            "'X' is not a URC in quotes: such as \"+CEREG: 1\"",
        ),
    ] {
        let wrong = text.parse::<Fault>().expect_err(text);
        assert_eq!(wrong.to_string(), error);
    }
}

/// Rows of the table of troubles: letter, faults, what else.
fn troubles() -> Vec<(&'static str, Vec<&'static str>, &'static str)> {
    let table = include_str!("../troubles.md");
    let rows = table.lines().filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, letter, _, faults, else_, _] = cells[..] else {
            return None;
        };
        let faults = faults.split('`').skip(1).step_by(2).collect();
        (letter.len() == 1).then_some((letter, faults, else_))
    });
    rows.collect()
}

#[test]
fn every_trouble_can_be_brought_about() {
    let rows = troubles();
    let letters: String = rows.iter().map(|(letter, ..)| *letter).collect();
    assert_eq!(letters, "ABCDEFGHIJKLMNOPQRSTUVW");
    for (letter, faults, else_) in rows {
        for text in &faults {
            parsed(text);
        }
        // What needs no fault is done by the program itself.
        assert_eq!(faults.is_empty(), matches!(letter, "K" | "L"), "{letter}");
        assert!(!faults.is_empty() || !else_.is_empty(), "{letter}");
    }
}
