//! Serial devices and pseudo-terminals: opening, locking, line settings.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::{
    fs::OFlags,
    io::Errno,
    termios::{
        ControlModes, InputModes, OptionalActions, SpecialCodeIndex, Termios, ioctl_tiocexcl,
        ioctl_tiocnxcl, tcgetattr, tcsetattr,
    },
};

use crate::{FlowControl, Settings, error::Reason, holders::holders, list::ports};

/// An open serial device that no other program can open.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) file: File,
    /// Whether `TIOCEXCL` was set.
    exclusive: bool,
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.exclusive {
            // It would outlive this program if another has the device open.
            let _ = ioctl_tiocnxcl(&self.file);
        }
    }
}

impl Device {
    pub(crate) fn open(path: &str, settings: &Settings) -> Result<Self, Reason> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            // Not waiting: a device without a carrier would wait for one.
            .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
            .open(path);
        let file = opened.map_err(|error| not_opened(path, error))?;
        let path = fs::canonicalize(path).map_err(|error| Reason::Failed("find", error))?;
        let pty = is_pty(&path);
        let line = line_settings(&file)?;

        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                // This open file would make this program a holder.
                drop(file);
                return Err(Reason::Busy(holders(&path)));
            }
            Err(TryLockError::Error(error)) => return Err(Reason::Failed("lock", error)),
        }
        // Programs that do not lock would take bytes away from this one. The
        // simulated module behind a pseudo-terminal only keeps it open.
        if !pty {
            let mut others = holders(&path);
            others.retain(|holder| holder.pid != std::process::id());
            if !others.is_empty() {
                return Err(Reason::Busy(others));
            }
        }

        configure(&file, line, settings, pty)?;
        // Against programs that do not look at locks. On a pseudo-terminal it
        // would outlive this program if that is killed.
        if !pty {
            ioctl_tiocexcl(&file).map_err(|error| Reason::Failed("lock", error.into()))?;
        }
        Ok(Self {
            file,
            exclusive: !pty,
        })
    }
}

/// Whether the path, one without symbolic links, is a pseudo-terminal's.
fn is_pty(path: &Path) -> bool {
    let prefix = if cfg!(target_os = "macos") {
        "/dev/ttys"
    } else {
        "/dev/pts/"
    };
    path.to_string_lossy().starts_with(prefix)
}

/// Why `open` failed.
fn not_opened(path: &str, error: io::Error) -> Reason {
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::NOTDIR | Errno::NODEV | Errno::NXIO | Errno::IO) => {
            Reason::NotFound(ports())
        }
        Some(Errno::ACCESS | Errno::PERM) => Reason::Permission(group(path)),
        Some(Errno::BUSY) => {
            let path = fs::canonicalize(path);
            Reason::Busy(path.map(|path| holders(&path)).unwrap_or_default())
        }
        Some(Errno::ISDIR) => Reason::NotSerial,
        _ => Reason::Failed("open", error),
    }
}

/// The group that may use the device, if there is one.
fn group(path: &str) -> Option<String> {
    let device = fs::metadata(path).ok()?;
    if device.mode() & 0o060 != 0o060 || device.gid() == 0 {
        return None;
    }
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(device.gid())).then(|| name.to_owned())
    })
}

/// The line settings that a serial device has.
fn line_settings(file: &File) -> Result<Termios, Reason> {
    tcgetattr(file).map_err(|error| match error {
        Errno::NOTTY | Errno::NODEV | Errno::OPNOTSUPP => Reason::NotSerial,
        // A driver's reserve: a port without hardware.
        Errno::IO => Reason::NotFound(ports()),
        error => Reason::Failed("read the line settings of", error.into()),
    })
}

/// Sets 8N1, the rate and the flow control; no byte is interpreted.
fn configure(file: &File, mut line: Termios, settings: &Settings, pty: bool) -> Result<(), Reason> {
    let refused = |kept| Reason::Baud {
        asked: settings.baud,
        kept,
    };
    // 0 would hang up.
    if settings.baud == 0 {
        return Err(refused(None));
    }
    let rts_cts = settings.flow_control == FlowControl::RtsCts;
    if rts_cts && pty {
        return Err(Reason::FlowControl);
    }

    line.make_raw();
    // A module that loses power holds the line low: no byte. Above all no
    // XON/XOFF, which `make_raw` leaves on in one direction.
    line.input_modes = InputModes::IGNBRK;
    line.control_modes |= ControlModes::CREAD | ControlModes::CLOCAL;
    line.control_modes -= ControlModes::CSTOPB;
    line.control_modes.set(ControlModes::CRTSCTS, rts_cts);
    // With VMIN 0 no byte would look like the end of the line.
    line.special_codes[SpecialCodeIndex::VMIN] = 1;
    line.special_codes[SpecialCodeIndex::VTIME] = 0;
    line.set_speed(settings.baud).map_err(|_| refused(None))?;
    tcsetattr(file, OptionalActions::Now, &line).map_err(|error| match error {
        Errno::INVAL => refused(None),
        error => Reason::Failed("set the line settings of", error.into()),
    })?;

    // The call succeeds if anything at all could be set.
    let line = line_settings(file)?;
    let kept = line.output_speed();
    // A receiver follows 2 %; a driver reports the rate that its divisor gives.
    if kept.abs_diff(settings.baud) > settings.baud / 50 {
        return Err(refused(Some(kept)));
    }
    if rts_cts && !line.control_modes.contains(ControlModes::CRTSCTS) {
        return Err(Reason::FlowControl);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_open() {
        let reason = |errno: Errno| not_opened("/dev/null", errno.into());
        assert!(matches!(reason(Errno::NXIO), Reason::NotFound(_)));
        assert!(matches!(reason(Errno::ACCESS), Reason::Permission(_)));
        assert!(matches!(reason(Errno::BUSY), Reason::Busy(_)));
        assert!(matches!(reason(Errno::ISDIR), Reason::NotSerial));
        assert!(matches!(reason(Errno::MFILE), Reason::Failed("open", _)));
    }

    #[test]
    fn pseudo_terminals() {
        assert!(!is_pty(Path::new("/dev/ttyS0")));
        assert!(!is_pty(Path::new("/dev/ttyUSB2")));
        #[cfg(target_os = "linux")]
        assert!(is_pty(Path::new("/dev/pts/3")));
    }
}
