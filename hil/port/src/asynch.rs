//! A port for the `asynch` face, and an executor for a PC: one thread that
//! sleeps in the port.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use embedded_io_async::{ErrorType, Read, Write};
use quectel_sockets::{Port, asynch::Clock};

/// Any [`Port`] as what [`Runner::run`](quectel_sockets::asynch::Runner::run)
/// wants: two halves and a clock.
///
/// [`block_on`](Self::block_on) is the executor. While no task is awake it
/// sleeps in [`Port::idle_until`]; that returns when bytes have come or the
/// first sleeper's time is over. It runs one future: `join` and `select` of
/// any crate make one of several.
///
/// ```
/// use quectel_port::{AsyncPort, PcPort, Settings};
/// use quectel_sockets::{Config, Slot, asynch::Shared};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let name = format!("tcp:{}", server.local_addr()?);
/// let port = AsyncPort::new(PcPort::open(&name, &Settings::default())?);
/// # drop(server.accept()?);
/// let (mut rx, mut tx) = ([0; 1500], [0; 1460]);
/// let mut slots = [Slot::new(&mut rx, &mut tx)];
/// let mut shared = Shared::new(&mut slots, Config::default());
/// let (stack, runner) = shared.split();
/// // Here it ends at once: the server has closed the connection.
/// let ended = port.block_on(runner.run(port.rx(), port.tx(), port.clock()));
/// println!("{ended:?}");
/// assert!(stack.fault().is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncPort<P>(RefCell<State<P>>);

#[derive(Debug)]
struct State<P> {
    port: P,
    /// Who waits for bytes, and for room.
    rx: Option<Waker>,
    tx: Option<Waker>,
    sleepers: Vec<(u64, Waker)>,
}

/// The longest sleep, in milliseconds: so late is a wake from another thread
/// noticed.
const LONGEST_MS: u64 = 100;

impl<P: Port> AsyncPort<P> {
    /// Takes the port over.
    pub const fn new(port: P) -> Self {
        Self(RefCell::new(State {
            port,
            rx: None,
            tx: None,
            sleepers: Vec::new(),
        }))
    }

    /// The half that receives.
    pub fn rx(&self) -> Rx<'_, P> {
        Rx(self)
    }

    /// The half that sends.
    pub fn tx(&self) -> Tx<'_, P> {
        Tx(self)
    }

    /// The port's clock.
    pub fn clock(&self) -> PortClock<'_, P> {
        PortClock(self)
    }

    /// Milliseconds, by the port's clock.
    pub fn now(&self) -> u64 {
        self.0.borrow_mut().port.now()
    }

    /// Waits so many milliseconds.
    pub async fn sleep(&self, ms: u64) {
        let at = self.now().saturating_add(ms);
        self.sleep_until(at).await;
    }

    async fn sleep_until(&self, at: u64) {
        poll_fn(|cx| {
            let state = &mut *self.0.borrow_mut();
            if state.port.now() >= at {
                return Poll::Ready(());
            }
            // One entry a task, for the first of its sleeps: a sleep that was
            // dropped is not known.
            let known = |(_, waker): &&mut (u64, Waker)| waker.will_wake(cx.waker());
            match state.sleepers.iter_mut().find(known) {
                Some((first, _)) => *first = at.min(*first),
                None => state.sleepers.push((at, cx.waker().clone())),
            }
            Poll::Pending
        })
        .await;
    }

    /// Pulls the module's reset pin, if the port has it; returns whether it
    /// did. For [`Stack::reset_wanted`](quectel_sockets::asynch::Stack::reset_wanted).
    pub fn reset_module(&self) -> bool {
        self.0.borrow_mut().port.reset_module()
    }

    /// Runs this future, and what it consists of, to its end.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&flag));
        let mut future = pin!(future);
        loop {
            while flag.0.swap(false, Ordering::Acquire) {
                let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
                if let Poll::Ready(value) = polled {
                    return value;
                }
            }
            // Wakers are called when the port is not borrowed.
            let woken = self.0.borrow_mut().idle();
            woken.into_iter().for_each(Waker::wake);
        }
    }
}

impl<P: Port> State<P> {
    /// Sleeps until something has happened, and returns whom it concerns.
    fn idle(&mut self) -> Vec<Waker> {
        let now = self.port.now();
        let first = self.sleepers.iter().map(|(at, _)| *at).min();
        // A full transmit buffer drains a byte or more a millisecond.
        let longest = if self.tx.is_some() { 1 } else { LONGEST_MS };
        let at = now.saturating_add(longest);
        self.port.idle_until(first.unwrap_or(at).min(at));
        let now = self.port.now();
        let due = self.sleepers.extract_if(.., |(at, _)| *at <= now);
        let mut woken: Vec<_> = due.map(|(_, waker)| waker).collect();
        // An error is told by the read or the write itself.
        woken.extend(
            self.rx
                .take_if(|_| !matches!(self.port.read_ready(), Ok(false))),
        );
        woken.extend(
            self.tx
                .take_if(|_| !matches!(self.port.write_ready(), Ok(false))),
        );
        woken
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// The half of an [`AsyncPort`] that receives.
#[derive(Debug)]
pub struct Rx<'p, P>(&'p AsyncPort<P>);

/// The half of an [`AsyncPort`] that sends.
#[derive(Debug)]
pub struct Tx<'p, P>(&'p AsyncPort<P>);

/// The clock of an [`AsyncPort`].
#[derive(Debug)]
pub struct PortClock<'p, P>(&'p AsyncPort<P>);

impl<P: Port> ErrorType for Rx<'_, P> {
    type Error = P::Error;
}

impl<P: Port> ErrorType for Tx<'_, P> {
    type Error = P::Error;
}

impl<P: Port> Read for Rx<'_, P> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, P::Error> {
        poll_fn(|cx| {
            let state = &mut *self.0.0.borrow_mut();
            match state.port.read_ready() {
                Ok(true) => Poll::Ready(state.port.read(buffer)),
                Ok(false) => {
                    state.rx = Some(cx.waker().clone());
                    Poll::Pending
                }
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
    }
}

impl<P: Port> Write for Tx<'_, P> {
    async fn write(&mut self, data: &[u8]) -> Result<usize, P::Error> {
        poll_fn(|cx| {
            let state = &mut *self.0.0.borrow_mut();
            match state.port.write_ready() {
                Ok(true) => Poll::Ready(state.port.write(data)),
                Ok(false) => {
                    state.tx = Some(cx.waker().clone());
                    Poll::Pending
                }
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
    }

    /// Does not wait: the system sends what it has taken.
    async fn flush(&mut self) -> Result<(), P::Error> {
        Ok(())
    }
}

impl<P: Port> Clock for PortClock<'_, P> {
    fn now(&self) -> u64 {
        self.0.now()
    }

    async fn sleep_until(&self, at: u64) {
        self.0.sleep_until(at).await;
    }
}
