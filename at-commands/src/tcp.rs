//! TCP and UDP sockets of the module. Manual: TCP/IP application note, `AT+QIOPEN`
//! to `AT+QIRD`.

use core::fmt::Write;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use atat::atat_derive::AtatEnum;
use atat::serde_at::serde::{Serialize, Serializer};

use crate::{
    command::commands,
    fields::Fields,
    framer::{Body, Expect},
    general::{NoResponse, nothing},
};

/// Most bytes of one `AT+QISEND`.
pub const SEND_MAX: usize = 1460;
/// Most bytes of one `AT+QISENDEX`, so that the command fits
/// [`LONGEST`](crate::LONGEST). Modules take 512.
pub const SEND_HEX_MAX: usize = 180;
/// Most bytes of one `AT+QIRD`.
pub const READ_MAX: usize = 1500;
/// How long the `+QIOPEN` URC can take, in milliseconds.
pub const OPEN_MS: u32 = 150_000;

/// Service type of a socket that is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Service {
    /// `"TCP"`: a TCP client.
    #[default]
    Tcp,
    /// `"TCP LISTENER"`: a TCP server.
    TcpListener,
    /// `"UDP"`: UDP with one peer.
    Udp,
    /// `"UDP SERVICE"`: UDP with any peer, named with each datagram.
    UdpService,
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Tcp => "TCP",
            Self::TcpListener => "TCP LISTENER",
            Self::Udp => "UDP",
            Self::UdpService => "UDP SERVICE",
        })
    }
}

/// An IP address as a quoted argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotedAddress(pub IpAddr);

impl Serialize for QuotedAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The longest IPv6 text has 45 characters.
        let mut text = heapless::String::<48>::new();
        // An IPv6 text that did not fit would come out empty and be refused
        // by the module; 48 is enough for every address.
        let _ = write!(text, "{}", self.0);
        serializer.serialize_str(&text)
    }
}

/// Bytes as a quoted argument of hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex<'a>(&'a [u8]);

impl<'a> Hex<'a> {
    /// `None` for no bytes, or more than [`SEND_HEX_MAX`].
    pub const fn new(bytes: &'a [u8]) -> Option<Self> {
        match bytes.len() {
            1..=SEND_HEX_MAX => Some(Self(bytes)),
            _ => None,
        }
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let mut text = heapless::String::<{ 2 * SEND_HEX_MAX }>::new();
        for byte in self.0 {
            for digit in [byte >> 4, byte & 15] {
                let digit = DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0');
                // `new` has checked that it fits.
                let _ = text.push(char::from(digit));
            }
        }
        serializer.serialize_str(&text)
    }
}

/// How received data reaches the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, AtatEnum)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AccessMode {
    /// A `recv` URC tells of it, `AT+QIRD` fetches it.
    #[default]
    #[at_arg(value = 0)]
    Buffer = 0,
}

/// `<socket_state>` of `+QISTATE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ModuleState {
    /// 0: allocated, not open
    Initial,
    /// 1: an open is running
    Opening,
    /// 2: connected
    Connected,
    /// 3: listening; BG96 has been seen to report it for a live client
    Listening,
    /// 4: closing, or closed by the peer
    Closing,
}

/// `<service_type>` of `+QISTATE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RowType {
    /// `"TCP"`
    Client,
    /// `"TCP INCOMING"`
    Incoming,
    /// `"TCP LISTENER"`
    Listener,
    /// Any UDP type, or one that is not known.
    Other,
}

/// A row of `+QISTATE:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SocketRow {
    /// Connect id.
    pub id: u8,
    /// Service type.
    pub kind: RowType,
    /// Remote port; meaningless for a listener.
    pub remote_port: u16,
    /// Local port; some firmware prints the 0 that was asked for.
    pub local_port: u16,
    /// State.
    pub state: ModuleState,
    /// PDP context id.
    pub context: u8,
    /// The remote address; for a listener or a service the local one.
    pub address: Option<IpAddr>,
    /// Connect id of the listener that accepted the connection; only for
    /// [`RowType::Incoming`].
    pub server: Option<u8>,
}

impl SocketRow {
    /// Reads a `+QISTATE:` line of 8, 10 or 11 fields.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut f = Fields::of(line, "+QISTATE:")?;
        let id = f.number()?;
        let kind = match f.quoted()? {
            b"TCP" => RowType::Client,
            b"TCP INCOMING" => RowType::Incoming,
            b"TCP LISTENER" => RowType::Listener,
            _ => RowType::Other,
        };
        let address = f.clone().address();
        f.quoted()?;
        let mut row = Self {
            id,
            kind,
            address,
            server: None,
            remote_port: f.number()?,
            local_port: f.number()?,
            state: match f.number::<u8>()? {
                0 => ModuleState::Initial,
                1 => ModuleState::Opening,
                2 => ModuleState::Connected,
                3 => ModuleState::Listening,
                4 => ModuleState::Closing,
                _ => return None,
            },
            context: f.number()?,
        };
        if row.kind == RowType::Incoming {
            row.server = f.number();
        }
        Some(row)
    }
}

/// All rows of `+QISTATE:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketRows(pub heapless::Vec<SocketRow, 16>);

impl atat::AtatResp for SocketRows {}

fn sockets(answer: &[u8]) -> Result<SocketRows, ()> {
    crate::rows(answer, "+QISTATE:", SocketRow::parse).map(SocketRows)
}

/// `+QIRD: <total>,<read>,<unread>`, in bytes since the socket was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ReadCounters {
    /// Received by the module.
    pub total: u32,
    /// Handed over to the host.
    pub read: u32,
    /// Waiting in the module.
    pub unread: u32,
}

impl ReadCounters {
    /// Reads a `+QIRD: <total>,<read>,<unread>` line.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut f = Fields::of(line, "+QIRD:")?;
        Some(Self {
            total: f.number()?,
            read: f.number()?,
            unread: f.number()?,
        })
    }
}

impl atat::AtatResp for ReadCounters {}

fn read_counters(answer: &[u8]) -> Result<ReadCounters, ()> {
    crate::row(answer, ReadCounters::parse)
}

/// `+QISEND: <total>,<acked>,<unacked>`, in bytes since the socket was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SendCounters {
    /// Taken by the module.
    pub total: u32,
    /// Acknowledged by the peer.
    pub acked: u32,
    /// Not acknowledged yet.
    pub unacked: u32,
}

impl SendCounters {
    /// Reads a `+QISEND: <total>,<acked>,<unacked>` line.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut f = Fields::of(line, "+QISEND:")?;
        Some(Self {
            total: f.number()?,
            acked: f.number()?,
            unacked: f.number()?,
        })
    }
}

impl atat::AtatResp for SendCounters {}

fn counters(answer: &[u8]) -> Result<SendCounters, ()> {
    crate::row(answer, SendCounters::parse)
}

/// Bytes that `AT+QIRD` returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedData(pub heapless::Vec<u8, READ_MAX>);

impl atat::AtatResp for ReceivedData {}

/// Reads a whole answer, header line included, as `QuectelDigester` and other
/// atat digesters hand it over.
fn received(answer: &[u8]) -> Result<ReceivedData, ()> {
    let end = answer
        .iter()
        .position(|b| *b == b'\n')
        .unwrap_or(answer.len());
    let (header, data) = answer.split_at_checked(end).ok_or(())?;
    let mut header = Fields::of(header.trim_ascii(), "+QIRD:").ok_or(())?;
    let len = header.number::<u16>().ok_or(())?;
    let data = data.get(1..).unwrap_or_default();
    let data = data.get(..usize::from(len)).ok_or(())?;
    heapless::Vec::from_slice(data)
        .map(ReceivedData)
        .map_err(|_| ())
}

/// A datagram that `AT+QIRD` returned, and its sender; no bytes and no sender
/// if there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedDatagram(pub heapless::Vec<u8, READ_MAX>, pub Option<SocketAddr>);

impl atat::AtatResp for ReceivedDatagram {}

fn datagram(answer: &[u8]) -> Result<ReceivedDatagram, ()> {
    let ReceivedData(data) = received(answer)?;
    let line = answer.split(|b| *b == b'\n').next().unwrap_or_default();
    let mut f = Fields::of(line.trim_ascii(), "+QIRD:").ok_or(())?;
    f.number::<u16>().ok_or(())?;
    let from = f.address().zip(f.number()).map(SocketAddr::from);
    Ok(ReceivedDatagram(data, from))
}

commands! {
    /// `AT+QIOPEN=<ctx>,<id>,"<type>","<ip>",<port>,<local port>,<mode>`: OK at
    /// once, `+QIOPEN: <id>,<err>` within 150 s.
    "+QIOPEN", 5_000 ms, Expect::CODE, NoResponse [nothing] => struct Open {
        /// Context id.
        context: u8 = 0,
        /// Connect id, 0 to 11.
        id: u8 = 1,
        /// Service type.
        service: Service = 2,
        /// Remote address. Names are resolved beforehand.
        remote: QuotedAddress = 3,
        /// Remote port.
        remote_port: u16 = 4,
        /// Local port, 0 for any.
        local_port: u16 = 5,
        /// Access mode.
        mode: AccessMode = 6,
    };
    /// `AT+QICLOSE=<id>,<timeout>`: blocks the AT channel until the peer has
    /// acknowledged or `timeout` seconds are over; 0 aborts at once. OK for
    /// an id that is not open, too. The answer can take as long as `timeout`
    /// says, so there are 2 s on top of the usual 10.
    "+QICLOSE", 12_000 ms, Expect::CODE, NoResponse [nothing] => struct Close {
        /// Connect id.
        id: u8 = 0,
        /// Seconds. Above 10 it takes a longer wait than this command's
        /// `MAX_TIMEOUT_MS`.
        timeout: u16 = 1,
    };
    /// `AT+QISTATE?`: all sockets, a row each.
    "+QISTATE?", 300 ms, Expect::lines("+QISTATE:"), SocketRows [sockets] => struct GetSockets;
    /// `AT+QISTATE=1,<id>`: one socket; no row if the id is free.
    "+QISTATE", 300 ms, Expect::lines("+QISTATE:"), SocketRows [sockets] => struct GetSocket {
        /// 1: ask by connect id.
        query: u8 = 0,
        /// Connect id.
        id: u8 = 1,
    };
    /// `AT+QISEND=<id>,<n>`: prompt, n bytes, `SEND OK` or `SEND FAIL`.
    "+QISEND", 120_000 ms, Expect { body: Body::Prompt, ..Expect::CODE }, NoResponse [nothing] => struct Send {
        /// Connect id.
        id: u8 = 0,
        /// Bytes to come, 1 to 1460.
        len: u16 = 1,
    };
    /// `AT+QISEND=<id>,<n>,"<ip>",<port>`: one datagram of a `"UDP SERVICE"`.
    "+QISEND", 120_000 ms, Expect { body: Body::Prompt, ..Expect::CODE }, NoResponse [nothing] => struct SendTo {
        /// Connect id.
        id: u8 = 0,
        /// Bytes to come, 1 to 1460.
        len: u16 = 1,
        /// Remote address.
        remote: QuotedAddress = 2,
        /// Remote port.
        remote_port: u16 = 3,
    };
    /// `AT+QISENDEX=<id>,"<hex>"`: as `AT+QISEND`, with the payload in the
    /// command line instead of behind a prompt.
    "+QISENDEX", 120_000 ms, Expect { body: Body::SendResult, ..Expect::CODE }, NoResponse [nothing] => struct SendHex<'a> {
        /// Connect id.
        id: u8 = 0,
        /// The payload.
        data: Hex<'a> = 1,
    };
    /// `AT+QISEND=<id>,0`: the counters of sent bytes.
    "+QISEND", 300 ms, Expect::lines("+QISEND:"), SendCounters [counters] => struct GetSendCounters {
        /// Connect id.
        id: u8 = 0,
        /// 0
        zero: u8 = 1,
    };
    /// `AT+QIRD=<id>,0`: the counters of received bytes.
    "+QIRD", 300 ms, Expect::lines("+QIRD:"), ReadCounters [read_counters] => struct GetReadCounters {
        /// Connect id.
        id: u8 = 0,
        /// 0
        zero: u8 = 1,
    };
    /// `AT+QIRD=<id>,<n>`: up to n bytes of received data.
    "+QIRD", 5_000 ms, Expect { body: Body::Counted, ..Expect::lines("+QIRD:") }, ReceivedData [received] => struct ReadData {
        /// Connect id.
        id: u8 = 0,
        /// Most bytes wanted, 1 to 1500.
        len: u16 = 1,
    };
    /// `AT+QIRD=<id>`: the next datagram of a `"UDP SERVICE"`, with its
    /// sender.
    "+QIRD", 5_000 ms, Expect { body: Body::Datagram, ..Expect::lines("+QIRD:") }, ReceivedDatagram [datagram] => struct ReadDatagram {
        /// Connect id.
        id: u8 = 0,
    };
}

impl Open {
    /// A TCP client in buffer mode.
    pub const fn tcp(context: u8, id: u8, remote: SocketAddr, local_port: u16) -> Self {
        Self {
            context,
            id,
            service: Service::Tcp,
            remote: QuotedAddress(remote.ip()),
            remote_port: remote.port(),
            local_port,
            mode: AccessMode::Buffer,
        }
    }

    /// UDP with one peer, in buffer mode.
    pub const fn udp(context: u8, id: u8, remote: SocketAddr, local_port: u16) -> Self {
        Self {
            service: Service::Udp,
            ..Self::tcp(context, id, remote, local_port)
        }
    }

    /// A TCP server in buffer mode; what it accepts inherits that.
    pub const fn listener(context: u8, id: u8, v6: bool, local_port: u16) -> Self {
        Self {
            service: Service::TcpListener,
            ..Self::tcp(context, id, anywhere(v6), local_port)
        }
    }

    /// UDP with any peer, in buffer mode.
    pub const fn udp_service(context: u8, id: u8, v6: bool, local_port: u16) -> Self {
        Self {
            service: Service::UdpService,
            ..Self::tcp(context, id, anywhere(v6), local_port)
        }
    }
}

/// What the manual wants in place of a remote address where there is none.
const fn anywhere(v6: bool) -> SocketAddr {
    let address = if v6 {
        IpAddr::V6(Ipv6Addr::LOCALHOST)
    } else {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    };
    SocketAddr::new(address, 0)
}
