//! Dialogues with tasks, byte for byte: what the runner must send is written
//! out, what the module answers is given, and time moves when the test says.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    convert::Infallible,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

use embedded_io_async::{ErrorType, Read, Write};
use quectel_sockets::Config;

use super::{
    dialogue::{BRING_UP, GET_CANARY, SET_CANARY, canary},
    tasks::{Tasks, VirtualClock, World},
};

/// A serial line whose other end is the test, and time.
#[derive(Clone, Default)]
pub struct Script {
    pub clock: VirtualClock,
    to_host: Rc<RefCell<VecDeque<u8>>>,
    from_host: Rc<RefCell<Vec<u8>>>,
    /// Bytes that the UART takes before it waits; no limit at first.
    pub room: Rc<Cell<Option<usize>>>,
    rx: Rc<RefCell<Option<Waker>>>,
    tx: Rc<RefCell<Option<Waker>>>,
}

impl World for Script {
    /// To the next time that somebody sleeps until.
    fn advance(&mut self) -> bool {
        let next = self.clock.0.next();
        next.inspect(|at| self.clock.0.set(*at)).is_some()
    }
}

impl Script {
    /// Echo off, no looks for lost URCs: a dialogue reads as in the manual.
    pub fn config() -> Config<'static> {
        Config {
            check_echo: false,
            look_ms: 0,
            ..Config::default()
        }
    }

    pub fn line(&self) -> (Rx, Tx) {
        (Rx(self.clone()), Tx(self.clone()))
    }

    /// The UART takes so many bytes more.
    pub fn give_room(&self, room: Option<usize>) {
        self.room.set(room);
        self.tx
            .borrow_mut()
            .take()
            .into_iter()
            .for_each(Waker::wake);
    }
}

impl Tasks<'_, Script> {
    /// What was sent since the last call.
    pub fn sent(&mut self) -> Vec<u8> {
        self.settle();
        self.world.from_host.take()
    }

    /// Exactly this must have been sent.
    #[track_caller]
    pub fn host(&mut self, expected: impl AsRef<[u8]>) -> &mut Self {
        let (sent, expected) = (self.sent(), expected.as_ref());
        if expected == SET_CANARY.as_bytes() && canary(&sent).is_some() {
            return self;
        }
        let shown = sent.escape_ascii().to_string();
        assert_eq!(shown, expected.escape_ascii().to_string());
        self
    }

    /// Nothing was sent.
    #[track_caller]
    pub fn silent(&mut self) -> &mut Self {
        self.host(b"")
    }

    /// The module sends this.
    pub fn module(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.settle();
        self.world.to_host.borrow_mut().extend(bytes.as_ref());
        let waker = self.world.rx.borrow_mut().take();
        waker.into_iter().for_each(Waker::wake);
        self.settle();
        self
    }

    pub fn ok(&mut self) -> &mut Self {
        self.module(b"\r\nOK\r\n")
    }

    pub fn line(&mut self, text: &str) -> &mut Self {
        self.module(format!("\r\n{text}\r\n"))
    }

    /// So much time passes.
    pub fn after(&mut self, ms: u64) -> &mut Self {
        self.settle();
        let time = Rc::clone(&self.world.clock.0);
        let end = time.now.get() + ms;
        while let Some(at) = time.next().filter(|at| *at < end) {
            time.set(at);
            self.settle();
        }
        time.set(end);
        self.settle();
        self
    }

    /// The module starts and is set up.
    #[track_caller]
    pub fn bring_up(&mut self) -> &mut Self {
        for (host, module) in BRING_UP {
            self.host(host).module(module);
        }
        self
    }

    /// 192.0.2.20:80 is opened under this connect id.
    #[track_caller]
    pub fn opens(&mut self, id: u8) -> &mut Self {
        let open = format!("AT+QIOPEN=1,{id},\"TCP\",\"192.0.2.20\",80,0,0\r");
        self.host(open).ok().line(&format!("+QIOPEN: {id},0"))
    }

    /// The host asks for its canary.
    #[track_caller]
    pub fn asks_canary(&mut self) -> &mut Self {
        self.host(GET_CANARY)
    }
}

pub struct Rx(Script);
pub struct Tx(Script);

impl ErrorType for Rx {
    type Error = Infallible;
}

impl ErrorType for Tx {
    type Error = Infallible;
}

impl Read for Rx {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|cx| {
            let mut bytes = self.0.to_host.borrow_mut();
            if bytes.is_empty() {
                *self.0.rx.borrow_mut() = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let n = buffer.len().min(bytes.len());
            buffer
                .iter_mut()
                .zip(bytes.drain(..n))
                .for_each(|(to, byte)| *to = byte);
            Poll::Ready(Ok(n))
        })
        .await
    }
}

impl Write for Tx {
    async fn write(&mut self, data: &[u8]) -> Result<usize, Infallible> {
        poll_fn(|cx| {
            let n = data.len().min(self.0.room.get().unwrap_or(usize::MAX));
            if n == 0 {
                *self.0.tx.borrow_mut() = Some(cx.waker().clone());
                return Poll::Pending;
            }
            self.0.room.set(self.0.room.get().map(|room| room - n));
            self.0.from_host.borrow_mut().extend(&data[..n]);
            Poll::Ready(Ok(n))
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// `scripted!(tasks, stack, 2)`: a stack of so many sockets at the other end
/// of a script, and the tasks; bring-up is over.
#[macro_export]
macro_rules! scripted {
    ($tasks:ident, $stack:ident, $n:literal) => {
        scripted!(
            $tasks,
            $stack,
            $n,
            $crate::support::script::Script::config()
        );
    };
    ($tasks:ident, $stack:ident, $n:literal, $config:expr) => {
        let mut memory = $crate::support::dialogue::Memory::<$n>::new();
        let mut slots = memory.slots();
        let mut shared = quectel_sockets::asynch::Shared::new(&mut slots, $config);
        let ($stack, runner) = shared.split();
        let script = $crate::support::script::Script::default();
        let mut $tasks = $crate::support::tasks::Tasks::new(script.clone());
        $tasks.spawn(async move {
            let (rx, tx) = script.line();
            let ended = runner.run(rx, tx, script.clock.clone()).await;
            panic!("{ended:?}");
        });
        $tasks.bring_up();
    };
}
