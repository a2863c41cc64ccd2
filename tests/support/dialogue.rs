//! Dialogues with the engine, byte for byte: what the host must send is
//! written out, what the module answers is given.

use quectel_sockets::{Config, Engine, Handle, Slot};

/// An engine and a clock. `now` moves only when the test says so.
pub struct Dialogue<'a> {
    pub engine: Engine<'a>,
    pub now: u64,
}

impl<'a> Dialogue<'a> {
    /// With echo off (`ATE0`), so that a dialogue reads as in the manual.
    /// What the echo adds is shown in `dialogue_echo.rs`.
    pub fn new(slots: &'a mut [Slot<'a>], config: Config<'a>) -> Self {
        let config = Config {
            check_echo: false,
            ..config
        };
        Self {
            engine: Engine::new(slots, config),
            now: 1_000,
        }
    }

    /// A dialogue whose bring-up is over.
    #[track_caller]
    pub fn up(slots: &'a mut [Slot<'a>], config: Config<'a>) -> Self {
        let mut dialogue = Self::new(slots, config);
        dialogue.bring_up();
        dialogue
    }

    /// Everything that the engine transmits now.
    pub fn transmitted(&mut self) -> Vec<u8> {
        self.engine.poll(self.now);
        let mut all = Vec::new();
        loop {
            let bytes = self.engine.tx().to_vec();
            if bytes.is_empty() {
                return all;
            }
            self.engine.tx_done(self.now, bytes.len());
            all.extend(bytes);
        }
    }

    /// The host must send exactly this now.
    #[track_caller]
    pub fn host(&mut self, expected: impl AsRef<[u8]>) -> &mut Self {
        let (sent, expected) = (self.transmitted(), expected.as_ref());
        assert_eq!(
            sent.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        self
    }

    /// The host must send nothing now.
    #[track_caller]
    pub fn silent(&mut self) -> &mut Self {
        self.host(b"")
    }

    /// The module sends this.
    pub fn module(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.engine.rx(self.now, bytes.as_ref());
        self.engine.poll(self.now);
        self
    }

    pub fn after(&mut self, ms: u64) -> &mut Self {
        self.now += ms;
        self.engine.poll(self.now);
        self
    }

    /// `\r\nOK\r\n`
    pub fn ok(&mut self) -> &mut Self {
        self.module(b"\r\nOK\r\n")
    }

    /// `\r\nERROR\r\n`
    pub fn error(&mut self) -> &mut Self {
        self.module(b"\r\nERROR\r\n")
    }

    /// The module sends this line.
    pub fn line(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.module(format!("\r\n{}\r\n", text.as_ref()))
    }

    /// The host sleeps as `wake_at` says until it transmits: after so many
    /// milliseconds, and exactly this.
    #[track_caller]
    pub fn wakes(
        &mut self,
        after: std::ops::RangeInclusive<u64>,
        expected: impl AsRef<[u8]>,
    ) -> &mut Self {
        self.silent();
        let start = self.now;
        let sent = self.sleep();
        assert_eq!(sent, expected.as_ref().escape_ascii().to_string());
        let waited = self.now - start;
        assert!(after.contains(&waited), "{waited} ms are not in {after:?}");
        self
    }

    /// Sleeps as `wake_at` says until the host transmits; returns that.
    #[track_caller]
    pub fn sleep(&mut self) -> String {
        for _ in 0..10_000 {
            let sent = self.transmitted();
            if !sent.is_empty() {
                return sent.escape_ascii().to_string();
            }
            let at = self.engine.wake_at(self.now);
            let at = at.expect("something is due, but nothing wakes the host");
            assert!(at > self.now, "woken for nothing at {at}");
            self.now = at;
        }
        panic!("the host is woken again and again for nothing");
    }

    /// So much time passes and the host transmits nothing.
    #[track_caller]
    pub fn quiet(&mut self, ms: u64) -> &mut Self {
        let end = self.now + ms;
        for _ in 0..10_000 {
            self.silent();
            if self.now == end {
                return self;
            }
            let at = self.engine.wake_at(self.now).unwrap_or(end);
            assert!(at > self.now, "woken for nothing at {at}");
            self.now = at.min(end);
        }
        panic!("the host is woken again and again for nothing");
    }

    /// Bring-up until this is the outstanding command.
    #[track_caller]
    pub fn bring_up_to(&mut self, command: &str) -> &mut Self {
        for (host, module) in BRING_UP {
            self.host(host);
            if *host == command.as_bytes() {
                return self;
            }
            self.module(module);
        }
        panic!("no such step");
    }

    /// The rest of bring-up, from this command on, which is due now.
    #[track_caller]
    pub fn bring_up_from(&mut self, command: &str) -> &mut Self {
        let all = BRING_UP.iter();
        for (host, module) in all.skip_while(|(host, _)| *host != command.as_bytes()) {
            self.host(host).module(module);
        }
        assert!(self.engine.network().is_up());
        self
    }

    /// A new socket that is connected under this id.
    #[track_caller]
    pub fn socket(&mut self, id: u8) -> Handle {
        let handle = self.engine.socket().unwrap();
        self.connect(handle, id);
        handle
    }

    /// The number that `getsocketsta` gives.
    pub fn state(&mut self, handle: Handle) -> i8 {
        self.engine.state(handle).map_or(-1, |state| state as i8)
    }

    /// Everything that can be received at once.
    pub fn received(&mut self, handle: Handle) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), [0; 100]);
        while let Ok(n @ 1..) = self.engine.recv(handle, &mut buffer) {
            all.extend(&buffer[..n]);
        }
        all
    }

    #[track_caller]
    pub fn bring_up(&mut self) -> &mut Self {
        for (host, module) in BRING_UP {
            self.host(host).module(module);
        }
        assert!(self.engine.network().is_up());
        self
    }

    /// Connects the handle: 192.0.2.20:80 under this connect id.
    #[track_caller]
    pub fn connect(&mut self, handle: Handle, id: u8) -> &mut Self {
        self.engine
            .connect(handle, "192.0.2.20:80".parse().unwrap())
            .unwrap();
        self.host(format!("AT+QIOPEN=1,{id},\"TCP\",\"192.0.2.20\",80,0,0\r"))
            .module(b"\r\nOK\r\n")
            .module(format!("\r\n+QIOPEN: {id},0\r\n"));
        assert_eq!(self.engine.connected(handle), Ok(()));
        self
    }
}

/// The answer to `AT+QIRD`: T02.
pub fn qird(data: &[u8]) -> Vec<u8> {
    let mut answer = format!("\r\n+QIRD: {}\r\n", data.len()).into_bytes();
    answer.extend(data);
    answer.extend(b"\r\n\r\nOK\r\n");
    answer
}

/// T02
pub const NO_DATA: &[u8] = b"\r\n+QIRD: 0\r\n\r\nOK\r\n";
/// T02
pub const PROMPT: &[u8] = b"\r\n> ";
/// T02
pub const SEND_OK: &[u8] = b"\r\nSEND OK\r\n";

/// So many bytes, none of which repeats at a short distance.
pub fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7 + i / 251) as u8).collect()
}

/// Bring-up of a module that has just started: each command, its answer.
/// T01 (echo of `ATE0`, bare OK of `AT+QISTATE?`), T10 (`ATI` rows), T05.
pub const BRING_UP: &[(&[u8], &[u8])] = &[
    (b"AT\r", b"AT\r\r\nOK\r\n"),
    (b"ATE0\r", b"ATE0\r\r\nOK\r\n"),
    (b"AT+CMEE=1\r", b"\r\nOK\r\n"),
    (b"AT+QISDE=0\r", b"\r\nOK\r\n"),
    (
        b"ATI\r",
        b"\r\nQuectel\r\nEC25\r\nRevision: EC25EFAR02A09M4G\r\n\r\nOK\r\n",
    ),
    (b"AT+QICFG=\"qisend/timeout\",5\r", b"\r\nOK\r\n"),
    // The value is drawn from the seed, 0 here.
    (b"AT+QICFG=\"transpktsize\",1417\r", b"\r\nOK\r\n"),
    (b"AT+QISTATE?\r", b"\r\nOK\r\n"),
    (b"AT+CPIN?\r", b"\r\n+CPIN: READY\r\n\r\nOK\r\n"),
    (b"AT+CEREG?\r", b"\r\n+CEREG: 0,1\r\n\r\nOK\r\n"),
    (b"AT+QICSGP=1,1,\"\",\"\",\"\",0\r", b"\r\nOK\r\n"),
    (b"AT+QIACT=1\r", b"\r\nOK\r\n"),
    (
        b"AT+QIACT?\r",
        b"\r\n+QIACT: 1,1,1,\"10.7.157.1\"\r\n\r\nOK\r\n",
    ),
];

/// Rings of 2048 and 1460 bytes for `N` sockets.
pub struct Memory<const N: usize>([([u8; 2048], [u8; 1460]); N]);

impl<const N: usize> Memory<N> {
    pub fn new() -> Self {
        Self([([0; 2048], [0; 1460]); N])
    }

    pub fn slots(&mut self) -> [Slot<'_>; N] {
        self.0.each_mut().map(|(rx, tx)| Slot::new(rx, tx))
    }
}

/// Without looks for lost URCs, which would mix with everything else.
pub fn config() -> Config<'static> {
    Config {
        look_ms: 0,
        ..Config::default()
    }
}

/// `dialogue!(d, 2)`, `dialogue!(d, 2, config)`: `d` is a dialogue with so
/// many sockets.
#[macro_export]
macro_rules! dialogue {
    ($d:ident, $n:literal) => {
        dialogue!($d, $n, $crate::support::dialogue::config());
    };
    ($d:ident, $n:literal, $config:expr) => {
        let mut memory = $crate::support::dialogue::Memory::<$n>::new();
        let mut slots = memory.slots();
        #[allow(unused_mut)]
        let mut $d = $crate::support::dialogue::Dialogue::new(&mut slots, $config);
    };
}

/// As [`dialogue!`]; bring-up is over.
#[macro_export]
macro_rules! up {
    ($d:ident, $($rest:tt)+) => {
        dialogue!($d, $($rest)+);
        $d.bring_up();
    };
}
