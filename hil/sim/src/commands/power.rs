//! Functionality levels, power, power saving.

use super::numbers::extended;
use crate::at::parse::{Call, Malformed};
use crate::at::reply::{Final, Reply};
use crate::at::table::{Command, Outcome};
use crate::module::{Module, Wait};
use crate::profile::CommandSet;

const SAVERS: &[CommandSet] = &[CommandSet::Bg9x, CommandSet::Bc];

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+CFUN")
        .test(functionality_test)
        .read(functionality_read)
        .write(functionality)
        .samples(&["=1", "=1,0"]),
    Command::new("+QPOWD")
        .test(power_down_test)
        .execute(power_down)
        .write(power_down)
        .samples(&["=0", "=1"]),
    extended("+QSCLK").samples(&["=1"]),
    Command::new("+CPSMS")
        .gaps()
        .test(saving_test)
        .read(saving_read)
        .execute(saving)
        .write(saving)
        .on(SAVERS)
        .samples(&["=1,,,\"00000100\",\"00001111\"", "=0"]),
    Command::new("+QPSMS")
        .read(granted_read)
        .on(&[CommandSet::Bg9x]),
    extended("+QPSMCFG")
        .on(&[CommandSet::Bg9x])
        .samples(&["=60,4"])
        .accepted(),
    Command::new("+CEDRXS")
        .test(edrx_test)
        .read(edrx_read)
        .execute(edrx)
        .write(edrx)
        .on(SAVERS)
        .samples(&["=1,4,\"0101\"", "=2,4,\"0101\"", "=0"]),
    Command::new("+CEDRXRDP").execute(edrx_granted).on(SAVERS),
    extended("+QNBIOTEVENT")
        .on(&[CommandSet::Bc])
        .samples(&["=1,1"]),
];

type Result = std::result::Result<Outcome, Malformed>;

fn functionality_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+CFUN: (0,1,4),(0,1)");
    Ok(Outcome::OK)
}

fn functionality_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(format!("+CFUN: {}", module.functionality));
    Ok(Outcome::OK)
}

fn functionality(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(2)?;
    let level = match call.number(0)? {
        level @ (0 | 1 | 4) => level as u8,
        _ => return Err(Malformed),
    };
    if call.ranged_or(1, 0..=1, 0)? == 1 {
        if module.profile.powered_down_urc {
            module.urc("POWERED DOWN");
        }
        module.restart_soon();
        return Ok(Outcome::OK);
    }
    // A module that has no IMEI may not use its radio.
    if level == 1 && module.profile.imei.is_empty() {
        return Ok(Outcome::Done(Final::Cme(0)));
    }
    let at = module.now + module.profile.cfun_us;
    Ok(Outcome::Wait(Wait::Functionality { level, at }))
}

fn power_down_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+QPOWD: (0,1)");
    Ok(Outcome::OK)
}

fn power_down(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.ranged_or(0, 0..=1, 1)?;
    module.turn_off_soon();
    Ok(Outcome::OK)
}

/// A timer as 3GPP writes it: three bits of unit and five of value.
fn timer(call: &Call, i: usize) -> std::result::Result<Option<String>, Malformed> {
    bits(call, i, 8)
}

fn bits(call: &Call, i: usize, n: usize) -> std::result::Result<Option<String>, Malformed> {
    if !call.has(i) {
        return Ok(None);
    }
    let text = call.quoted(i)?;
    match text.len() == n && text.bytes().all(|b| matches!(b, b'0' | b'1')) {
        true => Ok(Some(text.to_owned())),
        false => Err(Malformed),
    }
}

fn saving_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+CPSMS: (0,1,2),,,(\"00000000\"-\"11111111\"),(\"00000000\"-\"11111111\")");
    Ok(Outcome::OK)
}

fn saving_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let psm = &module.saved.psm;
    let (on, update, active) = (u8::from(psm.on), &psm.update, &psm.active);
    reply.row(format!("+CPSMS: {on},,,\"{update}\",\"{active}\""));
    Ok(Outcome::OK)
}

/// `AT+CPSMS=<0|1|2>[,,,"<T3412>","<T3324>"]`; 2 and the bare command also forget the timers.
fn saving(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(5)?;
    let mode = match call.len() {
        0 => 2,
        _ => call.ranged(0, 0..=2)?,
    };
    let (update, active) = (timer(call, 3)?, timer(call, 4)?);
    let psm = &mut module.saved.psm;
    if mode == 2 {
        *psm = Default::default();
    }
    psm.on = mode == 1;
    psm.update = update.unwrap_or_else(|| std::mem::take(&mut psm.update));
    psm.active = active.unwrap_or_else(|| std::mem::take(&mut psm.active));
    module.stay_awake();
    Ok(Outcome::OK)
}

/// The timers in seconds, as the network grants them: those that were asked for.
fn granted_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let psm = &module.saved.psm;
    let on = u8::from(psm.on);
    let (update, active) = (psm.update_s(), psm.active_s());
    reply.row(format!("+QPSMS: {on},,,\"{update}\",\"{active}\""));
    Ok(Outcome::OK)
}

fn edrx_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+CEDRXS: (0-3),(4,5),(\"0000\"-\"1111\")");
    Ok(Outcome::OK)
}

fn edrx_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    if let Some((technology, cycle)) = &module.saved.edrx {
        reply.row(format!("+CEDRXS: {technology},\"{cycle}\""));
    }
    Ok(Outcome::OK)
}

/// `AT+CEDRXS=<0|1|2|3>[,<technology>,"<cycle>"]`; 2 also reports changes, 3 forgets.
fn edrx(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(3)?;
    let mode = match call.len() {
        0 => 3,
        _ => call.ranged(0, 0..=3)?,
    };
    if matches!(mode, 0 | 3) {
        module.saved.edrx = None;
        return Ok(Outcome::OK);
    }
    let technology = call.ranged_or(1, 4..=5, 4)? as u8;
    let cycle = bits(call, 2, 4)?.unwrap_or_else(|| "0010".into());
    if mode == 2 && module.in_service() {
        module.urc(&format!(
            "+CEDRXP: {technology},\"{cycle}\",\"{cycle}\",\"0000\""
        ));
    }
    module.saved.edrx = Some((technology, cycle));
    Ok(Outcome::OK)
}

fn edrx_granted(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    match &module.saved.edrx {
        Some((technology, cycle)) => reply.row(format!(
            "+CEDRXRDP: {technology},\"{cycle}\",\"{cycle}\",\"0000\""
        )),
        None => reply.row("+CEDRXRDP: 0"),
    }
    Ok(Outcome::OK)
}
