//! The board: QEMU's mps2-an386, of which UART0, TIMER0 and TIMER1 are used.
//!
//! Everything is polled. Interrupts stay masked for good; a pending one only
//! ends the sleep in `idle_until`, so there is no handler and nothing shared.
//! That suits an emulator, which holds bytes back until they are fetched. A
//! UART on a real board fills a ring buffer by interrupt or DMA.
#![allow(unsafe_code)]

use core::{
    convert::Infallible,
    sync::atomic::{AtomicBool, Ordering},
    task::{RawWaker, RawWakerVTable, Waker},
};

use cortex_m::{asm, interrupt, interrupt::InterruptNumber, peripheral::NVIC};
use cortex_m_semihosting::{debug, hio};
use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use quectel_sockets::Port;

const CLOCK_HZ: u32 = 25_000_000;
const TICKS_PER_MS: u32 = CLOCK_HZ / 1_000;
/// TIMER0 wraps after 171 s. The clock has to be read more often than that,
/// so no sleep is longer than this, in milliseconds.
const LONGEST_SLEEP_MS: u32 = 60_000;

/// A 32-bit register of a peripheral.
#[derive(Clone, Copy)]
struct Register(*mut u32);

impl Register {
    fn read(self) -> u32 {
        // SAFETY: every `Register` is one of the constants below, addresses
        // of device registers of this board.
        unsafe { self.0.read_volatile() }
    }

    fn write(self, value: u32) {
        // SAFETY: as in `read`. None of them makes the device touch memory.
        unsafe { self.0.write_volatile(value) }
    }
}

/// CMSDK timer: counts down.
struct Timer {
    control: Register,
    value: Register,
    reload: Register,
    interrupt: Register,
}

impl Timer {
    const fn at(base: usize) -> Self {
        Self {
            control: Register(base as *mut u32),
            value: Register((base + 0x4) as *mut u32),
            reload: Register((base + 0x8) as *mut u32),
            interrupt: Register((base + 0xc) as *mut u32),
        }
    }
}

const TIMER_ENABLE: u32 = 1 << 0;
const TIMER_INTERRUPT: u32 = 1 << 3;
/// Runs freely: the clock.
const CLOCK: Timer = Timer::at(0x4000_0000);
/// Ends a sleep.
const ALARM: Timer = Timer::at(0x4000_1000);

// CMSDK UART0: a transmit and a receive buffer of one byte each.
const UART_DATA: Register = Register(0x4000_4000 as *mut u32);
const UART_STATE: Register = Register(0x4000_4004 as *mut u32);
const UART_CONTROL: Register = Register(0x4000_4008 as *mut u32);
const UART_INTERRUPT: Register = Register(0x4000_400c as *mut u32);
const UART_DIVIDER: Register = Register(0x4000_4010 as *mut u32);
const UART_TX_FULL: u32 = 1 << 0;
const UART_RX_FULL: u32 = 1 << 1;
const UART_TX_ENABLE: u32 = 1 << 0;
const UART_RX_ENABLE: u32 = 1 << 1;
const UART_RX_INTERRUPT: u32 = 1 << 3;
const UART_RX_PENDING: u32 = 1 << 1;

#[derive(Clone, Copy)]
#[repr(u16)]
enum Interrupt {
    Uart0Rx = 0,
    Timer1 = 9,
}

// SAFETY: the board's interrupt numbers, which never change.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

/// UART0, where the module is, and the clock.
pub struct Board {
    /// TIMER0 when the clock was last read.
    last: u32,
    /// Milliseconds since the start, and the 25 MHz ticks beyond.
    now: u64,
    ticks: u32,
}

impl Board {
    /// Sets the peripherals up. To be called once.
    pub fn new(baud: u32) -> Self {
        interrupt::disable();
        CLOCK.reload.write(u32::MAX);
        CLOCK.value.write(u32::MAX);
        CLOCK.control.write(TIMER_ENABLE);
        // The hardware wants 16 at least.
        UART_DIVIDER.write(CLOCK_HZ.checked_div(baud).unwrap_or(0).max(16));
        UART_CONTROL.write(UART_TX_ENABLE | UART_RX_ENABLE | UART_RX_INTERRUPT);
        // SAFETY: interrupts are masked and stay so; these two only end a
        // sleep.
        unsafe {
            NVIC::unmask(Interrupt::Uart0Rx);
            NVIC::unmask(Interrupt::Timer1);
        }
        Self {
            last: u32::MAX,
            now: 0,
            ticks: 0,
        }
    }
}

impl ErrorType for Board {
    type Error = Infallible;
}

impl ReadReady for Board {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(UART_STATE.read() & UART_RX_FULL != 0)
    }
}

impl WriteReady for Board {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(UART_STATE.read() & UART_TX_FULL == 0)
    }
}

impl Read for Board {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while !self.read_ready()? {}
        let mut n = 0;
        for place in buffer {
            if !self.read_ready()? {
                break;
            }
            *place = UART_DATA.read() as u8;
            n += 1;
        }
        Ok(n)
    }
}

impl Write for Board {
    fn write(&mut self, data: &[u8]) -> Result<usize, Infallible> {
        if data.is_empty() {
            return Ok(0);
        }
        while !self.write_ready()? {}
        let mut n = 0;
        for &byte in data {
            if !self.write_ready()? {
                break;
            }
            UART_DATA.write(byte.into());
            n += 1;
        }
        Ok(n)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while !self.write_ready()? {}
        Ok(())
    }
}

impl Port for Board {
    fn now(&mut self) -> u64 {
        let value = CLOCK.value.read();
        let passed = self.last.wrapping_sub(value);
        self.last = value;
        // In two steps: no overflow and no 64-bit division.
        self.ticks += passed % TICKS_PER_MS;
        self.now += u64::from(passed / TICKS_PER_MS + self.ticks / TICKS_PER_MS);
        self.ticks %= TICKS_PER_MS;
        self.now
    }

    fn idle_until(&mut self, at: u64) {
        let left = at.saturating_sub(self.now());
        if left == 0 || UART_STATE.read() & UART_RX_FULL != 0 {
            return;
        }
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        ALARM.value.write(left.min(LONGEST_SLEEP_MS) * TICKS_PER_MS);
        ALARM.control.write(TIMER_ENABLE | TIMER_INTERRUPT);
        // A byte that comes before this line is pending and ends it at once.
        asm::wfi();
        ALARM.control.write(0);
        ALARM.interrupt.write(1);
        UART_INTERRUPT.write(UART_RX_PENDING);
        NVIC::unpend(Interrupt::Timer1);
        NVIC::unpend(Interrupt::Uart0Rx);
    }
}

/// A task is to be polled again.
static AWAKE: AtomicBool = AtomicBool::new(true);

/// Wakes the one task there is.
pub fn waker() -> Waker {
    const TABLE: RawWakerVTable = RawWakerVTable::new(|_| RAW, wake, wake, |_| ());
    const RAW: RawWaker = RawWaker::new(core::ptr::null(), &TABLE);
    fn wake(_: *const ()) {
        AWAKE.store(true, Ordering::Relaxed);
    }
    // SAFETY: the functions use no data, and may be called at any time.
    unsafe { Waker::from_raw(RAW) }
}

/// Whether it was woken since the last call.
pub fn take_awake() -> bool {
    AWAKE.swap(false, Ordering::Relaxed)
}

/// Writes to the debugger's or the emulator's console.
pub fn print(text: &[u8]) {
    if let Ok(mut console) = hio::hstdout() {
        let _ = console.write_all(text);
    }
}

/// Ends the emulator with exit status 0 or 1. Without an emulator or a
/// debugger this is a fault, and the program stops here.
pub fn exit(success: bool) -> ! {
    debug::exit(if success {
        debug::EXIT_SUCCESS
    } else {
        debug::EXIT_FAILURE
    });
    loop {
        asm::wfi();
    }
}
