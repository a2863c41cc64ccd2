//! The engine against hand-written bytes: bring-up, and the life of a TCP
//! connection.

mod support;

use nb::Error::WouldBlock;
use quectel_sockets::{Config, Slot, SocketState};
use support::dialogue::{Dialogue, state_row};

#[test]
fn a_request_and_its_answer() {
    let (mut rx, mut tx) = ([0; 2048], [0; 1460]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let mut d = Dialogue::up(&mut slots, Config::default());
    assert_eq!(d.engine.network().info().model, "EC25");
    assert_eq!(d.engine.network().info().revision, "EC25EFAR02A09M4G");

    assert_eq!(d.engine.resolve("example.com"), Err(WouldBlock));
    d.host(b"AT+QIDNSGIP=1,\"example.com\"\r").module(
        b"\r\nOK\r\n\r\n+QIURC: \"dnsgip\",0,1,300\r\n\r\n+QIURC: \"dnsgip\",\"192.0.2.20\"\r\n",
    );
    let addresses = d.engine.resolve("example.com").unwrap();
    assert_eq!(
        addresses[..],
        ["192.0.2.20".parse::<std::net::IpAddr>().unwrap()]
    );

    let socket = d.engine.tcp_socket().unwrap();
    assert_eq!(d.engine.state(socket), Some(SocketState::Closed));
    d.engine
        .connect(socket, "192.0.2.20:80".parse().unwrap())
        .unwrap();
    d.host(b"AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",80,0,0\r");
    assert_eq!(d.engine.state(socket), Some(SocketState::Closed));
    d.module(b"\r\nOK\r\n");
    assert_eq!(d.engine.state(socket), Some(SocketState::SynSent));
    assert_eq!(d.engine.connected(socket), Err(WouldBlock));
    d.module(b"\r\n+QIOPEN: 0,0\r\n");
    assert_eq!(d.engine.connected(socket), Ok(()));
    assert_eq!(d.engine.state(socket), Some(SocketState::Established));

    assert_eq!(d.engine.send(socket, b"GET /"), Ok(5));
    assert_eq!(d.engine.flushed(socket), Err(WouldBlock));
    d.host(b"AT+QISEND=0,5\r")
        .module(b"\r\n> ")
        .host(b"GET /")
        .module(b"\r\nSEND OK\r\n");
    d.flush(socket, 0, 5);

    let mut buffer = [0; 16];
    assert_eq!(d.engine.recv(socket, &mut buffer), Err(WouldBlock));
    d.module(b"\r\n+QIURC: \"recv\",0\r\n")
        .host(b"AT+QIRD=0,1500\r")
        .module(b"\r\n+QIRD: 5\r\nhe");
    assert_eq!(d.engine.recv(socket, &mut buffer), Err(WouldBlock));
    d.module(b"llo\r\n\r\nOK");
    assert_eq!(d.engine.recv(socket, &mut buffer), Err(WouldBlock));
    d.module(b"\r\n");
    assert_eq!(d.engine.recv(socket, &mut buffer), Ok(5));
    assert_eq!(&buffer[..5], b"hello");
    d.host(b"AT+QIRD=0,1500\r")
        .module(b"\r\n+QIRD: 0\r\n\r\nOK\r\n")
        .silent();

    d.module(b"\r\n+QIURC: \"closed\",0\r\n");
    assert_eq!(d.engine.state(socket), Some(SocketState::CloseWait));
    assert_eq!(d.engine.recv(socket, &mut buffer), Err(WouldBlock));
    d.host(b"AT+QIRD=0,1500\r")
        .module(b"\r\n+QIRD: 0\r\n\r\nOK\r\n");
    // Whether the end is real.
    assert_eq!(d.engine.recv(socket, &mut buffer), Err(WouldBlock));
    d.host(b"AT+QISTATE=1,0\r").module(state_row(0, 4));
    assert_eq!(d.engine.recv(socket, &mut buffer), Ok(0));

    d.engine.shutdown(d.now, socket).unwrap();
    d.host(b"AT+QICLOSE=0,10\r");
    assert_eq!(d.engine.state(socket), Some(SocketState::LastAck));
    d.module(b"\r\nOK\r\n").silent();
    assert_eq!(d.engine.state(socket), Some(SocketState::Closed));
    d.engine.release(d.now, socket);
    assert_eq!(d.engine.state(socket), None);
}
