//! Settings of the TCP/IP stack. Manual: TCP/IP application note, `AT+QISDE`
//! and `AT+QICFG`.

use atat::serde_at::serde::{Serialize, Serializer};

use crate::{
    command::commands,
    fields::Fields,
    framer::Expect,
    general::{NoResponse, nothing},
    text::Text,
};

/// A setting of `AT+QICFG` with one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Setting {
    /// `"transpktsize"`: packet size of transparent mode, 1 to 1460, 1024
    /// after a start.
    TransparentPacketSize,
    /// `"qisend/timeout"`: seconds that the module waits for payload.
    SendTimeout,
}

impl Setting {
    const fn name(self) -> &'static str {
        match self {
            Self::TransparentPacketSize => "transpktsize",
            Self::SendTimeout => "qisend/timeout",
        }
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The `"tcp/keepalive"` that `AT+QICFG` sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive;

impl Serialize for KeepAlive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("tcp/keepalive")
    }
}

/// Value of [`Setting::TransparentPacketSize`] after a start of the module.
pub const TRANSPARENT_PACKET_SIZE: u16 = 1024;

/// `+QICFG: "<name>",<value>`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingValue(pub u16);

impl atat::AtatResp for SettingValue {}

impl SettingValue {
    /// Reads the line if it speaks of this setting.
    pub fn parse(line: &[u8], setting: Setting) -> Option<Self> {
        let mut f = Fields::of(line, "+QICFG:")?;
        (f.quoted()? == setting.name().as_bytes()).then_some(())?;
        f.number().map(Self)
    }
}

fn value(answer: &[u8]) -> Result<SettingValue, ()> {
    let any = |line: &[u8]| {
        SettingValue::parse(line, Setting::TransparentPacketSize)
            .or_else(|| SettingValue::parse(line, Setting::SendTimeout))
    };
    crate::row(answer, any)
}

/// Name of a port for URCs: `uart1`, `usbat`, `usbmodem`, …
pub type PortName<'a> = Text<'a, 16>;

/// Reads the name from a `+QURCCFG: "urcport","<name>"` line.
pub fn urc_port(line: &[u8]) -> Option<&str> {
    let mut f = Fields::of(line, "+QURCCFG:")?;
    f.quoted()?;
    core::str::from_utf8(f.quoted()?).ok()
}

/// The `"urcport"` that `AT+QURCCFG` sets and reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrcPort;

impl Serialize for UrcPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("urcport")
    }
}

/// The answer's port name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrcPortName(pub heapless::String<16>);

impl atat::AtatResp for UrcPortName {}

fn port_name(answer: &[u8]) -> Result<UrcPortName, ()> {
    crate::row(answer, |line| {
        urc_port(line)?.try_into().ok().map(UrcPortName)
    })
}

commands! {
    /// `AT+QISDE=<0|1>`: whether the payload of a send is echoed, 1 by
    /// default. Must be off before the first send.
    "+QISDE", 300 ms, Expect::CODE, NoResponse [nothing] => struct SetPayloadEcho {
        /// 0 off, 1 on.
        echo: u8 = 0,
    };
    /// `AT+QICFG="<name>",<value>`. Volatile.
    "+QICFG", 300 ms, Expect::CODE, NoResponse [nothing] => struct SetSetting {
        /// Which.
        setting: Setting = 0,
        /// Its value.
        value: u16 = 1,
    };
    /// `AT+QICFG="<name>"`: its value.
    "+QICFG", 300 ms, Expect::lines("+QICFG:"), SettingValue [value] => struct GetSetting {
        /// Which.
        setting: Setting = 0,
    };
    /// `AT+QICFG="tcp/keepalive",1,<idle>,<interval>,<probes>`: for all TCP
    /// connections that are opened later. Volatile.
    "+QICFG", 300 ms, Expect::CODE, NoResponse [nothing] => struct SetKeepAlive {
        /// `"tcp/keepalive"`
        what: KeepAlive = 0,
        /// 1 on
        on: u8 = 1,
        /// Silence before the first probe: 1 to 120 minutes, or seconds on
        /// families that count so.
        idle: u16 = 2,
        /// Seconds between probes, 25 to 100.
        interval: u16 = 3,
        /// Probes without an answer that end the connection, 3 to 10.
        probes: u8 = 4,
    };
    /// `AT+QICFG="tcp/keepalive",0`: none.
    "+QICFG", 300 ms, Expect::CODE, NoResponse [nothing] => struct ClearKeepAlive {
        /// `"tcp/keepalive"`
        what: KeepAlive = 0,
        /// 0 off
        off: u8 = 1,
    };
    /// `AT+QURCCFG="urcport"`: the port that URCs go to.
    "+QURCCFG", 300 ms, Expect::lines("+QURCCFG:"), UrcPortName [port_name] => struct GetUrcPort {
        /// `"urcport"`
        what: UrcPort = 0,
    };
    /// `AT+QURCCFG="urcport","<name>"`: kept in the module's flash.
    "+QURCCFG", 300 ms, Expect::CODE, NoResponse [nothing] => struct SetUrcPort<'a> {
        /// `"urcport"`
        what: UrcPort = 0,
        /// Name of the port.
        port: PortName<'a> = 1,
    };
}
