//! Data in both directions.

use std::net::SocketAddr;

use super::{RowState, Service};
use crate::at::reply::Final;
use crate::at::table::Outcome;
use crate::commands::qicfg::Key;
use crate::module::Module;
use crate::net::SocketId;
use crate::profile::RecvUrc;

/// What `AT+QIRD` has taken.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) data: Vec<u8>,
    /// Who sent it, for a UDP service.
    pub(crate) from: Option<SocketAddr>,
}

impl Module {
    /// Whether `AT+QISEND` gets a prompt. A UDP service, and nothing else, has to be told where `to`.
    pub(crate) fn may_send(&self, id: u8, to: Option<SocketAddr>) -> Result<(), u16> {
        let Some(row) = self.sockets.get(id) else {
            return Err(552);
        };
        match row.state {
            RowState::Connected if row.service == Service::TcpListener => Err(572),
            RowState::Connected if to.is_some() != (row.service == Service::UdpServer) => Err(552),
            RowState::Connected => Ok(()),
            RowState::Closing => Err(567),
            RowState::Failed | RowState::Opening(_) => Err(572),
        }
    }

    /// The payload of an `AT+QISEND` is complete. With `dataformat` 1 it is hexadecimal text, whose
    /// length `AT+QISEND` was told; what is none is refused.
    pub(crate) fn send_payload(&mut self, id: u8, to: Option<SocketAddr>, data: &[u8]) -> Final {
        if self.settings.qicfg.get(Key::DataFormat, 0) == 0 {
            return self.send(id, to, data);
        }
        match bytes_of(data) {
            Some(data) => self.send(id, to, &data),
            None => self.failure(552),
        }
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, id: u8, to: Option<SocketAddr>, data: &[u8]) -> Final {
        if let Err(error) = self.may_send(id, to) {
            return self.failure(error);
        }
        let socket = self.sockets.get(id).and_then(|row| row.socket);
        let full = self.faults.send_fail.count();
        if !full && socket.is_some_and(|socket| self.net.write(socket, to, data)) {
            if let Some(row) = self.sockets.rows.get_mut(&id) {
                row.sent += data.len() as u64;
            }
            return self.send_info(id, false).unwrap_or(Final::SendOk);
        }
        self.last_error = 558;
        self.send_info(id, true).unwrap_or(Final::SendFail)
    }

    /// What payload is answered with, on modules that say `OK` before `SEND OK`.
    pub(crate) fn send_code(&self, code: Final) -> Final {
        match code {
            Final::SendOk if self.profile.ok_before_send_ok => Final::OkSendOk,
            code => code,
        }
    }

    /// What `AT+QISEND` has to wait for once the payload was taken.
    pub(crate) fn awaits_acknowledgement(&self, id: u8, code: Final) -> bool {
        let mode = self.settings.qicfg.get(Key::SendMode, 0);
        let tcp = self.sockets.get(id).is_some_and(|row| row.tcp().is_some());
        mode > 0 && tcp && code == Final::SendOk
    }

    /// Whether everything that was sent is acknowledged, or never will be.
    pub(in crate::module) fn check_acknowledged(&mut self, id: u8) -> Option<Outcome> {
        if let Err(error) = self.may_send(id, None) {
            return Some(self.tcpip_error(error));
        }
        let counters = self.send_counters(id);
        let done = counters.is_none_or(|[_, _, unacked]| unacked == 0);
        done.then_some(Outcome::Done(Final::SendOk))
    }

    /// What `sendinfo` puts in the place of `SEND OK` and `SEND FAIL`.
    fn send_info(&self, id: u8, full: bool) -> Option<Final> {
        let socket = self.sockets.get(id)?.socket?;
        let wanted = self.settings.qicfg.get(Key::SendInfo, 0) == 1;
        wanted.then(|| Final::SendInfo(id, full, self.net.room(socket)))
    }

    /// `AT+QISEND=<id>,0`: total, acknowledged, unacknowledged. UDP knows no acknowledgement: all is.
    pub(crate) fn send_counters(&self, id: u8) -> Option<[u64; 3]> {
        let row = self.sockets.get(id)?;
        let unacked = row.socket.map_or(0, |one| self.net.unacked(one) as u64);
        Some([row.sent, row.sent.saturating_sub(unacked), unacked])
    }

    /// Bytes that `AT+QIRD` would find; none if there is no such connection.
    pub(crate) fn unread(&self, id: u8) -> Option<(u64, usize)> {
        let row = self.sockets.get(id)?;
        match row.state {
            _ if row.service == Service::TcpListener => None,
            RowState::Connected | RowState::Closing => {
                Some((row.read, self.net.unread(row.socket?)))
            }
            RowState::Failed | RowState::Opening(_) => None,
        }
    }

    /// `AT+QIRD`: takes up to `n` bytes of what was received.
    pub(crate) fn read(&mut self, id: u8, n: usize) -> Received {
        let Some(row) = self.sockets.get(id) else {
            return Received::default();
        };
        let Some(socket) = row.socket else {
            return Received::default();
        };
        let service = row.service;
        let received = match socket {
            SocketId::Tcp(serial) => Received {
                data: self.net.read(serial, n),
                from: None,
            },
            SocketId::Udp(serial) => self.read_datagrams(serial, service, n),
        };
        let left = self.net.unread(socket);
        if let Some(row) = self.sockets.rows.get_mut(&id) {
            row.read += received.data.len() as u64;
            row.armed |= match self.profile.recv_urc {
                RecvUrc::WhenEmpty => left == 0,
                RecvUrc::AfterZeroRead => received.data.is_empty(),
            };
        }
        received
    }

    /// One datagram, or, for a client in stream mode, what comes of many.
    fn read_datagrams(&mut self, serial: u64, service: Service, n: usize) -> Received {
        let stream = service == Service::Udp && self.settings.qicfg.get(Key::UdpReadMode, 0) == 1;
        let cut = !stream && self.profile.datagram_rest_lost;
        let mut received = Received::default();
        while received.data.len() < n {
            let room = n - received.data.len();
            let Some((from, data)) = self.net.read_datagram(serial, room, cut) else {
                break;
            };
            received.data.extend(data);
            received.from = (service == Service::UdpServer).then_some(from);
            if !stream {
                break;
            }
        }
        received
    }
}

/// What hexadecimal digits in pairs stand for.
pub(crate) fn bytes_of(hex: &[u8]) -> Option<Vec<u8>> {
    let digit = |c: &u8| char::from(*c).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some((digit(high)? << 4 | digit(low)?) as u8),
        _ => None,
    };
    hex.chunks(2).map(byte).collect()
}
