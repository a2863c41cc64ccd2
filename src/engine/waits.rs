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
    /// `resolve`
    Answer,
}

/// A task that waits, in a place of its own.
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
}

impl Waiter {
    pub(crate) const fn new() -> Self {
        Self {
            waker: None,
            wait: Wait::Receive,
            limit: Limit::Never,
        }
    }

    /// Starts its time, if it has not begun; returns when it is over.
    pub(crate) fn deadline(&mut self, now: u64) -> u64 {
        if let Limit::Within(ms) = self.limit {
            self.limit = Limit::At(now.saturating_add(u64::from(ms)));
        }
        match self.limit {
            Limit::At(at) => at,
            _ => u64::MAX,
        }
    }
}

/// Places of each socket: for a task that receives and for one that sends.
const SIDES: usize = 2;
pub(crate) type Waiters = [Waiter; SIDES];

impl Wait {
    /// Where the tasks of the socket in this slot wait for it: one call a
    /// direction at a time.
    pub(crate) fn place(self, slot: usize) -> usize {
        slot * SIDES + usize::from(!matches!(self, Self::Receive | Self::Accept))
    }
}

impl Engine<'_> {
    /// The place of this number.
    pub(crate) fn waiter(&mut self, place: usize) -> Option<&mut Waiter> {
        let slot = self.world.slots.get_mut(place / SIDES)?;
        slot.waiters.get_mut(place % SIDES)
    }

    /// Whether the task in this place can go on.
    pub(crate) fn can_go_on(&self, place: usize, wait: Wait) -> bool {
        self.is_over(place / SIDES, wait)
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
