//! A simulated module inside this process, in real time. Its network side
//! opens ordinary sockets of this PC, so it reaches any server that the PC
//! reaches. Between it and the library is a serial line: the same bytes at
//! the same rate as with a real module.

use std::{
    convert::Infallible,
    thread,
    time::{Duration, Instant},
};

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use quectel_sim::{Config, Internet, Sim, SimCard};
use quectel_sockets::Port;

/// The serial port of a simulated module.
pub struct LiveModule {
    sim: Sim,
    start: Instant,
}

impl LiveModule {
    /// A module that has just been switched on, with or without a SIM card.
    pub fn new(sim_card: SimCard) -> Self {
        let sim = Sim::new(Config {
            baud: 921_600,
            sim_card,
            internet: Internet::Real,
            ..Config::default()
        });
        Self {
            sim,
            start: Instant::now(),
        }
    }

    /// The module itself, to put servers and clients around it.
    pub fn sim(&mut self) -> &mut Sim {
        &mut self.sim
    }

    /// Lets the module catch up with the clock.
    fn run(&mut self) -> u64 {
        let now = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.sim.run_until(now);
        now
    }
}

impl ErrorType for LiveModule {
    type Error = Infallible;
}

impl Read for LiveModule {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.sim.read(buffer))
    }
}

impl ReadReady for LiveModule {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        self.run();
        Ok(self.sim.readable() > 0)
    }
}

impl Write for LiveModule {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let n = bytes.len().min(self.sim.write_free());
        self.sim.write(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl WriteReady for LiveModule {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.sim.write_free() > 0)
    }
}

impl Port for LiveModule {
    fn now(&mut self) -> u64 {
        self.run() / 1_000
    }

    fn idle_until(&mut self, at: u64) {
        let end = at.saturating_mul(1_000);
        loop {
            let now = self.run();
            if self.sim.readable() > 0 || now >= end {
                return;
            }
            let event = self.sim.next_event().unwrap_or(u64::MAX).min(end);
            thread::sleep(Duration::from_micros(
                event.saturating_sub(now).clamp(50, 10_000),
            ));
        }
    }
}
