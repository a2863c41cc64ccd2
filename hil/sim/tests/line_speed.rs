//! The serial line: speeds that agree, that differ, and that have to be found.

mod common;

use common::Host;
use quectel_sim::{Boot, Config, Direction, Profile};

fn host() -> Host {
    let mut host = Host::new(Config::default());
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host
}

#[test]
fn the_answer_has_the_old_speed_and_what_follows_the_new_one() {
    let mut host = host();
    host.talk("AT+IPR?\r", "\r\n+IPR: 115200\r\n\r\nOK\r\n");
    let begin = host.sim.now();
    host.talk("AT+IPR=9600\r", "\r\nOK\r\n");
    // Twelve bytes there, two milliseconds, six bytes back, at 115200 bits a second.
    assert_eq!(host.sim.now() - begin, 3_563);
    assert_eq!(host.sim.module_baud(), Some(9_600));
    host.sim.set_host_baud(9_600);
    let begin = host.sim.now();
    host.talk("AT\r", "\r\nOK\r\n");
    assert_eq!(host.sim.now() - begin, 3_125 + 2_000 + 6_250);
    host.talk("AT+IPR?\r", "\r\n+IPR: 9600\r\n\r\nOK\r\n");
}

/// The line of `AT+IPR=9600;&W` is answered as a whole at the old speed.
#[test]
fn a_stored_speed_survives_a_restart() {
    let mut host = host();
    host.talk("AT+IPR=57600\r", "\r\nOK\r\n");
    host.sim.set_host_baud(57_600);
    host.sim.reset();
    host.sim.set_host_baud(115_200);
    host.expect("\r\nRDY\r\n");
    host.silence_of_boot();
    host.talk("AT+IPR=9600;&W\r", "AT+IPR=9600;&W\r\r\nOK\r\n");
    host.sim.set_host_baud(9_600);
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    host.sim.reset();
    host.expect("\r\nRDY\r\n");
    // Neither ATZ nor AT&F touch it.
    host.silence_of_boot();
    host.talk("AT&F\r", "AT&F\r\r\nOK\r\n");
    host.talk("ATZ\r", "ATZ\r\r\nOK\r\n");
    assert_eq!(host.sim.module_baud(), Some(9_600));
}

#[test]
fn a_speed_that_the_module_has_not_got_is_refused() {
    let mut host = host();
    host.talk("AT+IPR=14400\r", "\r\nERROR\r\n");
    host.talk("AT+IPR=0\r", "\r\nERROR\r\n");
    host.talk("AT\r", "\r\nOK\r\n");
}

/// A slow host is heard as breaks; a fast module is heard as glitches and 0xFF.
#[test]
fn another_speed_gives_garbage_both_ways() {
    let mut host = host();
    host.sim.set_host_baud(9_600);
    host.send("AT\r");
    host.silence(100_000);
    host.sim.send_urc("RING");
    host.expect(b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    host.silence(100_000);
    // Back at the old speed the first line still has what was heard as one.
    host.sim.set_host_baud(115_200);
    host.talk("AT\r", "\r\nOK\r\n");
}

#[test]
fn garbage_may_be_a_command_line() {
    let mut host = host();
    host.talk("ATE1\r", "\r\nOK\r\n");
    host.sim.set_host_baud(57_600);
    // At half its speed the module reads 0xE6 of a CR, and nothing of the others. What it echoes is
    // read at half the speed in turn.
    host.send("AT\r");
    host.sim.run_until(host.sim.now() + 100_000);
    assert_eq!(host.sim.position(Direction::ToHost), 5 + 6 + 6 + 1);
}

#[test]
fn small_deviations_do_no_harm() {
    let mut host = host();
    for baud in [111_800, 118_600] {
        host.sim.set_host_baud(baud);
        host.talk("AT+CSQ\r", "\r\n+CSQ: 22,99\r\n\r\nOK\r\n");
    }
}

fn autobaud(keeps_urcs: bool) -> Host {
    let mut profile = Profile::ec25();
    profile.serial.autobaud = true;
    profile.serial.autobaud_keeps_urcs = keeps_urcs;
    Host::new(Config {
        boot: Boot::Cold,
        profile,
        ..Config::default()
    })
}

#[test]
fn the_host_s_speed_is_found_by_its_at() {
    let mut host = autobaud(false);
    // RDY and what follows it are not seen.
    host.silence(20_000_000);
    assert_eq!(host.sim.module_baud(), None);
    host.sim.set_host_baud(38_400);
    host.send("+IPR?\rA\raT\rtA");
    host.silence(100_000);
    host.talk("T\r", "AT\r\r\nOK\r\n");
    assert_eq!(host.sim.module_baud(), Some(38_400));
    host.talk("at+ipr?\r", "at+ipr?\r\r\n+IPR: 0\r\n\r\nOK\r\n");
    // It is kept until the next start, and a speed that is set is as good as any.
    host.sim.set_host_baud(115_200);
    host.talk("AT\r", b"\xE0");
    host.silence(100_000);
    host.sim.set_host_baud(38_400);
    host.talk("AT+IPR=9600\r", "AT+IPR=9600\r\r\nOK\r\n");
    host.sim.set_host_baud(9_600);
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    host.sim.reset();
    host.silence(20_000_000);
    host.talk("at\r", "at\r\r\nOK\r\n");
}

#[test]
fn a_speed_that_the_module_has_not_got_is_not_found() {
    let mut host = autobaud(false);
    host.silence(20_000_000);
    host.sim.set_host_baud(14_400);
    host.send("AT\r");
    host.silence(1_000_000);
    host.sim.set_host_baud(118_600);
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    assert_eq!(host.sim.module_baud(), Some(115_200));
}

#[test]
fn urcs_may_wait_for_the_speed() {
    let mut host = autobaud(true);
    host.silence(13_000_000);
    host.send("AT\r");
    host.expect("\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n");
    host.expect("AT\r\r\nOK\r\n");
}

#[test]
fn an_ec200u_can_be_told_to_look_for_the_speed() {
    let mut host = Host::new(Config {
        profile: Profile::ec200u(),
        ..Config::default()
    });
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT+IPR=0\r", "\r\nOK\r\n");
    assert_eq!(host.sim.module_baud(), None);
    host.sim.set_host_baud(1_000_000);
    host.talk("AT\r", "\r\nOK\r\n");
    assert_eq!(host.sim.module_baud(), Some(1_000_000));
}
