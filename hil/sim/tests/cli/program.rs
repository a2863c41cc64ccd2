//! The program, started and talked to as a user does.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// How long anything may take, on a busy machine.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// Chunks that a thread reads, with a bound for the wait.
pub(crate) struct Reader {
    pub(crate) chunks: Receiver<Vec<u8>>,
    pub(crate) got: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(mut from: impl Read + Send + 'static) -> Reader {
        let (sender, chunks) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Reader {
            chunks,
            got: Vec::new(),
        }
    }

    /// The same from a terminal, until `stop` is closed: a thread that read on would take from the
    /// next program what is not its own.
    pub(crate) fn of_terminal(terminal: File, stop: UnixStream) -> Reader {
        let (sender, chunks) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let mut fds = [
                    PollFd::new(&stop, PollFlags::IN),
                    PollFd::new(&terminal, PollFlags::IN),
                ];
                poll(&mut fds, None).unwrap();
                if !fds[0].revents().is_empty() {
                    // It says that it is done.
                    drop(terminal);
                    return drop(stop);
                }
                let n = (&terminal).read(&mut buffer).unwrap_or(0);
                if n > 0 && sender.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Reader {
            chunks,
            got: Vec::new(),
        }
    }

    /// Everything up to and with `end`.
    #[track_caller]
    pub(crate) fn until(&mut self, end: &str) -> String {
        let limit = Instant::now() + BOUND;
        loop {
            let end = end.as_bytes();
            if let Some(at) = self.got.windows(end.len()).position(|part| part == end) {
                let text: Vec<u8> = self.got.drain(..at + end.len()).collect();
                return String::from_utf8_lossy(&text).into_owned();
            }
            let left = limit.saturating_duration_since(Instant::now());
            match self.chunks.recv_timeout(left) {
                Ok(chunk) => self.got.extend(chunk),
                Err(error) => panic!(
                    "{error} instead of {}: {}",
                    end.escape_ascii(),
                    self.got.escape_ascii()
                ),
            }
        }
    }

    /// Waits for so many bytes.
    #[track_caller]
    pub(crate) fn at_least(&mut self, n: usize) {
        while self.got.len() < n {
            let chunk = self.chunks.recv_timeout(BOUND).unwrap();
            self.got.extend(chunk);
        }
    }

    /// Everything until the other side ends.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> String {
        let limit = Instant::now() + BOUND;
        loop {
            let left = limit.saturating_duration_since(Instant::now());
            match self.chunks.recv_timeout(left) {
                Ok(chunk) => self.got.extend(chunk),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
        String::from_utf8_lossy(&std::mem::take(&mut self.got)).into_owned()
    }
}

/// The program, running.
pub(crate) struct Served {
    pub(crate) child: Child,
    /// What follows `ready`.
    pub(crate) place: String,
    /// The lines before that.
    before: Vec<String>,
    pub(crate) errors: Reader,
}

impl Served {
    #[track_caller]
    pub(crate) fn start(args: &[&str]) -> Served {
        let mut child = serve(args).spawn().unwrap();
        let errors = Reader::new(child.stderr.take().unwrap());
        let mut out = Reader::new(child.stdout.take().unwrap());
        let mut before = Vec::new();
        let place = loop {
            let line = out.until("\n").trim_end().to_owned();
            match line.strip_prefix("ready ") {
                Some(place) => break place.to_owned(),
                None => before.push(line),
            }
        };
        Served {
            place,
            before,
            child,
            errors,
        }
    }

    pub(crate) fn tcp(args: &[&str]) -> Served {
        Served::start(&[&["--tcp", "127.0.0.1:0"], args].concat())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.place.strip_prefix("tcp ").unwrap().parse().unwrap()
    }

    pub(crate) fn connect(&self) -> Host {
        let stream = TcpStream::connect(self.address()).unwrap();
        let reader = Reader::new(stream.try_clone().unwrap());
        let close = stream.try_clone().unwrap();
        Host {
            reader,
            writer: Box::new(stream),
            close: Close::Connection(close),
        }
    }

    /// What it has said behind `control` or `forward tcp`.
    #[track_caller]
    pub(crate) fn told(&self, what: &str) -> &str {
        let mut told = self
            .before
            .iter()
            .filter_map(|line| line.strip_prefix(what));
        told.next().expect(what).trim_start()
    }

    /// The answer to a control line: exit code, standard output and standard error.
    #[track_caller]
    pub(crate) fn control(&self, line: &str) -> (i32, String, String) {
        let (_, at) = self.told("control").split_once(' ').unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        run(&[&["control", at], &words[..]].concat(), b"")
    }

    /// Gives a control line that must be done without a word.
    #[track_caller]
    pub(crate) fn order(&self, line: &str) {
        let done = (0, String::new(), String::new());
        assert_eq!(self.control(line), done, "{line}");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let limit = Instant::now() + BOUND;
        // The end of its standard error comes with its end.
        self.errors.rest();
        while Instant::now() < limit {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::yield_now();
        }
        panic!("it does not end");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with these arguments, to be started.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quectel-sim"));
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn serve(args: &[&str]) -> Command {
    program(&[&["serve"], args].concat())
}

/// Exit code, standard output and standard error of a run that ends by itself.
#[track_caller]
pub(crate) fn run(args: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = program(args).stdin(Stdio::piped()).spawn().unwrap();
    let mut out = Reader::new(child.stdout.take().unwrap());
    let mut errors = Reader::new(child.stderr.take().unwrap());
    // It may not want any.
    let _ = child.stdin.take().unwrap().write_all(input);
    let (out, errors) = (out.rest(), errors.rest());
    (child.wait().unwrap().code().unwrap(), out, errors)
}

/// Exit code and standard error of a `serve` that fails.
#[track_caller]
pub(crate) fn failure(args: &[&str]) -> (i32, String) {
    let (code, _, errors) = run(&[&["serve"], args].concat(), b"");
    (code, errors)
}

/// A program at the other end of the serial line.
pub(crate) struct Host {
    pub(crate) reader: Reader,
    writer: Box<dyn Write>,
    pub(crate) close: Close,
}

/// How the thread that reads is stopped.
pub(crate) enum Close {
    Connection(TcpStream),
    Terminal(UnixStream),
}

impl Host {
    pub(crate) fn open(terminal: &Path) -> Host {
        let flags = OFlags::NOCTTY.bits() as i32;
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(flags);
        let file = options.open(terminal).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        Host {
            reader: Reader::of_terminal(file.try_clone().unwrap(), theirs),
            writer: Box::new(file),
            close: Close::Terminal(ours),
        }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.writer.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a command and expects exactly this.
    #[track_caller]
    pub(crate) fn talk(&mut self, command: &str, answer: &str) {
        self.send(command);
        assert_eq!(self.reader.until(answer), answer);
    }

    /// Echoes off, context 1 active.
    #[track_caller]
    pub(crate) fn set_up(&mut self) {
        self.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
        self.talk("AT+QISDE=0\r", "\r\nOK\r\n");
        self.talk("AT+QIACT=1\r", "\r\nOK\r\n");
    }

    #[track_caller]
    pub(crate) fn open_socket(&mut self, id: u8, to: &str, port: u16) {
        let open = format!("AT+QIOPEN=1,{id},\"TCP\",\"{to}\",{port},0,0\r");
        self.talk(&open, "\r\nOK\r\n");
        let opened = format!("\r\n+QIOPEN: {id},0\r\n");
        assert_eq!(self.reader.until(&opened), opened);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        match &mut self.close {
            Close::Connection(stream) => {
                let _ = stream.shutdown(Shutdown::Both);
            }
            Close::Terminal(stop) => {
                let _ = stop.shutdown(Shutdown::Write);
                let _ = stop.read(&mut [0]);
            }
        }
    }
}

/// A terminal: its master, and the side that a program is given.
pub(crate) fn terminal() -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlags::NOCTTY.bits() as i32)
        .open(name.to_str().unwrap());
    (File::from(master), slave.unwrap())
}

/// A path that no other test uses.
pub(crate) fn link() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let id = std::process::id();
    std::env::temp_dir().join(format!("quectel-sim-test-{id}-{number}"))
}
