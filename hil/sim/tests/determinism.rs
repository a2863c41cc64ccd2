//! The same calls give the same bytes at the same times, whatever they are: every family, pins, speeds,
//! a bad link, faults. And whatever has happened, a module that gets new power works.

mod common;

use common::{File, Host, shown};
use quectel_sim::{Config, Echo, Link, NtpServer, Profile, Sim, Source, Then};

/// A generator of its own: the simulation's is not to decide what it is asked.
struct Dice(u64);

impl Dice {
    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n as u64) as usize
    }

    fn one<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// What is done from outside.
const CONTROLS: &[&str] = &[
    "baud 9600",
    "baud 57600",
    "baud 115200",
    "baud 115200",
    "rts off",
    "rts on",
    "rts on",
    "dtr off",
    "dtr on",
    "powerkey press 700ms",
    "powerkey press 3s",
    "powerkey down",
    "powerkey up",
    "reset press",
    "reset down",
    "reset up",
    "power cut",
    "power on",
    "power on",
    "signal 3",
    "registration searching",
    "registration lost",
    "registration denied",
    "registration home",
    "registration home",
    "registration roaming",
    "pdp drop 1",
    "apn refuse internet",
    "apn allow internet",
    "link down",
    "link up",
    "link up",
    "link loss=20% reorder=10% jitter=30ms",
    "link delay=300ms rate=2k",
    "name server.test 192.0.2.7",
    "name server.test",
    "simcard absent",
    "simcard ready",
    "urc +CMTI: \"SM\",1",
    "fault stall:answer:any:5:300ms",
    "fault corrupt:answer:any:3:0x10",
    "fault drop:payload:2",
    "fault late:any:2s",
    "fault slow:any:700ms",
    "fault lose-answer:any",
    "fault send-fail",
    "fault urc:before-ok:any:\"+CREG: 1\"",
    "fault switch:autobaud:on",
    "fault switch:autobaud:off",
    "fault switch:serial-overruns:on",
    "fault switch:bytes-wake:on",
    "faults clear",
    "state",
];

/// What is sent to the module.
const LINES: &[&str] = &[
    "AT\r",
    "AT\r",
    "ATE0\r",
    "AT+CREG=2;+CEREG=2\r",
    "AT+QIACT=1\r",
    "AT+QIDEACT=1\r",
    "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,0,0\r",
    "AT+QIOPEN=1,1,\"TCP\",\"server.test\",9,0,1\r",
    "AT+QIOPEN=1,2,\"TCP\",\"192.0.2.7\",7,0,2\r",
    "AT+QISEND=0,5\r",
    "hello",
    "hello",
    "AT+QIRD=0,1500\r",
    "AT+QISTATE\r",
    "AT+QICLOSE=0\r",
    "AT+QICLOSE=1,1\r",
    "+++",
    "AT+QIDNSGIP=1,\"server.test\"\r",
    "AT+QPING=1,\"192.0.2.7\",1,2\r",
    "AT+QNTP=1,\"192.0.2.7\"\r",
    "AT+IPR=9600\r",
    "AT+IPR=115200\r",
    "AT+IPR=57600;&W\r",
    "AT+IFC=2,2\r",
    "AT+IFC=0,0\r",
    "AT+QSCLK=1\r",
    "AT+QSCLK=2\r",
    "AT&D1\r",
    "AT&F\r",
    "AT+CPSMS=1,,,\"00000001\",\"00011110\"\r",
    "AT+CFUN=1,1\r",
    "AT+CFUN=0\r",
    "AT+CFUN=1\r",
    "AT+QPOWD=1\r",
    "\x1b",
];

/// How long nothing is done, in µs.
const PAUSES: &[u64] = &[
    0, 1, 500, 40_000, 300_000, 2_000_000, 15_000_000, 70_000_000,
];

/// What a host has seen: bytes with the times of their arrival, and answers to control lines.
#[derive(PartialEq)]
struct Seen {
    bytes: Vec<(u64, u8)>,
    answers: Vec<String>,
    dialogue: Vec<String>,
    capture: Vec<u8>,
}

/// Lets time pass until `t`, and reads what arrives.
fn watch(sim: &mut Sim, t: u64, bytes: &mut Vec<(u64, u8)>) {
    loop {
        let next = sim.next_event().filter(|at| *at <= t);
        sim.run_until(next.unwrap_or(t));
        let mut one = [0];
        while sim.read(&mut one) > 0 {
            bytes.push((sim.now(), one[0]));
        }
        if next.is_none() {
            return;
        }
    }
}

fn run(seed: u64) -> (Sim, Seen) {
    let families = Profile::families();
    let mut dice = Dice(seed);
    let mut sim = Sim::new(Config {
        seed,
        trace: true,
        profile: families[seed as usize % families.len()].clone(),
        link: Link {
            jitter_us: 10_000,
            loss_ppm: 20_000,
            reorder_ppm: 20_000,
            ..Link::default()
        },
        ..Config::default()
    });
    let file = File::default();
    sim.capture(file.clone()).unwrap();
    sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    sim.serve("192.0.2.7:9".parse().unwrap(), || {
        Source::new(vec![b'x'; 3_000], Then::Close)
    });
    let unix_s = 1_783_040_181;
    sim.serve_udp("192.0.2.7:123".parse().unwrap(), NtpServer { unix_s });
    sim.control("name server.test 192.0.2.7").unwrap();
    let (mut bytes, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..120 {
        if dice.below(3) == 0 {
            let line = dice.one(CONTROLS);
            answers.push(format!("{line}: {:?}", sim.control(line)));
        } else {
            sim.write(dice.one(LINES).as_bytes());
        }
        let pause = PAUSES[dice.below(PAUSES.len())];
        let until = sim.now() + pause;
        watch(&mut sim, until, &mut bytes);
    }
    let dialogue = sim.dialogue().iter().map(ToString::to_string).collect();
    let capture = file.0.lock().unwrap().clone();
    let seen = Seen {
        bytes,
        answers,
        dialogue,
        capture,
    };
    (sim, seen)
}

/// Turns everything back to what is usual, and the module off and on.
#[track_caller]
fn works_again(sim: Sim, seed: u64) {
    let mut host = Host { sim };
    for line in [
        "powerkey up",
        "reset up",
        "power cut",
        "faults clear",
        "fault switch:autobaud:off",
        "rts on",
        "dtr on",
        "link up",
        "simcard ready",
        "registration home",
    ] {
        host.sim.control(line).unwrap();
    }
    host.sim.run_until(host.sim.now() + 1_000_000);
    host.sim.power_on();
    host.sim.run_until(host.sim.now() + 30_000_000);
    let speed = host.sim.module_baud().expect("a speed");
    host.sim.set_host_baud(speed);
    // AT&W may have stored that there is no echo.
    host.send("ATE0\r");
    host.sim.run_until(host.sim.now() + 1_000_000);
    let n = host.sim.readable();
    host.take(n);
    host.send("AT\r");
    let answer = host.take("\r\nOK\r\n".len());
    assert_eq!(shown(&answer), r"\r\nOK\r\n", "seed {seed}");
    host.silence(0);
}

#[test]
fn the_same_seed_gives_the_same_bytes_at_the_same_times() {
    let mut bytes = 0;
    for seed in 0..60 {
        let ((one, seen), (_, again)) = (run(seed), run(seed));
        println!("seed {seed}: {} bytes", seen.bytes.len());
        assert!(seen == again, "seed {seed}");
        bytes += seen.bytes.len();
        works_again(one, seed);
    }
    assert!(bytes > 10_000, "only {bytes} bytes in all");
}

#[test]
fn another_seed_gives_something_else() {
    assert!(run(0).1 != run(6).1);
}
