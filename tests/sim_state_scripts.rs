//! What `getsocketsta` reports, against the true state of the stack inside
//! the module, over generated scripts: peers that close, reset or fall
//! silent at any time, own closes at any time, lost contexts, restarts,
//! listeners. Each report must be in the set that the family's table gives,
//! but for the time that the line takes, and each row of the table must have
//! been met.
//!
//! `QUECTEL_SEED=<n>` runs one script again.

mod support;

use std::{collections::BTreeSet, net::SocketAddr};

use quectel_sim::{Config, Ending, Incident, Link, Peer, PeerIo, TcpState, When};
use quectel_sockets::{
    SocketState,
    socket::{Error, SHUT_RDWR, Socket},
};
use support::sim::{EC25, SimPort, config, on_stack_with, tcp};

const SERVER: &str = "192.0.2.7:80";
const SCRIPTS: u64 = 600;
/// A report may lag behind by the serial line and one command.
const LAG_MS: u64 = 60;
/// FIN_WAIT_2 is asked for, at the latest every 2 s.
const ASKED_MS: u64 = 2_000 + LAG_MS;
/// A module that restarts says nothing until it is up again.
const BOOT_MS: u64 = 20_000;

/// splitmix64
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Closes or resets after so many µs, and answers a FIN with its own unless
/// `half_open`.
#[derive(Clone, Copy, Debug)]
struct Script {
    end: Option<(u64, Ending)>,
    half_open: bool,
}

impl Script {
    fn new(random: &mut Random) -> Self {
        let how = [None, Some(Ending::Fin), Some(Ending::Reset)][random.below(3) as usize];
        Self {
            end: how.map(|how| (random.below(6_000_000), how)),
            half_open: random.one_in(4),
        }
    }
}

impl Peer for Script {
    fn connected(&mut self, io: &mut PeerIo) {
        if let Some((after, _)) = self.end {
            io.wake_at(io.now() + after);
        }
    }

    fn woken(&mut self, io: &mut PeerIo) {
        match self.end {
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

fn truth(state: Option<TcpState>) -> SocketState {
    state.map_or(SocketState::Closed, |state| {
        SocketState::ALL[match state {
            TcpState::Closed => 0,
            TcpState::Listen => 1,
            TcpState::SynSent => 2,
            TcpState::SynRcvd => 3,
            TcpState::Established => 4,
            TcpState::FinWait1 => 5,
            TcpState::FinWait2 => 6,
            TcpState::CloseWait => 7,
            TcpState::Closing => 8,
            TcpState::LastAck => 9,
            TcpState::TimeWait => 10,
        }]
    })
}

/// A socket that is watched, and where its end in the module is found.
struct Watched<'s, 'a> {
    socket: Socket<'s, 'a, SimPort>,
    find: Find,
    wrong_since: Option<u64>,
    lag_ms: u64,
    reports: Vec<SocketState>,
}

#[derive(Clone, Copy)]
enum Find {
    /// By the peer's address.
    Remote(SocketAddr),
    /// By the port that is listened on.
    Port(u16),
}

impl<'s, 'a> Watched<'s, 'a> {
    fn new(socket: Socket<'s, 'a, SimPort>, find: Find, lag_ms: u64) -> Self {
        Self {
            socket,
            find,
            wrong_since: None,
            lag_ms,
            reports: Vec::new(),
        }
    }

    /// Compares the report with the truth; returns both if they agree.
    fn look(&mut self, port: &SimPort, seed: u64) -> Option<(SocketState, SocketState)> {
        let reported = self.socket.state().unwrap();
        let now = port.ms();
        if self.reports.last() != Some(&reported) {
            self.reports.push(reported);
        }
        let sockets = port.sim.borrow().tcp_sockets();
        let mut found = sockets.iter().rev().filter(|tcp| match self.find {
            Find::Remote(remote) => tcp.remote == remote,
            Find::Port(port) => tcp.local_port == port && tcp.remote.port() == 0,
        });
        let truth = truth(found.next().map(|tcp| tcp.state));
        if EC25.states.truths(reported).contains(&truth) {
            self.wrong_since = None;
            return Some((reported, truth));
        }
        let lag_ms = match reported {
            SocketState::FinWait2 => self.lag_ms.max(ASKED_MS),
            _ => self.lag_ms,
        };
        let since = *self.wrong_since.get_or_insert(now);
        assert!(
            now - since <= lag_ms,
            "QUECTEL_SEED={seed}: {reported} reported while the stack is in {truth}, after {:?}",
            self.reports
        );
        None
    }
}

/// Runs one script; adds what was met to `met`.
fn run(seed: u64, met: &mut BTreeSet<(SocketState, SocketState)>) {
    let mut random = Random(seed);
    // Every state lasts longer than the line takes to tell of it.
    let delay_us = 200_000 + random.below(400_000);
    let port = SimPort::new(Config {
        seed,
        link: Link {
            delay_us,
            ..Link::default()
        },
        ..Config::default()
    });
    let peer = Script::new(&mut random);
    let close_at = match peer.end {
        // Just when the peer's FIN arrives: behind its SYN, ours, and the
        // acknowledgement.
        Some((after, Ending::Fin)) if random.one_in(2) => {
            Some((4 * delay_us + after) / 1_000 + random.below(20))
        }
        _ => (!random.one_in(5)).then(|| random.below(8_000)),
    };
    let server = random.one_in(3);
    let incident = match random.below(8) {
        0 => Some(Incident::PdpDeact(1)),
        1 => Some(Incident::Reset),
        _ => None,
    };
    let lag_ms = match incident {
        Some(Incident::Reset) => BOOT_MS,
        _ => LAG_MS,
    };
    let row_stays = random.one_in(4);
    port.sim.borrow_mut().profile_mut().row_in_fin_wait_2 = row_stays;
    port.sim
        .borrow_mut()
        .serve(SERVER.parse().unwrap(), move || peer);
    on_stack_with(&port, 3, config(), |stack| {
        let start = port.ms();
        {
            let mut sim = port.sim.borrow_mut();
            let at = |ms: u64| (start + ms) * 1_000;
            if let Some(incident) = incident {
                sim.schedule(When::At(at(random.below(9_000))), incident);
            }
            if random.one_in(6) {
                let from = at(random.below(6_000));
                let to = from + random.below(20_000_000);
                sim.link_mut().blackouts.push(from..to);
            }
        }
        let mut watched = Vec::new();
        let mut listener = None;
        if server {
            let mut socket = tcp(stack);
            socket.bind(("", 8080)).unwrap();
            socket.listen(1).unwrap();
            socket.setblocking(false);
            watched.push(Watched::new(socket, Find::Port(8080), lag_ms));
            listener = Some(());
            let client = "198.51.100.7:5000".parse().unwrap();
            assert!(port.sim.borrow_mut().dial(client, 8080, peer));
        } else {
            let mut socket = tcp(stack);
            socket.setblocking(false);
            let remote = SERVER.parse::<SocketAddr>().unwrap();
            assert_eq!(socket.connect(remote), Err(Error::InProgress));
            watched.push(Watched::new(socket, Find::Remote(remote), lag_ms));
        }
        let mut close_at = close_at;
        while port.ms() < start + 30_000 {
            if listener.is_some()
                && let Ok((child, remote)) = watched[0].socket.accept()
            {
                listener = None;
                watched.push(Watched::new(child, Find::Remote(remote), lag_ms));
            }
            if close_at.is_some_and(|at| port.ms() >= start + at) {
                close_at = None;
                let last = watched.last_mut().unwrap();
                // Nothing to close is fine.
                let _ = last.socket.shutdown(SHUT_RDWR);
            }
            for one in &mut watched {
                met.extend(one.look(&port, seed));
            }
            stack.poll_until(2, || false).unwrap();
        }
    });
}

#[test]
fn every_report_is_true() {
    let mut met = BTreeSet::new();
    if let Ok(seed) = std::env::var("QUECTEL_SEED") {
        return run(seed.parse().expect("a number"), &mut met);
    }
    for seed in 0..SCRIPTS {
        run(seed, &mut met);
    }
    for reported in SocketState::ALL {
        for truth in EC25.states.truths(reported) {
            assert!(
                met.contains(&(reported, *truth)),
                "{reported} was never reported while the stack was in {truth}"
            );
        }
    }
}
