//! What Python's, MicroPython's and QuecPython's users expect of `socket`:
//! one test for each behaviour, on the simulated module, in virtual time.
//! Where the three disagree, the test says which one decided; the reference
//! page of QuecPython's `socket` comes first, then QuecPython, MicroPython,
//! CPython.
//!
//! Not applicable here, and why:
//! - the constructor's check of argument types (`socket_badconstructor`): the
//!   compiler does it;
//! - a connection to oneself (`asyncio_loopback`): a module has no loopback
//!   interface;
//! - `asyncio_*`: the asynchronous face's own tests;
//! - `ssl_*`, `tls_*`, `sslcontext_*`: TLS runs above this library;
//! - IP multicast (`IP_ADD_MEMBERSHIP`): modules do not offer it;
//! - QuecPython's rounding of long time-outs, its 25 s rule of `connect`,
//!   ignored failures of `bind`, a constructor that needs a PDP context, and
//!   silently accepted options: decided against, see the tests for what holds
//!   instead;
//! - its callback for readable data (option 20): `poll` does that here.

#[path = "../support/mod.rs"]
mod support;

mod names;
mod page;
mod server;
mod stream;
mod timing;
mod udp;

use std::net::SocketAddr;

use quectel_sim::{Config, Echo, Peer, PeerIo, Sim, Unbound};
use quectel_sockets::{
    Stack,
    socket::{AF_INET, Error, Protocol, SOCK_DGRAM, Socket},
};
use support::sim::SimPort;

/// Echoes everything.
const ECHO: &str = "192.0.2.7:7";
/// Sends [`LINES`], then closes.
const LINES_AT: &str = "192.0.2.7:70";
/// Sends the same, then resets.
const RESET_AT: &str = "192.0.2.7:71";
/// Never answers.
const SILENT: &str = "192.0.2.9:80";
/// Refuses.
const REFUSES: &str = "192.0.2.9:81";

const LINES: &[u8] = b"first\nsecond\n\nlast";

type Tcp<'s, 'a> = Socket<'s, 'a, SimPort>;

/// A world with all of these addresses, and two names.
fn world() -> SimPort {
    let port = SimPort::new(Config {
        trace: true,
        ..Config::default()
    });
    let mut sim = port.sim.borrow_mut();
    sim.serve(address(ECHO), || Echo);
    sim.serve_udp(address(ECHO), Echo);
    sim.serve(address(LINES_AT), || Says { reset: false });
    sim.serve(address(RESET_AT), || Says { reset: true });
    sim.set_unbound(address(SILENT), Unbound::Silence);
    sim.set_unbound(address(REFUSES), Unbound::Refuse);
    let two = ["192.0.2.7", "192.0.2.8"].map(|ip| ip.parse().unwrap());
    sim.set_name("echo.example", &two, 60);
    sim.set_name("zero.example", &["0.0.0.0".parse().unwrap()], 60);
    drop(sim);
    port
}

/// Runs `test` on a stack of 6 sockets in that world.
fn on(test: impl FnOnce(&SimPort, &Stack<'_, SimPort>)) {
    let port = world();
    support::sim::on_stack(&port, 6, |stack| test(&port, stack));
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn tcp<'s, 'a>(stack: &'s Stack<'a, SimPort>) -> Tcp<'s, 'a> {
    support::sim::tcp(stack)
}

fn udp<'s, 'a>(stack: &'s Stack<'a, SimPort>) -> Tcp<'s, 'a> {
    stack
        .socket(AF_INET, SOCK_DGRAM, Protocol::DEFAULT)
        .unwrap()
}

fn connected<'s, 'a>(stack: &'s Stack<'a, SimPort>, to: &str) -> Tcp<'s, 'a> {
    let mut socket = tcp(stack);
    socket.connect(address(to)).unwrap();
    socket
}

/// A socket that listens on port 8080.
fn listener<'s, 'a>(stack: &'s Stack<'a, SimPort>, backlog: impl Into<Option<u8>>) -> Tcp<'s, 'a> {
    let mut socket = tcp(stack);
    socket.bind(("", 8080)).unwrap();
    socket.listen(backlog).unwrap();
    socket
}

fn errno<T>(result: Result<T, Error>) -> i32 {
    result.err().expect("an error").errno()
}

/// A client that connects to port 8080 of the module.
fn dial(sim: &mut Sim, from: &str, peer: impl Peer + 'static) {
    assert!(sim.dial(address(from), 8080, peer));
}

/// Sends [`LINES`] and ends the connection.
struct Says {
    reset: bool,
}

impl Peer for Says {
    fn connected(&mut self, io: &mut PeerIo) {
        io.send(LINES);
        if self.reset {
            // Once they have arrived.
            io.wake_at(io.now() + 2_000_000);
        } else {
            io.close();
        }
    }

    fn woken(&mut self, io: &mut PeerIo) {
        io.abort();
    }
}
