//! PDP contexts of the module's own stack. Manual: TCP/IP application note,
//! "PDP context".

use core::net::IpAddr;

use atat::atat_derive::AtatEnum;

use crate::{
    command::commands,
    fields::Fields,
    framer::Expect,
    general::{NoResponse, nothing},
    text::{Apn, Credential},
};

/// Address family of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, AtatEnum)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ContextType {
    /// IPv4
    #[default]
    #[at_arg(value = 1)]
    V4 = 1,
    /// IPv6
    #[at_arg(value = 2)]
    V6 = 2,
    /// Both
    #[at_arg(value = 3)]
    V4V6 = 3,
}

/// How user name and password are proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, AtatEnum)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Authentication {
    /// Not at all
    #[default]
    #[at_arg(value = 0)]
    None = 0,
    /// PAP
    #[at_arg(value = 1)]
    Pap = 1,
    /// CHAP
    #[at_arg(value = 2)]
    Chap = 2,
    /// Whichever the network asks for (EC2x, ECx00x)
    #[at_arg(value = 3)]
    PapOrChap = 3,
}

/// A row of `+QIACT:`: one active context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ActiveContext {
    /// Context id.
    pub context: u8,
    /// Whether it is active; inactive contexts are usually left out.
    pub active: bool,
    /// Its first address, where the firmware prints one that can be read.
    pub address: Option<IpAddr>,
}

impl ActiveContext {
    /// Reads a `+QIACT: <ctx>,<state>,<type>[,"<ip>"[,"<ip>"]]` line.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut f = Fields::of(line, "+QIACT:")?;
        let context = f.number()?;
        let active = f.number::<u8>()? == 1;
        f.number::<u8>()?;
        Some(Self {
            context,
            active,
            address: f.address(),
        })
    }
}

/// All rows of `+QIACT:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveContexts(pub heapless::Vec<ActiveContext, 16>);

impl atat::AtatResp for ActiveContexts {}

fn contexts(answer: &[u8]) -> Result<ActiveContexts, ()> {
    crate::rows(answer, "+QIACT:", ActiveContext::parse).map(ActiveContexts)
}

commands! {
    /// `AT+QICSGP=<ctx>,<type>,"<apn>","<user>","<pwd>",<auth>`: how the
    /// context is to be set up. Not stored.
    "+QICSGP", 300 ms, Expect::CODE, NoResponse [nothing] => struct ConfigureContext<'a> {
        /// Context id, 1 to 16.
        context: u8 = 0,
        /// Address family.
        kind: ContextType = 1,
        /// Access point name, empty for the network's default.
        apn: Apn<'a> = 2,
        /// User name.
        user: Credential<'a> = 3,
        /// Password.
        password: Credential<'a> = 4,
        /// How the two are proven.
        authentication: Authentication = 5,
    };
    /// `AT+QIACT=<ctx>`: activates the context; blocks the AT channel. Some
    /// firmware answers ERROR if it is active already: `AT+QIACT?` decides.
    "+QIACT", 150_000 ms, Expect::CODE, NoResponse [nothing] => struct ActivateContext {
        /// Context id.
        context: u8 = 0,
    };
    /// `AT+QIACT?`: the active contexts, a row each.
    "+QIACT?", 300 ms, Expect::lines("+QIACT:"), ActiveContexts [contexts] => struct GetActiveContexts;
    /// `AT+QIDEACT=<ctx>`: gives the context back and closes its sockets.
    /// Needed after `pdpdeact` before the context can be activated again.
    "+QIDEACT", 40_000 ms, Expect::CODE, NoResponse [nothing] => struct DeactivateContext {
        /// Context id.
        context: u8 = 0,
    };
}
