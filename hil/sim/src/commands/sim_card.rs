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
    Command::new("+CRSM")
        .write(restricted_access)
        .samples(&["=176,28514,0,0,0", "=192,28514"]),
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
    if let Err(number) = module.pin_state() {
        return cme(number);
    }
    let lock = &module.sim_lock;
    reply.row(format!("+QPINC: \"SC\",{},{}", lock.tries, lock.puk_tries));
    reply.row("+QPINC: \"P2\",3,10");
    Ok(Outcome::OK)
}

fn tries(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(1)?;
    if let Err(number) = module.pin_state() {
        return cme(number);
    }
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

fn initialised(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(format!("+QINISTAT: {}", module.initialised()));
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

/// The file with the networks to be preferred: the operator's own, over LTE.
const PREFERRED: u32 = 0x6F62;
/// Reads a file.
const READ_BINARY: u32 = 176;

/// `AT+CRSM=<command>[,<file>[,<offset>,<offset>,<length>]]`: the card has one file that can be read, and
/// answers everything else with 6A82, file not found.
fn restricted_access(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(7)?;
    let command = call.ranged(0, 0..=255)?;
    let file = call.ranged_or(1, 0..=65_535, 0)?;
    match module.pin_state() {
        Ok("READY") => {}
        Ok(_) => return cme(11),
        Err(number) => return cme(number),
    }
    if (command, file) != (READ_BINARY, PREFERRED) {
        reply.row("+CRSM: 106,130,\"\"");
        return Ok(Outcome::OK);
    }
    let data = format!("{}4000", network_code(&module.cellular.operator));
    let length = call.ranged_or(4, 0..=255, 0)? as usize;
    let length = if length == 0 { data.len() } else { length * 2 };
    let data = data.get(..length).unwrap_or(&data);
    reply.row(format!("+CRSM: 144,0,\"{data}\""));
    Ok(Outcome::OK)
}

/// A country and network code as cards hold it: digits in pairs, the second first, `F` for a third digit
/// of the network that there is not.
fn network_code(operator: &str) -> String {
    let digits: Vec<char> = operator.chars().collect();
    let digit = |i: usize| digits.get(i).copied().unwrap_or('F');
    [1, 0, 5, 2, 4, 3].map(digit).iter().collect()
}
