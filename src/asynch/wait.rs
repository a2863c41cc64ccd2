//! Waiting: an attempt is made, and made again each time the runner has found
//! that it would no longer be in vain.

use core::{
    marker::PhantomData,
    mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::{Core, Error, Shared, WAITERS};
use crate::{
    engine::{Limit, SIDES, Side, Wait, Waiter},
    slot::Handle,
};

/// What most calls return: so one function serves them all.
pub(super) trait Count {
    fn to(self) -> usize;
    fn of(n: usize) -> Self;
}

impl Count for usize {
    fn to(self) -> usize {
        self
    }
    fn of(n: usize) -> Self {
        n
    }
}

impl Count for Handle {
    fn to(self) -> usize {
        usize::from(self.generation) << 8 | usize::from(self.index)
    }
    fn of(n: usize) -> Self {
        let (index, generation) = (n as u8, (n >> 8) as u16);
        Self { index, generation }
    }
}

impl Count for () {
    fn to(self) -> usize {
        0
    }
    fn of(_: usize) -> Self {}
}

/// Who waits, and for what.
#[derive(Clone, Copy)]
pub(super) struct Call<'s, 'a> {
    pub(super) shared: &'s Shared<'a>,
    /// The socket that waits; none if it is the module that is waited for.
    pub(super) handle: Option<Handle>,
    pub(super) wait: Wait,
    /// Milliseconds.
    pub(super) timeout: Option<u32>,
    /// It was attempted before.
    pub(super) again: bool,
}

/// Attempts until it no longer would block, or until the time is over.
/// Dropped, it leaves at most a waker behind.
pub(super) struct Waiting<'s, 'a, T, F> {
    call: Call<'s, 'a>,
    attempt: F,
    value: PhantomData<fn() -> T>,
}

/// Nothing is pinned.
impl<T, F> Unpin for Waiting<'_, '_, T, F> {}

impl<'a, T: Count, F> Future for Waiting<'_, 'a, T, F>
where
    F: FnMut(&mut Core<'a>) -> Poll<Result<usize, Error>>,
{
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { call, attempt, .. } = &mut *self;
        call.poll(cx, attempt).map(|n| n.map(T::of))
    }
}

/// One of the engine's calls, for the one function that serves all. Smaller
/// than `dyn FnMut`, which can be called once, too.
trait Attempt<'a> {
    fn attempt(&mut self, core: &mut Core<'a>) -> Poll<Result<usize, Error>>;
}

impl<'a, F: FnMut(&mut Core<'a>) -> Poll<Result<usize, Error>>> Attempt<'a> for F {
    fn attempt(&mut self, core: &mut Core<'a>) -> Poll<Result<usize, Error>> {
        self(core)
    }
}

impl<'s, 'a> Call<'s, 'a> {
    pub(super) fn until<T: Count, E: Into<Error>>(
        self,
        mut attempt: impl FnMut(&mut Core<'a>) -> nb::Result<T, E>,
    ) -> Waiting<'s, 'a, T, impl FnMut(&mut Core<'a>) -> Poll<Result<usize, Error>>> {
        Waiting {
            call: self,
            attempt: move |core: &mut Core<'a>| match attempt(core) {
                Ok(value) => Poll::Ready(Ok(value.to())),
                Err(nb::Error::WouldBlock) => Poll::Pending,
                Err(nb::Error::Other(error)) => Poll::Ready(Err(error.into())),
            },
            value: PhantomData,
        }
    }

    /// For what is more than a number.
    pub(super) async fn value<T, E: Into<Error>>(
        self,
        mut attempt: impl FnMut(&mut Core<'a>) -> nb::Result<T, E>,
    ) -> Result<T, Error> {
        let mut value = None;
        let keep = |core: &mut Core<'a>| attempt(core).map(|got| value = Some(got));
        self.until(keep).await?;
        value.ok_or(Error::Busy)
    }

    #[inline(never)]
    fn poll(
        &mut self,
        cx: &Context<'_>,
        attempt: &mut dyn Attempt<'a>,
    ) -> Poll<Result<usize, Error>> {
        // Cloned and dropped outside the step: it may be foreign code.
        let mut waker = Some(cx.waker().clone());
        let mut step = Poll::Ready(Err(Error::Busy));
        let _ = self.shared.with(|core| {
            step = attempt.attempt(core);
            if step.is_pending() && !core.keep(self, &mut waker) {
                step = Poll::Ready(Err(Error::TimedOut));
            }
        });
        let spurious = waker.is_some_and(|old| {
            let own = old.will_wake(cx.waker());
            if !own {
                // It had the place, and asks again.
                old.wake();
            }
            own
        });
        // An attempt may have left work, and time limits begin there. Not if
        // nobody had woken this task: that would go on for ever where the
        // runner is part of it.
        if !self.again || step.is_ready() || !spurious {
            self.shared.kick();
        }
        self.again = true;
        step
    }
}

impl Core<'_> {
    /// Keeps the task; `false` if its time is over. The waker that had the
    /// place goes to the caller.
    fn keep(&mut self, call: &Call<'_, '_>, waker: &mut Option<Waker>) -> bool {
        let now = self.now;
        let place = match call.handle {
            Some(handle) => WAITERS + call.wait.place(handle.index.into()),
            None => self.module_place(call.wait, waker),
        };
        let Some(waiter) = self.waiter(place) else {
            return false;
        };
        if !call.again {
            waiter.limit = call.timeout.map_or(Limit::Never, Limit::Within);
        } else if matches!(waiter.limit, Limit::At(at) if now >= at) {
            if let (Side::Open, Some(handle)) = (call.wait.side, call.handle) {
                self.engine.cancel_connect(handle);
            }
            return false;
        }
        let task = waker.take().map(|own| (own, call.wait));
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
    pub(super) fn next_ready(&mut self, place: &mut usize) -> Option<Waker> {
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
