//! The control port: one line asks, one answer comes back.
//!
//! A client can do no harm: what it sends is read a bit at a time, what it does not read holds up
//! nobody but itself, and too long lines and too many clients are turned away.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::event::PollFlags;

use super::args::Door;
use super::endpoint::later;
use super::say::warn;
use super::tcp;

/// The longest line, in bytes.
pub(super) const LONGEST: usize = 1_024;
/// Clients at a time.
const CLIENTS: usize = 16;
/// Bytes that wait for a client before no more of its lines are read.
const WAITING: usize = 64 << 10;

trait Stream: Read + Write + AsFd {}
impl<T: Read + Write + AsFd> Stream for T {}

enum Listener {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, PathBuf),
}

pub(super) struct Control {
    listener: Listener,
    clients: Vec<Client>,
}

struct Client {
    stream: Box<dyn Stream>,
    /// The line that is coming in, as far as it is not too long.
    line: Vec<u8>,
    /// Answers that it has not taken yet.
    answers: Vec<u8>,
    /// It will not send any more.
    finished: bool,
    gone: bool,
}

impl Control {
    pub(super) fn open(door: &Door) -> Result<Control, String> {
        let listener = match door {
            Door::Tcp(address) => {
                let (listener, address) = tcp::listen(*address)?;
                if !address.ip().is_loopback() {
                    warn(&format!(
                        "warning: whoever reaches {address} controls the module"
                    ));
                }
                Listener::Tcp(listener, address)
            }
            Door::Unix(path) => Listener::Unix(listen(path)?, path.clone()),
        };
        Ok(Control {
            listener,
            clients: Vec::new(),
        })
    }

    /// What to say when it can be used, behind `control`.
    pub(super) fn describe(&self) -> String {
        match &self.listener {
            Listener::Tcp(_, address) => format!("tcp {address}"),
            Listener::Unix(_, path) => format!("unix {}", path.display()),
        }
    }

    pub(super) fn wait_for(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let listener = match &self.listener {
            Listener::Tcp(listener, _) => listener.as_fd(),
            Listener::Unix(listener, _) => listener.as_fd(),
        };
        let mut fds = vec![(listener, PollFlags::IN)];
        for client in &self.clients {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, client.listens());
            flags.set(PollFlags::OUT, !client.answers.is_empty());
            fds.push((client.stream.as_fd(), flags));
        }
        fds
    }

    /// Looks after clients; `act` does what a line says.
    pub(super) fn attend(&mut self, act: &mut dyn FnMut(&str) -> Result<String, String>) {
        while let Some(stream) = self.accept() {
            if self.clients.len() >= CLIENTS {
                // Some may have left in the meantime.
                self.listen(act);
            }
            let mut client = Client::new(stream);
            if self.clients.len() >= CLIENTS {
                client.answer(Err(format!(
                    "{CLIENTS} clients are connected: end one of them"
                )));
                client.write();
            } else {
                self.clients.push(client);
            }
        }
        self.listen(act);
    }

    fn listen(&mut self, act: &mut dyn FnMut(&str) -> Result<String, String>) {
        for client in &mut self.clients {
            client.read(act);
            client.write();
        }
        self.clients.retain(|client| !client.is_done());
    }

    fn accept(&self) -> Option<Box<dyn Stream>> {
        match &self.listener {
            Listener::Tcp(listener, _) => {
                let (stream, _) = listener.accept().ok()?;
                stream.set_nonblocking(true).ok()?;
                stream.set_nodelay(true).ok()?;
                Some(Box::new(stream))
            }
            Listener::Unix(listener, _) => {
                let (stream, _) = listener.accept().ok()?;
                stream.set_nonblocking(true).ok()?;
                Some(Box::new(stream))
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Listener::Unix(_, path) = &self.listener {
            let _ = fs::remove_file(path);
        }
    }
}

/// A Unix socket of this name. One that a killed process left behind is replaced.
fn listen(path: &Path) -> Result<UnixListener, String> {
    let shown = path.display();
    let is_socket = |path| fs::symlink_metadata(path).is_ok_and(|is| is.file_type().is_socket());
    let left = |error: io::Error| error.kind() == ErrorKind::ConnectionRefused;
    if is_socket(path) && UnixStream::connect(path).is_err_and(left) {
        let _ = fs::remove_file(path);
    }
    let listener = UnixListener::bind(path).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse if is_socket(path) => {
            format!("{shown} is the socket of a running program: end that, or choose another name")
        }
        ErrorKind::AddrInUse => {
            format!("{shown} exists already, and is no socket: choose another name")
        }
        ErrorKind::NotFound => format!("no socket {shown}: its directory does not exist"),
        _ => format!("no socket {shown}: {error}"),
    })?;
    let setup = listener.set_nonblocking(true);
    setup.map_err(|error| format!("no socket {shown}: {error}"))?;
    Ok(listener)
}

impl Client {
    fn new(stream: Box<dyn Stream>) -> Client {
        Client {
            stream,
            line: Vec::new(),
            answers: Vec::new(),
            finished: false,
            gone: false,
        }
    }

    fn listens(&self) -> bool {
        !self.finished && self.answers.len() < WAITING
    }

    fn is_done(&self) -> bool {
        self.gone || self.finished && self.answers.is_empty()
    }

    /// Reads a bit, and does what the lines in it say.
    fn read(&mut self, act: &mut dyn FnMut(&str) -> Result<String, String>) {
        if !self.listens() {
            return;
        }
        let mut buffer = [0; 1_024];
        match self.stream.read(&mut buffer) {
            Ok(0) => {
                self.finished = true;
                self.end_line(act);
            }
            Ok(n) => {
                for byte in &buffer[..n] {
                    match byte {
                        b'\n' => self.end_line(act),
                        _ if self.line.len() <= LONGEST => self.line.push(*byte),
                        _ => {}
                    }
                }
            }
            Err(error) if later(&error) => {}
            Err(_) => self.gone = true,
        }
    }

    fn end_line(&mut self, act: &mut dyn FnMut(&str) -> Result<String, String>) {
        let line = std::mem::take(&mut self.line);
        if line.len() > LONGEST {
            return self.answer(Err(format!("the line is longer than {LONGEST} bytes")));
        }
        match str::from_utf8(&line).map(str::trim) {
            Ok("") => {}
            Ok(line) => self.answer(act(line)),
            Err(_) => self.answer(Err("the line is not UTF-8".into())),
        }
    }

    /// `ok` or `error`, what there is to say about it, and an empty line.
    fn answer(&mut self, answer: Result<String, String>) {
        let (word, text) = match answer {
            Ok(text) => ("ok", text),
            Err(text) => ("error", text),
        };
        self.answers.extend(word.as_bytes());
        for (i, line) in text.lines().enumerate() {
            match (i, line) {
                (0, "") => {}
                (0, _) => self.answers.push(b' '),
                // An empty line is the end.
                (_, "") => self.answers.extend(b"\n "),
                _ => self.answers.push(b'\n'),
            }
            self.answers.extend(line.as_bytes());
        }
        self.answers.extend(b"\n\n");
    }

    fn write(&mut self) {
        while !self.answers.is_empty() && !self.gone {
            match self.stream.write(&self.answers) {
                Ok(n) => drop(self.answers.drain(..n)),
                Err(error) if later(&error) => return,
                Err(_) => self.gone = true,
            }
        }
    }
}
