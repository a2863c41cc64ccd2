//! Waiting: an attempt is made, and made again each time the runner has found
//! that it would no longer be in vain.

use core::{
    future::poll_fn,
    mem,
    task::{Poll, Waker},
};

use super::{Core, Error, Shared, WAITERS};
use crate::{
    engine::{Engine, Limit, Side, Wait},
    slot::Handle,
};

/// What a task waits for besides sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Module {
    Network,
    Event,
    Reset,
    /// A slot for a new socket.
    Slot,
    /// Its turn to resolve a name.
    Resolver,
    /// The answer to that.
    Answer,
}

/// Where the task is kept, and for what.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Socket(Handle, Side, Wait),
    Module(Module),
}

impl<'a> Shared<'a> {
    /// Attempts until it no longer would block, or until so many milliseconds
    /// are over. Dropped, it leaves at most a waker behind.
    pub(super) async fn wait<T, E: Into<Error>>(
        &self,
        place: Place,
        timeout: Option<u32>,
        mut attempt: impl FnMut(&mut Core<'a>) -> nb::Result<T, E>,
    ) -> Result<T, Error> {
        let mut first = true;
        poll_fn(|cx| {
            // Cloned and dropped outside the step: it may be foreign code.
            let mut waker = Some(cx.waker().clone());
            let step = self.with(|core| match attempt(core) {
                Ok(value) => Poll::Ready(Ok(value)),
                Err(nb::Error::Other(error)) => Poll::Ready(Err(error.into())),
                Err(nb::Error::WouldBlock) if core.keep(place, first, timeout, &mut waker) => {
                    Poll::Pending
                }
                Err(nb::Error::WouldBlock) => Poll::Ready(Err(Error::TimedOut)),
            });
            let step = step.unwrap_or_else(|busy| Poll::Ready(Err(busy)));
            // Another task that had the place asks again, or finds one.
            if let Some(other) = waker.filter(|waker| !waker.will_wake(cx.waker())) {
                other.wake();
            }
            // An attempt may have left work, and time limits begin there.
            if first || step.is_ready() {
                self.kick();
            }
            first = false;
            step
        })
        .await
    }

    /// Waits for the turn to resolve a name.
    pub(super) async fn resolver(&self) -> Result<Turn<'_, 'a>, Error> {
        let place = Place::Module(Module::Resolver);
        let attempt = |core: &mut Core<'a>| match mem::replace(&mut core.resolving, true) {
            true => Err(nb::Error::<Error>::WouldBlock),
            false => Ok(()),
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
                    return false;
                }
                waiter.wait = wait;
                mem::swap(&mut waiter.waker, waker);
            }
            Place::Module(what) => self.keep_in_list(what, waker),
        }
        true
    }

    fn keep_in_list(&mut self, what: Module, waker: &mut Option<Waker>) {
        let Some(new) = waker.take() else {
            return;
        };
        let own = |kept: &Option<(Waker, Module)>| {
            kept.as_ref()
                .is_some_and(|(waker, kept)| *kept == what && waker.will_wake(&new))
        };
        let at = self.waiters.iter().position(own);
        let at = at.or_else(|| self.waiters.iter().position(Option::is_none));
        if at.is_none() {
            // The oldest makes room, and asks again.
            self.waiters.rotate_left(1);
        }
        let place = self.waiters.get_mut(at.unwrap_or(WAITERS - 1));
        let old = place.and_then(|place| place.replace((new, what)));
        *waker = old.map(|(old, _)| old);
    }

    /// A task that can go on: the `at`th of all places, if it can.
    pub(super) fn take_ready(&mut self, at: usize) -> Option<Waker> {
        let Self {
            engine, waiters, ..
        } = self;
        if let Some(waiter) = waiters.get_mut(at) {
            let resolving = self.resolving;
            let ready = waiter.take_if(|(_, what)| ready(engine, resolving, *what));
            return ready.map(|(waker, _)| waker);
        }
        let at = at - WAITERS;
        let side = [Side::Rx, Side::Tx].get(at % 2).copied()?;
        engine.take_ready(at / 2, side, self.now)
    }
}

fn ready(engine: &Engine<'_>, resolving: bool, what: Module) -> bool {
    match what {
        Module::Network => engine.is_decided(),
        Module::Event => engine.has_event(),
        Module::Reset => engine.wants_reset(),
        Module::Slot => engine.has_slot_or_none(),
        Module::Resolver => !resolving,
        Module::Answer => engine.has_resolved(),
    }
}
