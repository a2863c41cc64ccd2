//! Listeners: clients that come to the module.

mod common;

use std::net::SocketAddr;

use common::Host;
use quectel_sim::TcpState::{CloseWait, Established, Listen, SynRcvd};
use quectel_sim::{Config, Echo, Ending, Record, Sim, Sink, Source, TcpState, Then};

const OPEN: &str = "AT+QIOPEN=1,0,\"TCP LISTENER\",\"127.0.0.1\",0,8080,0\r";

fn listening(config: Config) -> Host {
    let mut host = Host::ready(config);
    host.talk(OPEN, "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n");
    host
}

fn remote(n: u16) -> SocketAddr {
    SocketAddr::new("198.51.100.7".parse().expect("an address"), 40_000 + n)
}

#[track_caller]
fn incoming(host: &mut Host, id: u8, server: u8, n: u16) {
    let port = 40_000 + n;
    host.expect(format!(
        "\r\n+QIURC: \"incoming\",{id},{server},\"198.51.100.7\",{port}\r\n"
    ));
}

fn states(sim: &Sim) -> Vec<TcpState> {
    sim.tcp_sockets()
        .iter()
        .map(|socket| socket.state)
        .collect()
}

#[test]
fn a_client_comes_talks_and_goes() {
    let mut host = listening(Config::default());
    assert_eq!(host.sim.tcp_state(0), Some(Listen));
    host.talk(
        "AT+QISTATE=1,0\r",
        "\r\n+QISTATE: 0,\"TCP LISTENER\",\"10.7.157.1\",0,8080,3,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
    );
    let record = Record::new();
    let mut make = record.of(|| Source::new(*b"HELLO-FROM-WAN\r\n", Then::Keep));
    assert!(host.sim.dial(remote(1), 8080, make()));
    host.run_while(|sim| states(sim) != [Listen, SynRcvd]);
    incoming(&mut host, 11, 0, 1);
    assert_eq!(states(&host.sim), [Listen, Established]);
    host.expect("\r\n+QIURC: \"recv\",11\r\n");
    host.talk(
        "AT+QISTATE\r",
        "\r\n+QISTATE: 0,\"TCP LISTENER\",\"10.7.157.1\",0,8080,3,1,0,0,\"uart1\"\r\n\
         +QISTATE: 11,\"TCP INCOMING\",\"198.51.100.7\",40001,8080,2,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
    );
    host.qird(11, b"HELLO-FROM-WAN\r\n");
    host.qisend(11, b"welcome");
    host.run_while(|_| record.len(0) < 7);
    assert_eq!(record.data(0), b"welcome");
    host.sim.run_until(host.sim.now() + 40_000);
    host.talk("AT+QISEND=11,0\r", "\r\n+QISEND: 7,7,0\r\n\r\nOK\r\n");
    host.sim.with_peer(remote(1), |io| io.close());
    host.expect("\r\n+QIURC: \"closed\",11\r\n");
    assert_eq!(host.sim.tcp_state(11), Some(CloseWait));
    host.talk("AT+QICLOSE=11\r", "\r\nOK\r\n");
    assert_eq!(record.get(0).ending, Some(Ending::Fin));
    // The listener goes on, and the id is free.
    assert!(host.sim.dial(remote(2), 8080, Echo));
    incoming(&mut host, 11, 0, 2);
}

#[test]
fn closing_a_listener_leaves_its_clients() {
    let mut host = listening(Config::default());
    assert!(host.sim.dial(remote(1), 8080, Echo));
    incoming(&mut host, 11, 0, 1);
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    assert_eq!(states(&host.sim), [Established]);
    host.qisend(11, b"still there?");
    host.expect("\r\n+QIURC: \"recv\",11\r\n");
    host.qird(11, b"still there?");
    // Nobody listens any more.
    let record = Record::new();
    let mut make = record.of(|| Sink);
    assert!(host.sim.dial(remote(2), 8080, make()));
    host.run_while(|_| record.get(0).ending.is_none());
    assert_eq!(record.get(0).ending, Some(Ending::Reset));
    host.silence(1_000_000);
    // Another may, on the same port.
    host.talk(
        OPEN.replace("1,0,", "1,5,"),
        "\r\nOK\r\n\r\n+QIOPEN: 5,556\r\n",
    );
    host.talk("AT+QICLOSE=5\r", "\r\nOK\r\n");
    host.talk("AT+QICLOSE=11,0\r", "\r\nOK\r\n");
    host.silence(1_000_000);
    host.talk(
        OPEN.replace("1,0,", "1,5,"),
        "\r\nOK\r\n\r\n+QIOPEN: 5,0\r\n",
    );
}

#[test]
fn the_ids_run_out() {
    let mut host = listening(Config::default());
    let record = Record::new();
    let mut make = record.of(|| Sink);
    for n in 0..11 {
        assert!(host.sim.dial(remote(n), 8080, make()));
        incoming(&mut host, 11 - n as u8, 0, n);
    }
    assert!(host.sim.dial(remote(11), 8080, make()));
    host.expect("\r\n+QIURC: \"incoming full\"\r\n");
    host.run_while(|_| record.get(11).ending.is_none());
    assert_eq!(record.get(11).ending, Some(Ending::Reset));
    host.talk("AT+QICLOSE=6\r", "\r\nOK\r\n");
    assert!(host.sim.dial(remote(12), 8080, make()));
    incoming(&mut host, 6, 0, 12);
}

#[test]
fn many_at_the_same_instant() {
    let mut host = listening(Config::default());
    for n in 0..6 {
        assert!(
            host.sim
                .dial(remote(n), 8080, Source::new(*b"x", Then::Keep))
        );
    }
    for n in 0..6 {
        incoming(&mut host, 11 - n as u8, 0, n);
    }
    for id in 6..12 {
        host.expect(format!("\r\n+QIURC: \"recv\",{id}\r\n"));
    }
}

#[test]
fn several_listeners() {
    let mut host = listening(Config::default());
    host.talk(
        "AT+QIOPEN=1,4,\"TCP LISTENER\",\"127.0.0.1\",0,8081,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 4,0\r\n",
    );
    assert!(host.sim.dial(remote(1), 8081, Sink));
    incoming(&mut host, 11, 4, 1);
    assert!(host.sim.dial(remote(1), 8080, Sink));
    incoming(&mut host, 10, 0, 1);
    host.talk(
        "AT+QISTATE=1,11\r",
        "\r\n+QISTATE: 11,\"TCP INCOMING\",\"198.51.100.7\",40001,8081,2,1,4,0,\"uart1\"\r\n\r\nOK\r\n",
    );
}

#[test]
fn a_port_in_use() {
    let mut host = listening(Config::default());
    host.talk(
        "AT+QIOPEN=1,1,\"TCP LISTENER\",\"127.0.0.1\",0,8080,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 1,556\r\n",
    );
    host.sim.profile_mut().port_taken_error = 574;
    host.talk(
        "AT+QIOPEN=1,2,\"TCP\",\"192.0.2.7\",7,8080,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 2,574\r\n",
    );
    host.talk(
        "AT+QIOPEN=1,3,\"TCP LISTENER\",\"127.0.0.1\",0,0,0\r",
        "\r\nERROR\r\n",
    );
    // A listener has no data.
    host.talk("AT+QIRD=0,1500\r", "\r\nERROR\r\n");
    host.talk("AT+QISEND=0,4\r", "\r\nERROR\r\n");
}

#[test]
fn clients_that_wait_to_be_accepted() {
    let mut host = listening(Config::default());
    host.talk("AT+QICFG=\"tcp/accept\",0\r", "\r\nOK\r\n");
    host.talk("AT+QIACCEPT=0,1\r", "\r\nERROR\r\n");
    let record = Record::new();
    let mut make = record.of(|| Source::new(*b"hi", Then::Keep));
    for n in 0..3 {
        assert!(host.sim.dial(remote(n), 8080, make()));
        incoming(&mut host, 11 - n as u8, 0, n);
    }
    host.silence(1_000_000);
    host.talk(
        "AT+QISTATE=1,11\r",
        "\r\n+QISTATE: 11,\"TCP INCOMING\",\"198.51.100.7\",40000,8080,1,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
    );
    // By the listener's id: the oldest. By its own: that one.
    host.talk("AT+QIACCEPT=0,1\r", "\r\nOK\r\n");
    host.expect("\r\n+QIURC: \"recv\",11\r\n");
    host.talk("AT+QIACCEPT=9,0\r", "\r\nOK\r\n");
    host.run_while(|_| record.get(2).ending.is_none());
    assert_eq!(record.get(2).ending, Some(Ending::Reset));
    host.talk("AT+QIACCEPT=10,1\r", "\r\nOK\r\n");
    host.expect("\r\n+QIURC: \"recv\",10\r\n");
}

#[test]
fn the_family_may_limit_the_clients() {
    let mut config = Config::default();
    config.profile.open_extras = true;
    let mut host = Host::ready(config);
    host.talk(
        "AT+QIOPEN=1,0,\"TCP LISTENER\",\"127.0.0.1\",0,8080,0,1\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
    assert!(host.sim.dial(remote(1), 8080, Sink));
    incoming(&mut host, 11, 0, 1);
    assert!(host.sim.dial(remote(2), 8080, Sink));
    host.expect("\r\n+QIURC: \"incoming full\"\r\n");
    let begin = host.sim.now();
    host.sim.set_unbound(
        "192.0.2.2:2".parse().expect("an address"),
        quectel_sim::Unbound::Silence,
    );
    host.talk(
        "AT+QIOPEN=1,1,\"TCP\",\"192.0.2.2\",2,0,0,1,10\r",
        "\r\nOK\r\n",
    );
    host.expect("\r\n+QIOPEN: 1,566\r\n");
    let took = host.sim.now() - begin;
    assert!((10_000_000..10_100_000).contains(&took), "{took}");
}

#[test]
fn a_lost_context_ends_listeners_and_clients() {
    let mut host = listening(Config::default());
    let record = Record::new();
    let mut make = record.of(|| Sink);
    assert!(host.sim.dial(remote(1), 8080, make()));
    incoming(&mut host, 11, 0, 1);
    host.talk("AT+QIDEACT=1\r", "\r\nOK\r\n");
    assert!(host.sim.tcp_sockets().is_empty());
    assert_eq!(record.get(0).ending, Some(Ending::Reset));
    host.talk("AT+QISTATE\r", "\r\nOK\r\n");
    assert!(!host.sim.dial(remote(2), 8080, Sink));
}

#[test]
fn a_client_may_give_up_its_handshake() {
    let mut host = listening(Config::default());
    assert!(host.sim.dial(remote(1), 8080, Sink));
    host.run_while(|sim| states(sim) != [Listen, SynRcvd]);
    // Its last ACK, and all that follows, is lost.
    let now = host.sim.now();
    host.sim.link_mut().blackouts.push(now..u64::MAX);
    host.silence(80_000_000);
    assert_eq!(states(&host.sim), [Listen]);
    host.sim.link_mut().blackouts.clear();
    assert!(host.sim.dial(remote(2), 8080, Sink));
    incoming(&mut host, 11, 0, 2);
}
