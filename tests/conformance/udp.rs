//! UDP.

use quectel_sockets::socket::{POLLIN, POLLOUT};

use super::*;

/// MicroPython `socket_udp_nonblock`
#[test]
fn recv_without_blocking_is_eagain() {
    on(|_, stack| {
        let mut socket = udp(stack);
        socket.bind(("", 5_683)).unwrap();
        socket.settimeout(Some(0.0)).unwrap();
        assert_eq!(errno(socket.recv(&mut [0; 4])), 11);
        assert_eq!(errno(socket.recvfrom(&mut [0; 4])), 11);
        assert_eq!(socket.read(&mut [0; 4]), Ok(None));
    });
}

/// MicroPython `udp_data`: 4 sockets, 10 requests each. Here none is lost.
#[test]
fn requests_and_replies() {
    on(|_, stack| {
        for at in 0..4u8 {
            let mut socket = udp(stack);
            socket.settimeout(Some(5.0)).unwrap();
            for request in 0..10u8 {
                let data = [at, request, b'\n', 0x1a];
                assert_eq!(socket.sendto(&data, address(ECHO)), Ok(4));
                let mut buffer = [0; 16];
                assert_eq!(socket.recvfrom(&mut buffer), Ok((4, address(ECHO))));
                assert_eq!(buffer[..4], data);
            }
        }
    });
}

/// MicroPython `udp_data_multi`: boundaries are kept in bursts.
#[test]
fn bursts_keep_their_boundaries() {
    on(|port, stack| {
        let mut socket = udp(stack);
        socket.bind(("", 5_683)).unwrap();
        socket.settimeout(Some(5.0)).unwrap();
        for len in [1usize, 700, 3, 1_400] {
            let data = vec![len as u8; len];
            let sent = port
                .sim
                .borrow_mut()
                .send_datagram(address(ECHO), 5_683, &data);
            assert!(sent);
        }
        for len in [1, 700, 3, 1_400] {
            let mut buffer = [0; 1_500];
            assert_eq!(socket.recvfrom(&mut buffer), Ok((len, address(ECHO))));
            assert_eq!(buffer[..len], vec![len as u8; len]);
        }
    });
}

/// MicroPython `udp_recv_peek`
#[test]
fn peeking_leaves_the_datagram() {
    on(|_, stack| {
        let mut socket = udp(stack);
        socket.connect(address(ECHO)).unwrap();
        socket.send(b"datagram").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(socket.recv_peek(&mut buffer), Ok(8));
        assert_eq!(socket.recv_peek(&mut buffer[..5]), Ok(5));
        assert_eq!(socket.recvfrom(&mut buffer), Ok((8, address(ECHO))));
        assert_eq!(&buffer[..8], b"datagram");
    });
}

#[test]
fn a_datagram_that_does_not_fit_is_cut_and_says_so() {
    on(|_, stack| {
        let mut socket = udp(stack);
        socket.connect(address(ECHO)).unwrap();
        socket.send(b"datagram").unwrap();
        socket.send(b"next").unwrap();
        let mut buffer = [0; 5];
        let received = socket.recv_datagram(&mut buffer).unwrap();
        assert_eq!((received.len, received.whole, &buffer), (5, 8, b"datag"));
        assert!(received.is_truncated());
        assert_eq!(socket.recv(&mut buffer), Ok(4));
    });
}

#[test]
fn only_the_peer_is_heard_once_there_is_one() {
    on(|port, stack| {
        let mut socket = udp(stack);
        socket.bind(("", 5_683)).unwrap();
        socket.connect(address(ECHO)).unwrap();
        let say = |from: &str, data: &[u8]| {
            let from = address(from);
            assert!(port.sim.borrow_mut().send_datagram(from, 5_683, data));
        };
        say("198.51.100.9:9", b"stranger");
        say(ECHO, b"peer");
        let mut buffer = [0; 16];
        assert_eq!(socket.recv(&mut buffer), Ok(4));
        assert_eq!(&buffer[..4], b"peer");
    });
}

#[test]
fn what_cannot_be_sent() {
    on(|_, stack| {
        let mut socket = udp(stack);
        assert_eq!(errno(socket.send(b"a")), 89);
        assert_eq!(errno(socket.sendto(&[0; 1_461], address(ECHO))), 90);
        assert_eq!(errno(socket.sendto(b"", address(ECHO))), 95);
        assert_eq!(errno(socket.sendto(b"a", address("192.0.2.7:0"))), 22);
        assert_eq!(errno(socket.sendto(b"a", address("[2001:db8::7]:7"))), 97);
        // The largest that there is.
        assert_eq!(socket.sendto(&[1; 1_438], address(ECHO)), Ok(1_438));
        socket.close().unwrap();
        let mut socket = udp(stack);
        socket.connect(address(ECHO)).unwrap();
        assert_eq!(errno(socket.sendto(b"a", address(SILENT))), 106);
        assert_eq!(socket.sendto(b"a", address(ECHO)), Ok(1));
    });
}

/// Decided: 0, then 4 once open.
#[test]
fn the_state_of_a_udp_socket() {
    on(|_, stack| {
        let mut socket = udp(stack);
        assert_eq!(socket.getsocketsta(), 0);
        socket.bind(("", 5_683)).unwrap();
        assert_eq!(socket.getsocketsta(), 4);
        socket.close().unwrap();
        assert_eq!(socket.getsocketsta(), -1);
    });
}

#[test]
fn a_port_that_is_in_use() {
    on(|_, stack| {
        let mut first = udp(stack);
        first.bind(("", 5_683)).unwrap();
        let mut second = udp(stack);
        assert_eq!(errno(second.bind(("", 5_683))), 98);
        assert_eq!(second.bind(("", 5_684)), Ok(()));
        assert_eq!(errno(second.bind(("", 5_685))), 22);
    });
}

#[test]
fn poll_tells_of_a_datagram() {
    on(|port, stack| {
        let mut socket = udp(stack);
        socket.bind(("", 5_683)).unwrap();
        assert_eq!(socket.poll(POLLIN | POLLOUT, Some(0.0)), Ok(POLLOUT));
        assert_eq!(socket.poll(POLLIN, Some(1.0)), Ok(0));
        let sent = port
            .sim
            .borrow_mut()
            .send_datagram(address(ECHO), 5_683, b"a");
        assert!(sent);
        assert_eq!(socket.poll(POLLIN, Some(5.0)), Ok(POLLIN));
    });
}

/// A socket that nobody bound has nothing to wait for: it would wait for
/// ever. (QuecPython counts it as connected.)
#[test]
fn recv_before_bind_is_enotconn() {
    on(|_, stack| assert_eq!(errno(udp(stack).recv(&mut [0; 4])), 107));
}
