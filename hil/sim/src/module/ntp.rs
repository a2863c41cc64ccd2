//! `AT+QNTP`: asks a time server over the module's UDP.

use std::net::{IpAddr, SocketAddr};

use super::Module;
use crate::at::table::Outcome;
use crate::dns::Asker;
use crate::net::{OpenUdp, SocketId, time_request, unix_seconds};

/// An `AT+QNTP` that is going on.
#[derive(Debug)]
pub(crate) struct Ntp {
    context: u8,
    port: u16,
    /// Requests left.
    left: u32,
    /// From one request to the next, in µs.
    interval: u64,
    socket: Option<(SocketId, u64)>,
    sent_at: u64,
}

impl Module {
    /// `AT+QNTP` begins.
    pub(crate) fn start_ntp(
        &mut self,
        context: u8,
        host: &str,
        port: u16,
        retries: u32,
        interval: u64,
    ) -> Outcome {
        if self.ntp.is_some() {
            return self.tcpip_error(568);
        }
        if !self.is_active(context) {
            self.ntp_ended(561);
            return Outcome::OK;
        }
        self.ntp = Some(Ntp {
            context,
            port,
            left: retries,
            interval,
            socket: None,
            sent_at: 0,
        });
        match host.parse() {
            Ok(address) => self.ntp_resolved(Some(address)),
            Err(_) => self.ask(Asker::Time, context, host),
        }
        Outcome::OK
    }

    /// The name of a time server was looked up.
    pub(super) fn ntp_resolved(&mut self, address: Option<IpAddr>) {
        let Some((context, port)) = self.ntp.as_ref().map(|ntp| (ntp.context, ntp.port)) else {
            return;
        };
        let Some(address) = address else {
            return self.ntp_ended(565);
        };
        let open = self.local_address(context, address).map(|local| OpenUdp {
            local,
            local_port: 0,
            remote: Some(SocketAddr::new(address, port)),
            receive_buffer: 1_500,
        });
        let Some(serial) = open.and_then(|open| self.net.open_udp(&open)) else {
            return self.ntp_ended(554);
        };
        if let Some(ntp) = &mut self.ntp {
            ntp.socket = Some((SocketId::Udp(serial), serial));
        }
        self.send_ntp();
    }

    fn send_ntp(&mut self) {
        let now = self.now;
        if let Some(ntp) = &mut self.ntp
            && let Some((socket, _)) = ntp.socket
        {
            ntp.sent_at = now;
            ntp.left = ntp.left.saturating_sub(1);
            self.net.write(socket, None, &time_request());
        }
    }

    pub(super) fn tick_ntp(&mut self) {
        let Some((_, serial)) = self.ntp.as_ref().and_then(|ntp| ntp.socket) else {
            return;
        };
        while let Some((_, answer)) = self.net.read_datagram(serial, 1_500, true) {
            if let Some(seconds) = unix_seconds(&answer) {
                let zone = self.cellular.zone_quarters;
                let time = clock_text(seconds);
                self.end_ntp();
                self.urc(&format!("+QNTP: 0,\"{time}{zone:+03}\""));
                return;
            }
        }
        if self.ntp_at().is_some_and(|at| at <= self.now) {
            if self.ntp.as_ref().is_some_and(|ntp| ntp.left > 0) {
                self.send_ntp();
            } else {
                self.ntp_ended(569);
            }
        }
    }

    fn ntp_ended(&mut self, error: u16) {
        self.end_ntp();
        self.last_error = error;
        self.urc(&format!("+QNTP: {error}"));
    }

    fn end_ntp(&mut self) {
        if let Some((socket, _)) = self.ntp.take().and_then(|ntp| ntp.socket) {
            self.net.release(self.now, socket);
        }
    }

    /// When the answer is overdue.
    pub(super) fn ntp_at(&self) -> Option<u64> {
        let ntp = self.ntp.as_ref()?;
        ntp.socket.map(|_| ntp.sent_at + ntp.interval)
    }
}

/// `2026/07/03,00:56:27`, of seconds since 1970.
fn clock_text(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March have their leap day at the end; 400 of them are one era.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}/{month:02}/{day:02},{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::clock_text;

    #[test]
    fn dates() {
        for (seconds, text) in [
            (0, "1970/01/01,00:00:00"),
            (951_782_399, "2000/02/28,23:59:59"),
            (951_782_400, "2000/02/29,00:00:00"),
            (1_783_040_187, "2026/07/03,00:56:27"),
            (4_107_542_400, "2100/03/01,00:00:00"),
        ] {
            assert_eq!(clock_text(seconds), text);
        }
    }
}
