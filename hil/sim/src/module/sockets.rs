//! The table of connect ids: rows of `AT+QISTATE`, and the URCs that TCP causes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::Module;
use crate::at::reply::Final;
use crate::at::table::Outcome;
use crate::commands::qicfg::Key;
use crate::dns::Asker;
use crate::net::{Open, TcpState};
use crate::profile::{CloseAnswer, CloseTimeout, ClosedUrc, RecvUrc};

/// How far an open has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    Resolving,
    /// Until this time.
    Connecting(u64),
}

/// The state of a connect id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowState {
    /// The open failed; the id is occupied until `AT+QICLOSE`.
    Failed,
    Opening(Opening),
    Connected,
    /// The connection has ended, or is being closed.
    Closing,
}

/// A connect id in use.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) context: u8,
    pub(crate) remote: SocketAddrV4,
    /// The local port asked for; 0 for any.
    pub(crate) local_port: u16,
    pub(crate) access_mode: u8,
    pub(crate) state: RowState,
    /// The TCP socket, once there is one.
    pub(crate) tcp: Option<u64>,
    /// Bytes accepted from the host.
    pub(crate) sent: u64,
    /// Bytes given to the host.
    pub(crate) read: u64,
    /// The next data is worth a recv URC.
    armed: bool,
    /// The closed URC is due, or was sent.
    closed_urc: ClosedNote,
    /// `AT+QICLOSE` was answered; the row is only still listed.
    closed_by_host: bool,
}

impl Row {
    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.state, RowState::Opening(_))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClosedNote {
    No,
    Due,
    Sent,
}

#[derive(Debug, Default)]
pub(crate) struct Sockets {
    rows: BTreeMap<u8, Row>,
}

impl Sockets {
    pub(crate) fn get(&self, id: u8) -> Option<&Row> {
        self.rows.get(&id)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = (u8, &Row)> {
        self.rows.iter().map(|(id, row)| (*id, row))
    }

    fn opening(&self) -> usize {
        self.rows.values().filter(|row| row.is_opening()).count()
    }

    /// Removes the rows of a context.
    pub(super) fn remove_context(&mut self, context: u8) {
        self.rows.retain(|_, row| row.context != context);
    }

    /// The connections of a context are dead; their rows stay.
    pub(super) fn lose_context(&mut self, context: u8) {
        for row in self.rows.values_mut().filter(|row| row.context == context) {
            row.state = RowState::Closing;
            row.closed_urc = ClosedNote::Sent;
            row.tcp = None;
        }
    }
}

/// What `AT+QIOPEN` was told.
#[derive(Debug)]
pub(crate) struct OpenRequest<'a> {
    pub(crate) context: u8,
    pub(crate) id: u8,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) local_port: u16,
    pub(crate) access_mode: u8,
}

impl Module {
    /// `AT+QIOPEN` of a TCP client. An error number for a URC if it fails before it starts.
    pub(crate) fn open(&mut self, request: &OpenRequest<'_>) -> Result<(), u16> {
        let id = request.id;
        if self.sockets.rows.contains_key(&id) {
            return Err(563);
        }
        let activates = self.profile.open_activates && self.in_service();
        let active = self.is_active(request.context) || activates && self.activate(request.context);
        if !active {
            return Err(561);
        }
        if self.sockets.opening() >= self.profile.opening {
            return Err(568);
        }
        let address = request.host.parse::<Ipv4Addr>().ok();
        let row = Row {
            context: request.context,
            remote: SocketAddrV4::new(address.unwrap_or(Ipv4Addr::UNSPECIFIED), request.port),
            local_port: request.local_port,
            access_mode: request.access_mode,
            state: RowState::Opening(Opening::Resolving),
            tcp: None,
            sent: 0,
            read: 0,
            armed: true,
            closed_urc: ClosedNote::No,
            closed_by_host: false,
        };
        self.sockets.rows.insert(id, row);
        match address {
            Some(address) => self.resolved(id, Some(address)),
            None => {
                let (us, limit) = (self.cellular.dns_us, self.profile.dns_timeout_us);
                self.resolver
                    .ask(Asker::Open(id), request.host, self.now, us, limit, false);
            }
        }
        Ok(())
    }

    /// The name of an open was looked up.
    pub(super) fn resolved(&mut self, id: u8, address: Option<Ipv4Addr>) {
        let Some(row) = self.sockets.rows.get_mut(&id) else {
            return;
        };
        let Some(address) = address else {
            return self.open_failed(id, 565);
        };
        row.remote.set_ip(address);
        let (context, remote, local_port) = (row.context, row.remote, row.local_port);
        let open = Open {
            connect_id: id,
            local: self.context_address(context),
            local_port,
            remote,
            receive_buffer: self.settings.qicfg.get(Key::ReceiveBuffer, 0) as usize,
            send_buffer: self.profile.send_buffer,
            nagle: self.profile.nagle,
            keep_alive: self.keep_alive(),
        };
        let until = self.now + self.profile.connect_timeout_us;
        match self.net.connect(self.now, &open) {
            Some(serial) => {
                if let Some(row) = self.sockets.rows.get_mut(&id) {
                    row.tcp = Some(serial);
                    row.state = RowState::Opening(Opening::Connecting(until));
                }
            }
            None => self.open_failed(id, if local_port == 0 { 566 } else { 556 }),
        }
    }

    fn keep_alive(&self) -> Option<(u64, u64)> {
        let value = |i| u64::from(self.settings.qicfg.get(Key::KeepAlive, i));
        let (minutes, interval, probes) = (value(1), value(2), value(3));
        (value(0) == 1).then_some((minutes * 60_000_000, interval * probes * 1_000_000))
    }

    fn open_failed(&mut self, id: u8, error: u16) {
        if let Some(row) = self.sockets.rows.get_mut(&id) {
            row.state = RowState::Failed;
            if let Some(serial) = row.tcp.take() {
                self.net.abort(serial);
                self.net.release(self.now, serial);
            }
        }
        if !self.profile.failed_open_keeps_id {
            self.sockets.rows.remove(&id);
        }
        self.last_error = error;
        self.urc(&format!("+QIOPEN: {id},{error}"));
    }

    /// What TCP has done since the last look.
    pub(super) fn tick_sockets(&mut self) {
        let ids: Vec<u8> = self.sockets.rows.keys().copied().collect();
        for id in ids {
            self.tick_socket(id);
        }
    }

    fn tick_socket(&mut self, id: u8) {
        let Some(row) = self.sockets.rows.get(&id) else {
            return;
        };
        let Some(serial) = row.tcp else {
            return;
        };
        let tcp = self.net.state(serial);
        if row.closed_by_host {
            if !matches!(tcp, TcpState::FinWait1 | TcpState::FinWait2) {
                self.release(id);
            }
            return;
        }
        match row.state {
            RowState::Opening(Opening::Connecting(until)) => match tcp {
                TcpState::SynSent | TcpState::SynRcvd if self.now < until => {}
                TcpState::SynSent | TcpState::SynRcvd => {
                    self.open_failed(id, self.profile.connect_timeout_error);
                }
                TcpState::Closed => self.open_failed(id, 566),
                _ => {
                    if let Some(row) = self.sockets.rows.get_mut(&id) {
                        row.state = RowState::Connected;
                    }
                    self.urc(&format!("+QIOPEN: {id},0"));
                    self.notice(id, serial, tcp);
                }
            },
            RowState::Connected | RowState::Closing => self.notice(id, serial, tcp),
            RowState::Opening(Opening::Resolving) | RowState::Failed => {}
        }
    }

    /// Reports data and the peer's end of a connection.
    fn notice(&mut self, id: u8, serial: u64, tcp: TcpState) {
        let unread = self.net.unread(serial);
        let recvind = self.settings.qicfg.get(Key::RecvInd, 0) == 1;
        let after_drain = self.profile.closed_urc == ClosedUrc::AfterDrain;
        let Some(row) = self.sockets.rows.get_mut(&id) else {
            return;
        };
        let ended = !matches!(tcp, TcpState::Established);
        if ended && row.state == RowState::Connected {
            row.state = RowState::Closing;
            row.closed_urc = ClosedNote::Due;
        }
        let recv = unread > 0 && row.armed && row.access_mode == 0;
        row.armed &= !recv;
        let closed = row.closed_urc == ClosedNote::Due && !(after_drain && unread > 0);
        if closed {
            row.closed_urc = ClosedNote::Sent;
        }
        if recv && !self.faults.lose_recv.count() {
            let length = if recvind {
                format!(",{unread}")
            } else {
                String::new()
            };
            self.urc(&format!("+QIURC: \"recv\",{id}{length}"));
        }
        if closed && !self.faults.lose_closed.count() {
            self.urc(&format!("+QIURC: \"closed\",{id}"));
        }
        if ended && self.settings.qicfg.get(Key::PassiveClosed, 0) == 1 && unread == 0 {
            self.net.close(serial);
            self.release(id);
        }
    }

    pub(super) fn next_socket(&self) -> Option<u64> {
        let until = |row: &Row| match row.state {
            RowState::Opening(Opening::Connecting(until)) => Some(until),
            _ => None,
        };
        self.sockets.rows.values().filter_map(until).min()
    }

    /// The number that `AT+QISTATE` shows for a row.
    pub(crate) fn socket_state(&self, row: &Row) -> u8 {
        match row.state {
            RowState::Failed => 0,
            RowState::Opening(_) => 1,
            RowState::Connected if self.profile.client_state_3 => 3,
            RowState::Connected => 2,
            RowState::Closing => 4,
        }
    }

    /// Whether `AT+QISEND` gets a prompt.
    pub(crate) fn may_send(&self, id: u8) -> Result<(), u16> {
        match self.sockets.get(id) {
            None => Err(552),
            Some(row) if row.state == RowState::Connected => Ok(()),
            Some(row) if row.state == RowState::Closing => Err(567),
            Some(_) => Err(572),
        }
    }

    /// The payload of an `AT+QISEND` is complete.
    pub(crate) fn send(&mut self, id: u8, data: &[u8]) -> Final {
        if let Err(error) = self.may_send(id) {
            self.last_error = error;
            return Final::Error;
        }
        let serial = self.sockets.get(id).and_then(|row| row.tcp);
        let full = self.faults.send_fail.count();
        if !full && serial.is_some_and(|serial| self.net.write(serial, data)) {
            if let Some(row) = self.sockets.rows.get_mut(&id) {
                row.sent += data.len() as u64;
            }
            return Final::SendOk;
        }
        self.last_error = 558;
        Final::SendFail
    }

    /// `AT+QISEND=<id>,0`: total, acknowledged, unacknowledged.
    pub(crate) fn send_counters(&self, id: u8) -> Option<[u64; 3]> {
        let row = self.sockets.get(id)?;
        let unacked = row.tcp.map_or(0, |serial| self.net.unacked(serial) as u64);
        Some([row.sent, row.sent.saturating_sub(unacked), unacked])
    }

    /// Bytes that `AT+QIRD` would find; none if there is no such connection.
    pub(crate) fn unread(&self, id: u8) -> Option<(u64, usize)> {
        let row = self.sockets.get(id)?;
        match row.state {
            RowState::Connected | RowState::Closing => Some((row.read, self.net.unread(row.tcp?))),
            RowState::Failed | RowState::Opening(_) => None,
        }
    }

    /// `AT+QIRD`: takes up to `n` bytes of what was received.
    pub(crate) fn read(&mut self, id: u8, n: usize) -> Vec<u8> {
        let Some(serial) = self.sockets.get(id).and_then(|row| row.tcp) else {
            return Vec::new();
        };
        let data = self.net.read(serial, n);
        let left = self.net.unread(serial);
        if let Some(row) = self.sockets.rows.get_mut(&id) {
            row.read += data.len() as u64;
            row.armed |= match self.profile.recv_urc {
                RecvUrc::WhenEmpty => left == 0,
                RecvUrc::AfterZeroRead => data.is_empty(),
            };
        }
        data
    }

    /// `AT+QICLOSE` begins: whether it has to wait for TCP.
    pub(crate) fn start_close(&mut self, id: u8, abort: bool) -> bool {
        let Some(row) = self.sockets.rows.get_mut(&id) else {
            return false;
        };
        self.resolver.forget(id);
        let opening = row.is_opening();
        row.state = RowState::Closing;
        row.closed_urc = ClosedNote::Sent;
        row.armed = false;
        let Some(serial) = row.tcp else {
            self.sockets.rows.remove(&id);
            return false;
        };
        if abort || opening {
            self.net.abort(serial);
            self.release(id);
            return false;
        }
        self.net.close(serial);
        true
    }

    /// Whether `AT+QICLOSE` can be answered.
    pub(super) fn check_close(&mut self, id: u8, until: u64) -> Option<Outcome> {
        let Some(serial) = self.sockets.get(id).and_then(|row| row.tcp) else {
            self.sockets.rows.remove(&id);
            return Some(Outcome::OK);
        };
        let state = self.net.state(serial);
        let done = match state {
            TcpState::FinWait2 => self.profile.close_answer == CloseAnswer::FinAcked,
            TcpState::TimeWait | TcpState::Closed => true,
            _ => false,
        };
        if done && state == TcpState::FinWait2 && self.profile.row_in_fin_wait_2 {
            if let Some(row) = self.sockets.rows.get_mut(&id) {
                row.closed_by_host = true;
            }
            return Some(Outcome::OK);
        }
        if !done && self.now < until {
            return None;
        }
        if !done && self.profile.close_timeout == CloseTimeout::Abort {
            self.net.abort(serial);
        }
        self.release(id);
        Some(Outcome::OK)
    }

    /// The id is free again; TCP goes on without it.
    fn release(&mut self, id: u8) {
        if let Some(serial) = self.sockets.rows.remove(&id).and_then(|row| row.tcp) {
            self.net.release(self.now, serial);
        }
    }
}
