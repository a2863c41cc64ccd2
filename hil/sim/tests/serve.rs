//! The command `quectel-sim serve`, as a program that is started and talked to.
#![cfg(unix)]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{OpenOptionsExt, symlink};
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

/// How long anything may take, on a busy machine.
const BOUND: Duration = Duration::from_secs(60);

/// Chunks that a thread reads, with a bound for the wait.
struct Reader {
    chunks: Receiver<Vec<u8>>,
    got: Vec<u8>,
}

impl Reader {
    fn new(mut from: impl Read + Send + 'static) -> Reader {
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
    fn of_terminal(terminal: File, stop: UnixStream) -> Reader {
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
    fn until(&mut self, end: &str) -> String {
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

    /// Everything until the other side ends.
    #[track_caller]
    fn rest(&mut self) -> String {
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
struct Served {
    child: Child,
    /// What follows `ready`.
    place: String,
    errors: Reader,
}

impl Served {
    #[track_caller]
    fn start(args: &[&str]) -> Served {
        let mut child = command(args).spawn().unwrap();
        let errors = Reader::new(child.stderr.take().unwrap());
        let mut out = Reader::new(child.stdout.take().unwrap());
        let line = out.until("\n");
        let place = line.strip_prefix("ready ").expect("ready").trim_end();
        Served {
            place: place.to_owned(),
            child,
            errors,
        }
    }

    fn tcp(args: &[&str]) -> Served {
        Served::start(&[&["--tcp", "127.0.0.1:0"], args].concat())
    }

    fn address(&self) -> SocketAddr {
        self.place.strip_prefix("tcp ").unwrap().parse().unwrap()
    }

    fn connect(&self) -> Host {
        let stream = TcpStream::connect(self.address()).unwrap();
        let reader = Reader::new(stream.try_clone().unwrap());
        let close = stream.try_clone().unwrap();
        Host {
            reader,
            writer: Box::new(stream),
            close: Close::Connection(close),
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    #[track_caller]
    fn ended(&mut self) -> ExitStatus {
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

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quectel-sim"));
    command
        .arg("serve")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Its exit code and what it says, of a run that must end by itself.
#[track_caller]
fn failure(args: &[&str]) -> (i32, String) {
    let mut child = command(args).spawn().unwrap();
    let text = Reader::new(child.stderr.take().unwrap()).rest();
    (child.wait().unwrap().code().unwrap(), text)
}

/// A program at the other end of the serial line.
struct Host {
    reader: Reader,
    writer: Box<dyn Write>,
    close: Close,
}

/// How the thread that reads is stopped.
enum Close {
    Connection(TcpStream),
    Terminal(UnixStream),
}

impl Host {
    fn open(terminal: &Path) -> Host {
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
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.writer.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a command and expects exactly this.
    #[track_caller]
    fn talk(&mut self, command: &str, answer: &str) {
        self.send(command);
        assert_eq!(self.reader.until(answer), answer);
    }

    /// Echoes off, context 1 active.
    #[track_caller]
    fn set_up(&mut self) {
        self.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
        self.talk("AT+QISDE=0\r", "\r\nOK\r\n");
        self.talk("AT+QIACT=1\r", "\r\nOK\r\n");
    }

    #[track_caller]
    fn open_socket(&mut self, id: u8, to: &str, port: u16) {
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

/// A path that no other test uses.
fn link() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let id = std::process::id();
    std::env::temp_dir().join(format!("quectel-sim-test-{id}-{number}"))
}

/// A web server for one request. Gives the request.
fn web(body: &'static [u8]) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, request) = channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let head = lines.by_ref().map_while(Result::ok);
        let head: Vec<String> = head.take_while(|line| !line.is_empty()).collect();
        let answer = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(answer.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        sender.send(head.join("\n")).unwrap();
    });
    (port, request)
}

/// A page through the module: connect, send, read until the end.
#[track_caller]
fn http_get(host: &mut Host, name: &str) {
    let (port, requests) = web(b"\r\nOK\r\n+QIURC: \"closed\",0\r\n");
    host.open_socket(0, name, port);
    let request = "GET /page HTTP/1.0\r\n\r\n";
    host.talk(&format!("AT+QISEND=0,{}\r", request.len()), "\r\n> ");
    host.talk(request, "\r\nSEND OK\r\n");
    assert_eq!(requests.recv_timeout(BOUND).unwrap(), "GET /page HTTP/1.0");
    host.reader.until("\r\n+QIURC: \"closed\",0\r\n");
    let page = "HTTP/1.0 200 OK\r\nContent-Length: 26\r\n\r\n\
                \r\nOK\r\n+QIURC: \"closed\",0\r\n";
    let answer = format!("\r\n+QIRD: {}\r\n{page}\r\n\r\nOK\r\n", page.len());
    host.talk("AT+QIRD=0,1500\r", &answer);
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
}

#[test]
fn a_page_over_tcp() {
    let served = Served::tcp(&["--baud", "921600", "--name", "web.test=127.0.0.1"]);
    let mut host = served.connect();
    host.set_up();
    http_get(&mut host, "web.test");
}

#[test]
fn a_page_over_a_pseudo_terminal() {
    let link = link();
    let mut served = Served::start(&["--pty", link.to_str().unwrap(), "--baud", "921600"]);
    let target = fs::read_link(&link).unwrap();
    let place = format!("pty {} -> {}", link.display(), target.display());
    assert_eq!(served.place, place);
    let mut host = Host::open(&link);
    host.set_up();
    http_get(&mut host, "127.0.0.1");
    served.signal(Signal::TERM);
    assert_eq!(served.ended().code(), Some(0));
    assert!(!link.is_symlink());
}

#[test]
fn all_bytes_pass_the_pseudo_terminal_unchanged() {
    let link = link();
    let _served = Served::start(&["--pty", link.to_str().unwrap(), "--baud", "921600"]);
    let mut host = Host::open(&link);
    host.set_up();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let echo = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = [0; 256];
        stream.read_exact(&mut bytes).unwrap();
        stream.write_all(&bytes).unwrap();
        bytes
    });
    host.open_socket(0, "127.0.0.1", port);
    let all: Vec<u8> = (0..=255).collect();
    host.talk("AT+QISEND=0,256\r", "\r\n> ");
    host.send(&all);
    host.reader.until("\r\nSEND OK\r\n");
    assert_eq!(echo.join().unwrap(), *all);
    host.reader.until("\r\n+QIURC: \"closed\",0\r\n");
    host.send("AT+QIRD=0,1500\r");
    host.reader.until("\r\n+QIRD: 256\r\n");
    while host.reader.got.len() < 256 {
        let chunk = host.reader.chunks.recv_timeout(BOUND).unwrap();
        host.reader.got.extend(chunk);
    }
    assert_eq!(host.reader.got[..256], *all);
}

/// What a module keeps while its host is away.
#[track_caller]
fn comes_back(mut connect: impl FnMut() -> Host) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut host = connect();
    host.set_up();
    host.open_socket(3, "127.0.0.1", port);
    let (mut server, _) = listener.accept().unwrap();
    // Half a command line: the rest comes from the next program.
    host.send("AT+QIS");
    drop(host);
    let mut host = connect();
    host.send("TATE=1,3\r");
    let row = host.reader.until("OK\r\n");
    assert!(
        row.starts_with("\r\n+QISTATE: 3,\"TCP\",\"127.0.0.1\","),
        "{row}"
    );
    assert!(row.contains(",2,1,0,0,\"uart1\"\r\n"), "{row}");
    let again = format!("AT+QIOPEN=1,3,\"TCP\",\"127.0.0.1\",{port}\r");
    host.talk(&again, "\r\nOK\r\n\r\n+QIOPEN: 3,563\r\n");
    server.write_all(b"still there").unwrap();
    host.reader.until("\r\n+QIURC: \"recv\",3\r\n");
    host.talk(
        "AT+QIRD=3,1500\r",
        "\r\n+QIRD: 11\r\nstill there\r\n\r\nOK\r\n",
    );
}

#[test]
fn a_program_comes_back_over_tcp() {
    let served = Served::tcp(&[]);
    comes_back(|| served.connect());
}

#[test]
fn a_program_comes_back_to_the_pseudo_terminal() {
    let link = link();
    let _served = Served::start(&["--pty", link.to_str().unwrap()]);
    comes_back(|| Host::open(&link));
}

#[test]
fn a_second_program_is_refused_while_the_first_is_there() {
    let mut served = Served::tcp(&[]);
    let mut host = served.connect();
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    let mut second = served.connect();
    assert_eq!(second.reader.rest(), "");
    served.errors.until("a serial port has one host\n");
    host.talk("AT\r", "\r\nOK\r\n");
}

#[test]
fn a_program_that_only_listens_on_still_gets_its_answer() {
    let served = Served::tcp(&[]);
    let mut host = served.connect();
    host.send("AT+QIACT=1;+QIACT?\r");
    let Close::Connection(stream) = &host.close else {
        panic!("no connection");
    };
    stream.shutdown(Shutdown::Write).unwrap();
    host.reader
        .until("+QIACT: 1,1,1,\"10.7.157.1\"\r\n\r\nOK\r\n");
    let mut next = served.connect();
    next.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
}

/// Sends so many commands that their answers fill everything, and only then begins to read.
#[track_caller]
fn does_not_read(mut reader: impl Read, mut writer: impl Write + Send + 'static) {
    const COMMANDS: usize = 4_000;
    let writing = thread::spawn(move || {
        for _ in 0..COMMANDS {
            writer.write_all(b"AT+QIGETERROR\r").unwrap();
        }
    });
    let answer = "AT+QIGETERROR\r\r\n+QIGETERROR: 0,operate successfully\r\n\r\nOK\r\n";
    let mut got = vec![0; answer.len()];
    for i in 0..COMMANDS {
        reader.read_exact(&mut got).unwrap();
        assert_eq!(got, answer.as_bytes(), "answer {i}");
    }
    writing.join().unwrap();
}

#[test]
fn a_program_that_reads_late_loses_nothing() {
    let fast = ["--baud", "4000000", "--latency-ms", "0"];
    let served = Served::tcp(&fast);
    let stream = TcpStream::connect(served.address()).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    does_not_read(stream.try_clone().unwrap(), stream);

    let link = link();
    let _served = Served::start(&[&["--pty", link.to_str().unwrap()], &fast[..]].concat());
    let mut options = OpenOptions::new();
    let terminal = options.read(true).write(true).open(&link).unwrap();
    does_not_read(terminal.try_clone().unwrap(), terminal);
}

#[test]
fn signals_end_it_well() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let link = link();
        let mut served = Served::start(&["--pty", link.to_str().unwrap()]);
        assert!(link.is_symlink());
        served.signal(signal);
        assert_eq!(served.ended().code(), Some(0), "{signal:?}");
        assert!(!link.is_symlink());
    }
}

#[test]
fn two_of_them_do_not_collide() {
    let (one, two) = (Served::tcp(&[]), Served::tcp(&[]));
    let (mut first, mut second) = (one.connect(), two.connect());
    first.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    second.talk("AT\r", "AT\r\r\nOK\r\n");

    let links = [link(), link()];
    let served = links
        .each_ref()
        .map(|link| Served::start(&["--pty", link.to_str().unwrap()]));
    let mut hosts = links.each_ref().map(|link| Host::open(link));
    hosts[0].talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    hosts[1].talk("AT\r", "AT\r\r\nOK\r\n");
    let (code, text) = failure(&["--pty", links[0].to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(text.contains("exists already and leads to /dev/"), "{text}");
    hosts[0].talk("AT\r", "\r\nOK\r\n");
    drop(served);
    for link in &links {
        fs::remove_file(link).unwrap();
    }
}

#[test]
fn a_link_left_behind_is_taken_over() {
    let link = link();
    symlink("/dev/pts/of-a-killed-one", &link).unwrap();
    let mut served = Served::start(&["--pty", link.to_str().unwrap()]);
    let mut host = Host::open(&link);
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    // A link that was changed meanwhile belongs to another.
    fs::remove_file(&link).unwrap();
    symlink("/dev/pts/of-another", &link).unwrap();
    served.signal(Signal::TERM);
    assert_eq!(served.ended().code(), Some(0));
    fs::remove_file(&link).unwrap();
}

#[test]
fn a_port_in_use() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (code, text) = failure(&["--tcp", &address]);
    assert_eq!(code, 1);
    assert!(text.contains(&format!("{address} is in use")), "{text}");
    assert!(text.contains("choose another port"), "{text}");
}

#[test]
fn links_that_cannot_be() {
    let path = link();
    fs::write(&path, "precious").unwrap();
    let (code, text) = failure(&["--pty", path.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(text.contains("exists already, and is no link"), "{text}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(&path).unwrap();
    let (code, text) = failure(&["--pty", path.join("x").to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(text.contains("its directory does not exist"), "{text}");
}

#[test]
fn wrong_arguments() {
    for (args, part, allowed) in [
        (&[][..], "--tcp", "--pty"),
        (&["--tcp", "7000"], "7000", "127.0.0.1:7000"),
        (&["--tcp", "127.0.0.1:0", "--pty", "x"], "--pty", "--tcp"),
        (&["--pty", "x", "--family", "SIM800"], "SIM800", "EC25"),
        (&["--pty", "x", "--baud", "1"], "--baud", "300"),
        (
            &["--pty", "x", "--name", "host"],
            "host",
            "server.test=127.0.0.1",
        ),
        (&["--pty", "x", "--name", "a=b"], "'b'", "IPv4"),
        (
            &["--pty", "x", "--fault", "drp:host:1"],
            "'drp'",
            "drop, double",
        ),
        (
            &["--pty", "x", "--fault", "drop:host:x"],
            "'x'",
            "a number, from 0",
        ),
        (&["--pty", "x", "--fault", "mute:1s"], "'mute:1s'", "500ms"),
    ] {
        let (code, text) = failure(args);
        assert_eq!(code, 2, "{args:?}: {text}");
        assert!(
            text.contains(part) && text.contains(allowed),
            "{args:?}: {text}"
        );
    }
}

#[test]
fn help_and_version() {
    for (args, parts) in [
        (&["--help"][..], &["Usage", "Exit status", "Examples"][..]),
        (&["--version"], &[env!("CARGO_PKG_VERSION")]),
        (
            &["serve", "--help"],
            &[
                "Examples",
                "stall:PLACE:TIME",
                "closed-urc",
                "as with RTS/CTS",
            ],
        ),
        (&["serve", "-h"], &["--fault", "Examples"]),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_quectel-sim"))
            .args(args)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        for part in parts {
            assert!(text.contains(part), "{args:?}: {text}");
        }
    }
}

#[test]
fn the_dialogue_is_shown() {
    let mut served = Served::tcp(&["--trace"]);
    let mut host = served.connect();
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    let trace = served.errors.until(" << \\r\\nOK\\r\\n\n");
    let lines: Vec<&str> = trace.lines().collect();
    assert_eq!(lines.len(), 3, "{trace}");
    assert!(lines[0].ends_with(" >> AT\\r"), "{trace}");
    assert!(lines[1].ends_with(" << AT\\r"), "{trace}");
    let times = lines.iter().map(|line| {
        let time = line.split_whitespace().next().unwrap();
        time.parse::<u64>().unwrap()
    });
    assert!(times.is_sorted(), "{trace}");
}

#[test]
fn faults_happen() {
    let served = Served::tcp(&[
        "--fault",
        "refuse:+CSQ:2",
        "--fault",
        "urc:before-ok:+QIACT:\"+QIURC: \"x:y\",1\"",
        "--fault",
        "already-active",
        "--fault",
        "corrupt:answer:E:2:0x20",
    ]);
    let mut host = served.connect();
    host.talk("ATE0\r", "ATE0\r\r\noK\r\n");
    host.talk("AT+CSQ\r", "\r\nERROR\r\n");
    host.talk("AT+CSQ\r", "\r\nERROR\r\n");
    host.talk("AT+CSQ\r", "\r\n+CSQ: 22,99\r\n\r\nOK\r\n");
    host.talk("AT+QIACT=1\r", "\r\nERROR\r\n");
    host.talk(
        "AT+QIACT?\r",
        "\r\n+QIACT: 1,1,1,\"10.7.157.1\"\r\n\r\n+QIURC: \"x:y\",1\r\n\r\nOK\r\n",
    );
}

#[test]
fn sim_cards() {
    for (card, answer) in [
        ("ready", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
        ("absent", "\r\n+CME ERROR: 10\r\n"),
        ("pin", "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n"),
    ] {
        let served = Served::tcp(&["--sim-card", card]);
        let mut host = served.connect();
        host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
        host.talk("AT+CPIN?\r", answer);
    }
}
