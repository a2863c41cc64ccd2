//! The AT layer as dialogues: lines, prompts, payload, errors.

mod common;

use common::Host;
use quectel_sim::{
    CmeForm, Config, Direction, Echo, PayloadUrcs, Profile, Record, RecvUrc, SendTimeout, SimCard,
    Sink, Source, Then, Times, UrcPlace,
};

fn ready() -> (Host, Record) {
    with(Config::default())
}

/// A host with a connection on id 0 to a server that records what it gets.
fn with(config: Config) -> (Host, Record) {
    let record = Record::new();
    let peers = record.of(|| Sink);
    let host = Host::connected(config, |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), peers)
    });
    (host, record)
}

#[track_caller]
fn arrives(host: &mut Host, record: &Record, data: &[u8]) {
    host.run_while(|_| record.len(0) < data.len());
    assert_eq!(common::shown(&record.data(0)), common::shown(data));
}

#[test]
fn lines_end_with_cr_or_cr_lf() {
    let (mut host, _) = ready();
    host.talk("at\r\n", "\r\nOK\r\n");
    host.talk("\r\n\r\nAt+cSq\r\n", "\r\n+CSQ: 22,99\r\n\r\nOK\r\n");
    host.talk("\x1aAT\r", "\r\nOK\r\n");
    host.silence(1_000_000);
}

#[test]
fn a_line_without_at_gets_no_answer() {
    let (mut host, _) = ready();
    host.send("\r\r\r");
    host.send("hello\r");
    host.silence(1_000_000);
    host.talk("junkAT+QISDE=0\r", "\r\nOK\r\n");
}

#[test]
fn several_commands_on_a_line() {
    let (mut host, _) = ready();
    host.talk(
        "AT+CFUN?;+CMEE?\r",
        "\r\n+CFUN: 1\r\n\r\n+CMEE: 1\r\n\r\nOK\r\n",
    );
    host.talk("AT+CMEE=2;+NOPE;+CMEE=0\r", "\r\nERROR\r\n");
    host.talk("AT+CMEE?\r", "\r\n+CMEE: 2\r\n\r\nOK\r\n");
}

#[test]
fn what_comes_during_a_command_waits() {
    let (mut host, _) = ready();
    host.send("AT+QIDEACT=1\rAT+CFUN?\r");
    host.expect("\r\nOK\r\n\r\n+CFUN: 1\r\n\r\nOK\r\n");
}

#[test]
fn a_line_that_is_too_long_is_an_error() {
    let mut host = Host::ready(Config::default());
    let mut line = b"AT+QIDNSGIP=1,\"".to_vec();
    line.extend([b'a'; 3000]);
    host.send(&line);
    host.silence(1_000_000);
    host.talk("\r", "\r\nERROR\r\n");
    host.talk("AT\r", "\r\nOK\r\n");
}

#[test]
fn malformed_lines_are_errors() {
    let mut host = Host::ready(Config::default());
    for line in [
        "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7",
        "AT+QIOPEN=1",
        "AT+QIOPEN=17,0,\"TCP\",\"a\",1",
        "AT+QIOPEN=1,0,TCP,\"a\",1",
        "AT+QIOPEN=1,0,\"TCP\",\"a\",0",
        "AT+QIOPEN=1,0,\"TCP\",\"a\",65536",
        "AT+QISEND=0,1461",
        "AT+QIRD=0,1501",
        "AT+QIRD=99999999999999999999,1",
        "AT+QISTATE=2,0",
        "AT+QICFG=\"nothing\"",
        "AT+CREG=3",
        "AT+QIRD?",
        "AT+",
        "AT=",
        "AT+QCFG=\"nothing\"",
        "AT+QURCCFG=\"urcport\",\"nowhere\"",
    ] {
        host.talk(format!("{line}\r"), "\r\nERROR\r\n");
    }
}

#[test]
fn the_line_feed_behind_the_command_is_not_payload() {
    for latency_us in [0, 2_000] {
        let (mut host, record) = with(Config {
            latency_us,
            ..Config::default()
        });
        host.talk("AT+QISEND=0,4\r\n", "\r\n> ");
        host.talk("\nabc", "\r\nSEND OK\r\n");
        arrives(&mut host, &record, b"\nabc");
    }
}

#[test]
fn a_line_feed_after_the_prompt_is_payload() {
    let (mut host, record) = ready();
    host.talk("AT+QISEND=0,4\r", "\r\n> ");
    host.talk("\nabc\nAT\r", "\r\nSEND OK\r\n\r\nOK\r\n");
    arrives(&mut host, &record, b"\nabc");
}

#[test]
fn a_module_may_take_the_line_feed_for_payload() {
    let mut config = Config::default();
    config.profile.line_feed_is_payload = true;
    let (mut host, record) = with(config);
    host.talk("AT+QISEND=0,4\r\n", "\r\n> ");
    host.talk("abcd", "\r\nSEND OK\r\n");
    arrives(&mut host, &record, b"\nabc");
}

#[test]
fn payload_is_transparent() {
    let (mut host, record) = ready();
    let mut data: Vec<u8> = (0..=255).collect();
    data.extend(b"\r\nOK\r\n\r\n+QIURC: \"closed\",0\r\n> +++AT+CFUN=0\r\x1a\x1b");
    host.qisend(0, &data);
    arrives(&mut host, &record, &data);
}

#[test]
fn ctrl_z_behind_the_payload_is_ignored() {
    let (mut host, record) = ready();
    host.talk("AT+QISEND=0,3\r\n", "\r\n> ");
    host.talk("abc\x1a", "\r\nSEND OK\r\n");
    host.talk("AT\r", "\r\nOK\r\n");
    arrives(&mut host, &record, b"abc");
}

#[test]
fn payload_without_length_ends_with_ctrl_z_or_escape() {
    let (mut host, record) = ready();
    host.talk("AT+QISEND=0\r", "\r\n> ");
    host.talk("gone\x1b", "\r\nOK\r\n");
    host.talk("AT+QISEND=0\r", "\r\n> ");
    host.talk("sent\r\n\x1a", "\r\nSEND OK\r\n");
    arrives(&mut host, &record, b"sent\r\n");
    host.talk("AT+QISEND=0\r", "\r\n> ");
    host.send([b'x'; 2000]);
    host.talk("\x1a", "\r\nSEND OK\r\n");
    host.talk("AT+QISEND=0,0\r", "\r\n+QISEND: 1466,6,1460\r\n\r\nOK\r\n");
}

#[test]
fn no_prompt_without_a_connection() {
    let mut host = Host::ready(Config::default());
    host.talk("AT+QISEND=0,4\r", "\r\nERROR\r\n");
    host.talk("AT+QISEND=0\r", "\r\nERROR\r\n");
    host.talk("AT+QISEND=0,0\r", "\r\nERROR\r\n");
    host.talk("AT+QIRD=0\r", "\r\nERROR\r\n");
}

#[test]
fn the_send_buffer_fills() {
    let (mut host, record) = ready();
    let now = host.sim.now();
    host.sim.link_mut().blackouts.push(now..now + 10_000_000);
    for _ in 0..7 {
        host.qisend(0, &[b'x'; 1460]);
    }
    host.talk("AT+QISEND=0,1460\r", "\r\n> ");
    host.talk([b'y'; 1460], "\r\nSEND FAIL\r\n");
    host.talk(
        "AT+QISEND=0,0\r",
        "\r\n+QISEND: 10220,0,10220\r\n\r\nOK\r\n",
    );
    arrives(&mut host, &record, &[b'x'; 10_220]);
    host.qisend(0, &[b'y'; 1460]);
}

#[test]
fn the_payload_timer() {
    for (what, answer, sent) in [
        (SendTimeout::SendPart, "\r\nSEND OK\r\n", &b"ab"[..]),
        (SendTimeout::Fail, "\r\nSEND FAIL\r\n", b""),
        (SendTimeout::Error, "\r\nERROR\r\n", b""),
    ] {
        let mut config = Config::default();
        config.profile.send_timeout = what;
        let (mut host, record) = with(config);
        host.talk("AT+QICFG=\"qisend/timeout\",5\r", "\r\nOK\r\n");
        host.talk("AT+QISEND=0,4\r", "\r\n> ");
        host.send("ab");
        host.silence(4_900_000);
        host.expect(answer);
        host.talk("AT\r", "\r\nOK\r\n");
        arrives(&mut host, &record, sent);
    }
}

#[test]
fn a_module_without_payload_timer_waits_for_ever() {
    let mut config = Config::default();
    config.profile.send_timeout = SendTimeout::Never;
    let (mut host, record) = with(config);
    host.talk("AT+QICFG=\"qisend/timeout\",5\r", "\r\nOK\r\n");
    host.talk("AT+QISEND=0,4\r", "\r\n> ");
    host.send("ab");
    host.silence(4_000_000_000);
    host.talk("cd", "\r\nSEND OK\r\n");
    arrives(&mut host, &record, b"abcd");
}

#[test]
fn urcs_wait_for_the_payload_or_pass() {
    for (what, passes) in [(PayloadUrcs::Wait, false), (PayloadUrcs::Pass, true)] {
        let mut config = Config::default();
        config.profile.payload_urcs = what;
        let (mut host, _) = with(config);
        host.talk("AT+QISEND=0,4\r", "\r\n> ");
        host.sim.send_urc("+CEREG: 5");
        if passes {
            host.expect("\r\n+CEREG: 5\r\n");
            host.talk("abcd", "\r\nSEND OK\r\n");
        } else {
            host.silence(1_000_000);
            host.talk("abcd", "\r\n+CEREG: 5\r\n\r\nSEND OK\r\n");
        }
    }
}

#[test]
fn the_errors_have_their_forms() {
    let mut config = Config {
        sim_card: SimCard::Absent,
        ..Config::default()
    };
    config.profile.tcpip_cme = true;
    let mut host = Host::new(config);
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT+CIMI\r", "\r\n+CME ERROR: 10\r\n");
    host.talk("AT+CMEE=0\r", "\r\nOK\r\n");
    host.talk("AT+CIMI\r", "\r\nERROR\r\n");
    host.talk("AT+CMEE=2\r", "\r\nOK\r\n");
    host.talk("AT+CIMI\r", "\r\n+CME ERROR: SIM not inserted\r\n");
    host.talk("AT+QIRD=0\r", "\r\n+CME ERROR: operation not allowed\r\n");
    host.sim.profile_mut().cme_form = CmeForm::Number;
    host.sim.profile_mut().cme_blank = false;
    host.talk("AT+CIMI\r", "\r\n+CME ERROR:10\r\n");
    host.sim.profile_mut().unknown_command = Some(100);
    host.talk("AT+NOPE\r", "\r\n+CME ERROR:100\r\n");
}

#[test]
fn settings_are_kept_only_if_saved() {
    let mut host = Host::new(Config::default());
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT+QURCCFG=\"urcport\",\"all\"\r", "\r\nOK\r\n");
    host.talk("AT+QICFG=\"transpktsize\",1432\r", "\r\nOK\r\n");
    host.sim.reset();
    host.run_while(|sim| sim.readable() < 7);
    host.expect("\r\nRDY\r\n");
    host.silence_of_boot();
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk(
        "AT+QURCCFG=\"urcport\"\r",
        "\r\n+QURCCFG: \"urcport\",\"all\"\r\n\r\nOK\r\n",
    );
    host.talk(
        "AT+QICFG=\"transpktsize\"\r",
        "\r\n+QICFG: \"transpktsize\",1024\r\n\r\nOK\r\n",
    );
    host.talk("AT&W\r", "\r\nOK\r\n");
    host.sim.reset();
    host.expect("\r\nRDY\r\n");
    host.silence_of_boot();
    host.talk("AT\r", "\r\nOK\r\n");
}

#[test]
fn one_look_up_at_a_time_and_a_name_server_that_is_silent() {
    let mut host = Host::ready(Config::default());
    host.sim.set_name_silent("void.example");
    host.talk("AT+QIDNSGIP=1,\"void.example\"\r", "\r\nOK\r\n");
    host.talk("AT+QIDNSGIP=1,\"other.example\"\r", "\r\nERROR\r\n");
    host.talk(
        "AT+QIGETERROR\r",
        "\r\n+QIGETERROR: 564,DNS busy\r\n\r\nOK\r\n",
    );
    host.silence(59_000_000);
    host.expect("\r\n+QIURC: \"dnsgip\",565\r\n");
    host.talk("AT+QIDNSGIP=1,\"other.example\"\r", "\r\nOK\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",565\r\n");
    host.sim.set_name(
        "two.example",
        &["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()],
        60,
    );
    host.talk("AT+QIDNSGIP=1,\"TWO.example\"\r", "\r\nOK\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",0,2,60\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",\"192.0.2.1\"\r\n");
    host.expect("\r\n+QIURC: \"dnsgip\",\"192.0.2.2\"\r\n");
}

#[test]
fn contexts_are_activated_only_where_the_network_allows_it() {
    let mut config = Config::default();
    config.cellular.denied_apns.push("wrong".into());
    let mut host = Host::new(config);
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk(
        "AT+QICSGP=1,1,\"wrong\",\"user\", \"pwd\",1\r",
        "\r\nOK\r\n",
    );
    host.talk(
        "AT+QICSGP=1\r",
        "\r\n+QICSGP: 1,\"wrong\",\"user\",\"pwd\",1\r\n\r\nOK\r\n",
    );
    host.talk("AT+QIACT=1\r", "\r\nERROR\r\n");
    host.talk("AT+QICSGP=1,1,\"right\"\r", "\r\nOK\r\n");
    host.talk("AT+QIACT=1\r", "\r\nOK\r\n");
    host.talk(
        "AT+QIOPEN=2,0,\"TCP\",\"192.0.2.7\",7\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,561\r\n",
    );
    host.talk("AT+QIDEACT=1\r", "\r\nOK\r\n");
    host.talk("AT+QIDEACT=1\r", "\r\nOK\r\n");
    host.talk("AT+QIACT?\r", "\r\nOK\r\n");
}

#[test]
fn registration_urcs_and_activation_that_waits_for_them() {
    let mut host = Host::ready(Config::default());
    host.talk("AT+CEREG=2\r", "\r\nOK\r\n");
    host.talk(
        "AT+CEREG?\r",
        "\r\n+CEREG: 2,1,\"5650\",\"29A7DF4\",7\r\n\r\nOK\r\n",
    );
    host.talk("AT+CFUN=4\r", "\r\nOK\r\n\r\n+CEREG: 0\r\n");
    host.talk("AT+QIACT?\r", "\r\nOK\r\n");
    host.talk("AT+QIACT=1\r", "\r\nERROR\r\n");
    host.talk("AT+CFUN=1\r", "\r\nOK\r\n\r\n+CEREG: 2\r\n");
    host.talk("AT+COPS?\r", "\r\n+COPS: 0\r\n\r\nOK\r\n");
    host.send("AT+QIACT=1\r");
    host.expect("\r\n+CEREG: 1,\"5650\",\"29A7DF4\",7\r\n\r\nOK\r\n");
    host.talk("AT+COPS=3,2\r", "\r\nOK\r\n");
    host.talk("AT+COPS?\r", "\r\n+COPS: 0,2,\"00101\",7\r\n\r\nOK\r\n");
    host.sim.set_registration(5);
    host.expect("\r\n+CEREG: 5,\"5650\",\"29A7DF4\",7\r\n");
}

#[test]
fn a_pin_unlocks_the_card() {
    let mut host = Host::new(Config {
        sim_card: SimCard::Pin("1234".into()),
        ..Config::default()
    });
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT+CPIN=\"0000\"\r", "\r\n+CME ERROR: 16\r\n");
    host.talk("AT+CPIN=1234\r", "\r\nOK\r\n");
    host.expect("\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n");
    host.talk("AT+CPIN?\r", "\r\n+CPIN: READY\r\n\r\nOK\r\n");
}

#[test]
fn the_commands_that_drivers_send_are_accepted() {
    let mut host = Host::ready(Config {
        profile: Profile::bg96(),
        ..Config::default()
    });
    for command in [
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
        "AT+CTZR=0",
        "AT+CTZU=1",
        "AT+COPS=3,2",
        "AT+CREG=2",
        "AT+CGREG=2",
        "AT+CEREG=2",
        "AT+CFUN=1",
        "AT+QSCLK=1",
        "AT&W",
        "AT+CGATT=1",
        "AT+QIDEACT=2",
        "AT+QICLOSE=3,1",
        "AT+QICLOSE=11",
    ] {
        host.talk(format!("{command}\r\n"), "\r\nOK\r\n");
    }
    host.talk("AT+IPR?\r\n", "\r\n+IPR: 115200\r\n\r\nOK\r\n");
    host.talk("AT+QSIMSTAT?\r\n", "\r\n+QSIMSTAT: 0,1\r\n\r\nOK\r\n");
    host.talk(
        "AT+CGPADDR=1\r\n",
        "\r\n+CGPADDR: 1,\"10.7.157.1\"\r\n\r\nOK\r\n",
    );
}

#[test]
fn the_dialogue_is_recorded() {
    let mut host = Host::new(Config {
        trace: true,
        ..Config::default()
    });
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    let lines: Vec<(Direction, &[u8])> = host
        .sim
        .dialogue()
        .iter()
        .map(|one| (one.direction, &one.bytes[..]))
        .collect();
    let (to, from) = (Direction::ToModule, Direction::ToHost);
    assert_eq!(
        lines,
        [(to, &b"AT\r"[..]), (from, b"AT\r"), (from, b"\r\nOK\r\n")]
    );
    assert!(
        host.sim.dialogue()[2]
            .to_string()
            .ends_with(r"<< \r\nOK\r\n")
    );
}

#[test]
fn hexadecimal_data() {
    let mut host = Host::connected(Config::default(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), || {
            Source::new(*b"\x00\xffA", Then::Keep)
        });
    });
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.talk("AT+QICFG=\"dataformat\",0,1\r", "\r\nOK\r\n");
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 3\r\n00FF41\r\n\r\nOK\r\n");
}

#[test]
fn time_follows_the_baud_rate() {
    let mut host = Host::ready(Config {
        baud: 9_600,
        latency_us: 10_000,
        ..Config::default()
    });
    let begin = host.sim.now();
    host.talk("AT\r", "\r\nOK\r\n");
    // Three bytes out, ten milliseconds, six bytes back.
    assert_eq!(host.sim.now() - begin, 3_125 + 10_000 + 6_250);
    assert_eq!(host.sim.write_free(), 256);
    host.send([b' '; 100]);
    assert_eq!(host.sim.write_free(), 156);
}

/// Payload that begins with a line feed, sent as soon as the prompt has been seen, at no latency.
#[test]
fn a_line_feed_right_behind_the_prompt_is_payload() {
    let (mut host, record) = with(Config {
        latency_us: 0,
        ..Config::default()
    });
    host.talk("AT+QISEND=0,2\r", "\r\n> ");
    host.talk("\n\n", "\r\nSEND OK\r\n");
    arrives(&mut host, &record, b"\n\n");
}

#[test]
fn an_injected_urc_stands_where_it_was_put() {
    let mut host = Host::connected(Config::default(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    });
    host.sim.profile_mut().recv_urc = RecvUrc::WhenEmpty;
    let urc = "+CEREG: 1";
    let line = "\r\n+CEREG: 1\r\n";
    host.sim
        .inject_urc(UrcPlace::BeforePrompt, "+QISEND", urc, Times::Once);
    host.sim
        .inject_urc(UrcPlace::BeforeSendOk, "+QISEND", urc, Times::Once);
    host.talk("AT+QISEND=0,2\r", format!("{line}\r\n> "));
    host.talk("hi", format!("{line}\r\nSEND OK\r\n"));
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.sim
        .inject_urc(UrcPlace::BeforeAnswer, "+QIRD", urc, Times::Once);
    host.sim
        .inject_urc(UrcPlace::BeforeOk, "+QIRD", urc, Times::Once);
    host.sim
        .inject_urc(UrcPlace::AfterAnswer, "+QIRD", urc, Times::Once);
    host.talk(
        "AT+QIRD=0,9\r",
        format!("{line}\r\n+QIRD: 2\r\nhi\r\n{line}\r\nOK\r\n{line}"),
    );
    host.sim
        .inject_urc(UrcPlace::AfterEcho, "", urc, Times::Times(2));
    host.talk("AT\r", format!("{line}\r\nOK\r\n"));
    host.talk("ATE1\r", format!("{line}\r\nOK\r\n"));
    host.sim
        .inject_urc(UrcPlace::AfterEcho, "+CFUN", urc, Times::Always);
    host.talk(
        "AT+CFUN?\r",
        format!("AT+CFUN?\r{line}\r\n+CFUN: 1\r\n\r\nOK\r\n"),
    );
}
