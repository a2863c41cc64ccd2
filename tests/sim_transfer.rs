//! Payloads through the simulated module arrive as they were sent, whatever
//! they hold and however the serial line cuts them up.

mod support;

use quectel_sim::{Config, Echo, Record, Sink, Source, Then};
use support::sim::{SimPort, hostile, noise, on_stack, read_to_end, tcp};

const SERVER: &str = "192.0.2.7:80";

/// A module at a baud rate that keeps virtual time short.
fn module() -> Config {
    Config {
        baud: 921_600,
        ..Config::default()
    }
}

#[track_caller]
fn download(body: &[u8], chunk: usize) {
    let port = SimPort::with_chunk(module(), chunk);
    let served = body.to_vec();
    port.sim
        .borrow_mut()
        .serve(SERVER.parse().unwrap(), move || {
            Source::new(served.as_slice(), Then::Close)
        });
    on_stack(&port, 1, |stack| {
        let mut socket = tcp(stack);
        socket
            .connect(SERVER.parse::<std::net::SocketAddr>().unwrap())
            .unwrap();
        let (got, end) = read_to_end(&mut socket);
        assert_eq!(end, Ok(()));
        assert!(got == body, "{} bytes at chunk size {chunk}", body.len());
        socket.close().unwrap();
        // Nothing in the payload was taken for a URC.
        assert_eq!(stack.counters().unwrap().unknown_lines, 0);
    });
}

#[track_caller]
fn upload(body: &[u8], chunk: usize) {
    let port = SimPort::with_chunk(module(), chunk);
    let record = Record::new();
    port.sim
        .borrow_mut()
        .serve(SERVER.parse().unwrap(), record.of(|| Sink));
    on_stack(&port, 1, |stack| {
        let mut socket = tcp(stack);
        socket
            .connect(SERVER.parse::<std::net::SocketAddr>().unwrap())
            .unwrap();
        socket.sendall(body).unwrap();
        socket.close().unwrap();
    });
    assert!(
        record.data(0) == body,
        "{} bytes at chunk size {chunk}",
        body.len()
    );
}

#[test]
fn bodies_of_critical_sizes_at_every_chunk_size() {
    for chunk in 1..=64 {
        for len in [0, 1, 1499, 1500, 1501] {
            download(&noise(len, 1), chunk);
            upload(&noise(len, 2), chunk);
        }
    }
}

#[test]
fn a_mebibyte_down_at_every_chunk_size() {
    let body = noise(1 << 20, 3);
    for chunk in 1..=64 {
        download(&body, chunk);
    }
}

#[test]
fn a_mebibyte_up() {
    upload(&noise(1 << 20, 4), 64);
    upload(&noise(1 << 20, 4), 1);
}

#[test]
fn hostile_payload_at_every_chunk_size() {
    let body = hostile();
    for chunk in 1..=64 {
        download(&body, chunk);
        upload(&body, chunk);
    }
}

#[test]
fn hostile_payload_cut_anywhere_by_the_reads() {
    // Leading bytes move the payload through every place in the 1500 bytes
    // of a read.
    for lead in 0..1500 {
        let mut body = vec![b'.'; lead];
        body.extend(hostile());
        download(&body, 64);
    }
}

#[test]
fn an_echo_of_more_than_the_rings_hold() {
    let body = noise(100_000, 5);
    let port = SimPort::new(module());
    port.sim
        .borrow_mut()
        .serve(SERVER.parse().unwrap(), || Echo);
    on_stack(&port, 1, |stack| {
        let mut socket = tcp(stack);
        socket
            .connect(SERVER.parse::<std::net::SocketAddr>().unwrap())
            .unwrap();
        socket.setblocking(false);
        let (mut sent, mut got, mut buffer) = (0, Vec::<u8>::new(), [0; 500]);
        while got.len() < body.len() {
            if let Some(n) = socket.write(&body[sent..]).unwrap() {
                sent += n;
            }
            match socket.readinto(&mut buffer, None).unwrap() {
                Some(n) => got.extend(&buffer[..n]),
                None => {
                    stack.poll_until(10, || false).unwrap();
                }
            }
        }
        assert!(got == body);
    });
}
