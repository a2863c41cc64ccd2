//! Looking names up, against hand-written bytes.

mod support;

use std::net::IpAddr;

use nb::Error::{Other, WouldBlock};
use quectel_sockets::{Addresses, Failure, ResolveError};
use support::dialogue::Dialogue;

fn ask(name: &str) -> String {
    format!("AT+QIDNSGIP=1,\"{name}\"\r")
}

/// `+QIURC: "dnsgip",<fields>`
fn dnsgip(fields: &str) -> String {
    format!("+QIURC: \"dnsgip\",{fields}")
}

fn addresses(list: &[&str]) -> nb::Result<Addresses, ResolveError> {
    let list = list.iter().map(|text| text.parse::<IpAddr>().unwrap());
    Ok(list.collect())
}

/// Begins to look `a.test` up; the command is accepted.
#[track_caller]
fn begin(d: &mut Dialogue<'_>) {
    assert_eq!(d.engine.resolve("a.test"), Err(WouldBlock));
    d.host(ask("a.test")).ok();
    assert_eq!(d.engine.resolve("a.test"), Err(WouldBlock));
}

/// T11, T15: each address in a line of its own.
#[test]
fn several_addresses() {
    up!(d, 1);
    begin(&mut d);
    d.line(dnsgip("0,3,300"))
        .line(dnsgip("\"203.0.113.1\""))
        .line("+CEREG: 1")
        .line(dnsgip("\"2001:db8::1\""));
    assert_eq!(d.engine.resolve("a.test"), Err(WouldBlock));
    d.line(dnsgip("\"203.0.113.2\""));
    let all = addresses(&["203.0.113.1", "2001:db8::1", "203.0.113.2"]);
    assert_eq!(d.engine.resolve("a.test"), all);
    // Collected: the next call asks again.
    begin(&mut d);
}

/// T39: the clone leaves the ttl out.
#[test]
fn a_count_without_ttl() {
    up!(d, 1);
    begin(&mut d);
    d.line(dnsgip("0,1")).line(dnsgip("\"93.184.216.34\""));
    assert_eq!(d.engine.resolve("a.test"), addresses(&["93.184.216.34"]));
}

#[test]
fn more_addresses_than_are_kept() {
    up!(d, 1);
    begin(&mut d);
    d.line(dnsgip("0,6,1"));
    for i in 1..=6 {
        d.line(dnsgip(&format!("\"192.0.2.{i}\"")));
    }
    let four = addresses(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]);
    assert_eq!(d.engine.resolve("a.test"), four);
}

#[test]
fn failures() {
    for (result, error) in [
        ("565", ResolveError::NotFound),
        ("569", ResolveError::TimedOut),
        ("561", ResolveError::NoNetwork),
        ("570", ResolveError::NoNetwork),
        ("0,0,0", ResolveError::NotFound),
        ("0,0", ResolveError::NotFound),
    ] {
        up!(d, 1);
        begin(&mut d);
        d.line(dnsgip(result)).silent();
        assert_eq!(d.engine.resolve("a.test"), Err(Other(error)), "{result}");
        // Told once; then it is asked again.
        begin(&mut d);
        d.line(dnsgip("0,1,0")).line(dnsgip("\"192.0.2.1\""));
        assert_eq!(d.engine.resolve("a.test"), addresses(&["192.0.2.1"]));
    }
}

#[test]
fn a_refused_command() {
    for (answer, error) in [
        ("ERROR", ResolveError::NotFound),
        ("+CME ERROR: 565", ResolveError::NotFound),
        ("+CME ERROR: 561", ResolveError::NoNetwork),
    ] {
        up!(d, 1);
        assert_eq!(d.engine.resolve("a.test"), Err(WouldBlock));
        d.host(ask("a.test")).line(answer);
        assert_eq!(d.engine.resolve("a.test"), Err(Other(error)), "{answer}");
    }
}

#[test]
fn a_busy_resolver_is_asked_again_after_a_pause() {
    for busy in [
        "OK\r\n\r\n+QIURC: \"dnsgip\",564",
        "OK\r\n\r\n+QIURC: \"dnsgip\",551",
        "+CME ERROR: 564",
    ] {
        up!(d, 1);
        assert_eq!(d.engine.resolve("a.test"), Err(WouldBlock));
        d.host(ask("a.test"));
        for _ in 0..3 {
            d.line(busy);
            assert_eq!(d.engine.resolve("a.test"), Err(WouldBlock));
            d.wakes(100..=2_000, ask("a.test"));
        }
        d.ok().line(dnsgip("0,1,0")).line(dnsgip("\"192.0.2.1\""));
        assert_eq!(d.engine.resolve("a.test"), addresses(&["192.0.2.1"]));
    }
}

/// The module's maximum is 60 s.
#[test]
fn an_answer_that_never_comes() {
    up!(d, 1);
    begin(&mut d);
    d.quiet(59_000);
    assert_eq!(d.engine.resolve("a.test"), Err(WouldBlock));
    d.quiet(8_000);
    let late = Err(Other(ResolveError::TimedOut));
    assert_eq!(d.engine.resolve("a.test"), late);
    assert_eq!(ResolveError::TimedOut.errno(), 110);
    // It comes after all, and is nobody's.
    d.line(dnsgip("0,1,0")).line(dnsgip("\"192.0.2.9\""));
    begin(&mut d);
    d.line(dnsgip("0,1,0")).line(dnsgip("\"192.0.2.1\""));
    assert_eq!(d.engine.resolve("a.test"), addresses(&["192.0.2.1"]));
}

/// Some addresses are better than none.
#[test]
fn fewer_addresses_than_announced() {
    up!(d, 1);
    begin(&mut d);
    d.line(dnsgip("0,2,300")).line(dnsgip("\"192.0.2.1\""));
    assert_eq!(d.engine.resolve("a.test"), Err(WouldBlock));
    d.quiet(5_000);
    assert_eq!(d.engine.resolve("a.test"), addresses(&["192.0.2.1"]));

    begin(&mut d);
    d.line(dnsgip("0,2,300")).quiet(5_000);
    let none = Err(Other(ResolveError::TimedOut));
    assert_eq!(d.engine.resolve("a.test"), none);
}

/// One at a time: the answer does not say which name it answers.
#[test]
fn a_second_name_waits_for_the_first() {
    up!(d, 1);
    begin(&mut d);
    for _ in 0..3 {
        assert_eq!(d.engine.resolve("b.test"), Err(WouldBlock));
        d.silent();
    }
    d.line(dnsgip("0,1,0")).line(dnsgip("\"192.0.2.1\""));
    assert_eq!(d.engine.resolve("a.test"), addresses(&["192.0.2.1"]));
    assert_eq!(d.engine.resolve("b.test"), Err(WouldBlock));
    d.host(ask("b.test")).ok();
    assert_eq!(d.engine.resolve("a.test"), Err(WouldBlock));
    d.line(dnsgip("0,1,0")).line(dnsgip("\"192.0.2.2\""));
    assert_eq!(d.engine.resolve("b.test"), addresses(&["192.0.2.2"]));
}

/// The caller that gave up does not hold up the next.
#[test]
fn an_answer_that_is_not_collected() {
    for waits in [0, 61_000] {
        up!(d, 1);
        begin(&mut d);
        d.line(dnsgip("0,1,0"))
            .line(dnsgip("\"192.0.2.1\""))
            .quiet(waits);
        if waits == 0 {
            // Another name is asked for.
            assert_eq!(d.engine.resolve("b.test"), Err(WouldBlock));
            d.host(ask("b.test")).ok();
            d.line(dnsgip("0,1,0")).line(dnsgip("\"192.0.2.2\""));
            assert_eq!(d.engine.resolve("b.test"), addresses(&["192.0.2.2"]));
        }
        // An answer of long ago is not given.
        begin(&mut d);
    }
}

#[test]
fn addresses_are_their_own_answer() {
    // Not even the module is needed.
    dialogue!(d, 1);
    for text in ["192.0.2.1", "2001:db8::1", "::1"] {
        assert_eq!(d.engine.resolve(text), addresses(&[text]));
    }
    d.host("AT\r");
}

/// Row L
#[test]
fn a_name_that_could_end_the_argument_is_refused() {
    up!(d, 1);
    let long = "a".repeat(151);
    for name in [
        "",
        "a b",
        "a\"b",
        "a\r",
        "a\nAT+QPOWD\r",
        "a,b",
        "a\\b",
        "a:80",
        "http://a",
        "ä",
        "\u{1a}",
        &long,
    ] {
        let refused = d.engine.resolve(name);
        assert!(
            matches!(refused, Err(Other(ResolveError::InvalidName(_)))),
            "{name:?}"
        );
        d.silent();
    }
    assert_eq!(d.engine.resolve(&long[1..]), Err(WouldBlock));
    d.host(ask(&long[1..]));
}

#[test]
fn a_look_up_needs_the_network() {
    dialogue!(d, 1);
    let down = Err(Other(ResolveError::NoNetwork));
    assert_eq!(d.engine.resolve("a.test"), down);
    d.bring_up();
    begin(&mut d);
    d.line("+QIURC: \"pdpdeact\",1");
    let lost = ResolveError::Failed(Failure::ContextLost);
    assert_eq!(d.engine.resolve("a.test"), Err(Other(lost)));
    assert_eq!(d.engine.resolve("a.test"), down);
    d.host("AT+QIDEACT=1\r").ok();
    d.bring_up_from("AT+QICSGP=1,1,\"\",\"\",\"\",0\r");
    begin(&mut d);
    d.line("RDY");
    let lost = ResolveError::Failed(Failure::Restarted);
    assert_eq!(d.engine.resolve("a.test"), Err(Other(lost)));
    // An old answer is nobody's.
    d.line(dnsgip("0,1,0")).line(dnsgip("\"192.0.2.9\""));
    assert_eq!(d.engine.resolve("a.test"), down);
}

/// Addresses that nobody asked for, and lines that are none.
#[test]
fn stray_answers() {
    up!(d, 1);
    d.line(dnsgip("0,1,0"))
        .line(dnsgip("\"192.0.2.9\""))
        .line(dnsgip("565"));
    begin(&mut d);
    for junk in [
        "\"192.0.2.9\"",
        "\"not an address\"",
        "0",
        "\"\"",
        "0,9999,1",
    ] {
        d.line(dnsgip(junk)).silent();
        assert_eq!(d.engine.resolve("a.test"), Err(WouldBlock), "{junk}");
    }
    d.line(dnsgip("0,1,0"))
        .line(dnsgip("\"192.0.2.1\""))
        .line(dnsgip("\"192.0.2.9\""));
    assert_eq!(d.engine.resolve("a.test"), addresses(&["192.0.2.1"]));
}
