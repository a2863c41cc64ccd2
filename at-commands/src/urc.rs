//! Unsolicited result codes: lines that the module sends by itself.
//!
//! Parsed by hand, since the shapes (`+QIURC` alone has five) are beyond
//! what atat's derive can express. Fields that newer firmware appends are
//! ignored.

use core::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use atat::AtatUrc;

use crate::{
    fields::Fields,
    network::{Domain, Registration},
    result::TcpIpError,
    sim::SimState,
};

/// An unsolicited result code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Urc {
    /// `RDY`, `APP RDY`: the module has started. While running it means that
    /// it restarted: sockets, contexts and unsaved settings are gone.
    Ready,
    /// `POWERED DOWN`, `NORMAL POWER DOWN`, `PSM POWER DOWN` and the like.
    PoweredDown,
    /// `+CFUN: <fun>`
    Functionality(u8),
    /// `+CPIN: <state>`
    Sim(SimState),
    /// `+CREG`, `+CGREG` or `+CEREG`.
    Registration(Domain, Registration),
    /// `+QUSIM`, `+QIND`, `+CTZV` and other lines that need no action here.
    Notice,
    /// `+QIOPEN: <id>,<err>`: the open of this connect id has ended.
    Open {
        /// Connect id.
        id: u8,
        /// `None`: connected.
        error: Option<TcpIpError>,
    },
    /// `+QIURC: "recv",<id>[,<n>]`: data waits in the module.
    Received {
        /// Connect id.
        id: u8,
    },
    /// `+QIURC: "closed",<id>`: the peer has closed or reset the connection.
    Closed {
        /// Connect id.
        id: u8,
    },
    /// `+QIURC: "incoming",<id>,<server>,"<ip>",<port>`: a listener has
    /// accepted a connection.
    Incoming {
        /// Connect id of the new connection.
        id: u8,
        /// Connect id of the listener.
        server: u8,
        /// The client.
        remote: SocketAddr,
    },
    /// `+QIURC: "incoming full"`: a client was refused, no id is free.
    IncomingFull,
    /// `+QIURC: "pdpdeact",<ctx>`: the network dropped the PDP context.
    ContextLost {
        /// PDP context id.
        context: u8,
    },
    /// `+QIURC: "dnsgip",0,<count>[,<ttl>]`: this many addresses follow.
    DnsCount {
        /// Number of addresses.
        count: u8,
        /// Time to live in seconds; 0 where the firmware leaves it out.
        ttl: u32,
    },
    /// `+QIURC: "dnsgip","<ip>"`: one address.
    DnsAddress(IpAddr),
    /// `+QIURC: "dnsgip",<err>`: the look-up has failed.
    DnsFailed(TcpIpError),
}

impl AtatUrc for Urc {
    fn parse(line: &[u8]) -> Option<Self> {
        match line {
            b"RDY" | b"APP RDY" => return Some(Self::Ready),
            b"POWERED DOWN"
            | b"NORMAL POWER DOWN"
            | b"PSM POWER DOWN"
            | b"UNDER_VOLTAGE POWER DOWN" => return Some(Self::PoweredDown),
            [b'+', ..] => {}
            _ => return None,
        }
        if let Some(f) = Fields::of(line, "+QIURC:") {
            return qiurc(f);
        }
        if let Some(mut f) = Fields::of(line, "+QIOPEN:") {
            return Some(Self::Open {
                id: f.number()?,
                error: error(f.number()?),
            });
        }
        if let Some(mut f) = Fields::of(line, "+CFUN:") {
            return Some(Self::Functionality(f.number()?));
        }
        if line.starts_with(b"+CPIN:") {
            return SimState::parse(line).map(Self::Sim);
        }
        for domain in [Domain::Eps, Domain::PacketSwitched, Domain::CircuitSwitched] {
            if line.starts_with(domain.prefix().as_bytes()) {
                return Registration::parse_urc(line, domain)
                    .map(|r| Self::Registration(domain, r));
            }
        }
        let notices = [
            "+QUSIM:",
            "+QIND:",
            "+QSIMSTAT:",
            "+CTZV:",
            "+CTZE:",
            "+CGEV:",
            "+CMTI:",
        ];
        notices
            .iter()
            .any(|name| line.starts_with(name.as_bytes()))
            .then_some(Self::Notice)
    }
}

/// As the module writes it. What [`Urc`] does not keep is left out.
impl fmt::Display for Urc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Ready => f.write_str("RDY"),
            Self::PoweredDown => f.write_str("POWERED DOWN"),
            Self::Functionality(n) => write!(f, "+CFUN: {n}"),
            Self::Sim(state) => write!(f, "+CPIN: {state}"),
            Self::Registration(domain, stat) => write!(f, "{} {}", domain.prefix(), stat.0),
            Self::Notice => f.write_str("a notice"),
            Self::Open { id, error } => {
                write!(f, "+QIOPEN: {id},{}", error.map_or(0, |error| error.0))
            }
            Self::Received { id } => write!(f, "+QIURC: \"recv\",{id}"),
            Self::Closed { id } => write!(f, "+QIURC: \"closed\",{id}"),
            Self::Incoming { id, server, remote } => write!(
                f,
                "+QIURC: \"incoming\",{id},{server},\"{}\",{}",
                remote.ip(),
                remote.port()
            ),
            Self::IncomingFull => f.write_str("+QIURC: \"incoming full\""),
            Self::ContextLost { context } => write!(f, "+QIURC: \"pdpdeact\",{context}"),
            Self::DnsCount { count, ttl } => write!(f, "+QIURC: \"dnsgip\",0,{count},{ttl}"),
            Self::DnsAddress(address) => write!(f, "+QIURC: \"dnsgip\",\"{address}\""),
            Self::DnsFailed(error) => write!(f, "+QIURC: \"dnsgip\",{}", error.0),
        }
    }
}

fn error(code: u16) -> Option<TcpIpError> {
    (code != 0).then_some(TcpIpError(code))
}

fn qiurc(mut f: Fields<'_>) -> Option<Urc> {
    Some(match f.quoted()? {
        b"recv" => Urc::Received { id: f.number()? },
        b"closed" => Urc::Closed { id: f.number()? },
        b"incoming" => Urc::Incoming {
            id: f.number()?,
            server: f.number()?,
            remote: SocketAddr::new(f.address()?, f.number()?),
        },
        b"incoming full" => Urc::IncomingFull,
        b"pdpdeact" => Urc::ContextLost {
            context: f.number()?,
        },
        b"dnsgip" => {
            let mut peek = f.clone();
            if let Some(address) = peek.address() {
                return Some(Urc::DnsAddress(address));
            }
            match error(f.number()?) {
                Some(error) => Urc::DnsFailed(error),
                None => Urc::DnsCount {
                    count: f.number()?,
                    ttl: f.number().unwrap_or(0),
                },
            }
        }
        _ => return None,
    })
}
