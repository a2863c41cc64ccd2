//! Data: `send`, `recv` and their relatives, and `poll`.

use core::net::SocketAddr;

use super::{Address, Error, Patience, Received, Socket, Type, convert, none_if_blocking};
use crate::{
    error::{RecvError, SendError},
    stack::Port,
};

/// `recv` or `accept` returns at once.
pub const POLLIN: u8 = 1;
/// `send` takes at least a byte.
pub const POLLOUT: u8 = 4;
/// The connection broke.
pub const POLLERR: u8 = 8;
/// The peer has closed, or there is no connection.
pub const POLLHUP: u8 = 16;
/// The socket is closed.
pub const POLLNVAL: u8 = 32;

impl<P: Port> Socket<'_, '_, P> {
    /// `socket.send(bytes)`: returns how many bytes were taken. A blocking
    /// socket returns when the module has taken them (`SEND OK`), or at the
    /// time-out with what was taken by then; those bytes are sent by the
    /// steps of later calls and must not be given again.
    ///
    /// # Errors
    /// [`SendError`]; [`Error::TimedOut`] and [`Error::WouldBlock`] if not a
    /// single byte was taken.
    pub fn send(&mut self, data: &[u8]) -> Result<usize, Error> {
        let handle = self.handle()?;
        let mut taken = 0;
        let outcome = self.stack.wait(self.patience, |stack| {
            let engine = &mut stack.core()?.engine;
            let rest = data.get(taken..).unwrap_or_default();
            // What is wrong with no bytes at all the engine tells, too.
            if !rest.is_empty() || taken == 0 {
                taken += engine.send(handle, rest).map_err(convert)?;
            }
            if data.is_empty() {
                return Ok(());
            }
            if taken < data.len() {
                return Err(nb::Error::WouldBlock);
            }
            engine.flushed(handle).map_err(convert)
        });
        match outcome {
            Err(Error::WouldBlock | Error::TimedOut) if taken > 0 => Ok(taken),
            Err(error) => Err(error),
            Ok(()) => Ok(taken),
        }
    }

    /// `socket.sendto(bytes, address)`: one datagram to `address`. A socket
    /// that was not bound is bound to a port of its own first.
    ///
    /// On a TCP socket it is `send`, as QuecPython's `send(bytes, address)`:
    /// the address can only be the peer's.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`SendError::TooLong`] for more than 1460
    /// bytes or more than fit the transmit ring.
    #[doc(alias = "send")]
    pub fn sendto<'n>(
        &mut self,
        data: &[u8],
        address: impl Into<Address<'n>>,
    ) -> Result<usize, Error> {
        let handle = self.handle()?;
        let started = self.stack.now()?;
        let stack = self.stack;
        let address = stack.address(address.into(), self.family, self.patience)?;
        if self.kind == Type::Stream {
            let peer = stack.core()?.engine.remote(handle);
            if peer.is_some_and(|peer| peer != address) {
                return Err(SendError::AlreadyConnected.into());
            }
            return self.send(data);
        }
        let mut taken = false;
        let patience = self.patience_left(started)?;
        let outcome = stack.wait(patience, |stack| {
            let engine = &mut stack.core()?.engine;
            if !taken {
                engine
                    .send_to(handle, data, Some(address))
                    .map_err(convert)?;
                taken = true;
            }
            engine.flushed(handle).map_err(convert)
        });
        match outcome {
            Err(Error::WouldBlock | Error::TimedOut) if taken => Ok(data.len()),
            Err(error) => Err(error),
            Ok(()) => Ok(data.len()),
        }
    }

    /// `socket.sendall(bytes)`: all of it, or an error.
    ///
    /// # Errors
    /// As [`send`](Self::send). After [`Error::TimedOut`] or
    /// [`Error::WouldBlock`] it is not known how much was taken; use `send`
    /// where that matters.
    pub fn sendall(&mut self, data: &[u8]) -> Result<(), Error> {
        let taken = self.send(data)?;
        if taken == data.len() {
            Ok(())
        } else if self.patience == Patience::Ms(0) {
            Err(Error::WouldBlock)
        } else {
            Err(Error::TimedOut)
        }
    }

    /// `socket.write(buf)`: a blocking socket writes all of it; a
    /// non-blocking one what it can, `None` if that is nothing.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn write(&mut self, data: &[u8]) -> Result<Option<usize>, Error> {
        none_if_blocking(self.send(data))
    }

    /// `socket.recv(bufsize)`: up to `buffer.len()` bytes, at least one
    /// unless the peer has closed (`Ok(0)`).
    ///
    /// # Errors
    /// [`RecvError`], [`Error::TimedOut`], [`Error::WouldBlock`].
    pub fn recv(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let handle = self.handle()?;
        self.stack.wait(self.patience, |stack| {
            stack.core()?.engine.recv(handle, buffer).map_err(convert)
        })
    }

    /// `socket.recv(bufsize, MSG_PEEK)`: as [`recv`](Self::recv), but the
    /// bytes, or the datagram, stay where they are.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_peek(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let handle = self.handle()?;
        self.stack.wait(self.patience, |stack| {
            stack.core()?.engine.peek(handle, buffer).map_err(convert)
        })
    }

    /// The next datagram, with its sender and its whole length.
    ///
    /// # Errors
    /// As [`recv`](Self::recv); [`RecvError::NotSupported`] on a TCP socket.
    pub fn recv_datagram(&mut self, buffer: &mut [u8]) -> Result<Received, Error> {
        let handle = self.handle()?;
        self.stack.wait(self.patience, |stack| {
            let engine = &mut stack.core()?.engine;
            engine.recv_from(handle, buffer).map_err(convert)
        })
    }

    /// `socket.recvfrom(bufsize)`: as [`recv`](Self::recv), with the sender's
    /// address. What of a datagram does not fit `buffer` is lost;
    /// [`recv_datagram`](Self::recv_datagram) tells.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recvfrom(&mut self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        if self.kind == Type::Datagram {
            let received = self.recv_datagram(buffer)?;
            return Ok((received.len, received.from));
        }
        let handle = self.handle()?;
        let n = self.recv(buffer)?;
        let remote = self.stack.core()?.engine.remote(handle);
        Ok((n, remote.ok_or(RecvError::NotConnected)?))
    }

    /// `socket.read(size)` and `socket.readall()`: reads until `buffer` is
    /// full or the peer has closed; on a UDP socket one datagram. A time-out in the middle returns what was read. `None` from a
    /// non-blocking socket with nothing to read.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), if not a single byte was read.
    #[doc(alias = "readall")]
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        let handle = self.handle()?;
        if self.kind == Type::Datagram {
            return none_if_blocking(self.recv(buffer));
        }
        let mut filled = 0;
        let outcome = self.stack.wait(self.patience, |stack| {
            let engine = &mut stack.core()?.engine;
            while let rest @ [_, ..] = buffer.get_mut(filled..).unwrap_or_default() {
                // What was read comes first; the failure is told next time.
                if filled > 0 && engine.recv_fails(handle) {
                    break;
                }
                match engine.recv(handle, rest).map_err(convert)? {
                    0 => break,
                    n => filled += n,
                }
            }
            Ok(())
        });
        match outcome {
            Err(Error::WouldBlock | Error::TimedOut) if filled > 0 => Ok(Some(filled)),
            other => none_if_blocking(other.map(|()| filled)),
        }
    }

    /// `socket.readinto(buf[, nbytes])`: one [`recv`](Self::recv) into
    /// `buffer`, of at most `nbytes`. `None` from a non-blocking socket with
    /// nothing to read.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn readinto(
        &mut self,
        buffer: &mut [u8],
        nbytes: Option<usize>,
    ) -> Result<Option<usize>, Error> {
        let n = nbytes.unwrap_or(buffer.len()).min(buffer.len());
        let part = buffer.get_mut(..n).unwrap_or_default();
        none_if_blocking(self.recv(part))
    }

    /// `socket.readline()`: reads up to and including a line feed. Without
    /// one the line ends with the buffer, the data, or the time-out. On a UDP
    /// socket it is one datagram.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), if not a single byte was read.
    pub fn readline(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        let handle = self.handle()?;
        if self.kind == Type::Datagram {
            return none_if_blocking(self.recv(buffer));
        }
        let mut filled = 0;
        let outcome = self.stack.wait(self.patience, |stack| {
            let engine = &mut stack.core()?.engine;
            while let Some(place) = buffer.get_mut(filled..=filled) {
                if filled > 0 && engine.recv_fails(handle) {
                    break;
                }
                let n = engine.recv(handle, place).map_err(convert)?;
                filled += n;
                if n == 0 || place == b"\n" {
                    break;
                }
            }
            Ok(())
        });
        match outcome {
            Err(Error::WouldBlock | Error::TimedOut) if filled > 0 => Ok(Some(filled)),
            other => none_if_blocking(other.map(|()| filled)),
        }
    }

    /// Waits until the module has taken everything.
    pub(super) fn wait_flushed(&mut self) -> Result<(), Error> {
        let handle = self.handle()?;
        self.stack.wait(self.patience, |stack| {
            stack.core()?.engine.flushed(handle).map_err(convert)
        })
    }

    /// `select.poll` for one socket: waits up to `seconds` (`None`: for ever,
    /// 0: not at all) until something of `events` can be done, and returns
    /// what; [`POLLERR`], [`POLLHUP`] and [`POLLNVAL`] are always told. 0 if
    /// the time is over.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a negative time, [`Error::Busy`].
    pub fn poll(&mut self, events: u8, seconds: Option<f32>) -> Result<u8, Error> {
        let Some(handle) = self.handle else {
            return Ok(POLLNVAL);
        };
        let wanted = events | POLLERR | POLLHUP | POLLNVAL;
        let outcome = self.stack.wait(Patience::of(seconds)?, |stack| {
            let ready = stack.core()?.engine.readiness(handle);
            let bits = [
                (ready.readable, POLLIN),
                (ready.writable, POLLOUT),
                (ready.error, POLLERR),
                (ready.hang_up, POLLHUP),
                (ready.invalid, POLLNVAL),
            ];
            let set = bits.iter().filter(|(is, _)| *is);
            match set.fold(0, |mask, (_, bit)| mask | bit) & wanted {
                0 => Err(nb::Error::WouldBlock),
                mask => Ok(mask),
            }
        });
        match outcome {
            Err(Error::WouldBlock | Error::TimedOut) => Ok(0),
            other => other,
        }
    }
}
