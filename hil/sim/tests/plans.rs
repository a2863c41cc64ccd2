//! Faults drawn from a seed: always the same, of every kind, and the module survives them.

mod common;

use common::{Host, shown};
use quectel_sim::{Config, Direction, Echo, Fault, Plan};

fn texts(plan: &Plan) -> Vec<String> {
    plan.faults().iter().map(Fault::to_string).collect()
}

#[test]
fn the_seed_decides() {
    for seed in 0..100 {
        let plan = Plan::new(seed).count(10);
        assert_eq!(texts(&plan), texts(&plan.clone()));
        assert_ne!(texts(&plan), texts(&Plan::new(seed + 1).count(10)));
        // More faults are others behind the same.
        assert_eq!(texts(&plan)[..5], texts(&Plan::new(seed)));
    }
}

/// What was drawn once is drawn for ever.
#[test]
fn a_plan_word_for_word() {
    assert_eq!(
        texts(&Plan::new(7)),
        [
            "slow-payload:1ms:3",
            "urc:before-ok:+QIRD:\"+QUSIM: 1\"",
            "stall:host:8263:160s",
            "already-active:1",
            "pdpdeact:1:payload:476:2",
        ]
    );
}

#[test]
fn every_kind_is_drawn_and_can_be_said_again() {
    let mut drawn = Vec::new();
    for seed in 0..300 {
        let faults = Plan::new(seed).faults();
        assert_eq!(faults.len(), 5, "seed {seed}");
        for fault in faults {
            let text = fault.to_string();
            assert_eq!(text.parse(), Ok(fault), "{text}");
            drawn.push(text);
        }
    }
    for name in Fault::names() {
        let of_kind = drawn
            .iter()
            .filter(|text| text.split(':').next() == Some(name));
        assert!(of_kind.count() >= 20, "{name}");
    }
    for spot in [
        "after-echo",
        "before-answer",
        "between-rows",
        "before-ok",
        "after-answer",
        "before-prompt",
        "before-send-ok",
    ] {
        let begin = format!("urc:{spot}:");
        assert!(drawn.iter().any(|text| text.starts_with(&begin)), "{spot}");
    }
    for place in [":host:", ":module:", ":answer:", ":prompt:", ":payload:"] {
        assert!(drawn.iter().any(|text| text.contains(place)), "{place}");
    }
    assert!(drawn.iter().all(|text| !text.ends_with(":always")));
}

#[test]
fn only_some_kinds() {
    let plan = Plan::new(1).count(200).kinds(&["mute", "drop"]).unwrap();
    for text in texts(&plan) {
        assert!(
            text.starts_with("mute:") || text.starts_with("drop:"),
            "{text}"
        );
    }
    let error = Plan::new(1).kinds(&["drop", "drp"]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("'drp' is not the name of a fault: drop, double"),
        "{error}"
    );
    assert!(Plan::new(1).kinds(&[]).is_err());
}

#[test]
fn plans_as_text() {
    let plan = |text: &str| text.parse::<Plan>();
    assert_eq!(plan("7"), Ok(Plan::new(7)));
    assert_eq!(plan("7:10"), Ok(Plan::new(7).count(10)));
    let long = Plan::new(7).count(10).span_us(90_000_000);
    assert_eq!(plan("7:10:1.5min"), Ok(long.clone()));
    assert_eq!(long.to_string(), "7:10:90s");
    for (text, error) in [
        ("", "'' is not a seed: a number from 0"),
        ("x", "'x' is not a seed: a number from 0"),
        ("1:0", "'0' is not a number of faults: 1 to 1000"),
        ("1:1001", "'1001' is not a number of faults: 1 to 1000"),
        ("1:5:3", "'3' is not a time: such as 500ms or 5min"),
        ("1:5:3s:4", "'3s:4' is not a time: such as 500ms or 5min"),
    ] {
        assert_eq!(plan(text).unwrap_err().to_string(), error);
    }
}

/// A plan for a module that has run for some time begins now.
#[test]
fn times_and_positions_count_from_now() {
    let mut host = Host::new(Config::default());
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    host.sim.run_until(100_000_000);
    let [to_host, to_module] =
        [Direction::ToHost, Direction::ToModule].map(|direction| host.sim.position(direction));
    assert_eq!([to_host, to_module], [9, 3]);
    let plan = Plan::new(3)
        .count(100)
        .kinds(&["drop", "reset", "mute"])
        .unwrap();
    let mut seen = [0; 3];
    for (fault, base) in host.sim.add_plan(&plan).iter().zip(plan.faults()) {
        let (fault, base) = (fault.to_string(), base.to_string());
        let number = |text: &str| -> u64 {
            let digits = text.split(':').nth(2).unwrap_or_default();
            digits.parse().unwrap()
        };
        let kind = base.split(':').nth(1).unwrap();
        match kind {
            "host" => assert_eq!(number(&fault), number(&base) + 9),
            "module" => assert_eq!(number(&fault), number(&base) + 3),
            "answer" | "prompt" | "payload" => assert_eq!(fault, base),
            _ => assert_ne!(fault, base),
        }
        seen[0] += usize::from(kind == "host");
        seen[1] += usize::from(kind == "module");
        seen[2] += usize::from(fault != base);
    }
    assert!(
        seen[0] > 0 && seen[1] > 0 && seen[2] > seen[0] + seen[1],
        "{seen:?}"
    );
}

#[test]
fn a_plan_by_a_control_line() {
    let mut host = Host::new(Config::default());
    let list = host.sim.control("plan 7:3").unwrap();
    let drawn = texts(&Plan::new(7).count(3));
    assert_eq!(list.lines().collect::<Vec<_>>(), drawn);
    let error = host.sim.control("plan 7:x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "'x' is not a number of faults: 1 to 1000"
    );
}

/// A session as a driver has it, without regard to what is answered.
const SESSION: &[&str] = &[
    "AT\r",
    "ATE0\r",
    "AT+CMEE=2\r",
    "AT+CEREG?\r",
    "AT+CSQ\r",
    "AT+QIACT=1\r",
    "AT+QIACT?\r",
    "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,0,0\r",
    "AT+QISTATE\r",
    "AT+QISEND=0,1000\r",
    "PAYLOAD",
    "AT+QIRD=0,1500\r",
    "AT+QISEND=0,1000\r",
    "PAYLOAD",
    "AT+QIRD=0,1500\r",
    "AT+QIRD=0,0\r",
    "AT+QICLOSE=0\r",
];

#[test]
fn the_module_survives_any_plan() {
    for seed in 0..300 {
        let plan = Plan::new(seed).count(12).span_us(30_000_000);
        let mut host = Host::new(Config {
            seed,
            ..Config::default()
        });
        host.sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
        let drawn: Vec<String> = host
            .sim
            .add_plan(&plan)
            .iter()
            .map(Fault::to_string)
            .collect();
        for _ in 0..3 {
            for said in SESSION {
                match *said {
                    "PAYLOAD" => host.send([b'x'; 1_000]),
                    said => host.send(said),
                }
                host.sim.run_for(800_000);
                host.forget();
            }
        }
        host.sim.clear_faults();
        // The longest that a fault lasts, and a payload that still waits.
        host.sim.run_for(400_000_000);
        host.send([b'\r'; 1_460]);
        host.sim.run_for(200_000_000);
        host.forget();
        host.send("ATE0\r");
        host.sim.run_for(1_000_000);
        host.forget();
        host.send("AT\r");
        host.sim.run_for(1_000_000);
        let answer = shown(&host.sim.read_all());
        assert_eq!(answer, r"\r\nOK\r\n", "seed {seed}, {drawn:#?}");
    }
}
