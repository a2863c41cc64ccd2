//! Network registration. Manual: AT commands manual, "network service
//! commands" and "packet domain commands".

use crate::{
    command::commands,
    fields::{self, Fields},
    framer::Expect,
};

/// Which registration a line speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Domain {
    /// `+CEREG`: LTE.
    Eps,
    /// `+CGREG`: GPRS, UMTS.
    PacketSwitched,
    /// `+CREG`: voice.
    CircuitSwitched,
}

impl Domain {
    /// What its lines begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Eps => "+CEREG:",
            Self::PacketSwitched => "+CGREG:",
            Self::CircuitSwitched => "+CREG:",
        }
    }
}

/// `<stat>` of 3GPP TS 27.007: 0 not searching, 1 home, 2 searching,
/// 3 denied, 4 unknown, 5 roaming, 6/7 SMS only, 8 emergency only,
/// 9/10 registered with fallback not preferred, 11 emergency only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Registration(pub u8);

impl Registration {
    /// Home network or roaming: data can be had.
    pub const fn is_registered(self) -> bool {
        matches!(self.0, 1 | 5 | 9 | 10)
    }

    /// Reads the answer `<prefix> <n>,<stat>[,…]` to a read command.
    pub fn parse_answer(line: &[u8], domain: Domain) -> Option<Self> {
        let mut fields = Fields::of(line, domain.prefix())?;
        fields.number::<u8>()?;
        fields.number().map(Self)
    }

    /// Reads the URC `<prefix> <stat>[,"<area>",…]`.
    pub fn parse_urc(line: &[u8], domain: Domain) -> Option<Self> {
        let mut fields = Fields::of(line, domain.prefix())?;
        let stat = fields.number()?;
        // Firmware that has no area to tell leaves the field empty.
        if let Some(area) = fields.raw().filter(|area| !area.is_empty()) {
            fields::unquote(area)?;
        }
        Some(Self(stat))
    }
}

impl atat::AtatResp for Registration {}

/// Answer `<n>,<stat>` against URC `<stat>` and `<stat>,"<area>"`.
fn is_answer(rest: &[u8]) -> bool {
    Fields::of(rest, "")
        .is_some_and(|mut f| f.number::<u8>().is_some() && f.number::<u8>().is_some())
}

const fn registration(prefix: &'static str) -> Expect {
    Expect {
        shape: is_answer,
        ..Expect::lines(prefix)
    }
}

fn eps(answer: &[u8]) -> Result<Registration, ()> {
    crate::row(answer, |line| Registration::parse_answer(line, Domain::Eps))
}

fn packet(answer: &[u8]) -> Result<Registration, ()> {
    crate::row(answer, |line| {
        Registration::parse_answer(line, Domain::PacketSwitched)
    })
}

fn circuit(answer: &[u8]) -> Result<Registration, ()> {
    crate::row(answer, |line| {
        Registration::parse_answer(line, Domain::CircuitSwitched)
    })
}

commands! {
    /// `AT+CEREG?`: registration with LTE. To be asked first: on LTE the
    /// other two report 0 or 4 while all is well.
    "+CEREG?", 300 ms, registration("+CEREG:"), Registration [eps] => struct GetEpsRegistration;
    /// `AT+CGREG?`: registration with GPRS or UMTS.
    "+CGREG?", 300 ms, registration("+CGREG:"), Registration [packet] => struct GetPacketRegistration;
    /// `AT+CREG?`: registration for voice, which old networks couple with data.
    "+CREG?", 300 ms, registration("+CREG:"), Registration [circuit] => struct GetCircuitRegistration;
}
