//! Names and addresses.

use quectel_sockets::socket::{AF_INET6, Hints, IPPROTO_TCP, IPPROTO_UDP, SOCK_STREAM};

use super::*;

/// MicroPython `getaddrinfo`
#[test]
fn a_name_that_does_not_exist() {
    on(|_, stack| {
        assert_eq!(errno(stack.getaddrinfo("nowhere.example", 80)), -2);
        assert_eq!(errno(stack.getaddrinfo("a b", 80)), 22);
    });
}

/// MicroPython `getaddrinfo`
#[test]
fn dotted_addresses_need_no_look_up() {
    on(|port, stack| {
        for text in ["192.0.2.1", "0.0.0.0"] {
            let answers = stack.getaddrinfo(text, 80).unwrap();
            assert_eq!(answers[0].sockaddr, address(&format!("{text}:80")));
        }
        assert!(!port.sent().contains("QIDNSGIP"));
    });
}

/// The reference page's five fields, all addresses.
#[test]
fn a_name_with_two_addresses() {
    on(|_, stack| {
        let answers = stack.getaddrinfo("echo.example", 7).unwrap();
        assert_eq!(answers.len(), 2);
        let first = answers[0];
        assert_eq!((first.family, first.kind), (AF_INET, SOCK_STREAM));
        assert_eq!((first.proto, first.canonname), (IPPROTO_TCP, ""));
        assert_eq!(first.sockaddr, address(ECHO));
    });
}

#[test]
fn hints_choose() {
    on(|_, stack| {
        let udp = Hints {
            kind: Some(SOCK_DGRAM),
            ..Hints::default()
        };
        let answers = stack.getaddrinfo_with("echo.example", 7, udp).unwrap();
        assert_eq!(answers[0].proto, IPPROTO_UDP);
        let v6 = Hints {
            family: Some(AF_INET6),
            ..Hints::default()
        };
        assert_eq!(errno(stack.getaddrinfo_with("echo.example", 7, v6)), -2);
        let odd = Hints {
            proto: IPPROTO_UDP,
            ..Hints::default()
        };
        assert_eq!(errno(stack.getaddrinfo_with("echo.example", 7, odd)), 93);
    });
}

/// QuecPython: the empty name is 0.0.0.0, and that answer to another name is
/// none.
#[test]
fn the_empty_name_and_the_empty_answer() {
    on(|_, stack| {
        let answers = stack.getaddrinfo("", 80).unwrap();
        assert_eq!(answers[0].sockaddr, address("0.0.0.0:80"));
        assert_eq!(errno(stack.getaddrinfo("zero.example", 80)), -2);
    });
}

/// MicroPython `resolve_on_connect`
#[test]
fn bind_and_connect_take_names() {
    on(|_, stack| {
        let mut socket = tcp(stack);
        assert_eq!(errno(socket.connect(("nowhere.example", 7))), -2);
        assert_eq!(errno(socket.bind(("nowhere.example", 7))), -2);
        // A name of somebody else's.
        assert_eq!(errno(socket.bind(("echo.example", 7))), 99);
        assert_eq!(socket.connect(("echo.example", 7)), Ok(()));
        let mut socket = udp(stack);
        assert_eq!(socket.sendto(b"a", ("echo.example", 7)), Ok(1));
    });
}

#[test]
fn an_address_of_the_other_family() {
    on(|_, stack| {
        let mut socket = tcp(stack);
        assert_eq!(errno(socket.connect(address("[2001:db8::7]:7"))), 97);
        let v6 = stack.socket(AF_INET6, SOCK_STREAM, Protocol::DEFAULT);
        assert_eq!(errno(v6), 97);
    });
}
