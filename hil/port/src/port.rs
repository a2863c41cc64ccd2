//! An open port: reading, writing, waiting.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    os::fd::{AsFd, BorrowedFd},
    thread,
    time::{Duration, Instant},
};

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use quectel_sockets::Port;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, retry_on_intr},
    termios::tcdrain,
};

use crate::{OpenError, PortError, Settings, device::Device, tcp};

/// Always reported: the other end is gone.
const GONE: PollFlags = PollFlags::HUP.union(PollFlags::ERR).union(PollFlags::NVAL);
/// Longest single wait.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest wait on a lost port, where no byte can end it.
const LOST: Duration = Duration::from_millis(100);

/// A serial line of this PC with a clock: what a
/// [`Stack`](quectel_sockets::Stack) stands on.
///
/// Nobody else can open the device meanwhile. Bytes that came before it was
/// opened are kept if the system has them. Once the port is lost, every call
/// returns the same error.
///
/// ```
/// use embedded_io::{Read, Write};
/// use quectel_port::{PcPort, Settings};
/// # use std::io::{Read as _, Write as _};
///
/// let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let spec = format!("tcp:{}", server.local_addr()?);
/// let mut port = PcPort::open(&spec, &Settings::default())?;
/// let mut module = server.accept()?.0;
///
/// Write::write_all(&mut port, b"AT\r")?;
/// let mut bytes = [0; 3];
/// module.read_exact(&mut bytes)?;
/// assert_eq!(&bytes, b"AT\r");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PcPort {
    name: String,
    line: Line,
    start: Instant,
    lost: Option<PortError>,
}

impl PcPort {
    /// Opens a device path or `tcp:HOST:PORT`.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(spec: &str, settings: &Settings) -> Result<Self, OpenError> {
        let line = match spec.strip_prefix("tcp:") {
            Some(address) => tcp::open(address, settings.connect_timeout).map(Line::Tcp),
            None => Device::open(spec, settings).map(Line::Device),
        };
        let line = line.map_err(|reason| OpenError {
            port: spec.to_owned(),
            reason,
        })?;
        Ok(Self {
            name: spec.to_owned(),
            line,
            start: Instant::now(),
            lost: None,
        })
    }

    /// What was opened.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), PortError> {
        self.lost.clone().map_or(Ok(()), Err)
    }

    /// Remembers that the port is lost: by `error`, or at its end.
    fn lose(&mut self, error: Option<&io::Error>) -> PortError {
        let tcp = matches!(self.line, Line::Tcp(_));
        self.lost
            .insert(PortError::new(&self.name, tcp, error))
            .clone()
    }

    /// Whether `events` have come or the other end is gone, which the next
    /// `read` or `write` reports.
    fn ready(&mut self, events: PollFlags) -> Result<bool, PortError> {
        self.check()?;
        match retry_on_intr(|| self.line.wait(events, Some(Duration::ZERO))) {
            Ok(seen) => Ok(!seen.is_empty()),
            Err(error) => Err(self.lose(Some(&error.into()))),
        }
    }

    /// Does `io`, which moves some bytes, as soon as it can.
    fn transfer(
        &mut self,
        events: PollFlags,
        mut io: impl FnMut(&mut Line) -> io::Result<usize>,
    ) -> Result<usize, PortError> {
        self.check()?;
        let mut seen = PollFlags::empty();
        loop {
            match io(&mut self.line) {
                Ok(0) => return Err(self.lose(None)),
                Ok(n) => return Ok(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Err(self.lose(Some(&error)));
                }
                // Waiting for the dead would never end, or never begin.
                Err(_) if seen.intersects(GONE) => return Err(self.lose(None)),
                Err(_) => (),
            }
            seen = retry_on_intr(|| self.line.wait(events, None))
                .map_err(|error| self.lose(Some(&error.into())))?;
        }
    }
}

impl ErrorType for PcPort {
    type Error = PortError;
}

impl Read for PcPort {
    /// Waits for a byte if there is none.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, PortError> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.transfer(PollFlags::IN, |line| line.read(buffer))
    }
}

impl ReadReady for PcPort {
    fn read_ready(&mut self) -> Result<bool, PortError> {
        self.ready(PollFlags::IN)
    }
}

impl Write for PcPort {
    /// Waits for room for a byte if there is none.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, PortError> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.transfer(PollFlags::OUT, |line| line.write(bytes))
    }

    /// Waits until a device has sent everything, for ever if flow control
    /// forbids it; a serial server does not say.
    fn flush(&mut self) -> Result<(), PortError> {
        self.check()?;
        match &self.line {
            Line::Device(device) => retry_on_intr(|| tcdrain(&device.file))
                .map_err(|error| self.lose(Some(&error.into()))),
            Line::Tcp(_) => Ok(()),
        }
    }
}

impl WriteReady for PcPort {
    fn write_ready(&mut self) -> Result<bool, PortError> {
        self.ready(PollFlags::OUT)
    }
}

impl Port for PcPort {
    /// Milliseconds since the port was opened.
    fn now(&mut self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sleeps until a byte comes, the port is lost, or the time `at` is
    /// reached; `u64::MAX` is never. After the loss was reported it sleeps
    /// 100 ms at most.
    fn idle_until(&mut self, at: u64) {
        // From microseconds on, so that it does not wake before `at`.
        let left = Duration::from_millis(at).saturating_sub(self.start.elapsed());
        if self.lost.is_some() {
            thread::sleep(left.min(LOST));
        } else if !left.is_zero() {
            // An error shows in the next read; a signal may shorten the wait.
            let _ = self.line.wait(PollFlags::IN, Some(left.min(LONGEST)));
        }
    }
}

/// What the bytes go through.
#[derive(Debug)]
enum Line {
    Device(Device),
    Tcp(TcpStream),
}

impl Line {
    /// Waits for `events` or the end of the line, for ever without a limit.
    fn wait(&self, events: PollFlags, limit: Option<Duration>) -> Result<PollFlags, Errno> {
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let mut fds = [PollFd::new(self, events)];
        poll(&mut fds, limit.as_ref())?;
        Ok(fds[0].revents())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Device(device) => device.file.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Device(device) => device.file.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Device(device) => device.file.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}
