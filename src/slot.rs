//! One entry of the socket table: two rings and what is known of the
//! connection.

use core::net::SocketAddr;

use quectel_at_commands::tcp::Service;

use crate::{
    datagram::{DATAGRAM_HEADER, Header},
    error::{ConnectError, Failure},
    ring::Ring,
    state::SocketState,
};

/// Memory for one socket. The user owns it and its two buffers; a buffer may
/// have any size above 0 (one of 0 bytes never receives, or never sends), 1500
/// bytes or more let every read and write go in one AT command.
///
/// ```
/// use quectel_sockets::Slot;
/// let (mut rx, mut tx) = ([0; 2048], [0; 1460]);
/// let mut slots = [Slot::new(&mut rx, &mut tx)];
/// ```
#[derive(Debug)]
pub struct Slot<'a> {
    pub(crate) rx: Ring<'a>,
    pub(crate) tx: Ring<'a>,
    /// Counts the sockets that lived here, so that a stale handle is known.
    pub(crate) generation: u16,
    pub(crate) sock: Sock,
    /// The tasks that wait for this socket.
    #[cfg(feature = "asynch")]
    pub(crate) waiters: crate::engine::Waiters,
}

impl<'a> Slot<'a> {
    /// A slot with a receive and a transmit buffer.
    pub fn new(rx: &'a mut [u8], tx: &'a mut [u8]) -> Self {
        Self {
            rx: Ring::new(rx),
            tx: Ring::new(tx),
            generation: 0,
            sock: Sock::default(),
            #[cfg(feature = "asynch")]
            waiters: Default::default(),
        }
    }
}

/// Names a socket of an engine. Copies stay harmless: after the socket was
/// released every use of them is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Handle {
    pub(crate) index: u8,
    pub(crate) generation: u16,
}

/// How far an open has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Opening {
    /// Nothing was asked for.
    #[default]
    Idle,
    /// Waits for its turn.
    Wanted,
    /// `AT+QIOPEN` was sent at this time.
    Running { since: u64 },
    /// Ended; the caller has not been told.
    Ended(Result<(), ConnectError>),
    /// The caller knows that it succeeded.
    Reported,
}

/// Everything about a socket that a new one starts without.
#[derive(Debug, Default)]
pub(crate) struct Sock {
    /// A handle, or work left behind by one, needs the slot.
    pub(crate) used: bool,
    /// The handle is gone; the slot is freed when the connection is.
    pub(crate) released: bool,
    pub(crate) state: SocketState,
    /// What the module is asked to open.
    pub(crate) service: Service,
    pub(crate) opening: Opening,
    /// Connect id, while the module has the socket.
    pub(crate) id: Option<u8>,
    pub(crate) remote: Option<SocketAddr>,
    /// IPv6, where that does not follow from `remote`.
    pub(crate) v6: bool,
    /// The local port that was asked for, 0 for any.
    pub(crate) bind_port: u16,
    /// It was chosen here: another one will do.
    pub(crate) any_port: bool,
    /// The local port, 0 while it is not known.
    pub(crate) local_port: u16,
    /// Connections that may wait to be accepted.
    pub(crate) backlog: u8,
    /// Minutes of silence before keep-alive probes, 0 for none.
    pub(crate) keep_alive: u8,
    /// When the first `AT+QIOPEN` of this connect was sent.
    pub(crate) first_open: Option<u64>,
    /// Was established at some time.
    pub(crate) connected: bool,
    /// Data may wait in the module.
    pub(crate) data_ready: bool,
    /// The last turn was a read.
    pub(crate) read_last: bool,
    /// `closed` was seen.
    pub(crate) peer_closed: bool,
    /// `closed` was seen and everything before it was read.
    pub(crate) drained: bool,
    /// Bytes taken by `send` that can no longer be sent.
    pub(crate) unsent: bool,
    /// The caller has been told of that, or of the failure behind it.
    pub(crate) loss_told: bool,
    pub(crate) failure: Option<Failure>,
    /// A `recv` has reported the failure.
    pub(crate) failure_seen: bool,
    /// Bytes that the module has taken since the socket was opened; wraps.
    pub(crate) sent_total: u32,
    /// Bytes that the module has handed over since then; wraps.
    pub(crate) received_total: u32,
    /// The module's count of sent bytes has not been compared with ours.
    pub(crate) unverified: bool,
    /// Somebody waits for that.
    pub(crate) flush_wanted: bool,
    /// Somebody waits for the peer to acknowledge all of them.
    pub(crate) ack_wanted: bool,
    /// The peer had acknowledged all of them when last asked.
    pub(crate) acked: bool,
    /// The connection is to be closed.
    pub(crate) close_wanted: bool,
    /// The connection is to be closed without waiting for anything.
    pub(crate) abort: bool,
    /// Until when closing waits for the peer's acknowledgement.
    pub(crate) linger_until: u64,
    /// A transient failure: nothing is tried again before.
    pub(crate) retry_at: u64,
    /// Length of the next such pause, in milliseconds.
    pub(crate) backoff: u32,
    /// Transient failures in a row.
    pub(crate) strikes: u8,
    /// When to look for a lost URC.
    pub(crate) look_at: u64,
    /// Pause before the look after that, in milliseconds.
    pub(crate) look_step: u32,
    /// The module is to be asked for the socket's state, and why.
    pub(crate) ask_state: Option<AskState>,
    /// A block in doubt: its length, until the counters tell.
    pub(crate) in_doubt: Option<u16>,
    /// When TIME_WAIT ends.
    pub(crate) time_wait_until: u64,
}

/// Why the module is asked for a socket's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskState {
    /// A send or read was answered with ERROR.
    Refused,
    /// A URC may have been lost.
    Look,
    /// Our close was answered.
    Closed,
    /// Everything before `closed` was read: is it really closed?
    Drained,
}

impl Slot<'_> {
    /// Length of what stands in front of a send's payload in the ring.
    pub(crate) const fn header_len(&self) -> usize {
        if self.sock.is_datagram() {
            DATAGRAM_HEADER
        } else {
            0
        }
    }

    /// The header of the first datagram in a ring.
    pub(crate) fn first(ring: &Ring<'_>) -> Option<Header> {
        let mut bytes = [0; DATAGRAM_HEADER];
        (ring.peek(&mut bytes) == bytes.len()).then(|| Header::decode(bytes))
    }

    /// The module has taken `len` bytes of payload.
    pub(crate) fn consume_sent(&mut self, len: u16) {
        let header = self.header_len();
        self.tx.consume(usize::from(len) + header);
        self.sock.acked = false;
    }
}

impl Sock {
    /// UDP of either kind.
    pub(crate) const fn is_datagram(&self) -> bool {
        matches!(self.service, Service::Udp | Service::UdpService)
    }

    pub(crate) const fn is_listener(&self) -> bool {
        matches!(self.service, Service::TcpListener)
    }

    /// A TCP connection, of either side's making.
    pub(crate) const fn is_stream(&self) -> bool {
        matches!(self.service, Service::Tcp)
    }

    /// Pauses what is tried again: 100 ms, doubling up to 2 s.
    pub(crate) fn back_off(&mut self, now: u64) {
        self.backoff = self.backoff.saturating_mul(2).clamp(100, 2_000);
        self.retry_at = now.saturating_add(u64::from(self.backoff));
    }

    /// Something went well: the next pause is short again.
    pub(crate) fn progress(&mut self) {
        self.backoff = 0;
        self.retry_at = 0;
        self.strikes = 0;
    }

    /// As [`progress`](Self::progress), but a module whose send buffer is
    /// full is not asked more often because data comes in.
    pub(crate) fn read_went_well(&mut self) {
        if self.strikes > 0 {
            self.progress();
        }
    }

    /// Something was heard of the socket: looks for lost URCs start over.
    pub(crate) fn watch(&mut self, now: u64, look_ms: u32) {
        self.look_step = look_ms;
        self.look_at = now.saturating_add(u64::from(look_ms));
    }

    /// The module refused a command: not again before it told the state.
    pub(crate) fn must_ask(&self) -> bool {
        self.ask_state == Some(AskState::Refused)
    }

    /// Data can still come from the module.
    pub(crate) fn reads(&self) -> bool {
        matches!(
            self.state,
            SocketState::Established | SocketState::CloseWait
        ) && !self.drained
            && self.id.is_some()
    }
}
