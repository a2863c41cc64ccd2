//! Work that blocks, done on threads of the PC: connects and look-ups of the real network.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// Threads at a time. A host that asks for more finds nobody at home.
const MOST: usize = 64;

static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Counts a thread for as long as it lives.
struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts `work`; its result comes through the receiver. None if too much is going on already.
pub(crate) fn start<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<Receiver<T>> {
    let before = RUNNING.fetch_add(1, Ordering::Relaxed);
    let running = Running;
    if before >= MOST {
        return None;
    }
    let (sender, receiver) = channel();
    let body = move || {
        let _running = running;
        // Nobody may be waiting any more.
        let _ = sender.send(work());
    };
    thread::Builder::new().spawn(body).ok()?;
    Some(receiver)
}
