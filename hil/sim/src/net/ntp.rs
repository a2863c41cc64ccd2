//! The time protocol: a server inside the simulator, and what the module needs of it.

use std::net::SocketAddr;

use super::datagrams::{UdpIo, UdpPeer};

/// Bytes of a message.
const LENGTH: usize = 48;
/// Seconds from 1900, where the protocol begins, to 1970.
const EPOCH: u64 = 2_208_988_800;
/// Where a message has the time of transmission.
const TRANSMIT: std::ops::Range<usize> = 40..48;
/// Version 4; from a client, and from a server.
const CLIENT: u8 = 0x23;
const SERVER: u8 = 0x24;

/// A time server.
#[derive(Debug, Clone, Copy)]
pub struct NtpServer {
    /// The time when the simulation begins, in seconds since 1970, UTC.
    pub unix_s: u64,
}

impl UdpPeer for NtpServer {
    fn received(&mut self, io: &mut UdpIo, from: SocketAddr, data: &[u8]) {
        // The last three bits are the mode: 3 is a client.
        if data.len() < LENGTH || data[0] & 7 != 3 {
            return;
        }
        let us = io.now();
        let seconds = (self.unix_s + us / 1_000_000 + EPOCH) & 0xFFFF_FFFF;
        let fraction = ((us % 1_000_000) << 32) / 1_000_000;
        let time = (seconds << 32 | fraction).to_be_bytes();
        let mut answer = [0; LENGTH];
        // Stratum 1.
        (answer[0], answer[1]) = (SERVER, 1);
        // The originate time is the client's transmit time.
        answer[24..32].copy_from_slice(&data[TRANSMIT]);
        answer[32..40].copy_from_slice(&time);
        answer[TRANSMIT].copy_from_slice(&time);
        io.send_to(from, &answer);
    }
}

/// What a client sends.
pub(crate) fn time_request() -> [u8; LENGTH] {
    let mut request = [0; LENGTH];
    request[0] = CLIENT;
    request
}

/// The time of an answer, in seconds since 1970; none if it is no answer, or has no time.
pub(crate) fn unix_seconds(answer: &[u8]) -> Option<u64> {
    let time: [u8; 8] = answer.get(TRANSMIT)?.try_into().ok()?;
    let seconds = u64::from_be_bytes(time) >> 32;
    // From 2036 on the count begins anew.
    let seconds = match seconds {
        0 => return None,
        one if one < 1 << 31 => one + (1 << 32),
        one => one,
    };
    let from_server = answer.first().is_some_and(|first| first & 7 == 4);
    from_server.then(|| seconds.checked_sub(EPOCH))?
}
