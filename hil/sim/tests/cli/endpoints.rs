//! What a module is to a program behind a TCP port, a pseudo-terminal, or standard input.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::program::{BOUND, Close, Host, Reader, Served, link, program, run};

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
    host.reader.at_least(256);
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
fn a_dialogue_on_standard_input_and_output() {
    let args = ["serve", "--stdio", "--family", "BG95"];
    let (code, out, errors) = run(&args, b"ATE0\rAT+CGMM\rAT+QIACT=1;+QIACT?\r");
    assert_eq!(code, 0);
    assert_eq!(
        out,
        "ATE0\r\r\nOK\r\n\r\nBG95-M3\r\n\r\nOK\r\n\
         \r\n+QIACT: 1,1,1,\"10.7.157.1\"\r\n\r\nOK\r\n"
    );
    assert_eq!(errors, "ready stdio\n");
}

#[test]
fn the_end_of_the_input_waits_for_what_is_being_answered() {
    // Half a command is not waited for.
    let (code, out, _) = run(&["serve", "--stdio"], b"ATE0\rAT+QPOWD=9\rAT+CS");
    assert_eq!((code, out.as_str()), (0, "ATE0\r\r\nOK\r\n\r\nERROR\r\n"));
    let late = ["serve", "--stdio", "--fault", "late:+CSQ:1.5s"];
    let (code, out, _) = run(&late, b"ATE0\rAT+CSQ\r");
    assert_eq!(code, 0);
    assert_eq!(out, "ATE0\r\r\nOK\r\n\r\n+CSQ: 22,99\r\n\r\nOK\r\n");
}

#[test]
fn with_linger_urcs_come_after_the_end_of_the_input() {
    let args = ["serve", "--stdio", "--linger", "60s"];
    let mut child = program(&args).stdin(Stdio::piped()).spawn().unwrap();
    let mut out = Reader::new(child.stdout.take().unwrap());
    let open = b"ATE0;+QIACT=1\rAT+QIOPEN=1,0,\"TCP\",\"127.0.0.1\",1,0,1\r";
    child.stdin.take().unwrap().write_all(open).unwrap();
    out.until("\r\n+QIOPEN: 0,566\r\n");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn all_bytes_pass_standard_input_and_output_in_transparent_mode() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let args = ["serve", "--stdio", "--baud", "921600"];
    let mut child = program(&args).stdin(Stdio::piped()).spawn().unwrap();
    let mut out = Reader::new(child.stdout.take().unwrap());
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"ATE0;+QIACT=1\r").unwrap();
    assert_eq!(out.until("\r\nOK\r\n"), "ATE0;+QIACT=1\r\r\nOK\r\n");
    let open = format!("AT+QIOPEN=1,0,\"TCP\",\"127.0.0.1\",{port},0,2\r");
    input.write_all(open.as_bytes()).unwrap();
    assert_eq!(out.until("CONNECT\r\n"), "\r\nCONNECT\r\n");
    let (mut server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(BOUND)).unwrap();
    let all: Vec<u8> = (0..=255).collect();
    input.write_all(&all).unwrap();
    let mut got = [0; 256];
    server.read_exact(&mut got).unwrap();
    assert_eq!(got[..], all);
    server.write_all(&all).unwrap();
    out.at_least(256);
    assert_eq!(out.got, all);
    out.got.clear();
    // The end of the connection is the end of the pipe, and the end of the input that of it all.
    drop(server);
    out.until("\r\nNO CARRIER\r\n");
    drop(input);
    assert_eq!(out.rest(), "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn nobody_needs_to_hear_that_it_is_ready() {
    let link = link();
    let args = ["serve", "--pty", link.to_str().unwrap()];
    let mut child = program(&args).spawn().unwrap();
    drop(child.stdout.take());
    let limit = Instant::now() + BOUND;
    while !link.exists() && Instant::now() < limit {
        thread::yield_now();
    }
    Host::open(&link).talk("AT\r", "AT\r\r\nOK\r\n");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!link.is_symlink());
}

#[test]
fn a_closed_standard_output_takes_nothing_from_the_end_of_the_input() {
    let args = ["serve", "--stdio"];
    let mut child = program(&args).stdin(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut errors = Reader::new(child.stderr.take().unwrap());
    child.stdin.take().unwrap().write_all(b"ATI\r").unwrap();
    assert_eq!(errors.rest(), "ready stdio\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_closed_output_does_not_end_it() {
    let args = ["serve", "--tcp", "127.0.0.1:0", "--trace"];
    let mut child = program(&args).spawn().unwrap();
    let mut out = Reader::new(child.stdout.take().unwrap());
    let line = out.until("\n");
    // Nobody reads the trace.
    drop(child.stderr.take());
    let place = line.strip_prefix("ready tcp ").unwrap().trim_end();
    let mut stream = TcpStream::connect(place).unwrap();
    let mut reader = Reader::new(stream.try_clone().unwrap());
    for _ in 0..3 {
        stream.write_all(b"AT\r").unwrap();
        assert_eq!(reader.until("OK\r\n"), "AT\r\r\nOK\r\n");
    }
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}
