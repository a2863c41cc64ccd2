//! Connections that a listener of the module has accepted and the
//! application has not: they hold a connect id, but no slot and no ring.

use core::net::SocketAddr;

use quectel_at_commands::tcp::{ModuleState, RowType, Service, SocketRow};

use super::{Event, World};
use crate::{family::Family, slot::Opening, state::SocketState};

/// By connect id.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    children: [Option<Child>; Family::MAX_SOCKETS],
    clock: u32,
}

/// A connection that waits to be accepted.
#[derive(Debug, Clone, Copy)]
struct Child {
    /// Connect id of the listener.
    listener: u8,
    remote: SocketAddr,
    /// When it came, in steps of `clock`.
    since: u32,
    /// The peer has closed it already.
    closed: bool,
}

impl Incoming {
    pub(super) fn holds(&self, id: u8) -> bool {
        matches!(self.children.get(usize::from(id)), Some(Some(_)))
    }

    fn push(&mut self, id: u8, listener: u8, remote: SocketAddr) {
        self.clock = self.clock.wrapping_add(1);
        if let Some(place) = self.children.get_mut(usize::from(id)) {
            *place = Some(Child {
                listener,
                remote,
                since: self.clock,
                closed: false,
            });
        }
    }

    /// Returns whether it was held.
    pub(super) fn remove(&mut self, id: u8) -> bool {
        let child = self.children.get_mut(usize::from(id));
        child.is_some_and(|child| child.take().is_some())
    }

    pub(super) fn clear(&mut self) {
        self.children = Default::default();
    }

    fn of(&self, listener: u8) -> impl Iterator<Item = (u8, Child)> {
        let children = (0..).zip(self.children);
        let children = children.filter_map(|(id, child)| Some((id, child?)));
        children.filter(move |(_, child)| child.listener == listener)
    }

    /// How many wait for this listener.
    pub(super) fn waiting(&self, listener: u8) -> usize {
        self.of(listener).count()
    }

    fn oldest(&self, listener: u8) -> Option<(u8, Child)> {
        self.of(listener).min_by_key(|(_, child)| child.since)
    }
}

impl World<'_> {
    /// `+QIURC: "incoming"`: the listener has accepted a connection.
    pub(super) fn child_arrived(&mut self, id: u8, listener: u8, remote: SocketAddr) {
        if self.incoming.holds(id) || id >= self.config.family.sockets {
            return;
        }
        if let Some(slot) = self.by_id(id)
            && let Some(sock) = self.sock(slot)
        {
            if !matches!(sock.opening, Opening::Running { .. }) {
                // A connect id that is in use: the module may have restarted
                // unnoticed.
                return self.suspect();
            }
            // The module has given away the id that an open asks for: that
            // open will be answered with 563. Again, under another id.
            sock.opening = Opening::Wanted;
            sock.state = SocketState::Closed;
            sock.id = None;
        }
        let backlog = self.by_id(listener).and_then(|slot| {
            let sock = &self.slots.get(slot)?.sock;
            let listens = sock.service == Service::TcpListener && !sock.close_wanted;
            listens.then_some(usize::from(sock.backlog).max(1))
        });
        if backlog.is_some_and(|most| self.incoming.waiting(listener) < most) {
            self.ids.take(id);
            self.incoming.push(id, listener, remote);
        } else {
            // Nobody will accept it.
            self.ids.discard(id);
        }
    }

    /// A row of `AT+QISTATE?`: its URC may have been lost.
    pub(super) fn child_listed(&mut self, row: SocketRow) {
        if row.kind == RowType::Incoming
            && row.state == ModuleState::Connected
            && self.by_id(row.id).is_none()
            && self.ids.is_free(row.id)
            && let (Some(listener), Some(ip)) = (row.server, row.address)
            && self.by_id(listener).is_some()
        {
            let remote = SocketAddr::new(ip, row.remote_port);
            self.child_arrived(row.id, listener, remote);
        }
    }

    /// `+QIURC: "closed"` of a connection that was not accepted yet.
    pub(super) fn child_closed(&mut self, id: u8) {
        if let Some(Some(child)) = self.incoming.children.get_mut(usize::from(id)) {
            child.closed = true;
        }
    }

    /// A listener is gone, and with it what nobody has accepted.
    pub(super) fn drop_children(&mut self, listener: u8) {
        while let Some((id, _)) = self.incoming.oldest(listener) {
            self.incoming.remove(id);
            self.ids.discard(id);
        }
    }

    /// The next connection of this listener moves into a slot.
    pub(super) fn take_child(&mut self, listener: u8, slot: usize, now: u64) -> Option<SocketAddr> {
        let (id, child) = self.incoming.oldest(listener)?;
        self.incoming.remove(id);
        let look_ms = self.config.look_ms;
        let sock = self.sock(slot)?;
        sock.id = Some(id);
        sock.remote = Some(child.remote);
        sock.opening = Opening::Reported;
        sock.connected = true;
        sock.peer_closed = child.closed;
        sock.state = if child.closed {
            SocketState::CloseWait
        } else {
            SocketState::Established
        };
        // Its `recv` may have come before.
        sock.data_ready = true;
        sock.watch(now, look_ms);
        Some(child.remote)
    }

    /// `+QIURC: "incoming full"`
    pub(super) fn incoming_full(&mut self) {
        self.tell(Event::IncomingFull);
    }
}
