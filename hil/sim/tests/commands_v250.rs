//! The commands of V.250, the serial line's settings, error reporting and the port of URCs.

mod common;

use common::Host;
use quectel_sim::{Config, SimCard};

#[test]
fn the_echo_is_the_line_with_its_cr() {
    let mut host = Host::new(Config::default());
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    host.talk("at+csq\r", "at+csq\r\r\n+CSQ: 22,99\r\n\r\nOK\r\n");
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT\r", "\r\nOK\r\n");
    host.talk("ATE1\r", "\r\nOK\r\n");
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    host.talk("ATE2\r", "ATE2\r\r\nERROR\r\n");
}

#[test]
fn commands_in_a_chain() {
    let mut host = Host::family("EC25");
    host.talk("AT&FZE0\r", "\r\nOK\r\n");
    host.talk(
        "ATE0+CFUN?;&W;+IPR?\r",
        "\r\n+CFUN: 1\r\n\r\n+IPR: 115200\r\n\r\nOK\r\n",
    );
    host.talk("AT+CMEE=0;+CMEE=7;+CMEE=2\r", "\r\nERROR\r\n");
    host.talk("AT+CMEE?\r", "\r\n+CMEE: 0\r\n\r\nOK\r\n");
    // Only the error of the first command that fails.
    host.talk("AT+CMEE=1;+CLCK=\"XX\",2;+NOPE\r", "\r\n+CME ERROR: 4\r\n");
    host.talk("AT;\r", "\r\nOK\r\n");
}

#[test]
fn a_slash_repeats_the_last_line() {
    let mut host = Host::family("EC25");
    host.talk("A/", "\r\nOK\r\n");
    host.talk("AT+CMEE?\r", "\r\n+CMEE: 1\r\n\r\nOK\r\n");
    host.talk("A/", "\r\n+CMEE: 1\r\n\r\nOK\r\n");
    host.talk("a/", "\r\n+CMEE: 1\r\n\r\nOK\r\n");
    host.talk("ATE1\r", "\r\nOK\r\n");
    host.talk("A/", "A/\r\nOK\r\n");
}

#[test]
fn the_four_forms() {
    let mut host = Host::family("EC25");
    host.talk("AT+CMEE=?\r", "\r\n+CMEE: (0-2)\r\n\r\nOK\r\n");
    host.talk("AT+CMEE?\r", "\r\n+CMEE: 1\r\n\r\nOK\r\n");
    host.talk("AT+CMEE=1\r", "\r\nOK\r\n");
    host.talk("AT+CMEE\r", "\r\nERROR\r\n");
    // A command without a list says with the test form that it exists.
    host.talk("AT+QIDEACT=?\r", "\r\nOK\r\n");
    host.talk("AT+QIDEACT?\r", "\r\nERROR\r\n");
    host.talk("AT+NOPE=?\r", "\r\nERROR\r\n");
}

#[test]
fn blanks_and_gaps() {
    let mut host = Host::family("EC25");
    host.talk("AT +CMEE? \r", "\r\n+CMEE: 1\r\n\r\nOK\r\n");
    host.talk("AT+QICSGP= 1, 1 ,\"a b\" , \"\",\"\" , 0\r", "\r\nOK\r\n");
    host.talk(
        "AT+QICSGP=1\r",
        "\r\n+QICSGP: 1,\"a b\",\"\",\"\",0\r\n\r\nOK\r\n",
    );
    for line in [
        "AT+CM EE?",
        "AT+CMEE ?",
        "AT+CMEE=1 2",
        "AT+QICSGP=1,,\"apn\"",
        "AT+CMEE=",
    ] {
        host.talk(format!("{line}\r"), "\r\nERROR\r\n");
    }
}

#[test]
fn numbers_for_words() {
    let mut host = Host::family("EC25");
    host.talk("ATV0\r", "0\r");
    host.talk(
        "ATI\r",
        "Quectel\r\nEC25\r\nRevision: EC25EFAR06A06M4G\r\n0\r",
    );
    host.talk("AT+NOPE\r", "4\r");
    host.talk("AT+QIACT=1\r", "0\r");
    host.talk("ATO\r", "3\r");
    host.talk("ATV1\r", "\r\nOK\r\n");
}

#[test]
fn no_result_codes() {
    let mut host = Host::family("EC25");
    host.send("ATQ1\r");
    host.silence(1_000_000);
    host.talk("AT+CSQ\r", "\r\n+CSQ: 22,99\r\n");
    host.send("AT+NOPE\r");
    host.silence(1_000_000);
    host.talk("ATQ0\r", "\r\nOK\r\n");
}

#[test]
fn other_line_ends() {
    let mut host = Host::family("EC25");
    host.talk("ATS3?\r", "\r\n013\r\n\r\nOK\r\n");
    host.talk("ATS4?\r", "\r\n010\r\n\r\nOK\r\n");
    host.talk("ATS5?\r", "\r\n008\r\n\r\nOK\r\n");
    host.talk("ATS4=33\r", "\r!OK\r!");
    host.talk("ATS3=36\r", "$!OK$!");
    host.talk("AT+CSQ$", "$!+CSQ: 22,99$!$!OK$!");
    host.talk("ATS3=128$", "$!ERROR$!");
    host.talk("AT&F$", "\r\nOK\r\n");
    host.talk("AT\r", "AT\r\r\nOK\r\n");
}

#[test]
fn what_is_shown_of_the_settings() {
    let mut host = Host::family("EC25");
    host.talk(
        "AT&V\r",
        concat!(
            "\r\n&C: 1\r\n&D: 2\r\n&F: 0\r\n&W: 0\r\nE: 0\r\nQ: 0\r\nV: 1\r\nX: 4\r\nZ: 0\r\n",
            "S0: 0\r\nS3: 13\r\nS4: 10\r\nS5: 8\r\nS6: 2\r\nS7: 0\r\nS8: 2\r\nS10: 15\r\nS12: 50\r\n",
            "\r\nOK\r\n"
        ),
    );
}

/// Each setting: how it is set, how it reads then, how it reads at first, and whether `AT&W` stores it.
const STORED: &[(&str, &str, &str, &str, bool)] = &[
    (
        "AT+CREG=2",
        "AT+CREG?",
        "+CREG: 2,1,\"5650\",\"29A7DF4\",7",
        "+CREG: 0,1",
        true,
    ),
    (
        "AT+CGREG=1",
        "AT+CGREG?",
        "+CGREG: 1,1",
        "+CGREG: 0,1",
        true,
    ),
    (
        "AT+CEREG=1",
        "AT+CEREG?",
        "+CEREG: 1,1",
        "+CEREG: 0,1",
        true,
    ),
    ("ATS0=3", "ATS0?", "003", "000", true),
    ("ATS7=60", "ATS7?", "060", "000", true),
    ("ATS10=20", "ATS10?", "020", "015", true),
    ("ATS12=70", "ATS12?", "070", "050", true),
    ("ATS5=9", "ATS5?", "009", "008", false),
    ("AT+CMEE=2", "AT+CMEE?", "+CMEE: 2", "+CMEE: 1", false),
    (
        "AT+CSCS=\"UCS2\"",
        "AT+CSCS?",
        "+CSCS: \"UCS2\"",
        "+CSCS: \"GSM\"",
        false,
    ),
    (
        "AT+CGEREP=2,1",
        "AT+CGEREP?",
        "+CGEREP: 2,1",
        "+CGEREP: 0,0",
        false,
    ),
    ("AT+QISDE=0", "AT+QISDE?", "+QISDE: 0", "+QISDE: 1", false),
    (
        "AT+QICFG=\"viewmode\",1",
        "AT+QICFG=\"viewmode\"",
        "+QICFG: \"viewmode\",1",
        "+QICFG: \"viewmode\",0",
        false,
    ),
];

#[test]
fn what_and_w_stores_survives_a_power_cycle_and_nothing_else() {
    let mut host = Host::family("EC25");
    for (set, ask, set_reads, _, _) in STORED {
        host.talk(format!("{set}\r"), "\r\nOK\r\n");
        host.talk(format!("{ask}\r"), format!("\r\n{set_reads}\r\n\r\nOK\r\n"));
    }
    host.talk("AT&W\r", "\r\nOK\r\n");
    host.sim.power_off();
    host.sim.power_on();
    host.sim.run_until(host.sim.now() + 30_000_000);
    host.forget();
    // The echo was off when it was stored.
    host.talk("AT\r", "\r\nOK\r\n");
    for (_, ask, set_reads, first, stored) in STORED {
        let reads = if *stored { set_reads } else { first };
        host.talk(format!("{ask}\r"), format!("\r\n{reads}\r\n\r\nOK\r\n"));
    }
    host.talk("AT&F\r", "\r\nOK\r\n");
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    for (_, ask, _, first, _) in STORED {
        host.talk(format!("{ask}\r"), format!("\r\n{first}\r\n\r\nOK\r\n"));
    }
}

#[test]
fn without_and_w_a_power_cycle_loses_everything() {
    let mut host = Host::family("EC25");
    for (set, ..) in STORED {
        host.talk(format!("{set}\r"), "\r\nOK\r\n");
    }
    host.power_cycle();
    for (_, ask, _, first, _) in STORED {
        host.talk(format!("{ask}\r"), format!("\r\n{first}\r\n\r\nOK\r\n"));
    }
}

#[test]
fn z_brings_back_what_was_stored() {
    let mut host = Host::family("EC25");
    host.talk("AT+CEREG=1;&W\r", "\r\nOK\r\n");
    host.talk("AT+CEREG=0;S0=5;+CMEE=2\r", "\r\nOK\r\n");
    host.talk("ATZ\r", "\r\nOK\r\n");
    host.talk(
        "AT+CEREG?;+CMEE?;S0?\r",
        "\r\n+CEREG: 1,1\r\n\r\n+CMEE: 1\r\n\r\n000\r\n\r\nOK\r\n",
    );
    host.talk("ATZ1\r", "\r\nERROR\r\n");
}

#[test]
fn factory_settings_also_undo_what_is_kept_by_itself() {
    let mut host = Host::family("EC25");
    host.talk("AT+CTZR=1;+CTZU=3\r", "\r\nOK\r\n");
    host.talk("AT&F;E0\r", "\r\nOK\r\n");
    host.talk("AT+CTZR?\r", "\r\n+CTZR: 0\r\n\r\nOK\r\n");
    host.talk("AT+CTZU?\r", "\r\n+CTZU: 3\r\n\r\nOK\r\n");
}

#[test]
fn the_speed_of_the_line() {
    let mut host = Host::family("EC25");
    host.talk(
        "AT+IPR=?\r",
        concat!(
            "\r\n+IPR: (),(4800,9600,19200,38400,57600,115200,230400,460800,921600,2900000,",
            "3000000,3200000,3686400,4000000)\r\n\r\nOK\r\n"
        ),
    );
    host.talk("AT+IPR=12345\r", "\r\nERROR\r\n");
    host.talk("AT+IPR?\r", "\r\n+IPR: 115200\r\n\r\nOK\r\n");
    host.talk("AT+IPR=115200\r", "\r\nOK\r\n");
}

#[test]
fn flow_control_and_character_framing() {
    let mut host = Host::family("EC25");
    host.talk("AT+IFC=?\r", "\r\n+IFC: (0,2),(0,2)\r\n\r\nOK\r\n");
    host.talk("AT+IFC?\r", "\r\n+IFC: 0,0\r\n\r\nOK\r\n");
    host.talk("AT+IFC=2,2\r", "\r\nOK\r\n");
    host.talk("AT+IFC?\r", "\r\n+IFC: 2,2\r\n\r\nOK\r\n");
    host.talk("AT+IFC=1,1\r", "\r\nERROR\r\n");
    host.talk("AT+ICF?\r", "\r\n+ICF: 3,3\r\n\r\nOK\r\n");
    host.talk("AT&C1;&D1;X4;H\r", "\r\nOK\r\n");
    host.talk("AT&D3\r", "\r\nERROR\r\n");
}

#[test]
fn errors_as_a_word_a_number_and_a_text() {
    let mut host = Host::new(Config {
        sim_card: SimCard::Absent,
        ..Config::default()
    });
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    for (cmee, answer) in [
        (0, "\r\nERROR\r\n"),
        (1, "\r\n+CME ERROR: 10\r\n"),
        (2, "\r\n+CME ERROR: SIM not inserted\r\n"),
    ] {
        host.talk(format!("AT+CMEE={cmee}\r"), "\r\nOK\r\n");
        host.talk("AT+CPIN?\r", answer);
        // TCP/IP commands, and unknown ones, are above that.
        host.talk("AT+QIRD=0\r", "\r\nERROR\r\n");
        host.talk("AT+NOPE\r", "\r\nERROR\r\n");
    }
    host.sim.profile_mut().unknown_command = Some(58);
    host.talk("AT+NOPE\r", "\r\n+CME ERROR: 58\r\n");
    host.sim.profile_mut().unknown_command = Some(100);
    host.talk("AT+NOPE\r", "\r\n+CME ERROR: unknown\r\n");
    host.talk("AT+CMEE=0\r", "\r\nOK\r\n");
    host.talk("AT+NOPE\r", "\r\nERROR\r\n");
}

#[test]
fn tcpip_errors_of_a_bc660k_have_numbers() {
    let mut host = Host::family("BC660K");
    host.talk("AT+QIRD=0,5\r", "\r\n+CME ERROR: 572\r\n");
    host.talk("AT+CMEE=0\r", "\r\nOK\r\n");
    host.talk("AT+QIRD=0,5\r", "\r\nERROR\r\n");
    host.talk("AT+CMEE=2\r", "\r\nOK\r\n");
    host.talk("AT+QIRD=0,5\r", "\r\n+CME ERROR: operation not allowed\r\n");
}

#[test]
fn the_port_of_urcs() {
    let mut host = Host::family("EC25");
    host.talk(
        "AT+QURCCFG=?\r",
        "\r\n+QURCCFG: \"urcport\",(\"usbat\",\"usbmodem\",\"uart1\",\"uart2\",\"all\")\r\n\r\nOK\r\n",
    );
    host.talk("AT+QURCCFG=\"urcport\",\"usbmodem\"\r", "\r\nOK\r\n");
    host.sim.send_urc("+CEREG: 1");
    host.silence(1_000_000);
    // It is kept at once, and a start is silent.
    host.sim.reset();
    host.silence(60_000_000);
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk(
        "AT+QURCCFG=\"urcport\"\r",
        "\r\n+QURCCFG: \"urcport\",\"usbmodem\"\r\n\r\nOK\r\n",
    );
    host.talk("AT+QURCCFG=\"urcport\",\"all\"\r", "\r\nOK\r\n");
    host.sim.send_urc("+CEREG: 1");
    host.expect("\r\n+CEREG: 1\r\n");
    host.talk("AT+QURCCFG=\"urcport\",\"uart3\"\r", "\r\nERROR\r\n");
    for (name, ports) in [
        ("BG95", "\"usbat\",\"usbmodem\",\"uart1\""),
        (
            "EC200U",
            "\"usbat\",\"usbmodem\",\"usbnmea\",\"uart1\",\"uart2\",\"uart3\",\"all\"",
        ),
    ] {
        let rows = format!("\r\n+QURCCFG: \"urcport\",({ports})\r\n\r\nOK\r\n");
        Host::family(name).talk("AT+QURCCFG=?\r", rows);
    }
}
