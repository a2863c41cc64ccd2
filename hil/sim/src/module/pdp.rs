//! PDP contexts: activation and deactivation.

use std::net::IpAddr;

use super::{Event, Module, Wait};
use crate::at::reply::Final;
use crate::at::table::Outcome;
use crate::profile::CommandSet;

/// Whether a context is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ContextState {
    #[default]
    Inactive,
    Active,
    /// The network took it away; it must be deactivated before it can be activated again.
    Lost,
}

/// A PDP context. What was never set is empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    pub(crate) state: ContextState,
    /// Its addresses, while it is active.
    pub(crate) addresses: Vec<IpAddr>,
    /// 1 IPv4, 2 IPv6, 3 both; 0 if never set.
    pub(crate) kind: u8,
    pub(crate) apn: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) authentication: u8,
    /// The 3GPP layer lost it, and the TCP/IP commands did not notice.
    pub(crate) stale: bool,
    /// `AT+QIDNSCFG`, if it was set.
    pub(crate) name_servers: Option<[String; 2]>,
}

/// An `AT+QIACTEX` that is going on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Activation {
    /// When it can be done, and when it is given up.
    ready: u64,
    until: u64,
    /// Its URC shows the addresses.
    shows: bool,
}

/// A context as `AT+CGDCONT` defines it; it survives a restart.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    /// `IP`, `IPV6`, `IPV4V6` or `PPP`.
    pub(crate) kind: String,
    pub(crate) apn: String,
}

impl Default for Definition {
    fn default() -> Definition {
        Definition {
            kind: "IP".into(),
            apn: String::new(),
        }
    }
}

impl Module {
    pub(crate) fn context_state(&self, context: u8) -> ContextState {
        self.contexts
            .get(&context)
            .map_or(ContextState::Inactive, |c| c.state)
    }

    /// Its type: 1 IPv4, 2 IPv6, 3 both.
    pub(crate) fn context_kind(&self, context: u8) -> u8 {
        let set = self.contexts.get(&context).map_or(0, |one| one.kind);
        if set == 0 {
            self.profile.context_type
        } else {
            set
        }
    }

    /// The type that an active context has, whatever was set since.
    pub(crate) fn active_kind(&self, context: u8) -> u8 {
        let addresses = self.contexts.get(&context).map(|one| &one.addresses[..]);
        let addresses = addresses.unwrap_or_default();
        match (
            addresses.iter().any(IpAddr::is_ipv4),
            addresses.iter().any(IpAddr::is_ipv6),
        ) {
            (true, true) => 3,
            (false, true) => 2,
            (true, false) => 1,
            (false, false) => self.context_kind(context),
        }
    }

    /// Whether another context is held that leaves no room for this one.
    pub(crate) fn is_held_off(&self, context: u8) -> bool {
        let held = self.profile.held_bearer;
        held.is_some_and(|held| held != context && self.bearers.contains(&held))
    }

    pub(crate) fn is_active(&self, context: u8) -> bool {
        self.context_state(context) == ContextState::Active
    }

    /// `AT+QIACT` begins.
    pub(crate) fn start_activate(&mut self, context: u8) -> Outcome {
        match self.context_state(context) {
            ContextState::Active if self.profile.activate_again_fails => {
                return self.tcpip_error(572);
            }
            ContextState::Active => return Outcome::OK,
            ContextState::Lost => return self.tcpip_error(570),
            ContextState::Inactive => {}
        }
        if self.is_held_off(context) {
            return self.tcpip_error(572);
        }
        if self.functionality != 1 || !self.sim_ready() || !self.attached {
            return self.tcpip_error(561);
        }
        Outcome::Wait(Wait::Activate {
            context,
            ready: self.now + self.profile.activate_us,
            until: self.now + self.profile.activate_limit_us,
        })
    }

    pub(super) fn check_activate(
        &mut self,
        context: u8,
        ready: u64,
        until: u64,
    ) -> Option<Outcome> {
        if self.now < ready {
            return None;
        }
        if self.in_service() {
            return Some(if self.activate(context) {
                Outcome::OK
            } else {
                self.tcpip_error(561)
            });
        }
        (self.now >= until).then(|| self.tcpip_error(561))
    }

    /// Activates a context if the network allows it.
    pub(crate) fn activate(&mut self, context: u8) -> bool {
        let active = self
            .contexts
            .values()
            .filter(|c| c.state == ContextState::Active);
        let full = active.count() >= self.profile.active_contexts;
        let entry = self.contexts.entry(context).or_default();
        let defined = self.saved.definitions.get(&context);
        let apn = match (entry.apn.as_str(), defined) {
            ("", Some(defined)) => &defined.apn,
            (apn, _) => apn,
        };
        let wrong = |(user, password): &(String, String)| {
            *user != entry.user || *password != entry.password
        };
        let refused = self.cellular.denied_apns.iter().any(|denied| denied == apn)
            || self.cellular.apn.as_ref().is_some_and(|only| only != apn)
            || self.cellular.credentials.as_ref().is_some_and(wrong);
        if full || refused {
            return false;
        }
        entry.state = ContextState::Active;
        let kind = self.context_kind(context);
        let mut addresses = Vec::new();
        if kind != 2 {
            addresses.push(self.context_address(context).into());
        }
        if kind >= 2 {
            addresses.push(self.context_address_v6(context).into());
        }
        for address in &addresses {
            self.net.add_address(*address);
        }
        if let Some(entry) = self.contexts.get_mut(&context) {
            entry.addresses = addresses;
        }
        true
    }

    pub(crate) fn auto_activate(&mut self) {
        if self.in_service() {
            self.bearers.extend(self.profile.held_bearer);
        }
        if let Some(context) = self.profile.auto_activate
            && self.in_service()
            && self.attached
            && !self.is_held_off(context)
            && self.context_state(context) == ContextState::Inactive
        {
            self.activate(context);
        }
    }

    /// A BC module has no command for its context: it comes and goes with the network.
    fn owns_context(&self) -> bool {
        self.profile.commands == CommandSet::Bc
    }

    /// The network is there again.
    pub(super) fn attach_context(&mut self) {
        if self.owns_context() {
            self.auto_activate();
        }
    }

    /// `AT+QIDEACT` takes effect: the context and its sockets are gone.
    pub(crate) fn deactivate(&mut self, context: u8) {
        self.sockets.remove_context(context);
        if self.is_active(context) {
            self.tell_of_bearer(&format!("ME PDN DEACT {context}"));
        }
        self.leave(context, ContextState::Inactive);
    }

    pub(super) fn deactivate_all(&mut self) {
        let all: Vec<u8> = self.contexts.keys().copied().collect();
        for context in all {
            self.lose(context, ContextState::Inactive);
        }
    }

    /// The network takes a context away. False if it was not active.
    pub(crate) fn pdpdeact(&mut self, context: u8) -> bool {
        let active = self.is_active(context);
        if active {
            let address = self
                .contexts
                .get(&context)
                .and_then(|one| one.addresses.first());
            let event = address.map(|one| format!("NW DEACT \"IP\",\"{one}\",{context}"));
            let owns = self.owns_context();
            let state = match owns {
                true => ContextState::Inactive,
                false => ContextState::Lost,
            };
            self.lose(context, state);
            if owns && self.in_service() && self.attached {
                self.register_at = Some(self.now + self.cellular.register_us);
            }
            if let Some(event) = event {
                self.tell_of_bearer(&event);
            }
            self.urc(&format!("+QIURC: \"pdpdeact\",{context}"));
        }
        active
    }

    /// The network takes every context away.
    pub(crate) fn pdpdeact_all(&mut self) {
        let all: Vec<u8> = self.contexts.keys().copied().collect();
        for context in all {
            self.pdpdeact(context);
        }
    }

    /// The module is on its way down: the contexts that were active are lost. The line end before each
    /// URC was seen on a BG96.
    pub(super) fn tell_contexts(&mut self) {
        let all: Vec<u8> = self.contexts.keys().copied().collect();
        for context in all {
            if self.is_active(context) {
                self.lose(context, ContextState::Lost);
                self.urc(&format!("\r\n+QIURC: \"pdpdeact\",{context}"));
            }
        }
    }

    /// The sockets of the context are dead, but their ids stay occupied.
    fn lose(&mut self, context: u8, state: ContextState) {
        self.sockets.lose_context(context);
        self.leave(context, state);
    }

    fn leave(&mut self, context: u8, state: ContextState) {
        if let Some(entry) = self.contexts.get_mut(&context) {
            entry.state = state;
            entry.stale = false;
            for address in std::mem::take(&mut entry.addresses) {
                self.net.remove_address(address);
            }
        }
    }

    /// `+CGEV`, if `AT+CGEREP` asked for it.
    pub(super) fn tell_of_bearer(&mut self, event: &str) {
        if self.settings.numbers.get("+CGEREP", 0) > 0 {
            self.urc(&format!("+CGEV: {event}"));
        }
    }

    /// Whether any context is active.
    pub(crate) fn any_active(&self) -> bool {
        let mut states = self.contexts.values().map(|one| one.state);
        states.any(|state| state == ContextState::Active)
    }

    /// Whether the 3GPP layer holds a context: `AT+CGACT?`.
    pub(crate) fn has_bearer(&self, context: u8) -> bool {
        self.bearers.contains(&context)
            || self
                .contexts
                .get(&context)
                .is_some_and(|one| one.state == ContextState::Active && !one.stale)
    }

    /// `AT+CGACT` takes effect.
    pub(super) fn set_bearer(&mut self, context: u8, on: bool) -> Outcome {
        if on {
            if !self.in_service() || !self.attached {
                return Outcome::Done(Final::Cme(30));
            }
            self.bearers.insert(context);
            self.attach_context();
            return Outcome::OK;
        }
        self.bearers.remove(&context);
        if !self.profile.stale_contexts {
            if self.pdpdeact(context) {
                // The host wants it so: it does not come back by itself.
                self.register_at = None;
            }
        } else if let Some(entry) = self.contexts.get_mut(&context) {
            // The TCP/IP commands do not notice: the address still shows, and nothing passes.
            entry.stale = true;
            for address in entry.addresses.clone() {
                self.net.remove_address(address);
            }
        }
        Outcome::OK
    }

    /// `AT+CGATT` takes effect.
    pub(super) fn set_attached(&mut self, on: bool) {
        self.attached = on;
        if !on {
            self.bearers.clear();
            self.pdpdeact_all();
        }
        self.attach_context();
    }

    /// `AT+QIACTEX` begins; what becomes of it is a URC.
    pub(crate) fn start_activate_ex(&mut self, context: u8, shows: bool) {
        match self.start_activate(context) {
            Outcome::Wait(Wait::Activate { ready, until, .. }) => {
                let activation = Activation {
                    ready,
                    until,
                    shows,
                };
                self.activating.insert(context, activation);
            }
            outcome => self.activated_ex(context, shows, &outcome),
        }
    }

    fn activated_ex(&mut self, context: u8, shows: bool, outcome: &Outcome) {
        let error = match outcome {
            Outcome::Done(Final::Ok) => 0,
            _ => self.last_error,
        };
        let shown = match self.contexts.get(&context) {
            Some(one) if error == 0 && shows => {
                format!(",{}{}", self.active_kind(context), quoted(&one.addresses))
            }
            _ => String::new(),
        };
        self.urc(&format!("+QIACTEX: {context},{error}{shown}"));
    }

    pub(super) fn tick_activating(&mut self) {
        let all: Vec<(u8, Activation)> = self
            .activating
            .iter()
            .map(|(context, one)| (*context, *one))
            .collect();
        for (context, one) in all {
            if let Some(outcome) = self.check_activate(context, one.ready, one.until) {
                self.activating.remove(&context);
                self.activated_ex(context, one.shows, &outcome);
            }
        }
    }

    /// When to look at an `AT+QIACTEX` again.
    pub(super) fn activating_at(&self) -> Option<u64> {
        let due = |one: &Activation| match one.ready > self.now {
            true => one.ready,
            false => one.until,
        };
        self.activating.values().map(due).min()
    }

    /// `AT+QIDEACTEX` begins.
    pub(crate) fn start_deactivate_ex(&mut self, context: u8) {
        self.activating.remove(&context);
        self.schedule(self.profile.deactivate_us, Event::DeactivateEx(context));
    }

    pub(super) fn deactivated_ex(&mut self, context: u8) {
        self.deactivate(context);
        self.urc(&format!("+QIDEACTEX: {context},0"));
    }
}

/// Addresses as rows show them, each with a comma before it.
pub(crate) fn quoted(addresses: &[IpAddr]) -> String {
    addresses
        .iter()
        .map(|one| format!(",\"{}\"", shown(*one)))
        .collect()
}

/// An address as modules print it: IPv6 in capitals, with all its groups.
fn shown(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let groups: Vec<String> = v6.segments().iter().map(|g| format!("{g:X}")).collect();
            groups.join(":")
        }
    }
}
