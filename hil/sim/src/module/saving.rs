//! Power saving mode: the module turns its radio and its port off when nothing has happened for the
//! active time, until the power key wakes it.

use super::{Module, Power};

/// `AT+CPSMS`. It survives a restart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Psm {
    pub(crate) on: bool,
    /// T3412 extended, as eight bits: how often the module tells the network that it is there.
    pub(crate) update: String,
    /// T3324: how long it listens after the last traffic.
    pub(crate) active: String,
}

/// Three bits of unit and five of value, in seconds; 0 if the timer is off.
fn seconds(bits: &str, units: [u64; 8]) -> u64 {
    let value = u8::from_str_radix(bits, 2).unwrap_or(0);
    units[usize::from(value >> 5)] * u64::from(value & 31)
}

impl Psm {
    pub(crate) fn update_s(&self) -> u64 {
        let hour = 3_600;
        let units = [600, hour, 10 * hour, 2, 30, 60, 320 * hour, 0];
        seconds(&self.update, units)
    }

    pub(crate) fn active_s(&self) -> u64 {
        seconds(&self.active, [2, 60, 360, 0, 0, 0, 0, 0])
    }
}

impl Module {
    /// Something happened: the time until sleep begins anew.
    pub(crate) fn stay_awake(&mut self) {
        let psm = &self.saved.psm;
        let us = psm.active_s() * 1_000_000;
        self.sleep_at = (psm.on && us > 0).then(|| self.now + us);
    }

    pub(super) fn tick_saving(&mut self) {
        if self.power != Power::On || self.sleep_at.is_none_or(|at| at > self.now) {
            return;
        }
        if !self.in_service() {
            return self.stay_awake();
        }
        if self.settings.numbers.get("+QNBIOTEVENT", 0) == 1 {
            self.urc("+QNBIOTEVENT: \"ENTER PSM\"");
        } else if self.qcfg_number("psm/urc", 0) == 1 {
            self.urc("PSM POWER DOWN");
        }
        let update = self.saved.psm.update_s() * 1_000_000;
        self.sleep_soon((update > 0).then_some(update));
    }
}

#[cfg(test)]
mod tests {
    use super::Psm;

    #[test]
    fn timers_in_seconds() {
        let psm = Psm {
            on: true,
            update: "00000100".into(),
            active: "00001111".into(),
        };
        assert_eq!((psm.update_s(), psm.active_s()), (2_400, 30));
        let psm = Psm {
            update: "11100000".into(),
            active: "11100000".into(),
            ..psm
        };
        assert_eq!((psm.update_s(), psm.active_s()), (0, 0));
        assert_eq!(Psm::default().active_s(), 0);
    }
}
