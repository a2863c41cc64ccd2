//! The table of connect ids: rows of `AT+QISTATE`, and the sockets they stand for.

mod close;
mod open;
mod push;
mod servers;
mod transfer;
mod watch;

use std::collections::BTreeMap;
use std::net::SocketAddr;

pub(crate) use open::OpenRequest;
pub(crate) use push::from_text;
pub(crate) use transfer::bytes_of;

use super::Module;
use crate::net::SocketId;

/// What a connect id was opened as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Tcp,
    Udp,
    TcpListener,
    UdpServer,
    /// A client of a listener.
    TcpIncoming,
}

impl Service {
    /// The service that `AT+QIOPEN` calls this.
    pub(crate) fn named(name: &str) -> Option<Service> {
        Some(match name {
            "TCP" => Service::Tcp,
            "UDP" => Service::Udp,
            "TCP LISTENER" => Service::TcpListener,
            "UDP SERVICE" => Service::UdpServer,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Service::Tcp => "TCP",
            Service::Udp => "UDP",
            Service::TcpListener => "TCP LISTENER",
            Service::UdpServer => "UDP SERVICE",
            Service::TcpIncoming => "TCP INCOMING",
        }
    }

    /// Whether it waits for others, and has no remote end.
    pub(crate) fn is_server(self) -> bool {
        matches!(self, Service::TcpListener | Service::UdpServer)
    }
}

/// How far an open has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    Resolving,
    /// Until this time.
    Connecting(u64),
    /// A client of a listener waits for `AT+QIACCEPT`.
    Waiting,
}

/// The state of a connect id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowState {
    /// The open failed; the id is occupied until `AT+QICLOSE`.
    Failed,
    Opening(Opening),
    /// Connected, or listening, or a UDP socket.
    Connected,
    /// The connection has ended, or is being closed.
    Closing,
}

/// A connect id in use.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) context: u8,
    pub(crate) service: Service,
    pub(crate) remote: SocketAddr,
    /// The local port asked for; 0 for any.
    pub(crate) local_port: u16,
    pub(crate) access_mode: u8,
    pub(crate) state: RowState,
    /// The socket, once there is one.
    pub(crate) socket: Option<SocketId>,
    /// The listener whose client it is.
    pub(crate) server: Option<u8>,
    /// How long the connect may take, in µs.
    connect_us: u64,
    /// The most clients of a listener.
    clients: u8,
    /// Bytes accepted from the host.
    pub(crate) sent: u64,
    /// Bytes given to the host.
    pub(crate) read: u64,
    /// The next data is worth a recv URC.
    armed: bool,
    /// The closed URC is due, or was sent.
    closed_urc: ClosedNote,
    /// `+++` has led back to commands from its transparent mode.
    suspended: bool,
    /// `AT+QICLOSE` was answered; the row is only still listed.
    closed_by_host: bool,
    /// `AT+QICLOSE` was answered at once, and a closed URC tells of its end, at the latest by then.
    close_until: Option<u64>,
}

impl Row {
    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.state, RowState::Opening(_))
    }

    /// The serial number of the TCP socket.
    pub(crate) fn tcp(&self) -> Option<u64> {
        match self.socket {
            Some(SocketId::Tcp(serial)) => Some(serial),
            _ => None,
        }
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

    /// The connect id of a TCP socket.
    fn id_of(&self, serial: u64) -> Option<u8> {
        let mut rows = self.rows.iter();
        rows.find(|(_, row)| row.tcp() == Some(serial))
            .map(|(id, _)| *id)
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
            row.socket = None;
        }
    }
}

impl Module {
    /// The number that `AT+QISTATE` shows for a row.
    pub(crate) fn socket_state(&self, row: &Row) -> u8 {
        match (row.state, row.service) {
            (RowState::Failed, _) => 0,
            (RowState::Opening(_), _) => 1,
            (RowState::Connected, Service::TcpListener) => 3,
            (RowState::Connected, Service::UdpServer) if self.profile.udp_service_state_3 => 3,
            (RowState::Connected, Service::Tcp) if self.profile.client_state_3 => 3,
            (RowState::Connected, _) => 2,
            (RowState::Closing, _) => 4,
        }
    }

    /// The id is free again; TCP goes on without it.
    fn release(&mut self, id: u8) {
        if let Some(socket) = self.sockets.rows.remove(&id).and_then(|row| row.socket) {
            self.net.release(self.now, socket);
        }
    }
}
