//! The library's `asynch` face on a port of this PC, with its executor.
#![cfg(feature = "asynch")]

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    pin::pin,
    task::Poll,
    thread,
};

use quectel_port::{AsyncPort, PcPort, Settings};
use quectel_sockets::{
    Config, Slot,
    asynch::{Ended, Shared},
};

/// A module on a serial server: answers what is needed to connect and send
/// once, then goes away.
fn module(mut line: TcpStream) {
    let (mut command, mut payload) = (Vec::new(), 0);
    let mut byte = [0];
    while line.read(&mut byte).is_ok_and(|n| n == 1) {
        command.push(byte[0]);
        if payload > 0 {
            payload -= 1;
            if payload == 0 {
                line.write_all(b"\r\nSEND OK\r\n").unwrap();
                command.clear();
            }
            continue;
        }
        if byte != *b"\r" {
            continue;
        }
        let text = String::from_utf8(std::mem::take(&mut command)).unwrap();
        let ok = "\r\nOK\r\n";
        let answer = match text.trim_end() {
            "AT+CPIN?" => format!("\r\n+CPIN: READY\r\n{ok}"),
            "AT+CEREG?" => format!("\r\n+CEREG: 0,1\r\n{ok}"),
            "AT+QIACT?" => format!("\r\n+QIACT: 1,1,1,\"10.0.0.1\"\r\n{ok}"),
            "AT+QISEND=0,0" => format!("\r\n+QISEND: 4,4,0\r\n{ok}"),
            "AT+QISEND=0,4" => {
                payload = 4;
                "\r\n> ".into()
            }
            open if open.starts_with("AT+QIOPEN") => format!("{ok}\r\n+QIOPEN: 0,0\r\n"),
            close if close.starts_with("AT+QICLOSE") => return,
            _ => ok.into(),
        };
        line.write_all(answer.as_bytes()).unwrap();
    }
}

#[test]
fn a_stack_on_a_serial_server() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("tcp:{}", server.local_addr().unwrap());
    let serve = thread::spawn(move || module(server.accept().unwrap().0));
    let port = AsyncPort::new(PcPort::open(&name, &Settings::default()).unwrap());
    let (mut rx, mut tx) = ([0; 1500], [0; 1460]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let config = Config {
        check_echo: false,
        ..Config::default()
    };
    let mut shared = Shared::new(&mut slots, config);
    let (stack, runner) = shared.split();
    let log = RefCell::new(Vec::new());
    let mut run = pin!(runner.run(port.rx(), port.tx(), port.clock()));
    let mut app = pin!(async {
        let start = port.now();
        port.sleep(30).await;
        assert!(port.now() >= start + 30);
        assert_eq!(stack.wait_network().await, (3, 1));
        let mut socket = stack.tcp_socket().await.unwrap();
        socket
            .connect("192.0.2.1:80".parse().unwrap())
            .await
            .unwrap();
        socket.write_all(b"data").await.unwrap();
        socket.flush().await.unwrap();
        log.borrow_mut().push("flushed");
        socket.set_timeout(Some(50));
        assert_eq!(socket.read(&mut [0]).await.map_err(|e| e.errno()), Err(110));
        log.borrow_mut().push("timed out");
    });
    let mut done = false;
    let ended = port.block_on(poll_fn(|cx| {
        done = done || app.as_mut().poll(cx).is_ready();
        // The socket was dropped: closing ends the server's connection.
        match run.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(ended),
            Poll::Pending => Poll::Pending,
        }
    }));
    assert!(matches!(ended, Ended::Read(_)), "{ended:?}");
    assert_eq!(*log.borrow(), ["flushed", "timed out"]);
    assert!(stack.fault().is_some());
    serve.join().unwrap();
}

/// A wake from another thread is seen, although the port sleeps.
#[test]
fn another_thread_wakes() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("tcp:{}", server.local_addr().unwrap());
    let port = AsyncPort::new(PcPort::open(&name, &Settings::default()).unwrap());
    let _line = server.accept().unwrap();
    let mut asked = false;
    port.block_on(poll_fn(|cx| {
        if asked {
            return Poll::Ready(());
        }
        asked = true;
        let waker = cx.waker().clone();
        thread::spawn(move || waker.wake());
        Poll::Pending
    }));
}
