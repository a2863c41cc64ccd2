//! Names.

use crate::at::parse::{Call, Malformed};
use crate::at::reply::Reply;
use crate::at::table::{Command, Outcome};
use crate::dns::Asker;
use crate::module::Module;

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+QIDNSCFG").tcpip().write(servers),
    Command::new("+QIDNSGIP").tcpip().write(look_up),
];

type Result = std::result::Result<Outcome, Malformed>;

/// The most characters of a name.
const LONGEST_NAME: usize = 253;

fn servers(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(3)?;
    let id = call.ranged(0, 1..=u32::from(module.profile.contexts))? as u8;
    if call.has(1) {
        let given = [call.quoted(1)?, call.quoted_or_empty(2)?];
        if given
            .iter()
            .any(|server| !server.is_empty() && server.parse::<std::net::IpAddr>().is_err())
        {
            return Err(Malformed);
        }
        module.contexts.entry(id).or_default().name_servers = Some(given.map(str::to_owned));
    } else {
        let set = module
            .contexts
            .get(&id)
            .and_then(|context| context.name_servers.clone());
        let [first, second] = set.unwrap_or_else(|| {
            module
                .cellular
                .name_servers
                .map(|server| server.to_string())
        });
        reply.row(format!("+QIDNSCFG: {id},\"{first}\",\"{second}\""));
    }
    Ok(Outcome::OK)
}

fn look_up(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(2)?;
    let context = call.ranged(0, 1..=u32::from(module.profile.contexts))? as u8;
    let name = call.quoted(1)?;
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(Malformed);
    }
    if !module.is_active(context) {
        return Ok(module.tcpip_error(561));
    }
    if module.resolver.busy() {
        if module.profile.dns_busy_urc {
            module.urc("+QIURC: \"dnsgip\",564");
            return Ok(Outcome::OK);
        }
        return Ok(module.tcpip_error(564));
    }
    let (us, limit) = (module.cellular.dns_us, module.profile.dns_timeout_us);
    let (now, ttl) = (module.now, module.profile.dns_ttl);
    module.resolver.ask(Asker::Host, name, now, us, limit, ttl);
    Ok(Outcome::OK)
}
