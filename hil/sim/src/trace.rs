//! The record of what passed on the serial line.

/// A direction of the serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the host to the module.
    ToModule,
    /// From the module to the host.
    ToHost,
}

/// What bytes on the serial line are to the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// Commands, answers and prompts; data within an answer too.
    Dialogue,
    /// A command line coming back.
    Echo,
    /// What the module says unasked, and data that it pushes behind it.
    Urc,
    /// Nothing but payload: what a prompt has asked for, its echo, and transparent mode.
    Payload,
}

/// Bytes that one side put on the serial line at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// When they were put on the line, in µs.
    pub at: u64,
    /// Which way they go.
    pub direction: Direction,
    /// What they are, as far as the module knows when they are put on the line.
    pub content: Content,
    /// The bytes, before any fault of the line.
    pub bytes: Vec<u8>,
}

impl std::fmt::Display for Traced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let arrow = match self.direction {
            Direction::ToModule => ">>",
            Direction::ToHost => "<<",
        };
        write!(f, "{:>12} {arrow} {}", self.at, self.bytes.escape_ascii())
    }
}
