//! Many tasks: 12 sockets of which one floods, and the same on an executor
//! that is not ours.

mod support;

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
};

use futures_executor::LocalPool;
use futures_util::task::LocalSpawnExt;
use quectel_sim::{Config, Direction, Echo};
use quectel_sockets::{
    Slot,
    asynch::{Shared, Stack, TcpSocket},
};
use support::{
    sim::{SimPort, config, noise},
    tasks::{SimWorld, World, join},
};

const ECHO: &str = "192.0.2.7:7";
const SOCKETS: usize = 12;
/// Each socket has a turn in a round, and everything else one together.
const ROUND: usize = SOCKETS + 1;

fn module() -> SimPort {
    let port = SimPort::new(Config {
        baud: 921_600,
        trace: true,
        ..Config::default()
    });
    port.sim.borrow_mut().serve(ECHO.parse().unwrap(), || Echo);
    port
}

async fn connected<'a>(stack: Stack<'a>) -> TcpSocket<'a> {
    let echo: SocketAddr = ECHO.parse().unwrap();
    let mut socket = stack.tcp_socket().await.unwrap();
    socket.connect(echo).await.unwrap();
    socket
}

/// What comes back must be what was sent.
async fn flood(socket: &mut TcpSocket<'_>, len: usize) {
    let data = noise(len, 1);
    let (mut reader, mut writer) = socket.split();
    let write = async { writer.write_all(&data).await.unwrap() };
    let read = async {
        let (mut back, mut buffer) = (0, [0; 700]);
        while back < len {
            let n = reader.read(&mut buffer).await.unwrap();
            assert!(buffer[..n] == data[back..back + n]);
            back += n;
        }
    };
    join(write, read).await;
}

/// Commands that the host has sent, and what the module has told, in order.
fn log(port: &SimPort) -> Vec<(Direction, String)> {
    let sim = port.sim.borrow();
    let traced = sim.dialogue().iter();
    let text = traced.map(|it| (it.direction, it.bytes.escape_ascii().to_string()));
    text.collect()
}

/// Commands between `from` and the first one that starts so.
fn commands_until(log: &[(Direction, String)], from: usize, command: &str) -> Option<usize> {
    let sent = log[from..].iter();
    let mut sent = sent.filter(|(to, text)| *to == Direction::ToModule && text.starts_with("AT+"));
    sent.position(|(_, text)| text.starts_with(command))
}

#[test]
fn a_flood_keeps_nobody_waiting() {
    let port = module();
    on_sim!(tasks, stack, port, SOCKETS);
    let flooding = Rc::new(Cell::new(true));
    let connecting = Rc::new(Cell::new(0));
    // Length of the log when a small socket has written, and its payload.
    let written = Rc::new(RefCell::new(Vec::new()));
    let mut rest = Vec::new();
    for at in 0..SOCKETS - 1 {
        let (flooding, connecting) = (Rc::clone(&flooding), Rc::clone(&connecting));
        let (written, port) = (Rc::clone(&written), port.clone());
        let rounds = Rc::new(Cell::new(0));
        rest.push(Rc::clone(&rounds));
        tasks.spawn(async move {
            let mut socket = connected(stack).await;
            connecting.set(connecting.get() + 1);
            let mut buffer = [0; 100];
            // Told apart by their lengths.
            let data = vec![b'a' + at as u8; 50 + at];
            while flooding.get() {
                let before = port.sim.borrow().dialogue().len();
                written.borrow_mut().push((before, data.len()));
                socket.write_all(&data).await.unwrap();
                let mut filled = 0;
                while filled < data.len() {
                    filled += socket.read(&mut buffer[filled..data.len()]).await.unwrap();
                }
                assert_eq!(buffer[..filled], data);
                rounds.set(rounds.get() + 1);
            }
        });
    }
    let world = tasks.world.clone();
    tasks.block_on(async {
        let mut socket = connected(stack).await;
        while connecting.get() < SOCKETS - 1 {
            world.clock.0.sleep(10).await;
        }
        flood(&mut socket, 200_000).await;
        flooding.set(false);
    });
    let rounds: Vec<_> = rest.iter().map(|rounds| rounds.get()).collect();
    assert!(rounds.iter().all(|n| *n > 50), "{rounds:?}");
    // From `write` to the command that sends it.
    let log = log(&port);
    let mut slowest = 0;
    for (from, len) in written.take() {
        let sent = log[from..]
            .iter()
            .filter(|(to, _)| *to == Direction::ToModule);
        let mut commands = sent.filter(|(_, text)| text.starts_with("AT+"));
        let ours =
            |text: &str| text.starts_with("AT+QISEND=") && text.ends_with(&format!(",{len}\\r"));
        if let Some(waited) = commands.position(|(_, text)| ours(text)) {
            slowest = slowest.max(waited);
        }
    }
    assert!(
        (1..=2 * ROUND).contains(&slowest),
        "{slowest} commands first"
    );
    // From the URC to the command that reads.
    let mut slowest = 0;
    for (at, (to, text)) in log.iter().enumerate() {
        let id = text.strip_prefix("\\r\\n+QIURC: \\\"recv\\\",");
        if let Some(id) = id.filter(|_| *to == Direction::ToHost)
            && let Some(id) = id.strip_suffix("\\r\\n")
            && let Some(waited) = commands_until(&log, at, &format!("AT+QIRD={id},"))
        {
            slowest = slowest.max(waited);
        }
    }
    assert!(
        (1..=2 * ROUND).contains(&slowest),
        "{slowest} commands first"
    );
}

/// Tasks on the `futures` crate's executor, with memory that lives for ever,
/// as on a microcontroller.
#[test]
fn on_another_executor() {
    let port = module();
    let slots: Vec<_> = (0..3)
        .map(|_| {
            Slot::new(
                Box::leak(Box::new([0; 1500])),
                Box::leak(Box::new([0; 1460])),
            )
        })
        .collect();
    let shared = Box::leak(Box::new(Shared::new(slots.leak(), config())));
    let (stack, runner): (Stack<'static>, _) = shared.split();
    let mut world = SimWorld::new(&port);
    let mut pool = LocalPool::new();
    let line = world.clone();
    let run = async move {
        let (rx, tx) = line.line();
        runner.run(rx, tx, line.clock.clone()).await;
    };
    pool.spawner().spawn_local(run).unwrap();
    let done = Rc::new(Cell::new(0));
    for len in [10, 1_000, 20_000] {
        let done = Rc::clone(&done);
        let task = async move {
            assert_eq!(stack.wait_network().await, (3, 1));
            let mut socket = connected(stack).await;
            flood(&mut socket, len).await;
            socket.close().await.unwrap();
            done.set(done.get() + 1);
        };
        pool.spawner().spawn_local(task).unwrap();
    }
    while done.get() < 3 {
        pool.run_until_stalled();
        assert!(done.get() == 3 || world.advance());
    }
}
