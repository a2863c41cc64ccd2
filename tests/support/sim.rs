//! The library on the simulated module, in virtual time: nothing sleeps, a
//! 150 s time-out passes in microseconds.

use std::{cell::RefCell, convert::Infallible, rc::Rc};

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use quectel_sim::{Config, Sim};
use quectel_sockets::{
    CheckNetwork, Family, Port, Slot, Stack,
    socket::{AF_INET, Error, IPPROTO_TCP, SOCK_STREAM, Socket},
};

/// EC25 as the simulated module has it: smoltcp's TIME_WAIT is 10 s.
pub static EC25: Family = Family::EC25.with_time_wait(10_000);

/// The library's settings for the simulated module.
pub fn config() -> quectel_sockets::Config<'static> {
    quectel_sockets::Config {
        family: &EC25,
        ..Default::default()
    }
}

/// The serial line of a simulated module. Clones share it, so that a test
/// can look at the module while a stack owns the port.
#[derive(Clone)]
pub struct SimPort {
    pub sim: Rc<RefCell<Sim>>,
    /// Bytes handed over in one read at the most; the port waits for as many
    /// while more are on their way.
    chunk: usize,
    /// The module's reset pin is wired to the host.
    pub reset_pin: bool,
}

impl SimPort {
    pub fn new(config: Config) -> Self {
        Self::with_chunk(config, 64)
    }

    pub fn with_chunk(config: Config, chunk: usize) -> Self {
        Self {
            sim: Rc::new(RefCell::new(Sim::new(config))),
            chunk,
            reset_pin: false,
        }
    }

    pub fn ms(&self) -> u64 {
        self.sim.borrow().now() / 1_000
    }

    /// What the host has sent so far, as text. Needs `Config::trace`.
    pub fn sent(&self) -> String {
        let sim = self.sim.borrow();
        let host = sim
            .dialogue()
            .iter()
            .filter(|t| t.direction == quectel_sim::Direction::ToModule);
        String::from_utf8_lossy(&host.flat_map(|t| t.bytes.clone()).collect::<Vec<u8>>())
            .into_owned()
    }
}

impl ErrorType for SimPort {
    type Error = Infallible;
}

impl Read for SimPort {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let n = buffer.len().min(self.chunk);
        Ok(self.sim.borrow_mut().read(&mut buffer[..n]))
    }
}

impl ReadReady for SimPort {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.sim.borrow().readable() > 0)
    }
}

impl Write for SimPort {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let mut sim = self.sim.borrow_mut();
        let n = bytes.len().min(sim.write_free());
        sim.write(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl WriteReady for SimPort {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.sim.borrow().write_free() > 0)
    }
}

impl Port for SimPort {
    fn now(&mut self) -> u64 {
        self.ms()
    }

    fn idle_until(&mut self, at: u64) {
        /// Two byte times at 115200 baud.
        const GAP_US: u64 = 180;
        let mut sim = self.sim.borrow_mut();
        let end = at.saturating_mul(1_000);
        loop {
            let event = sim.next_event();
            let soon = event.is_some_and(|event| event <= sim.now() + GAP_US);
            if sim.readable() >= self.chunk || (sim.readable() > 0 && !soon) || sim.now() >= end {
                return;
            }
            match event {
                Some(event) => sim.run_until(event.min(end)),
                None if end == u64::MAX => panic!("nothing will ever happen"),
                None => sim.run_until(end),
            }
        }
    }

    fn reset_module(&mut self) -> bool {
        if self.reset_pin {
            self.sim.borrow_mut().reset();
        }
        self.reset_pin
    }
}

/// The port and its clock as a super-loop has them.
#[cfg(feature = "nb")]
pub type PolledSim = quectel_sockets::nb::Polled<SimPort, Box<dyn FnMut() -> u64>>;

#[cfg(feature = "nb")]
impl SimPort {
    pub fn polled(&self) -> PolledSim {
        let clock = self.clone();
        quectel_sockets::nb::Polled::new(self.clone(), Box::new(move || clock.ms()))
    }

    /// A super-loop: `turn` is called every millisecond until it says that
    /// everything is done, for so many milliseconds at the most.
    #[track_caller]
    pub fn super_loop(&self, most_ms: u64, mut turn: impl FnMut() -> bool) {
        let end = self.ms() + most_ms;
        while !turn() {
            assert!(self.ms() < end, "it does not come to an end");
            let next = self.sim.borrow().now() + 1_000;
            self.sim.borrow_mut().run_until(next);
        }
    }
}

/// Brings a stack of `sockets` sockets up on `port` and runs `test` on it.
/// Rings have the size of one read and one send.
pub fn on_stack<T>(
    port: &SimPort,
    sockets: usize,
    test: impl FnOnce(&Stack<'_, SimPort>) -> T,
) -> T {
    on_stack_with(port, sockets, config(), test)
}

/// The same with other settings.
pub fn on_stack_with<T>(
    port: &SimPort,
    sockets: usize,
    config: quectel_sockets::Config<'static>,
    test: impl FnOnce(&Stack<'_, SimPort>) -> T,
) -> T {
    let mut memory = vec![([0; 1500], [0; 1460]); sockets];
    let mut slots: Vec<Slot> = memory
        .iter_mut()
        .map(|(rx, tx)| Slot::new(rx, tx))
        .collect();
    let stack = Stack::new(port.clone(), &mut slots, config);
    let network = CheckNetwork::new(&stack, "test", "1");
    assert_eq!(network.wait_network_connected(30), Ok((3, 1)));
    test(&stack)
}

/// A TCP socket of the stack.
pub fn tcp<'s, 'a>(stack: &'s Stack<'a, SimPort>) -> Socket<'s, 'a, SimPort> {
    stack.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP).unwrap()
}

/// Everything up to the end of the data, or the error that came instead,
/// with what had arrived before it.
pub fn read_to_end(socket: &mut Socket<'_, '_, SimPort>) -> (Vec<u8>, Result<(), Error>) {
    let (mut all, mut buffer) = (Vec::new(), [0; 700]);
    loop {
        match socket.recv(&mut buffer) {
            Ok(0) => return (all, Ok(())),
            Ok(n) => all.extend(&buffer[..n]),
            Err(error) => return (all, Err(error)),
        }
    }
}

/// Bytes that look random and are the same every time.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// A payload made of everything that a driver could take for something else.
pub fn hostile() -> Vec<u8> {
    let mut payload = Vec::new();
    for text in [
        "\r\nOK\r\n",
        "\r\n\r\nOK\r\n",
        "\r\n+QIURC: \"closed\",0\r\n",
        "\r\nSEND OK\r\n",
        "\r\n> ",
        "> ",
        "\r\nERROR\r\n",
        "\r\n+QIRD: 1500\r\n",
        "\r\n+CME ERROR: 3\r\n",
        "\r\nRDY\r\n",
        "\r\n+QIURC: \"pdpdeact\",1\r\n",
        "\0\x1a\x1b\x11\x13",
        "+++AT+CFUN=0\r",
        "AT+QICLOSE=0\r\n",
    ] {
        payload.extend(text.as_bytes());
    }
    payload.extend(0..=255);
    payload.extend(b"\r\n\r\nOK\r\n");
    payload
}
