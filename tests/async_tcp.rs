//! TCP through the `asynch` face on the simulated module.

mod support;

use std::net::SocketAddr;

use embedded_io_async::{Read, ReadReady, Write, WriteReady};
use quectel_sim::{Config, Echo, Unbound};
use quectel_sockets::{ConnectError, OpenError, asynch::Error};
use support::{
    sim::{SimPort, noise},
    tasks::join,
};

const ECHO: &str = "192.0.2.7:7";
const CLOSED: &str = "192.0.2.7:9";
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
        sim.set_unbound(address(CLOSED), Unbound::Refuse);
        sim.set_silent(address(SILENT).ip(), true);
    }
    port
}

#[test]
fn connect_write_read_close() {
    let port = module();
    on_sim!(tasks, stack, port, 1);
    tasks.block_on(async {
        let mut socket = stack.tcp_socket().await.unwrap();
        socket.connect(address(ECHO)).await.unwrap();
        assert_eq!(socket.state() as i8, 4);
        assert_eq!(socket.remote_addr(), Ok(address(ECHO)));
        socket.write_all(b"hello").await.unwrap();
        socket.flush().await.unwrap();
        let mut buffer = [0; 5];
        socket.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"hello");
        socket.close().await.unwrap();
    });
    let sent = port.sent();
    assert_eq!(sent.matches("AT+QIOPEN").count(), 1);
    assert_eq!(sent.matches("AT+QICLOSE=0,10\r").count(), 1);
}

#[test]
fn refused_and_timed_out() {
    let port = module();
    on_sim!(tasks, stack, port, 1);
    tasks.block_on(async {
        let mut socket = stack.tcp_socket().await.unwrap();
        let refused = socket.connect(address(CLOSED)).await;
        assert_eq!(refused, Err(Error::Connect(ConnectError::Refused)));
        // The socket's own time-out, and another attempt at once.
        socket.set_timeout(Some(5_000));
        let start = port.ms();
        assert_eq!(socket.connect(address(SILENT)).await, Err(Error::TimedOut));
        let waited = port.ms() - start;
        assert!((5_000..5_200).contains(&waited), "{waited}");
        assert_eq!(socket.connect(address(ECHO)).await, Ok(()));
        socket.write_all(b"x").await.unwrap();
        let mut buffer = [0; 4];
        assert_eq!(socket.read(&mut buffer).await, Ok(1));
        // A read's, too, from the call on.
        socket.set_timeout(Some(70_000));
        let start = port.ms();
        assert_eq!(socket.read(&mut buffer).await, Err(Error::TimedOut));
        let waited = port.ms() - start;
        assert!((70_000..70_010).contains(&waited), "{waited}");
    });
}

/// 100 kB there and back through the two halves.
#[test]
fn echo_through_two_halves() {
    let port = module();
    on_sim!(tasks, stack, port, 1);
    let data = noise(100_000, 1);
    tasks.block_on(async {
        let mut socket = stack.tcp_socket().await.unwrap();
        socket.connect(address(ECHO)).await.unwrap();
        let (mut reader, mut writer) = socket.split();
        let write = async {
            for part in data.chunks(777) {
                Write::write_all(&mut writer, part).await.unwrap();
            }
            writer.flush().await.unwrap();
            writer.wait_acked().await.unwrap();
        };
        let read = async {
            let mut all = vec![0; data.len()];
            reader.read_exact(&mut all).await.unwrap();
            all
        };
        let ((), all) = join(write, read).await;
        assert!(all == data);
        socket.close().await.unwrap();
    });
}

/// What would not wait, on the socket and on its halves.
#[test]
fn readiness() {
    let port = module();
    on_sim!(tasks, stack, port, 1);
    let world = tasks.world.clone();
    tasks.block_on(async {
        let mut socket = stack.tcp_socket().await.unwrap();
        socket.connect(address(ECHO)).await.unwrap();
        assert_eq!(
            (socket.read_ready(), socket.write_ready()),
            (Ok(false), Ok(true))
        );
        let (mut reader, mut writer) = socket.split();
        // The ring is full before the runner has its turn.
        assert_eq!(writer.write(&[1; 2_000]).await, Ok(1_460));
        assert_eq!(
            (reader.read_ready(), writer.write_ready()),
            (Ok(false), Ok(false))
        );
        world.clock.0.sleep(2_000).await;
        assert_eq!(
            (reader.read_ready(), writer.write_ready()),
            (Ok(true), Ok(true))
        );
        let mut back = [0; 1_460];
        reader.read_exact(&mut back).await.unwrap();
        assert_eq!((back, reader.read_ready()), ([1; 1_460], Ok(false)));
    });
}

/// With one slot: while its connection is being closed, one call fails at once, the other waits.
#[test]
fn a_slot_that_is_being_freed() {
    let port = module();
    on_sim!(tasks, stack, port, 1);
    tasks.block_on(async {
        let mut socket = stack.try_tcp_socket().unwrap();
        let full = Err(Error::Open(OpenError::NoSlot));
        assert_eq!(stack.try_udp_socket().map(drop), full);
        assert_eq!(stack.udp_socket().await.map(drop), full);
        socket.connect(address(ECHO)).await.unwrap();
        drop(socket);
        assert_eq!(stack.try_tcp_socket().map(drop), full);
        let mut socket = stack.tcp_socket().await.unwrap();
        socket.connect(address(ECHO)).await.unwrap();
        socket.close().await.unwrap();
        stack.try_udp_socket().unwrap();
    });
}
