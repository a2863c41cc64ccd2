//! Short names for what transcripts hold.
#![allow(dead_code, unused_macros, reason = "each test file uses a part of it")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use quectel_at_commands::{
    CmeError, ResultCode, TcpIpError, Token, Urc,
    pdp::{ActiveContext, ActiveContexts},
    sim::SimState,
    tcp::Open,
};

macro_rules! transcript {
    ($name:literal) => {
        transcript!($name, quectel_at_commands::Trailer::BlankLine)
    };
    ($name:literal, $trailer:expr) => {
        $crate::bench::Bench::replays(
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/transcripts/",
                $name,
                ".txt"
            )),
            $trailer,
        )
    };
}

pub(crate) const fn urc(urc: Urc) -> Token<'static> {
    Token::Urc(urc)
}

pub(crate) const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

pub(crate) const fn connected(id: u8) -> Token<'static> {
    urc(Urc::Open { id, error: None })
}

pub(crate) const fn refused(id: u8, error: u16) -> Token<'static> {
    urc(Urc::Open {
        id,
        error: Some(TcpIpError(error)),
    })
}

pub(crate) const fn cme(number: u16) -> Token<'static> {
    Token::Final(ResultCode::Cme(CmeError(number)))
}

pub(crate) const fn open(id: u8, remote: IpAddr, port: u16) -> Open {
    Open::tcp(1, id, SocketAddr::new(remote, port), 0)
}

pub(crate) fn contexts(rows: &[ActiveContext]) -> Result<ActiveContexts, atat::Error> {
    Ok(ActiveContexts(rows.iter().copied().collect()))
}

pub(crate) const RECV: Token<'static> = urc(Urc::Received { id: 0 });
pub(crate) const READY: Token<'static> = urc(Urc::Ready);
pub(crate) const NOTICE: Token<'static> = urc(Urc::Notice);
pub(crate) const SIM_READY: Token<'static> = urc(Urc::Sim(SimState::Ready));
