//! The simulated module, whatever a host sends and whatever happens around it: no panic, no time in
//! which it is for ever busy, no memory that grows without end.
//!
//! Two bytes of set-up, then bytes of the host and operations:
//!
//! | byte | |
//! |---|---|
//! | 0x80 to 0x9f | time passes: 1 µs, twice as much for each step, up to 134 s |
//! | 0xa0 to 0xaf | the network does something |
//! | 0xb0 to 0xbf | power, SIM card and registration change |
//! | 0xc0, b | the byte b |
//! | 0xc1, n | 16 n bytes of payload |
//! | 0xc2, n, k | byte n from now to the module is damaged; 0xc3: to the host |
//! | 0xc4 | the host stops reading, or begins again |
//! | other | a millisecond passes |

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use quectel_sim::{
    Boot, Config, Direction, Echo, LineFault, Link, Profile, Sim, SimCard, Source, Then,
};

use super::Input;

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), 7);
/// What a host's end of the line stores.
const UNREAD: usize = 4 << 20;
/// Sockets of the module: those with a connect id, some that were released, some not yet accepted.
const SOCKETS: usize = 64;
/// Events at one time.
const AT_ONCE: u32 = 10_000;
/// An input that takes longer than this is not gone on with.
const EVENTS: u32 = 50_000;

struct Run {
    sim: Sim,
    reads: bool,
    events: u32,
}

/// Runs an input.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let mut run = Run::new(input.number() as usize, input.number());
    while run.events < EVENTS {
        run.sim.write(input.text());
        let Some(operation) = input.byte() else { break };
        match operation {
            0x80..=0x9f => run.pass(1 << (operation & 0x1f).min(27)),
            0xa0..=0xaf => run.network(operation & 0xf, &mut input),
            0xb0..=0xbf => run.change(operation & 0xf),
            0xc0 => run.sim.write(&[input.number() as u8]),
            0xc1 => run.sim.write(&vec![b'x'; 16 * input.number() as usize]),
            0xc2 => run.damage(Direction::ToModule, &mut input),
            0xc3 => run.damage(Direction::ToHost, &mut input),
            0xc4 => run.reads = !run.reads,
            _ => run.pass(1_000),
        }
        run.check();
    }
    run.pass(10_000_000);
    run.check();
}

impl Run {
    fn new(family: usize, how: u64) -> Run {
        let families = Profile::families();
        let config = Config {
            seed: how,
            baud: [115_200, 9_600, 921_600, 3_000_000][how as usize & 3],
            latency_us: [2_000, 0, 50_000, 500][how as usize >> 2 & 3],
            boot: [Boot::Booted, Boot::Cold][how as usize >> 4 & 1],
            link: Link {
                loss_ppm: [0, 50_000][how as usize >> 5 & 1],
                ..Link::default()
            },
            profile: families[family % families.len()].clone(),
            ..Config::default()
        };
        let mut sim = Sim::new(config);
        sim.serve(SERVER, || Echo);
        sim.serve_udp(SERVER, Echo);
        sim.set_name_addresses("name", &[SERVER.ip()], 60);
        Run {
            sim,
            reads: true,
            events: 0,
        }
    }

    /// Lets time pass, event by event.
    fn pass(&mut self, us: u64) {
        let until = self.sim.now() + us;
        let (mut last, mut at_once) = (self.sim.now(), 0);
        while let Some(at) = self.sim.next_event().filter(|at| *at <= until) {
            at_once = if at > last { 0 } else { at_once + 1 };
            assert!(at_once < AT_ONCE, "time does not pass after {at}");
            last = at;
            self.sim.run_until(at);
            self.events += 1;
            if self.events > EVENTS {
                return;
            }
        }
        self.sim.run_until(until);
    }

    fn check(&mut self) {
        assert!(self.sim.readable() <= UNREAD);
        assert!(self.sim.tcp_sockets().len() <= SOCKETS);
        if self.reads {
            self.sim.read_all();
        }
    }

    fn network(&mut self, what: u8, input: &mut Input) {
        let from = SocketAddr::new([198, 51, 100, 7].into(), 40_000 + input.number() as u16);
        let sim = &mut self.sim;
        match what {
            0 => drop(sim.dial(from, 8080, Echo)),
            1 => drop(sim.dial(from, 8080, Source::new(*b"hello", Then::Close))),
            2 => drop(sim.send_datagram(from, 3030, b"hello")),
            3 => drop(sim.send_datagram(from, 3030, &[b'x'; 1_460])),
            4 => drop(sim.with_peer(SERVER, |io| io.close())),
            5 => drop(sim.with_peer(SERVER, |io| io.abort())),
            6 => drop(sim.with_peer(SERVER, |io| io.send(b"\r\nOK\r\n"))),
            7 => drop(sim.with_peer(SERVER, |io| io.send(&[b'y'; 20_000]))),
            8 => drop(sim.with_peer(from, |io| io.close())),
            9 => sim.set_silent(SERVER.ip(), true),
            10 => sim.set_silent(SERVER.ip(), false),
            11 => sim.set_name_silent("name"),
            12 => sim.set_name("name", &[], 60),
            13 => sim.link_mut().loss_ppm = 1_000_000,
            14 => sim.link_mut().loss_ppm = 0,
            _ => sim.send_urc("+QIND: \"x\""),
        }
    }

    fn change(&mut self, what: u8) {
        let sim = &mut self.sim;
        match what {
            0 => sim.power_on(),
            1 => sim.power_off(),
            2 => sim.reset(),
            3..=8 => sim.set_registration([0, 1, 2, 3, 4, 5][usize::from(what) - 3]),
            9 => sim.set_sim_card(SimCard::Absent),
            10 => sim.set_sim_card(SimCard::Pin("1234".into())),
            11 => sim.set_sim_card(SimCard::Puk),
            12 => sim.set_sim_card(SimCard::Failure),
            13 => sim.set_sim_card(SimCard::Busy(2_000_000)),
            _ => sim.set_sim_card(SimCard::Ready),
        }
    }

    fn damage(&mut self, direction: Direction, input: &mut Input) {
        let at = self.sim.position(direction) + input.number();
        let kind = input.number();
        let fault = match kind & 3 {
            0 => LineFault::Drop(at),
            1 => LineFault::Double(at),
            2 => LineFault::Corrupt(at, kind as u8),
            _ => LineFault::Stall(at, kind << 12),
        };
        self.sim.add_line_fault(direction, fault);
    }
}
