//! Power: starts, restarts, and what is gone afterwards.

use super::{Event, Module, Settings, Sockets};

/// Whether the module runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    Off,
    /// Deaf and dumb until this time.
    Booting(u64),
    On,
}

impl Module {
    pub(crate) fn power(&self) -> Power {
        self.power
    }

    /// The speed of the serial port in bits a second; none while the module looks for the host's.
    pub(crate) fn speed(&self) -> Option<u32> {
        match self.baud {
            0 => self.found_speed,
            baud => Some(baud),
        }
    }

    /// `AT+IPR` after a start.
    pub(super) fn first_baud(&self) -> u32 {
        match self.profile.serial.autobaud {
            true => 0,
            false => self.saved.baud,
        }
    }

    /// Power comes: the module boots.
    pub(crate) fn power_on(&mut self) {
        if self.power == Power::Off {
            self.powered_at = self.now;
            self.wake_at = None;
            self.baud = self.first_baud();
            self.power = Power::Booting(self.now + self.profile.boot_us);
        }
    }

    /// Power goes: everything that was not saved is gone.
    pub(crate) fn power_off(&mut self) {
        self.power = Power::Off;
        self.silent_boot = false;
        self.cut = true;
        self.settings = Settings::new(&self.profile, &self.saved);
        (self.baud, self.found_speed) = (self.first_baud(), None);
        (self.leaving, self.wake_at) = (false, None);
        self.lock_sim_card();
        self.functionality = 1;
        self.initialised = 0;
        (self.registered, self.network_left, self.attached) = (false, false, true);
        self.bearers.clear();
        self.activating.clear();
        self.sleep_at = None;
        self.cached_urcs.clear();
        self.register_at = None;
        self.events.clear();
        self.contexts.clear();
        self.sockets = Sockets::default();
        (self.ping, self.ntp) = (None, None);
        self.net.stop_ping();
        self.resolver.cancel();
        self.net.remove_all_addresses();
        self.last_error = 0;
        self.urcs.clear();
    }

    /// Power goes and comes back.
    pub(crate) fn restart(&mut self) {
        self.power_off();
        self.power_on();
    }

    /// `AT+CFUN=1,1`: restarts after the time a module needs to leave the network.
    pub(crate) fn restart_soon(&mut self) {
        let down = self.profile.shutdown_us;
        let Some(tells) = self.profile.pins.restart_tells_us else {
            return self.schedule(down, Event::Restart(None));
        };
        let ready = self.now + down + self.profile.boot_us;
        // Behind its answer.
        self.schedule(10_000, Event::Leave);
        self.schedule(tells, Event::TellContexts);
        self.schedule(tells + down, Event::Restart(Some(ready)));
    }

    /// Turns itself off after the time a module needs to leave the network.
    pub(crate) fn turn_off_soon(&mut self) {
        self.turn_off_after(self.profile.shutdown_us);
    }

    /// The same, by the power key.
    pub(crate) fn turn_off_by_key(&mut self) {
        self.turn_off_after(self.profile.pins.power_off_us);
    }

    fn turn_off_after(&mut self, off_us: u64) {
        let us = self.profile.shutdown_us;
        self.schedule(us, Event::Urc("POWERED DOWN".into()));
        self.schedule(us + off_us, Event::TurnOff);
    }

    /// Turns itself off without a word of its own, for this long.
    pub(crate) fn sleep_soon(&mut self, us: Option<u64>) {
        self.sleep_at = None;
        let until = us.map(|us| self.now + us);
        self.schedule(self.profile.shutdown_us, Event::Sleep(until));
    }

    /// Restarts without a word: neither `RDY` nor what follows it.
    pub(crate) fn restart_silently(&mut self) {
        self.restart();
        self.silent_boot = true;
    }

    pub(super) fn booted(&mut self) {
        self.power = Power::On;
        if std::mem::take(&mut self.silent_boot) {
            self.initialised = self.profile.initialised;
        } else {
            self.urc("RDY");
            self.schedule_sim_urcs(self.profile.boot_urcs.clone());
            if self.profile.pins.sim_urcs_twice {
                let again = self.profile.sim_urcs.iter();
                let last = self.profile.boot_urcs.iter().map(|(after, _)| *after).max();
                let after = last.unwrap_or(0);
                let again = again.map(|(us, text)| (after + us, text.clone())).collect();
                self.schedule_sim_urcs(again);
            }
        }
        self.start_sim_card();
    }
}
