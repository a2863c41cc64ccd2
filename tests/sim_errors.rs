//! Connections that fail: the documented error in the documented time, and
//! the next connection works.

mod support;

use std::net::SocketAddr;

use quectel_sim::{Config, Echo, ResetAfter, Source, Then, Unbound};
use quectel_sockets::{
    ConnectError, Failure, ResolveError, SendError, Stack, TextError, socket::Error,
};
use support::sim::{SimPort, noise, on_stack, read_to_end, tcp};

const ECHO: &str = "192.0.2.7:7";
const SILENT: &str = "192.0.2.66:80";
const REFUSING: &str = "192.0.2.67:80";

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
        sim.serve(ECHO.parse().unwrap(), || Echo);
        sim.set_unbound(SILENT.parse().unwrap(), Unbound::Silence);
        sim.set_unbound(REFUSING.parse().unwrap(), Unbound::Refuse);
        sim.set_name("echo.example", &["192.0.2.7".parse().unwrap()], 300);
        sim.set_name_silent("silent.example");
    }
    port
}

/// How long `call` takes in virtual milliseconds, and what it gives.
fn timed<T>(port: &SimPort, call: impl FnOnce() -> T) -> (u64, T) {
    let start = port.ms();
    let value = call();
    (port.ms() - start, value)
}

/// A new connection to the echo server works.
#[track_caller]
fn works(stack: &Stack<'_, SimPort>) {
    let mut socket = tcp(stack);
    socket.settimeout(Some(5.0)).unwrap();
    socket.connect(address(ECHO)).unwrap();
    socket.sendall(b"still there?").unwrap();
    let mut answer = [0; 12];
    assert_eq!(socket.read(&mut answer), Ok(Some(12)));
    assert_eq!(&answer, b"still there?");
    socket.close().unwrap();
}

#[test]
fn refused_is_told_within_a_round_trip() {
    let port = module();
    on_stack(&port, 2, |stack| {
        let mut socket = tcp(stack);
        let (ms, outcome) = timed(&port, || socket.connect(address(REFUSING)));
        assert_eq!(outcome, Err(Error::Connect(ConnectError::Refused)));
        assert_eq!(outcome.unwrap_err().errno(), 111);
        assert!(ms < 200, "{ms} ms");
        // The same socket can connect again.
        socket.connect(address(ECHO)).unwrap();
        socket.close().unwrap();
        works(stack);
    });
}

#[test]
fn a_silent_server_times_out_when_the_caller_says() {
    let port = module();
    on_stack(&port, 1, |stack| {
        for seconds in [0.5_f32, 2.0, 7.25] {
            let mut socket = tcp(stack);
            socket.settimeout(Some(seconds)).unwrap();
            let (ms, outcome) = timed(&port, || socket.connect(address(SILENT)));
            assert_eq!(outcome, Err(Error::TimedOut));
            assert_eq!(outcome.unwrap_err().errno(), 110);
            let asked = (seconds * 1_000.0) as u64;
            assert!((asked..=asked + 1).contains(&ms), "{ms} ms for {asked} ms");
            // The one slot and the module are free for the next connection.
            let (ms, outcome) = timed(&port, || socket.connect(address(ECHO)));
            assert_eq!(outcome, Ok(()));
            assert!(ms < 200, "{ms} ms");
            socket.close().unwrap();
        }
        works(stack);
    });
}

#[test]
fn a_silent_server_times_out_by_itself() {
    let port = module();
    on_stack(&port, 2, |stack| {
        let mut socket = tcp(stack);
        let (ms, outcome) = timed(&port, || socket.connect(address(SILENT)));
        assert_eq!(outcome, Err(Error::Connect(ConnectError::TimedOut)));
        assert_eq!(outcome.unwrap_err().errno(), 110);
        assert!((20_000..=150_000).contains(&ms), "{ms} ms");
        works(stack);
    });
}

#[test]
fn a_silent_server_does_not_delay_other_connects() {
    let port = module();
    on_stack(&port, 2, |stack| {
        let mut silent = tcp(stack);
        silent.setblocking(false);
        assert_eq!(silent.connect(address(SILENT)), Err(Error::InProgress));
        let (ms, ()) = timed(&port, || works(stack));
        assert!(ms < 500, "{ms} ms beside a connect that runs");
        assert_eq!(
            silent.connect(address(SILENT)),
            Err(Error::Connect(ConnectError::AlreadyConnecting))
        );
        silent.close().unwrap();

        let mut silent = tcp(stack);
        silent.settimeout(Some(2.0)).unwrap();
        assert_eq!(silent.connect(address(SILENT)), Err(Error::TimedOut));
        let (ms, ()) = timed(&port, || works(stack));
        assert!(ms < 500, "{ms} ms after a connect that timed out");
    });
}

#[test]
fn an_unknown_name_does_not_resolve() {
    let port = module();
    on_stack(&port, 2, |stack| {
        let (ms, outcome) = timed(&port, || stack.getaddrinfo("unknown.example", 80));
        assert_eq!(outcome, Err(Error::Resolve(ResolveError::NotFound)));
        assert_eq!(outcome.unwrap_err().errno(), -2);
        assert!(ms < 10_000, "{ms} ms");
        let mut socket = tcp(stack);
        assert_eq!(
            socket.connect(("unknown.example", 80)),
            Err(Error::Resolve(ResolveError::NotFound))
        );
        socket.connect(("echo.example", 7)).unwrap();
        socket.close().unwrap();
        works(stack);
    });
}

#[test]
fn a_silent_name_server_ends_within_its_time() {
    let port = module();
    on_stack(&port, 1, |stack| {
        let (ms, outcome) = timed(&port, || stack.getaddrinfo("silent.example", 80));
        assert!(
            matches!(
                outcome,
                Err(Error::Resolve(
                    ResolveError::NotFound | ResolveError::TimedOut
                ))
            ),
            "{outcome:?}"
        );
        assert!((50_000..=65_100).contains(&ms), "{ms} ms");
        stack.getaddrinfo("echo.example", 7).unwrap();
        works(stack);
    });
}

#[test]
fn reset_while_receiving_delivers_what_came_and_ends() {
    let body = noise(5_000, 1);
    let port = module();
    let served = body.clone();
    port.sim
        .borrow_mut()
        .serve("192.0.2.9:80".parse().unwrap(), move || {
            Source::new(served.as_slice(), Then::Abort)
        });
    on_stack(&port, 1, |stack| {
        let mut socket = tcp(stack);
        socket.connect(address("192.0.2.9:80")).unwrap();
        let (got, end) = read_to_end(&mut socket);
        // A module tells RST and FIN by the same URC, so the end looks like
        // an end; nothing that the module still had is lost.
        assert_eq!(end, Ok(()));
        assert!(body.starts_with(&got));
        assert_eq!(socket.send(b"x"), Err(Error::Send(SendError::Closed)));
        socket.close().unwrap();
        works(stack);
    });
}

#[test]
fn reset_while_sending_is_an_error() {
    let port = module();
    port.sim
        .borrow_mut()
        .serve("192.0.2.9:80".parse().unwrap(), || ResetAfter(20_000));
    on_stack(&port, 1, |stack| {
        let mut socket = tcp(stack);
        socket.connect(address("192.0.2.9:80")).unwrap();
        let outcome = socket.sendall(&noise(1 << 20, 2));
        // Reset if bytes were left to send when it was told, else the
        // connection just takes no more.
        let reset = SendError::Failed(Failure::Reset);
        assert!(
            outcome == Err(Error::Send(reset)) || outcome == Err(Error::Send(SendError::Closed)),
            "{outcome:?}"
        );
        assert_eq!((reset.errno(), SendError::Closed.errno()), (104, 32));
        socket.close().unwrap();
        works(stack);
    });
}

#[test]
fn what_could_inject_a_command_is_refused_before_a_byte_is_written() {
    let port = module();
    on_stack(&port, 2, |stack| {
        let mut socket = tcp(stack);
        let before = port.sim.borrow().position(quectel_sim::Direction::ToModule);
        let long = "a".repeat(151);
        for (name, error) in [
            ("a\"\rAT+CFUN=0\r", TextError::Forbidden(1)),
            ("a\nb", TextError::Forbidden(1)),
            ("a b", TextError::Forbidden(1)),
            (long.as_str(), TextError::TooLong(150)),
        ] {
            let refused = Error::Resolve(ResolveError::InvalidName(error));
            assert_eq!(stack.getaddrinfo(name, 80), Err(refused));
            assert_eq!(socket.connect((name, 80)), Err(refused));
        }
        // The empty name is the module itself, and no place to connect to.
        assert_eq!(
            socket.connect(("", 80)),
            Err(Error::Connect(ConnectError::InvalidAddress))
        );
        assert_eq!(
            socket.connect(address("192.0.2.7:0")),
            Err(Error::Connect(ConnectError::InvalidAddress))
        );
        let after = port.sim.borrow().position(quectel_sim::Direction::ToModule);
        assert_eq!(before, after);
        works(stack);
    });
}
