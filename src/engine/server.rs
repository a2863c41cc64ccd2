//! Local ports, listeners, and what they accept. None of the calls waits.

use core::net::SocketAddr;

use quectel_at_commands::{pdp::ContextType, tcp::Service};

use super::Engine;
use crate::{
    error::{AcceptError, ConnectError, Failure, OpenError},
    slot::{Handle, Opening, Slot},
    state::SocketState,
};

impl Engine<'_> {
    /// Names the local port, 0 for any. A TCP socket uses it for the
    /// `connect` or `listen` to come; a UDP socket is opened at once as a
    /// `"UDP SERVICE"`, and [`connected`](Self::connected) tells the outcome.
    ///
    /// # Errors
    /// [`ConnectError::AddressNotAvailable`] for an IP address that is
    /// neither unspecified nor the module's own, `AlreadyBound`,
    /// `AddressFamily`; for UDP also `NoNetwork`.
    pub fn bind(&mut self, handle: Handle, local: SocketAddr) -> Result<(), ConnectError> {
        let own = self.world.network.address();
        let available = self.world.is_available(local)?;
        let port = match local.port() {
            0 => self.world.any_port(),
            port => port,
        };
        let slot = self.slot(handle).ok_or(ConnectError::BadHandle)?;
        // A UDP socket whose bind failed can be bound again.
        let bound = slot.sock.bind_port != 0 && !slot.sock.is_datagram();
        if slot.sock.opening != Opening::Idle || bound || slot.sock.id.is_some() {
            return Err(ConnectError::AlreadyBound);
        }
        if !local.ip().is_unspecified() && Some(local.ip()) != own {
            return Err(ConnectError::AddressNotAvailable);
        }
        if slot.sock.is_datagram() {
            available?;
            slot.sock.service = Service::UdpService;
            slot.sock.opening = Opening::Wanted;
        }
        slot.sock.v6 = local.is_ipv6();
        slot.sock.bind_port = port;
        slot.sock.any_port = local.port() == 0;
        Ok(())
    }

    /// Starts to listen with `AT+QIOPEN` of a `"TCP LISTENER"`;
    /// [`connected`](Self::connected) tells the outcome. Up to `backlog`
    /// connections, but at least one, wait to be accepted; those beyond are
    /// closed. A socket that was not bound gets a port of its own.
    ///
    /// On a socket that listens already it sets the backlog.
    ///
    /// # Errors
    /// [`ConnectError::NotSupported`] for UDP, `AlreadyBound` for a socket
    /// that is connected, `NoNetwork`.
    pub fn listen(&mut self, handle: Handle, backlog: u8) -> Result<(), ConnectError> {
        let port = self.world.any_port();
        let open = self.world.is_open();
        let v6 = self.world.config.context_type == ContextType::V6;
        let slot = self.slot(handle).ok_or(ConnectError::BadHandle)?;
        let sock = &mut slot.sock;
        if sock.is_datagram() {
            return Err(ConnectError::NotSupported);
        }
        if sock.is_listener() && (sock.id.is_some() || sock.opening == Opening::Wanted) {
            sock.backlog = backlog;
            return Ok(());
        }
        if sock.opening != Opening::Idle || sock.id.is_some() {
            return Err(ConnectError::AlreadyBound);
        }
        open?;
        if sock.bind_port == 0 {
            (sock.bind_port, sock.any_port, sock.v6) = (port, true, v6);
        }
        sock.service = Service::TcpListener;
        sock.backlog = backlog;
        sock.remote = None;
        sock.failure = None;
        sock.failure_seen = false;
        sock.first_open = None;
        sock.opening = Opening::Wanted;
        Ok(())
    }

    /// Takes the connection that has waited longest.
    ///
    /// # Errors
    /// `WouldBlock` if there is none; [`AcceptError::NoSlot`] leaves it
    /// waiting; [`AcceptError::Open`] tells of a `listen` that has failed,
    /// once.
    pub fn accept(
        &mut self,
        now: u64,
        handle: Handle,
    ) -> nb::Result<(Handle, SocketAddr), AcceptError> {
        let sock = &mut self.slot(handle).ok_or(AcceptError::BadHandle)?.sock;
        if let Some(failure) = sock.failure {
            sock.failure_seen = true;
            return Err(AcceptError::Failed(failure).into());
        }
        if !sock.is_listener() || sock.close_wanted {
            return Err(AcceptError::NotListening.into());
        }
        let Some(listener) = sock.id.filter(|_| sock.state == SocketState::Listen) else {
            return Err(match sock.opening {
                Opening::Wanted | Opening::Running { .. } => nb::Error::WouldBlock,
                Opening::Ended(Err(error)) => {
                    sock.opening = Opening::Idle;
                    AcceptError::Open(error).into()
                }
                _ => AcceptError::NotListening.into(),
            });
        };
        let local_port = sock.local_port;
        if self.world.incoming.waiting(listener) == 0 {
            return Err(nb::Error::WouldBlock);
        }
        let child = match self.tcp_socket() {
            Ok(child) => child,
            Err(OpenError::NoSlot) => return Err(AcceptError::NoSlot.into()),
            Err(_) => return Err(AcceptError::BadHandle.into()),
        };
        let at = usize::from(child.index);
        let remote = self.world.take_child(listener, at, now);
        if let Some(sock) = self.world.sock(at) {
            sock.local_port = local_port;
        }
        // There is one, as was seen above.
        Ok((child, remote.ok_or(nb::Error::WouldBlock)?))
    }

    /// Connections that wait to be accepted.
    pub fn waiting(&mut self, handle: Handle) -> usize {
        let listener = self.slot(handle).and_then(|slot| slot.sock.id);
        listener.map_or(0, |id| self.world.incoming.waiting(id))
    }

    /// The socket's own address: the context's IP address, and the local port
    /// that was bound or that the module has told; 0 while it is not known.
    pub fn local(&mut self, handle: Handle) -> Option<SocketAddr> {
        let address = self.world.network.address()?;
        let Slot { sock, .. } = self.slot(handle)?;
        let port = match sock.local_port {
            0 => sock.bind_port,
            port => port,
        };
        Some(SocketAddr::new(address, port))
    }

    /// Minutes of silence after which a TCP connection is probed, 1 to 120; 0
    /// for never. It applies to the next `connect` or `listen` of this
    /// socket, which sets it in the module; the setting of the module is
    /// global, so what other sockets open afterwards sets its own.
    ///
    /// # Errors
    /// [`ConnectError::NotSupported`] for UDP, `KeepAlive` for a number out
    /// of range.
    pub fn set_keep_alive(&mut self, handle: Handle, minutes: u8) -> Result<(), ConnectError> {
        let sock = &mut self.slot(handle).ok_or(ConnectError::BadHandle)?.sock;
        if sock.is_datagram() {
            return Err(ConnectError::NotSupported);
        }
        if minutes > 120 {
            return Err(ConnectError::KeepAlive);
        }
        sock.keep_alive = minutes;
        Ok(())
    }
}

impl Engine<'_> {
    /// Whether the context has IPv6, or IPv4.
    pub(crate) fn has_family(&self, v6: bool) -> bool {
        match self.world.config.context_type {
            ContextType::V4 => !v6,
            ContextType::V6 => v6,
            ContextType::V4V6 => true,
        }
    }
}

impl super::World<'_> {
    /// Whether something can be opened now.
    pub(super) fn is_open(&self) -> Result<(), ConnectError> {
        if self.fault.is_some() {
            return Err(ConnectError::Failed(Failure::ModuleLost));
        }
        if !self.network.is_up() {
            return Err(ConnectError::NoNetwork);
        }
        Ok(())
    }

    /// Whether the context has this address family; inside that, whether
    /// something can be opened now.
    pub(super) fn is_available(
        &self,
        address: SocketAddr,
    ) -> Result<Result<(), ConnectError>, ConnectError> {
        let has = match self.config.context_type {
            ContextType::V4 => address.is_ipv4(),
            ContextType::V6 => address.is_ipv6(),
            ContextType::V4V6 => true,
        };
        if has {
            Ok(self.is_open())
        } else {
            Err(ConnectError::AddressFamily)
        }
    }
}
