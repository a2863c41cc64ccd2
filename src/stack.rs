//! An engine joined to a serial line and a clock: what the faces `socket` and
//! `nb` stand on.

use core::cell::{Cell, RefCell, RefMut};

use embedded_io::{Read, ReadReady, Write, WriteReady};

use crate::{
    config::Config,
    engine::{Counters, Engine, Event, Fault, ModuleInfo},
    slot::{Handle, Slot},
    socket::Error,
};

/// A serial line and a clock.
///
/// `read` and `write` are only called after `read_ready` and `write_ready`
/// said yes. An error of any of the four ends the stack: every socket fails.
///
/// `examples/firmware` implements it for a polled UART, `hil/port` for the
/// serial devices of a PC.
pub trait Port: Read + ReadReady + Write + WriteReady {
    /// Milliseconds since any fixed moment; never goes back.
    fn now(&mut self) -> u64;

    /// Waits until the time `at`, or until bytes can be read, or shorter.
    /// On a microcontroller: sleep until the next interrupt.
    fn idle_until(&mut self, at: u64);

    /// Pulls the module's reset pin for as long as its family needs, if the
    /// port can; returns whether it did. Asked after `AT+CFUN=1,1` was not
    /// answered, or if a module has not answered for 60 s since the first
    /// `AT`. The default cannot: the application is told by
    /// [`Event::ResetWanted`].
    fn reset_module(&mut self) -> bool {
        false
    }
}

/// Bytes read in one go. The rest waits in the UART's own buffer.
const CHUNK: usize = 64;
/// Chunks handled in one step, so that a step is bounded.
const CHUNKS: usize = 32;

/// Several sockets on one module. Every call borrows the stack for one step
/// and never while it waits, so any number of sockets can be in use.
#[derive(Debug)]
pub struct Stack<'a, P: Port> {
    core: RefCell<Core<'a, P>>,
    /// Sockets that were dropped and wait for the next step: a bit a slot,
    /// for even and odd generations, so that the drop of a stale handle does
    /// not touch the slot's next owner.
    dropped: Cell<[u64; 2]>,
}

#[derive(Debug)]
pub(crate) struct Core<'a, P> {
    pub(crate) engine: Engine<'a>,
    pub(crate) port: P,
    /// When the engine was last polled.
    polled: u64,
}

impl<'a, P: Port> Stack<'a, P> {
    /// A stack for the module at `port`. Nothing is sent until the first
    /// call.
    pub fn new(port: P, slots: &'a mut [Slot<'a>], config: Config<'a>) -> Self {
        Self {
            core: RefCell::new(Core {
                engine: Engine::new(slots, config),
                port,
                polled: 0,
            }),
            dropped: Cell::default(),
        }
    }

    /// Lets the engine do what is due. Never waits. To be called now and
    /// then while no socket call runs.
    ///
    /// # Errors
    /// [`Error::Busy`] from inside another call on this stack.
    pub fn poll(&self) -> Result<(), Error> {
        self.step().map(drop)
    }

    /// Polls until `done` or until `ms` milliseconds are over; returns
    /// whether it was `done`.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn poll_until(&self, ms: u64, mut done: impl FnMut() -> bool) -> Result<bool, Error> {
        let deadline = self.now()?.saturating_add(ms);
        loop {
            let now = self.step()?;
            if done() {
                return Ok(true);
            }
            if now >= deadline {
                return Ok(false);
            }
            self.idle(deadline)?;
        }
    }

    /// Whether sockets can be opened now: the PDP context is active and the
    /// line to the module in order. [`Event::Up`] tells when that comes.
    ///
    /// # Errors
    /// [`Error::Busy`]
    pub fn is_up(&self) -> Result<bool, Error> {
        Ok(self.core()?.engine.is_up())
    }

    /// When [`poll`](Self::poll) is due if no byte comes before, in the
    /// port's milliseconds; a time that has passed means at once, `None` not
    /// at all. A program that calls nothing meanwhile may sleep until then or
    /// until a byte has come.
    ///
    /// # Errors
    /// [`Error::Busy`]
    pub fn wake_at(&self) -> Result<Option<u64>, Error> {
        let Core {
            engine,
            port,
            polled,
        } = &mut *self.core()?;
        let now = port.now();
        // What has become due is for the next step: the caller looks then
        // what came of it.
        if let Some(due) = engine.wake_at(*polled).filter(|at| *at <= now) {
            return Ok(Some(due));
        }
        // Since the last step the caller may have given the engine work.
        engine.release_dropped(now, self.dropped.take());
        engine.poll(now);
        *polled = now;
        if matches!(port.read_ready(), Ok(true)) {
            return Ok(Some(now));
        }
        if !engine.tx().is_empty() {
            // A full transmit buffer drains a byte or more a millisecond.
            let full = matches!(port.write_ready(), Ok(false));
            return Ok(Some(now.saturating_add(full.into())));
        }
        Ok(engine.wake_at(now))
    }

    /// Why the stack has stopped, if it has.
    ///
    /// # Errors
    /// [`Error::Busy`]
    pub fn fault(&self) -> Result<Option<Fault>, Error> {
        Ok(self.core()?.engine.fault())
    }

    /// The oldest event that was not collected.
    ///
    /// # Errors
    /// [`Error::Busy`]
    pub fn event(&self) -> Result<Option<Event>, Error> {
        Ok(self.core()?.engine.event())
    }

    /// Sets the context up again after it was lost, where
    /// [`Policy::Report`](crate::Policy::Report) left that to the
    /// application.
    ///
    /// # Errors
    /// [`Error::Busy`]
    pub fn reconnect(&self) -> Result<(), Error> {
        self.core()?.engine.reconnect();
        Ok(())
    }

    /// What the line has carried that nothing waited for.
    ///
    /// # Errors
    /// [`Error::Busy`]
    pub fn counters(&self) -> Result<Counters, Error> {
        Ok(self.core()?.engine.counters())
    }

    /// What the module said of itself; empty until it was asked.
    ///
    /// # Errors
    /// [`Error::Busy`]
    pub fn module_info(&self) -> Result<ModuleInfo, Error> {
        Ok(self.core()?.engine.network().info().clone())
    }

    /// Gives the port back and forgets the sockets.
    pub fn into_port(self) -> P {
        self.core.into_inner().port
    }

    pub(crate) fn core(&self) -> Result<RefMut<'_, Core<'a, P>>, Error> {
        self.core.try_borrow_mut().map_err(|_| Error::Busy)
    }

    pub(crate) fn now(&self) -> Result<u64, Error> {
        Ok(self.core()?.port.now())
    }

    /// Moves bytes both ways and polls; returns the time.
    pub(crate) fn step(&self) -> Result<u64, Error> {
        Ok(self.step_of(&mut *self.core()?))
    }

    /// The same for one who has borrowed the core.
    pub(crate) fn step_of(&self, core: &mut Core<'a, P>) -> u64 {
        let now = core.port.now();
        core.engine.release_dropped(now, self.dropped.take());
        core.step(now);
        now
    }

    /// Waits until something can have changed, `deadline` at the latest.
    pub(crate) fn idle(&self, deadline: u64) -> Result<(), Error> {
        let at = self.wake_at()?.unwrap_or(deadline).min(deadline);
        self.core()?.port.idle_until(at);
        Ok(())
    }

    /// Called by `Drop`, possibly while the stack is borrowed.
    pub(crate) fn drop_socket(&self, handle: Handle) {
        // A slot that changed hands twice has the same bit again.
        let core = self.core.try_borrow_mut();
        if core.is_ok_and(|mut core| core.engine.state(handle).is_none()) {
            return;
        }
        let mut dropped = self.dropped.get();
        if let Some(slots) = dropped.get_mut(usize::from(handle.generation % 2)) {
            *slots |= 1u64.checked_shl(u32::from(handle.index)).unwrap_or(0);
        }
        self.dropped.set(dropped);
    }
}

impl<P: Port> Core<'_, P> {
    fn step(&mut self, now: u64) {
        self.engine.poll(now);
        self.polled = now;
        if self.engine.take_reset_request() {
            // A port without the pin leaves it to the application.
            let _ = self.port.reset_module();
        }
        if self.transfer(now).is_err() {
            self.engine.port_failed(now);
        }
    }

    fn transfer(&mut self, now: u64) -> Result<(), P::Error> {
        let Self { engine, port, .. } = self;
        let mut chunk = [0; CHUNK];
        for _ in 0..CHUNKS {
            let mut idle = true;
            if port.read_ready()? {
                let n = port.read(&mut chunk)?;
                engine.rx(now, chunk.get(..n).unwrap_or_default());
                engine.poll(now);
                idle = n == 0;
            }
            let out = engine.tx();
            if !out.is_empty() && port.write_ready()? {
                let n = port.write(out)?;
                engine.tx_done(now, n);
                idle &= n == 0;
            }
            if idle {
                break;
            }
        }
        Ok(())
    }
}
