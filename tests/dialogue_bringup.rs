//! Bring-up against hand-written bytes: every step and how it can fail.

mod support;

use quectel_sockets::{Apn, Authentication, Config, ConnectError, ContextType, Credential, Event};
use support::dialogue::{BRING_UP, Dialogue, SET_CANARY, config};

/// The SIM's answers from `AT+CPIN?` on, until it is ready.
#[track_caller]
fn sim_number(answer: &str) -> u8 {
    dialogue!(d, 1);
    d.bring_up_to("AT+CPIN?\r").line(answer);
    let number = d.engine.network().sim();
    let (stage, code) = d.engine.stage();
    assert_eq!((stage, code), (1, number as i8), "{answer}");
    // Asked again, and what was said before does not stick.
    d.wakes(100..=1_000, "AT+CPIN?\r")
        .module(b"\r\n+CPIN: READY\r\n\r\nOK\r\n");
    assert_eq!(d.engine.network().sim(), 1);
    d.bring_up_from("AT+CEREG?\r");
    number
}

#[test]
fn at_is_repeated_until_it_is_answered() {
    dialogue!(d, 1);
    let start = d.now;
    d.host("AT\r");
    while d.now - start < 100_000 {
        d.wakes(300..=3_000, "AT\r");
        assert_eq!(d.engine.fault(), None);
        assert_eq!(d.engine.stage(), (1, 21));
        let minute = d.now - start < 60_000;
        assert!(!(minute && d.engine.take_reset_request()));
    }
    // Then the reset pin is worth a try, and after that seldom is enough.
    while d.now - start < 110_000 {
        d.sleep();
    }
    assert!(d.engine.take_reset_request());
    assert!(!d.engine.take_reset_request());
    assert_eq!(d.events(), [Event::ResetWanted, Event::ModuleLost]);
    for _ in 0..100 {
        d.wakes(10_000..=13_000, "AT\r");
        assert_eq!(d.engine.fault(), None);
        assert_eq!(d.engine.stage(), (1, 21));
    }
    d.ok().wakes(100..=1_000, "ATE0\r").ok();
    d.bring_up_from("AT+CMEE=1\r");
    assert_eq!(d.events(), [Event::Up]);
}

/// The module answers both: a late OK must not answer the next command.
#[test]
fn a_late_ok_of_a_repeated_at_shifts_nothing() {
    dialogue!(d, 1);
    d.host("AT\r").wakes(300..=3_000, "AT\r");
    d.ok()
        .silent()
        .ok()
        .wakes(1..=1_000, "ATE0\r")
        .silent()
        .ok();
    d.host("AT+CMEE=1\r").silent();
    d.ok().host("AT+QISDE=0\r").silent();
}

/// T35: the first command meets stale bytes in the module's line buffer.
#[test]
fn an_error_or_rubbish_before_the_first_ok() {
    dialogue!(d, 1);
    d.host("AT\r")
        .module(b"\xff\x00\x80~garbage\r\nF1: 0000 0000\r\n");
    d.silent().error();
    assert_eq!(d.engine.fault(), None);
    d.wakes(1..=1_000, "AT\r").ok().wakes(1..=1_000, "ATE0\r");
    assert_eq!(d.engine.counters().unknown_lines, 2);
}

/// T01: echo on; later with the echo still there.
#[test]
fn a_module_that_echoes_everything() {
    dialogue!(d, 1);
    for (host, module) in BRING_UP {
        let sent = d.sends(host);
        if !module.starts_with(host) {
            d.module(sent);
        }
        d.module(module);
    }
    assert!(d.engine.network().is_up());
    assert_eq!(d.engine.counters().unknown_lines, 0);
}

#[test]
fn a_module_that_echoes_nothing() {
    dialogue!(d, 1);
    for (host, module) in BRING_UP {
        d.host(host)
            .module(module.strip_prefix(*host).unwrap_or(module));
    }
    assert!(d.engine.network().is_up());
}

/// Every answer may come in pieces of any size (4.15, 20).
#[test]
fn bring_up_byte_by_byte() {
    dialogue!(d, 1);
    for (host, module) in BRING_UP {
        d.host(host);
        // The line ends with the CR or the LF.
        let (most, line_end) = module.split_at(module.len() - 2);
        for byte in most {
            d.module([*byte]).silent();
        }
        d.module(line_end);
    }
    assert!(d.engine.network().is_up());
    assert_eq!(d.engine.network().info().revision, "EC25EFAR02A09M4G");
}

#[test]
fn refused_echo_and_error_format_do_no_harm() {
    dialogue!(d, 1);
    d.bring_up_to("ATE0\r").error();
    d.host("AT+CMEE=1\r").line("+CME ERROR: 58");
    d.bring_up_from("AT+QISDE=0\r");
}

/// No AT+QISEND may ever be sent to a module that echoes payload.
#[test]
fn nothing_goes_on_before_the_payload_echo_is_off() {
    dialogue!(d, 1);
    d.bring_up_to("AT+QISDE=0\r");
    let socket = d.engine.tcp_socket().unwrap();
    for refusal in ["ERROR", "+CME ERROR: 3", "+CME ERROR:SIM busy"].repeat(5) {
        d.line(refusal);
        let remote = "192.0.2.20:80".parse().unwrap();
        assert_eq!(
            d.engine.connect(socket, remote),
            Err(ConnectError::NoNetwork)
        );
        d.wakes(100..=1_000, "AT+QISDE=0\r");
    }
    d.ok().bring_up_from("ATI\r");
}

/// Row K. Rows of 10 fields (T03), 8 (T38) and 11 (as T19).
#[test]
fn sockets_of_an_earlier_life_are_closed() {
    dialogue!(d, 1);
    d.bring_up_to("AT+QISTATE?\r").module(
        b"\r\n+QISTATE: 0,\"TCP\",\"203.0.113.10\",1883,22742,3,1,0,0,\"uart1\"\r\n\
        +QISTATE: 3,\"TCP\",\"1.2.3.4\",80,0,2,1,1\r\n\
        +QISTATE: 11,\"TCP INCOMING\",\"203.0.113.16\",4243,0,2,1,4,0,\"uart1\",1\r\n\r\nOK\r\n",
    );
    d.host("AT+QICLOSE=0,0\r").ok();
    // T40: some firmware refuses to close what is already closed.
    d.host("AT+QICLOSE=3,0\r").error();
    d.host("AT+QICLOSE=11,0\r").silent().ok();
    d.bring_up_from("AT+CPIN?\r");
}

/// Row S: numbers and texts, with and without the blank. The numbers are
/// those of QuecPython's `sim.getStatus`.
#[test]
fn sim_errors_in_every_form() {
    for (number, text, status) in [
        ("10", "SIM not inserted", 0),
        ("11", "SIM PIN required", 2),
        ("12", "SIM PUK required", 3),
        ("13", "SIM failure", 21),
        ("14", "SIM busy", 18),
        ("15", "SIM wrong", 20),
        ("17", "SIM PIN2 required", 8),
        ("18", "SIM PUK2 required", 9),
    ] {
        for reason in [number, text] {
            for blank in ["", " "] {
                let line = format!("+CME ERROR:{blank}{reason}");
                assert_eq!(sim_number(&line), status, "{line}");
            }
        }
    }
    assert_eq!(sim_number("+CME ERROR: 100"), 21);
    assert_eq!(sim_number("ERROR"), 21);
}

#[test]
fn sim_states_in_every_form() {
    for (state, status) in [
        ("SIM PIN", 2),
        ("SIM PUK", 3),
        ("SIM PIN2", 8),
        ("SIM PUK2", 9),
        ("PH-NET PIN", 10),
        ("NOT READY", 18),
        ("SOMETHING ELSE", 21),
    ] {
        for blank in ["", " "] {
            let answer = format!("+CPIN:{blank}{state}\r\n\r\nOK");
            assert_eq!(sim_number(&answer), status, "{answer}");
        }
    }
    // OK without a line says nothing.
    assert_eq!(sim_number("OK"), 21);
}

/// T30: on LTE the other domains say 4 or 0 while all is well.
#[test]
fn registration_is_asked_in_the_order_eps_packet_circuit() {
    dialogue!(d, 1);
    d.bring_up_to("AT+CEREG?\r")
        .module(b"\r\n+CEREG: 0,2\r\n\r\nOK\r\n");
    d.host("AT+CGREG?\r")
        .module(b"\r\n+CGREG: 1,4\r\n\r\nOK\r\n");
    d.host("AT+CREG?\r").module(b"\r\n+CREG: 0,0\r\n\r\nOK\r\n");
    assert_eq!(d.engine.network().registration(), 2);
    assert_eq!(d.engine.stage(), (2, 2));
    d.wakes(100..=1_000, "AT+CEREG?\r")
        .module(b"\r\n+CEREG: 2,5,\"5650\",\"29A7DF4\",7\r\n\r\nOK\r\n");
    assert_eq!(d.engine.network().registration(), 5);
    assert_eq!(d.engine.stage(), (3, 0));
    d.bring_up_from("AT+QICSGP=1,1,\"\",\"\",\"\",0\r");
}

#[test]
fn a_domain_that_the_module_does_not_know_is_passed_over() {
    for refusal in ["ERROR", "+CME ERROR: 4", "OK"] {
        dialogue!(d, 1);
        d.bring_up_to("AT+CEREG?\r").line(refusal);
        d.host("AT+CGREG?\r").line(refusal);
        assert_eq!(d.engine.network().registration(), -1);
        d.host("AT+CREG?\r").module(b"\r\n+CREG: 0,1\r\n\r\nOK\r\n");
        d.bring_up_from("AT+QICSGP=1,1,\"\",\"\",\"\",0\r");

        dialogue!(d, 1);
        d.bring_up_to("AT+CEREG?\r")
            .module(b"\r\n+CEREG: 0,4\r\n\r\nOK\r\n");
        d.host("AT+CGREG?\r")
            .module(b"\r\n+CGREG: 2,1,\"5650\",\"29A7DF4\",2\r\n\r\nOK\r\n");
        d.bring_up_from("AT+QICSGP=1,1,\"\",\"\",\"\",0\r");
    }
}

/// `+CEREG: <stat>` is a URC, `+CEREG: <n>,<stat>` the answer (1.7).
#[test]
fn a_registration_urc_is_not_the_answer() {
    dialogue!(d, 1);
    d.bring_up_to("AT+CEREG?\r")
        .line("+CEREG: 1")
        .line("+CEREG: 1,\"5650\",\"29A7DF4\",7")
        .silent()
        .module(b"\r\n+CEREG: 0,2\r\n\r\nOK\r\n");
    assert_eq!(d.engine.network().registration(), 2);
    d.host("AT+CGREG?\r");
    assert_eq!(d.engine.counters().urcs, 2);
}

/// Row R, T10, T26: ERROR because the context is active already.
#[test]
fn the_list_of_active_contexts_decides() {
    for rows in [
        "+QIACT: 1,1,1,\"10.89.179.111\"",
        "+QIACT: 1,1,3,\"10.46.0.1\",\"2001:DB8:1023:1B1B:18BE:A0EA:AEA9:AB47\"",
        "+QIACT: 1,1,2,\"2001:DB8::1\"",
        "+QIACT: 1,1,1",
        "+QIACT: 2,1,1,\"10.0.0.1\"\r\n+QIACT: 1,1,1,\"10.0.0.2\"",
    ] {
        dialogue!(d, 1);
        d.bring_up_to("AT+QIACT=1\r").error();
        d.host("AT+QIACT?\r")
            .module(format!("\r\n{rows}\r\n\r\nOK\r\n"));
        assert!(d.engine.network().is_up(), "{rows}");
        assert_eq!(d.engine.stage(), (3, 1));
    }
}

/// T01: no active context is a bare OK. The other rows are not ours.
#[test]
fn activation_is_tried_again_after_ever_longer_pauses() {
    dialogue!(d, 1);
    d.bring_up_to("AT+QIACT=1\r");
    let mut pause = 1_000;
    for rows in [
        "",
        "+QIACT: 2,1,1,\"10.0.0.1\"\r\n\r\n",
        "+QIACT: 1,0,1\r\n\r\n",
    ]
    .repeat(4)
    {
        d.error()
            .host("AT+QIACT?\r")
            .module(format!("\r\n{rows}OK\r\n"));
        assert!(!d.engine.network().is_up(), "{rows}");
        assert_eq!(d.engine.stage(), (3, 0));
        // Deactivating what is not active is an error on some (3).
        d.wakes(pause..=pause, "AT+QIDEACT=1\r").error();
        d.host("AT+QICSGP=1,1,\"\",\"\",\"\",0\r").ok();
        d.host("AT+QIACT=1\r");
        pause = (pause * 2).min(60_000);
    }
    // It may take 150 s, then it works.
    d.quiet(149_000).ok();
    d.bring_up_from("AT+QIACT?\r");
}

#[test]
fn a_context_that_cannot_be_configured_may_be_active() {
    dialogue!(d, 1);
    d.bring_up_to("AT+QICSGP=1,1,\"\",\"\",\"\",0\r").error();
    d.bring_up_from("AT+QIACT?\r");
}

/// Row I, 4.15 12: at every step the module starts over.
#[test]
fn a_restart_in_the_middle_of_any_step() {
    for (step, _) in BRING_UP {
        for sign in ["RDY", "APP RDY"] {
            dialogue!(d, 1);
            let step = std::str::from_utf8(step).unwrap();
            d.bring_up_to(step).line(sign).host("AT\r");
            d.module(b"AT\r\r\nOK\r\n");
            d.wakes(1..=1_000, "ATE0\r").module(b"ATE0\r\r\nOK\r\n");
            d.bring_up_from("AT+CMEE=1\r");
        }
    }
}

/// `APP RDY` comes seconds after `RDY`, when the module works already: the
/// answer to what was outstanding still comes and answers nothing else.
#[test]
fn a_sign_of_start_that_comes_late_shifts_no_answer() {
    for (step, answer) in BRING_UP {
        dialogue!(d, 1);
        d.bring_up_to(std::str::from_utf8(step).unwrap())
            .line("APP RDY")
            .host("AT\r")
            .module(answer)
            .silent()
            .ok()
            .wakes(1..=1_000, "ATE0\r")
            .silent()
            .ok();
        d.bring_up_from("AT+CMEE=1\r");
    }
}

/// T08: several signs, and every other line of a start.
#[test]
fn the_lines_of_a_start_do_not_disturb() {
    dialogue!(d, 1);
    d.module(b"\x00\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\nAPP RDY\r\n")
        .host("AT\r");
    d.module(b"AT\r\r\nOK\r\n").host("ATE0\r");
    for line in [
        "+CPIN: READY",
        "+QUSIM: 1",
        "+QIND: SMS DONE",
        "+QIND: PB DONE",
    ] {
        d.line(line);
    }
    d.silent().module(b"ATE0\r\r\nOK\r\n");
    d.bring_up_from("AT+CMEE=1\r");
}

/// The context lost while it is activated: what the outstanding command
/// says is about the old one.
#[test]
fn pdpdeact_during_activation_is_not_forgotten() {
    for step in ["AT+QIACT=1\r", "AT+QIACT?\r"] {
        dialogue!(d, 1);
        d.bring_up_to(step).line("+QIURC: \"pdpdeact\",1").silent();
        if step == "AT+QIACT?\r" {
            d.line("+QIACT: 1,1,1,\"10.7.157.1\"");
        }
        d.ok().host("AT+QIDEACT=1\r");
        assert!(!d.engine.network().is_up());
        d.ok().bring_up_from("AT+QICSGP=1,1,\"\",\"\",\"\",0\r");
    }
}

#[test]
fn settings_stand_in_their_quotes() {
    let settings = Config {
        context: 16,
        context_type: ContextType::V4V6,
        apn: Apn::new("internet.example").unwrap(),
        user: Credential::new("me, myself;").unwrap(),
        password: Credential::new("AT+QPOWD=1").unwrap(),
        authentication: Authentication::PapOrChap,
        ..config()
    };
    dialogue!(d, 1, settings);
    d.bring_up_to("AT+CEREG?\r")
        .module(b"\r\n+CEREG: 0,1\r\n\r\nOK\r\n");
    d.host("AT+QICSGP=16,3,\"internet.example\",\"me, myself;\",\"AT+QPOWD=1\",3\r")
        .ok();
    d.host("AT+QIACT=16\r").ok();
    d.host("AT+QIACT?\r")
        .module(b"\r\n+QIACT: 16,1,1,\"10.0.0.1\"\r\n\r\nOK\r\n");
    assert!(d.engine.network().is_up());
    let socket = d.engine.tcp_socket().unwrap();
    let remote = "[2001:db8::1]:443".parse().unwrap();
    d.engine.connect(socket, remote).unwrap();
    d.host("AT+QIOPEN=16,0,\"TCP\",\"2001:db8::1\",443,0,0\r");
}

/// Row L: what could end the argument cannot even be made.
#[test]
fn settings_that_could_end_the_argument_are_refused() {
    for text in [
        "a\"b",
        "a\rAT+QPOWD\r",
        "\n",
        "a\\b",
        "\u{1a}",
        "\u{7f}",
        "ä",
    ] {
        assert!(Apn::new(text).is_err(), "{text:?}");
        assert!(Credential::new(text).is_err(), "{text:?}");
    }
    assert!(Apn::new(&"a".repeat(101)).is_err());
}

/// Row O: no step waits for ever. Before the canary there is nothing to be
/// resynchronised: from the beginning.
#[test]
fn a_step_that_is_never_answered_is_taken_again() {
    let canary = BRING_UP
        .iter()
        .position(|(host, _)| *host == SET_CANARY.as_bytes());
    for (at, (step, _)) in BRING_UP.iter().enumerate().skip(1) {
        dialogue!(d, 1);
        let step = std::str::from_utf8(step).unwrap();
        d.bring_up_to(step);
        if Some(at) <= canary {
            d.wakes(1_000..=2_000, "AT\r").ok();
            d.wakes(300..=300, "ATE0\r").ok();
            d.bring_up_from("AT+CMEE=1\r");
            assert_eq!(d.events(), [Event::Up], "{step}");
        } else {
            d.resync(1_000..=151_000).bring_up_from(step);
            let events = [Event::LineLost, Event::LineRestored, Event::Up];
            assert_eq!(d.events(), events, "{step}");
        }
        assert_eq!(d.engine.fault(), None);
    }
}

/// The module dies at any step: it is restarted, and asked for ever.
#[test]
fn a_module_that_dies_at_any_step() {
    for (step, _) in &BRING_UP[1..] {
        dialogue!(d, 1);
        let step = std::str::from_utf8(step).unwrap();
        d.bring_up_to(step);
        let (start, mut reset) = (d.now, false);
        while !d.events().contains(&Event::ModuleLost) {
            d.sleep();
            reset |= d.engine.take_reset_request();
            assert!(d.now - start <= 330_000, "{step:?}");
        }
        assert!(reset, "{step}");
        for _ in 0..10 {
            d.wakes(1..=13_000, "AT\r");
        }
        assert_eq!(d.engine.fault(), None);
        d.line("RDY")
            .host("AT\r")
            .ok()
            .wakes(1..=1_000, "ATE0\r")
            .ok();
        d.bring_up_from("AT+CMEE=1\r");
    }
}

/// 12 rows of `AT+QISTATE?` take longer at 4800 baud than the command.
#[test]
fn many_rows_on_a_slow_line() {
    dialogue!(d, 1);
    d.bring_up_to("AT+QISTATE?\r");
    for id in 0..12 {
        d.after(200).line(format!(
            "+QISTATE: {id},\"TCP\",\"203.0.113.10\",1883,22742,2,1,0,0,\"uart1\""
        ));
    }
    d.after(200).ok();
    assert_eq!(d.engine.fault(), None);
    for id in 0..12 {
        d.host(format!("AT+QICLOSE={id},0\r")).ok();
    }
    d.bring_up_from("AT+CPIN?\r");
}

#[test]
fn a_dialogue_can_be_made_for_no_sockets_at_all() {
    let mut d = Dialogue::new(&mut [], config());
    d.bring_up().quiet(1_000_000);
    assert!(d.engine.tcp_socket().is_err());
}
