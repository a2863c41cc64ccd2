//! The scripts: what is done, and what is seen of it.
//!
//! What every set of sockets shows is asserted in place, with literals; what the faces say of themselves,
//! such as a kind of failure, is noted by [`World::say`] and compared with what the PC's own sockets said.

use quectel_sockets::SocketState;

use super::{
    face::{Face, Id, Result, until},
    peer::{Connection, Datagrams, Server, nowhere},
};

/// A script, with its name.
pub(crate) type Script = (&'static str, fn(&mut World<'_>));

/// All of them, in the order in which they run.
pub(crate) const ALL: &[Script] = &[
    ("echo", echo),
    ("data_before_the_end", data_before_the_end),
    ("hostile_payload", hostile_payload),
    ("larger_than_all_buffers", larger_than_all_buffers),
    ("refused", refused),
    ("a_close_is_seen", a_close_is_seen),
    (
        "the_rest_is_sent_before_a_close",
        the_rest_is_sent_before_a_close,
    ),
    ("small_reads", small_reads),
    ("two_at_once", two_at_once),
    ("names", names),
    (
        "datagrams_keep_their_boundaries",
        datagrams_keep_their_boundaries,
    ),
    ("senders_of_datagrams", senders_of_datagrams),
    (
        "a_connected_datagram_socket_hears_one",
        a_connected_datagram_socket_hears_one,
    ),
    ("a_server", a_server),
    ("clients_in_order", clients_in_order),
    ("states_of_a_client", states_of_a_client),
    ("states_of_a_passive_close", states_of_a_passive_close),
    ("states_of_a_server", states_of_a_server),
];

/// A face, and what has been seen of it.
pub(crate) struct World<'f> {
    pub(crate) face: &'f mut dyn Face,
    pub(crate) seen: Vec<String>,
}

impl World<'_> {
    /// Notes what the face says, to be compared with what the others say.
    fn say(&mut self, what: impl std::fmt::Debug) {
        self.seen.push(format!("{what:?}"));
    }

    /// A connection, and its other end.
    #[track_caller]
    fn connected(&mut self) -> (Id, Connection) {
        let server = Server::new();
        let id = self.face.connect(server.at()).unwrap();
        (id, server.accept(self.face))
    }

    /// Everything until the end of the data.
    #[track_caller]
    fn rest(&mut self, id: Id, most: usize) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let data = self.face.recv(id, most)?;
            assert!(data.len() <= most);
            if data.is_empty() {
                return Ok(all);
            }
            all.extend(data);
        }
    }

    #[track_caller]
    fn exactly(&mut self, id: Id, n: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < n {
            let data = self.face.recv(id, n - all.len()).unwrap();
            assert!(!data.is_empty(), "the end after {} of {n} bytes", all.len());
            all.extend(data);
        }
        all
    }

    /// Waits until the connection can be in this state: on the PC it is, on a module it is among those
    /// that the reported one can stand for. Faces that do not tell their states pass, and so do sockets
    /// whose only close is their release.
    #[track_caller]
    fn expect_state(&mut self, id: Id, state: SocketState) {
        until(self.face, state.name(), |face| match face.states(id) {
            Some(states) => states.contains(&state).then_some(()),
            None => Some(()),
        });
    }
}

/// Bytes that differ from their neighbours.
fn noise(n: usize) -> Vec<u8> {
    (0..n as u32)
        .map(|i| (i.wrapping_mul(0x9E37_79B9) >> 13) as u8)
        .collect()
}

fn echo(w: &mut World<'_>) {
    let (id, mut peer) = w.connected();
    for text in ["hello", "a second time", "x"] {
        w.face.send(id, text.as_bytes()).unwrap();
        assert_eq!(peer.recv(w.face, text.len()), text.as_bytes());
        peer.send(w.face, text.as_bytes());
        assert_eq!(w.exactly(id, text.len()), text.as_bytes());
    }
    w.face.release(id);
    peer.expect_end(w.face);
}

/// The peer closes at once behind its data: all of it comes, then the end, and the end again.
fn data_before_the_end(w: &mut World<'_>) {
    let (id, mut peer) = w.connected();
    let data = noise(5_000);
    peer.send(w.face, &data);
    drop(peer);
    let rest = w.rest(id, 700);
    assert_eq!(rest, Ok(data));
    for _ in 0..2 {
        let end = w.face.recv(id, 100);
        w.say(end);
    }
    w.face.release(id);
}

/// What a module's own words look like, both ways.
fn hostile_payload(w: &mut World<'_>) {
    let (id, mut peer) = w.connected();
    let mut data = b"\r\nOK\r\n\r\n+QIURC: \"closed\",0\r\n\r\nSEND OK\r\n\r\n> \r\nERROR\r\n\0\x1a\x1b\x11\x13".to_vec();
    data.extend(b"\r\n+QIRD: 1500\r\n\r\nRDY\r\n\r\n+CME ERROR: 3\r\n+++ATH\r\r\n\r\nOK\r\n");
    data.extend(0..=255);
    w.face.send(id, &data).unwrap();
    assert_eq!(peer.recv(w.face, data.len()), data);
    peer.send(w.face, &data);
    assert_eq!(w.exactly(id, data.len()), data);
    w.face.release(id);
    peer.expect_end(w.face);
}

fn larger_than_all_buffers(w: &mut World<'_>) {
    let (id, mut peer) = w.connected();
    let data = noise(40_000);
    w.face.send(id, &data).unwrap();
    assert!(peer.recv(w.face, data.len()) == data, "the upload differs");
    peer.send(w.face, &data);
    assert!(w.exactly(id, data.len()) == data, "the download differs");
    w.face.release(id);
    peer.expect_end(w.face);
}

fn refused(w: &mut World<'_>) {
    let result = w.face.connect(nowhere());
    w.say(result.map(drop));
    // It spoils nothing.
    echo(w);
}

fn a_close_is_seen(w: &mut World<'_>) {
    let (id, mut peer) = w.connected();
    w.face.release(id);
    peer.expect_end(w.face);
}

fn the_rest_is_sent_before_a_close(w: &mut World<'_>) {
    let (id, mut peer) = w.connected();
    let data = noise(3_000);
    w.face.send(id, &data).unwrap();
    w.face.release(id);
    assert_eq!(peer.recv(w.face, data.len()), data);
    peer.expect_end(w.face);
}

fn small_reads(w: &mut World<'_>) {
    let (id, mut peer) = w.connected();
    peer.send(w.face, b"abcdefghij");
    let mut got = Vec::new();
    for most in [1, 2, 3, 4] {
        got.extend(w.exactly(id, most));
    }
    assert_eq!(got, b"abcdefghij");
    w.face.release(id);
    peer.expect_end(w.face);
}

fn two_at_once(w: &mut World<'_>) {
    let (a, mut peer_a) = w.connected();
    let (b, mut peer_b) = w.connected();
    w.face.send(a, b"to a").unwrap();
    w.face.send(b, b"to b").unwrap();
    assert_eq!(peer_b.recv(w.face, 4), b"to b");
    assert_eq!(peer_a.recv(w.face, 4), b"to a");
    peer_a.send(w.face, b"from a");
    peer_b.send(w.face, b"from b");
    assert_eq!(w.exactly(b, 6), b"from b");
    w.face.release(b);
    peer_b.expect_end(w.face);
    assert_eq!(w.exactly(a, 6), b"from a");
    w.face.release(a);
    peer_a.expect_end(w.face);
}

fn names(w: &mut World<'_>) {
    for name in ["localhost", "127.0.0.1"] {
        let address = w.face.resolve(name);
        w.say((name, address));
    }
    // RFC 2606 reserves it: it never exists.
    let nothing = w.face.resolve("nothing.invalid");
    w.say(nothing.is_err());
}

fn datagrams_keep_their_boundaries(w: &mut World<'_>) {
    let peer = Datagrams::new();
    let id = w.face.udp(None).unwrap();
    let sizes = [1, 100, 1_000];
    for n in sizes {
        w.face.send_to(id, peer.at(), &noise(n)).unwrap();
        let (data, from) = peer.recv(w.face);
        assert_eq!(data, noise(n));
        peer.send(from, &data);
        let (data, from) = w.face.recv_from(id, 1_400).unwrap();
        assert_eq!((data, from), (noise(n), Some(peer.at())));
    }
    w.face.release(id);
}

fn senders_of_datagrams(w: &mut World<'_>) {
    let peers = [Datagrams::new(), Datagrams::new()];
    let id = w.face.udp(None).unwrap();
    for peer in &peers {
        w.face.send_to(id, peer.at(), b"hello").unwrap();
        let (_, from) = peer.recv(w.face);
        peer.send(from, b"back");
        let (data, from) = w.face.recv_from(id, 100).unwrap();
        assert_eq!((&data[..], from), (&b"back"[..], Some(peer.at())));
    }
    w.face.release(id);
}

fn a_connected_datagram_socket_hears_one(w: &mut World<'_>) {
    let (peer, stranger) = (Datagrams::new(), Datagrams::new());
    let id = w.face.udp(Some(peer.at())).unwrap();
    w.face.send_to(id, peer.at(), b"hello").unwrap();
    let (data, from) = peer.recv(w.face);
    assert_eq!(data, b"hello");
    stranger.send(from, b"I am not the one");
    peer.send(from, b"I am");
    let (data, _) = w.face.recv_from(id, 100).unwrap();
    assert_eq!(data, b"I am");
    w.face.release(id);
}

/// A client of a listening socket: data both ways, and its end.
fn a_server(w: &mut World<'_>) {
    let Some(listener) = w.face.listen() else {
        return;
    };
    let (listener, at) = listener.unwrap();
    let mut client = Connection::to(at);
    let child = w.face.accept(listener).unwrap();
    client.send(w.face, b"question");
    assert_eq!(w.exactly(child, 8), b"question");
    w.face.send(child, b"answer").unwrap();
    assert_eq!(client.recv(w.face, 6), b"answer");
    drop(client);
    let end = w.face.recv(child, 10);
    w.say(end);
    w.face.release(child);
    w.face.release(listener);
}

/// Each client talks with its own connection; the listener goes on after one has left.
fn clients_in_order(w: &mut World<'_>) {
    let Some(listener) = w.face.listen() else {
        return;
    };
    let (listener, at) = listener.unwrap();
    for text in ["first", "second", "third"] {
        let mut client = Connection::to(at);
        let child = w.face.accept(listener).unwrap();
        client.send(w.face, text.as_bytes());
        assert_eq!(w.exactly(child, text.len()), text.as_bytes());
        w.face.release(child);
        client.expect_end(w.face);
    }
    w.face.release(listener);
}

/// The peer keeps its half open, then closes it.
fn states_of_a_client(w: &mut World<'_>) {
    let (id, mut peer) = w.connected();
    w.expect_state(id, SocketState::Established);
    w.face.close(id);
    peer.expect_end(w.face);
    w.expect_state(id, SocketState::FinWait2);
    drop(peer);
    w.expect_state(id, SocketState::TimeWait);
    w.face.release(id);
}

fn states_of_a_passive_close(w: &mut World<'_>) {
    let (id, peer) = w.connected();
    drop(peer);
    w.expect_state(id, SocketState::CloseWait);
    let end = w.face.recv(id, 10);
    w.say(end);
    w.face.close(id);
    w.expect_state(id, SocketState::Closed);
    w.face.release(id);
}

fn states_of_a_server(w: &mut World<'_>) {
    let Some(listener) = w.face.listen() else {
        return;
    };
    let (listener, at) = listener.unwrap();
    w.expect_state(listener, SocketState::Listen);
    let client = Connection::to(at);
    let child = w.face.accept(listener).unwrap();
    w.expect_state(child, SocketState::Established);
    drop(client);
    w.expect_state(child, SocketState::CloseWait);
    w.face.release(child);
    w.face.release(listener);
}
