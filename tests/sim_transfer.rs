//! Payloads through the simulated module arrive as they were sent.

mod support;

use quectel_sim::{Answer, Config, Record, Then};
use quectel_sockets::{
    Slot, Stack,
    socket::{AF_INET, IPPROTO_TCP, SOCK_STREAM},
};
use support::sim::{SimPort, config};

#[test]
fn a_small_body() {
    let port = SimPort::new(Config {
        trace: true,
        ..Config::default()
    });
    let record = Record::new();
    port.sim.borrow_mut().serve(
        "192.0.2.7:80".parse().unwrap(),
        record.of(|| Answer::new(b"hello".as_slice(), Then::Close)),
    );
    port.sim
        .borrow_mut()
        .set_name("www.example", &["192.0.2.7".parse().unwrap()], 300);
    let (mut rx, mut tx) = ([0; 2048], [0; 1460]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let stack = Stack::new(port.clone(), &mut slots, config());
    let net = quectel_sockets::CheckNetwork::new(&stack, "p", "1");
    assert_eq!(net.wait_network_connected(30), Ok((3, 1)));
    let address = stack.getaddrinfo("www.example", 80).unwrap()[0].sockaddr;
    let mut socket = stack.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP).unwrap();
    socket.connect(address).unwrap();
    socket.sendall(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut body = [0; 100];
    let n = socket.read(&mut body).unwrap().unwrap();
    println!("{:?}", String::from_utf8_lossy(&body[..n]));
    socket.close().unwrap();
    for t in port.sim.borrow().dialogue() {
        println!("{t}");
    }
    assert_eq!(&body[..n], b"hello");
}
