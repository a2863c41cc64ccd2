//! Faults that existing drivers stumble over, injected by the simulated
//! module. Each ends with the data intact.

mod support;

use std::net::SocketAddr;

use quectel_sim::{Config, Direction, Echo, Record, Sink, Source, Then, Times, UrcPlace};
use quectel_sockets::{Failure, RecvError, socket::Error};
use support::sim::{SimPort, noise, on_stack, read_to_end, tcp};

const SERVER: &str = "192.0.2.7:80";

fn server() -> SocketAddr {
    SERVER.parse().unwrap()
}

fn module() -> SimPort {
    SimPort::new(Config {
        trace: true,
        ..Config::default()
    })
}

fn serve_bytes(port: &SimPort, body: &[u8], then: Then) {
    let body = body.to_vec();
    port.sim
        .borrow_mut()
        .serve(SERVER.parse().unwrap(), move || {
            Source::new(body.as_slice(), then)
        });
}

const PLACES: [UrcPlace; 6] = [
    UrcPlace::AfterEcho,
    UrcPlace::BeforeAnswer,
    UrcPlace::BeforeOk,
    UrcPlace::AfterAnswer,
    UrcPlace::BeforePrompt,
    UrcPlace::BeforeSendOk,
];

#[test]
fn a_urc_at_every_place_of_a_read_and_a_send() {
    let body = noise(4_000, 1);
    let mut injected = 0;
    for place in PLACES {
        for command in ["+QISEND", "+QIRD"] {
            for urc in [
                "+CEREG: 1",
                "+QIND: \"csq\",20,99",
                "+QIURC: \"recv\",0",
                "+QUSIM: 1",
            ] {
                let port = module();
                port.sim
                    .borrow_mut()
                    .serve(SERVER.parse().unwrap(), || Echo);
                on_stack(&port, 1, |stack| {
                    port.sim
                        .borrow_mut()
                        .inject_urc(place, command, urc, Times::Always);
                    let mut socket = tcp(stack);
                    socket.connect(server()).unwrap();
                    socket.sendall(&body).unwrap();
                    let mut back = vec![0; body.len()];
                    assert_eq!(socket.read(&mut back), Ok(Some(body.len())));
                    assert!(back == body, "{urc} {place:?} of {command}");
                    socket.close().unwrap();
                    let counters = stack.counters().unwrap();
                    assert_eq!(counters.unknown_lines, 0, "{urc} {place:?} of {command}");
                    // Each URC line that the module has sent was taken once.
                    let sent = count_lines(&port, "+QIURC:")
                        + count_lines(&port, "+QIOPEN:")
                        + if urc.starts_with("+QIURC") {
                            0
                        } else {
                            count_lines(&port, urc)
                        };
                    assert_eq!(counters.urcs as usize, sent, "{urc} {place:?} of {command}");
                    injected += count_lines(&port, urc);
                });
            }
        }
    }
    assert!(injected > 100, "only {injected} URCs were injected");
}

/// Lines of the module that begin with `start`. The payload is noise, in
/// which such a line does not occur.
fn count_lines(port: &SimPort, start: &str) -> usize {
    let sim = port.sim.borrow();
    let module = sim
        .dialogue()
        .iter()
        .filter(|t| t.direction == Direction::ToHost);
    let bytes: Vec<u8> = module.flat_map(|t| t.bytes.clone()).collect();
    let line = [b"\r\n", start.as_bytes()].concat();
    bytes
        .windows(line.len())
        .filter(|window| *window == line)
        .count()
}

#[test]
fn a_lost_context_at_every_place_of_a_read_and_a_send_ends_the_connection_once() {
    for place in PLACES {
        for command in ["+QISEND", "+QIRD"] {
            let port = module();
            port.sim
                .borrow_mut()
                .serve(SERVER.parse().unwrap(), || Echo);
            on_stack(&port, 1, |stack| {
                let urc = "+QIURC: \"pdpdeact\",1";
                let mut socket = tcp(stack);
                socket.connect(server()).unwrap();
                port.sim
                    .borrow_mut()
                    .inject_urc(place, command, urc, Times::Once);
                let sent = socket.sendall(&noise(3_000, 2));
                let mut buffer = [0; 3_000];
                let read = socket.read(&mut buffer);
                let lost = Failure::ContextLost;
                // The URC can come after the last byte was handed over.
                if count_lines(&port, urc) == 1 {
                    let told = sent == Err(Error::Send(quectel_sockets::SendError::Failed(lost)))
                        || read == Err(Error::Recv(RecvError::Failed(lost)))
                        || socket.recv(&mut buffer) == Err(Error::Recv(RecvError::Failed(lost)));
                    assert!(told, "{place:?} of {command}: {sent:?} {read:?}");
                    socket.close().unwrap();
                    // The context is set up again, once.
                    let network = quectel_sockets::CheckNetwork::new(stack, "test", "1");
                    assert_eq!(network.wait_network_connected(60), Ok((3, 1)));
                    assert_eq!(port.sent().matches("AT+QIDEACT=1\r").count(), 1);
                    let mut socket = tcp(stack);
                    socket.connect(server()).unwrap();
                    socket.close().unwrap();
                }
            });
        }
    }
}

#[test]
fn closed_before_the_data_is_read() {
    let body = noise(5_000, 3);
    let port = module();
    serve_bytes(&port, &body, Then::Close);
    on_stack(&port, 1, |stack| {
        let mut socket = tcp(stack);
        socket.connect(server()).unwrap();
        // Nothing is read for long after the URC has come.
        stack.poll_until(10_000, || false).unwrap();
        assert_eq!(count_lines(&port, "+QIURC: \"closed\",0"), 1);
        assert!(!port.sent().contains("AT+QICLOSE"));
        assert_eq!(socket.getsocketsta(), 7);
        let (got, end) = read_to_end(&mut socket);
        assert_eq!(end, Ok(()));
        assert!(got == body);
        assert!(!port.sent().contains("AT+QICLOSE"));
        drop(socket);
        stack.poll_until(1_000, || false).unwrap();
        assert!(port.sent().contains("AT+QICLOSE=0,"));
    });
}

#[test]
fn a_write_larger_than_one_send_is_split() {
    let body = noise(10_000, 4);
    let port = module();
    let record = Record::new();
    port.sim
        .borrow_mut()
        .serve(SERVER.parse().unwrap(), record.of(|| Sink));
    on_stack(&port, 1, |stack| {
        let mut socket = tcp(stack);
        socket.connect(server()).unwrap();
        socket.sendall(&body).unwrap();
        socket.close().unwrap();
    });
    assert!(record.data(0) == body);
    let sent = port.sent();
    let lengths: Vec<usize> = sent
        .split("AT+QISEND=0,")
        .skip(1)
        .map(|rest| rest.split('\r').next().unwrap().parse().unwrap())
        .filter(|len| *len > 0)
        .collect();
    assert!(lengths.iter().all(|len| *len <= 1_460), "{lengths:?}");
    assert_eq!(lengths.iter().sum::<usize>(), body.len());
}

#[test]
fn lost_recv_urcs_are_made_up_for() {
    for lost in 1..5 {
        let body = noise(20_000, 5);
        let port = module();
        serve_bytes(&port, &body, Then::Close);
        on_stack(&port, 1, |stack| {
            port.sim.borrow_mut().lose_recv_urcs(lost);
            let mut socket = tcp(stack);
            socket.connect(server()).unwrap();
            let start = port.ms();
            let (got, end) = read_to_end(&mut socket);
            assert_eq!(end, Ok(()));
            assert!(got == body);
            assert!(port.ms() - start < 30_000, "{} ms", port.ms() - start);
        });
    }
}

#[test]
fn a_lost_closed_urc_is_made_up_for() {
    let body = noise(3_000, 6);
    let port = module();
    serve_bytes(&port, &body, Then::Close);
    on_stack(&port, 1, |stack| {
        port.sim.borrow_mut().lose_closed_urcs(1);
        let mut socket = tcp(stack);
        socket.connect(server()).unwrap();
        let start = port.ms();
        let (got, end) = read_to_end(&mut socket);
        assert_eq!(end, Ok(()));
        assert!(got == body);
        assert!(port.ms() - start < 10_000, "{} ms", port.ms() - start);
    });
}

#[test]
fn reads_of_no_bytes_return_at_once() {
    let port = module();
    serve_bytes(&port, b"x", Then::Keep);
    on_stack(&port, 1, |stack| {
        let mut socket = tcp(stack);
        socket.connect(server()).unwrap();
        let start = port.ms();
        assert_eq!(socket.recv(&mut []), Ok(0));
        assert_eq!(socket.readinto(&mut [0; 8], Some(0)), Ok(Some(0)));
        assert_eq!(port.ms(), start);
        let mut one = [0; 1];
        assert_eq!(socket.recv(&mut one), Ok(1));
        // The empty read that ends the drain does not end the connection.
        socket.settimeout(Some(1.0)).unwrap();
        assert_eq!(socket.recv(&mut one), Err(Error::TimedOut));
    });
}

#[test]
fn thousands_of_line_ends_and_short_lines() {
    let mut body = b"\r\n".repeat(20_000);
    body.extend(b"a\r\n".repeat(5_000));
    body.extend(b"OK\r\n".repeat(5_000));
    let port = module();
    serve_bytes(&port, &body, Then::Close);
    on_stack(&port, 1, |stack| {
        let mut socket = tcp(stack);
        socket.connect(server()).unwrap();
        let (got, end) = read_to_end(&mut socket);
        assert_eq!(end, Ok(()));
        assert!(got == body);
    });
    // The same on the command channel itself.
    let port = module();
    serve_bytes(&port, b"fine", Then::Close);
    on_stack(&port, 1, |stack| {
        for _ in 0..3_000 {
            port.sim.borrow_mut().send_urc("X");
        }
        let mut socket = tcp(stack);
        socket.connect(server()).unwrap();
        let (got, _) = read_to_end(&mut socket);
        assert_eq!(got, b"fine");
        assert_eq!(stack.counters().unwrap().unknown_lines, 3_000);
    });
}
