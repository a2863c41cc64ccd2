//! The link that leads to a pseudo-terminal, and who holds it.
//!
//! Beside the link `NAME` lies a file `.NAME.lock`, locked for as long as the program runs. It tells
//! the process and where the link leads, so that a link left behind by a killed process is told from
//! one that is in use, even when another terminal has got the number of the old one.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

/// Tries to get a lock whose file its last owner is just removing.
const TRIES: u32 = 100;

/// A symbolic link, removed at the end.
pub(super) struct Link {
    path: PathBuf,
    target: PathBuf,
    /// Let go after the link is removed.
    _lock: Lock,
}

/// The file beside the link, removed at the end.
struct Lock {
    file: File,
    path: PathBuf,
}

impl Link {
    pub(super) fn new(path: &Path, target: &Path) -> Result<Link, String> {
        let mut lock = Lock::take(path)?;
        if let Ok(old) = fs::read_link(path)
            && (!path.exists() || lock.leads_to().is_some_and(|left| left == old))
        {
            // Whoever made it did not come to remove it.
            let _ = fs::remove_file(path);
        }
        let shown = path.display();
        symlink(target, path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => match fs::read_link(path) {
                Ok(other) => format!(
                    "{shown} exists already and leads to {}: end the program that serves it, \
                     remove it, or choose another name",
                    other.display()
                ),
                Err(_) => {
                    format!("{shown} exists already, and is no link: choose another name")
                }
            },
            _ => cannot(path, &error),
        })?;
        let told = lock.tell(target);
        let link = Link {
            path: path.to_owned(),
            target: target.to_owned(),
            _lock: lock,
        };
        told.map_err(|error| cannot(path, &error))?;
        Ok(link)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if fs::read_link(&self.path).is_ok_and(|target| target == self.target) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Lock {
    fn take(link: &Path) -> Result<Lock, String> {
        let name = link
            .file_name()
            .ok_or_else(|| format!("'{}' is no name for a link", link.display()))?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(".lock");
        let path = link.with_file_name(hidden);
        for _ in 0..TRIES {
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.open(&path).map_err(|error| cannot(link, &error))?;
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => return Ok(Lock { file, path }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(held(link, file)),
                Err(TryLockError::Error(error)) => return Err(cannot(link, &error)),
            }
        }
        Err(format!("{} changes hands all the time", link.display()))
    }

    /// Where the link of a process that did not remove it leads.
    fn leads_to(&mut self) -> Option<PathBuf> {
        let mut text = String::new();
        self.file.read_to_string(&mut text).ok()?;
        Some(text.trim_end().split_once(' ')?.1.into())
    }

    /// Writes down who holds the link, and where it leads.
    fn tell(&mut self, target: &Path) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{} {}", std::process::id(), target.display())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether the file is still the one of this name.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

fn held(link: &Path, mut lock: File) -> String {
    let mut text = String::new();
    let _ = lock.read_to_string(&mut text);
    let process = text.split(' ').next().and_then(|id| id.parse::<u32>().ok());
    let holder = match process {
        Some(id) => format!("process {id}: end it (kill {id})"),
        None => "another process: end it".into(),
    };
    format!(
        "{} is served by quectel-sim, {holder}, or choose another name",
        link.display()
    )
}

fn cannot(link: &Path, error: &std::io::Error) -> String {
    let shown = link.display();
    match error.kind() {
        ErrorKind::NotFound => format!("no link {shown}: its directory does not exist"),
        ErrorKind::NotADirectory => format!("no link {shown}: its directory is none"),
        ErrorKind::PermissionDenied => {
            format!("no link {shown}: no permission; choose a directory of yours, or /tmp")
        }
        _ => format!("no link {shown}: {error}"),
    }
}
