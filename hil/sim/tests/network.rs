//! The network while a module runs: registration, signal, contexts, the link, names.

mod common;

use common::Host;
use quectel_sim::{Cellular, Config, Echo, Link, Profile, Record, Sink};

fn config() -> Config {
    Config::default()
}

#[test]
fn registration_comes_and_goes_with_urcs() {
    let mut host = Host::ready(config());
    host.talk("AT+CREG=1;+CGREG=2;+CEREG=2\r", "\r\nOK\r\n");
    host.sim.control("registration searching").unwrap();
    host.expect("\r\n+CREG: 2\r\n\r\n+CGREG: 2\r\n\r\n+CEREG: 2\r\n");
    host.talk("AT+CSQ\r", "\r\n+CSQ: 99,99\r\n\r\nOK\r\n");
    host.talk("AT+COPS?\r", "\r\n+COPS: 0\r\n\r\nOK\r\n");
    host.sim.control("registration roaming").unwrap();
    host.expect(
        "\r\n+CREG: 5\r\n\r\n+CGREG: 5,\"5650\",\"29A7DF4\",7\r\n\
        \r\n+CEREG: 5,\"5650\",\"29A7DF4\",7\r\n",
    );
    host.talk("AT+CREG=0;+CGREG=0\r", "\r\nOK\r\n");
    host.sim.control("registration denied").unwrap();
    host.expect("\r\n+CEREG: 3\r\n\r\n+QIURC: \"pdpdeact\",1\r\n");
    host.sim.control("registration home").unwrap();
    host.expect("\r\n+CEREG: 1,\"5650\",\"29A7DF4\",7\r\n");
    host.talk("AT+CEREG=1\r", "\r\nOK\r\n");
    host.sim.control("registration searching").unwrap();
    host.expect("\r\n+CEREG: 2\r\n");
    host.silence(1_000_000);
}

/// A short loss of coverage: what was sent meanwhile arrives later, and the context is kept.
#[test]
fn a_connection_survives_a_short_search() {
    let record = Record::new();
    let mut host = Host::connected(config(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), record.of(|| Sink));
    });
    host.sim.set_registration(2);
    host.qisend(0, b"meanwhile");
    host.silence(10_000_000);
    assert_eq!(record.data(0), b"");
    host.sim.set_registration(1);
    host.silence(30_000_000);
    assert_eq!(record.data(0), b"meanwhile");
}

/// A long one: contexts and sockets are gone, and have to be set up again.
#[test]
fn service_is_lost_and_comes_back() {
    let mut host = Host::connected(config(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    });
    host.talk("AT+QIACT=2;+CEREG=1\r", "\r\nOK\r\n");
    host.sim.control("registration lost").unwrap();
    host.expect("\r\n+CEREG: 2\r\n\r\n+QIURC: \"pdpdeact\",1\r\n\r\n+QIURC: \"pdpdeact\",2\r\n");
    host.talk("AT+QISEND=0,1\r", "\r\nERROR\r\n");
    host.talk("AT+QIACT=1\r", "\r\nERROR\r\n");
    host.talk("AT+QIDEACT=1\r", "\r\nOK\r\n");
    host.send("AT+QIACT=1\r");
    host.silence(60_000_000);
    host.sim.control("registration home").unwrap();
    host.expect("\r\n+CEREG: 1\r\n\r\nOK\r\n");
    host.open(0);
    host.qisend(0, b"again");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.qird(0, b"again");
}

#[test]
fn the_signal_changes() {
    let mut host = Host::ready(config());
    host.sim.control("signal 7 3").unwrap();
    host.talk("AT+CSQ\r", "\r\n+CSQ: 7,3\r\n\r\nOK\r\n");
    host.sim.control("signal 99").unwrap();
    host.talk("AT+CSQ\r", "\r\n+CSQ: 99,99\r\n\r\nOK\r\n");
}

#[test]
fn apns_and_credentials_are_accepted_or_refused() {
    let mut host = Host::new(Config {
        cellular: Cellular {
            credentials: Some(("user".into(), "secret".into())),
            ..Cellular::default()
        },
        ..config()
    });
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.sim.control("apn refuse closed").unwrap();
    let wrong = "AT+QICSGP=1,1,\"open\",\"user\",\"wrong\",1\r";
    host.talk(wrong, "\r\nOK\r\n");
    host.talk("AT+QIACT=1\r", "\r\nERROR\r\n");
    host.talk(
        "AT+QIGETERROR\r",
        "\r\n+QIGETERROR: 561,open PDP context failed\r\n\r\nOK\r\n",
    );
    let closed = "AT+QICSGP=1,1,\"closed\",\"user\",\"secret\",1\r";
    host.talk(closed, "\r\nOK\r\n");
    host.talk("AT+QIACT=1\r", "\r\nERROR\r\n");
    host.sim.control("apn allow closed").unwrap();
    host.talk("AT+QIACT=1\r", "\r\nOK\r\n");
    host.talk(
        "AT+QIACT?\r",
        "\r\n+QIACT: 1,1,1,\"10.7.157.1\"\r\n\r\nOK\r\n",
    );
}

#[test]
fn contexts_have_addresses_of_the_kind_they_were_defined_with() {
    let mut host = Host::new(config());
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT+QICSGP=1,2,\"internet\"\r", "\r\nOK\r\n");
    host.talk("AT+QICSGP=2,3,\"internet\"\r", "\r\nOK\r\n");
    host.talk("AT+QIACT=1;+QIACT=2\r", "\r\nOK\r\n");
    host.talk(
        "AT+QIACT?\r",
        "\r\n+QIACT: 1,1,2,\"2001:DB8:9D:0:0:0:0:1\"\r\n\
        +QIACT: 2,1,3,\"10.7.157.2\",\"2001:DB8:9D:0:0:0:0:2\"\r\n\r\nOK\r\n",
    );
    host.sim.control("pdp drop 2").unwrap();
    host.expect("\r\n+QIURC: \"pdpdeact\",2\r\n");
    host.talk(
        "AT+QIACT?\r",
        "\r\n+QIACT: 1,1,2,\"2001:DB8:9D:0:0:0:0:1\"\r\n\r\nOK\r\n",
    );
}

#[test]
fn an_ec200u_keeps_its_context_through_a_search_and_loses_it_for_good() {
    let mut host = Host::new(Config {
        profile: Profile::ec200u(),
        ..config()
    });
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    let row = "+QIACT: 1,1,3,\"10.7.157.1\",\"2001:DB8:9D:0:0:0:0:1\"";
    host.sim.control("registration searching").unwrap();
    host.rows("AT+QIACT?", &[row]);
    host.sim.control("registration home").unwrap();
    host.rows("AT+QIACT?", &[row]);
    host.sim.control("registration lost").unwrap();
    host.urc("+QIURC: \"pdpdeact\",1");
    host.sim.control("registration home").unwrap();
    host.ok(&["AT+QIACT?"]);
    // The host has to do something.
    host.ok(&["AT+QIDEACT=1", "AT+QIACT=1"]);
    host.rows("AT+QIACT?", &[row]);
}

#[test]
fn a_bc660k_activates_its_context_again() {
    const ACTIVE: &[&str] = &["+CGPADDR: 0,\"10.7.157.1\""];
    const INACTIVE: &[&str] = &["+CGPADDR: 0,\"0.0.0.0\""];
    let mut host = Host::family("BC660K");
    host.rows("AT+CGPADDR=0", ACTIVE);
    for (gone, back) in [
        ("pdp drop 0", "link up"),
        ("registration lost", "registration home"),
    ] {
        host.sim.control(gone).unwrap();
        host.urc("+QIURC: \"pdpdeact\",0");
        host.rows("AT+CGPADDR=0", INACTIVE);
        host.sim.control(back).unwrap();
        host.silence(3_000_000);
        host.rows("AT+CGPADDR=0", ACTIVE);
    }
    for (off, on) in [
        ("AT+CGATT=0", "AT+CGATT=1"),
        ("AT+CGACT=0,0", "AT+CGACT=1,0"),
    ] {
        let gone = "\r\nOK\r\n\r\n+QIURC: \"pdpdeact\",0\r\n";
        host.talk(format!("{off}\r"), gone);
        host.silence(60_000_000);
        host.rows("AT+CGPADDR=0", INACTIVE);
        host.ok(&[on]);
        host.rows("AT+CGPADDR=0", ACTIVE);
    }
}

#[test]
fn the_link_changes_while_it_is_used() {
    let record = Record::new();
    let mut host = Host::connected(config(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), record.of(|| Echo));
    });
    let round_trip = |host: &mut Host| {
        host.qisend(0, b"x");
        let begin = host.sim.now();
        host.expect("\r\n+QIURC: \"recv\",0\r\n");
        let took = host.sim.now() - begin;
        host.qird(0, b"x");
        host.silence(1_000_000);
        took
    };
    // Twice 20 ms. The packet goes with the first byte of SEND OK, and the URC has nine bytes more.
    assert_eq!(round_trip(&mut host), 40_782);
    host.sim.control("link delay=200ms").unwrap();
    assert_eq!(round_trip(&mut host), 400_782);
    // 41 bytes at 1000 bytes a second, each way.
    host.sim.control("link delay=0s rate=1k").unwrap();
    assert_eq!(round_trip(&mut host), 82_782);
    host.sim.set_link(Link::default());
    assert_eq!(round_trip(&mut host), 40_782);
    host.sim.control("link down").unwrap();
    host.qisend(0, b"late");
    host.silence(5_000_000);
    assert_eq!(record.data(0), b"xxxx");
    host.sim.control("link up").unwrap();
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    assert_eq!(record.data(0), b"xxxxlate");
}

#[test]
fn everything_is_lost() {
    let record = Record::new();
    let mut host = Host::connected(config(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), record.of(|| Sink));
    });
    host.sim.control("link loss=100%").unwrap();
    host.qisend(0, b"x");
    host.silence(100_000_000);
    assert_eq!(record.data(0), b"");
}
