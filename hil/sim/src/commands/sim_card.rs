//! The SIM card.

use super::numbers::extended;
use crate::at::parse::{Call, Malformed};
use crate::at::reply::{Final, Reply};
use crate::at::table::{Command, Outcome};
use crate::config::SimCard;
use crate::module::Module;
use crate::profile::CommandSet;

const INSERTED: &[CommandSet] = &[
    CommandSet::Ec2x,
    CommandSet::Bg9x,
    CommandSet::Ec200u,
    CommandSet::Ec200x,
];

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+CPIN")
        .read(pin_read)
        .write(pin)
        .samples(&["=1234"]),
    Command::new("+CLCK")
        .test(lock_test)
        .write(lock)
        .samples(&["=\"SC\",2"]),
    Command::new("+QPINC")
        .read(tries_read)
        .write(tries)
        .samples(&["=\"SC\"", "=\"P2\""]),
    Command::new("+QSIMSTAT")
        .test(inserted_test)
        .read(inserted_read)
        .write(inserted_urc)
        .on(INSERTED)
        .samples(&["=1"]),
    extended("+QSIMDET")
        .on(INSERTED)
        .samples(&["=1,0"])
        .accepted(),
    Command::new("+QINISTAT").execute(initialised),
    Command::new("+CIMI").execute(imsi),
    Command::new("+QCCID").execute(iccid).on(INSERTED),
    Command::new("+CCID").execute(iccid).on(INSERTED),
    Command::new("+ICCID").execute(iccid).on(INSERTED),
    Command::new("+NCCID").execute(iccid).on(&[CommandSet::Bc]),
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

/// `AT+CPIN=<PIN>`, or `=<PUK>,<new PIN>`.
fn pin(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(2)?;
    let entered = call.text(0)?;
    let new = match call.has(1) {
        true => Some(call.text(1)?),
        false => None,
    };
    Ok(match module.enter_pin(entered, new) {
        Ok(()) => Outcome::OK,
        Err(number) => Outcome::Done(Final::Cme(number)),
    })
}

fn lock_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+CLCK: (\"SC\")");
    Ok(Outcome::OK)
}

/// `AT+CLCK="SC",2` asks whether the card wants its PIN; `=..,0|1,"<PIN>"` says so.
fn lock(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(4)?;
    if call.quoted(0)? != "SC" {
        return cme(4);
    }
    if let Err(number) = module.pin_state() {
        return cme(number);
    }
    let mode = call.ranged(1, 0..=2)?;
    if mode == 2 {
        reply.row(format!("+CLCK: {}", u8::from(module.sim_lock.wanted)));
        return Ok(Outcome::OK);
    }
    let entered = call.text(2)?;
    Ok(match module.set_pin_wanted(entered, mode == 1) {
        Ok(()) => Outcome::OK,
        Err(number) => Outcome::Done(Final::Cme(number)),
    })
}

fn tries_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let lock = &module.sim_lock;
    reply.row(format!("+QPINC: \"SC\",{},{}", lock.tries, lock.puk_tries));
    reply.row("+QPINC: \"P2\",3,10");
    Ok(Outcome::OK)
}

fn tries(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(1)?;
    let lock = &module.sim_lock;
    match call.quoted(0)? {
        "SC" => reply.row(format!("+QPINC: \"SC\",{},{}", lock.tries, lock.puk_tries)),
        "P2" => reply.row("+QPINC: \"P2\",3,10"),
        _ => return Err(Malformed),
    }
    Ok(Outcome::OK)
}

fn inserted_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+QSIMSTAT: (0,1)");
    Ok(Outcome::OK)
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
        (true, true) => module.profile.initialised,
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

fn iccid(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    match module.pin_state() {
        Ok(_) => {
            // BC modules leave the blank away.
            let blank = if call.name == "+NCCID" { "" } else { " " };
            reply.row(format!("{}:{blank}{}", call.name, module.cellular.iccid));
            Ok(Outcome::OK)
        }
        Err(number) => cme(number),
    }
}
