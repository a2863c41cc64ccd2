//! Name resolution: one look-up at a time, since the answer's URCs do not
//! say which name they answer.

use core::net::IpAddr;

use heapless::{String, Vec};
use quectel_at_commands::{ResultCode, TcpIpError, dns::LOOKUP_MS, text::HostName};

use super::{Engine, URC_GRACE_MS};
use crate::error::{Failure, ResolveError};

/// Addresses of one name; a module reports more only rarely.
pub type Addresses = Vec<IpAddr, 4>;

/// How long an answer that nobody collects is kept, in milliseconds.
const KEEP_MS: u64 = 60_000;
/// Pause before a look-up that the module was too busy for is tried again.
const BUSY_MS: u64 = 500;
/// How long to wait for announced addresses that do not come.
const REST_MS: u64 = 2_000;

#[derive(Debug, Default)]
pub(super) struct Dns {
    name: String<{ HostName::MAX }>,
    addresses: Addresses,
    pub(super) state: State,
    /// Some task has its turn and awaits the answer.
    #[cfg(feature = "asynch")]
    pub(super) taken: bool,
    /// A module that is busy is asked again until then.
    give_up_at: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Idle,
    /// Waits for its turn, and not before this time.
    Wanted { from: u64 },
    /// `AT+QIDNSGIP` was sent; the module answers before this time.
    Asked { until: u64 },
    /// This many addresses are still to come.
    Collecting { left: u8, until: u64 },
    /// Ended; kept until this time for the caller to collect.
    Ended {
        result: Result<(), ResolveError>,
        until: u64,
    },
}

impl Dns {
    /// Whether a look-up can start.
    pub(super) fn is_due(&self, now: u64) -> bool {
        matches!(self.state, State::Wanted { from } if now >= from)
    }

    pub(super) fn name(&self) -> Option<HostName<'_>> {
        HostName::new(&self.name).ok()
    }

    /// The command goes out.
    pub(super) fn asked(&mut self, now: u64) {
        self.give_up_at
            .get_or_insert(now.saturating_add(u64::from(LOOKUP_MS)));
        self.addresses.clear();
        self.state = State::Asked {
            until: now.saturating_add(u64::from(LOOKUP_MS) + URC_GRACE_MS),
        };
    }

    /// The command or its answer was lost.
    pub(super) fn again(&mut self, now: u64) {
        if matches!(self.state, State::Asked { .. }) {
            let from = now.saturating_add(BUSY_MS);
            self.state = State::Wanted { from };
        }
    }

    /// The module refused the command.
    pub(super) fn refused(&mut self, code: ResultCode, now: u64) {
        self.failed(
            match code {
                ResultCode::Cme(error) => TcpIpError(error.0),
                _ => TcpIpError::DNS_FAILED,
            },
            now,
        );
    }

    pub(super) fn count(&mut self, count: u8, now: u64) {
        if let State::Asked { .. } = self.state {
            if count == 0 {
                self.end(Err(ResolveError::NotFound), now);
            } else {
                let until = now.saturating_add(REST_MS);
                self.state = State::Collecting { left: count, until };
            }
        }
    }

    pub(super) fn address(&mut self, address: IpAddr, now: u64) {
        if let State::Collecting { left, until } = self.state {
            // Some resolvers answer so for names that do not exist.
            if !address.is_unspecified() {
                // Addresses beyond the fourth are not kept.
                let _ = self.addresses.push(address);
            }
            let left = left.saturating_sub(1);
            self.state = State::Collecting { left, until };
            if left == 0 {
                let found = !self.addresses.is_empty();
                self.end(found.then_some(()).ok_or(ResolveError::NotFound), now);
            }
        }
    }

    pub(super) fn failed(&mut self, error: TcpIpError, now: u64) {
        if let State::Asked { .. } = self.state {
            if error.is_busy() && self.give_up_at.is_some_and(|at| now < at) {
                let from = now.saturating_add(BUSY_MS);
                self.state = State::Wanted { from };
                return;
            }
            let error = match error {
                error if error.is_busy() => ResolveError::TimedOut,
                TcpIpError::TIMEOUT => ResolveError::TimedOut,
                TcpIpError::PDP_FAILED | TcpIpError::PDP_BROKEN => ResolveError::NoNetwork,
                _ => ResolveError::NotFound,
            };
            self.end(Err(error), now);
        }
    }

    /// Whatever runs or waits ends with this failure.
    pub(super) fn abort(&mut self, failure: Failure, now: u64) {
        if matches!(
            self.state,
            State::Wanted { .. } | State::Asked { .. } | State::Collecting { .. }
        ) {
            self.end(Err(ResolveError::Failed(failure)), now);
        }
    }

    fn end(&mut self, result: Result<(), ResolveError>, now: u64) {
        self.give_up_at = None;
        let until = now.saturating_add(KEEP_MS);
        self.state = State::Ended { result, until };
    }

    pub(super) fn expire(&mut self, now: u64) {
        if self.wake_at().is_none_or(|at| now < at) {
            return;
        }
        match self.state {
            State::Ended { .. } => self.state = State::Idle,
            State::Idle | State::Wanted { .. } => {}
            // Some addresses are better than none.
            State::Collecting { .. } if !self.addresses.is_empty() => self.end(Ok(()), now),
            _ => self.end(Err(ResolveError::TimedOut), now),
        }
    }

    pub(super) fn wake_at(&self) -> Option<u64> {
        match self.state {
            State::Idle => None,
            State::Wanted { from: until }
            | State::Asked { until }
            | State::Collecting { until, .. }
            | State::Ended { until, .. } => Some(until),
        }
    }
}

impl Engine<'_> {
    /// Looks a name up with `AT+QIDNSGIP`. Call it again with the same name
    /// until it no longer says `WouldBlock`. A second name waits for the
    /// first; an answer that is not collected is dropped after 60 s or when
    /// another name is asked for. An address in text form is its own answer.
    ///
    /// # Errors
    /// [`ResolveError`]; an unsuitable name is refused before anything is
    /// sent.
    pub fn resolve(&mut self, name: &str) -> nb::Result<Addresses, ResolveError> {
        if let Ok(address) = name.parse::<IpAddr>() {
            let mut addresses = Addresses::new();
            let _ = addresses.push(address);
            return Ok(addresses);
        }
        let host = HostName::new(name).map_err(ResolveError::InvalidName)?;
        if self.world.fault.is_some() {
            return Err(ResolveError::Failed(Failure::ModuleLost).into());
        }
        let dns = &mut self.world.dns;
        let same = dns.name == host.as_str();
        match dns.state {
            State::Ended { result, .. } if same => {
                dns.state = State::Idle;
                result?;
                return Ok(core::mem::take(&mut dns.addresses));
            }
            State::Idle | State::Ended { .. } => {
                if !self.world.network.is_up() {
                    return Err(ResolveError::NoNetwork.into());
                }
                dns.name.clear();
                // A host name is never longer than the buffer.
                let _ = dns.name.push_str(host.as_str());
                dns.state = State::Wanted { from: 0 };
            }
            _ => {}
        }
        Err(nb::Error::WouldBlock)
    }
}
