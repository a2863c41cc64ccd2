//! The stack on a scripted port: what lies between the engine and the
//! blocking calls.

use std::{cell::RefCell, collections::VecDeque, convert::Infallible, rc::Rc};

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use quectel_sockets::{
    Config, Port, Slot, Stack,
    errno::ENOTCONN,
    socket::{AF_INET, Error, IPPROTO_TCP, IPPROTO_UDP, SHUT_RDWR, SOCK_DGRAM, SOCK_STREAM},
};

/// A module that answers everything at once, and a clock that moves only
/// while the host idles.
#[derive(Default)]
struct Module {
    now: u64,
    /// Milliseconds that pass whenever the host looks at the clock.
    slow: u64,
    /// Milliseconds by which the host wakes too early.
    early: u64,
    /// Commands that have come.
    asked: u32,
    answers: VecDeque<u8>,
    line: Vec<u8>,
    payload: usize,
    received: Vec<u8>,
    mute: bool,
    /// So many opens never end.
    hanging: u32,
}

impl Module {
    fn take(&mut self, byte: u8) {
        if self.payload > 0 {
            self.received.push(byte);
            self.payload -= 1;
            if self.payload == 0 {
                self.answers.extend(b"\r\nSEND OK\r\n");
            }
            return;
        }
        self.line.push(byte);
        if byte != b'\r' {
            return;
        }
        let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
        self.asked += 1;
        let ok = "\r\nOK\r\n";
        let answer = match line.trim().split_once('=') {
            _ if self.mute => return,
            Some(("AT+QISEND", rest)) if !rest.ends_with(",0") => {
                self.payload = rest.split_once(',').unwrap().1.parse().unwrap();
                "\r\n> ".into()
            }
            Some(("AT+QISEND", _)) => {
                let total = self.received.len();
                format!("\r\n+QISEND: {total},{total},0\r\n{ok}")
            }
            Some(("AT+QIOPEN", _)) if self.hanging > 0 => {
                self.hanging -= 1;
                ok.into()
            }
            Some(("AT+QIOPEN", rest)) => {
                let id = rest.split(',').nth(1).unwrap();
                format!("{ok}\r\n+QIOPEN: {id},0\r\n")
            }
            None if line == "AT+CPIN?\r" => format!("\r\n+CPIN: READY\r\n{ok}"),
            None if line == "AT+CEREG?\r" => format!("\r\n+CEREG: 0,1\r\n{ok}"),
            None if line == "AT+QIACT?\r" => format!("\r\n+QIACT: 1,1,1,\"10.0.0.1\"\r\n{ok}"),
            _ => ok.into(),
        };
        self.answers.extend(answer.as_bytes());
    }
}

#[derive(Clone, Default)]
struct Line(Rc<RefCell<Module>>);

impl ErrorType for Line {
    type Error = Infallible;
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let answers = &mut self.0.borrow_mut().answers;
        let n = buffer.len().min(answers.len());
        buffer
            .iter_mut()
            .zip(answers.drain(..n))
            .for_each(|(to, from)| *to = from);
        Ok(n)
    }
}

impl ReadReady for Line {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(!self.0.borrow().answers.is_empty())
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let mut module = self.0.borrow_mut();
        bytes.iter().for_each(|byte| module.take(*byte));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl WriteReady for Line {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(true)
    }
}

impl Port for Line {
    fn now(&mut self) -> u64 {
        let mut module = self.0.borrow_mut();
        module.now += module.slow;
        module.now
    }

    fn idle_until(&mut self, at: u64) {
        let mut module = self.0.borrow_mut();
        if module.answers.is_empty() {
            assert_ne!(at, u64::MAX, "the host would sleep for ever");
            module.now = module.now.max(at.saturating_sub(module.early));
        }
    }
}

/// Without looks for lost URCs, which would wake the host.
fn config() -> Config<'static> {
    Config {
        look_ms: 0,
        check_echo: false,
        ..Config::default()
    }
}

/// A write larger than the ring: each part goes out as soon as there is
/// room, with nothing but the answers to wake the host.
#[test]
fn a_long_write_does_not_sleep_while_there_is_room() {
    let line = Line::default();
    let (mut rx, mut tx) = ([0; 100], [0; 100]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let stack = Stack::new(line.clone(), &mut slots, config());
    stack.poll_until(10_000, || false).unwrap();
    let mut socket = stack.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP).unwrap();
    socket.connect(("192.0.2.20", 80)).unwrap();
    let start = line.0.borrow().now;
    let data: Vec<u8> = (0..10_000).map(|i| i as u8).collect();
    assert_eq!(socket.send(&data), Ok(data.len()));
    assert_eq!(line.0.borrow().received, data);
    assert_eq!(line.0.borrow().now, start, "time was slept away");
}

/// A clock that moves on between two looks at it: what became due in between
/// is not slept over.
#[test]
fn what_becomes_due_between_two_looks_at_the_clock_is_done() {
    let line = Line::default();
    {
        let mut module = line.0.borrow_mut();
        (module.mute, module.slow, module.early) = (true, 7, 10);
    }
    let (mut rx, mut tx) = ([0; 100], [0; 100]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let stack = Stack::new(line.clone(), &mut slots, config());
    // `AT` is asked again and again, every 11 s at the least.
    assert_eq!(stack.poll_until(1_000_000, || false), Ok(false));
    let asked = line.0.borrow().asked;
    assert!(asked > 80, "{asked}");
}

/// The handle of a socket whose slot was taken over twice is dropped: the
/// owner of today keeps its connection.
#[test]
fn a_socket_dropped_late_closes_nobody_elses() {
    let line = Line::default();
    let (mut rx, mut tx) = ([0; 100], [0; 100]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let stack = Stack::new(line.clone(), &mut slots, config());
    stack.poll_until(10_000, || false).unwrap();
    let connected = || {
        let mut socket = stack.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP).unwrap();
        socket.connect(("192.0.2.20", 80)).unwrap();
        socket
    };
    let mut first = connected();
    first.shutdown(SHUT_RDWR).unwrap();
    stack.poll_until(100, || false).unwrap();
    assert_eq!(first.getsocketsta(), 10);
    // Its TIME_WAIT gives way, and so does the next one's.
    let mut second = connected();
    second.shutdown(SHUT_RDWR).unwrap();
    stack.poll_until(100, || false).unwrap();
    let mut third = connected();
    drop(first);
    assert_eq!(third.getsocketsta(), 4);
    drop(second);
    assert_eq!(third.getsocketsta(), 4);
    drop(third);
    stack.poll_until(100, || false).unwrap();
    assert!(stack.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP).is_ok());
}

/// A `bind` that has timed out is given up, as a `connect` is.
#[test]
fn a_bind_after_one_that_timed_out() {
    let line = Line::default();
    let (mut rx, mut tx) = ([0; 1600], [0; 100]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let stack = Stack::new(line.clone(), &mut slots, config());
    stack.poll_until(10_000, || false).unwrap();
    line.0.borrow_mut().hanging = 1;
    let mut socket = stack.socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP).unwrap();
    socket.settimeout(Some(1.0)).unwrap();
    assert_eq!(socket.bind(("", 5683)), Err(Error::TimedOut));
    assert_eq!(socket.bind(("", 5683)), Ok(()));
    assert_eq!(socket.getsocketsta(), 4);
}

/// Nothing to be written waits for nothing, whatever is on its way.
#[test]
fn an_empty_write_does_not_wait() {
    let line = Line::default();
    let (mut rx, mut tx) = ([0; 100], [0; 100]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let stack = Stack::new(line.clone(), &mut slots, config());
    stack.poll_until(10_000, || false).unwrap();
    let mut socket = stack.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP).unwrap();
    assert_eq!(socket.send(b"").map_err(Error::errno), Err(ENOTCONN));
    socket.connect(("192.0.2.20", 80)).unwrap();
    line.0.borrow_mut().mute = true;
    socket.settimeout(Some(1.0)).unwrap();
    assert_eq!(socket.send(b"abc"), Ok(3));
    let start = line.0.borrow().now;
    assert_eq!(socket.send(b""), Ok(0));
    assert_eq!(line.0.borrow().now, start);
}
