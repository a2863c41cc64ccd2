//! The job of `async_client` on the engine alone, without any face: what the
//! face costs is the difference to this. As there, a connect whose time is over
//! is given up, a port that ends fails the socket, and the socket is released
//! whatever happened.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::net::SocketAddr;

use embedded_io::{Read, ReadReady, Write, WriteReady};
use quectel_firmware::{
    bsp::{self, Board},
    job::{REQUEST, SERVER, is_good},
};
use quectel_sockets::{Config, Engine, Handle, Port, Slot};

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
            if n == 0 {
                // The port has ended.
                self.engine.port_failed(now);
            }
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
    let stage = module.wait(|engine| {
        // A SIM card that is absent or locked does not change by waiting.
        let waits = matches!(engine.network().sim(), 1 | 18 | 20 | 21);
        match waits && !engine.is_up() {
            true => Err(nb::Error::<()>::WouldBlock),
            false => Ok(engine.stage()),
        }
    })?;
    if stage != (3, 1) {
        return Some(false);
    }
    let (name, port) = SERVER;
    let addresses = module.wait(|engine| engine.resolve(name))?;
    let remote = SocketAddr::new(*addresses.first()?, port);
    let socket = module.engine.tcp_socket().ok()?;
    let good = exchange(module, socket, remote);
    let now = module.board.now();
    module.engine.release(now, socket);
    good
}

fn exchange(module: &mut Module<'_>, socket: Handle, remote: SocketAddr) -> Option<bool> {
    module.engine.connect(socket, remote).ok()?;
    if module.wait(|engine| engine.connected(socket)).is_none() {
        module.engine.cancel_connect(socket);
        return None;
    }
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
        good.get_or_insert_with(|| is_good(part));
        bsp::print(part);
    }
    let now = module.board.now();
    module.engine.shutdown(now, socket).ok()?;
    module.wait(|engine| match engine.is_closed(socket) {
        true => Ok::<_, nb::Error<()>>(()),
        false => Err(nb::Error::WouldBlock),
    })?;
    module.engine.untold_loss(socket).ok()?;
    Some(good == Some(true))
}
