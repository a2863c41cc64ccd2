//! Name resolution. Manual: TCP/IP application note, `AT+QIDNSGIP`.

use crate::{
    command::commands,
    framer::Expect,
    general::{NoResponse, nothing},
    text::HostName,
};

/// How long the `dnsgip` URC can take, in milliseconds.
pub const LOOKUP_MS: u32 = 60_000;

commands! {
    /// `AT+QIDNSGIP=<ctx>,"<name>"`: OK at once, the addresses come as
    /// `+QIURC: "dnsgip"` within 60 s. One look-up at a time.
    "+QIDNSGIP", 300 ms, Expect::CODE, NoResponse [nothing] => struct Resolve<'a> {
        /// Context id.
        context: u8 = 0,
        /// The name.
        name: HostName<'a> = 1,
    };
}
