//! Names, echo requests, the time.

use crate::at::parse::{Call, Malformed};
use crate::at::reply::Reply;
use crate::at::table::{Command, Outcome};
use crate::dns::Asker;
use crate::module::Module;

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+QIDNSCFG")
        .tcpip()
        .write(servers)
        .samples(&["=@", "=@,\"192.0.2.53\",\"192.0.2.54\""]),
    Command::new("+QIDNSGIP")
        .tcpip()
        .write(look_up)
        .samples(&["=@,\"server.example\""]),
    Command::new("+QPING")
        .tcpip()
        .write(ping)
        .samples(&["=@,\"192.0.2.7\"", "=@,\"192.0.2.7\",1,1"]),
    Command::new("+QNTP")
        .tcpip()
        .write(time)
        .samples(&["=@,\"192.0.2.7\"", "=@,\"192.0.2.7\",123,0,1,5"]),
];

type Result = std::result::Result<Outcome, Malformed>;

/// The most characters of a name.
const LONGEST_NAME: usize = 253;

fn servers(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(3)?;
    let id = call.ranged(0, module.profile.context_range())? as u8;
    if module.profile.dns_needs_context && !module.is_active(id) {
        return Ok(module.tcpip_error(561));
    }
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
    let context = call.ranged(0, module.profile.context_range())? as u8;
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
    module.ask(Asker::Host, context, name);
    Ok(Outcome::OK)
}

fn context_and_host<'a>(
    module: &Module,
    call: &'a Call,
) -> std::result::Result<(u8, &'a str), Malformed> {
    let context = call.ranged(0, module.profile.context_range())? as u8;
    let host = call.quoted(1)?;
    if host.is_empty() || host.len() > LONGEST_NAME {
        return Err(Malformed);
    }
    Ok((context, host))
}

/// `AT+QPING=<context>,"<host>"[,<seconds>[,<number>]]`
fn ping(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(4)?;
    let (context, host) = context_and_host(module, call)?;
    let timeout = u64::from(call.ranged_or(2, 1..=255, 4)?) * 1_000_000;
    let number = call.ranged_or(3, 1..=10, 4)?;
    Ok(module.start_ping(context, host, timeout, number))
}

/// `AT+QNTP=<context>,"<server>"[,<port>[,<set the clock>[,<retries>[,<seconds>]]]]`
fn time(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(6)?;
    let (context, host) = context_and_host(module, call)?;
    let port = call.ranged_or(2, 1..=65_535, 123)? as u16;
    let sets_clock = call.ranged_or(3, 0..=1, 1)? == 1;
    let retries = call.ranged_or(4, 1..=10, 3)?;
    let interval = u64::from(call.ranged_or(5, 5..=60, 15)?) * 1_000_000;
    Ok(module.start_ntp(context, host, port, sets_clock, retries, interval))
}
