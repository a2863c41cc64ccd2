//! Network registration and signal.

use crate::at::parse::{Call, Malformed};
use crate::at::reply::Reply;
use crate::at::table::{Command, Outcome};
use crate::module::Module;

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+CREG")
        .read(registration_read)
        .write(registration),
    Command::new("+CGREG")
        .read(registration_read)
        .write(registration),
    Command::new("+CEREG")
        .read(registration_read)
        .write(registration),
    Command::new("+COPS").read(operator_read).write(operator),
    Command::new("+CSQ").execute(signal),
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

fn registration(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    module.settings.registration_urc[domain(call)] = call.ranged(0, 0..=2)? as u8;
    Ok(Outcome::OK)
}

fn operator_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    if module.in_service() {
        let format = module.settings.operator_format;
        let cellular = &module.cellular;
        let name = match format {
            2 => &cellular.operator,
            _ => &cellular.operator_name,
        };
        let technology = cellular.technology;
        reply.row(format!("+COPS: 0,{format},\"{name}\",{technology}"));
    } else {
        reply.row("+COPS: 0");
    }
    Ok(Outcome::OK)
}

/// Automatic selection, or `=3,<format>`, which only sets the format.
fn operator(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    match call.number(0)? {
        0 => {}
        3 => module.settings.operator_format = call.ranged(1, 0..=2)? as u8,
        _ => return Err(Malformed),
    }
    Ok(Outcome::OK)
}

fn signal(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let (rssi, ber) = if module.in_service() {
        (module.cellular.rssi, module.cellular.ber)
    } else {
        (99, 99)
    };
    reply.row(format!("+CSQ: {rssi},{ber}"));
    Ok(Outcome::OK)
}
