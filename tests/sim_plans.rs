//! Faults drawn from a seed, several at once: either the data arrives
//! identical or the socket says that it failed, nothing hangs, and when the
//! faults are over the next connection works.
//!
//! `QUECTEL_PLANS=N` tries more plans than usual, `QUECTEL_PLAN=SEED` one.

mod support;

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
};

use quectel_sim::{Config, Echo, Fault, Plan};
use quectel_sockets::{CheckNetwork, Stack, socket::Error};
use support::sim::{SimPort, noise, on_stack, tcp};

const ECHO: &str = "192.0.2.8:7";
/// Bytes each way, and how many go before they are read back.
const LEN: usize = 20_000;
const PIECE: usize = 2_000;
/// The longest that a caller may be held up, in milliseconds: the longest
/// faults of a plan one after another, each with what it makes of a command.
const BOUND_MS: u64 = 3_600_000;
/// How long the next connection may need, in milliseconds: the module may be
/// deaf for 160 s, and start after that.
const AFTER_MS: u64 = 600_000;

/// What cannot be seen without TLS is left out: a changed byte of payload, and
/// a byte lost and another doubled in the same block.
fn plan(seed: u64) -> Plan {
    let other = ["drop", "double"][seed as usize % 2];
    let mut kinds = Fault::names();
    kinds.retain(|name| *name != "corrupt" && *name != other);
    Plan::new(seed).span_us(10_000_000).kinds(&kinds).unwrap()
}

fn address() -> SocketAddr {
    ECHO.parse().unwrap()
}

/// What came back, and the error that ended it.
fn transfer(stack: &Stack<'_, SimPort>, data: &[u8]) -> (Vec<u8>, Result<(), Error>) {
    let mut back = Vec::new();
    let mut socket = tcp(stack);
    socket.settimeout(Some(300.0)).unwrap();
    let mut go = || {
        socket.connect(address())?;
        for piece in data.chunks(PIECE) {
            socket.sendall(piece)?;
            let mut missing = piece.len();
            while missing > 0 {
                let mut buffer = [0; 700];
                let most = missing.min(buffer.len());
                match socket.recv(&mut buffer[..most])? {
                    0 => panic!("end of data after {} bytes without an error", back.len()),
                    n => {
                        back.extend(&buffer[..n]);
                        missing -= n;
                    }
                }
            }
        }
        Ok(())
    };
    let result = go();
    let _ = socket.close();
    (back, result)
}

/// One transfer under a plan, and another one behind it. True if the first
/// came through.
fn run(seed: u64) -> bool {
    let mut port = SimPort::new(Config {
        baud: 921_600,
        seed,
        ..Config::default()
    });
    port.reset_pin = seed.is_multiple_of(2);
    port.sim.borrow_mut().serve(address(), || Echo);
    on_stack(&port, 2, |stack| {
        port.sim.borrow_mut().add_plan(&plan(seed));
        let (start, data) = (port.ms(), noise(LEN, seed));
        let (back, result) = transfer(stack, &data);
        let took = port.ms() - start;
        assert!(took <= BOUND_MS, "{took} ms, {result:?}");
        assert!(
            data.starts_with(&back),
            "altered data: {} bytes, {result:?}",
            back.len()
        );
        assert!(back.len() == LEN || result.is_err(), "short data");

        port.sim.borrow_mut().clear_faults();
        let (start, data) = (port.ms(), noise(5_000, seed + 1));
        let network = CheckNetwork::new(stack, "test", "1");
        loop {
            let up = network.wait_network_connected(300);
            let (back, result) = transfer(stack, &data);
            if result.is_ok() {
                assert!(back == data, "altered data after the faults");
                break;
            }
            let took = port.ms() - start;
            assert!(took < AFTER_MS, "after {took} ms still {up:?}, {result:?}");
        }
        result.is_ok()
    })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn plans() {
    let seeds = match number("QUECTEL_PLAN") {
        Some(seed) => seed..seed + 1,
        None => 0..number("QUECTEL_PLANS").unwrap_or(200),
    };
    let (all, work) = (seeds.clone().count(), Mutex::new(seeds));
    let (whole, failures) = (Mutex::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(seed) = { work.lock().unwrap().next() } {
                    match catch_unwind(AssertUnwindSafe(|| run(seed))) {
                        Ok(came) => *whole.lock().unwrap() += usize::from(came),
                        Err(panic) => {
                            let what = panic.downcast_ref::<String>().cloned();
                            let what = what.unwrap_or_else(|| "a panic".into());
                            let faults = plan(seed).faults();
                            let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
                            let faults = faults.join("\n    ");
                            failures
                                .lock()
                                .unwrap()
                                .push(format!("seed {seed}: {what}\n    {faults}"));
                        }
                    }
                }
            });
        }
    });
    let (whole, failures) = (whole.into_inner().unwrap(), failures.into_inner().unwrap());
    println!("{all} plans, {whole} transfers came through");
    assert!(
        failures.is_empty(),
        "{} of {all} plans:\n{}",
        failures.len(),
        failures.join("\n")
    );
    // Most plans have something that a socket must not survive.
    assert!(
        all < 200 || (20..all - 20).contains(&whole),
        "{whole} whole"
    );
}
