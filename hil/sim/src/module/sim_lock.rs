//! The PIN of the SIM card.

use super::Module;
use crate::config::SimCard;

/// PINs, PUKs, and how often each may be tried. It is kept by the card.
#[derive(Debug, Clone)]
pub(crate) struct SimLock {
    pin: String,
    puk: String,
    /// The card wants its PIN after each start.
    pub(crate) wanted: bool,
    pub(crate) tries: u8,
    pub(crate) puk_tries: u8,
}

impl SimLock {
    pub(crate) fn new(card: &SimCard, puk: &str) -> SimLock {
        let pin = match card {
            SimCard::Pin(pin) => pin.as_str(),
            _ => "1234",
        };
        SimLock {
            pin: pin.to_owned(),
            puk: puk.to_owned(),
            wanted: matches!(card, SimCard::Pin(_) | SimCard::Puk),
            tries: if *card == SimCard::Puk { 0 } else { 3 },
            puk_tries: 10,
        }
    }

    /// CME error 16, or 12 once the tries are used up.
    fn check_pin(&mut self, entered: &str) -> Result<(), u16> {
        if entered == self.pin {
            self.tries = 3;
            return Ok(());
        }
        self.tries = self.tries.saturating_sub(1);
        Err(if self.tries == 0 { 12 } else { 16 })
    }

    fn check_puk(&mut self, entered: &str, new: &str) -> Result<(), u16> {
        if self.puk_tries == 0 {
            return Err(13);
        }
        if entered != self.puk {
            self.puk_tries -= 1;
            return Err(16);
        }
        (self.tries, self.puk_tries) = (3, 10);
        self.pin = new.to_owned();
        Ok(())
    }
}

impl Module {
    /// `AT+CPIN=`
    pub(crate) fn enter_pin(&mut self, entered: &str, new: Option<&str>) -> Result<(), u16> {
        self.pin_state()?;
        match (&self.sim_card, new) {
            (SimCard::Pin(_), _) => {
                let checked = self.sim_lock.check_pin(entered);
                if self.sim_lock.tries == 0 {
                    self.sim_card = SimCard::Puk;
                }
                checked?;
            }
            (SimCard::Puk, Some(new)) => self.sim_lock.check_puk(entered, new)?,
            (SimCard::Puk, None) => return Err(12),
            _ => return Err(3),
        }
        self.unlock();
        Ok(())
    }

    /// `AT+CLCK="SC",0|1`
    pub(crate) fn set_pin_wanted(&mut self, entered: &str, wanted: bool) -> Result<(), u16> {
        if !self.sim_ready() {
            return Err(11);
        }
        let checked = self.sim_lock.check_pin(entered);
        if self.sim_lock.tries == 0 {
            self.sim_card = SimCard::Puk;
        }
        checked?;
        self.sim_lock.wanted = wanted;
        Ok(())
    }

    /// The card loses its power: it will want its PIN again.
    pub(super) fn lock_sim_card(&mut self) {
        if self.sim_lock.wanted && self.sim_card == SimCard::Ready {
            self.sim_card = SimCard::Pin(self.sim_lock.pin.clone());
        }
    }
}
