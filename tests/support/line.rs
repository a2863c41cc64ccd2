//! A stack for the `nb` face over a line whose other end the test holds, byte
//! for byte. The stack moves only by the calls that the test makes on it.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write, WriteReady};
use quectel_sockets::{Config, Slot, Stack, nb::Polled};

use super::dialogue::{BRING_UP, SET_CANARY, config};

/// The test's end of the line, and the clock. Clones are the same line.
#[derive(Clone, Default)]
pub struct Line(Rc<RefCell<Wires>>);

#[derive(Default)]
struct Wires {
    to_host: VecDeque<u8>,
    to_module: Vec<u8>,
    now: u64,
    broken: bool,
}

pub type LinePort = Polled<Line, Box<dyn FnMut() -> u64>>;
pub type LineStack<'a> = Stack<'a, LinePort>;

impl Line {
    /// A stack on this line, with echo off and without looks for lost URCs.
    pub fn stack<'a>(&self, slots: &'a mut [Slot<'a>]) -> LineStack<'a> {
        let clock = self.clone();
        clock.0.borrow_mut().now = 1_000;
        let clock: Box<dyn FnMut() -> u64> = Box::new(move || clock.0.borrow().now);
        let config = Config {
            check_echo: false,
            ..config()
        };
        Stack::new(Polled::new(self.clone(), clock), slots, config)
    }

    /// The host must have sent exactly this since the last call.
    #[track_caller]
    pub fn host(&self, expected: impl AsRef<[u8]>) -> &Self {
        let sent = std::mem::take(&mut self.0.borrow_mut().to_module);
        let expected = expected.as_ref();
        if expected == SET_CANARY.as_bytes() && sent.starts_with(b"AT+QICFG=\"transpktsize\",14") {
            return self;
        }
        assert_eq!(
            sent.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        self
    }

    /// The module sends this; the host reads it in its next call.
    pub fn module(&self, bytes: impl AsRef<[u8]>) -> &Self {
        self.0.borrow_mut().to_host.extend(bytes.as_ref());
        self
    }

    /// The module sends this line.
    pub fn line(&self, text: &str) -> &Self {
        self.module(format!("\r\n{text}\r\n"))
    }

    /// `\r\nOK\r\n`
    pub fn ok(&self) -> &Self {
        self.line("OK")
    }

    pub fn after(&self, ms: u64) -> &Self {
        self.0.borrow_mut().now += ms;
        self
    }

    /// From now on the port fails.
    pub fn breaks(&self) {
        self.0.borrow_mut().broken = true;
    }

    fn wires<T>(&self, use_it: impl FnOnce(&mut Wires) -> T) -> Result<T, ErrorKind> {
        let mut wires = self.0.borrow_mut();
        if wires.broken {
            return Err(ErrorKind::Other);
        }
        Ok(use_it(&mut wires))
    }
}

/// The set-up, to the end.
#[track_caller]
pub fn bring_up(line: &Line, stack: &LineStack<'_>) {
    for (host, module) in BRING_UP {
        stack.poll().unwrap();
        line.host(host).module(module);
    }
    stack.poll().unwrap();
    assert_eq!(stack.is_up(), Ok(true));
}

impl ErrorType for Line {
    type Error = ErrorKind;
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.wires(|wires| {
            let n = buffer.len().min(wires.to_host.len());
            let bytes = wires.to_host.drain(..n);
            buffer
                .iter_mut()
                .zip(bytes)
                .for_each(|(to, from)| *to = from);
            n
        })
    }
}

impl ReadReady for Line {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        self.wires(|wires| !wires.to_host.is_empty())
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.wires(|wires| wires.to_module.extend(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl WriteReady for Line {
    fn write_ready(&mut self) -> Result<bool, ErrorKind> {
        self.wires(|_| true)
    }
}

/// `on_line!(line, stack, 2)`: a stack with so many sockets; the set-up is
/// over.
#[macro_export]
macro_rules! on_line {
    ($line:ident, $stack:ident, $n:literal) => {
        let mut memory = $crate::support::dialogue::Memory::<$n>::new();
        let mut slots = memory.slots();
        let $line = $crate::support::line::Line::default();
        let stack = $line.stack(&mut slots);
        $crate::support::line::bring_up(&$line, &stack);
        #[allow(unused_mut)]
        let mut $stack = &stack;
    };
}
