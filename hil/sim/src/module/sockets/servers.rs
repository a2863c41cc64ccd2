//! Clients of listeners.

use super::{Opening, Row, RowState, Service};
use crate::commands::qicfg::Key;
use crate::module::Module;
use crate::net::SocketId;

impl Module {
    /// Gives connect ids to the clients that have come.
    pub(super) fn take_clients(&mut self) {
        for (listener, client) in self.net.take_established() {
            let server = self.sockets.id_of(listener);
            if !server.is_some_and(|server| self.admit(server, client)) {
                self.turn_away(client);
            }
        }
    }

    fn turn_away(&mut self, client: u64) {
        self.net.abort(client);
        self.net.release(self.now, SocketId::Tcp(client));
    }

    /// Gives a client the highest free connect id. False if there is none for it.
    fn admit(&mut self, server: u8, client: u64) -> bool {
        let Some(row) = self.sockets.get(server) else {
            return false;
        };
        let (context, access_mode, most) = (row.context, row.access_mode, row.clients);
        let local_port = row.local_port;
        let Some(remote) = self.net.info(client).map(|info| info.remote) else {
            return false;
        };
        let of_server = |row: &&Row| row.server == Some(server);
        let clients = self.sockets.rows.values().filter(of_server).count();
        let mut ids = (0..self.profile.connect_ids).rev();
        let free = ids.find(|id| !self.sockets.rows.contains_key(id));
        let Some(id) = free.filter(|_| clients < usize::from(most)) else {
            self.urc("+QIURC: \"incoming full\"");
            return false;
        };
        let waits = self.settings.qicfg.get(Key::TcpAccept, 0) == 0;
        // A port has one transparent socket, and the host has not asked for this one.
        let access_mode = if access_mode == 2 { 0 } else { access_mode };
        let row = Row {
            local_port,
            state: match waits {
                true => RowState::Opening(Opening::Waiting),
                false => RowState::Connected,
            },
            socket: Some(SocketId::Tcp(client)),
            server: Some(server),
            ..Row::new(context, Service::TcpIncoming, remote, access_mode)
        };
        self.sockets.rows.insert(id, row);
        self.net.adopt(client, id);
        let (ip, port) = (remote.ip(), remote.port());
        self.urc(&format!(
            "+QIURC: \"incoming\",{id},{server},\"{ip}\",{port}"
        ));
        true
    }

    /// `AT+QIACCEPT`: what becomes of a client that waits, given by its own connect id, or by that of
    /// its listener, which means the one that waits longest. False if there is none.
    pub(crate) fn decide_client(&mut self, id: u8, accept: bool) -> bool {
        let waits = |row: &Row| row.state == RowState::Opening(Opening::Waiting);
        let mut rows = self.sockets.rows.iter().filter(|(_, row)| waits(row));
        let meant = rows
            .clone()
            .find(|(own, _)| **own == id)
            // Ids are given from the top.
            .or_else(|| rows.rfind(|(_, row)| row.server == Some(id)))
            .map(|(own, _)| *own);
        let Some(meant) = meant else {
            return false;
        };
        if accept {
            if let Some(row) = self.sockets.rows.get_mut(&meant) {
                row.state = RowState::Connected;
            }
        } else if let Some(SocketId::Tcp(client)) =
            self.sockets.rows.remove(&meant).and_then(|row| row.socket)
        {
            self.turn_away(client);
        }
        true
    }
}
