//! A port for programs that never wait.

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};

use crate::stack::Port;

/// A serial port and a clock as a [`Port`] that never waits: what a
/// super-loop or an RTIC task gives to its [`Stack`](crate::Stack).
///
/// The calls of [`socket`](crate::socket), which wait, work on it too, but
/// keep the processor busy meanwhile.
///
/// ```
/// use embedded_io::{Read, ReadReady, Write, WriteReady};
/// use quectel_sockets::{Config, Slot, Stack, nb::Polled};
///
/// /// `uart` is the module's, `millis` counts milliseconds.
/// fn stack<'a, U: Read + ReadReady + Write + WriteReady>(
///     uart: U,
///     millis: fn() -> u64,
///     slots: &'a mut [Slot<'a>],
/// ) -> Stack<'a, Polled<U, fn() -> u64>> {
///     Stack::new(Polled::new(uart, millis), slots, Config::default())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Polled<S, C> {
    serial: S,
    clock: C,
}

impl<S, C> Polled<S, C>
where
    S: Read + ReadReady + Write + WriteReady,
    C: FnMut() -> u64,
{
    /// `clock` gives the milliseconds since any fixed moment and never goes
    /// back.
    pub const fn new(serial: S, clock: C) -> Self {
        Self { serial, clock }
    }

    /// The serial port.
    pub fn into_serial(self) -> S {
        self.serial
    }
}

impl<S: ErrorType, C> ErrorType for Polled<S, C> {
    type Error = S::Error;
}

impl<S: Read, C> Read for Polled<S, C> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, S::Error> {
        self.serial.read(buffer)
    }
}

impl<S: ReadReady, C> ReadReady for Polled<S, C> {
    fn read_ready(&mut self) -> Result<bool, S::Error> {
        self.serial.read_ready()
    }
}

impl<S: Write, C> Write for Polled<S, C> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, S::Error> {
        self.serial.write(bytes)
    }

    fn flush(&mut self) -> Result<(), S::Error> {
        self.serial.flush()
    }
}

impl<S: WriteReady, C> WriteReady for Polled<S, C> {
    fn write_ready(&mut self) -> Result<bool, S::Error> {
        self.serial.write_ready()
    }
}

impl<S, C> Port for Polled<S, C>
where
    S: Read + ReadReady + Write + WriteReady,
    C: FnMut() -> u64,
{
    fn now(&mut self) -> u64 {
        (self.clock)()
    }

    fn idle_until(&mut self, _at: u64) {}
}
