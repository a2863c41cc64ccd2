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
/// # struct Uart;
/// # impl embedded_io::ErrorType for Uart { type Error = core::convert::Infallible; }
/// # impl embedded_io::Read for Uart {
/// #     fn read(&mut self, _: &mut [u8]) -> Result<usize, Self::Error> { Ok(0) }
/// # }
/// # impl embedded_io::ReadReady for Uart {
/// #     fn read_ready(&mut self) -> Result<bool, Self::Error> { Ok(false) }
/// # }
/// # impl embedded_io::Write for Uart {
/// #     fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> { Ok(bytes.len()) }
/// #     fn flush(&mut self) -> Result<(), Self::Error> { Ok(()) }
/// # }
/// # impl embedded_io::WriteReady for Uart {
/// #     fn write_ready(&mut self) -> Result<bool, Self::Error> { Ok(true) }
/// # }
/// # let uart = Uart;
/// # let ticks = core::cell::Cell::new(0);
/// # let millis = || { ticks.set(ticks.get() + 1); ticks.get() };
/// use quectel_sockets::{Config, Slot, Stack, nb::Polled};
///
/// let (mut rx, mut tx) = ([0; 1500], [0; 1460]);
/// let mut slots = [Slot::new(&mut rx, &mut tx)];
/// // `uart` has the traits of embedded-io, `millis` counts milliseconds.
/// let stack = Stack::new(Polled::new(uart, millis), &mut slots, Config::default());
/// stack.poll()?;
/// assert_eq!(stack.is_up(), Ok(false));
/// # Ok::<(), quectel_sockets::socket::Error>(())
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
