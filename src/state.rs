//! The eleven TCP states, as far as a module lets them be seen.

/// State of a TCP socket, numbered as in lwIP and QuecPython's
/// `getsocketsta()`. A UDP socket is `Closed`, then `Established` once open.
///
/// A module reports five coarse states (`AT+QISTATE`, 0 to 4), so the finer
/// ones follow from what was sent and what came back:
///
/// | state | evidence |
/// |---|---|
/// | [`Closed`](Self::Closed) | created but not opened; open failed; context lost; module restarted; the module has no row for it; `AT+QICLOSE` with time-out 0, or answered only at its time-out; TIME_WAIT over |
/// | [`Listen`](Self::Listen) | `+QIOPEN: <id>,0` of a listener |
/// | [`SynSent`](Self::SynSent) | `AT+QIOPEN` accepted, `+QIOPEN` not seen yet |
/// | [`SynReceived`](Self::SynReceived) | never: a connection that a listener announces stands already |
/// | [`Established`](Self::Established) | `+QIOPEN: <id>,0`, or accepted from a listener |
/// | [`FinWait1`](Self::FinWait1) | from the last byte of `AT+QICLOSE` until its answer |
/// | [`FinWait2`](Self::FinWait2) | the module still lists the socket after that answer; else straight to TIME_WAIT |
/// | [`CloseWait`](Self::CloseWait) | `closed` URC; FIN and RST look alike |
/// | [`Closing`](Self::Closing) | `closed` URC after `AT+QICLOSE` was sent: the two have crossed |
/// | [`LastAck`](Self::LastAck) | `AT+QICLOSE` sent after CLOSE_WAIT, until its answer |
/// | [`TimeWait`](Self::TimeWait) | own close answered in time; lasts [`Family::time_wait_ms`](crate::Family::time_wait_ms) |
///
/// What the module's own stack can be in meanwhile is in [`StateTable`], for
/// each family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum SocketState {
    /// 0
    #[default]
    Closed = 0,
    /// 1
    Listen = 1,
    /// 2
    SynSent = 2,
    /// 3
    SynReceived = 3,
    /// 4
    Established = 4,
    /// 5
    FinWait1 = 5,
    /// 6
    FinWait2 = 6,
    /// 7
    CloseWait = 7,
    /// 8
    Closing = 8,
    /// 9
    LastAck = 9,
    /// 10
    TimeWait = 10,
}

impl SocketState {
    /// The standard's name, `ESTABLISHED` for example.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::Listen => "LISTEN",
            Self::SynSent => "SYN_SENT",
            Self::SynReceived => "SYN_RCVD",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN_WAIT_1",
            Self::FinWait2 => "FIN_WAIT_2",
            Self::CloseWait => "CLOSE_WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST_ACK",
            Self::TimeWait => "TIME_WAIT",
        }
    }
}

impl core::fmt::Display for SocketState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl SocketState {
    /// All of them, by number.
    pub const ALL: [Self; 11] = [
        Self::Closed,
        Self::Listen,
        Self::SynSent,
        Self::SynReceived,
        Self::Established,
        Self::FinWait1,
        Self::FinWait2,
        Self::CloseWait,
        Self::Closing,
        Self::LastAck,
        Self::TimeWait,
    ];
}

/// For each state that is reported, those that the stack inside the module
/// can be in. No set: the family's modules never show the state.
///
/// The report follows the truth by the time that the network, the serial line
/// and the command that runs take; FIN_WAIT_2, which has to be asked for, by
/// up to 2 s. It is never ahead.
///
/// ```
/// use quectel_sockets::{Family, SocketState};
/// let states = Family::EC25.states;
/// assert_eq!(states.truths(SocketState::Listen), [SocketState::Listen]);
/// // FIN and RST look alike.
/// let either = [SocketState::CloseWait, SocketState::Closed];
/// assert_eq!(states.truths(SocketState::CloseWait), either);
/// assert!(states.truths(SocketState::SynReceived).is_empty());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateTable([&'static [SocketState]; 11]);

impl StateTable {
    /// EC2x and EG9x, and every family whose `AT+QISTATE` has the states 0 to
    /// 4 and whose `closed` URC stands for FIN and RST.
    pub const EC2X: Self = {
        use SocketState::*;
        Self([
            // 2 MSL are counted from the answer to AT+QICLOSE; the peer may
            // close its half later, or never.
            &[Closed, FinWait2, TimeWait],
            &[Listen],
            &[SynSent],
            &[],
            &[Established],
            // Nothing is told until AT+QICLOSE is answered.
            &[FinWait1, FinWait2, Closing],
            &[FinWait2],
            &[CloseWait, Closed],
            // The URC says that the peer's FIN came first.
            &[LastAck],
            &[LastAck],
            // The module has no row in any of them: while it waits for the
            // peer's FIN, and after a reset.
            &[TimeWait, FinWait2, Closed],
        ])
    };

    /// What is true when this is reported; empty if it never is.
    pub fn truths(&self, reported: SocketState) -> &'static [SocketState] {
        self.0.get(reported as usize).copied().unwrap_or_default()
    }
}
