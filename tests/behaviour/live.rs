//! A simulated module in real time, whose sockets lead to those of this PC. Clones share it.

use std::{cell::RefCell, convert::Infallible, net::TcpListener, rc::Rc};

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use quectel_sim::SimCard;
use quectel_sockets::{Config, Family, Port, SocketState};

use super::live_module::LiveModule;

/// The port of the module at which a script's server listens.
pub(crate) const SERVER_PORT: u16 = 8_080;

/// smoltcp's TIME_WAIT, which is inside the simulated module, is 10 s.
static FAMILY: Family = Family::EC25.with_time_wait(10_000);

pub(crate) fn config() -> Config<'static> {
    Config {
        family: &FAMILY,
        ..Config::default()
    }
}

/// What the module's stack can be in when the library reports this.
pub(crate) fn truths(reported: SocketState) -> Vec<SocketState> {
    FAMILY.states.truths(reported).to_vec()
}

#[derive(Clone)]
pub(crate) struct Live(pub(crate) Rc<RefCell<LiveModule>>);

impl Live {
    pub(crate) fn new() -> Self {
        Self(Rc::new(RefCell::new(LiveModule::new(SimCard::Ready))))
    }

    /// Connections to this listener reach the module's [`SERVER_PORT`].
    pub(crate) fn forward(&self, listener: TcpListener) {
        let mut module = self.0.borrow_mut();
        module.sim().forward_tcp(listener, SERVER_PORT).unwrap();
    }
}

impl ErrorType for Live {
    type Error = Infallible;
}

impl Read for Live {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        self.0.borrow_mut().read(buffer)
    }
}

impl ReadReady for Live {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        self.0.borrow_mut().read_ready()
    }
}

impl Write for Live {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl WriteReady for Live {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        self.0.borrow_mut().write_ready()
    }
}

impl Port for Live {
    fn now(&mut self) -> u64 {
        self.0.borrow_mut().now()
    }

    fn idle_until(&mut self, at: u64) {
        self.0.borrow_mut().idle_until(at);
    }
}
