//! Shows the AT dialogue: `>>` from the host, `<<` from the module, one line
//! for what goes one way until the direction changes.

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use quectel_sockets::Port;

/// A port that writes what passes through it to standard error.
pub struct Traced<P> {
    port: P,
    on: bool,
    /// Whether the line being collected comes from the host.
    from_host: bool,
    line: Vec<u8>,
}

impl<P> Traced<P> {
    pub fn new(port: P, on: bool) -> Self {
        Self {
            port,
            on,
            from_host: true,
            line: Vec::new(),
        }
    }

    fn show(&mut self, from_host: bool, bytes: &[u8]) {
        if !self.on {
            return;
        }
        for byte in bytes {
            if from_host != self.from_host {
                self.flush_line();
                self.from_host = from_host;
            }
            self.line.push(*byte);
            if matches!(byte, b'\n' | b'\r') && self.line.len() > 2 && *byte != b'\r' {
                self.flush_line();
            }
        }
    }

    fn flush_line(&mut self) {
        if !self.line.is_empty() {
            let arrow = if self.from_host { ">>" } else { "<<" };
            eprintln!("{arrow} {}", self.line.escape_ascii());
            self.line.clear();
        }
    }
}

impl<P> Drop for Traced<P> {
    fn drop(&mut self) {
        self.flush_line();
    }
}

impl<P: ErrorType> ErrorType for Traced<P> {
    type Error = P::Error;
}

impl<P: Read> Read for Traced<P> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, P::Error> {
        let n = self.port.read(buffer)?;
        self.show(false, &buffer[..n]);
        Ok(n)
    }
}

impl<P: ReadReady> ReadReady for Traced<P> {
    fn read_ready(&mut self) -> Result<bool, P::Error> {
        self.port.read_ready()
    }
}

impl<P: Write> Write for Traced<P> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, P::Error> {
        let n = self.port.write(bytes)?;
        self.show(true, &bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> Result<(), P::Error> {
        self.port.flush()
    }
}

impl<P: WriteReady> WriteReady for Traced<P> {
    fn write_ready(&mut self) -> Result<bool, P::Error> {
        self.port.write_ready()
    }
}

impl<P: Port> Port for Traced<P> {
    fn now(&mut self) -> u64 {
        self.port.now()
    }

    fn idle_until(&mut self, at: u64) {
        self.port.idle_until(at);
    }
}
