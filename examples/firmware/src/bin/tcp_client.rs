//! The smallest useful program: brings the network up, sends a request to a
//! web server, prints the answer and closes. Exit status 0 if all of that
//! worked and the answer was 200.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use quectel_firmware::{
    bsp::{self, Board},
    job::{REQUEST, SERVER, is_good},
};
use quectel_sockets::{
    CheckNetwork, Config, Slot, Stack,
    socket::{AF_INET, Error, IPPROTO_TCP, SOCK_STREAM},
};

#[cortex_m_rt::entry]
fn main() -> ! {
    let outcome = fetch(Board::new(115_200));
    bsp::print(match outcome {
        Ok(true) => b"\nfetched\n",
        Ok(false) => b"\nno network, or not a good answer\n",
        Err(_) => b"\nfailed\n",
    });
    bsp::exit(outcome == Ok(true))
}

fn fetch(board: Board) -> Result<bool, Error> {
    let (mut rx, mut tx) = ([0; 1500], [0; 512]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let stack = Stack::new(board, &mut slots, Config::default());
    let network = CheckNetwork::new(&stack, "tcp_client", env!("CARGO_PKG_VERSION"));
    if network.wait_network_connected(60)? != (3, 1) {
        return Ok(false);
    }
    let mut socket = stack.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)?;
    socket.settimeout(Some(60.0))?;
    socket.connect(SERVER)?;
    socket.sendall(REQUEST)?;
    let mut line = [0; 64];
    let first = socket.readline(&mut line)?.unwrap_or(0);
    let line = line.get(..first).unwrap_or_default();
    bsp::print(line);
    let good = is_good(line);
    let mut buffer = [0; 256];
    loop {
        match socket.recv(&mut buffer)? {
            0 => break,
            n => bsp::print(buffer.get(..n).unwrap_or_default()),
        }
    }
    socket.close()?;
    Ok(good)
}
