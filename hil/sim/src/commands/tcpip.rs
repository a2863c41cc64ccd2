//! Sockets: open, close, list.

use crate::at::parse::{Call, Malformed};
use crate::at::reply::Reply;
use crate::at::table::{Command, Outcome};
use crate::commands::qicfg::Key;
use crate::module::{Module, OpenRequest, Row, Service, Wait};
use crate::profile::CommandSet::{Ec2x, Ec200u, Ec200x};
use crate::profile::{CloseOpening, Rows};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+QIOPEN").tcpip().write(open).samples(&[
        "=@,1,\"TCP\",\"192.0.2.7\",7",
        "=@,2,\"UDP\",\"192.0.2.7\",7,0,1",
    ]),
    Command::new("+QICLOSE")
        .tcpip()
        .write(close)
        .samples(&["=0", "=0,0"]),
    Command::new("+QISTATE")
        .tcpip()
        .execute(list)
        .read(list)
        .write(list_some)
        .samples(&["=0,@", "=1,0"]),
    Command::new("+QIACCEPT")
        .tcpip()
        .write(accept)
        .on(&[Ec2x, Ec200u, Ec200x])
        .samples(&["=0,1"]),
];

type Result = std::result::Result<Outcome, Malformed>;

/// The most characters of a host name.
const LONGEST_HOST: usize = 200;

pub(super) fn connect_id(
    module: &Module,
    call: &Call,
    i: usize,
) -> std::result::Result<u8, Malformed> {
    Ok(call.ranged(
        i,
        0..=u32::from(module.profile.connect_ids).saturating_sub(1),
    )? as u8)
}

/// `AT+QIOPEN=<context>,<id>,"<service>","<host>",<port>[,<local port>[,<access mode>[,<clients>
/// [,<seconds>]]]]`
fn open(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(if module.profile.open_extras { 9 } else { 7 })?;
    let context = call.ranged(0, module.profile.context_range())? as u8;
    let id = connect_id(module, call, 1)?;
    let host = call.quoted(3)?;
    let service = Service::named(call.quoted(2)?);
    let offered = |one: &Service| module.profile.servers || !one.is_server();
    let Some(service) = service.filter(offered) else {
        return Ok(module.tcpip_error(555));
    };
    // A server has no remote port, and needs a local one.
    let (first, first_local) = if service.is_server() { (0, 1) } else { (1, 0) };
    let port = call.ranged(4, first..=65_535)? as u16;
    let local_port = call.ranged_or(5, first_local..=65_535, 0)? as u16;
    let (most, default) = match module.profile.transparent {
        true => (2, module.profile.access_mode),
        false => (1, module.profile.access_mode),
    };
    let access_mode = call.ranged_or(6, 0..=most, u32::from(default))? as u8;
    if host.is_empty() || host.len() > LONGEST_HOST {
        return Err(Malformed);
    }
    let clients = call.ranged_or(7, 0..=11, 11)? as u8;
    let connect_us = match call.has(8) {
        true => Some(u64::from(call.ranged(8, 10..=150)?) * 1_000_000),
        false => None,
    };
    let blocks = access_mode == 2;
    if blocks && service.is_server() {
        return Ok(module.tcpip_error(555));
    }
    let request = OpenRequest {
        context,
        id,
        service,
        host,
        port,
        local_port,
        access_mode,
        clients,
        connect_us,
    };
    if let Err(error) = module.open(&request) {
        if blocks {
            return Ok(module.tcpip_error(error));
        }
        module.last_error = error;
        module.urc(&format!("+QIOPEN: {id},{error}"));
    } else if blocks {
        return Ok(Module::wait_connect(id));
    }
    Ok(Outcome::OK)
}

/// `AT+QICLOSE=<id>[,<seconds>]`
fn close(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(2)?;
    let id = connect_id(module, call, 0)?;
    let default = module.profile.close_s;
    let seconds = call.ranged_or(1, 0..=65_535, default)?;
    let opening = module.sockets.get(id).is_some_and(Row::is_opening);
    if opening && module.profile.close_opening == CloseOpening::Refuse {
        return Ok(module.tcpip_error(572));
    }
    let open = module.sockets.get(id).is_some();
    if !open && module.profile.close_unknown_fails {
        return Ok(module.tcpip_error(567));
    }
    let waits = module.start_close(id, seconds == 0);
    let until = module.now + u64::from(seconds) * 1_000_000;
    if module.settings.qicfg.get(Key::CloseMode, 0) == 1 {
        if open {
            module.close_by_urc(id, until);
        }
        return Ok(Outcome::OK);
    }
    if waits {
        return Ok(Outcome::Wait(Wait::Close { id, until }));
    }
    Ok(module.closed())
}

/// `AT+QIACCEPT=<id>,<0|1>`: refuses or accepts a client that waits, if `tcp/accept` is 0. The
/// manuals seen do not say whose id it is; both the client's own and the listener's are taken.
fn accept(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(2)?;
    let id = connect_id(module, call, 0)?;
    let accept = call.ranged(1, 0..=1)? == 1;
    Ok(match module.decide_client(id, accept) {
        true => Outcome::OK,
        false => module.tcpip_error(560),
    })
}

fn list(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    rows(module, reply, |_, _| true);
    Ok(Outcome::OK)
}

/// `=0,<context>` or `=1,<id>`
fn list_some(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(2)?;
    match call.number(0)? {
        0 => {
            let context = call.ranged(1, module.profile.context_range())? as u8;
            rows(module, reply, |_, row| row.context == context);
        }
        1 => {
            let id = connect_id(module, call, 1)?;
            rows(module, reply, |one, _| one == id);
        }
        _ => return Err(Malformed),
    }
    Ok(Outcome::OK)
}

fn rows(module: &Module, reply: &mut Reply, wanted: impl Fn(u8, &Row) -> bool) {
    for (id, row) in module.sockets.rows().filter(|(id, row)| wanted(*id, row)) {
        let real = row.socket.and_then(|one| module.net.local_port(one));
        let local_port = match real {
            Some(port) if !module.profile.requested_local_port => port,
            _ => row.local_port,
        };
        let (ip, port) = (row.remote.ip(), row.remote.port());
        // A server shows its own address.
        let ip = match row.service.is_server() {
            true => module.local_address(row.context, ip).unwrap_or(ip),
            false => ip,
        };
        let own = if module.profile.own_server_id { id } else { 0 };
        let (service, server) = (row.service.name(), row.server.unwrap_or(own));
        let (state, context, access_mode) =
            (module.socket_state(row), row.context, row.access_mode);
        let at_port = &module.profile.port;
        let head =
            format!("+QISTATE: {id},\"{service}\",\"{ip}\",{port},{local_port},{state},{context}");
        let whole = format!("{head},{server},{access_mode},\"{at_port}\"");
        match module.profile.rows {
            Rows::Short => reply.separate_row(format!("{head},{access_mode}")),
            Rows::Full => reply.row(whole),
            Rows::Longer => reply.row(format!("{whole},0")),
        }
    }
}
