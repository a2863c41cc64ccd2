//! The eleven TCP states, as far as a module lets them be seen.

/// State of a TCP socket, numbered as in lwIP and QuecPython's
/// `getsocketsta()`.
///
/// A module reports five coarse states (`AT+QISTATE`, 0 to 4), so the finer
/// ones follow from what was sent and what came back:
///
/// | state | evidence |
/// |---|---|
/// | [`Closed`](Self::Closed) | created but not opened; open failed; context lost; module restarted; the module has no row for it; `AT+QICLOSE` with time-out 0, or answered only at its time-out; TIME_WAIT over (in truth still FIN_WAIT_2 if the peer has not closed) |
/// | [`Listen`](Self::Listen) | listener opened (not offered yet) |
/// | [`SynSent`](Self::SynSent) | `AT+QIOPEN` accepted, `+QIOPEN` not seen yet |
/// | [`SynReceived`](Self::SynReceived) | not visible for clients |
/// | [`Established`](Self::Established) | `+QIOPEN: <id>,0` |
/// | [`FinWait1`](Self::FinWait1) | from the last byte of `AT+QICLOSE` until its answer; in truth FIN_WAIT_1, FIN_WAIT_2 or CLOSING |
/// | [`FinWait2`](Self::FinWait2) | the module still lists the socket after that answer; else straight to TIME_WAIT |
/// | [`CloseWait`](Self::CloseWait) | `closed` URC; FIN and RST look alike |
/// | [`Closing`](Self::Closing) | `closed` URC after `AT+QICLOSE` was sent: the two have crossed; in truth CLOSING or LAST_ACK |
/// | [`LastAck`](Self::LastAck) | `AT+QICLOSE` sent after CLOSE_WAIT, until its answer |
/// | [`TimeWait`](Self::TimeWait) | own close answered in time; in truth FIN_WAIT_2 if the peer does not close; lasts [`Family::time_wait_ms`](crate::Family::time_wait_ms) |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
