//! The job of `nb_client` on the engine alone, without any face: what the face
//! costs is the difference to this.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::{convert::Infallible, net::SocketAddr};

use embedded_io::{Read, ReadReady, Write, WriteReady};
use embedded_nal::nb;
use quectel_firmware::{
    bsp::{self, Board},
    job::{REQUEST, SERVER, is_good},
};
use quectel_sockets::{Config, Engine, Event, Port, Slot};

#[cortex_m_rt::entry]
fn main() -> ! {
    let outcome = fetch(Board::new(115_200));
    bsp::print(match outcome {
        Some(true) => b"\nfetched\n",
        Some(false) => b"\nno network, or not a good answer\n",
        None => b"\nfailed\n",
    });
    bsp::exit(outcome == Some(true))
}

struct Driver<'a> {
    engine: Engine<'a>,
    board: Board,
}

impl Driver<'_> {
    fn step(&mut self) -> Result<u64, Infallible> {
        let now = self.board.now();
        self.engine.poll(now);
        let mut chunk = [0; 64];
        if self.board.read_ready()? {
            let n = self.board.read(&mut chunk)?;
            self.engine.rx(now, chunk.get(..n).unwrap_or_default());
            self.engine.poll(now);
        }
        if !self.engine.tx().is_empty() && self.board.write_ready()? {
            let n = self.board.write(self.engine.tx())?;
            self.engine.tx_done(now, n);
        }
        Ok(now)
    }

    /// Steps until the call no longer would block.
    fn block<T, E>(
        &mut self,
        mut call: impl FnMut(&mut Engine<'_>) -> nb::Result<T, E>,
    ) -> Option<T> {
        loop {
            self.step().ok()?;
            match call(&mut self.engine) {
                Ok(value) => return Some(value),
                Err(nb::Error::WouldBlock) => {}
                Err(nb::Error::Other(_)) => return None,
            }
        }
    }
}

fn fetch(board: Board) -> Option<bool> {
    let (mut rx, mut tx) = ([0; 1500], [0; 512]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let engine = Engine::new(&mut slots, Config::default());
    let mut driver = Driver { engine, board };
    while !driver.engine.is_up() {
        driver.step().ok()?;
        // The module has not answered for 60 s.
        if driver.engine.event() == Some(Event::ResetWanted) {
            return Some(false);
        }
    }
    let addresses = driver.block(|engine| engine.resolve(SERVER.0))?;
    let address = *addresses.iter().find(|address| address.is_ipv4())?;
    let socket = driver.engine.tcp_socket().ok()?;
    let server = SocketAddr::new(address, SERVER.1);
    driver.engine.connect(socket, server).ok()?;
    driver.block(|engine| engine.connected(socket))?;
    let mut rest = REQUEST;
    while !rest.is_empty() {
        let n = driver.block(|engine| engine.send(socket, rest))?;
        rest = rest.get(n..).unwrap_or_default();
    }
    let mut good = None;
    let mut buffer = [0; 256];
    loop {
        let n = driver.block(|engine| engine.recv(socket, &mut buffer))?;
        if n == 0 {
            break;
        }
        let answer = buffer.get(..n).unwrap_or_default();
        bsp::print(answer);
        good.get_or_insert_with(|| is_good(answer));
    }
    let now = driver.step().ok()?;
    driver.engine.release(now, socket);
    Some(good == Some(true))
}
