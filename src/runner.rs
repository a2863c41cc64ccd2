//! An engine joined to the two halves of a serial line and a clock, for tasks:
//! what the face `asynch` stands on, as the others do on `Stack`. Two endless
//! loops that move bytes, joined in one future with the passing of time; and
//! who waits for what.

use core::{
    cell::{Cell, RefCell},
    fmt,
    future::poll_fn,
    mem,
    pin::pin,
    task::{Poll, Waker},
};

use embedded_io_async::{Read, Write};

use crate::{
    asynch::Stack,
    config::Config,
    engine::{Engine, Limit, SIDES, Side, Wait, Waiter},
    slot::{Handle, Slot},
    socket::Error,
};

/// Tasks that can wait for the module, for the network or a name say, at the
/// same time. Beyond that they keep each other awake.
const WAITERS: usize = 8;

/// What the tasks share: the engine, and who waits for it. On a
/// microcontroller it lives in a `StaticCell`, as the slots do.
///
/// ```
/// use quectel_sockets::{Config, Slot, asynch::Shared};
/// let (mut rx, mut tx) = ([0; 1500], [0; 1460]);
/// let mut slots = [Slot::new(&mut rx, &mut tx)];
/// let mut shared = Shared::new(&mut slots, Config::default());
/// let (stack, runner) = shared.split();
/// # let _ = (stack, runner);
/// ```
pub struct Shared<'a> {
    core: RefCell<Core<'a>>,
    /// There may be something to do for the runner.
    changed: Cell<bool>,
    runner: Cell<Option<Waker>>,
}

impl fmt::Debug for Shared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

#[derive(Debug)]
pub(crate) struct Core<'a> {
    pub(crate) engine: Engine<'a>,
    /// When the runner last looked at the clock.
    pub(crate) now: u64,
    /// Those that wait for the module.
    waiters: [Waiter; WAITERS],
    /// The place whose task had to go last.
    evicted: usize,
    /// When the first task's time is over.
    first_limit: u64,
}

impl<'a> Shared<'a> {
    /// For sockets in these slots. Nothing is sent before the runner runs.
    pub fn new(slots: &'a mut [Slot<'a>], config: Config<'a>) -> Self {
        Self {
            core: RefCell::new(Core {
                engine: Engine::new(slots, config),
                now: 0,
                waiters: Default::default(),
                evicted: 0,
                first_limit: u64::MAX,
            }),
            changed: Cell::new(true),
            runner: Cell::new(None),
        }
    }

    /// The handle for the tasks, and what drives it all.
    pub fn split(&'a mut self) -> (Stack<'a>, Runner<'a>) {
        (Stack::new(self), Runner { shared: self })
    }

    /// Borrows the engine for one step. Whoever steps never wakes or drops a
    /// task inside, so no step is ever inside another one.
    pub(crate) fn with<T>(&self, step: impl FnOnce(&mut Core<'a>) -> T) -> Result<T, Error> {
        let mut core = self.core.try_borrow_mut().map_err(|_| Error::Busy)?;
        Ok(step(&mut core))
    }

    /// Makes the runner look.
    pub(crate) fn kick(&self) {
        if !self.changed.replace(true)
            && let Some(runner) = self.runner.take()
        {
            runner.wake();
        }
    }
}

/// A clock and a timer. With embassy:
///
/// ```ignore
/// struct EmbassyClock;
/// impl Clock for EmbassyClock {
///     fn now(&self) -> u64 {
///         embassy_time::Instant::now().as_millis()
///     }
///     async fn sleep_until(&self, at: u64) {
///         embassy_time::Timer::at(embassy_time::Instant::from_millis(at)).await
///     }
/// }
/// ```
#[expect(async_fn_in_trait, reason = "for one thread: nothing has to be `Send`")]
pub trait Clock {
    /// Milliseconds since any fixed moment; never goes back.
    fn now(&self) -> u64;

    /// Waits until the time `at`, or shorter. Dropped before that if
    /// something happens.
    async fn sleep_until(&self, at: u64);
}

/// Why the runner has ended. Every socket has failed then, and every task
/// that waited was woken; a new [`Shared`] starts over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Ended<R, W> {
    /// Reading from the serial port failed.
    Read(R),
    /// Writing to it failed.
    Write(W),
    /// It has been closed: a read or a write of 0 bytes.
    Closed,
    /// A command did not fit its buffer, which cannot happen.
    Internal,
}

/// Bytes that go in or out at once. The rest waits in the UART's own buffer.
const CHUNK: usize = 64;
/// Chunks read before other tasks have their turn.
const CHUNKS: u8 = 32;

/// Moves the bytes between the module and the sockets.
#[derive(Debug)]
pub struct Runner<'a> {
    shared: &'a Shared<'a>,
}

impl Runner<'_> {
    /// Runs until the serial port fails. `rx` and `tx` are the two halves of
    /// the UART, `rx` with a buffer of its own that interrupts or DMA fill.
    /// Neither a read nor a write is ever dropped unfinished, unless this
    /// future is: then every socket stands still for good.
    pub async fn run<R: Read, W: Write>(
        self,
        rx: R,
        tx: W,
        clock: impl Clock,
    ) -> Ended<R::Error, W::Error> {
        let shared = self.shared;
        let mut receive = pin!(receive(shared, rx, &clock));
        let mut transmit = pin!(transmit(shared, tx, &clock));
        let mut sleep = pin!(None);
        let ended = poll_fn(|cx| {
            shared.runner.set(Some(cx.waker().clone()));
            // Once more for what each has left to the others.
            for _ in 0..2 {
                if let Poll::Ready(ended) = receive.as_mut().poll(cx) {
                    return Poll::Ready(ended);
                }
                if shared.changed.replace(false) {
                    let Some(due) = pass_time(shared, clock.now()) else {
                        return Poll::Ready(Ended::Internal);
                    };
                    sleep.set((due < u64::MAX).then(|| clock.sleep_until(due)));
                }
                if let Some(asleep) = sleep.as_mut().as_pin_mut()
                    && asleep.poll(cx).is_ready()
                {
                    sleep.set(None);
                    shared.changed.set(true);
                }
                if let Poll::Ready(ended) = transmit.as_mut().poll(cx) {
                    return Poll::Ready(ended);
                }
                if !shared.changed.get() {
                    return Poll::Pending;
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let now = clock.now();
        let _ = shared.with(|core| core.engine.port_failed(now));
        wake_ready(shared);
        ended
    }
}

async fn receive<R: Read, E>(
    shared: &Shared<'_>,
    mut rx: R,
    clock: &impl Clock,
) -> Ended<R::Error, E> {
    let mut chunk = [0; CHUNK];
    let mut chunks = 0;
    loop {
        let n = match rx.read(&mut chunk).await {
            Ok(0) => return Ended::Closed,
            Ok(n) => n,
            Err(error) => return Ended::Read(error),
        };
        let now = clock.now();
        let _ = shared.with(|core| {
            core.engine.rx(now, chunk.get(..n).unwrap_or_default());
            core.engine.poll(now);
        });
        shared.changed.set(true);
        chunks += 1;
        if chunks == CHUNKS {
            chunks = 0;
            give_way().await;
        }
    }
}

/// Lets the other loops, and other tasks, have their turn.
async fn give_way() {
    let mut gave = false;
    poll_fn(|cx| {
        if mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn transmit<W: Write, E>(
    shared: &Shared<'_>,
    mut tx: W,
    clock: &impl Clock,
) -> Ended<E, W::Error> {
    let mut chunk = [0; CHUNK];
    loop {
        // They count as sent: what the module says meanwhile may put other
        // bytes in their place.
        let (n, last) = poll_fn(|_| match take(shared, &mut chunk, clock) {
            (0, _) => Poll::Pending,
            taken => Poll::Ready(taken),
        })
        .await;
        shared.changed.set(true);
        let mut rest = chunk.get(..n).unwrap_or_default();
        while !rest.is_empty() {
            rest = match tx.write(rest).await {
                Ok(0) => return Ended::Closed,
                Ok(n) => rest.get(n..).unwrap_or_default(),
                Err(error) => return Ended::Write(error),
            };
        }
        // The line may buffer: the last byte must not stay behind.
        if last && let Err(error) = tx.flush().await {
            return Ended::Write(error);
        }
    }
}

/// Takes the next bytes out of the engine; and whether they are all.
fn take(shared: &Shared<'_>, chunk: &mut [u8; CHUNK], clock: &impl Clock) -> (usize, bool) {
    let taken = shared.with(|core| {
        let out = core.engine.tx();
        let n = out.len().min(CHUNK);
        for (to, from) in chunk.iter_mut().zip(out) {
            *to = *from;
        }
        if n > 0 {
            core.engine.tx_done(clock.now(), n);
        }
        (n, core.engine.tx().is_empty())
    });
    taken.unwrap_or_default()
}

/// Does what is due, wakes who can go on, and returns when something is due
/// next. `None` if the engine has given up, which cannot happen here.
fn pass_time(shared: &Shared<'_>, now: u64) -> Option<u64> {
    let alive = shared.with(|core| {
        (core.now, core.first_limit) = (now, u64::MAX);
        core.engine.poll(now);
        core.engine.fault().is_none()
    });
    alive.ok().filter(|alive| *alive)?;
    wake_ready(shared);
    let due = |core: &mut Core<'_>| {
        core.engine
            .wake_at(now)
            .unwrap_or(u64::MAX)
            .min(core.first_limit)
    };
    shared.with(due).ok()
}

/// Wakes the tasks that can go on.
fn wake_ready(shared: &Shared<'_>) {
    let mut place = 0;
    while let Ok(Some(waker)) = shared.with(|core| core.next_ready(&mut place)) {
        waker.wake();
    }
}

impl Core<'_> {
    /// Keeps the task that waits for its socket, or for the module, for so
    /// many milliseconds from the first time on. `false` if its time is over.
    /// The waker that had the place goes to the caller.
    pub(crate) fn keep(
        &mut self,
        handle: Option<Handle>,
        wait: Wait,
        timeout: Option<u32>,
        again: bool,
        waker: &mut Option<Waker>,
    ) -> bool {
        let now = self.now;
        let place = match handle {
            Some(handle) => WAITERS + wait.place(handle.index.into()),
            None => self.module_place(wait, waker),
        };
        let Some(waiter) = self.waiter(place) else {
            return false;
        };
        if !again {
            waiter.limit = timeout.map_or(Limit::Never, Limit::Within);
        } else if matches!(waiter.limit, Limit::At(at) if now >= at) {
            if let (Side::Open, Some(handle)) = (wait.side, handle) {
                self.engine.cancel_connect(handle);
            }
            return false;
        }
        let task = waker.take().map(|own| (own, wait));
        *waker = mem::replace(&mut waiter.task, task).map(|(old, _)| old);
        true
    }

    /// The task's own place, or a free one. If all are taken, one task makes
    /// room and asks again.
    fn module_place(&mut self, wait: Wait, waker: &Option<Waker>) -> usize {
        let mut free = None;
        for (at, waiter) in self.waiters.iter().enumerate() {
            match (&waiter.task, waker) {
                (None, _) => free = Some(at),
                (Some((kept, of)), Some(own)) if of.is(wait) && kept.will_wake(own) => return at,
                _ => {}
            }
        }
        self.evicted = (self.evicted + 1) % WAITERS;
        free.unwrap_or(self.evicted)
    }

    /// The places for tasks that wait: for the module, then for each socket.
    fn waiter(&mut self, place: usize) -> Option<&mut Waiter> {
        match place.checked_sub(WAITERS) {
            None => self.waiters.get_mut(place),
            Some(place) => self.engine.waiter(place),
        }
    }

    /// The next task that can go on, in the places from `place` on; `None`
    /// behind the last one. Finds when the first time limit of the others is
    /// over, too.
    fn next_ready(&mut self, place: &mut usize) -> Option<Waker> {
        let now = self.now;
        loop {
            let at = *place;
            let waiter = self.waiter(at)?;
            *place += 1;
            let Some((_, wait)) = waiter.task else {
                continue;
            };
            let deadline = waiter.deadline(now);
            // No slot for the module's own places, which do not ask for one.
            let slot = at.wrapping_sub(WAITERS) / SIDES;
            let goes_on = self.engine.is_over(slot, wait);
            if goes_on || now >= deadline {
                return self.waiter(at)?.task.take().map(|(waker, _)| waker);
            }
            self.first_limit = self.first_limit.min(deadline);
        }
    }
}
