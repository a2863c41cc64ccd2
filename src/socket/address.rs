//! Addresses: what a call can be given, and `getaddrinfo`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    AF_INET, AF_INET6, Error, Family, Patience, Protocol, SOCK_STREAM, Type, convert, protocol,
};
use crate::{
    engine::Addresses,
    error::{ConnectError, ResolveError},
    stack::{Port, Stack},
};

/// Where to connect to: a socket address, an entry of
/// [`getaddrinfo`](Stack::getaddrinfo), or a host name with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address<'n> {
    /// An address.
    Ip(SocketAddr),
    /// A name, resolved first, or an address in text form.
    Name(&'n str, u16),
}

impl From<SocketAddr> for Address<'_> {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl<'n> From<(&'n str, u16)> for Address<'n> {
    fn from((name, port): (&'n str, u16)) -> Self {
        Self::Name(name, port)
    }
}

impl From<AddrInfo> for Address<'_> {
    fn from(info: AddrInfo) -> Self {
        Self::Ip(info.sockaddr)
    }
}

/// One answer of [`getaddrinfo`](Stack::getaddrinfo).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddrInfo {
    /// Address family.
    pub family: Family,
    /// Socket type.
    pub kind: Type,
    /// Protocol.
    pub proto: Protocol,
    /// Canonical name: modules do not tell it, so it is empty.
    pub canonname: &'static str,
    /// The address to connect to.
    pub sockaddr: SocketAddr,
}

/// What [`getaddrinfo_with`](Stack::getaddrinfo_with) is to look for; `None`
/// for any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hints {
    /// Address family.
    pub family: Option<Family>,
    /// Socket type; TCP if none is given.
    pub kind: Option<Type>,
    /// Protocol.
    pub proto: Protocol,
}

/// Answers of [`getaddrinfo`](Stack::getaddrinfo), best first.
pub type AddrInfos = heapless::Vec<AddrInfo, 4>;

/// `getaddrinfo` waits as long as the module may take.
const RESOLVE: Patience = Patience::Ms(75_000);

impl<P: Port> Stack<'_, P> {
    /// `socket.getaddrinfo(host, port)`: resolves with `AT+QIDNSGIP`, waiting
    /// up to 75 s. An address in text form needs no look-up; an empty name is
    /// the unspecified address.
    ///
    /// # Errors
    /// [`ResolveError`]
    pub fn getaddrinfo(&self, host: &str, port: u16) -> Result<AddrInfos, Error> {
        self.getaddrinfo_with(host, port, Hints::default())
    }

    /// `socket.getaddrinfo(host, port, family, type, proto)`
    ///
    /// # Errors
    /// [`ResolveError`]; [`Error::NotSupported`] for a type and protocol that
    /// a socket could not have either.
    ///
    /// ```
    /// use quectel_sockets::{Port, Stack, socket::{AF_INET, Error, Hints, SOCK_DGRAM}};
    /// fn ask(stack: &Stack<'_, impl Port>) -> Result<(), Error> {
    ///     let hints = Hints { kind: Some(SOCK_DGRAM), ..Hints::default() };
    ///     let answers = stack.getaddrinfo_with("192.0.2.1", 53, hints)?;
    ///     assert_eq!(answers[0].family, AF_INET);
    ///     Ok(())
    /// }
    /// ```
    pub fn getaddrinfo_with(
        &self,
        host: &str,
        port: u16,
        hints: Hints,
    ) -> Result<AddrInfos, Error> {
        let kind = hints.kind.unwrap_or(SOCK_STREAM);
        let proto = protocol(kind, hints.proto)?;
        let addresses = if host.is_empty() {
            let v6 = hints.family == Some(AF_INET6);
            [unspecified(v6)].into_iter().collect()
        } else {
            self.resolve(host, RESOLVE)?
        };
        let answers: AddrInfos = addresses
            .into_iter()
            .map(|ip| AddrInfo {
                family: Family::of(ip),
                kind,
                proto,
                canonname: "",
                sockaddr: SocketAddr::new(ip, port),
            })
            .filter(|info| hints.family.is_none_or(|family| info.family == family))
            .collect();
        if answers.is_empty() {
            return Err(ResolveError::NotFound.into());
        }
        Ok(answers)
    }

    fn resolve(&self, host: &str, patience: Patience) -> Result<Addresses, Error> {
        self.wait(patience, |stack| {
            stack.core()?.engine.resolve(host).map_err(convert)
        })
    }

    /// The address of a family that is meant; a name is looked up. The empty
    /// name stands for the module itself.
    pub(super) fn address(
        &self,
        address: Address<'_>,
        family: Family,
        patience: Patience,
    ) -> Result<SocketAddr, Error> {
        let (ip, port) = match address {
            Address::Ip(address) if Family::of(address.ip()) == family => return Ok(address),
            Address::Ip(_) => return Err(ConnectError::AddressFamily.into()),
            Address::Name("", port) => (Some(unspecified(family == AF_INET6)), port),
            Address::Name(name, port) => {
                let addresses = self.resolve(name, patience)?;
                let mut fitting = addresses.into_iter();
                (fitting.find(|ip| Family::of(*ip) == family), port)
            }
        };
        let ip = ip.ok_or(ResolveError::NotFound)?;
        Ok(SocketAddr::new(ip, port))
    }
}

impl Family {
    pub(super) const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => AF_INET,
            IpAddr::V6(_) => AF_INET6,
        }
    }
}

const fn unspecified(v6: bool) -> IpAddr {
    if v6 {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    }
}
