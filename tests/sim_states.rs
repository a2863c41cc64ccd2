//! What `getsocketsta` reports against the true TCP state of the stack
//! inside the simulated module.

mod support;

use quectel_sim::{Config, Ending, Link, Peer, PeerIo, TcpState, Unbound};
use quectel_sockets::{
    SocketState,
    socket::{Error, SHUT_RDWR},
};
use support::sim::{EC25, SimPort, on_stack, tcp};

const SERVER: &str = "192.0.2.7:80";

/// Half a second each way: every state lasts much longer than the serial
/// line takes to tell of it.
const DELAY_US: u64 = 500_000;
/// A report may lag behind by the serial line and one command.
const LAG_MS: u64 = 50;

/// The stack's state by the library's name; a socket that the stack does not
/// have is closed.
fn truth(state: Option<TcpState>) -> SocketState {
    let Some(state) = state else {
        return SocketState::Closed;
    };
    match state {
        TcpState::Closed => SocketState::Closed,
        TcpState::Listen => SocketState::Listen,
        TcpState::SynSent => SocketState::SynSent,
        TcpState::SynRcvd => SocketState::SynReceived,
        TcpState::Established => SocketState::Established,
        TcpState::FinWait1 => SocketState::FinWait1,
        TcpState::FinWait2 => SocketState::FinWait2,
        TcpState::CloseWait => SocketState::CloseWait,
        TcpState::Closing => SocketState::Closing,
        TcpState::LastAck => SocketState::LastAck,
        TcpState::TimeWait => SocketState::TimeWait,
    }
}

/// Whether the family's table lets `reported` stand for it.
fn allowed(reported: SocketState, truth: SocketState) -> bool {
    EC25.states.truths(reported).contains(&truth)
}

/// What the peer does: closes or resets `at` µs after the connection stood,
/// and answers the module's FIN with its own unless `half_open`.
#[derive(Clone, Copy)]
struct Script {
    at: Option<(u64, Ending)>,
    half_open: bool,
}

impl Peer for Script {
    fn connected(&mut self, io: &mut PeerIo) {
        if let Some((after, _)) = self.at {
            io.wake_at(io.now() + after);
        }
    }

    fn woken(&mut self, io: &mut PeerIo) {
        match self.at {
            Some((_, Ending::Fin)) => io.close(),
            Some((_, Ending::Reset)) => io.abort(),
            None => {}
        }
    }

    fn closed(&mut self, io: &mut PeerIo, _how: Ending) {
        if !self.half_open {
            io.close();
        }
    }
}

/// Connects, calls `shutdown` after `close_at` ms, and returns the states
/// reported within 30 s. Each must fit the true state but for the line's lag.
#[track_caller]
fn life(peer: Option<Script>, close_at: Option<u64>) -> Vec<SocketState> {
    let port = SimPort::new(Config {
        link: Link {
            delay_us: DELAY_US,
            ..Link::default()
        },
        ..Config::default()
    });
    {
        let mut sim = port.sim.borrow_mut();
        match peer {
            Some(peer) => sim.serve(SERVER.parse().unwrap(), move || peer),
            None => sim.set_unbound(SERVER.parse().unwrap(), Unbound::Refuse),
        }
    }
    on_stack(&port, 1, |stack| {
        let mut socket = tcp(stack);
        socket.setblocking(false);
        let address = SERVER.parse::<std::net::SocketAddr>().unwrap();
        let mut reports = vec![socket.state().unwrap()];
        assert_eq!(socket.connect(address), Err(Error::InProgress));
        let start = port.ms();
        let mut wrong_since = None;
        let mut close_at = close_at;
        while port.ms() < start + 30_000 {
            if close_at.is_some_and(|at| port.ms() >= start + at) {
                close_at = None;
                socket.shutdown(SHUT_RDWR).unwrap();
            }
            let reported = socket.state().unwrap();
            if reports.last() != Some(&reported) {
                reports.push(reported);
            }
            let truth = truth(port.sim.borrow().tcp_sockets().last().map(|t| t.state));
            if allowed(reported, truth) {
                wrong_since = None;
            } else {
                let since = *wrong_since.get_or_insert(port.ms());
                assert!(
                    port.ms() - since <= LAG_MS,
                    "{reported} reported while the stack is in {truth}, after {reports:?}"
                );
            }
            stack.poll_until(1, || false).unwrap();
        }
        reports
    })
}

fn states(numbers: &[u8]) -> Vec<u8> {
    numbers.to_vec()
}

fn numbers(states: Vec<SocketState>) -> Vec<u8> {
    states.into_iter().map(|state| state as u8).collect()
}

#[test]
fn refused() {
    assert_eq!(numbers(life(None, None)), states(&[0, 2, 0]));
}

#[test]
fn the_peer_closes_then_we() {
    let peer = Script {
        at: Some((1_000_000, Ending::Fin)),
        half_open: false,
    };
    assert_eq!(
        numbers(life(Some(peer), Some(5_000))),
        states(&[0, 2, 4, 7, 9, 0])
    );
}

#[test]
fn the_peer_resets() {
    let peer = Script {
        at: Some((1_000_000, Ending::Reset)),
        half_open: false,
    };
    assert_eq!(numbers(life(Some(peer), None)), states(&[0, 2, 4, 7]));
}

#[test]
fn we_close_and_the_peer_answers() {
    let peer = Script {
        at: None,
        half_open: false,
    };
    // TIME_WAIT lasts 10 s in the simulated stack.
    assert_eq!(
        numbers(life(Some(peer), Some(3_000))),
        states(&[0, 2, 4, 5, 10, 0])
    );
}

#[test]
fn we_close_and_the_peer_does_not() {
    let peer = Script {
        at: None,
        half_open: true,
    };
    assert_eq!(
        numbers(life(Some(peer), Some(3_000))),
        states(&[0, 2, 4, 5, 10, 0])
    );
}

#[test]
fn both_close_at_the_same_time() {
    // The FINs cross on the network: the module does not tell of the peer's.
    let peer = Script {
        at: Some((1_600_000, Ending::Fin)),
        half_open: false,
    };
    assert_eq!(
        numbers(life(Some(peer), Some(3_000))),
        states(&[0, 2, 4, 5, 10, 0])
    );
}

#[test]
fn the_closed_urc_crosses_our_close() {
    // The peer's FIN reaches the module about 3 s after the start.
    let peer = Script {
        at: Some((1_000_000, Ending::Fin)),
        half_open: false,
    };
    let lives: Vec<_> = (2_995..3_015)
        .map(|at| numbers(life(Some(peer), Some(at))))
        .collect();
    let crossed = lives
        .iter()
        .filter(|life| **life == [0, 2, 4, 5, 8, 0])
        .count();
    let before = lives
        .iter()
        .filter(|life| **life == [0, 2, 4, 5, 10, 0])
        .count();
    let after = lives
        .iter()
        .filter(|life| **life == [0, 2, 4, 7, 9, 0])
        .count();
    assert!(crossed > 0 && before > 0 && after > 0, "{lives:?}");
    assert_eq!(crossed + before + after, lives.len(), "{lives:?}");
}
