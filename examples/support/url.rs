//! `http://HOST[:PORT][/PATH]`, checked before anything is sent.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use quectel_sockets::HostName;

/// A checked URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    pub host: String,
    pub port: u16,
    /// Begins with `/`.
    pub path: String,
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shown: String = text.escape_debug().take(100).collect();
        let wrong = |what: &str| {
            Err(format!(
                "{what} in URL {shown}; allowed is http://HOST[:PORT][/PATH]"
            ))
        };
        let Some(rest) = text.strip_prefix("http://") else {
            return wrong("no http://");
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, port),
            None => (authority, "80"),
        };
        let digits = port.bytes().all(|b| b.is_ascii_digit());
        let Some(port) = port.parse().ok().filter(|port| digits && *port > 0) else {
            return wrong("port that is not a number from 1 to 65535");
        };
        if host.parse::<Ipv4Addr>().is_err()
            && let Err(error) = HostName::new(host)
        {
            return wrong(&format!("host name ({error})"));
        }
        if !path.bytes().all(|b| b.is_ascii_graphic()) {
            return wrong("blank, control or non-ASCII character in the path");
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }
}
