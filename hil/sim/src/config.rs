//! How a simulation is set up.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::net::{Internet, Link, Unbound};
use crate::profile::Profile;

/// Whether the module runs when the simulation begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Boot {
    /// It has been running for a while.
    #[default]
    Booted,
    /// Its power has just come: it is deaf until `RDY`.
    Cold,
    /// It is off until [`Sim::power_on`](crate::Sim::power_on).
    Off,
}

/// The state of the SIM card.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum SimCard {
    /// Ready for use.
    #[default]
    Ready,
    /// Locked with this PIN.
    Pin(String),
    /// Locked with a PUK.
    Puk,
    /// There is none: CME error 10.
    Absent,
    /// It does not answer: CME error 13.
    Failure,
    /// Busy (CME error 14) for this long after a start, in µs; then ready.
    Busy(u64),
}

/// What the module finds on the air.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cellular {
    /// From a start, or `AT+CFUN=1`, until the module is registered, in µs.
    pub register_us: u64,
    /// The registration state reached: 1 home, 5 roaming, 3 denied, 2 for ever searching.
    pub registration: u8,
    /// Location or tracking area code, four hexadecimal digits.
    pub area: String,
    /// Cell, up to eight hexadecimal digits.
    pub cell: String,
    /// Access technology: 0 GSM, 2 UTRAN, 7 E-UTRAN, 8 LTE-M.
    pub technology: u8,
    /// The operator's number, as `AT+COPS?` prints it after `AT+COPS=3,2`.
    pub operator: String,
    /// The operator's name.
    pub operator_name: String,
    /// `AT+CSQ`: signal strength, 0 to 31, or 99.
    pub rssi: u8,
    /// `AT+CSQ`: bit error rate, 0 to 7, or 99.
    pub ber: u8,
    /// Reference signal received power, in dBm.
    pub rsrp: i16,
    /// Reference signal received quality, in dB.
    pub rsrq: i16,
    /// Signal to noise ratio, as `AT+QCSQ` prints it: 0 to 250, fifths of a dB above -20 dB.
    pub sinr: u8,
    /// Physical cell id.
    pub physical_cell: u16,
    /// Channel number.
    pub channel: u32,
    /// LTE band.
    pub band: u8,
    /// APNs for which the network refuses to activate a context.
    pub denied_apns: Vec<String>,
    /// The one APN for which the network activates contexts; any if none.
    pub apn: Option<String>,
    /// User name and password that the network wants; whatever is given if none.
    pub credentials: Option<(String, String)>,
    /// The address of context 1; context n has the last octet n - 1 higher.
    pub address: Ipv4Addr,
    /// The IPv6 address of context 1; that of context n is n - 1 higher.
    pub address_v6: Ipv6Addr,
    /// The name servers that the network gives.
    pub name_servers: [Ipv4Addr; 2],
    /// How long a name server takes to answer, in µs.
    pub dns_us: u64,
    /// The time when the simulation begins, in seconds since 1970, UTC, as the network tells it; none
    /// if it never does.
    pub unix_s: Option<u64>,
    /// The time zone that the network tells, in quarters of an hour east of UTC.
    pub zone_quarters: i8,
    /// `AT+CIMI`.
    pub imsi: String,
    /// `AT+QCCID`.
    pub iccid: String,
    /// The PUK of the SIM card.
    pub puk: String,
}

impl Default for Cellular {
    fn default() -> Cellular {
        Cellular {
            register_us: 3_000_000,
            registration: 1,
            area: "5650".into(),
            cell: "29A7DF4".into(),
            technology: 7,
            operator: "00101".into(),
            operator_name: "TEST NETWORK".into(),
            rssi: 22,
            ber: 99,
            rsrp: -95,
            rsrq: -10,
            sinr: 150,
            physical_cell: 212,
            channel: 1_650,
            band: 3,
            denied_apns: Vec::new(),
            apn: None,
            credentials: None,
            address: Ipv4Addr::new(10, 7, 157, 1),
            address_v6: Ipv6Addr::new(0x2001, 0xdb8, 0x9d, 0, 0, 0, 0, 1),
            name_servers: [Ipv4Addr::new(192, 0, 2, 53), Ipv4Addr::new(192, 0, 2, 54)],
            dns_us: 60_000,
            // 2026-01-01 00:00:00
            unix_s: Some(1_767_225_600),
            zone_quarters: 0,
            imsi: "001010123456789".into(),
            iccid: "89860025128306012474".into(),
            puk: "12345678".into(),
        }
    }
}

/// How a simulation is set up. All times are in µs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// Bits a second, both ways and at both ends; a byte is ten bits.
    pub baud: u32,
    /// From the `\r` of a command, or the last byte of payload, to the first byte of the answer.
    pub latency_us: u64,
    /// Size of the host's transmit FIFO in bytes; see [`Sim::write_free`](crate::Sim::write_free).
    pub transmit_fifo: usize,
    /// How many bytes the host can receive without reading them; see
    /// [`Sim::set_receive_fifo`](crate::Sim::set_receive_fifo). None for very many.
    pub receive_fifo: Option<usize>,
    /// Whether the module runs at the beginning.
    pub boot: Boot,
    /// Whether the dialogue is recorded; see [`Sim::dialogue`](crate::Sim::dialogue).
    pub trace: bool,
    /// The module family.
    pub profile: Profile,
    /// The SIM card.
    pub sim_card: SimCard,
    /// The air.
    pub cellular: Cellular,
    /// The radio link.
    pub link: Link,
    /// Whether there is a real network behind the simulated one.
    pub internet: Internet,
    /// The real name server that is asked for names which [`Sim::set_name`](crate::Sim::set_name) was
    /// not told, if there is a real network; the resolver of this PC if none is given.
    pub name_server: Option<SocketAddr>,
    /// What happens to connections to addresses at which nothing was put, if there is none.
    pub unbound: Unbound,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            seed: 0,
            baud: 115_200,
            latency_us: 2_000,
            transmit_fifo: 256,
            receive_fifo: None,
            boot: Boot::Booted,
            trace: false,
            profile: Profile::default(),
            sim_card: SimCard::default(),
            cellular: Cellular::default(),
            link: Link::default(),
            internet: Internet::default(),
            name_server: None,
            unbound: Unbound::default(),
        }
    }
}
