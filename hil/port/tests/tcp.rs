//! A port on a serial server.

mod support;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Barrier,
    thread,
};

use embedded_io::{Read, ReadReady, Write, WriteReady};
use quectel_port::{PcPort, Settings};
use quectel_sockets::Port;
use support::every_byte;

/// A port and the server's side of its connection.
fn connected() -> (PcPort, TcpStream) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let spec = format!("tcp:{}", server.local_addr().unwrap());
    let port = PcPort::open(&spec, &Settings::default()).unwrap();
    assert_eq!(port.name(), spec);
    (port, server.accept().unwrap().0)
}

#[test]
fn every_byte_goes_both_ways_unchanged() {
    let (mut port, mut module) = connected();
    let mut came = [0; 256];
    module.write_all(&every_byte()).unwrap();
    port.read_exact(&mut came).unwrap();
    assert_eq!(came, every_byte());
    assert!(!port.read_ready().unwrap());

    Write::write_all(&mut port, &every_byte()).unwrap();
    port.flush().unwrap();
    module.read_exact(&mut came).unwrap();
    assert_eq!(came, every_byte());
}

#[test]
fn a_full_connection_is_not_ready_and_loses_nothing() {
    let (mut port, mut module) = connected();
    // More than the connection holds: a write that waited would wait for ever.
    let chunk = every_byte().repeat(100_000);
    let mut sent = 0;
    while port.write_ready().unwrap() {
        // From where the pattern is, so that a lost piece shows.
        sent += port.write(&chunk[sent % 256..]).unwrap();
    }
    drop(port);
    let mut came = Vec::new();
    module.read_to_end(&mut came).unwrap();
    assert_eq!(came.len(), sent);
    assert!(came.iter().enumerate().all(|(i, byte)| *byte == i as u8));
}

#[test]
fn waiting_ends_with_a_byte() {
    let (mut port, mut module) = connected();
    let about_to_wait = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            about_to_wait.wait();
            module.write_all(b"\r").unwrap();
        });
        about_to_wait.wait();
        port.idle_until(u64::MAX);
        assert!(port.read_ready().unwrap());
    });
}

#[test]
fn waiting_ends_with_the_time() {
    let (mut port, _module) = connected();
    let at = port.now() + 50;
    port.idle_until(at);
    assert!(port.now() >= at);
    assert!(!port.read_ready().unwrap());
}

#[test]
fn a_closed_connection_is_an_error_after_its_last_byte() {
    let (mut port, mut module) = connected();
    module.write_all(b"RDY").unwrap();
    drop(module);
    let mut bytes = [0; 64];
    assert_eq!(port.read(&mut bytes).unwrap(), 3);
    port.idle_until(u64::MAX);
    assert!(port.read_ready().unwrap());
    let lost = port.read(&mut bytes).unwrap_err().to_string();
    let text = format!("lost {}: the server closed the connection", port.name());
    assert!(lost.starts_with(&text), "{lost}");
    for _ in 0..3 {
        assert_eq!(port.read(&mut bytes).unwrap_err().to_string(), lost);
        assert_eq!(port.write(b"AT\r").unwrap_err().to_string(), lost);
        assert_eq!(port.flush().unwrap_err().to_string(), lost);
        assert_eq!(port.read_ready().unwrap_err().to_string(), lost);
    }
}

#[test]
fn a_reset_connection_is_an_error() {
    let (mut port, module) = connected();
    Write::write_all(&mut port, b"AT\r").unwrap();
    // Closed with a byte unread: the system resets the connection.
    module.peek(&mut [0]).unwrap();
    drop(module);
    let error = port.read(&mut [0; 64]).unwrap_err();
    assert_eq!(
        embedded_io::Error::kind(&error),
        embedded_io::ErrorKind::ConnectionReset
    );
    let text = format!("lost {}: the connection broke (", port.name());
    assert!(error.to_string().starts_with(&text), "{error}");
}
