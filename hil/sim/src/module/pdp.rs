//! PDP contexts: activation and deactivation.

use std::net::IpAddr;

use super::{Module, Wait};
use crate::at::table::Outcome;

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
    /// `AT+QIDNSCFG`, if it was set.
    pub(crate) name_servers: Option<[String; 2]>,
}

impl Module {
    pub(crate) fn context_state(&self, context: u8) -> ContextState {
        self.contexts
            .get(&context)
            .map_or(ContextState::Inactive, |c| c.state)
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
        if self.functionality != 1 || !self.sim_ready() {
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
        if full || self.cellular.denied_apns.contains(&entry.apn) {
            return false;
        }
        entry.state = ContextState::Active;
        let kind = entry.kind;
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
        if let Some(context) = self.profile.auto_activate
            && self.in_service()
            && self.context_state(context) == ContextState::Inactive
        {
            self.activate(context);
        }
    }

    /// `AT+QIDEACT` takes effect: the context and its sockets are gone.
    pub(crate) fn deactivate(&mut self, context: u8) {
        self.sockets.remove_context(context);
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
            self.lose(context, ContextState::Lost);
            self.urc(&format!("+QIURC: \"pdpdeact\",{context}"));
        }
        active
    }

    /// The sockets of the context are dead, but their ids stay occupied.
    fn lose(&mut self, context: u8, state: ContextState) {
        self.sockets.lose_context(context);
        self.leave(context, state);
    }

    fn leave(&mut self, context: u8, state: ContextState) {
        if let Some(entry) = self.contexts.get_mut(&context) {
            entry.state = state;
            for address in std::mem::take(&mut entry.addresses) {
                self.net.remove_address(address);
            }
        }
    }
}
