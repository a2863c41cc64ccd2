//! Settings of the TCP/IP stack. Manual: TCP/IP application note, `AT+QISDE`
//! and `AT+QICFG`.

use crate::{
    command::commands,
    framer::Expect,
    general::{NoResponse, nothing},
};

commands! {
    /// `AT+QISDE=<0|1>`: whether the payload of a send is echoed, 1 by
    /// default. Must be off before the first send.
    "+QISDE", 300 ms, Expect::CODE, NoResponse [nothing] => struct SetPayloadEcho {
        /// 0 off, 1 on.
        echo: u8 = 0,
    };
}
