//! The network's address translation, as far as a module notices it: mappings that are not used are
//! forgotten, and what belongs to a forgotten one is lost without a word.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::link::Link;
use super::packet::{Content, Seen};

/// Mappings at a time; the one idle longest makes room.
const MOST: usize = 4_096;

/// A mapping: TCP or not, the module's end, the other end.
type Mapping = (bool, SocketAddr, SocketAddr);

/// The mappings, and when each was used last.
#[derive(Debug, Default)]
pub(super) struct Nat {
    mappings: BTreeMap<Mapping, u64>,
}

fn limit(link: &Link, tcp: bool) -> u64 {
    if tcp {
        link.nat_tcp_us
    } else {
        link.nat_udp_us
    }
}

impl Nat {
    /// Whether a packet from the module passes. One that begins something makes a mapping.
    pub(super) fn outward(&mut self, now: u64, seen: &Seen<'_>, link: &Link) -> bool {
        let (tcp, begins) = match seen.content {
            Content::Tcp { opening, .. } => (true, opening),
            Content::Udp(_) => (false, true),
            Content::Other => return true,
        };
        let mapping = (tcp, seen.from, seen.to);
        let passes = limit(link, tcp) == 0 || begins || self.lives(now, mapping, link);
        if passes {
            self.note(now, mapping);
        }
        passes
    }

    /// Whether a packet to the module passes. A connection that is opened from outside does: it is
    /// taken to be meant to.
    pub(super) fn inward(&mut self, now: u64, seen: &Seen<'_>, link: &Link) -> bool {
        let (tcp, begins) = match seen.content {
            Content::Tcp { opening, .. } => (true, opening),
            Content::Udp(_) => (false, false),
            Content::Other => return true,
        };
        let mapping = (tcp, seen.to, seen.from);
        let passes = limit(link, tcp) == 0 || begins || self.lives(now, mapping, link);
        if passes {
            self.note(now, mapping);
        }
        passes
    }

    fn lives(&self, now: u64, mapping: Mapping, link: &Link) -> bool {
        let used = self.mappings.get(&mapping);
        used.is_some_and(|at| now.saturating_sub(*at) < limit(link, mapping.0))
    }

    fn note(&mut self, now: u64, mapping: Mapping) {
        self.mappings.insert(mapping, now);
        if self.mappings.len() > MOST {
            let oldest = self.mappings.iter().min_by_key(|(_, at)| **at);
            if let Some(mapping) = oldest.map(|(mapping, _)| *mapping) {
                self.mappings.remove(&mapping);
            }
        }
    }
}
