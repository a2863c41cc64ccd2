//! Why a port could not be opened, and how it was lost: what happened to what,
//! and what to do.

use std::{fmt, io};

use crate::{FoundPort, Holder};

/// A port could not be opened. The text names the port and the next step.
///
/// ```
/// use quectel_port::{PcPort, Settings};
///
/// let error = PcPort::open("tcp:localhost", &Settings::default()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "tcp:localhost has no port number: write tcp:HOST:PORT, such as tcp:localhost:5000",
/// );
/// ```
#[derive(Debug)]
pub struct OpenError {
    /// What was to be opened.
    pub port: String,
    /// Why it was not.
    pub reason: Reason,
}

/// Why a port could not be opened.
///
/// ```
/// use quectel_port::{PcPort, Reason, Settings};
///
/// let error = PcPort::open("/dev/null", &Settings::default()).unwrap_err();
/// assert!(matches!(error.reason, Reason::NotSerial));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// There is no such device; the ports there are.
    NotFound(Vec<FoundPort>),
    /// The user may not; the group that may.
    Permission(Option<String>),
    /// Other programs have it open, or this one; those that are known.
    Busy(Vec<Holder>),
    /// It is something else than a serial device.
    NotSerial,
    /// The driver cannot have this rate.
    Baud {
        /// Bits a second that were asked for.
        asked: u32,
        /// Bits a second that the driver has instead, if it says.
        kept: Option<u32>,
    },
    /// It has no RTS and CTS.
    FlowControl,
    /// Not the form `tcp:HOST:PORT`.
    BadTcp(&'static str),
    /// No connection to the serial server.
    Unreachable(io::Error),
    /// Something else; what could not be done.
    Failed(&'static str, io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port.escape_debug();
        match &self.reason {
            Reason::NotFound(found) => not_found(f, &port, found),
            Reason::Permission(Some(group)) => write!(
                f,
                "no permission to open {port}: `sudo usermod -aG {group} \"$USER\"`, then log \
                 out and in again"
            ),
            Reason::Permission(None) => write!(
                f,
                "no permission to open {port}: see `ls -l {port}`; serial ports are usually \
                 open to the group dialout"
            ),
            Reason::Busy(holders) => busy(f, &port, holders),
            Reason::NotSerial => write!(
                f,
                "{port} is not a serial port: give a device such as /dev/ttyUSB2, or \
                 tcp:HOST:PORT"
            ),
            Reason::Baud { asked, kept } => {
                write!(f, "{port} cannot have {asked} baud")?;
                if let Some(kept) = kept {
                    write!(f, " (its driver would have {kept})")?;
                }
                f.write_str(": choose another rate and set the module to it (`AT+IPR=RATE`)")
            }
            Reason::FlowControl => {
                write!(
                    f,
                    "{port} has no RTS and CTS lines: open it without flow control"
                )
            }
            Reason::BadTcp(what) => write!(
                f,
                "{port} {what}: write tcp:HOST:PORT, such as tcp:localhost:5000"
            ),
            Reason::Unreachable(error) => {
                write!(f, "no connection to {port} ({error}): ")?;
                f.write_str(match error.kind() {
                    io::ErrorKind::ConnectionRefused => {
                        "start the serial server or the simulated module, or correct the port \
                         number"
                    }
                    _ => "check the host name, the network and the firewall",
                })
            }
            Reason::Failed(what, error) => write!(f, "cannot {what} {port}: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

fn not_found(
    f: &mut fmt::Formatter<'_>,
    port: &impl fmt::Display,
    found: &[FoundPort],
) -> fmt::Result {
    write!(f, "there is no serial port \"{port}\": ")?;
    if found.is_empty() {
        return f.write_str(
            "this machine has none. Plug the module in (`dmesg` shows its ports), or give \
             tcp:HOST:PORT",
        );
    }
    f.write_str("give one of these, or tcp:HOST:PORT")?;
    found.iter().try_for_each(|port| write!(f, "\n  {port}"))
}

fn busy(f: &mut fmt::Formatter<'_>, port: &impl fmt::Display, holders: &[Holder]) -> fmt::Result {
    write!(f, "{port} is in use by ")?;
    if holders.is_empty() {
        return write!(
            f,
            "another program: `sudo fuser -v {port}` shows which. End it and try again; \
             ModemManager ends by `sudo systemctl stop ModemManager`"
        );
    }
    for (i, holder) in holders.iter().enumerate() {
        write!(f, "{}{holder}", if i == 0 { "" } else { ", " })?;
    }
    if holders.iter().any(|holder| holder.name == "ModemManager") {
        f.write_str(": `sudo systemctl stop ModemManager` and try again")
    } else {
        f.write_str(": close it there and try again")
    }
}

/// An open port was lost. The text names the port and the next step.
///
/// ```
/// # use quectel_port::{PcPort, Settings};
/// use embedded_io::Read;
///
/// let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let spec = format!("tcp:{}", server.local_addr()?);
/// let mut port = PcPort::open(&spec, &Settings::default())?;
/// drop(server.accept()?);
/// let error = port.read(&mut [0; 64]).unwrap_err();
/// assert!(error.to_string().contains(&spec));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PortError {
    port: String,
    text: String,
    kind: embedded_io::ErrorKind,
}

impl PortError {
    /// The system reported `error`, or the end of the line if there is none.
    pub(crate) fn new(port: &str, tcp: bool, error: Option<&io::Error>) -> Self {
        let text = match (tcp, error) {
            (true, None) => {
                "the server closed the connection; see whether it still runs and serves nobody \
                 else, then connect again"
                    .into()
            }
            (true, Some(error)) => {
                format!("the connection broke ({error}); check the network, then connect again")
            }
            (false, None) => {
                "the device went away; see whether it is plugged in and switched on, then open \
                 it again"
                    .into()
            }
            (false, Some(error)) => format!(
                "the device went away ({error}); see whether it is plugged in and switched on, \
                 then open it again"
            ),
        };
        Self {
            port: port.to_owned(),
            text,
            kind: match error.map(io::Error::kind) {
                Some(io::ErrorKind::TimedOut) => embedded_io::ErrorKind::TimedOut,
                Some(io::ErrorKind::ConnectionReset) => embedded_io::ErrorKind::ConnectionReset,
                _ => embedded_io::ErrorKind::BrokenPipe,
            },
        }
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lost {}: {}", self.port.escape_debug(), self.text)
    }
}

impl std::error::Error for PortError {}

impl embedded_io::Error for PortError {
    fn kind(&self) -> embedded_io::ErrorKind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(reason: Reason) -> String {
        let port = "/dev/ttyUSB2".into();
        OpenError { port, reason }.to_string()
    }

    #[test]
    fn permission() {
        assert_eq!(
            text(Reason::Permission(Some("dialout".into()))),
            "no permission to open /dev/ttyUSB2: `sudo usermod -aG dialout \"$USER\"`, then log \
             out and in again"
        );
        assert!(text(Reason::Permission(None)).contains("ls -l /dev/ttyUSB2"));
    }

    #[test]
    fn busy() {
        let holder = |name: &str| Holder {
            pid: 0,
            name: name.into(),
        };
        assert_eq!(
            text(Reason::Busy(vec![holder("minicom"), holder("cat")])),
            "/dev/ttyUSB2 is in use by minicom (process 0), cat (process 0): close it there and \
             try again"
        );
        assert!(text(Reason::Busy(vec![holder("ModemManager")])).contains("systemctl stop"));
        assert!(text(Reason::Busy(vec![])).contains("sudo fuser -v /dev/ttyUSB2"));
    }

    #[test]
    fn rate() {
        assert_eq!(
            text(Reason::Baud {
                asked: 921_600,
                kept: Some(9_600)
            }),
            "/dev/ttyUSB2 cannot have 921600 baud (its driver would have 9600): choose another \
             rate and set the module to it (`AT+IPR=RATE`)"
        );
    }

    #[test]
    fn not_found() {
        let found = FoundPort {
            path: "/dev/ttyUSB3".into(),
            about: "Quectel EC25, interface 03".into(),
        };
        assert_eq!(
            text(Reason::NotFound(vec![found])),
            "there is no serial port \"/dev/ttyUSB2\": give one of these, or tcp:HOST:PORT\n  \
             /dev/ttyUSB3  Quectel EC25, interface 03"
        );
        assert!(text(Reason::NotFound(vec![])).contains("this machine has none"));
    }
}
