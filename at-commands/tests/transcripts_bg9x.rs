//! What real BG96 and BG95 modules have sent, from `tests/transcripts/`,
//! through the framer and the parsers. T41 stops before its direct
//! push, which is not supported.

#[macro_use]
mod bench;

use bench::{
    ERROR, OK, SEND_OK, bytes, parsed,
    replay::{NOTICE, READY, RECV, SIM_READY, cme, connected, contexts, open, refused, urc, v4},
};
use quectel_at_commands::{
    Expect, TcpIpError,
    Token::{Echo, Header, Info, Payload, Prompt, Unknown},
    Urc,
    general::{Attention, EchoOff, Identify, SerialNumber, SetErrorFormat},
    network::{Domain, GetEpsRegistration, GetPacketRegistration, Registration},
    pdp::{ActivateContext, ActiveContext, GetActiveContexts},
    settings::SetPayloadEcho,
    sim::{GetSimState, SimState},
    tcp::{
        Close, GetSendCounters, GetSocket, ModuleState, ReadData, RowType, Send, SendCounters,
        SocketRow,
    },
};

#[test]
fn t01_bg96_starts_with_echo_on() {
    let mut bg96 = transcript!("t01-bg96-ewf-init");
    bg96.asks(&Attention {})
        .hears(b"AT\r\r\nOK\r\n", &[Echo, OK])
        .asks(&EchoOff {})
        .hears(b"ATE0\r\r\nOK\r\n", &[Echo, OK])
        .asks(&Attention {})
        .hears(b"\r\nOK\r\n", &[OK])
        .asks(&SetErrorFormat { format: 1 })
        .hears(b"\r\nOK\r\n", &[OK])
        .asks(&SetPayloadEcho { echo: 0 })
        .hears(b"\r\nOK\r\n", &[OK])
        .asks(&GetSimState {})
        .hears(
            b"\r\n+CPIN: READY\r\n\r\nOK\r\n",
            &[Info(b"+CPIN: READY"), OK],
        )
        .expect(b"AT+CFUN?\r", Expect::lines("+CFUN:"))
        .hears(b"\r\n+CFUN: 1\r\n\r\nOK\r\n", &[Info(b"+CFUN: 1"), OK])
        .expect(b"AT+QICSGP=1\r", Expect::lines("+QICSGP:"))
        .hears(
            b"\r\n+QICSGP: 1,\"\",\"\",\"\",0\r\n\r\nOK\r\n",
            &[Info(b"+QICSGP: 1,\"\",\"\",\"\",0"), OK],
        )
        .asks(&GetActiveContexts {})
        .hears(b"\r\nOK\r\n", &[OK])
        .asks(&ActivateContext { context: 1 })
        .hears(b"\r\nOK\r\n", &[OK])
        .asks(&GetActiveContexts {})
        .hears(
            b"\r\n+QIACT: 1,1,1,\"10.XXX.YYY.160\"\r\n\r\nOK\r\n",
            &[Info(b"+QIACT: 1,1,1,\"10.XXX.YYY.160\""), OK],
        )
        .asks(&Close { id: 0, timeout: 10 })
        .hears(b"\r\nOK\r\n", &[OK]);

    assert_eq!(
        parsed(&GetSimState {}, b"+CPIN: READY"),
        Ok(SimState::Ready)
    );
    assert_eq!(parsed(&GetActiveContexts {}, b""), contexts(&[]));
    // The address is blotted out in the transcript, so it cannot be read.
    let row = ActiveContext {
        context: 1,
        active: true,
        address: None,
    };
    assert_eq!(
        parsed(
            &GetActiveContexts {},
            b"+QIACT: 1,1,1,\"10.XXX.YYY.160\"\r\n"
        ),
        contexts(&[row])
    );
}

#[test]
fn t02_bg96_reads_and_sends() {
    let mut bg96 = transcript!("t02-bg96-st-qird-qisend");
    let (long, short) = (bytes(1500), bytes(519));
    bg96.asks(&ReadData { id: 1, len: 1500 })
        .hears_payload(
            [b"\r\n+QIRD: 1500\r\n", b"\r\n\r\nOK\r\n"],
            &long,
            &[Header(1500), Payload(&long), OK],
        )
        .expect(b"AT+QIRD=1,0\r", Expect::lines("+QIRD:"))
        .hears(
            b"\r\n+QIRD: 3524,3005,519\r\n\r\nOK\r\n",
            &[Info(b"+QIRD: 3524,3005,519"), OK],
        )
        .asks(&ReadData { id: 1, len: 519 })
        .hears_payload(
            [b"\r\n+QIRD: 519\r\n", b"\r\n\r\nOK\r\n"],
            &short,
            &[Header(519), Payload(&short), OK],
        )
        .asks(&Send { id: 1, len: 12 })
        .hears(b"\r\n> ", &[Prompt])
        .hears(b"\r\nSEND OK\r\n", &[SEND_OK]);

    let reply = [b"+QIRD: 519\r\n".as_slice(), &short].concat();
    let received = parsed(&ReadData { id: 1, len: 519 }, &reply).expect("data");
    assert_eq!(received.0.as_slice(), short);
}

#[test]
fn t03_bg96_reports_listening_for_a_live_client() {
    let mut bg96 = transcript!("t03-bg96-tinygsm-qistate3");
    let row = b"+QISTATE: 0,\"TCP\",\"203.0.113.10\",1883,22742,3,1,0,0,\"uart1\"";
    bg96.asks(&open(0, v4(203, 0, 113, 10), 1883))
        .hears(b"\r\nOK\r\n", &[OK])
        .hears(b"\r\n+QIOPEN: 0,0\r\n", &[connected(0)])
        .asks(&Send { id: 0, len: 83 })
        .hears(b"\r\n> ", &[Prompt])
        .hears(b"\r\nSEND OK\r\n", &[SEND_OK])
        .expect(b"AT+QIRD=0,0\r", Expect::lines("+QIRD:"))
        .hears(
            b"\r\n+QIRD: 0,0,0\r\n\r\nOK\r\n",
            &[Info(b"+QIRD: 0,0,0"), OK],
        )
        .asks(&GetSocket { query: 1, id: 0 })
        .hears(
            b"\r\n+QISTATE: 0,\"TCP\",\"203.0.113.10\",1883,22742,3,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
            &[Info(row), OK],
        )
        .hears(b"\r\n+QIURC: \"recv\",0\r\n", &[RECV])
        .asks(&ReadData { id: 0, len: 4 })
        .hears_payload(
            [b"\r\n+QIRD: 4\r\n", b"\r\n\r\nOK\r\n"],
            b"\x20\x02\x00\x00",
            &[Header(4), Payload(b"\x20\x02\x00\x00"), OK],
        )
        .asks(&Close { id: 0, timeout: 10 })
        .hears(b"\r\nOK\r\n", &[OK])
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(b"\r\nERROR\r\n", &[ERROR])
        .asks(&GetSocket { query: 1, id: 0 })
        .hears(b"\r\nOK\r\n", &[OK]);

    let sockets = parsed(&GetSocket { query: 1, id: 0 }, row).expect("a row");
    assert_eq!(
        sockets.0.as_slice(),
        [SocketRow {
            id: 0,
            kind: RowType::Client,
            remote_port: 1883,
            local_port: 22742,
            state: ModuleState::Listening,
            context: 1,
            address: Some("203.0.113.10".parse().expect("an address")),
            server: None,
        }]
    );
    let none = parsed(&GetSocket { query: 1, id: 0 }, b"").expect("no row");
    assert!(none.0.is_empty());
}

#[test]
fn t04_bg96_restarts() {
    transcript!("t04-bg96-cfun11-reset")
        .expect(b"AT+CFUN=1,1\r", Expect::CODE)
        .hears(b"AT+CFUN=1,1\r\r\nOK\r\n", &[Echo, OK])
        .hears(b"\r\nPOWERED DOWN\r\n", &[urc(Urc::PoweredDown)])
        .asks(&Attention {})
        .hears(
            b"\r\n\r\n+QIURC: \"pdpdeact\",1\r\n",
            &[urc(Urc::ContextLost { context: 1 })],
        )
        .hears(b"\r\nRDY\r\n", &[READY])
        .asks(&Attention {})
        .hears(b"AT\r\r\nOK\r\n", &[Echo, OK])
        .expect(b"AT&FZE0\r", Expect::CODE)
        .hears(b"AT&FZE0\r\r\nOK\r\n", &[Echo, OK])
        .asks(&GetSimState {})
        .hears(
            b"\r\n+CPIN: READY\r\n\r\nOK\r\n",
            &[Info(b"+CPIN: READY"), OK],
        );
}

#[test]
fn t05_bg96_cuts_a_line_before_its_end() {
    let mut bg96 = transcript!("t05-bg96-mbed-csq-cgreg");
    bg96.expect(b"AT+CSQ\r", Expect::lines("+CSQ:"))
        .hears(b"\r\n+CSQ: 15,3\r\n\r\nOK\r\n", &[Info(b"+CSQ: 15,3"), OK])
        .asks(&GetPacketRegistration {})
        .hears(b"\r\n+CGREG: 2,1,\"5650\",\"29A7DF4\",2", &[])
        .hears(
            b"\r\n\r\nOK\r\n",
            &[Info(b"+CGREG: 2,1,\"5650\",\"29A7DF4\",2"), OK],
        );
    assert_eq!(
        parsed(
            &GetPacketRegistration {},
            b"+CGREG: 2,1,\"5650\",\"29A7DF4\",2"
        ),
        Ok(Registration(1))
    );
}

#[test]
fn t06_bg96_payload_of_anything() {
    // "1500 bytes incl. NUL, CR, LF, ',' and '"'"
    let mut payload = bytes(1480);
    payload.extend(b"\0\r\n,\"\r\nOK\r\n+QIURC:,");
    payload.resize(1500, b'\n');
    let mut bg96 = transcript!("t06-bg96-mbed-qird-nolen");
    bg96.hears(b"\r\n+QIURC: \"recv\",0\r\n", &[RECV])
        .asks(&ReadData { id: 0, len: 1500 })
        .hears_payload(
            [b"\r\n+QIRD: 1500\r\n", b"\r\n\r\nOK\r\n"],
            &payload,
            &[Header(1500), Payload(&payload), OK],
        );
}

#[test]
fn t07_bg96_without_an_imei() {
    let mut bg96 = transcript!("t07-bg96-forum-cme23");
    bg96.hears(b"\r\nRDY\r\n", &[READY])
        .hears(b"\r\nAPP RDY\r\n", &[READY])
        .asks(&Identify {})
        .hears(
            b"\r\nQuectel\r\nBG96\r\nRevision: BG96MAR02A07M1G\r\n\r\nOK\r\n",
            &[
                Info(b"Quectel"),
                Info(b"BG96"),
                Info(b"Revision: BG96MAR02A07M1G"),
                OK,
            ],
        )
        .expect(b"AT+QGMR\r", Expect::TEXT)
        .hears(
            b"\r\nBG96MAR02A07M1G_01.019.01.019\r\n\r\nOK\r\n",
            &[Info(b"BG96MAR02A07M1G_01.019.01.019"), OK],
        )
        .asks(&SerialNumber {})
        .hears(b"\r\n+CME ERROR: 23\r\n", &[cme(23)])
        .expect(b"AT+CFUN=1\r", Expect::CODE)
        .hears(b"\r\n+CME ERROR: 0\r\n", &[cme(0)]);

    let text = parsed(
        &Identify {},
        b"Quectel\r\nBG96\r\nRevision: BG96MAR02A07M1G",
    );
    assert_eq!(
        text.expect("text").0,
        "Quectel\r\nBG96\r\nRevision: BG96MAR02A07M1G"
    );
}

#[test]
fn t08_bg96_initialises_its_sim_twice() {
    transcript!("t08-bg96-boot-dup-urcs")
        .hears(b"\r\nRDY\r\n", &[READY])
        .hears(b"\r\n+CFUN: 1\r\n", &[urc(Urc::Functionality(1))])
        .hears(b"\r\nAPP RDY\r\n", &[READY])
        .hears(b"\r\n+CPIN: READY\r\n", &[SIM_READY])
        .hears(b"\r\n+QUSIM: 1\r\n", &[NOTICE])
        .hears(b"\r\n+QIND: SMS DONE\r\n", &[NOTICE])
        .hears(b"\r\n+CPIN: READY\r\n", &[SIM_READY])
        .hears(b"\r\n+QUSIM: 1\r\n", &[NOTICE])
        .hears(b"\r\n+QIND: SMS DONE\r\n", &[NOTICE]);
}

#[test]
fn t09_bg96_urc_between_command_and_prompt() {
    // The payload of AT+QMTPUB is answered by OK, which ends no QISEND.
    transcript!("t09-bg96-ewf-urc-before-prompt")
        .asks(&Send { id: 0, len: 18 })
        .hears(
            b"\r\n+QMTRECV: 0,0,\"$iothub/methods/POST/...\",26,\"\"2022-10-27T22:00:00.000Z\"\"\r\n\r\n",
            &[Unknown(
                b"+QMTRECV: 0,0,\"$iothub/methods/POST/...\",26,\"\"2022-10-27T22:00:00.000Z\"\"",
            )],
        )
        .hears(b"\r\n> ", &[Prompt])
        .hears(b"\r\nOK\r\n", &[Unknown(b"OK")])
        .hears(b"\r\n", &[])
        .hears(b"+QMTPUB: 0,0,0\r\n", &[Unknown(b"+QMTPUB: 0,0,0")]);
}

#[test]
fn t30_bg95_boots_late() {
    transcript!("t30-bg95-zephyr-late-boot")
        .asks(&EchoOff {})
        .hears(b"\r\nRDY\r\n", &[READY])
        .release()
        .expect(b"AT+CSQ\r", Expect::lines("+CSQ:"))
        .hears(
            b"\r\n+CSQ: 99,99\r\n\r\nOK\r\n",
            &[Info(b"+CSQ: 99,99"), OK],
        )
        .asks(&GetEpsRegistration {})
        .hears(
            b"\r\n+CEREG: 0,1\r\n\r\nOK\r\n",
            &[Info(b"+CEREG: 0,1"), OK],
        )
        .asks(&GetPacketRegistration {})
        .hears(
            b"\r\n+CGREG: 1,4\r\n\r\nOK\r\n",
            &[Info(b"+CGREG: 1,4"), OK],
        );
    assert_eq!(
        parsed(&GetPacketRegistration {}, b"+CGREG: 1,4"),
        Ok(Registration(4))
    );
    assert_eq!(
        Registration::parse_answer(b"+CEREG: 0,1", Domain::Eps),
        Some(Registration(1))
    );
}

#[test]
fn t34_bg95_counts_what_was_acknowledged() {
    transcript!("t34-bg95-manual-sendstats")
        .asks(&Send { id: 0, len: 4 })
        .hears(b"\r\n> ", &[Prompt])
        .hears(b"\r\nSEND OK\r\n", &[SEND_OK])
        .asks(&GetSendCounters { id: 0, zero: 0 })
        .hears(
            b"\r\n+QISEND: 9,9,0\r\n\r\nOK\r\n",
            &[Info(b"+QISEND: 9,9,0"), OK],
        )
        .asks(&GetSendCounters { id: 0, zero: 0 })
        .hears(
            b"\r\n+QISEND: 14,14,0\r\n\r\nOK\r\n",
            &[Info(b"+QISEND: 14,14,0"), OK],
        )
        .hears(b"\r\n+QIURC: \"recv\",0\r\n", &[RECV])
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(
            b"\r\n+QIRD: 5\r\ntest1\r\n\r\nOK\r\n",
            &[Header(5), Payload(b"test1"), OK],
        )
        .asks(&ReadData { id: 0, len: 1500 })
        .hears(b"\r\n+QIRD: 0\r\n\r\nOK\r\n", &[Header(0), OK]);
    assert_eq!(
        parsed(&GetSendCounters { id: 0, zero: 0 }, b"+QISEND: 14,14,0"),
        Ok(SendCounters {
            total: 14,
            acked: 14,
            unacked: 0
        })
    );
}

#[test]
fn t40_bg95_still_holds_a_socket() {
    transcript!("t40-bg95-qiopen-563-warm")
        .asks(&open(0, v4(192, 0, 2, 1), 1234))
        .hears(b"\r\nOK\r\n", &[OK])
        .hears(b"\r\n+QIOPEN: 0,563\r\n", &[refused(0, 563)])
        .asks(&Close { id: 0, timeout: 10 })
        .hears(b"\r\nOK\r\n", &[OK])
        .asks(&open(0, v4(192, 0, 2, 1), 1234))
        .hears(b"\r\nOK\r\n", &[OK])
        .hears(b"\r\n+QIOPEN: 0,0\r\n", &[connected(0)]);
    assert_eq!(TcpIpError(563), TcpIpError::ID_IN_USE);
}

#[test]
fn t41_bg9x_echoes_payload_and_commands() {
    transcript!("t41-bg9x-finamon-payload-echo")
        .asks(&Send { id: 0, len: 13 })
        .hears(b"> ", &[Prompt])
        .hears(
            b"Hello Finamon\r\nSEND OK\r\n",
            &[Unknown(b"Hello Finamon"), SEND_OK],
        )
        .expect(b"AT+QCSQ\r", Expect::lines("+QCSQ:"))
        .hears(
            b"AT+QCSQ\r\r\n+QCSQ: \"eMTC\",-57,-77,225,-7\r\n\r\nOK\r\n",
            &[Echo, Info(b"+QCSQ: \"eMTC\",-57,-77,225,-7"), OK],
        )
        .expect(b"AT+GSN\r", Expect::TEXT)
        .hears(
            b"AT+GSN\r\r\n866349040000000\r\n\r\nOK\r\n",
            &[Echo, Info(b"866349040000000"), OK],
        );
    assert_eq!(
        parsed(&SerialNumber {}, b"866349040000000")
            .expect("text")
            .0,
        "866349040000000"
    );
}
