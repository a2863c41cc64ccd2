//! Sending and receiving.

use std::net::SocketAddr;

use super::tcpip::connect_id;
use crate::at::parse::{Call, Malformed};
use crate::at::reply::{Final, Reply};
use crate::at::table::{Command, Outcome, Payload};
use crate::commands::qicfg::Key;
use crate::module::{Module, bytes_of, from_text};
use crate::profile::{CommandSet, QirdTail, SendTimeout};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+QISEND")
        .tcpip()
        .write(send)
        .samples(&["=0,4", "=0", "=0,0"]),
    Command::new("+QISENDEX")
        .tcpip()
        .write(send_hex)
        .on(PIPES)
        .samples(&["=0,\"3132\""]),
    Command::new("+QISENDEX")
        .tcpip()
        .write(send_counted_hex)
        .on(&[CommandSet::Bc])
        .samples(&["=0,2,\"3132\""]),
    Command::new("+QIRD").tcpip().write(read).samples(&["=0,0"]),
    Command::new("+QISDE")
        .test(payload_echo_test)
        .read(payload_echo_read)
        .write(payload_echo)
        .on(PIPES)
        .samples(&["=0"]),
    Command::new("+QISWTMD")
        .tcpip()
        .write(switch_mode)
        .on(PIPES)
        .samples(&["=0,1", "=0,0"]),
    Command::new("O").execute(back_to_data).on(PIPES),
];

type Result = std::result::Result<Outcome, Malformed>;

/// Modules with transparent mode.
const PIPES: &[CommandSet] = &[
    CommandSet::Ec2x,
    CommandSet::Bg9x,
    CommandSet::Ec200u,
    CommandSet::Ec200x,
];

/// The most bytes of one `AT+QISENDEX`.
const LONGEST_HEX: usize = 512;

/// `AT+QISEND=<id>[,<n>[,"<ip>",<port>]]`, or `=<id>,0` for the counters.
fn send(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(4)?;
    let id = connect_id(module, call, 0)?;
    if module.profile.inline_send && call.len() >= 3 {
        return send_inline(module, call, id);
    }
    let to = match call.len() {
        4 => {
            let ip = call.quoted(2)?.parse().map_err(|_| Malformed)?;
            Some(SocketAddr::new(ip, call.ranged(3, 1..=65_535)? as u16))
        }
        3 => return Err(Malformed),
        _ => None,
    };
    let length = match call.has(1) {
        true => Some(call.ranged(1, 0..=module.profile.longest_payload as u32)? as usize),
        false => None,
    };
    if length == Some(0) && to.is_none() {
        return Ok(match module.send_counters(id) {
            Some([total, acked, unacked]) => {
                reply.row(format!("+QISEND: {total},{acked},{unacked}"));
                Outcome::OK
            }
            None => module.tcpip_error(572),
        });
    }
    if let Err(error) = module.may_send(id, to) {
        return Ok(module.tcpip_error(error));
    }
    if length == Some(0) {
        return Err(Malformed);
    }
    if module.faults.refuse_prompt.count() {
        return Ok(module.tcpip_error(572));
    }
    let seconds = module.settings.qicfg.get(Key::SendTimeout, 0);
    let timer = seconds > 0 && module.profile.send_timeout != SendTimeout::Never;
    Ok(Outcome::Prompt(Payload {
        id,
        to,
        length,
        limit_us: timer.then_some(u64::from(seconds) * 1_000_000),
    }))
}

/// `AT+QISEND=<id>,<n>,"<data>"[,<release>]`: the text within the command, in hexadecimal digits if
/// `dataformat` says so.
fn send_inline(module: &mut Module, call: &Call, id: u8) -> Result {
    let longest = module.profile.longest_payload as u32;
    let length = call.ranged(1, 1..=longest)? as usize;
    let text = call.quoted(2)?.as_bytes();
    call.ranged_or(3, 0..=2, 0)?;
    let data = match module.settings.qicfg.get(Key::DataFormat, 0) {
        1 => bytes_of(text).ok_or(Malformed)?,
        _ => text.to_vec(),
    };
    send_counted(module, id, length, &data)
}

/// Sends what stands in the command, if it is as long as it says.
fn send_counted(module: &mut Module, id: u8, length: usize, data: &[u8]) -> Result {
    if data.len() != length {
        return Err(Malformed);
    }
    if let Err(error) = module.may_send(id, None) {
        return Ok(module.tcpip_error(error));
    }
    let code = module.send(id, None, data);
    Ok(Outcome::Done(module.send_code(code)))
}

/// `AT+QISENDEX=<id>,<n>,"<hex>"`
fn send_counted_hex(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(3)?;
    let id = connect_id(module, call, 0)?;
    let length = call.ranged(1, 1..=LONGEST_HEX as u32)? as usize;
    let data = bytes_of(call.quoted(2)?.as_bytes()).ok_or(Malformed)?;
    send_counted(module, id, length, &data)
}

/// `AT+QISENDEX=<id>,"<hex>"`: payload without a prompt. BG9x modules take a hint when to release the
/// radio, too.
fn send_hex(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    match module.profile.commands {
        CommandSet::Bg9x => {
            call.at_most(3)?;
            call.ranged_or(2, 0..=2, 0)?;
        }
        _ => call.at_most(2)?,
    }
    let id = connect_id(module, call, 0)?;
    let data = bytes_of(call.quoted(1)?.as_bytes()).ok_or(Malformed)?;
    if data.is_empty() || data.len() > LONGEST_HEX {
        return Err(Malformed);
    }
    if let Err(error) = module.may_send(id, None) {
        return Ok(module.tcpip_error(error));
    }
    Ok(Outcome::Done(module.send(id, None, &data)))
}

/// `AT+QIRD=<id>[,<n>]`, or `=<id>,0` for the counters.
fn read(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(2)?;
    let id = connect_id(module, call, 0)?;
    let most = module.profile.longest_read;
    let length = match module.profile.read_needs_length {
        true => call.ranged(1, 0..=most)?,
        false => call.ranged_or(1, 0..=most, most)?,
    } as usize;
    let Some((read, unread)) = module.unread(id) else {
        return Ok(module.tcpip_error(572));
    };
    if length == 0 {
        let total = read + unread as u64;
        reply.row(format!("+QIRD: {total},{read},{unread}"));
        return Ok(Outcome::OK);
    }
    if module
        .sockets
        .get(id)
        .is_some_and(|row| row.access_mode != 0)
    {
        return Ok(module.tcpip_error(572));
    }
    let received = module.read(id, length);
    let data = received.data;
    if data.is_empty() {
        reply.row("+QIRD: 0");
        return Ok(Outcome::OK);
    }
    let between = module.between();
    let from = from_text(received.from);
    let format = module.settings.format();
    reply.raw(format.head());
    reply.raw(format!("+QIRD: {}{from}", data.len()).as_bytes());
    if module.settings.qicfg.get(Key::ShowLength, 0) == 1 {
        let left = module.unread(id).map_or(0, |(_, unread)| unread);
        reply.raw(format!(",{left}").as_bytes());
    }
    reply.raw(&between);
    reply.raw(&module.shown(&data));
    if module.profile.qird_tail == QirdTail::BlankLine {
        reply.raw(&format.end);
    }
    Ok(Outcome::OK)
}

/// `AT+QISWTMD=<id>,<access mode>`
fn switch_mode(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(2)?;
    let id = connect_id(module, call, 0)?;
    let mode = call.ranged(1, 0..=2)? as u8;
    Ok(module.switch_mode(id, mode))
}

/// `ATO`
fn back_to_data(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.ranged_or(0, 0..=0, 0)?;
    Ok(match module.resume_pipe() {
        Some(id) => Outcome::Connect(id),
        None => Outcome::Done(Final::NoCarrier),
    })
}

fn payload_echo_test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row("+QISDE: (0,1)");
    Ok(Outcome::OK)
}

fn payload_echo_read(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    reply.row(format!(
        "+QISDE: {}",
        u8::from(module.settings.payload_echo)
    ));
    Ok(Outcome::OK)
}

/// Whether payload is sent back to the host.
fn payload_echo(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    module.settings.payload_echo = call.ranged(0, 0..=1)? == 1;
    Ok(Outcome::OK)
}
