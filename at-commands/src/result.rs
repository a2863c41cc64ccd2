//! Final result codes, and the error numbers that come with them.

use core::fmt;

use crate::fields::decimal;

/// The line that ends the answer to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ResultCode {
    /// `OK`
    Ok,
    /// `ERROR`: QI commands give their reason in `AT+QIGETERROR`.
    Error,
    /// `+CME ERROR: <n>`, a number or a known text; [`CmeError::UNKNOWN`]
    /// where the text is not known.
    Cme(CmeError),
    /// `+CMS ERROR: <n>`; 500, "unknown error", for a text.
    Cms(u16),
    /// `SEND OK`: the data is in the module's send buffer. Nothing is said
    /// about its delivery.
    SendOk,
    /// `SEND FAIL`: the module's send buffer is full, nothing was taken.
    SendFail,
}

impl ResultCode {
    /// Reads a whole line as a final result code. `+CME ERROR` is taken with
    /// and without the blank, as number and as text.
    pub fn parse(line: &[u8]) -> Option<Self> {
        Some(match line {
            b"OK" => Self::Ok,
            b"ERROR" => Self::Error,
            b"SEND OK" => Self::SendOk,
            b"SEND FAIL" => Self::SendFail,
            _ => {
                if let Some(rest) = line.strip_prefix(b"+CME ERROR:") {
                    Self::Cme(CmeError::parse(rest.trim_ascii()))
                } else {
                    let rest = line.strip_prefix(b"+CMS ERROR:")?;
                    let number = decimal(rest.trim_ascii()).and_then(|n| u16::try_from(n).ok());
                    Self::Cms(number.unwrap_or(500))
                }
            }
        })
    }

    /// Whether the command failed.
    pub fn is_error(self) -> bool {
        matches!(self, Self::Error | Self::Cme(_) | Self::Cms(_))
    }
}

/// As the module writes it; a text as its number.
impl fmt::Display for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Error => "ERROR",
            Self::Cme(error) => return write!(f, "+CME ERROR: {}", error.0),
            Self::Cms(error) => return write!(f, "+CMS ERROR: {error}"),
            Self::SendOk => "SEND OK",
            Self::SendFail => "SEND FAIL",
        })
    }
}

/// Number of a `+CME ERROR`: 3GPP TS 27.007 9.2, and 550 to 574 for TCP/IP
/// ([`TcpIpError`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CmeError(pub u16);

impl CmeError {
    /// A text that is not in the table below; 100 is "unknown" in 27.007 too.
    pub const UNKNOWN: Self = Self(100);
    /// SIM not inserted.
    pub const SIM_NOT_INSERTED: Self = Self(10);
    /// SIM PIN required.
    pub const SIM_PIN: Self = Self(11);
    /// SIM PUK required.
    pub const SIM_PUK: Self = Self(12);
    /// SIM failure.
    pub const SIM_FAILURE: Self = Self(13);
    /// SIM busy: ask again.
    pub const SIM_BUSY: Self = Self(14);
    /// SIM wrong.
    pub const SIM_WRONG: Self = Self(15);
    /// SIM PIN2 required.
    pub const SIM_PIN2: Self = Self(17);
    /// SIM PUK2 required.
    pub const SIM_PUK2: Self = Self(18);

    /// The texts of `AT+CMEE=2` that decide something here (27.007 9.2.1).
    const TEXTS: [(&'static str, Self); 10] = [
        ("operation not allowed", Self(3)),
        ("operation not supported", Self(4)),
        ("sim not inserted", Self::SIM_NOT_INSERTED),
        ("sim pin required", Self::SIM_PIN),
        ("sim puk required", Self::SIM_PUK),
        ("sim failure", Self::SIM_FAILURE),
        ("sim busy", Self::SIM_BUSY),
        ("sim wrong", Self::SIM_WRONG),
        ("sim pin2 required", Self::SIM_PIN2),
        ("sim puk2 required", Self::SIM_PUK2),
    ];

    fn parse(text: &[u8]) -> Self {
        if let Some(number) = decimal(text).and_then(|n| u16::try_from(n).ok()) {
            return Self(number);
        }
        let known = Self::TEXTS
            .iter()
            .find(|(name, _)| text.eq_ignore_ascii_case(name.as_bytes()));
        known.map_or(Self::UNKNOWN, |(_, code)| *code)
    }
}

/// Result of a TCP/IP command: the second field of `+QIOPEN`, `dnsgip` and
/// `+QIGETERROR`. Manual: TCP/IP application note, "summary of result codes".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TcpIpError(pub u16);

impl TcpIpError {
    /// Operation blocked: ask again later.
    pub const BLOCKED: Self = Self(551);
    /// Invalid parameters.
    pub const INVALID_PARAMETERS: Self = Self(552);
    /// Not enough memory.
    pub const NO_MEMORY: Self = Self(553);
    /// Operation not supported.
    pub const NOT_SUPPORTED: Self = Self(555);
    /// Local port could not be bound.
    pub const BIND_FAILED: Self = Self(556);
    /// PDP context could not be activated.
    pub const PDP_FAILED: Self = Self(561);
    /// The connect id is in use.
    pub const ID_IN_USE: Self = Self(563);
    /// Another look-up is running: ask again later.
    pub const DNS_BUSY: Self = Self(564);
    /// The name does not resolve.
    pub const DNS_FAILED: Self = Self(565);
    /// Connection refused, or not established.
    pub const CONNECT_FAILED: Self = Self(566);
    /// Socket has been closed.
    pub const CLOSED: Self = Self(567);
    /// Another operation of this kind is running: ask again later.
    pub const BUSY: Self = Self(568);
    /// Time-out inside the module.
    pub const TIMEOUT: Self = Self(569);
    /// PDP context broken down.
    pub const PDP_BROKEN: Self = Self(570);
    /// Operation not allowed.
    pub const NOT_ALLOWED: Self = Self(572);
    /// The local port is in use.
    pub const PORT_BUSY: Self = Self(574);

    /// Whether the same request can succeed a moment later.
    pub fn is_busy(self) -> bool {
        matches!(self, Self::BLOCKED | Self::DNS_BUSY | Self::BUSY)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn cme_errors_in_every_form() {
        // Reference 1.3; the text of 407 is in transcript T20.
        for (line, number) in [
            ("+CME ERROR: 516", 516),
            ("+CME ERROR:10", 10),
            ("+CME ERROR: SIM not inserted", 10),
            ("+CME ERROR: SIM busy", 14),
            ("+CME ERROR: file already exist", 100),
            ("+CME ERROR: 99999999", 100),
        ] {
            assert_eq!(
                ResultCode::parse(line.as_bytes()),
                Some(ResultCode::Cme(CmeError(number))),
                "{line}"
            );
        }
        for (line, number) in [
            ("+CMS ERROR: 302", 302),
            ("+CMS ERROR:SIM failure", 500),
            ("+CMS ERROR: 65536", 500),
        ] {
            assert_eq!(
                ResultCode::parse(line.as_bytes()),
                Some(ResultCode::Cms(number)),
                "{line}"
            );
        }
    }

    #[test]
    fn codes_are_shown_as_they_came() {
        for line in [
            "OK",
            "ERROR",
            "SEND OK",
            "SEND FAIL",
            "+CME ERROR: 516",
            "+CMS ERROR: 302",
        ] {
            assert_eq!(
                ResultCode::parse(line.as_bytes()).unwrap().to_string(),
                line
            );
        }
    }

    #[test]
    fn a_code_is_a_whole_line() {
        for line in ["OK ", "OKAY", "ERROR 3", "SEND", "", "+CME ERROR"] {
            assert_eq!(ResultCode::parse(line.as_bytes()), None, "{line:?}");
        }
    }
}
