//! Every command with the largest value of each argument: its exact bytes,
//! that it fits the transmit buffer, that a buffer one byte too small is an
//! error and not a panic, and that atat's `write` gives the same bytes.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, Ipv6Addr},
    path::Path,
};

use quectel_at_commands::{
    BufferFull, Command, LONGEST,
    dns::Resolve,
    general::{Attention, EchoOff, EchoOn, Identify, Restart, SerialNumber, SetErrorFormat},
    network::{GetCircuitRegistration, GetEpsRegistration, GetPacketRegistration},
    pdp::{
        ActivateContext, Authentication, ConfigureContext, ContextType, DeactivateContext,
        GetActiveContexts,
    },
    settings::{
        ClearKeepAlive, GetSetting, GetUrcPort, KeepAlive, PortName, SetKeepAlive, SetPayloadEcho,
        SetSetting, SetUrcPort, Setting, UrcPort,
    },
    sim::GetSimState,
    tcp::{
        AccessMode, Close, GetReadCounters, GetSendCounters, GetSocket, GetSockets, Hex, Open,
        QuotedAddress, ReadData, ReadDatagram, SEND_HEX_MAX, Send, SendHex, SendTo, Service,
    },
    text::{Apn, Credential, HostName},
};

/// The commands that have been written at their largest.
#[derive(Default)]
struct Written(BTreeSet<String>);

impl Written {
    /// `command` gives `line`, and may take so many milliseconds.
    #[track_caller]
    fn is<C: Command>(&mut self, command: &C, line: &str, timeout_ms: u32) -> &mut Self {
        let name = std::any::type_name::<C>();
        let name = name.split(['<', ' ']).next().unwrap_or_default();
        let name = name.rsplit("::").next().unwrap_or_default();

        let mut buffer = [0; LONGEST];
        let n = command.render(&mut buffer).expect("fits LONGEST");
        assert_eq!(str::from_utf8(&buffer[..n]), Ok(line));

        let mut exact = vec![0; line.len()];
        assert_eq!(command.render(&mut exact), Ok(line.len()));
        for short in 0..line.len() {
            assert_eq!(
                command.render(&mut exact[..short]),
                Err(BufferFull),
                "{name} in {short} bytes"
            );
        }

        let mut atat = [0; LONGEST];
        let n = command.write(&mut atat);
        assert_eq!(str::from_utf8(&atat[..n]), Ok(line), "by atat");

        // The derive ignores keys that it does not know.
        assert_eq!(C::MAX_TIMEOUT_MS, timeout_ms, "{name}");
        assert!(self.0.insert(name.to_owned()), "{name} twice");
        self
    }
}

/// The names of all types that `commands!` declares in `src`.
fn declared() -> BTreeSet<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut names = BTreeSet::new();
    for file in fs::read_dir(src).expect("src") {
        let path = file.expect("a file").path();
        // The macro itself is not a use of it.
        if path.ends_with("command.rs") {
            continue;
        }
        let text = fs::read_to_string(path).expect("text");
        for behind in text.split("=>").skip(1) {
            if let Some(name) = behind.trim_start().strip_prefix("struct ") {
                let end = name.find(|c: char| !c.is_alphanumeric());
                names.insert(name[..end.unwrap_or(name.len())].to_owned());
            }
        }
    }
    names
}

#[test]
fn every_command_at_its_largest() {
    let a16 = "a".repeat(16);
    let a100 = "a".repeat(100);
    let a150 = "a".repeat(150);
    let ffff = QuotedAddress(IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)));
    let mut written = Written::default();
    written
        .is(&Attention {}, "AT\r", 300)
        .is(&EchoOff {}, "ATE0\r", 300)
        .is(&EchoOn {}, "ATE1\r", 300)
        .is(
            &Restart {
                functionality: 255,
                restart: 255,
            },
            "AT+CFUN=255,255\r",
            15_000,
        )
        .is(&SetErrorFormat { format: 255 }, "AT+CMEE=255\r", 300)
        .is(&Identify {}, "ATI\r", 300)
        .is(&SerialNumber {}, "AT+CGSN\r", 300)
        .is(&GetSimState {}, "AT+CPIN?\r", 5_000)
        .is(&GetEpsRegistration {}, "AT+CEREG?\r", 300)
        .is(&GetPacketRegistration {}, "AT+CGREG?\r", 300)
        .is(&GetCircuitRegistration {}, "AT+CREG?\r", 300)
        .is(
            &ConfigureContext {
                context: 255,
                kind: ContextType::V4V6,
                apn: Apn::new(&a100).expect("an APN"),
                user: Credential::new(&a100).expect("a name"),
                password: Credential::new(&a100).expect("a password"),
                authentication: Authentication::PapOrChap,
            },
            &format!("AT+QICSGP=255,3,\"{a100}\",\"{a100}\",\"{a100}\",3\r"),
            300,
        )
        .is(&ActivateContext { context: 255 }, "AT+QIACT=255\r", 150_000)
        .is(&GetActiveContexts {}, "AT+QIACT?\r", 300)
        .is(
            &DeactivateContext { context: 255 },
            "AT+QIDEACT=255\r",
            40_000,
        )
        .is(
            &Resolve {
                context: 255,
                name: HostName::new(&a150).expect("a name"),
            },
            &format!("AT+QIDNSGIP=255,\"{a150}\"\r"),
            300,
        )
        .is(
            &Open {
                context: 255,
                id: 255,
                service: Service::TcpListener,
                remote: ffff,
                remote_port: 65535,
                local_port: 65535,
                mode: AccessMode::Buffer,
            },
            "AT+QIOPEN=255,255,\"TCP LISTENER\",\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\",65535,65535,0\r",
            5_000,
        )
        .is(
            &Close {
                id: 255,
                timeout: 65535,
            },
            "AT+QICLOSE=255,65535\r",
            12_000,
        )
        .is(&GetSockets {}, "AT+QISTATE?\r", 300)
        .is(
            &GetSocket {
                query: 255,
                id: 255,
            },
            "AT+QISTATE=255,255\r",
            300,
        )
        .is(
            &Send {
                id: 255,
                len: 65535,
            },
            "AT+QISEND=255,65535\r",
            120_000,
        )
        .is(
            &SendTo {
                id: 255,
                len: 65535,
                remote: ffff,
                remote_port: 65535,
            },
            "AT+QISEND=255,65535,\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\",65535\r",
            120_000,
        )
        .is(&ReadDatagram { id: 255 }, "AT+QIRD=255\r", 5_000)
        .is(
            &SetKeepAlive {
                what: KeepAlive,
                on: 1,
                idle: 65535,
                interval: 65535,
                probes: 255,
            },
            "AT+QICFG=\"tcp/keepalive\",1,65535,65535,255\r",
            300,
        )
        .is(
            &ClearKeepAlive {
                what: KeepAlive,
                off: 0,
            },
            "AT+QICFG=\"tcp/keepalive\",0\r",
            300,
        )
        .is(
            &SendHex {
                id: 255,
                data: Hex::new(&[0xA5; SEND_HEX_MAX]).expect("a block"),
            },
            &format!("AT+QISENDEX=255,\"{}\"\r", "A5".repeat(SEND_HEX_MAX)),
            120_000,
        )
        .is(
            &GetSendCounters { id: 255, zero: 255 },
            "AT+QISEND=255,255\r",
            300,
        )
        .is(
            &ReadData {
                id: 255,
                len: 65535,
            },
            "AT+QIRD=255,65535\r",
            5_000,
        )
        .is(
            &GetReadCounters { id: 255, zero: 255 },
            "AT+QIRD=255,255\r",
            300,
        )
        .is(&SetPayloadEcho { echo: 255 }, "AT+QISDE=255\r", 300)
        .is(
            &SetSetting {
                setting: Setting::SendTimeout,
                value: 65535,
            },
            "AT+QICFG=\"qisend/timeout\",65535\r",
            300,
        )
        .is(
            &GetSetting {
                setting: Setting::TransparentPacketSize,
            },
            "AT+QICFG=\"transpktsize\"\r",
            300,
        )
        .is(
            &GetUrcPort { what: UrcPort },
            "AT+QURCCFG=\"urcport\"\r",
            300,
        )
        .is(
            &SetUrcPort {
                what: UrcPort,
                port: PortName::new(&a16).expect("a port"),
            },
            &format!("AT+QURCCFG=\"urcport\",\"{a16}\"\r"),
            300,
        );

    let declared = declared();
    assert!(declared.contains("Open"), "the source is not understood");
    assert_eq!(written.0, declared, "every command in src is written here");
}

#[test]
fn addresses_are_written_as_modules_read_them() {
    // Reference 4.2: the host is a quoted address.
    let tcp = |ip: &str| {
        let remote = format!("{ip}:80").parse().expect("an address");
        let mut buffer = [0; LONGEST];
        let n = Open::tcp(1, 0, remote, 0)
            .render(&mut buffer)
            .expect("fits");
        String::from_utf8(buffer[..n].to_vec()).expect("text")
    };
    assert_eq!(
        tcp("255.255.255.255"),
        "AT+QIOPEN=1,0,\"TCP\",\"255.255.255.255\",80,0,0\r"
    );
    assert_eq!(
        tcp("[2001:db8::7]"),
        "AT+QIOPEN=1,0,\"TCP\",\"2001:db8::7\",80,0,0\r"
    );
}
