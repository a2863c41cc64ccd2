//! Existing drivers, from their first command to their last: what each sends, with its own line ends
//! and time-outs, and what it insists on getting. They work on real modules, so they must work here.
//! The rules that all of them keep are in `peers_rules.rs`.

mod common;

use std::net::SocketAddr;

use common::Host;
use quectel_sim::{Boot, Cellular, Config, Echo, Profile, Record};

const MS: u64 = 1_000;
const S: u64 = 1_000_000;

fn server() -> SocketAddr {
    "192.0.2.7:7".parse().expect("an address")
}

/// A driver: its line end, and whether the module still echoes commands, and payload.
struct Driver {
    host: Host,
    end: &'static str,
    echo: bool,
    payload_echo: bool,
}

impl Driver {
    fn new(profile: Profile, boot: Boot, end: &'static str) -> Driver {
        let mut host = Host::new(Config {
            profile,
            boot,
            cellular: Cellular {
                operator: "46001".into(),
                operator_name: "CHINA MOBILE".into(),
                ..Cellular::default()
            },
            ..Config::default()
        });
        host.sim.serve(server(), || Echo);
        host.sim.serve_udp(server(), Echo);
        let address = "192.0.2.7".parse().expect("an address");
        host.sim.set_name("server.example", &[address], 600);
        Driver {
            host,
            end,
            echo: true,
            payload_echo: true,
        }
    }

    /// Sends a command; the whole answer, without the echo, must be this and come in time.
    #[track_caller]
    fn ask(&mut self, command: &str, answer: &str, within: u64) {
        let begin = self.host.sim.now();
        let line = format!("{command}{}", self.end);
        let echo = match self.echo {
            true => format!("{command}\r"),
            false => String::new(),
        };
        self.host.talk(line, format!("{echo}{answer}"));
        let took = self.host.sim.now() - begin;
        assert!(took <= within, "{command} took {took} µs");
        self.echo &= command != "ATE0";
        self.payload_echo &= command != "AT+QISDE=0";
    }

    /// The same with `OK` behind the rows.
    #[track_caller]
    fn ok(&mut self, command: &str, rows: &str, within: u64) {
        let rows = match rows {
            "" => String::new(),
            rows => format!("\r\n{rows}\r\n"),
        };
        self.ask(command, &format!("{rows}\r\nOK\r\n"), within);
    }

    /// Commands that only have to be `OK`.
    #[track_caller]
    fn all_ok(&mut self, commands: &[&str], within: u64) {
        for command in commands {
            self.ok(command, "", within);
        }
    }

    /// Sends a command, and gives its rows, which must end with `OK` in time.
    #[track_caller]
    fn rows(&mut self, command: &str, within: u64) -> String {
        let begin = self.host.sim.now();
        self.host.send(format!("{command}{}", self.end));
        let mut got = Vec::new();
        while !got.ends_with(b"\r\nOK\r\n") {
            let byte = self.host.take(1);
            assert_eq!(byte.len(), 1, "{command}: {}", got.escape_ascii());
            got.extend(byte);
        }
        assert!(self.host.sim.now() - begin <= within, "{command}");
        String::from_utf8_lossy(&got).into_owned()
    }

    #[track_caller]
    fn urc(&mut self, text: &str) {
        self.host.expect(format!("\r\n{text}\r\n"));
    }

    /// A send with the prompt compared to the byte.
    #[track_caller]
    fn send(&mut self, command: &str, data: &[u8], within: u64) {
        self.ask(command, "\r\n> ", within);
        self.payload(data, 10 * S);
    }

    /// Payload, and `SEND OK` in time.
    #[track_caller]
    fn payload(&mut self, data: &[u8], within: u64) {
        let begin = self.host.sim.now();
        let echo = if self.payload_echo { data } else { b"" };
        let answer = [echo, b"\r\nSEND OK\r\n"].concat();
        self.host.talk(data, answer);
        assert!(self.host.sim.now() - begin <= within);
    }
}

#[test]
fn tinygsm_bg96() {
    let mut driver = Driver::new(Profile::bg96(), Boot::Cold, "\r\n");
    // It asks until the module has started.
    while driver.host.sim.readable() == 0 {
        assert!(driver.host.sim.now() < 10 * S);
        driver.host.send("AT\r\n");
        driver.host.sim.run_until(driver.host.sim.now() + 300 * MS);
    }
    driver.host.silence_of_boot();
    driver.all_ok(&["AT", "ATE0", "AT+CMEE=0", "AT+CTZR=0", "AT+CTZU=1"], S);
    driver.ok("AT+CGMI", "Quectel", S);
    driver.ok("AT+CGMM", "BG96", S);
    driver.ok("AT+CPIN?", "+CPIN: READY", 10 * S);
    driver.ok("AT+CEREG?", "+CEREG: 0,1", S);
    driver.ok("AT+QIDEACT=1", "", 40 * S);
    driver.ok("AT+QICSGP=1,1,\"apn\",\"user\",\"pwd\"", "", S);
    driver.ok("AT+QIACT=1", "", 150 * S);
    driver.ok("AT+CGATT=1", "", 60 * S);
    driver.ok("AT+CGATT?", "+CGATT: 1", S);
    let rows = driver.rows("AT+CGPADDR=1", S);
    assert!(rows.contains("+CGPADDR: 1,") && rows.contains("10.7.157.1"));
    for _ in 0..2 {
        driver.ok("AT+QICLOSE=0", "", 15 * S);
        let open = "AT+QIOPEN=1,0,\"TCP\",\"server.example\",7,0,0";
        driver.ok(open, "", S);
        driver.urc("+QIOPEN: 0,0");
        // Payload that begins with a line feed, behind a command that ends with one.
        driver.send("AT+QISEND=0,6", b"\nhello", S);
        driver.urc("+QIURC: \"recv\",0");
        driver.ok("AT+QIRD=0,0", "+QIRD: 6,0,6", S);
        driver.ok("AT+QIRD=0,6", "+QIRD: 6\r\n\nhello", S);
        driver.ok("AT+QIRD=0,0", "+QIRD: 6,6,0", S);
        let rows = driver.rows("AT+QISTATE=1,0", S);
        let row: Vec<&str> = rows.trim().split(',').collect();
        assert_eq!((row[1], row[5]), ("\"TCP\"", "2"), "{rows}");
        driver.ok("AT+QICLOSE=0", "", 15 * S);
        driver.host.silence(500 * MS);
        driver.ask("AT+QIRD=0,0", "\r\nERROR\r\n", S);
        driver.ok("AT+QISTATE=1,0", "", S);
    }
    driver.ok("AT+QIDEACT=1", "", 40 * S);
}

#[test]
fn freertos_cellular_bg96() {
    let mut driver = Driver::new(Profile::bg96(), Boot::Booted, "\r");
    driver.all_ok(
        &[
            "ATE0",
            "AT&D0",
            "AT+IFC=2,2",
            "AT+QURCCFG=\"urcport\",\"uart1\"",
            "AT+QCFG=\"band\",f,400a0e189f,a0e189f",
            "AT+QCFG=\"nwscanmode\",0,1",
            "AT+QCFG=\"iotopmode\",2,1",
            "AT+QCFG=\"nwscanseq\",02,1",
            "AT+CFUN=1",
            "AT+COPS=3,2",
            "AT+CREG=2",
            "AT+CGREG=2",
            "AT+CEREG=2",
            "AT+CTZR=1",
        ],
        5 * S,
    );
    driver.ok("AT+QSIMSTAT?", "+QSIMSTAT: 0,1", 5 * S);
    driver.ok("AT+CPIN?", "+CPIN: READY", 5 * S);
    driver.ok("AT+QCCID", "+QCCID: 89860025128306012474", 5 * S);
    driver.ok("AT+CIMI", "001010123456789", 5 * S);
    let file = "+CRSM: 144,0,\"64F0104000\"";
    driver.ok("AT+CRSM=176,28514,0,0,0", file, 5 * S);
    let apn = "AT+QICSGP=1,1,\"apn\",\"user\",\"pwd\",1";
    driver.all_ok(&[apn, "AT+CFUN=4"], 15 * S);
    for name in ["+CREG", "+CGREG", "+CEREG"] {
        driver.urc(&format!("{name}: 0"));
    }
    driver.ok("AT+CFUN=1", "", 15 * S);
    for name in ["+CREG", "+CGREG", "+CEREG"] {
        driver.urc(&format!("{name}: 2"));
    }
    driver.ok("AT+CREG?", "+CREG: 2,2", 5 * S);
    for name in ["+CREG", "+CGREG", "+CEREG"] {
        driver.urc(&format!("{name}: 1,\"5650\",\"29A7DF4\",8"));
    }
    driver.urc("+CTZV: \"+00\"");
    for name in ["+CREG", "+CGREG", "+CEREG"] {
        let row = format!("{name}: 2,1,\"5650\",\"29A7DF4\",8");
        driver.ok(&format!("AT{name}?"), &row, 5 * S);
    }
    driver.ok("AT+COPS=3,2", "", 5 * S);
    driver.ok("AT+COPS?", "+COPS: 0,2,\"46001\",8", 5 * S);
    driver.ok("AT+QIACT=1", "", 150 * S);
    driver.ok("AT+CGPADDR=1", "+CGPADDR: 1,\"10.7.157.1\"", 5 * S);
    driver.ok("AT+QIACT?", "+QIACT: 1,1,1,\"10.7.157.1\"", 5 * S);
    driver.ok("AT+QIDNSCFG=1,\"8.8.8.8\"", "", 5 * S);
    driver.ok("AT+QIDNSGIP=1,\"server.example\"", "", 5 * S);
    driver.urc("+QIURC: \"dnsgip\",0,1,600");
    driver.urc("+QIURC: \"dnsgip\",\"192.0.2.7\"");
    for (mode, id) in [(0, 0), (1, 1)] {
        let open = format!("AT+QIOPEN=1,{id},\"TCP\",\"192.0.2.7\",7,0,{mode}");
        driver.ok(&open, "", 150 * S);
        driver.urc(&format!("+QIOPEN: {id},0"));
        // Nothing may follow the prompt before the payload is sent.
        driver.ask(&format!("AT+QISEND={id},5"), "\r\n> ", 5 * S);
        driver.host.silence(500 * MS);
        driver.payload(b"hello", 50 * S);
        if mode == 0 {
            driver.urc("+QIURC: \"recv\",0");
            driver.ok("AT+QIRD=0,1500", "+QIRD: 5\r\nhello", 5 * S);
            driver.ok("AT+QIRD=0,1500", "+QIRD: 0", 5 * S);
        } else {
            driver.urc("+QIURC: \"recv\",1,5\r\nhello");
        }
        driver.ok(&format!("AT+QICLOSE={id}"), "", 12 * S);
    }
    driver.ok("AT+QIDEACT=1", "", 40 * S);
}

#[test]
fn rt_thread_ec20() {
    let mut driver = Driver::new(Profile::ec25(), Boot::Booted, "\r\n");
    driver.all_ok(&["AT", "ATV1", "ATE0", "AT+CMEE=2"], 300 * MS);
    driver.ok("AT+IPR?", "+IPR: 115200", 300 * MS);
    let identity = "Quectel\r\nEC25\r\nRevision: EC25EFAR06A06M4G";
    driver.ok("ATI", identity, 300 * MS);
    driver.ok("AT+GSN", "866349040000000", 300 * MS);
    // The second line counts: the answer has to begin with an empty one.
    driver.ok("AT+CPIN?", "+CPIN: READY", 300 * MS);
    driver.ok("AT+CIMI", "001010123456789", 300 * MS);
    driver.ok("AT+QCCID", "+QCCID: 89860025128306012474", 300 * MS);
    driver.ok("AT+CSQ", "+CSQ: 22,99", 300 * MS);
    for name in ["+CREG", "+CGREG", "+CEREG"] {
        driver.ok(&format!("AT{name}?"), &format!("{name}: 0,1"), 300 * MS);
    }
    driver.ok("AT+COPS?", "+COPS: 0,0,\"CHINA MOBILE\",7", 300 * MS);
    driver.ok("AT+CTZU=3", "", 300 * MS);
    driver.ok("AT+CCLK?", "+CCLK: \"26/01/01,00:00:00+00\"", 300 * MS);
    driver.ok("AT+QIDEACT=1", "", 40 * S);
    driver.ok("AT+QIACT=1", "", 150 * S);
    let context = "+QIACT: 1,1,1,\"10.7.157.1\"";
    driver.ok("AT+QIACT?", context, 300 * MS);
    driver.ok("AT+GSN", "866349040000000", 300 * MS);
    driver.ok("AT+QIACT?", context, 300 * MS);
    let rows = "+QIDNSCFG: 1,\"192.0.2.53\",\"192.0.2.54\"";
    driver.ok("AT+QIDNSCFG=1", rows, 300 * MS);
    rt_thread_sockets(&mut driver);
    driver.ok("AT+QPING=1,\"server.example\",4,1", "", 5 * S);
    driver.urc("+QPING: 0,\"192.0.2.7\",32,40,255");
    driver.urc("+QPING: 0,1,1,0,40,40,40");
    // What it asks every half a minute.
    driver.host.silence(30 * S);
    driver.ok("AT+CGREG?", "+CGREG: 0,1", 300 * MS);
}

#[test]
fn rt_thread_ec200x() {
    let mut driver = Driver::new(Profile::ec200u(), Boot::Booted, "\r\n");
    driver.all_ok(&["AT", "ATE0"], 300 * MS);
    driver.ok("AT+IPR?", "+IPR: 115200", 300 * MS);
    let identity = "Quectel\r\nEC200U\r\nRevision: EC200UCNAAR03A15M08";
    driver.ok("ATI", identity, 300 * MS);
    driver.ok("AT+CPIN?", "+CPIN: READY", 300 * MS);
    driver.ok("AT+CSQ", "+CSQ: 22,99", 300 * MS);
    driver.ok("AT+CGREG?", "+CGREG: 0,1", 300 * MS);
    driver.all_ok(&["AT+QSCLK=1", "AT+QISDE=0"], 300 * MS);
    driver.ok("AT+QIDEACT=1", "", 40 * S);
    driver.ok("AT+QIACT=1", "", 150 * S);
    driver.ok("AT+QISTATE?", "", 300 * MS);
    rt_thread_sockets(&mut driver);
}

/// A look-up, and both kinds of sockets, pushed.
fn rt_thread_sockets(driver: &mut Driver) {
    driver.ok("AT+QIDNSGIP=1,\"server.example\"", "", 10 * S);
    driver.urc("+QIURC: \"dnsgip\",0,1,600");
    driver.urc("+QIURC: \"dnsgip\",\"192.0.2.7\"");
    for (socket, service) in [(0, "TCP"), (1, "UDP")] {
        let open = format!("AT+QIOPEN=1,{socket},\"{service}\",\"192.0.2.7\",7,0,1");
        driver.ok(&open, "", 5 * S);
        driver.urc(&format!("+QIOPEN: {socket},0"));
        // An id of an earlier life: one retry after a close.
        driver.ok(&open, "", 5 * S);
        driver.urc(&format!("+QIOPEN: {socket},563"));
        driver.ok(&format!("AT+QICLOSE={socket},1"), "", 2 * S);
        driver.ok(&open, "", 5 * S);
        driver.urc(&format!("+QIOPEN: {socket},0"));
        driver.send(&format!("AT+QISEND={socket},5"), b"hello", 300 * MS);
        driver.urc(&format!("+QIURC: \"recv\",{socket},5\r\nhello"));
        driver.ok(&format!("AT+QICLOSE={socket},1"), "", 2 * S);
    }
}

#[test]
fn zephyr_bg9x() {
    let mut driver = Driver::new(Profile::bg96(), Boot::Cold, "\r\n");
    driver.urc("RDY");
    driver.host.silence_of_boot();
    driver.all_ok(&["ATE0", "ATH", "AT+CMEE=1"], 10 * S);
    driver.ok("AT+CGMI", "Quectel", 10 * S);
    driver.ok("AT+CGMM", "BG96", 10 * S);
    driver.ok("AT+CGMR", "BG96MAR02A07M1G", 10 * S);
    driver.ok("AT+CGSN", "866349040000000", 10 * S);
    driver.ok("AT+CIMI", "001010123456789", 10 * S);
    driver.ok("AT+QCCID", "+QCCID: 89860025128306012474", 10 * S);
    // A blank before a value.
    driver.ok("AT+QICSGP=1,1,\"apn\",\"user\", \"pwd\",1", "", 10 * S);
    driver.ok("AT+CSQ", "+CSQ: 22,99", 10 * S);
    driver.ok("AT+QIACT=1", "", 10 * S);
    // It does not turn the payload echo off.
    driver.ok("AT+QIOPEN=1,2,\"TCP\",\"192.0.2.7\",7,0,0", "", S);
    driver.urc("+QIOPEN: 2,0");
    for _ in 0..3 {
        driver.ask("AT+QISEND=2,5", "\r\n> ", 5 * S);
        // Ctrl-Z behind a payload of given length.
        driver.host.talk("hello\x1a", "hello\r\nSEND OK\r\n");
        driver.urc("+QIURC: \"recv\",2");
        driver.ok("AT+QIRD=2,1500", "+QIRD: 5\r\nhello", 10 * S);
    }
    // It closes as soon as the peer has, whatever there is to read.
    driver.host.sim.with_peer(server(), |io| io.close());
    driver.urc("+QIURC: \"closed\",2");
    driver.ok("AT+QICLOSE=2", "", 10 * S);
}

#[test]
fn mbed_bg96() {
    let mut driver = Driver::new(Profile::bg96(), Boot::Booted, "\r");
    driver.ask("AT", "\r\nOK\r\n", 30 * MS);
    driver.all_ok(&["AT+IFC=2,2", "ATE0", "AT+CMEE=1", "AT+CFUN=1"], S);
    driver.ok("AT+CPIN?", "+CPIN: READY", S);
    driver.all_ok(&["AT+CREG=2", "AT+CGREG=2", "AT+CEREG=2", "AT+COPS=0"], S);
    driver.ok("AT+CGATT?", "+CGATT: 1", S);
    driver.ok("AT+CGEREP=1", "", S);
    driver.ok("AT+QICSGP=1,1,\"apn\",\"user\",\"pwd\",1", "", S);
    driver.ok("AT+QIACT=1", "", 150 * S);
    driver.ok("AT+CGPADDR=1", "+CGPADDR: 1,\"10.7.157.1\"", S);
    // Whether these are OK does not matter.
    for id in 0..12 {
        driver.ask(&format!("AT+QSSLCLOSE={id}"), "\r\nERROR\r\n", S);
    }
    driver.ok("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,50000,0", "", S);
    driver.urc("+QIOPEN: 0,0");
    driver.ok("AT+QISEND=0,0", "+QISEND: 0,0,0", S);
    driver.send("AT+QISEND=0,5", b"hello", S);
    driver.urc("+QIURC: \"recv\",0");
    driver.ok("AT+QISEND=0,0", "+QISEND: 5,5,0", S);
    driver.ok("AT+QIRD=0,1500", "+QIRD: 5\r\nhello", S);
    // The same local port again is a bind failure.
    driver.ok("AT+QIOPEN=1,1,\"TCP\",\"192.0.2.7\",7,50000,0", "", S);
    driver.urc("+QIOPEN: 1,556");
    driver.ok("AT+QICLOSE=1", "", S);
    driver.ok("AT+QICLOSE=0", "", S);
    driver.ok(
        "AT+QIOPEN=1,2,\"UDP SERVICE\",\"127.0.0.1\",0,50001,0",
        "",
        S,
    );
    driver.urc("+QIOPEN: 2,0");
    driver.send("AT+QISEND=2,5,\"192.0.2.7\",7", b"hello", S);
    driver.urc("+QIURC: \"recv\",2");
    let rows = "+QIRD: 5,\"192.0.2.7\",7\r\nhello";
    driver.ok("AT+QIRD=2", rows, S);
    driver.ok("AT+QICLOSE=2", "", S);
}

#[test]
fn esp_modem_bg96() {
    let mut driver = Driver::new(Profile::bg96(), Boot::Booted, "\r");
    let record = Record::new();
    driver.host.sim.serve(server(), record.of(|| Echo));
    driver.all_ok(&["ATE0"], S);
    driver.ok("AT+QISTATE?", "", S);
    driver.ok("AT+QIACT=1", "", 150 * S);
    driver.ok("AT+QIACT?", "+QIACT: 1,1,1,\"10.7.157.1\"", S);
    driver.ok("AT+QIOPEN=1,0,\"TCP\",\"server.example\",7", "", S);
    driver.urc("+QIOPEN: 0,0");
    driver.send("AT+QISEND=0,400", &[b'x'; 400], S);
    // It asks until all but 64 bytes are acknowledged.
    let mut asked = 0;
    loop {
        let rows = driver.rows("AT+QISEND=0,0", S);
        let mut numbers = rows.trim().split([' ', ',', '\r']).skip(1);
        let mut number = || numbers.next().and_then(|n| n.parse::<u32>().ok());
        let (total, acked) = (number(), number());
        asked += 1;
        if rows.starts_with("\r\n+QISEND") && total == acked {
            break;
        }
        assert!(asked < 100, "{rows}");
    }
    assert_eq!(record.len(0), 400);
    driver.host.sim.run_until(driver.host.sim.now() + S);
    let n = driver.host.sim.readable();
    driver.host.take(n);
    driver.ok(
        "AT+QIRD=0,400",
        &format!("+QIRD: 400\r\n{}", "x".repeat(400)),
        S,
    );
    driver.ok("AT+QIRD=0,0", "+QIRD: 400,400,0", S);
    driver.host.sim.with_peer(server(), |io| io.close());
    driver.urc("+QIURC: \"closed\",0");
    driver.ok("AT+QICLOSE=0", "", 10 * S);
}
