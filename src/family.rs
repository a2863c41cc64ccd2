//! What differs between module families, as tables of constants.

use quectel_at_commands::{Trailer, tcp};

use crate::state::StateTable;

/// Constants of a module family.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Name of the family.
    pub name: &'static str,
    /// Connect ids, counted from 0. At most [`Family::MAX_SOCKETS`].
    pub sockets: u8,
    /// `AT+QIOPEN`s that may run at the same time.
    pub opens_in_flight: u8,
    /// What ends the payload of `AT+QIRD`.
    pub trailer: Trailer,
    /// Most bytes of one `AT+QISEND`.
    pub send_max: u16,
    /// Most bytes of one `AT+QIRD`.
    pub read_max: u16,
    /// An open that fails with 566 within this time in milliseconds was
    /// refused; later the SYNs were not answered.
    pub refused_within_ms: u32,
    /// Longest wait for the prompt of `AT+QISEND`, in milliseconds.
    pub prompt_ms: u32,
    /// What the module is told of how long it waits for payload, in seconds.
    pub send_timeout_s: u16,
    /// Longest pause inside the answer of `AT+QIRD`, in milliseconds.
    pub stall_ms: u32,
    /// Seconds that `AT+QICLOSE` may take while no other socket is open.
    pub close_s: u16,
    /// The same while others are, since it blocks them too.
    pub close_shared_s: u16,
    /// A minute of keep-alive, in the unit that the family counts in: 1 where
    /// that is minutes, 60 where it is seconds.
    pub keep_alive_minute: u16,
    /// What a reported state can stand for.
    pub states: &'static StateTable,
    /// How long TIME_WAIT is reported, in milliseconds: 2 MSL of the stack
    /// inside the module.
    pub time_wait_ms: u32,
}

impl Family {
    /// No family has more connect ids.
    pub const MAX_SOCKETS: usize = 12;

    /// EC20, EC21, EC25, EG21, EG25-G, EG91, EG95, EM05. TCP/IP application
    /// note; `time_wait_ms` as lwIP (2 × 60 s), since the manual is silent.
    pub const EC25: Self = Self {
        name: "EC25",
        sockets: 12,
        opens_in_flight: 12,
        trailer: Trailer::BlankLine,
        send_max: tcp::SEND_MAX as u16,
        read_max: tcp::READ_MAX as u16,
        refused_within_ms: 20_000,
        prompt_ms: 10_000,
        send_timeout_s: 5,
        stall_ms: 20_000,
        close_s: 10,
        close_shared_s: 2,
        keep_alive_minute: 1,
        states: &StateTable::EC2X,
        time_wait_ms: 120_000,
    };

    /// The same family with another 2 MSL; the simulated module's stack has
    /// 10 s.
    ///
    /// ```
    /// use quectel_sockets::Family;
    /// static SIMULATED: Family = Family::EC25.with_time_wait(10_000);
    /// assert_eq!(SIMULATED.time_wait_ms, 10_000);
    /// ```
    #[must_use]
    pub const fn with_time_wait(mut self, ms: u32) -> Self {
        self.time_wait_ms = ms;
        self
    }
}
