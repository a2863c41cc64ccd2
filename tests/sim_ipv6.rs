//! IPv6, on a PDP context that has it.

mod support;

use std::net::SocketAddr;

use quectel_sim::{Config, Echo, Incident, When};
use quectel_sockets::{
    ContextType,
    errno::ECONNABORTED,
    socket::{AF_INET, AF_INET6, Error, Hints, Protocol, SOCK_DGRAM, SOCK_STREAM},
};
use support::sim::{SimPort, config, on_stack_with};

const ECHO: &str = "[2001:db8:7::7]:7";
const ECHO_V4: &str = "192.0.2.7:7";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn world() -> SimPort {
    let port = SimPort::new(Config::default());
    let mut sim = port.sim.borrow_mut();
    for at in [ECHO, ECHO_V4] {
        sim.serve(address(at), || Echo);
        sim.serve_udp(address(at), Echo);
    }
    let both = [address(ECHO).ip(), address(ECHO_V4).ip()];
    sim.set_name_addresses("echo.example", &both, 60);
    drop(sim);
    port
}

/// The library's settings, on a context of this kind.
fn on(kind: ContextType) -> quectel_sockets::Config<'static> {
    quectel_sockets::Config {
        context_type: kind,
        ..config()
    }
}

#[test]
fn tcp_and_udp_over_ipv6() {
    for kind in [ContextType::V6, ContextType::V4V6] {
        on_stack_with(&world(), 3, on(kind), |stack| {
            let mut stream = stack
                .socket(AF_INET6, SOCK_STREAM, Protocol::DEFAULT)
                .unwrap();
            stream.connect(address(ECHO)).unwrap();
            assert!(stream.getsockname().is_ok());
            stream.sendall(b"hello").unwrap();
            let mut buffer = [0; 16];
            assert_eq!(stream.read(&mut buffer[..5]), Ok(Some(5)));
            assert_eq!(stream.getpeername(), Ok(address(ECHO)));
            let mut datagrams = stack
                .socket(AF_INET6, SOCK_DGRAM, Protocol::DEFAULT)
                .unwrap();
            assert_eq!(datagrams.sendto(b"hello", address(ECHO)), Ok(5));
            assert_eq!(datagrams.recvfrom(&mut buffer), Ok((5, address(ECHO))));
            let mut peered = stack
                .socket(AF_INET6, SOCK_DGRAM, Protocol::DEFAULT)
                .unwrap();
            peered.connect(address(ECHO)).unwrap();
            assert_eq!(peered.send(b"peer"), Ok(4));
            assert_eq!(peered.recvfrom(&mut buffer), Ok((4, address(ECHO))));
        });
    }
}

#[test]
fn a_server_over_ipv6() {
    let port = world();
    on_stack_with(&port, 2, on(ContextType::V6), |stack| {
        let mut listener = stack
            .socket(AF_INET6, SOCK_STREAM, Protocol::DEFAULT)
            .unwrap();
        listener.bind(("", 8080)).unwrap();
        listener.listen(1).unwrap();
        let from = address("[2001:db8:9::9]:5000");
        assert!(port.sim.borrow_mut().dial(from, 8080, Echo));
        let (mut client, address) = listener.accept().unwrap();
        assert_eq!(address, from);
        client.sendall(b"hello").unwrap();
        let mut buffer = [0; 5];
        assert_eq!(client.read(&mut buffer), Ok(Some(5)));
    });
}

/// A bound socket whose context was lost and that gets a peer is opened once
/// more, for the same family.
#[test]
fn a_bound_socket_is_opened_again() {
    let port = world();
    on_stack_with(&port, 1, on(ContextType::V6), |stack| {
        let mut socket = stack
            .socket(AF_INET6, SOCK_DGRAM, Protocol::DEFAULT)
            .unwrap();
        socket.bind(("", 5683)).unwrap();
        let now = port.sim.borrow().now();
        let lost = Incident::PdpDeact(1);
        port.sim.borrow_mut().schedule(When::At(now), lost);
        let mut buffer = [0; 16];
        let failed = socket.recvfrom(&mut buffer).map_err(Error::errno);
        assert_eq!(failed, Err(ECONNABORTED));
        let up = || stack.is_up() == Ok(true);
        assert_eq!(stack.poll_until(60_000, up), Ok(true));
        socket.connect(address(ECHO)).unwrap();
        assert_eq!(socket.send(b"peer"), Ok(4));
        assert_eq!(socket.recvfrom(&mut buffer), Ok((4, address(ECHO))));
    });
}

/// A name with addresses of both families gives each socket its own.
#[test]
fn names_of_both_families() {
    on_stack_with(&world(), 2, on(ContextType::V4V6), |stack| {
        let answers = stack.getaddrinfo("echo.example", 7).unwrap();
        assert_eq!(answers.len(), 2);
        for (family, at) in [(AF_INET6, ECHO), (AF_INET, ECHO_V4)] {
            let hints = Hints {
                family: Some(family),
                ..Hints::default()
            };
            let answers = stack.getaddrinfo_with("echo.example", 7, hints).unwrap();
            assert_eq!(answers[0].sockaddr, address(at));
            let mut socket = stack
                .socket(family, SOCK_STREAM, Protocol::DEFAULT)
                .unwrap();
            socket.connect(("echo.example", 7)).unwrap();
            assert_eq!(socket.getpeername(), Ok(address(at)));
        }
    });
}

#[test]
fn a_context_of_one_family_has_no_sockets_of_the_other() {
    on_stack_with(&world(), 1, on(ContextType::V6), |stack| {
        let v4 = stack.socket(AF_INET, SOCK_STREAM, Protocol::DEFAULT);
        assert_eq!(v4.err().unwrap().errno(), 97);
    });
}
