//! What real modules of the other families have sent, from `tests/transcripts/`,
//! through the framer and the parsers. Direct push
//! (`+QIURC: "recv",<id>,<n>` with its payload) is not supported: T11 stops
//! before it, T38 and T39 leave it out.

#[macro_use]
mod bench;

use std::net::SocketAddr;

use bench::{
    Bench, ERROR, OK, SEND_FAIL, SEND_OK, parsed,
    replay::{NOTICE, RECV, SIM_READY, cme, connected, contexts, open, refused, urc, v4},
};
use quectel_at_commands::{
    Expect,
    Token::{DatagramHeader, Echo, Header, Info, Payload, Prompt, Unknown},
    Trailer, Urc,
    dns::Resolve,
    general::{Identify, SetErrorFormat},
    network::{GetEpsRegistration, Registration},
    pdp::{ActivateContext, ActiveContext, GetActiveContexts},
    tcp::{
        Close, GetSocket, GetSockets, ModuleState, QuotedAddress, ReadData, ReadDatagram, RowType,
        Send, SendTo, SocketRow,
    },
    text::HostName,
};

#[test]
fn t10_ec200u_context_with_two_addresses() {
    let row = b"+QIACT: 1,1,3,\"10.46.0.1\",\"2001:DB8:1023:1B1B:18BE:A0EA:AEA9:AB47\"";
    transcript!("t10-ec200u-ati-cpin-qiact")
        .asks(&Identify {})
        .hears(
            b"\r\nQuectel\r\nEC200U\r\nRevision: EC200UCNAAR03A15M08\r\n\r\nOK\r\n",
            &[
                Info(b"Quectel"),
                Info(b"EC200U"),
                Info(b"Revision: EC200UCNAAR03A15M08"),
                OK,
            ],
        )
        .asks(&GetEpsRegistration {})
        .hears(b"\r\n+CEREG: 0,1\r\n\r\nOK\r\n", &[Info(b"+CEREG: 0,1"), OK])
        .asks(&GetActiveContexts {})
        .hears(
            b"\r\n+QIACT: 1,1,3,\"10.46.0.1\",\"2001:DB8:1023:1B1B:18BE:A0EA:AEA9:AB47\"\r\n\r\nOK\r\n",
            &[Info(row), OK],
        )
        .expect(b"AT+QGPSLOC=2\r", Expect::lines("+QGPSLOC:"))
        .hears(b"\r\n+CME ERROR: 516\r\n", &[cme(516)]);

    assert_eq!(
        parsed(&GetEpsRegistration {}, b"+CEREG: 0,1"),
        Ok(Registration(1))
    );
    let context = ActiveContext {
        context: 1,
        active: true,
        address: Some(v4(10, 46, 0, 1)),
    };
    assert_eq!(parsed(&GetActiveContexts {}, row), contexts(&[context]));
}

#[test]
fn t11_ec200u_resolves_and_opens() {
    let name = HostName::new("203.0.113.11").expect("a name");
    transcript!("t11-ec200u-tcp-push")
        .asks(&Resolve { context: 1, name })
        .hears(b"\r\nOK\r\n", &[OK])
        .hears(
            b"\r\n+QIURC: \"dnsgip\",0,1,0\r\n",
            &[urc(Urc::DnsCount { count: 1, ttl: 0 })],
        )
        .hears(
            b"\r\n+QIURC: \"dnsgip\",\"203.0.113.11\"\r\n",
            &[urc(Urc::DnsAddress(v4(203, 0, 113, 11)))],
        )
        .asks(&open(0, v4(203, 0, 113, 11), 42605))
        .hears(b"\r\nOK\r\n", &[OK])
        .hears(b"\r\n+QIOPEN: 0,0\r\n", &[connected(0)])
        .asks(&Send { id: 0, len: 147 })
        .hears(b"\r\n> ", &[Prompt])
        .hears(b"\r\nSEND OK\r\n", &[SEND_OK]);
}

#[test]
fn t13_ec200a_listens() {
    let row = b"+QISTATE: 0,\"TCP LISTENER\",\"192.0.2.10\",0,8080,3,1,0,0,\"usbat\"";
    transcript!("t13-ec200a-tcp-listener")
        .expect(
            b"AT+QIOPEN=1,0,\"TCP LISTENER\",\"127.0.0.1\",0,8080,0\r",
            Expect::CODE,
        )
        .hears(b"\r\nOK\r\n", &[OK])
        .hears(b"\r\n+QIOPEN: 0,0\r\n", &[connected(0)])
        .asks(&GetSocket { query: 1, id: 0 })
        .hears(
            b"\r\n+QISTATE: 0,\"TCP LISTENER\",\"192.0.2.10\",0,8080,3,1,0,0,\"usbat\"\r\n\r\nOK\r\n",
            &[Info(row), OK],
        )
        .hears(
            b"\r\n+QIURC: \"incoming\",11,0,\"198.51.100.7\",62060\r\n",
            &[urc(Urc::Incoming {
                id: 11,
                server: 0,
                remote: SocketAddr::new(v4(198, 51, 100, 7), 62060),
            })],
        )
        .hears(b"\r\n+QIURC: \"recv\",11\r\n", &[urc(Urc::Received { id: 11 })])
        .asks(&ReadData { id: 11, len: 64 })
        .hears(
            b"\r\n+QIRD: 16\r\nHELLO-FROM-WAN\r\n\r\n\r\nOK\r\n",
            &[Header(16), Payload(b"HELLO-FROM-WAN\r\n"), OK],
        );

    assert_eq!(
        SocketRow::parse(row),
        Some(SocketRow {
            id: 0,
            kind: RowType::Listener,
            remote_port: 0,
            local_port: 8080,
            state: ModuleState::Listening,
            context: 1,
            address: Some(v4(192, 0, 2, 10)),
            server: None,
        })
    );
}

#[test]
fn t14_ec2x_echoes_the_payload_of_a_send() {
    let row = b"+QISTATE: 0,\"TCP\",\"192.0.2.20\",9966,9437,2,1,0,0,\"uart1\"";
    transcript!("t14-ec2x-buffer-varlen")
        .hears(b"\r\n+QIURC: \"recv\",0\r\n", &[RECV])
        .asks(&GetSocket { query: 1, id: 0 })
        .hears(
            b"\r\n+QISTATE: 0,\"TCP\",\"192.0.2.20\",9966,9437,2,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
            &[Info(row), OK],
        )
        .asks(&Send { id: 0, len: 20 })
        .hears(b"\r\n> ", &[Prompt])
        .hears(
            b"zeynepten gelen veri\r\nSEND OK\r\n",
            &[Unknown(b"zeynepten gelen veri"), SEND_OK],
        )
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(
            b"\r\n+QIRD: 39\r\nzehradan gelen verizeynepten gelen veri\r\n\r\nOK\r\n",
            &[
                Header(39),
                Payload(b"zehradan gelen verizeynepten gelen veri"),
                OK,
            ],
        );
    let row = SocketRow::parse(row).expect("a row");
    assert_eq!((row.state, row.local_port), (ModuleState::Connected, 9437));
}

#[test]
fn t15_ec2x_resolves_and_lists_udp() {
    let row = b"+QISTATE: 0,\"UDP SERVICE\",\"192.0.2.30\",7,3030,2,1,0,0,\"usbat\"";
    let name = HostName::new("echo.u-blox.com").expect("a name");
    let echo = SocketAddr::new(v4(203, 0, 113, 15), 7);
    transcript!("t15-ec2x-udp-service")
        .asks(&GetSockets {})
        .hears(
            b"\r\n+QISTATE: 0,\"UDP SERVICE\",\"192.0.2.30\",7,3030,2,1,0,0,\"usbat\"\r\n\r\nOK\r\n",
            &[Info(row), OK],
        )
        .asks(&Resolve { context: 1, name })
        .hears(b"\r\nOK\r\n", &[OK])
        .hears(
            b"\r\n+QIURC: \"dnsgip\",0,1,300\r\n",
            &[urc(Urc::DnsCount { count: 1, ttl: 300 })],
        )
        .hears(
            b"\r\n+QIURC: \"dnsgip\",\"203.0.113.15\"\r\n",
            &[urc(Urc::DnsAddress(v4(203, 0, 113, 15)))],
        )
        .asks(&SendTo {
            id: 0,
            len: 14,
            remote: QuotedAddress(echo.ip()),
            remote_port: echo.port(),
        })
        .hears(b"\r\n> ", &[Prompt])
        .hears(
            b"echo teste 001\r\nSEND OK\r\n",
            &[Unknown(b"echo teste 001"), SEND_OK],
        )
        .hears(b"\r\n+QIURC: \"recv\",0\r\n", &[RECV])
        .asks(&ReadDatagram { id: 0 })
        .hears(
            b"\r\n+QIRD: 14,\"203.0.113.15\",7\r\necho teste 001\r\n\r\nOK\r\n",
            &[DatagramHeader(14, echo), Payload(b"echo teste 001"), OK],
        );
    let row = SocketRow::parse(row).expect("a row");
    assert_eq!((row.kind, row.local_port), (RowType::Other, 3030));
}

#[test]
fn t21_eg800k_refuses_and_then_claims_an_address() {
    let row = b"+QIACT: 1,1,1,\"10.187.7.8\"";
    transcript!("t21-eg800k-pdp-drift")
        .asks(&ActivateContext { context: 1 })
        .hears(b"\r\nERROR\r\n", &[ERROR])
        .expect(b"AT+QIGETERROR\r", Expect::lines("+QIGETERROR:"))
        .hears(
            b"\r\n+QIGETERROR: 572,operation not allowed\r\n\r\nOK\r\n",
            &[Info(b"+QIGETERROR: 572,operation not allowed"), OK],
        )
        .expect(b"AT+CGACT=1,1\r", Expect::CODE)
        .hears(b"\r\n+CME ERROR: 100\r\n", &[cme(100)])
        .expect(b"AT+CGACT?\r", Expect::lines("+CGACT:"))
        .hears(
            b"\r\n+CGACT: 1,0\r\n+CGACT: 9,1\r\n\r\nOK\r\n",
            &[Info(b"+CGACT: 1,0"), Info(b"+CGACT: 9,1"), OK],
        )
        .asks(&ActivateContext { context: 1 })
        .hears(b"\r\nOK\r\n", &[OK])
        .asks(&GetActiveContexts {})
        .hears(
            b"\r\n+QIACT: 1,1,1,\"10.187.7.8\"\r\n\r\nOK\r\n",
            &[Info(row), OK],
        )
        .expect(b"AT+QPING=1,\"8.8.8.8\",4,4\r", Expect::CODE)
        .hears(b"\r\nOK\r\n", &[OK])
        .hears(b"\r\n+QPING: 559\r\n", &[Unknown(b"+QPING: 559")]);
    assert_eq!(
        ActiveContext::parse(row).and_then(|row| row.address),
        Some(v4(10, 187, 7, 8))
    );
}

#[test]
fn t23_ec25_loses_its_context_after_a_ping() {
    transcript!("t23-qping-561-569")
        .hears(
            b"\r\n+QPING: 0,4,4,0,56,73,66\r\n",
            &[Unknown(b"+QPING: 0,4,4,0,56,73,66")],
        )
        .hears(
            b"\r\n+QIURC: \"pdpdeact\",1\r\n",
            &[urc(Urc::ContextLost { context: 1 })],
        );
}

#[test]
fn t26_ec200_prints_the_local_port_it_was_asked_for() {
    let row = b"+QISTATE: 0,\"TCP\",\"203.0.113.14\",59969,0,2,1,0,1,\"uart1\"";
    transcript!("t26-ec20x-qistate-lport0")
        .asks(&ActivateContext { context: 1 })
        .hears(b"\r\nERROR\r\n", &[ERROR])
        .asks(&GetActiveContexts {})
        .hears(
            b"\r\n+QIACT: 1,1,1,\"10.89.179.111\"\r\n\r\nOK\r\n",
            &[Info(b"+QIACT: 1,1,1,\"10.89.179.111\""), OK],
        )
        .asks(&open(0, v4(203, 0, 113, 14), 59969))
        .hears(b"\r\nOK\r\n", &[OK])
        .hears(b"\r\n+QIOPEN: 0,0\r\n", &[connected(0)])
        .asks(&Send { id: 0, len: 5 })
        .hears(b"\r\n> ", &[Prompt])
        .hears(b"\r\nSEND OK\r\n", &[SEND_OK])
        .asks(&GetSocket { query: 1, id: 0 })
        .hears(
            b"\r\n+QISTATE: 0,\"TCP\",\"203.0.113.14\",59969,0,2,1,0,1,\"uart1\"\r\n\r\nOK\r\n",
            &[Info(row), OK],
        )
        .asks(&Close { id: 0, timeout: 10 })
        .hears(b"\r\nOK\r\n", &[OK]);
    let row = SocketRow::parse(row).expect("a row");
    assert_eq!((row.remote_port, row.local_port), (59969, 0));
}

#[test]
fn t27_ec21_is_polled() {
    let mut ec21 = transcript!("t27-ec21-wio-qird-poll");
    for _ in 0..100 {
        ec21.asks(&ReadData { id: 0, len: 1500 })
            .hears(b"\r\n+QIRD: 0\r\n\r\nOK\r\n", &[Header(0), OK]);
    }
    let nothing = parsed(&ReadData { id: 0, len: 1500 }, b"+QIRD: 0").expect("no data");
    assert!(nothing.0.is_empty());
}

#[test]
fn t29_ec25_refuses_an_unknown_command() {
    // The transcript gives the first answer in hex.
    Bench::new(Trailer::BlankLine)
        .expect(b"AT+MODE=2\r", Expect::CODE)
        .hears(
            &[
                0x41, 0x54, 0x2b, 0x4d, 0x4f, 0x44, 0x45, 0x3d, 0x32, 0x0d, 0x0d, 0x0a, 0x45, 0x52,
                0x52, 0x4f, 0x52, 0x0d, 0x0a,
            ],
            &[Echo, ERROR],
        );
    transcript!("t29-ec25-gammu-raw")
        .asks(&SetErrorFormat { format: 1 })
        .hears(b"AT+CMEE=1\r\r\nOK\r\n", &[Echo, OK]);
}

#[test]
fn t35_ec25_takes_its_radio_down_and_up() {
    // Typed in lower case, without echo.
    transcript!("t35-ec25-cfun-cycle")
        .expect(b"at\r", Expect::CODE)
        .hears(b"\r\nERROR\r\n", &[ERROR])
        .expect(b"at+cfun=1\r", Expect::CODE)
        .hears(b"\r\nOK\r\n", &[OK])
        .hears(b"\r\n+CPIN: READY\r\n", &[SIM_READY])
        .hears(b"\r\n+QUSIM: 1\r\n", &[NOTICE])
        .hears(b"\r\n+QIND: SMS DONE\r\n", &[NOTICE])
        .hears(b"\r\n+QIND: PB DONE\r\n", &[NOTICE])
        .asks(&GetActiveContexts {})
        .hears(b"\r\nOK\r\n", &[OK]);
}

#[test]
fn t38_bc25_has_rows_of_eight_fields() {
    let row = b"+QISTATE: 0,\"TCP\",\"1.2.3.4\",80,0,2,1,1";
    transcript!("t38-bc25-firmware-formats")
        .asks(&GetSocket { query: 1, id: 0 })
        .hears(
            b"\r\n+QISTATE: 0,\"TCP\",\"1.2.3.4\",80,0,2,1,1\r\n\r\nOK\r\n",
            &[Info(row), OK],
        )
        .asks(&ReadData { id: 0, len: 1024 })
        .hears(
            b"\r\n+QIRD: 5\r\nhello\r\n\r\nOK\r\n",
            &[Header(5), Payload(b"hello"), OK],
        )
        .hears(
            b"\r\n+QIURC: \"closed\",0\r\n",
            &[urc(Urc::Closed { id: 0 })],
        )
        .hears(b"\r\n+QIURC: \"recv\",0\r\n", &[RECV])
        .hears(b"\r\n+QIURC: \"recv\",0,25\r\n", &[RECV])
        .hears(b"\r\n+QIURC: \"recv\",0,\"buff full\"\r\n", &[RECV])
        .hears(
            b"\r\n+QIURC: \"incoming\",3,0,\"1.2.3.4\",5678\r\n",
            &[urc(Urc::Incoming {
                id: 3,
                server: 0,
                remote: SocketAddr::new(v4(1, 2, 3, 4), 5678),
            })],
        )
        .hears(
            b"\r\n+QIURC: \"incoming full\"\r\n",
            &[urc(Urc::IncomingFull)],
        )
        .hears(b"\r\nCLOSE OK\r\n", &[Unknown(b"CLOSE OK")])
        // `OK` comes first and ends nothing.
        .asks(&Send { id: 0, len: 5 })
        .hears_unrecorded(b"\r\n> ", &[Prompt])
        .hears(b"\r\nOK\r\n\r\nSEND OK\r\n", &[Unknown(b"OK"), SEND_OK])
        .asks(&Send { id: 0, len: 5 })
        .hears_unrecorded(b"\r\n> ", &[Prompt])
        .hears(b"\r\nSEND FAIL\r\n", &[SEND_FAIL]);
    assert_eq!(
        SocketRow::parse(row),
        Some(SocketRow {
            id: 0,
            kind: RowType::Client,
            remote_port: 80,
            local_port: 0,
            state: ModuleState::Connected,
            context: 1,
            address: SocketRow::parse(row).and_then(|row| row.address),
            server: None,
        })
    );
}

#[test]
fn t39_a_clone_writes_no_blank_line_behind_the_payload() {
    transcript!("t39-clone-firmware-formats", Trailer::NoBlankLine)
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(
            b"\r\n+QIRD: 5\r\nhello\r\nOK\r\n",
            &[Header(5), Payload(b"hello"), OK],
        )
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(b"\r\n+QIRD: 0\r\n\r\nOK\r\n", &[Header(0), OK])
        .hears(b"\r\n+QIURC: \"recv\",0\r\n", &[RECV])
        .hears(
            b"\r\n+QIURC: \"closed\",0\r\n",
            &[urc(Urc::Closed { id: 0 })],
        )
        .asks(&open(0, v4(1, 2, 3, 4), 80))
        .hears(b"\r\nOK\r\n\r\n+QIOPEN: 0,563\r\n", &[OK, refused(0, 563)])
        .asks(&open(0, v4(1, 2, 3, 4), 80))
        .hears(b"\r\nOK\r\n\r\n+QIOPEN: 0,568\r\n", &[OK, refused(0, 568)])
        .hears(
            b"\r\n+QIURC: \"dnsgip\",0,1\r\n",
            &[urc(Urc::DnsCount { count: 1, ttl: 0 })],
        )
        .hears(
            b"\r\n+QIURC: \"dnsgip\",\"93.184.216.34\"\r\n",
            &[urc(Urc::DnsAddress(v4(93, 184, 216, 34)))],
        );
}

#[test]
fn t39_rows_are_separated_by_one_line_end() {
    // The transcript leaves the fields out ("..."); these are T14's.
    let first = b"+QISTATE: 0,\"TCP\",\"192.0.2.20\",9966,9437,2,1,0,0,\"uart1\"";
    let second = b"+QISTATE: 1,\"TCP\",\"192.0.2.20\",9966,9438,4,1,1,0,\"uart1\"";
    let rows = [&first[..], b"\r\n", second].concat();
    Bench::new(Trailer::NoBlankLine).asks(&GetSockets {}).hears(
        &[b"\r\n", &rows[..], b"\r\n\r\nOK\r\n"].concat(),
        &[Info(first), Info(second), OK],
    );
    let sockets = parsed(&GetSockets {}, &rows).expect("rows");
    let short = sockets
        .0
        .iter()
        .map(|row| (row.id, row.local_port, row.state));
    assert_eq!(
        short.collect::<Vec<_>>(),
        [
            (0, 9437, ModuleState::Connected),
            (1, 9438, ModuleState::Closing)
        ]
    );
}

#[test]
fn t42_ec25_open_and_its_result_in_one_read() {
    transcript!("t42-stm32-qiopen-one-read")
        .asks(&open(0, v4(192, 0, 2, 1), 80))
        .hears(b"\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n", &[OK, connected(0)])
        .asks(&open(0, v4(192, 0, 2, 1), 80))
        .hears(b"\r\nOK\r\n\r\n+QIOPEN: 0,563\r\n", &[OK, refused(0, 563)]);
}
