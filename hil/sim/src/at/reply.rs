//! The framing of answers: `\r\n<text>\r\n`, rows of one answer after a single leading CRLF.

use crate::profile::{CmeForm, Profile};

/// How lines are written: `ATV`, `ATQ`, `ATS3`, `ATS4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    /// `ATV1`: result codes are words, and lines begin with CRLF.
    pub(crate) verbose: bool,
    /// `ATQ1`: no result codes.
    pub(crate) quiet: bool,
    /// What stands for CR and LF.
    pub(crate) end: [u8; 2],
}

impl Default for Format {
    fn default() -> Format {
        Format {
            verbose: true,
            quiet: false,
            end: *b"\r\n",
        }
    }
}

impl Format {
    /// What comes before a line, or before the first of several.
    pub(crate) fn head(&self) -> &[u8] {
        if self.verbose { &self.end } else { &[] }
    }

    /// A line of its own: `\r\n<text>\r\n`.
    pub(crate) fn line(&self, text: &str) -> Vec<u8> {
        [self.head(), text.as_bytes(), &self.end].concat()
    }

    /// A result code, or its number after `ATV0`.
    fn result(&self, text: &str, number: u8) -> Vec<u8> {
        match (self.quiet, self.verbose) {
            (true, _) => Vec::new(),
            (false, true) => self.line(text),
            (false, false) => [number.to_string().as_bytes(), &self.end[..1]].concat(),
        }
    }
}

/// Information responses of one command.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    bytes: Vec<u8>,
    /// The end of the first row, if another one follows.
    first_row: Option<usize>,
    rows: usize,
    format: Format,
}

impl Reply {
    pub(crate) fn new(format: Format) -> Reply {
        Reply {
            format,
            ..Reply::default()
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, text: impl AsRef<[u8]>) {
        self.count_row();
        if self.bytes.is_empty() {
            self.bytes.extend(self.format.head());
        }
        self.bytes.extend(text.as_ref());
        self.bytes.extend(self.format.end);
    }

    /// Adds a row that begins with a line end of its own, as some chips print lists.
    pub(crate) fn separate_row(&mut self, text: impl AsRef<[u8]>) {
        self.count_row();
        self.bytes.extend(self.format.head());
        self.bytes.extend(text.as_ref());
        self.bytes.extend(self.format.end);
    }

    fn count_row(&mut self) {
        if self.rows == 1 {
            self.first_row = Some(self.bytes.len());
        }
        self.rows += 1;
    }

    /// Where a URC can stand between two rows.
    pub(crate) fn between_rows(&self) -> Option<usize> {
        self.first_row
    }

    /// Adds bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The code that ends a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Final {
    Ok,
    Error,
    Cme(u16),
    SendOk,
    SendFail,
    NoCarrier,
    /// With `sendinfo`: the connect id, whether there was no room, and the room left.
    SendInfo(u8, bool, usize),
    /// `OK` and then `SEND OK`.
    OkSendOk,
    /// `OK` and then `CLOSE OK`.
    OkCloseOk,
}

impl Final {
    /// `CONNECT`, which ends a command only for the host.
    pub(crate) fn connect(format: Format) -> Vec<u8> {
        format.result("CONNECT", 1)
    }

    /// The bytes, given the setting of `AT+CMEE`.
    pub(crate) fn bytes(self, cmee: u8, profile: &Profile, format: Format) -> Vec<u8> {
        match self {
            Final::Ok => format.result("OK", 0),
            Final::Error => format.result("ERROR", 4),
            Final::SendOk => format.line("SEND OK"),
            Final::SendFail => format.line("SEND FAIL"),
            Final::SendInfo(id, full, free) => {
                let row = format!("+QISEND: {id},{},{free}", u8::from(full));
                [format.line(&row), format.result("OK", 0)].concat()
            }
            Final::NoCarrier => format.result("NO CARRIER", 3),
            Final::OkSendOk => [format.result("OK", 0), format.line("SEND OK")].concat(),
            Final::OkCloseOk => [format.result("OK", 0), format.line("CLOSE OK")].concat(),
            Final::Cme(number) => {
                let blank = if profile.cme_blank { " " } else { "" };
                let cmee = match profile.cme_form {
                    CmeForm::AsSet => cmee,
                    CmeForm::Number => 1,
                    CmeForm::Text => 2,
                };
                match (cmee, cme_text(number)) {
                    _ if format.quiet => Vec::new(),
                    (0, _) => format.result("ERROR", 4),
                    (2, Some(text)) => format.line(&format!("+CME ERROR:{blank}{text}")),
                    _ => format.line(&format!("+CME ERROR:{blank}{number}")),
                }
            }
        }
    }
}

fn cme_text(number: u16) -> Option<&'static str> {
    Some(match number {
        0 => "phone failure",
        3 => "operation not allowed",
        4 => "operation not supported",
        5 => "PH-SIM PIN required",
        6 => "PH-FSIM PIN required",
        7 => "PH-FSIM PUK required",
        10 => "SIM not inserted",
        11 => "SIM PIN required",
        12 => "SIM PUK required",
        13 => "SIM failure",
        14 => "SIM busy",
        15 => "SIM wrong",
        16 => "incorrect password",
        17 => "SIM PIN2 required",
        18 => "SIM PUK2 required",
        20 => "memory full",
        21 => "invalid index",
        22 => "not found",
        23 => "memory failure",
        24 => "text string too long",
        25 => "invalid characters in text string",
        26 => "dial string too long",
        27 => "invalid characters in dial string",
        30 => "no network service",
        31 => "network timeout",
        32 => "network not allowed - emergency calls only",
        40 => "network personalization PIN required",
        41 => "network personalization PUK required",
        42 => "network subset personalization PIN required",
        43 => "network subset personalization PUK required",
        44 => "service provider personalization PIN required",
        45 => "service provider personalization PUK required",
        46 => "corporate personalization PIN required",
        47 => "corporate personalization PUK required",
        50 => "Incorrect parameters",
        100 => "unknown",
        148 => "unspecified GPRS error",
        _ => return tcpip_text(number),
    })
}

/// The text of a TCP/IP error, as `AT+QIGETERROR` prints it.
pub(crate) fn tcpip_text(number: u16) -> Option<&'static str> {
    Some(match number {
        0 => "operate successfully",
        550 => "unknown error",
        551 => "operation blocked",
        552 => "invalid parameters",
        553 => "memory not enough",
        554 => "create socket failed",
        555 => "operation not supported",
        556 => "socket bind failed",
        557 => "socket listen failed",
        558 => "socket write failed",
        559 => "socket read failed",
        560 => "socket accept failed",
        561 => "open PDP context failed",
        562 => "close PDP context failed",
        563 => "socket identity has been used",
        564 => "DNS busy",
        565 => "DNS parse failed",
        566 => "socket connect failed",
        567 => "socket has been closed",
        568 => "operation busy",
        569 => "operation timeout",
        570 => "PDP context broken down",
        571 => "cancel send",
        572 => "operation not allowed",
        573 => "APN not configured",
        574 => "port busy",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_share_one_leading_crlf() {
        let mut reply = Reply::default();
        reply.row("a");
        reply.row("b");
        assert_eq!(reply.into_bytes(), b"\r\na\r\nb\r\n");
    }

    #[test]
    fn short_result_codes() {
        let mut format = Format {
            verbose: false,
            ..Format::default()
        };
        let profile = Profile::ec25();
        assert_eq!(Final::Ok.bytes(1, &profile, format), b"0\r");
        assert_eq!(Final::Error.bytes(1, &profile, format), b"4\r");
        let mut reply = Reply::new(format);
        reply.row("a");
        assert_eq!(reply.into_bytes(), b"a\r\n");
        format.quiet = true;
        assert_eq!(Final::Ok.bytes(1, &profile, format), b"");
    }

    #[test]
    fn cme_errors_in_all_forms() {
        let mut profile = Profile::ec25();
        let text = |cmee, profile: &Profile| {
            String::from_utf8(Final::Cme(10).bytes(cmee, profile, Format::default()))
        };
        assert_eq!(text(0, &profile).as_deref(), Ok("\r\nERROR\r\n"));
        assert_eq!(text(1, &profile).as_deref(), Ok("\r\n+CME ERROR: 10\r\n"));
        assert_eq!(
            text(2, &profile).as_deref(),
            Ok("\r\n+CME ERROR: SIM not inserted\r\n")
        );
        profile.cme_blank = false;
        profile.cme_form = CmeForm::Number;
        assert_eq!(text(2, &profile).as_deref(), Ok("\r\n+CME ERROR:10\r\n"));
    }
}
