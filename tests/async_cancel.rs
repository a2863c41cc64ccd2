//! Futures that are dropped: each operation after each number of polls, while
//! the tasks are polled at every moment at which anything happens. Never a
//! lost or repeated byte, and what comes next works.

mod support;

use std::{cell::Cell, net::SocketAddr};

use quectel_sim::{Config, Echo, Record};
use quectel_sockets::asynch::{Error, Stack, TcpSocket};
use support::{
    sim::{SimPort, config, noise},
    tasks::dropped_after,
};

const ECHO: &str = "192.0.2.7:7";
const RECORD: &str = "192.0.2.8:7";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Drops futures after so many polls, each the first time it is tried.
struct Dropper {
    polls: usize,
    dropped: Cell<u32>,
}

impl Dropper {
    /// The outcome, unless it was dropped.
    async fn drops<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let outcome = dropped_after(self.polls, future).await;
        if outcome.is_none() {
            self.dropped.set(self.dropped.get() + 1);
        }
        outcome
    }
}

/// Runs a scenario with 1, 2, 3, … polls until none of its futures is dropped
/// any more; returns how often that was. Then once more with tasks that are
/// polled only when they were woken.
fn every_poll(sockets: usize, scenario: impl AsyncFn(Stack<'_>, &Dropper, &SimPort)) -> usize {
    let run = |polls, spurious| {
        let port = SimPort::new(Config {
            baud: 921_600,
            ..Config::default()
        });
        {
            let mut sim = port.sim.borrow_mut();
            sim.serve(address(ECHO), || Echo);
            sim.serve_udp(address(ECHO), Echo);
            sim.set_name("one.example", &["192.0.2.7".parse().unwrap()], 300);
            sim.set_name("two.example", &["192.0.2.8".parse().unwrap()], 300);
        }
        let memory = vec![([0; 200], [0; 150]); sockets];
        on_sim!(tasks, stack, port, memory, config(), up);
        (tasks.spurious, tasks.world.bytewise) = (spurious, true);
        let dropper = Dropper {
            polls,
            dropped: Cell::new(0),
        };
        tasks.block_on(scenario(stack, &dropper, &port));
        dropper.dropped.get()
    };
    let polls = (1..2_000).find(|polls| run(*polls, true) == 0);
    run(usize::MAX, false);
    polls.expect("it is dropped for ever")
}

async fn connected<'a>(stack: Stack<'a>, to: &str) -> TcpSocket<'a> {
    let mut socket = stack.tcp_socket().await.unwrap();
    socket.connect(address(to)).await.unwrap();
    socket
}

/// All of `data` goes out and comes back; `operate` is what is dropped.
async fn echoes(socket: &mut TcpSocket<'_>, data: &[u8]) {
    let (mut sent, mut back, mut buffer) = (0, Vec::<u8>::new(), [0; 64]);
    while back.len() < data.len() {
        if sent < data.len() {
            sent += socket.write(&data[sent..]).await.unwrap();
        }
        if back.len() < sent {
            let n = socket.read(&mut buffer).await.unwrap();
            back.extend(&buffer[..n]);
        }
    }
    assert!(back == data, "{} bytes came back", back.len());
}

#[test]
fn connect() {
    let polls = every_poll(1, async |stack, dropper, _| {
        let mut socket = stack.tcp_socket().await.unwrap();
        if dropper.drops(socket.connect(address(ECHO))).await.is_none() {
            socket.connect(address(ECHO)).await.unwrap();
        }
        echoes(&mut socket, b"hello").await;
    });
    assert!(polls > 50, "{polls}");
}

/// The socket goes with it: the slot is free again, the next connect works.
#[test]
fn connect_and_its_socket() {
    let polls = every_poll(1, async |stack, dropper, _| {
        let connect = dropper.drops(connected(stack, ECHO)).await;
        let mut socket = match connect {
            Some(socket) => socket,
            None => connected(stack, ECHO).await,
        };
        echoes(&mut socket, b"hello").await;
    });
    assert!(polls > 50, "{polls}");
}

#[test]
fn write_and_read() {
    let data = noise(1_500, 3);
    let polls = every_poll(1, async |stack, dropper, _| {
        let mut socket = connected(stack, ECHO).await;
        let (mut sent, mut back, mut buffer) = (0, Vec::<u8>::new(), [0; 64]);
        while back.len() < data.len() {
            if sent < data.len() {
                let rest = &data[sent..data.len().min(sent + 400)];
                match dropper.drops(socket.write(rest)).await {
                    Some(n) => sent += n.unwrap(),
                    None => sent += socket.write(rest).await.unwrap(),
                }
            }
            if back.len() + 300 < sent || sent == data.len() {
                let n = match dropper.drops(socket.read(&mut buffer)).await {
                    Some(n) => n.unwrap(),
                    None => socket.read(&mut buffer).await.unwrap(),
                };
                back.extend(&buffer[..n]);
            }
        }
        assert!(back == data);
        socket.close().await.unwrap();
    });
    assert!(polls > 50, "{polls}");
}

#[test]
fn flush_and_wait_acked() {
    let polls = every_poll(1, async |stack, dropper, _| {
        let mut socket = connected(stack, ECHO).await;
        for part in noise(300, 4).chunks(100) {
            socket.write_all(part).await.unwrap();
            match dropper.drops(socket.flush()).await {
                Some(flushed) => flushed.unwrap(),
                None => socket.flush().await.unwrap(),
            }
            match dropper.drops(socket.wait_acked()).await {
                Some(acked) => acked.unwrap(),
                None => socket.wait_acked().await.unwrap(),
            }
            let mut buffer = [0; 100];
            let mut filled = 0;
            while filled < 100 {
                filled += socket.read(&mut buffer[filled..]).await.unwrap();
            }
            assert_eq!(buffer, part);
        }
    });
    assert!(polls > 50, "{polls}");
}

/// Data goes out at once after a dropped `flush` or `wait_acked`, too.
#[test]
fn flush_and_write() {
    let data = noise(600, 5);
    let polls = every_poll(1, async |stack, dropper, port| {
        let record = Record::new();
        port.sim
            .borrow_mut()
            .serve(address(RECORD), record.of(|| quectel_sim::Sink));
        let mut socket = connected(stack, RECORD).await;
        for (at, part) in data.chunks(60).enumerate() {
            socket.write_all(part).await.unwrap();
            if at % 2 == 0 {
                let _ = dropper.drops(socket.flush()).await;
            } else {
                let _ = dropper.drops(socket.wait_acked()).await;
            }
        }
        socket.close().await.unwrap();
        assert!(record.data(0) == data);
    });
    assert!(polls > 50, "{polls}");
}

#[test]
fn accept() {
    let polls = every_poll(2, async |stack, dropper, port| {
        let mut listener = stack.tcp_socket().await.unwrap();
        listener.bind(address("0.0.0.0:8080")).unwrap();
        match dropper.drops(listener.listen(2)).await {
            Some(listens) => listens.unwrap(),
            None => listener.listen(2).await.unwrap(),
        }
        for client in 0..2 {
            let from = SocketAddr::from(([198, 51, 100, 7], 5_000 + client));
            assert!(port.sim.borrow_mut().dial(from, 8080, Echo));
            let accepted = match dropper.drops(listener.accept()).await {
                Some(accepted) => accepted,
                None => listener.accept().await,
            };
            let (mut child, remote) = accepted.unwrap();
            assert_eq!(remote, from);
            echoes(&mut child, b"hello").await;
            // The next one waits for this one's slot.
        }
    });
    assert!(polls > 50, "{polls}");
}

/// Dropped, a close goes on: all bytes arrive, and the slot comes back.
#[test]
fn close() {
    let data = noise(140, 6);
    let polls = every_poll(1, async |stack, dropper, port| {
        let record = Record::new();
        port.sim
            .borrow_mut()
            .serve(address(RECORD), record.of(|| quectel_sim::Sink));
        for connection in 0..2 {
            let mut socket = connected(stack, RECORD).await;
            socket.write_all(&data).await.unwrap();
            if connection == 1 {
                socket.shutdown().unwrap();
            }
            if let Some(closed) = dropper.drops(socket.close()).await {
                closed.unwrap();
            }
        }
        // With the slot the last bytes have arrived.
        let _ = stack.tcp_socket().await.unwrap();
        assert!(record.data(0) == data && record.data(1) == data);
    });
    assert!(polls > 50, "{polls}");
}

/// Waiting for a slot.
#[test]
fn new_sockets() {
    let polls = every_poll(1, async |stack, dropper, _| {
        for _ in 0..2 {
            let socket = match dropper.drops(stack.tcp_socket()).await {
                Some(socket) => socket,
                None => stack.tcp_socket().await,
            };
            let mut socket = socket.unwrap();
            socket.connect(address(ECHO)).await.unwrap();
            echoes(&mut socket, b"hello").await;
        }
    });
    assert!(polls > 50, "{polls}");
}

#[test]
fn resolve() {
    let polls = every_poll(1, async |stack, dropper, _| {
        for (name, ip) in [("one.example", "192.0.2.7"), ("two.example", "192.0.2.8")] {
            let dropped = dropper.drops(stack.resolve("one.example")).await;
            if let Some(found) = dropped {
                assert_eq!(found.unwrap()[0].to_string(), "192.0.2.7");
            }
            let found = stack.resolve(name).await.unwrap();
            assert_eq!(found[0].to_string(), ip);
        }
    });
    assert!(polls > 50, "{polls}");
}

#[test]
fn datagrams() {
    let polls = every_poll(1, async |stack, dropper, _| {
        let mut socket = stack.udp_socket().await.unwrap();
        match dropper.drops(socket.bind(address("0.0.0.0:4000"))).await {
            Some(bound) => bound.unwrap(),
            None => match socket.bind(address("0.0.0.0:4000")).await {
                // The dropped one goes on.
                Err(Error::Connect(quectel_sockets::ConnectError::AlreadyBound)) => {}
                other => other.unwrap(),
            },
        }
        let mut buffer = [0; 150];
        for n in 1..=6 {
            // Two fill the ring: the third waits.
            let data = noise(60, n);
            for _ in 0..3 {
                let sent = match dropper.drops(socket.send_to(&data, address(ECHO))).await {
                    Some(sent) => sent,
                    None => socket.send_to(&data, address(ECHO)).await,
                };
                assert_eq!(sent, Ok(60));
            }
            for _ in 0..3 {
                let received = match dropper.drops(socket.recv_from(&mut buffer)).await {
                    Some(received) => received,
                    None => socket.recv_from(&mut buffer).await,
                };
                let received = received.unwrap();
                assert_eq!((received.len, received.from), (60, address(ECHO)));
                assert!(buffer[..60] == data);
            }
        }
        socket.set_timeout(Some(2_000));
        let more = socket.recv_from(&mut buffer).await;
        assert_eq!(more, Err(Error::TimedOut), "one came twice");
    });
    assert!(polls > 50, "{polls}");
}
