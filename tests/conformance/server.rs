//! TCP servers.

use quectel_sim::{Record, Sink};
use quectel_sockets::socket::{POLLIN, POLLOUT};

use super::*;

/// MicroPython `accept_nonblock`
#[test]
fn accept_without_blocking_is_eagain() {
    on(|_, stack| {
        let mut listener = listener(stack, 1);
        listener.setblocking(false);
        assert_eq!(errno(listener.accept()), 11);
    });
}

/// MicroPython `accept_timeout`
#[test]
fn accept_times_out() {
    on(|port, stack| {
        let mut listener = listener(stack, 1);
        listener.settimeout(Some(1.0)).unwrap();
        let start = port.ms();
        assert_eq!(errno(listener.accept()), 110);
        assert_eq!(port.ms() - start, 1_000);
    });
}

/// MicroPython `tcp_accept_recv`
#[test]
fn every_backlog_lets_one_in() {
    for backlog in [None, Some(0), Some(1), Some(2)] {
        on(|port, stack| {
            let mut listener = listener(stack, backlog);
            dial(&mut port.sim.borrow_mut(), "198.51.100.7:5000", Echo);
            let (mut client, from) = listener.accept().unwrap();
            assert_eq!(from, address("198.51.100.7:5000"));
            client.sendall(b"hello").unwrap();
            let mut buffer = [0; 5];
            assert_eq!(client.read(&mut buffer), Ok(Some(5)));
            assert_eq!(&buffer, b"hello");
        });
    }
}

/// MicroPython `tcp_accept_recv`
#[test]
fn recv_on_a_listener_is_enotconn() {
    on(|_, stack| {
        let mut listener = listener(stack, 1);
        assert_eq!(errno(listener.recv(&mut [0; 4])), 107);
        listener.setblocking(false);
        assert_eq!(errno(listener.recv(&mut [0; 4])), 107);
        assert_eq!(errno(listener.send(b"a")), 107);
    });
}

/// The reference page: a pair of a new socket and an address. QuecPython: the
/// new socket blocks whatever its listener does.
#[test]
fn the_accepted_socket_blocks() {
    on(|port, stack| {
        let mut listener = listener(stack, 1);
        listener.settimeout(Some(5.0)).unwrap();
        let peer = |io: &mut PeerIo| io.wake_at(io.now() + 30_000_000);
        dial(&mut port.sim.borrow_mut(), "198.51.100.7:5000", Later(peer));
        let (mut client, _) = listener.accept().unwrap();
        let start = port.ms();
        assert_eq!(client.recv(&mut [0; 4]), Ok(4));
        assert!(port.ms() - start > 20_000);
    });
}

/// Says something late.
struct Later<F>(F);

impl<F: FnMut(&mut PeerIo) + Send> Peer for Later<F> {
    fn connected(&mut self, io: &mut PeerIo) {
        (self.0)(io);
    }

    fn woken(&mut self, io: &mut PeerIo) {
        io.send(b"late");
    }
}

/// MicroPython `asyncio_start_server`
#[test]
fn a_port_is_in_use_until_its_listener_is_closed() {
    on(|_, stack| {
        let mut first = listener(stack, 1);
        let mut second = tcp(stack);
        second.bind(("", 8080)).unwrap();
        // A module says so when the listener is opened.
        assert_eq!(errno(second.listen(1)), 98);
        first.close().unwrap();
        assert_eq!(second.listen(1), Ok(()));
        second.close().unwrap();
        let _third = listener(stack, 1);
    });
}

#[test]
fn connections_beyond_the_backlog_are_closed() {
    on(|port, stack| {
        let mut listener = listener(stack, 2);
        let record = Record::new();
        for client in 0..4 {
            let peer = record.of(|| Sink)();
            dial(
                &mut port.sim.borrow_mut(),
                &format!("198.51.100.7:{}", 5_000 + client),
                peer,
            );
            stack.poll_until(2_000, || false).unwrap();
        }
        let ports = [0, 1].map(|_| listener.accept().unwrap().1.port());
        assert_eq!(ports, [5_000, 5_001]);
        listener.setblocking(false);
        assert_eq!(errno(listener.accept()), 11);
    });
}

#[test]
fn poll_of_a_listener_tells_of_a_connection() {
    on(|port, stack| {
        let mut listener = listener(stack, 1);
        assert_eq!(listener.poll(POLLIN | POLLOUT, Some(1.0)), Ok(0));
        dial(&mut port.sim.borrow_mut(), "198.51.100.7:5000", Echo);
        assert_eq!(listener.poll(POLLIN | POLLOUT, Some(5.0)), Ok(POLLIN));
    });
}

#[test]
fn a_listener_is_in_state_1_and_a_connection_in_4() {
    on(|port, stack| {
        let mut listener = listener(stack, 1);
        assert_eq!(listener.getsocketsta(), 1);
        assert_eq!(listener.getsockname().unwrap().port(), 8_080);
        dial(&mut port.sim.borrow_mut(), "198.51.100.7:5000", Echo);
        let (mut client, _) = listener.accept().unwrap();
        assert_eq!(client.getsocketsta(), 4);
        assert_eq!(client.getpeername(), Ok(address("198.51.100.7:5000")));
        listener.close().unwrap();
        assert_eq!((listener.getsocketsta(), client.getsocketsta()), (-1, 4));
        // It outlives its listener.
        client.sendall(b"still there").unwrap();
        let mut buffer = [0; 11];
        assert_eq!(client.read(&mut buffer), Ok(Some(11)));
    });
}

/// Without `bind` a port is chosen.
#[test]
fn a_listener_without_a_port() {
    on(|_, stack| {
        let mut listener = tcp(stack);
        listener.listen(None).unwrap();
        assert!(listener.getsockname().unwrap().port() >= 49_152);
    });
}

#[test]
fn accept_needs_a_listener() {
    on(|_, stack| {
        assert_eq!(errno(tcp(stack).accept()), 22);
        assert_eq!(errno(connected(stack, ECHO).accept()), 22);
        assert_eq!(errno(connected(stack, ECHO).listen(1)), 22);
        assert_eq!(errno(udp(stack).listen(1)), 95);
    });
}

#[test]
fn several_listeners() {
    on(|port, stack| {
        let mut first = listener(stack, 1);
        let mut second = tcp(stack);
        second.bind(("", 8081)).unwrap();
        second.listen(1).unwrap();
        {
            let mut sim = port.sim.borrow_mut();
            assert!(sim.dial(address("198.51.100.7:5001"), 8081, Echo));
            assert!(sim.dial(address("198.51.100.7:5000"), 8080, Echo));
        }
        assert_eq!(first.accept().unwrap().1.port(), 5_000);
        assert_eq!(second.accept().unwrap().1.port(), 5_001);
    });
}
