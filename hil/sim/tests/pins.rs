//! The power key, the reset pin, STATUS, and how modules start and end.

mod common;

use common::Host;
use quectel_sim::{Boot, Config, Echo, Profile};

const EC25_START: &str = "\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\
    \r\n+QIND: SMS DONE\r\n\r\n+QIND: PB DONE\r\n";
const BG96_START: &str = "\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\nAPP RDY\r\n\r\n+CPIN: READY\r\n\
    \r\n+QUSIM: 1\r\n\r\n+QIND: SMS DONE\r\n";

fn off(profile: Profile) -> Host {
    Host::new(Config {
        boot: Boot::Off,
        profile,
        ..Config::default()
    })
}

fn booted(profile: Profile) -> Host {
    Host::new(Config {
        profile,
        ..Config::default()
    })
}

/// Holds the power key for this long, in µs.
fn press(host: &mut Host, us: u64) {
    host.sim.set_power_key(true);
    host.sim.run_until(host.sim.now() + us);
    host.sim.set_power_key(false);
}

#[test]
fn the_power_key_turns_an_ec25_on() {
    let mut host = off(Profile::ec25());
    press(&mut host, 499_999);
    host.silence(30_000_000);
    assert!(!host.sim.status());
    let begin = host.sim.now();
    host.sim.press_power_key(600_000);
    host.silence(500_000 + 2_499_999);
    assert!(!host.sim.status());
    host.silence(1);
    assert!(host.sim.status());
    host.send("AT\r");
    host.expect("\r\nRDY\r\n");
    // Half a second until the key works, 12 s, and seven bytes.
    assert_eq!(host.sim.now() - begin, 12_500_608);
    host.expect(&EC25_START[7..]);
    host.talk("AT\r", "AT\r\r\nOK\r\n");
}

#[test]
fn the_power_key_turns_an_ec25_off() {
    let mut host = booted(Profile::ec25());
    press(&mut host, 649_999);
    host.silence(60_000_000);
    assert!(host.sim.status());
    press(&mut host, 650_000);
    host.expect("\r\nPOWERED DOWN\r\n");
    let begin = host.sim.now();
    // It takes 5 s from the first byte of it, which has sixteen.
    host.silence(5_000_000 - 1_400);
    assert!(host.sim.status());
    host.silence(1_400);
    assert!(!host.sim.status());
    assert_eq!(host.sim.now() - begin, 5_000_000);
    host.send("AT\r");
    host.silence(60_000_000);
    press(&mut host, 500_000);
    host.expect(EC25_START);
}

/// A key that is not let go turns a module on once, and does not turn it off.
#[test]
fn a_key_that_is_held_for_ever() {
    let mut host = off(Profile::ec25());
    host.sim.set_power_key(true);
    host.expect(EC25_START);
    host.silence(100_000_000);
    host.sim.set_power_key(false);
    host.silence(100_000_000);
    assert!(host.sim.status());
}

#[test]
fn each_family_has_its_pulses_and_its_start() {
    let ec200u = "\r\nRDY\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\
        \r\n+QIND: SMS DONE\r\n\r\n+QIND: PB DONE\r\n";
    let bg95 = "\r\nRDY\r\n\r\nAPP RDY\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\
        \r\n+QIND: SMS DONE\r\n";
    let bc660k = "\r\nRDY\r\n\r\n+CPIN: READY\r\n\r\n+CFUN: 1\r\n";
    for (profile, pulse, ready, urcs) in [
        (Profile::ec25(), 500_000, 12_000_000, EC25_START),
        (Profile::bg96(), 500_000, 5_800_000, BG96_START),
        (Profile::bg95(), 500_000, 2_300_000, bg95),
        (Profile::ec200u(), 2_000_000, 10_000_000, ec200u),
        (Profile::eg800k(), 2_000_000, 3_300_000, ec200u),
        (Profile::bc660k(), 500_000, 1_000_000, bc660k),
    ] {
        let model = profile.model.clone();
        let mut host = off(profile);
        press(&mut host, pulse - 1);
        host.silence(60_000_000);
        let begin = host.sim.now();
        press(&mut host, pulse);
        host.expect("\r\nRDY\r\n");
        assert_eq!(host.sim.now() - begin, pulse + ready + 608, "{model}");
        host.expect(&urcs[7..]);
        host.silence(60_000_000);
    }
}

#[test]
fn the_power_key_turns_each_family_off() {
    for (profile, pulse, takes) in [
        (Profile::bg96(), 650_000, 2_000_000),
        (Profile::bg95(), 650_000, 1_300_000),
        (Profile::ec200u(), 3_000_000, 1_000_000),
        (Profile::eg800k(), 3_000_000, 12_000_000),
    ] {
        let model = profile.model.clone();
        let mut host = booted(profile);
        press(&mut host, pulse - 1);
        host.silence(60_000_000);
        press(&mut host, pulse);
        host.silence(200_000);
        host.expect("\r\nPOWERED DOWN\r\n");
        host.silence(takes - 2_000);
        assert!(host.sim.status(), "{model}");
        host.silence(2_000);
        assert!(!host.sim.status(), "{model}");
    }
    let mut host = booted(Profile::bc660k());
    press(&mut host, 10_000_000);
    host.silence(60_000_000);
    assert!(host.sim.status());
}

#[test]
fn the_reset_pin() {
    let mut host = booted(Profile::bg95());
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.sim.press_reset(1_999_999);
    host.silence(10_000_000);
    host.talk("AT\r", "\r\nOK\r\n");
    host.sim.set_reset(true);
    host.silence(30_000_000);
    assert!(!host.sim.status());
    host.send("AT\r");
    let begin = host.sim.now();
    host.sim.set_reset(false);
    host.expect("\r\nRDY\r\n");
    assert_eq!(host.sim.now() - begin, 2_300_608);
    host.silence_of_boot();
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    // A module that is off stays off.
    host.sim.power_off();
    host.sim.press_reset(3_000_000);
    host.silence(60_000_000);
}

/// As seen: `POWERED DOWN` at once, deaf, the contexts after 3 s, `RDY` after 6 s.
#[test]
fn a_bg96_restarts_step_by_step() {
    let mut host = booted(Profile::bg96());
    host.talk("AT+QIACT=1\r", "AT+QIACT=1\r\r\nOK\r\n");
    let begin = host.sim.now();
    host.talk("AT+CFUN=1,1\r", "AT+CFUN=1,1\r\r\nOK\r\n");
    host.expect("\r\nPOWERED DOWN\r\n");
    host.silence(300_000);
    for _ in 0..9 {
        host.send("AT\r");
        host.silence(250_000);
    }
    host.expect("\r\n\r\n+QIURC: \"pdpdeact\",1\r\n");
    let after = host.sim.now() - begin;
    assert!((3_000_000..3_010_000).contains(&after), "{after}");
    host.send("AT\r");
    host.expect("\r\nRDY\r\n");
    let after = host.sim.now() - begin;
    assert!((6_000_000..6_010_000).contains(&after), "{after}");
    host.expect(&BG96_START[7..]);
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    host.talk("AT+QIACT?\r", "AT+QIACT?\r\r\nOK\r\n");
}

#[test]
fn a_bg96_without_contexts_has_none_to_tell_of() {
    let mut host = booted(Profile::bg96());
    host.talk("AT+CFUN=1,1\r", "AT+CFUN=1,1\r\r\nOK\r\n");
    host.expect("\r\nPOWERED DOWN\r\n");
    host.expect(BG96_START);
}

#[test]
fn an_ec25_restarts_without_a_word() {
    let mut host = booted(Profile::ec25());
    host.talk("AT+QIACT=1\r", "AT+QIACT=1\r\r\nOK\r\n");
    let begin = host.sim.now();
    host.talk("AT+CFUN=1,1\r", "AT+CFUN=1,1\r\r\nOK\r\n");
    host.silence(12_000_000);
    host.expect(EC25_START);
    let after = host.sim.now() - begin;
    assert!((14_700_000..14_710_000).contains(&after), "{after}");
}

#[test]
fn qpowd_turns_off_and_says_so() {
    let mut host = booted(Profile::ec25());
    host.talk("AT+QPOWD=1\r", "AT+QPOWD=1\r\r\nOK\r\n");
    host.silence(190_000);
    assert!(host.sim.status());
    host.expect("\r\nPOWERED DOWN\r\n");
    host.silence(300_000);
    assert!(!host.sim.status());
    press(&mut host, 600_000);
    host.expect(EC25_START);
}

/// Bounds that are not those of the family.
#[test]
fn pulses_can_be_set() {
    let mut host = booted(Profile::bg96());
    for switch in [
        "switch:power-on-pulse:100ms",
        "switch:power-off-pulse:1s",
        "switch:power-off:3s",
        "switch:reset-pulse:400ms",
    ] {
        host.sim.add_fault(switch.parse().unwrap());
    }
    press(&mut host, 999_999);
    host.sim.press_reset(399_999);
    host.silence(10_000_000);
    press(&mut host, 1_000_000);
    host.expect("\r\nPOWERED DOWN\r\n");
    host.silence(2_990_000);
    assert!(host.sim.status());
    host.silence(10_000);
    assert!(!host.sim.status());
    press(&mut host, 100_000);
    host.expect(BG96_START);
    host.sim.press_reset(400_000);
    host.expect(BG96_START);
}

/// A BG95 that took more than 20 s, and SIM URCs that came twice on a BG96.
#[test]
fn slow_starts_and_urcs_that_repeat() {
    let mut host = off(Profile::bg96());
    host.sim.add_fault("switch:boot:25.3s".parse().unwrap());
    host.sim
        .add_fault("switch:sim-urcs-twice:on".parse().unwrap());
    press(&mut host, 500_000);
    host.send("ATE0\r");
    host.silence(25_000_000);
    host.expect(BG96_START);
    host.expect("\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\r\n+QIND: SMS DONE\r\n");
    host.silence(60_000_000);
    host.talk("AT\r", "AT\r\r\nOK\r\n");
}

fn saving(timers: &str) -> Host {
    let mut host = booted(Profile::bg96());
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT+QCFG=\"psm/urc\",1\r", "\r\nOK\r\n");
    host.talk(format!("AT+CPSMS=1,,,{timers}\r"), "\r\nOK\r\n");
    host
}

/// T3324 of 30 s, T3412 off.
#[test]
fn the_power_key_ends_power_saving() {
    let mut host = saving("\"11100000\",\"00001111\"");
    host.silence(29_000_000);
    host.expect("\r\nPSM POWER DOWN\r\n");
    host.silence(1_000_000);
    assert!(!host.sim.status());
    host.send("AT\r");
    host.silence(1_000_000_000);
    press(&mut host, 500_000);
    host.expect(BG96_START);
    host.talk("AT\r", "AT\r\r\nOK\r\n");
}

/// T3412 of 10 minutes.
#[test]
fn the_timer_ends_power_saving() {
    let mut host = saving("\"00000001\",\"00001111\"");
    host.expect("\r\nPSM POWER DOWN\r\n");
    let begin = host.sim.now();
    host.sim.run_until(begin + 599_000_000);
    assert!(!host.sim.status());
    host.sim.run_until(begin + 604_000_000);
    host.expect("\r\nRDY\r\n");
    let after = host.sim.now() - begin;
    assert!((605_700_000..605_900_000).contains(&after), "{after}");
}

/// Everything that a start takes away, by whatever it was caused.
#[test]
fn sockets_and_settings_are_gone_after_a_start() {
    let mut host = Host::ready(Config::default());
    host.sim.serve("192.0.2.7:7".parse().unwrap(), || Echo);
    host.open(0);
    host.sim.press_reset(200_000);
    host.expect(EC25_START);
    host.talk("AT+QISTATE\r", "AT+QISTATE\r\r\nOK\r\n");
    host.talk("AT+QIACT?\r", "AT+QIACT?\r\r\nOK\r\n");
}
