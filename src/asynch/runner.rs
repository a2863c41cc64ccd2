//! What drives everything: two endless loops that move bytes, joined in one
//! future with the passing of time.

use core::{future::poll_fn, pin::pin, task::Poll};

use embedded_io_async::{Read, Write};

use super::{Core, Shared};

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
/// that waited was woken; a new [`Shared`](super::Shared) starts over.
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
    pub(super) shared: &'a Shared<'a>,
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
        if core::mem::replace(&mut gave, true) {
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
