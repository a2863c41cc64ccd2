//! TCP clients.

use quectel_sim::{Record, Sink};
use quectel_sockets::socket::{
    POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, SHUT_RD, SHUT_RDWR, SHUT_WR,
};

use super::*;
use crate::support::sim::{noise, on_stack};

/// MicroPython `socket_tcp_basic`
#[test]
fn recv_before_connect_is_enotconn() {
    on(|_, stack| assert_eq!(errno(tcp(stack).recv(&mut [0; 4])), 107));
}

/// MicroPython `socket_fileno`
#[test]
fn fileno_is_minus_one_after_close() {
    on(|_, stack| {
        let mut socket = tcp(stack);
        assert!(socket.fileno() >= 0);
        socket.close().unwrap();
        assert_eq!(socket.fileno(), -1);
    });
}

/// MicroPython `connect_nonblock`
#[test]
fn connect_without_blocking_is_einprogress() {
    on(|_, stack| {
        let mut socket = tcp(stack);
        socket.setblocking(false);
        assert_eq!(errno(socket.connect(address(ECHO))), 115);
    });
}

/// MicroPython `connect_nonblock_xfer`
#[test]
fn a_connect_that_runs_would_block() {
    for to in [ECHO, SILENT] {
        on(|_, stack| {
            let mut socket = tcp(stack);
            socket.setblocking(false);
            assert_eq!(errno(socket.connect(address(to))), 115);
            assert_eq!(socket.poll(POLLIN | POLLOUT, Some(0.0)), Ok(0));
            assert_eq!(errno(socket.send(b"a")), 11);
            assert_eq!(socket.write(b"a"), Ok(None));
            assert_eq!(errno(socket.recv(&mut [0; 4])), 11);
            assert_eq!(socket.read(&mut [0; 4]), Ok(None));
        });
    }
}

/// MicroPython `connect_poll`
#[test]
fn poll_before_during_and_after_connect() {
    on(|_, stack| {
        let mut socket = tcp(stack);
        let all = POLLIN | POLLOUT;
        assert_eq!(socket.poll(all, Some(0.0)), Ok(POLLOUT | POLLHUP));
        socket.setblocking(false);
        assert_eq!(errno(socket.connect(address(ECHO))), 115);
        assert_eq!(socket.poll(all, Some(0.0)), Ok(0));
        assert_eq!(socket.poll(all, Some(5.0)), Ok(POLLOUT));
        assert_eq!(socket.connect(address(ECHO)), Ok(()));
        socket.send(b"a").unwrap();
        assert_eq!(socket.poll(POLLIN, Some(5.0)), Ok(POLLIN));
    });
}

/// QuecPython: a second connect is EALREADY; decided: EISCONN once connected.
#[test]
fn a_second_connect_is_ealready_then_eisconn() {
    on(|_, stack| {
        let mut socket = tcp(stack);
        socket.setblocking(false);
        assert_eq!(errno(socket.connect(address(ECHO))), 115);
        assert_eq!(errno(socket.connect(address(ECHO))), 114);
        assert_eq!(errno(socket.connect(address(LINES_AT))), 114);
        socket.poll(POLLOUT, None).unwrap();
        assert_eq!(socket.connect(address(ECHO)), Ok(()));
        assert_eq!(errno(socket.connect(address(LINES_AT))), 106);
    });
}

/// Decided: QuecPython's new port says 104, Linux 111.
#[test]
fn a_refused_connect_is_econnrefused() {
    on(|_, stack| {
        let mut socket = tcp(stack);
        assert_eq!(errno(socket.connect(address(REFUSES))), 111);
        // And the socket can be used again.
        assert_eq!(socket.connect(address(ECHO)), Ok(()));
    });
}

/// MicroPython `tcp_data`
#[test]
fn sixteen_bytes_each_way() {
    on(|_, stack| {
        let mut socket = connected(stack, ECHO);
        let mut buffer = [0; 16];
        assert_eq!(socket.send(b"0123456789abcdef"), Ok(16));
        assert_eq!(socket.read(&mut buffer), Ok(Some(16)));
        assert_eq!(&buffer, b"0123456789abcdef");
        socket.close().unwrap();
    });
}

/// MicroPython `tcp_sendall`: 8 KiB through a send buffer of 1 KiB.
#[test]
fn sendall_sends_all() {
    let port = world();
    let record = Record::new();
    let sink = record.of(|| Sink);
    port.sim.borrow_mut().serve(address("192.0.2.7:9"), sink);
    let data = noise(8 * 1_024, 5);
    let (mut rx, mut tx) = ([0; 512], [0; 1_024]);
    let mut slots = [quectel_sockets::Slot::new(&mut rx, &mut tx)];
    let stack = Stack::new(port.clone(), &mut slots, support::sim::config());
    let network = quectel_sockets::CheckNetwork::new(&stack, "test", "1");
    assert_eq!(network.wait_network_connected(30), Ok((3, 1)));
    let mut socket = connected(&stack, "192.0.2.7:9");
    socket.sendall(&data).unwrap();
    socket.close().unwrap();
    stack.poll_until(1_000, || false).unwrap();
    assert_eq!(record.data(0), data);
}

/// QuecPython: `send` may be short, without blocking.
#[test]
fn send_without_blocking_takes_what_fits() {
    on(|_, stack| {
        let mut socket = connected(stack, ECHO);
        socket.setblocking(false);
        assert_eq!(socket.send(&[b'a'; 2_000]), Ok(1_460));
        assert_eq!(errno(socket.send(b"a")), 11);
        assert_eq!(socket.write(b"a"), Ok(None));
        assert_eq!(errno(socket.sendall(b"a")), 11);
    });
}

/// MicroPython `tcp_recv_peek`
#[test]
fn peeking_takes_nothing() {
    on(|_, stack| {
        let mut socket = connected(stack, ECHO);
        socket.sendall(b"abcdefgh").unwrap();
        let mut buffer = [0; 8];
        socket.poll(POLLIN, None).unwrap();
        for _ in 0..2 {
            assert_eq!(socket.recv_peek(&mut buffer[..3]), Ok(3));
            assert_eq!(&buffer[..3], b"abc");
        }
        assert_eq!(socket.recv_peek(&mut buffer), Ok(8));
        assert_eq!(socket.recv(&mut buffer), Ok(8));
        assert_eq!(&buffer, b"abcdefgh");
    });
}

/// MicroPython `asyncio_tcp_readall`, QuecPython (new): `b""` for ever.
#[test]
fn the_end_of_the_data_is_told_again_and_again() {
    on(|_, stack| {
        let mut socket = connected(stack, LINES_AT);
        let mut buffer = [0; 64];
        assert_eq!(socket.read(&mut buffer), Ok(Some(LINES.len())));
        assert_eq!(&buffer[..LINES.len()], LINES);
        for _ in 0..3 {
            assert_eq!(socket.recv(&mut buffer), Ok(0));
            assert_eq!(socket.read(&mut buffer), Ok(Some(0)));
        }
        assert_eq!(socket.poll(POLLIN, Some(0.0)), Ok(POLLIN | POLLHUP));
    });
}

/// MicroPython `tcp_client_rst` expects ECONNRESET behind the data. Modules
/// report FIN and RST alike, so what is read ends as after a FIN; the next
/// send tells.
#[test]
fn a_reset_behind_data() {
    on(|_, stack| {
        let mut socket = connected(stack, RESET_AT);
        let mut buffer = [0; 64];
        assert_eq!(socket.read(&mut buffer[..10]), Ok(Some(10)));
        assert_eq!(socket.read(&mut buffer[10..18]), Ok(Some(8)));
        assert_eq!(&buffer[..18], &LINES[..18]);
        socket.poll(0, None).unwrap();
        assert!(matches!(socket.recv(&mut buffer), Ok(0)));
        assert_eq!(errno(socket.send(b"a")), 32);
        socket.close().unwrap();
        assert_eq!(socket.poll(POLLIN, Some(0.0)), Ok(POLLNVAL));
        assert_eq!(errno(socket.recv(&mut buffer)), 9);
    });
}

/// A reset with data of ours on its way is an error.
#[test]
fn a_reset_before_data_was_sent() {
    on(|port, stack| {
        let mut socket = connected(stack, ECHO);
        socket.setblocking(false);
        port.sim.borrow_mut().fail_sends(1_000);
        assert_eq!(socket.send(b"never taken"), Ok(11));
        stack.poll_until(1_000, || false).unwrap();
        port.sim
            .borrow_mut()
            .with_peer(address(ECHO), |io| io.abort())
            .unwrap();
        stack.poll_until(5_000, || false).unwrap();
        assert_eq!(errno(socket.send(b"a")), 104);
        assert_eq!(
            socket.poll(0, Some(0.0)).unwrap() & (POLLERR | POLLHUP),
            POLLHUP
        );
    });
}

#[test]
fn sending_after_the_peers_fin_is_epipe() {
    on(|_, stack| {
        let mut socket = connected(stack, LINES_AT);
        socket.read(&mut [0; 64]).unwrap();
        assert_eq!(errno(socket.send(b"a")), 32);
        assert_eq!(socket.getsocketsta(), 7);
    });
}

/// Modules have no half-close.
#[test]
fn half_a_shutdown_is_eopnotsupp() {
    on(|_, stack| {
        let mut socket = connected(stack, ECHO);
        assert_eq!(errno(socket.shutdown(SHUT_RD)), 95);
        assert_eq!(errno(socket.shutdown(SHUT_WR)), 95);
        assert_eq!(socket.shutdown(SHUT_RDWR), Ok(()));
        assert_eq!(errno(socket.send(b"a")), 32);
        assert_eq!(errno(tcp(stack).shutdown(SHUT_RDWR)), 107);
    });
}

/// QuecPython: close is idempotent; MicroPython: everything else is EBADF.
#[test]
fn a_closed_socket_is_ebadf() {
    on(|_, stack| {
        let mut socket = connected(stack, ECHO);
        socket.close().unwrap();
        socket.close().unwrap();
        assert_eq!(errno(socket.connect(address(ECHO))), 9);
        assert_eq!(errno(socket.send(b"a")), 9);
        assert_eq!(errno(socket.recv(&mut [0; 4])), 9);
        assert_eq!(errno(socket.bind(("", 1))), 9);
        assert_eq!(errno(socket.listen(1)), 9);
        assert_eq!(errno(socket.accept()), 9);
        assert_eq!(errno(socket.getpeername()), 9);
        assert_eq!(errno(socket.setsockopt(0xfff, 4, 1)), 9);
        assert_eq!(socket.getsocketsta(), -1);
    });
}

#[test]
fn names_of_both_ends() {
    on(|_, stack| {
        let mut socket = tcp(stack);
        assert_eq!(errno(socket.getpeername()), 107);
        socket.bind(("", 4_000)).unwrap();
        socket.connect(address(ECHO)).unwrap();
        assert_eq!(socket.getpeername(), Ok(address(ECHO)));
        assert_eq!(socket.getsockname().unwrap().port(), 4_000);
    });
}

/// QuecPython: `bind` on a client, with the protocol TCP_CUSTOMIZE_PORT.
#[test]
fn a_client_with_a_port_of_its_own() {
    use quectel_sockets::socket::{SOCK_STREAM, TCP_CUSTOMIZE_PORT};
    on(|port, stack| {
        let mut socket = stack
            .socket(AF_INET, SOCK_STREAM, TCP_CUSTOMIZE_PORT)
            .unwrap();
        socket.bind(("", 4_001)).unwrap();
        assert_eq!(errno(socket.bind(("", 4_002))), 22);
        socket.connect(address(ECHO)).unwrap();
        assert!(port.sent().contains(",7,4001,0\r"));
        let mut other = tcp(stack);
        assert_eq!(errno(other.bind(("192.0.2.250", 1))), 99);
        other.bind(("", 4_001)).unwrap();
        assert_eq!(errno(other.connect(address(ECHO))), 98);
    });
}

/// What was taken arrives, even if the socket is dropped at once.
#[test]
fn what_was_taken_arrives() {
    let port = world();
    let record = Record::new();
    let sink = record.of(|| Sink);
    port.sim.borrow_mut().serve(address("192.0.2.7:9"), sink);
    on_stack(&port, 1, |stack| {
        let mut socket = connected(stack, "192.0.2.7:9");
        socket.setblocking(false);
        assert_eq!(socket.send(b"last words"), Ok(10));
        drop(socket);
        stack.poll_until(20_000, || false).unwrap();
    });
    assert_eq!(record.data(0), b"last words");
}
