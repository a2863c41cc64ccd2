//! Every fault that can be asked for, and what the host sees of it.

mod common;

use common::{Host, shown};
use quectel_sim::{
    Config, Direction, Echo, Ending, Incident, LineFault, Part, Record, SimCard, Sink, Source,
    TcpState, Then, Times, When,
};

fn echoing() -> (Host, Record) {
    let record = Record::new();
    let peers = record.of(|| Echo);
    let host = Host::connected(Config::default(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), peers)
    });
    (host, record)
}

fn recorded() -> (Host, Record) {
    let record = Record::new();
    let peers = record.of(|| Sink);
    let host = Host::connected(Config::default(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), peers)
    });
    (host, record)
}

/// A connected host that has 100 bytes to read.
fn with_data() -> Host {
    let source = || Source::new([b'x'; 100], Then::Keep);
    let mut host = Host::connected(Config::default(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), source)
    });
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host
}

fn read(host: &mut Host, us: u64) -> String {
    host.sim.run_until(host.sim.now() + us);
    let n = host.sim.readable();
    shown(&host.take(n))
}

#[test]
fn bytes_lost_doubled_changed_and_late_on_the_way_to_the_host() {
    let head = r"\r\n+QIRD: 100\r\n".len() - 4;
    for (fault, answer) in [
        (
            LineFault::Drop as fn(u64) -> LineFault,
            r"\r\n+QIRD: 100\r\n".to_owned() + &"x".repeat(99),
        ),
        (
            LineFault::Double,
            r"\r\n+QIRD: 100\r\n".to_owned() + &"x".repeat(101),
        ),
        (
            |i| LineFault::Corrupt(i, 0x01),
            r"\r\n+QIRD: 100\r\n".to_owned() + &"x".repeat(10) + "y" + &"x".repeat(89),
        ),
    ] {
        let mut host = with_data();
        let position = host.sim.position(Direction::ToHost) + head as u64 + 10;
        host.sim.add_line_fault(Direction::ToHost, fault(position));
        host.send("AT+QIRD=0,100\r");
        assert_eq!(read(&mut host, 1_000_000), answer + r"\r\n\r\nOK\r\n");
    }
    let mut host = with_data();
    let position = host.sim.position(Direction::ToHost) + 50;
    host.sim
        .add_line_fault(Direction::ToHost, LineFault::Stall(position, 6_000_000));
    host.send("AT+QIRD=0,100\r");
    assert_eq!(
        read(&mut host, 5_000_000).len(),
        r"\r\n+QIRD: 100\r\n".len() + 50 - head
    );
    assert!(read(&mut host, 2_000_000).ends_with(r"x\r\n\r\nOK\r\n"));
}

#[test]
fn a_byte_lost_on_the_way_to_the_module() {
    let (mut host, record) = echoing();
    host.talk("AT+QISEND=0,4\r", "\r\n> ");
    let position = host.sim.position(Direction::ToModule) + 1;
    host.sim
        .add_line_fault(Direction::ToModule, LineFault::Drop(position));
    host.send("abcd");
    host.silence(10_000_000);
    host.talk("\r", "\r\nSEND OK\r\n");
    host.run_while(|_| record.len(0) < 4);
    assert_eq!(record.data(0), b"acd\r");
}

#[test]
fn a_reset_cuts_an_answer_short() {
    let mut host = with_data();
    let last = host.sim.position(Direction::ToHost) + 49;
    host.sim.schedule(When::ByteToHost(last), Incident::Reset);
    host.send("AT+QIRD=0,100\r");
    assert_eq!(
        host.take(50),
        [b"\r\n+QIRD: 100\r\n".as_slice(), &[b'x'; 36]].concat()
    );
    assert!(host.sim.tcp_sockets().is_empty());
    host.send("AT\r");
    host.expect("\r\nRDY\r\n");
    host.silence_of_boot();
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    host.talk("AT+QISTATE\r", "AT+QISTATE\r\r\nOK\r\n");
    host.talk("AT+QIACT?\r", "AT+QIACT?\r\r\nOK\r\n");
}

#[test]
fn a_reset_at_a_time_and_at_a_byte_from_the_host() {
    let (mut host, record) = echoing();
    host.sim
        .schedule(When::At(host.sim.now() + 1_000_000), Incident::Reset);
    host.expect("\r\nRDY\r\n");
    assert_eq!(record.get(0).ending, Some(Ending::Reset));
    host.silence_of_boot();
    let third = host.sim.position(Direction::ToModule) + 2;
    host.sim
        .schedule(When::ByteToModule(third), Incident::Reset);
    host.send("AT+QIACT?\r");
    host.expect("AT\r\nRDY\r\n");
    host.silence_of_boot();
    host.talk("AT\r", "AT\r\r\nOK\r\n");
}

#[test]
fn the_pins() {
    let mut host = Host::ready(Config::default());
    host.sim.power_off();
    host.talk("AT\r", "");
    host.silence(30_000_000);
    host.sim.power_on();
    host.silence(11_900_000);
    host.expect("\r\nRDY\r\n");
    host.silence_of_boot();
    host.talk("AT+QPOWD\r", "AT+QPOWD\r\r\nOK\r\n");
    host.expect("\r\nPOWERED DOWN\r\n");
    host.silence(30_000_000);
    host.sim.power_on();
    host.expect("\r\nRDY\r\n");
}

#[test]
fn the_card_is_pulled_and_put_back() {
    let (mut host, _) = echoing();
    host.talk("AT+QSIMSTAT=1\r", "\r\nOK\r\n");
    host.talk("AT+CREG=1\r", "\r\nOK\r\n");
    host.sim.set_sim_card(SimCard::Absent);
    host.expect("\r\n+CREG: 0\r\n\r\n+CPIN: NOT READY\r\n\r\n+QSIMSTAT: 1,0\r\n");
    host.talk("AT+CPIN?\r", "\r\n+CME ERROR: 10\r\n");
    host.talk("AT+QISEND=0,4\r", "\r\nERROR\r\n");
    host.silence(10_000_000);
    host.sim.set_sim_card(SimCard::Ready);
    host.expect("\r\n+CREG: 2\r\n\r\n+QSIMSTAT: 1,1\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n");
    host.expect("\r\n+QIND: SMS DONE\r\n\r\n+QIND: PB DONE\r\n\r\n+CREG: 1\r\n");
}

#[test]
fn the_network_takes_the_context_away() {
    let (mut host, record) = echoing();
    host.sim
        .schedule(When::At(host.sim.now() + 1_000_000), Incident::PdpDeact(1));
    host.expect("\r\n+QIURC: \"pdpdeact\",1\r\n");
    assert_eq!(host.sim.tcp_state(0), Some(TcpState::Closed));
    assert_eq!(record.get(0).ending, Some(Ending::Reset));
    host.talk("AT+QIACT?\r", "\r\nOK\r\n");
    host.talk("AT+QISEND=0,4\r", "\r\nERROR\r\n");
    host.talk("AT+QIRD=0\r", "\r\nERROR\r\n");
    host.talk(
        "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,563\r\n",
    );
    host.talk("AT+QIACT=1\r", "\r\nERROR\r\n");
    host.talk("AT+QIDEACT=1\r", "\r\nOK\r\n");
    host.talk("AT+QISTATE\r", "\r\nOK\r\n");
    host.talk("AT+QIACT=1\r", "\r\nOK\r\n");
    host.open(0);
}

#[test]
fn a_context_lost_while_a_close_waits() {
    let (mut host, _) = echoing();
    let now = host.sim.now();
    host.sim.link_mut().blackouts.push(now..u64::MAX);
    host.sim
        .schedule(When::At(now + 2_000_000), Incident::PdpDeact(1));
    host.send("AT+QICLOSE=0\r");
    host.expect("\r\n+QIURC: \"pdpdeact\",1\r\n\r\nOK\r\n");
}

#[test]
fn a_mute_module_hears_nothing_either() {
    let (mut host, _) = echoing();
    host.sim
        .schedule(When::At(host.sim.now()), Incident::Mute(5_000_000));
    for _ in 0..4 {
        host.send("AT\r");
        host.silence(1_000_000);
    }
    host.send("AT");
    host.silence(2_000_000);
    host.talk("\r", "");
    host.talk("AT\r", "\r\nOK\r\n");
    host.qisend(0, b"still there");
}

#[test]
fn late_answers() {
    let (mut host, record) = recorded();
    host.sim
        .delay(Part::Command, "+QISEND", 3_000_000, Times::Once);
    host.send("AT+QISEND=0,5\r");
    host.silence(3_000_000);
    host.expect("\r\n> ");
    host.sim
        .delay(Part::Answer, "+QISEND", 20_000_000, Times::Once);
    host.send("hello");
    host.run_while(|_| record.is_empty(0));
    host.silence(19_000_000);
    host.expect("\r\nSEND OK\r\n");
    host.talk("AT+QISEND=0,5\r", "\r\n> ");
    host.sim.delay(Part::Payload, "", 3_000_000, Times::Once);
    host.send("again");
    host.silence(3_000_000);
    assert_eq!(record.len(0), 5);
    host.expect("\r\nSEND OK\r\n");
    host.sim
        .delay(Part::Answer, "+CFUN", 3_000_000, Times::Once);
    host.send("AT+CFUN?\r");
    host.silence(3_000_000);
    host.expect("\r\n+CFUN: 1\r\n\r\nOK\r\n");
}

#[test]
fn lost_urcs() {
    let mut host = Host::ready(Config::default());
    host.sim.serve("192.0.2.7:7".parse().unwrap(), || {
        Source::new(*b"tail", Then::Close)
    });
    host.sim.lose_recv_urcs(1);
    host.sim.lose_closed_urcs(1);
    host.open(0);
    host.silence(10_000_000);
    assert_eq!(host.sim.tcp_state(0), Some(TcpState::CloseWait));
    host.qird(0, b"tail");
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    host.open(0);
    host.expect("\r\n+QIURC: \"recv\",0\r\n\r\n+QIURC: \"closed\",0\r\n");
}

#[test]
fn sends_that_fail_and_prompts_that_do_not_come() {
    let (mut host, record) = recorded();
    host.sim.fail_sends(2);
    for _ in 0..2 {
        host.talk("AT+QISEND=0,4\r", "\r\n> ");
        host.talk("abcd", "\r\nSEND FAIL\r\n");
    }
    host.sim.refuse_prompts(1);
    host.talk("AT+QISEND=0,4\r", "\r\nERROR\r\n");
    host.qisend(0, b"abcd");
    host.run_while(|_| record.len(0) < 4);
    assert_eq!(record.data(0), b"abcd");
}

#[test]
fn a_socket_that_dies_during_the_payload() {
    let mut host = with_data();
    host.talk("AT+QISEND=0,4\r", "\r\n> ");
    host.sim
        .schedule(When::At(host.sim.now() + 1_000), Incident::PdpDeact(1));
    host.sim.run_until(host.sim.now() + 2_000);
    host.talk("abcd", "\r\n+QIURC: \"pdpdeact\",1\r\n\r\nERROR\r\n");
}
