//! `http://HOST[:PORT][/PATH]` and its likes, checked before anything is sent.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use quectel_sockets::HostName;

/// A checked URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    pub scheme: &'static str,
    pub host: String,
    pub port: u16,
    /// Begins with `/`.
    pub path: String,
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme,
            host,
            port,
            path,
        } = self;
        write!(f, "{scheme}://{host}:{port}{path}")
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, "http", 80)
    }
}

impl Url {
    /// A URL of this scheme, with the port that is meant if none is given.
    pub fn parse(text: &str, scheme: &'static str, port: u16) -> Result<Self, String> {
        let shown: String = text.escape_debug().take(100).collect();
        let wrong =
            |what: &str| format!("{what} in URL {shown}; allowed is {scheme}://HOST[:PORT][/PATH]");
        let rest = text
            .strip_prefix(scheme)
            .and_then(|rest| rest.strip_prefix("://"))
            .ok_or_else(|| wrong(&format!("no {scheme}://")))?;
        let (server, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let Server { host, port } = Server::parse(server, port).map_err(|what| wrong(&what))?;
        if !path.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong("blank, control or non-ASCII character in the path"));
        }
        Ok(Self {
            scheme,
            host,
            port,
            path: path.to_owned(),
        })
    }
}

/// A checked `HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub host: String,
    pub port: u16,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Server {
    /// With the port that is meant if none is given; what is wrong else.
    pub fn parse(text: &str, port: u16) -> Result<Self, String> {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => {
                let digits = port.bytes().all(|b| b.is_ascii_digit());
                (host, port.parse().ok().filter(|port| digits && *port > 0))
            }
            None => (text, Some(port)),
        };
        let port = port.ok_or("port that is not a number from 1 to 65535")?;
        if host.parse::<Ipv4Addr>().is_err()
            && let Err(error) = HostName::new(host)
        {
            return Err(format!("host name ({error})"));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}
