//! One fault of the serial line at every position of a dialogue with a
//! listener, an accepted connection and UDP sockets: the data is identical or
//! the socket says that it failed, nothing hangs, and the next connection
//! works. What `sim_line.rs` does for a TCP client.

mod support;

use std::{net::SocketAddr, sync::Mutex};

use quectel_sim::{Config, Direction, Echo, LineFault};
use quectel_sockets::socket::{AF_INET, Error, Protocol, SOCK_DGRAM};
use support::sim::{SimPort, noise, on_stack, tcp};

const ECHO: &str = "192.0.2.8:7";
const CLIENT: &str = "198.51.100.7:5000";
/// As in `sim_line.rs`, without the stall.
const BOUND_MS: u64 = 280_000;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// What came back, by socket, and whether all of it did.
struct Outcome {
    result: Result<(), Error>,
    stream: Vec<u8>,
    datagrams: Vec<Vec<u8>>,
    ends: [u64; 2],
}

/// The bytes of the connection: a line feed at the end, as text has.
fn stream_data() -> Vec<u8> {
    let mut data = noise(300, 3);
    data.push(b'\n');
    data
}

fn datagram(n: u64) -> Vec<u8> {
    let mut data = noise(40 + n as usize, 10 + n);
    // Not a line feed: see README, "What cannot be seen".
    data.push(b'.');
    data
}

fn positions_now(port: &SimPort) -> [u64; 2] {
    let sim = port.sim.borrow();
    [Direction::ToHost, Direction::ToModule].map(|direction| sim.position(direction))
}

fn new_port() -> SimPort {
    let port = SimPort::new(Config {
        baud: 921_600,
        ..Config::default()
    });
    port.sim.borrow_mut().serve(address(ECHO), || Echo);
    port.sim.borrow_mut().serve_udp(address(ECHO), Echo);
    port
}

fn run(fault: Option<(Direction, LineFault)>) -> Outcome {
    let port = new_port();
    on_stack(&port, 4, |stack| {
        if let Some((direction, fault)) = fault {
            port.sim.borrow_mut().add_line_fault(direction, fault);
        }
        let start = port.ms();
        let (mut stream, mut datagrams) = (Vec::new(), Vec::new());
        let mut serve = || {
            let mut listener = tcp(stack);
            listener.settimeout(Some(30.0))?;
            listener.bind(("", 8080))?;
            listener.listen(1)?;
            port.sim.borrow_mut().dial(address(CLIENT), 8080, Echo);
            let (mut client, _) = listener.accept()?;
            client.settimeout(Some(30.0))?;
            client.sendall(&stream_data())?;
            let mut buffer = [0; 400];
            while stream.len() < stream_data().len() {
                match client.recv(&mut buffer)? {
                    0 => panic!("end of data after {} bytes without an error", stream.len()),
                    n => stream.extend(&buffer[..n]),
                }
            }
            client.close()?;
            listener.close()
        };
        let served = serve();
        let mut talk = |bound: bool| {
            let mut socket = stack.socket(AF_INET, SOCK_DGRAM, Protocol::DEFAULT)?;
            socket.settimeout(Some(30.0))?;
            if bound {
                socket.bind(("", 5683))?;
            } else {
                socket.connect(address(ECHO))?;
            }
            for n in 0..3 {
                let data = datagram(n);
                if bound {
                    socket.sendto(&data, address(ECHO))?;
                } else {
                    socket.send(&data)?;
                }
                let mut buffer = [0; 400];
                let n = socket.recv(&mut buffer)?;
                datagrams.push(buffer[..n].to_vec());
            }
            socket.close()
        };
        let bound = talk(true);
        let connected = talk(false);
        let ends = positions_now(&port);
        // The next connection works.
        let network = quectel_sockets::CheckNetwork::new(stack, "test", "1");
        assert_eq!(network.wait_network_connected(300), Ok((3, 1)), "{fault:?}");
        let mut next = tcp(stack);
        // SEND OK may be waited for, up to 120 s.
        next.settimeout(Some(200.0)).unwrap();
        let mut answer = [0; 5];
        let echoed = next
            .connect(address(ECHO))
            .and_then(|()| next.sendall(b"hello"))
            .and_then(|()| next.read(&mut answer));
        assert_eq!(
            (echoed, &answer),
            (Ok(Some(5)), b"hello"),
            "the connection after {fault:?}"
        );
        let ms = port.ms() - start;
        assert!(ms < BOUND_MS, "{ms} ms after {fault:?}");
        Outcome {
            result: served.and(bound).and(connected),
            stream,
            datagrams,
            ends,
        }
    })
}

/// Bytes at the same place that differ.
fn differing(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a != b).count()
}

fn check(what: &str, fault: LineFault, outcome: &Outcome) {
    // A changed byte of payload cannot be seen without TLS.
    let changed = usize::from(matches!(fault, LineFault::Corrupt(..)));
    let data = stream_data();
    assert!(outcome.stream.len() <= data.len(), "{what}: too much");
    assert!(
        differing(&outcome.stream, &data) <= changed,
        "{what}: the stream is altered"
    );
    let mut altered = 0;
    for got in &outcome.datagrams {
        // Datagrams may be lost, so it is one of the three.
        let fits = |n: &u64| {
            let sent = datagram(*n);
            got.len() == sent.len() && differing(got, &sent) <= changed
        };
        altered += usize::from((0..3).find(fits).is_none());
    }
    assert_eq!(altered, 0, "{what}: a datagram is altered");
    if outcome.result.is_ok() {
        assert_eq!(outcome.stream.len(), data.len(), "{what}");
        assert_eq!(outcome.datagrams.len(), 6, "{what}");
    }
}

#[test]
fn a_damaged_byte_anywhere() {
    let clean = run(None);
    assert_eq!(clean.result, Ok(()));
    check("clean", LineFault::Drop(0), &clean);
    let port = new_port();
    on_stack(&port, 4, |_| ());
    let first = positions_now(&port);
    let faults = [Direction::ToHost, Direction::ToModule]
        .into_iter()
        .zip(first.into_iter().zip(clean.ends))
        .flat_map(|(direction, (first, end))| {
            (first..end).flat_map(move |position| {
                let damages = [
                    LineFault::Drop(position),
                    LineFault::Double(position),
                    LineFault::Corrupt(position, 0x01),
                    LineFault::Corrupt(position, 0x40),
                ];
                damages.map(|fault| (direction, fault))
            })
        });
    let work = Mutex::new(faults);
    let (failed, tried) = (Mutex::new(0), Mutex::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((direction, fault)) = { work.lock().unwrap().next() } {
                    let outcome = run(Some((direction, fault)));
                    check(&format!("{direction:?} {fault:?}"), fault, &outcome);
                    *tried.lock().unwrap() += 1;
                    *failed.lock().unwrap() += usize::from(outcome.result.is_err());
                }
            });
        }
    });
    let (tried, failed) = (tried.into_inner().unwrap(), failed.into_inner().unwrap());
    println!("{tried} faults, {failed} of them failed a socket");
    assert!(tried > 8_000, "{tried}");
}
