//! SIM card. Manual: AT commands manual, "(U)SIM related commands".

use crate::{command::commands, fields::Fields, framer::Expect};

/// What `+CPIN:` reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SimState {
    /// No code is wanted.
    Ready,
    /// `SIM PIN`
    Pin,
    /// `SIM PUK`
    Puk,
    /// `SIM PIN2`
    Pin2,
    /// `SIM PUK2`
    Puk2,
    /// `NOT READY`: pulled, or radio off.
    NotReady,
    /// `NOT INSERTED`
    NotInserted,
    /// `PH-NET PIN` and the other personalisation locks.
    Locked,
}

impl SimState {
    /// Reads a `+CPIN: <state>` line.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = Fields::of(line, "+CPIN:")?;
        Some(match fields.raw()? {
            b"READY" => Self::Ready,
            b"SIM PIN" => Self::Pin,
            b"SIM PUK" => Self::Puk,
            b"SIM PIN2" => Self::Pin2,
            b"SIM PUK2" => Self::Puk2,
            b"NOT READY" => Self::NotReady,
            b"NOT INSERTED" => Self::NotInserted,
            other if other.starts_with(b"PH-") => Self::Locked,
            _ => return None,
        })
    }
}

impl atat::AtatResp for SimState {}

fn state(answer: &[u8]) -> Result<SimState, ()> {
    crate::row(answer, SimState::parse)
}

commands! {
    /// `AT+CPIN?`: what the SIM waits for. CME 10 no SIM, 13 failure, 14 busy
    /// (in the first seconds after start).
    "+CPIN?", 5_000 ms, Expect::lines("+CPIN:"), SimState [state] => struct GetSimState;
}
