//! PDP contexts.

use std::net::IpAddr;

use crate::at::parse::{Call, Malformed};
use crate::at::reply::Reply;
use crate::at::table::{Command, Outcome};
use crate::module::{ContextState, Module, Wait};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+CGATT").read(attach_read).write(attach),
    Command::new("+CGPADDR").write(address),
    Command::new("+QICSGP").tcpip().write(context),
    Command::new("+QIACT").tcpip().read(active).write(activate),
    Command::new("+QIDEACT").tcpip().write(deactivate),
];

type Result = std::result::Result<Outcome, Malformed>;

/// The most characters of an APN, and of a user name or password.
const LONGEST_APN: usize = 100;
const LONGEST_CREDENTIAL: usize = 127;

fn context_id(module: &Module, call: &Call) -> std::result::Result<u8, Malformed> {
    Ok(call.ranged(0, 1..=u32::from(module.profile.contexts))? as u8)
}

fn attach_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(format!("+CGATT: {}", u8::from(module.in_service())));
    Ok(Outcome::OK)
}

fn attach(_: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.ranged(0, 0..=1)?;
    Ok(Outcome::OK)
}

fn address(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    let id = context_id(module, call)?;
    if let Some(context) = module
        .contexts
        .get(&id)
        .filter(|one| !one.addresses.is_empty())
    {
        let quoted = context
            .addresses
            .iter()
            .map(|one| format!(",\"{}\"", shown(*one)));
        let addresses: String = quoted.collect();
        reply.row(format!("+CGPADDR: {id}{addresses}"));
    } else {
        reply.row(format!("+CGPADDR: {id},\"0.0.0.0\""));
    }
    Ok(Outcome::OK)
}

fn context(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(6)?;
    let id = context_id(module, call)?;
    if !call.has(1) {
        // The row has no context id; a type that was never set reads as 1.
        let context = module.contexts.get(&id).cloned().unwrap_or_default();
        let (kind, apn, user) = (context.kind.max(1), &context.apn, &context.user);
        let (password, authentication) = (&context.password, context.authentication);
        reply.row(format!(
            "+QICSGP: {kind},\"{apn}\",\"{user}\",\"{password}\",{authentication}"
        ));
        return Ok(Outcome::OK);
    }
    let kind = call.ranged(1, 1..=3)? as u8;
    let (apn, user, password) = (
        call.quoted(2)?,
        call.quoted_or_empty(3)?,
        call.quoted_or_empty(4)?,
    );
    let authentication = call.ranged_or(5, 0..=3, 0)? as u8;
    if apn.len() > LONGEST_APN || user.len().max(password.len()) > LONGEST_CREDENTIAL {
        return Err(Malformed);
    }
    let entry = module.contexts.entry(id).or_default();
    entry.kind = kind;
    entry.apn = apn.to_owned();
    entry.user = user.to_owned();
    entry.password = password.to_owned();
    entry.authentication = authentication;
    Ok(Outcome::OK)
}

fn active(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    for (id, context) in &module.contexts {
        if context.state == ContextState::Active {
            let kind = context.kind.max(1);
            let quoted = context
                .addresses
                .iter()
                .map(|one| format!(",\"{}\"", shown(*one)));
            let addresses: String = quoted.collect();
            reply.row(format!("+QIACT: {id},1,{kind}{addresses}"));
        }
    }
    Ok(Outcome::OK)
}

/// An address as modules print it: IPv6 in capitals, with all its groups.
fn shown(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let groups: Vec<String> = v6.segments().iter().map(|g| format!("{g:X}")).collect();
            groups.join(":")
        }
    }
}

fn activate(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(1)?;
    let id = context_id(module, call)?;
    Ok(module.start_activate(id))
}

fn deactivate(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(1)?;
    let context = context_id(module, call)?;
    if module.context_state(context) == ContextState::Inactive {
        return Ok(if module.profile.deactivate_again_fails {
            module.tcpip_error(572)
        } else {
            Outcome::OK
        });
    }
    let at = module.now + module.profile.deactivate_us;
    Ok(Outcome::Wait(Wait::Deactivate { context, at }))
}
