//! `makefile`: a socket as a stream of embedded-io.

use embedded_io::{BufRead, ErrorType, Read, Write};

use super::{Error, Socket};
use crate::stack::Port;

/// What a [`File`] is for. Modules know no text, so there are only the binary
/// modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Mode {
    /// `rb`
    Read,
    /// `wb`
    Write,
    /// `rwb`
    ReadWrite,
}

impl<P: Port> Read for Socket<'_, '_, P> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.recv(buffer)
    }
}

impl<P: Port> Write for Socket<'_, '_, P> {
    fn write(&mut self, data: &[u8]) -> Result<usize, Error> {
        self.send(data)
    }

    /// `send` has waited already.
    fn flush(&mut self) -> Result<(), Error> {
        self.wait_flushed()
    }
}

impl<P: Port> ErrorType for Socket<'_, '_, P> {
    type Error = Error;
}

/// A socket as a file: `makefile`. Reads go through the buffer that was given
/// to it; what is left there when it is dropped is lost.
#[derive(Debug)]
pub struct File<'f, 's, 'a, P: Port> {
    socket: &'f mut Socket<'s, 'a, P>,
    mode: Mode,
    buffer: &'f mut [u8],
    start: usize,
    end: usize,
}

impl<'s, 'a, P: Port> Socket<'s, 'a, P> {
    /// `socket.makefile(mode)`: a file over this socket, with a read buffer.
    ///
    /// ```
    /// use embedded_io::{BufRead, Write};
    /// use quectel_sockets::{Port, socket::{Error, Mode, Socket}};
    /// fn first_byte(socket: &mut Socket<'_, '_, impl Port>) -> Result<u8, Error> {
    ///     let mut buffer = [0; 128];
    ///     let mut file = socket.makefile(Mode::ReadWrite, &mut buffer);
    ///     file.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    ///     Ok(file.fill_buf()?.first().copied().unwrap_or(0))
    /// }
    /// ```
    pub fn makefile<'f>(&'f mut self, mode: Mode, buffer: &'f mut [u8]) -> File<'f, 's, 'a, P> {
        File {
            socket: self,
            mode,
            buffer,
            start: 0,
            end: 0,
        }
    }
}

impl<P: Port> File<'_, '_, '_, P> {
    /// `file.readline()`: up to and including a line feed, or what fits
    /// `line`; 0 at the end of the data.
    ///
    /// # Errors
    /// As [`Socket::recv`]; what was read before is lost then.
    pub fn readline(&mut self, line: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while let Some(place) = line.get_mut(filled) {
            let Some(byte) = self.fill_buf()?.first().copied() else {
                break;
            };
            *place = byte;
            self.consume(1);
            filled += 1;
            if byte == b'\n' {
                break;
            }
        }
        Ok(filled)
    }
}

impl<P: Port> ErrorType for File<'_, '_, '_, P> {
    type Error = Error;
}

impl<P: Port> Read for File<'_, '_, '_, P> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if self.start == self.end && buffer.len() >= self.buffer.len() {
            // Larger than the file's own buffer, or that has no bytes.
            return match self.mode {
                Mode::Write => Err(Error::InvalidArgument),
                _ => self.socket.recv(buffer),
            };
        }
        let ready = self.fill_buf()?;
        let n = ready.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(ready) {
            *to = *from;
        }
        self.consume(n);
        Ok(n)
    }
}

impl<P: Port> BufRead for File<'_, '_, '_, P> {
    fn fill_buf(&mut self) -> Result<&[u8], Error> {
        if self.mode == Mode::Write {
            return Err(Error::InvalidArgument);
        }
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.end = self.socket.recv(self.buffer)?;
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
    }
}

impl<P: Port> Write for File<'_, '_, '_, P> {
    fn write(&mut self, data: &[u8]) -> Result<usize, Error> {
        if self.mode == Mode::Read {
            return Err(Error::InvalidArgument);
        }
        self.socket.send(data)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.socket.wait_flushed()
    }
}
