//! The `nb` face, against hand-written bytes: UDP and names. The stack moves
//! by nothing but the calls of embedded-nal's traits.
#![cfg(feature = "nb")]

mod support;

use std::net::{IpAddr, SocketAddr};

use embedded_nal::{
    AddrType, Dns, UdpClientStack, UdpFullStack,
    nb::Error::{Other, WouldBlock},
};
use quectel_sockets::{
    ConnectError, Failure, OpenError, RecvError, ResolveError, SendError,
    nb::{Error, UdpSocket},
};
use support::{
    dialogue::{NO_DATA, PROMPT, SEND_OK, qird},
    line::{Line, LinePort, LineStack},
};

type Socket<'s, 'a> = UdpSocket<'s, 'a, LinePort>;

const SERVICE: &str = "AT+QIOPEN=1,0,\"UDP SERVICE\",\"127.0.0.1\",0,3030,0\r";
const RECV: &str = "+QIURC: \"recv\",0";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn datagram(from: &str, port: u16, data: &str) -> String {
    let n = data.len();
    format!("\r\n+QIRD: {n},\"{from}\",{port}\r\n{data}\r\n\r\nOK\r\n")
}

/// A socket that is bound to port 3030, under connect id 0.
fn bound<'s, 'a>(line: &Line, net: &mut &'s LineStack<'a>) -> Socket<'s, 'a> {
    let mut socket = UdpClientStack::socket(net).unwrap();
    assert_eq!(net.bind(&mut socket, 3030), Ok(()));
    line.host(SERVICE).ok();
    let nothing = net.receive(&mut socket, &mut [0; 4]);
    assert_eq!(nothing, Err(WouldBlock));
    line.line("+QIOPEN: 0,0");
    socket
}

#[test]
fn datagrams_keep_their_boundaries_and_senders() {
    on_line!(line, net, 1);
    let mut socket = bound(&line, &mut net);
    let mut buffer = [0; 32];
    assert_eq!(net.receive(&mut socket, &mut buffer), Err(WouldBlock));
    assert_eq!(socket.local(), Ok(Some(address("10.7.157.1:3030"))));
    line.line(RECV);
    assert_eq!(net.receive(&mut socket, &mut buffer), Err(WouldBlock));
    let datagrams = [
        ("192.0.2.7", 7, "one"),
        ("192.0.2.8", 8, "\r\nOK\r\n"),
        ("192.0.2.7", 9, "3"),
    ];
    for (from, port, data) in datagrams {
        line.host("AT+QIRD=0\r").line("+CEREG: 5");
        line.module(datagram(from, port, data));
        net.poll().unwrap();
    }
    line.host("AT+QIRD=0\r").module(NO_DATA);
    for (from, port, data) in datagrams {
        let (n, sender) = net.receive(&mut socket, &mut buffer).unwrap();
        assert_eq!(&buffer[..n], data.as_bytes());
        assert_eq!(sender, SocketAddr::new(from.parse().unwrap(), port));
    }
    assert_eq!(net.receive(&mut socket, &mut buffer), Err(WouldBlock));
    line.host("");
}

#[test]
fn a_truncated_datagram_is_an_error() {
    on_line!(line, net, 1);
    let mut socket = bound(&line, &mut net);
    let mut buffer = [0; 4];
    line.line(RECV);
    net.poll().unwrap();
    line.host("AT+QIRD=0\r")
        .module(datagram("192.0.2.7", 7, "0123456789"));
    net.poll().unwrap();
    line.host("AT+QIRD=0\r")
        .module(datagram("192.0.2.7", 7, "next"));
    net.poll().unwrap();
    line.host("AT+QIRD=0\r").module(NO_DATA);
    let cut = Error::Truncated { len: 4, whole: 10 };
    assert_eq!(net.receive(&mut socket, &mut buffer), Err(Other(cut)));
    assert_eq!((cut.errno(), &buffer), (90, b"0123"));
    let next = net.receive(&mut socket, &mut buffer);
    assert_eq!(next, Ok((4, address("192.0.2.7:7"))));
    assert_eq!(&buffer, b"next");
}

#[test]
fn datagrams_go_to_the_address_of_each() {
    on_line!(line, net, 1);
    let mut socket = bound(&line, &mut net);
    let nowhere = net.send(&mut socket, b"a");
    assert_eq!(nowhere, Err(Other(SendError::NoDestination.into())));
    assert_eq!(errno(nowhere), 89);
    let first = net.send_to(&mut socket, address("192.0.2.7:7"), b"one");
    assert_eq!(first, Ok(()));
    line.host("AT+QISEND=0,3,\"192.0.2.7\",7\r").module(PROMPT);
    let second = net.send_to(&mut socket, address("192.0.2.8:8"), b"two");
    assert_eq!(second, Ok(()));
    line.host("one").module(SEND_OK);
    // To whom the last one went.
    assert_eq!(net.send(&mut socket, b"three"), Ok(()));
    line.host("AT+QISEND=0,3,\"192.0.2.8\",8\r").module(PROMPT);
    net.poll().unwrap();
    line.host("two").module(SEND_OK);
    net.poll().unwrap();
    line.host("AT+QISEND=0,5,\"192.0.2.8\",8\r").module(PROMPT);
    net.poll().unwrap();
    line.host("three").module(SEND_OK);
    for (data, error, number) in [
        (&[0; 1_461][..], SendError::TooLong, 90),
        (b"", SendError::NotSupported, 95),
    ] {
        let refused = net.send(&mut socket, data);
        assert_eq!(refused, Err(Other(error.into())));
        assert_eq!(errno(refused), number);
    }
    // Two of them do not fit the transmit buffer together.
    assert_eq!(net.send(&mut socket, &[b'a'; 1_000]), Ok(()));
    assert_eq!(net.send(&mut socket, &[b'b'; 1_000]), Err(WouldBlock));
    line.host("AT+QISEND=0,1000,\"192.0.2.8\",8\r");
}

/// A socket that was not bound is bound by the first `send_to`.
#[test]
fn a_datagram_without_bind() {
    on_line!(line, net, 1);
    let mut socket = UdpClientStack::socket(&mut net).unwrap();
    let error = net.receive(&mut socket, &mut [0; 4]);
    assert_eq!(error, Err(Other(RecvError::NotConnected.into())));
    assert_eq!(errno(error), 107);
    let to = address("192.0.2.7:7");
    assert_eq!(net.send_to(&mut socket, to, b"hello"), Err(WouldBlock));
    line.host("AT+QIOPEN=1,0,\"UDP SERVICE\",\"127.0.0.1\",0,49152,0\r")
        .ok();
    assert_eq!(net.send_to(&mut socket, to, b"hello"), Err(WouldBlock));
    line.line("+QIOPEN: 0,0");
    assert_eq!(net.send_to(&mut socket, to, b"hello"), Ok(()));
    line.host("AT+QISEND=0,5,\"192.0.2.7\",7\r").module(PROMPT);
    net.poll().unwrap();
    line.host("hello");
}

#[test]
fn a_connected_socket_has_one_peer() {
    on_line!(line, net, 1);
    let mut socket = UdpClientStack::socket(&mut net).unwrap();
    let peer = address("203.0.113.15:7");
    assert_eq!(net.connect(&mut socket, peer), Ok(()));
    line.host("AT+QIOPEN=1,0,\"UDP\",\"203.0.113.15\",7,0,0\r");
    assert_eq!(net.connect(&mut socket, peer), Ok(()));
    assert_eq!(net.send(&mut socket, b"hello"), Err(WouldBlock));
    let other = net.connect(&mut socket, address("203.0.113.16:7"));
    assert_eq!(other, Err(ConnectError::AlreadyConnecting.into()));
    line.ok().line("+QIOPEN: 0,0");
    assert_eq!(net.send(&mut socket, b"hello"), Ok(()));
    line.host("AT+QISEND=0,5\r").module(PROMPT);
    let other = net.send_to(&mut socket, address("203.0.113.16:7"), b"a");
    assert_eq!(other, Err(Other(SendError::AlreadyConnected.into())));
    line.host("hello").module(SEND_OK);
    let same = net.send_to(&mut socket, peer, b"again");
    assert_eq!(same, Ok(()));
    line.host("AT+QISEND=0,5\r").module(PROMPT);
    net.poll().unwrap();
    line.host("again").module(SEND_OK).line(RECV);
    net.poll().unwrap();
    line.host("AT+QIRD=0,1500\r").module(qird(b"yes"));
    let mut buffer = [0; 8];
    assert_eq!(net.receive(&mut socket, &mut buffer), Ok((3, peer)));
    assert_eq!(net.close(socket), Ok(()));
    line.host("AT+QIRD=0,1500\r").module(NO_DATA);
    net.poll().unwrap();
    line.host("AT+QISEND=0,0\r").line("+QISEND: 10,10,0").ok();
    net.poll().unwrap();
    line.host("AT+QICLOSE=0,10\r");
}

/// A bound socket that gets a peer hears nobody else.
#[test]
fn a_bound_socket_that_is_connected_drops_what_others_send() {
    on_line!(line, net, 1);
    let mut socket = bound(&line, &mut net);
    let peer = address("192.0.2.7:7");
    net.poll().unwrap();
    assert_eq!(net.connect(&mut socket, peer), Ok(()));
    line.host("").line(RECV);
    net.poll().unwrap();
    for (from, port, data) in [
        ("192.0.2.8", 7, "no"),
        ("192.0.2.7", 8, "no"),
        ("192.0.2.7", 7, "yes"),
    ] {
        line.host("AT+QIRD=0\r").module(datagram(from, port, data));
        net.poll().unwrap();
    }
    line.host("AT+QIRD=0\r").module(NO_DATA);
    let mut buffer = [0; 8];
    assert_eq!(net.receive(&mut socket, &mut buffer), Ok((3, peer)));
    assert_eq!(&buffer[..3], b"yes");
    assert_eq!(net.receive(&mut socket, &mut buffer), Err(WouldBlock));
    assert_eq!(net.send(&mut socket, b"hello"), Ok(()));
    line.host("AT+QISEND=0,5,\"192.0.2.7\",7\r");
}

/// `bind` and `connect` cannot wait; the next call tells what has become of
/// them.
#[test]
fn an_open_that_fails() {
    on_line!(line, net, 1);
    let mut socket = UdpClientStack::socket(&mut net).unwrap();
    net.bind(&mut socket, 3030).unwrap();
    line.host(SERVICE).ok().line("+QIOPEN: 0,556");
    let failed = net.receive(&mut socket, &mut [0; 4]);
    let in_use = ConnectError::AddressInUse;
    assert_eq!(failed, Err(Other(RecvError::Open(in_use).into())));
    assert_eq!(errno(failed), 98);
    line.host("AT+QICLOSE=0,0\r").ok();
    assert_eq!(net.bind(&mut socket, 3031), Ok(()));
    line.host(SERVICE.replace("=1,0,", "=1,1,").replace("3030", "3031"));
    line.ok().line("+QIOPEN: 1,556");
    let failed = net.send_to(&mut socket, address("192.0.2.7:7"), b"a");
    assert_eq!(failed, Err(Other(SendError::Open(in_use).into())));
}

#[test]
fn a_socket_dropped_in_every_phase() {
    for phase in 0..5 {
        on_line!(line, net, 1);
        let mut socket = UdpClientStack::socket(&mut net).unwrap();
        let mut next = "";
        if phase >= 1 {
            net.bind(&mut socket, 3030).unwrap();
            line.host(SERVICE);
            next = "AT+QICLOSE=0,0\r";
        }
        if phase >= 2 {
            line.ok();
            net.poll().unwrap();
        }
        if phase >= 3 {
            line.line("+QIOPEN: 0,0");
            net.poll().unwrap();
            next = "AT+QICLOSE=0,10\r";
        }
        if phase == 4 {
            net.send_to(&mut socket, address("192.0.2.7:7"), b"bye")
                .unwrap();
            line.host("AT+QISEND=0,3,\"192.0.2.7\",7\r");
        }
        drop(socket);
        net.poll().unwrap();
        match phase {
            1 => drop(line.ok()),
            4 => {
                line.module(PROMPT);
                net.poll().unwrap();
                line.host("bye").module(SEND_OK);
                net.poll().unwrap();
                line.host("AT+QISEND=0,0\r").line("+QISEND: 3,3,0").ok();
            }
            _ => {}
        }
        net.poll().unwrap();
        line.host(next).ok();
        net.poll().unwrap();
        line.host("");
        let again = UdpClientStack::socket(&mut net);
        assert!(again.is_ok(), "phase {phase}: the slot is gone");
        let none = UdpClientStack::socket(&mut net).map(drop);
        assert_eq!(none, Err(OpenError::NoSlot.into()));
    }
}

const ASK: &str = "AT+QIDNSGIP=1,\"a.test\"\r";

fn ask(net: &mut &LineStack<'_>, name: &str) -> nb::Result<IpAddr, Error> {
    net.get_host_by_name(name, AddrType::Either)
}

fn ip(text: &str) -> nb::Result<IpAddr, Error> {
    Ok(text.parse().unwrap())
}

fn dnsgip(fields: &str) -> String {
    format!("+QIURC: \"dnsgip\",{fields}")
}

#[test]
fn a_name_is_pending_then_resolved() {
    on_line!(line, net, 1);
    for _ in 0..3 {
        assert_eq!(ask(&mut net, "a.test"), Err(WouldBlock));
    }
    line.host(ASK).ok();
    assert_eq!(ask(&mut net, "a.test"), Err(WouldBlock));
    line.line(&dnsgip("0,2,300"))
        .line(&dnsgip("\"192.0.2.20\""));
    assert_eq!(ask(&mut net, "a.test"), Err(WouldBlock));
    line.line(&dnsgip("\"192.0.2.21\""));
    assert_eq!(ask(&mut net, "a.test"), ip("192.0.2.20"));
    line.host("");
    // Collected: the next call asks again.
    assert_eq!(ask(&mut net, "a.test"), Err(WouldBlock));
    line.host(ASK);
}

#[test]
fn an_address_needs_no_look_up() {
    on_line!(line, net, 1);
    assert_eq!(ask(&mut net, "192.0.2.20"), ip("192.0.2.20"));
    assert_eq!(ask(&mut net, "2001:db8::1"), ip("2001:db8::1"));
    line.host("");
}

#[test]
fn the_type_of_address_is_chosen() {
    for (wanted, answer) in [
        (AddrType::IPv4, ip("192.0.2.20")),
        (AddrType::IPv6, ip("2001:db8::1")),
        (AddrType::Either, ip("2001:db8::1")),
    ] {
        on_line!(line, net, 1);
        let first = net.get_host_by_name("a.test", wanted.clone());
        assert_eq!(first, Err(WouldBlock));
        line.host(ASK).ok().line(&dnsgip("0,2,300"));
        line.line(&dnsgip("\"2001:db8::1\""))
            .line(&dnsgip("\"192.0.2.20\""));
        assert_eq!(net.get_host_by_name("a.test", wanted), answer);
    }
    on_line!(line, net, 1);
    let _ = net.get_host_by_name("a.test", AddrType::IPv6);
    line.host(ASK)
        .ok()
        .line(&dnsgip("0,1,300"))
        .line(&dnsgip("\"192.0.2.20\""));
    let none = net.get_host_by_name("a.test", AddrType::IPv6);
    assert_eq!(none, Err(Other(ResolveError::NotFound.into())));
}

#[test]
fn a_name_that_does_not_resolve_is_told_once() {
    on_line!(line, net, 1);
    assert_eq!(ask(&mut net, "a.test"), Err(WouldBlock));
    line.host(ASK).ok().line(&dnsgip("565"));
    let failed = ask(&mut net, "a.test");
    assert_eq!(failed, Err(Other(ResolveError::NotFound.into())));
    assert_eq!(errno(failed), -2);
    assert_eq!(ask(&mut net, "a.test"), Err(WouldBlock));
    line.host(ASK);
}

#[test]
fn what_is_no_name_is_not_sent() {
    on_line!(line, net, 1);
    for name in ["a\"b", "a\rb", "", &"a".repeat(300)] {
        let refused = ask(&mut net, name);
        let invalid = Err(Other(Error::Resolve(ResolveError::InvalidName(
            quectel_sockets::HostName::new(name).unwrap_err(),
        ))));
        assert_eq!(refused, invalid);
        assert_eq!(errno(refused), 22);
    }
    line.host("");
}

/// A second name waits for the first; an answer that nobody has collected
/// gives way to it.
#[test]
fn another_name_replaces_an_answer() {
    on_line!(line, net, 1);
    assert_eq!(ask(&mut net, "a.test"), Err(WouldBlock));
    line.host(ASK);
    assert_eq!(ask(&mut net, "b.test"), Err(WouldBlock));
    line.host("").ok().line(&dnsgip("0,1,300"));
    assert_eq!(ask(&mut net, "b.test"), Err(WouldBlock));
    line.line(&dnsgip("\"192.0.2.20\""));
    assert_eq!(ask(&mut net, "b.test"), Err(WouldBlock));
    line.host("AT+QIDNSGIP=1,\"b.test\"\r").ok();
    // The first name's answer is gone; its turn comes again.
    assert_eq!(ask(&mut net, "a.test"), Err(WouldBlock));
    line.host("")
        .line(&dnsgip("0,1,300"))
        .line(&dnsgip("\"192.0.2.21\""));
    assert_eq!(ask(&mut net, "b.test"), ip("192.0.2.21"));
    assert_eq!(ask(&mut net, "a.test"), Err(WouldBlock));
    line.host(ASK);
}

#[test]
fn an_answer_is_dropped_after_a_minute() {
    for (waited, kept) in [(59_999, true), (60_000, false)] {
        on_line!(line, net, 1);
        assert_eq!(ask(&mut net, "a.test"), Err(WouldBlock));
        line.host(ASK)
            .ok()
            .line(&dnsgip("0,1,300"))
            .line(&dnsgip("\"192.0.2.20\""));
        net.poll().unwrap();
        line.after(waited);
        net.poll().unwrap();
        let answer = ask(&mut net, "a.test");
        assert_eq!(
            answer,
            if kept {
                ip("192.0.2.20")
            } else {
                Err(WouldBlock)
            }
        );
        line.host(if kept { "" } else { ASK });
    }
}

/// A time that ends is not slept over: the caller has to look again.
#[test]
fn a_look_up_that_ends_by_time_alone() {
    on_line!(line, net, 1);
    assert_eq!(ask(&mut net, "echo.example"), Err(WouldBlock));
    line.host("AT+QIDNSGIP=1,\"echo.example\"\r").ok();
    net.poll().unwrap();
    let at = net.wake_at().unwrap().unwrap();
    assert_eq!(at, 1_000 + 65_000);
    line.after(at - 1_000);
    assert_eq!(net.wake_at(), Ok(Some(at)));
    let late = ask(&mut net, "echo.example");
    assert_eq!(late, Err(Other(Error::Resolve(ResolveError::TimedOut))));
}

#[test]
fn names_without_a_module() {
    on_line!(line, net, 1);
    assert_eq!(ask(&mut net, "a.test"), Err(WouldBlock));
    line.breaks();
    let failed = ask(&mut net, "a.test");
    let lost = ResolveError::Failed(Failure::ModuleLost);
    assert_eq!(failed, Err(Other(lost.into())));
    assert_eq!(errno(failed), 19);
}

#[test]
fn addresses_have_no_names_here() {
    on_line!(line, net, 1);
    let error = net.get_host_by_address("192.0.2.20".parse().unwrap(), &mut [0; 255]);
    assert_eq!(error, Err(Other(Error::NotSupported)));
    assert_eq!(errno(error), 95);
    line.host("");
}

fn errno<T: std::fmt::Debug>(result: nb::Result<T, Error>) -> i32 {
    match result {
        Err(Other(error)) => error.errno(),
        other => panic!("{other:?}"),
    }
}
