//! What tasks wait for. For each call that can say `WouldBlock` there is a
//! question here whether it still would; asking changes nothing. So after a
//! step those tasks are woken that can go on, and no others.

use core::{net::SocketAddr, task::Waker};

use super::{Engine, World, dns};
use crate::{
    datagram::DATAGRAM_HEADER,
    error::AcceptError,
    slot::{Handle, Opening, Slot},
    state::SocketState,
};

/// Something to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Wait {
    /// `recv`, `recv_from`
    #[default]
    Receive,
    /// `send` and `send_to`, of so many bytes
    Send(usize),
    /// `flushed`
    Flush,
    /// `acked`
    Ack,
    /// `connected`
    Open,
    /// `accept`, and a slot for it
    Accept,
    /// `is_closed`
    Close,
    /// Of the module: `is_decided`
    Network,
    /// `event`
    Event,
    /// `take_reset_request`
    Reset,
    /// A slot for a new socket
    Slot,
    /// Its turn to resolve a name: the caller's own business
    Turn,
    /// `resolve`
    Answer,
}

/// Which of a socket's two waiting places: one call a direction at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Rx,
    Tx,
}

/// A task that waits.
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    /// Taken when it is woken.
    pub(crate) waker: Option<Waker>,
    pub(crate) wait: Wait,
    pub(crate) limit: Limit,
}

/// How long a task waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Limit {
    #[default]
    Never,
    /// Milliseconds from the next step on, the first that knows the time.
    Within(u32),
    At(u64),
    /// The time is over.
    Over,
}

/// Who waits for a socket: to receive, to send. A third place is for a task
/// that waits for the module.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    rx: Waiter,
    tx: Waiter,
    pub(crate) module: Option<(Waker, Wait)>,
}

impl Waiters {
    pub(crate) fn side(&mut self, side: Side) -> &mut Waiter {
        match side {
            Side::Rx => &mut self.rx,
            Side::Tx => &mut self.tx,
        }
    }
}

impl Engine<'_> {
    /// How many slots there are.
    pub(crate) fn slots(&self) -> usize {
        self.world.slots.len()
    }

    /// The waiting places of the socket at this index.
    pub(crate) fn waiters(&mut self, index: usize) -> Option<&mut Waiters> {
        Some(&mut self.world.slots.get_mut(index)?.waiters)
    }

    /// The task that waits here, if it can go on. Starts its time, too, and
    /// ends it.
    pub(crate) fn take_ready(&mut self, index: usize, side: Side, now: u64) -> Option<Waker> {
        let wait = self.waiters(index)?.side(side).wait;
        let ready = self.is_over(index, wait);
        let waiter = self.waiters(index)?.side(side);
        match waiter.limit {
            Limit::Within(ms) => waiter.limit = Limit::At(now.saturating_add(u64::from(ms))),
            Limit::At(at) if now >= at => waiter.limit = Limit::Over,
            _ => {}
        }
        waiter
            .waker
            .take_if(|_| ready || waiter.limit == Limit::Over)
    }

    /// When the first task's time is over; `u64::MAX` if none has one.
    pub(crate) fn first_limit(&self) -> u64 {
        let mut first = u64::MAX;
        for slot in self.world.slots.iter() {
            for waiter in [&slot.waiters.rx, &slot.waiters.tx] {
                if let Limit::At(at) = waiter.limit {
                    first = first.min(at);
                }
            }
        }
        first
    }

    /// Whether what the module is waited for has come, or never will.
    pub(crate) fn has_come(&self, wait: Wait) -> bool {
        let world = &self.world;
        let fault = world.fault.is_some();
        match wait {
            Wait::Event => fault || !world.events.is_empty(),
            Wait::Reset => fault || world.reset_wanted,
            Wait::Slot => world.free_slot().is_some() || !self.is_closing_any(),
            Wait::Answer => matches!(world.dns.state, dns::State::Idle | dns::State::Ended { .. }),
            _ => self.is_decided(),
        }
    }

    /// Whether the call would no longer say `WouldBlock`.
    pub(crate) fn is_over(&self, index: usize, wait: Wait) -> bool {
        let Some(slot) = self.world.slots.get(index) else {
            return true;
        };
        let sock = &slot.sock;
        let opening = matches!(sock.opening, Opening::Wanted | Opening::Running { .. });
        let broken = sock.failure.is_some() || sock.unsent;
        let verified = !sock.unverified || sock.state != SocketState::Established;
        match wait {
            Wait::Receive => slot.has_received(opening),
            Wait::Send(len) => slot.takes(len),
            Wait::Flush => broken || slot.tx.is_empty() && verified,
            Wait::Ack if sock.is_datagram() => broken || slot.tx.is_empty() && verified,
            Wait::Ack => broken || !sock.ack_wanted || !sock.can_be_acked(),
            Wait::Open => !opening,
            Wait::Accept => self.world.accepts(slot, opening),
            Wait::Close => {
                sock.id.is_none()
                    && matches!(sock.state, SocketState::Closed | SocketState::TimeWait)
            }
            other => self.has_come(other),
        }
    }

    /// Whether this call of the handle would not say `WouldBlock`.
    pub(crate) fn is_ready(&mut self, handle: Handle, wait: Wait) -> bool {
        self.slot(handle).is_none() || self.is_over(usize::from(handle.index), wait)
    }

    /// As [`accept`](Self::accept), but waits for a slot, too.
    pub(crate) fn accept_waiting(
        &mut self,
        now: u64,
        handle: Handle,
    ) -> nb::Result<(Handle, SocketAddr), AcceptError> {
        match self.accept(now, handle) {
            Err(nb::Error::Other(AcceptError::NoSlot)) => Err(nb::Error::WouldBlock),
            other => other,
        }
    }
}

impl World<'_> {
    fn accepts(&self, listener: &Slot<'_>, opening: bool) -> bool {
        let sock = &listener.sock;
        let id = sock.id.filter(|_| sock.state == SocketState::Listen);
        if sock.failure.is_some() || !sock.is_listener() || sock.close_wanted {
            return true;
        }
        match id {
            Some(id) => self.incoming.waiting(id) > 0 && self.free_slot().is_some(),
            None => !opening,
        }
    }
}

impl Slot<'_> {
    fn has_received(&self, opening: bool) -> bool {
        let sock = &self.sock;
        if !self.rx.is_empty() {
            return true;
        }
        if sock.is_datagram() {
            let open = opening || sock.connected && sock.id.is_some();
            return sock.failure.is_some() || !open;
        }
        let failed = sock.failure.is_some() && !sock.failure_seen;
        failed || !opening && (!sock.connected || sock.drained || !sock.reads())
    }

    fn takes(&self, len: usize) -> bool {
        let datagram = self.sock.is_datagram();
        let room = if datagram { len + DATAGRAM_HEADER } else { 1 };
        match self.sock.sendable() {
            Ok(()) => self.tx.free() >= room,
            Err(error) => error != nb::Error::WouldBlock,
        }
    }
}
