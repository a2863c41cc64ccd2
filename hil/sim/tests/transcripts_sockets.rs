//! What real modules were recorded saying about sockets, byte for byte.
//!
//! Every expected literal here is from a published log of a real module, never from the simulator.
//! Payload that a log leaves out is made up.

mod common;

use common::{Host, family};
use quectel_sim::{Cellular, Config, Echo, NtpServer, Peer, PeerIo, Source, Then};

/// An EC200U without echoes, whose context is active already.
fn ec200u(cellular: Cellular) -> Host {
    let mut host = Host::quiet(Config {
        cellular,
        ..family("EC200U")
    });
    host.talk("AT+QISDE=0\r", "\r\nOK\r\n");
    host
}

/// After so many bytes from the module it sends something.
struct Script {
    steps: Vec<(usize, Vec<u8>)>,
    received: usize,
}

impl Peer for Script {
    fn received(&mut self, io: &mut PeerIo, data: &[u8]) {
        self.received += data.len();
        while self
            .steps
            .first()
            .is_some_and(|step| step.0 <= self.received)
        {
            io.send(&self.steps.remove(0).1);
        }
    }
}

fn noise(n: usize) -> Vec<u8> {
    (0..n as u32)
        .map(|i| (i.wrapping_mul(i) / 7) as u8)
        .collect()
}

/// EC200U, direct push: a burst of 2501 bytes is cut at 1500.
#[test]
fn tls_handshake_in_direct_push() {
    let burst = noise(2501);
    let (first, second) = (burst[..1500].to_vec(), burst[1500..].to_vec());
    let last = noise(51);
    let steps = vec![(147, burst), (147 + 823 + 45, last.clone())];
    let mut host = ec200u(Cellular::default());
    host.sim
        .serve("203.0.113.11:42605".parse().unwrap(), move || Script {
            steps: steps.clone(),
            received: 0,
        });
    host.talk("AT+QIDNSGIP=1,\"203.0.113.11\"\r", "\r\nOK\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",0,1,0\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",\"203.0.113.11\"\r\n");
    host.talk(
        "AT+QIOPEN=1,0,\"TCP\",\"203.0.113.11\",42605,0,1\r",
        "\r\nOK\r\n",
    );
    host.expect("\r\n+QIOPEN: 0,0\r\n");
    host.talk("AT+QISEND=0,147\r", "\r\n> ");
    host.talk(noise(147), "\r\nSEND OK\r\n");
    host.expect("\r\n+QIURC: \"recv\",0,1500\r\n");
    host.expect(first);
    host.expect("\r\n\r\n+QIURC: \"recv\",0,1001\r\n");
    host.expect(second);
    host.expect("\r\n");
    host.talk("AT+QISEND=0,823\r", "\r\n> ");
    host.talk(noise(823), "\r\nSEND OK\r\n");
    host.talk("AT+QISEND=0,45\r", "\r\n> ");
    host.talk(noise(45), "\r\nSEND OK\r\n");
    host.expect("\r\n+QIURC: \"recv\",0,51\r\n");
    host.expect(last);
    host.expect("\r\n");
}

/// EC200U: UTC with the local zone behind it.
#[test]
fn time_from_a_server() {
    let mut host = ec200u(Cellular {
        zone_quarters: 32,
        ..Cellular::default()
    });
    let address = "203.0.113.5".parse().unwrap();
    host.sim.set_name("ntp.aliyun.com", &[address], 60);
    // 2026-07-03 00:56:27 UTC.
    let unix_s = 1_783_040_187 - host.sim.now() / 1_000_000;
    host.sim
        .serve_udp("203.0.113.5:123".parse().unwrap(), NtpServer { unix_s });
    host.talk("AT+QNTP=1,\"ntp.aliyun.com\"\r", "\r\nOK\r\n");
    host.expect("\r\n+QNTP: 0,\"2026/07/03,00:56:27+32\"\r\n");
}

/// EC200A: a listener, and the first client.
#[test]
fn listener_of_an_ec200a() {
    let mut config = Config {
        cellular: Cellular {
            address: "192.0.2.10".parse().unwrap(),
            ..Cellular::default()
        },
        ..Config::default()
    };
    config.profile.port = "usbat".into();
    config.profile.urc_port = "usbat".into();
    let mut host = Host::ready(config);
    host.talk(
        "AT+QIOPEN=1,0,\"TCP LISTENER\",\"127.0.0.1\",0,8080,0\r",
        "\r\nOK\r\n",
    );
    host.expect("\r\n+QIOPEN: 0,0\r\n");
    host.talk(
        "AT+QISTATE=1,0\r",
        "\r\n+QISTATE: 0,\"TCP LISTENER\",\"192.0.2.10\",0,8080,3,1,0,0,\"usbat\"\r\n\r\nOK\r\n",
    );
    let client = "198.51.100.7:62060".parse().unwrap();
    let hello = Source::new(*b"HELLO-FROM-WAN\r\n", Then::Keep);
    assert!(host.sim.dial(client, 8080, hello));
    host.expect("\r\n+QIURC: \"incoming\",11,0,\"198.51.100.7\",62060\r\n");
    host.expect("\r\n+QIURC: \"recv\",11\r\n");
    host.talk(
        "AT+QIRD=11,64\r",
        "\r\n+QIRD: 16\r\nHELLO-FROM-WAN\r\n\r\n\r\nOK\r\n",
    );
}

/// EC2x on the USB port, with payload echo.
#[test]
fn udp_service_of_an_ec2x() {
    let mut config = Config {
        cellular: Cellular {
            address: "192.0.2.30".parse().unwrap(),
            ..Cellular::default()
        },
        ..Config::default()
    };
    config.profile.port = "usbat".into();
    config.profile.urc_port = "usbat".into();
    let mut host = Host::ready(config);
    host.talk("AT+QISDE=1\r", "\r\nOK\r\n");
    host.sim
        .set_name("echo.u-blox.com", &["203.0.113.15".parse().unwrap()], 300);
    host.sim.serve_udp("203.0.113.15:7".parse().unwrap(), Echo);
    host.talk(
        "AT+QIOPEN=1,0,\"UDP SERVICE\",\"echo.u-blox.com\",7,3030,0\r",
        "\r\nOK\r\n",
    );
    host.expect("\r\n+QIOPEN: 0,0\r\n");
    host.talk(
        "AT+QISTATE?\r",
        "\r\n+QISTATE: 0,\"UDP SERVICE\",\"192.0.2.30\",7,3030,2,1,0,0,\"usbat\"\r\n\r\nOK\r\n",
    );
    host.talk("AT+QIDNSGIP=1,\"echo.u-blox.com\"\r", "\r\nOK\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",0,1,300\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",\"203.0.113.15\"\r\n");
    host.talk("AT+QISEND=0,14,\"203.0.113.15\",7\r", "\r\n> ");
    host.talk("echo teste 001", "echo teste 001\r\nSEND OK\r\n");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.talk(
        "AT+QIRD=0\r",
        "\r\n+QIRD: 14,\"203.0.113.15\",7\r\necho teste 001\r\n\r\nOK\r\n",
    );
}

/// EC2x, a server in direct push: ids are given from the top.
#[test]
fn server_in_direct_push() {
    let mut host = Host::ready(Config::default());
    host.talk(
        "AT+QIOPEN=1,0,\"TCP LISTENER\",\"127.0.0.1\",0,2020,1\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
    // Two clients came before the log begins; one of them went.
    for (id, port) in [(11, 1), (10, 2)] {
        let early = format!("10.176.100.3:{port}").parse().unwrap();
        assert!(host.sim.dial(early, 2020, Echo));
        host.expect(format!(
            "\r\n+QIURC: \"incoming\",{id},0,\"10.176.100.3\",{port}\r\n"
        ));
    }
    let client = "10.176.100.3:51257".parse().unwrap();
    assert!(host.sim.dial(client, 2020, Source::new(*b"&", Then::Keep)));
    host.expect("\r\n+QIURC: \"incoming\",9,0,\"10.176.100.3\",51257\r\n");
    host.expect("\r\n+QIURC: \"recv\",9,1\r\n&\r\n");
    host.talk("AT+QICLOSE=11\r", "\r\nOK\r\n");
    let client = "10.176.100.3:38090".parse().unwrap();
    assert!(host.sim.dial(client, 2020, Echo));
    host.expect("\r\n+QIURC: \"incoming\",11,0,\"10.176.100.3\",38090\r\n");
}

/// EC20, direct push: a URC for each segment of the answer, then the end.
#[test]
fn answer_in_two_segments() {
    /// Sends the second part when the first was acknowledged.
    struct InTwo(Vec<&'static [u8]>);
    impl Peer for InTwo {
        fn received(&mut self, io: &mut PeerIo, _: &[u8]) {
            self.delivered(io);
        }
        fn delivered(&mut self, io: &mut PeerIo) {
            match self.0.is_empty() {
                true => io.close(),
                false => io.send(self.0.remove(0)),
            }
        }
    }
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n";
    const BODY: &[u8] = &[b'{'; 226];
    let mut host = Host::ready(Config::default());
    host.sim
        .serve("192.0.2.7:7".parse().unwrap(), || InTwo(vec![HEAD, BODY]));
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,0,1\r", "\r\nOK\r\n");
    host.expect("\r\n+QIOPEN: 0,0\r\n");
    host.talk("AT+QISEND=0,4\r", "\r\n> ");
    host.talk("GET\n", "\r\nSEND OK\r\n");
    host.expect("\r\n+QIURC: \"recv\",0,17\r\nHTTP/1.1 200 OK\r\n\r\n");
    host.expect("\r\n+QIURC: \"recv\",0,226\r\n");
    host.expect(BODY);
    host.expect("\r\n\r\n+QIURC: \"closed\",0\r\n");
}

/// BG9x: payload echo, `SEND OK` and a push of the echoed data; the answers to the next commands have
/// their own echo in front.
#[test]
fn echo_and_push_of_a_bg9x() {
    let mut host = Host::new(Config {
        cellular: Cellular {
            rssi: 28,
            rsrp: -77,
            sinr: 225,
            rsrq: -7,
            ..Cellular::default()
        },
        ..family("BG96")
    });
    host.talk("AT+QIACT=1\r", "AT+QIACT=1\r\r\nOK\r\n");
    host.sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    host.talk(
        "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,0,1\r",
        "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,0,1\r\r\nOK\r\n",
    );
    host.expect("\r\n+QIOPEN: 0,0\r\n");
    host.talk("AT+QISEND=0,13\r", "AT+QISEND=0,13\r\r\n> ");
    host.talk(
        "Hello Finamon",
        "Hello Finamon\r\nSEND OK\r\n\r\n+QIURC: \"recv\",0,13\r\nHello Finamon\r\n",
    );
    host.talk(
        "AT+QCSQ\r",
        "AT+QCSQ\r\r\n+QCSQ: \"eMTC\",-57,-77,225,-7\r\n\r\nOK\r\n",
    );
    host.talk("AT+GSN\r", "AT+GSN\r\r\n866349040000000\r\n\r\nOK\r\n");
}

/// BG96: a read without length is one of 1500 bytes, whatever is in them.
#[test]
fn read_without_length() {
    let mut data: Vec<u8> = b"\0\r\n,\"".repeat(300);
    data.extend(b"more");
    let source = data.clone();
    let mut host = Host::ready(family("BG96"));
    host.sim.serve("192.0.2.7:7".parse().unwrap(), move || {
        Source::new(source.clone(), Then::Keep)
    });
    host.open(0);
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.sim.run_until(host.sim.now() + 1_000_000);
    host.send("AT+QIRD=0\r");
    host.expect("\r\n+QIRD: 1500\r\n");
    host.expect(&data[..1500]);
    host.expect("\r\n\r\nOK\r\n");
}

/// EC21, direct push: a page and the end of the connection.
#[test]
fn page_and_close() {
    let head = b"HTTP/1.1 200 OK\r\nServer: nginx/1.11.12\r\n";
    let tail = b"\r\n\r\nHello world!\n";
    let fill = vec![b'.'; 389 - head.len() - tail.len()];
    let page = [&head[..], &fill, tail].concat();
    let source = page.clone();
    let mut host = Host::ready(Config::default());
    host.sim.serve("192.0.2.7:80".parse().unwrap(), move || {
        Source::new(source.clone(), Then::Close)
    });
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",80,0,1\r", "\r\nOK\r\n");
    host.expect("\r\n+QIOPEN: 0,0\r\n");
    host.expect("\r\n+QIURC: \"recv\",0,389\r\n");
    host.expect(page);
    host.expect("\r\n");
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
}

/// EC25 class: what an open answers when it is read late, and when the id is taken.
#[test]
fn open_in_one_read() {
    let mut host = Host::ready(Config::default());
    host.sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    host.send("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7\r");
    host.sim.run_until(host.sim.now() + 1_000_000);
    host.expect("\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n");
    host.send("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7\r");
    host.sim.run_until(host.sim.now() + 1_000_000);
    host.expect("\r\nOK\r\n\r\n+QIOPEN: 0,563\r\n");
}
