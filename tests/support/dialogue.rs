//! Dialogues with the engine, byte for byte: what the host must send is
//! written out, what the module answers is given.

use quectel_sockets::{Config, Engine, Handle, Slot};

/// An engine and a clock. `now` moves only when the test says so.
pub struct Dialogue<'a> {
    pub engine: Engine<'a>,
    pub now: u64,
}

impl<'a> Dialogue<'a> {
    pub fn new(slots: &'a mut [Slot<'a>], config: Config<'a>) -> Self {
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

/// `let mut slots = slots![count];` with rings of 2048 and 1460 bytes.
#[macro_export]
macro_rules! slots {
    ($($rx:ident $tx:ident),+) => {
        [$({
            quectel_sockets::Slot::new(&mut $rx, &mut $tx)
        }),+]
    };
}
