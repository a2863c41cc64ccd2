//! A small MQTT 5 broker on a real listening socket of this PC: sessions,
//! topic filters without wildcards, quality of service 0 and 1. Enough for a
//! client that comes back; for anything else take a real broker.

use std::{
    collections::BTreeMap,
    io::{self, Error, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// Longest packet that is taken.
const PACKET_MAX: usize = 64 * 1024;

/// What the broker knows of a client, connected or not.
#[derive(Default)]
struct Session {
    stream: Option<TcpStream>,
    filters: Vec<String>,
    next: u16,
    /// What it has not acknowledged, by packet identifier.
    unacked: BTreeMap<u16, Vec<u8>>,
}

type Sessions = Arc<Mutex<BTreeMap<String, Session>>>;

/// Starts a broker on a free port of 127.0.0.1, until the program ends.
pub fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let sessions = Sessions::default();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sessions = sessions.clone();
            // A client that goes away ends its own thread only.
            thread::spawn(move || drop(serve(stream, &sessions)));
        }
    });
    Ok(address)
}

fn serve(mut stream: TcpStream, sessions: &Sessions) -> io::Result<()> {
    let (kind, connect) = packet(&mut stream)?;
    let name = client(kind, &connect)?;
    let clean = connect[7] & 0x02 != 0;
    {
        let mut all = lock(sessions);
        let known = !clean && all.contains_key(&name);
        if clean {
            all.remove(&name);
        }
        let session = all.entry(name.clone()).or_default();
        let old = session.stream.replace(stream.try_clone()?);
        // Whoever comes under the same name takes over.
        old.map(|old| old.shutdown(std::net::Shutdown::Both));
        send(&mut stream, 0x20, &[u8::from(known), 0, 0])?;
        for (id, rest) in &session.unacked {
            send(&mut stream, 0x3A, &publication(rest, *id))?;
        }
    }
    loop {
        let (kind, body) = packet(&mut stream)?;
        let mut all = lock(sessions);
        match kind >> 4 {
            3 => {
                let (topic, at) = text(&body, 0)?;
                let acknowledged = kind & 0x06 != 0;
                let after = if acknowledged { at + 2 } else { at };
                let message = without_properties(&body, after)?;
                for session in all.values_mut() {
                    if session.filters.contains(&topic) {
                        session.publish(&topic, message);
                    }
                }
                if acknowledged {
                    send(&mut stream, 0x40, part(&body, at, 2)?)?;
                }
            }
            4 => {
                let id = part(&body, 0, 2)?;
                let id = u16::from_be_bytes([id[0], id[1]]);
                if let Some(session) = all.get_mut(&name) {
                    session.unacked.remove(&id);
                }
            }
            8 => {
                let filters = without_properties(&body, 2)?;
                let (filter, _) = text(filters, 0)?;
                all.entry(name.clone()).or_default().filters.push(filter);
                send(&mut stream, 0x90, &[body[0], body[1], 0, 1])?;
            }
            12 => send(&mut stream, 0xD0, &[])?,
            14 => return Ok(()),
            _ => return Err(Error::other("a packet that is not known")),
        }
    }
}

impl Session {
    /// Sends it now, if the client is there, and again when it comes back.
    fn publish(&mut self, topic: &str, message: &[u8]) {
        let mut rest = prefixed(topic.as_bytes());
        // Its place is behind the packet identifier.
        rest.extend(message);
        self.next = self.next.checked_add(1).unwrap_or(1);
        if let Some(stream) = &mut self.stream {
            // A client that went away gets it when it comes back.
            let _ = send(stream, 0x32, &publication(&rest, self.next));
        }
        self.unacked.insert(self.next, rest);
    }
}

/// Topic, packet identifier, no properties, message.
fn publication(rest: &[u8], id: u16) -> Vec<u8> {
    let topic = 2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]));
    let id = id.to_be_bytes();
    [&rest[..topic], &id, &[0], &rest[topic..]].concat()
}

/// The client's name, from its CONNECT.
fn client(kind: u8, connect: &[u8]) -> io::Result<String> {
    let version_5 = connect.starts_with(&[0, 4, b'M', b'Q', b'T', b'T', 5]);
    if kind != 0x10 || !version_5 || connect.len() < 10 {
        return Err(Error::other("no CONNECT of MQTT 5"));
    }
    Ok(text(without_properties(connect, 10)?, 0)?.0)
}

/// One packet: its first byte and what follows its length.
fn packet(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let kind = byte[0];
    let (mut length, mut shift) = (0, 0);
    loop {
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7F) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
        if shift > 21 {
            return Err(Error::other("a length that never ends"));
        }
    }
    if length > PACKET_MAX {
        return Err(Error::other("a packet that is too long"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((kind, body))
}

fn send(stream: &mut TcpStream, kind: u8, body: &[u8]) -> io::Result<()> {
    let mut bytes = vec![kind];
    let mut length = body.len();
    while length > 0x7F {
        bytes.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(body);
    stream.write_all(&bytes)
}

fn part(bytes: &[u8], at: usize, len: usize) -> io::Result<&[u8]> {
    let part = bytes.get(at..).and_then(|rest| rest.get(..len));
    part.ok_or_else(|| Error::other("a packet that is too short"))
}

/// A text with its length in front, and where it ends.
fn text(bytes: &[u8], at: usize) -> io::Result<(String, usize)> {
    let length = part(bytes, at, 2)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    let text = String::from_utf8_lossy(part(bytes, at + 2, length)?);
    Ok((text.into_owned(), at + 2 + length))
}

/// What follows the properties at `at`; more than 127 bytes of them are not
/// taken.
fn without_properties(bytes: &[u8], at: usize) -> io::Result<&[u8]> {
    let length = usize::from(part(bytes, at, 1)?[0]);
    part(bytes, at + 1, length)?;
    Ok(&bytes[at + 1 + length..])
}

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

fn lock(sessions: &Sessions) -> std::sync::MutexGuard<'_, BTreeMap<String, Session>> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}
