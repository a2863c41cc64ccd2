//! The clock.

use super::numbers::extended;
use crate::at::parse::{Call, Malformed};
use crate::at::reply::Reply;
use crate::at::table::{Command, Outcome};
use crate::module::Module;

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+CCLK")
        .read(read)
        .write(write)
        .samples(&["=\"26/07/03,00:56:27+32\""]),
    extended("+CTZU").samples(&["=1"]),
    extended("+CTZR").samples(&["=0"]),
    Command::new("+QLTS")
        .test(network_time_test)
        .execute(network_time)
        .write(network_time)
        .samples(&["=0", "=1", "=2"]),
];

type Result = std::result::Result<Outcome, Malformed>;

fn read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(format!("+CCLK: \"{}\"", module.clock_text()));
    Ok(Outcome::OK)
}

fn write(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(1)?;
    match module.set_clock_text(call.quoted(0)?) {
        true => Ok(Outcome::OK),
        false => Err(Malformed),
    }
}

fn network_time_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+QLTS: (0-2)");
    Ok(Outcome::OK)
}

fn network_time(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(1)?;
    let mode = call.ranged_or(0, 0..=2, 0)?;
    reply.row(format!("+QLTS: \"{}\"", module.network_time_text(mode)));
    Ok(Outcome::OK)
}
