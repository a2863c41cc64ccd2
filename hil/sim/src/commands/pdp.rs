//! PDP contexts.

use std::collections::BTreeSet;

use super::numbers::extended;
use crate::at::parse::{Call, Malformed};
use crate::at::reply::{Final, Reply};
use crate::at::table::{Command, Outcome};
use crate::module::{ContextState, Definition, Module, Wait, quoted};
use crate::profile::CommandSet;

use CommandSet::{Bg9x, Ec2x, Ec200u, Ec200x};

/// A BC660K activates its only context itself.
const ACTIVATING: &[CommandSet] = &[Ec2x, Bg9x, Ec200u, Ec200x];

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+CGATT")
        .test(attach_test)
        .read(attach_read)
        .write(attach)
        .samples(&["=1"]),
    Command::new("+CGDCONT")
        .test(definition_test)
        .read(definitions)
        .write(define)
        .samples(&["=@,\"IP\",\"internet\"", "=@"]),
    Command::new("+CGACT")
        .test(bearer_test)
        .read(bearers)
        .write(bearer)
        .samples(&["=1,1"]),
    Command::new("+CGPADDR")
        .execute(addresses)
        .write(addresses)
        .samples(&["=@"]),
    Command::new("+CGCONTRDP")
        .execute(parameters)
        .write(parameters)
        .samples(&["=@"]),
    extended("+CGEREP").samples(&["=1", "=2,1"]),
    Command::new("+QICSGP")
        .tcpip()
        .write(context)
        .on(ACTIVATING)
        .samples(&["=1", "=1,1,\"internet\",\"\",\"\",0"]),
    Command::new("+QIACT")
        .tcpip()
        .read(active)
        .write(activate)
        .on(ACTIVATING)
        .samples(&["=2"]),
    Command::new("+QIDEACT")
        .tcpip()
        .write(deactivate)
        .on(ACTIVATING)
        .samples(&["=1"]),
    Command::new("+QIACTEX")
        .tcpip()
        .read(active)
        .write(activate_by_urc)
        .on(&[Ec2x, Ec200u, Ec200x])
        .samples(&["=2", "=2,1"]),
    Command::new("+QIDEACTEX")
        .tcpip()
        .write(deactivate_by_urc)
        .on(&[Ec2x, Ec200u, Ec200x])
        .samples(&["=1"]),
];

type Result = std::result::Result<Outcome, Malformed>;

/// The most characters of an APN, and of a user name or password.
const LONGEST_APN: usize = 100;
const LONGEST_CREDENTIAL: usize = 127;

fn context_id(module: &Module, call: &Call) -> std::result::Result<u8, Malformed> {
    Ok(call.ranged(0, module.profile.context_range())? as u8)
}

fn attach_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let attached = module.attached && module.in_service();
    reply.row(format!("+CGATT: {}", u8::from(attached)));
    Ok(Outcome::OK)
}

fn attach_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+CGATT: (0,1)");
    Ok(Outcome::OK)
}

fn attach(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(1)?;
    let on = call.ranged(0, 0..=1)? == 1;
    if on && !module.in_service() {
        return Ok(Outcome::Done(Final::Cme(30)));
    }
    let at = module.now + module.profile.activate_us;
    Ok(match on == module.attached {
        true => Outcome::OK,
        false => Outcome::Wait(Wait::Attach { on, at }),
    })
}

const KINDS: [&str; 4] = ["IP", "IPV6", "IPV4V6", "PPP"];

fn definition_test(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let range = module.profile.context_range();
    let (first, last) = (range.start(), range.end());
    for kind in KINDS {
        reply.row(format!(
            "+CGDCONT: ({first}-{last}),\"{kind}\",,,(0-2),(0-4),(0,1),(0,1)"
        ));
    }
    Ok(Outcome::OK)
}

fn definitions(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    for (id, Definition { kind, apn }) in &module.saved.definitions {
        reply.row(format!(
            "+CGDCONT: {id},\"{kind}\",\"{apn}\",\"0.0.0.0\",0,0,0,0"
        ));
    }
    Ok(Outcome::OK)
}

/// `AT+CGDCONT=<cid>[,"<kind>"[,"<apn>"[,"<address>",<compression>...]]]`; the id alone deletes.
fn define(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(8)?;
    let id = context_id(module, call)?;
    if call.len() == 1 {
        module.saved.definitions.remove(&id);
        return Ok(Outcome::OK);
    }
    let kind = call.quoted(1)?.to_owned();
    let apn = call.quoted_or_empty(2)?.to_owned();
    if !KINDS.contains(&kind.as_str()) || apn.len() > LONGEST_APN {
        return Err(Malformed);
    }
    call.quoted_or_empty(3)?;
    for (i, most) in [(4, 2), (5, 4), (6, 1), (7, 1)] {
        call.ranged_or(i, 0..=most, 0)?;
    }
    module
        .saved
        .definitions
        .insert(id, Definition { kind, apn });
    Ok(Outcome::OK)
}

fn bearer_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+CGACT: (0,1)");
    Ok(Outcome::OK)
}

/// Every context that was defined or is held.
fn bearers(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    let held = |id: &u8| module.has_bearer(*id);
    let known: BTreeSet<u8> = module
        .saved
        .definitions
        .keys()
        .copied()
        .chain(module.bearers.iter().copied())
        .chain(module.contexts.keys().copied().filter(held))
        .collect();
    for id in known {
        reply.row(format!("+CGACT: {id},{}", u8::from(module.has_bearer(id))));
    }
    Ok(Outcome::OK)
}

/// The 3GPP layer knows more contexts than the TCP/IP commands.
const HIGHEST_CID: u32 = 16;

/// `AT+CGACT=<state>,<cid>`
fn bearer(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(2)?;
    let on = call.ranged(0, 0..=1)? == 1;
    let context = call.ranged(1, 0..=HIGHEST_CID)? as u8;
    if on && module.is_held_off(context) {
        return Ok(Outcome::Done(Final::Cme(100)));
    }
    let at = module.now
        + match on {
            true => module.profile.activate_us,
            false => module.profile.deactivate_us,
        };
    Ok(Outcome::Wait(Wait::Bearer { context, on, at }))
}

/// The addresses of these contexts, or of all that were defined or are held.
fn addresses(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    let ids: Vec<u8> = match call.len() {
        0 => {
            let known = module.saved.definitions.keys();
            let known: BTreeSet<u8> = known.chain(module.contexts.keys()).copied().collect();
            known.into_iter().collect()
        }
        n => (0..n)
            .map(|i| Ok(call.ranged(i, module.profile.context_range())? as u8))
            .collect::<std::result::Result<_, Malformed>>()?,
    };
    for id in ids {
        let context = module.contexts.get(&id);
        let shown = match context.filter(|one| !one.addresses.is_empty()) {
            Some(context) => quoted(&context.addresses),
            None => ",\"0.0.0.0\"".into(),
        };
        reply.row(format!("+CGPADDR: {id}{shown}"));
    }
    Ok(Outcome::OK)
}

/// What the network gave the active contexts. The bearer id of context 1 is 5.
fn parameters(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(1)?;
    let wanted = match call.has(0) {
        true => Some(context_id(module, call)?),
        false => None,
    };
    let [first, second] = module.cellular.name_servers;
    for (id, context) in &module.contexts {
        if context.state == ContextState::Active && wanted.is_none_or(|one| one == *id) {
            let (bearer, apn) = (id.saturating_add(4), &context.apn);
            let address = quoted(context.addresses.get(..1).unwrap_or_default());
            reply.row(format!(
                "+CGCONTRDP: {id},{bearer},\"{apn}\"{address},\"\",\"{first}\",\"{second}\""
            ));
        }
    }
    Ok(Outcome::OK)
}

fn context(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(6)?;
    let id = context_id(module, call)?;
    if !call.has(1) {
        // The row has no context id.
        let context = module.contexts.get(&id).cloned().unwrap_or_default();
        let (kind, apn, user) = (module.context_kind(id), &context.apn, &context.user);
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
    let most = if module.profile.commands == Ec200u {
        2
    } else {
        3
    };
    let authentication = call.ranged_or(5, 0..=most, 0)? as u8;
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

fn active(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    for (id, context) in &module.contexts {
        if context.state == ContextState::Active {
            let (name, kind) = (&call.name, module.active_kind(*id));
            let shown = match module.profile.one_address_shown {
                true => context.addresses.get(..1).unwrap_or_default(),
                false => &context.addresses,
            };
            reply.row(format!("{name}: {id},1,{kind}{}", quoted(shown)));
        }
    }
    Ok(Outcome::OK)
}

/// `AT+QIACTEX=<context>[,<show the addresses>]`: `OK` at once, and a URC when it is done.
fn activate_by_urc(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(2)?;
    let id = context_id(module, call)?;
    let shows = call.ranged_or(1, 0..=1, 1)? == 1;
    module.start_activate_ex(id, shows);
    Ok(Outcome::OK)
}

fn deactivate_by_urc(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(1)?;
    let id = context_id(module, call)?;
    module.start_deactivate_ex(id);
    Ok(Outcome::OK)
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
