//! Dialogues with the engine, byte for byte: what the host must send is
//! written out, what the module answers is given.

use quectel_sockets::{Config, Engine, Event, Handle, Slot};

/// An engine and a clock. `now` moves only when the test says so.
pub struct Dialogue<'a> {
    pub engine: Engine<'a>,
    pub now: u64,
    /// What the module has as `"transpktsize"`.
    pub canary: u16,
    /// The module repeats commands.
    echo: bool,
}

/// Stands for the setting with any value that the engine may draw.
pub const SET_CANARY: &str = "AT+QICFG=\"transpktsize\",*\r";
pub const GET_CANARY: &str = "AT+QICFG=\"transpktsize\"\r";

/// The value if this is [`SET_CANARY`].
pub fn canary(sent: &[u8]) -> Option<u16> {
    let value = sent.strip_prefix(b"AT+QICFG=\"transpktsize\",")?;
    let value = value.strip_suffix(b"\r")?;
    let value = str::from_utf8(value).ok()?.parse().ok()?;
    assert!((1_400..=1_460).contains(&value), "{value}");
    Some(value)
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
            canary: 0,
            echo: false,
        }
    }

    /// With echo on: every command of the host is repeated at once, except
    /// by [`sends`](Self::sends).
    pub fn echoing(slots: &'a mut [Slot<'a>], config: Config<'a>) -> Self {
        let config = Config {
            check_echo: true,
            ..config
        };
        Self {
            engine: Engine::new(slots, config),
            now: 1_000,
            canary: 0,
            echo: true,
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

    /// The host must send exactly this now; of a command the echo follows.
    #[track_caller]
    pub fn host(&mut self, expected: impl AsRef<[u8]>) -> &mut Self {
        let sent = self.sends(expected);
        self.echoes(&sent);
        self
    }

    /// The host must send exactly this now.
    #[track_caller]
    pub fn sends(&mut self, expected: impl AsRef<[u8]>) -> Vec<u8> {
        let (sent, expected) = (self.transmitted(), expected.as_ref());
        let shown = sent.escape_ascii().to_string();
        if expected == SET_CANARY.as_bytes() {
            let value = canary(&sent);
            self.canary = value.unwrap_or_else(|| panic!("{shown}"));
        } else {
            assert_eq!(shown, expected.escape_ascii().to_string());
        }
        sent
    }

    fn echoes(&mut self, sent: &[u8]) {
        if self.echo && sent.starts_with(b"AT") {
            self.module(sent);
        }
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
        let expected = expected.as_ref();
        assert_eq!(sent, expected.escape_ascii().to_string());
        self.echoes(expected);
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

    /// The first half of a resynchronisation: the host ends the line after
    /// so many milliseconds and finds its canary. `AT+QISTATE?` is next.
    #[track_caller]
    pub fn resync(&mut self, after: std::ops::RangeInclusive<u64>) -> &mut Self {
        self.wakes(after, "\r").quiet(299).after(1).suspicion()
    }

    /// The same without a line to be ended: the host asks for its canary now.
    #[track_caller]
    pub fn suspicion(&mut self) -> &mut Self {
        self.host(GET_CANARY).tell_canary().host(SET_CANARY).ok();
        self.host(GET_CANARY).tell_canary()
    }

    /// The canary as it should be.
    pub fn tell_canary(&mut self) -> &mut Self {
        let value = self.canary;
        self.module(format!(
            "\r\n+QICFG: \"transpktsize\",{value}\r\n\r\nOK\r\n"
        ))
    }

    /// The second half: the module lists these sockets and their counters.
    #[track_caller]
    pub fn audit(&mut self, rows: &[Row]) -> &mut Self {
        self.rows(rows);
        for row in rows {
            self.counters(*row);
        }
        self.active()
    }

    /// `AT+QISTATE?` is answered with these.
    #[track_caller]
    pub fn rows(&mut self, rows: &[Row]) -> &mut Self {
        self.host("AT+QISTATE?\r");
        for row in rows {
            let Row { id, state, .. } = row;
            self.line(format!(
                "+QISTATE: {id},\"TCP\",\"192.0.2.20\",80,22742,{state},1,0,0,\"uart1\""
            ));
        }
        self.ok()
    }

    /// The counters of one socket are asked for.
    #[track_caller]
    pub fn counters(&mut self, row: Row) -> &mut Self {
        let Row {
            id, read, taken, ..
        } = row;
        self.host(format!("AT+QIRD={id},0\r"))
            .module(format!("\r\n+QIRD: {read},{read},0\r\n\r\nOK\r\n"));
        self.host(format!("AT+QISEND={id},0\r"))
            .module(format!("\r\n+QISEND: {taken},{taken},0\r\n\r\nOK\r\n"))
    }

    /// The context is found active.
    #[track_caller]
    pub fn active(&mut self) -> &mut Self {
        self.host("AT+QIACT?\r")
            .module(b"\r\n+QIACT: 1,1,1,\"10.7.157.1\"\r\n\r\nOK\r\n")
    }

    /// `flushed` asks for the module's count of bytes, which is this.
    #[track_caller]
    pub fn flush(&mut self, handle: Handle, id: u8, taken: u32) -> &mut Self {
        assert_eq!(self.engine.flushed(handle), Err(nb::Error::WouldBlock));
        self.host(format!("AT+QISEND={id},0\r"))
            .module(format!("\r\n+QISEND: {taken},{taken},0\r\n\r\nOK\r\n"));
        assert_eq!(self.engine.flushed(handle), Ok(()));
        self
    }

    /// All events since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.engine.event()).collect()
    }

    /// A new socket that is connected under this id.
    #[track_caller]
    pub fn socket(&mut self, id: u8) -> Handle {
        let handle = self.engine.tcp_socket().unwrap();
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
            let echo = self.echo && *host == b"ATE0\r";
            self.host(if echo { b"ATE1\r" } else { *host });
            // What is repeated has been repeated.
            let module = match module.strip_prefix(*host) {
                Some(rest) if self.echo => rest,
                _ => module,
            };
            self.module(module);
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

/// What the module knows of a socket: its id, its state in the numbers of
/// `AT+QISTATE`, the bytes it has handed over and those it has taken.
#[derive(Clone, Copy)]
pub struct Row {
    pub id: u8,
    pub state: u8,
    pub read: u32,
    pub taken: u32,
}

/// A socket that is being opened.
pub const fn opening(id: u8) -> Row {
    Row {
        id,
        state: 1,
        read: 0,
        taken: 0,
    }
}

/// A socket that the peer has closed.
pub const fn closing(id: u8) -> Row {
    Row {
        id,
        state: 4,
        read: 0,
        taken: 0,
    }
}

/// A connected socket.
pub const fn connected(id: u8, read: u32, taken: u32) -> Row {
    Row {
        id,
        state: 2,
        read,
        taken,
    }
}

/// The answer to `AT+QISTATE=1,<id>`: T34.
pub fn state_row(id: u8, state: u8) -> Vec<u8> {
    format!(
        "\r\n+QISTATE: {id},\"TCP\",\"192.0.2.20\",80,22742,{state},1,0,0,\"uart1\"\r\n\r\nOK\r\n"
    )
    .into_bytes()
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
    (SET_CANARY.as_bytes(), b"\r\nOK\r\n"),
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
