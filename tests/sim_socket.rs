//! The calls of the `socket` face, as the reference page of QuecPython's
//! `usocket` and Python's own `socket` mean them.

mod support;

use std::net::SocketAddr;

use quectel_sim::{Config, Echo, SimCard, Source, Then};
use quectel_sockets::{
    CheckNetwork, ConnectError, OpenError, RecvError, ResolveError, SendError, Slot, Stack,
    socket::{
        AF_INET, AF_INET6, Error, IPPROTO_TCP, IPPROTO_UDP, Protocol, SHUT_RDWR, SOCK_DGRAM,
        SOCK_RAW, SOCK_STREAM,
    },
};
use support::sim::{SimPort, config, on_stack, tcp};

const LINES: &str = "192.0.2.7:80";
const ECHO: &str = "192.0.2.8:7";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A server that sends three lines, the last without its end, and closes;
/// and an echo server.
fn module() -> SimPort {
    let port = SimPort::new(Config::default());
    {
        let mut sim = port.sim.borrow_mut();
        sim.serve(LINES.parse().unwrap(), || {
            Source::new(b"one\r\ntwo\nthree".as_slice(), Then::Close)
        });
        sim.serve(ECHO.parse().unwrap(), || Echo);
        sim.set_name(
            "two.example",
            &["192.0.2.7".parse().unwrap(), "192.0.2.8".parse().unwrap()],
            300,
        );
    }
    port
}

#[test]
fn socket_refuses_what_the_module_does_not_have() {
    on_stack(&module(), 1, |stack| {
        for (af, kind, proto, errno) in [
            (AF_INET, SOCK_RAW, Protocol::DEFAULT, 94),
            (AF_INET6, SOCK_RAW, IPPROTO_TCP, 94),
            (AF_INET, SOCK_DGRAM, IPPROTO_TCP, 93),
            (AF_INET6, SOCK_DGRAM, IPPROTO_UDP, 97),
            (AF_INET6, SOCK_STREAM, IPPROTO_TCP, 97),
            (AF_INET, SOCK_STREAM, IPPROTO_UDP, 93),
        ] {
            let refused = stack.socket(af, kind, proto).map(drop);
            assert_eq!(refused, Err(Error::NotSupported(errno)));
        }
        let first = tcp(stack);
        let second = stack.socket(AF_INET, SOCK_STREAM, Protocol::DEFAULT);
        let error = second.map(drop).expect_err("one slot only");
        assert_eq!((error, error.errno()), (Error::Open(OpenError::NoSlot), 24));
        drop(first);
        drop(tcp(stack));
    });
}

#[test]
fn getaddrinfo_gives_all_addresses_in_the_shape_of_the_page() {
    let port = module();
    on_stack(&port, 1, |stack| {
        let infos = stack.getaddrinfo("two.example", 8080).unwrap();
        let addresses: Vec<_> = infos.iter().map(|info| info.sockaddr.to_string()).collect();
        assert_eq!(addresses, ["192.0.2.7:8080", "192.0.2.8:8080"]);
        assert_eq!(
            (
                infos[0].family as i32,
                infos[0].kind as i32,
                infos[0].proto.0
            ),
            (2, 1, 6)
        );
        assert_eq!(infos[0].canonname, "");
        // An address needs no look-up.
        let before = port.sim.borrow().position(quectel_sim::Direction::ToModule);
        let infos = stack.getaddrinfo("203.0.113.9", 1).unwrap();
        assert_eq!(infos[0].sockaddr, address("203.0.113.9:1"));
        assert_eq!(
            port.sim.borrow().position(quectel_sim::Direction::ToModule),
            before
        );
    });
}

#[test]
fn readline_ends_at_a_line_feed_the_buffer_or_the_data() {
    on_stack(&module(), 1, |stack| {
        let mut socket = tcp(stack);
        socket.connect(address(LINES)).unwrap();
        let mut line = [0; 16];
        let mut next = |line: &mut [u8]| {
            let n = socket.readline(line).unwrap().unwrap();
            line[..n].to_vec()
        };
        assert_eq!(next(&mut line), b"one\r\n");
        assert_eq!(next(&mut line[..2]), b"tw");
        assert_eq!(next(&mut line), b"o\n");
        assert_eq!(next(&mut line), b"three");
        assert_eq!(next(&mut line), b"");
        assert_eq!(next(&mut line), b"");
    });
}

#[test]
fn read_fills_the_buffer_or_reads_to_the_end() {
    on_stack(&module(), 1, |stack| {
        let mut socket = tcp(stack);
        socket.connect(address(LINES)).unwrap();
        let mut buffer = [0; 4];
        assert_eq!(socket.read(&mut buffer), Ok(Some(4)));
        assert_eq!(&buffer, b"one\r");
        let mut rest = [0; 64];
        assert_eq!(socket.read(&mut rest), Ok(Some(10)));
        assert_eq!(&rest[..10], b"\ntwo\nthree");
        assert_eq!(socket.read(&mut rest), Ok(Some(0)));
        assert_eq!(socket.recv(&mut rest), Ok(0));
    });
}

#[test]
fn readinto_and_recvfrom() {
    on_stack(&module(), 1, |stack| {
        let mut socket = tcp(stack);
        socket.connect(address(LINES)).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(socket.readinto(&mut buffer, Some(2)), Ok(Some(2)));
        assert_eq!(&buffer[..2], b"on");
        assert_eq!(socket.readinto(&mut buffer[..3], None), Ok(Some(3)));
        assert_eq!(socket.recvfrom(&mut buffer[..4]), Ok((4, address(LINES))));
        assert_eq!(&buffer[..4], b"two\n");
    });
}

#[test]
fn a_time_out_in_the_middle_of_a_read_loses_nothing() {
    on_stack(&module(), 1, |stack| {
        let mut socket = tcp(stack);
        socket.connect(address(ECHO)).unwrap();
        socket.sendall(b"half").unwrap();
        socket.settimeout(Some(1.5)).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(socket.read(&mut buffer), Ok(Some(4)));
        assert_eq!(socket.read(&mut buffer), Err(Error::TimedOut));
        assert_eq!(Error::TimedOut.errno(), 110);
        socket.sendall(b"rest").unwrap();
        assert_eq!(socket.read(&mut buffer[..4]), Ok(Some(4)));
        assert_eq!(&buffer[..4], b"rest");
    });
}

#[test]
fn non_blocking_calls_never_wait() {
    let port = module();
    on_stack(&port, 1, |stack| {
        let mut socket = tcp(stack);
        socket.setblocking(false);
        let start = port.ms();
        let mut buffer = [0; 8];
        assert_eq!(
            socket.recv(&mut buffer),
            Err(Error::Recv(RecvError::NotConnected))
        );
        let started = socket.connect(address(ECHO));
        assert_eq!(
            (started, Error::InProgress.errno()),
            (Err(Error::InProgress), 115)
        );
        let again = socket.connect(address(ECHO)).unwrap_err();
        assert_eq!(
            (again, again.errno()),
            (Error::Connect(ConnectError::AlreadyConnecting), 114)
        );
        assert_eq!(socket.connect(address(LINES)), Err(again));
        assert_eq!(socket.send(b"x"), Err(Error::WouldBlock));
        assert_eq!(socket.write(b"x"), Ok(None));
        assert_eq!(socket.recv(&mut buffer), Err(Error::WouldBlock));
        assert_eq!(socket.read(&mut buffer), Ok(None));
        assert_eq!(socket.readline(&mut buffer), Ok(None));
        assert_eq!(Error::WouldBlock.errno(), 11);
        assert_eq!(port.ms(), start);
        let done = stack.poll_until(5_000, || socket.connect(address(ECHO)).is_ok());
        assert_eq!(done, Ok(true));
        let connected = socket.connect(address(ECHO)).unwrap_err();
        assert_eq!(
            (connected, connected.errno()),
            (Error::Connect(ConnectError::AlreadyConnected), 106)
        );
        assert_eq!(socket.write(b"x"), Ok(Some(1)));
        let start = port.ms();
        socket.close().unwrap();
        assert_eq!(port.ms(), start);
    });
}

#[test]
fn after_close_everything_says_so() {
    on_stack(&module(), 1, |stack| {
        let mut socket = tcp(stack);
        assert_eq!(socket.getsocketsta(), 0);
        socket.connect(address(ECHO)).unwrap();
        assert_eq!(socket.getsocketsta(), 4);
        socket.close().unwrap();
        socket.close().unwrap();
        assert_eq!(socket.getsocketsta(), -1);
        let error = Error::Open(OpenError::BadHandle);
        let closed = Err(error);
        assert_eq!(socket.connect(address(ECHO)), closed);
        assert_eq!(socket.send(b"x").map(drop), closed);
        assert_eq!(socket.recv(&mut [0]).map(drop), closed);
        assert_eq!(socket.shutdown(SHUT_RDWR), closed);
        assert_eq!(error.errno(), 9);
    });
}

#[test]
fn sending_after_shutdown_is_refused() {
    on_stack(&module(), 1, |stack| {
        let mut socket = tcp(stack);
        assert_eq!(socket.shutdown(SHUT_RDWR).unwrap_err().errno(), 107);
        socket.connect(address(ECHO)).unwrap();
        socket.shutdown(SHUT_RDWR).unwrap();
        let refused = socket.send(b"x").unwrap_err();
        assert_eq!(
            (refused, refused.errno()),
            (Error::Send(SendError::Closed), 32)
        );
    });
}

#[test]
fn time_outs_out_of_range_are_refused() {
    on_stack(&module(), 1, |stack| {
        let mut socket = tcp(stack);
        for bad in [-1.0, f32::NAN, f32::NEG_INFINITY] {
            assert_eq!(socket.settimeout(Some(bad)), Err(Error::InvalidArgument));
        }
        for good in [
            Some(0.0),
            Some(0.000_1),
            Some(1e30),
            Some(f32::INFINITY),
            None,
        ] {
            assert_eq!(socket.settimeout(good), Ok(()));
        }
        let network = CheckNetwork::new(stack, "test", "1");
        for bad in [0, 3_601] {
            assert_eq!(
                network.wait_network_connected(bad),
                Err(Error::InvalidArgument)
            );
        }
    });
}

#[test]
fn several_sockets_at_the_same_time() {
    on_stack(&module(), 3, |stack| {
        let mut sockets: Vec<_> = (0..3).map(|_| tcp(stack)).collect();
        for socket in &mut sockets {
            socket.connect(address(ECHO)).unwrap();
        }
        for (n, socket) in (0u8..).zip(&mut sockets) {
            socket.sendall(&[n; 2_000]).unwrap();
        }
        for (n, socket) in [2u8, 1, 0].into_iter().zip(sockets.iter_mut().rev()) {
            let mut back = [9; 2_000];
            assert_eq!(socket.read(&mut back), Ok(Some(2_000)));
            assert_eq!(back, [n; 2_000]);
        }
    });
}

/// The network check on a module whose SIM card is in this state.
fn stage(card: SimCard) -> ((u8, i8), u64) {
    let port = SimPort::new(Config {
        sim_card: card,
        ..Config::default()
    });
    let (mut rx, mut tx) = ([0; 1500], [0; 1460]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let stack = Stack::new(port.clone(), &mut slots, config());
    let network = CheckNetwork::new(&stack, "test", "1");
    let told = network.wait_network_connected(20).unwrap();
    if told != (3, 1) {
        assert_eq!(
            stack.getaddrinfo("two.example", 80),
            Err(Error::Resolve(ResolveError::NoNetwork))
        );
    }
    (told, port.ms())
}

#[test]
fn the_network_check_tells_stage_and_code() {
    let (told, ms) = stage(SimCard::Ready);
    assert_eq!(told, (3, 1));
    assert!(ms < 2_000);
    // What waiting does not change is told at once.
    for (card, code) in [
        (SimCard::Absent, 0),
        (SimCard::Pin("1234".into()), 2),
        (SimCard::Puk, 3),
    ] {
        let (told, ms) = stage(card);
        assert_eq!(told, (1, code));
        assert!(ms < 1_000, "{ms} ms for code {code}");
    }
    for (card, code) in [(SimCard::Failure, 21), (SimCard::Busy(60_000_000), 18)] {
        let (told, ms) = stage(card);
        assert_eq!(told, (1, code));
        assert!((20_000..21_000).contains(&ms), "{ms} ms for code {code}");
    }
    assert_eq!(stage(SimCard::Busy(5_000_000)).0, (3, 1));
}

#[test]
fn no_service_is_stage_two() {
    for (registration, code) in [(2, 2), (3, 3), (0, 0)] {
        let mut config_of = Config::default();
        config_of.cellular.registration = registration;
        let port = SimPort::new(config_of);
        let (mut rx, mut tx) = ([0; 1500], [0; 1460]);
        let mut slots = [Slot::new(&mut rx, &mut tx)];
        let stack = Stack::new(port.clone(), &mut slots, config());
        let network = CheckNetwork::new(&stack, "test", "1");
        assert_eq!(network.wait_network_connected(5), Ok((2, code)));
        port.sim.borrow_mut().set_registration(5);
        assert_eq!(network.wait_network_connected(5), Ok((3, 1)));
    }
}

#[test]
fn the_banner_is_printed_once() {
    on_stack(&module(), 1, |stack| {
        let network = CheckNetwork::new(stack, "my project", "1.2.3");
        let mut out = String::new();
        network.poweron_print_once(&mut out).unwrap();
        for part in ["my project", "1.2.3", "EC25", "SIM_CARD_STATUS  : 1"] {
            assert!(out.contains(part), "{part} in {out}");
        }
        let len = out.len();
        network.poweron_print_once(&mut out).unwrap();
        assert_eq!(out.len(), len);
    });
}
