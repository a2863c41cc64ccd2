//! The trace: what it shows of a dialogue through `log`, line by line, and what
//! it never shows, however the bytes come in. With feature `defmt` and built
//! with `DEFMT_LOG=trace`, its bytes are looked through as well.

mod support;

use std::cell::RefCell;

use quectel_sockets::{Apn, Authentication, Config, Credential, Engine, Slot};
use support::dialogue::{
    Dialogue, GET_CANARY, Memory, PROMPT, SET_CANARY, config, connected, qird,
};

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what this thread's engine tells.
struct Capture;

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        assert_eq!(record.target(), "quectel_sockets::at");
        let line = format!("{} {}", record.level(), record.args());
        assert!(!line.contains(char::is_control), "{line:?}");
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

#[cfg(feature = "defmt")]
mod raw {
    use std::cell::RefCell;

    thread_local! {
        static BYTES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    /// Keeps the frames before they are encoded: texts stand in them as they
    /// are.
    #[defmt::global_logger]
    struct Capture;

    defmt::timestamp!("");

    // SAFETY: each thread has frames of its own, and none is begun within
    // another.
    unsafe impl defmt::Logger for Capture {
        fn acquire() {}

        unsafe fn flush() {}

        unsafe fn release() {}

        unsafe fn write(bytes: &[u8]) {
            BYTES.with_borrow_mut(|all| all.extend(bytes));
        }
    }

    /// Everything since the last call.
    pub(super) fn take() -> Vec<u8> {
        BYTES.take()
    }
}

/// What feature `defmt` has written since the last call.
fn frames() -> Vec<u8> {
    #[cfg(feature = "defmt")]
    return raw::take();
    #[cfg(not(feature = "defmt"))]
    Vec::new()
}

/// Whether the library was built so that `defmt` shows the dialogue.
const DEFMT: bool = cfg!(feature = "defmt")
    && match option_env!("DEFMT_LOG") {
        Some(level) => matches!(level.as_bytes(), b"trace"),
        None => false,
    };

fn has(bytes: &[u8], piece: &[u8]) -> bool {
    bytes.windows(piece.len()).any(|window| window == piece)
}

/// Everything told since the last call.
fn told() -> Vec<String> {
    // Only the first of the tests can.
    let _ = log::set_logger(&Capture);
    log::set_max_level(log::LevelFilter::Trace);
    LINES.take()
}

#[track_caller]
fn tells(expected: &[&str]) {
    let lines: Vec<_> = told().into_iter().map(without_canary).collect();
    assert_eq!(lines, expected);
}

/// Not four bytes in a row of what is secret.
#[track_caller]
fn keeps_secrets(lines: &[String], what: impl Fn() -> String) {
    let frames = frames();
    assert_eq!(frames.is_empty(), !DEFMT);
    for secret in [USER, PASSWORD, PAYLOAD] {
        for piece in secret.as_bytes().windows(4) {
            let piece = str::from_utf8(piece).unwrap();
            let leak = lines.iter().find(|line| line.contains(piece));
            assert_eq!(leak, None, "{}", what());
            assert!(!has(&frames, piece.as_bytes()), "{piece} at {}", what());
        }
    }
}

const USER: &str = "gopher-quail-7391";
const PASSWORD: &str = "zebra-squirrel-2846";

fn with_credentials() -> Config<'static> {
    Config {
        apn: Apn::new("internet").unwrap(),
        user: Credential::new(USER).unwrap(),
        password: Credential::new(PASSWORD).unwrap(),
        authentication: Authentication::Pap,
        ..config()
    }
}

/// A payload that tries to write lines of its own into the log.
const HOSTILE: &[u8] =
    b"\r\n+QIURC: \"closed\",0\r\n\x1b[31mkilowatt-5150\r\nOK\r\n+QIRD: 3\r\n\0\xff\r\nRDY\r\n> ";
const PAYLOAD: &str = "kilowatt-5150";

const CONFIGURE: &str =
    "AT+QICSGP=1,1,\"internet\",\"gopher-quail-7391\",\"zebra-squirrel-2846\",1\r";

/// A dialogue from set-up to a restart: what the host sends and what the
/// module then answers, the echo apart.
const DIALOGUE: &[(&str, &[u8])] = &[
    ("AT\r", b"AT\r\r\nOK\r\n"),
    ("ATE1\r", b"\r\nOK\r\n"),
    ("AT+CMEE=1\r", b"\r\nOK\r\n"),
    ("AT+QISDE=0\r", b"\r\nOK\r\n"),
    (
        "ATI\r",
        b"\r\nQuectel\r\nEC25\r\nRevision: EC25EFAR02A09M4G\r\n\r\nOK\r\n",
    ),
    ("AT+QICFG=\"qisend/timeout\",5\r", b"\r\nOK\r\n"),
    (SET_CANARY, b"\r\nOK\r\n"),
    ("AT+QISTATE?\r", b"\r\nOK\r\n"),
    ("AT+CPIN?\r", b"\r\n+CME ERROR: SIM busy\r\n"),
    ("AT+CPIN?\r", b"\r\n+CPIN: READY\r\n\r\nOK\r\n"),
    ("AT+CEREG?\r", b"\r\n+CEREG: 0,1\r\n\r\nOK\r\n"),
    (CONFIGURE, b"\r\nOK\r\n"),
    ("AT+QIACT=1\r", b"\r\nOK\r\n"),
    (
        "AT+QIACT?\r",
        b"\r\n+QIACT: 1,1,1,\"10.7.157.1\"\r\n\r\nOK\r\n",
    ),
];

/// What it tells, `*` standing for the canary.
const DIALOGUE_TOLD: &[&str] = &[
    "TRACE 1000 ms >> AT",
    "TRACE 1000 ms << OK",
    "TRACE 1000 ms >> ATE1",
    "TRACE 1000 ms << OK",
    "TRACE 1000 ms >> AT+CMEE=1",
    "TRACE 1000 ms << OK",
    "TRACE 1000 ms >> AT+QISDE=0",
    "TRACE 1000 ms << OK",
    "TRACE 1000 ms >> ATI",
    "TRACE 1000 ms << Quectel",
    "TRACE 1000 ms << EC25",
    "TRACE 1000 ms << Revision: EC25EFAR02A09M4G",
    "TRACE 1000 ms << OK",
    "TRACE 1000 ms >> AT+QICFG=\"qisend/timeout\",5",
    "TRACE 1000 ms << OK",
    "TRACE 1000 ms >> AT+QICFG=\"transpktsize\",*",
    "TRACE 1000 ms << OK",
    "TRACE 1000 ms >> AT+QISTATE?",
    "TRACE 1000 ms << OK",
    "TRACE 1000 ms >> AT+CPIN?",
    "TRACE 1000 ms << +CME ERROR: 14",
    "TRACE 2000 ms >> AT+CPIN?",
    "TRACE 2000 ms << +CPIN: READY",
    "TRACE 2000 ms << OK",
    "TRACE 2000 ms >> AT+CEREG?",
    "TRACE 2000 ms << +CEREG: 0,1",
    "TRACE 2000 ms << OK",
    "TRACE 2000 ms >> AT+QICSGP=1,1,\"internet\",...",
    "TRACE 2000 ms << OK",
    "TRACE 2000 ms >> AT+QIACT=1",
    "TRACE 2000 ms << OK",
    "TRACE 2000 ms >> AT+QIACT?",
    "TRACE 2000 ms << +QIACT: 1,1,1,\"10.7.157.1\"",
    "TRACE 2000 ms << OK",
    "INFO 2000 ms event Up",
    "TRACE 2000 ms >> AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",80,0,0",
    "TRACE 2000 ms << OK",
    "TRACE 2000 ms << +QIOPEN: 0,0",
    "TRACE 2000 ms >> AT+QISEND=0,67",
    "TRACE 2000 ms << >",
    "TRACE 2000 ms >> 67 bytes of payload",
    "TRACE 2000 ms << SEND OK",
    "TRACE 2000 ms << +QIURC: \"recv\",0",
    "TRACE 2000 ms >> AT+QIRD=0,1500",
    "TRACE 2000 ms << +QIRD: 67",
    "TRACE 2000 ms << OK",
    "TRACE 2000 ms >> AT+QIRD=0,1500",
    "TRACE 2000 ms << +QIRD: 0",
    "TRACE 2000 ms << OK",
    "TRACE 2000 ms << +QNEW: 1,\\xe9\\x1b[2J\\\\",
    "TRACE 2000 ms << RDY",
    "WARN 2000 ms slot 0 failed: Restarted",
    "INFO 2000 ms event ModuleRestarted",
    "TRACE 2000 ms >> AT",
];

/// A module whose bytes come in blocks of this size.
struct Line<'a> {
    engine: Engine<'a>,
    now: u64,
    block: usize,
}

impl Line<'_> {
    /// The host sends this; the module repeats it if it is a command, and
    /// answers. Both UARTs hand over no more than a block at a time.
    #[track_caller]
    fn exchange(&mut self, host: &[u8], module: &[u8]) {
        self.engine.poll(self.now);
        let mut sent = Vec::new();
        while let bytes @ [_, ..] = self.engine.tx() {
            let n = bytes.len().min(self.block);
            sent.extend(&bytes[..n]);
            self.engine.tx_done(self.now, n);
        }
        if host == SET_CANARY.as_bytes() {
            assert!(sent.starts_with(&host[..host.len() - 2]));
        } else {
            assert_eq!(
                sent.escape_ascii().to_string(),
                host.escape_ascii().to_string()
            );
        }
        if sent.starts_with(b"AT") && !module.starts_with(b"AT") {
            self.module(&sent);
        }
        self.module(module);
    }

    fn module(&mut self, bytes: &[u8]) {
        for block in bytes.chunks(self.block) {
            self.engine.rx(self.now, block);
            self.engine.poll(self.now);
        }
    }
}

/// Without the number that differs from run to run.
fn without_canary(line: String) -> String {
    match line.split_once("\"transpktsize\",") {
        Some((head, _)) => format!("{head}\"transpktsize\",*"),
        None => line,
    }
}

#[test]
fn a_dialogue_from_set_up_to_a_restart() {
    assert_eq!(HOSTILE.len(), 67);
    for block in [1, 2, 3, 7, 64, 4_096] {
        let (mut rx, mut tx) = ([0; 2_048], [0; 1_460]);
        let mut slots = [Slot::new(&mut rx, &mut tx)];
        told();
        let engine = Engine::new(
            &mut slots,
            Config {
                check_echo: true,
                ..with_credentials()
            },
        );
        let mut line = Line {
            engine,
            now: 1_000,
            block,
        };
        for (host, module) in DIALOGUE {
            line.exchange(host.as_bytes(), module);
            if module.ends_with(b"busy\r\n") {
                line.now += 1_000;
            }
        }
        let socket = line.engine.tcp_socket().unwrap();
        let address = "192.0.2.20:80".parse().unwrap();
        line.engine.connect(socket, address).unwrap();
        line.exchange(
            b"AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",80,0,0\r",
            b"\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
        );
        assert_eq!(line.engine.connected(socket), Ok(()));
        assert_eq!(line.engine.send(socket, HOSTILE), Ok(67));
        line.exchange(b"AT+QISEND=0,67\r", b"\r\n> ");
        line.exchange(HOSTILE, b"\r\nSEND OK\r\n\r\n+QIURC: \"recv\",0\r\n");
        line.exchange(b"AT+QIRD=0,1500\r", &qird(HOSTILE));
        line.exchange(b"AT+QIRD=0,1500\r", b"\r\n+QIRD: 0\r\n\r\nOK\r\n");
        line.module(b"\r\n+QNEW: 1,\xe9\x1b[2J\\\r\n\r\nRDY\r\n");
        let lines: Vec<_> = told().into_iter().map(without_canary).collect();
        keeps_secrets(&lines, || format!("blocks of {block}"));
        assert_eq!(lines[..], *DIALOGUE_TOLD, "in blocks of {block}");
    }
}

/// More bytes than announced: what follows is not believed, and not
/// shown, before the module has proven that it is itself again.
#[test]
fn a_damaged_answer_and_the_way_back() {
    up!(d, 1);
    d.socket(0);
    told();
    d.line("+QIURC: \"recv\",0").host("AT+QIRD=0,1500\r");
    d.module(b"\r\n+QIRD: 2\r\nab\r\nkilowatt-5150\r\n+QIURC: \"closed\",0\r\n\r\nOK\r\n");
    d.resync(300..=300).rows(&[connected(0, 2, 0)]).active();
    tells(&[
        "TRACE 1000 ms << +QIURC: \"recv\",0",
        "TRACE 1000 ms >> AT+QIRD=0,1500",
        "TRACE 1000 ms << +QIRD: 2",
        "DEBUG 1000 ms recovery: the answer is damaged: Trailer",
        "WARN 1000 ms slot 0 failed: LineDamaged",
        "WARN 1000 ms event LineLost",
        "TRACE 1000 ms << a line of 12 bytes",
        "TRACE 1000 ms << a URC, not believed",
        "TRACE 1000 ms << a line of 2 bytes",
        "DEBUG 1300 ms recovery: a CR ends the line",
        "TRACE 1600 ms >> AT+QICFG=\"transpktsize\"",
        "TRACE 1600 ms << a line of 27 bytes",
        "TRACE 1600 ms << OK",
        "TRACE 1600 ms >> AT+QICFG=\"transpktsize\",*",
        "TRACE 1600 ms << OK",
        "TRACE 1600 ms >> AT+QICFG=\"transpktsize\"",
        "TRACE 1600 ms << a line of 27 bytes",
        "TRACE 1600 ms << OK",
        "TRACE 1600 ms >> AT+QISTATE?",
        "TRACE 1600 ms << +QISTATE: 0,\"TCP\",\"192.0.2.20\",80,22742,2,1,0,0,\"uart1\"",
        "TRACE 1600 ms << OK",
        "TRACE 1600 ms >> AT+QIACT?",
        "TRACE 1600 ms << +QIACT: 1,1,1,\"10.7.157.1\"",
        "TRACE 1600 ms << OK",
        "INFO 1600 ms event LineRestored",
        "TRACE 1600 ms >> AT+QICLOSE=0,0",
    ]);
}

/// Before that proof an answer may be payload that came late.
#[test]
fn payload_that_looks_like_an_answer() {
    up!(d, 1);
    d.socket(0);
    d.line("+QIURC: \"recv\",0").host("AT+QIRD=0,1500\r");
    d.module(b"\r\n+QIRD: 500\r\nab");
    d.wakes(20_000..=22_000, "\r").wakes(300..=300, GET_CANARY);
    d.line(format!("+QICFG: \"transpktsize\",\"{PAYLOAD}\""));
    let lines = told();
    let seen = "TRACE 21300 ms << a line of 38 bytes";
    assert_eq!(lines.last().map(String::as_str), Some(seen));
    keeps_secrets(&lines, String::new);
}

/// No prompt, filler for the payload, a try that fails.
#[test]
fn a_send_without_a_prompt() {
    up!(d, 1);
    let socket = d.socket(0);
    told();
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r").quiet(10_000);
    d.wakes(6_000..=6_000, "\r\r\r\r").wakes(100..=100, "\r");
    d.quiet(299)
        .after(1)
        .host(GET_CANARY)
        .wakes(1_000..=1_000, "\r");
    tells(&[
        "TRACE 1000 ms >> AT+QISEND=0,4",
        "DEBUG 11000 ms recovery: no answer in time",
        "WARN 11000 ms event LineLost",
        "DEBUG 17000 ms recovery: 4 CR for payload that may be owed",
        "DEBUG 17100 ms recovery: a CR ends the line",
        "TRACE 17400 ms >> AT+QICFG=\"transpktsize\"",
        "DEBUG 18400 ms recovery: try 1 failed",
        "DEBUG 18400 ms recovery: a CR ends the line",
    ]);
}

/// In hexadecimal digits, too, payload is only counted.
#[test]
fn a_send_in_hexadecimal() {
    let mut memory = Memory::<1>::new();
    let mut slots = memory.slots();
    let mut d = Dialogue::echoing(&mut slots, config());
    d.bring_up();
    let socket = d.socket(0);
    told();
    d.engine.send(socket, b"\n").unwrap();
    d.host("AT+QISENDEX=0,\"0A\"\r").module(b"\r\nSEND OK\r\n");
    tells(&[
        "TRACE 1000 ms >> AT+QISENDEX=0,...",
        "TRACE 1000 ms >> 1 bytes of payload",
        "TRACE 1000 ms << SEND OK",
    ]);
}

/// The context is lost, the serial port fails.
#[test]
fn what_the_application_is_told() {
    up!(d, 1);
    d.socket(0);
    told();
    d.line("+QIURC: \"pdpdeact\",1").host("AT+QIDEACT=1\r");
    d.engine.port_failed(1_500);
    tells(&[
        "TRACE 1000 ms << +QIURC: \"pdpdeact\",1",
        "WARN 1000 ms slot 0 failed: ContextLost",
        "INFO 1000 ms event ContextLost",
        "TRACE 1000 ms >> AT+QIDEACT=1",
        "WARN 1500 ms stopped: Port",
    ]);
}

/// A module that answers every command, sends [`HOSTILE`] after each open and
/// each send, and on whose line one thing goes wrong.
#[derive(Default)]
struct Module {
    command: Vec<u8>,
    /// Bytes of payload to come.
    owed: usize,
    canary: u16,
    open: bool,
    /// Blocks of [`HOSTILE`] to be read; bytes read and taken.
    waiting: usize,
    read: usize,
    taken: usize,
}

impl Module {
    /// What it sends when this comes.
    fn takes(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for &byte in bytes {
            if self.owed > 0 {
                self.owed -= 1;
                self.taken += 1;
                if self.owed == 0 {
                    self.waiting += 1;
                    out.extend(b"\r\nSEND OK\r\n\r\n+QIURC: \"recv\",0\r\n");
                }
                continue;
            }
            self.command.push(byte);
            if byte == b'\r' {
                let command = std::mem::take(&mut self.command);
                out.extend(&command);
                let answer = self.answer(str::from_utf8(&command).unwrap().trim_end());
                out.extend(answer);
            }
        }
        out
    }

    fn answer(&mut self, command: &str) -> Vec<u8> {
        let Self { read, taken, .. } = *self;
        let mut rows = String::new();
        match command {
            "AT+CPIN?" => rows = "\r\n+CPIN: READY\r\n".into(),
            "AT+CEREG?" => rows = "\r\n+CEREG: 0,1\r\n".into(),
            "AT+QIACT?" => rows = "\r\n+QIACT: 1,1,1,\"10.7.157.1\"\r\n".into(),
            "AT+QICFG=\"transpktsize\"" => {
                rows = format!("\r\n+QICFG: \"transpktsize\",{}\r\n", self.canary);
            }
            "AT+QISEND=0,0" => rows = format!("\r\n+QISEND: {taken},{taken},0\r\n"),
            "AT+QIRD=0,0" => rows = format!("\r\n+QIRD: {read},{read},0\r\n"),
            "AT+QISTATE?" | "AT+QISTATE=1,0" if self.open => {
                rows =
                    "\r\n+QISTATE: 0,\"TCP\",\"192.0.2.20\",80,22742,2,1,0,0,\"uart1\"\r\n".into();
            }
            "AT+QICLOSE=0,0" => self.open = false,
            _ if command.starts_with("AT+QIRD=0,") && self.waiting > 0 => {
                self.waiting -= 1;
                self.read += HOSTILE.len();
                return qird(HOSTILE);
            }
            _ if command.starts_with("AT+QIRD=0,") => rows = "\r\n+QIRD: 0\r\n".into(),
            _ => {
                if let Some(value) = command.strip_prefix("AT+QICFG=\"transpktsize\",") {
                    self.canary = value.parse().unwrap();
                } else if let Some(len) = command.strip_prefix("AT+QISEND=0,") {
                    self.owed = len.parse().unwrap();
                    return PROMPT.to_vec();
                } else if command.starts_with("AT+QIOPEN=") {
                    self.open = true;
                    self.waiting = 1;
                    return b"\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n\r\n+QIURC: \"recv\",0\r\n".to_vec();
                }
            }
        }
        format!("{rows}\r\nOK\r\n").into_bytes()
    }
}

/// What happens to the bytes from the module, at one place.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Lost(usize),
    Doubled,
    Changed,
}

/// Twenty seconds with the damage before byte `at` of what the module sends.
/// Returns how many bytes that was.
fn damaged(damage: Damage, at: usize, check_echo: bool) -> usize {
    let (mut rx, mut tx) = ([0; 2_048], [0; 1_460]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let mut engine = Engine::new(
        &mut slots,
        Config {
            check_echo,
            ..with_credentials()
        },
    );
    let mut module = Module::default();
    let socket = engine.tcp_socket().unwrap();
    let (mut now, mut count) = (0, 0);
    let mut sent = false;
    while now < 20_000 {
        engine.poll(now);
        let _ = engine.connect(socket, "192.0.2.20:80".parse().unwrap());
        if !sent && engine.connected(socket) == Ok(()) {
            sent = engine.send(socket, HOSTILE) == Ok(HOSTILE.len());
        }
        engine.poll(now);
        let out = engine.tx().to_vec();
        engine.tx_done(now, out.len());
        let mut line = Vec::new();
        for byte in module.takes(&out) {
            match damage {
                Damage::Lost(n) if (at..at + n).contains(&count) => {}
                Damage::Doubled if count == at => line.extend([byte, byte]),
                Damage::Changed if count == at => line.push(byte ^ 0x02),
                _ => line.push(byte),
            }
            count += 1;
        }
        engine.rx(now, &line);
        if out.is_empty() {
            engine.poll(now);
            now = engine.wake_at(now).unwrap_or(20_000).max(now + 1);
        }
    }
    count
}

/// A password in a damaged echo, a payload behind a damaged header: what no
/// longer fits anything may be either. A module that repeats commands although
/// it was told not to is one that has restarted.
#[test]
fn damage_at_every_place_brings_no_secret_to_light() {
    told();
    let all = damaged(Damage::Lost(0), usize::MAX, true);
    let undamaged = told();
    let shown = frames();
    for piece in [
        "AT+QICSGP=1,1,\"internet\",",
        "+QIACT: 1,1,1,\"10.7.157.1\"",
    ] {
        assert_eq!(has(&shown, piece.as_bytes()), DEFMT, "{piece}");
    }
    for needed in [
        "TRACE 0 ms >> AT+QICSGP=1,1,\"internet\",...",
        "TRACE 0 ms >> 67 bytes of payload",
        "TRACE 0 ms << +QIRD: 67",
    ] {
        assert!(
            undamaged.iter().any(|line| line == needed),
            "{undamaged:#?}"
        );
    }
    let kinds = [
        Damage::Lost(1),
        Damage::Lost(2),
        Damage::Lost(20),
        Damage::Doubled,
        Damage::Changed,
    ];
    let mut lost = 0;
    for (damage, check_echo) in kinds
        .iter()
        .flat_map(|kind| [(*kind, true), (*kind, false)])
    {
        for at in 0..all {
            damaged(damage, at, check_echo);
            let lines = told();
            lost += usize::from(lines.iter().any(|line| line.ends_with("event LineLost")));
            keeps_secrets(&lines, || format!("{damage:?} at {at}, {check_echo}"));
        }
    }
    // It has gone wrong in earnest, and often.
    assert!(lost > all, "{lost} of {}", all * kinds.len());
}
