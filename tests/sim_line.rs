//! One fault of the serial line at every position of a dialogue: either the
//! data arrives identical or the socket says that it failed, nothing hangs,
//! and the next connection works.

mod support;

use std::{net::SocketAddr, sync::Mutex};

use quectel_sim::{Config, Direction, Echo, LineFault, Peer, PeerIo, Record};
use quectel_sockets::socket::Error;
use support::sim::{SimPort, noise, on_stack, tcp};

const DUPLEX: &str = "192.0.2.7:80";
const ECHO: &str = "192.0.2.8:7";
/// Bytes each way.
const LEN: usize = 20_000;
/// The longest that any fault may hold a caller up, in milliseconds: the
/// 120 s that `AT+QISEND` may take, 200 s of stall, and the escalation.
const BOUND_MS: u64 = 480_000;

/// What the host sends: blocks would end with a line feed, and the last bytes
/// are nothing else.
fn sent() -> Vec<u8> {
    let mut bytes = noise(LEN, 2);
    for end in (1_460..LEN).step_by(1_460) {
        bytes[end - 1] = b'\n';
    }
    bytes[LEN - 3..].fill(b'\n');
    bytes
}

/// Sends `LEN` bytes as soon as the connection stands, takes what comes.
struct Duplex;

impl Peer for Duplex {
    fn connected(&mut self, io: &mut PeerIo) {
        io.send(&noise(LEN, 1));
    }
}

struct Outcome {
    result: Result<(), Error>,
    /// What the application has received.
    down: Vec<u8>,
    /// What the peer has received.
    up: Vec<u8>,
    /// Positions behind the last byte, to host and to module.
    ends: [u64; 2],
    ms: u64,
    port: SimPort,
}

/// One transfer of `LEN` bytes each way with a fault, and another connection
/// behind it.
fn run(fault: Option<(Direction, LineFault)>) -> Outcome {
    let port = SimPort::new(Config {
        baud: 921_600,
        trace: fault.is_none(),
        ..Config::default()
    });
    let record = Record::new();
    {
        let mut sim = port.sim.borrow_mut();
        sim.serve(DUPLEX.parse().unwrap(), record.of(|| Duplex));
        sim.serve(ECHO.parse().unwrap(), || Echo);
    }
    let (result, down, ms, ends) = on_stack(&port, 2, |stack| {
        if let Some((direction, fault)) = fault {
            port.sim.borrow_mut().add_line_fault(direction, fault);
        }
        let start = port.ms();
        let mut down = vec![0; LEN];
        let mut filled = 0;
        let mut socket = tcp(stack);
        let mut transfer = || {
            socket.connect(DUPLEX.parse::<SocketAddr>().unwrap())?;
            socket.sendall(&sent())?;
            while filled < LEN {
                match socket.recv(&mut down[filled..])? {
                    0 => panic!("end of data after {filled} bytes without an error"),
                    n => filled += n,
                }
            }
            Ok(())
        };
        let result = transfer();
        let _ = socket.close();
        let ms = port.ms() - start;
        let ends = positions_now(&port);
        down.truncate(filled);
        // The next connection works as soon as the network is back.
        let network = quectel_sockets::CheckNetwork::new(stack, "test", "1");
        let mut attempts = 0;
        let mut answer = [0; 5];
        let mut echoed = Err(Error::TimedOut);
        // A line that stands still for 200 s lets nothing through before.
        while echoed.is_err() && port.ms() < start + BOUND_MS {
            assert_eq!(network.wait_network_connected(300), Ok((3, 1)), "{fault:?}");
            let mut next = tcp(stack);
            next.settimeout(Some(60.0)).unwrap();
            echoed = next
                .connect(ECHO.parse::<SocketAddr>().unwrap())
                .and_then(|()| next.sendall(b"hello"))
                .and_then(|()| next.read(&mut answer));
            attempts += 1;
        }
        let stalled = matches!(fault, Some((_, LineFault::Stall(_, 200_000_000))));
        assert!(
            attempts == 1 || stalled,
            "{attempts} attempts after {fault:?}"
        );
        assert_eq!(
            (echoed, &answer),
            (Ok(Some(5)), b"hello"),
            "the connection after {fault:?}"
        );
        (result, down, ms, ends)
    });
    Outcome {
        result,
        down,
        // A damaged open may have made a connection that nobody uses.
        up: (0..record.connections())
            .map(|at| record.data(at))
            .max_by_key(Vec::len)
            .unwrap_or_default(),
        ends,
        ms,
        port,
    }
}

/// How many bytes have gone, to host and to module.
fn positions_now(port: &SimPort) -> [u64; 2] {
    let sim = port.sim.borrow();
    [Direction::ToHost, Direction::ToModule].map(|direction| sim.position(direction))
}

/// Where the dialogue behind the bring-up begins, to host and to module.
fn begin() -> [u64; 2] {
    let port = SimPort::new(Config {
        baud: 921_600,
        ..Config::default()
    });
    on_stack(&port, 2, |_| ());
    positions_now(&port)
}

/// Bytes at the same place that differ.
fn differing(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a != b).count()
}

/// What must hold after a fault.
fn check(what: &str, fault: LineFault, outcome: &Outcome) {
    let (down, up) = (noise(LEN, 1), sent());
    assert!(outcome.ms <= BOUND_MS, "{what}: {} ms", outcome.ms);
    // A changed byte of payload cannot be seen without TLS.
    let changed = usize::from(matches!(fault, LineFault::Corrupt(..)));
    assert!(
        differing(&outcome.down, &down) <= changed,
        "{what}: received data is altered"
    );
    match outcome.result {
        Ok(()) => {
            assert_eq!(outcome.down.len(), LEN, "{what}");
            assert_eq!(outcome.up.len(), LEN, "{what}: sent data is short");
            assert!(
                differing(&outcome.up, &up) <= changed,
                "{what}: sent data is altered"
            );
        }
        Err(_) => {
            // Of the block that was on its way, anything; before it, nothing.
            let whole = outcome.up.len().saturating_sub(1_460).min(LEN);
            assert!(
                differing(&outcome.up[..whole], &up) <= changed,
                "{what}: sent data is altered before the last block"
            );
        }
    }
}

/// For every byte of one direction, whether it is inside a payload, more than
/// 8 bytes from its ends. `header` and `end` stand around its length.
fn inside_payload(bytes: &[u8], header: &[u8], end: &[u8]) -> Vec<bool> {
    let mut inside = vec![false; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes[at..].strip_prefix(header).and_then(|rest| {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            let number = std::str::from_utf8(&rest[..digits])
                .ok()?
                .parse::<usize>()
                .ok()?;
            rest[digits..].starts_with(end).then_some((digits, number))
        });
        let Some((digits, number)) = length else {
            at += 1;
            continue;
        };
        let start = at + header.len() + digits + end.len();
        if number > 16 {
            inside[start + 8..start + number - 8].fill(true);
        }
        at = start + number;
    }
    inside
}

/// Positions of a clean dialogue: all outside payload, inside every
/// `stride`th.
fn positions(direction: Direction, stride: u64) -> Vec<u64> {
    let clean = run(None);
    check("clean", LineFault::Drop(0), &clean);
    assert_eq!(clean.result, Ok(()));
    let at = usize::from(direction == Direction::ToModule);
    let first = begin()[at];
    assert!(clean.ends[at] - first > LEN as u64);
    let sim = clean.port.sim.borrow();
    let traced = sim.dialogue().iter().filter(|t| t.direction == direction);
    let bytes: Vec<u8> = traced.flat_map(|t| t.bytes.clone()).collect();
    let (header, end): (&[u8], &[u8]) = match direction {
        Direction::ToHost => (b"+QIRD: ", b"\r\n"),
        Direction::ToModule => (b"AT+QISEND=0,", b"\r"),
    };
    let inside = inside_payload(&bytes, header, end);
    let payload = inside.iter().filter(|inside| **inside).count();
    assert!(
        (LEN - 1_000..LEN).contains(&payload),
        "{payload} bytes of payload"
    );
    let wanted = |position: &u64| !inside[*position as usize] || position.is_multiple_of(stride);
    (first..clean.ends[at]).filter(wanted).collect()
}

/// How many positions inside payload are left out between two that are tried.
/// `QUECTEL_EVERY_POSITION=1` tries all of them.
fn stride(usual: u64) -> u64 {
    if std::env::var_os("QUECTEL_EVERY_POSITION").is_some() {
        1
    } else {
        usual
    }
}

/// Runs `faults` of every position, on two threads.
fn at_every_position(direction: Direction, usual: u64, faults: fn(u64) -> Vec<LineFault>) {
    let work = Mutex::new(positions(direction, stride(usual)).into_iter());
    let (failed, tried) = (Mutex::new(0), Mutex::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(position) = { work.lock().unwrap().next() } {
                    for fault in faults(position) {
                        let outcome = run(Some((direction, fault)));
                        check(&format!("{direction:?} {fault:?}"), fault, &outcome);
                        *tried.lock().unwrap() += 1;
                        *failed.lock().unwrap() += usize::from(outcome.result.is_err());
                    }
                }
            });
        }
    });
    let (tried, failed) = (tried.into_inner().unwrap(), failed.into_inner().unwrap());
    println!("{direction:?}: {tried} faults, {failed} of them failed the socket");
    assert!(tried > 3_000);
}

fn damages(position: u64) -> Vec<LineFault> {
    vec![
        LineFault::Drop(position),
        LineFault::Double(position),
        LineFault::Corrupt(position, 0x01),
        LineFault::Corrupt(position, 0x40),
    ]
}

fn stalls(position: u64) -> Vec<LineFault> {
    [500_000, 2_000_000, 10_000_000, 200_000_000]
        .map(|us| LineFault::Stall(position, us))
        .into()
}

#[test]
fn a_damaged_byte_to_the_host() {
    at_every_position(Direction::ToHost, 101, damages);
}

#[test]
fn a_damaged_byte_to_the_module() {
    at_every_position(Direction::ToModule, 101, damages);
}

#[test]
fn a_stall_to_the_host() {
    at_every_position(Direction::ToHost, 401, stalls);
}

#[test]
fn a_stall_to_the_module() {
    at_every_position(Direction::ToModule, 401, stalls);
}

/// What is left over of a block whose bytes were doubled stands before the
/// next command, and its echo shows it. A line feed would be swallowed: no
/// block ends with one.
#[test]
fn a_doubled_byte_is_noticed_whatever_the_block_ends_with() {
    let mut silent = Vec::new();
    for last in 0..=u8::MAX {
        let mut block = *b"0123456789abcdef.";
        block[16] = last;
        let port = SimPort::new(Config::default());
        let record = Record::new();
        port.sim
            .borrow_mut()
            .serve(ECHO.parse().unwrap(), record.of(|| quectel_sim::Sink));
        let told = on_stack(&port, 1, |stack| {
            let fault = "double:payload:3".parse().unwrap();
            port.sim.borrow_mut().add_fault(fault);
            let mut socket = tcp(stack);
            socket.connect(ECHO.parse::<SocketAddr>().unwrap()).unwrap();
            let outcome = socket.sendall(&block);
            let closed = socket.close();
            outcome.is_err() || closed.is_err()
        });
        if !told {
            assert!(
                record.data(0).starts_with(b"012334"),
                "no fault before {last}"
            );
            silent.push(last);
        }
    }
    assert_eq!(silent, []);
}
