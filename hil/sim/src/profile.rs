//! What differs between modules, or is uncertain: the constants and switches of a module family.
//!
//! The default is an EC25. Where manuals and logs leave a question open, the default is what most
//! evidence points to, and the switch lets a test try the other answers.

use crate::commands::qicfg::OptionSet;
use crate::hardware::{Pins, Serial};

/// What `+QIRD` puts between the data and the final `OK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QirdTail {
    /// `\r\n` and then `\r\nOK\r\n`: EC2x, BG9x, ECx00x.
    BlankLine,
    /// `\r\nOK\r\n` alone: seen on a firmware that imitates Quectel's commands.
    Plain,
}

/// When a second `+QIURC: "recv"` may follow a first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecvUrc {
    /// When data arrives after the host has read everything.
    WhenEmpty,
    /// Only after the host has also been told `+QIRD: 0`.
    AfterZeroRead,
}

/// When `+QIURC: "closed"` is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClosedUrc {
    /// When the peer's FIN or RST arrives, even if there is unread data.
    AtOnce,
    /// When the unread data has been read.
    AfterDrain,
}

/// When `AT+QICLOSE` is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseAnswer {
    /// When the peer has acknowledged our FIN.
    FinAcked,
    /// When the peer's FIN has arrived as well.
    BothClosed,
}

/// What happens to a connection when the timer of `AT+QICLOSE` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseTimeout {
    /// It is reset.
    Abort,
    /// TCP goes on trying without the AT layer.
    Linger,
}

/// What `AT+QICLOSE` does to a connection that is being opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseOpening {
    /// It is cancelled, and no `+QIOPEN` URC follows.
    Cancel,
    /// `ERROR`, with 572 as the last error.
    Refuse,
}

/// What happens when the time of `AT+QICFG="qisend/timeout"` ends before all payload has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendTimeout {
    /// What has come is sent, and answered as usual.
    SendPart,
    /// `SEND FAIL`; what has come is dropped.
    Fail,
    /// `ERROR`; what has come is dropped.
    Error,
    /// There is no such timer.
    Never,
}

/// What ESC in a `AT+QISEND` without length is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EscapeAnswer {
    /// `OK`.
    Ok,
    /// `SEND FAIL`, with 571 as the last error.
    SendFail,
    /// `OK` and then `SEND OK`, although nothing was sent.
    OkSendOk,
}

/// How errors with a number are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CmeForm {
    /// As `AT+CMEE` says.
    AsSet,
    /// `+CME ERROR: <number>` whatever was set.
    Number,
    /// `+CME ERROR: <text>` whatever was set.
    Text,
}

/// When a command line is echoed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineEcho {
    /// Each byte when it arrives: a URC can come between.
    AsReceived,
    /// The whole line when its `\r` arrives.
    AtEnd,
}

/// What URCs do while a `AT+QISEND` waits for its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadUrcs {
    /// They wait until the payload has come: they stand before `SEND OK`.
    Wait,
    /// They are sent at once.
    Pass,
}

/// Which commands a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandSet {
    /// EC20 to EG95, EC25 among them.
    Ec2x,
    /// BG95, BG96 and their like.
    Bg9x,
    /// EC200U, EG915U and their like.
    Ec200u,
    /// EC200A, EC800K, EG800K and their like.
    Ec200x,
    /// BC25, BC660K and their like.
    Bc,
}

/// Constants and switches of a module family. All times are in µs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// `AT+CGMI`, first row of `ATI`.
    pub manufacturer: String,
    /// `AT+CGMM`, second row of `ATI`.
    pub model: String,
    /// `AT+CGMR`, third row of `ATI`.
    pub revision: String,
    /// `AT+QGMR`: the revision with its sub-version.
    pub full_revision: String,
    /// `AT+GSN`.
    pub imei: String,
    /// `AT+GSN=0`.
    pub serial_number: String,
    /// The commands there are.
    pub commands: CommandSet,
    /// The speeds that `AT+IPR` takes.
    pub rates: Vec<u32>,
    /// The name of the port being served, as `AT+QISTATE` prints it.
    pub port: String,
    /// The port to which a new module sends URCs; only those for [`Profile::port`] or `all` are seen.
    pub urc_port: String,

    /// `AT+CMEE` after a start.
    pub cmee: u8,
    /// How `+CME ERROR` is written.
    pub cme_form: CmeForm,
    /// Whether a blank follows the colon of `+CME ERROR:`.
    pub cme_blank: bool,
    /// The number that answers an unknown command if `AT+CMEE` is not 0; plain `ERROR` without.
    pub unknown_command: Option<u16>,
    /// Whether TCP/IP commands fail with `+CME ERROR` too, instead of always with `ERROR`.
    pub tcpip_cme: bool,
    /// When a command line is echoed, if `ATE1` is set.
    pub line_echo: LineEcho,
    /// The longest command line.
    pub longest_line: usize,
    /// Whether a line feed after the `\r` of `AT+QISEND` counts as payload.
    pub line_feed_is_payload: bool,

    /// The pins.
    pub pins: Pins,
    /// The serial port.
    pub serial: Serial,
    /// From power to `RDY`.
    pub boot_us: u64,
    /// From `RDY` to each of the URCs that follow it.
    pub boot_urcs: Vec<(u64, String)>,
    /// URCs that follow `OK` of `AT+CFUN=1` after `AT+CFUN=0`, with the time after it.
    pub sim_urcs: Vec<(u64, String)>,
    /// From `AT+CFUN=1,1` or `AT+QPOWD` to the loss of power.
    pub shutdown_us: u64,
    /// Whether `POWERED DOWN` is sent before a reset by `AT+CFUN=1,1`.
    pub powered_down_urc: bool,
    /// Time for `AT+CFUN`.
    pub cfun_us: u64,

    /// How long `AT+COPS=?` searches.
    pub scan_us: u64,
    /// `AT+QINISTAT` when everything is ready.
    pub initialised: u8,

    /// Lowest PDP context.
    pub first_context: u8,
    /// Highest PDP context.
    pub contexts: u8,
    /// Contexts active at a time.
    pub active_contexts: usize,
    /// Time for `AT+QIACT`.
    pub activate_us: u64,
    /// Time for `AT+QIDEACT`.
    pub deactivate_us: u64,
    /// How long `AT+QIACT` waits for registration.
    pub activate_limit_us: u64,
    /// Whether `AT+QIACT` of an active context is an `ERROR`.
    pub activate_again_fails: bool,
    /// Whether `AT+QIDEACT` of an inactive context is an `ERROR`.
    pub deactivate_again_fails: bool,
    /// A context that activates itself after a start.
    pub auto_activate: Option<u8>,
    /// Whether `AT+QIOPEN` activates an inactive context instead of failing with 561.
    pub open_activates: bool,
    /// Whether the TCP/IP commands do not notice that `AT+CGACT` took a context away: its address still
    /// shows, and nothing passes.
    pub stale_contexts: bool,
    /// On LTE: whether `+CGREG` says 4 (unknown) although the module is registered.
    pub cgreg_unknown_on_lte: bool,

    /// Whether there are listeners and UDP services.
    pub servers: bool,
    /// Whether there is transparent mode.
    pub transparent: bool,
    /// The access mode of an `AT+QIOPEN` that names none.
    pub access_mode: u8,
    /// The most bytes of one `AT+QISEND`.
    pub longest_payload: usize,
    /// The most bytes of one `AT+QIRD`.
    pub longest_read: u32,
    /// Whether `AT+QIRD` must say how many bytes.
    pub read_needs_length: bool,
    /// Whether `AT+QISEND=<id>,<n>,"<data>"` sends what is in the command.
    pub inline_send: bool,
    /// Whether `OK` comes before `SEND OK`.
    pub ok_before_send_ok: bool,
    /// Whether payload is echoed as `ATE` says, instead of `AT+QISDE`.
    pub payload_echo_by_ate: bool,
    /// Whether `CLOSE OK` follows the `OK` of `AT+QICLOSE`.
    pub close_ok: bool,
    /// Whether the rows of `AT+QISTATE` have no server and no port, and a line end before each.
    pub short_rows: bool,
    /// Whether pushed data stands in quotes within the URC.
    pub quoted_push: bool,
    /// Connect ids 0 to one below this.
    pub connect_ids: u8,
    /// Opens in progress at a time; one more gets 568.
    pub opening: usize,
    /// Default receive buffer of a socket; `AT+QICFG="recv/buffersize"` changes it.
    pub receive_buffer: usize,
    /// Send buffer of a socket.
    pub send_buffer: usize,
    /// Whether the module's TCP delays small segments as Nagle said.
    pub nagle: bool,
    /// A connect that nobody answers fails after this.
    pub connect_timeout_us: u64,
    /// The error it fails with.
    pub connect_timeout_error: u16,
    /// Unacknowledged data and no progress for this long: the connection is lost.
    pub retransmission_us: u64,
    /// How long a released socket stays in FIN_WAIT_2.
    pub fin_wait_2_us: u64,
    /// Released sockets kept until TCP is done with them.
    pub released_sockets: usize,
    /// Whether a connect id is occupied after a failed open, until `AT+QICLOSE`.
    pub failed_open_keeps_id: bool,
    /// Seconds that `AT+QICLOSE` waits if it is not told.
    pub close_s: u32,
    /// When `AT+QICLOSE` is answered.
    pub close_answer: CloseAnswer,
    /// What happens when its time ends.
    pub close_timeout: CloseTimeout,
    /// What it does to a connection that is being opened.
    pub close_opening: CloseOpening,
    /// Whether `AT+QISTATE` shows a closed socket until it leaves FIN_WAIT_2.
    pub row_in_fin_wait_2: bool,
    /// Whether `AT+QISTATE` shows 3 for a connected client, as seen on a BG96.
    pub client_state_3: bool,
    /// Whether `AT+QISTATE` shows 3 for a `UDP SERVICE`, where an EC25 shows 2.
    pub udp_service_state_3: bool,
    /// The error of an open whose local port is taken: 556, or 574.
    pub port_taken_error: u16,
    /// Whether what one `AT+QIRD` leaves of a datagram is lost.
    pub datagram_rest_lost: bool,
    /// Whether `AT+QIOPEN` takes a number of clients and a connect timeout too, as an EC200U does.
    pub open_extras: bool,
    /// Whether `AT+QISTATE` shows the local port asked for instead of the real one.
    pub requested_local_port: bool,

    /// What ends a `+QIRD` answer.
    pub qird_tail: QirdTail,
    /// When the recv URC is repeated.
    pub recv_urc: RecvUrc,
    /// When the closed URC is sent.
    pub closed_urc: ClosedUrc,
    /// URCs while payload is awaited.
    pub payload_urcs: PayloadUrcs,
    /// The end of the payload timer.
    pub send_timeout: SendTimeout,
    /// `AT+QICFG="qisend/timeout"` after a start, in seconds; 0 for never.
    pub send_timeout_s: u32,
    /// ESC in a `AT+QISEND` without length.
    pub escape: EscapeAnswer,

    /// Silence before and after `+++`, and the time its three characters may take.
    pub escape_guard_us: u64,

    /// The options of `AT+QICFG`.
    pub options: OptionSet,
    /// How long the module waits for a name server.
    pub dns_timeout_us: u64,
    /// The ttl that `+QPING` shows: 255 on Qualcomm's chips, whatever the true one is.
    pub ping_ttl: u8,
    /// Whether `AT+QPING` activates an inactive context, and releases it afterwards.
    pub ping_activates: bool,
    /// Whether the dnsgip URC has the ttl.
    pub dns_ttl: bool,
    /// Whether a second look-up fails with a URC (`"dnsgip",564`) instead of `ERROR`.
    pub dns_busy_urc: bool,
}

impl Default for Profile {
    fn default() -> Profile {
        Profile::ec25()
    }
}

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
            open_activates: false,
            stale_contexts: false,
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
            short_rows: false,
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
            close_timeout: CloseTimeout::Abort,
            close_opening: CloseOpening::Cancel,
            row_in_fin_wait_2: false,
            client_state_3: false,
            udp_service_state_3: false,
            port_taken_error: 556,
            datagram_rest_lost: false,
            open_extras: false,
            requested_local_port: false,
            qird_tail: QirdTail::BlankLine,
            recv_urc: RecvUrc::WhenEmpty,
            closed_urc: ClosedUrc::AtOnce,
            payload_urcs: PayloadUrcs::Wait,
            send_timeout: SendTimeout::SendPart,
            send_timeout_s: 0,
            escape: EscapeAnswer::Ok,
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
            stale_contexts: true,
            ping_ttl: 0,
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
            short_rows: true,
            quoted_push: true,
            escape: EscapeAnswer::OkSendOk,
            options: OptionSet::Bc,
            ..Profile::ec25()
        }
    }

    /// One of each family.
    pub fn families() -> [Profile; 6] {
        [
            Profile::ec25(),
            Profile::bg96(),
            Profile::bg95(),
            Profile::ec200u(),
            Profile::eg800k(),
            Profile::bc660k(),
        ]
    }

    pub(crate) fn context_range(&self) -> std::ops::RangeInclusive<u32> {
        u32::from(self.first_context)..=u32::from(self.contexts)
    }
}
