//! What the user decides about a module.

use quectel_at_commands::{
    pdp::{Authentication, ContextType},
    settings::PortName,
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
    /// The module repeats each command (`ATE1`) and the engine compares: a
    /// byte lost on the way to the module is noticed before it does harm, and
    /// no late answer is taken for another command's. Costs the bytes of the
    /// command on the way back. Off (`ATE0`) only for lines that are known to
    /// be good.
    pub check_echo: bool,
    /// Where the module is to send its URCs: `uart1` for the main UART,
    /// `usbat` for USB. It is kept in the module's flash, so it is read first
    /// and written only if it differs. `None` leaves it alone.
    pub urc_port: Option<PortName<'a>>,
    /// What happens after the module restarted or the context was lost.
    pub policy: Policy,
    /// Makes the values by which the engine recognises its own settings
    /// differ from run to run; best a random number or a counter.
    pub seed: u32,
}

/// What happens after the module restarted by itself or the network dropped
/// the context. The sockets have failed in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Policy {
    /// The context is set up again at once.
    #[default]
    Reconnect,
    /// An [`Event`](crate::Event) tells of it; the context is set up again
    /// after [`Engine::reconnect`](crate::Engine::reconnect).
    Report,
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
            check_echo: true,
            urc_port: None,
            policy: Policy::Reconnect,
            seed: 0,
        }
    }
}
