//! What the module and its network are told to be.

use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};

use quectel_sim::Profile;

use crate::program::{Served, failure, run};

#[test]
fn faults_happen() {
    let served = Served::tcp(&[
        "--fault",
        "refuse:+CSQ:2",
        "--fault",
        "urc:before-ok:+QIACT:\"+QIURC: \"x:y\",1\"",
        "--fault",
        "already-active",
        "--fault",
        "corrupt:answer:E:2:0x20",
    ]);
    let mut host = served.connect();
    host.talk("ATE0\r", "ATE0\r\r\noK\r\n");
    host.talk("AT+CSQ\r", "\r\nERROR\r\n");
    host.talk("AT+CSQ\r", "\r\nERROR\r\n");
    host.talk("AT+CSQ\r", "\r\n+CSQ: 22,99\r\n\r\nOK\r\n");
    host.talk("AT+QIACT=1\r", "\r\nERROR\r\n");
    host.talk(
        "AT+QIACT?\r",
        "\r\n+QIACT: 1,1,1,\"10.7.157.1\"\r\n\r\n+QIURC: \"x:y\",1\r\n\r\nOK\r\n",
    );
}

#[test]
fn a_plan_is_told_of() {
    let (code, out, err) = run(&["serve", "--stdio", "--plan", "7:3:1min"], b"");
    let faults = "fault slow-payload:1ms:3\n\
                  fault urc:before-ok:+QIRD:\"+QUSIM: 1\"\n\
                  fault stall:host:8263:160s\n\
                  ready stdio\n";
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", faults));
    let (code, _, err) = run(&["serve", "--stdio", "--plan", "7:0"], b"");
    assert_eq!(code, 2);
    assert!(
        err.contains("'0' is not a number of faults: 1 to 1000"),
        "{err}"
    );
}

#[test]
fn sim_cards() {
    for (card, answer) in [
        ("ready", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
        ("absent", "\r\n+CME ERROR: 10\r\n"),
        ("pin", "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n"),
        ("puk", "\r\n+CPIN: SIM PUK\r\n\r\nOK\r\n"),
        ("failure", "\r\n+CME ERROR: 13\r\n"),
    ] {
        let served = Served::tcp(&["--sim-card", card]);
        let mut host = served.connect();
        host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
        host.talk("AT+CPIN?\r", answer);
    }
}

#[test]
fn every_family_can_be_served() {
    for (name, profile) in Profile::NAMES.iter().zip(Profile::families()) {
        let args = ["serve", "--stdio", "--family", &name.to_lowercase()];
        let (code, out, _) = run(&args, b"ATE0\rAT+CGMM\r");
        let answer = format!("ATE0\r\r\nOK\r\n\r\n{}\r\n\r\nOK\r\n", profile.model);
        assert_eq!((code, out), (0, answer));
    }
}

#[test]
fn switches_are_set() {
    let args = ["serve", "--stdio", "--switch", "model=EC99", "--switch"];
    let args = [
        &args[..],
        &["contexts=3", "--switch", "unknown-command=100"],
    ]
    .concat();
    let (_, out, _) = run(&args, b"ATE0\rAT+CGMM\rAT+CMEE=1;+NONE\r");
    assert_eq!(
        out,
        "ATE0\r\r\nOK\r\n\r\nEC99\r\n\r\nOK\r\n\r\n+CME ERROR: 100\r\n"
    );
}

#[test]
fn a_cold_start_and_none() {
    let boot = [
        "--switch",
        "boot=300ms",
        "--control",
        "127.0.0.1:0",
        "--boot",
    ];
    let served = Served::tcp(&[&boot[..], &["cold"]].concat());
    let mut host = served.connect();
    host.reader.until("\r\nRDY\r\n");
    let served = Served::tcp(&[&boot[..], &["off"]].concat());
    let mut host = served.connect();
    // Deaf.
    host.send("AT\r");
    served.order("power on");
    let start = host.reader.until("\r\nRDY\r\n");
    assert_eq!(start, "\r\nRDY\r\n");
    host.reader.until("\r\n+QIND: PB DONE\r\n");
    host.talk("AT\r", "AT\r\r\nOK\r\n");
}

#[test]
fn the_network_is_as_told() {
    for (registration, number) in [("home", 1), ("roaming", 5), ("searching", 2), ("denied", 3)] {
        let args = ["serve", "--stdio", "--registration", registration];
        let (_, out, _) = run(&args, b"ATE0;+CEREG?\r");
        let answer = format!("ATE0;+CEREG?\r\r\n+CEREG: 0,{number}\r\n\r\nOK\r\n");
        assert_eq!(out, answer);
    }
    let args = [
        "--signal",
        "9",
        "--address",
        "10.0.0.77",
        "--apn",
        "inter.net",
    ];
    let credentials = ["--user", "me", "--password", "secret"];
    let served = Served::tcp(&[&args[..], &credentials].concat());
    let mut host = served.connect();
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT+CSQ\r", "\r\n+CSQ: 9,99\r\n\r\nOK\r\n");
    for (apn, user, password, answer) in [
        ("", "me", "secret", "ERROR"),
        ("other", "me", "secret", "ERROR"),
        ("inter.net", "", "", "ERROR"),
        ("inter.net", "me", "other", "ERROR"),
        ("inter.net", "me", "secret", "OK"),
    ] {
        let set = format!("AT+QICSGP=1,1,\"{apn}\",\"{user}\",\"{password}\",1\r");
        host.talk(&set, "\r\nOK\r\n");
        host.talk("AT+QIACT=1\r", &format!("\r\n{answer}\r\n"));
    }
    host.talk(
        "AT+QIACT?\r",
        "\r\n+QIACT: 1,1,1,\"10.0.0.77\"\r\n\r\nOK\r\n",
    );
}

#[test]
fn the_link_is_as_told() {
    let args = ["--delay", "400ms", "--jitter", "2ms", "--loss", "0%"];
    let mut served = Served::tcp(&[&args[..], &["--rate", "64k", "--trace"]].concat());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut host = served.connect();
    host.set_up();
    host.open_socket(0, "127.0.0.1", port);
    let trace = served.errors.until("+QIOPEN: 0,0\\r\\n\n");
    let time_of = |what: &str| {
        let line = trace.lines().rfind(|line| line.contains(what)).unwrap();
        line.split_whitespace()
            .next()
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    // There and back again, in the module's own time.
    let took = time_of("+QIOPEN: 0,0") - time_of(" >>      AT+QIOPEN");
    assert!(took >= 0.8, "{took}\n{trace}");
}

#[test]
fn an_address_of_the_pc_leads_to_a_server_in_the_module() {
    let args = ["--forward", "tcp:127.0.0.1:0=80"];
    let served = Served::tcp(&[&args[..], &["--forward", "udp:127.0.0.1:0=5000"]].concat());
    let from = |what| served.told(what).split_once(" -> ").unwrap().0;
    let (tcp, udp) = (from("forward tcp"), from("forward udp"));
    let mut host = served.connect();
    host.set_up();
    host.talk(
        "AT+QIOPEN=1,0,\"TCP LISTENER\",\"127.0.0.1\",0,80,0\r",
        "\r\nOK\r\n",
    );
    host.reader.until("\r\n+QIOPEN: 0,0\r\n");
    let mut client = TcpStream::connect(tcp).unwrap();
    host.reader.until("\r\n+QIURC: \"incoming\",11,0,");
    client.write_all(b"hello").unwrap();
    host.reader.until("\r\n+QIURC: \"recv\",11\r\n");
    host.talk("AT+QIRD=11,5\r", "\r\n+QIRD: 5\r\nhello\r\n\r\nOK\r\n");
    host.talk(
        "AT+QIOPEN=1,1,\"UDP SERVICE\",\"127.0.0.1\",0,5000,0\r",
        "\r\nOK\r\n",
    );
    host.reader.until("\r\n+QIOPEN: 1,0\r\n");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"datagram", udp).unwrap();
    host.reader.until("\r\n+QIURC: \"recv\",1\r\n");
    host.send("AT+QIRD=1\r");
    host.reader.until("\r\ndatagram\r\n\r\nOK\r\n");
    // The same addresses a second time.
    for forward in [format!("tcp:{tcp}=1"), format!("udp:{udp}=1")] {
        let (code, text) = failure(&["--tcp", "127.0.0.1:0", "--forward", &forward]);
        assert_eq!(code, 1);
        assert!(text.contains("is in use"), "{text}");
    }
}

#[test]
fn a_name_server_of_its_own() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((n, from)) = socket.recv_from(&mut query) {
            // The question, and one address for whatever it is about.
            let mut answer = query[..n].to_vec();
            answer[2..8].copy_from_slice(b"\x81\x80\0\x01\0\x01");
            answer[8..12].fill(0);
            answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x4d\0\x04\xc0\0\x02\x63");
            socket.send_to(&answer, from).unwrap();
        }
    });
    let served = Served::tcp(&["--dns", &at, "--name", "known.test=192.0.2.7"]);
    let mut host = served.connect();
    host.set_up();
    for (name, answer) in [
        (
            "asked.test",
            "1,77\r\n\r\n+QIURC: \"dnsgip\",\"192.0.2.99\"\r\n",
        ),
        (
            "known.test",
            "1,300\r\n\r\n+QIURC: \"dnsgip\",\"192.0.2.7\"\r\n",
        ),
    ] {
        host.talk(&format!("AT+QIDNSGIP=1,\"{name}\"\r"), "\r\nOK\r\n");
        let answer = format!("\r\n+QIURC: \"dnsgip\",0,{answer}");
        assert_eq!(host.reader.until(&answer), answer);
    }
}
