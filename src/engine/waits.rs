//! What tasks wait for. For each call that can say `WouldBlock` there is a
//! question here whether it still would; asking changes nothing. So after a
//! step those tasks are woken that can go on, and no others.

use core::{mem, net::SocketAddr, ptr, task::Waker};

use super::{Engine, dns};
use crate::{
    datagram::DATAGRAM_HEADER,
    error::AcceptError,
    slot::{Handle, Opening, Slot, Sock},
    state::SocketState,
};

/// What is asked: of the socket in this slot, for so many bytes.
type Question = fn(&Engine<'_>, usize, usize) -> bool;

/// Something to wait for. A program links the questions it asks, not all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    is_over: Question,
    pub(crate) side: Side,
    len: u16,
}

/// In which of a socket's two places the task waits: one call a direction at
/// a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Rx,
    Tx,
    /// As `Tx`; the connect is given up when the time is over.
    Open,
}

impl Wait {
    /// `recv`, `recv_from`
    pub(crate) const RECEIVE: Self =
        Self::new(Side::Rx, |engine, slot, len| engine.has_received(slot, len));
    /// `send`
    pub(crate) const SEND: Self = Self::send(1);
    /// `flushed`
    pub(crate) const FLUSH: Self =
        Self::new(Side::Tx, |engine, slot, len| engine.has_flushed(slot, len));
    /// `acked`
    pub(crate) const ACK: Self = Self::new(Side::Tx, |engine, slot, len| engine.has_ack(slot, len));
    /// `connected`
    pub(crate) const OPEN: Self =
        Self::new(Side::Open, |engine, slot, len| engine.has_opened(slot, len));
    /// `accept`, and a slot for it
    pub(crate) const ACCEPT: Self =
        Self::new(Side::Rx, |engine, slot, len| engine.has_child(slot, len));
    /// `is_closed`
    pub(crate) const CLOSE: Self =
        Self::new(Side::Tx, |engine, slot, len| engine.has_closed(slot, len));
    /// `is_decided`
    pub(crate) const NETWORK: Self = Self::new(Side::Rx, |engine, _, _| engine.is_decided());
    /// `event`
    pub(crate) const EVENT: Self = Self::new(Side::Rx, |engine, _, _| {
        engine.world.fault.is_some() || !engine.world.events.is_empty()
    });
    /// `take_reset_request`
    pub(crate) const RESET: Self = Self::new(Side::Rx, |engine, _, _| {
        engine.world.fault.is_some() || engine.world.reset_wanted
    });
    /// A slot for a new socket
    pub(crate) const SLOT: Self = Self::new(Side::Rx, |engine, _, _| {
        engine.world.free_slot().is_some() || !engine.is_closing_any()
    });
    /// `resolve`, by whoever has the turn or takes it
    pub(crate) const ANSWER: Self = Self::new(Side::Rx, |engine, _, _| {
        let dns = &engine.world.dns;
        !dns.taken || matches!(dns.state, dns::State::Idle | dns::State::Ended { .. })
    });

    const fn new(side: Side, is_over: Question) -> Self {
        let len = 1;
        Self { is_over, side, len }
    }

    /// `send_to`, of so many bytes
    pub(crate) const fn send(len: usize) -> Self {
        Self {
            // Longer ones are refused.
            len: len as u16,
            ..Self::new(Side::Tx, |engine, slot, len| engine.takes(slot, len))
        }
    }

    /// The number of the place where the task of the socket in this slot waits.
    pub(crate) fn place(self, slot: usize) -> usize {
        slot * SIDES + usize::from(self.side != Side::Rx)
    }

    /// Whether both ask the same.
    pub(crate) fn is(self, other: Self) -> bool {
        ptr::fn_addr_eq(self.is_over, other.is_over)
    }
}

/// A place for a task that waits.
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    /// Taken when it is woken.
    pub(crate) task: Option<(Waker, Wait)>,
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
pub(crate) const SIDES: usize = 2;
pub(crate) type Waiters = [Waiter; SIDES];

impl Engine<'_> {
    /// Takes the turn to resolve a name; `false` if another one has it. After
    /// a fault there are no turns: nobody would be woken for the next one.
    pub(crate) fn take_turn(&mut self) -> bool {
        !mem::replace(&mut self.world.dns.taken, true) || self.world.fault.is_some()
    }

    /// Gives it back.
    pub(crate) fn end_turn(&mut self) {
        self.world.dns.taken = false;
    }

    /// The place of this number.
    pub(crate) fn waiter(&mut self, place: usize) -> Option<&mut Waiter> {
        let slot = self.world.slots.get_mut(place / SIDES)?;
        slot.waiters.get_mut(place % SIDES)
    }

    /// Whether a call would no longer say `WouldBlock`; of the socket in this
    /// slot, if it is about one.
    pub(crate) fn is_over(&self, slot: usize, wait: Wait) -> bool {
        (wait.is_over)(self, slot, usize::from(wait.len))
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

/// The questions.
impl<'a> Engine<'a> {
    fn about(&self, slot: usize, question: impl FnOnce(&Slot<'a>, &Sock) -> bool) -> bool {
        let slot = self.world.slots.get(slot);
        slot.is_none_or(|slot| question(slot, &slot.sock))
    }

    fn has_received(&self, slot: usize, _: usize) -> bool {
        self.about(slot, |slot, sock| {
            if !slot.rx.is_empty() {
                return true;
            }
            if sock.is_datagram() {
                let open = sock.is_opening() || sock.connected && sock.id.is_some();
                return sock.failure.is_some() || !open;
            }
            let failed = sock.failure.is_some() && !sock.failure_seen;
            failed || !sock.is_opening() && (!sock.connected || sock.drained || !sock.reads())
        })
    }

    fn takes(&self, slot: usize, len: usize) -> bool {
        self.about(slot, |slot, sock| {
            let datagram = sock.is_datagram();
            let room = if datagram { len + DATAGRAM_HEADER } else { 1 };
            match sock.sendable() {
                Ok(()) => slot.tx.free() >= room,
                Err(error) => error != nb::Error::WouldBlock,
            }
        })
    }

    fn has_flushed(&self, slot: usize, _: usize) -> bool {
        self.about(slot, |slot, sock| {
            let verified = !sock.unverified || sock.state != SocketState::Established;
            sock.failure.is_some() || sock.unsent || slot.tx.is_empty() && verified
        })
    }

    fn has_ack(&self, slot: usize, len: usize) -> bool {
        self.about(slot, |_, sock| match sock.is_datagram() {
            true => self.has_flushed(slot, len),
            false => {
                let broken = sock.failure.is_some() || sock.unsent;
                broken || !sock.ack_wanted || !sock.can_be_acked()
            }
        })
    }

    fn has_opened(&self, slot: usize, _: usize) -> bool {
        self.about(slot, |_, sock| !sock.is_opening())
    }

    fn has_child(&self, slot: usize, _: usize) -> bool {
        self.about(slot, |_, sock| {
            let id = sock.id.filter(|_| sock.state == SocketState::Listen);
            if sock.failure.is_some() || !sock.is_listener() || sock.close_wanted {
                return true;
            }
            match id {
                Some(id) => self.world.incoming.waiting(id) > 0 && self.world.free_slot().is_some(),
                None => !sock.is_opening(),
            }
        })
    }

    fn has_closed(&self, slot: usize, _: usize) -> bool {
        self.about(slot, |_, sock| {
            sock.id.is_none() && matches!(sock.state, SocketState::Closed | SocketState::TimeWait)
        })
    }
}

impl Sock {
    fn is_opening(&self) -> bool {
        matches!(self.opening, Opening::Wanted | Opening::Running { .. })
    }
}
