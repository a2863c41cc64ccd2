//! Runs a program on the `asynch` face: beside what moves the bytes, in one
//! thread.

use std::fmt::Display;

use embassy_futures::select::{Either, select};
use quectel_port::AsyncPort;
use quectel_sockets::{
    Port,
    asynch::{Ended, Shared, Stack},
};

use super::told::no_network;

/// Lets `program` use the module at `port` once there is a network; waits
/// `timeout` seconds for that.
pub fn run<'a, P: Port<Error: Display>, T>(
    port: P,
    shared: &'a mut Shared<'a>,
    timeout: u16,
    program: impl AsyncFnOnce(Stack<'a>, &AsyncPort<P>) -> Result<T, String>,
) -> Result<T, String> {
    let (stack, runner) = shared.split();
    let port = AsyncPort::new(port);
    let line = runner.run(port.rx(), port.tx(), port.clock());
    let program = async {
        let limit = u64::from(timeout) * 1_000;
        match within(&port, limit, stack.wait_network()).await {
            Some((3, 1)) => program(stack, &port).await,
            Some((stage, code)) => Err(no_network(stage, code)),
            None => Err(format!(
                "no network within {timeout} s; wait longer with --network-timeout"
            )),
        }
    };
    match port.block_on(select(program, line)) {
        Either::First(outcome) => outcome,
        Either::Second(Ended::Read(error) | Ended::Write(error)) => Err(error.to_string()),
        Either::Second(ended) => Err(format!("the serial port is closed ({ended:?})")),
    }
}

/// What `future` gives, if it does so in so many milliseconds; dropped then.
pub async fn within<P: Port, T>(
    port: &AsyncPort<P>,
    ms: u64,
    future: impl Future<Output = T>,
) -> Option<T> {
    match select(future, port.sleep(ms)).await {
        Either::First(value) => Some(value),
        Either::Second(()) => None,
    }
}
