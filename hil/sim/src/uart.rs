//! The host's serial port as a driver sees it: it blocks, and virtual time passes meanwhile.
//!
//! With the feature `embedded-io` it has the traits of that crate, with `embedded-hal` those of
//! `embedded-hal` and `embedded-hal-nb`.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use crate::sim::Sim;

/// A serial port that leads to a simulated module, and the clock that goes with it.
///
/// Clones are the same port: a driver can own one for each direction and one as its delay, while the
/// test keeps another. Time passes only when somebody waits: a read without data lets it pass until
/// there is some, a write until there is room in the transmit FIFO, a delay as long as it says.
///
/// A driver that polls instead of waiting lets time pass as well: each look without a result, be it
/// for bytes, for room or at the clock, takes [`Uart::set_poll_us`], so that its loops end.
///
/// ```
/// use quectel_sim::{Sim, Uart};
///
/// let port = Uart::new(Sim::builder().build());
/// port.write_some(b"AT\r").unwrap();
/// let mut answer = [0; 9];
/// let mut have = 0;
/// while have < answer.len() {
///     have += port.read_some(&mut answer[have..]).unwrap();
/// }
/// assert_eq!(&answer, b"AT\r\r\nOK\r\n");
/// port.with(|sim| sim.assert_dialogue(&[r">> AT\r", r"<< AT\r\r\nOK\r\n"]));
/// ```
#[derive(Clone)]
pub struct Uart {
    shared: Rc<RefCell<Shared>>,
}

struct Shared {
    sim: Sim,
    poll_us: u64,
    patience_us: u64,
}

/// Nothing came, or went, for as long as the patience of a [`Uart`]: the driver hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stuck;

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the serial port was waited for in vain")
    }
}

impl std::error::Error for Stuck {}

impl Uart {
    /// The serial port of a host of this module.
    pub fn new(sim: Sim) -> Uart {
        Uart {
            shared: Rc::new(RefCell::new(Shared {
                sim,
                poll_us: 50,
                patience_us: 300_000_000,
            })),
        }
    }

    /// How long a look without a result takes, in µs; 50 at first. 0 counts as 1.
    pub fn set_poll_us(&self, us: u64) {
        self.shared.borrow_mut().poll_us = us.max(1);
    }

    /// How long a read waits for the first byte and a write for room, in µs, before it is an error;
    /// 300 s at first. Nothing that a module does takes longer.
    pub fn set_patience_us(&self, us: u64) {
        self.shared.borrow_mut().patience_us = us;
    }

    /// Gives access to the module.
    ///
    /// # Panics
    /// If called from within itself.
    pub fn with<R>(&self, act: impl FnOnce(&mut Sim) -> R) -> R {
        act(&mut self.shared.borrow_mut().sim)
    }

    /// The time in µs since the simulation began. It does not move by being looked at.
    pub fn now_us(&self) -> u64 {
        self.with(|sim| sim.now())
    }

    /// Looks at the clock, in µs; the look itself takes time.
    pub fn clock_us(&self) -> u64 {
        self.poll();
        self.now_us()
    }

    /// Lets time pass, in µs.
    pub fn wait_us(&self, us: u64) {
        self.with(|sim| sim.run_for(us));
    }

    fn poll(&self) {
        let shared = &mut *self.shared.borrow_mut();
        shared.sim.run_for(shared.poll_us);
    }

    /// Whether a read would give bytes now. If not, the look takes time.
    pub fn readable(&self) -> bool {
        self.look(|sim| sim.readable() > 0)
    }

    /// Whether a write would take bytes now. If not, the look takes time.
    pub fn writable(&self) -> bool {
        self.look(|sim| sim.write_free() > 0)
    }

    fn look(&self, ready: impl Fn(&Sim) -> bool) -> bool {
        if self.with(|sim| ready(sim)) {
            return true;
        }
        self.poll();
        false
    }

    /// Lets time pass until `ready`. What is waited for comes with an event, or else may come at any
    /// time: room in the FIFO is no event.
    fn wait_for(&self, event: bool, ready: impl Fn(&Sim) -> bool) -> Result<(), Stuck> {
        let shared = &mut *self.shared.borrow_mut();
        let sim = &mut shared.sim;
        let until = sim.now().saturating_add(shared.patience_us);
        while !ready(sim) {
            if sim.now() >= until {
                return Err(Stuck);
            }
            let next = match event {
                true => sim.next_event().unwrap_or(until),
                false => sim.now() + shared.poll_us,
            };
            sim.run_until(next.min(until));
        }
        Ok(())
    }

    /// Reads at least one byte, unless `buf` is empty.
    ///
    /// # Errors
    /// If none came for as long as the patience.
    pub fn read_some(&self, buf: &mut [u8]) -> Result<usize, Stuck> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.wait_for(true, |sim| sim.readable() > 0)?;
        Ok(self.with(|sim| sim.read(buf)))
    }

    /// Writes at least one byte, unless `bytes` is empty: as many as there is room for.
    ///
    /// # Errors
    /// If there was no room for as long as the patience.
    pub fn write_some(&self, bytes: &[u8]) -> Result<usize, Stuck> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.wait_for(false, |sim| sim.write_free() > 0)?;
        Ok(self.with(|sim| {
            let n = bytes.len().min(sim.write_free());
            sim.write(&bytes[..n]);
            n
        }))
    }

    /// Waits until everything has left the transmit FIFO.
    ///
    /// # Errors
    /// If it took longer than the patience.
    pub fn drain(&self) -> Result<(), Stuck> {
        let all = self.with(|sim| sim.transmit_fifo());
        self.wait_for(false, |sim| sim.write_free() == all)
    }
}

#[cfg(feature = "embedded-io")]
mod io {
    use embedded_io::{Error, ErrorKind, ErrorType, Read, ReadReady, Write, WriteReady};

    use super::{Stuck, Uart};

    impl Error for Stuck {
        fn kind(&self) -> ErrorKind {
            ErrorKind::TimedOut
        }
    }

    impl ErrorType for Uart {
        type Error = Stuck;
    }

    impl Read for Uart {
        fn read(&mut self, buf: &mut [u8]) -> Result<usize, Stuck> {
            self.read_some(buf)
        }
    }

    impl ReadReady for Uart {
        fn read_ready(&mut self) -> Result<bool, Stuck> {
            Ok(self.readable())
        }
    }

    impl Write for Uart {
        fn write(&mut self, buf: &[u8]) -> Result<usize, Stuck> {
            self.write_some(buf)
        }

        fn flush(&mut self) -> Result<(), Stuck> {
            self.drain()
        }
    }

    impl WriteReady for Uart {
        fn write_ready(&mut self) -> Result<bool, Stuck> {
            Ok(self.writable())
        }
    }
}

#[cfg(feature = "embedded-hal")]
mod hal {
    use embedded_hal::delay::DelayNs;
    use embedded_hal_nb::nb;
    use embedded_hal_nb::serial::{Error, ErrorKind, ErrorType, Read, Write};

    use super::{Stuck, Uart};

    impl DelayNs for Uart {
        fn delay_ns(&mut self, ns: u32) {
            self.wait_us(u64::from(ns).div_ceil(1_000));
        }

        fn delay_us(&mut self, us: u32) {
            self.wait_us(us.into());
        }

        fn delay_ms(&mut self, ms: u32) {
            self.wait_us(u64::from(ms) * 1_000);
        }
    }

    impl Error for Stuck {
        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    impl ErrorType for Uart {
        type Error = Stuck;
    }

    impl Read<u8> for Uart {
        fn read(&mut self) -> nb::Result<u8, Stuck> {
            let mut byte = [0];
            match self.readable() && self.with(|sim| sim.read(&mut byte)) == 1 {
                true => Ok(byte[0]),
                false => Err(nb::Error::WouldBlock),
            }
        }
    }

    impl Write<u8> for Uart {
        fn write(&mut self, byte: u8) -> nb::Result<(), Stuck> {
            if !self.writable() {
                return Err(nb::Error::WouldBlock);
            }
            self.with(|sim| sim.write(&[byte]));
            Ok(())
        }

        fn flush(&mut self) -> nb::Result<(), Stuck> {
            let all = self.with(|sim| sim.transmit_fifo());
            match self.look(|sim| sim.write_free() == all) {
                true => Ok(()),
                false => Err(nb::Error::WouldBlock),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_waits_and_a_silent_module_is_noticed() {
        let port = Uart::new(Sim::builder().latency_us(7_000).build());
        port.write_some(b"ATE0\r").unwrap();
        let mut buffer = [0; 64];
        assert_eq!(port.read_some(&mut buffer), Ok(1));
        // One character to the module and one back, at 115200 baud.
        assert_eq!(port.now_us(), 174);
        port.wait_us(20_000);
        assert_eq!(port.read_some(&mut buffer), Ok(10));
        port.set_patience_us(5_000_000);
        assert_eq!(port.read_some(&mut buffer), Err(Stuck));
        assert_eq!(port.now_us(), 5_020_174);
    }

    #[test]
    fn a_write_waits_for_room() {
        let sim = Sim::builder().baud(10_000).transmit_fifo(4).build();
        let port = Uart::new(sim);
        port.set_poll_us(100);
        assert_eq!(port.write_some(b"ATE0V1\r"), Ok(4));
        assert!(!port.writable());
        assert_eq!(port.write_some(b"V1\r"), Ok(1));
        // One millisecond a character.
        assert_eq!(port.now_us(), 1_000);
        port.drain().unwrap();
        assert_eq!(port.now_us(), 5_000);
    }

    #[test]
    fn looking_takes_time() {
        let port = Uart::new(Sim::builder().build());
        assert!(!port.readable());
        assert_eq!(port.now_us(), 50);
        assert_eq!(port.clock_us(), 100);
        assert!(port.writable());
        assert_eq!(port.now_us(), 100);
    }
}
