//! What the parsers of answers tolerate, and what they refuse.

mod bench;

use std::net::{IpAddr, Ipv4Addr};

use atat::Error;
use bench::parsed;
use quectel_at_commands::{
    Command,
    general::{Attention, Identify, NoResponse},
    network::{GetEpsRegistration, Registration},
    pdp::{ActiveContext, GetActiveContexts},
    settings::{
        GetSetting, GetUrcPort, Setting, SettingValue, TRANSPARENT_PACKET_SIZE, UrcPort, urc_port,
    },
    sim::{GetSimState, SimState},
    tcp::{GetSendCounters, GetSockets, READ_MAX, ReadData, SendCounters, SocketRow},
};

fn context(address: Option<IpAddr>) -> Option<ActiveContext> {
    Some(ActiveContext {
        context: 1,
        active: true,
        address,
    })
}

#[test]
fn context_rows_in_every_form() {
    // Reference 3: dual stack prints both; IPv6 in dotted or colon form.
    let v4 = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
    let v6 = Some("2001:db8::1".parse().expect("an address"));
    for (line, address) in [
        ("+QIACT: 1,1,1,\"10.0.0.1\"", v4),
        ("+QIACT:1,1,1,\"10.0.0.1\"", v4),
        ("+QIACT: 1,1,3,\"10.0.0.1\",\"2001:DB8:0:0:0:0:0:1\"", v4),
        ("+QIACT: 1,1,2,\"2001:DB8:0:0:0:0:0:1\"", v6),
        ("+QIACT: 1,1,1,\"10.0.0.1\",7,\"more\"", v4),
        ("+QIACT: 1,1,1", None),
        ("+QIACT: 1,1,1,10.0.0.1", None),
        (
            "+QIACT: 1,1,2,\"32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1\"",
            None,
        ),
    ] {
        assert_eq!(
            ActiveContext::parse(line.as_bytes()),
            context(address),
            "{line}"
        );
    }
    let inactive = ActiveContext::parse(b"+QIACT: 2,0,1").expect("a row");
    assert!(!inactive.active);
    for line in ["+QIACT:", "+QIACT: 1", "+QIACT: 1,x,1", "+QIACTEX: 1,1,1"] {
        assert_eq!(ActiveContext::parse(line.as_bytes()), None, "{line}");
    }
}

#[test]
fn settings_of_the_stack() {
    let size = Setting::TransparentPacketSize;
    for (line, value) in [
        ("+QICFG: \"transpktsize\",1024", Some(1024)),
        ("+QICFG:\"transpktsize\",1417", Some(1417)),
        ("+QICFG: \"transpktsize\",65535", Some(65535)),
        ("+QICFG: \"transpktsize\",1024,1", Some(1024)),
        ("+QICFG: \"transpktsize\",65536", None),
        ("+QICFG: \"transpktsize\",", None),
        ("+QICFG: \"transpktsize\"", None),
        ("+QICFG: \"transpktsize\",x", None),
        ("+QICFG: transpktsize,1024", None),
        ("+QICFG: \"qisend/timeout\",5", None),
        ("+QICFG:", None),
        ("+QICFGX: \"transpktsize\",1024", None),
    ] {
        let told = SettingValue::parse(line.as_bytes(), size);
        assert_eq!(told, value.map(SettingValue), "{line}");
    }
    assert_eq!(TRANSPARENT_PACKET_SIZE, 1024);
    let line = b"+QICFG: \"qisend/timeout\",5";
    let told = SettingValue::parse(line, Setting::SendTimeout);
    assert_eq!(told, Some(SettingValue(5)));
    // By atat, where the command itself is not known to the parser.
    let command = GetSetting { setting: size };
    let told = parsed(&command, b"+QICFG: \"transpktsize\",1024\r\n");
    assert_eq!(told, Ok(SettingValue(1024)));
    assert!(parsed(&command, b"+QICFG: \"transpktsize\"\r\n").is_err());
}

#[test]
fn urc_ports() {
    // T22
    for (line, port) in [
        ("+QURCCFG: \"urcport\",\"usbat\"", Some("usbat")),
        ("+QURCCFG: \"urcport\",\"uart1\"", Some("uart1")),
        ("+QURCCFG:\"urcport\",\"usbmodem\"", Some("usbmodem")),
        ("+QURCCFG: \"urcport\"", None),
        ("+QURCCFG: \"urcport\",usbat", None),
        ("+QURCCFG: \"urcport\",\"usbat", None),
        ("+QURCCFG:", None),
        ("+QICFG: \"urcport\",\"usbat\"", None),
    ] {
        assert_eq!(urc_port(line.as_bytes()), port, "{line}");
    }
    let command = GetUrcPort { what: UrcPort };
    let told = parsed(&command, b"+QURCCFG: \"urcport\",\"usbat\"\r\n");
    assert_eq!(told.expect("a name").0, "usbat");
    let long = b"+QURCCFG: \"urcport\",\"abcdefghijklmnopq\"\r\n";
    assert!(parsed(&command, long).is_err());
}

#[test]
fn socket_rows_that_are_none() {
    for line in [
        "+QISTATE:",
        "+QISTATE: 0,TCP,\"1.2.3.4\",80,0,2,1",
        "+QISTATE: 0,\"TCP\",\"1.2.3.4\",80,0,2",
        "+QISTATE: 0,\"TCP\",\"1.2.3.4\",80,0,5,1",
        "+QISTATE: 0,\"TCP\",\"1.2.3.4\",65536,0,2,1",
    ] {
        assert_eq!(SocketRow::parse(line.as_bytes()), None, "{line}");
        let rows = parsed(&GetSockets {}, line.as_bytes());
        assert_eq!(rows, Err(Error::Parse), "{line}");
    }
    // 11 fields, as newer firmware has them (reference 4.4 and 4.15).
    let row = b"+QISTATE: 11,\"TCP INCOMING\",\"1.2.3.4\",80,8080,2,1,0,0,\"uart1\",1";
    assert_eq!(SocketRow::parse(row).map(|row| row.id), Some(11));
}

#[test]
fn strangers_among_the_lines_are_skipped() {
    // URCs that are not known here, as atat hands them over with the answer.
    #[track_caller]
    fn with_strangers<C: Command>(command: &C, line: &str) -> C::Response {
        let answer = format!("RING\r\n\r\n{line}\r\n\r\n+QMTRECV: 0,0");
        parsed(command, answer.as_bytes()).expect("an answer")
    }
    assert_eq!(with_strangers(&Attention {}, ""), NoResponse);
    assert_eq!(
        with_strangers(&GetSimState {}, "+CPIN: READY"),
        SimState::Ready
    );
    assert_eq!(
        with_strangers(&GetEpsRegistration {}, "+CEREG: 2,5,\"1\",\"2\",7"),
        Registration(5)
    );
    assert_eq!(
        with_strangers(&GetSendCounters { id: 0, zero: 0 }, "+QISEND: 3,2,1"),
        SendCounters {
            total: 3,
            acked: 2,
            unacked: 1
        }
    );
    let contexts = with_strangers(&GetActiveContexts {}, "+QIACT: 1,1,1,\"10.0.0.1\"");
    assert_eq!(contexts.0.len(), 1);
    let text = with_strangers(&Identify {}, "Quectel");
    assert_eq!(text.0, "RING\r\nQuectel");
}

#[test]
fn an_answer_without_its_line_is_refused() {
    for answer in ["", "RING", "+CSQ: 1,1"] {
        let answer = answer.as_bytes();
        assert_eq!(parsed(&GetSimState {}, answer), Err(Error::Parse));
        assert_eq!(parsed(&GetEpsRegistration {}, answer), Err(Error::Parse));
        let counters = parsed(&GetSendCounters { id: 0, zero: 0 }, answer);
        assert_eq!(counters, Err(Error::Parse));
        let data = parsed(&ReadData { id: 0, len: 4 }, answer);
        assert_eq!(data, Err(Error::Parse));
    }
    assert_eq!(
        parsed(&GetSendCounters { id: 0, zero: 0 }, b"+QISEND: 3,2"),
        Err(Error::Parse)
    );
}

#[test]
fn received_data_is_as_long_as_its_header_says() {
    let read = |answer: &[u8]| parsed(&ReadData { id: 0, len: 1500 }, answer).map(|data| data.0);
    assert_eq!(read(b"+QIRD: 2\r\nhi").expect("data").as_slice(), b"hi");
    assert_eq!(read(b"+QIRD:2\nhi\r\n").expect("data").as_slice(), b"hi");
    assert_eq!(read(b"+QIRD: 0\r\n").expect("none").as_slice(), b"");
    for answer in [&b"+QIRD: 3\r\nhi"[..], b"+QIRD: x\r\nhi", b"+QIRD:", b"hi"] {
        assert_eq!(read(answer), Err(Error::Parse));
    }
    let longest = [b"+QIRD: 1500\r\n", &[b'\n'; READ_MAX][..]].concat();
    assert_eq!(read(&longest).expect("data").len(), READ_MAX);
    let longer = [b"+QIRD: 1501\r\n", &[b'\n'; READ_MAX + 1][..]].concat();
    assert_eq!(read(&longer), Err(Error::Parse));
}
