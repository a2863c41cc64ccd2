//! Strings that may stand between the quotes of an AT command.
//!
//! A `"`, CR or LF inside a host name, APN or password would end the
//! argument or the command line: whoever controls the string could run AT
//! commands. These types can only be made from text that cannot. A backslash
//! is refused too, because the serialiser would send it in another form than
//! the caller wrote it.

use core::fmt;

use atat::serde_at::serde::{Serialize, Serializer};

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TextError {
    /// Nothing between the quotes where something must stand.
    Empty,
    /// Longer than the module takes; the limit in bytes is given.
    TooLong(usize),
    /// Holds `"`, `\`, a control character or a byte above 0x7E; its position
    /// in bytes is given.
    Forbidden(usize),
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("must not be empty"),
            Self::TooLong(max) => write!(f, "may be {max} bytes long at the most"),
            Self::Forbidden(at) => write!(
                f,
                "byte {at} is not allowed: printable ASCII without \" and \\ only"
            ),
        }
    }
}

impl core::error::Error for TextError {}

/// Printable ASCII without `"` and `\`, at most `MAX` bytes: safe between
/// the quotes of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a, const MAX: usize>(&'a str);

impl<'a, const MAX: usize> Text<'a, MAX> {
    /// The empty text.
    pub const EMPTY: Self = Text("");

    /// Checks `text`.
    ///
    /// # Errors
    /// [`TextError`] says what is allowed.
    ///
    /// ```
    /// use quectel_at_commands::text::{Apn, TextError};
    /// assert!(Apn::new("internet.example").is_ok());
    /// assert_eq!(Apn::new("a\"\rAT+CFUN=0\r"), Err(TextError::Forbidden(1)));
    /// ```
    pub const fn new(text: &'a str) -> Result<Self, TextError> {
        let bytes = text.as_bytes();
        if bytes.len() > MAX {
            return Err(TextError::TooLong(MAX));
        }
        let mut rest = bytes;
        while let [byte, tail @ ..] = rest {
            if !byte.is_ascii_graphic() && *byte != b' ' || *byte == b'"' || *byte == b'\\' {
                return Err(TextError::Forbidden(bytes.len() - rest.len()));
            }
            rest = tail;
        }
        Ok(Self(text))
    }

    /// The text.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl<const MAX: usize> Serialize for Text<'_, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// An access point name: at most 100 bytes, may be empty (the network's
/// default).
pub type Apn<'a> = Text<'a, 100>;

/// User name or password of a PDP context: at most 100 bytes, may be empty.
pub type Credential<'a> = Text<'a, 100>;

/// A host name to look up: 1 to 150 bytes of letters, digits, `-`, `_`, `.`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostName<'a>(&'a str);

impl<'a> HostName<'a> {
    /// Longest name in bytes.
    pub const MAX: usize = 150;

    /// Checks `name`.
    ///
    /// # Errors
    /// [`TextError`] says what is allowed. Blanks, colons and slashes are
    /// refused as well: no host name has one.
    ///
    /// ```
    /// use quectel_at_commands::text::HostName;
    /// assert!(HostName::new("www.example.org").is_ok());
    /// assert!(HostName::new("a,b").is_err());
    /// ```
    pub const fn new(name: &'a str) -> Result<Self, TextError> {
        let bytes = name.as_bytes();
        if bytes.is_empty() {
            return Err(TextError::Empty);
        }
        if bytes.len() > Self::MAX {
            return Err(TextError::TooLong(Self::MAX));
        }
        let mut rest = bytes;
        while let [byte, tail @ ..] = rest {
            if !byte.is_ascii_alphanumeric() && !matches!(*byte, b'-' | b'_' | b'.') {
                return Err(TextError::Forbidden(bytes.len() - rest.len()));
            }
            rest = tail;
        }
        Ok(Self(name))
    }

    /// The name.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl Serialize for HostName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_end_the_argument_is_refused() {
        for (text, at) in [
            ("\"", 0),
            ("a\r", 1),
            ("ab\n", 2),
            ("\u{1a}", 0),
            ("a\u{7f}", 1),
            ("a\\", 1),
            ("\u{e9}", 0),
        ] {
            assert_eq!(Apn::new(text), Err(TextError::Forbidden(at)), "{text:?}");
            assert_eq!(
                Credential::new(text),
                Err(TextError::Forbidden(at)),
                "{text:?}"
            );
            assert_eq!(
                HostName::new(text),
                Err(TextError::Forbidden(at)),
                "{text:?}"
            );
        }
    }

    #[test]
    fn lengths_are_limited() {
        let long = "a".repeat(151);
        assert_eq!(HostName::new(&long), Err(TextError::TooLong(150)));
        assert!(HostName::new(&long[1..]).is_ok());
        assert_eq!(Apn::new(&long), Err(TextError::TooLong(100)));
        assert!(Apn::new(&long[..100]).is_ok());
        assert_eq!(HostName::new(""), Err(TextError::Empty));
        assert!(Apn::new("").is_ok());
    }
}
