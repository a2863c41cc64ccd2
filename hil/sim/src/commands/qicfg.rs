//! `AT+QICFG`: the options of the TCP/IP commands. They are lost at a restart.
//!
//! What has no effect that a host could see is only remembered: `dns/cache`, `udp/sendmode`,
//! `window/scale`, `sack`, `tcp/twrecycle`; and so is what is known by name only: `send/auto`,
//! `recv/ignore`, `wakeup/data`, `pdp/retry`, `open_time`.

use crate::at::parse::{Call, Malformed};
use crate::at::reply::Reply;
use crate::at::table::{Command, Outcome};
use crate::module::Module;
use crate::profile::Profile;

pub(super) const COMMANDS: &[Command] = &[Command::new("+QICFG")
    .tcpip()
    .test(test)
    .write(write)
    .samples(&["=\"dataformat\"", "=\"dataformat\",0,0"])];

type Result = std::result::Result<Outcome, Malformed>;

/// An option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    TransPktSize,
    TransWaitTm,
    DataFormat,
    ViewMode,
    RetransCfg,
    DnsCache,
    SendTimeout,
    PassiveClosed,
    UdpReadMode,
    UdpSendMode,
    TcpAccept,
    RecvInd,
    KeepAlive,
    ReceiveBuffer,
    WindowScale,
    Sack,
    CloseMode,
    SendInfo,
    FormatCfg,
    TwRecycle,
    SendBuffer,
    ShowLength,
    OpenTime,
    SendAuto,
    RecvIgnore,
    PdpRetry,
    SendMode,
    WakeupData,
}

/// How many options there are.
const KEYS: usize = Key::WakeupData as usize + 1;

/// A value of an option: its range as printed, its bounds, and what it is at first.
struct Field(&'static str, u32, u32, u32);

struct Item {
    key: Key,
    name: &'static str,
    fields: &'static [Field],
}

const fn item(key: Key, name: &'static str, fields: &'static [Field]) -> Item {
    Item { key, name, fields }
}

const BIT: Field = Field("(0,1)", 0, 1, 0);
const BIT_ON: Field = Field("(0,1)", 0, 1, 1);
const INTERVAL: Field = Field("(25-100)", 25, 100, 75);
const PROBES: Field = Field("(3-10)", 3, 10, 9);
/// In minutes, and in seconds.
const IDLE_MINUTES: Field = Field("(1-120)", 1, 120, 120);
const IDLE_SECONDS: Field = Field("(1-1800)", 1, 1_800, 1_800);

const TRANS_PKT_SIZE: Item = item(
    Key::TransPktSize,
    "transpktsize",
    &[Field("(1-1460)", 1, 1_460, 1_024)],
);
const TRANS_WAIT_TM: Item = item(
    Key::TransWaitTm,
    "transwaittm",
    &[Field("(0-20)", 0, 20, 2)],
);
const DATA_FORMAT: Item = item(Key::DataFormat, "dataformat", &[BIT, BIT]);
const VIEW_MODE: Item = item(Key::ViewMode, "viewmode", &[BIT]);
/// The unit of the second value is 100 ms.
const RETRANS_CFG: Item = item(
    Key::RetransCfg,
    "tcp/retranscfg",
    &[Field("(3-20)", 3, 20, 12), Field("(5-1000)", 5, 1_000, 600)],
);
const PASSIVE_CLOSED: Item = item(Key::PassiveClosed, "passiveclosed", &[BIT]);
const UDP_READ_MODE: Item = item(Key::UdpReadMode, "udp/readmode", &[BIT]);
const UDP_SEND_MODE: Item = item(Key::UdpSendMode, "udp/sendmode", &[BIT]);
const TCP_ACCEPT: Item = item(Key::TcpAccept, "tcp/accept", &[BIT_ON]);
const RECV_IND: Item = item(Key::RecvInd, "recvind", &[BIT]);

/// As an EG25-G prints it.
const EC2X: &[Item] = &[
    TRANS_PKT_SIZE,
    TRANS_WAIT_TM,
    DATA_FORMAT,
    VIEW_MODE,
    RETRANS_CFG,
    item(Key::DnsCache, "dns/cache", &[BIT_ON]),
    item(
        Key::SendTimeout,
        "qisend/timeout",
        &[Field("(0-3600)", 0, 3_600, 0)],
    ),
    PASSIVE_CLOSED,
    UDP_READ_MODE,
    UDP_SEND_MODE,
    TCP_ACCEPT,
    RECV_IND,
    item(
        Key::KeepAlive,
        "tcp/keepalive",
        &[BIT, IDLE_MINUTES, INTERVAL, PROBES],
    ),
    item(
        Key::ReceiveBuffer,
        "recv/buffersize",
        &[Field("(10240-524288)", 10_240, 524_288, 10_240)],
    ),
    item(Key::WindowScale, "window/scale", &[Field("(0-1)", 0, 1, 1)]),
];

/// As a BG95-M3 prints it.
const BG9X: &[Item] = &[
    TRANS_PKT_SIZE,
    TRANS_WAIT_TM,
    DATA_FORMAT,
    VIEW_MODE,
    RECV_IND,
    item(Key::Sack, "sack", &[BIT_ON]),
    item(
        Key::KeepAlive,
        "tcp/keepalive",
        &[Field("(0-1)", 0, 1, 0), IDLE_MINUTES, INTERVAL, PROBES],
    ),
    RETRANS_CFG,
];

/// From the EC200U's application note; the order is a guess.
const EC200U: &[Item] = &[
    TRANS_PKT_SIZE,
    TRANS_WAIT_TM,
    DATA_FORMAT,
    VIEW_MODE,
    // Count, and period in seconds.
    item(
        Key::RetransCfg,
        "tcp/retranscfg",
        &[Field("(3-12)", 3, 12, 8), Field("(5-60)", 5, 60, 6)],
    ),
    item(
        Key::SendTimeout,
        "qisend/timeout",
        &[Field("(0-120)", 0, 120, 5)],
    ),
    PASSIVE_CLOSED,
    UDP_READ_MODE,
    UDP_SEND_MODE,
    TCP_ACCEPT,
    item(
        Key::KeepAlive,
        "tcp/keepalive",
        &[BIT, IDLE_SECONDS, INTERVAL, PROBES],
    ),
    RECV_IND,
    item(Key::CloseMode, "close/mode", &[BIT]),
    item(Key::SendInfo, "sendinfo", &[BIT]),
    item(Key::FormatCfg, "formatcfg", &[BIT]),
    item(Key::TwRecycle, "tcp/twrecycle", &[BIT]),
    item(Key::SendAuto, "send/auto", &[BIT]),
    item(Key::RecvIgnore, "recv/ignore", &[BIT]),
    // Deactivation or activation, LTE or GSM, how often more, and how many seconds apart.
    item(
        Key::PdpRetry,
        "pdp/retry",
        &[
            BIT_ON,
            BIT,
            Field("(2-4)", 2, 4, 4),
            Field("(1-60)", 1, 60, 8),
        ],
    ),
];

/// From the application note of the EC200x series; the order is a guess.
const EC200X: &[Item] = &[
    TRANS_PKT_SIZE,
    TRANS_WAIT_TM,
    DATA_FORMAT,
    VIEW_MODE,
    // The unit of the second value is 1 ms.
    item(
        Key::RetransCfg,
        "tcp/retranscfg",
        &[Field("(3-12)", 3, 12, 12), Field("(5-1000)", 5, 1_000, 600)],
    ),
    item(
        Key::SendTimeout,
        "qisend/timeout",
        &[Field("(0-120)", 0, 120, 5)],
    ),
    PASSIVE_CLOSED,
    UDP_READ_MODE,
    UDP_SEND_MODE,
    TCP_ACCEPT,
    item(
        Key::KeepAlive,
        "tcp/keepalive",
        &[BIT, IDLE_SECONDS, INTERVAL, PROBES],
    ),
    RECV_IND,
    item(Key::CloseMode, "close/mode", &[BIT]),
    item(Key::SendInfo, "sendinfo", &[BIT]),
    item(
        Key::SendBuffer,
        "send/buffersize",
        &[Field("(1460-10240)", 1_460, 10_240, 10_240)],
    ),
    item(Key::SendMode, "TCP/SendMode", &[Field("(0-4)", 0, 4, 0)]),
    item(Key::WakeupData, "wakeup/data", &[BIT]),
];

/// From the firmware of a BC25.
const BC: &[Item] = &[
    DATA_FORMAT,
    item(Key::ShowLength, "showlength", &[BIT]),
    item(Key::OpenTime, "open_time", &[Field("(1-36)", 1, 36, 36)]),
];

/// Which options a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OptionSet {
    /// EC20 to EG95, as an EG25-G has them.
    Ec2x,
    /// BG95, BG96 and their like.
    Bg9x,
    /// EC200U, EG915U and their like.
    Ec200u,
    /// EC200A, EC200N, EC800, EG915N and their like.
    Ec200x,
    /// BC25, BC660K and their like.
    Bc,
}

impl OptionSet {
    fn items(self) -> &'static [Item] {
        match self {
            OptionSet::Ec2x => EC2X,
            OptionSet::Bg9x => BG9X,
            OptionSet::Ec200u => EC200U,
            OptionSet::Ec200x => EC200X,
            OptionSet::Bc => BC,
        }
    }

    /// The unit of the idle time of `tcp/keepalive`, in µs.
    pub(crate) fn idle_unit(self) -> u64 {
        match self {
            OptionSet::Ec2x | OptionSet::Bg9x | OptionSet::Bc => 60_000_000,
            OptionSet::Ec200u | OptionSet::Ec200x => 1_000_000,
        }
    }

    /// The unit of the time of `tcp/retranscfg`, in µs.
    fn retransmission_unit(self) -> u64 {
        match self {
            OptionSet::Ec2x | OptionSet::Bg9x | OptionSet::Bc => 100_000,
            OptionSet::Ec200u => 1_000_000,
            OptionSet::Ec200x => 1_000,
        }
    }
}

/// The most values that an option has.
const FIELDS: usize = 4;

/// The values of all options.
#[derive(Debug, Clone)]
pub(crate) struct QicfgValues([[u32; FIELDS]; KEYS]);

impl QicfgValues {
    pub(crate) fn new(profile: &Profile) -> QicfgValues {
        let mut values = QicfgValues([[0; FIELDS]; KEYS]);
        // What a family does not have behaves as on an EC25.
        for item in EC2X.iter().chain(profile.options.items()) {
            for (i, field) in item.fields.iter().enumerate() {
                values.set(item.key, i, field.3);
            }
        }
        values.set(Key::SendTimeout, 0, profile.send_timeout_s);
        values.set(Key::ReceiveBuffer, 0, profile.receive_buffer as u32);
        values.set(Key::SendBuffer, 0, profile.send_buffer as u32);
        values
    }

    /// Value `i` of an option.
    pub(crate) fn get(&self, key: Key, i: usize) -> u32 {
        self.0[key as usize].get(i).copied().unwrap_or(0)
    }

    fn set(&mut self, key: Key, i: usize, value: u32) {
        if let Some(slot) = self.0[key as usize].get_mut(i) {
            *slot = value;
        }
    }
}

fn test(module: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    for item in module.profile.options.items() {
        let ranges: Vec<&str> = item.fields.iter().map(|field| field.0).collect();
        reply.row(format!("+QICFG: \"{}\",{}", item.name, ranges.join(",")));
    }
    Ok(Outcome::OK)
}

fn write(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    let name = call.quoted(0)?;
    let items = module.profile.options.items();
    let item = items
        .iter()
        .find(|item| item.name.eq_ignore_ascii_case(name))
        .ok_or(Malformed)?;
    let given = call.len() - 1;
    if given == 0 {
        return Ok(query(module, item, reply));
    }
    call.at_most(1 + item.fields.len())?;
    // Only these let values away.
    if given < item.fields.len() && !matches!(item.key, Key::KeepAlive | Key::PdpRetry) {
        return Err(Malformed);
    }
    let mut values = [0; FIELDS];
    for (i, field) in item.fields.iter().enumerate().take(given) {
        values[i] = call.ranged(i + 1, field.1..=field.2)?;
    }
    for (i, value) in values.iter().enumerate().take(given) {
        module.settings.qicfg.set(item.key, i, *value);
    }
    if item.key == Key::RetransCfg {
        let unit = module.profile.options.retransmission_unit();
        let limit = retransmission_limit(values[0], u64::from(values[1]) * unit);
        module.net.set_retransmission(limit);
    }
    Ok(Outcome::OK)
}

/// How long unacknowledged data is borne with so many time-outs that double from a second up to
/// `longest`, in µs.
fn retransmission_limit(number: u32, longest: u64) -> u64 {
    let timeout = |i: u32| (1_000_000 << i.min(20)).min(longest);
    (0..number).map(timeout).sum()
}

fn query(module: &Module, item: &Item, reply: &mut Reply) -> Outcome {
    let values = &module.settings.qicfg;
    let off = item.key == Key::KeepAlive && values.get(item.key, 0) == 0;
    let shown = if off { 1 } else { item.fields.len() };
    let values: Vec<String> = (0..shown)
        .map(|i| values.get(item.key, i).to_string())
        .collect();
    reply.row(format!("+QICFG: \"{}\",{}", item.name, values.join(",")));
    Outcome::OK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_name_each_option_once() {
        for set in [
            OptionSet::Ec2x,
            OptionSet::Bg9x,
            OptionSet::Ec200u,
            OptionSet::Ec200x,
            OptionSet::Bc,
        ] {
            let mut keys: Vec<Key> = set.items().iter().map(|item| item.key).collect();
            let all = keys.len();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), all, "{set:?}");
            for item in set.items() {
                assert!(item.fields.len() <= FIELDS);
                for Field(range, least, most, first) in item.fields {
                    assert!((least..=most).contains(&first), "{} {range}", item.name);
                }
            }
        }
    }

    #[test]
    fn time_outs_double_up_to_the_longest() {
        assert_eq!(retransmission_limit(3, 60_000_000), 7_000_000);
        assert_eq!(retransmission_limit(4, 2_000_000), 7_000_000);
        assert_eq!(retransmission_limit(20, 100_000_000), 1_427_000_000);
    }
}
