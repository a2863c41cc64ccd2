//! General commands: line discipline (V.250) and identification.
//! Manual: AT commands manual, "general commands".

use atat::atat_derive::AtatResp;

use crate::{command::commands, framer::Expect};

/// Nothing but a final result code.
#[derive(Debug, Clone, PartialEq, Eq, AtatResp)]
pub struct NoResponse;

/// Information text without a prefix, all rows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InformationText(pub heapless::String<128>);

impl atat::AtatResp for InformationText {}

pub(crate) fn text(answer: &[u8]) -> Result<InformationText, ()> {
    let text = core::str::from_utf8(answer.trim_ascii()).map_err(|_| ())?;
    Ok(InformationText(text.try_into().map_err(|_| ())?))
}

commands! {
    /// `AT`: is the module there?
    "", 300 ms, Expect::CODE, NoResponse => struct Attention;
    /// `ATE0`: do not repeat commands.
    "E0", 300 ms, Expect::CODE, NoResponse => struct EchoOff;
    /// `AT+CMEE=<n>`: form of error codes, 0 `ERROR`, 1 number, 2 text.
    /// Not stored.
    "+CMEE", 300 ms, Expect::CODE, NoResponse => struct SetErrorFormat {
        /// 0, 1 or 2.
        format: u8 = 0,
    };
    /// `ATI`: maker, model and firmware revision, a row each.
    "I", 300 ms, Expect::TEXT, InformationText [text] => struct Identify;
    /// `AT+CGSN`: the IMEI.
    "+CGSN", 300 ms, Expect::TEXT, InformationText [text] => struct SerialNumber;
}
