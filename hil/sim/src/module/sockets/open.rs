//! `AT+QIOPEN`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{ClosedNote, Opening, Row, RowState, Service};
use crate::commands::qicfg::{Key, OptionSet};
use crate::dns::Asker;
use crate::module::Module;
use crate::net::{Buffers, Listen, Open, OpenUdp, SocketId};

/// What `AT+QIOPEN` was told.
#[derive(Debug)]
pub(crate) struct OpenRequest<'a> {
    pub(crate) context: u8,
    pub(crate) id: u8,
    pub(crate) service: Service,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) local_port: u16,
    pub(crate) access_mode: u8,
    /// The most clients of a listener.
    pub(crate) clients: u8,
    /// How long a connect may take, in µs; the family's own limit if it was not told.
    pub(crate) connect_us: Option<u64>,
}

impl Row {
    pub(super) fn new(context: u8, service: Service, remote: SocketAddr, access_mode: u8) -> Row {
        Row {
            context,
            service,
            remote,
            local_port: 0,
            access_mode,
            state: RowState::Opening(Opening::Resolving),
            socket: None,
            server: None,
            connect_us: 0,
            clients: 0,
            sent: 0,
            read: 0,
            armed: true,
            closed_urc: ClosedNote::No,
            suspended: false,
            closed_by_host: false,
            close_until: None,
        }
    }
}

impl Module {
    /// `AT+QIOPEN`. An error number for a URC if it fails before it starts.
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
        let address = request.host.parse::<IpAddr>().ok();
        let shown = address.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let remote = SocketAddr::new(shown, request.port);
        let limit = self.profile.connect_timeout_us;
        let row = Row {
            local_port: request.local_port,
            connect_us: request.connect_us.unwrap_or(limit),
            clients: request.clients,
            ..Row::new(
                request.context,
                request.service,
                remote,
                request.access_mode,
            )
        };
        self.sockets.rows.insert(id, row);
        if request.service.is_server() {
            self.bind(id);
            return Ok(());
        }
        match address {
            Some(address) => self.resolved(id, Some(address)),
            None => self.ask(Asker::Open(id), request.context, request.host),
        }
        Ok(())
    }

    /// A listener, or a UDP service, takes its port. Its host is only a matter of form.
    fn bind(&mut self, id: u8) {
        let Some(row) = self.sockets.rows.get(&id) else {
            return;
        };
        let (service, local_port) = (row.service, row.local_port);
        let Some(local) = self.local_address(row.context, row.remote.ip()) else {
            return self.open_failed(id, 556);
        };
        let socket = match service {
            Service::TcpListener => {
                let listen = Listen {
                    connect_id: id,
                    local,
                    local_port,
                    buffers: self.buffers(),
                };
                self.net.listen(self.now, &listen).map(SocketId::Tcp)
            }
            _ => self.open_udp(local, local_port, None),
        };
        match socket {
            Some(socket) => self.opened(id, socket),
            None => self.open_failed(id, self.profile.port_taken_error),
        }
    }

    /// The name of an open was looked up.
    pub(in crate::module) fn resolved(&mut self, id: u8, address: Option<IpAddr>) {
        let Some(row) = self.sockets.rows.get_mut(&id) else {
            return;
        };
        let Some(address) = address else {
            return self.open_failed(id, 565);
        };
        row.remote.set_ip(address);
        let (context, remote, local_port) = (row.context, row.remote, row.local_port);
        let (service, until) = (row.service, self.now + row.connect_us);
        let taken = match local_port {
            0 => 566,
            _ => self.profile.port_taken_error,
        };
        let Some(local) = self.local_address(context, address) else {
            return self.open_failed(id, 566);
        };
        if service == Service::Udp {
            match self.open_udp(local, local_port, Some(remote)) {
                Some(socket) => self.opened(id, socket),
                None => self.open_failed(id, taken),
            }
            return;
        }
        let open = Open {
            connect_id: id,
            local,
            local_port,
            remote,
            buffers: self.buffers(),
        };
        match self.net.connect(self.now, &open) {
            Some(serial) => {
                if let Some(row) = self.sockets.rows.get_mut(&id) {
                    row.socket = Some(SocketId::Tcp(serial));
                    row.state = RowState::Opening(Opening::Connecting(until));
                }
            }
            None => self.open_failed(id, taken),
        }
    }

    fn open_udp(
        &mut self,
        local: IpAddr,
        local_port: u16,
        remote: Option<SocketAddr>,
    ) -> Option<SocketId> {
        let open = OpenUdp {
            local,
            local_port,
            remote,
            receive_buffer: self.settings.qicfg.get(Key::ReceiveBuffer, 0) as usize,
        };
        self.net.open_udp(&open).map(SocketId::Udp)
    }

    fn buffers(&self) -> Buffers {
        Buffers {
            receive: self.settings.qicfg.get(Key::ReceiveBuffer, 0) as usize,
            send: self.send_buffer(),
            nagle: self.profile.nagle,
            keep_alive: self.keep_alive(),
        }
    }

    /// As `send/buffersize` says where there is one; the profile may change at any time.
    fn send_buffer(&self) -> usize {
        match self.profile.options {
            OptionSet::Ec200x => self.settings.qicfg.get(Key::SendBuffer, 0) as usize,
            _ => self.profile.send_buffer,
        }
    }

    fn keep_alive(&self) -> Option<(u64, u64)> {
        let value = |i| u64::from(self.settings.qicfg.get(Key::KeepAlive, i));
        let (idle, interval, probes) = (value(1), value(2), value(3));
        let unit = self.profile.options.idle_unit();
        (value(0) == 1).then_some((idle * unit, interval * probes * 1_000_000))
    }

    /// An open has succeeded.
    pub(super) fn opened(&mut self, id: u8, socket: SocketId) {
        if let Some(row) = self.sockets.rows.get_mut(&id) {
            row.socket = Some(socket);
            row.state = RowState::Connected;
            if row.access_mode != 2 {
                self.urc(&format!("+QIOPEN: {id},0"));
            }
        }
    }

    pub(super) fn open_failed(&mut self, id: u8, error: u16) {
        let mut blocks = false;
        if let Some(row) = self.sockets.rows.get_mut(&id) {
            row.state = RowState::Failed;
            blocks = row.access_mode == 2;
            if let Some(socket) = row.socket.take() {
                if let SocketId::Tcp(serial) = socket {
                    self.net.abort(serial);
                }
                self.net.release(self.now, socket);
            }
        }
        if !self.profile.failed_open_keeps_id {
            self.sockets.rows.remove(&id);
        }
        self.last_error = error;
        if !blocks {
            self.urc(&format!("+QIOPEN: {id},{error}"));
        }
    }
}
