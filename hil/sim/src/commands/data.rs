//! Sending and receiving.

use std::net::SocketAddr;

use super::tcpip::connect_id;
use crate::at::channel::LONGEST_PAYLOAD;
use crate::at::parse::{Call, Malformed};
use crate::at::reply::{Final, Reply};
use crate::at::table::{Command, Outcome, Payload};
use crate::commands::qicfg::Key;
use crate::module::{Module, bytes_of, from_text};
use crate::profile::{QirdTail, SendTimeout};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("+QISEND").tcpip().write(send),
    Command::new("+QISENDEX").tcpip().write(send_hex),
    Command::new("+QIRD").tcpip().write(read),
    Command::new("+QISDE").write(payload_echo),
    Command::new("+QISWTMD").tcpip().write(switch_mode),
    Command::new("O").execute(back_to_data),
];

type Result = std::result::Result<Outcome, Malformed>;

/// The most bytes of one `AT+QISENDEX`.
const LONGEST_HEX: usize = 512;
/// The most bytes of one `AT+QIRD`.
const LONGEST_READ: u32 = 1500;

/// `AT+QISEND=<id>[,<n>[,"<ip>",<port>]]`, or `=<id>,0` for the counters.
fn send(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    call.at_most(4)?;
    let id = connect_id(module, call, 0)?;
    let to = match call.len() {
        4 => {
            let ip = call.quoted(2)?.parse().map_err(|_| Malformed)?;
            Some(SocketAddr::new(ip, call.ranged(3, 1..=65_535)? as u16))
        }
        3 => return Err(Malformed),
        _ => None,
    };
    let length = match call.has(1) {
        true => Some(call.ranged(1, 0..=LONGEST_PAYLOAD as u32)? as usize),
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

/// `AT+QISENDEX=<id>,"<hex>"`: payload without a prompt.
fn send_hex(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    call.at_most(2)?;
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
    let length = call.ranged_or(1, 0..=LONGEST_READ, LONGEST_READ)? as usize;
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
    reply.raw(format!("\r\n+QIRD: {}{from}{between}", data.len()).as_bytes());
    reply.raw(&module.shown(&data));
    if module.profile.qird_tail == QirdTail::BlankLine {
        reply.raw(b"\r\n");
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

/// Whether payload is sent back to the host.
fn payload_echo(module: &mut Module, call: &Call, _: &mut Reply) -> Result {
    module.settings.payload_echo = call.ranged(0, 0..=1)? == 1;
    Ok(Outcome::OK)
}
