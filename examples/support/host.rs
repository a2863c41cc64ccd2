//! The `asynch` face on a port of this PC, in one thread. Nothing here
//! interrupts a sleep to wake a task: whenever bytes have come or a time is
//! reached, everything is polled once more. Tasks are joined, not spawned.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use embassy_futures::select::{Either, select};
use embedded_io::ErrorType;
use quectel_sockets::{
    Port,
    asynch::{Clock, Ended, Shared, Stack},
};

use super::told::no_network;

/// Milliseconds between two looks at a line that takes no more bytes.
const FULL: u64 = 1;

/// A port for tasks, with its clock.
pub struct Host<P> {
    port: RefCell<P>,
    /// The earliest time that something waits for.
    wake_at: Cell<u64>,
}

/// Lets `program` use the module at `port` once there is a network; waits
/// `timeout` seconds for that.
pub fn run<'a, P: Port<Error: std::fmt::Display>, T>(
    port: P,
    shared: &'a mut Shared<'a>,
    timeout: u16,
    program: impl AsyncFnOnce(Stack<'a>, &Host<P>) -> Result<T, String>,
) -> Result<T, String> {
    let (stack, runner) = shared.split();
    let host = Host {
        port: RefCell::new(port),
        wake_at: Cell::new(u64::MAX),
    };
    let line = runner.run(Half(&host), Half(&host), &host);
    let program = async {
        let limit = u64::from(timeout) * 1_000;
        match host.within(limit, stack.wait_network()).await {
            Some((3, 1)) => program(stack, &host).await,
            Some((stage, code)) => Err(no_network(stage, code)),
            None => Err(format!(
                "no network within {timeout} s; wait longer with --network-timeout"
            )),
        }
    };
    match host.block_on(select(program, line)) {
        Either::First(outcome) => outcome,
        Either::Second(Ended::Read(error) | Ended::Write(error)) => Err(error.to_string()),
        Either::Second(ended) => Err(format!("the serial port is closed ({ended:?})")),
    }
}

impl<P: Port> Host<P> {
    /// Milliseconds since some moment.
    pub fn now(&self) -> u64 {
        self.port.borrow_mut().now()
    }

    async fn sleep_until(&self, at: u64) {
        poll_fn(|_| match self.now() >= at {
            true => Poll::Ready(()),
            false => self.until(at),
        })
        .await;
    }

    /// What `future` gives, if it does so in so many milliseconds; dropped
    /// then.
    pub async fn within<T>(&self, ms: u64, future: impl Future<Output = T>) -> Option<T> {
        match select(future, self.sleep(ms)).await {
            Either::First(value) => Some(value),
            Either::Second(()) => None,
        }
    }

    /// Waits so many milliseconds.
    pub async fn sleep(&self, ms: u64) {
        self.sleep_until(self.now().saturating_add(ms)).await;
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut future = pin!(future);
        loop {
            self.wake_at.set(u64::MAX);
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return value;
            }
            if !woken.0.swap(false, Ordering::Relaxed) {
                self.port.borrow_mut().idle_until(self.wake_at.get());
            }
        }
    }

    /// Everything is polled again at the time `at`.
    fn until<T>(&self, at: u64) -> Poll<T> {
        self.wake_at.set(self.wake_at.get().min(at));
        Poll::Pending
    }
}

impl<P: Port> Clock for &Host<P> {
    fn now(&self) -> u64 {
        Host::now(self)
    }

    async fn sleep_until(&self, at: u64) {
        Host::sleep_until(self, at).await;
    }
}

/// A task has woken another one, or itself.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One direction of the line.
struct Half<'h, P>(&'h Host<P>);

impl<P: Port> ErrorType for Half<'_, P> {
    type Error = P::Error;
}

impl<P: Port> embedded_io_async::Read for Half<'_, P> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, P::Error> {
        poll_fn(|_| {
            let mut port = self.0.port.borrow_mut();
            match port.read_ready() {
                Ok(true) => Poll::Ready(port.read(buffer)),
                // Bytes end every sleep.
                Ok(false) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
    }
}

impl<P: Port> embedded_io_async::Write for Half<'_, P> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, P::Error> {
        poll_fn(|_| {
            let mut port = self.0.port.borrow_mut();
            match port.write_ready() {
                Ok(true) => Poll::Ready(port.write(bytes)),
                Ok(false) => {
                    let now = port.now();
                    self.0.until(now + FULL)
                }
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), P::Error> {
        self.0.port.borrow_mut().flush()
    }
}
