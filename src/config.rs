//! What the user decides about a module.

use quectel_at_commands::{
    pdp::{Authentication, ContextType},
    text::{Apn, Credential},
};

use crate::family::Family;

/// Settings of an [`Engine`](crate::Engine). The texts are checked types: one
/// that could inject an AT command cannot be made.
///
/// ```
/// use quectel_sockets::{Apn, Config};
/// let config = Config { apn: Apn::new("internet").unwrap(), ..Config::default() };
/// assert_eq!(config.context, 1);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Config<'a> {
    /// The module's family.
    pub family: &'static Family,
    /// PDP context id, 1 to 16.
    pub context: u8,
    /// Address family of the context.
    pub context_type: ContextType,
    /// Access point name; empty for the network's default.
    pub apn: Apn<'a>,
    /// User name for the access point.
    pub user: Credential<'a>,
    /// Password for the access point.
    pub password: Credential<'a>,
    /// How the two are proven.
    pub authentication: Authentication,
    /// How long closing waits for the peer to acknowledge what was sent, in
    /// milliseconds; after that the connection is aborted.
    pub linger_ms: u32,
    /// Looks for lost URCs after this many milliseconds without data, then
    /// after twice as long and so on up to `look_max_ms`. 0 turns it off,
    /// since it keeps a sleeping module awake.
    pub look_ms: u32,
    /// Longest pause between two such looks, in milliseconds.
    pub look_max_ms: u32,
}

impl Default for Config<'_> {
    /// EC25, context 1, IPv4, the network's default access point.
    fn default() -> Self {
        Self {
            family: &Family::EC25,
            context: 1,
            context_type: ContextType::V4,
            apn: Apn::EMPTY,
            user: Credential::EMPTY,
            password: Credential::EMPTY,
            authentication: Authentication::None,
            linger_ms: 10_000,
            look_ms: 2_000,
            look_max_ms: 60_000,
        }
    }
}
