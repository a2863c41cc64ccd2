//! Options of the module and of its sockets, and what they change, family by family.

mod common;

use common::{Host, family};
use quectel_sim::{Config, Echo, EscapeAnswer, Prompt, Rows, Sink, Source, Then};

fn server() -> std::net::SocketAddr {
    "192.0.2.7:7".parse().unwrap()
}

/// A module with a connection on id 0.
fn connected(config: Config, mode: u8) -> Host {
    let context = config.profile.first_context;
    let mut host = Host::quiet(config);
    host.sim.serve(server(), || Echo);
    host.send(format!("AT+QISDE=0\rAT+QIACT={context}\r"));
    host.sim.run_until(host.sim.now() + 2_000_000);
    host.forget();
    let open = format!("AT+QIOPEN={context},0,\"TCP\",\"192.0.2.7\",7,0,{mode}");
    host.ok(&[&open]);
    host.urc("+QIOPEN: 0,0");
    host
}

#[test]
fn configurations_as_they_are_at_first() {
    for (name, rows) in [
        (
            "EC25",
            &[
                "\"nwscanmode\",0",
                "\"nwscanseq\",0403020105",
                "\"band\",93,1e0b9f38df,3f",
                "\"servicedomain\",2",
                "\"roamservice\",255",
                "\"urc/ri/other\",\"pulse\",120,1",
                "\"risignaltype\",\"respective\"",
                "\"usbcfg\",0x2C7C,0x0125,1,1,1,1,1,0,0",
                "\"cmux/urcport\",0",
                "\"airplanecontrol\",0",
            ][..],
        ),
        (
            "BG96",
            &[
                "\"nwscanmode\",0",
                "\"nwscanseq\",00",
                "\"iotopmode\",2",
                "\"band\",0xf,0x80084,0x80084",
                "\"psm/urc\",0",
                "\"celevel\",0",
            ],
        ),
        ("EC200U", &["\"nwscanmode\",0", "\"usbnet\",0"]),
        ("EG800K", &["\"urc/cache\",0"]),
    ] {
        let mut host = Host::family(name);
        for row in rows {
            let end = row[1..].find('"').unwrap() + 2;
            let ask = format!("AT+QCFG={}", &row[..end]);
            host.rows(&ask, &[&format!("+QCFG: {row}")]);
        }
    }
}

#[test]
fn configurations_are_saved() {
    let mut host = Host::family("BG96");
    host.ok(&[
        "AT+QCFG=\"band\",f,0X400A0E189F,0xa0e189f,1",
        "AT+QCFG=\"nwscanseq\",02,1",
        "AT+QCFG=\"iotopmode\",0,1",
        "AT+QCFG=\"NWSCANMODE\",3",
        "AT+QCFG=\"urc/ri/other\",\"off\"",
    ]);
    host.fail(
        "ERROR",
        &[
            "AT+QCFG=\"nwscanmode\",2",
            "AT+QCFG=\"nwscanmode\",3,2",
            "AT+QCFG=\"band\",g,1,1",
            "AT+QCFG=\"iotopmode\",3",
            "AT+QCFG=\"urc/ri/other\",\"on\"",
            "AT+QCFG=\"usbcfg\"",
            "AT+QCFG?",
            "AT+QCFG",
        ],
    );
    host.power_cycle();
    host.rows(
        "AT+QCFG=\"band\"",
        &["+QCFG: \"band\",0xf,0x400a0e189f,0xa0e189f"],
    );
    host.rows("AT+QCFG=\"nwscanseq\"", &["+QCFG: \"nwscanseq\",02"]);
    host.rows("AT+QCFG=\"iotopmode\"", &["+QCFG: \"iotopmode\",0"]);
    host.rows("AT+QCFG=\"nwscanmode\"", &["+QCFG: \"nwscanmode\",3"]);
    host.rows(
        "AT+QCFG=\"urc/ri/other\"",
        &["+QCFG: \"urc/ri/other\",\"off\",120,1"],
    );
}

#[test]
fn urcs_are_held_back_where_that_can_be_asked_for() {
    let mut host = Host::family("EG800K");
    host.ok(&[
        "AT+QURCCFG=\"urcport\",\"uart1\"",
        "AT+QCFG=\"urc/cache\",1",
    ]);
    host.sim.send_urc("+CEREG: 2");
    host.sim.send_urc("+CEREG: 1");
    host.silence(5_000_000);
    host.talk(
        "AT+QCFG=\"urc/cache\",0\r",
        "\r\nOK\r\n\r\n+CEREG: 2\r\n\r\n+CEREG: 1\r\n",
    );
    Host::family("EC25").fail("ERROR", &["AT+QCFG=\"urc/cache\",1"]);
}

#[test]
fn only_so_many_urcs_are_held_back() {
    let mut host = Host::family("EG800K");
    host.ok(&[
        "AT+QURCCFG=\"urcport\",\"uart1\"",
        "AT+QCFG=\"urc/cache\",1",
    ]);
    for _ in 0..1_100 {
        host.sim.send_urc("X");
    }
    let all = "\r\nX\r\n".repeat(1_000);
    host.talk("AT+QCFG=\"urc/cache\",0\r", format!("\r\nOK\r\n{all}"));
    host.silence(1_000_000);
}

#[test]
fn socket_options_of_the_newer_families() {
    for (name, rows) in [
        (
            "EC200U",
            &[
                "\"tcp/retranscfg\",8,6",
                "\"qisend/timeout\",5",
                "\"tcp/keepalive\",0",
                "\"close/mode\",0",
                "\"sendinfo\",0",
                "\"formatcfg\",0",
                "\"send/auto\",0",
                "\"recv/ignore\",0",
                "\"pdp/retry\",1,0,4,8",
            ][..],
        ),
        (
            "EG800K",
            &[
                "\"tcp/retranscfg\",12,600",
                "\"send/buffersize\",10240",
                "\"TCP/SendMode\",0",
                "\"wakeup/data\",0",
            ],
        ),
        (
            "BC660K",
            &["\"dataformat\",0,0", "\"showlength\",0", "\"open_time\",36"],
        ),
    ] {
        let mut host = Host::family(name);
        for row in rows {
            let end = row[1..].find('"').unwrap() + 2;
            let ask = format!("AT+QICFG={}", &row[..end]);
            host.rows(&ask, &[&format!("+QICFG: {row}")]);
        }
    }
    let mut host = Host::family("EC200U");
    host.ok(&[
        "AT+QICFG=\"pdp/retry\",0,1",
        "AT+QICFG=\"pdp/retry\",1,0,2,10",
    ]);
    host.rows(
        "AT+QICFG=\"pdp/retry\"",
        &["+QICFG: \"pdp/retry\",1,0,2,10"],
    );
    host.fail(
        "ERROR",
        &["AT+QICFG=\"pdp/retry\",1,0,5,10", "AT+QICFG=\"showlength\""],
    );
    host.power_cycle();
    host.rows("AT+QICFG=\"pdp/retry\"", &["+QICFG: \"pdp/retry\",1,0,4,8"]);
}

#[test]
fn send_ok_may_wait_for_the_peer() {
    let mut host = connected(family("EG800K"), 0);
    host.sim.link_mut().delay_us = 500_000;
    host.talk("AT+QISEND=0,2\r", "\r\n> ");
    let begin = host.sim.now();
    host.talk("hi", "\r\nSEND OK\r\n");
    assert!(host.sim.now() - begin < 100_000);
    host.sim.run_until(begin + 3_000_000);
    host.forget();
    host.ok(&["AT+QICFG=\"tcp/sendmode\",1"]);
    host.talk("AT+QISEND=0,2\r", "\r\n> ");
    let begin = host.sim.now();
    host.send("hi");
    host.silence(900_000);
    host.run_while(|sim| sim.readable() == 0);
    assert!(host.sim.now() - begin >= 1_000_000);
    host.expect("\r\nSEND OK\r\n");
}

#[test]
fn lengths_in_the_urcs_of_a_bc660k() {
    let mut host = connected(family("BC660K"), 0);
    host.ok(&["AT+QICFG=\"showlength\",1"]);
    host.talk("AT+QISEND=0,5\r", "\r\n> ");
    host.talk("hello", "\r\nOK\r\n\r\nSEND OK\r\n");
    host.urc("+QIURC: \"recv\",0,5");
    host.talk("AT+QIRD=0,2\r", "\r\n+QIRD: 2,3\r\nhe\r\n\r\nOK\r\n");
    host.talk("AT+QIRD=0,9\r", "\r\n+QIRD: 3,0\r\nllo\r\n\r\nOK\r\n");
}

#[test]
fn hexadecimal_payload_of_each_family() {
    let mut host = connected(family("BG95"), 1);
    for command in ["AT+QISENDEX=0,\"6869\"", "AT+QISENDEX=0,\"6869\",1"] {
        host.talk(format!("{command}\r"), "\r\nSEND OK\r\n");
        host.expect("\r\n+QIURC: \"recv\",0,2\r\nhi\r\n");
    }
    host.fail(
        "ERROR",
        &["AT+QISENDEX=0,\"6869\",3", "AT+QISENDEX=0,\"686\""],
    );
    let mut host = connected(family("EC25"), 1);
    host.fail(
        "ERROR",
        &["AT+QISENDEX=0,\"6869\",1", "AT+QISENDEX=0,2,\"6869\""],
    );
    let mut host = connected(family("BC660K"), 1);
    host.talk("AT+QISENDEX=0,2,\"6869\"\r", "\r\nOK\r\n\r\nSEND OK\r\n");
    host.expect("\r\n+QIURC: \"recv\",0,2,\"hi\"\r\n");
}

#[test]
fn payload_of_nothing() {
    let mut host = connected(family("BC660K"), 1);
    host.talk("AT+QISEND=0\r", "\r\n> ");
    host.talk("\x1a", "\r\nSEND FAIL\r\n");
    let mut host = connected(family("EC25"), 1);
    host.talk("AT+QISEND=0\r", "\r\n> ");
    host.talk("\x1a", "\r\nSEND OK\r\n");
}

#[test]
fn closing_what_is_not_open() {
    let mut host = Host::family("EC25");
    host.ok(&["AT+QICLOSE=0", "AT+QICLOSE=11,0"]);
    host.sim.profile_mut().close_unknown_fails = true;
    host.fail("ERROR", &["AT+QICLOSE=0"]);
    host.rows(
        "AT+QIGETERROR",
        &["+QIGETERROR: 567,socket has been closed"],
    );
    host.talk("AT\r", "\r\nOK\r\n");
    let mut host = Host::family("BC660K");
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n\r\nCLOSE OK\r\n");
}

#[test]
fn rows_that_show_a_socket_as_its_own_server() {
    let mut config = family("EC25");
    config.profile.own_server_id = true;
    let mut host = Host::ready(config);
    host.sim.serve(server(), || Sink);
    host.ok(&["AT+QIOPEN=1,4,\"TCP\",\"192.0.2.7\",7,5000,0"]);
    host.urc("+QIOPEN: 4,0");
    let row = "+QISTATE: 4,\"TCP\",\"192.0.2.7\",7,5000,2,1,4,0,\"uart1\"";
    host.rows("AT+QISTATE=1,4", &[row]);
}

#[test]
fn a_bc660k_from_open_to_close() {
    let mut config = family("BC660K");
    config.profile.escape = EscapeAnswer::OkSendOk;
    let mut host = Host::quiet(config);
    host.sim
        .serve(server(), || Source::new(*b"hello", Then::Keep));
    // Pushed unless told otherwise, in quotes.
    host.ok(&["AT+QIOPEN=0,4,\"TCP\",\"192.0.2.7\",7,5000"]);
    host.urc("+QIOPEN: 4,0");
    host.urc("+QIURC: \"recv\",4,5,\"hello\"");
    host.talk(
        "AT+QISTATE?\r",
        "\r\n+QISTATE: 4,\"TCP\",\"192.0.2.7\",7,5000,2,0,1\r\n\r\nOK\r\n",
    );
    host.talk("AT+QISEND=4,2,\"hi\"\r", "\r\nOK\r\n\r\nSEND OK\r\n");
    host.talk("AT+QISEND=4,2,\"hi\",1\r", "\r\nOK\r\n\r\nSEND OK\r\n");
    host.talk("AT+QICLOSE=4\r", "\r\nOK\r\n\r\nCLOSE OK\r\n");
    // No servers, no transparent mode, no more than 1024 bytes.
    for (line, error) in [
        ("AT+QIOPEN=0,0,\"TCP LISTENER\",\"127.0.0.1\",0,80,0", 555),
        ("AT+QIOPEN=0,0,\"UDP SERVICE\",\"127.0.0.1\",0,80,0", 555),
        ("AT+QIOPEN=0,0,\"TCP\",\"192.0.2.7\",7,0,2", 552),
        ("AT+QIOPEN=0,5,\"TCP\",\"192.0.2.7\",7", 552),
        ("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7", 552),
        ("AT+QISEND=4,1025", 552),
    ] {
        host.fail(&format!("+CME ERROR: {error}"), &[line]);
    }
}

#[test]
fn every_prompt() {
    for (prompt, bytes) in [
        (Prompt::Blank, "\r\n> "),
        (Prompt::Bare, "\r\n>"),
        (Prompt::Line, "\r\n>\r\n"),
    ] {
        let mut config = family("EC25");
        config.profile.prompt = prompt;
        let mut host = connected(config, 1);
        host.talk("AT+QISEND=0,2\r", bytes);
        host.silence(1_000_000);
        host.talk("hi", "\r\nSEND OK\r\n\r\n+QIURC: \"recv\",0,2\r\nhi\r\n");
    }
    let mut host = connected(family("EC200U"), 1);
    host.ok(&["AT+QICFG=\"formatcfg\",1"]);
    host.talk("AT+QISEND=0,2\r", "\r\n>\r\n");
}

#[test]
fn rows_of_eight_ten_and_eleven_fields() {
    for (rows, row) in [
        (
            Rows::Short,
            "+QISTATE: 4,\"TCP\",\"192.0.2.7\",7,5000,2,1,0",
        ),
        (
            Rows::Full,
            "+QISTATE: 4,\"TCP\",\"192.0.2.7\",7,5000,2,1,0,0,\"uart1\"",
        ),
        (
            Rows::Longer,
            "+QISTATE: 4,\"TCP\",\"192.0.2.7\",7,5000,2,1,0,0,\"uart1\",0",
        ),
    ] {
        let mut config = family("EC25");
        config.profile.rows = rows;
        let mut host = Host::ready(config);
        host.sim.serve(server(), || Sink);
        host.ok(&["AT+QIOPEN=1,4,\"TCP\",\"192.0.2.7\",7,5000,0"]);
        host.urc("+QIOPEN: 4,0");
        host.rows("AT+QISTATE=1,4", &[row]);
    }
}

#[test]
fn escape_within_a_payload_of_given_length() {
    let mut host = connected(family("EC25"), 1);
    host.talk("AT+QISEND=0,3\r", "\r\n> ");
    host.talk(
        "a\x1bb",
        "\r\nSEND OK\r\n\r\n+QIURC: \"recv\",0,3\r\na\x1bb\r\n",
    );
    host.sim.profile_mut().escape_ends_fixed = true;
    host.talk("AT+QISEND=0,3\r", "\r\n> ");
    host.talk("a\x1b", "\r\nOK\r\n");
    host.rows("AT+QIGETERROR", &["+QIGETERROR: 571,cancel send"]);
    // Ctrl-Z is none of that, and the length still counts.
    host.talk("AT+QISEND=0,3\r", "\r\n> ");
    host.talk("a\x1abAT\r", "\r\nSEND OK\r\n\r\nOK\r\n");
    host.expect("\r\n+QIURC: \"recv\",0,3\r\na\x1ab\r\n");
}

#[test]
fn payload_without_length_that_is_as_long_as_can_be() {
    let mut host = connected(family("BC660K"), 1);
    host.talk("AT+QISEND=0\r", "\r\n> ");
    host.talk([b'x'; 1_023], "");
    host.silence(5_000_000);
    host.talk("x", "\r\nOK\r\n\r\nSEND OK\r\n");
    let pushed = format!("\r\n+QIURC: \"recv\",0,1024,\"{}\"\r\n", "x".repeat(1_024));
    host.expect(pushed);
}

#[test]
fn errors_behind_the_payload_have_numbers_where_all_have() {
    for (tcpip_cme, answer) in [(false, "ERROR"), (true, "+CME ERROR: 567")] {
        let mut config = family("EC25");
        config.profile.tcpip_cme = tcpip_cme;
        let mut host = connected(config, 0);
        host.silence(1_000_000);
        host.talk("AT+QISEND=0,2\r", "\r\n> ");
        assert!(host.sim.with_peer(server(), |io| io.abort()).is_some());
        host.silence(1_000_000);
        host.talk(
            "hi",
            format!("\r\n+QIURC: \"closed\",0\r\n\r\n{answer}\r\n"),
        );
    }
}
