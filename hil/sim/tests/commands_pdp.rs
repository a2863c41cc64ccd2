//! PDP contexts: those of the 3GPP layer, and those of the TCP/IP commands.

mod common;

use common::{Host, family};
use quectel_sim::Config;

#[test]
fn definitions_are_saved() {
    let mut host = Host::family("EC25");
    host.rows(
        "AT+CGDCONT?",
        &["+CGDCONT: 1,\"IP\",\"\",\"0.0.0.0\",0,0,0,0"],
    );
    host.ok(&["AT+CGDCONT=3,\"IPV4V6\",\"internet\"", "AT+CGDCONT=1"]);
    let row = "+CGDCONT: 3,\"IPV4V6\",\"internet\",\"0.0.0.0\",0,0,0,0";
    host.rows("AT+CGDCONT?", &[row]);
    host.power_cycle();
    host.rows("AT+CGDCONT?", &[row]);
    host.rows("AT+CGACT?", &["+CGACT: 3,0"]);
    host.fail(
        "ERROR",
        &[
            "AT+CGDCONT=17,\"IP\",\"a\"",
            "AT+CGDCONT=0",
            "AT+CGDCONT=1,\"TCP\"",
            "AT+CGDCONT=1,IP",
            "AT+CGDCONT",
        ],
    );
    host.rows(
        "AT+CGDCONT=?",
        &[
            "+CGDCONT: (1-16),\"IP\",,,(0-2),(0-4),(0,1),(0,1)",
            "+CGDCONT: (1-16),\"IPV6\",,,(0-2),(0-4),(0,1),(0,1)",
            "+CGDCONT: (1-16),\"IPV4V6\",,,(0-2),(0-4),(0,1),(0,1)",
            "+CGDCONT: (1-16),\"PPP\",,,(0-2),(0-4),(0,1),(0,1)",
        ],
    );
}

#[test]
fn bearers() {
    let mut host = Host::family("EC25");
    host.rows("AT+CGACT=?", &["+CGACT: (0,1)"]);
    host.rows("AT+CGACT?", &["+CGACT: 1,0"]);
    host.ok(&["AT+CGACT=1,1"]);
    host.rows("AT+CGACT?", &["+CGACT: 1,1"]);
    // The TCP/IP commands have a context of their own.
    host.ok(&["AT+QIACT?", "AT+CGACT=0,1"]);
    host.rows("AT+CGACT?", &["+CGACT: 1,0"]);
    host.ok(&["AT+QIACT=1"]);
    host.rows("AT+CGACT?", &["+CGACT: 1,1"]);
    host.talk("AT+CGACT=0,1\r", "\r\nOK\r\n\r\n+QIURC: \"pdpdeact\",1\r\n");
    host.fail("ERROR", &["AT+CGACT=1,17", "AT+CGACT=2,1", "AT+CGACT=1"]);
    host.sim.set_registration(2);
    host.fail("+CME ERROR: 30", &["AT+CGACT=1,1"]);
}

#[test]
fn attach_and_detach() {
    let mut host = Host::family("EC25");
    host.rows("AT+CGATT=?", &["+CGATT: (0,1)"]);
    host.rows("AT+CGATT?", &["+CGATT: 1"]);
    host.ok(&["AT+CGATT=1", "AT+QIACT=1"]);
    host.talk("AT+CGATT=0\r", "\r\nOK\r\n\r\n+QIURC: \"pdpdeact\",1\r\n");
    host.rows("AT+CGATT?", &["+CGATT: 0"]);
    host.ok(&["AT+QIDEACT=1"]);
    host.fail("ERROR", &["AT+QIACT=1"]);
    host.ok(&["AT+CGATT=1", "AT+QIACT=1"]);
    host.fail("ERROR", &["AT+CGATT=2"]);
}

#[test]
fn addresses() {
    let mut host = Host::family("EC25");
    host.rows("AT+CGPADDR=1", &["+CGPADDR: 1,\"0.0.0.0\""]);
    host.ok(&["AT+QICSGP=1,3,\"internet\"", "AT+QIACT=1", "AT+QIACT=2"]);
    let first = "+CGPADDR: 1,\"10.7.157.1\",\"2001:DB8:9D:0:0:0:0:1\"";
    host.rows("AT+CGPADDR", &[first, "+CGPADDR: 2,\"10.7.157.2\""]);
    host.rows("AT+CGPADDR=2,1", &["+CGPADDR: 2,\"10.7.157.2\"", first]);
    host.fail("ERROR", &["AT+CGPADDR=17"]);
    let row = "+CGCONTRDP: 1,5,\"internet\",\"10.7.157.1\",\"\",\"192.0.2.53\",\"192.0.2.54\"";
    host.rows("AT+CGCONTRDP=1", &[row]);
    host.ok(&["AT+CGCONTRDP=3"]);
}

#[test]
fn events_of_the_packet_domain() {
    let mut host = Host::family("EC25");
    host.rows("AT+CGEREP=?", &["+CGEREP: (0-2),(0,1)"]);
    host.rows("AT+CGEREP?", &["+CGEREP: 0,0"]);
    host.ok(&["AT+CGEREP=2,1", "AT+QIACT=1"]);
    host.talk("AT+QIDEACT=1\r", "\r\nOK\r\n\r\n+CGEV: ME PDN DEACT 1\r\n");
    host.ok(&["AT+QIACT=1"]);
    host.sim.add_fault("pdpdeact:1:0s".parse().unwrap());
    host.urc("+CGEV: NW DEACT \"IP\",\"10.7.157.1\",1");
    host.urc("+QIURC: \"pdpdeact\",1");
    host.sim.set_registration(0);
    host.urc("+CGEV: NW DETACH");
    host.fail("ERROR", &["AT+CGEREP=3"]);
}

#[test]
fn settings_of_a_context() {
    let mut host = Host::family("EC25");
    host.rows("AT+QICSGP=1", &["+QICSGP: 1,\"\",\"\",\"\",0"]);
    host.ok(&["AT+QICSGP=1,1,\"apn\""]);
    host.rows("AT+QICSGP=1", &["+QICSGP: 1,\"apn\",\"\",\"\",0"]);
    host.ok(&["AT+QICSGP=1,2,\"apn\",\"user\",\"pwd\""]);
    host.rows("AT+QICSGP=1", &["+QICSGP: 2,\"apn\",\"user\",\"pwd\",0"]);
    host.ok(&["AT+QICSGP=1,3,\"apn\",\"user\", \"pwd\",3"]);
    host.rows("AT+QICSGP=1", &["+QICSGP: 3,\"apn\",\"user\",\"pwd\",3"]);
    host.rows("AT+QICSGP=16", &["+QICSGP: 1,\"\",\"\",\"\",0"]);
    let long = "u".repeat(127);
    host.ok(&[&format!("AT+QICSGP=2,1,\"a\",\"{long}\",\"{long}\",1")]);
    host.fail(
        "ERROR",
        &[
            &format!("AT+QICSGP=2,1,\"a\",\"{long}u\",\"p\",1"),
            "AT+QICSGP=17",
            "AT+QICSGP=0",
            "AT+QICSGP=1,4,\"apn\"",
            "AT+QICSGP=1,1",
            "AT+QICSGP=1,1,\"apn\",\"user\",\"pwd\",4",
            "AT+QICSGP?",
        ],
    );
    host.rows("AT+QIGETERROR", &["+QIGETERROR: 552,invalid parameters"]);
    host.power_cycle();
    host.rows("AT+QICSGP=1", &["+QICSGP: 1,\"\",\"\",\"\",0"]);
    let mut host = Host::family("EC200U");
    host.fail(
        "ERROR",
        &["AT+QICSGP=1,1,\"a\",\"u\",\"p\",3", "AT+QICSGP=8"],
    );
    host.ok(&["AT+QICSGP=7,1,\"a\",\"u\",\"p\",2"]);
}

#[test]
fn activation_of_each_type() {
    let v6 = "2001:DB8:9D:0:0:0:0:1";
    for (name, kind, shown) in [
        ("EC25", 1, "\"10.7.157.1\"".to_owned()),
        ("EC25", 2, format!("\"{v6}\"")),
        ("EC25", 3, format!("\"10.7.157.1\",\"{v6}\"")),
        ("BG96", 2, format!("\"{v6}\"")),
        // It shows one address only.
        ("BG96", 3, "\"10.7.157.1\"".to_owned()),
    ] {
        let mut host = Host::family(name);
        host.ok(&[
            "AT+QIACT?",
            &format!("AT+QICSGP=1,{kind},\"apn\""),
            "AT+QIACT=1",
        ]);
        host.rows("AT+QIACT?", &[&format!("+QIACT: 1,1,{kind},{shown}")]);
    }
}

#[test]
fn no_more_contexts_than_the_module_has() {
    let mut host = Host::family("EC25");
    host.ok(&["AT+QIACT=1", "AT+QIACT=5", "AT+QIACT=16"]);
    host.fail("ERROR", &["AT+QIACT=2"]);
    host.rows(
        "AT+QIGETERROR",
        &["+QIGETERROR: 561,open PDP context failed"],
    );
    host.rows(
        "AT+QIACT?",
        &[
            "+QIACT: 1,1,1,\"10.7.157.1\"",
            "+QIACT: 5,1,1,\"10.7.157.5\"",
            "+QIACT: 16,1,1,\"10.7.157.16\"",
        ],
    );
    host.ok(&["AT+QIDEACT=5", "AT+QIACT=2"]);
}

#[test]
fn a_context_that_is_active_or_inactive_already() {
    let mut host = Host::family("EC25");
    host.ok(&["AT+QIDEACT=1", "AT+QIACT=1", "AT+QIACT=1"]);
    let mut host = Host::family("BG95");
    host.ok(&["AT+QIDEACT=1", "AT+QIACT=1"]);
    host.fail("ERROR", &["AT+QIACT=1"]);
    host.rows("AT+QIACT?", &["+QIACT: 1,1,1,\"10.7.157.1\""]);
    let mut config = Config::default();
    config.profile.deactivate_again_fails = true;
    Host::quiet(config).fail("ERROR", &["AT+QIDEACT=1"]);
}

#[test]
fn contexts_that_activate_themselves() {
    let mut host = Host::family("EC200U");
    host.fail("ERROR", &["AT+QIACT=1"]);
    let row = "+QIACT: 1,1,3,\"10.7.157.1\",\"2001:DB8:9D:0:0:0:0:1\"";
    host.rows("AT+QIACT?", &[row]);
    let mut host = Host::family("EG800K");
    host.rows("AT+QIACT?", &["+QIACT: 1,1,1,\"10.7.157.1\""]);
    let mut host = Host::family("BC660K");
    host.rows("AT+CGPADDR=0", &["+CGPADDR: 0,\"10.7.157.1\""]);
    // What it does not have it does not know.
    host.fail("ERROR", &["AT+QIACT?", "AT+QICSGP=0"]);
}

#[test]
fn a_new_type_is_for_the_next_activation() {
    let mut host = Host::family("EC200U");
    host.ok(&["AT+QICSGP=1,1,\"internet\""]);
    let both = "1,1,3,\"10.7.157.1\",\"2001:DB8:9D:0:0:0:0:1\"";
    host.rows("AT+QIACT?", &[&format!("+QIACT: {both}")]);
    host.ok(&["AT+QIDEACT=1", "AT+QIACT=1"]);
    host.rows("AT+QIACT?", &["+QIACT: 1,1,1,\"10.7.157.1\""]);
}

#[test]
fn the_last_error_is_that_of_the_last_tcpip_command() {
    let mut host = Host::family("EC25");
    host.fail("ERROR", &["AT+QIACT=99", "AT+QIRD=0"]);
    host.rows("AT+QIGETERROR", &["+QIGETERROR: 572,operation not allowed"]);
    host.rows("AT+CFUN?", &["+CFUN: 1"]);
    host.rows("AT+QIGETERROR", &["+QIGETERROR: 572,operation not allowed"]);
    host.ok(&["AT+QISTATE"]);
    host.rows("AT+QIGETERROR", &["+QIGETERROR: 0,operate successfully"]);
}

#[test]
fn what_the_network_took_away_has_to_be_deactivated() {
    let mut host = Host::family("EC25");
    host.ok(&["AT+QIACT=1"]);
    host.sim.add_fault("pdpdeact:1:0s".parse().unwrap());
    host.urc("+QIURC: \"pdpdeact\",1");
    host.ok(&["AT+QIACT?"]);
    host.fail("ERROR", &["AT+QIACT=1"]);
    host.rows(
        "AT+QIGETERROR",
        &["+QIGETERROR: 570,PDP context broken down"],
    );
    host.ok(&["AT+QIDEACT=1", "AT+QIACT=1"]);
}

#[test]
fn activation_that_is_told_by_a_urc() {
    let mut config = family("EC25");
    config.cellular.denied_apns.push("wrong".into());
    let mut host = Host::quiet(config);
    host.ok(&["AT+QIACTEX?", "AT+QIACTEX=1"]);
    host.ok(&["AT"]);
    host.urc("+QIACTEX: 1,0,1,\"10.7.157.1\"");
    host.rows("AT+QIACTEX?", &["+QIACTEX: 1,1,1,\"10.7.157.1\""]);
    host.ok(&["AT+QIACTEX=2,0"]);
    host.urc("+QIACTEX: 2,0");
    host.ok(&["AT+QICSGP=3,1,\"wrong\"", "AT+QIACTEX=3,1"]);
    host.urc("+QIACTEX: 3,561");
    host.ok(&["AT+QIDEACTEX=1"]);
    host.urc("+QIDEACTEX: 1,0");
    host.rows("AT+QIACT?", &["+QIACT: 2,1,1,\"10.7.157.2\""]);
    host.fail(
        "ERROR",
        &["AT+QIACTEX=17", "AT+QIACTEX=1,2", "AT+QIDEACTEX"],
    );
    Host::family("BG96").fail("ERROR", &["AT+QIACTEX=1"]);
}

#[test]
fn activation_takes_its_time_and_blocks_the_port() {
    let mut host = Host::family("EC25");
    let begin = host.sim.now();
    host.send("AT+QIACT=1\rAT\r");
    host.silence(490_000);
    host.expect("\r\nOK\r\n\r\nOK\r\n");
    // It waits for registration, but not for ever.
    host.ok(&["AT+QIDEACT=1"]);
    host.sim.set_registration(2);
    let begin = host.sim.now().max(begin);
    host.fail("ERROR", &["AT+QIACT=1"]);
    let took = host.sim.now() - begin;
    assert!((150_000_000..150_100_000).contains(&took), "{took}");
}

#[test]
fn sockets_go_with_their_context() {
    let mut host = Host::connected(Config::default(), |sim| {
        sim.serve("192.0.2.7:7".parse().unwrap(), || quectel_sim::Sink);
    });
    host.ok(&["AT+QIDEACT=1", "AT+QISTATE?"]);
    host.fail("ERROR", &["AT+QIRD=0"]);
}

#[test]
fn name_servers_of_a_context() {
    let mut host = Host::family("EC25");
    host.rows(
        "AT+QIDNSCFG=1",
        &["+QIDNSCFG: 1,\"192.0.2.53\",\"192.0.2.54\""],
    );
    host.ok(&["AT+QIDNSCFG=1,\"198.51.100.1\",\"198.51.100.2\""]);
    host.rows(
        "AT+QIDNSCFG=1",
        &["+QIDNSCFG: 1,\"198.51.100.1\",\"198.51.100.2\""],
    );
    host.fail(
        "ERROR",
        &["AT+QIDNSCFG=1,\"name\"", "AT+QIDNSCFG=17", "AT+QIDNSCFG?"],
    );
    let mut host = Host::family("EC200U");
    host.rows(
        "AT+QIDNSCFG=1",
        &["+QIDNSCFG: 1,\"192.0.2.53\",\"192.0.2.54\""],
    );
    host.fail(
        "ERROR",
        &["AT+QIDNSCFG=2", "AT+QIDNSCFG=2,\"198.51.100.1\""],
    );
    host.rows(
        "AT+QIGETERROR",
        &["+QIGETERROR: 561,open PDP context failed"],
    );
}
