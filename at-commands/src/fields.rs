//! The comma-separated fields of a reply line, read one by one.
//!
//! serde_at refuses a line that has more fields than its type. Firmware adds
//! fields over the years, so replies whose shape varies are read with this
//! instead: take the fields that are known, leave the rest.

use core::net::IpAddr;

/// Reads the fields of one reply line from the left. Never panics, never
/// recurses; a field that is not of the type asked for is `None`.
///
/// ```
/// use quectel_at_commands::fields::Fields;
/// let mut f = Fields::of(b"+QIOPEN: 3,566", "+QIOPEN:").unwrap();
/// assert_eq!((f.number::<u8>(), f.number::<u16>()), (Some(3), Some(566)));
/// assert_eq!(f.number::<u8>(), None);
/// ```
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    /// `None` once the last field has been taken.
    rest: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// The fields of `line` behind `prefix` (colon included); a blank after
    /// the colon is optional. `None` if the line does not begin with it.
    pub fn of(line: &'a [u8], prefix: &str) -> Option<Self> {
        let rest = line.strip_prefix(prefix.as_bytes())?.trim_ascii();
        Some(Self { rest: Some(rest) })
    }

    /// The next field as it stands, quotes included. A comma inside quotes
    /// belongs to the field.
    pub fn raw(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let mut quoted = false;
        let end = rest.iter().position(|&b| {
            quoted ^= b == b'"';
            b == b',' && !quoted
        });
        let field = match end {
            Some(at) => {
                self.rest = rest.get(at + 1..);
                rest.get(..at)?
            }
            None => {
                self.rest = None;
                rest
            }
        };
        Some(field.trim_ascii())
    }

    /// The next field as an unsigned decimal number that fits `T`.
    pub fn number<T: TryFrom<u32>>(&mut self) -> Option<T> {
        T::try_from(decimal(self.raw()?)?).ok()
    }

    /// The next field without its quotes; `None` if it has none.
    pub fn quoted(&mut self) -> Option<&'a [u8]> {
        unquote(self.raw()?)
    }

    /// The next field, quoted, as an IP address.
    pub fn address(&mut self) -> Option<IpAddr> {
        core::str::from_utf8(self.quoted()?).ok()?.parse().ok()
    }

    /// Whether all fields have been taken.
    pub fn is_done(&self) -> bool {
        self.rest.is_none()
    }
}

/// Digits only, as a number; `None` when empty, not digits, or above `u32`.
pub(crate) fn decimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |n, b| {
        let digit = b.checked_sub(b'0').filter(|d| *d < 10)?;
        n.checked_mul(10)?.checked_add(u32::from(digit))
    })
}

pub(crate) fn unquote(field: &[u8]) -> Option<&[u8]> {
    field.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_quotes_belongs_to_the_field() {
        let mut f = Fields::of(b"+X: \"a,b\",2", "+X:").unwrap();
        assert_eq!(f.quoted(), Some(&b"a,b"[..]));
        assert_eq!(f.number::<u8>(), Some(2));
        assert!(f.is_done());
    }

    #[test]
    fn numbers_are_digits_in_range_and_nothing_else() {
        for bad in ["", "-1", "+1", "1x", "256", "4294967296"] {
            let line = ["+X: ", bad].concat();
            let mut f = Fields::of(line.as_bytes(), "+X:").unwrap();
            assert_eq!(f.number::<u8>(), None, "{bad}");
        }
    }

    #[test]
    fn an_unclosed_quote_ends_with_the_line() {
        let mut f = Fields::of(b"+X: \"a,1", "+X:").unwrap();
        assert_eq!(f.quoted(), None);
        assert_eq!(f.raw(), None);
    }
}
