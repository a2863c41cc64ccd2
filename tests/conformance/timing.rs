//! Time-outs: respected to within one poll, and not waiting at all means not
//! waiting.

use super::*;

fn timed<T>(port: &SimPort, call: impl FnOnce() -> T) -> (u64, T) {
    let start = port.ms();
    let outcome = call();
    (port.ms() - start, outcome)
}

/// MicroPython `connect_timeout`
#[test]
fn connect_times_out() {
    on(|port, stack| {
        let mut socket = tcp(stack);
        socket.settimeout(Some(0.0)).unwrap();
        assert_eq!(errno(socket.connect(address(SILENT))), 115);
        let mut socket = tcp(stack);
        socket.settimeout(Some(1.0)).unwrap();
        let (ms, outcome) = timed(port, || socket.connect(address(SILENT)));
        assert_eq!((ms, errno(outcome)), (1_000, 110));
    });
}

/// Decided: QuecPython waits in steps of 5 s, and for 25 s and more not at
/// all as told.
#[test]
fn long_time_outs_are_not_rounded() {
    on(|port, stack| {
        let mut socket = connected(stack, ECHO);
        for seconds in [0.05, 0.1, 5.5, 7.0, 26.0, 300.0] {
            socket.settimeout(Some(seconds)).unwrap();
            let (ms, outcome) = timed(port, || socket.recv(&mut [0; 4]));
            assert_eq!(errno(outcome), 110);
            assert_eq!(ms, (seconds * 1_000.0) as u64);
        }
    });
}

/// QuecPython: recv, send, sendall, accept, connect and sendto.
#[test]
fn every_call_times_out() {
    on(|port, stack| {
        let mut socket = connected(stack, ECHO);
        socket.settimeout(Some(2.0)).unwrap();
        port.sim.borrow_mut().fail_sends(10_000);
        let (ms, outcome) = timed(port, || socket.sendall(&[0; 5_000]));
        assert_eq!((ms, errno(outcome)), (2_000, 110));
        let (ms, outcome) = timed(port, || socket.send(b"a"));
        assert_eq!((ms, errno(outcome)), (2_000, 110));
        let (ms, outcome) = timed(port, || socket.recv(&mut [0; 4]));
        assert_eq!((ms, errno(outcome)), (2_000, 110));
        let mut datagrams = udp(stack);
        datagrams.bind(("", 1_234)).unwrap();
        datagrams.settimeout(Some(2.0)).unwrap();
        // The first is taken by the ring, the second finds no room.
        let (ms, outcome) = timed(port, || datagrams.sendto(&[0; 1_400], address(ECHO)));
        assert_eq!((ms, outcome), (2_000, Ok(1_400)));
        let (ms, outcome) = timed(port, || datagrams.sendto(&[0; 1_400], address(ECHO)));
        assert_eq!((ms, errno(outcome)), (2_000, 110));
    });
}

/// Calls that do not block never wait for the module: no time passes.
#[test]
fn no_time_passes_without_blocking() {
    on(|port, stack| {
        let mut socket = connected(stack, ECHO);
        let mut server = listener(stack, 1);
        let mut datagrams = udp(stack);
        for socket in [&mut socket, &mut server, &mut datagrams] {
            socket.setblocking(false);
        }
        let mut fresh = tcp(stack);
        fresh.setblocking(false);
        let (ms, ()) = timed(port, || {
            let _ = socket.send(&[0; 3_000]);
            let _ = socket.recv(&mut [0; 100]);
            let _ = socket.read(&mut [0; 100]);
            let _ = socket.readline(&mut [0; 100]);
            let _ = socket.poll(1, Some(0.0));
            let _ = socket.shutdown(quectel_sockets::socket::SHUT_RDWR);
            let _ = server.accept();
            let _ = datagrams.bind(("", 4_321));
            let _ = datagrams.sendto(b"a", address(ECHO));
            let _ = datagrams.recvfrom(&mut [0; 100]);
            let _ = fresh.connect(address(ECHO));
            let _ = fresh.getsocketsta();
            let _ = fresh.close();
        });
        assert_eq!(ms, 0);
    });
}

#[test]
fn a_time_out_is_a_number_of_at_least_0() {
    on(|_, stack| {
        let mut socket = tcp(stack);
        assert_eq!(errno(socket.settimeout(Some(-1.0))), 22);
        assert_eq!(errno(socket.settimeout(Some(f32::NAN))), 22);
        for fine in [None, Some(0.0), Some(1e30), Some(f32::INFINITY)] {
            socket.settimeout(fine).unwrap();
        }
    });
}
