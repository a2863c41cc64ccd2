//! Whatever bytes a host sends, the module stays alive: no panic, no hang, and it can be reached again.

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use common::{Host, family, shown};
use quectel_sim::{Boot, Config, Echo, Link, Profile, Source, Then};

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), 7);

/// A small generator, so that a failure can be repeated from the seed it prints.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

const DIALOGUE: &[&str] = &[
    "AT\r",
    "ATE0\r",
    "ATE1\r",
    "ATI\r\n",
    "AT+CMEE=2\r",
    "AT+CPIN?\r",
    "AT+CFUN=1\r",
    "AT+CFUN=4\r",
    "AT+CFUN=1,1\r",
    "AT+CREG=2\r",
    "AT+QICSGP=1,1,\"apn\",\"u\",\"p\",1\r",
    "AT+QIACT=1\r",
    "AT+QIACT?\r",
    "AT+QIDEACT=1\r",
    "AT+QIDNSGIP=1,\"name\"\r",
    "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,0,0\r",
    "AT+QIOPEN=1,1,\"TCP\",\"name\",7\r",
    "AT+QISTATE\r",
    "AT+QISTATE=1,0\r",
    "AT+QISEND=0,5\r",
    "hello",
    "AT+QISEND=0\r",
    "hello\x1a",
    "\x1b",
    "AT+QISEND=0,0\r",
    "AT+QIRD=0,1500\r",
    "AT+QIRD=0,0\r",
    "AT+QICLOSE=0\r",
    "AT+QICLOSE=0,0\r",
    "AT+QICFG=\"qisend/timeout\",3\r",
    "AT+QICFG=\"passiveclosed\",1\r",
    "AT+QISDE=0\r",
    "AT+QICSGP=1,3,\"apn\"\r",
    "AT+QIOPEN=1,2,\"UDP\",\"192.0.2.7\",7,3031,1\r",
    "AT+QIOPEN=1,3,\"UDP SERVICE\",\"127.0.0.1\",0,3030,0\r",
    "AT+QIOPEN=1,4,\"TCP LISTENER\",\"127.0.0.1\",0,8080,0\r",
    "AT+QIOPEN=1,5,\"TCP\",\"192.0.2.7\",7,0,1\r",
    "AT+QIOPEN=1,6,\"TCP\",\"192.0.2.7\",7,0,2\r",
    "AT+QIOPEN=1,7,\"TCP\",\"2001:db8::7\",7\r",
    "AT+QISEND=3,5,\"192.0.2.7\",7\r",
    "AT+QISEND=5,5\r",
    "AT+QIRD=3\r",
    "AT+QIRD=11,1500\r",
    "AT+QISWTMD=0,1\r",
    "AT+QISWTMD=0,2\r",
    "AT+QISWTMD=5,0\r",
    "+++",
    "ATO\r",
    "AT+QIACCEPT=4,1\r",
    "AT+QICLOSE=4\r",
    "AT+QICLOSE=11\r",
    "AT+QPING=1,\"name\",1,2\r",
    "AT+QNTP=1,\"name\",123,1,1,5\r",
    "AT+QICFG=\"tcp/accept\",0\r",
    "AT+QICFG=\"transwaittm\",0\r",
    "AT+QICFG=\"close/mode\",1\r",
    "AT+QICFG=\"dataformat\",1,1\r",
    "AT+CGATT?;+CSQ;+COPS?\r",
    "AT&W\r",
    "AT&F\r",
    "AT+QPOWD=1\r",
    "AT+QURCCFG=\"urcport\",\"usbat\"\r",
    "AT+QIACTEX=2\r",
    "AT+QIDEACTEX=2\r",
    "AT+CGACT=0,1\r",
    "AT+CGATT=0\r",
    "AT+CGDCONT=2,\"IP\",\"apn\"\r",
    "AT+CGPADDR;+CGCONTRDP;+CGACT?\r",
    "AT+CGEREP=2,1\r",
    "AT+QENG=\"servingcell\"\r",
    "AT+CEREG=4\r",
    "AT+COPS=2\r",
    "AT+COPS=0\r",
    "AT+CLCK=\"SC\",1,\"1234\"\r",
    "AT+CPIN=1234\r",
    "AT+CEDRXS=2,4,\"0101\"\r",
    "AT+CCLK=\"26/07/03,00:56:27+32\"\r",
    "AT+QISENDEX=0,\"6869\"\r",
    "AT+QISENDEX=0,2,\"6869\"\r",
    "AT+QISEND=0,2,\"hi\"\r",
    "AT+QICFG=\"showlength\",1\r",
    "AT+QICFG=\"TCP/SendMode\",1\r",
    "AT+QCFG=\"urc/cache\",1\r",
];

fn stir(host: &mut Host, chance: &mut Chance, whole: bool) {
    let mut bytes = Vec::new();
    if whole {
        let line = DIALOGUE[chance.below(DIALOGUE.len())];
        // The only context of some families.
        let line = match host.sim.profile_mut().first_context {
            0 => line.replace("=1,", "=0,"),
            _ => line.to_owned(),
        };
        bytes.extend(line.as_bytes());
        for _ in 0..chance.below(3) {
            let at = chance.below(bytes.len());
            match chance.below(4) {
                0 => bytes[at] = chance.next() as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, chance.next() as u8),
                _ => {}
            }
            if bytes.is_empty() {
                break;
            }
        }
    } else {
        bytes.extend((0..chance.below(64)).map(|_| chance.next() as u8));
    }
    host.send(bytes);
    if chance.below(4) == 0 {
        let port = 40_000 + chance.below(100) as u16;
        let from = SocketAddr::new([198, 51, 100, 7].into(), port);
        match chance.below(4) {
            0 => drop(
                host.sim
                    .dial(from, 8080, Source::new(*b"hello", Then::Close)),
            ),
            1 => drop(host.sim.dial(from, 8080, Echo)),
            2 => drop(host.sim.send_datagram(from, 3030, &[b'x'; 1400])),
            _ => drop(host.sim.with_peer(SERVER, |io| io.close())),
        }
    }
    let now = host.sim.now();
    host.sim.run_until(now + chance.next() % 2_000_000);
    let n = host.sim.readable();
    host.take(n);
}

/// Ends whatever is going on, and expects an answer to `AT`.
#[track_caller]
fn revive(host: &mut Host, name: &str, seed: u64) {
    host.sim.run_until(host.sim.now() + 200_000_000);
    // The end of transparent mode.
    host.send("+++");
    host.sim.run_until(host.sim.now() + 3_000_000);
    // Enough to fill a payload of any length, and to end one without. It may also end a line that
    // turns the module off, or restarts it.
    host.send([b'\r'; 1460]);
    host.send("\x1a\r");
    host.sim.run_until(host.sim.now() + 10_000_000);
    host.sim.power_on();
    host.sim.run_until(host.sim.now() + 30_000_000);
    // Answers in words.
    host.send("ATQ0V1\r");
    host.sim.run_until(host.sim.now() + 1_000_000);
    let n = host.sim.readable();
    host.take(n);
    host.send("AT\r");
    host.sim.run_until(host.sim.now() + 1_000_000);
    let n = host.sim.readable();
    let answer = shown(&host.take(n));
    assert!(
        answer.ends_with(r"\r\nOK\r\n"),
        "{name}, seed {seed}: {answer}"
    );
}

fn soup(name: &str, seed: u64, whole: bool) {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut host = Host::new(Config {
        seed,
        baud: [9_600, 115_200, 3_000_000][chance.below(3)],
        latency_us: chance.next() % 50_000,
        boot: if chance.below(4) == 0 {
            Boot::Cold
        } else {
            Boot::Booted
        },
        link: Link {
            loss_ppm: (chance.next() % 100_000) as u32,
            ..Link::default()
        },
        ..family(name)
    });
    host.sim.serve(SERVER, || Echo);
    host.sim.serve_udp(SERVER, Echo);
    host.sim
        .set_name("name", &["192.0.2.7".parse().unwrap()], 60);
    for _ in 0..150 {
        stir(&mut host, &mut chance, whole);
    }
    revive(&mut host, name, seed);
}

#[test]
fn random_bytes() {
    for name in Profile::NAMES {
        for seed in 0..20 {
            soup(name, seed, false);
        }
    }
}

#[test]
fn dialogues_with_mistakes() {
    for name in Profile::NAMES {
        for seed in 1_000..1_060 {
            soup(name, seed, true);
        }
    }
}

#[test]
fn a_host_that_sends_without_end_and_never_reads() {
    let mut host = Host::new(Config::default());
    for _ in 0..200 {
        host.send(b"AT+QISTATE\r".repeat(2_000));
        host.sim.run_until(host.sim.now() + 1_000);
    }
    host.sim.run_until(host.sim.now() + 100_000_000);
    assert!(host.sim.readable() <= 4 << 20);
}
