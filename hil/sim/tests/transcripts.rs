//! What real modules were recorded saying, byte for byte.
//!
//! Every expected literal here is from a published log of a real module or from a manual, never from
//! the simulator. Each test says which module the log is of; those about connections are in
//! `transcripts_sockets.rs`. What a log leaves out is made up: payload, masked addresses and names.
//!
//! Not reproduced, because the simulated module has no such commands: TLS sockets of an EG800K and a
//! BC660K, files of an EG800K, MQTT URCs before a prompt on a BG96, multiplexer frames, short messages
//! of an EC21, the scan for access points of an EG800K (only its URC is), `AT+QCDS` of a BG96; the
//! dialects of BC95, BC28 and M95; a BG950A that a setting of its radio killed.

mod common;

use common::{Host, family};
use quectel_sim::{
    Boot, Cellular, Config, Echo, EscapeAnswer, Fault, Peer, PeerIo, Profile, QirdTail, SimCard,
    Source, Then,
};

fn bg96() -> Config {
    Config {
        profile: Profile::bg96(),
        ..Config::default()
    }
}

fn without_echo(config: Config) -> Host {
    let mut host = Host::new(config);
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host
}

/// BG96, echo on at the start.
#[test]
fn bring_up_of_a_bg96() {
    let mut host = Host::new(Config {
        cellular: Cellular {
            address: "10.64.96.160".parse().unwrap(),
            name_servers: [
                "100.64.0.10".parse().unwrap(),
                "100.64.0.10".parse().unwrap(),
            ],
            ..Cellular::default()
        },
        ..bg96()
    });
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT\r", "\r\nOK\r\n");
    host.talk("AT+CMEE=1\r", "\r\nOK\r\n");
    host.talk("AT+QISDE=0\r", "\r\nOK\r\n");
    host.talk("AT+QSSLSTATE\r", "\r\nOK\r\n");
    host.talk("AT+CPIN?\r", "\r\n+CPIN: READY\r\n\r\nOK\r\n");
    host.talk("AT+CFUN?\r", "\r\n+CFUN: 1\r\n\r\nOK\r\n");
    host.talk(
        "AT+QICSGP=1\r",
        "\r\n+QICSGP: 1,\"\",\"\",\"\",0\r\n\r\nOK\r\n",
    );
    host.talk("AT+QIACT?\r", "\r\nOK\r\n");
    host.talk("AT+QIACT=1\r", "\r\nOK\r\n");
    host.talk(
        "AT+QIACT?\r",
        "\r\n+QIACT: 1,1,1,\"10.64.96.160\"\r\n\r\nOK\r\n",
    );
    host.talk(
        "AT+QIDNSCFG=1\r",
        "\r\n+QIDNSCFG: 1,\"100.64.0.10\",\"100.64.0.10\"\r\n\r\nOK\r\n",
    );
    for part in ["AT+QICLOSE=", "0", "\r"] {
        host.send(part);
        host.sim.run_until(host.sim.now() + 3_000);
    }
    host.expect("\r\nOK\r\n");
}

/// BG96: a read of 1500, the counters, the rest, then a send.
#[test]
fn read_and_send_of_a_bg96() {
    let data: Vec<u8> = (0..3524u32).map(|i| (i * 7) as u8).collect();
    let source = data.clone();
    let mut host = Host::ready(bg96());
    host.sim.serve("192.0.2.7:7".parse().unwrap(), move || {
        Source::new(source.clone(), Then::Keep)
    });
    host.open(1);
    host.expect("\r\n+QIURC: \"recv\",1\r\n");
    host.sim.run_until(host.sim.now() + 1_000_000);
    let (first, rest) = data.split_at(1500);
    host.talk(
        "AT+QIRD=1,1500\r",
        [b"\r\n+QIRD: 1500\r\n", first, b"\r\n\r\nOK\r\n"].concat(),
    );
    let (second, rest) = rest.split_at(1500);
    host.talk(
        "AT+QIRD=1,1500\r",
        [b"\r\n+QIRD: 1500\r\n", second, b"\r\n\r\nOK\r\n"].concat(),
    );
    let (third, rest) = rest.split_at(5);
    host.talk(
        "AT+QIRD=1,5\r",
        [b"\r\n+QIRD: 5\r\n", third, b"\r\n\r\nOK\r\n"].concat(),
    );
    host.talk("AT+QIRD=1,0\r", "\r\n+QIRD: 3524,3005,519\r\n\r\nOK\r\n");
    host.talk(
        "AT+QIRD=1,519\r",
        [b"\r\n+QIRD: 519\r\n", rest, b"\r\n\r\nOK\r\n"].concat(),
    );
    host.talk("AT+QISEND=1,12\r", "\r\n> ");
    host.talk(
        b"\x16\x03\x03\x00\x07\x0b\x00\x00\x03\x00\x00\x00",
        "\r\nSEND OK\r\n",
    );
}

/// BG96: a live client reported as state 3, and what is left after `AT+QICLOSE`.
#[test]
fn state_3_of_a_bg96() {
    let mut config = bg96();
    config.profile.client_state_3 = true;
    let mut host = Host::ready(config);
    /// Accepts an MQTT connection when its request is complete.
    struct Broker(usize);
    impl Peer for Broker {
        fn received(&mut self, io: &mut PeerIo, data: &[u8]) {
            self.0 += data.len();
            if self.0 == 83 {
                io.send(b"\x20\x02\x00\x00");
            }
        }
    }
    host.sim
        .serve("203.0.113.10:1883".parse().unwrap(), || Broker(0));
    host.talk(
        "AT+QIOPEN=1,0,\"TCP\",\"203.0.113.10\",1883,22742,0\r",
        "\r\nOK\r\n",
    );
    host.expect("\r\n+QIOPEN: 0,0\r\n");
    host.talk("AT+QISEND=0,83\r", "\r\n> ");
    host.talk([0x10; 83], "\r\nSEND OK\r\n");
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 0,0,0\r\n\r\nOK\r\n");
    host.talk(
        "AT+QISTATE=1,0\r",
        "\r\n+QISTATE: 0,\"TCP\",\"203.0.113.10\",1883,22742,3,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
    );
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 4,0,4\r\n\r\nOK\r\n");
    host.talk(
        "AT+QIRD=0,4\r",
        "\r\n+QIRD: 4\r\n\x20\x02\x00\x00\r\n\r\nOK\r\n",
    );
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 4,4,0\r\n\r\nOK\r\n");
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    host.talk("AT+QIRD=0,0\r", "\r\nERROR\r\n");
    host.talk("AT+QISTATE=1,0\r", "\r\nOK\r\n");
}

/// BG96: a reset by command. The echo is back, and commands on the way down get no answer.
#[test]
fn reset_of_a_bg96() {
    let mut host = Host::new(bg96());
    host.talk("AT+CFUN=1,1\r", "AT+CFUN=1,1\r\r\nOK\r\n");
    host.expect("\r\nPOWERED DOWN\r\n");
    let begin = host.sim.now();
    host.sim.run_until(begin + 1_000_000);
    host.send("AT\r");
    host.expect("\r\nRDY\r\n");
    let took = host.sim.now() - begin;
    assert!((5_500_000..6_500_000).contains(&took), "about 6 s: {took}");
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    host.expect("\r\n+CFUN: 1\r\n\r\nAPP RDY\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\r\n+QIND: SMS DONE\r\n");
    host.talk("AT&FZE0\r", "AT&FZE0\r\r\nOK\r\n");
    host.talk("AT+CPIN?\r", "\r\n+CPIN: READY\r\n\r\nOK\r\n");
}

/// BG96 on UTRAN.
#[test]
fn signal_and_registration_of_a_bg96() {
    let mut host = without_echo(Config {
        cellular: Cellular {
            rssi: 15,
            ber: 3,
            area: "5650".into(),
            cell: "29A7DF4".into(),
            technology: 2,
            ..Cellular::default()
        },
        ..bg96()
    });
    host.talk("AT+CGREG=2\r", "\r\nOK\r\n");
    host.talk("AT+CGEREP=1\r", "\r\nOK\r\n");
    host.talk("AT+CSQ\r", "\r\n+CSQ: 15,3\r\n\r\nOK\r\n");
    host.talk(
        "AT+CGREG?\r",
        "\r\n+CGREG: 2,1,\"5650\",\"29A7DF4\",2\r\n\r\nOK\r\n",
    );
}

/// BG96: identity, a card number with a filler, and no IMEI, without which there is no radio.
#[test]
fn identity_of_a_bg96() {
    let mut config = bg96();
    config.boot = Boot::Cold;
    config.profile.boot_urcs = vec![(300_000, "APP RDY".into())];
    config.profile.imei.clear();
    config.cellular.iccid = "8949227000000000000F".into();
    let mut host = Host::new(config);
    host.expect("\r\nRDY\r\n\r\nAPP RDY\r\n");
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk(
        "ATI\r",
        "\r\nQuectel\r\nBG96\r\nRevision: BG96MAR02A07M1G\r\n\r\nOK\r\n",
    );
    host.talk(
        "AT+QGMR\r",
        "\r\nBG96MAR02A07M1G_01.019.01.019\r\n\r\nOK\r\n",
    );
    host.talk(
        "AT+QCCID\r",
        "\r\n+QCCID: 8949227000000000000F\r\n\r\nOK\r\n",
    );
    host.talk("AT+CGSN\r", "\r\n+CME ERROR: 23\r\n");
    host.talk("AT+CFUN=1\r", "\r\n+CME ERROR: 0\r\n");
}

/// BG96 in Korea: the card is set up twice.
#[test]
fn start_of_a_bg96_whose_card_is_set_up_twice() {
    let mut config = bg96();
    config.boot = Boot::Cold;
    let again = [
        (1_700_000, "+CPIN: READY"),
        (1_800_000, "+QUSIM: 1"),
        (2_700_000, "+QIND: SMS DONE"),
    ];
    let again = again.map(|(after, urc)| (after, urc.to_owned()));
    config.profile.boot_urcs.extend(again);
    let mut host = Host::new(config);
    host.expect("\r\nRDY\r\n");
    host.expect("\r\n+CFUN: 1\r\n");
    host.expect("\r\nAPP RDY\r\n");
    host.expect("\r\n+CPIN: READY\r\n");
    host.expect("\r\n+QUSIM: 1\r\n");
    host.expect("\r\n+QIND: SMS DONE\r\n");
    host.expect("\r\n+CPIN: READY\r\n");
    host.expect("\r\n+QUSIM: 1\r\n");
    host.expect("\r\n+QIND: SMS DONE\r\n");
}

/// EC200U, without echo: several rows after one leading CRLF, a context that was active already, and no
/// position.
#[test]
fn first_commands_of_an_ec200u() {
    let mut config = family("EC200U");
    config.cellular.address = "10.46.0.1".parse().unwrap();
    config.cellular.address_v6 = "2001:db8:1023:1b1b:18be:a0ea:aea9:ab47".parse().unwrap();
    let mut host = without_echo(config);
    host.talk(
        "ATI\r",
        "\r\nQuectel\r\nEC200U\r\nRevision: EC200UCNAAR03A15M08\r\n\r\nOK\r\n",
    );
    host.talk("AT+CPIN?\r", "\r\n+CPIN: READY\r\n\r\nOK\r\n");
    host.talk("AT+CEREG?\r", "\r\n+CEREG: 0,1\r\n\r\nOK\r\n");
    host.talk(
        "AT+QIACT?\r",
        "\r\n+QIACT: 1,1,3,\"10.46.0.1\",\"2001:DB8:1023:1B1B:18BE:A0EA:AEA9:AB47\"\r\n\r\nOK\r\n",
    );
    host.talk("AT+QGPSLOC=2\r", "\r\n+CME ERROR: 516\r\n");
}

/// EC2x: a name.
#[test]
fn look_up_of_a_name() {
    let mut host = Host::ready(Config::default());
    host.sim
        .set_name("echo.u-blox.com", &["203.0.113.15".parse().unwrap()], 300);
    host.talk("AT+QIDNSGIP=1,\"echo.u-blox.com\"\r", "\r\nOK\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",0,1,300\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",\"203.0.113.15\"\r\n");
}

/// Says something, repeats what it hears.
struct Chat;

impl Peer for Chat {
    fn connected(&mut self, io: &mut PeerIo) {
        io.send(b"zehradan gelen veri");
    }
    fn received(&mut self, io: &mut PeerIo, data: &[u8]) {
        io.send(data);
    }
}

/// EC2x on uart1: payload without length, with the payload echo; two messages in one read, one URC.
#[test]
fn payload_without_length() {
    let mut host = without_echo(Config::default());
    host.sim.serve("192.0.2.20:9966".parse().unwrap(), || Chat);
    host.talk("AT+QIACT=1\r", "\r\nOK\r\n");
    host.talk(
        "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",9966,9437,0\r",
        "\r\nOK\r\n",
    );
    host.expect("\r\n+QIOPEN: 0,0\r\n");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.talk(
        "AT+QISTATE=1,0\r",
        "\r\n+QISTATE: 0,\"TCP\",\"192.0.2.20\",9966,9437,2,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
    );
    host.talk("AT+QISEND=0\r", "\r\n> ");
    host.talk(
        "zeynepten gelen veri\x1a",
        "zeynepten gelen veri\r\nSEND OK\r\n",
    );
    host.silence(1_000_000);
    host.talk(
        "AT+QIRD=0,1500\r",
        "\r\n+QIRD: 39\r\nzehradan gelen verizeynepten gelen veri\r\n\r\nOK\r\n",
    );
}

/// EG800K: the 3GPP layer holds the only context there can be; later it takes the context away, and the
/// TCP/IP commands do not notice.
#[test]
fn two_layers_of_an_eg800k_that_disagree() {
    let mut config = family("EG800K");
    config.profile.auto_activate = None;
    config.profile.held_bearer = Some(9);
    config.cellular.address = "10.187.7.8".parse().unwrap();
    let mut host = without_echo(config);
    host.talk("AT+QIACT=1\r", "\r\nERROR\r\n");
    host.talk(
        "AT+QIGETERROR\r",
        "\r\n+QIGETERROR: 572,operation not allowed\r\n\r\nOK\r\n",
    );
    host.talk("AT+CGACT=1,1\r", "\r\n+CME ERROR: 100\r\n");
    host.talk(
        "AT+CGACT?\r",
        "\r\n+CGACT: 1,0\r\n+CGACT: 9,1\r\n\r\nOK\r\n",
    );
    host.talk("AT+CGACT=0,9\r", "\r\nOK\r\n");
    host.talk("AT+QIACT=1\r", "\r\nOK\r\n");
    host.talk(
        "AT+QIACT?\r",
        "\r\n+QIACT: 1,1,1,\"10.187.7.8\"\r\n\r\nOK\r\n",
    );
    host.talk("AT+CGACT=0,1\r", "\r\nOK\r\n");
    host.talk(
        "AT+QIACT?\r",
        "\r\n+QIACT: 1,1,1,\"10.187.7.8\"\r\n\r\nOK\r\n",
    );
    host.talk("AT+QPING=1,\"8.8.8.8\",4,4\r", "\r\nOK\r\n");
    host.expect("\r\n+QPING: 559\r\n");
    host.expect("\r\n+QPING: 550\r\n");
}

/// EG800K: as the factory sets it, URCs go to the USB port until told otherwise.
#[test]
fn urc_port_of_an_eg800k() {
    let mut config = family("EG800K");
    let Ok(Fault::Switch(switch)) = "switch:urc-port:usbat".parse() else {
        panic!("no switch");
    };
    switch.set(&mut config.profile);
    let mut host = without_echo(config);
    let urc = "+QWIFISCAN: (-,-,-35,\"C2:28:35:00:00:01\",1)";
    host.talk(
        "AT+QURCCFG=\"urcport\"\r",
        "\r\n+QURCCFG: \"urcport\",\"usbat\"\r\n\r\nOK\r\n",
    );
    host.sim.send_urc(urc);
    host.silence(1_000_000);
    host.talk("AT+QURCCFG=\"urcport\",\"uart1\"\r", "\r\nOK\r\n");
    host.sim.send_urc(urc);
    host.expect("\r\n+QWIFISCAN: (-,-,-35,\"C2:28:35:00:00:01\",1)\r\n");
}

/// EC25 class on its USB port: no context, then one that the echo requests activate and release.
#[test]
fn echo_requests_that_activate_a_context() {
    let mut config = Config::default();
    config.profile.ping_activates = true;
    let mut host = without_echo(config);
    let address = "203.0.113.17".parse().unwrap();
    host.sim.set_name("google.com", &[address], 60);
    host.sim.set_registration(2);
    host.talk("AT+QPING=1,\"openairinterface.org\"\r", "\r\nOK\r\n");
    host.expect("\r\n+QPING: 561\r\n");
    host.sim.set_registration(1);
    host.talk("at+qping=1,\"google.com\"\r", "\r\nOK\r\n");
    for (one_way_us, urc) in [
        (36_500, "+QPING: 0,\"203.0.113.17\",32,73,255"),
        (28_000, "+QPING: 0,\"203.0.113.17\",32,56,255"),
        (32_500, "+QPING: 0,\"203.0.113.17\",32,65,255"),
        (36_000, "+QPING: 0,\"203.0.113.17\",32,72,255"),
    ] {
        host.sim.link_mut().delay_us = one_way_us;
        host.expect(format!("\r\n{urc}\r\n"));
    }
    host.expect("\r\n+QPING: 0,4,4,0,56,73,66\r\n");
    host.expect("\r\n+QIURC: \"pdpdeact\",1\r\n");
}

/// EC200 class on uart1: active since the start, local port printed as asked for, id taken.
#[test]
fn context_active_since_the_start() {
    let mut config = Config::default();
    config.profile.auto_activate = Some(1);
    config.profile.activate_again_fails = true;
    config.profile.requested_local_port = true;
    config.cellular.address = "10.89.179.111".parse().unwrap();
    let mut host = without_echo(config);
    host.sim
        .serve("203.0.113.14:59969".parse().unwrap(), || quectel_sim::Sink);
    host.talk("AT+QIACT=1\r", "\r\nERROR\r\n");
    host.talk(
        "AT+QIACT?\r",
        "\r\n+QIACT: 1,1,1,\"10.89.179.111\"\r\n\r\nOK\r\n",
    );
    let open = "AT+QIOPEN=1,0,\"TCP\",\"203.0.113.14\",59969,0,1\r";
    host.talk(open, "\r\nOK\r\n");
    host.expect("\r\n+QIOPEN: 0,0\r\n");
    host.talk(open, "\r\nOK\r\n\r\n+QIOPEN: 0,563\r\n");
    // The log does not show the payload's echo.
    host.talk("AT+QISDE=0\r", "\r\nOK\r\n");
    host.talk("AT+QISEND=0\r", "\r\n> ");
    host.talk("hello\x1a", "\r\nSEND OK\r\n");
    host.talk(
        "AT+QISTATE=1,0\r",
        "\r\n+QISTATE: 0,\"TCP\",\"203.0.113.14\",59969,0,2,1,0,1,\"uart1\"\r\n\r\nOK\r\n",
    );
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
}

/// EC21: reading without a URC is allowed at any time.
#[test]
fn reading_what_is_not_there() {
    let mut host = Host::connected(Config::default(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    });
    for _ in 0..100 {
        host.talk("AT+QIRD=0\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
    }
}

/// EC25, as bytes: a command it does not have.
#[test]
fn unknown_command_of_an_ec25() {
    let mut host = Host::new(Config::default());
    host.talk(
        "AT+MODE=2\r",
        [
            0x41, 0x54, 0x2b, 0x4d, 0x4f, 0x44, 0x45, 0x3d, 0x32, 0x0d, 0x0d, 0x0a, 0x45, 0x52,
            0x52, 0x4f, 0x52, 0x0d, 0x0a,
        ],
    );
    host.talk("AT+CMEE=1\r", "AT+CMEE=1\r\r\nOK\r\n");
}

/// BG95: still booting when the host gives up; no signal yet, and a packet-domain state that says nothing
/// on LTE.
#[test]
fn late_start_of_a_bg95() {
    let mut config = family("BG95");
    config.boot = Boot::Cold;
    config.profile.boot_us = 25_300_000;
    config.profile.boot_urcs.clear();
    config.cellular.rssi = 99;
    let mut host = Host::new(config);
    host.sim.run_until(11_900_000);
    host.send("ATE0\r");
    host.silence(10_000_000);
    host.expect("\r\nRDY\r\n");
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT+CGREG=1\r", "\r\nOK\r\n");
    host.expect("\r\n+CGREG: 4\r\n");
    host.talk("AT+CSQ\r", "\r\n+CSQ: 99,99\r\n\r\nOK\r\n");
    host.talk("AT+CEREG?\r", "\r\n+CEREG: 0,1\r\n\r\nOK\r\n");
    host.talk("AT+CGREG?\r", "\r\n+CGREG: 1,4\r\n\r\nOK\r\n");
}

/// EG25-G: the list of options.
#[test]
fn options_of_an_eg25() {
    let mut host = without_echo(Config::default());
    host.talk(
        "AT+QICFG=?\r",
        concat!(
            "\r\n+QICFG: \"transpktsize\",(1-1460)\r\n+QICFG: \"transwaittm\",(0-20)\r\n",
            "+QICFG: \"dataformat\",(0,1),(0,1)\r\n+QICFG: \"viewmode\",(0,1)\r\n",
            "+QICFG: \"tcp/retranscfg\",(3-20),(5-1000)\r\n+QICFG: \"dns/cache\",(0,1)\r\n",
            "+QICFG: \"qisend/timeout\",(0-3600)\r\n+QICFG: \"passiveclosed\",(0,1)\r\n",
            "+QICFG: \"udp/readmode\",(0,1)\r\n+QICFG: \"udp/sendmode\",(0,1)\r\n",
            "+QICFG: \"tcp/accept\",(0,1)\r\n+QICFG: \"recvind\",(0,1)\r\n",
            "+QICFG: \"tcp/keepalive\",(0,1),(1-120),(25-100),(3-10)\r\n",
            "+QICFG: \"recv/buffersize\",(10240-524288)\r\n+QICFG: \"window/scale\",(0-1)\r\n\r\nOK\r\n",
        ),
    );
}

/// BG95-M3: the list of options.
#[test]
fn options_of_a_bg95() {
    let mut host = without_echo(family("BG95"));
    host.talk(
        "AT+QICFG=?\r",
        concat!(
            "\r\n+QICFG: \"transpktsize\",(1-1460)\r\n+QICFG: \"transwaittm\",(0-20)\r\n",
            "+QICFG: \"dataformat\",(0,1),(0,1)\r\n+QICFG: \"viewmode\",(0,1)\r\n",
            "+QICFG: \"recvind\",(0,1)\r\n+QICFG: \"sack\",(0,1)\r\n",
            "+QICFG: \"tcp/keepalive\",(0-1),(1-120),(25-100),(3-10)\r\n",
            "+QICFG: \"tcp/retranscfg\",(3-20),(5-1000)\r\n\r\nOK\r\n",
        ),
    );
}

/// BG95 manual: the counters of a connection.
#[test]
fn counters() {
    let mut host = Host::connected(family("BG95"), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), || quectel_sim::Sink);
    });
    host.qisend(0, b"12345");
    host.talk("AT+QISEND=0,4\r", "\r\n> ");
    host.talk("test", "\r\nSEND OK\r\n");
    host.sim.run_until(host.sim.now() + 1_000_000);
    host.talk("AT+QISEND=0,0\r", "\r\n+QISEND: 9,9,0\r\n\r\nOK\r\n");
    host.talk("AT+QISENDEX=0,\"3132333435\"\r", "\r\nSEND OK\r\n");
    host.sim.run_until(host.sim.now() + 1_000_000);
    host.talk("AT+QISEND=0,0\r", "\r\n+QISEND: 14,14,0\r\n\r\nOK\r\n");
    host.sim
        .with_peer("192.0.2.7:7".parse().unwrap(), |io| io.send(b"test1"));
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 5\r\ntest1\r\n\r\nOK\r\n");
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
    host.talk("AT+QIRD=0,0\r", "\r\n+QIRD: 5,5,0\r\n\r\nOK\r\n");
}

/// EC25 class: radio off and on.
#[test]
fn functionality_cycle() {
    let mut host = without_echo(Config::default());
    // What another program left on the line.
    host.send("AT+CGM");
    host.talk("at\r", "\r\nERROR\r\n");
    host.talk("at+cfun=0\r", "\r\nOK\r\n");
    host.expect("\r\n+CPIN: NOT READY\r\n");
    host.talk("AT+CMEE=1\r", "\r\nOK\r\n");
    host.talk("AT+CPIN?\r", "\r\n+CME ERROR: 13\r\n");
    host.talk("at+cfun=1\r", "\r\nOK\r\n");
    host.expect(
        "\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\r\n+QIND: SMS DONE\r\n\r\n+QIND: PB DONE\r\n",
    );
    host.talk("AT+QIACT?\r", "\r\nOK\r\n");
}

/// A firmware that imitates the commands: a shorter tail, no ttl.
#[test]
fn formats_of_an_imitation() {
    let mut config = Config::default();
    config.profile.qird_tail = QirdTail::Plain;
    config.profile.dns_ttl = false;
    let mut host = Host::connected(config, |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), || {
            Source::new(*b"hello", Then::Keep)
        });
        sim.set_name("example.com", &["93.184.216.34".parse().unwrap()], 0);
    });
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 5\r\nhello\r\nOK\r\n");
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
    host.talk("AT+QIDNSGIP=1,\"example.com\"\r", "\r\nOK\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",0,1\r\n\r\n+QIURC: \"dnsgip\",\"93.184.216.34\"\r\n");
    host.talk(
        "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,563\r\n",
    );
}

/// BC25 and BC260Y firmware, which a BC660K follows; its context is number 1. Servers, and the URC of a
/// datagram for which there is no room, are left out.
#[test]
fn formats_of_a_bc25() {
    let mut config = family("BC660K");
    config.profile.first_context = 1;
    config.profile.contexts = 1;
    config.profile.auto_activate = Some(1);
    config.profile.requested_local_port = true;
    let mut host = without_echo(config);
    let server = "1.2.3.4:80".parse().unwrap();
    host.sim.serve(server, || quectel_sim::Sink);
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"1.2.3.4\",80\r", "\r\nOK\r\n");
    host.expect("\r\n+QIOPEN: 0,0\r\n");
    host.talk(
        "AT+QISTATE?\r",
        "\r\n+QISTATE: 0,\"TCP\",\"1.2.3.4\",80,0,2,1,1\r\n\r\nOK\r\n",
    );
    host.talk("AT+QISEND=0,5,\"hello\"\r", "\r\nOK\r\n\r\nSEND OK\r\n");
    host.talk("AT+QISEND=0,5\r", "\r\n> ");
    host.talk("hello", "\r\nOK\r\n\r\nSEND OK\r\n");
    host.talk("AT+QISEND=0\r", "\r\n> ");
    host.talk("\x1b", "\r\nOK\r\n\r\nSEND OK\r\n");
    host.talk("AT+QISEND=0\r", "\r\n> ");
    host.talk("\x1a", "\r\nSEND FAIL\r\n");
    host.sim.with_peer(server, |io| io.send(b"hello"));
    host.expect("\r\n+QIURC: \"recv\",0,5,\"hello\"\r\n");
    host.sim.with_peer(server, |io| io.close());
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n\r\nCLOSE OK\r\n");
    // Buffer mode, without lengths and with them.
    let server = "1.2.3.4:81".parse().unwrap();
    host.sim.serve(server, || quectel_sim::Sink);
    let open = "AT+QIOPEN=1,0,\"TCP\",\"1.2.3.4\",81,0,0\r";
    host.talk(open, "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n");
    host.silence(1_000_000);
    host.sim.with_peer(server, |io| io.send(b"hello"));
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.talk("AT+QIRD=0,1024\r", "\r\n+QIRD: 5\r\nhello\r\n\r\nOK\r\n");
    host.talk("AT+QICFG=\"showlength\",1\r", "\r\nOK\r\n");
    host.sim.with_peer(server, |io| io.send(&[b'x'; 25]));
    host.expect("\r\n+QIURC: \"recv\",0,25\r\n");
}

/// The same firmware, where only ESC is as there.
#[test]
fn escape_of_a_bc25() {
    let mut config = Config::default();
    config.profile.escape = EscapeAnswer::OkSendOk;
    let mut host = Host::connected(config, |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    });
    host.talk("AT+QISEND=0\r", "\r\n> ");
    host.talk("gone\x1b", "\r\nOK\r\n\r\nSEND OK\r\n");
    host.talk("AT+QISEND=0,0\r", "\r\n+QISEND: 0,0,0\r\n\r\nOK\r\n");
}

/// BG95, and EC25 class in one read: the id of an earlier life of the host is still taken.
#[test]
fn id_of_an_earlier_life() {
    let mut host = Host::connected(family("BG95"), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    });
    let open = "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,0,0\r";
    host.talk(open, "\r\nOK\r\n\r\n+QIOPEN: 0,563\r\n");
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    host.talk(open, "\r\nOK\r\n");
    host.expect("\r\n+QIOPEN: 0,0\r\n");
}

/// EC2x: the lines of a start, in their usual order.
#[test]
fn start_of_an_ec25() {
    let mut host = Host::new(Config {
        boot: Boot::Cold,
        ..Config::default()
    });
    host.send("AT\r");
    host.expect("\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n");
    host.talk(
        "AT+QINISTAT\r",
        "AT+QINISTAT\r\r\n+QINISTAT: 1\r\n\r\nOK\r\n",
    );
    host.expect("\r\n+QIND: SMS DONE\r\n\r\n+QIND: PB DONE\r\n");
    host.talk(
        "AT+QINISTAT\r",
        "AT+QINISTAT\r\r\n+QINISTAT: 7\r\n\r\nOK\r\n",
    );
}

/// The states of a SIM card, as the manuals give them.
#[test]
fn sim_cards() {
    let cards = [
        (SimCard::Absent, "+CME ERROR: 10"),
        (SimCard::Failure, "+CME ERROR: 13"),
        (SimCard::Busy(5_000_000), "+CME ERROR: 14"),
        (SimCard::Pin("1234".into()), "+CPIN: SIM PIN"),
        (SimCard::Puk, "+CPIN: SIM PUK"),
    ];
    for (sim_card, answer) in cards {
        let mut host = without_echo(Config {
            sim_card,
            ..Config::default()
        });
        let ok = if answer.contains("ERROR") {
            ""
        } else {
            "\r\nOK\r\n"
        };
        host.talk("AT+CPIN?\r", format!("\r\n{answer}\r\n{ok}"));
    }
}
