//! Direct push and transparent mode: data that goes to the host without being asked for.

use std::net::SocketAddr;

use super::{Row, RowState, Service};
use crate::at::table::Outcome;
use crate::commands::qicfg::Key;
use crate::module::{Module, Wait};
use crate::net::SocketId;

/// The most bytes of one push URC.
const LONGEST_PUSH: usize = 1500;

impl Module {
    /// Whether there is data to push.
    pub(crate) fn has_push(&self) -> bool {
        self.sockets.rows().any(|(_, row)| self.pushes(row))
    }

    fn pushes(&self, row: &Row) -> bool {
        row.access_mode == 1
            && matches!(row.state, RowState::Connected | RowState::Closing)
            && row.service != Service::TcpListener
            && row.socket.is_some_and(|socket| self.net.unread(socket) > 0)
    }

    /// The next push URC.
    pub(crate) fn take_push(&mut self) -> Option<Vec<u8>> {
        let (id, _) = self.sockets.rows().find(|(_, row)| self.pushes(row))?;
        let received = self.read(id, LONGEST_PUSH);
        if self.faults.lose_recv.count() || !self.urcs_come_here() {
            return Some(Vec::new());
        }
        let from = from_text(received.from);
        let between = self.between();
        let length = received.data.len();
        let format = self.settings.format();
        let head = format!("+QIURC: \"recv\",{id},{length}{from}");
        let data = self.shown(&received.data);
        let head = [format.head(), head.as_bytes()].concat();
        Some(match self.profile.quoted_push {
            true => [&head, &b",\""[..], &data, b"\"", &format.end].concat(),
            false => [&head, &between[..], &data, &format.end].concat(),
        })
    }

    /// What stands between the head and the data of an answer or URC.
    pub(crate) fn between(&self) -> Vec<u8> {
        match self.settings.qicfg.get(Key::ViewMode, 0) {
            1 => b",".to_vec(),
            _ => self.settings.format().end.to_vec(),
        }
    }

    /// Received data as it is printed.
    pub(crate) fn shown(&self, data: &[u8]) -> Vec<u8> {
        if self.settings.qicfg.get(Key::DataFormat, 1) == 1 {
            data.iter()
                .flat_map(|byte| format!("{byte:02X}").into_bytes())
                .collect()
        } else {
            data.to_vec()
        }
    }

    /// `AT+QISWTMD`
    pub(crate) fn switch_mode(&mut self, id: u8, mode: u8) -> Outcome {
        let Some(row) = self.sockets.rows.get_mut(&id) else {
            return self.tcpip_error(552);
        };
        let connected = row.state == RowState::Connected;
        if mode == 2 && (!connected || row.service.is_server()) {
            return self.tcpip_error(572);
        }
        row.access_mode = mode;
        row.armed = true;
        match mode {
            2 => Outcome::Connect(id),
            _ => Outcome::OK,
        }
    }

    /// `AT+QIOPEN` in transparent mode: whether it can be answered.
    pub(in crate::module) fn check_connect(&mut self, id: u8) -> Option<Outcome> {
        let row = self.sockets.get(id);
        match row.map(|row| (row.state, row.socket)) {
            Some((RowState::Opening(_), _)) => None,
            Some((RowState::Connected | RowState::Closing, Some(_))) => Some(Outcome::Connect(id)),
            Some((RowState::Failed, _)) => Some(self.tcpip_error(self.last_error)),
            // Its context is gone.
            Some((_, None)) | None => Some(self.tcpip_error(570)),
        }
    }

    /// What `AT+QIOPEN` in transparent mode waits for.
    pub(crate) fn wait_connect(id: u8) -> Outcome {
        Outcome::Wait(Wait::Connect { id })
    }

    /// `ATO`: the connection that `+++` has left.
    pub(crate) fn resume_pipe(&mut self) -> Option<u8> {
        let mut rows = self.sockets.rows.iter_mut();
        let (id, row) = rows.find(|(_, row)| row.suspended && row.state == RowState::Connected)?;
        row.access_mode = 2;
        row.suspended = false;
        Some(*id)
    }

    /// `+++`: the connection goes on in buffer mode.
    pub(crate) fn leave_pipe(&mut self, id: u8) {
        for (one, row) in &mut self.sockets.rows {
            row.suspended = *one == id;
        }
        if let Some(row) = self.sockets.rows.get_mut(&id) {
            row.access_mode = 0;
            row.armed = true;
        }
    }

    fn pipe(&self, id: u8) -> Option<SocketId> {
        self.sockets.get(id)?.socket
    }

    /// Bytes for the host.
    pub(crate) fn pipe_unread(&self, id: u8) -> usize {
        self.pipe(id).map_or(0, |socket| self.net.unread(socket))
    }

    pub(crate) fn pipe_read(&mut self, id: u8, n: usize) -> Vec<u8> {
        self.read(id, n).data
    }

    /// Bytes that the connection would take now.
    pub(crate) fn pipe_room(&self, id: u8) -> usize {
        self.pipe(id).map_or(0, |socket| self.net.room(socket))
    }

    /// Gives the connection bytes; false if there is no room for them. An ended one takes everything.
    pub(crate) fn pipe_write(&mut self, id: u8, data: &[u8]) -> bool {
        let Some(socket) = self.pipe(id) else {
            return true;
        };
        let connected = self.may_send(id, None).is_ok();
        let room = self.net.room(socket) >= data.len();
        let written = connected && room && self.net.write(socket, None, data);
        if written && let Some(row) = self.sockets.rows.get_mut(&id) {
            row.sent += data.len() as u64;
        }
        written || !connected
    }

    /// Whether the connection has ended, and everything was read.
    pub(crate) fn pipe_ended(&self, id: u8) -> bool {
        let row = self.sockets.get(id);
        row.is_none_or(|row| row.state != RowState::Connected) && self.pipe_unread(id) == 0
    }
}

/// `,"<ip>",<port>`, or nothing.
pub(crate) fn from_text(from: Option<SocketAddr>) -> String {
    from.map(|from| format!(",\"{}\",{}", from.ip(), from.port()))
        .unwrap_or_default()
}
