//! Every URC, and what is not one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use atat::AtatUrc;
use quectel_at_commands::{
    TcpIpError, Urc,
    network::{Domain, Registration},
    sim::SimState,
};

#[track_caller]
fn is(line: &str, urc: Urc) {
    assert_eq!(Urc::parse(line.as_bytes()), Some(urc), "{line}");
}

#[track_caller]
fn is_none(line: &str) {
    assert_eq!(Urc::parse(line.as_bytes()), None, "{line}");
}

#[test]
fn boot_and_power() {
    // Reference 1.9; T04, T08.
    is("RDY", Urc::Ready);
    is("APP RDY", Urc::Ready);
    is("POWERED DOWN", Urc::PoweredDown);
    is("NORMAL POWER DOWN", Urc::PoweredDown);
    is("PSM POWER DOWN", Urc::PoweredDown);
    is("UNDER_VOLTAGE POWER DOWN", Urc::PoweredDown);
    is("+CFUN: 1", Urc::Functionality(1));
    is("+CFUN:0", Urc::Functionality(0));
    for line in [
        "RDY ",
        "rdy",
        "+CFUN: x",
        "+CFUN: 256",
        "Call Ready",
        "RING",
    ] {
        is_none(line);
    }
}

#[test]
fn sim() {
    // Reference 1.9 and 2.2; T08.
    for (text, state) in [
        ("READY", SimState::Ready),
        ("SIM PIN", SimState::Pin),
        ("SIM PUK", SimState::Puk),
        ("SIM PIN2", SimState::Pin2),
        ("SIM PUK2", SimState::Puk2),
        ("NOT READY", SimState::NotReady),
        ("NOT INSERTED", SimState::NotInserted),
        ("PH-NET PIN", SimState::Locked),
    ] {
        is(&format!("+CPIN: {text}"), Urc::Sim(state));
        is(&format!("+CPIN:{text}"), Urc::Sim(state));
    }
    is_none("+CPIN: ?");
}

#[test]
fn registration() {
    // Reference 2.4: the same as the answer without `<n>`.
    let urc = |domain, stat| Urc::Registration(domain, Registration(stat));
    is("+CEREG: 1", urc(Domain::Eps, 1));
    is(
        "+CGREG: 5,\"5650\",\"29A7DF4\",2",
        urc(Domain::PacketSwitched, 5),
    );
    is("+CREG: 2", urc(Domain::CircuitSwitched, 2));
    // n = 4, with the timers of PSM; not registered, with a cause.
    is(
        "+CEREG: 1,\"5650\",\"29A7DF4\",7,,,\"00100100\",\"01000111\"",
        urc(Domain::Eps, 1),
    );
    is("+CEREG: 3,,,,0,11", urc(Domain::Eps, 3));
    // Answers, not URCs (T05, T10).
    is_none("+CGREG: 2,1,\"5650\",\"29A7DF4\",2");
    is_none("+CEREG: 0,1");
    // 9 and 10 are 1 and 5 with less to expect of voice (27.007 7.2).
    for stat in [1, 5, 9, 10] {
        assert!(Registration(stat).is_registered(), "{stat}");
    }
    for stat in [0, 2, 3, 4, 6, 7, 8, 11] {
        assert!(!Registration(stat).is_registered(), "{stat}");
    }
}

#[test]
fn notices() {
    // Reference 1.9; T08, T35.
    for line in [
        "+QUSIM: 1",
        "+QIND: SMS DONE",
        "+QIND: PB DONE",
        "+QIND: \"csq\",15,3",
        "+QSIMSTAT: 1,0",
        "+CTZV: \"+32\"",
        "+CTZE: \"+32\",0,\"2017/11/04,06:51:13\"",
        "+CGEV: NW DETACH",
        "+CMTI: \"ME\",1",
    ] {
        is(line, Urc::Notice);
    }
}

#[test]
fn open() {
    // Reference 4.2; T03, T40.
    is("+QIOPEN: 0,0", Urc::Open { id: 0, error: None });
    is(
        "+QIOPEN: 11,563",
        Urc::Open {
            id: 11,
            error: Some(TcpIpError::ID_IN_USE),
        },
    );
    is("+QIOPEN:0,0,1", Urc::Open { id: 0, error: None });
    for line in [
        "+QIOPEN: 0",
        "+QIOPEN: 256,0",
        "+QIOPEN: 0,x",
        "+QIOPEN: -1,0",
    ] {
        is_none(line);
    }
}

#[test]
fn received() {
    // Reference 4.7; T03, T38 (with a length, full, with the data inside).
    for line in [
        "+QIURC: \"recv\",0",
        "+QIURC:\"recv\",0",
        "+QIURC: \"recv\",0,25",
        "+QIURC: \"recv\",0,\"buff full\"",
        "+QIURC: \"recv\",0,5,\"hello\"",
    ] {
        is(line, Urc::Received { id: 0 });
    }
    is_none("+QIURC: \"recv\"");
    is_none("+QIURC: recv,0");
}

#[test]
fn closed_and_context_lost() {
    // Reference 4.12; T04, T17.
    is("+QIURC: \"closed\",0", Urc::Closed { id: 0 });
    is("+QIURC: \"closed\",11,1", Urc::Closed { id: 11 });
    is("+QIURC: \"pdpdeact\",1", Urc::ContextLost { context: 1 });
    for line in [
        "+QIURC: \"closed\"",
        "+QIURC: \"pdpdeact\",x",
        "+QIURC: \"wakeup/data\",0",
    ] {
        is_none(line);
    }
}

#[test]
fn incoming() {
    // Reference 4.9; T13, T38.
    is(
        "+QIURC: \"incoming\",11,0,\"198.51.100.7\",62060",
        Urc::Incoming {
            id: 11,
            server: 0,
            remote: SocketAddr::from(([198, 51, 100, 7], 62060)),
        },
    );
    is(
        "+QIURC: \"incoming\",11,0,\"2001:DB8:0:0:0:0:0:7\",1",
        Urc::Incoming {
            id: 11,
            server: 0,
            remote: SocketAddr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7).into(), 1),
        },
    );
    is("+QIURC: \"incoming full\"", Urc::IncomingFull);
    is_none("+QIURC: \"incoming\",11,0,\"198.51.100.7\",65536");
    is_none("+QIURC: \"incoming\",11,0,198.51.100.7,1");
}

#[test]
fn look_up() {
    // Reference 4.11; T11, T15, T39 (without a time to live).
    is(
        "+QIURC: \"dnsgip\",0,1,300",
        Urc::DnsCount { count: 1, ttl: 300 },
    );
    is("+QIURC: \"dnsgip\",0,2", Urc::DnsCount { count: 2, ttl: 0 });
    is(
        "+QIURC: \"dnsgip\",565",
        Urc::DnsFailed(TcpIpError::DNS_FAILED),
    );
    is(
        "+QIURC: \"dnsgip\",564",
        Urc::DnsFailed(TcpIpError::DNS_BUSY),
    );
    is(
        "+QIURC: \"dnsgip\",\"203.0.113.11\"",
        Urc::DnsAddress(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 11))),
    );
    // The address of T10's context.
    let address = "2001:DB8:1023:1B1B:18BE:A0EA:AEA9:AB47";
    is(
        &format!("+QIURC: \"dnsgip\",\"{address}\""),
        Urc::DnsAddress(address.parse().expect("an address")),
    );
    for line in [
        "+QIURC: \"dnsgip\"",
        "+QIURC: \"dnsgip\",0",
        "+QIURC: \"dnsgip\",\"not an address\"",
        "+QIURC: \"dnsgip\",\"32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1\"",
    ] {
        is_none(line);
    }
}

/// What is kept of a URC is shown as the module writes it.
#[test]
fn urcs_are_shown_as_they_came() {
    for line in [
        "RDY",
        "POWERED DOWN",
        "+CFUN: 1",
        "+CPIN: READY",
        "+CPIN: SIM PIN",
        "+CPIN: SIM PUK",
        "+CPIN: SIM PIN2",
        "+CPIN: SIM PUK2",
        "+CPIN: NOT READY",
        "+CPIN: NOT INSERTED",
        "+CPIN: PH-NET PIN",
        "+CEREG: 5",
        "+CGREG: 2",
        "+CREG: 0",
        "+QIOPEN: 3,0",
        "+QIOPEN: 11,566",
        "+QIURC: \"recv\",0",
        "+QIURC: \"closed\",1",
        "+QIURC: \"incoming\",11,0,\"198.51.100.7\",62060",
        "+QIURC: \"incoming\",11,0,\"2001:db8::7\",62060",
        "+QIURC: \"incoming full\"",
        "+QIURC: \"pdpdeact\",1",
        "+QIURC: \"dnsgip\",0,2,600",
        "+QIURC: \"dnsgip\",\"192.0.2.20\"",
        "+QIURC: \"dnsgip\",565",
    ] {
        let urc = Urc::parse(line.as_bytes()).unwrap();
        assert_eq!(urc.to_string(), line);
    }
    let notice = Urc::parse(b"+QIND: SMS DONE").unwrap();
    assert_eq!(notice.to_string(), "a notice");
}
