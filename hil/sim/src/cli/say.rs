//! What the program says. A reader that has gone away is no reason to fail, or to panic.

use std::io::{ErrorKind, Write, stderr, stdout};

/// Text to standard output, which is not to be lost: a list somebody asked for.
pub(super) fn out(text: &str) -> Result<(), String> {
    let mut out = stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}

/// A line to standard output, if anybody reads it.
pub(super) fn tell(line: &str) {
    let mut out = stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A line to standard error, if anybody reads it.
pub(super) fn warn(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}
