//! How datagrams stand in a ring: a header of fixed length, then the data.

use core::net::{Ipv6Addr, SocketAddr};

/// Bytes of a ring that a datagram takes besides its data.
pub const DATAGRAM_HEADER: usize = 22;

/// What is known of a datagram besides its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes that stand in the ring.
    pub(crate) stored: u16,
    /// Bytes that the datagram had.
    pub(crate) whole: u16,
    /// The other side, where the datagram names it.
    pub(crate) address: Option<SocketAddr>,
}

impl Header {
    pub(crate) fn encode(self) -> [u8; DATAGRAM_HEADER] {
        let (ip, port) = match self.address {
            Some(SocketAddr::V4(v4)) => (v4.ip().to_ipv6_mapped(), v4.port()),
            Some(SocketAddr::V6(v6)) => (*v6.ip(), v6.port()),
            None => (Ipv6Addr::UNSPECIFIED, 0),
        };
        let mut bytes = [0; DATAGRAM_HEADER];
        let fields = self.stored.to_be_bytes().into_iter();
        let fields = fields.chain(self.whole.to_be_bytes());
        let fields = fields.chain(ip.octets()).chain(port.to_be_bytes());
        for (place, byte) in bytes.iter_mut().zip(fields) {
            *place = byte;
        }
        bytes
    }

    pub(crate) fn decode(bytes: [u8; DATAGRAM_HEADER]) -> Self {
        let [s0, s1, w0, w1, ip @ .., p0, p1] = bytes;
        let port = u16::from_be_bytes([p0, p1]);
        let ip = Ipv6Addr::from(ip).to_canonical();
        Self {
            stored: u16::from_be_bytes([s0, s1]),
            whole: u16::from_be_bytes([w0, w1]),
            // A sender need not have a port, but it has an address.
            address: (port != 0 || !ip.is_unspecified()).then_some(SocketAddr::new(ip, port)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded() {
        for address in [
            None,
            Some("192.0.2.7:7"),
            Some("[2001:db8::7]:65535"),
            Some("255.255.255.255:1"),
            Some("192.0.2.7:0"),
        ] {
            let header = Header {
                stored: 1_459,
                whole: 1_460,
                address: address.map(|text| text.parse().unwrap()),
            };
            assert_eq!(Header::decode(header.encode()), header);
        }
    }
}
