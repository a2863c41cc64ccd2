//! The families: what each has in other ways than an EC25.

use super::{
    CloseAnswer, CloseOpening, CloseTimeout, ClosedUrc, CmeForm, CommandSet, EscapeAnswer,
    LineEcho, PayloadUrcs, Profile, Prompt, QirdTail, RecvUrc, Rows, SendTimeout,
};
use crate::commands::qicfg::OptionSet;
use crate::hardware::{Pins, Serial};

const MS: u64 = 1_000;
const S: u64 = 1_000_000;

fn urcs(list: &[(u64, &str)]) -> Vec<(u64, String)> {
    list.iter()
        .map(|(at, text)| (*at, (*text).to_owned()))
        .collect()
}

impl Profile {
    /// An EC25, the baseline.
    pub fn ec25() -> Profile {
        Profile {
            manufacturer: "Quectel".into(),
            model: "EC25".into(),
            revision: "EC25EFAR06A06M4G".into(),
            full_revision: "EC25EFAR06A06M4G_01.001.01.001".into(),
            imei: "866349040000000".into(),
            serial_number: "D1Q20A00000001P".into(),
            commands: CommandSet::Ec2x,
            rates: vec![
                4_800, 9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600,
                2_900_000, 3_000_000, 3_200_000, 3_686_400, 4_000_000,
            ],
            port: "uart1".into(),
            urc_port: "uart1".into(),
            cmee: 1,
            cme_form: CmeForm::AsSet,
            cme_blank: true,
            unknown_command: None,
            tcpip_cme: false,
            line_echo: LineEcho::AsReceived,
            // Room for the 512 bytes of an AT+QISENDEX.
            longest_line: 1_100,
            line_feed_is_payload: false,
            pins: Pins::EC2X,
            serial: Serial::default(),
            boot_us: 12 * S,
            boot_urcs: urcs(&[
                (50 * MS, "+CFUN: 1"),
                (500 * MS, "+CPIN: READY"),
                (600 * MS, "+QUSIM: 1"),
                (1500 * MS, "+QIND: SMS DONE"),
                (2500 * MS, "+QIND: PB DONE"),
            ]),
            sim_urcs: urcs(&[
                (500 * MS, "+CPIN: READY"),
                (600 * MS, "+QUSIM: 1"),
                (1500 * MS, "+QIND: SMS DONE"),
                (2500 * MS, "+QIND: PB DONE"),
            ]),
            shutdown_us: 200 * MS,
            powered_down_urc: false,
            cfun_us: 300 * MS,
            scan_us: 30 * S,
            initialised: 7,
            first_context: 1,
            contexts: 16,
            active_contexts: 3,
            activate_us: 500 * MS,
            deactivate_us: 300 * MS,
            activate_limit_us: 150 * S,
            activate_again_fails: false,
            deactivate_again_fails: false,
            auto_activate: None,
            context_type: 1,
            one_address_shown: false,
            held_bearer: None,
            dns_needs_context: false,
            open_activates: false,
            stale_contexts: false,
            lte_technology: 7,
            cgreg_unknown_on_lte: false,
            servers: true,
            transparent: true,
            access_mode: 0,
            longest_payload: 1_460,
            longest_read: 1_500,
            read_needs_length: false,
            inline_send: false,
            ok_before_send_ok: false,
            payload_echo_by_ate: false,
            close_ok: false,
            rows: Rows::Full,
            quoted_push: false,
            connect_ids: 12,
            opening: 12,
            receive_buffer: 10_240,
            send_buffer: 10_240,
            nagle: true,
            connect_timeout_us: 75 * S,
            connect_timeout_error: 566,
            retransmission_us: 600 * S,
            fin_wait_2_us: 60 * S,
            released_sockets: 16,
            failed_open_keeps_id: true,
            close_s: 10,
            close_answer: CloseAnswer::FinAcked,
            close_unknown_fails: false,
            close_timeout: CloseTimeout::Abort,
            close_opening: CloseOpening::Cancel,
            row_in_fin_wait_2: false,
            client_state_3: false,
            udp_service_state_3: false,
            port_taken_error: 556,
            datagram_rest_lost: false,
            open_extras: false,
            own_server_id: false,
            requested_local_port: false,
            prompt: Prompt::Blank,
            qird_tail: QirdTail::BlankLine,
            recv_urc: RecvUrc::WhenEmpty,
            closed_urc: ClosedUrc::AtOnce,
            payload_urcs: PayloadUrcs::Wait,
            send_timeout: SendTimeout::SendPart,
            send_timeout_s: 0,
            escape: EscapeAnswer::Ok,
            escape_ends_fixed: false,
            full_payload_sends: false,
            empty_send_fails: false,
            escape_guard_us: S,
            options: OptionSet::Ec2x,
            dns_timeout_us: 60 * S,
            ping_ttl: 255,
            ping_activates: false,
            dns_ttl: true,
            dns_busy_urc: false,
        }
    }

    /// A BG96: shorter start with `APP RDY`, `POWERED DOWN` before a reset.
    pub fn bg96() -> Profile {
        Profile {
            model: "BG96".into(),
            revision: "BG96MAR02A07M1G".into(),
            full_revision: "BG96MAR02A07M1G_01.019.01.019".into(),
            commands: CommandSet::Bg9x,
            rates: vec![
                9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600, 3_000_000,
            ],
            pins: Pins::BG96,
            boot_us: 5800 * MS,
            boot_urcs: urcs(&[
                (50 * MS, "+CFUN: 1"),
                (300 * MS, "APP RDY"),
                (500 * MS, "+CPIN: READY"),
                (600 * MS, "+QUSIM: 1"),
                (1500 * MS, "+QIND: SMS DONE"),
            ]),
            sim_urcs: urcs(&[
                (500 * MS, "+CPIN: READY"),
                (600 * MS, "+QUSIM: 1"),
                (1500 * MS, "+QIND: SMS DONE"),
            ]),
            initialised: 3,
            powered_down_urc: true,
            lte_technology: 8,
            one_address_shown: true,
            activate_again_fails: true,
            options: OptionSet::Bg9x,
            ..Profile::ec25()
        }
    }

    /// A BG95-M3: as a BG96, with `RDY` after two seconds and one context less.
    pub fn bg95() -> Profile {
        Profile {
            model: "BG95-M3".into(),
            revision: "BG95M3LAR02A03".into(),
            full_revision: "BG95M3LAR02A03_01.012.01.012".into(),
            pins: Pins::BG95,
            boot_us: 2_300 * MS,
            boot_urcs: urcs(&[
                (2_000 * MS, "APP RDY"),
                (2_200 * MS, "+CPIN: READY"),
                (2_300 * MS, "+QUSIM: 1"),
                (3_200 * MS, "+QIND: SMS DONE"),
            ]),
            contexts: 15,
            cgreg_unknown_on_lte: true,
            ..Profile::bg96()
        }
    }

    /// An EC200U-CN: a context that activates itself, a payload timer of 5 s.
    pub fn ec200u() -> Profile {
        Profile {
            model: "EC200U".into(),
            revision: "EC200UCNAAR03A15M08".into(),
            full_revision: "EC200UCNAAR03A15M08_01.001.01.001".into(),
            commands: CommandSet::Ec200u,
            rates: vec![
                0, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800,
                921_600, 1_000_000, 2_000_000,
            ],
            pins: Pins::EC200U,
            boot_us: 10 * S,
            boot_urcs: urcs(&[
                (500 * MS, "+CPIN: READY"),
                (600 * MS, "+QUSIM: 1"),
                (1_500 * MS, "+QIND: SMS DONE"),
                (2_500 * MS, "+QIND: PB DONE"),
            ]),
            contexts: 7,
            active_contexts: 7,
            auto_activate: Some(1),
            context_type: 3,
            dns_needs_context: true,
            activate_again_fails: true,
            opening: 1,
            failed_open_keeps_id: false,
            close_opening: CloseOpening::Refuse,
            open_extras: true,
            send_timeout_s: 5,
            options: OptionSet::Ec200u,
            dns_busy_urc: true,
            ..Profile::ec25()
        }
    }

    /// An EG800K-CN: quick start, its TCP/IP commands may not notice that a context is gone.
    pub fn eg800k() -> Profile {
        Profile {
            model: "EG800K".into(),
            revision: "EG800KCNGCR07A06M04".into(),
            full_revision: "EG800KCNGCR07A06M04_01.001.01.001".into(),
            commands: CommandSet::Ec200x,
            pins: Pins::EC200X,
            boot_us: 3_300 * MS,
            contexts: 8,
            context_type: 1,
            stale_contexts: true,
            // The true one, of servers as they are here.
            ping_ttl: 64,
            options: OptionSet::Ec200x,
            ..Profile::ec200u()
        }
    }

    /// A BC660K-GL (NB-IoT): five clients, data pushed in quotes, no transparent mode; its TCP/IP
    /// commands fail with `+CME ERROR`, and its only context 0 activates itself.
    pub fn bc660k() -> Profile {
        Profile {
            model: "BC660K-GL".into(),
            revision: "BC660KGLAAR01A05".into(),
            full_revision: "BC660KGLAAR01A05_01.001.01.001".into(),
            commands: CommandSet::Bc,
            rates: vec![9_600, 57_600, 115_200, 230_400, 460_800, 921_600],
            tcpip_cme: true,
            pins: Pins::BC,
            boot_us: S,
            boot_urcs: urcs(&[(300 * MS, "+CPIN: READY"), (400 * MS, "+CFUN: 1")]),
            sim_urcs: urcs(&[(300 * MS, "+CPIN: READY")]),
            initialised: 1,
            first_context: 0,
            contexts: 0,
            active_contexts: 1,
            auto_activate: Some(0),
            lte_technology: 9,
            servers: false,
            transparent: false,
            access_mode: 1,
            connect_ids: 5,
            receive_buffer: 4_096,
            send_buffer: 4_096,
            longest_payload: 1_024,
            longest_read: 1_024,
            read_needs_length: true,
            inline_send: true,
            ok_before_send_ok: true,
            payload_echo_by_ate: true,
            close_ok: true,
            rows: Rows::Short,
            quoted_push: true,
            escape: EscapeAnswer::OkSendOk,
            full_payload_sends: true,
            empty_send_fails: true,
            options: OptionSet::Bc,
            ..Profile::ec25()
        }
    }
}
