//! Waiting: an attempt is made, and made again each time the runner has found
//! that it would no longer be in vain.

use core::{
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use super::{Error, Shared};
use crate::{engine::Wait, runner::Core, slot::Handle};

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
            if step.is_pending()
                && !core.keep(self.handle, self.wait, self.timeout, self.again, &mut waker)
            {
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
