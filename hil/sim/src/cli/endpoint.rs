//! What stands where the module's serial port is: something bytes come from and go to.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::event::PollFlags;

/// The program's end of the serial line.
pub(super) trait Endpoint {
    /// What to say when it can be used, behind `ready`.
    fn describe(&self) -> String;

    /// What to wait for. `input` and `output`: whether bytes are wanted, and are there.
    fn wait_for(&self, input: bool, output: bool) -> Vec<(BorrowedFd<'_>, PollFlags)>;

    /// Looks after programs that come and go. True if the one served is another one.
    fn attend(&mut self) -> bool;

    /// Bytes from the program, without waiting; 0 if there are none.
    fn read(&mut self, buf: &mut [u8]) -> usize;

    /// Bytes to the program, without waiting; how many were taken. All if nobody is there: they
    /// are lost.
    fn write(&mut self, bytes: &[u8]) -> usize;

    /// Whether nothing will come any more, and nobody else either.
    fn has_ended(&self) -> bool {
        false
    }
}

/// Whether an error only says to come back later.
pub(super) fn later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
