//! The library's engine, whatever a module sends and a program calls: no panic, no endless output.
//!
//! One byte of set-up, then bytes of the module and operations:
//!
//! | byte | |
//! |---|---|
//! | 0x80 to 0x9f | time passes: 1 ms, twice as much for each step, up to 9 min |
//! | 0xa0 to 0xaf, n | the program calls something, for socket n |
//! | 0xb0 | the module answers what was asked, as it should |
//! | 0xb1 | it repeats what it was sent |
//! | 0xb2, n | it does both, n times |
//! | 0xc0, b | the byte b |
//! | 0xc1, n | 16 n bytes of payload |
//! | other | a millisecond passes |

use std::net::SocketAddr;

use quectel_sockets::{Config, Engine, Handle, Slot};

use super::Input;

/// What the engine sends without being polled again: a command, or a whole payload and what follows.
const AT_ONCE: usize = 8 << 10;

struct Run<'a> {
    engine: Engine<'a>,
    now: u64,
    handles: Vec<Handle>,
    /// What was sent since the module last answered.
    sent: Vec<u8>,
    canary: String,
}

/// Runs an input.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let how = input.number();
    let mut rings =
        [(256, 256), (1_500, 64), (8, 1_500)].map(|(rx, tx)| (vec![0; rx], vec![0; tx]));
    let mut slots: Vec<Slot> = rings.iter_mut().map(|(rx, tx)| Slot::new(rx, tx)).collect();
    let config = Config {
        check_echo: how & 1 == 1,
        ..Config::default()
    };
    let mut run = Run {
        engine: Engine::new(&mut slots, config),
        now: 1_000,
        handles: Vec::new(),
        sent: Vec::new(),
        canary: "1400".into(),
    };
    loop {
        run.module(input.text());
        let Some(operation) = input.byte() else { break };
        match operation {
            0x80..=0x9f => run.pass(1 << (operation & 0x1f).min(19)),
            0xa0..=0xaf => run.call(operation & 0xf, input.number()),
            0xb0 => run.answer(),
            0xb1 => run.echo(),
            0xb2 => {
                for _ in 0..input.number() {
                    run.echo();
                    run.answer();
                }
            }
            0xc0 => run.module(&[input.number() as u8]),
            0xc1 => run.module(&vec![b'x'; 16 * input.number() as usize]),
            _ => run.pass(1),
        }
    }
    run.pass(600_000);
}

impl Run<'_> {
    /// The module sends this.
    fn module(&mut self, bytes: &[u8]) {
        self.engine.rx(self.now, bytes);
        self.poll();
    }

    fn poll(&mut self) {
        self.engine.poll(self.now);
        let mut n = 0;
        loop {
            let bytes = self.engine.tx().to_vec();
            if bytes.is_empty() {
                break;
            }
            n += bytes.len();
            assert!(n <= AT_ONCE, "endless output: {}", bytes.escape_ascii());
            self.engine.tx_done(self.now, bytes.len());
            self.sent.extend(bytes);
        }
        // A module that never answers needs no memory of it all.
        let old = self.sent.len().saturating_sub(AT_ONCE);
        self.sent.drain(..old);
    }

    /// Lets time pass, waking up when the engine wants it.
    fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        for _ in 0..1_000 {
            match self.engine.wake_at(self.now) {
                Some(at) if at < until => self.now = at.max(self.now + 1),
                _ => break,
            }
            self.poll();
        }
        self.now = until;
        self.poll();
    }

    fn echo(&mut self) {
        let sent = self.sent.clone();
        self.module(&sent);
    }

    /// What a module says to the last command line, or to payload.
    fn answer(&mut self) {
        let sent = std::mem::take(&mut self.sent);
        let line = sent.strip_suffix(b"\r").unwrap_or(b"");
        let start = line
            .iter()
            .rposition(|byte| *byte == b'\r')
            .map_or(0, |i| i + 1);
        let line = String::from_utf8_lossy(&line[start..]).into_owned();
        let (name, arguments) = line.split_once('=').unwrap_or((&line, ""));
        let id = arguments.split(',').next().unwrap_or_default();
        let second = arguments.split(',').nth(1).unwrap_or_default();
        let body = match name {
            "" => {
                self.module(b"\r\nSEND OK\r\n");
                return;
            }
            "AT+QISEND" if second != "0" => {
                self.module(b"\r\n> ");
                return;
            }
            "ATI" => "Quectel\r\nEC25\r\nRevision: EC25EFAR02A09M4G\r\n".into(),
            "AT+CPIN?" => "+CPIN: READY\r\n".into(),
            "AT+CEREG?" | "AT+CGREG?" | "AT+CREG?" => {
                format!("{}: 0,1\r\n", &name[2..name.len() - 1])
            }
            "AT+QIACT?" => "+QIACT: 1,1,1,\"10.7.157.1\"\r\n".into(),
            "AT+QISTATE" => {
                format!("+QISTATE: {second},\"TCP\",\"192.0.2.7\",7,2,2,1,0,0,\"uart1\"\r\n")
            }
            "AT+QISEND" => "+QISEND: 5,5,0\r\n".into(),
            "AT+QIRD" if second == "0" => "+QIRD: 5,5,0\r\n".into(),
            "AT+QIRD" => "+QIRD: 5\r\nhello\r\n".into(),
            "AT+QICFG" if arguments.starts_with("\"transpktsize\",") => {
                self.canary = second.to_owned();
                String::new()
            }
            "AT+QICFG" if second.is_empty() => format!("+QICFG: {arguments},{}\r\n", self.canary),
            _ => String::new(),
        };
        let body = if body.is_empty() {
            body
        } else {
            format!("\r\n{body}")
        };
        let after = match name {
            "AT+QIOPEN" => format!("\r\n+QIOPEN: {second},0\r\n"),
            "AT+QIDNSGIP" => {
                "\r\n+QIURC: \"dnsgip\",0,1,9\r\n\r\n+QIURC: \"dnsgip\",\"192.0.2.7\"\r\n".into()
            }
            "AT+QISEND" => format!("\r\n+QIURC: \"recv\",{id}\r\n"),
            _ => String::new(),
        };
        self.module(format!("{body}\r\nOK\r\n{after}").as_bytes());
    }

    fn call(&mut self, what: u8, n: u64) {
        let remote: SocketAddr = ([192, 0, 2, 7], 7).into();
        let chosen = self
            .handles
            .get(n as usize % self.handles.len().max(1))
            .copied();
        let (engine, now) = (&mut self.engine, self.now);
        match (what, chosen) {
            (0, _) => self.handles.extend(engine.tcp_socket().ok()),
            (1, _) => self.handles.extend(engine.udp_socket().ok()),
            (2, _) => drop(engine.resolve(["name", "", "a\"b"][n as usize % 3])),
            (3, _) => while engine.event().is_some() {},
            (4, Some(handle)) => drop(engine.connect(handle, remote)),
            (5, Some(handle)) => drop(engine.connected(handle)),
            (6, Some(handle)) => drop(engine.send(handle, &[n as u8; 200])),
            (7, Some(handle)) => drop(engine.recv(handle, &mut [0; 100])),
            (8, Some(handle)) => drop(engine.send_to(handle, b"hello", Some(remote))),
            (9, Some(handle)) => drop(engine.recv_from(handle, &mut [0; 100])),
            (10, Some(handle)) => drop(engine.listen(handle, n as u8)),
            (11, Some(handle)) => {
                if let Ok((child, _)) = engine.accept(now, handle) {
                    self.handles.push(child);
                }
            }
            (12, Some(handle)) => drop(engine.shutdown(now, handle)),
            (13, Some(handle)) => engine.release(now, handle),
            (14, Some(handle)) => engine.abort(now, handle),
            (15, Some(handle)) => drop((engine.state(handle), engine.readiness(handle))),
            _ => {}
        }
        self.handles.truncate(32);
        self.poll();
    }
}
