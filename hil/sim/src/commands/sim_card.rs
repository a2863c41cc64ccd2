//! The SIM card.

use crate::at::parse::{Call, Malformed};
use crate::at::reply::{Final, Reply};
use crate::at::table::{Command, Outcome};
use crate::config::SimCard;
use crate::module::Module;

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+CPIN").read(pin_read).write(pin),
    Command::new("+QSIMSTAT")
        .read(inserted_read)
        .write(inserted_urc),
    Command::new("+QINISTAT").execute(initialised),
    Command::new("+CIMI").execute(imsi),
    Command::new("+QCCID").execute(iccid),
];

type Result = std::result::Result<Outcome, Malformed>;

fn cme(number: u16) -> Result {
    Ok(Outcome::Done(Final::Cme(number)))
}

fn pin_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    match module.pin_state() {
        Ok(state) => {
            reply.row(format!("+CPIN: {state}"));
            Ok(Outcome::OK)
        }
        Err(number) => cme(number),
    }
}

fn pin(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(2)?;
    let entered = call.text(0)?;
    match (module.pin_state(), &module.sim_card) {
        (Err(number), _) => cme(number),
        (_, SimCard::Pin(right)) if right == entered => {
            module.unlock();
            Ok(Outcome::OK)
        }
        (_, SimCard::Pin(_)) => cme(16),
        (_, SimCard::Puk) => cme(12),
        _ => cme(3),
    }
}

fn inserted_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let urc = u8::from(module.settings.simstat_urc);
    let inserted = u8::from(module.sim_card != SimCard::Absent);
    reply.row(format!("+QSIMSTAT: {urc},{inserted}"));
    Ok(Outcome::OK)
}

fn inserted_urc(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    module.settings.simstat_urc = call.ranged(0, 0..=1)? == 1;
    Ok(Outcome::OK)
}

/// 1 for the PIN, 2 for short messages, 4 for the phone book; all 7 once the URCs have come.
fn initialised(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let sum = match (module.sim_ready(), module.initialised()) {
        (false, _) => 0,
        (true, false) => 1,
        (true, true) => 7,
    };
    reply.row(format!("+QINISTAT: {sum}"));
    Ok(Outcome::OK)
}

fn imsi(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    match module.pin_state() {
        Ok("READY") => {
            reply.row(&module.cellular.imsi);
            Ok(Outcome::OK)
        }
        Ok(_) => cme(11),
        Err(number) => cme(number),
    }
}

fn iccid(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    match module.pin_state() {
        Ok(_) => {
            reply.row(format!("+QCCID: {}", module.cellular.iccid));
            Ok(Outcome::OK)
        }
        Err(number) => cme(number),
    }
}
