//! Local ports that are given out.

/// Ports that clients get, as on the modules seen: 49152 and up.
const FIRST: u16 = 49_152;

pub(super) struct Ports {
    next: u16,
}

impl Ports {
    pub(super) fn new(random: u64) -> Ports {
        let span = u64::from(u16::MAX - FIRST);
        Ports {
            next: FIRST + (random % span) as u16,
        }
    }

    /// A port that is not taken.
    pub(super) fn free(&mut self, taken: impl Fn(u16) -> bool) -> u16 {
        loop {
            let port = self.next;
            self.next = port.checked_add(1).unwrap_or(FIRST);
            // There are far fewer sockets than ports, so this ends.
            if !taken(port) {
                return port;
            }
        }
    }
}
