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

fn quality_test(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let names = match module.profile.commands {
        CommandSet::Bg9x => "\"NOSERVICE\",\"GSM\",\"eMTC\",\"NBIoT\"",
        CommandSet::Bc => "\"NOSERVICE\",\"NBIoT\"",
        _ => "\"NOSERVICE\",\"GSM\",\"WCDMA\",\"LTE\"",
    };
    reply.row(format!("+QCSQ: ({names})"));
    Ok(Outcome::OK)
}

fn quality(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let cellular = &module.cellular;
    let (power, rsrp) = (dbm(module), cellular.rsrp);
    let (rsrq, sinr) = (cellular.rsrq, cellular.sinr);
    let lte = |name: &str| format!("\"{name}\",{power},{rsrp},{sinr},{rsrq}");
    reply.row(format!(
        "+QCSQ: {}",
        match module.technology() {
            _ if !module.in_service() => "\"NOSERVICE\"".into(),
            0 | 1 | 3 => format!("\"GSM\",{power}"),
            2 | 4 | 5 | 6 => format!("\"WCDMA\",{power},{rsrp},{rsrq}"),
            8 => lte("eMTC"),
            9 => lte("NBIoT"),
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
    let (operator, channel) = (&cellular.operator, cellular.channel);
    let lte = format!("LTE BAND {}", cellular.band);
    let (name, band) = match module.technology() {
        0 | 1 => ("GSM", "GSM 900"),
        3 => ("EDGE", "GSM 900"),
        2 | 4 | 5 | 6 => ("WCDMA", "WCDMA 2100"),
        8 => ("eMTC", lte.as_str()),
        9 => ("NBIoT", lte.as_str()),
        _ => ("FDD LTE", lte.as_str()),
    };
    reply.row(format!(
        "+QNWINFO: \"{name}\",\"{operator}\",\"{band}\",{channel}"
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
    let (country, network) = one.operator.split_at_checked(3).unwrap_or(("-", "-"));
    let state = match module.any_active() {
        true => "CONNECT",
        false => "NOCONN",
    };
    let head = format!("+QENG: \"servingcell\",\"{state}\"");
    let lte = |name: &str| {
        let place = format!(
            "{},{},{},{}",
            one.cell, one.physical_cell, one.channel, one.band
        );
        let power = format!("{},{},{},{}", one.rsrp, one.rsrq, dbm(module), one.sinr);
        let area = &one.area;
        format!("\"{name}\",\"FDD\",{country},{network},{place},5,5,{area},{power},-")
    };
    // What the simulated air does not have is unknown.
    let old = |name: &str, unknown: usize| {
        let place = format!("{},{}", one.area, one.cell);
        format!(
            "\"{name}\",{country},{network},{place}{}",
            ",-".repeat(unknown)
        )
    };
    let cell = match module.technology() {
        0 | 1 | 3 => old("GSM", 20),
        2 | 4 | 5 | 6 => old("WCDMA", 10),
        8 => lte("eMTC"),
        9 => lte("NBIoT"),
        _ => lte("LTE"),
    };
    reply.row(format!("{head},{cell}"));
    Ok(Outcome::OK)
}

fn provider(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    if module.in_service() {
        let (name, number) = (&module.cellular.operator_name, &module.cellular.operator);
        reply.row(format!("+QSPN: \"{name}\",\"{name}\",\"\",0,\"{number}\""));
    }
    Ok(Outcome::OK)
}
