//! The library on the simulated module, in virtual time: nothing sleeps, a
//! 150 s time-out passes in microseconds.

use std::{cell::RefCell, convert::Infallible, rc::Rc};

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use quectel_sim::{Config, Sim};
use quectel_sockets::{Family, Port};

/// EC25 as the simulated module has it: smoltcp's TIME_WAIT is 10 s.
pub static EC25: Family = Family::EC25.with_time_wait(10_000);

/// The library's settings for the simulated module.
pub fn config() -> quectel_sockets::Config<'static> {
    quectel_sockets::Config {
        family: &EC25,
        ..Default::default()
    }
}

/// The serial line of a simulated module. Clones share it, so that a test
/// can look at the module while a stack owns the port.
#[derive(Clone)]
pub struct SimPort {
    pub sim: Rc<RefCell<Sim>>,
    /// Bytes handed over in one read at the most; the port waits for as many
    /// while more are on their way.
    chunk: usize,
}

impl SimPort {
    pub fn new(config: Config) -> Self {
        Self::with_chunk(config, 64)
    }

    pub fn with_chunk(config: Config, chunk: usize) -> Self {
        Self {
            sim: Rc::new(RefCell::new(Sim::new(config))),
            chunk,
        }
    }

    pub fn ms(&self) -> u64 {
        self.sim.borrow().now() / 1_000
    }

    /// What the host has sent so far, as text. Needs `Config::trace`.
    pub fn sent(&self) -> String {
        let sim = self.sim.borrow();
        let host = sim
            .dialogue()
            .iter()
            .filter(|t| t.direction == quectel_sim::Direction::ToModule);
        String::from_utf8_lossy(&host.flat_map(|t| t.bytes.clone()).collect::<Vec<u8>>())
            .into_owned()
    }
}

impl ErrorType for SimPort {
    type Error = Infallible;
}

impl Read for SimPort {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let n = buffer.len().min(self.chunk);
        Ok(self.sim.borrow_mut().read(&mut buffer[..n]))
    }
}

impl ReadReady for SimPort {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.sim.borrow().readable() > 0)
    }
}

impl Write for SimPort {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let mut sim = self.sim.borrow_mut();
        let n = bytes.len().min(sim.write_free());
        sim.write(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl WriteReady for SimPort {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.sim.borrow().write_free() > 0)
    }
}

impl Port for SimPort {
    fn now(&mut self) -> u64 {
        self.ms()
    }

    fn idle_until(&mut self, at: u64) {
        /// Two byte times at 115200 baud.
        const GAP_US: u64 = 180;
        let mut sim = self.sim.borrow_mut();
        let end = at.saturating_mul(1_000);
        loop {
            let event = sim.next_event();
            let soon = event.is_some_and(|event| event <= sim.now() + GAP_US);
            if sim.readable() >= self.chunk || (sim.readable() > 0 && !soon) || sim.now() >= end {
                return;
            }
            match event {
                Some(event) => sim.run_until(event.min(end)),
                None if end == u64::MAX => panic!("nothing will ever happen"),
                None => sim.run_until(end),
            }
        }
    }
}
