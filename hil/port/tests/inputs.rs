//! What cannot be opened is told apart, and the next step is named.

use std::net::TcpListener;

use quectel_port::{PcPort, Reason, Settings};

fn refused(spec: &str) -> (String, Reason) {
    let error = PcPort::open(spec, &Settings::default()).unwrap_err();
    (error.to_string(), error.reason)
}

#[test]
fn no_such_device() {
    for spec in [
        "/dev/ttyNONE7",
        "ttyUSB2",
        "/dev/null/ttyUSB2",
        "",
        "localhost:5000",
    ] {
        let (text, reason) = refused(spec);
        assert!(
            text.starts_with(&format!("there is no serial port \"{spec}\": ")),
            "{text}"
        );
        assert!(text.contains("tcp:HOST:PORT"), "{text}");
        let Reason::NotFound(ports) = reason else {
            panic!("{text}");
        };
        assert_eq!(ports, quectel_port::ports());
        for port in ports {
            assert!(text.contains(port.path.to_str().unwrap()), "{text}");
        }
    }
}

#[test]
fn control_characters_are_not_printed() {
    assert!(refused("/dev/tty\x1b[2J").0.contains("/dev/tty\\u{1b}[2J"));
}

#[test]
fn not_a_serial_port() {
    for spec in [
        "/dev/null",
        "/dev",
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
    ] {
        let (text, reason) = refused(spec);
        assert!(matches!(reason, Reason::NotSerial), "{text}");
        assert_eq!(
            text,
            format!(
                "{spec} is not a serial port: give a device such as /dev/ttyUSB2, or \
                 tcp:HOST:PORT"
            )
        );
    }
}

#[test]
fn bad_tcp() {
    for (spec, what) in [
        ("tcp:", "has no port number"),
        ("tcp:localhost", "has no port number"),
        ("tcp::5000", "has no host"),
        (
            "tcp:localhost:",
            "has a port that is not a number from 1 to 65535",
        ),
        (
            "tcp:localhost:0",
            "has a port that is not a number from 1 to 65535",
        ),
        (
            "tcp:localhost:70000",
            "has a port that is not a number from 1 to 65535",
        ),
        ("tcp:::1:5000", "has an IPv6 address without brackets"),
    ] {
        let (text, reason) = refused(spec);
        assert!(matches!(reason, Reason::BadTcp(_)), "{text}");
        assert_eq!(
            text,
            format!("{spec} {what}: write tcp:HOST:PORT, such as tcp:localhost:5000")
        );
    }
}

#[test]
fn nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (text, reason) = refused(&format!("tcp:{free}"));
    assert!(matches!(reason, Reason::Unreachable(_)), "{text}");
    assert!(
        text.starts_with(&format!("no connection to tcp:{free} (")),
        "{text}"
    );
    assert!(text.contains("start the serial server"), "{text}");
}

#[test]
fn no_such_host() {
    let (text, reason) = refused("tcp:no-such-host.invalid:5000");
    assert!(matches!(reason, Reason::Unreachable(_)), "{text}");
    assert!(text.contains("check the host name"), "{text}");
}
