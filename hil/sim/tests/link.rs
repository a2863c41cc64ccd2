//! Data through the link: whole, in order, the same every time, and fast enough to test with.

mod common;

use common::Host;
use quectel_sim::{Config, Direction, Echo, Link, Record, Sink, Source, Then};

/// Bytes that look like nothing.
fn noise(n: usize) -> Vec<u8> {
    (0..n as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

/// Reads `n` bytes with `AT+QIRD`, woken by URCs. Takes the answers byte by byte.
fn download(host: &mut Host, n: usize) -> Vec<u8> {
    let mut got = Vec::new();
    while got.len() < n {
        host.send("AT+QIRD=0,1500\r");
        let mut urcs = 0;
        let length = loop {
            let text = line(host);
            match text.strip_prefix("+QIRD: ") {
                Some(length) => break length.parse::<usize>().unwrap(),
                None => assert_eq!(text, "+QIURC: \"recv\",0"),
            }
            urcs += 1;
        };
        if length > 0 {
            got.extend(host.take(length));
            host.expect("\r\n");
        }
        host.expect("\r\nOK\r\n");
        if length == 0 && urcs == 0 {
            assert_eq!(line(host), "+QIURC: \"recv\",0");
        }
    }
    got
}

/// The next line of text, without its CRLFs.
fn line(host: &mut Host) -> String {
    host.expect("\r\n");
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n") {
        text.extend(host.take(1));
    }
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

fn upload(host: &mut Host, data: &[u8]) {
    for block in data.chunks(1460) {
        loop {
            host.talk(format!("AT+QISEND=0,{}\r", block.len()), "\r\n> ");
            host.send(block);
            let answer = host.take(b"\r\nSEND OK\r\n".len());
            if answer == b"\r\nSEND OK\r\n" {
                break;
            }
            assert_eq!(common::shown(&answer), r"\r\nSEND FAIL");
            host.expect("\r\n");
            host.sim.run_until(host.sim.now() + 100_000);
        }
    }
}

fn lossy() -> Link {
    Link {
        jitter_us: 10_000,
        loss_ppm: 20_000,
        reorder_ppm: 20_000,
        rate: 200_000,
        ..Link::default()
    }
}

fn both_ways(config: Config, n: usize) -> Host {
    let (data, record) = (noise(n), Record::new());
    let source = data.clone();
    let peers = record.of(move || Source::new(source.clone(), Then::Keep));
    let mut host = Host::connected(config, |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), peers)
    });
    assert!(download(&mut host, n) == data);
    upload(&mut host, &data);
    host.run_while(|_| record.len(0) < n);
    assert!(record.data(0) == data);
    host
}

#[test]
fn a_megabyte_both_ways() {
    both_ways(
        Config {
            baud: 921_600,
            ..Config::default()
        },
        1 << 20,
    );
}

#[test]
fn a_megabyte_both_ways_through_a_bad_link() {
    let config = Config {
        baud: 921_600,
        link: lossy(),
        seed: 7,
        ..Config::default()
    };
    both_ways(config, 1 << 20);
}

#[test]
fn a_link_without_delay() {
    both_ways(
        Config {
            link: Link::instant(),
            latency_us: 0,
            ..Config::default()
        },
        100_000,
    );
}

#[test]
fn a_black_out_is_survived() {
    let record = Record::new();
    let peers = record.of(|| Sink);
    let mut host = Host::connected(Config::default(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), peers)
    });
    let now = host.sim.now();
    host.sim.link_mut().blackouts.push(now..now + 30_000_000);
    let data = noise(50_000);
    upload(&mut host, &data);
    host.run_while(|_| record.len(0) < data.len());
    assert!(record.data(0) == data);
}

#[test]
fn the_same_seed_gives_the_same_bytes_at_the_same_times() {
    let run = |seed| {
        let config = Config {
            trace: true,
            link: lossy(),
            seed,
            ..Config::default()
        };
        both_ways(config, 20_000).sim.dialogue().to_vec()
    };
    let (one, same, other) = (run(1), run(1), run(2));
    assert!(one == same);
    assert!(one != other);
    assert!(one.iter().any(|entry| entry.direction == Direction::ToHost));
}

/// Sixty-four connections, one after the other, of a megabyte each.
#[test]
#[ignore = "a measurement: run with --ignored"]
fn sixty_four_megabytes() {
    let data = noise(1 << 20);
    let source = data.clone();
    let mut host = Host::ready(Config {
        baud: 3_000_000,
        latency_us: 0,
        ..Config::default()
    });
    host.sim.serve("192.0.2.7:7".parse().unwrap(), move || {
        Source::new(source.clone(), Then::Keep)
    });
    for _ in 0..64 {
        host.open(0);
        assert!(download(&mut host, 1 << 20) == data);
        host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    }
}

#[test]
fn a_tap_sees_what_passes_the_module() {
    use std::sync::{Arc, Mutex};
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut host = Host::ready(Config::default());
    let sink = seen.clone();
    host.sim.set_tap(move |at, packet| {
        sink.lock().unwrap().push((at, packet.to_vec()));
    });
    host.sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    let begin = host.sim.now();
    host.open(0);
    let seen = seen.lock().unwrap();
    let flags = |i: usize| seen[i].1[33];
    // SYN, and 40 ms later SYN and ACK, and at once ACK.
    assert_eq!((flags(0), flags(1), flags(2)), (0x02, 0x12, 0x10));
    assert!(seen[0].0 > begin);
    assert_eq!((seen[1].0, seen[2].0), (seen[0].0 + 40_000, seen[1].0));
    assert_eq!(seen[0].1[12..20], [10, 7, 157, 1, 192, 0, 2, 7]);
    for (_, packet) in seen.iter() {
        assert_eq!(checksum(&packet[..20]), 0xFFFF);
        let length = (packet.len() - 20) as u8;
        let pseudo = [&packet[12..20], &[0, 6, 0, length], &packet[20..]].concat();
        assert_eq!(checksum(&pseudo), 0xFFFF);
    }
}

/// The Internet checksum, before it is inverted.
fn checksum(data: &[u8]) -> u16 {
    let words = data
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}

#[test]
fn an_idle_connection_is_forgotten_by_the_nat() {
    let mut config = Config::default();
    config.link.nat_tcp_us = 300_000_000;
    let mut host = Host::ready(config);
    host.sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    host.open(0);
    host.silence(290_000_000);
    host.qisend(0, b"in time");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.qird(0, b"in time");
    host.silence(301_000_000);
    host.qisend(0, b"too late");
    host.silence(60_000_000);
    host.talk("AT+QISEND=0,0\r", "\r\n+QISEND: 15,7,8\r\n\r\nOK\r\n");
    // What the server sends does not arrive either.
    host.sim
        .with_peer("192.0.2.7:7".parse().unwrap(), |io| io.send(b"hello?"));
    host.silence(60_000_000);
    // A new connection does.
    host.open(1);
}

#[test]
fn the_nat_lets_in_what_answers() {
    let mut config = Config::default();
    config.link.nat_udp_us = 30_000_000;
    let mut host = Host::ready(config);
    let server = "192.0.2.7:7".parse().unwrap();
    host.sim.serve_udp(server, Sink);
    host.talk(
        "AT+QIOPEN=1,0,\"UDP\",\"192.0.2.7\",7,3030,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
    host.sim.send_datagram(server, 3030, b"not asked for");
    host.silence(1_000_000);
    host.qisend(0, b"ask");
    host.silence(29_000_000);
    host.sim.send_datagram(server, 3030, b"answer");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.qird(0, b"answer");
    host.silence(31_000_000);
    host.sim.send_datagram(server, 3030, b"too late");
    host.silence(1_000_000);
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 6,6,0\r\n\r\nOK\r\n");
}
