//! A pseudo-terminal, and a link that leads to it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{Mode, OFlags};
use rustix::io::ioctl_fionbio;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, ioctl_tiocnxcl, tcgetattr, tcsetattr};

use super::endpoint::Endpoint;
use super::link::Link;

/// How often the terminal is opened for others again.
const UNLOCK: Duration = Duration::from_millis(500);

pub(super) struct Pty {
    master: File,
    /// Kept open: without any the master would be at its end.
    slave: OwnedFd,
    path: PathBuf,
    link: Link,
    unlocked: Instant,
}

impl Pty {
    pub(super) fn open(link: &Path) -> Result<Pty, String> {
        let (master, slave, path) =
            terminal().map_err(|error| format!("no pseudo-terminal: {error}"))?;
        let link = Link::new(link, &path)?;
        Ok(Pty {
            master: File::from(master),
            slave,
            path,
            link,
            unlocked: Instant::now(),
        })
    }
}

/// A pseudo-terminal that passes every byte on as it is.
fn terminal() -> rustix::io::Result<(OwnedFd, OwnedFd, PathBuf)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let path = PathBuf::from(OsStr::from_bytes(name.as_bytes()));
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(&path, flags, Mode::empty())?;
    let mut settings = tcgetattr(&slave)?;
    settings.make_raw();
    tcsetattr(&slave, OptionalActions::Now, &settings)?;
    ioctl_fionbio(&master, true)?;
    Ok((master, slave, path))
}

impl Endpoint for Pty {
    fn describe(&self) -> String {
        format!(
            "pty {} -> {}",
            self.link.path().display(),
            self.path.display()
        )
    }

    fn wait_for(&self, input: bool, output: bool) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, input);
        flags.set(PollFlags::OUT, output);
        vec![(self.master.as_fd(), flags)]
    }

    /// A program that had the terminal for itself alone and was killed has left it so.
    fn attend(&mut self) -> bool {
        if self.unlocked.elapsed() >= UNLOCK {
            self.unlocked = Instant::now();
            let _ = ioctl_tiocnxcl(&self.slave);
        }
        false
    }

    fn read(&mut self, buf: &mut [u8]) -> usize {
        // An error is the wish to come back later: a slave is open.
        self.master.read(buf).unwrap_or(0)
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.master.write(bytes).unwrap_or(0)
    }
}
