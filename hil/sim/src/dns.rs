//! The name server: a table of names, then, if there is a real network, a real name server or the
//! resolver of this PC.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, TryRecvError};

use crate::background;
use crate::name_server;

/// How often a look-up by the PC is asked for, in µs.
const POLL_US: u64 = 1_000;
/// The time to live, in seconds, of what the PC has looked up, which does not tell it.
const REAL_TTL_S: u32 = 60;

/// What the name server knows of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    Addresses(Vec<IpAddr>, u32),
    /// The name server never answers for it.
    Silent,
}

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// `AT+QIDNSGIP`
    Host,
    /// `AT+QIOPEN` with a name, for this connect id.
    Open(u8),
    /// `AT+QPING` with a name.
    Ping,
    /// `AT+QNTP` with a name.
    Time,
}

/// What the resolver has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// URCs for the host.
    Urc(Vec<String>),
    /// The address for another command, or none.
    Address(Asker, Option<IpAddr>),
}

/// What is to be looked up, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) asker: Asker,
    pub(crate) name: &'a str,
    /// How long a name server takes to answer, in µs.
    pub(crate) us: u64,
    /// How long one that does not is waited for, in µs.
    pub(crate) limit_us: u64,
    /// Whether the ttl is printed.
    pub(crate) ttl: bool,
    /// The kind of the PDP context: 2 wants IPv6 addresses, 3 both, any other IPv4.
    pub(crate) kind: u8,
}

#[derive(Debug)]
struct Query {
    asker: Asker,
    name: String,
    at: u64,
    /// How the answer is printed: with the ttl or not.
    ttl: bool,
    /// The kind of the PDP context: 2 wants IPv6 addresses, 3 both, any other IPv4.
    kind: u8,
    /// It is being looked up in the real network.
    real: Option<Receiver<Found>>,
}

/// Addresses, and their time to live in seconds.
type Found = (Vec<IpAddr>, u32);

/// Who is asked for names that are not in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Beyond {
    #[default]
    Nobody,
    ThisPc,
    Server(SocketAddr),
}

#[derive(Debug, Default)]
pub(crate) struct Resolver {
    names: BTreeMap<String, Name>,
    queries: Vec<Query>,
    beyond: Beyond,
}

impl Resolver {
    pub(crate) fn new(beyond: Beyond) -> Resolver {
        Resolver {
            beyond,
            ..Resolver::default()
        }
    }

    pub(crate) fn set(&mut self, name: &str, what: Name) {
        self.names.insert(name.to_ascii_lowercase(), what);
    }

    /// Whether the host's own look-up is going on.
    pub(crate) fn busy(&self) -> bool {
        self.queries.iter().any(|query| query.asker == Asker::Host)
    }

    /// Begins a look-up.
    pub(crate) fn ask(&mut self, now: u64, question: &Question<'_>) {
        let name = question.name.to_ascii_lowercase();
        let literal = name.parse::<IpAddr>().is_ok();
        let real = match self.names.get(&name) {
            None if !literal => look_up(self.beyond, &name, question.kind),
            _ => None,
        };
        let wait = match self.names.get(&name) {
            _ if literal => 0,
            Some(Name::Silent) => question.limit_us,
            _ if real.is_some() => question.limit_us,
            _ => question.us,
        };
        self.queries.push(Query {
            asker: question.asker,
            name,
            at: now + wait,
            ttl: question.ttl,
            kind: question.kind,
            real,
        });
    }

    /// Forgets a look-up for an open.
    pub(crate) fn forget(&mut self, id: u8) {
        self.queries.retain(|query| query.asker != Asker::Open(id));
    }

    /// Forgets every look-up.
    pub(crate) fn cancel(&mut self) {
        self.queries.clear();
    }

    pub(crate) fn next(&self, now: u64) -> Option<u64> {
        let due = |query: &Query| match query.real {
            Some(_) => query.at.min(now + POLL_US),
            None => query.at,
        };
        self.queries.iter().map(due).min()
    }

    /// A look-up that is finished at `now`.
    pub(crate) fn poll(&mut self, now: u64) -> Option<Answer> {
        for (i, query) in self.queries.iter().enumerate() {
            let found = match query.real.as_ref().map(Receiver::try_recv) {
                Some(Ok(found)) => found,
                Some(Err(TryRecvError::Empty)) | None if query.at > now => continue,
                Some(Err(_)) => (Vec::new(), 0),
                None => self.known(&query.name),
            };
            let query = self.queries.remove(i);
            let (mut addresses, ttl) = found;
            if query.name.parse::<IpAddr>().is_err() {
                addresses.retain(|address| match query.kind {
                    2 => address.is_ipv6(),
                    3 => true,
                    _ => address.is_ipv4(),
                });
            }
            return Some(query.answer(&addresses, ttl));
        }
        None
    }

    fn known(&self, name: &str) -> (Vec<IpAddr>, u32) {
        match (name.parse(), self.names.get(name)) {
            (Ok(literal), _) => (vec![literal], 0),
            (_, Some(Name::Addresses(addresses, ttl))) => (addresses.clone(), *ttl),
            _ => (Vec::new(), 0),
        }
    }
}

impl Query {
    fn answer(&self, addresses: &[IpAddr], ttl: u32) -> Answer {
        match self.asker {
            Asker::Open(_) | Asker::Ping | Asker::Time => {
                Answer::Address(self.asker, addresses.first().copied())
            }
            Asker::Host if addresses.is_empty() => {
                Answer::Urc(vec!["+QIURC: \"dnsgip\",565".into()])
            }
            Asker::Host => {
                let count = addresses.len();
                let head = if self.ttl {
                    format!("+QIURC: \"dnsgip\",0,{count},{ttl}")
                } else {
                    format!("+QIURC: \"dnsgip\",0,{count}")
                };
                let row = |address: &IpAddr| format!("+QIURC: \"dnsgip\",\"{address}\"");
                Answer::Urc(
                    std::iter::once(head)
                        .chain(addresses.iter().map(row))
                        .collect(),
                )
            }
        }
    }
}

/// Asks for the addresses of a name, which may take time.
fn look_up(whom: Beyond, name: &str, kind: u8) -> Option<Receiver<Found>> {
    let name = name.to_owned();
    match whom {
        Beyond::Nobody => None,
        Beyond::ThisPc => background::start(move || {
            let found = (name.as_str(), 0).to_socket_addrs().into_iter().flatten();
            let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            addresses.dedup();
            (addresses, REAL_TTL_S)
        }),
        Beyond::Server(server) => {
            background::start(move || name_server::look_up(server, &name, kind != 2, kind >= 2))
        }
    }
}
