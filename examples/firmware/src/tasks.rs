//! An executor for one future, and the board as the `asynch` face wants it.
//!
//! The executor sleeps with WFI while nobody is awake, until a byte comes or
//! the time of the one sleeper, the runner.

use core::{
    cell::{Cell, RefCell},
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use embedded_io::{Read as _, ReadReady, Write as _, WriteReady};
use embedded_io_async::{ErrorType, Read, Write};
use quectel_sockets::{Port, asynch::Clock};

use crate::bsp::{self, Board};

/// The board, shared by the two halves of its UART and the clock.
pub struct Tasks {
    board: RefCell<Board>,
    /// Until when the runner sleeps.
    alarm: Cell<u64>,
    /// The transmitter waits for room.
    full: Cell<bool>,
}

impl Tasks {
    pub const fn new(board: Board) -> Self {
        Self {
            board: RefCell::new(board),
            alarm: Cell::new(u64::MAX),
            full: Cell::new(false),
        }
    }

    /// For one step; none is inside another, so the borrow never fails.
    fn with<T>(&self, step: impl FnOnce(&mut Board) -> T, otherwise: T) -> T {
        match self.board.try_borrow_mut() {
            Ok(mut board) => step(&mut board),
            Err(_) => otherwise,
        }
    }

    /// Runs `main`, and `runner` beside it, to the end of `main`; `None` if
    /// the runner ends first.
    pub fn block_on<T>(
        &self,
        mut runner: Pin<&mut impl Future>,
        mut main: Pin<&mut impl Future<Output = T>>,
    ) -> Option<T> {
        let waker = bsp::waker();
        let mut cx = Context::from_waker(&waker);
        loop {
            self.alarm.set(u64::MAX);
            if runner.as_mut().poll(&mut cx).is_ready() {
                return None;
            }
            if let Poll::Ready(value) = main.as_mut().poll(&mut cx) {
                return Some(value);
            }
            if !bsp::take_awake() && !self.full.take() {
                self.with(|board| board.idle_until(self.alarm.get()), ());
            }
        }
    }
}

/// The half of the UART that receives.
pub struct Rx<'t>(pub &'t Tasks);
/// The half that sends.
pub struct Tx<'t>(pub &'t Tasks);

impl ErrorType for Rx<'_> {
    type Error = Infallible;
}

impl ErrorType for Tx<'_> {
    type Error = Infallible;
}

impl Read for Rx<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        // Polled again after every sleep: no waker to keep.
        poll_fn(|_| {
            let read = |board: &mut Board| match board.read_ready() {
                Ok(true) => Poll::Ready(board.read(buffer)),
                _ => Poll::Pending,
            };
            self.0.with(read, Poll::Pending)
        })
        .await
    }
}

impl Write for Tx<'_> {
    async fn write(&mut self, data: &[u8]) -> Result<usize, Infallible> {
        poll_fn(|_| {
            let write = |board: &mut Board| match board.write_ready() {
                Ok(true) => Poll::Ready(board.write(data)),
                _ => {
                    self.0.full.set(true);
                    Poll::Pending
                }
            };
            self.0.with(write, Poll::Pending)
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Clock for &Tasks {
    fn now(&self) -> u64 {
        self.with(Board::now, 0)
    }

    async fn sleep_until(&self, at: u64) {
        poll_fn(|_| {
            if Clock::now(self) >= at {
                return Poll::Ready(());
            }
            self.alarm.set(at.min(self.alarm.get()));
            Poll::Pending
        })
        .await;
    }
}
