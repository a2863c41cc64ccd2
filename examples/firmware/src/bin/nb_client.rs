//! The job of `tcp_client` over the traits of embedded-nal: nothing waits but
//! this program itself.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::net::SocketAddr;

use embedded_nal::{AddrType, Dns, TcpClientStack, TcpError, TcpErrorKind, nb, nb::block};
use quectel_firmware::{
    bsp::{self, Board},
    job::{REQUEST, SERVER, is_good},
};
use quectel_sockets::{Config, Event, Slot, Stack, nb::Error};

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
    while stack.is_up() == Ok(false) {
        let _ = stack.poll();
        // The module has not answered for 60 s.
        if stack.event() == Ok(Some(Event::ResetWanted)) {
            return Ok(false);
        }
    }
    let mut net = &stack;
    let address = block!(net.get_host_by_name(SERVER.0, AddrType::IPv4))?;
    let mut socket = TcpClientStack::socket(&mut net)?;
    block!(net.connect(&mut socket, SocketAddr::new(address, SERVER.1)))?;
    let mut rest = REQUEST;
    while !rest.is_empty() {
        let n = block!(net.send(&mut socket, rest))?;
        rest = rest.get(n..).unwrap_or_default();
    }
    let mut good = None;
    let mut buffer = [0; 256];
    loop {
        match net.receive(&mut socket, &mut buffer) {
            Ok(n) => {
                let answer = buffer.get(..n).unwrap_or_default();
                bsp::print(answer);
                good.get_or_insert_with(|| is_good(answer));
            }
            Err(nb::Error::WouldBlock) => {}
            Err(nb::Error::Other(end)) if end.kind() == TcpErrorKind::PipeClosed => break,
            Err(nb::Error::Other(error)) => return Err(error),
        }
    }
    net.close(socket)?;
    Ok(good == Some(true))
}
