//! Registration, signal, the clock, functionality and power saving.

mod common;

use common::{Host, family};
use quectel_sim::{Cellular, Config};

#[test]
fn the_three_registration_commands() {
    let mut host = Host::family("EC25");
    for name in ["+CREG", "+CGREG", "+CEREG"] {
        host.rows(&format!("AT{name}=?"), &[&format!("{name}: (0-2)")]);
        host.rows(&format!("AT{name}?"), &[&format!("{name}: 0,1")]);
        host.ok(&[&format!("AT{name}=1")]);
        host.rows(&format!("AT{name}?"), &[&format!("{name}: 1,1")]);
        host.ok(&[&format!("AT{name}=2")]);
        let row = format!("{name}: 2,1,\"5650\",\"29A7DF4\",7");
        host.rows(&format!("AT{name}?"), &[&row]);
        host.fail("ERROR", &[&format!("AT{name}=3"), &format!("AT{name}")]);
    }
    host.ok(&["AT+CREG=0", "AT+CGREG=1"]);
    host.sim.set_registration(5);
    host.urc("+CGREG: 5");
    host.urc("+CEREG: 5,\"5650\",\"29A7DF4\",7");
    host.sim.set_registration(3);
    host.urc("+CGREG: 3");
    host.urc("+CEREG: 3");
    host.sim.set_registration(0);
    host.urc("+CGREG: 0");
    host.urc("+CEREG: 0");
    host.rows("AT+CREG?", &["+CREG: 0,0"]);
}

#[test]
fn registration_tells_the_power_saving_timers() {
    let mut host = Host::family("BG95");
    host.rows("AT+CEREG=?", &["+CEREG: (0,1,2,4,5)"]);
    host.rows("AT+CREG=?", &["+CREG: (0-2)"]);
    host.ok(&["AT+CEREG=4"]);
    host.rows("AT+CEREG?", &["+CEREG: 4,1,\"5650\",\"29A7DF4\",8"]);
    host.ok(&["AT+CPSMS=1,,,\"00000100\",\"00001111\"", "AT+CEREG=5"]);
    let row = "+CEREG: 5,1,\"5650\",\"29A7DF4\",8,,,\"00001111\",\"00000100\"";
    host.rows("AT+CEREG?", &[row]);
    host.sim.set_registration(5);
    host.urc("+CEREG: 5,\"5650\",\"29A7DF4\",8,,,\"00001111\",\"00000100\"");
    host.fail("ERROR", &["AT+CEREG=3", "AT+CREG=4"]);
    Host::family("EC25").fail("ERROR", &["AT+CEREG=4", "AT+CEREG=5"]);
}

#[test]
fn lte_in_the_packet_domain() {
    Host::family("EC25").rows("AT+CGREG?", &["+CGREG: 0,1"]);
    Host::family("BG95").rows("AT+CGREG?", &["+CGREG: 0,4"]);
    let mut config = family("EC25");
    config.cellular.technology = 0;
    let mut host = Host::quiet(config);
    host.rows("AT+CEREG?", &["+CEREG: 0,0"]);
    host.rows("AT+CREG?;+CGREG?", &["+CREG: 0,1\r\n\r\n+CGREG: 0,1"]);
}

#[test]
fn operators() {
    let mut host = Host::family("EC25");
    host.rows("AT+COPS?", &["+COPS: 0,0,\"TEST NETWORK\",7"]);
    host.ok(&["AT+COPS=3,2"]);
    host.rows("AT+COPS?", &["+COPS: 0,2,\"00101\",7"]);
    host.ok(&["AT+COPS=3,1"]);
    host.rows("AT+COPS?", &["+COPS: 0,1,\"TEST NETWORK\",7"]);
    host.ok(&["AT+COPS=1,2,\"00101\""]);
    host.rows("AT+COPS?", &["+COPS: 1,2,\"00101\",7"]);
    host.fail("+CME ERROR: 30", &["AT+COPS=1,2,\"99999\""]);
    host.fail(
        "ERROR",
        &["AT+COPS=5", "AT+COPS=3", "AT+COPS=1,2", "AT+COPS=3,3"],
    );
    host.ok(&["AT+CEREG=1", "AT+COPS=0"]);
    host.talk("AT+COPS=2\r", "\r\nOK\r\n\r\n+CEREG: 0\r\n");
    host.rows("AT+COPS?", &["+COPS: 2"]);
    host.talk("AT+COPS=0\r", "\r\nOK\r\n\r\n+CEREG: 2\r\n");
    host.rows("AT+COPS?", &["+COPS: 0"]);
    host.urc("+CEREG: 1");
    for (name, technology) in [("BG96", 8), ("BC660K", 9)] {
        let row = format!("+COPS: 0,0,\"TEST NETWORK\",{technology}");
        Host::family(name).rows("AT+COPS?", &[&row]);
    }
}

#[test]
fn a_search_blocks_the_port() {
    let mut host = Host::family("EC25");
    host.send("AT+COPS=?\r");
    host.silence(29_000_000);
    host.expect(concat!(
        "\r\n+COPS: (2,\"TEST NETWORK\",\"TEST NETWORK\",\"00101\",7),,(0,1,2,3,4),(0,1,2)\r\n",
        "\r\nOK\r\n"
    ));
    host.ok(&["AT+CFUN=4"]);
    host.fail("+CME ERROR: 3", &["AT+COPS=?"]);
}

fn on_air(name: &str, technology: u8) -> Host {
    let mut config = family(name);
    config.cellular.technology = technology;
    Host::quiet(config)
}

#[test]
fn signal_strength() {
    let mut host = Host::family("EC25");
    host.rows("AT+CSQ=?", &["+CSQ: (0-31,99),(0-7,99)"]);
    host.rows("AT+CSQ", &["+CSQ: 22,99"]);
    host.sim.set_registration(2);
    host.rows("AT+CSQ", &["+CSQ: 99,99"]);
    host.rows("AT+QCSQ", &["+QCSQ: \"NOSERVICE\""]);
    for (name, technology, row) in [
        ("EC25", 7, "+QCSQ: \"LTE\",-69,-95,150,-10"),
        ("EC25", 0, "+QCSQ: \"GSM\",-69"),
        ("EC25", 2, "+QCSQ: \"WCDMA\",-69,-95,-10"),
        ("BG96", 7, "+QCSQ: \"eMTC\",-69,-95,150,-10"),
        ("BG95", 9, "+QCSQ: \"NBIoT\",-69,-95,150,-10"),
        ("BC660K", 7, "+QCSQ: \"NBIoT\",-69,-95,150,-10"),
    ] {
        on_air(name, technology).rows("AT+QCSQ", &[row]);
    }
}

#[test]
fn the_network_and_its_cell() {
    for (name, technology, row) in [
        (
            "EC25",
            7,
            "+QNWINFO: \"FDD LTE\",\"00101\",\"LTE BAND 3\",1650",
        ),
        ("EC25", 0, "+QNWINFO: \"GSM\",\"00101\",\"GSM 900\",1650"),
        (
            "EC25",
            6,
            "+QNWINFO: \"WCDMA\",\"00101\",\"WCDMA 2100\",1650",
        ),
        (
            "BG96",
            8,
            "+QNWINFO: \"eMTC\",\"00101\",\"LTE BAND 3\",1650",
        ),
    ] {
        on_air(name, technology).rows("AT+QNWINFO", &[row]);
    }
    let mut host = Host::family("EC25");
    let cell = "\"LTE\",\"FDD\",001,01,29A7DF4,212,1650,3,5,5,5650,-95,-10,-69,150,-";
    let row = format!("+QENG: \"servingcell\",\"NOCONN\",{cell}");
    host.rows("AT+QENG=\"servingcell\"", &[&row]);
    host.ok(&["AT+QIACT=1"]);
    let row = format!("+QENG: \"servingcell\",\"CONNECT\",{cell}");
    host.rows("AT+QENG=\"servingcell\"", &[&row]);
    let row = "+QSPN: \"TEST NETWORK\",\"TEST NETWORK\",\"\",0,\"00101\"";
    host.rows("AT+QSPN", &[row]);
    host.sim.set_registration(2);
    host.rows(
        "AT+QENG=\"servingcell\"",
        &["+QENG: \"servingcell\",\"SEARCH\""],
    );
    host.rows("AT+QNWINFO", &["+QNWINFO: No Service"]);
    host.fail("ERROR", &["AT+QENG=\"cell\""]);
    Host::family("EC200U").fail("ERROR", &["AT+QENG=\"servingcell\""]);
}

fn in_china(unix_s: Option<u64>) -> Host {
    Host::quiet(Config {
        cellular: Cellular {
            unix_s,
            zone_quarters: 32,
            ..Cellular::default()
        },
        ..Config::default()
    })
}

/// 2026-07-03 00:56:27 UTC.
const MORNING: u64 = 1_783_040_187;

#[test]
fn the_clock() {
    let mut host = in_china(Some(MORNING));
    host.rows("AT+CCLK?", &["+CCLK: \"26/07/03,00:56:27+32\""]);
    host.ok(&["AT+CCLK=\"26/08/07,13:54:02+32\""]);
    host.rows("AT+CCLK?", &["+CCLK: \"26/08/07,13:54:02+32\""]);
    host.sim.run_until(host.sim.now() + 60_000_000);
    host.rows("AT+CCLK?", &["+CCLK: \"26/08/07,13:55:02+32\""]);
    host.fail(
        "ERROR",
        &["AT+CCLK=\"26/13/07,13:54:02+32\"", "AT+CCLK=1", "AT+CCLK"],
    );
    // Nobody has told it the time.
    let mut host = in_china(None);
    host.rows("AT+CCLK?", &["+CCLK: \"80/01/06,00:00:00+00\""]);
    host.rows("AT+QLTS", &["+QLTS: \"\""]);
}

#[test]
fn what_becomes_of_the_time_that_the_network_tells() {
    let mut host = in_china(Some(MORNING));
    host.rows("AT+CTZU=?", &["+CTZU: (0,1,3)"]);
    host.rows("AT+CTZU?", &["+CTZU: 1"]);
    host.fail("ERROR", &["AT+CTZU=2"]);
    host.ok(&["AT+CTZU=3"]);
    host.power_cycle();
    // It is saved; from now on the clock shows local time.
    host.rows("AT+CTZU?", &["+CTZU: 3"]);
    host.rows("AT+CCLK?", &["+CCLK: \"26/07/03,08:56:57+32\""]);
    host.ok(&["AT+CTZU=0", "AT+CCLK=\"80/01/06,00:00:00+00\""]);
    host.power_cycle();
    host.rows("AT+CCLK?", &["+CCLK: \"80/01/06,00:00:30+00\""]);
}

#[test]
fn the_last_time_that_the_network_told() {
    let mut host = in_china(Some(MORNING));
    host.rows("AT+QLTS=?", &["+QLTS: (0-2)"]);
    host.sim.run_until(60_000_000);
    host.rows("AT+QLTS", &["+QLTS: \"2026/07/03,00:56:27+32,0\""]);
    host.rows("AT+QLTS=0", &["+QLTS: \"2026/07/03,00:56:27+32,0\""]);
    host.rows("AT+QLTS=1", &["+QLTS: \"2026/07/03,00:57:27+32,0\""]);
    host.rows("AT+QLTS=2", &["+QLTS: \"2026/07/03,08:57:27+32,0\""]);
    host.fail("ERROR", &["AT+QLTS=3"]);
}

#[test]
fn time_zones_by_urc() {
    let mut host = in_china(Some(MORNING));
    host.rows("AT+CTZR=?", &["+CTZR: (0-2)"]);
    host.ok(&["AT+CTZR=1", "AT+CFUN=4", "AT+CFUN=1"]);
    host.urc("+CTZV: \"+32\"");
    host.ok(&["AT+CTZR=2", "AT+CFUN=4"]);
    host.sim.run_until(60_000_000);
    host.ok(&["AT+CFUN=1"]);
    host.urc("+CTZE: \"+32\",0,\"2026/07/03,00:57:30\"");
}

#[test]
fn functionality_levels() {
    let mut host = Host::family("EC25");
    host.rows("AT+CFUN=?", &["+CFUN: (0,1,4),(0,1)"]);
    host.ok(&["AT+CFUN=4"]);
    host.rows("AT+CFUN?", &["+CFUN: 4"]);
    host.rows("AT+CPIN?", &["+CPIN: READY"]);
    host.rows("AT+CEREG?", &["+CEREG: 0,0"]);
    host.talk("AT+CFUN=0,0\r", "\r\nOK\r\n\r\n+CPIN: NOT READY\r\n");
    host.fail("+CME ERROR: 13", &["AT+CPIN?"]);
    host.fail("ERROR", &["AT+CFUN=2", "AT+CFUN=1,2", "AT+CFUN"]);
    host.ok(&["AT+CFUN=1"]);
    host.urc("+CPIN: READY");
}

#[test]
fn power_saving_timers() {
    let mut host = Host::family("BG95");
    host.rows("AT+CPSMS?", &["+CPSMS: 0,,,\"\",\"\""]);
    host.ok(&["AT+CPSMS=1,,,\"00000100\",\"00001111\""]);
    host.rows("AT+CPSMS?", &["+CPSMS: 1,,,\"00000100\",\"00001111\""]);
    // Four times ten minutes, fifteen times two seconds.
    host.rows("AT+QPSMS?", &["+QPSMS: 1,,,\"2400\",\"30\""]);
    host.fail(
        "ERROR",
        &["AT+CPSMS=3", "AT+CPSMS=1,,,\"0000010\"", "AT+CPSMS=1,,,4"],
    );
    host.ok(&["AT+CPSMS=0"]);
    host.power_cycle();
    host.rows("AT+CPSMS?", &["+CPSMS: 0,,,\"00000100\",\"00001111\""]);
    host.ok(&["AT+CPSMS=2"]);
    host.rows("AT+CPSMS?", &["+CPSMS: 0,,,\"\",\"\""]);
    host.rows("AT+QPSMCFG=?", &["+QPSMCFG: (20-4294967295),(0-15)"]);
    host.ok(&["AT+QPSMCFG=60,4"]);
    host.power_cycle();
    host.rows("AT+QPSMCFG?", &["+QPSMCFG: 60,4"]);
    for name in ["EC25", "EC200U", "EG800K"] {
        Host::family(name).fail("ERROR", &["AT+CPSMS?", "AT+QPSMS?", "AT+CEDRXS?"]);
    }
}

#[test]
fn power_saving_begins_with_a_urc() {
    let mut host = Host::family("BG95");
    host.ok(&["AT+QCFG=\"psm/urc\",1"]);
    host.ok(&["AT+CPSMS=1,,,\"00000100\",\"00000101\""]);
    host.silence(9_900_000);
    host.urc("PSM POWER DOWN");
    let mut host = Host::family("BC660K");
    host.rows("AT+QNBIOTEVENT=?", &["+QNBIOTEVENT: (0,1),(1)"]);
    host.ok(&["AT+QNBIOTEVENT=1,1"]);
    host.ok(&["AT+CPSMS=1,,,\"00000100\",\"00000101\""]);
    host.silence(9_900_000);
    host.urc("+QNBIOTEVENT: \"ENTER PSM\"");
}

#[test]
fn longer_paging_cycles() {
    let mut host = Host::family("BG95");
    host.ok(&["AT+CEDRXS?"]);
    host.rows("AT+CEDRXRDP", &["+CEDRXRDP: 0"]);
    host.ok(&["AT+CEDRXS=1,4,\"0101\""]);
    host.rows("AT+CEDRXS?", &["+CEDRXS: 4,\"0101\""]);
    host.rows("AT+CEDRXRDP", &["+CEDRXRDP: 4,\"0101\",\"0101\",\"0000\""]);
    let urc = "\r\n+CEDRXP: 4,\"0101\",\"0101\",\"0000\"\r\n";
    host.talk("AT+CEDRXS=2,4,\"0101\"\r", format!("\r\nOK\r\n{urc}"));
    host.power_cycle();
    host.rows("AT+CEDRXS?", &["+CEDRXS: 4,\"0101\""]);
    host.ok(&["AT+CEDRXS=0", "AT+CEDRXS?"]);
    host.fail(
        "ERROR",
        &[
            "AT+CEDRXS=1,6,\"0101\"",
            "AT+CEDRXS=1,4,\"01012\"",
            "AT+CEDRXS=4",
        ],
    );
}

#[test]
fn the_sleep_clock_is_not_saved() {
    let mut host = Host::family("EC25");
    host.rows("AT+QSCLK?", &["+QSCLK: 0"]);
    host.ok(&["AT+QSCLK=1"]);
    host.rows("AT+QSCLK?", &["+QSCLK: 1"]);
    host.ok(&["AT+QSCLK=0", "AT+QSCLK=1"]);
    host.power_cycle();
    host.rows("AT+QSCLK?", &["+QSCLK: 0"]);
}

#[test]
fn power_down() {
    for command in ["AT+QPOWD", "AT+QPOWD=0", "AT+QPOWD=1"] {
        let mut host = Host::family("EC25");
        host.rows("AT+QPOWD=?", &["+QPOWD: (0,1)"]);
        host.talk(format!("{command}\r"), "\r\nOK\r\n\r\nPOWERED DOWN\r\n");
        host.sim.run_until(host.sim.now() + 5_000_000);
        host.send("AT\r");
        host.silence(60_000_000);
    }
    Host::family("EC25").fail("ERROR", &["AT+QPOWD=2"]);
}
