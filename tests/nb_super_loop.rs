//! The `nb` face on the simulated module, in virtual time: super-loops that
//! call embedded-nal's traits and nothing else.
//!
//! `QUECTEL_SEED=<n>` runs one set of faults again.
#![cfg(feature = "nb")]

mod support;

use std::net::SocketAddr;

use embedded_nal::{
    AddrType, Dns, TcpClientStack, TcpError, TcpErrorKind, TcpFullStack, UdpClientStack,
    UdpFullStack,
    nb::{self, Error::WouldBlock},
};
use quectel_sim::{Config, Direction, Echo, LineFault, Record, Source, Then, Times, UrcPlace};
use quectel_sockets::{
    Slot, Stack,
    nb::{TcpSocket, UdpSocket},
};
use support::sim::{PolledSim, SimPort, config, noise};

const ECHO: &str = "192.0.2.7:7";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A module with echo servers for TCP and UDP.
fn module(baud: u32) -> SimPort {
    let port = SimPort::new(Config {
        baud,
        ..Config::default()
    });
    {
        let mut sim = port.sim.borrow_mut();
        sim.serve(address(ECHO), || Echo);
        sim.serve_udp(address(ECHO), Echo);
    }
    port
}

/// Runs `test` on a stack of so many sockets.
fn on<T>(port: &SimPort, sockets: usize, test: impl FnOnce(&Stack<'_, PolledSim>) -> T) -> T {
    let mut memory = vec![([0; 1500], [0; 1500]); sockets];
    let buffers = memory.iter_mut();
    let mut slots: Vec<Slot> = buffers.map(|(rx, tx)| Slot::new(rx, tx)).collect();
    test(&Stack::new(port.polled(), &mut slots, config()))
}

/// Until the network is up: nothing is called but `poll`.
fn up(port: &SimPort, stack: &Stack<'_, PolledSim>) {
    port.super_loop(30_000, || {
        stack.poll().unwrap();
        stack.is_up().unwrap()
    });
}

/// A client that knows embedded-nal and nothing else: connects, sends its
/// data and compares what comes back.
struct EchoClient<S: TcpClientStack> {
    socket: Option<S::TcpSocket>,
    connected: bool,
    data: Vec<u8>,
    sent: usize,
    received: usize,
}

/// What would block has done nothing.
fn unless_blocked<T, E>(result: nb::Result<T, E>) -> Result<Option<T>, E> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(WouldBlock) => Ok(None),
        Err(nb::Error::Other(error)) => Err(error),
    }
}

impl<S: TcpClientStack> EchoClient<S> {
    fn new(data: Vec<u8>) -> Self {
        Self {
            socket: None,
            connected: false,
            data,
            sent: 0,
            received: 0,
        }
    }

    /// Does what can be done now.
    fn step(&mut self, net: &mut S) -> Result<(), S::Error> {
        if self.socket.is_none() {
            self.socket = Some(net.socket()?);
        }
        let socket = self.socket.as_mut().unwrap();
        if !self.connected {
            self.connected = unless_blocked(net.connect(socket, address(ECHO)))?.is_some();
            return Ok(());
        }
        let rest = &self.data[self.sent..];
        if !rest.is_empty() {
            self.sent += unless_blocked(net.send(socket, rest))?.unwrap_or(0);
        }
        if self.received < self.data.len() {
            let mut buffer = [0; 700];
            let n = unless_blocked(net.receive(socket, &mut buffer))?.unwrap_or(0);
            let expected = &self.data[self.received..self.received + n];
            assert!(
                buffer[..n] == *expected,
                "other bytes after {}",
                self.received
            );
            self.received += n;
        }
        Ok(())
    }

    fn done(&self) -> bool {
        self.received == self.data.len()
    }
}

/// The traits alone bring the module up, connect, and move the data.
#[test]
fn a_hundred_kilobytes_by_the_traits_alone() {
    let port = module(921_600);
    on(&port, 1, |mut stack| {
        let mut client = EchoClient::new(noise(100_000, 1));
        let mut refusals = 0;
        port.super_loop(60_000, || {
            if let Err(error) = client.step(&mut stack) {
                // Until the network is up.
                assert_eq!(error.errno(), 113);
                refusals += 1;
            }
            client.done()
        });
        assert!(refusals > 100, "{refusals}");
        TcpClientStack::close(&mut stack, client.socket.take().unwrap()).unwrap();
        port.super_loop(60_000, || TcpClientStack::socket(&mut stack).is_ok());
    });
}

/// Clients, a server, datagrams and names side by side.
#[test]
fn a_super_loop_with_everything() {
    let port = module(921_600);
    {
        let mut sim = port.sim.borrow_mut();
        for at in 1..=4 {
            sim.set_name(&format!("{at}.test"), &[[192, 0, 2, 100 + at].into()], 60);
        }
    }
    on(&port, 9, |mut stack| {
        up(&port, stack);
        let mut clients: Vec<_> = (0..5)
            .map(|seed| EchoClient::new(noise(20_000, seed)))
            .collect();

        let mut listener = TcpClientStack::socket(&mut stack).unwrap();
        listener.set_backlog(2);
        TcpFullStack::bind(&mut stack, &mut listener, 8080).unwrap();
        stack.listen(&mut listener).unwrap();
        let mut children: Vec<TcpSocket<'_, '_, PolledSim>> = Vec::new();
        let mut served: [Vec<u8>; 2] = Default::default();
        let mut dialled = false;

        let mut datagrams = UdpClientStack::socket(&mut stack).unwrap();
        UdpFullStack::bind(&mut stack, &mut datagrams, 0).unwrap();
        let mut waiting = None;
        let mut returned = 0;

        let mut names = (1..=4).collect::<Vec<u8>>();

        port.super_loop(120_000, || {
            for client in &mut clients {
                client.step(&mut stack).unwrap();
            }

            // The listener stands as soon as the module says so.
            if !dialled && listener.state().unwrap() as u8 == 1 {
                for at in 0..2 {
                    let from = SocketAddr::from(([198, 51, 100, 7], 5_000 + at));
                    let body = noise(5_000, 50 + u64::from(at));
                    let peer = Source::new(body.as_slice(), Then::Close);
                    dialled = port.sim.borrow_mut().dial(from, 8080, peer);
                }
            }
            if let Some((child, from)) = unless_blocked(stack.accept(&mut listener)).unwrap() {
                assert_eq!(usize::from(from.port()), 5_000 + children.len());
                children.push(child);
            }
            for (child, data) in children.iter_mut().zip(&mut served) {
                let mut buffer = [0; 300];
                match unless_blocked(TcpClientStack::receive(&mut stack, child, &mut buffer)) {
                    Ok(n) => data.extend(&buffer[..n.unwrap_or(0)]),
                    Err(end) => assert_eq!(TcpError::kind(&end), TcpErrorKind::PipeClosed),
                }
            }

            // One datagram at a time: none is lost here.
            if waiting.is_none() && returned < 20 {
                let data = noise(1 + returned * 70, 7);
                let sent = stack.send_to(&mut datagrams, address(ECHO), &data);
                if unless_blocked(sent).unwrap().is_some() {
                    waiting = Some(data);
                }
            }
            let mut buffer = [0; 1_500];
            let received = UdpClientStack::receive(&mut stack, &mut datagrams, &mut buffer);
            if let Some((n, from)) = unless_blocked(received).unwrap() {
                assert_eq!(from, address(ECHO));
                assert!(waiting.take().unwrap() == buffer[..n]);
                returned += 1;
            }

            if let Some(at) = names.last() {
                let name = format!("{at}.test");
                let found = stack.get_host_by_name(&name, AddrType::IPv4);
                if let Some(found) = unless_blocked(found).unwrap() {
                    assert_eq!(found, std::net::IpAddr::from([192, 0, 2, 100 + at]));
                    names.pop();
                }
            }

            clients.iter().all(EchoClient::done)
                && served.iter().all(|data| data.len() == 5_000)
                && returned == 20
                && names.is_empty()
        });
        assert!(served[0] == noise(5_000, 50) && served[1] == noise(5_000, 51));
        assert_eq!(listener.state().unwrap() as u8, 1);
    });
}

/// An echo of `LEN` bytes while URCs come everywhere and the line damages one
/// byte: either everything comes back, or the socket says that it broke, and
/// a new one works.
#[test]
fn faults_of_the_line() {
    const LEN: usize = 10_000;
    let seeds = match std::env::var("QUECTEL_SEED") {
        Ok(seed) => vec![seed.parse().expect("a number")],
        Err(_) => (1..=60).collect::<Vec<u64>>(),
    };
    let (mut intact, mut broken) = (0, 0);
    for seed in seeds {
        println!("QUECTEL_SEED={seed}");
        let port = module(921_600);
        let record = Record::new();
        port.sim
            .borrow_mut()
            .serve(address(ECHO), record.of(|| Echo));
        on(&port, 2, |mut stack| {
            up(&port, stack);
            let random = noise(4, seed);
            let offset = u64::from(random[0]) * 40 + u64::from(random[1]);
            let direction = if random[2].is_multiple_of(2) {
                Direction::ToHost
            } else {
                Direction::ToModule
            };
            {
                let mut sim = port.sim.borrow_mut();
                let at = sim.position(direction) + offset;
                let fault = match random[3] % 3 {
                    0 => LineFault::Drop(at),
                    1 => LineFault::Double(at),
                    _ => LineFault::Stall(at, 3_000_000),
                };
                sim.add_line_fault(direction, fault);
                for (place, command) in [
                    (UrcPlace::BeforeAnswer, "+QIRD"),
                    (UrcPlace::BeforeOk, "+QIRD"),
                    (UrcPlace::BeforePrompt, "+QISEND"),
                    (UrcPlace::BeforeSendOk, "+QISEND"),
                ] {
                    sim.inject_urc(place, command, "+CEREG: 1", Times::Always);
                }
            }
            let mut client = EchoClient::new(noise(LEN, seed));
            let mut failures = 0;
            port.super_loop(300_000, || {
                if let Err(error) = client.step(&mut stack) {
                    // Until the line is in order again, a connect may fail.
                    if client.connected {
                        assert_eq!(TcpError::kind(&error), TcpErrorKind::PipeClosed, "{error}");
                        failures += 1;
                    }
                    if let Some(socket) = client.socket.take() {
                        let _ = TcpClientStack::close(&mut stack, socket);
                    }
                    client = EchoClient::new(noise(LEN, seed));
                }
                client.done()
            });
            assert!(failures <= 1, "{failures} connections broke");
            if failures == 0 {
                intact += 1;
            } else {
                broken += 1;
            }
            // The server has seen nothing else.
            let last = record.data(record.connections() - 1);
            assert!(last == noise(LEN, seed));
        });
    }
    println!("{intact} intact, {broken} broken");
    assert!(intact + broken == 1 || (intact > 10 && broken > 5));
}

/// A port is bound in the address family that the context has.
#[test]
fn a_context_with_ipv6_alone() {
    let port = module(921_600);
    let echo = address("[2001:db8:7::7]:7");
    port.sim.borrow_mut().serve_udp(echo, Echo);
    let (mut rx, mut tx) = ([[0; 1500]; 3], [[0; 1500]; 3]);
    let buffers = rx.iter_mut().zip(&mut tx);
    let mut slots: Vec<Slot> = buffers.map(|(rx, tx)| Slot::new(rx, tx)).collect();
    let config = quectel_sockets::Config {
        context_type: quectel_sockets::ContextType::V6,
        ..config()
    };
    let stack = &mut &Stack::new(port.polled(), &mut slots, config);
    up(&port, stack);

    let mut listener = TcpSocket::new(stack).unwrap();
    TcpFullStack::bind(stack, &mut listener, 8080).unwrap();
    stack.listen(&mut listener).unwrap();
    port.super_loop(10_000, || listener.state().unwrap() as u8 == 1);
    let client = address("[2001:db8:9::9]:5000");
    assert!(port.sim.borrow_mut().dial(client, 8080, Echo));
    let mut from = None;
    port.super_loop(10_000, || {
        from = unless_blocked(stack.accept(&mut listener)).unwrap();
        from.is_some()
    });
    assert_eq!(from.unwrap().1, client);

    let mut socket = UdpSocket::new(stack).unwrap();
    UdpFullStack::bind(stack, &mut socket, 5683).unwrap();
    let mut sent = false;
    port.super_loop(10_000, || {
        if !sent {
            let result = stack.send_to(&mut socket, echo, b"hello");
            sent = unless_blocked(result).unwrap().is_some();
        }
        let mut buffer = [0; 16];
        let received = UdpClientStack::receive(stack, &mut socket, &mut buffer);
        unless_blocked(received).unwrap() == Some((5, echo))
    });
}

/// Nothing is left of sockets that come and go, some in the middle of their
/// work.
#[test]
fn sockets_come_and_go() {
    let port = module(3_000_000);
    on(&port, 2, |mut stack| {
        up(&port, stack);
        for round in 0..300 {
            let mut client = EchoClient::new(noise(100, round));
            let mut steps = round % 40;
            port.super_loop(60_000, || {
                match client.step(&mut stack) {
                    Ok(()) => {}
                    // The slots are still held by closes that run.
                    Err(error) => assert_eq!(error.errno(), 24),
                }
                steps = steps.saturating_sub(1);
                client.socket.is_some() && steps == 0 || client.done()
            });
        }
        let mut both = Vec::new();
        port.super_loop(60_000, || {
            both.extend(TcpClientStack::socket(&mut stack));
            both.len() == 2
        });
        // An open that was given up is closed by the module behind that.
        let end = port.ms() + 30_000;
        port.super_loop(60_000, || {
            stack.poll().unwrap();
            port.ms() >= end
        });
        let open = port.sim.borrow().tcp_sockets();
        assert!(open.iter().all(|tcp| !tcp.attached), "{open:?}");
    });
}
