//! General commands: line discipline (V.250) and identification.
//! Manual: AT commands manual, "general commands".

use crate::{command::commands, framer::Expect};

/// Nothing but a final result code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoResponse;

impl atat::AtatResp for NoResponse {}

/// Whatever came before the final code was not for this command.
pub(crate) fn nothing(_: &[u8]) -> Result<NoResponse, ()> {
    Ok(NoResponse)
}

/// Information text without a prefix, its rows separated by CR LF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InformationText(pub heapless::String<128>);

impl atat::AtatResp for InformationText {}

fn text(answer: &[u8]) -> Result<InformationText, ()> {
    let mut text = heapless::String::new();
    // A line with a prefix is a URC that is not known here.
    for line in crate::lines(answer).filter(|line| !line.starts_with(b"+")) {
        if !text.is_empty() {
            text.push_str("\r\n").map_err(|_| ())?;
        }
        text.push_str(core::str::from_utf8(line).map_err(|_| ())?)
            .map_err(|_| ())?;
    }
    Ok(InformationText(text))
}

commands! {
    /// `AT`: is the module there?
    "", 300 ms, Expect::CODE, NoResponse [nothing] => struct Attention;
    /// `ATE1`: repeat commands, as after a start of the module.
    "E1", 300 ms, Expect::CODE, NoResponse [nothing] => struct EchoOn;
    /// `ATE0`: do not repeat commands.
    "E0", 300 ms, Expect::CODE, NoResponse [nothing] => struct EchoOff;
    /// `AT+CMEE=<n>`: form of error codes, 0 `ERROR`, 1 number, 2 text.
    /// Not stored.
    "+CMEE", 300 ms, Expect::CODE, NoResponse [nothing] => struct SetErrorFormat {
        /// 0, 1 or 2.
        format: u8 = 0,
    };
    /// `ATI`: maker, model and firmware revision, a row each.
    "I", 300 ms, Expect::TEXT, InformationText [text] => struct Identify;
    /// `AT+CGSN`: the IMEI.
    "+CGSN", 300 ms, Expect::TEXT, InformationText [text] => struct SerialNumber;
    /// `AT+CFUN=<fun>,1`: sets the functionality after a restart of the
    /// module; OK comes before it.
    "+CFUN", 15_000 ms, Expect::CODE, NoResponse [nothing] => struct Restart {
        /// 1: full functionality.
        functionality: u8 = 0,
        /// 1: restart.
        restart: u8 = 1,
    };
}
