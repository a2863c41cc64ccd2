//! A client of a real name server: one question at a time, by UDP.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{ErrorKind, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, TYPE};

/// How often a question is asked, and how long its answer is waited for.
const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest answer that is taken.
const LONGEST: usize = 4_096;

/// The addresses of a name, and how long they may be kept, in seconds; none if the name is unknown,
/// or if the server does not answer. Blocks for some seconds.
pub(crate) fn look_up(server: SocketAddr, name: &str, v4: bool, v6: bool) -> (Vec<IpAddr>, u32) {
    let mut addresses = Vec::new();
    let mut ttl = u32::MAX;
    for (wanted, kind) in [(v4, TYPE::A), (v6, TYPE::AAAA)] {
        let answer = wanted.then(|| ask(server, name, kind)).flatten();
        for (address, seconds) in answer.unwrap_or_default() {
            addresses.push(address);
            ttl = ttl.min(seconds);
        }
    }
    (addresses, if ttl == u32::MAX { 0 } else { ttl })
}

fn ask(server: SocketAddr, name: &str, kind: TYPE) -> Option<Vec<(IpAddr, u32)>> {
    let id = RandomState::new().build_hasher().finish() as u16;
    let question = question(id, name, kind)?;
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(server).ok()?;
    for _ in 0..TRIES {
        socket.send(&question).ok()?;
        let until = Instant::now() + PATIENCE;
        while let Ok(Some(answer)) = receive(&socket, until) {
            if let Some(found) = parse(&answer, id, kind) {
                return Some(found);
            }
        }
    }
    None
}

/// The next datagram; none if none comes in time.
fn receive(socket: &UdpSocket, until: Instant) -> Result<Option<Vec<u8>>> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Ok(None);
    }
    socket.set_read_timeout(Some(left))?;
    let mut buffer = vec![0; LONGEST];
    match socket.recv(&mut buffer) {
        Ok(n) => {
            buffer.truncate(n);
            Ok(Some(buffer))
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn question(id: u16, name: &str, kind: TYPE) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).ok()?;
    let question = Question::new(name, kind.into(), CLASS::IN.into(), false);
    packet.questions.push(question);
    packet.build_bytes_vec().ok()
}

/// The addresses of this kind in an answer, whatever name they have: an alias leads to another one.
/// None if it is no answer to this question.
fn parse(answer: &[u8], id: u16, kind: TYPE) -> Option<Vec<(IpAddr, u32)>> {
    let packet = Packet::parse(answer).ok()?;
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    let address = |data: &RData<'_>| match (data, kind) {
        (RData::A(v4), TYPE::A) => Some(Ipv4Addr::from(v4.address).into()),
        (RData::AAAA(v6), TYPE::AAAA) => Some(Ipv6Addr::from(v6.address).into()),
        _ => None,
    };
    let answers = packet.answers.iter();
    Some(
        answers
            .filter_map(|one| Some((address(&one.rdata)?, one.ttl)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &[u8] =
        b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x04name\x04test\0\x00\x01\x00\x01";
    /// An alias, and the two addresses of it.
    const ANSWER: &[u8] =
        b"\x12\x34\x81\x80\x00\x01\x00\x03\0\0\0\0\x04name\x04test\0\x00\x01\x00\x01\
        \xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01x\xc0\x11\
        \xc0\x27\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07\
        \xc0\x27\x00\x01\x00\x01\x00\x00\x00\x0a\x00\x04\xc0\x00\x02\x08";

    #[test]
    fn a_question_as_it_is_on_the_wire() {
        assert_eq!(
            question(0x1234, "name.test", TYPE::A).as_deref(),
            Some(QUESTION)
        );
    }

    #[test]
    fn addresses_are_taken_from_answers_to_the_question_only() {
        let first: IpAddr = "192.0.2.7".parse().expect("an address");
        let second: IpAddr = "192.0.2.8".parse().expect("an address");
        assert_eq!(
            parse(ANSWER, 0x1234, TYPE::A),
            Some(vec![(first, 60), (second, 10)])
        );
        assert_eq!(parse(ANSWER, 0x1234, TYPE::AAAA), Some(Vec::new()));
        assert_eq!(parse(ANSWER, 0x1235, TYPE::A), None);
        assert_eq!(parse(QUESTION, 0x1234, TYPE::A), None);
        for n in 0..ANSWER.len() {
            let mut damaged = ANSWER.to_vec();
            damaged[n] ^= 0xFF;
            parse(&damaged, 0x1234, TYPE::A);
            parse(&ANSWER[..n], 0x1234, TYPE::A);
        }
    }
}
