//! Which programs have a device open.

use std::{fmt, path::Path};

/// A program that has a port open.
///
/// ```no_run
/// use quectel_port::{PcPort, Reason, Settings};
///
/// let error = PcPort::open("/dev/ttyUSB2", &Settings::default()).unwrap_err();
/// if let Reason::Busy(holders) = error.reason {
///     holders.iter().for_each(|holder| println!("{}", holder.pid));
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Number of the process.
    pub pid: u32,
    /// Name of the program, cut to 15 bytes by the kernel.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {}", self.name, self.pid)?;
        if self.pid == std::process::id() {
            f.write_str(", this program itself")?;
        }
        f.write_str(")")
    }
}

/// The programs that have `device`, a path without symbolic links, open. Those
/// of other users are seen by root only.
#[cfg(target_os = "linux")]
pub(crate) fn holders(device: &Path) -> Vec<Holder> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let mut files = std::fs::read_dir(process.path().join("fd")).ok()?.flatten();
            files.find(|file| std::fs::read_link(file.path()).is_ok_and(|to| to == device))?;
            let name = std::fs::read_to_string(process.path().join("comm")).ok()?;
            let name = name.trim_end().to_owned();
            Some(Holder { pid, name })
        })
        .collect()
}

/// Not known on this platform.
#[cfg(not(target_os = "linux"))]
pub(crate) fn holders(_: &Path) -> Vec<Holder> {
    Vec::new()
}
