//! Signal strength, and the cell that serves.

use crate::at::parse::{Call, Malformed};
use crate::at::reply::Reply;
use crate::at::table::{Command, Outcome};
use crate::module::Module;
use crate::profile::CommandSet;

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+CSQ").test(strength_test).execute(strength),
    Command::new("+QCSQ").test(quality_test).execute(quality),
    Command::new("+QNWINFO").execute(network),
    Command::new("+QENG")
        .test(cell_test)
        .write(cell)
        .on(&[CommandSet::Ec2x, CommandSet::Bg9x])
        .samples(&["=\"servingcell\""]),
    Command::missing("+QENG").on(&[CommandSet::Ec200u, CommandSet::Ec200x, CommandSet::Bc]),
    Command::new("+QSPN").execute(provider),
];

type Result = std::result::Result<Outcome, Malformed>;

/// Received power in dBm, of the 0 to 31 of `AT+CSQ`.
fn dbm(module: &Module) -> i32 {
    i32::from(module.cellular.rssi) * 2 - 113
}

fn bg9x(module: &Module) -> bool {
    module.profile.commands == CommandSet::Bg9x
}

fn strength_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+CSQ: (0-31,99),(0-7,99)");
    Ok(Outcome::OK)
}

fn strength(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let (rssi, ber) = if module.in_service() {
        (module.cellular.rssi, module.cellular.ber)
    } else {
        (99, 99)
    };
    reply.row(format!("+CSQ: {rssi},{ber}"));
    Ok(Outcome::OK)
}

fn quality_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+QCSQ: (\"NOSERVICE\",\"GSM\",\"WCDMA\",\"LTE\")");
    Ok(Outcome::OK)
}

fn quality(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let cellular = &module.cellular;
    let (power, rsrp) = (dbm(module), cellular.rsrp);
    let (rsrq, sinr) = (cellular.rsrq, cellular.sinr);
    let lte = |name: &str| format!("\"{name}\",{power},{rsrp},{sinr},{rsrq}");
    reply.row(format!(
        "+QCSQ: {}",
        match cellular.technology {
            _ if !module.in_service() => "\"NOSERVICE\"".into(),
            0 | 1 | 3 => format!("\"GSM\",{power}"),
            2 | 4 | 5 | 6 => format!("\"WCDMA\",{power},{rsrp},{rsrq}"),
            9 => lte("NBIoT"),
            _ if bg9x(module) => lte("eMTC"),
            _ => lte("LTE"),
        }
    ));
    Ok(Outcome::OK)
}

fn network(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    if !module.in_service() {
        reply.row("+QNWINFO: No Service");
        return Ok(Outcome::OK);
    }
    let cellular = &module.cellular;
    let name = match cellular.technology {
        0 | 1 => "GSM",
        3 => "EDGE",
        2 | 4 | 5 | 6 => "WCDMA",
        9 => "NBIoT",
        _ if bg9x(module) => "eMTC",
        _ => "FDD LTE",
    };
    let (operator, band, channel) = (&cellular.operator, cellular.band, cellular.channel);
    reply.row(format!(
        "+QNWINFO: \"{name}\",\"{operator}\",\"LTE BAND {band}\",{channel}"
    ));
    Ok(Outcome::OK)
}

fn cell_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+QENG: (\"servingcell\")");
    Ok(Outcome::OK)
}

/// The serving cell; cells beside it are not known here.
fn cell(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(1)?;
    if call.quoted(0)? != "servingcell" {
        return Err(Malformed);
    }
    if !module.in_service() {
        reply.row("+QENG: \"servingcell\",\"SEARCH\"");
        return Ok(Outcome::OK);
    }
    let one = &module.cellular;
    let technology = if bg9x(module) { "eMTC" } else { "LTE" };
    let (country, network) = one.operator.split_at_checked(3).unwrap_or(("-", "-"));
    let state = match module.any_active() {
        true => "CONNECT",
        false => "NOCONN",
    };
    reply.row(format!(
        "+QENG: \"servingcell\",\"{state}\",\"{technology}\",\"FDD\",{country},{network},{},{},{},{},5,5,{},{},{},{},{},-",
        one.cell, one.physical_cell, one.channel, one.band, one.area, one.rsrp, one.rsrq, dbm(module), one.sinr,
    ));
    Ok(Outcome::OK)
}

fn provider(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    if module.in_service() {
        let (name, number) = (&module.cellular.operator_name, &module.cellular.operator);
        reply.row(format!("+QSPN: \"{name}\",\"{name}\",\"\",0,\"{number}\""));
    }
    Ok(Outcome::OK)
}
