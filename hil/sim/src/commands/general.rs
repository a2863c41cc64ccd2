//! General commands: identity, echo, error reporting, power, where URCs go.

use crate::at::parse::{Call, Malformed};
use crate::at::reply::{Final, Reply, tcpip_text};
use crate::at::table::{Command, Outcome};
use crate::module::{Module, Wait};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("E").execute(echo),
    Command::new("I").execute(identify),
    Command::new("+GMI").execute(manufacturer),
    Command::new("+CGMI").execute(manufacturer),
    Command::new("+GMM").execute(model),
    Command::new("+CGMM").execute(model),
    Command::new("+GMR").execute(revision),
    Command::new("+CGMR").execute(revision),
    Command::new("+QGMR").execute(full_revision),
    Command::new("+GSN").execute(imei),
    Command::new("+CGSN").execute(imei),
    Command::new("+CMEE").read(cmee_read).write(cmee),
    Command::new("+CFUN").read(cfun_read).write(cfun),
    Command::new("+QPOWD").execute(power_down).write(power_down),
    Command::new("+QURCCFG").test(urc_port_test).write(urc_port),
    Command::new("+QCFG").write(qcfg),
    Command::new("+QIGETERROR").execute(last_error),
    Command::new("+IPR").read(rate),
    Command::new("V").execute(verbose),
    Command::new("&F").execute(defaults),
    Command::new("Z").execute(defaults),
    Command::new("&W").execute(save),
    Command::accepted("&C"),
    Command::accepted("&D"),
    Command::accepted("H"),
    Command::accepted("+IFC"),
    Command::accepted("+CTZR"),
    Command::accepted("+CTZU"),
    Command::accepted("+QSCLK"),
];

type Result = std::result::Result<Outcome, Malformed>;

fn echo(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    module.settings.echo = call.ranged_or(0, 0..=1, 0)? == 1;
    Ok(Outcome::OK)
}

fn verbose(_: &mut Module, call: &Call, _: &mut Reply) -> Result {
    // Only the verbose form of answers exists here.
    call.ranged(0, 1..=1)?;
    Ok(Outcome::OK)
}

fn identify(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(&module.profile.manufacturer);
    reply.row(&module.profile.model);
    reply.row(format!("Revision: {}", module.profile.revision));
    Ok(Outcome::OK)
}

fn manufacturer(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(&module.profile.manufacturer);
    Ok(Outcome::OK)
}

fn model(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(&module.profile.model);
    Ok(Outcome::OK)
}

fn revision(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(&module.profile.revision);
    Ok(Outcome::OK)
}

fn full_revision(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(&module.profile.full_revision);
    Ok(Outcome::OK)
}

/// An empty IMEI is one that was never written: CME error 23.
fn imei(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    if module.profile.imei.is_empty() {
        return Ok(Outcome::Done(Final::Cme(23)));
    }
    reply.row(&module.profile.imei);
    Ok(Outcome::OK)
}

fn cmee_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(format!("+CMEE: {}", module.settings.cmee));
    Ok(Outcome::OK)
}

fn cmee(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    module.settings.cmee = call.ranged(0, 0..=2)? as u8;
    Ok(Outcome::OK)
}

fn cfun_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(format!("+CFUN: {}", module.functionality));
    Ok(Outcome::OK)
}

fn cfun(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
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
    let at = module.now + module.profile.cfun_us;
    Ok(Outcome::Wait(Wait::Functionality { level, at }))
}

fn power_down(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.ranged_or(0, 0..=1, 1)?;
    module.turn_off_soon();
    Ok(Outcome::OK)
}

fn urc_port_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+QURCCFG: \"urcport\",(\"usbat\",\"usbmodem\",\"uart1\",\"uart2\",\"all\")");
    Ok(Outcome::OK)
}

fn urc_port(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(2)?;
    if call.quoted(0)? != "urcport" {
        return Err(Malformed);
    }
    if call.has(1) {
        match call.quoted(1)? {
            port @ ("usbat" | "usbmodem" | "uart1" | "uart2" | "all") => {
                module.saved.urc_port = port.to_owned()
            }
            _ => return Err(Malformed),
        }
    } else {
        reply.row(format!(
            "+QURCCFG: \"urcport\",\"{}\"",
            module.saved.urc_port
        ));
    }
    Ok(Outcome::OK)
}

/// Writing is accepted for the names that drivers write; nothing can be read.
fn qcfg(_: &mut Module, call: &Call, _: &mut Reply) -> Result {
    match call.quoted(0)? {
        "nwscanmode" | "nwscanseq" | "iotopmode" | "band" if call.has(1) => Ok(Outcome::OK),
        _ => Err(Malformed),
    }
}

fn last_error(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let number = module.last_error;
    let text = tcpip_text(number).unwrap_or("unknown error");
    reply.row(format!("+QIGETERROR: {number},{text}"));
    Ok(Outcome::OK)
}

fn rate(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(format!("+IPR: {}", module.baud));
    Ok(Outcome::OK)
}

fn defaults(module: &mut Module, _: &Call, _: &mut Reply) -> Result {
    module.settings.echo = true;
    module.settings.cmee = module.profile.cmee;
    module.settings.registration_urc = [0; 3];
    Ok(Outcome::OK)
}

fn save(module: &mut Module, _: &Call, _: &mut Reply) -> Result {
    module.saved.echo = module.settings.echo;
    module.saved.registration_urc = module.settings.registration_urc;
    Ok(Outcome::OK)
}
