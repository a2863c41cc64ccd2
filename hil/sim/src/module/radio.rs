//! The SIM card, functionality levels, and registration on the network.

use super::{Event, Module, Power, SimLock};
use crate::config::{Cellular, SimCard};

const COMMANDS: [&str; 3] = ["+CREG", "+CGREG", "+CEREG"];

impl Module {
    /// The SIM card's state as `AT+CPIN?` prints it, or the CME error.
    pub(crate) fn pin_state(&self) -> Result<&'static str, u16> {
        if self.functionality == 0 {
            return Err(13);
        }
        match self.sim_card {
            SimCard::Busy(_) if self.now < self.sim_ready_at => Err(14),
            SimCard::Ready | SimCard::Busy(_) => Ok("READY"),
            SimCard::Pin(_) => Ok("SIM PIN"),
            SimCard::Puk => Ok("SIM PUK"),
            SimCard::Absent => Err(10),
            SimCard::Failure => Err(13),
        }
    }

    pub(crate) fn sim_ready(&self) -> bool {
        self.pin_state() == Ok("READY")
    }

    /// The card is powered: it becomes ready, now or later, and the search for a network begins.
    pub(super) fn start_sim_card(&mut self) {
        let busy = match self.sim_card {
            SimCard::Busy(time) => time,
            _ => 0,
        };
        self.sim_ready_at = self.now + busy;
        self.register_at = Some(self.sim_ready_at + self.cellular.register_us);
    }

    /// Announces what is to be known of the card, as far as its state allows.
    pub(super) fn schedule_sim_urcs(&mut self, urcs: Vec<(u64, String)>) {
        for (after, text) in urcs {
            let shown = match (&self.sim_card, text.as_str()) {
                (SimCard::Ready | SimCard::Busy(_), _) | (_, "+CFUN: 1" | "APP RDY") => text,
                (SimCard::Pin(_), "+CPIN: READY") => "+CPIN: SIM PIN".into(),
                (SimCard::Puk, "+CPIN: READY") => "+CPIN: SIM PUK".into(),
                (SimCard::Absent, "+CPIN: READY") => "+CPIN: NOT INSERTED".into(),
                _ => continue,
            };
            self.schedule(after, Event::Urc(shown));
        }
    }

    /// The PIN was entered: the card becomes ready.
    pub(crate) fn unlock(&mut self) {
        // However long ago the search for a network would have ended, it begins now.
        self.changing_registration(|module| {
            module.sim_card = SimCard::Ready;
            module.registered = false;
        });
        self.schedule_sim_urcs(self.profile.sim_urcs.clone());
        self.start_sim_card();
    }

    /// Another card, or none, is put in.
    pub(crate) fn change_sim_card(&mut self, card: SimCard) {
        if self.power != Power::On {
            // The start will find it.
            self.sim_lock = SimLock::new(&card, &self.cellular.puk);
            self.sim_card = card;
            return;
        }
        self.changing_registration(|module| {
            module.sim_lock = SimLock::new(&card, &module.cellular.puk);
            module.sim_card = card;
            module.registered = false;
        });
        self.deactivate_all();
        self.initialised = 0;
        self.start_sim_card();
        if self.sim_card == SimCard::Absent {
            self.urc("+CPIN: NOT READY");
        } else {
            self.schedule_sim_urcs(self.profile.sim_urcs.clone());
        }
        if self.settings.simstat_urc {
            let inserted = u8::from(self.sim_card != SimCard::Absent);
            self.urc(&format!("+QSIMSTAT: 1,{inserted}"));
        }
    }

    /// The registration state of `AT+CREG` (0), `AT+CGREG` (1), `AT+CEREG` (2).
    pub(crate) fn registration(&self, domain: usize) -> u8 {
        if self.functionality != 1 || !self.sim_ready() || self.network_left {
            return 0;
        }
        let lte = self.cellular.technology >= 7;
        match domain {
            _ if !self.registered => 2,
            1 if lte && self.profile.cgreg_unknown_on_lte => 4,
            2 if !lte => 0,
            _ => self.cellular.registration,
        }
    }

    /// The access technology as it is printed: LTE-M and NB-IoT modules have numbers of their own.
    pub(crate) fn technology(&self) -> u8 {
        match self.cellular.technology {
            7 => self.profile.lte_technology,
            other => other,
        }
    }

    /// Registered at home or roaming.
    pub(crate) fn in_service(&self) -> bool {
        (0..COMMANDS.len()).any(|domain| matches!(self.registration(domain), 1 | 5))
    }

    /// Runs `change`, and sends the registration URCs that it causes.
    fn changing_registration(&mut self, change: impl FnOnce(&mut Module)) {
        let before = COMMANDS.map(|name| self.registration_urc(name));
        change(self);
        self.net.covered = self.in_service();
        for (name, before) in COMMANDS.iter().zip(before) {
            let after = self.registration_urc(name);
            if after != before
                && let Some(urc) = after
            {
                self.urc(&urc);
            }
        }
    }

    /// What a registration command would report by itself; none if it is to be silent.
    fn registration_urc(&self, name: &str) -> Option<String> {
        let domain = COMMANDS.iter().position(|one| *one == name)?;
        let wanted = self.settings.registration_urc[domain] > 0;
        wanted.then(|| format!("{name}: {}", self.registration_fields(domain)))
    }

    /// `<stat>[,"<area>","<cell>",<technology>]`, as much of it as was asked for.
    pub(crate) fn registration_fields(&self, domain: usize) -> String {
        let stat = self.registration(domain);
        let Cellular { area, cell, .. } = &self.cellular;
        let technology = self.technology();
        match (self.settings.registration_urc[domain], stat) {
            (2, 1 | 5) => format!("{stat},\"{area}\",\"{cell}\",{technology}"),
            (4 | 5, 1 | 5) => {
                let psm = &self.saved.psm;
                let timers = match psm.on {
                    true => format!(",,,\"{}\",\"{}\"", psm.active, psm.update),
                    false => String::new(),
                };
                format!("{stat},\"{area}\",\"{cell}\",{technology}{timers}")
            }
            _ => stat.to_string(),
        }
    }

    /// The search for a network has come to its end.
    pub(super) fn register(&mut self) {
        self.register_at = None;
        self.changing_registration(|module| module.registered = true);
        if self.in_service() {
            self.network_tells_time();
        }
        self.auto_activate();
    }

    /// `AT+COPS=0` and `=2`: looks for a network, or leaves it.
    pub(crate) fn select_network(&mut self, wanted: bool) {
        if self.network_left != wanted {
            return;
        }
        self.register_at = None;
        self.changing_registration(|module| {
            module.network_left = !wanted;
            module.registered = false;
        });
        if wanted && self.functionality == 1 {
            self.register_at = Some(self.now + self.cellular.register_us);
        } else {
            self.deactivate_all();
        }
    }

    /// Sets the registration state, as if the network had changed its mind.
    pub(crate) fn set_registration(&mut self, stat: u8) {
        let served = self.in_service();
        self.changing_registration(|module| {
            module.cellular.registration = stat;
            // One that is off searches first.
            module.registered = module.power == Power::On;
        });
        if served && !self.in_service() {
            self.tell_of_bearer("NW DETACH");
        }
        self.attach_context();
    }

    /// `AT+CFUN=<level>` takes effect.
    pub(super) fn set_functionality(&mut self, level: u8) {
        let before = self.functionality;
        if before == level {
            return;
        }
        self.register_at = None;
        self.changing_registration(|module| {
            module.functionality = level;
            module.registered = false;
        });
        if level != 1 {
            self.deactivate_all();
        }
        if level == 0 {
            self.lock_sim_card();
            self.initialised = 0;
            self.urc("+CPIN: NOT READY");
        } else if before == 0 {
            self.schedule_sim_urcs(self.profile.sim_urcs.clone());
        }
        if level == 1 {
            self.register_at = Some(self.now + self.cellular.register_us);
        }
    }
}
