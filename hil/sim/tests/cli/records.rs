//! What a run leaves to be read: the dialogue, and the packets.

use std::fs;
use std::net::TcpStream;
use std::process::Stdio;

use rustix::process::Signal;

use crate::program::{Reader, Served, failure, link, program, run, terminal};

#[test]
fn the_dialogue_is_shown() {
    let mut served = Served::tcp(&["--trace"]);
    let mut host = served.connect();
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    let trace = served.errors.until(" <<      \\r\\nOK\\r\\n\n");
    let lines: Vec<&str> = trace.lines().collect();
    assert_eq!(lines.len(), 3, "{trace}");
    assert!(lines[0].ends_with(" >>      AT\\r"), "{trace}");
    assert!(lines[1].ends_with(" << echo AT\\r"), "{trace}");
    let times = lines.iter().map(|line| {
        let time = line.split_whitespace().next().unwrap();
        time.parse::<f64>().unwrap()
    });
    assert!(times.is_sorted(), "{trace}");
}

#[test]
fn payload_is_counted_and_urcs_are_marked() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut served = Served::tcp(&["--trace", "--baud", "921600"]);
    let mut host = served.connect();
    host.set_up();
    host.open_socket(0, "127.0.0.1", port);
    let (server, _): (TcpStream, _) = listener.accept().unwrap();
    host.talk("AT+QISEND=0,60\r", "\r\n> ");
    host.talk(&"a\r".repeat(30), "\r\nSEND OK\r\n");
    drop(server);
    host.reader.until("\r\n+QIURC: \"closed\",0\r\n");
    let trace = served.errors.until("\\r\\n+QIURC: \"closed\",0\\r\\n\n");
    let shown = format!(" >> data 60 bytes: {}...\n", "a\\r".repeat(24));
    assert!(trace.contains(&shown), "{trace}");
    let urc = " << URC  \\r\\n+QIURC: \"closed\",0\\r\\n\n";
    assert!(trace.ends_with(urc), "{trace}");
}

/// What `--trace` shows of `AT`, on a terminal or not.
#[track_caller]
fn trace(args: &[&str], no_color: Option<&str>, on_terminal: bool) -> String {
    let mut command = program(&[&["serve", "--stdio", "--trace"], args].concat());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").stdin(Stdio::piped());
    if let Some(value) = no_color {
        command.env("NO_COLOR", value);
    }
    let (master, slave) = terminal();
    if on_terminal {
        command.stderr(slave);
    }
    let mut child = command.spawn().unwrap();
    let mut errors = match child.stderr.take() {
        Some(pipe) => Reader::new(pipe),
        None => Reader::new(master),
    };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"AT\r").unwrap();
    let text = errors.until("OK");
    assert!(child.wait().unwrap().success());
    text
}

#[test]
fn colours_are_for_terminals() {
    for (args, no_color, on_terminal, coloured) in [
        (&[][..], None, true, true),
        (&[], None, false, false),
        (&[], Some("1"), true, false),
        (&["--color", "auto"], Some("1"), true, false),
        (&["--color", "never"], None, true, false),
        (&["--color", "always"], Some("1"), false, true),
    ] {
        let text = trace(args, no_color, on_terminal);
        let found = text.contains("\u{1b}[");
        assert_eq!(found, coloured, "{args:?} {no_color:?}: {text:?}");
    }
}

#[test]
fn a_trace_of_standard_input_does_not_disturb_the_line() {
    let (code, out, errors) = run(&["serve", "--stdio", "--trace"], b"AT\r");
    assert_eq!((code, out.as_str()), (0, "AT\r\r\nOK\r\n"));
    assert!(errors.starts_with("ready stdio\n    0.0"), "{errors}");
    assert_eq!(errors.lines().count(), 4, "{errors}");
}

/// The packets of a capture, which must end with the last of them.
#[track_caller]
fn packets(capture: &[u8]) -> Vec<Vec<u8>> {
    // Little-endian, microseconds, version 2.4; raw IP.
    assert_eq!(capture[..8], *b"\xd4\xc3\xb2\xa1\x02\0\x04\0");
    assert_eq!(capture[20..24], [101, 0, 0, 0]);
    let mut rest = &capture[24..];
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        assert_eq!(rest[8..12], rest[12..16], "captured as a whole");
        packets.push(rest[16..16 + length].to_vec());
        rest = &rest[16 + length..];
    }
    packets
}

#[test]
fn a_capture_is_whole_however_the_program_ends() {
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let path = link();
        let mut served = Served::tcp(&["--pcap", path.to_str().unwrap()]);
        let mut host = served.connect();
        host.set_up();
        host.open_socket(0, "127.0.0.1", port);
        host.talk("AT+QISEND=0,5\r", "\r\n> ");
        host.talk("hello", "\r\nSEND OK\r\n");
        let (mut server, _) = listener.accept().unwrap();
        let mut got = [0; 5];
        std::io::Read::read_exact(&mut server, &mut got).unwrap();
        assert_eq!(got, *b"hello");
        served.signal(signal);
        served.ended();
        let packets = packets(&fs::read(&path).unwrap());
        fs::remove_file(path).unwrap();
        // IPv4 with TCP from the module to the server: SYN, and the text.
        let syn = &packets[0];
        assert_eq!((syn[0], syn[9]), (0x45, 6));
        assert_eq!(syn[12..20], [10, 7, 157, 1, 127, 0, 0, 1]);
        assert_eq!(syn[22..24], port.to_be_bytes());
        assert_eq!(syn[33], 0x02);
        assert!(packets.iter().any(|packet| packet.ends_with(b"hello")));
    }
}

#[test]
fn a_capture_that_cannot_be() {
    let nowhere = link().join("x.pcap");
    let args = ["--tcp", "127.0.0.1:0", "--pcap", nowhere.to_str().unwrap()];
    let (code, text) = failure(&args);
    assert_eq!(code, 1);
    assert!(text.contains("no capture in"), "{text}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_no_place_for_a_capture() {
    let (code, text) = failure(&["--tcp", "127.0.0.1:0", "--pcap", "/dev/full"]);
    assert_eq!(code, 1);
    assert!(text.contains("no capture in /dev/full"), "{text}");
}
