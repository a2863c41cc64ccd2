//! Standard input and output as the serial line, until the input ends.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read, write};
use rustix::stdio::{stdin, stdout};

use super::endpoint::Endpoint;

/// What a pipe or a terminal that has room takes at once without blocking.
const CHUNK: usize = 256;

#[derive(Default)]
pub(super) struct Stdio {
    input_ended: bool,
    output_ended: bool,
}

/// Whether reading or writing would not block. The files are others' too, so they are left blocking.
fn is_ready(fd: BorrowedFd<'_>, flags: PollFlags) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, flags)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}

impl Endpoint for Stdio {
    fn describe(&self) -> String {
        "stdio".into()
    }

    fn wait_for(&self, input: bool, output: bool) -> Vec<(BorrowedFd<'static>, PollFlags)> {
        // A pipe whose other end is closed is always ready: only what is wanted is waited for.
        let mut fds = Vec::new();
        if input && !self.input_ended {
            fds.push((stdin(), PollFlags::IN));
        }
        if output && !self.output_ended {
            fds.push((stdout(), PollFlags::OUT));
        }
        fds
    }

    fn attend(&mut self) -> bool {
        false
    }

    fn read(&mut self, buf: &mut [u8]) -> usize {
        if self.input_ended || buf.is_empty() || !is_ready(stdin(), PollFlags::IN) {
            return 0;
        }
        match read(stdin(), buf) {
            Ok(n @ 1..) => n,
            Err(Errno::INTR | Errno::AGAIN) => 0,
            Ok(0) | Err(_) => {
                self.input_ended = true;
                0
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        if self.output_ended {
            return bytes.len();
        }
        let chunk = bytes.get(..CHUNK).unwrap_or(bytes);
        if !is_ready(stdout(), PollFlags::OUT) {
            return 0;
        }
        match write(stdout(), chunk) {
            Ok(n) => n,
            Err(Errno::INTR | Errno::AGAIN) => 0,
            Err(_) => {
                self.output_ended = true;
                bytes.len()
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.input_ended
    }
}
