//! Serial servers on the network.

use std::{
    io,
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use crate::error::Reason;

/// Connects to `address`, which is `HOST:PORT`.
pub(crate) fn open(address: &str, timeout: Duration) -> Result<TcpStream, Reason> {
    let (host, port) = parse(address).map_err(Reason::BadTcp)?;
    connect(host, port, timeout).map_err(Reason::Unreachable)
}

/// Takes `HOST:PORT` apart.
fn parse(address: &str) -> Result<(&str, u16), &'static str> {
    let (host, port) = address.rsplit_once(':').ok_or("has no port number")?;
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port > 0);
    let port = port.ok_or("has a port that is not a number from 1 to 65535")?;
    let host = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(host) => host,
        None if host.contains(':') => return Err("has an IPv6 address without brackets"),
        None => host,
    };
    match host {
        "" => Err("has no host"),
        host => Ok((host, port)),
    }
}

fn connect(host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                // An AT command is small and its answer is waited for.
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(parse("localhost:5000"), Ok(("localhost", 5000)));
        assert_eq!(parse("[::1]:5000"), Ok(("::1", 5000)));
        for bad in [
            "",
            "host",
            "host:",
            "host:0",
            "host:65536",
            "host:+5",
            "host:5x",
            ":5",
            "[]:5",
            "::1:5",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
