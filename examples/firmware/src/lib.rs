//! What the images share: the board.
#![no_std]
#![deny(unsafe_code)]

pub mod bsp;
pub mod tasks;

use core::panic::PanicInfo;

/// Ends the run as failed.
// Not inlined: an image without this symbol holds no panic path.
#[inline(never)]
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    bsp::exit(false)
}
