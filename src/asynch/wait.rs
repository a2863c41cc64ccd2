//! Waiting: an attempt is made, and made again each time the runner has found
//! that it would no longer be in vain.

use core::{
    future::poll_fn,
    mem,
    task::{Context, Poll, Waker},
};

use super::{Core, Error, Shared, WAITERS};
use crate::{
    engine::{Limit, Side, Wait},
    slot::Handle,
};

/// Where the task is kept, and for what.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Socket(Handle, Side, Wait),
    Module(Wait),
}

impl<'a> Shared<'a> {
    /// Attempts until it no longer would block, or until so many milliseconds
    /// are over. Dropped, it leaves at most a waker behind.
    pub(super) fn wait<T, E: Into<Error>>(
        &self,
        place: Place,
        timeout: Option<u32>,
        mut attempt: impl FnMut(&mut Core<'a>) -> nb::Result<T, E>,
    ) -> impl Future<Output = Result<T, Error>> {
        let mut first = true;
        poll_fn(move |cx| {
            let mut outcome = Err(Error::Busy);
            let mut attempt = |core: &mut Core<'a>| match attempt(core) {
                Err(nb::Error::WouldBlock) => false,
                Err(nb::Error::Other(error)) => {
                    outcome = Err(error.into());
                    true
                }
                Ok(value) => {
                    outcome = Ok(value);
                    true
                }
            };
            match self.poll(cx, place, timeout, &mut first, &mut attempt) {
                Poll::Ready(Ok(())) => Poll::Ready(outcome),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            }
        })
    }

    /// What all kinds of waiting have in common; one function, because they
    /// are many. `attempt` tells whether it has ended.
    fn poll(
        &self,
        cx: &Context<'_>,
        place: Place,
        timeout: Option<u32>,
        first: &mut bool,
        attempt: &mut dyn FnMut(&mut Core<'a>) -> bool,
    ) -> Poll<Result<(), Error>> {
        // Cloned and dropped outside the step: it may be foreign code.
        let mut waker = Some(cx.waker().clone());
        let step = self.with(|core| {
            if attempt(core) {
                Poll::Ready(Ok(()))
            } else if core.keep(place, *first, timeout, &mut waker) {
                Poll::Pending
            } else {
                Poll::Ready(Err(Error::TimedOut))
            }
        });
        let step = step.unwrap_or(Poll::Ready(Err(Error::Busy)));
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
        if *first || step.is_ready() || !spurious {
            self.kick();
        }
        *first = false;
        step
    }

    /// Waits for the turn to resolve a name.
    pub(super) async fn resolver(&self) -> Result<Turn<'_, 'a>, Error> {
        let place = Place::Module(Wait::Turn);
        let attempt = |core: &mut Core<'a>| match core.has_turn() {
            true => {
                core.resolving = true;
                Ok(())
            }
            false => Err(nb::Error::<Error>::WouldBlock),
        };
        self.wait(place, None, attempt).await?;
        Ok(Turn(self))
    }
}

/// The turn to resolve a name; ends when dropped.
pub(super) struct Turn<'s, 'a>(&'s Shared<'a>);

impl Drop for Turn<'_, '_> {
    fn drop(&mut self) {
        let _ = self.0.with(|core| core.resolving = false);
        self.0.kick();
    }
}

impl Core<'_> {
    /// Whether a name can be resolved now. Without a runner there are no
    /// turns: nobody would be woken for the next one.
    fn has_turn(&self) -> bool {
        !self.resolving || self.engine.fault().is_some()
    }

    /// Keeps the task; `false` if its time is over. The waker that had the
    /// place goes to the caller.
    fn keep(
        &mut self,
        place: Place,
        first: bool,
        timeout: Option<u32>,
        waker: &mut Option<Waker>,
    ) -> bool {
        match place {
            Place::Socket(handle, side, wait) => {
                let waiters = self.engine.waiters(usize::from(handle.index));
                let Some(waiter) = waiters.map(|waiters| waiters.side(side)) else {
                    return false;
                };
                if first {
                    waiter.limit = timeout.map_or(Limit::Never, Limit::Within);
                } else if waiter.limit == Limit::Over {
                    if wait == Wait::Open {
                        self.engine.cancel_connect(handle);
                    }
                    return false;
                }
                waiter.wait = wait;
                mem::swap(&mut waiter.waker, waker);
            }
            Place::Module(what) => self.keep_in_list(what, waker),
        }
        true
    }

    fn keep_in_list(&mut self, what: Wait, waker: &mut Option<Waker>) {
        let Some(new) = waker.take() else {
            return;
        };
        let (mut at, mut free) = (0, None);
        while let Some(place) = self.place(at) {
            match place {
                Some((kept, of)) if *of == what && kept.will_wake(&new) => {
                    free = Some(at);
                    break;
                }
                None if free.is_none() => free = Some(at),
                _ => {}
            }
            at += 1;
        }
        // If all are taken, one task makes room and asks again.
        self.evicted = (self.evicted + 1) % at.max(1);
        let evicted = self.evicted;
        if let Some(place) = self.place(free.unwrap_or(evicted)) {
            *waker = place.replace((new, what)).map(|(old, _)| old);
        }
    }

    /// The places for tasks that wait for the module.
    fn place(&mut self, at: usize) -> Option<&mut Option<(Waker, Wait)>> {
        match at.checked_sub(WAITERS) {
            None => self.waiters.get_mut(at),
            Some(at) => Some(&mut self.engine.waiters(at)?.module),
        }
    }

    /// A task that waits for the module and can go on; of the place at `at`.
    pub(super) fn take_told(&mut self, at: usize) -> Option<Waker> {
        let what = self.place(at)?.as_ref()?.1;
        let told = match what {
            Wait::Turn => self.has_turn(),
            other => self.engine.has_come(other),
        };
        let place = self.place(at)?;
        place.take_if(|_| told).map(|(waker, _)| waker)
    }
}
