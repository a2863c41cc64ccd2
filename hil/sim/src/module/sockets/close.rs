//! `AT+QICLOSE`.

use super::{ClosedNote, RowState, Service};
use crate::at::reply::Final;
use crate::at::table::Outcome;
use crate::module::Module;
use crate::net::{SocketId, TcpState};
use crate::profile::{CloseAnswer, CloseTimeout};

impl Module {
    /// `AT+QICLOSE` begins: whether it has to wait for TCP.
    pub(crate) fn start_close(&mut self, id: u8, abort: bool) -> bool {
        let Some(row) = self.sockets.rows.get_mut(&id) else {
            return false;
        };
        self.resolver.forget(id);
        let opening = row.is_opening();
        let listener = row.service == Service::TcpListener;
        row.state = RowState::Closing;
        row.closed_urc = ClosedNote::Sent;
        row.armed = false;
        match row.socket {
            Some(SocketId::Tcp(serial)) if !listener => {
                if abort || opening {
                    self.net.abort(serial);
                    self.release(id);
                    return false;
                }
                self.net.close(serial);
                true
            }
            _ => {
                self.release(id);
                false
            }
        }
    }

    /// Closes a connection, and does not wait for the end of it.
    pub(crate) fn hang_up(&mut self, id: u8) {
        if self.start_close(id, false) {
            self.release(id);
        }
    }

    /// What a close that has ended is answered with.
    pub(crate) fn closed(&self) -> Outcome {
        match self.profile.close_ok {
            true => Outcome::Done(Final::OkCloseOk),
            false => Outcome::OK,
        }
    }

    /// `AT+QICLOSE` with `close/mode` 1: its end is told by a URC.
    pub(crate) fn close_by_urc(&mut self, id: u8, until: u64) {
        match self.sockets.rows.get_mut(&id) {
            Some(row) => row.close_until = Some(until),
            None => self.urc(&format!("+QIURC: \"closed\",{id}")),
        }
    }

    /// Whether `AT+QICLOSE` can be answered.
    pub(in crate::module) fn check_close(&mut self, id: u8, until: u64) -> Option<Outcome> {
        let Some(serial) = self.sockets.get(id).and_then(|row| row.tcp()) else {
            self.sockets.rows.remove(&id);
            return Some(self.closed());
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
            return Some(self.closed());
        }
        if !done && self.now < until {
            return None;
        }
        if !done && self.profile.close_timeout == CloseTimeout::Abort {
            self.net.abort(serial);
        }
        self.release(id);
        Some(self.closed())
    }
}
