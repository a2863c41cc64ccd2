//! The `nb` face, against hand-written bytes: TCP. The stack moves by nothing
//! but the calls of embedded-nal's traits.
#![cfg(feature = "nb")]

mod support;

use std::net::SocketAddr;

use embedded_nal::{
    TcpClientStack, TcpError, TcpErrorKind, TcpFullStack,
    nb::Error::{Other, WouldBlock},
};
use quectel_sockets::{
    AcceptError, ConnectError, Event, Failure, Fault, OpenError, RecvError, SendError, SocketState,
    nb::{Error, TcpSocket},
};
use support::{
    dialogue::{NO_DATA, PROMPT, SEND_OK, pattern, qird, state_row},
    line::{Line, LinePort, LineStack},
};

type Socket<'s, 'a> = TcpSocket<'s, 'a, LinePort>;

const OPEN: &str = "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",80,0,0\r";
const RECV: &str = "+QIURC: \"recv\",0";
const CLOSED: &str = "+QIURC: \"closed\",0";

fn server() -> SocketAddr {
    "192.0.2.20:80".parse().unwrap()
}

/// A socket that is connected to [`server`] under connect id 0.
fn connected<'s, 'a>(line: &Line, net: &mut &'s LineStack<'a>) -> Socket<'s, 'a> {
    let mut socket = TcpClientStack::socket(net).unwrap();
    assert_eq!(net.connect(&mut socket, server()), Err(WouldBlock));
    line.host(OPEN).ok().line("+QIOPEN: 0,0");
    assert_eq!(net.connect(&mut socket, server()), Ok(()));
    socket
}

fn state(socket: &Socket<'_, '_>) -> u8 {
    socket.state().unwrap() as u8
}

#[test]
fn a_connect_is_pending_then_told_once() {
    on_line!(line, net, 1);
    let mut socket = TcpClientStack::socket(&mut net).unwrap();
    assert_eq!(state(&socket), 0);
    for _ in 0..3 {
        assert_eq!(net.connect(&mut socket, server()), Err(WouldBlock));
    }
    // Asked for once, and by the first call.
    line.host(OPEN).ok();
    assert_eq!(net.connect(&mut socket, server()), Err(WouldBlock));
    assert_eq!(state(&socket), 2);
    let elsewhere = "192.0.2.21:80".parse().unwrap();
    let error = net.connect(&mut socket, elsewhere);
    assert_eq!(error, Err(Other(ConnectError::AlreadyConnecting.into())));
    assert_eq!(errno(error), 114);
    // Neither is a socket that connects one that sends or receives.
    assert_eq!(net.send(&mut socket, b"a"), Err(WouldBlock));
    assert_eq!(net.receive(&mut socket, &mut [0; 4]), Err(WouldBlock));
    line.host("").line("+QIOPEN: 0,0");
    assert_eq!(net.connect(&mut socket, server()), Ok(()));
    assert_eq!(state(&socket), 4);
    for address in [server(), elsewhere] {
        let error = net.connect(&mut socket, address);
        assert_eq!(error, Err(Other(ConnectError::AlreadyConnected.into())));
        assert_eq!(errno(error), 106);
    }
    line.host("");
}

/// The outcome is there before anybody asks for it.
#[test]
fn success_waits_for_the_caller() {
    on_line!(line, net, 1);
    let mut socket = TcpClientStack::socket(&mut net).unwrap();
    assert_eq!(net.connect(&mut socket, server()), Err(WouldBlock));
    line.host(OPEN).ok().line("+QIOPEN: 0,0");
    net.poll().unwrap();
    line.after(500_000);
    net.poll().unwrap();
    assert_eq!(net.connect(&mut socket, server()), Ok(()));
    assert_eq!(errno(net.connect(&mut socket, server())), 106);
}

#[test]
fn a_refused_connect_is_told_once_and_can_be_tried_again() {
    on_line!(line, net, 1);
    let mut socket = TcpClientStack::socket(&mut net).unwrap();
    assert_eq!(net.connect(&mut socket, server()), Err(WouldBlock));
    line.host(OPEN).ok().line("+QIOPEN: 0,566");
    let error = net.connect(&mut socket, server());
    assert_eq!(error, Err(Other(ConnectError::Refused.into())));
    assert_eq!(errno(error), 111);
    // The call that told it has sent what follows, too.
    line.host("AT+QICLOSE=0,0\r").ok();
    assert_eq!(net.connect(&mut socket, server()), Err(WouldBlock));
    line.host(OPEN.replace("=1,0,", "=1,1,"))
        .ok()
        .line("+QIOPEN: 1,0");
    assert_eq!(net.connect(&mut socket, server()), Ok(()));
}

#[test]
fn no_network_is_an_error_and_the_set_up_goes_on() {
    let mut memory = support::dialogue::Memory::<1>::new();
    let mut slots = memory.slots();
    let line = Line::default();
    let stack = line.stack(&mut slots);
    let mut net = &stack;
    let mut socket = TcpClientStack::socket(&mut net).unwrap();
    // Nothing but `connect` is called: the set-up runs all the same.
    for (host, module) in &support::dialogue::BRING_UP[..12] {
        line.host(host).module(module);
        let error = net.connect(&mut socket, server());
        assert_eq!(error, Err(Other(ConnectError::NoNetwork.into())));
        assert_eq!(errno(error), 113);
        assert_eq!(stack.is_up(), Ok(false));
    }
    let (host, module) = support::dialogue::BRING_UP[12];
    line.host(host).module(module);
    stack.poll().unwrap();
    assert_eq!(stack.is_up(), Ok(true));
    assert_eq!(net.connect(&mut socket, server()), Err(WouldBlock));
    line.host(OPEN);
}

#[test]
fn data_comes_whole_among_urcs() {
    on_line!(line, net, 1);
    let mut socket = connected(&line, &mut net);
    let mut buffer = [0; 16];
    assert_eq!(net.receive(&mut socket, &mut buffer), Err(WouldBlock));
    line.host("")
        .line("+CEREG: 5")
        .line(RECV)
        .line("+QIURC: \"recv\",7");
    assert_eq!(net.receive(&mut socket, &mut buffer), Err(WouldBlock));
    line.host("AT+QIRD=0,1500\r").line("+CEREG: 1");
    line.module(b"\r\n+QIRD: 14\r\nhello\r\nOK\r\n");
    assert_eq!(net.receive(&mut socket, &mut buffer), Err(WouldBlock));
    // Nothing is delivered before the trailer.
    line.module(b"abc\r\n\r\n+QIND: SMS DONE\r\n\r\nO");
    assert_eq!(net.receive(&mut socket, &mut buffer), Err(WouldBlock));
    line.module(b"K\r\n").line("+CREG: 1");
    assert_eq!(net.receive(&mut socket, &mut [0; 0]), Ok(0));
    assert_eq!(net.receive(&mut socket, &mut buffer[..3]), Ok(3));
    assert_eq!(net.receive(&mut socket, &mut buffer[3..]), Ok(11));
    assert_eq!(&buffer[..14], b"hello\r\nOK\r\nabc");
    assert_eq!(net.receive(&mut socket, &mut buffer), Err(WouldBlock));
    line.host("AT+QIRD=0,1500\r").module(NO_DATA);
    assert_eq!(net.receive(&mut socket, &mut buffer), Err(WouldBlock));
    line.host("");
}

#[test]
fn the_end_of_the_data_comes_behind_it() {
    on_line!(line, net, 1);
    let mut socket = connected(&line, &mut net);
    let mut buffer = [0; 16];
    line.line(RECV).line(CLOSED);
    assert_eq!(net.receive(&mut socket, &mut buffer), Err(WouldBlock));
    line.host("AT+QIRD=0,1500\r").module(qird(b"last words"));
    assert_eq!(net.receive(&mut socket, &mut buffer[..5]), Ok(5));
    line.host("AT+QIRD=0,1500\r").module(NO_DATA);
    // It takes no more, which is not the end of what comes.
    let error = net.send(&mut socket, b"a");
    assert_eq!(error, Err(Other(SendError::Closed.into())));
    assert_eq!((errno(error), kind(error)), (32, TcpErrorKind::PipeClosed));
    assert_eq!(net.receive(&mut socket, &mut buffer[5..]), Ok(5));
    assert_eq!(&buffer[..10], b"last words");
    // The module is asked whether the end is real.
    line.host("AT+QISTATE=1,0\r");
    assert_eq!(net.receive(&mut socket, &mut buffer), Err(WouldBlock));
    line.module(state_row(0, 4));
    for _ in 0..3 {
        let end = net.receive(&mut socket, &mut buffer);
        assert_eq!(end, Err(Other(Error::Ended)));
        assert_eq!((errno(end), kind(end)), (32, TcpErrorKind::PipeClosed));
    }
    assert_eq!(net.receive(&mut socket, &mut []), Ok(0));
    assert_eq!(state(&socket), 7);
    assert_eq!(net.close(socket), Ok(()));
    line.host("AT+QICLOSE=0,10\r");
}

/// A failure is told once, behind everything that had come; then it is the
/// end.
#[test]
fn a_lost_context_ends_the_data() {
    on_line!(line, net, 1);
    let mut socket = connected(&line, &mut net);
    let mut buffer = [0; 16];
    line.line(RECV);
    net.poll().unwrap();
    line.host("AT+QIRD=0,1500\r").module(qird(b"data"));
    line.line("+QIURC: \"pdpdeact\",1");
    net.poll().unwrap();
    assert_eq!(net.receive(&mut socket, &mut buffer), Ok(4));
    let lost = net.receive(&mut socket, &mut buffer);
    let failure = Error::Receive(RecvError::Failed(Failure::ContextLost));
    assert_eq!(lost, Err(Other(failure)));
    assert_eq!((errno(lost), kind(lost)), (103, TcpErrorKind::PipeClosed));
    let end = net.receive(&mut socket, &mut buffer);
    assert_eq!(end, Err(Other(Error::Ended)));
    let lost = net.send(&mut socket, b"a");
    assert_eq!((errno(lost), kind(lost)), (103, TcpErrorKind::PipeClosed));
}

#[test]
fn a_long_send_goes_in_blocks() {
    on_line!(line, net, 1);
    let mut socket = connected(&line, &mut net);
    let data = pattern(2_000);
    // The transmit buffer has 1460 bytes.
    assert_eq!(net.send(&mut socket, &data), Ok(1_460));
    line.host("AT+QISEND=0,1460\r");
    // What would block has taken nothing.
    assert_eq!(net.send(&mut socket, &data[1_460..]), Err(WouldBlock));
    assert_eq!(net.send(&mut socket, &[]), Ok(0));
    line.host("").module(PROMPT);
    assert_eq!(net.send(&mut socket, &data[1_460..]), Err(WouldBlock));
    line.host(&data[..1_460]).module(SEND_OK);
    assert_eq!(net.send(&mut socket, &data[1_460..]), Ok(540));
    line.host("AT+QISEND=0,540\r").module(PROMPT);
    assert_eq!(socket.flush(), Err(WouldBlock));
    line.host(&data[1_460..]).module(SEND_OK);
    assert_eq!(socket.flush(), Err(WouldBlock));
    line.host("AT+QISEND=0,0\r")
        .line("+QISEND: 2000,2000,0")
        .ok();
    assert_eq!(socket.flush(), Ok(()));
    line.host("");
}

#[test]
fn a_listener_accepts() {
    on_line!(line, net, 3);
    let mut listener = TcpClientStack::socket(&mut net).unwrap();
    assert_eq!(net.bind(&mut listener, 8080), Ok(()));
    assert_eq!(errno(net.bind(&mut listener, 8081).map_err(Other)), 22);
    listener.set_backlog(2);
    assert_eq!(net.listen(&mut listener), Ok(()));
    line.host("AT+QIOPEN=1,0,\"TCP LISTENER\",\"127.0.0.1\",0,8080,0\r")
        .ok();
    assert!(matches!(net.accept(&mut listener), Err(WouldBlock)));
    line.line("+QIOPEN: 0,0");
    assert!(matches!(net.accept(&mut listener), Err(WouldBlock)));
    assert_eq!(state(&listener), 1);
    assert_eq!(
        listener.local(),
        Ok(Some("10.7.157.1:8080".parse().unwrap()))
    );
    for (id, port) in [(11, 62_060), (10, 62_061), (9, 62_062)] {
        line.line(&format!(
            "+QIURC: \"incoming\",{id},0,\"198.51.100.7\",{port}"
        ));
    }
    let (mut first, from) = net.accept(&mut listener).unwrap();
    assert_eq!(from, "198.51.100.7:62060".parse().unwrap());
    // The third was one too many.
    line.host("AT+QICLOSE=9,0\r").ok();
    let (second, from) = net.accept(&mut listener).unwrap();
    assert_eq!(from, "198.51.100.7:62061".parse().unwrap());
    line.host("AT+QIRD=11,1500\r").module(qird(b"hello"));
    let mut buffer = [0; 16];
    assert_eq!(net.receive(&mut first, &mut buffer), Ok(5));
    line.host("AT+QIRD=10,1500\r").module(NO_DATA);
    assert_eq!(net.send(&mut first, b"world"), Ok(5));
    line.host("AT+QIRD=11,1500\r").module(NO_DATA);
    net.poll().unwrap();
    line.host("AT+QISEND=11,5\r").module(PROMPT);
    net.poll().unwrap();
    line.host("world").module(SEND_OK);
    // No slot is left for a fourth, which goes on waiting.
    line.line("+QIURC: \"incoming\",8,0,\"198.51.100.7\",62063");
    let full = net.accept(&mut listener).map(drop);
    assert_eq!(full, Err(Other(AcceptError::NoSlot.into())));
    assert_eq!(errno(full), 24);
    drop((second, first));
}

/// `listen` cannot wait for the module; `accept` tells what has become of it.
#[test]
fn a_listen_that_fails() {
    on_line!(line, net, 1);
    let mut listener = TcpClientStack::socket(&mut net).unwrap();
    let not_yet = net.accept(&mut listener).map(drop);
    assert_eq!(errno(not_yet), 22);
    net.bind(&mut listener, 8080).unwrap();
    net.listen(&mut listener).unwrap();
    line.host("AT+QIOPEN=1,0,\"TCP LISTENER\",\"127.0.0.1\",0,8080,0\r");
    line.ok().line("+QIOPEN: 0,556");
    let failed = net.accept(&mut listener).map(drop);
    let in_use = AcceptError::Open(ConnectError::AddressInUse);
    assert_eq!(failed, Err(Other(in_use.into())));
    assert_eq!(errno(failed), 98);
    line.host("AT+QICLOSE=0,0\r").ok();
    assert_eq!(net.listen(&mut listener), Ok(()));
    line.host("AT+QIOPEN=1,1,\"TCP LISTENER\",\"127.0.0.1\",0,8080,0\r");
    line.ok().line("+QIOPEN: 1,0");
    assert!(matches!(net.accept(&mut listener), Err(WouldBlock)));
}

#[test]
fn a_port_that_fails_ends_everything() {
    on_line!(line, net, 2);
    let mut socket = connected(&line, &mut net);
    let mut other = TcpClientStack::socket(&mut net).unwrap();
    assert_eq!(net.connect(&mut other, server()), Err(WouldBlock));
    line.breaks();
    let failed = net.receive(&mut socket, &mut [0; 4]);
    let lost = Failure::ModuleLost;
    assert_eq!(failed, Err(Other(RecvError::Failed(lost).into())));
    assert_eq!(
        (errno(failed), kind(failed)),
        (19, TcpErrorKind::PipeClosed)
    );
    assert_eq!(net.fault(), Ok(Some(Fault::Port)));
    let failed = net.send(&mut socket, b"a");
    assert_eq!(failed, Err(Other(SendError::Failed(lost).into())));
    for _ in 0..2 {
        let failed = net.connect(&mut other, server());
        assert_eq!(failed, Err(Other(ConnectError::Failed(lost).into())));
        assert_eq!(errno(failed), 19);
    }
    assert_eq!(socket.flush(), Err(Other(SendError::Failed(lost).into())));
    assert_eq!(net.event(), Ok(Some(Event::Up)));
}

/// The closure of `poll_until` may use the stack, and drop its sockets.
#[test]
fn a_socket_dropped_while_the_stack_polls() {
    on_line!(line, net, 1);
    let mut socket = Some(connected(&line, &mut net));
    let asked = net.poll_until(0, || {
        let socket = socket.take().unwrap();
        assert_eq!(socket.state(), Ok(SocketState::Established));
        true
    });
    assert_eq!(asked, Ok(true));
    line.host("");
    net.poll().unwrap();
    line.host("AT+QICLOSE=0,10\r");
}

/// Whatever a socket is doing when it is dropped or closed: the module's
/// connection ends and the slot comes back.
#[test]
fn a_socket_dropped_in_every_phase() {
    for by_close in [false, true] {
        for phase in 0..8 {
            on_line!(line, net, 1);
            let mut socket = TcpClientStack::socket(&mut net).unwrap();
            let mut next = "";
            if phase >= 1 {
                assert_eq!(net.connect(&mut socket, server()), Err(WouldBlock));
                line.host(OPEN);
                next = "AT+QICLOSE=0,0\r";
            }
            if phase >= 2 {
                line.ok();
                net.poll().unwrap();
            }
            if phase == 3 {
                // Refused, and nobody was told.
                line.line("+QIOPEN: 0,566");
                net.poll().unwrap();
                line.host(next);
                next = "";
            }
            if phase >= 4 {
                line.line("+QIOPEN: 0,0");
                net.poll().unwrap();
                next = "AT+QICLOSE=0,10\r";
            }
            if phase == 5 {
                assert_eq!(net.connect(&mut socket, server()), Ok(()));
                // What was taken is sent first.
                assert_eq!(net.send(&mut socket, b"bye"), Ok(3));
                line.host("AT+QISEND=0,3\r");
            }
            if phase == 6 {
                line.line(RECV);
                net.poll().unwrap();
                line.host("AT+QIRD=0,1500\r");
            }
            if phase == 7 {
                line.line(CLOSED);
                net.poll().unwrap();
                line.host("AT+QIRD=0,1500\r").module(NO_DATA);
                net.poll().unwrap();
                line.host("AT+QISTATE=1,0\r").module(state_row(0, 4));
                net.poll().unwrap();
            }
            if by_close {
                assert_eq!(net.close(socket), Ok(()), "phase {phase}");
            } else {
                drop(socket);
                net.poll().unwrap();
            }
            match phase {
                1 => drop(line.ok()),
                3 => drop(line.ok()),
                5 => {
                    line.module(PROMPT);
                    net.poll().unwrap();
                    line.host("bye").module(SEND_OK);
                    net.poll().unwrap();
                    line.host("AT+QISEND=0,0\r").line("+QISEND: 3,3,0").ok();
                }
                6 => drop(line.module(qird(b"unread"))),
                _ => {}
            }
            net.poll().unwrap();
            line.host(next).ok();
            net.poll().unwrap();
            if phase >= 4 {
                // Nobody asks for its last states.
                line.host("");
            }
            let again = TcpClientStack::socket(&mut net);
            assert!(again.is_ok(), "phase {phase}: the slot is gone");
        }
    }
}

/// The slot of a socket that is being closed is not free yet.
#[test]
fn no_slot_is_left() {
    on_line!(line, net, 1);
    let socket = connected(&line, &mut net);
    let none = Err(Error::Open(OpenError::NoSlot));
    assert_eq!(TcpClientStack::socket(&mut net).map(drop), none);
    net.close(socket).unwrap();
    line.host("AT+QICLOSE=0,10\r");
    let full = TcpClientStack::socket(&mut net).map(drop);
    assert_eq!(full, none);
    assert_eq!(full.unwrap_err().errno(), 24);
    line.ok();
    assert!(TcpClientStack::socket(&mut net).is_ok());
}

/// Bytes that were taken and are lost: `close` says so if nobody has.
#[test]
fn close_tells_of_lost_bytes() {
    on_line!(line, net, 1);
    let mut socket = connected(&line, &mut net);
    assert_eq!(net.send(&mut socket, b"data"), Ok(4));
    line.host("AT+QISEND=0,4\r");
    line.line("+QIURC: \"pdpdeact\",1");
    let lost = net.close(socket);
    let failure = SendError::Failed(Failure::ContextLost);
    assert_eq!(lost, Err(failure.into()));
}

/// What a program that sleeps has to know.
#[test]
fn when_the_stack_wants_to_be_called() {
    on_line!(line, net, 1);
    let mut socket = connected(&line, &mut net);
    assert_eq!(net.wake_at(), Ok(None));
    line.line(RECV);
    assert_eq!(net.wake_at(), Ok(Some(1_000)));
    assert_eq!(net.receive(&mut socket, &mut [0; 4]), Err(WouldBlock));
    line.host("AT+QIRD=0,1500\r");
    // The longest that the answer may take.
    let at = net.wake_at().unwrap().unwrap();
    assert!(at > 1_000, "{at}");
    line.after(at - 1_000);
    net.poll().unwrap();
    assert_eq!(net.event(), Ok(Some(Event::Up)));
}

/// The last word on a socket that is dropped is the stack's.
#[test]
fn a_dropped_socket_wants_a_step() {
    on_line!(line, net, 1);
    drop(connected(&line, &mut net));
    assert_eq!(net.wake_at(), Ok(Some(1_000)));
    net.poll().unwrap();
    line.host("AT+QICLOSE=0,10\r");
}

fn errno<T: std::fmt::Debug>(result: nb::Result<T, Error>) -> i32 {
    match result {
        Err(Other(error)) => error.errno(),
        other => panic!("{other:?}"),
    }
}

fn kind<T: std::fmt::Debug>(result: nb::Result<T, Error>) -> TcpErrorKind {
    match result {
        Err(Other(error)) => TcpError::kind(&error),
        other => panic!("{other:?}"),
    }
}
