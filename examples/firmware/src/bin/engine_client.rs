//! `async_client` without a face: the same calls on the engine itself, in a
//! loop that moves the bytes.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::net::SocketAddr;

use embedded_io::{Read, ReadReady, Write, WriteReady};
use quectel_firmware::bsp::{self, Board};
use quectel_sockets::{Config, Engine, Port, Slot};

/// Where to fetch from. The simulated module knows this name.
const SERVER: (&str, u16) = ("www.example.test", 8080);
const REQUEST: &[u8] = b"GET / HTTP/1.0\r\nHost: www.example.test\r\n\r\n";
/// How a good answer starts, from its tenth byte.
const OK: &[u8] = b"200";
/// Milliseconds that each call may wait.
const PATIENCE: u64 = 60_000;

#[cortex_m_rt::entry]
fn main() -> ! {
    let (mut rx, mut tx) = ([0; 1500], [0; 512]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let mut module = Module {
        engine: Engine::new(&mut slots, Config::default()),
        board: Board::new(115_200),
    };
    let outcome = fetch(&mut module);
    bsp::print(match outcome {
        Some(true) => b"\nfetched\n",
        Some(false) => b"\nno network, or not a good answer\n",
        None => b"\nfailed\n",
    });
    bsp::exit(outcome == Some(true))
}

struct Module<'a> {
    engine: Engine<'a>,
    board: Board,
}

impl<'a> Module<'a> {
    /// Moves bytes and lets time pass until `call` no longer would block.
    fn wait<T, E>(
        &mut self,
        mut call: impl FnMut(&mut Engine<'a>) -> nb::Result<T, E>,
    ) -> Option<T> {
        let deadline = self.board.now() + PATIENCE;
        loop {
            match call(&mut self.engine) {
                Ok(value) => return Some(value),
                Err(nb::Error::Other(_)) => return None,
                Err(nb::Error::WouldBlock) => {}
            }
            let now = self.step();
            if now >= deadline {
                return None;
            }
            if self.engine.tx().is_empty() {
                let at = self.engine.wake_at(now).unwrap_or(deadline);
                self.board.idle_until(at.min(deadline));
            }
        }
    }

    fn step(&mut self) -> u64 {
        let now = self.board.now();
        let mut chunk = [0; 64];
        if let Ok(true) = self.board.read_ready()
            && let Ok(n) = self.board.read(&mut chunk)
        {
            self.engine.rx(now, chunk.get(..n).unwrap_or_default());
        }
        self.engine.poll(now);
        let out = self.engine.tx();
        if !out.is_empty()
            && let Ok(true) = self.board.write_ready()
            && let Ok(n) = self.board.write(out)
        {
            self.engine.tx_done(now, n);
            self.engine.poll(now);
        }
        now
    }
}

fn fetch(module: &mut Module<'_>) -> Option<bool> {
    module.wait(|engine| match engine.is_up() {
        true => Ok::<_, nb::Error<()>>(()),
        false => Err(nb::Error::WouldBlock),
    })?;
    let (name, port) = SERVER;
    let addresses = module.wait(|engine| engine.resolve(name))?;
    let remote = SocketAddr::new(*addresses.first()?, port);
    let socket = module.engine.tcp_socket().ok()?;
    module.engine.connect(socket, remote).ok()?;
    module.wait(|engine| engine.connected(socket))?;
    let mut rest = REQUEST;
    while !rest.is_empty() {
        let n = module.wait(|engine| engine.send(socket, rest))?;
        rest = rest.get(n..).unwrap_or_default();
    }
    let mut buffer = [0; 256];
    let mut good = None;
    loop {
        let n = module.wait(|engine| engine.recv(socket, &mut buffer))?;
        let part = buffer.get(..n).unwrap_or_default();
        if n == 0 {
            break;
        }
        good = good.or(Some(part.get(9..12) == Some(OK)));
        bsp::print(part);
    }
    let now = module.board.now();
    module.engine.shutdown(now, socket).ok()?;
    module.wait(|engine| match engine.is_closed(socket) {
        true => Ok::<_, nb::Error<()>>(()),
        false => Err(nb::Error::WouldBlock),
    })?;
    Some(good == Some(true))
}
