//! Packets in a file that Wireshark, tshark and tcpdump read: the classic pcap format.

use std::io::{Error, Result, Write};

/// Times in µs, in the byte order of what is written here.
const MAGIC: u32 = 0xA1B2_C3D4;
const VERSION: [u16; 2] = [2, 4];
/// The longest packet.
const SNAP_LENGTH: u32 = 65_535;
/// Packets begin with the IP header.
const LINKTYPE_RAW: u32 = 101;

pub(super) struct Capture {
    out: Box<dyn Write + Send>,
    failure: Option<Error>,
}

impl Capture {
    pub(super) fn new(mut out: Box<dyn Write + Send>) -> Result<Capture> {
        let mut head = MAGIC.to_le_bytes().to_vec();
        head.extend(VERSION.iter().flat_map(|part| part.to_le_bytes()));
        // The time zone and the accuracy of times, which nobody uses.
        for word in [0, 0, SNAP_LENGTH, LINKTYPE_RAW] {
            head.extend(word.to_le_bytes());
        }
        out.write_all(&head)?;
        Ok(Capture { out, failure: None })
    }

    /// Writes a packet that passed at `now`, in µs. After a failure nothing more is written.
    pub(super) fn packet(&mut self, now: u64, packet: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        let length = packet.len() as u32;
        let mut record = Vec::with_capacity(16 + packet.len());
        for word in [
            (now / 1_000_000) as u32,
            (now % 1_000_000) as u32,
            length,
            length,
        ] {
            record.extend(word.to_le_bytes());
        }
        record.extend(packet);
        self.failure = self.out.write_all(&record).err();
    }

    /// What went wrong, and ended the capture.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // Who wants to know of a failure has asked before.
        let _ = self.out.flush();
    }
}
