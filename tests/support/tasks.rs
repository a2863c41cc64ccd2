//! The `asynch` face on an executor of its own, in virtual time: tasks are
//! polled in turn while any is awake, then time passes until one is. No
//! threads; the same run every time.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use quectel_sockets::asynch::Clock;

use super::sim::SimPort;

/// What the tasks live in: a module, and time.
pub trait World {
    /// Lets time pass until a task is woken, or something else has happened;
    /// `false` if nothing will ever happen.
    fn advance(&mut self) -> bool;
}

/// Wakes one task, and counts.
#[derive(Default)]
pub struct Flag {
    awake: AtomicBool,
    wakes: AtomicU64,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.awake.store(true, Relaxed);
        self.wakes.fetch_add(1, Relaxed);
    }
}

impl Flag {
    /// How often the task was woken.
    pub fn wakes(&self) -> u64 {
        self.wakes.load(Relaxed)
    }
}

struct Task<'a> {
    future: Pin<Box<dyn Future<Output = ()> + 'a>>,
    flag: Arc<Flag>,
    done: bool,
}

/// The executor.
pub struct Tasks<'a, W> {
    pub world: W,
    tasks: Vec<Task<'a>>,
    /// Polls tasks that nobody has woken, too, whenever time has passed.
    pub spurious: bool,
}

impl<'a, W: World> Tasks<'a, W> {
    pub fn new(world: W) -> Self {
        Self {
            world,
            tasks: Vec::new(),
            spurious: false,
        }
    }

    /// A task that runs whenever another one is waited for.
    pub fn spawn(&mut self, future: impl Future<Output = ()> + 'a) -> Arc<Flag> {
        let flag = Arc::new(Flag::default());
        flag.awake.store(true, Relaxed);
        self.tasks.push(Task {
            future: Box::pin(future),
            flag: Arc::clone(&flag),
            done: false,
        });
        flag
    }

    /// Polls each task that is awake, once; returns whether there was one.
    fn round(&mut self) -> bool {
        let mut any = false;
        for task in &mut self.tasks {
            if !task.done && task.flag.awake.swap(false, Relaxed) {
                any = true;
                let waker = Waker::from(Arc::clone(&task.flag));
                task.done = task
                    .future
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_ready();
            }
        }
        any
    }

    /// Runs all tasks until none is awake.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            if !self.round() {
                return;
            }
        }
        panic!("a task is woken again and again");
    }

    /// Runs all tasks until this one has ended.
    #[track_caller]
    pub fn block_on<T>(&mut self, future: impl Future<Output = T>) -> T {
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(Arc::clone(&flag));
        let mut future = pin!(future);
        flag.awake.store(true, Relaxed);
        let mut rounds = 0;
        loop {
            if flag.awake.swap(false, Relaxed)
                && let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker))
            {
                return value;
            }
            let busy = self.round();
            rounds += 1;
            if busy || flag.awake.load(Relaxed) {
                assert!(rounds < 100_000, "a task is woken again and again");
                continue;
            }
            rounds = 0;
            assert!(self.world.advance(), "nothing will ever happen");
            if self.spurious {
                flag.awake.store(true, Relaxed);
            }
        }
    }
}

/// Virtual milliseconds, and who sleeps until when.
#[derive(Default)]
pub struct Time {
    pub now: Cell<u64>,
    timers: RefCell<Vec<(u64, Waker)>>,
}

impl Time {
    /// When the first sleeper is to be woken.
    pub fn next(&self) -> Option<u64> {
        self.timers.borrow().iter().map(|(at, _)| *at).min()
    }

    /// Moves the clock and wakes those whose time has come.
    pub fn set(&self, now: u64) {
        assert!(now >= self.now.get());
        self.now.set(now);
        let due: Vec<_> = self
            .timers
            .borrow_mut()
            .extract_if(.., |(at, _)| *at <= now)
            .collect();
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    pub async fn sleep_until(&self, at: u64) {
        poll_fn(|cx| {
            if self.now.get() >= at {
                return Poll::Ready(());
            }
            let mut timers = self.timers.borrow_mut();
            // One entry a task, for the first of its sleeps.
            match timers
                .iter_mut()
                .find(|(_, waker)| waker.will_wake(cx.waker()))
            {
                Some((first, _)) => *first = at.min(*first),
                None => timers.push((at, cx.waker().clone())),
            }
            Poll::Pending
        })
        .await;
    }

    pub async fn sleep(&self, ms: u64) {
        self.sleep_until(self.now.get() + ms).await;
    }
}

/// The runner's clock.
#[derive(Clone, Default)]
pub struct VirtualClock(pub Rc<Time>);

impl Clock for VirtualClock {
    fn now(&self) -> u64 {
        self.0.now.get()
    }

    async fn sleep_until(&self, at: u64) {
        assert!(at > self.now(), "a sleep that is over before it begins");
        self.0.sleep_until(at).await;
    }
}

/// The serial port fails, when the test says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unplugged;

impl std::fmt::Display for Unplugged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unplugged")
    }
}

impl std::error::Error for Unplugged {}

impl embedded_io_async::Error for Unplugged {
    fn kind(&self) -> ErrorKind {
        ErrorKind::BrokenPipe
    }
}

/// A simulated module, its serial line, and time.
#[derive(Clone)]
pub struct SimWorld {
    pub port: SimPort,
    pub clock: VirtualClock,
    rx: Rc<RefCell<Option<Waker>>>,
    tx: Rc<RefCell<Option<Waker>>>,
    pub unplugged: Rc<Cell<bool>>,
    /// The UART's driver wakes at every byte.
    pub bytewise: bool,
}

impl SimWorld {
    pub fn new(port: &SimPort) -> Self {
        Self {
            port: port.clone(),
            clock: VirtualClock::default(),
            rx: Rc::default(),
            tx: Rc::default(),
            unplugged: Rc::default(),
            bytewise: false,
        }
    }

    /// The serial port fails from now on.
    pub fn unplug(&self) {
        self.unplugged.set(true);
        self.wake();
    }

    pub fn line(&self) -> (Rx, Tx) {
        (Rx(self.clone()), Tx(self.clone()))
    }

    fn wake(&self) {
        let gone = self.unplugged.get();
        if (gone || self.port.sim.borrow().readable() > 0)
            && let Some(waker) = self.rx.borrow_mut().take()
        {
            waker.wake();
        }
        if (gone || self.port.sim.borrow().write_free() > 0)
            && let Some(waker) = self.tx.borrow_mut().take()
        {
            waker.wake();
        }
    }
}

impl World for SimWorld {
    fn advance(&mut self) -> bool {
        /// Two byte times at 115200 baud: a UART's driver wakes when the line
        /// pauses, or its buffer is half full.
        const GAP_US: u64 = 180;
        const HALF: usize = 64;
        let timer = self.clock.0.next().map(|at| at * 1_000);
        loop {
            let mut sim = self.port.sim.borrow_mut();
            let event = sim.next_event();
            // A full transmit buffer drains without an event.
            let full = self.tx.borrow().is_some();
            let timer = timer
                .into_iter()
                .chain(full.then_some(sim.now() + 1_000))
                .min();
            let Some(at) = event.into_iter().chain(timer).min() else {
                return false;
            };
            sim.run_until(at);
            let soon = sim.next_event().is_some_and(|at| at <= sim.now() + GAP_US);
            let read = sim.readable();
            let now = sim.now();
            drop(sim);
            if self.bytewise || timer == Some(at) || read >= HALF || !soon {
                self.clock.0.set(now / 1_000);
                self.wake();
                return true;
            }
        }
    }
}

pub struct Rx(SimWorld);
pub struct Tx(SimWorld);

impl ErrorType for Rx {
    type Error = Unplugged;
}

impl ErrorType for Tx {
    type Error = Unplugged;
}

impl Read for Rx {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Unplugged> {
        poll_fn(|cx| {
            if self.0.unplugged.get() {
                return Poll::Ready(Err(Unplugged));
            }
            match self.0.port.sim.borrow_mut().read(buffer) {
                0 => {
                    *self.0.rx.borrow_mut() = Some(cx.waker().clone());
                    Poll::Pending
                }
                n => Poll::Ready(Ok(n)),
            }
        })
        .await
    }
}

impl Write for Tx {
    async fn write(&mut self, data: &[u8]) -> Result<usize, Unplugged> {
        poll_fn(|cx| {
            if self.0.unplugged.get() {
                return Poll::Ready(Err(Unplugged));
            }
            let mut sim = self.0.port.sim.borrow_mut();
            let n = data.len().min(sim.write_free());
            if n == 0 {
                *self.0.tx.borrow_mut() = Some(cx.waker().clone());
                return Poll::Pending;
            }
            sim.write(&data[..n]);
            Poll::Ready(Ok(n))
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), Unplugged> {
        Ok(())
    }
}

/// Polls a future so many times at the most, then drops it.
pub async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Both, at the same time.
pub async fn join<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut from_a, mut from_b) = (None, None);
    poll_fn(|cx| {
        if from_a.is_none()
            && let Poll::Ready(value) = a.as_mut().poll(cx)
        {
            from_a = Some(value);
        }
        if from_b.is_none()
            && let Poll::Ready(value) = b.as_mut().poll(cx)
        {
            from_b = Some(value);
        }
        match (from_a.take(), from_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (from_a, from_b) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

/// `on_sim!(tasks, stack, port, 2)`, `on_sim!(tasks, stack, port, 2, config)`:
/// a stack of so many sockets on a simulated module, and the tasks; the
/// network is up.
#[macro_export]
macro_rules! on_sim {
    ($tasks:ident, $stack:ident, $port:expr, $n:expr) => {
        on_sim!($tasks, $stack, $port, $n, $crate::support::sim::config());
    };
    ($tasks:ident, $stack:ident, $port:expr, $n:expr, $config:expr) => {
        on_sim!(
            $tasks,
            $stack,
            $port,
            vec![([0; 1500], [0; 1460]); $n],
            $config,
            up
        );
    };
    ($tasks:ident, $stack:ident, $port:expr, $memory:expr, $config:expr, $up:ident) => {
        let mut memory = $memory;
        let mut slots: Vec<_> = memory
            .iter_mut()
            .map(|(rx, tx)| quectel_sockets::Slot::new(rx, tx))
            .collect();
        let mut shared = quectel_sockets::asynch::Shared::new(&mut slots, $config);
        let ($stack, runner) = shared.split();
        let world = $crate::support::tasks::SimWorld::new(&$port);
        #[allow(unused_mut)]
        let mut $tasks = $crate::support::tasks::Tasks::new(world.clone());
        $tasks.spawn(async move {
            let (rx, tx) = world.line();
            let _ = runner.run(rx, tx, world.clock.clone()).await;
        });
        if stringify!($up) == "up" {
            assert_eq!($tasks.block_on($stack.wait_network()), (3, 1));
        }
    };
}
