//! `AT+QNTP`: asks a time server over the module's UDP.

use std::net::{IpAddr, SocketAddr};

use super::{Module, clock};
use crate::at::table::Outcome;
use crate::dns::Asker;
use crate::net::{OpenUdp, SocketId, time_request, unix_seconds};

/// An `AT+QNTP` that is going on.
#[derive(Debug)]
pub(crate) struct Ntp {
    context: u8,
    port: u16,
    /// The answer sets the module's clock.
    sets_clock: bool,
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
        sets_clock: bool,
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
            sets_clock,
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
                let time = clock::text(i64::try_from(seconds).unwrap_or(i64::MAX));
                if self.ntp.as_ref().is_some_and(|ntp| ntp.sets_clock) {
                    self.set_clock(i64::try_from(seconds).unwrap_or(0), zone);
                }
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
