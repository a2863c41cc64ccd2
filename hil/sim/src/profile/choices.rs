//! The ways in which modules are known, or suspected, to behave, where there are more than two.

/// What `+QIRD` puts between the data and the final `OK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QirdTail {
    /// `\r\n` and then `\r\nOK\r\n`: EC2x, BG9x, ECx00x.
    BlankLine,
    /// `\r\nOK\r\n` alone: seen on a firmware that imitates Quectel's commands.
    Plain,
}

/// When a second `+QIURC: "recv"` may follow a first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecvUrc {
    /// When data arrives after the host has read everything.
    WhenEmpty,
    /// Only after the host has also been told `+QIRD: 0`.
    AfterZeroRead,
}

/// When `+QIURC: "closed"` is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClosedUrc {
    /// When the peer's FIN or RST arrives, even if there is unread data.
    AtOnce,
    /// When the unread data has been read.
    AfterDrain,
}

/// When `AT+QICLOSE` is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseAnswer {
    /// When the peer has acknowledged our FIN.
    FinAcked,
    /// When the peer's FIN has arrived as well.
    BothClosed,
}

/// What happens to a connection when the timer of `AT+QICLOSE` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseTimeout {
    /// It is reset.
    Abort,
    /// TCP goes on trying without the AT layer.
    Linger,
}

/// What `AT+QICLOSE` does to a connection that is being opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseOpening {
    /// It is cancelled, and no `+QIOPEN` URC follows.
    Cancel,
    /// `ERROR`, with 572 as the last error.
    Refuse,
}

/// What happens when the time of `AT+QICFG="qisend/timeout"` ends before all payload has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendTimeout {
    /// What has come is sent, and answered as usual.
    SendPart,
    /// `SEND FAIL`; what has come is dropped.
    Fail,
    /// `ERROR`; what has come is dropped.
    Error,
    /// There is no such timer.
    Never,
}

/// What ESC in a `AT+QISEND` without length is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EscapeAnswer {
    /// `OK`.
    Ok,
    /// `SEND FAIL`, with 571 as the last error.
    SendFail,
    /// `OK` and then `SEND OK`, although nothing was sent.
    OkSendOk,
}

/// What asks for payload, after a line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prompt {
    /// `> `, and nothing more: what was seen of all families.
    Blank,
    /// `>` alone, as manuals print it.
    Bare,
    /// `>` and a line end, as after `AT+QICFG="formatcfg",1`.
    Line,
}

/// What the rows of `AT+QISTATE` tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rows {
    /// Ten fields.
    Full,
    /// Eight, without server and port, and each row begins with a line end of its own.
    Short,
    /// Eleven: one more behind those of [`Rows::Full`], as the rows of TLS sockets have.
    Longer,
}

/// How errors with a number are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CmeForm {
    /// As `AT+CMEE` says.
    AsSet,
    /// `+CME ERROR: <number>` whatever was set.
    Number,
    /// `+CME ERROR: <text>` whatever was set.
    Text,
}

/// When a command line is echoed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineEcho {
    /// Each byte when it arrives: a URC can come between.
    AsReceived,
    /// The whole line when its `\r` arrives.
    AtEnd,
}

/// What URCs do while a `AT+QISEND` waits for its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadUrcs {
    /// They wait until the payload has come: they stand before `SEND OK`.
    Wait,
    /// They are sent at once.
    Pass,
}

/// Which commands a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandSet {
    /// EC20 to EG95, EC25 among them.
    Ec2x,
    /// BG95, BG96 and their like.
    Bg9x,
    /// EC200U, EG915U and their like.
    Ec200u,
    /// EC200A, EC800K, EG800K and their like.
    Ec200x,
    /// BC25, BC660K and their like.
    Bc,
}
