//! The module's clock, and the time that the network tells.

use time::{Date, Month, OffsetDateTime, Time};

use super::Module;

/// Seconds of a quarter of an hour, the unit of time zones.
const QUARTER: i64 = 900;
/// 1980-01-06, where a clock begins that was never set.
const NEVER_SET: i64 = 315_964_800;

/// The clock. Times are seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// What it showed when the simulation began, or would have.
    at_zero: i64,
    /// Its time zone, in quarters of an hour.
    zone: i8,
    /// When the network last told the time, in µs of the simulation.
    synchronised: Option<u64>,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock {
            at_zero: NEVER_SET,
            zone: 0,
            synchronised: None,
        }
    }
}

fn seconds(us: u64) -> i64 {
    i64::try_from(us / 1_000_000).unwrap_or(i64::MAX)
}

/// `2026/07/03,00:56:27`, of seconds since 1970.
pub(super) fn text(unix_s: i64) -> String {
    match OffsetDateTime::from_unix_timestamp(unix_s) {
        Ok(t) => format!(
            "{:04}/{:02}/{:02},{:02}:{:02}:{:02}",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        ),
        Err(_) => "1980/01/06,00:00:00".into(),
    }
}

/// The seconds and the zone of `26/07/03,00:56:27+32`; the year may have four digits.
fn parse(text: &str) -> Option<(i64, i8)> {
    let zone_at = text.rfind(['+', '-'])?;
    let (moment, zone) = text.split_at_checked(zone_at)?;
    let zone: i8 = zone.parse().ok().filter(|zone| (-48..=56).contains(zone))?;
    let (date, clock) = moment.split_once(',')?;
    let mut date = date.split('/');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    let mut clock = clock.split(':');
    let (hour, minute, second) = (clock.next()?, clock.next()?, clock.next()?);
    let digits = |text: &str, n: usize| -> Option<u16> {
        let fits = text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse().ok())?
    };
    let two = |text: &str| digits(text, 2).and_then(|value| u8::try_from(value).ok());
    let year = match year.len() {
        2 => 2000 + i32::from(digits(year, 2)?),
        _ => i32::from(digits(year, 4)?),
    };
    let month = Month::try_from(two(month)?).ok()?;
    let date = Date::from_calendar_date(year, month, two(day)?).ok()?;
    let time = Time::from_hms(two(hour)?, two(minute)?, two(second)?).ok()?;
    Some((date.with_time(time).assume_utc().unix_timestamp(), zone))
}

impl Module {
    /// Seconds since 1970 that the network would tell now.
    fn network_time(&self) -> Option<i64> {
        let begin = i64::try_from(self.cellular.unix_s?).ok()?;
        Some(begin.saturating_add(seconds(self.now)))
    }

    /// The network tells the time after registration, and `AT+CTZU` says what becomes of it.
    pub(super) fn network_tells_time(&mut self) {
        let Some(utc) = self.network_time() else {
            return;
        };
        let zone = self.cellular.zone_quarters;
        self.clock.synchronised = Some(self.now);
        match self.settings.numbers.get("+CTZU", 0) {
            0 => {}
            1 => self.set_clock(utc, zone),
            _ => self.set_clock(utc + i64::from(zone) * QUARTER, zone),
        }
        let time = text(utc);
        match self.settings.numbers.get("+CTZR", 0) {
            1 => self.urc(&format!("+CTZV: \"{zone:+03}\"")),
            2 => self.urc(&format!("+CTZE: \"{zone:+03}\",0,\"{time}\"")),
            _ => {}
        }
    }

    pub(super) fn set_clock(&mut self, unix_s: i64, zone: i8) {
        self.clock.at_zero = unix_s.saturating_sub(seconds(self.now));
        self.clock.zone = zone;
    }

    /// `AT+CCLK=`: false if the text is no time.
    pub(crate) fn set_clock_text(&mut self, text: &str) -> bool {
        let parsed = parse(text);
        if let Some((unix_s, zone)) = parsed {
            self.set_clock(unix_s, zone);
        }
        parsed.is_some()
    }

    /// `26/07/03,00:56:27+32`: what the clock shows.
    pub(crate) fn clock_text(&self) -> String {
        let shown = text(self.clock.at_zero.saturating_add(seconds(self.now)));
        format!("{}{:+03}", &shown[2..], self.clock.zone)
    }

    /// `2026/07/03,00:56:27+32,0`: the network's time at the last synchronisation (0), in UTC (1), or
    /// in local time (2); empty if it never told.
    pub(crate) fn network_time_text(&self, mode: u32) -> String {
        let (Some(at), Some(begin)) = (self.clock.synchronised, self.cellular.unix_s) else {
            return String::new();
        };
        let zone = self.cellular.zone_quarters;
        let begin = i64::try_from(begin).unwrap_or(i64::MAX);
        let utc = |us| begin.saturating_add(seconds(us));
        let moment = match mode {
            0 => utc(at),
            1 => utc(self.now),
            _ => utc(self.now) + i64::from(zone) * QUARTER,
        };
        format!("{}{zone:+03},0", text(moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, shown) in [
            (0, "1970/01/01,00:00:00"),
            (951_782_400, "2000/02/29,00:00:00"),
            (1_783_040_187, "2026/07/03,00:56:27"),
            (4_107_542_400, "2100/03/01,00:00:00"),
        ] {
            assert_eq!(text(seconds), shown);
            assert_eq!(parse(&format!("{shown}-05")), Some((seconds, -5)));
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "26/07/03",
            "26/13/03,00:00:00+00",
            "26/02/30,00:00:00+00",
            "26/02/03,24:00:00+00",
            "26/02/03,00:00:00",
            "26/2/3,00:00:00+00",
            "26/02/03,00:00:00+99",
            "é6/02/03,00:00:00+é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
