//! What sockets do by themselves, and the URCs that tell of it.

use super::{ClosedNote, Opening, Row, RowState, Service};
use crate::commands::qicfg::Key;
use crate::module::Module;
use crate::net::{SocketId, TcpState};
use crate::profile::ClosedUrc;

impl Module {
    /// What the sockets have done since the last look.
    pub(in crate::module) fn tick_sockets(&mut self) {
        self.take_clients();
        let ids: Vec<u8> = self.sockets.rows.keys().copied().collect();
        for id in ids {
            self.tick_socket(id);
        }
    }

    fn tick_socket(&mut self, id: u8) {
        let Some(row) = self.sockets.rows.get(&id) else {
            return;
        };
        let serial = match row.socket {
            None => return,
            Some(SocketId::Udp(_)) => return self.notice(id, false),
            Some(SocketId::Tcp(_)) if row.service == Service::TcpListener => return,
            Some(SocketId::Tcp(serial)) => serial,
        };
        let tcp = self.net.state(serial);
        if let Some(until) = row.close_until {
            if self.check_close(id, until).is_some() {
                self.urc(&format!("+QIURC: \"closed\",{id}"));
            }
            return;
        }
        if row.closed_by_host {
            if !matches!(tcp, TcpState::FinWait1 | TcpState::FinWait2) {
                self.release(id);
            }
            return;
        }
        let ended = tcp != TcpState::Established;
        match row.state {
            RowState::Opening(Opening::Connecting(until)) => match tcp {
                TcpState::SynSent | TcpState::SynRcvd if self.now < until => {}
                TcpState::SynSent | TcpState::SynRcvd => {
                    self.open_failed(id, self.profile.connect_timeout_error);
                }
                TcpState::Closed => self.open_failed(id, 566),
                _ => {
                    self.opened(id, SocketId::Tcp(serial));
                    self.notice(id, ended);
                }
            },
            // A client that does not wait to be accepted is forgotten.
            RowState::Opening(Opening::Waiting) if tcp == TcpState::Closed => self.release(id),
            RowState::Connected | RowState::Closing => self.notice(id, ended),
            RowState::Opening(_) | RowState::Failed => {}
        }
    }

    /// Reports data and the peer's end of a connection.
    fn notice(&mut self, id: u8, ended: bool) {
        let wanted = |key| self.settings.qicfg.get(key, 0) == 1;
        let recvind = wanted(Key::RecvInd) || wanted(Key::ShowLength);
        let after_drain = self.profile.closed_urc == ClosedUrc::AfterDrain;
        let Some(row) = self.sockets.rows.get_mut(&id) else {
            return;
        };
        let Some(socket) = row.socket else {
            return;
        };
        let unread = self.net.unread(socket);
        if ended && row.state == RowState::Connected {
            row.state = RowState::Closing;
            row.closed_urc = ClosedNote::Due;
        }
        let recv = unread > 0 && row.armed && row.access_mode == 0;
        row.armed &= !recv;
        if row.access_mode == 2 && row.closed_urc == ClosedNote::Due {
            // NO CARRIER tells of it.
            row.closed_urc = ClosedNote::Sent;
        }
        let waits = after_drain || row.access_mode == 1;
        let closed = row.closed_urc == ClosedNote::Due && !(waits && unread > 0);
        if closed {
            row.closed_urc = ClosedNote::Sent;
        }
        if recv && !self.faults.lose_recv.count() {
            let length = match socket {
                _ if !recvind => String::new(),
                SocketId::Tcp(_) => format!(",{unread}"),
                SocketId::Udp(serial) => format!(",{}", self.net.first_datagram(serial)),
            };
            self.urc(&format!("+QIURC: \"recv\",{id}{length}"));
        }
        if closed && !self.faults.lose_closed.count() {
            self.urc(&format!("+QIURC: \"closed\",{id}"));
        }
        if ended && self.settings.qicfg.get(Key::PassiveClosed, 0) == 1 && unread == 0 {
            if let SocketId::Tcp(serial) = socket {
                self.net.close(serial);
            }
            self.release(id);
        }
    }

    pub(in crate::module) fn next_socket(&self) -> Option<u64> {
        let until = |row: &Row| match row.state {
            RowState::Opening(Opening::Connecting(until)) => Some(until),
            _ => row.close_until,
        };
        self.sockets.rows.values().filter_map(until).min()
    }
}
