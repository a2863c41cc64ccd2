//! IP packets on the link: what is in one, and one made by hand.

use std::net::{IpAddr, SocketAddr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    Icmpv4Packet, Icmpv6Packet, IpAddress, IpProtocol, IpRepr, IpVersion, Ipv4Packet, Ipv6Packet,
    TcpPacket, UdpPacket, UdpRepr,
};

/// The largest IP packet of the link.
pub(super) const MTU: usize = 1500;

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content<'a> {
    Tcp {
        /// A SYN without an ACK.
        opening: bool,
        reset: bool,
    },
    Udp(&'a [u8]),
    /// ICMP, or anything else; the ports are 0.
    Other,
}

/// A packet taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) content: Content<'a>,
}

/// Takes a packet apart; none if it is damaged.
pub(super) fn parse(packet: &[u8]) -> Option<Seen<'_>> {
    // What follows panics without a first byte.
    packet.first()?;
    let (from, to, protocol, payload): (IpAddr, IpAddr, _, _) =
        match IpVersion::of_packet(packet).ok()? {
            IpVersion::Ipv4 => {
                let ip = Ipv4Packet::new_checked(packet).ok()?;
                let (from, to) = (ip.src_addr().into(), ip.dst_addr().into());
                (from, to, ip.next_header(), ip.payload())
            }
            IpVersion::Ipv6 => {
                let ip = Ipv6Packet::new_checked(packet).ok()?;
                let (from, to) = (ip.src_addr().into(), ip.dst_addr().into());
                (from, to, ip.next_header(), ip.payload())
            }
        };
    let (ports, content) = match protocol {
        IpProtocol::Tcp => {
            let tcp = TcpPacket::new_checked(payload).ok()?;
            let content = Content::Tcp {
                opening: tcp.syn() && !tcp.ack(),
                reset: tcp.rst(),
            };
            ((tcp.src_port(), tcp.dst_port()), content)
        }
        IpProtocol::Udp => {
            let udp = UdpPacket::new_checked(payload).ok()?;
            let (from, to) = (udp.src_port(), udp.dst_port());
            ((from, to), Content::Udp(udp.payload()))
        }
        _ => ((0, 0), Content::Other),
    };
    Some(Seen {
        from: SocketAddr::new(from, ports.0),
        to: SocketAddr::new(to, ports.1),
        content,
    })
}

/// A UDP datagram as an IP packet; none if it is too long for the link, which has no fragments, or if
/// the addresses do not fit each other.
pub(super) fn datagram(from: SocketAddr, to: SocketAddr, data: &[u8]) -> Option<Vec<u8>> {
    const HOPS: u8 = 64;
    if from.is_ipv4() != to.is_ipv4() {
        return None;
    }
    let checksums = ChecksumCapabilities::default();
    let udp = UdpRepr {
        src_port: from.port(),
        dst_port: to.port(),
    };
    let (source, destination): (IpAddress, IpAddress) = (from.ip().into(), to.ip().into());
    let length = udp.header_len() + data.len();
    let ip = IpRepr::new(source, destination, IpProtocol::Udp, length, HOPS);
    if ip.header_len() + length > MTU {
        return None;
    }
    let mut packet = vec![0; ip.header_len() + length];
    ip.emit(&mut packet, &checksums);
    let body = packet.get_mut(ip.header_len()..)?;
    udp.emit(
        &mut UdpPacket::new_unchecked(body),
        &source,
        &destination,
        data.len(),
        |payload| payload.copy_from_slice(data),
        &checksums,
    );
    Some(packet)
}

/// Fills in the checksums, which the stacks leave out.
pub(super) fn with_checksums(mut packet: Vec<u8>) -> Vec<u8> {
    let Some((from, to)) = parse(&packet).map(|seen| (seen.from.ip(), seen.to.ip())) else {
        return packet;
    };
    let (header, protocol) = if from.is_ipv4() {
        let mut ip = Ipv4Packet::new_unchecked(&mut packet);
        ip.fill_checksum();
        (usize::from(ip.header_len()), ip.next_header())
    } else {
        let ip = Ipv6Packet::new_unchecked(&packet);
        (ip.header_len(), ip.next_header())
    };
    let Some(body) = packet.get_mut(header..) else {
        return packet;
    };
    let (source, destination): (IpAddress, IpAddress) = (from.into(), to.into());
    match (protocol, from, to) {
        (IpProtocol::Tcp, ..) => {
            TcpPacket::new_unchecked(body).fill_checksum(&source, &destination);
        }
        (IpProtocol::Udp, ..) => {
            UdpPacket::new_unchecked(body).fill_checksum(&source, &destination);
        }
        (IpProtocol::Icmp, ..) if body.len() >= 8 => {
            Icmpv4Packet::new_unchecked(body).fill_checksum();
        }
        (IpProtocol::Icmpv6, IpAddr::V6(from), IpAddr::V6(to)) if body.len() >= 8 => {
            Icmpv6Packet::new_unchecked(body).fill_checksum(&from, &to);
        }
        _ => {}
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_and_back() {
        for (from, to) in [
            ("192.0.2.1:1", "10.0.0.1:65535"),
            ("[2001:db8::1]:1", "[2001:db8::2]:65535"),
        ] {
            let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
            let packet = datagram(from, to, b"hello").expect("a packet");
            let content = Content::Udp(b"hello");
            assert_eq!(parse(&packet), Some(Seen { from, to, content }));
            assert_eq!(with_checksums(packet.clone()), packet);
        }
        let (v4, v6) = ("192.0.2.1:1".parse().unwrap(), "[::1]:1".parse().unwrap());
        assert_eq!(datagram(v4, v6, b""), None);
        assert!(datagram(v4, v4, &[0; 1472]).is_some());
        assert_eq!(datagram(v4, v4, &[0; 1473]), None);
        assert!(datagram(v6, v6, &[0; 1452]).is_some());
        assert_eq!(datagram(v6, v6, &[0; 1453]), None);
        assert_eq!(parse(&[0x45; 10]), None);
        assert_eq!(parse(&[]), None);
    }
    /// Echo requests with 32 bytes, and the checksums that tcpdump wants.
    #[test]
    fn checksums_of_echo_requests() {
        let icmp = |kind: u8| [&[kind, 0, 0, 0, 0x51, 0x43, 0, 1], &[0x51; 32][..]].concat();
        let v4 = b"\x45\0\0\x3c\0\0\x40\0\x40\x01\0\0\x0a\x07\x9d\x01\xc0\0\x02\x07";
        let packet = with_checksums([&v4[..], &icmp(8)].concat());
        assert_eq!(packet[10..12], [0xd1, 0xb1]);
        assert_eq!(packet[22..24], [0x91, 0xa6]);
        let v6 = b"\x60\0\0\0\0\x28\x3a\x40\x20\x01\x0d\xb8\0\x9d\0\0\0\0\0\0\0\0\0\x01\
            \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07";
        let packet = with_checksums([&v6[..], &icmp(128)].concat());
        assert_eq!(packet[42..44], [0xbd, 0x2c]);
    }
}
