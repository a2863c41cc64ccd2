//! Network registration.

use crate::at::parse::{Call, Malformed};
use crate::at::reply::{Final, Reply};
use crate::at::table::{Command, Outcome};
use crate::module::{Module, Wait};
use crate::profile::CommandSet;

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+CREG")
        .test(registration_test)
        .read(registration_read)
        .write(registration)
        .samples(&["=0", "=1", "=2"]),
    Command::new("+CGREG")
        .test(registration_test)
        .read(registration_read)
        .write(registration)
        .samples(&["=0", "=1", "=2"]),
    Command::new("+CEREG")
        .test(registration_test)
        .read(registration_read)
        .write(registration)
        .samples(&["=0", "=1", "=2"]),
    Command::new("+COPS")
        .test(operators)
        .read(operator_read)
        .write(operator)
        .samples(&["=0", "=3,2"]),
];

type Result = std::result::Result<Outcome, Malformed>;

fn domain(call: &Call) -> usize {
    match call.name.as_str() {
        "+CREG" => 0,
        "+CGREG" => 1,
        _ => 2,
    }
}

fn registration_read(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    let domain = domain(call);
    let n = module.settings.registration_urc[domain];
    let fields = module.registration_fields(domain);
    reply.row(format!("{}: {n},{fields}", call.name));
    Ok(Outcome::OK)
}

/// With 4 and 5 the power saving timers are told, too.
fn most(module: &Module, call: &Call) -> u32 {
    let timers = matches!(module.profile.commands, CommandSet::Bg9x | CommandSet::Bc);
    if timers && call.name == "+CEREG" {
        5
    } else {
        2
    }
}

fn registration_test(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    let levels = match most(module, call) {
        5 => "0,1,2,4,5",
        _ => "0-2",
    };
    reply.row(format!("{}: ({levels})", call.name));
    Ok(Outcome::OK)
}

fn registration(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(1)?;
    let n = call.ranged(0, 0..=most(module, call))?;
    if n == 3 {
        return Err(Malformed);
    }
    module.settings.registration_urc[domain(call)] = n as u8;
    Ok(Outcome::OK)
}

/// The networks that a search finds; it blocks the port.
fn operators(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    if module.functionality != 1 {
        return Ok(Outcome::Done(Final::Cme(3)));
    }
    let one = &module.cellular;
    let state = match module.registration(2).max(module.registration(0)) {
        3 => 3,
        _ if module.in_service() => 2,
        _ => 1,
    };
    let (name, number, technology) = (&one.operator_name, &one.operator, module.technology());
    let found = format!("({state},\"{name}\",\"{name}\",\"{number}\",{technology}),");
    reply.row(format!("+COPS: {found},(0,1,2,3,4),(0,1,2)"));
    let at = module.now + module.profile.scan_us;
    Ok(Outcome::Wait(Wait::Until(at)))
}

fn operator_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let mode = module.settings.operator_mode;
    if module.in_service() {
        let format = module.settings.operator_format;
        let cellular = &module.cellular;
        let name = match format {
            2 => &cellular.operator,
            _ => &cellular.operator_name,
        };
        let technology = module.technology();
        reply.row(format!("+COPS: {mode},{format},\"{name}\",{technology}"));
    } else {
        reply.row(format!("+COPS: {mode}"));
    }
    Ok(Outcome::OK)
}

/// `AT+COPS=<mode>[,<format>[,"<operator>"[,<technology>]]]`: 0 automatic, 1 this operator, 4 this one
/// or automatic, 2 none; 3 only sets the format.
fn operator(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(4)?;
    let mode = call.ranged(0, 0..=4)? as u8;
    let named = matches!(mode, 1 | 4);
    let format = match call.has(1) || named || mode == 3 {
        true => Some(call.ranged(1, 0..=2)? as u8),
        false => None,
    };
    if named {
        let wanted = call.quoted(2)?;
        let one = &module.cellular;
        let here = match format {
            Some(2) => wanted == one.operator,
            _ => wanted == one.operator_name,
        };
        if !here && mode == 1 {
            return Ok(Outcome::Done(Final::Cme(30)));
        }
    }
    if let Some(format) = format {
        module.settings.operator_format = format;
    }
    if mode != 3 {
        module.settings.operator_mode = if mode == 4 { 0 } else { mode };
        module.select_network(mode != 2);
    }
    Ok(Outcome::OK)
}
