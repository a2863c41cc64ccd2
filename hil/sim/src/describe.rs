//! What is going on, in words.

use std::fmt::Write;

use crate::module::{ContextState, Power, Row};
use crate::net::SocketId;
use crate::sim::Sim;

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

impl Sim {
    /// What is going on, one thing a line: `subject property value property value...`.
    ///
    /// Power, serial port, registration, then a line for each PDP context and each connect id in use.
    pub fn describe(&self) -> String {
        let module = &self.module;
        let power = match module.power() {
            Power::Off => "off",
            Power::Booting(_) => "booting",
            Power::On if module.leaving => "leaving",
            Power::On if self.sleeps() => "asleep",
            Power::On => "on",
        };
        let status = if self.status() { "high" } else { "low" };
        let seconds = self.now() / 1_000_000;
        let us = self.now() % 1_000_000;
        let speed = self
            .module_baud()
            .map_or("unknown".into(), |n| n.to_string());
        let rssi = module.cellular.rssi;
        let registration = match module.registration(0) {
            _ if module.power() != Power::On => "off",
            1 => "home",
            2 => "searching",
            3 => "denied",
            5 => "roaming",
            _ => "off",
        };
        let (rts, dtr) = self.rts_and_dtr();
        let mut text = format!(
            "time {seconds}.{us:06}\n\
            power {power} status {status}\n\
            serial host {} module {speed} rts {} cts {} dtr {} overruns host {} module {}\n\
            network {registration} signal {rssi} link {}",
            self.host_baud(),
            on_off(rts),
            on_off(self.cts()),
            on_off(dtr),
            self.host_overruns(),
            self.module_overruns(),
            if module.net.is_down() { "down" } else { "up" },
        );
        for (context, one) in &module.contexts {
            let state = match one.state {
                ContextState::Inactive => continue,
                ContextState::Active if one.stale => "stale",
                ContextState::Active => "active",
                ContextState::Lost => "lost",
            };
            let _ = write!(text, "\ncontext {context} {state}");
            for address in &one.addresses {
                let _ = write!(text, " {address}");
            }
        }
        for (id, row) in module.sockets.rows() {
            let _ = write!(text, "\n{}", self.describe_row(id, row));
        }
        text
    }

    fn describe_row(&self, id: u8, row: &Row) -> String {
        let net = &self.module.net;
        let local = match row.socket.and_then(|socket| net.local_port(socket)) {
            Some(port) => port,
            None => row.local_port,
        };
        let state = match row.socket {
            Some(SocketId::Tcp(serial)) => format!("{:?}", net.state(serial)),
            Some(SocketId::Udp(_)) => "Open".into(),
            None if row.is_opening() => "Opening".into(),
            None => "Closed".into(),
        };
        let (unread, unacked) = row
            .socket
            .map_or((0, 0), |socket| (net.unread(socket), net.unacked(socket)));
        format!(
            "socket {id} \"{}\" local {local} remote {} state {state} \
            sent {} unacked {unacked} read {} unread {unread}",
            row.service.name(),
            row.remote,
            row.sent,
            row.read,
        )
    }
}
