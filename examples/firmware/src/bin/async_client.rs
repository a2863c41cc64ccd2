//! `tcp_client` with tasks: the runner, and the program beside it.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::{net::SocketAddr, pin::pin};

use quectel_firmware::{
    bsp::{self, Board},
    job::{REQUEST, SERVER, is_good},
    tasks::{Rx, Tasks, Tx},
};
use quectel_sockets::{
    Config, Slot,
    asynch::{Error, Shared, Stack},
};

#[cortex_m_rt::entry]
fn main() -> ! {
    let tasks = Tasks::new(Board::new(115_200));
    let (mut rx, mut tx) = ([0; 1500], [0; 512]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let mut shared = Shared::new(&mut slots, Config::default());
    let (stack, runner) = shared.split();
    let run = runner.run(Rx(&tasks), Tx(&tasks), &tasks);
    let outcome = tasks.block_on(pin!(run), pin!(fetch(stack)));
    bsp::print(match outcome {
        Some(Ok(true)) => b"\nfetched\n",
        Some(Ok(false)) => b"\nno network, or not a good answer\n",
        _ => b"\nfailed\n",
    });
    bsp::exit(outcome == Some(Ok(true)))
}

async fn fetch(stack: Stack<'_>) -> Result<bool, Error> {
    if stack.wait_network().await != (3, 1) {
        return Ok(false);
    }
    let (name, port) = SERVER;
    let Some(ip) = stack.resolve(name).await?.first().copied() else {
        return Ok(false);
    };
    let mut socket = stack.try_tcp_socket()?;
    socket.set_timeout(Some(60_000));
    socket.connect(SocketAddr::new(ip, port)).await?;
    socket.write_all(REQUEST).await?;
    let mut buffer = [0; 256];
    let mut good = None;
    loop {
        let n = socket.read(&mut buffer).await?;
        let part = buffer.get(..n).unwrap_or_default();
        if n == 0 {
            break;
        }
        good.get_or_insert_with(|| is_good(part));
        bsp::print(part);
    }
    socket.close().await?;
    Ok(good == Some(true))
}
