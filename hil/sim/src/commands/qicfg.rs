//! `AT+QICFG`: the options of the TCP/IP commands. They are lost at a restart.
//!
//! The list and the ranges are those that an EG25-G prints.

use crate::at::parse::{Call, Malformed};
use crate::at::reply::Reply;
use crate::at::table::{Command, Outcome};
use crate::module::Module;
use crate::profile::Profile;

pub(super) const COMMANDS: &[Command] = &[Command::new("+QICFG").tcpip().test(test).write(write)];

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
}

/// A value of an option: its range as printed, its bounds, and what it is at first.
struct Field(&'static str, u32, u32, u32);

struct Item {
    key: Key,
    name: &'static str,
    fields: &'static [Field],
}

const BIT: Field = Field("(0,1)", 0, 1, 0);
const BIT_ON: Field = Field("(0,1)", 0, 1, 1);

const ITEMS: &[Item] = &[
    Item {
        key: Key::TransPktSize,
        name: "transpktsize",
        fields: &[Field("(1-1460)", 1, 1460, 1024)],
    },
    Item {
        key: Key::TransWaitTm,
        name: "transwaittm",
        fields: &[Field("(0-20)", 0, 20, 2)],
    },
    Item {
        key: Key::DataFormat,
        name: "dataformat",
        fields: &[BIT, BIT],
    },
    Item {
        key: Key::ViewMode,
        name: "viewmode",
        fields: &[BIT],
    },
    Item {
        key: Key::RetransCfg,
        name: "tcp/retranscfg",
        fields: &[Field("(3-20)", 3, 20, 12), Field("(5-1000)", 5, 1000, 600)],
    },
    Item {
        key: Key::DnsCache,
        name: "dns/cache",
        fields: &[BIT_ON],
    },
    Item {
        key: Key::SendTimeout,
        name: "qisend/timeout",
        fields: &[Field("(0-3600)", 0, 3600, 0)],
    },
    Item {
        key: Key::PassiveClosed,
        name: "passiveclosed",
        fields: &[BIT],
    },
    Item {
        key: Key::UdpReadMode,
        name: "udp/readmode",
        fields: &[BIT],
    },
    Item {
        key: Key::UdpSendMode,
        name: "udp/sendmode",
        fields: &[BIT],
    },
    Item {
        key: Key::TcpAccept,
        name: "tcp/accept",
        fields: &[BIT_ON],
    },
    Item {
        key: Key::RecvInd,
        name: "recvind",
        fields: &[BIT],
    },
    Item {
        key: Key::KeepAlive,
        name: "tcp/keepalive",
        fields: &[
            BIT,
            Field("(1-120)", 1, 120, 120),
            Field("(25-100)", 25, 100, 75),
            Field("(3-10)", 3, 10, 9),
        ],
    },
    Item {
        key: Key::ReceiveBuffer,
        name: "recv/buffersize",
        fields: &[Field("(10240-524288)", 10_240, 524_288, 10_240)],
    },
    Item {
        key: Key::WindowScale,
        name: "window/scale",
        fields: &[Field("(0-1)", 0, 1, 1)],
    },
];

/// The most values that an option has.
const FIELDS: usize = 4;

/// The values of all options.
#[derive(Debug, Clone)]
pub(crate) struct QicfgValues([[u32; FIELDS]; ITEMS.len()]);

impl QicfgValues {
    pub(crate) fn new(profile: &Profile) -> QicfgValues {
        let mut values = QicfgValues([[0; FIELDS]; ITEMS.len()]);
        for (item, slots) in ITEMS.iter().zip(&mut values.0) {
            for (field, slot) in item.fields.iter().zip(slots) {
                *slot = field.3;
            }
        }
        values.set(Key::SendTimeout, 0, profile.send_timeout_s);
        values.set(Key::ReceiveBuffer, 0, profile.receive_buffer as u32);
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

fn test(_: &mut Module, _: &Call, reply: &mut Reply) -> Result {
    for item in ITEMS {
        let ranges: Vec<&str> = item.fields.iter().map(|field| field.0).collect();
        reply.row(format!("+QICFG: \"{}\",{}", item.name, ranges.join(",")));
    }
    Ok(Outcome::OK)
}

fn write(module: &mut Module, call: &Call, reply: &mut Reply) -> Result {
    let name = call.quoted(0)?.to_ascii_lowercase();
    let item = ITEMS
        .iter()
        .find(|item| item.name == name)
        .ok_or(Malformed)?;
    let given = call.len() - 1;
    if given == 0 {
        return Ok(query(module, item, reply));
    }
    call.at_most(1 + item.fields.len())?;
    // Only keep-alive lets values away.
    if given < item.fields.len() && item.key != Key::KeepAlive {
        return Err(Malformed);
    }
    let mut values = [0; FIELDS];
    for (i, field) in item.fields.iter().enumerate().take(given) {
        values[i] = call.ranged(i + 1, field.1..=field.2)?;
    }
    for (i, value) in values.iter().enumerate().take(given) {
        module.settings.qicfg.set(item.key, i, *value);
    }
    Ok(Outcome::OK)
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
    fn items_stand_in_the_order_of_their_keys() {
        for (i, item) in ITEMS.iter().enumerate() {
            assert_eq!(item.key as usize, i, "{}", item.name);
            assert!(item.fields.len() <= FIELDS);
        }
    }
}
