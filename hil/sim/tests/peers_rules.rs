//! The rules that satisfy every existing driver: each is one that some driver breaks without. The test
//! says which.

mod common;

use common::{Host, family};
use quectel_sim::{Config, Echo, Peer, PeerIo, Record, Sink, Source, Then, Times, UrcPlace};

const MS: u64 = 1_000;

fn server() -> std::net::SocketAddr {
    "192.0.2.7:7".parse().unwrap()
}

/// A connection on id 0 to a server that records what it gets.
fn recorded() -> (Host, Record) {
    let record = Record::new();
    let peers = record.of(|| Sink);
    let host = Host::connected(family("BG96"), |sim| sim.serve(server(), peers));
    (host, record)
}

/// A connection on id 0 to a server that sends this at once.
fn sent(data: &'static [u8], then: Then) -> Host {
    Host::connected(family("BG96"), |sim| {
        sim.serve(server(), move || Source::new(data, then));
    })
}

/// 1: TinyGSM, Zephyr and RT-Thread end lines with CR LF, the others with CR.
#[test]
fn both_line_ends() {
    let mut host = Host::family("BG96");
    for end in ["\r", "\r\n"] {
        host.talk(format!("AT{end}"), "\r\nOK\r\n");
        host.talk(format!("AT+CFUN?{end}"), "\r\n+CFUN: 1\r\n\r\nOK\r\n");
    }
}

/// 2: the LF behind the command is no payload, and a payload may begin with one.
#[test]
fn line_feeds_around_the_prompt() {
    let (mut host, record) = recorded();
    host.talk("AT+QISEND=0,3\r\n", "\r\n> ");
    host.talk("\nab", "\r\nSEND OK\r\n");
    host.talk("AT+QISEND=0,3\r", "\r\n> ");
    host.talk("\ncd", "\r\nSEND OK\r\n");
    host.run_while(|_| record.len(0) < 6);
    assert_eq!(record.data(0), b"\nab\ncd");
}

/// 3: FreeRTOS compares the prompt with two bytes and wants nothing behind them; RT-Thread counts the
/// line end before them.
#[test]
fn the_prompt_is_four_bytes() {
    let (mut host, _) = recorded();
    host.talk("AT+QISEND=0,3\r", [0x0D, 0x0A, 0x3E, 0x20]);
    host.silence(5_000 * MS);
    host.talk("abc", "\r\nSEND OK\r\n");
}

/// 4: URCs between the data and `SEND OK` are allowed.
#[test]
fn send_ok_and_a_urc_before_it() {
    let (mut host, _) = recorded();
    let before = UrcPlace::BeforeSendOk;
    let urc = "+QIURC: \"pdpdeact\",2";
    host.sim.inject_urc(before, "+QISEND", urc, Times::Once);
    host.talk("AT+QISEND=0,3\r", "\r\n> ");
    host.talk("abc", "\r\n+QIURC: \"pdpdeact\",2\r\n\r\nSEND OK\r\n");
}

/// 5: Zephyr needs six bytes behind the data before it parses.
#[test]
fn the_end_of_a_read() {
    let mut host = sent(b"hello", Then::Keep);
    host.urc("+QIURC: \"recv\",0");
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 5\r\nhello\r\n\r\nOK\r\n");
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
}

/// 6: TinyGSM asks how much there is.
#[test]
fn counters_of_a_read() {
    let mut host = sent(b"hello", Then::Keep);
    host.urc("+QIURC: \"recv\",0");
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 5,0,5\r\n\r\nOK\r\n");
    host.talk("AT+QIRD=0,2\r", "\r\n+QIRD: 2\r\nhe\r\n\r\nOK\r\n");
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 5,2,3\r\n\r\nOK\r\n");
    host.fail("ERROR", &["AT+QIRD=5,0", "AT+QIRD=0,1501"]);
}

/// 7: FreeRTOS relies on one recv URC until everything was read.
#[test]
fn one_urc_until_everything_was_read() {
    struct Twice;
    impl Peer for Twice {
        fn connected(&mut self, io: &mut PeerIo) {
            io.send(b"one");
        }
        fn received(&mut self, io: &mut PeerIo, _: &[u8]) {
            io.send(b"two");
        }
    }
    let mut host = Host::connected(family("BG96"), |sim| sim.serve(server(), || Twice));
    host.urc("+QIURC: \"recv\",0");
    host.qisend(0, b"x");
    host.silence(5_000 * MS);
    host.talk("AT+QIRD=0,4\r", "\r\n+QIRD: 4\r\nonet\r\n\r\nOK\r\n");
    host.qisend(0, b"x");
    host.silence(5_000 * MS);
    host.talk("AT+QIRD=0,9\r", "\r\n+QIRD: 5\r\nwotwo\r\n\r\nOK\r\n");
    host.qisend(0, b"x");
    host.urc("+QIURC: \"recv\",0");
}

/// 8: what was received stays readable behind `closed`; for FreeRTOS, mbed and Zephyr it can come last.
#[test]
fn closed_and_what_is_left() {
    let mut host = sent(b"hello", Then::Close);
    host.urc("+QIURC: \"recv\",0");
    host.urc("+QIURC: \"closed\",0");
    host.send("AT+QISTATE=1,0\r");
    let head = "\r\n+QISTATE: 0,\"TCP\",\"192.0.2.7\",7,";
    host.expect(head);
    let rest = host.take(64);
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.ends_with(",4,1,0,0,\"uart1\"\r\n\r\nOK\r\n"), "{rest}");
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 5\r\nhello\r\n\r\nOK\r\n");
    host.ok(&["AT+QICLOSE=0"]);
    host.fail("ERROR", &["AT+QIRD=0,1500"]);
    host.ok(&["AT+QISTATE=1,0"]);
    let mut config = family("BG96");
    config.profile.closed_urc = quectel_sim::ClosedUrc::AfterDrain;
    let mut host = Host::connected(config, |sim| {
        sim.serve(server(), || Source::new(*b"hello", Then::Close));
    });
    host.urc("+QIURC: \"recv\",0");
    host.silence(5_000 * MS);
    host.talk(
        "AT+QIRD=0,1500\r",
        "\r\n+QIRD: 5\r\nhello\r\n\r\nOK\r\n\r\n+QIURC: \"closed\",0\r\n",
    );
}

/// 9: TinyGSM closes before each connect and deactivates before it activates.
#[test]
fn closing_and_deactivating_nothing() {
    let mut host = Host::family("BG96");
    host.ok(&[
        "AT+QICLOSE=0",
        "AT+QICLOSE=0,1",
        "AT+QICLOSE=11",
        "AT+QIDEACT=1",
    ]);
}

/// 10: `OK` within a second, then the URC; seven parameters, five, and a service of mbed's.
#[test]
fn forms_of_an_open() {
    let mut host = Host::ready(family("BG96"));
    host.sim.serve(server(), || Echo);
    for (id, rest) in [
        (0, "\"TCP\",\"192.0.2.7\",7,0,0"),
        (1, "\"TCP\",\"192.0.2.7\",7"),
        (2, "\"UDP\",\"192.0.2.7\",7"),
        (3, "\"UDP SERVICE\",\"127.0.0.1\",0,50001,0"),
    ] {
        let begin = host.sim.now();
        host.ok(&[&format!("AT+QIOPEN=1,{id},{rest}")]);
        assert!(host.sim.now() - begin < 1_000 * MS);
        host.urc(&format!("+QIOPEN: {id},0"));
        host.ok(&[&format!("AT+QIOPEN=1,{id},{rest}")]);
        host.urc(&format!("+QIOPEN: {id},563"));
    }
}

/// 11: Zephyr sends Ctrl-Z behind a payload of given length.
#[test]
fn a_stray_ctrl_z() {
    let (mut host, record) = recorded();
    host.talk("AT+QISEND=0,3\r\n", "\r\n> ");
    host.talk("abc\x1a", "\r\nSEND OK\r\n");
    host.talk("AT\r\n", "\r\nOK\r\n");
    host.run_while(|_| record.len(0) < 3);
    assert_eq!(record.data(0), b"abc");
}

/// 12: the echo is on until it is turned off, and on again after a reset.
#[test]
fn the_echo_at_the_start() {
    let mut host = Host::new(family("BG96"));
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT\r", "\r\nOK\r\n");
    host.sim.reset();
    host.urc("RDY");
    host.silence_of_boot();
    host.talk("AT\r", "AT\r\r\nOK\r\n");
}

/// 13: RT-Thread takes only the exact text `0,1` for a registration.
#[test]
fn registration_without_and_with_the_cell() {
    let mut config = family("BG96");
    config.cellular.area = "1A2B".into();
    config.cellular.cell = "01A2D101".into();
    let mut host = Host::quiet(config);
    host.rows("AT+CREG?", &["+CREG: 0,1"]);
    host.ok(&["AT+CREG=2"]);
    host.rows("AT+CREG?", &["+CREG: 2,1,\"1A2B\",\"01A2D101\",8"]);
    host.sim.set_registration(5);
    host.urc("+CREG: 5,\"1A2B\",\"01A2D101\",8");
}

/// 14: RT-Thread reads the IMEI from the second line.
#[test]
fn answers_begin_with_a_line_end() {
    let mut host = Host::family("EC25");
    host.talk("AT+CPIN?\r\n", "\r\n+CPIN: READY\r\n\r\nOK\r\n");
    host.talk("AT+GSN\r\n", "\r\n866349040000000\r\n\r\nOK\r\n");
}

/// 15: Zephyr says nothing before `RDY`; TinyGSM waits for `APP RDY`, and 300 ms for `POWERED DOWN`.
#[test]
fn start_and_end_by_urc() {
    let mut config = family("BG96");
    config.boot = quectel_sim::Boot::Cold;
    let mut host = Host::new(config);
    host.urc("RDY");
    assert!(host.sim.now() < 50_000 * MS);
    host.urc("+CFUN: 1");
    host.urc("APP RDY");
    host.silence_of_boot();
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.ok(&["AT+QPOWD=1"]);
    let begin = host.sim.now();
    host.urc("POWERED DOWN");
    assert!(host.sim.now() - begin < 300 * MS);
}

/// 16: what has to be accepted, because drivers give up without.
#[test]
fn set_up_commands_of_all_drivers() {
    let mut host = Host::family("BG96");
    host.ok(&[
        "AT&D0",
        "AT+IFC=2,2",
        "AT+QURCCFG=\"urcport\",\"uart1\"",
        "AT+QCFG=\"band\",f,400a0e189f,a0e189f",
        "AT+QCFG=\"nwscanmode\",0,1",
        "AT+QCFG=\"iotopmode\",2,1",
        "AT+QCFG=\"nwscanseq\",02,1",
        "ATH",
        "ATV1",
        "AT+CMEE=0",
        "AT+CMEE=1",
        "AT+CMEE=2",
        "AT+CTZR=0",
        "AT+CTZU=1",
        "AT+CTZU=3",
        "AT+COPS=3,2",
        "AT+CREG=2",
        "AT+CGREG=2",
        "AT+CEREG=2",
        "AT+QSCLK=0",
        "AT+QISDE=0",
        "AT+QICSGP=1,1,\"apn\"",
        "AT+QICSGP=1,1,\"apn\",\"user\",\"pwd\"",
        "AT+QICSGP=1,1,\"apn\",\"user\", \"pwd\",1",
        "AT+CREG=0",
        "AT+CGREG=0",
        "AT+CEREG=0",
        "AT+CFUN=4",
        "AT+CFUN=1",
    ]);
    host.talk("AT+CFUN=0\r", "\r\nOK\r\n\r\n+CPIN: NOT READY\r\n");
    host.ok(&["AT+CFUN=1"]);
    let mut host = Host::quiet(Config::default());
    host.ok(&["AT+CFUN=1", "AT+QSCLK=1"]);
}
