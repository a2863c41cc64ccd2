//! The board without the library: sends back what it receives and ends at a
//! line feed. Uses all that `tcp_client` uses of the board, so the sizes of
//! the two differ by what the library costs.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::convert::Infallible;

use embedded_io::{Read, ReadReady, Write, WriteReady};
use quectel_firmware::bsp::{self, Board};
use quectel_sockets::Port;

/// Milliseconds without a byte after which it gives up.
const PATIENCE: u64 = 60_000;

#[cortex_m_rt::entry]
fn main() -> ! {
    let outcome = echo(Board::new(115_200));
    bsp::print(match outcome {
        Ok(true) => b"\nechoed\n",
        _ => b"\nnothing came\n",
    });
    bsp::exit(outcome == Ok(true))
}

fn echo(mut board: Board) -> Result<bool, Infallible> {
    let mut buffer = [0; 64];
    let mut deadline = board.now() + PATIENCE;
    while board.now() < deadline {
        board.idle_until(deadline);
        if !board.read_ready()? {
            continue;
        }
        let n = board.read(&mut buffer)?;
        let mut rest = buffer.get(..n).unwrap_or_default();
        bsp::print(rest);
        let last = rest.contains(&b'\n');
        while !rest.is_empty() {
            if board.write_ready()? {
                let n = board.write(rest)?;
                rest = rest.get(n..).unwrap_or_default();
            }
        }
        if last {
            return Ok(true);
        }
        deadline = board.now() + PATIENCE;
    }
    Ok(false)
}
