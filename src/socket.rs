//! The `socket` face: the calls of Python's and QuecPython's `socket`, in
//! Rust. Blocking with time-outs, or not blocking at all.
//!
//! ```
//! use quectel_sockets::{Port, Stack, socket::{AF_INET, Error, IPPROTO_TCP, SOCK_STREAM}};
//!
//! fn fetch(stack: &Stack<'_, impl Port>, answer: &mut [u8]) -> Result<usize, Error> {
//!     let mut sock = stack.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)?;
//!     sock.settimeout(Some(30.0))?;
//!     sock.connect(("example.com", 80))?;
//!     sock.sendall(b"GET / HTTP/1.0\r\n\r\n")?;
//!     let n = sock.read(answer)?.unwrap_or(0);
//!     sock.close()?;
//!     Ok(n)
//! }
//! ```

use core::{fmt, net::SocketAddr};

use crate::{
    engine::Addresses,
    error::{ConnectError, OpenError, RecvError, ResolveError, SendError, errno},
    slot::Handle,
    stack::{Port, Stack},
    state::SocketState,
};

/// Address family of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Family {
    /// `AF_INET`: IPv4
    Inet = 2,
    /// `AF_INET6`: IPv6
    Inet6 = 10,
}

/// Type of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Type {
    /// `SOCK_STREAM`: TCP
    Stream = 1,
    /// `SOCK_DGRAM`: UDP
    Datagram = 2,
    /// `SOCK_RAW`: not offered by modules
    Raw = 3,
}

/// Protocol of a socket; [`Protocol::DEFAULT`] goes with every type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Protocol(pub u8);

impl Protocol {
    /// What goes with the type.
    pub const DEFAULT: Self = Self(0);
}

/// IPv4
pub const AF_INET: Family = Family::Inet;
/// IPv6
pub const AF_INET6: Family = Family::Inet6;
/// TCP
pub const SOCK_STREAM: Type = Type::Stream;
/// UDP
pub const SOCK_DGRAM: Type = Type::Datagram;
/// Raw: not offered by modules
pub const SOCK_RAW: Type = Type::Raw;
/// TCP
pub const IPPROTO_TCP: Protocol = Protocol(6);
/// UDP
pub const IPPROTO_UDP: Protocol = Protocol(17);

/// What went wrong; [`errno`](Self::errno) gives the number that Python
/// programs compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Error {
    /// No slot, or a stale handle.
    Open(OpenError),
    /// `connect`
    Connect(ConnectError),
    /// `send`, `sendall`, `write`
    Send(SendError),
    /// `recv`, `read`, …
    Recv(RecvError),
    /// `getaddrinfo`
    Resolve(ResolveError),
    /// The socket's own time-out.
    TimedOut,
    /// A call on a non-blocking socket would have to wait.
    WouldBlock,
    /// A non-blocking connect was started.
    InProgress,
    /// Called from inside another call on the same stack.
    Busy,
    /// A number out of range: time-out below 0 or not a number, size.
    InvalidArgument,
    /// The module does not have this kind of socket.
    NotSupported(i32),
}

impl Error {
    /// The errno, as Linux and QuecPython number it.
    pub const fn errno(self) -> i32 {
        match self {
            Self::Open(error) => error.errno(),
            Self::Connect(error) => error.errno(),
            Self::Send(error) => error.errno(),
            Self::Recv(error) => error.errno(),
            Self::Resolve(error) => error.errno(),
            Self::TimedOut => errno::ETIMEDOUT,
            Self::WouldBlock => errno::EAGAIN,
            Self::InProgress => errno::EINPROGRESS,
            Self::Busy => errno::EBUSY,
            Self::InvalidArgument => errno::EINVAL,
            Self::NotSupported(errno) => errno,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Connect(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Recv(error) => error.fmt(f),
            Self::Resolve(error) => error.fmt(f),
            Self::TimedOut => f.write_str("timed out"),
            Self::WouldBlock => f.write_str("the call would block"),
            Self::InProgress => f.write_str("the connect is in progress"),
            Self::Busy => f.write_str("the stack is in use by the calling code"),
            Self::InvalidArgument => f.write_str("argument out of range"),
            Self::NotSupported(_) => f.write_str("not supported by the module"),
        }
    }
}

impl core::error::Error for Error {}

impl embedded_io::Error for Error {
    fn kind(&self) -> embedded_io::ErrorKind {
        use embedded_io::ErrorKind;
        match self {
            Self::Open(error) => error.kind(),
            Self::Connect(error) => error.kind(),
            Self::Send(error) => error.kind(),
            Self::Recv(error) => error.kind(),
            Self::Resolve(error) => error.kind(),
            Self::TimedOut => ErrorKind::TimedOut,
            Self::InvalidArgument => ErrorKind::InvalidInput,
            Self::NotSupported(_) => ErrorKind::Unsupported,
            Self::WouldBlock | Self::InProgress | Self::Busy => ErrorKind::Other,
        }
    }
}

macro_rules! from {
    ($($error:ident => $variant:ident),+) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )+};
}
from!(OpenError => Open, ConnectError => Connect, SendError => Send, RecvError => Recv, ResolveError => Resolve);

/// Where to connect to: a socket address, an entry of
/// [`getaddrinfo`](Stack::getaddrinfo), or a host name with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address<'n> {
    /// An address.
    Ip(SocketAddr),
    /// A name, resolved first, or an address in text form.
    Name(&'n str, u16),
}

impl From<SocketAddr> for Address<'_> {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl<'n> From<(&'n str, u16)> for Address<'n> {
    fn from((name, port): (&'n str, u16)) -> Self {
        Self::Name(name, port)
    }
}

impl From<AddrInfo> for Address<'_> {
    fn from(info: AddrInfo) -> Self {
        Self::Ip(info.sockaddr)
    }
}

/// One answer of [`getaddrinfo`](Stack::getaddrinfo).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddrInfo {
    /// Address family.
    pub family: Family,
    /// Socket type.
    pub kind: Type,
    /// Protocol.
    pub proto: Protocol,
    /// Canonical name: modules do not tell it, so it is empty.
    pub canonname: &'static str,
    /// The address to connect to.
    pub sockaddr: SocketAddr,
}

impl AddrInfo {
    fn tcp(sockaddr: SocketAddr) -> Self {
        Self {
            family: if sockaddr.is_ipv4() {
                AF_INET
            } else {
                AF_INET6
            },
            kind: SOCK_STREAM,
            proto: IPPROTO_TCP,
            canonname: "",
            sockaddr,
        }
    }
}

/// How long a call may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Forever,
    /// Milliseconds; 0 is a non-blocking socket.
    Ms(u64),
}

impl Patience {
    fn until(self, now: u64) -> u64 {
        match self {
            Self::Forever => u64::MAX,
            Self::Ms(ms) => now.saturating_add(ms),
        }
    }
}

/// `getaddrinfo` waits as long as the module may take.
const RESOLVE: Patience = Patience::Ms(75_000);
/// Extra time for `close` beyond linger and `AT+QICLOSE`.
const CLOSE_MS: u64 = 30_000;

impl<'a, P: Port> Stack<'a, P> {
    /// `socket.socket(af, type, proto)`.
    ///
    /// If every slot is in use, but one of them by a connection that is just
    /// being closed, waits for that one.
    ///
    /// # Errors
    /// [`OpenError::NoSlot`]; [`Error::NotSupported`] for what the module
    /// does not have: `SOCK_RAW` and, so far, `SOCK_DGRAM` (ESOCKTNOSUPPORT),
    /// `AF_INET6` (EAFNOSUPPORT), a protocol that does not go with the type
    /// (EPROTONOSUPPORT).
    pub fn socket(
        &self,
        family: Family,
        kind: Type,
        proto: Protocol,
    ) -> Result<Socket<'_, 'a, P>, Error> {
        if kind != SOCK_STREAM {
            return Err(Error::NotSupported(errno::ESOCKTNOSUPPORT));
        }
        if family != AF_INET {
            return Err(Error::NotSupported(errno::EAFNOSUPPORT));
        }
        if proto != Protocol::DEFAULT && proto != IPPROTO_TCP {
            return Err(Error::NotSupported(errno::EPROTONOSUPPORT));
        }
        // Sockets that were just dropped give their slots back.
        self.step()?;
        let handle = self.wait(Patience::Ms(CLOSE_MS), |stack| {
            let engine = &mut stack.core()?.engine;
            match engine.tcp_socket() {
                Err(OpenError::NoSlot) if engine.is_closing_any() => Err(nb::Error::WouldBlock),
                other => other.map_err(|error| nb::Error::Other(error.into())),
            }
        });
        let handle = handle.map_err(|error| match error {
            Error::TimedOut => Error::Open(OpenError::NoSlot),
            other => other,
        })?;
        Ok(Socket {
            stack: self,
            handle: Some(handle),
            patience: Patience::Forever,
        })
    }

    /// `socket.getaddrinfo(host, port)`: resolves with `AT+QIDNSGIP`, waiting
    /// up to 75 s. An address in text form needs no look-up.
    ///
    /// # Errors
    /// [`ResolveError`]; port 0 is [`Error::InvalidArgument`].
    pub fn getaddrinfo(&self, host: &str, port: u16) -> Result<AddrInfos, Error> {
        if port == 0 {
            return Err(Error::InvalidArgument);
        }
        let addresses = self.resolve(host, RESOLVE)?;
        Ok(addresses
            .into_iter()
            .map(|ip| AddrInfo::tcp(SocketAddr::new(ip, port)))
            .collect())
    }

    fn resolve(&self, host: &str, patience: Patience) -> Result<Addresses, Error> {
        self.wait(patience, |stack| {
            stack.core()?.engine.resolve(host).map_err(convert)
        })
    }

    /// Steps until `ready` no longer would block, or patience is over.
    fn wait<T>(
        &self,
        patience: Patience,
        mut ready: impl FnMut(&Self) -> nb::Result<T, Error>,
    ) -> Result<T, Error> {
        let deadline = patience.until(self.now()?);
        loop {
            // First look without a step: a socket that has data need not
            // move bytes.
            match ready(self) {
                Ok(value) => return Ok(value),
                Err(nb::Error::Other(error)) => return Err(error),
                Err(nb::Error::WouldBlock) => {}
            }
            let now = self.step()?;
            match ready(self) {
                Ok(value) => return Ok(value),
                Err(nb::Error::Other(error)) => return Err(error),
                Err(nb::Error::WouldBlock) if patience == Patience::Ms(0) => {
                    return Err(Error::WouldBlock);
                }
                Err(nb::Error::WouldBlock) if now >= deadline => return Err(Error::TimedOut),
                Err(nb::Error::WouldBlock) => self.idle(deadline)?,
            }
        }
    }
}

/// Answers of [`getaddrinfo`](Stack::getaddrinfo), best first.
pub type AddrInfos = heapless::Vec<AddrInfo, 4>;

fn convert<E: Into<Error>>(error: nb::Error<E>) -> nb::Error<Error> {
    error.map(Into::into)
}

/// A TCP socket. Dropping it closes it as [`close`](Self::close) does, in
/// the steps of later calls on the stack.
#[derive(Debug)]
pub struct Socket<'s, 'a, P: Port> {
    stack: &'s Stack<'a, P>,
    /// `None` after `close`.
    handle: Option<Handle>,
    patience: Patience,
}

impl<P: Port> Socket<'_, '_, P> {
    fn handle(&self) -> Result<Handle, Error> {
        self.handle.ok_or(Error::Open(OpenError::BadHandle))
    }

    /// `socket.connect(address)`: resolves a name, then `AT+QIOPEN`. Blocks
    /// for the time-out; a connect that timed out is cancelled
    /// (`AT+QICLOSE=<id>,0`) and can be tried again at once.
    ///
    /// A non-blocking socket starts and returns [`Error::InProgress`];
    /// calling again is [`ConnectError::AlreadyConnecting`] while it runs and
    /// tells the outcome once it has ended. A name cannot be resolved without
    /// waiting: give an address from [`getaddrinfo`](Stack::getaddrinfo).
    ///
    /// # Errors
    /// [`ConnectError`], [`ResolveError`], [`Error::TimedOut`].
    pub fn connect<'n>(&mut self, address: impl Into<Address<'n>>) -> Result<(), Error> {
        let handle = self.handle()?;
        let started = self.stack.now()?;
        let remote = match address.into() {
            Address::Ip(remote) => remote,
            Address::Name(name, port) => {
                let addresses = self.stack.resolve(name, self.patience)?;
                let ip = *addresses.first().ok_or(ResolveError::NotFound)?;
                SocketAddr::new(ip, port)
            }
        };
        let patience = match self.patience {
            Patience::Ms(ms) if ms > 0 => {
                let spent = self.stack.now()?.saturating_sub(started);
                Patience::Ms(ms.saturating_sub(spent).max(1))
            }
            other => other,
        };
        let running = {
            let mut core = self.stack.core()?;
            let running = core.engine.is_connecting(handle);
            core.engine.connect(handle, remote)?;
            running
        };
        let outcome = self.stack.wait(patience, |stack| {
            stack.core()?.engine.connected(handle).map_err(convert)
        });
        match outcome {
            Err(Error::WouldBlock) if running => Err(ConnectError::AlreadyConnecting.into()),
            Err(Error::WouldBlock) => Err(Error::InProgress),
            Err(Error::TimedOut) => {
                self.stack.core()?.engine.cancel_connect(handle);
                Err(Error::TimedOut)
            }
            other => other,
        }
    }

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
            if !rest.is_empty() {
                taken += engine.send(handle, rest).map_err(convert)?;
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

    /// `socket.recvfrom(bufsize)`: as [`recv`](Self::recv), with the peer's
    /// address.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recvfrom(&mut self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        let handle = self.handle()?;
        let n = self.recv(buffer)?;
        let remote = self.stack.core()?.engine.remote(handle);
        Ok((n, remote.ok_or(RecvError::NotConnected)?))
    }

    /// `socket.read(size)`: reads until `buffer` is full or the peer has
    /// closed. A time-out in the middle returns what was read. `None` from a
    /// non-blocking socket with nothing to read.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), if not a single byte was read.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        let handle = self.handle()?;
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
    /// one the line ends with the buffer, the data, or the time-out.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), if not a single byte was read.
    pub fn readline(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        let handle = self.handle()?;
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

    /// `socket.settimeout(value)`: seconds that a call may wait, `None` for
    /// any time, 0 for not at all.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if negative or not a number.
    pub fn settimeout(&mut self, seconds: Option<f32>) -> Result<(), Error> {
        self.patience = match seconds {
            None => Patience::Forever,
            Some(seconds) if seconds >= 0.0 => {
                // Saturates; a time-out above 0 must not become 0.
                let ms = (seconds * 1_000.0) as u64;
                Patience::Ms(if seconds > 0.0 { ms.max(1) } else { 0 })
            }
            Some(_) => return Err(Error::InvalidArgument),
        };
        Ok(())
    }

    /// `socket.setblocking(flag)`: `settimeout(None)` or `settimeout(0)`.
    pub fn setblocking(&mut self, blocking: bool) {
        self.patience = if blocking {
            Patience::Forever
        } else {
            Patience::Ms(0)
        };
    }

    /// Starts to close and keeps the socket, so that
    /// [`getsocketsta`](Self::getsocketsta) can be watched through the states
    /// 5 to 10. Both directions end: modules have no half-close. Never waits.
    ///
    /// # Errors
    /// [`OpenError::NotConnected`]
    pub fn shutdown(&mut self) -> Result<(), Error> {
        let handle = self.handle()?;
        let now = self.stack.now()?;
        self.stack.core()?.engine.shutdown(now, handle)?;
        self.stack.poll()
    }

    /// `socket.close()`: sends what was taken, closes and gives the slot
    /// back. A blocking socket waits until the module has answered
    /// (10 s linger and 10 s `AT+QICLOSE` at the most, and its time-out if
    /// that is shorter); what is not finished then goes on in the steps of
    /// later calls. Closing twice is no error.
    ///
    /// # Errors
    /// [`SendError`] if bytes that `send` took are known to be lost and no
    /// earlier call has said so; the socket is closed all the same.
    /// [`Error::Busy`]; the socket is closed by the next step then.
    pub fn close(&mut self) -> Result<(), Error> {
        let Some(handle) = self.handle.take() else {
            return Ok(());
        };
        let Ok(now) = self.stack.now() else {
            self.stack.drop_socket(handle);
            return Err(Error::Busy);
        };
        let patience = match self.patience {
            Patience::Ms(ms) => Patience::Ms(ms.min(CLOSE_MS)),
            Patience::Forever => Patience::Ms(CLOSE_MS),
        };
        self.stack.core()?.engine.start_close(now, handle);
        let _ = self.stack.wait(patience, |stack| {
            if stack.core()?.engine.is_closed(handle) {
                Ok(())
            } else {
                Err(nb::Error::WouldBlock)
            }
        });
        let now = self.stack.now()?;
        let engine = &mut self.stack.core()?.engine;
        let lost = engine.untold_loss(handle);
        engine.release(now, handle);
        Ok(lost?)
    }

    /// `socket.getsocketsta()`: the [`SocketState`]'s number, -1 after
    /// `close`.
    pub fn getsocketsta(&mut self) -> i8 {
        self.state().map_or(-1, |state| state as i8)
    }

    /// The state of the socket; `None` after `close`.
    pub fn state(&mut self) -> Option<SocketState> {
        let handle = self.handle?;
        // Inside another call on the stack nothing can be learnt.
        let _ = self.stack.poll();
        let mut core = self.stack.core().ok()?;
        // A handle that went stale while only TIME_WAIT was left.
        Some(core.engine.state(handle).unwrap_or_default())
    }
}

impl<P: Port> Drop for Socket<'_, '_, P> {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            self.stack.drop_socket(handle);
        }
    }
}

/// What stream methods of Python return instead of EAGAIN.
fn none_if_blocking(result: Result<usize, Error>) -> Result<Option<usize>, Error> {
    match result {
        Ok(n) => Ok(Some(n)),
        Err(Error::WouldBlock) => Ok(None),
        Err(error) => Err(error),
    }
}
