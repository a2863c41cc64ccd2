//! The framing of answers: `\r\n<text>\r\n`, rows of one answer after a single leading CRLF.

use crate::profile::{CmeForm, Profile};

/// Information responses of one command.
#[derive(Debug, Default)]
pub(crate) struct Reply(Vec<u8>);

impl Reply {
    /// Adds a row.
    pub(crate) fn row(&mut self, text: impl AsRef<[u8]>) {
        if self.0.is_empty() {
            self.0.extend(b"\r\n");
        }
        self.0.extend(text.as_ref());
        self.0.extend(b"\r\n");
    }

    /// Adds bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
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
}

/// `\r\n<text>\r\n`
pub(crate) fn framed(text: &str) -> Vec<u8> {
    [b"\r\n", text.as_bytes(), b"\r\n"].concat()
}

impl Final {
    /// The bytes, given the setting of `AT+CMEE`.
    pub(crate) fn bytes(self, cmee: u8, profile: &Profile) -> Vec<u8> {
        match self {
            Final::Ok => framed("OK"),
            Final::Error => framed("ERROR"),
            Final::SendOk => framed("SEND OK"),
            Final::SendFail => framed("SEND FAIL"),
            Final::SendInfo(id, full, free) => {
                let row = format!("+QISEND: {id},{},{free}", u8::from(full));
                [framed(&row), framed("OK")].concat()
            }
            Final::NoCarrier => framed("NO CARRIER"),
            Final::OkSendOk => [framed("OK"), framed("SEND OK")].concat(),
            Final::Cme(number) => {
                let blank = if profile.cme_blank { " " } else { "" };
                let cmee = match profile.cme_form {
                    CmeForm::AsSet => cmee,
                    CmeForm::Number => 1,
                    CmeForm::Text => 2,
                };
                match (cmee, cme_text(number)) {
                    (0, _) => framed("ERROR"),
                    (2, Some(text)) => framed(&format!("+CME ERROR:{blank}{text}")),
                    _ => framed(&format!("+CME ERROR:{blank}{number}")),
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
        10 => "SIM not inserted",
        11 => "SIM PIN required",
        12 => "SIM PUK required",
        13 => "SIM failure",
        14 => "SIM busy",
        15 => "SIM wrong",
        16 => "incorrect password",
        30 => "no network service",
        50 => "Incorrect parameters",
        100 => "unknown",
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
    fn cme_errors_in_all_forms() {
        let mut profile = Profile::ec25();
        let text = |cmee, profile: &Profile| String::from_utf8(Final::Cme(10).bytes(cmee, profile));
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
