//! The rest of the reference page: lines, files, options, constants, states.

use embedded_io::{BufRead, Read, Write};
use quectel_sockets::socket::{
    AF_INET6, IPPROTO_TCP, IPPROTO_TCP_SER, IPPROTO_UDP, Mode, SHUT_RDWR, SO_REUSEADDR, SOCK_RAW,
    SOCK_STREAM, SOL_SOCKET, TCP_CUSTOMIZE_PORT, TCP_KEEPALIVE,
};

use super::*;

/// As lwIP and QuecPython number them.
#[test]
fn the_constants() {
    assert_eq!((AF_INET as u8, AF_INET6 as u8), (2, 10));
    assert_eq!(
        (SOCK_STREAM as u8, SOCK_DGRAM as u8, SOCK_RAW as u8),
        (1, 2, 3)
    );
    assert_eq!((IPPROTO_TCP.0, IPPROTO_UDP.0), (6, 17));
    assert_eq!((IPPROTO_TCP_SER.0, TCP_CUSTOMIZE_PORT.0), (7, 8));
    assert_eq!((SOL_SOCKET, SO_REUSEADDR, TCP_KEEPALIVE), (0xfff, 4, 2));
}

/// Without a line feed at the end of the data, the rest is a line.
#[test]
fn readline() {
    on(|_, stack| {
        let mut socket = connected(stack, LINES_AT);
        for line in ["first\n", "second\n", "\n", "last", ""] {
            let mut buffer = [0; 32];
            let n = socket.readline(&mut buffer).unwrap().unwrap();
            assert_eq!(&buffer[..n], line.as_bytes());
        }
    });
}

#[test]
fn readinto() {
    on(|_, stack| {
        let mut socket = connected(stack, LINES_AT);
        let mut buffer = [0; 32];
        assert_eq!(socket.readinto(&mut buffer, Some(3)), Ok(Some(3)));
        assert_eq!(&buffer[..3], b"fir");
        let rest = socket.readinto(&mut buffer, None).unwrap().unwrap();
        assert_eq!(&buffer[..rest], &LINES[3..3 + rest]);
        socket.setblocking(false);
    });
}

#[test]
fn makefile() {
    on(|_, stack| {
        let mut socket = connected(stack, LINES_AT);
        let mut memory = [0; 8];
        let mut file = socket.makefile(Mode::Read, &mut memory);
        let mut line = [0; 32];
        assert_eq!(file.readline(&mut line), Ok(6));
        assert_eq!(file.fill_buf().unwrap()[0], b's');
        let mut rest = [0; 12];
        file.read_exact(&mut rest).unwrap();
        assert_eq!(rest, LINES[6..]);
        assert_eq!(file.read(&mut rest), Ok(0));
        assert_eq!(errno(Write::write(&mut file, b"a")), 22);
        let mut socket = connected(stack, ECHO);
        let mut file = socket.makefile(Mode::Write, &mut memory);
        file.write_all(b"hello").unwrap();
        file.flush().unwrap();
        assert_eq!(errno(file.read(&mut rest)), 22);
        let mut file = socket.makefile(Mode::ReadWrite, &mut memory);
        file.write_all(b" world").unwrap();
        let mut answer = [0; 11];
        file.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello world");
    });
}

/// The page's example: `send(bytes, address)` on a connected socket.
#[test]
fn send_with_an_address() {
    on(|_, stack| {
        let mut socket = connected(stack, ECHO);
        assert_eq!(socket.sendto(b"hello", address(ECHO)), Ok(5));
        assert_eq!(errno(socket.sendto(b"hello", address(SILENT))), 106);
        let mut buffer = [0; 5];
        socket.read(&mut buffer).unwrap();
        assert_eq!(socket.sendto(b"hello", address(ECHO)), Ok(5));
        assert_eq!(socket.recvfrom(&mut buffer), Ok((5, address(ECHO))));
        assert_eq!(errno(tcp(stack).sendto(b"a", address(ECHO))), 107);
    });
}

/// Integers and bytes; an option that modules do not have is ENOPROTOOPT.
#[test]
fn setsockopt() {
    on(|_, stack| {
        let mut socket = tcp(stack);
        socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1).unwrap();
        socket
            .setsockopt(SOL_SOCKET, SO_REUSEADDR, &[1, 0, 0, 0])
            .unwrap();
        let nodelay = socket.setsockopt(6, 1, 1);
        assert_eq!(errno(nodelay), 92);
        assert_eq!(errno(socket.setsockopt(0, SO_REUSEADDR, 1)), 92);
        assert_eq!(
            errno(socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, &[1, 2, 3])),
            22
        );
        for wrong in [-1, 121, 1_000] {
            assert_eq!(
                errno(socket.setsockopt(SOL_SOCKET, TCP_KEEPALIVE, wrong)),
                22
            );
        }
        assert_eq!(
            errno(udp(stack).setsockopt(SOL_SOCKET, TCP_KEEPALIVE, 5)),
            92
        );
    });
}

/// Minutes, set in the module before the connect.
#[test]
fn keep_alive() {
    on(|port, stack| {
        let mut socket = tcp(stack);
        socket.setsockopt(SOL_SOCKET, TCP_KEEPALIVE, 5).unwrap();
        assert!(!port.sent().contains("keepalive"));
        socket.connect(address(ECHO)).unwrap();
        assert!(
            port.sent()
                .contains("AT+QICFG=\"tcp/keepalive\",1,5,25,3\rAT+QIOPEN")
        );
        // Global in the module: who does not want it says so.
        let _other = connected(stack, ECHO);
        assert!(
            port.sent()
                .contains("AT+QICFG=\"tcp/keepalive\",0\rAT+QIOPEN")
        );
    });
}

#[test]
fn the_states_of_a_life() {
    on(|_, stack| {
        let mut socket = tcp(stack);
        let mut states = vec![socket.getsocketsta()];
        socket.setblocking(false);
        assert_eq!(errno(socket.connect(address(ECHO))), 115);
        for _ in 0..40_000 {
            let state = socket.getsocketsta();
            if states.last() != Some(&state) {
                states.push(state);
            }
            if state == 4 {
                socket.shutdown(SHUT_RDWR).unwrap();
            }
            stack.poll_until(1, || false).unwrap();
        }
        socket.close().unwrap();
        states.push(socket.getsocketsta());
        assert_eq!(states, [0, 2, 4, 5, 10, 0, -1]);
    });
}

/// Decided: QuecPython's newer constructor fails without a PDP context.
#[test]
fn a_socket_needs_no_network_until_it_is_used() {
    let port = world();
    let (mut rx, mut tx) = ([0; 64], [0; 64]);
    let mut slots = [quectel_sockets::Slot::new(&mut rx, &mut tx)];
    let stack = Stack::new(port, &mut slots, support::sim::config());
    let mut socket = tcp(&stack);
    assert_eq!(errno(socket.connect(address(ECHO))), 113);
}

#[test]
fn what_modules_do_not_have() {
    on(|_, stack| {
        let raw = stack.socket(AF_INET, SOCK_RAW, Protocol::DEFAULT);
        assert_eq!(errno(raw), 94);
        let odd = stack.socket(AF_INET, SOCK_STREAM, IPPROTO_UDP);
        assert_eq!(errno(odd), 93);
    });
}
