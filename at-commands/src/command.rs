//! What a command type must say of itself besides its arguments: its name,
//! and how its answer looks on the wire.

use atat::AtatCmd;
use atat::serde_at::{self, SerializeOptions, serde::Serialize};

use crate::framer::Expect;

/// The transmit buffer was too small for the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BufferFull;

impl core::fmt::Display for BufferFull {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the command is longer than the transmit buffer")
    }
}

impl core::error::Error for BufferFull {}

/// An AT command. `AtatCmd::MAX_TIMEOUT_MS` is the module's documented
/// maximum response time in milliseconds.
pub trait Command: AtatCmd + Serialize {
    /// What stands between `AT` and the arguments, `+QIRD` for example.
    const NAME: &'static str;
    /// How the answer looks.
    const EXPECT: Expect;

    /// Writes `AT<name>=<arguments>\r` into `buffer` and returns its length
    /// in bytes. Unlike the derived `AtatCmd::write` it does not panic when
    /// the buffer is too small.
    ///
    /// # Errors
    /// [`BufferFull`]; [`LONGEST`] bytes are enough for every command.
    ///
    /// ```
    /// use quectel_at_commands::{Command, tcp::ReadData};
    /// let mut buffer = [0; 32];
    /// let n = ReadData { id: 3, len: 1500 }.render(&mut buffer).unwrap();
    /// assert_eq!(&buffer[..n], b"AT+QIRD=3,1500\r");
    /// ```
    fn render(&self, buffer: &mut [u8]) -> Result<usize, BufferFull> {
        serde_at::to_slice(self, Self::NAME, buffer, SerializeOptions::default())
            .map_err(|_| BufferFull)
    }
}

/// Length in bytes of a transmit buffer that every command here fits.
pub const LONGEST: usize = 384;

/// Declares command types: the atat derive and [`Command`] from one line, so
/// that the name stands once.
macro_rules! commands {
    ($(
        $(#[$meta:meta])*
        $name:literal, $timeout:tt ms, $expect:expr, $resp:ident $([$parse:ident])? =>
        struct $ident:ident $(<$($lt:lifetime),+>)? $({ $($(#[$fmeta:meta])* $field:ident : $ty:ty = $pos:tt),+ $(,)? })? ;
    )+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, atat::atat_derive::AtatCmd)]
        #[at_cmd($name, $resp, timeout_ms = $timeout $(, parse = $parse)?)]
        pub struct $ident $(<$($lt),+>)? {
            $($($(#[$fmeta])* #[at_arg(position = $pos)] pub $field: $ty,)+)?
        }

        impl $(<$($lt),+>)? $crate::command::Command for $ident $(<$($lt),+>)? {
            const NAME: &'static str = $name;
            const EXPECT: $crate::framer::Expect = $expect;
        }
    )+};
}
pub(crate) use commands;
