//! The radio link: what joins the module's IP stack to the network's.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::rng::Rng;

/// What the link does to packets, the same both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// One-way delay in µs.
    pub delay_us: u64,
    /// Up to this much more delay, in µs, evenly spread. The order of packets is kept.
    pub jitter_us: u64,
    /// Packets lost, in a million.
    pub loss_ppm: u32,
    /// Packets that those behind them overtake, in a million.
    pub reorder_ppm: u32,
    /// Whether everything is lost: no coverage.
    pub down: bool,
    /// Bytes a second; 0 for no limit.
    pub rate: u64,
    /// Times, in µs, at which nothing passes: a packet sent within one of them is lost.
    pub blackouts: Vec<Range<u64>>,
    /// A TCP connection on which nothing has passed for this long, in µs, is forgotten by the
    /// network's address translation: whatever either end sends on it from then on is lost. 0 for
    /// never.
    pub nat_tcp_us: u64,
    /// The same for UDP; what the module sends makes a new mapping. What was not asked for does not
    /// reach the module, unless this is 0.
    pub nat_udp_us: u64,
}

impl Default for Link {
    /// A good LTE link: 20 ms each way, nothing lost.
    fn default() -> Link {
        Link {
            delay_us: 20_000,
            jitter_us: 0,
            loss_ppm: 0,
            reorder_ppm: 0,
            down: false,
            rate: 0,
            blackouts: Vec::new(),
            nat_tcp_us: 0,
            nat_udp_us: 0,
        }
    }
}

impl Link {
    /// A link without delay.
    pub fn instant() -> Link {
        Link {
            delay_us: 0,
            ..Link::default()
        }
    }
}

/// Packets on their way in one direction; what is too much is lost, as on a link that is overrun.
const QUEUE: usize = 4_096;

/// One direction of the link, with the packets on their way.
#[derive(Debug, Default)]
pub(super) struct Way {
    free_at: u64,
    last_arrival: u64,
    sequence: u64,
    flying: BTreeMap<(u64, u64), Vec<u8>>,
}

impl Way {
    /// Sends a packet at `now`.
    pub(super) fn send(&mut self, now: u64, packet: Vec<u8>, link: &Link, rng: &mut Rng) {
        if self.flying.len() >= QUEUE {
            return;
        }
        let start = self.free_at.max(now);
        if link.rate > 0 {
            self.free_at = start + (packet.len() as u64 * 1_000_000).div_ceil(link.rate);
        } else {
            self.free_at = start;
        }
        if link.down || link.blackouts.iter().any(|b| b.contains(&now)) || rng.chance(link.loss_ppm)
        {
            return;
        }
        let arrival = self.free_at + link.delay_us + rng.up_to(link.jitter_us);
        let arrival = if rng.chance(link.reorder_ppm) {
            arrival + link.delay_us.max(1_000)
        } else {
            self.last_arrival = self.last_arrival.max(arrival);
            self.last_arrival
        };
        self.flying.insert((arrival, self.sequence), packet);
        self.sequence += 1;
    }

    /// The next packet that has arrived by `now`.
    pub(super) fn receive(&mut self, now: u64) -> Option<Vec<u8>> {
        let entry = self.flying.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// When the next packet arrives.
    pub(super) fn next(&self) -> Option<u64> {
        self.flying.first_key_value().map(|((at, _), _)| *at)
    }

    /// Loses everything on its way.
    pub(super) fn clear(&mut self) {
        self.flying.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(link: &Link, seed: u64) -> Vec<(u64, u8)> {
        let (mut way, mut rng) = (Way::default(), Rng::new(seed));
        for i in 0..200u8 {
            way.send(u64::from(i) * 10, vec![i; 100], link, &mut rng);
        }
        let mut seen = Vec::new();
        while let Some(at) = way.next() {
            if let Some(packet) = way.receive(at) {
                seen.push((at, packet[0]));
            }
        }
        seen
    }

    #[test]
    fn jitter_keeps_the_order_and_a_seed_repeats() {
        let link = Link {
            jitter_us: 5_000,
            ..Link::default()
        };
        let seen = arrivals(&link, 1);
        assert_eq!(seen.len(), 200);
        assert!(seen.is_sorted_by_key(|(_, packet)| *packet));
        assert_eq!(seen, arrivals(&link, 1));
        assert_ne!(seen, arrivals(&link, 2));
    }

    #[test]
    fn an_overrun_link_loses_what_is_too_much() {
        let (mut way, mut rng) = (Way::default(), Rng::new(0));
        let slow = Link {
            rate: 1_000,
            ..Link::default()
        };
        for i in 0..5_000u64 {
            way.send(i, i.to_be_bytes().to_vec(), &slow, &mut rng);
        }
        let all = std::iter::from_fn(|| way.receive(u64::MAX));
        let all: Vec<Vec<u8>> = all.collect();
        assert_eq!(all.len(), 4_096);
        assert_eq!(all.last(), Some(&4_095u64.to_be_bytes().to_vec()));
    }

    #[test]
    fn loss_reordering_rate_and_blackouts() {
        let lossy = Link {
            loss_ppm: 100_000,
            ..Link::default()
        };
        assert!((150..200).contains(&arrivals(&lossy, 7).len()));
        let reordering = Link {
            reorder_ppm: 100_000,
            ..Link::default()
        };
        let seen = arrivals(&reordering, 7);
        assert_eq!(seen.len(), 200);
        assert!(!seen.is_sorted_by_key(|(_, packet)| *packet));
        let slow = Link {
            rate: 100_000,
            delay_us: 0,
            ..Link::default()
        };
        assert_eq!(arrivals(&slow, 0).last(), Some(&(200_000, 199)));
        let black = Link {
            blackouts: std::iter::once(500..1_000).collect(),
            ..Link::default()
        };
        assert_eq!(arrivals(&black, 0).len(), 150);
    }
}
