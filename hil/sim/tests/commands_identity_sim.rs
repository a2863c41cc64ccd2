//! Who the module is, and the SIM card.

mod common;

use common::{Host, family};
use quectel_sim::{Config, SimCard};

fn with_card(sim_card: SimCard) -> Host {
    Host::quiet(Config {
        sim_card,
        ..Config::default()
    })
}

#[test]
fn identity_of_every_family() {
    for (name, model, revision, full) in [
        (
            "EC25",
            "EC25",
            "EC25EFAR06A06M4G",
            "EC25EFAR06A06M4G_01.001.01.001",
        ),
        (
            "BG96",
            "BG96",
            "BG96MAR02A07M1G",
            "BG96MAR02A07M1G_01.019.01.019",
        ),
        (
            "BG95",
            "BG95-M3",
            "BG95M3LAR02A03",
            "BG95M3LAR02A03_01.012.01.012",
        ),
        (
            "EC200U",
            "EC200U",
            "EC200UCNAAR03A15M08",
            "EC200UCNAAR03A15M08_01.001.01.001",
        ),
        (
            "EG800K",
            "EG800K",
            "EG800KCNGCR07A06M04",
            "EG800KCNGCR07A06M04_01.001.01.001",
        ),
        (
            "BC660K",
            "BC660K-GL",
            "BC660KGLAAR01A05",
            "BC660KGLAAR01A05_01.001.01.001",
        ),
    ] {
        let mut host = Host::family(name);
        let third = format!("Revision: {revision}");
        host.rows("ATI", &["Quectel", model, &third]);
        for (command, row) in [
            ("AT+GMI", "Quectel"),
            ("AT+CGMI", "Quectel"),
            ("AT+GMM", model),
            ("AT+CGMM", model),
            ("AT+GMR", revision),
            ("AT+CGMR", revision),
            ("AT+QGMR", full),
            ("AT+GSN", "866349040000000"),
            ("AT+GSN=0", "+GSN: D1Q20A00000001P"),
            ("AT+GSN=1", "+GSN: 866349040000000"),
            ("AT+CGSN=0", "+CGSN: D1Q20A00000001P"),
            ("AT+CGSN=1", "+CGSN: 866349040000000"),
            ("AT+CIMI", "001010123456789"),
        ] {
            host.rows(command, &[row]);
        }
        host.ok(&["AT+CGMI=?", "AT+CGSN=?", "AT+CIMI=?", "AT+CPIN=?"]);
        host.fail("ERROR", &["AT+GSN=2", "AT+CGMI?", "AT+CIMI?"]);
    }
}

#[test]
fn the_bare_cgsn_of_a_bc660k_is_its_serial_number() {
    Host::family("EC25").rows("AT+CGSN", &["866349040000000"]);
    Host::family("BC660K").rows("AT+CGSN", &["D1Q20A00000001P"]);
}

#[test]
fn a_module_without_imei() {
    let mut config = Config::default();
    config.profile.imei.clear();
    let mut host = Host::quiet(config);
    host.fail("+CME ERROR: 23", &["AT+CGSN", "AT+GSN=1"]);
    host.ok(&["AT+CMEE=2"]);
    host.fail("+CME ERROR: memory failure", &["AT+CGSN"]);
}

#[test]
fn the_number_of_the_card() {
    let mut host = Host::family("EC25");
    host.rows("AT+QCCID", &["+QCCID: 89860025128306012474"]);
    host.rows("AT+CCID", &["+CCID: 89860025128306012474"]);
    host.rows("AT+ICCID", &["+ICCID: 89860025128306012474"]);
    host.ok(&["AT+QCCID=?"]);
    host.fail("ERROR", &["AT+NCCID"]);
    let mut host = Host::family("BC660K");
    host.rows("AT+NCCID", &["+NCCID:89860025128306012474"]);
    host.fail("ERROR", &["AT+QCCID"]);
}

#[test]
fn cards_that_cannot_be_used() {
    for (card, number, text) in [
        (SimCard::Absent, 10, "SIM not inserted"),
        (SimCard::Failure, 13, "SIM failure"),
        (SimCard::Busy(60_000_000), 14, "SIM busy"),
    ] {
        let mut host = with_card(card);
        let commands = [
            "AT+CPIN?",
            "AT+CPIN=1234",
            "AT+CIMI",
            "AT+QCCID",
            "AT+CLCK=\"SC\",2",
            "AT+QPINC?",
            "AT+QPINC=\"SC\"",
            "AT+CRSM=176,28514,0,0,0",
        ];
        host.fail(&format!("+CME ERROR: {number}"), &commands);
        host.ok(&["AT+CMEE=2"]);
        host.fail(&format!("+CME ERROR: {text}"), &commands);
        host.ok(&["AT+CMEE=0"]);
        host.fail("ERROR", &commands);
        host.rows("AT+QINISTAT", &["+QINISTAT: 0"]);
        host.rows("AT+CREG?", &["+CREG: 0,0"]);
    }
}

#[test]
fn a_busy_card_becomes_ready() {
    let mut host = with_card(SimCard::Busy(2_000_000));
    host.fail("+CME ERROR: 14", &["AT+CPIN?"]);
    host.sim.run_until(host.sim.now() + 2_000_000);
    host.rows("AT+CPIN?", &["+CPIN: READY"]);
    host.sim.run_until(host.sim.now() + 3_000_000);
    host.rows("AT+CEREG?", &["+CEREG: 0,1"]);
}

#[test]
fn from_a_wrong_pin_to_the_puk_and_back() {
    let mut host = with_card(SimCard::Pin("1234".into()));
    host.rows("AT+CPIN?", &["+CPIN: SIM PIN"]);
    host.fail("+CME ERROR: 11", &["AT+CIMI", "AT+CLCK=\"SC\",0,\"1234\""]);
    host.rows("AT+QPINC?", &["+QPINC: \"SC\",3,10", "+QPINC: \"P2\",3,10"]);
    host.fail("+CME ERROR: 16", &["AT+CPIN=0000", "AT+CPIN=\"0001\""]);
    host.rows("AT+QPINC=\"SC\"", &["+QPINC: \"SC\",1,10"]);
    host.rows("AT+QPINC=\"P2\"", &["+QPINC: \"P2\",3,10"]);
    // The right one would give all tries back; the third wrong one locks the card.
    host.fail("+CME ERROR: 12", &["AT+CPIN=0002", "AT+CPIN=1234"]);
    host.rows("AT+CPIN?", &["+CPIN: SIM PUK"]);
    host.fail("+CME ERROR: 16", &["AT+CPIN=\"11111111\",\"4321\""]);
    host.rows("AT+QPINC=\"SC\"", &["+QPINC: \"SC\",0,9"]);
    host.ok(&["AT+CPIN=\"12345678\",\"4321\""]);
    host.urc("+CPIN: READY");
    host.urc("+QUSIM: 1");
    host.urc("+QIND: SMS DONE");
    host.urc("+QIND: PB DONE");
    host.rows("AT+CPIN?", &["+CPIN: READY"]);
    host.rows("AT+QPINC=\"SC\"", &["+QPINC: \"SC\",3,10"]);
    host.fail("+CME ERROR: 3", &["AT+CPIN=4321"]);
}

#[test]
fn the_lock_of_the_card_is_kept_by_the_card() {
    let mut host = Host::family("EC25");
    host.rows("AT+CLCK=?", &["+CLCK: (\"SC\")"]);
    host.rows("AT+CLCK=\"SC\",2", &["+CLCK: 0"]);
    host.fail("+CME ERROR: 16", &["AT+CLCK=\"SC\",1,\"0000\""]);
    host.fail(
        "ERROR",
        &["AT+CLCK=\"SC\",1", "AT+CLCK=\"SC\",3", "AT+CLCK=SC,2"],
    );
    host.fail("+CME ERROR: 4", &["AT+CLCK=\"XX\",2"]);
    host.ok(&["AT+CLCK=\"SC\",1,\"1234\""]);
    host.rows("AT+CLCK=\"SC\",2", &["+CLCK: 1"]);
    host.rows("AT+CPIN?", &["+CPIN: READY"]);
    host.power_cycle();
    host.rows("AT+CPIN?", &["+CPIN: SIM PIN"]);
    host.rows("AT+CEREG?", &["+CEREG: 0,0"]);
    host.ok(&["AT+CPIN=1234"]);
    host.sim.run_until(host.sim.now() + 10_000_000);
    host.forget();
    host.rows("AT+CEREG?", &["+CEREG: 0,1"]);
    host.ok(&["AT+CLCK=\"SC\",0,\"1234\""]);
    host.power_cycle();
    host.rows("AT+CPIN?", &["+CPIN: READY"]);
}

#[test]
fn a_card_without_power_wants_its_pin_again() {
    let mut host = Host::family("EC25");
    host.ok(&["AT+CLCK=\"SC\",1,\"1234\""]);
    host.talk("AT+CFUN=0\r", "\r\nOK\r\n\r\n+CPIN: NOT READY\r\n");
    host.ok(&["AT+CFUN=1"]);
    host.urc("+CPIN: SIM PIN");
    host.rows("AT+CPIN?", &["+CPIN: SIM PIN"]);
    // Airplane mode leaves it on.
    let mut host = Host::family("EC25");
    host.ok(&["AT+CLCK=\"SC\",1,\"1234\"", "AT+CFUN=4", "AT+CFUN=1"]);
    host.rows("AT+CPIN?", &["+CPIN: READY"]);
}

#[test]
fn the_search_begins_with_the_pin() {
    let mut host = with_card(SimCard::Pin("1234".into()));
    host.ok(&["AT+CEREG=1"]);
    host.silence(60_000_000);
    host.talk("AT+CPIN=1234\r", "\r\nOK\r\n\r\n+CEREG: 2\r\n");
    host.rows("AT+CEREG?", &["+CEREG: 1,2"]);
    for urc in [
        "+CPIN: READY",
        "+QUSIM: 1",
        "+QIND: SMS DONE",
        "+QIND: PB DONE",
        "+CEREG: 1",
    ] {
        host.urc(urc);
    }
}

#[test]
fn a_card_and_a_network_that_change_while_the_module_is_off() {
    let mut host = Host::family("EC200U");
    host.sim.power_off();
    host.sim.set_sim_card(SimCard::Ready);
    host.sim.set_registration(5);
    host.silence(30_000_000);
    assert_eq!(host.sim.describe().lines().count(), 4, "no context");
    host.sim.power_on();
    host.sim.run_for(10_100_000);
    host.forget();
    host.talk("AT+CEREG?\r", "AT+CEREG?\r\r\n+CEREG: 0,2\r\n\r\nOK\r\n");
    host.silence_of_boot();
    host.talk("AT+CEREG?\r", "AT+CEREG?\r\r\n+CEREG: 0,5\r\n\r\nOK\r\n");
}

#[test]
fn what_is_ready_since_the_start() {
    let mut host = with_card(SimCard::Pin("1234".into()));
    host.rows("AT+QINISTAT", &["+QINISTAT: 0"]);
    host.ok(&["AT+CPIN=1234"]);
    host.urc("+CPIN: READY");
    host.rows("AT+QINISTAT", &["+QINISTAT: 1"]);
    host.urc("+QUSIM: 1");
    host.urc("+QIND: SMS DONE");
    host.rows("AT+QINISTAT", &["+QINISTAT: 3"]);
    host.urc("+QIND: PB DONE");
    host.rows("AT+QINISTAT", &["+QINISTAT: 7"]);
    host.talk("AT+CFUN=0\r", "\r\nOK\r\n\r\n+CPIN: NOT READY\r\n");
    host.rows("AT+QINISTAT", &["+QINISTAT: 0"]);
    for (name, sum) in [
        ("EC25", 7),
        ("BG96", 3),
        ("BG95", 3),
        ("EC200U", 7),
        ("BC660K", 1),
    ] {
        Host::family(name).rows("AT+QINISTAT", &[&format!("+QINISTAT: {sum}")]);
    }
}

#[test]
fn a_card_is_taken_out_and_put_in() {
    let mut host = Host::family("EC25");
    host.rows("AT+QSIMSTAT=?", &["+QSIMSTAT: (0,1)"]);
    host.rows("AT+QSIMSTAT?", &["+QSIMSTAT: 0,1"]);
    host.ok(&["AT+QSIMSTAT=1"]);
    host.sim.set_sim_card(SimCard::Absent);
    host.urc("+CPIN: NOT READY");
    host.urc("+QSIMSTAT: 1,0");
    host.rows("AT+QSIMSTAT?", &["+QSIMSTAT: 1,0"]);
    host.fail("+CME ERROR: 10", &["AT+CPIN?"]);
    host.sim.set_sim_card(SimCard::Ready);
    host.urc("+QSIMSTAT: 1,1");
    host.urc("+CPIN: READY");
    host.urc("+QUSIM: 1");
    host.fail("ERROR", &["AT+QSIMSTAT=2"]);
}

#[test]
fn the_card_detection_is_saved() {
    let mut host = Host::family("EC25");
    host.rows("AT+QSIMDET=?", &["+QSIMDET: (0,1),(0,1)"]);
    host.rows("AT+QSIMDET?", &["+QSIMDET: 0,0"]);
    host.ok(&["AT+QSIMDET=1,1"]);
    host.power_cycle();
    host.rows("AT+QSIMDET?", &["+QSIMDET: 1,1"]);
}

#[test]
fn a_file_of_the_card() {
    let mut config = family("BG96");
    config.cellular.operator = "46001".into();
    let mut host = Host::quiet(config);
    host.rows("AT+CRSM=176,28514,0,0,0", &["+CRSM: 144,0,\"64F0104000\""]);
    host.rows("AT+CRSM=176,28514,0,0,3", &["+CRSM: 144,0,\"64F010\""]);
    host.rows("AT+CRSM=176,28421,0,0,0", &["+CRSM: 106,130,\"\""]);
    host.fail("ERROR", &["AT+CRSM=", "AT+CRSM=256"]);
}
