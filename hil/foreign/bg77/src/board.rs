//! The board around the driver: pins, a receiver and a clock, in virtual time.

use std::collections::VecDeque;
use std::convert::Infallible;

use embedded_hal::digital::{ErrorType, OutputPin};
use embedded_nal::nb;
use embedded_timers::clock::Clock;
use embedded_timers::instant::Instant64;
use quectel_sim::{Stuck, Uart};

/// A pin that leads nowhere.
pub struct Ignored;

impl ErrorType for Ignored {
    type Error = Infallible;
}

impl OutputPin for Ignored {
    fn set_low(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// PWRKEY: switches a module on that is off, when it is low for long enough.
pub struct PowerKey {
    uart: Uart,
    low_since: Option<u64>,
}

impl PowerKey {
    pub fn new(uart: &Uart) -> PowerKey {
        PowerKey {
            uart: uart.clone(),
            low_since: None,
        }
    }
}

impl ErrorType for PowerKey {
    type Error = Infallible;
}

impl OutputPin for PowerKey {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.low_since.get_or_insert(self.uart.now_us());
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        let low = self.low_since.take();
        if low.is_some_and(|since| self.uart.now_us() - since >= 500_000) {
            self.uart.with(|sim| sim.power_on());
        }
        Ok(())
    }
}

/// The clock that the driver looks at while it waits.
pub struct Ticks(Uart);

impl Ticks {
    pub fn new(uart: &Uart) -> Ticks {
        Ticks(uart.clone())
    }
}

impl Clock for Ticks {
    type Instant = Instant64<1_000_000>;

    fn now(&self) -> Self::Instant {
        Instant64::new(self.0.clock_us())
    }
}

/// How long the line must be idle before the driver sees what has come, in µs.
const IDLE_US: u64 = 2_000;

/// A receiver that fills a buffer by itself, and tells of it when the line has become idle.
pub struct Receiver {
    uart: Uart,
    /// What the driver may see.
    ready: VecDeque<u8>,
    /// What has arrived behind it, and since when it has not grown.
    arrived: usize,
    since: u64,
}

impl Receiver {
    pub fn new(uart: &Uart) -> Receiver {
        Receiver {
            uart: uart.clone(),
            ready: VecDeque::new(),
            arrived: 0,
            since: 0,
        }
    }
}

impl embedded_hal_nb::serial::ErrorType for Receiver {
    type Error = Stuck;
}

impl embedded_hal_nb::serial::Read<u8> for Receiver {
    fn read(&mut self) -> nb::Result<u8, Stuck> {
        if let Some(byte) = self.ready.pop_front() {
            return Ok(byte);
        }
        let now = self.uart.clock_us();
        let arrived = self.uart.with(|sim| sim.readable());
        if arrived != self.arrived {
            (self.arrived, self.since) = (arrived, now);
        } else if arrived > 0 && now - self.since >= IDLE_US {
            self.ready.extend(self.uart.with(|sim| sim.read_all()));
            self.arrived = 0;
        }
        self.ready.pop_front().ok_or(nb::Error::WouldBlock)
    }
}
