//! The signals that end the program, as something that becomes readable.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

pub(super) struct Stop(UnixStream);

impl Stop {
    pub(super) fn new() -> io::Result<Stop> {
        let (ours, theirs) = UnixStream::pair()?;
        for signal in [SIGHUP, SIGINT] {
            pipe::register(signal, theirs.try_clone()?)?;
        }
        pipe::register(SIGTERM, theirs)?;
        Ok(Stop(ours))
    }
}

impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
