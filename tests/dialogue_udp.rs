//! UDP, against hand-written bytes. The service's lines are those of T15.

mod support;

use std::net::SocketAddr;

use nb::Error::{Other, WouldBlock};
use quectel_sockets::{
    ConnectError, DATAGRAM_HEADER, Event, Failure, Handle, Received, RecvError, SendError,
};
use support::dialogue::{Dialogue, NO_DATA, PROMPT, SEND_OK, pattern, qird};

const SERVICE: &str = "AT+QIOPEN=1,0,\"UDP SERVICE\",\"127.0.0.1\",0,3030,0\r";
const ECHO: &str = "203.0.113.15:7";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn any(port: u16) -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], port))
}

/// A socket that is bound to port 3030, under connect id 0.
fn bound(d: &mut Dialogue<'_>) -> Handle {
    let socket = d.engine.udp_socket().unwrap();
    d.engine.bind(socket, any(3030)).unwrap();
    d.host(SERVICE).ok().line("+QIOPEN: 0,0");
    assert_eq!(d.engine.connected(socket), Ok(()));
    socket
}

/// A socket that is connected to [`ECHO`], under connect id 0.
fn connected(d: &mut Dialogue<'_>) -> Handle {
    let socket = d.engine.udp_socket().unwrap();
    d.engine.connect(socket, address(ECHO)).unwrap();
    d.host("AT+QIOPEN=1,0,\"UDP\",\"203.0.113.15\",7,0,0\r");
    assert_eq!(d.state(socket), 0);
    d.ok().line("+QIOPEN: 0,0");
    assert_eq!(d.engine.connected(socket), Ok(()));
    socket
}

fn datagram(from: &str, port: u16, data: &[u8]) -> Vec<u8> {
    let header = format!("\r\n+QIRD: {},\"{from}\",{port}\r\n", data.len());
    [header.as_bytes(), data, b"\r\n\r\nOK\r\n"].concat()
}

/// The next datagram, read into a buffer of this size.
fn next(d: &mut Dialogue<'_>, socket: Handle, size: usize) -> (Vec<u8>, Received) {
    let mut buffer = vec![0; size];
    let received = d.engine.recv_from(socket, &mut buffer).unwrap();
    (buffer[..received.len].to_vec(), received)
}

#[test]
fn a_service_sends_and_receives() {
    up!(d, 1);
    let socket = bound(&mut d);
    assert_eq!(d.state(socket), 4);
    let sent = d
        .engine
        .send_to(socket, b"echo teste 001", Some(address(ECHO)));
    assert_eq!(sent, Ok(14));
    d.host("AT+QISEND=0,14,\"203.0.113.15\",7\r").module(PROMPT);
    d.host("echo teste 001").module(SEND_OK);
    d.flush(socket, 0, 14);
    d.line("+QIURC: \"recv\",0");
    d.host("AT+QIRD=0\r");
    d.module(datagram("203.0.113.15", 7, b"echo teste 001"));
    d.host("AT+QIRD=0\r").module(NO_DATA);
    let (data, received) = next(&mut d, socket, 100);
    assert_eq!(data, b"echo teste 001");
    assert_eq!(received.from, address(ECHO));
    assert!(!received.is_truncated());
    let mut buffer = [0; 4];
    assert_eq!(d.engine.recv_from(socket, &mut buffer), Err(WouldBlock));
    d.engine.release(d.now, socket);
    d.host("AT+QICLOSE=0,10\r").ok().quiet(100_000);
    assert_eq!(d.events(), [Event::Up]);
}

/// A module that cuts nothing keeps the boundaries, whatever it sends.
#[test]
fn boundaries_are_kept() {
    up!(d, 1);
    let socket = bound(&mut d);
    d.line("+QIURC: \"recv\",0");
    let hostile: &[u8] = b"\r\nOK\r\n\r\n+QIURC: \"closed\",0\r\n> \0\x1a";
    let datagrams = [b"a", hostile, b"\r\n\r\nOK\r\n"];
    for (at, data) in datagrams.iter().enumerate() {
        let answer = datagram("192.0.2.7", 1_000 + at as u16, data);
        d.host("AT+QIRD=0\r").module(answer);
    }
    d.host("AT+QIRD=0\r").module(NO_DATA);
    for (at, data) in datagrams.iter().enumerate() {
        let (received, meta) = next(&mut d, socket, 100);
        assert_eq!(received, *data);
        assert_eq!(meta.from.port(), 1_000 + at as u16);
    }
}

/// The buffer of the call, then the receive ring is too small.
#[test]
fn a_truncated_datagram_says_so() {
    up!(d, 1);
    let socket = bound(&mut d);
    d.line("+QIURC: \"recv\",0").host("AT+QIRD=0\r");
    d.module(datagram("192.0.2.7", 7, b"0123456789"));
    d.host("AT+QIRD=0\r").module(NO_DATA);
    assert_eq!(d.engine.readable(socket), 10);
    let mut buffer = [0; 4];
    let peeked = d.engine.peek_from(socket, &mut buffer).unwrap();
    assert_eq!((peeked.len, peeked.whole, &buffer), (4, 10, b"0123"));
    let (data, received) = next(&mut d, socket, 5);
    assert_eq!((&data[..], received.whole), (&b"01234"[..], 10));
    assert!(received.is_truncated());
    assert_eq!(d.engine.readable(socket), 0);
}

#[test]
fn a_datagram_longer_than_the_ring_is_cut() {
    let (mut rx, mut tx) = ([0; 100], [0; 100]);
    let mut slots = [quectel_sockets::Slot::new(&mut rx, &mut tx)];
    let mut d = Dialogue::up(&mut slots, support::dialogue::config());
    let socket = bound(&mut d);
    let room = 100 - DATAGRAM_HEADER;
    d.line("+QIURC: \"recv\",0").host("AT+QIRD=0\r");
    // The ring is full: nothing more is fetched.
    d.module(datagram("192.0.2.7", 7, &pattern(200)))
        .quiet(1_000);
    let (data, received) = next(&mut d, socket, 300);
    assert_eq!(data, &pattern(200)[..room]);
    assert_eq!((received.len, received.whole), (room, 200));
    d.host("AT+QIRD=0\r").module(NO_DATA);
    let long = d
        .engine
        .send_to(socket, &pattern(room + 1), Some(address(ECHO)));
    assert_eq!(long, Err(Other(SendError::TooLong)));
    assert_eq!(
        d.engine
            .send_to(socket, &pattern(room), Some(address(ECHO))),
        Ok(room)
    );
}

#[test]
fn datagrams_are_sent_one_by_one() {
    up!(d, 1);
    let socket = bound(&mut d);
    let to = ["192.0.2.7:1", "192.0.2.8:65535"].map(address);
    d.engine.send_to(socket, b"first\n", Some(to[0])).unwrap();
    d.engine.send_to(socket, b"second", Some(to[1])).unwrap();
    d.host("AT+QISEND=0,6,\"192.0.2.7\",1\r").module(PROMPT);
    d.host("first\n");
    // Again, since the module had no room.
    d.module("\r\nSEND FAIL\r\n").quiet(99).after(1);
    d.host("AT+QISEND=0,6,\"192.0.2.7\",1\r").module(PROMPT);
    d.host("first\n").module(SEND_OK);
    d.host("AT+QISEND=0,6,\"192.0.2.8\",65535\r").module(PROMPT);
    d.host("second").module(SEND_OK);
    d.flush(socket, 0, 12);
}

#[test]
fn one_peer() {
    up!(d, 1);
    let socket = connected(&mut d);
    assert_eq!(d.engine.send(socket, b"ping"), Ok(4));
    d.host("AT+QISEND=0,4\r")
        .module(PROMPT)
        .host("ping")
        .module(SEND_OK);
    d.flush(socket, 0, 4);
    d.line("+QIURC: \"recv\",0");
    d.host("AT+QIRD=0,1500\r").module(qird(b"pong"));
    d.host("AT+QIRD=0,1500\r").module(NO_DATA);
    let (data, received) = next(&mut d, socket, 100);
    assert_eq!((&data[..], received.from), (&b"pong"[..], address(ECHO)));
    let other = d.engine.send_to(socket, b"a", Some(address("192.0.2.9:9")));
    assert_eq!(other, Err(Other(SendError::AlreadyConnected)));
    let other = d.engine.connect(socket, address("192.0.2.9:9"));
    assert_eq!(other, Err(ConnectError::AlreadyConnected));
}

/// The module has no filter: what others send is dropped here.
#[test]
fn a_bound_socket_with_a_peer() {
    up!(d, 1);
    let socket = bound(&mut d);
    d.engine.connect(socket, address(ECHO)).unwrap();
    assert_eq!(d.engine.connected(socket), Ok(()));
    d.silent().line("+QIURC: \"recv\",0").host("AT+QIRD=0\r");
    d.module(datagram("198.51.100.7", 7, b"stranger"));
    d.host("AT+QIRD=0\r")
        .module(datagram("203.0.113.15", 7, b"peer"));
    d.host("AT+QIRD=0\r").module(NO_DATA);
    assert_eq!(next(&mut d, socket, 100).0, b"peer");
    assert_eq!(d.engine.recv_from(socket, &mut [0; 9]), Err(WouldBlock));
    d.engine.send(socket, b"hello").unwrap();
    d.host("AT+QISEND=0,5,\"203.0.113.15\",7\r").module(PROMPT);
}

#[test]
fn a_socket_that_was_not_bound_gets_a_port() {
    up!(d, 1);
    let socket = d.engine.udp_socket().unwrap();
    let to = Some(address(ECHO));
    assert_eq!(d.engine.send_to(socket, b"a", to), Err(WouldBlock));
    let open = d.transmitted();
    let port: u16 = {
        let open = String::from_utf8(open).unwrap();
        let port = open.strip_prefix("AT+QIOPEN=1,0,\"UDP SERVICE\",\"127.0.0.1\",0,");
        port.unwrap().strip_suffix(",0\r").unwrap().parse().unwrap()
    };
    assert!(port >= 49_152);
    // In use: the next one.
    d.ok().line("+QIOPEN: 0,556");
    let next = format!(
        "AT+QIOPEN=1,1,\"UDP SERVICE\",\"127.0.0.1\",0,{},0\r",
        port + 1
    );
    d.host("AT+QICLOSE=0,0\r").ok().host(next).ok();
    assert_eq!(d.engine.send_to(socket, b"a", to), Err(WouldBlock));
    d.line("+QIOPEN: 1,0");
    assert_eq!(d.engine.send_to(socket, b"a", to), Ok(1));
    d.host("AT+QISEND=1,1,\"203.0.113.15\",7\r").module(PROMPT);
}

#[test]
fn a_port_that_is_in_use() {
    for error in [556, 574] {
        up!(d, 1);
        let socket = d.engine.udp_socket().unwrap();
        d.engine.bind(socket, any(3030)).unwrap();
        assert_eq!(
            d.engine.bind(socket, any(1)),
            Err(ConnectError::AlreadyBound)
        );
        d.host(SERVICE).ok().line(format!("+QIOPEN: 0,{error}"));
        assert_eq!(
            d.engine.connected(socket),
            Err(Other(ConnectError::AddressInUse))
        );
        d.host("AT+QICLOSE=0,0\r").ok();
        // Another port can be asked for.
        d.engine.bind(socket, any(3031)).unwrap();
        d.host("AT+QIOPEN=1,1,\"UDP SERVICE\",\"127.0.0.1\",0,3031,0\r");
    }
}

#[test]
fn what_cannot_be_sent() {
    up!(d, 2);
    let socket = bound(&mut d);
    let to = Some(address(ECHO));
    let mut refused = |data: &[u8], to, error| {
        assert_eq!(d.engine.send_to(socket, data, to), Err(Other(error)));
    };
    refused(b"", to, SendError::NotSupported);
    refused(&[0; 1_461], to, SendError::TooLong);
    refused(b"a", None, SendError::NoDestination);
    refused(
        b"a",
        Some(address("192.0.2.7:0")),
        SendError::InvalidAddress,
    );
    refused(b"a", Some(address("0.0.0.0:7")), SendError::InvalidAddress);
    refused(
        b"a",
        Some(address("[2001:db8::7]:7")),
        SendError::AddressFamily,
    );
    let fresh = d.engine.udp_socket().unwrap();
    let nothing = d.engine.recv_from(fresh, &mut [0; 9]);
    assert_eq!(nothing, Err(Other(RecvError::NotConnected)));
    assert_eq!(d.engine.listen(fresh, 1), Err(ConnectError::NotSupported));
    let elsewhere = d.engine.bind(fresh, address("192.0.2.1:1"));
    assert_eq!(elsewhere, Err(ConnectError::AddressNotAvailable));
    // The module's own address is one to bind to.
    assert_eq!(d.engine.bind(fresh, address("10.7.157.1:1")), Ok(()));
    d.host("AT+QIOPEN=1,1,\"UDP SERVICE\",\"127.0.0.1\",0,1,0\r");
}

/// Whose datagram it is cannot be told from a damaged header.
#[test]
fn a_damaged_header_of_a_datagram() {
    up!(d, 1);
    let socket = bound(&mut d);
    d.line("+QIURC: \"recv\",0").host("AT+QIRD=0\r");
    d.module("\r\n+QIRD: 2,\"192.0.2.7\"5683\r\nhi\r\n\r\nOK\r\n");
    let damaged = RecvError::Failed(Failure::LineDamaged);
    assert_eq!(d.engine.recv_from(socket, &mut [0; 9]), Err(Other(damaged)));
    assert_eq!(d.state(socket), 0);
}

#[test]
fn a_service_when_the_module_restarts() {
    up!(d, 1);
    let socket = bound(&mut d);
    d.line("RDY");
    let restarted = RecvError::Failed(Failure::Restarted);
    for _ in 0..2 {
        assert_eq!(
            d.engine.recv_from(socket, &mut [0; 9]),
            Err(Other(restarted))
        );
    }
    let restarted = SendError::Failed(Failure::Restarted);
    let sent = d.engine.send_to(socket, b"a", Some(address(ECHO)));
    assert_eq!(sent, Err(Other(restarted)));
}

/// A send whose answer was lost is settled by the module's count: never sent
/// twice.
#[test]
fn a_datagram_in_doubt() {
    for (taken, again) in [(4, false), (0, true)] {
        up!(d, 1);
        let socket = bound(&mut d);
        d.engine
            .send_to(socket, b"once", Some(address(ECHO)))
            .unwrap();
        d.host("AT+QISEND=0,4,\"203.0.113.15\",7\r").module(PROMPT);
        d.host("once").error();
        d.host("AT+QISEND=0,0\r");
        d.module(format!("\r\n+QISEND: {taken},{taken},0\r\n\r\nOK\r\n"));
        if again {
            d.wakes(100..=100, "AT+QISTATE=1,0\r");
            d.line("+QISTATE: 0,\"UDP SERVICE\",\"192.0.2.30\",0,3030,2,1,0,0,\"uart1\"")
                .ok();
            d.host("AT+QISEND=0,4,\"203.0.113.15\",7\r");
        } else {
            d.quiet(100);
        }
    }
}

/// A sender need not have a port (RFC 768): its datagram holds up nobody's.
#[test]
fn a_datagram_without_a_source_port() {
    up!(d, 1);
    let socket = bound(&mut d);
    d.line("+QIURC: \"recv\",0").host("AT+QIRD=0\r");
    d.module(datagram("203.0.113.15", 0, b"anonymous"));
    d.host("AT+QIRD=0\r")
        .module(datagram("203.0.113.15", 7, b"next"));
    d.host("AT+QIRD=0\r").module(NO_DATA);
    let (data, received) = next(&mut d, socket, 16);
    assert_eq!(data, b"anonymous");
    assert_eq!(received.from, address("203.0.113.15:0"));
    assert_eq!(next(&mut d, socket, 16).0, b"next");
}

/// Nor can one that comes from nowhere, which nobody can be told of.
#[test]
fn a_datagram_from_nowhere() {
    up!(d, 1);
    let socket = bound(&mut d);
    d.line("+QIURC: \"recv\",0").host("AT+QIRD=0\r");
    d.module(datagram("0.0.0.0", 7, b"ghost"));
    d.host("AT+QIRD=0\r")
        .module(datagram("203.0.113.15", 7, b"next"));
    d.host("AT+QIRD=0\r").module(NO_DATA);
    assert_eq!(next(&mut d, socket, 16).0, b"next");
}

/// A datagram of no bytes is not the end of what the module holds.
#[test]
fn an_empty_datagram() {
    up!(d, 1);
    let socket = bound(&mut d);
    d.line("+QIURC: \"recv\",0").host("AT+QIRD=0\r");
    d.line("+QIRD: 0,\"203.0.113.15\",7").ok();
    d.host("AT+QIRD=0\r")
        .module(datagram("203.0.113.15", 7, b"next"));
    d.host("AT+QIRD=0\r").module(NO_DATA).silent();
    assert_eq!(next(&mut d, socket, 16).0, b"next");
}

/// A socket whose `bind` has failed is as before it.
#[test]
fn a_peer_after_a_port_that_is_in_use() {
    up!(d, 1);
    let socket = d.engine.udp_socket().unwrap();
    d.engine.bind(socket, any(3030)).unwrap();
    d.host(SERVICE).ok().line("+QIOPEN: 0,556");
    d.host("AT+QICLOSE=0,0\r").ok();
    // The one who connects is told first.
    let in_use = ConnectError::AddressInUse;
    assert_eq!(d.engine.connect(socket, address(ECHO)), Err(in_use));
    assert_eq!(d.engine.connect(socket, address(ECHO)), Ok(()));
    d.host("AT+QIOPEN=1,1,\"UDP\",\"203.0.113.15\",7,0,0\r")
        .ok()
        .line("+QIOPEN: 1,0");
    assert_eq!(d.engine.connected(socket), Ok(()));
}
