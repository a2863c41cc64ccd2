//! `baseline` with tasks: the board, its executor and the two halves of its
//! UART without the library. Uses all that `async_client` uses of them.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::pin::pin;

use embedded_io_async::{Read, Write};
use quectel_firmware::{
    bsp::{self, Board},
    tasks::{Rx, Tasks, Tx},
};
use quectel_sockets::asynch::Clock;

/// Milliseconds after which it gives up.
const PATIENCE: u64 = 60_000;

#[cortex_m_rt::entry]
fn main() -> ! {
    let tasks = Tasks::new(Board::new(115_200));
    let clock = &tasks;
    let patience = clock.sleep_until(clock.now() + PATIENCE);
    let outcome = tasks.block_on(pin!(patience), pin!(echo(&tasks)));
    bsp::print(match outcome {
        Some(Ok(true)) => b"\nechoed\n",
        _ => b"\nnothing came\n",
    });
    bsp::exit(outcome == Some(Ok(true)))
}

async fn echo(tasks: &Tasks) -> Result<bool, core::convert::Infallible> {
    let (mut rx, mut tx) = (Rx(tasks), Tx(tasks));
    let mut buffer = [0; 64];
    loop {
        let n = rx.read(&mut buffer).await?;
        let mut rest = buffer.get(..n).unwrap_or_default();
        bsp::print(rest);
        let last = rest.contains(&b'\n');
        while !rest.is_empty() {
            let n = tx.write(rest).await?;
            rest = rest.get(n..).unwrap_or_default();
        }
        tx.flush().await?;
        if last {
            return Ok(true);
        }
    }
}
