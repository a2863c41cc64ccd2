//! The module through the `asynch` face: UDP, names, servers, events, and
//! what becomes of those who wait when the module or the port is lost.

mod support;

use std::{
    cell::{Cell, RefCell},
    future::Future,
    net::SocketAddr,
    rc::Rc,
};

use embedded_nal_async::{AddrType, Dns, TcpConnect, UdpStack};
use quectel_sim::{Config, Echo, Incident, Peer, PeerIo, Record, SimCard, Sink, When};
use quectel_sockets::{
    Event, Failure, RecvError, ResolveError, SocketState,
    asynch::{Ended, Error, Shared, Stack, TcpSocket},
    errno::{ECONNABORTED, ECONNRESET, ENODEV},
};
use support::{
    sim::{SimPort, config, noise},
    tasks::{SimWorld, Tasks, Unplugged, join},
};

const ECHO: &str = "192.0.2.7:7";
const SINK: &str = "192.0.2.7:9";
const SILENT: &str = "192.0.2.99:7";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn module() -> SimPort {
    let port = SimPort::new(Config {
        trace: true,
        ..Config::default()
    });
    {
        let mut sim = port.sim.borrow_mut();
        sim.serve(address(ECHO), || Echo);
        sim.serve(address(SINK), || Sink);
        sim.serve_udp(address(ECHO), Echo);
        sim.set_silent(address(SILENT).ip(), true);
        sim.set_name("echo.example", &["192.0.2.7".parse().unwrap()], 300);
        sim.set_name_silent("silent.example");
    }
    port
}

#[test]
fn datagrams() {
    let port = module();
    on_sim!(tasks, stack, port, 2);
    tasks.block_on(async {
        let mut socket = stack.udp_socket().await.unwrap();
        socket.bind(address("0.0.0.0:5683")).await.unwrap();
        assert_eq!(socket.local_addr().unwrap().port(), 5683);
        for n in [1, 100, 1_400] {
            let data = noise(n, n as u64);
            assert_eq!(socket.send_to(&data, address(ECHO)).await, Ok(n));
            socket.flush().await.unwrap();
            let mut buffer = [0; 1_500];
            let received = socket.recv_from(&mut buffer).await.unwrap();
            assert_eq!((received.len, received.from), (n, address(ECHO)));
            assert!(!received.is_truncated() && buffer[..n] == data);
        }
        // Too small a buffer is told.
        socket.send_to(b"0123456789", address(ECHO)).await.unwrap();
        let mut buffer = [0; 4];
        let received = socket.recv_from(&mut buffer).await.unwrap();
        assert_eq!((received.len, received.whole), (4, 10));
        assert!(received.is_truncated() && &buffer == b"0123");
        // A socket with one peer.
        let mut other = stack.udp_socket().await.unwrap();
        other.connect(address(ECHO)).await.unwrap();
        other.set_timeout(Some(3_000));
        assert_eq!(other.recv_from(&mut buffer).await, Err(Error::TimedOut));
        other.send(b"ping").await.unwrap();
        assert_eq!(other.recv_from(&mut buffer).await.map(|it| it.len), Ok(4));
        other.close().await.unwrap();
        socket.close().await.unwrap();
    });
}

#[test]
fn the_traits_of_embedded_nal_async() {
    async fn fetch<E, N>(net: &N) -> Result<[u8; 5], E>
    where
        N: TcpConnect<Error = E> + Dns<Error = E>,
    {
        use embedded_io_async::{Read, Write};
        let ip = net.get_host_by_name("echo.example", AddrType::IPv4).await?;
        let mut connection = net.connect(SocketAddr::new(ip, 7)).await?;
        connection.write_all(b"hello").await?;
        connection.flush().await?;
        let mut buffer = [0; 5];
        let mut filled = 0;
        while filled < 5 {
            filled += connection.read(&mut buffer[filled..]).await?;
        }
        Ok(buffer)
    }
    async fn exchange<N: UdpStack>(net: &N) -> Result<(), N::Error> {
        use embedded_nal_async::{ConnectedUdp, UnconnectedUdp};
        let (local, mut socket) = net.connect(address(ECHO)).await?;
        socket.send(b"ping").await?;
        let mut buffer = [0; 3];
        assert_eq!(socket.receive_into(&mut buffer).await?, 4);
        assert_eq!((&buffer, local.is_ipv4()), (b"pin", true));
        let (local, mut socket) = net.bind_single(address("0.0.0.0:4000")).await?;
        assert_eq!(local.port(), 4000);
        socket.send(local, address(ECHO), b"pong").await?;
        let (n, to, from) = socket.receive_into(&mut buffer).await?;
        assert_eq!((n, to, from), (4, local, address(ECHO)));
        Ok(())
    }
    let port = module();
    // One slot: each connection waits for the one before to be closed.
    on_sim!(tasks, stack, port, 1);
    for _ in 0..3 {
        assert_eq!(tasks.block_on(fetch(&stack)), Ok(*b"hello"));
        let none = tasks.block_on(stack.get_host_by_name("echo.example", AddrType::IPv6));
        assert_eq!(none, Err(Error::Resolve(ResolveError::NotFound)));
    }
    let reverse = stack.get_host_by_address(address(ECHO).ip(), &mut []);
    assert_eq!(tasks.block_on(reverse).map_err(Error::errno), Err(95));
    drop(tasks);
    let port = module();
    on_sim!(tasks, stack, port, 2);
    assert_eq!(tasks.block_on(exchange(&stack)), Ok(()));
}

#[test]
fn names() {
    let port = module();
    on_sim!(tasks, stack, port, 1);
    tasks.block_on(async {
        let (first, second) = join(
            stack.resolve("echo.example"),
            stack.resolve("nowhere.example"),
        )
        .await;
        assert_eq!(first.as_deref(), Ok(&[address(ECHO).ip()][..]));
        assert_eq!(second, Err(Error::Resolve(ResolveError::NotFound)));
        // The module says no more of it, 60 s later.
        let start = port.ms();
        let silent = stack.resolve("silent.example").await;
        assert_eq!(silent, Err(Error::Resolve(ResolveError::NotFound)));
        assert!(port.ms() - start > 20_000, "{}", port.ms() - start);
    });
}

/// A server with two slots for clients: the third client waits for a slot,
/// all are served.
#[test]
fn a_server() {
    let port = module();
    on_sim!(tasks, stack, port, 3);
    let recordings: Vec<_> = (0..4).map(|_| Record::new()).collect();
    let served = Rc::new(Cell::new(0));
    let queue: Rc<RefCell<Vec<TcpSocket<'_>>>> = Rc::default();
    // Two workers.
    for _ in 0..2 {
        let (queue, served) = (Rc::clone(&queue), Rc::clone(&served));
        let world = tasks.world.clone();
        tasks.spawn(async move {
            loop {
                let next = queue.borrow_mut().pop();
                let Some(mut client) = next else {
                    world.clock.0.sleep(10).await;
                    continue;
                };
                let mut buffer = [0; 100];
                let n = client.read(&mut buffer).await.unwrap();
                client.write_all(&buffer[..n]).await.unwrap();
                client.close().await.unwrap();
                served.set(served.get() + 1);
            }
        });
    }
    let world = tasks.world.clone();
    tasks.block_on(async {
        let mut listener = stack.tcp_socket().await.unwrap();
        listener.bind(address("0.0.0.0:8080")).unwrap();
        listener.listen(4).await.unwrap();
        assert_eq!(listener.state(), SocketState::Listen);
        for (at, recording) in recordings.iter().enumerate() {
            let from = SocketAddr::from(([198, 51, 100, 7], 5_000 + at as u16));
            let mut client = recording.of(move || Talker(format!("client {at}").into_bytes()));
            assert!(world.port.sim.borrow_mut().dial(from, 8080, client()));
        }
        for _ in 0..4 {
            let (client, from) = listener.accept().await.unwrap();
            assert_eq!(client.remote_addr(), Ok(from));
            queue.borrow_mut().push(client);
        }
        listener.set_timeout(Some(60_000));
        let more = listener.accept().await.map(drop);
        assert_eq!(more, Err(Error::TimedOut));
    });
    assert_eq!(served.get(), 4);
    for (at, recording) in recordings.iter().enumerate() {
        assert_eq!(recording.data(0), format!("client {at}").into_bytes());
    }
}

/// Says something, then listens.
struct Talker(Vec<u8>);

impl Peer for Talker {
    fn connected(&mut self, io: &mut PeerIo) {
        io.send(&self.0);
    }
}

/// Who was told, and what.
type Told = Rc<RefCell<Vec<(&'static str, i32)>>>;

/// One task for each kind of waiting; what each has got goes to the list.
fn waiters<'a>(tasks: &mut Tasks<'a, SimWorld>, stack: Stack<'a>) -> (Rc<Cell<usize>>, Told) {
    let ready = Rc::new(Cell::new(0));
    let log = Rc::new(RefCell::new(Vec::new()));
    let mut spawn = |name: &'static str,
                     wait: std::pin::Pin<Box<dyn Future<Output = i32> + 'a>>| {
        let log = Rc::clone(&log);
        tasks.spawn(async move {
            let errno = wait.await;
            log.borrow_mut().push((name, errno));
        });
    };
    let connected = {
        let ready = Rc::clone(&ready);
        move |to: &'static str| {
            let ready = Rc::clone(&ready);
            async move {
                let mut socket = stack.tcp_socket().await.unwrap();
                socket.connect(address(to)).await.unwrap();
                ready.set(ready.get() + 1);
                socket
            }
        }
    };
    fn errno<T: std::fmt::Debug>(outcome: Result<T, Error>) -> i32 {
        outcome.unwrap_err().errno()
    }
    let connect = connected.clone();
    spawn(
        "read",
        Box::pin(async move { errno(connect(ECHO).await.read(&mut [0; 4]).await) }),
    );
    let connect = connected.clone();
    spawn(
        "write",
        Box::pin(async move {
            // A peer that reads nothing would be slow to build; an endless
            // writer is always waiting for the ring.
            let mut socket = connect(SINK).await;
            loop {
                if let Err(error) = socket.write(&[7; 500]).await {
                    return error.errno();
                }
            }
        }),
    );
    let connect = connected;
    spawn(
        "flush",
        Box::pin(async move {
            let mut socket = connect(SINK).await;
            loop {
                let outcome = match socket.write(&[7; 9]).await {
                    Ok(_) => socket.flush().await,
                    Err(error) => Err(error),
                };
                if let Err(error) = outcome {
                    return error.errno();
                }
            }
        }),
    );
    let count = Rc::clone(&ready);
    spawn(
        "connect",
        Box::pin(async move {
            let mut socket = stack.tcp_socket().await.unwrap();
            count.set(count.get() + 1);
            errno(socket.connect(address(SILENT)).await)
        }),
    );
    let count = Rc::clone(&ready);
    spawn(
        "accept",
        Box::pin(async move {
            let mut socket = stack.tcp_socket().await.unwrap();
            socket.listen(1).await.unwrap();
            count.set(count.get() + 1);
            errno(socket.accept().await)
        }),
    );
    let count = Rc::clone(&ready);
    spawn(
        "recv_from",
        Box::pin(async move {
            let mut socket = stack.udp_socket().await.unwrap();
            socket.bind(address("0.0.0.0:0")).await.unwrap();
            count.set(count.get() + 1);
            errno(socket.recv_from(&mut [0; 4]).await)
        }),
    );
    let count = Rc::clone(&ready);
    spawn(
        "resolve",
        Box::pin(async move {
            count.set(count.get() + 1);
            errno(stack.resolve("silent.example").await)
        }),
    );
    (ready, log)
}

const WAITERS: [&str; 7] = [
    "accept",
    "connect",
    "flush",
    "read",
    "recv_from",
    "resolve",
    "write",
];

/// Everybody waits; then `incident` happens, and all are told `errno`.
fn all_end(incident: impl FnOnce(&SimWorld), errno: i32, within_ms: u64) {
    let port = module();
    on_sim!(tasks, stack, port, 7);
    let (ready, log) = waiters(&mut tasks, stack);
    let world = tasks.world.clone();
    tasks.block_on(async {
        while ready.get() < WAITERS.len() {
            world.clock.0.sleep(10).await;
        }
        world.clock.0.sleep(500).await;
        assert!(log.borrow().is_empty());
        incident(&world);
        world.clock.0.sleep(within_ms).await;
    });
    let mut told = log.take();
    told.sort();
    let expected: Vec<_> = WAITERS.iter().map(|name| (*name, errno)).collect();
    assert_eq!(told, expected);
}

#[test]
fn a_module_that_restarts() {
    all_end(
        |world| world.port.sim.borrow_mut().reset(),
        ECONNRESET,
        60_000,
    );
}

#[test]
fn a_context_that_is_lost() {
    let lose = |world: &SimWorld| {
        let mut sim = world.port.sim.borrow_mut();
        let now = sim.now();
        sim.schedule(When::At(now), Incident::PdpDeact(1));
    };
    all_end(lose, ECONNABORTED, 5_000);
}

#[test]
fn a_port_that_fails() {
    all_end(SimWorld::unplug, ENODEV, 1);
    let port = module();
    let (mut rx, mut tx) = ([0; 1500], [0; 1460]);
    let mut slots = [quectel_sockets::Slot::new(&mut rx, &mut tx)];
    let mut shared = Shared::new(&mut slots, config());
    let (stack, runner) = shared.split();
    let world = SimWorld::new(&port);
    let mut tasks = Tasks::new(world.clone());
    let (events, reset) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(None)));
    let list = Rc::clone(&events);
    tasks.spawn(async move {
        while let Some(event) = stack.event().await {
            list.borrow_mut().push(event);
        }
        list.borrow_mut().push(Event::ModuleLost);
    });
    let wanted = Rc::clone(&reset);
    tasks.spawn(async move { wanted.set(Some(stack.reset_wanted().await)) });
    let ended = tasks.block_on(async {
        let run = runner.run(world.line().0, world.line().1, world.clock.clone());
        let unplug = async {
            assert_eq!(stack.wait_network().await, (3, 1));
            assert_eq!(stack.module_info().model.as_str(), "EC25");
            world.unplug();
        };
        join(run, unplug).await.0
    });
    assert_eq!(ended, Ended::Read(Unplugged));
    tasks.settle();
    assert_eq!(*events.borrow(), [Event::Up, Event::ModuleLost]);
    assert_eq!((reset.get(), stack.fault().is_some()), (Some(false), true));
    // Nobody waits for what will not come.
    tasks.block_on(async {
        let mut socket = stack.tcp_socket().await.unwrap();
        let refused = socket.connect(address(ECHO)).await;
        assert_eq!(refused.map_err(Error::errno), Err(ENODEV));
        let none = stack.resolve("echo.example").await;
        let failed = ResolveError::Failed(Failure::ModuleLost);
        assert_eq!(none, Err(Error::Resolve(failed)));
        assert_ne!(stack.wait_network().await, (3, 1));
        assert_eq!(stack.event().await, None);
        socket.close().await.unwrap();
    });
}

/// After a restart the tasks connect again, by themselves.
#[test]
fn events_and_recovery() {
    let port = module();
    let config = quectel_sockets::Config {
        // Nothing is asked while the module starts.
        look_ms: 0,
        ..config()
    };
    on_sim!(tasks, stack, port, 1, config);
    let world = tasks.world.clone();
    let events = Rc::new(RefCell::new(Vec::new()));
    let list = Rc::clone(&events);
    tasks.spawn(async move {
        while let Some(event) = stack.event().await {
            list.borrow_mut().push(event);
        }
    });
    tasks.block_on(async {
        let mut buffer = [0; 16];
        for round in 0..3 {
            assert_eq!(stack.wait_network().await, (3, 1));
            let mut socket = stack.tcp_socket().await.unwrap();
            socket.connect(address(ECHO)).await.unwrap();
            socket.write_all(b"hello").await.unwrap();
            assert_eq!(socket.read(&mut buffer).await, Ok(5));
            // No command is outstanding, so none is missed before `RDY`.
            world.clock.0.sleep(500).await;
            world.port.sim.borrow_mut().reset();
            let restarted = Err(Error::Recv(RecvError::Failed(Failure::Restarted)));
            assert_eq!(socket.read(&mut buffer).await, restarted, "{round}");
            // The end of the data, from then on.
            assert_eq!(socket.read(&mut buffer).await, Ok(0));
        }
    });
    let expected = [Event::Up, Event::ModuleRestarted].repeat(3);
    assert_eq!(*events.borrow(), expected);
}

/// A module that does not answer at all: the task with the reset pin pulls
/// it, and the module comes back.
#[test]
fn the_reset_pin() {
    let port = module();
    port.sim.borrow_mut().power_off();
    let (mut rx, mut tx) = ([0; 1500], [0; 1460]);
    let mut slots = [quectel_sockets::Slot::new(&mut rx, &mut tx)];
    let mut shared = Shared::new(&mut slots, config());
    let (stack, runner) = shared.split();
    let world = SimWorld::new(&port);
    let mut tasks = Tasks::new(world.clone());
    let line = world.clone();
    tasks.spawn(async move {
        let (rx, tx) = line.line();
        runner.run(rx, tx, line.clock.clone()).await;
    });
    let pulses = Rc::new(Cell::new(0));
    let count = Rc::clone(&pulses);
    let module = world.clone();
    tasks.spawn(async move {
        while stack.reset_wanted().await {
            count.set(count.get() + 1);
            // Low for 300 ms.
            module.clock.0.sleep(300).await;
            module.port.sim.borrow_mut().power_on();
        }
    });
    assert_eq!(tasks.block_on(stack.wait_network()), (3, 1));
    assert_eq!(pulses.get(), 1);
}

#[test]
fn no_sim_card() {
    let port = SimPort::new(Config {
        sim_card: SimCard::Absent,
        ..Config::default()
    });
    let memory = vec![([0; 64], [0; 64]); 1];
    on_sim!(tasks, stack, port, memory, config(), down);
    assert_eq!(tasks.block_on(stack.wait_network()), (1, 0));
}

/// A connection ends in states 5, 10 and 0 after a shutdown.
#[test]
fn states() {
    let port = module();
    on_sim!(tasks, stack, port, 1);
    let world = tasks.world.clone();
    tasks.block_on(async {
        let mut socket = stack.tcp_socket().await.unwrap();
        assert_eq!(socket.state() as i8, 0);
        socket.connect(address(ECHO)).await.unwrap();
        socket.shutdown().unwrap();
        let mut states = vec![socket.state() as i8];
        for _ in 0..60_000 {
            world.clock.0.sleep(1).await;
            let state = socket.state() as i8;
            if states.last() != Some(&state) {
                states.push(state);
            }
        }
        assert_eq!(states, [4, 5, 10, 0]);
        assert_eq!(socket.shutdown().map_err(Error::errno), Err(107));
    });
}

/// One look-up runs, others wait for their turn: all are told.
#[test]
fn look_ups_in_a_row_when_the_port_fails() {
    let port = module();
    on_sim!(tasks, stack, port, 1);
    let log = Rc::new(RefCell::new(Vec::new()));
    for _ in 0..3 {
        let log = Rc::clone(&log);
        tasks.spawn(async move {
            let outcome = stack.resolve("silent.example").await;
            log.borrow_mut().push(outcome.map_err(Error::errno));
        });
    }
    tasks.settle();
    assert!(log.borrow().is_empty());
    tasks.world.unplug();
    tasks.settle();
    let told: Vec<_> = log.take().into_iter().map(Result::unwrap_err).collect();
    assert_eq!(told, [ENODEV; 3]);
}
