//! What can be changed while a simulation runs, as text: for a control port, and for tests.

use std::fmt;
use std::net::IpAddr;

use crate::config::SimCard;
use crate::fault::{Fault, time};
use crate::faults::Storm;
use crate::module::Power;
use crate::net::Link;
use crate::plan::Plan;
use crate::sim::Sim;

/// Text that is no control line: which part of it is wrong, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlError(String);

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ControlError {}

type Result<T> = std::result::Result<T, ControlError>;

type Verb = fn(&mut Sim, &mut Words<'_>) -> Result<String>;

/// The verbs, in the order of the help.
const VERBS: &[(&str, Verb)] = &[
    ("baud", baud),
    ("rts", |sim, words| on_off(sim, words, Sim::set_rts)),
    ("dtr", |sim, words| on_off(sim, words, Sim::set_dtr)),
    ("powerkey", power_key),
    ("reset", reset),
    ("power", power),
    ("simcard", sim_card),
    ("status", |sim, words| {
        words.end()?;
        Ok(if sim.status() { "high" } else { "low" }.to_owned())
    }),
    ("signal", signal),
    ("registration", registration),
    ("pdp", pdp),
    ("apn", apn),
    ("link", link),
    ("name", name),
    ("fault", fault),
    ("faults", faults),
    ("plan", plan),
    ("urc", urc),
    ("storm", storm),
    ("state", |sim, words| {
        words.end()?;
        Ok(sim.describe())
    }),
    ("help", |_, words| {
        words.end()?;
        Ok(Sim::control_help().trim_end().to_owned())
    }),
];

impl Sim {
    /// Does what a line of text says, now. Gives what there is to say about it: for most lines
    /// nothing, for some several lines, without a line end behind the last.
    ///
    /// ```
    /// # let mut sim = quectel_sim::Sim::new(Default::default());
    /// sim.control("link delay=50ms loss=3%").unwrap();
    /// let error = sim.control("signal full").unwrap_err();
    /// assert_eq!(error.to_string(), "'full' is not a signal strength: 0 to 31, or 99");
    /// ```
    ///
    /// # The text
    ///
    /// ```text
    #[doc = include_str!("control.txt")]
    /// ```
    ///
    /// # Errors
    /// If the line says nothing that is known. It has changed nothing then.
    pub fn control(&mut self, line: &str) -> Result<String> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(String::new());
        }
        let mut words = Words(line);
        let verb = words.next("a verb")?;
        match VERBS.iter().find(|(name, _)| *name == verb) {
            Some((_, act)) => act(self, &mut words),
            None => {
                let all: Vec<&str> = VERBS.iter().map(|(name, _)| *name).collect();
                Err(wrong(verb, "a verb", &all.join(", ")))
            }
        }
    }

    /// What [`Sim::control`] understands.
    pub fn control_help() -> &'static str {
        include_str!("control.txt")
    }
}

/// Nothing to say.
const DONE: Result<String> = Ok(String::new());

fn baud(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    let baud = words.parsed("a speed", "300 to 10000000", |word| {
        let number = word.parse().ok();
        number.filter(|n| (300..=10_000_000).contains(n))
    })?;
    words.end()?;
    sim.set_host_baud(baud);
    DONE
}

fn on_off(sim: &mut Sim, words: &mut Words<'_>, set: fn(&mut Sim, bool)) -> Result<String> {
    let on = words.choice("a state", &[("on", true), ("off", false)])?;
    words.end()?;
    set(sim, on);
    DONE
}

/// What is done to a pin.
#[derive(Debug, Clone, Copy)]
enum Act {
    Down,
    Up,
    Press(Option<u64>),
}

fn act(words: &mut Words<'_>) -> Result<Act> {
    let all = [
        ("down", Act::Down),
        ("up", Act::Up),
        ("press", Act::Press(None)),
    ];
    let mut act = words.choice("what is done to the pin", &all)?;
    if let Act::Press(us) = &mut act
        && words.any_left()
    {
        *us = Some(words.parsed("a time", "a number and its unit: 600ms, 2s", time)?);
    }
    words.end()?;
    Ok(act)
}

/// What a pin is held longer than is needed, in µs.
const EXTRA_US: u64 = 100_000;

fn power_key(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    let pins = &sim.module.profile.pins;
    let enough = match sim.module.power() {
        Power::Off => pins.on_us,
        _ => pins.off_us.unwrap_or(pins.on_us),
    };
    match act(words)? {
        Act::Down => sim.set_power_key(true),
        Act::Up => sim.set_power_key(false),
        Act::Press(us) => sim.press_power_key(us.unwrap_or(enough + EXTRA_US)),
    }
    DONE
}

fn reset(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    let enough = sim.module.profile.pins.reset_us;
    match act(words)? {
        Act::Down => sim.set_reset(true),
        Act::Up => sim.set_reset(false),
        Act::Press(us) => sim.press_reset(us.unwrap_or(enough + EXTRA_US)),
    }
    DONE
}

fn power(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    let on = words.choice("a state of the supply", &[("cut", false), ("on", true)])?;
    words.end()?;
    match on {
        true => sim.power_on(),
        false => sim.power_off(),
    }
    DONE
}

fn sim_card(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    let all = [
        ("ready", SimCard::Ready),
        ("absent", SimCard::Absent),
        ("puk", SimCard::Puk),
        ("failure", SimCard::Failure),
        ("pin", SimCard::Pin(String::new())),
    ];
    let mut card = words.choice("a SIM card", &all)?;
    if let SimCard::Pin(pin) = &mut card {
        let digits = |word: &str| {
            let fits = matches!(word.len(), 4..=8) && word.bytes().all(|b| b.is_ascii_digit());
            fits.then(|| word.to_owned())
        };
        *pin = words.parsed("a PIN", "4 to 8 digits", digits)?;
    }
    words.end()?;
    sim.set_sim_card(card);
    DONE
}

fn signal(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    let number = |most: u8| move |word: &str| word.parse().ok().filter(|n| *n <= most || *n == 99);
    let rssi = words.parsed("a signal strength", "0 to 31, or 99", number(31))?;
    let ber = match words.any_left() {
        true => words.parsed("a bit error rate", "0 to 7, or 99", number(7))?,
        false => 99,
    };
    words.end()?;
    sim.set_signal(rssi, ber);
    DONE
}

fn registration(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    let all = [
        ("home", (1, false)),
        ("roaming", (5, false)),
        ("searching", (2, false)),
        ("denied", (3, true)),
        ("lost", (2, true)),
    ];
    let (state, loses) = words.choice("a registration", &all)?;
    words.end()?;
    sim.set_registration(state);
    if loses {
        sim.drop_contexts();
    }
    DONE
}

fn pdp(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    words.choice("what the network does", &[("drop", ())])?;
    let allowed = "0 to 16";
    let context = words.parsed("a PDP context", allowed, |word| {
        word.parse().ok().filter(|context| *context <= 16)
    })?;
    words.end()?;
    match sim.drop_context(context) {
        true => DONE,
        false => Err(ControlError(format!("context {context} is not active"))),
    }
}

fn apn(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    let what = "what the network does with an APN";
    let refused = words.choice(what, &[("refuse", true), ("allow", false)])?;
    let apn = words.next("an APN")?;
    words.end()?;
    sim.set_apn_refused(apn, refused);
    DONE
}

fn link(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    const WHAT: &str = "a property of the link";
    const ALL: &str = "down, up, delay=, jitter=, loss=, reorder=, rate=, nat-tcp= or nat-udp=";
    let mut link = sim.link_mut().clone();
    let mut word = words.next(&format!("{WHAT}: {ALL}"))?;
    loop {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match (name, word.contains('=')) {
            ("down", false) => link.down = true,
            ("up", false) => link.down = false,
            (name, true) => property(&mut link, name, value)
                .ok_or_else(|| wrong(word, WHAT, ALL))?
                .map_err(|allowed| wrong(value, &format!("a value of {name}"), allowed))?,
            _ => return Err(wrong(word, WHAT, ALL)),
        }
        if !words.any_left() {
            break;
        }
        word = words.next(WHAT)?;
    }
    sim.set_link(link);
    DONE
}

/// Sets a property of the link; none if there is no such one, an error with what is allowed if it
/// has no such value.
fn property(
    link: &mut Link,
    name: &str,
    value: &str,
) -> Option<std::result::Result<(), &'static str>> {
    let times = time(value).ok_or("a time such as 50ms");
    let ppm = percent(value).ok_or("0% to 100%");
    let rate = rate(value).ok_or("bytes a second, such as 64000 or 64k");
    Some(match name {
        "delay" => times.map(|us| link.delay_us = us),
        "jitter" => times.map(|us| link.jitter_us = us),
        "nat-tcp" => times.map(|us| link.nat_tcp_us = us),
        "nat-udp" => times.map(|us| link.nat_udp_us = us),
        "loss" => ppm.map(|ppm| link.loss_ppm = ppm),
        "reorder" => ppm.map(|ppm| link.reorder_ppm = ppm),
        "rate" => rate.map(|rate| link.rate = rate),
        _ => return None,
    })
}

/// A percentage, in parts of a million.
fn percent(text: &str) -> Option<u32> {
    let number = text.strip_suffix('%')?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    if part.len() > 4 || whole.len() > 3 {
        return None;
    }
    let part = part.parse::<u32>().ok()? * 10u32.pow(4 - part.len() as u32);
    let ppm = whole.parse::<u32>().ok()? * 10_000 + part;
    (ppm <= 1_000_000).then_some(ppm)
}

fn rate(text: &str) -> Option<u64> {
    match text.strip_suffix('k') {
        Some(thousands) => thousands.parse::<u64>().ok()?.checked_mul(1_000),
        None => text.parse().ok(),
    }
}

fn name(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    const TTL_S: u32 = 300;
    let host = words.next("a name")?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    while words.any_left() {
        let address = words.parsed("an address", "such as 192.0.2.7 or 2001:db8::7", |word| {
            word.parse().ok()
        })?;
        addresses.push(address);
    }
    sim.set_name_addresses(host, &addresses, TTL_S);
    DONE
}

fn fault(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    let text = words.rest("a fault")?;
    let fault: Fault = text
        .parse()
        .map_err(|error: crate::FaultError| ControlError(error.to_string()))?;
    sim.add_fault(fault);
    DONE
}

fn faults(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    words.choice("what becomes of the faults", &[("clear", ())])?;
    words.end()?;
    sim.clear_faults();
    DONE
}

fn plan(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    let word = words.next("a seed")?;
    words.end()?;
    let plan: Plan = word
        .parse()
        .map_err(|error: crate::FaultError| ControlError(error.to_string()))?;
    let faults: Vec<String> = sim.add_plan(&plan).iter().map(Fault::to_string).collect();
    Ok(faults.join("\n"))
}

fn urc(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    let text = text_of_urc(words)?;
    sim.send_urc(text);
    DONE
}

fn storm(sim: &mut Sim, words: &mut Words<'_>) -> Result<String> {
    let count = words.parsed("a number of URCs", "1 to 10000", |word| {
        let number = word.parse().ok();
        number.filter(|n| (1..=Storm::MOST).contains(n))
    })?;
    let every_us = words.parsed("a time", "a number and its unit: 20ms, 0s", time)?;
    let text = text_of_urc(words)?;
    sim.send_storm(count, text, every_us);
    DONE
}

fn text_of_urc<'a>(words: &mut Words<'a>) -> Result<&'a str> {
    let text = words.rest("a URC")?;
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        let shown = control.escape_default().to_string();
        return Err(wrong(&shown, "part of a URC", "no control characters"));
    }
    Ok(text)
}

fn wrong(word: &str, what: &str, allowed: &str) -> ControlError {
    ControlError(format!("'{word}' is not {what}: {allowed}"))
}

/// What is left of a line.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn any_left(&self) -> bool {
        !self.0.is_empty()
    }

    /// The next word, which is to be `what`.
    fn next(&mut self, what: &str) -> Result<&'a str> {
        if self.0.is_empty() {
            return Err(ControlError(format!("the line goes on with {what}")));
        }
        let (word, rest) = self
            .0
            .split_once(char::is_whitespace)
            .unwrap_or((self.0, ""));
        self.0 = rest.trim_start();
        Ok(word)
    }

    /// Everything that is left.
    fn rest(&mut self, what: &str) -> Result<&'a str> {
        match std::mem::take(&mut self.0) {
            "" => Err(ControlError(format!("the line goes on with {what}"))),
            rest => Ok(rest),
        }
    }

    fn parsed<T>(
        &mut self,
        what: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T> {
        let word = self.next(&format!("{what} ({allowed})"))?;
        parse(word).ok_or_else(|| wrong(word, what, allowed))
    }

    fn choice<T: Clone>(&mut self, what: &str, choices: &[(&str, T)]) -> Result<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.parsed(what, &names.join(", "), |word| {
            let found = choices.iter().find(|(name, _)| *name == word);
            found.map(|(_, value)| value.clone())
        })
    }

    fn end(&self) -> Result<()> {
        match self.0 {
            "" => Ok(()),
            rest => Err(ControlError(format!("'{rest}' is too much"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_verb() {
        for (name, _) in VERBS {
            let known = |line: &str| line.starts_with(&format!("  {name} "));
            assert!(Sim::control_help().lines().any(known), "{name}");
        }
    }
}
