//! Many sockets: 12 at once of every kind, and thousands one after another.
//!
//! `QUECTEL_SEED=<n>` runs one interleaving again.

mod support;

use std::net::SocketAddr;

use quectel_sim::{Config, Echo, Link};
use quectel_sockets::{
    RecvError, SendError,
    socket::{AF_INET, Error, Protocol, SOCK_DGRAM, Socket},
};
use support::sim::{SimPort, noise, on_stack, tcp};

const ECHO: &str = "192.0.2.7:7";
/// Bytes each way, over all sockets.
const TOTAL: usize = 1 << 20;
const STREAMS: usize = 7;
const CHILDREN: usize = 2;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn port(baud: u32, seed: u64) -> SimPort {
    let port = SimPort::new(Config {
        baud,
        seed,
        ..Config::default()
    });
    port.sim.borrow_mut().serve(address(ECHO), || Echo);
    port.sim.borrow_mut().serve_udp(address(ECHO), Echo);
    port
}

/// A socket whose bytes come back: what was sent, what came back.
struct Stream<'s, 'a> {
    socket: Socket<'s, 'a, SimPort>,
    data: Vec<u8>,
    sent: usize,
    received: usize,
}

impl<'s, 'a> Stream<'s, 'a> {
    fn new(mut socket: Socket<'s, 'a, SimPort>, seed: u64, len: usize) -> Self {
        socket.setblocking(false);
        Self {
            socket,
            data: noise(len, seed),
            sent: 0,
            received: 0,
        }
    }

    /// Sends up to `n` bytes, or receives; what comes must be what was sent.
    fn act(&mut self, send: bool, n: usize) {
        if send {
            let end = (self.sent + n).min(self.data.len());
            match self.socket.send(&self.data[self.sent..end]) {
                Ok(n) => self.sent += n,
                Err(Error::WouldBlock) => {}
                Err(error) => panic!("{error} after {} bytes", self.sent),
            }
        } else {
            let mut buffer = vec![0; n];
            match self.socket.recv(&mut buffer) {
                Ok(0) if self.received < self.data.len() => panic!("the data ended"),
                Ok(n) => {
                    let expected = &self.data[self.received..self.received + n];
                    assert!(buffer[..n] == *expected, "somebody else's bytes");
                    self.received += n;
                }
                Err(Error::WouldBlock) => {}
                Err(error) => panic!("{error} after {} bytes", self.received),
            }
        }
    }

    fn done(&self) -> bool {
        self.received == self.data.len()
    }
}

/// xorshift
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % n
    }
}

/// 7 TCP clients, a listener with 2 accepted connections, 2 UDP sockets: 12
/// connect ids, 1 MiB in total each way.
fn mixed(seed: u64) {
    println!("QUECTEL_SEED={seed}");
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let port = port(3_000_000, seed);
    on_stack(&port, 12, |stack| {
        let len = TOTAL / (STREAMS + CHILDREN + 1);
        let mut listener = tcp(stack);
        listener.bind(("", 8080)).unwrap();
        listener.listen(2).unwrap();
        let mut streams = Vec::new();
        for at in 0..STREAMS {
            let mut socket = tcp(stack);
            socket.connect(address(ECHO)).unwrap();
            streams.push(Stream::new(socket, seed + at as u64, len));
        }
        for at in 0..CHILDREN {
            let from = SocketAddr::from(([198, 51, 100, 7], 5_000 + at as u16));
            assert!(port.sim.borrow_mut().dial(from, 8080, Echo));
            let (socket, address) = listener.accept().unwrap();
            assert_eq!(address, from);
            streams.push(Stream::new(socket, seed + 100 + at as u64, len));
        }
        // Two UDP sockets, one bound and one connected. Nothing is lost here:
        // one datagram at a time.
        let mut datagrams = [0, 1].map(|_| {
            stack
                .socket(AF_INET, SOCK_DGRAM, Protocol::DEFAULT)
                .unwrap()
        });
        datagrams[0].bind(("", 5683)).unwrap();
        datagrams[1].connect(address(ECHO)).unwrap();
        let mut waiting = [None, None];
        let mut left = [len / 2, len / 2];
        for socket in &mut datagrams {
            socket.setblocking(false);
        }
        let done = |streams: &[Stream<'_, '_>], left: &[usize; 2]| {
            streams.iter().all(Stream::done) && *left == [0; 2]
        };
        let limit = port.ms() + 300_000;
        while !done(&streams, &left) {
            assert!(port.ms() < limit, "it does not come to an end");
            for _ in 0..random.below(30) {
                let at = random.below(streams.len() + 2);
                let (send, n) = (random.below(2) == 0, 1 + random.below(2_000));
                if let Some(stream) = streams.get_mut(at) {
                    stream.act(send, n);
                    continue;
                }
                let at = at - streams.len();
                let socket = &mut datagrams[at];
                match &waiting[at] {
                    None if left[at] > 0 => {
                        let data = noise(n.min(1_400).min(left[at]), random.0);
                        match socket.sendto(&data, address(ECHO)) {
                            Ok(_) => waiting[at] = Some(data),
                            Err(Error::WouldBlock) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                    None => {}
                    Some(expected) => {
                        let mut buffer = [0; 1_500];
                        match socket.recvfrom(&mut buffer) {
                            Ok((n, from)) => {
                                assert_eq!(from, address(ECHO));
                                assert!(buffer[..n] == **expected, "another datagram");
                                left[at] -= n;
                                waiting[at] = None;
                            }
                            Err(Error::WouldBlock) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            }
            stack
                .poll_until(1 + random.below(20) as u64, || false)
                .unwrap();
        }
        // The listener stood through all of it.
        assert_eq!(listener.getsocketsta(), 1);
    });
}

#[test]
fn twelve_sockets_of_every_kind() {
    if let Ok(seed) = std::env::var("QUECTEL_SEED") {
        return mixed(seed.parse().expect("a number"));
    }
    for seed in 1..=4 {
        mixed(seed);
    }
}

/// Ids, slots, handles and ring bytes all come back.
#[test]
fn ten_thousand_opens_and_closes() {
    let port = SimPort::new(Config {
        baud: 3_000_000,
        link: Link::instant(),
        ..Config::default()
    });
    port.sim.borrow_mut().serve(address(ECHO), || Echo);
    port.sim.borrow_mut().serve_udp(address(ECHO), Echo);
    on_stack(&port, 2, |stack| {
        for round in 0..10_000u32 {
            let data = round.to_be_bytes();
            let mut buffer = [0; 64];
            let mut socket = match round % 3 {
                0 | 1 => {
                    let mut socket = tcp(stack);
                    socket.connect(address(ECHO)).unwrap();
                    socket
                }
                _ => {
                    let kind = stack.socket(AF_INET, SOCK_DGRAM, Protocol::DEFAULT);
                    let mut socket = kind.unwrap();
                    socket.connect(address(ECHO)).unwrap();
                    socket
                }
            };
            socket.settimeout(Some(60.0)).unwrap();
            assert_eq!(socket.send(&data), Ok(4), "round {round}");
            // Some leave what came back in the ring, or in the module.
            if round % 5 != 0 {
                let n = socket.read(&mut buffer[..4]);
                assert_eq!(n, Ok(Some(4)), "round {round}");
                assert_eq!(buffer[..4], data, "round {round}");
            }
            if round % 2 == 0 {
                socket.close().unwrap();
            }
        }
        // Both slots are free, and nothing is left in the module.
        let (_first, _second) = (tcp(stack), tcp(stack));
        stack.poll_until(30_000, || false).unwrap();
        let open = port.sim.borrow().tcp_sockets();
        assert!(open.iter().all(|tcp| !tcp.attached), "{open:?}");
    });
}

/// The handle of a socket that is gone names nobody, whoever has its slot.
#[test]
fn stale_handles_are_ebadf() {
    let (mut rx, mut tx) = ([0; 64], [0; 64]);
    let mut slots = [quectel_sockets::Slot::new(&mut rx, &mut tx)];
    let mut engine = quectel_sockets::Engine::new(&mut slots, support::sim::config());
    for _ in 0..70_000u32 {
        let stale = engine.tcp_socket().unwrap();
        engine.release(0, stale);
        let fresh = engine.udp_socket().unwrap();
        let bad = Err(nb::Error::Other(RecvError::BadHandle));
        assert_eq!(engine.recv(stale, &mut [0; 4]), bad);
        let bad = Err(nb::Error::Other(SendError::BadHandle));
        assert_eq!(engine.send(stale, b"a"), bad);
        engine.release(0, fresh);
    }
}
