//! `tcp_client` with tasks: the runner, and the program beside it.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::net::SocketAddr;

use quectel_firmware::{
    bsp::{self, Board},
    tasks::{Rx, Tasks, Tx},
};
use quectel_sockets::{
    Config, Slot,
    asynch::{Error, Shared, Stack},
};

/// Where to fetch from. The simulated module knows this name.
const SERVER: (&str, u16) = ("www.example.test", 8080);
const REQUEST: &[u8] = b"GET / HTTP/1.0\r\nHost: www.example.test\r\n\r\n";
/// How a good answer starts, from its tenth byte.
const OK: &[u8] = b"200";

#[cortex_m_rt::entry]
fn main() -> ! {
    let tasks = Tasks::new(Board::new(115_200));
    let (mut rx, mut tx) = ([0; 1500], [0; 512]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let mut shared = Shared::new(&mut slots, Config::default());
    let (stack, runner) = shared.split();
    let run = runner.run(Rx(&tasks), Tx(&tasks), &tasks);
    let outcome = tasks.block_on(run, fetch(stack));
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
    let mut socket = stack.tcp_socket().await?;
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
        good = good.or(Some(part.get(9..12) == Some(OK)));
        bsp::print(part);
    }
    socket.close().await?;
    Ok(good == Some(true))
}
