//! A host for tests: sends bytes, and compares what comes back byte by byte.
#![allow(dead_code, reason = "every test file uses another part")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use quectel_sim::{Config, Profile, Sim};

/// A file in memory, for captures.
#[derive(Clone, Default)]
pub(crate) struct File(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no other user").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A host that talks to a simulated module.
pub(crate) struct Host {
    pub(crate) sim: Sim,
}

/// Bytes as a test prints them.
pub(crate) fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// The set-up of a module of a family.
pub(crate) fn family(name: &str) -> Config {
    Config {
        profile: Profile::named(name).expect("a family"),
        ..Config::default()
    }
}

impl Host {
    pub(crate) fn new(config: Config) -> Host {
        Host {
            sim: Sim::new(config),
        }
    }

    /// A host whose module does not echo commands.
    #[track_caller]
    pub(crate) fn quiet(config: Config) -> Host {
        let mut host = Host::new(config);
        host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
        host
    }

    /// The same of a family.
    #[track_caller]
    pub(crate) fn family(name: &str) -> Host {
        Host::quiet(family(name))
    }

    /// Power goes and comes back; the URCs of the start pass, and the echo is turned off.
    #[track_caller]
    pub(crate) fn power_cycle(&mut self) {
        self.sim.power_off();
        self.sim.power_on();
        self.sim.run_until(self.sim.now() + 30_000_000);
        self.forget();
        self.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    }

    /// Drops what has come.
    pub(crate) fn forget(&mut self) {
        let n = self.sim.readable();
        self.take(n);
    }

    /// Sends a command and expects these rows and `OK`.
    #[track_caller]
    pub(crate) fn rows(&mut self, command: &str, rows: &[&str]) {
        let rows = match rows {
            [] => String::new(),
            rows => format!("\r\n{}\r\n", rows.join("\r\n")),
        };
        self.talk(format!("{command}\r"), format!("{rows}\r\nOK\r\n"));
    }

    /// Sends commands, each to be answered with nothing but `OK`.
    #[track_caller]
    pub(crate) fn ok(&mut self, commands: &[&str]) {
        for command in commands {
            self.rows(command, &[]);
        }
    }

    /// Sends commands, each to be answered with this error and nothing else.
    #[track_caller]
    pub(crate) fn fail(&mut self, error: &str, commands: &[&str]) {
        for command in commands {
            self.talk(format!("{command}\r"), format!("\r\n{error}\r\n"));
        }
    }

    /// Expects this URC next.
    #[track_caller]
    pub(crate) fn urc(&mut self, text: &str) {
        self.expect(format!("\r\n{text}\r\n"));
    }

    /// A host whose module has its echoes off and context 1 active.
    pub(crate) fn ready(config: Config) -> Host {
        let mut host = Host::new(config);
        host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
        host.talk("AT+QISDE=0\r", "\r\nOK\r\n");
        host.talk("AT+QIACT=1\r", "\r\nOK\r\n");
        host
    }

    /// A ready host with a connection open on id 0.
    #[track_caller]
    pub(crate) fn connected(config: Config, serve: impl FnOnce(&mut Sim)) -> Host {
        let mut host = Host::ready(config);
        serve(&mut host.sim);
        host.open(0);
        host
    }

    /// Opens id `id` to 192.0.2.7:7.
    #[track_caller]
    pub(crate) fn open(&mut self, id: u8) {
        self.talk(
            format!("AT+QIOPEN=1,{id},\"TCP\",\"192.0.2.7\",7,0,0\r"),
            "\r\nOK\r\n",
        );
        self.expect(format!("\r\n+QIOPEN: {id},0\r\n"));
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.sim.write(bytes.as_ref());
    }

    /// Sends a command and expects this answer.
    #[track_caller]
    pub(crate) fn talk(&mut self, command: impl AsRef<[u8]>, answer: impl AsRef<[u8]>) {
        self.send(command);
        self.expect(answer);
    }

    /// Expects exactly these bytes next.
    #[track_caller]
    pub(crate) fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        self.sim.expect(bytes);
    }

    /// The next `n` bytes, or fewer if they do not come.
    pub(crate) fn take(&mut self, n: usize) -> Vec<u8> {
        self.sim.take(n)
    }

    /// Expects silence for this long, in µs.
    #[track_caller]
    pub(crate) fn silence(&mut self, us: u64) {
        self.sim.expect_silence(us);
    }

    /// Lets the URCs of a start pass.
    pub(crate) fn silence_of_boot(&mut self) {
        self.sim.run_for(10_000_000);
        self.sim.read_all();
    }

    /// Lets time pass while `busy`.
    #[track_caller]
    pub(crate) fn run_while(&mut self, busy: impl FnMut(&mut Sim) -> bool) {
        self.sim.run_while(busy);
    }

    /// Sends payload with `AT+QISEND`.
    #[track_caller]
    pub(crate) fn qisend(&mut self, id: u8, data: &[u8]) {
        self.talk(format!("AT+QISEND={id},{}\r", data.len()), "\r\n> ");
        self.talk(data, "\r\nSEND OK\r\n");
    }

    /// Reads with `AT+QIRD` and expects these bytes.
    #[track_caller]
    pub(crate) fn qird(&mut self, id: u8, data: &[u8]) {
        let head = format!("\r\n+QIRD: {}\r\n", data.len());
        let answer = [head.as_bytes(), data, b"\r\n\r\nOK\r\n"].concat();
        self.talk(format!("AT+QIRD={id},1500\r"), answer);
    }
}
