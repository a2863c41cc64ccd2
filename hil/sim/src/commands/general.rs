//! General commands: identity, error reporting, where URCs go.

use crate::at::parse::{Call, Malformed};
use crate::at::reply::{Final, Reply, tcpip_text};
use crate::at::table::{Command, Outcome};
use crate::module::Module;
use crate::profile::CommandSet;

/// A BC660K has one port.
const WITH_PORTS: &[CommandSet] = &[
    CommandSet::Ec2x,
    CommandSet::Bg9x,
    CommandSet::Ec200u,
    CommandSet::Ec200x,
];

pub(super) const COMMANDS: &[Command] = &[
    Command::new("I").execute(identify).samples(&["0"]),
    Command::new("+GMI").execute(manufacturer),
    Command::new("+CGMI").execute(manufacturer),
    Command::new("+GMM").execute(model),
    Command::new("+CGMM").execute(model),
    Command::new("+GMR").execute(revision),
    Command::new("+CGMR").execute(revision),
    Command::new("+QGMR").execute(full_revision),
    Command::new("+GSN")
        .execute(imei)
        .write(serial_number)
        .samples(&["=0", "=1"]),
    Command::new("+CGSN")
        .execute(imei)
        .write(serial_number)
        .samples(&["=0", "=1"]),
    Command::new("+CMEE")
        .test(cmee_test)
        .read(cmee_read)
        .write(cmee)
        .samples(&["=1"]),
    Command::new("+QURCCFG")
        .test(urc_port_test)
        .write(urc_port)
        .on(WITH_PORTS)
        .samples(&["=\"urcport\"", "=\"urcport\",\"uart1\""]),
    Command::new("+CSCS")
        .test(characters_test)
        .read(characters_read)
        .write(characters)
        .samples(&["=\"GSM\""])
        .accepted(),
    Command::new("+QIGETERROR").execute(last_error),
    Command::new("+QSSLSTATE").execute(no_sockets).accepted(),
    Command::new("+QGPSLOC")
        .execute(no_position)
        .write(no_position)
        .samples(&["=2"])
        .accepted(),
];

type Result = std::result::Result<Outcome, Malformed>;

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

/// An empty IMEI is one that was never written: CME error 23. The `AT+CGSN` of BC modules is the
/// serial number, as 3GPP has it.
fn imei(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    let serial = module.profile.commands == CommandSet::Bc && call.name == "+CGSN";
    let number = match serial {
        true => &module.profile.serial_number,
        false => &module.profile.imei,
    };
    if number.is_empty() {
        return Ok(Outcome::Done(Final::Cme(23)));
    }
    reply.row(number);
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

/// The ports that URCs can go to.
fn urc_ports(module: &Module) -> &'static [&'static str] {
    match module.profile.commands {
        CommandSet::Bg9x => &["usbat", "usbmodem", "uart1"],
        CommandSet::Ec200u | CommandSet::Ec200x => &[
            "usbat", "usbmodem", "usbnmea", "uart1", "uart2", "uart3", "all",
        ],
        CommandSet::Ec2x | CommandSet::Bc => &["usbat", "usbmodem", "uart1", "uart2", "all"],
    }
}

fn urc_port_test(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let ports = urc_ports(module).join("\",\"");
    reply.row(format!("+QURCCFG: \"urcport\",(\"{ports}\")"));
    Ok(Outcome::OK)
}

fn urc_port(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(2)?;
    if call.quoted(0)? != "urcport" {
        return Err(Malformed);
    }
    if call.has(1) {
        let wanted = call.quoted(1)?;
        if !urc_ports(module).contains(&wanted) {
            return Err(Malformed);
        }
        module.saved.urc_port = wanted.to_owned();
    } else {
        reply.row(format!(
            "+QURCCFG: \"urcport\",\"{}\"",
            module.saved.urc_port
        ));
    }
    Ok(Outcome::OK)
}

fn last_error(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let number = module.last_error;
    let text = tcpip_text(number).unwrap_or("unknown error");
    reply.row(format!("+QIGETERROR: {number},{text}"));
    Ok(Outcome::OK)
}

/// `=0` asks for the serial number, `=1` for the IMEI.
fn serial_number(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(1)?;
    let number = match call.ranged(0, 0..=1)? {
        0 => &module.profile.serial_number,
        _ => &module.profile.imei,
    };
    if number.is_empty() {
        return Ok(Outcome::Done(Final::Cme(23)));
    }
    reply.row(format!("{}: {number}", call.name));
    Ok(Outcome::OK)
}

fn cmee_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+CMEE: (0-2)");
    Ok(Outcome::OK)
}

/// The character sets of texts; there are no texts here that one would show in.
const CHARACTERS: [&str; 3] = ["GSM", "IRA", "UCS2"];

fn characters_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(format!("+CSCS: (\"{}\")", CHARACTERS.join("\",\"")));
    Ok(Outcome::OK)
}

fn characters_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(format!("+CSCS: \"{}\"", module.settings.characters));
    Ok(Outcome::OK)
}

fn characters(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(1)?;
    let wanted = call.quoted(0)?;
    let known = CHARACTERS.iter().find(|one| **one == wanted);
    module.settings.characters = known.ok_or(Malformed)?;
    Ok(Outcome::OK)
}

/// There never is a TLS socket.
fn no_sockets(_: &mut Module, _: &Call, _: &mut Reply) -> Result {
    Ok(Outcome::OK)
}

/// There never is a position: CME error 516, not fixed yet.
fn no_position(_: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(1)?;
    call.ranged_or(0, 0..=2, 0)?;
    Ok(Outcome::Done(Final::Cme(516)))
}
