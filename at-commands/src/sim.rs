//! SIM card. Manual: AT commands manual, "(U)SIM related commands".

use core::fmt;

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

/// As the module writes it; one name for all personalisation locks.
impl fmt::Display for SimState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "READY",
            Self::Pin => "SIM PIN",
            Self::Puk => "SIM PUK",
            Self::Pin2 => "SIM PIN2",
            Self::Puk2 => "SIM PUK2",
            Self::NotReady => "NOT READY",
            Self::NotInserted => "NOT INSERTED",
            Self::Locked => "PH-NET PIN",
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
