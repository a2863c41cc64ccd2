//! TCP servers, against hand-written bytes: T13 and T16.

mod support;

use std::net::SocketAddr;

use nb::Error::{Other, WouldBlock};
use quectel_sockets::{
    AcceptError, Config, ConnectError, Event, Failure, Handle, OpenError, RecvError, SendError,
};
use support::dialogue::{Dialogue, NO_DATA, PROMPT, SEND_OK, config, qird};

const LISTEN: &str = "AT+QIOPEN=1,0,\"TCP LISTENER\",\"127.0.0.1\",0,8080,0\r";
const CLIENT: &str = "198.51.100.7:62060";
const NO_CLIENT: nb::Result<(Handle, SocketAddr), AcceptError> = Err(WouldBlock);

fn any(port: u16) -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], port))
}

/// With looks for lost URCs.
fn looking() -> Config<'static> {
    Config {
        look_ms: 2_000,
        ..config()
    }
}

/// A listener on port 8080, under connect id 0.
fn listener(d: &mut Dialogue<'_>, backlog: u8) -> Handle {
    let socket = d.engine.tcp_socket().unwrap();
    d.engine.bind(socket, any(8080)).unwrap();
    d.engine.listen(socket, backlog).unwrap();
    assert_eq!(d.engine.accept(d.now, socket), NO_CLIENT);
    d.host(LISTEN);
    assert_eq!(d.state(socket), 0);
    d.ok();
    assert_eq!(d.engine.connected(socket), Err(WouldBlock));
    d.line("+QIOPEN: 0,0");
    assert_eq!(d.engine.connected(socket), Ok(()));
    assert_eq!(d.state(socket), 1);
    socket
}

fn incoming(d: &mut Dialogue<'_>, id: u8) {
    d.line(format!(
        "+QIURC: \"incoming\",{id},0,\"198.51.100.7\",{}",
        62_049 + u16::from(id)
    ));
}

fn accept(d: &mut Dialogue<'_>, listener: Handle) -> (Handle, SocketAddr) {
    d.engine.accept(d.now, listener).unwrap()
}

/// T13
#[test]
fn a_client_is_accepted() {
    up!(d, 2);
    let listener = listener(&mut d, 1);
    assert_eq!(
        d.engine.local(listener),
        Some("10.7.157.1:8080".parse().unwrap())
    );
    incoming(&mut d, 11);
    d.line("+QIURC: \"recv\",11").silent();
    let (client, address) = accept(&mut d, listener);
    assert_eq!(address, CLIENT.parse().unwrap());
    assert_eq!(d.engine.accept(d.now, listener), NO_CLIENT);
    assert_eq!((d.state(client), d.state(listener)), (4, 1));
    d.host("AT+QIRD=11,1500\r")
        .module(qird(b"HELLO-FROM-WAN\r\n"));
    d.host("AT+QIRD=11,1500\r").module(NO_DATA);
    assert_eq!(d.received(client), b"HELLO-FROM-WAN\r\n");
    d.engine.send(client, b"hi").unwrap();
    d.host("AT+QISEND=11,2\r")
        .module(PROMPT)
        .host("hi")
        .module(SEND_OK);
    d.flush(client, 11, 2);
    d.line("+QIURC: \"closed\",11");
    d.host("AT+QIRD=11,1500\r")
        .module(NO_DATA)
        .host("AT+QISTATE=1,11\r");
    d.line("+QISTATE: 11,\"TCP INCOMING\",\"198.51.100.7\",62060,8080,4,1,0,0,\"uart1\"");
    d.ok();
    assert_eq!(d.engine.recv(client, &mut [0; 4]), Ok(0));
    assert_eq!((d.state(client), d.state(listener)), (7, 1));
    d.engine.release(d.now, client);
    d.host("AT+QICLOSE=11,2\r");
    d.ok().quiet(1_000);
    d.engine.release(d.now, listener);
    d.host("AT+QICLOSE=0,0\r").ok().quiet(1_000);
    assert_eq!(d.events(), [Event::Up]);
}

#[test]
fn the_oldest_connection_comes_first() {
    up!(d, 3);
    let listener = listener(&mut d, 2);
    incoming(&mut d, 11);
    incoming(&mut d, 9);
    assert_eq!(d.engine.waiting(listener), 2);
    let ports = [0, 1].map(|_| accept(&mut d, listener).1.port());
    assert_eq!(ports, [62_060, 62_058]);
}

#[test]
fn connections_beyond_the_backlog_are_closed() {
    for (backlog, most) in [(0, 1), (1, 1), (3, 3)] {
        up!(d, 1);
        let listener = listener(&mut d, backlog);
        for id in (1..=11).rev().take(most) {
            incoming(&mut d, id);
            d.silent();
        }
        incoming(&mut d, 1);
        d.host("AT+QICLOSE=1,0\r").ok().silent();
        assert_eq!(d.engine.waiting(listener), most);
    }
}

/// It waits on until a slot is free, with its data.
#[test]
fn a_client_without_a_slot() {
    up!(d, 2);
    let listener = listener(&mut d, 1);
    let other = d.engine.tcp_socket().unwrap();
    incoming(&mut d, 11);
    let none = Err(Other(AcceptError::NoSlot));
    assert_eq!(d.engine.accept(d.now, listener), none);
    d.line("+QIURC: \"recv\",11")
        .line("+QIURC: \"closed\",11")
        .silent();
    assert_eq!(d.engine.accept(d.now, listener), none);
    d.engine.release(d.now, other);
    let (client, _) = accept(&mut d, listener);
    // The peer has closed in the meantime; what it sent comes first.
    assert_eq!(d.state(client), 7);
    d.host("AT+QIRD=11,1500\r").module(qird(b"late"));
    d.host("AT+QIRD=11,1500\r")
        .module(NO_DATA)
        .host("AT+QISTATE=1,11\r");
    d.line("+QISTATE: 11,\"TCP INCOMING\",\"198.51.100.7\",62060,8080,4,1,0,0,\"uart1\"");
    d.ok();
    assert_eq!(d.received(client), b"late");
    assert_eq!(d.engine.recv(client, &mut [0; 4]), Ok(0));
    let closed = d.engine.send(client, b"a");
    assert_eq!(closed, Err(Other(SendError::Closed)));
}

/// Closing a listener closes who was not accepted, and nobody else.
#[test]
fn a_listener_is_closed() {
    up!(d, 3);
    let listener = listener(&mut d, 2);
    incoming(&mut d, 11);
    let (client, _) = accept(&mut d, listener);
    d.host("AT+QIRD=11,1500\r").module(NO_DATA);
    incoming(&mut d, 10);
    d.engine.shutdown(d.now, listener).unwrap();
    let ended = Err(Other(AcceptError::NotListening));
    assert_eq!(d.engine.accept(d.now, listener), ended);
    d.host("AT+QICLOSE=0,0\r").ok();
    assert_eq!(d.state(listener), 0);
    d.host("AT+QICLOSE=10,0\r").ok().silent();
    assert_eq!(d.state(client), 4);
    // A URC that has crossed with the close.
    incoming(&mut d, 9);
    d.host("AT+QICLOSE=9,0\r").ok().silent();
}

#[test]
fn a_port_that_is_in_use() {
    up!(d, 1);
    let socket = d.engine.tcp_socket().unwrap();
    d.engine.bind(socket, any(8080)).unwrap();
    assert_eq!(
        d.engine.bind(socket, any(1)),
        Err(ConnectError::AlreadyBound)
    );
    d.engine.listen(socket, 1).unwrap();
    d.host(LISTEN).ok().line("+QIOPEN: 0,556");
    assert_eq!(
        d.engine.connected(socket),
        Err(Other(ConnectError::AddressInUse))
    );
    let failed = Err(Other(AcceptError::NotListening));
    assert_eq!(d.engine.accept(d.now, socket), failed);
    d.host("AT+QICLOSE=0,0\r").ok();
    // `accept` tells it too, if nobody has asked before.
    d.engine.listen(socket, 1).unwrap();
    d.host(LISTEN.replace("=1,0,", "=1,1,"))
        .ok()
        .line("+QIOPEN: 1,556");
    let in_use = AcceptError::Open(ConnectError::AddressInUse);
    assert_eq!(in_use.errno(), 98);
    assert_eq!(d.engine.accept(d.now, socket), Err(Other(in_use)));
    assert_eq!(d.engine.accept(d.now, socket), failed);
    d.host("AT+QICLOSE=1,0\r").ok();
    // Once more, when it is free.
    d.engine.listen(socket, 1).unwrap();
    d.host(LISTEN.replace("=1,0,", "=1,2,"))
        .ok()
        .line("+QIOPEN: 2,0");
    assert_eq!(d.engine.connected(socket), Ok(()));
}

#[test]
fn a_client_with_a_port_of_its_own() {
    up!(d, 1);
    let socket = d.engine.tcp_socket().unwrap();
    d.engine.bind(socket, any(4_000)).unwrap();
    let remote = "192.0.2.20:80".parse().unwrap();
    d.engine.connect(socket, remote).unwrap();
    d.host("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",80,4000,0\r")
        .ok()
        .line("+QIOPEN: 0,556");
    assert_eq!(
        d.engine.connected(socket),
        Err(Other(ConnectError::AddressInUse))
    );
    d.host("AT+QICLOSE=0,0\r").ok();
    d.engine.connect(socket, remote).unwrap();
    d.host("AT+QIOPEN=1,1,\"TCP\",\"192.0.2.20\",80,4000,0\r")
        .ok()
        .line("+QIOPEN: 1,0");
    assert_eq!(
        d.engine.local(socket),
        Some("10.7.157.1:4000".parse().unwrap())
    );
}

#[test]
fn what_a_listener_cannot_do() {
    up!(d, 2);
    let listener = listener(&mut d, 1);
    let nothing = RecvError::NotConnected;
    assert_eq!(d.engine.recv(listener, &mut [0; 4]), Err(Other(nothing)));
    let nowhere = SendError::NotConnected;
    assert_eq!(d.engine.send(listener, b"a"), Err(Other(nowhere)));
    let remote = "192.0.2.20:80".parse().unwrap();
    assert!(d.engine.connect(listener, remote).is_err());
    let connected = d.socket(1);
    assert_eq!(
        d.engine.listen(connected, 1),
        Err(ConnectError::AlreadyBound)
    );
    let not = d.engine.accept(d.now, connected);
    assert_eq!(not, Err(Other(AcceptError::NotListening)));
    d.engine.release(d.now, listener);
    let stale = d.engine.accept(d.now, listener);
    assert_eq!(stale, Err(Other(AcceptError::BadHandle)));
    assert_eq!(
        d.engine.shutdown(d.now, listener),
        Err(OpenError::BadHandle)
    );
}

/// The look for lost URCs finds a client whose `incoming` was lost.
#[test]
fn a_lost_incoming() {
    up!(d, 2, looking());
    let listener = listener(&mut d, 1);
    d.wakes(2_000..=2_000, "AT+QISTATE?\r");
    d.line("+QISTATE: 0,\"TCP LISTENER\",\"10.7.157.1\",0,8080,3,1,0,0,\"uart1\"");
    d.line("+QISTATE: 11,\"TCP INCOMING\",\"198.51.100.7\",62060,8080,2,1,0,0,\"uart1\"");
    d.ok();
    let (client, address) = accept(&mut d, listener);
    assert_eq!(address, CLIENT.parse().unwrap());
    d.host("AT+QIRD=11,1500\r").module(NO_DATA);
    // Late: it is that client.
    incoming(&mut d, 11);
    assert_eq!(d.engine.accept(d.now, listener), NO_CLIENT);
    assert_eq!(d.state(client), 4);
}

/// The module has given a client the id that an open asks for.
#[test]
fn an_id_that_a_client_has_got() {
    up!(d, 2);
    let listener = listener(&mut d, 1);
    let socket = d.engine.tcp_socket().unwrap();
    let remote = "192.0.2.20:80".parse().unwrap();
    d.engine.connect(socket, remote).unwrap();
    d.host("AT+QIOPEN=1,1,\"TCP\",\"192.0.2.20\",80,0,0\r");
    incoming(&mut d, 1);
    d.ok().line("+QIOPEN: 1,563");
    d.host("AT+QIOPEN=1,2,\"TCP\",\"192.0.2.20\",80,0,0\r")
        .ok()
        .line("+QIOPEN: 2,0");
    assert_eq!(d.engine.connected(socket), Ok(()));
    assert_eq!(d.engine.waiting(listener), 1);
}

#[test]
fn the_module_has_no_id_left() {
    up!(d, 1);
    let listener = listener(&mut d, 1);
    d.events();
    d.line("+QIURC: \"incoming full\"").silent();
    assert_eq!(d.events(), [Event::IncomingFull]);
    assert_eq!(d.state(listener), 1);
}

#[test]
fn a_listener_when_the_module_restarts() {
    up!(d, 2);
    let listener = listener(&mut d, 1);
    incoming(&mut d, 11);
    d.line("RDY");
    let failed = Err(Other(AcceptError::Failed(Failure::Restarted)));
    assert_eq!(d.engine.accept(d.now, listener), failed);
    assert_eq!(d.state(listener), 0);
    // The set-up runs; nothing of before is closed.
    assert_eq!(d.sleep(), "AT\\r");
}

/// The module may say that a listener is gone; so may the audit.
#[test]
fn a_listener_that_the_module_has_lost() {
    up!(d, 2, looking());
    let listener = listener(&mut d, 1);
    d.wakes(2_000..=2_000, "AT+QISTATE?\r").ok();
    let failed = Err(Other(AcceptError::Failed(Failure::Reset)));
    assert_eq!(d.engine.accept(d.now, listener), failed);
}

#[test]
fn keep_alive_is_set_before_the_open() {
    up!(d, 3);
    let socket = d.engine.tcp_socket().unwrap();
    assert_eq!(
        d.engine.set_keep_alive(socket, 121),
        Err(ConnectError::KeepAlive)
    );
    d.engine.set_keep_alive(socket, 5).unwrap();
    d.silent();
    d.engine
        .connect(socket, "192.0.2.20:80".parse().unwrap())
        .unwrap();
    d.host("AT+QICFG=\"tcp/keepalive\",1,5,25,3\r").ok();
    d.host("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",80,0,0\r")
        .ok()
        .line("+QIOPEN: 0,0");
    // The same again needs no word; none at all does.
    let same = d.engine.tcp_socket().unwrap();
    d.engine.set_keep_alive(same, 5).unwrap();
    d.connect(same, 1);
    let none = d.engine.tcp_socket().unwrap();
    d.engine
        .connect(none, "192.0.2.20:80".parse().unwrap())
        .unwrap();
    d.host("AT+QICFG=\"tcp/keepalive\",0\r").error();
    assert_eq!(
        d.engine.connected(none),
        Err(Other(ConnectError::KeepAlive))
    );
}

/// The setting is the module's: each socket's own goes with its open, and
/// nobody else's comes in between.
#[test]
fn two_keep_alives_at_once() {
    up!(d, 2);
    let sockets = [5, 7].map(|minutes| {
        let socket = d.engine.tcp_socket().unwrap();
        d.engine.set_keep_alive(socket, minutes).unwrap();
        d.engine
            .connect(socket, "192.0.2.20:80".parse().unwrap())
            .unwrap();
        socket
    });
    d.host("AT+QICFG=\"tcp/keepalive\",1,5,25,3\r").ok();
    d.host("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",80,0,0\r").ok();
    d.host("AT+QICFG=\"tcp/keepalive\",1,7,25,3\r").ok();
    d.host("AT+QIOPEN=1,1,\"TCP\",\"192.0.2.20\",80,0,0\r").ok();
    d.line("+QIOPEN: 1,0").line("+QIOPEN: 0,0").silent();
    assert_eq!(sockets.map(|socket| d.state(socket)), [4, 4]);
}

/// The module gives an id away that is just being closed, and the client is
/// accepted before that is answered: it is the client that was closed.
#[test]
fn a_client_under_an_id_that_is_being_closed() {
    up!(d, 3);
    let listener = listener(&mut d, 1);
    let socket = d.engine.tcp_socket().unwrap();
    d.engine
        .connect(socket, "192.0.2.20:80".parse().unwrap())
        .unwrap();
    d.host("AT+QIOPEN=1,1,\"TCP\",\"192.0.2.20\",80,0,0\r")
        .ok()
        .line("+QIOPEN: 1,566");
    d.host("AT+QICLOSE=1,0\r");
    incoming(&mut d, 1);
    let (client, _) = accept(&mut d, listener);
    d.ok();
    let reset = RecvError::Failed(Failure::Reset);
    assert_eq!(d.engine.recv(client, &mut [0; 4]), Err(Other(reset)));
    // Nobody gets the id before it is closed once more.
    d.host("AT+QICLOSE=1,0\r").ok().silent();
}
