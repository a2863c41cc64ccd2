//! The commands of V.250: how lines are written, what is stored, the serial line.

use super::numbers::{self, basic, extended, register};
use crate::at::parse::{Call, Malformed};
use crate::at::reply::Reply;
use crate::at::table::{Command, Outcome};
use crate::module::Module;
use crate::profile::CommandSet;

pub(super) const COMMANDS: &[Command] = &[
    Command::new("E").execute(echo).samples(&["0", "1"]),
    basic("Q").samples(&["0"]),
    basic("V").samples(&["1"]),
    basic("X").samples(&["4"]).accepted(),
    Command::new("Z").execute(recall).samples(&["0"]),
    Command::new("&F").execute(factory).samples(&["0"]),
    Command::new("&W").execute(store).samples(&["0"]),
    Command::new("&V").execute(view),
    basic("&C").samples(&["1"]).accepted(),
    basic("&D").samples(&["2"]),
    register("S0").samples(&["=0"]).accepted(),
    register("S3").samples(&["=13"]),
    register("S4").samples(&["=10"]),
    register("S5").samples(&["=8"]).accepted(),
    register("S6").samples(&["=2"]).accepted(),
    register("S7").samples(&["=30"]).accepted(),
    register("S8").samples(&["=2"]).accepted(),
    register("S10").samples(&["=15"]).accepted(),
    register("S12").samples(&["=50"]).accepted(),
    Command::new("H")
        .execute(hang_up)
        .samples(&["0"])
        .accepted(),
    Command::new("+IPR")
        .test(rates)
        .read(rate_read)
        .write(rate)
        .samples(&["=115200"]),
    Command::new("+CBAUD")
        .test(rates)
        .read(rate_read)
        .write(rate)
        .on(&[CommandSet::Ec200u])
        .samples(&["=115200"]),
    extended("+IFC").samples(&["=0,0"]),
    extended("+ICF").samples(&["=3,3"]).accepted(),
];

type Result = std::result::Result<Outcome, Malformed>;

fn echo(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    module.settings.echo = call.ranged_or(0, 0..=1, 0)? == 1;
    Ok(Outcome::OK)
}

fn hang_up(_: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.ranged_or(0, 0..=0, 0)?;
    Ok(Outcome::OK)
}

/// `ATZ`: what was stored.
fn recall(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.ranged_or(0, 0..=0, 0)?;
    module.settings.echo = module.saved.echo;
    module.settings.registration_urc = module.saved.registration_urc;
    module.settings.cmee = module.profile.cmee;
    module.settings.numbers.recall(&module.saved.numbers);
    Ok(Outcome::OK)
}

/// `AT&F`: what the factory set. The speed of the line stays.
fn factory(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.ranged_or(0, 0..=1, 0)?;
    module.settings.echo = true;
    module.settings.cmee = module.profile.cmee;
    module.settings.registration_urc = [0; 3];
    module.settings.numbers.factory();
    Ok(Outcome::OK)
}

fn store(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.ranged_or(0, 0..=0, 0)?;
    module.saved.echo = module.settings.echo;
    module.saved.registration_urc = module.settings.registration_urc;
    module.saved.numbers.store(&module.settings.numbers);
    module.saved.baud = module.baud;
    Ok(Outcome::OK)
}

/// One setting a line.
fn view(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let mut shown: Vec<(&str, u32)> = numbers::listed()
        .map(|name| (name, module.settings.numbers.get(name, 0)))
        .collect();
    shown.insert(2, ("&F", 0));
    shown.insert(3, ("&W", 0));
    shown.insert(4, ("E", u32::from(module.settings.echo)));
    shown.insert(8, ("Z", 0));
    for (name, value) in shown {
        reply.row(format!("{name}: {value}"));
    }
    Ok(Outcome::OK)
}

fn rates(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    let rates: Vec<String> = module.profile.rates.iter().map(u32::to_string).collect();
    reply.row(format!("{}: (),({})", call.name, rates.join(",")));
    Ok(Outcome::OK)
}

fn rate_read(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    reply.row(format!("{}: {}", call.name, module.baud));
    Ok(Outcome::OK)
}

/// The answer still has the old speed. With 0 the module looks for the host's.
fn rate(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(1)?;
    let rate = call.number(0)?;
    if !module.profile.rates.contains(&rate) {
        return Err(Malformed);
    }
    (module.baud, module.found_speed) = (rate, None);
    Ok(Outcome::OK)
}
