//! The switches of a profile by name, for those who have only text: one for every field.

use std::fmt;
use std::ops::RangeInclusive;

use crate::commands::qicfg::OptionSet;
use crate::hardware::{Pins, Serial};
use crate::profile::{
    CloseAnswer, CloseOpening, CloseTimeout, ClosedUrc, CmeForm, CommandSet, EscapeAnswer,
    LineEcho, PayloadUrcs, Profile, Prompt, QirdTail, RecvUrc, Rows, SendTimeout,
};

/// What a field can hold, and how that is written.
trait Value: Sized {
    fn text(&self) -> String;
    fn parse(text: &str) -> Option<Self>;
    fn allowed() -> String;
}

impl Value for bool {
    fn text(&self) -> String {
        if *self { "on" } else { "off" }.into()
    }

    fn parse(text: &str) -> Option<bool> {
        match text {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        }
    }

    fn allowed() -> String {
        "on or off".into()
    }
}

/// A time in µs.
impl Value for u64 {
    fn text(&self) -> String {
        crate::fault::time_text(*self)
    }

    fn parse(text: &str) -> Option<u64> {
        crate::fault::time(text)
    }

    fn allowed() -> String {
        "a time such as 500ms or 2s".into()
    }
}

impl Value for Option<u64> {
    fn text(&self) -> String {
        self.map_or("never".into(), |us| us.text())
    }

    fn parse(text: &str) -> Option<Option<u64>> {
        match text {
            "never" => Some(None),
            time => u64::parse(time).map(Some),
        }
    }

    fn allowed() -> String {
        "a time, or never".into()
    }
}

impl Value for String {
    fn text(&self) -> String {
        self.clone()
    }

    fn parse(text: &str) -> Option<String> {
        let plain = |c: char| c == ' ' || c.is_ascii_graphic() && c != '"';
        text.chars().all(plain).then(|| text.to_owned())
    }

    fn allowed() -> String {
        "a text".into()
    }
}

/// The speeds of the line.
impl Value for Vec<u32> {
    fn text(&self) -> String {
        let numbers: Vec<String> = self.iter().map(u32::to_string).collect();
        numbers.join(",")
    }

    fn parse(text: &str) -> Option<Vec<u32>> {
        text.split(',').map(|word| word.parse().ok()).collect()
    }

    fn allowed() -> String {
        "numbers such as 9600,115200".into()
    }
}

/// URCs, each with the time after which it comes.
impl Value for Vec<(u64, String)> {
    fn text(&self) -> String {
        let urcs: Vec<String> = self
            .iter()
            .map(|(after, urc)| format!("{} {urc}", after.text()))
            .collect();
        urcs.join("; ")
    }

    fn parse(text: &str) -> Option<Vec<(u64, String)>> {
        if text.is_empty() {
            return Some(Vec::new());
        }
        let urc = |one: &str| {
            let (after, urc) = one.split_once(' ')?;
            Some((u64::parse(after)?, String::parse(urc)?))
        };
        text.split("; ").map(urc).collect()
    }

    fn allowed() -> String {
        "URCs such as 50ms +CFUN: 1; 2s APP RDY".into()
    }
}

macro_rules! numbers {
    ($($number:ty)*) => { $(
        impl Value for $number {
            fn text(&self) -> String {
                self.to_string()
            }

            fn parse(text: &str) -> Option<$number> {
                text.parse().ok()
            }

            fn allowed() -> String {
                "a number".into()
            }
        }

        impl Value for Option<$number> {
            fn text(&self) -> String {
                self.map_or("none".into(), |number| number.to_string())
            }

            fn parse(text: &str) -> Option<Option<$number>> {
                match text {
                    "none" => Some(None),
                    number => number.parse().ok().map(Some),
                }
            }

            fn allowed() -> String {
                "a number or none".into()
            }
        }
    )* };
}

numbers!(u8 u16 u32 usize);

macro_rules! words {
    ($choice:ident: $($word:literal $variant:ident),*) => {
        impl Value for $choice {
            fn text(&self) -> String {
                match self {
                    $($choice::$variant => $word),*
                }
                .into()
            }

            fn parse(text: &str) -> Option<$choice> {
                match text {
                    $($word => Some($choice::$variant),)*
                    _ => None,
                }
            }

            fn allowed() -> String {
                [$($word),*].join(" or ")
            }
        }
    };
}

words!(CommandSet: "ec2x" Ec2x, "bg9x" Bg9x, "ec200u" Ec200u, "ec200x" Ec200x, "bc" Bc);
words!(OptionSet: "ec2x" Ec2x, "bg9x" Bg9x, "ec200u" Ec200u, "ec200x" Ec200x, "bc" Bc);
words!(CmeForm: "as-set" AsSet, "number" Number, "text" Text);
words!(LineEcho: "as-received" AsReceived, "at-end" AtEnd);
words!(PayloadUrcs: "wait" Wait, "pass" Pass);
words!(SendTimeout: "send-part" SendPart, "fail" Fail, "error" Error, "never" Never);
words!(EscapeAnswer: "ok" Ok, "send-fail" SendFail, "ok-send-ok" OkSendOk);
words!(Prompt: "blank" Blank, "bare" Bare, "line" Line);
words!(Rows: "full" Full, "short" Short, "longer" Longer);
words!(QirdTail: "blank-line" BlankLine, "plain" Plain);
words!(RecvUrc: "when-empty" WhenEmpty, "after-zero-read" AfterZeroRead);
words!(ClosedUrc: "at-once" AtOnce, "after-drain" AfterDrain);
words!(CloseAnswer: "fin-acked" FinAcked, "both-closed" BothClosed);
words!(CloseTimeout: "abort" Abort, "linger" Linger);
words!(CloseOpening: "cancel" Cancel, "refuse" Refuse);

struct Row {
    name: &'static str,
    get: fn(&Profile) -> String,
    /// False if the text is no value of this field.
    set: fn(&mut Profile, &str) -> bool,
    allowed: fn() -> String,
}

/// A field with this text in it, if it fits.
fn put<T: Value>(field: &mut T, text: &str) -> bool {
    let value = T::parse(text);
    let fits = value.is_some();
    if let Some(value) = value {
        *field = value;
    }
    fits
}

/// The same for a number in a range.
fn put_number<T: Value>(field: &mut T, text: &str, range: RangeInclusive<u64>) -> bool {
    let number: Option<u64> = text.parse().ok();
    number.is_some_and(|number| range.contains(&number)) && put(field, text)
}

fn allowed<T: Value>(_: fn(&Profile) -> &T) -> String {
    T::allowed()
}

macro_rules! row {
    ($name:literal, $($place:ident).+) => {
        Row {
            name: $name,
            get: |profile| profile.$($place).+.text(),
            set: |profile, text| put(&mut profile.$($place).+, text),
            allowed: || allowed(|profile| &profile.$($place).+),
        }
    };
    ($name:literal, $($place:ident).+, $least:literal to $most:literal) => {
        Row {
            name: $name,
            get: |profile| profile.$($place).+.text(),
            set: |profile, text| put_number(&mut profile.$($place).+, text, $least..=$most),
            allowed: || format!("a number from {} to {}", $least, $most),
        }
    };
}

/// The switches of the profile's fields, and then those of the fields of its parts, each as
/// `; part: Type { "name" field, }`. A field without a switch does not compile.
macro_rules! table {
    (
        $($name:literal $field:ident $($least:literal to $most:literal)?,)*
        $(; $part:ident: $type:ident {
            $($sub_name:literal $sub:ident $($sub_least:literal to $sub_most:literal)?,)*
        })*
    ) => {
        const TABLE: &[Row] = &[
            $(row!($name, $field $(, $least to $most)?),)*
            $($(row!($sub_name, $part.$sub $(, $sub_least to $sub_most)?),)*)*
        ];

        const _: fn(&Profile) = |Profile { $($field: _,)* $($part: _,)* }| ();
        $(const _: fn(&$type) = |$type { $($sub: _,)* }| ();)*

        #[cfg(test)]
        const FIELDS: &[&str] = &[$(stringify!($field)),*];
    };
}

table! {
    "manufacturer" manufacturer,
    "model" model,
    "revision" revision,
    "full-revision" full_revision,
    "imei" imei,
    "serial-number" serial_number,
    "commands" commands,
    "rates" rates,
    "port" port,
    "urc-port" urc_port,
    "cmee" cmee 0 to 2,
    "cme-form" cme_form,
    "cme-blank" cme_blank,
    "unknown-command" unknown_command,
    "tcpip-cme" tcpip_cme,
    "line-echo" line_echo,
    "longest-line" longest_line 16 to 65_536,
    "line-feed-is-payload" line_feed_is_payload,
    "boot" boot_us,
    "boot-urcs" boot_urcs,
    "sim-urcs" sim_urcs,
    "shutdown" shutdown_us,
    "powered-down-urc" powered_down_urc,
    "cfun" cfun_us,
    "scan" scan_us,
    "initialised" initialised 0 to 7,
    "first-context" first_context 0 to 16,
    "contexts" contexts 0 to 16,
    "active-contexts" active_contexts 0 to 16,
    "activate" activate_us,
    "deactivate" deactivate_us,
    "activate-limit" activate_limit_us,
    "activate-again-fails" activate_again_fails,
    "deactivate-again-fails" deactivate_again_fails,
    "auto-activate" auto_activate,
    "context-type" context_type 1 to 3,
    "one-address-shown" one_address_shown,
    "held-bearer" held_bearer,
    "dns-needs-context" dns_needs_context,
    "open-activates" open_activates,
    "stale-contexts" stale_contexts,
    "lte-technology" lte_technology 7 to 9,
    "cgreg-unknown-on-lte" cgreg_unknown_on_lte,
    "servers" servers,
    "transparent" transparent,
    "access-mode" access_mode 0 to 1,
    "longest-payload" longest_payload 1 to 1_460,
    "longest-read" longest_read 1 to 1_500,
    "read-needs-length" read_needs_length,
    "inline-send" inline_send,
    "ok-before-send-ok" ok_before_send_ok,
    "payload-echo-by-ate" payload_echo_by_ate,
    "close-ok" close_ok,
    "rows" rows,
    "quoted-push" quoted_push,
    "connect-ids" connect_ids 0 to 12,
    "opening" opening 0 to 12,
    "receive-buffer" receive_buffer 1 to 1_048_576,
    "send-buffer" send_buffer 1 to 1_048_576,
    "nagle" nagle,
    "connect-timeout" connect_timeout_us,
    "connect-timeout-error" connect_timeout_error 0 to 999,
    "retransmission" retransmission_us,
    "fin-wait-2" fin_wait_2_us,
    "released-sockets" released_sockets 0 to 64,
    "failed-open-keeps-id" failed_open_keeps_id,
    "close-s" close_s 0 to 65_535,
    "close-answer" close_answer,
    "close-unknown-fails" close_unknown_fails,
    "close-timeout" close_timeout,
    "close-opening" close_opening,
    "row-in-fin-wait-2" row_in_fin_wait_2,
    "client-state-3" client_state_3,
    "udp-service-state-3" udp_service_state_3,
    "port-taken-error" port_taken_error 0 to 999,
    "datagram-rest-lost" datagram_rest_lost,
    "open-extras" open_extras,
    "own-server-id" own_server_id,
    "requested-local-port" requested_local_port,
    "prompt" prompt,
    "qird-tail" qird_tail,
    "recv-urc" recv_urc,
    "closed-urc" closed_urc,
    "payload-urcs" payload_urcs,
    "send-timeout" send_timeout,
    "send-timeout-s" send_timeout_s 0 to 3_600,
    "escape" escape,
    "escape-ends-fixed" escape_ends_fixed,
    "full-payload-sends" full_payload_sends,
    "empty-send-fails" empty_send_fails,
    "escape-guard" escape_guard_us,
    "options" options,
    "dns-timeout" dns_timeout_us,
    "ping-ttl" ping_ttl 0 to 255,
    "ping-activates" ping_activates,
    "dns-ttl" dns_ttl,
    "dns-busy-urc" dns_busy_urc,
    ; pins: Pins {
        "power-on-pulse" on_us,
        "power-off-pulse" off_us,
        "power-off" power_off_us,
        "reset-pulse" reset_us,
        "status-rise" status_us,
        "restart-tells" restart_tells_us,
        "sim-urcs-twice" sim_urcs_twice,
    }
    ; serial: Serial {
        "autobaud" autobaud,
        "autobaud-keeps-urcs" autobaud_keeps_urcs,
        "serial-buffer" buffer 0 to 1_048_576,
        "serial-overruns" overruns,
        "sleep" sleep_us,
        "bytes-wake" bytes_wake,
        "wake-loses" wake_loses 0 to 1_000,
    }
}

/// A switch of a [`Profile`] and what it is to be set to.
///
/// Part of [`Fault`](crate::Fault), whose text form is `switch:NAME:VALUE`; a name is that of the
/// profile's field, with dashes, and without the `us` of a time. Every field has one, those of
/// [`Pins`] and [`Serial`] too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Switch {
    row: usize,
    value: String,
}

/// Text that is no switch: what is allowed instead.
#[derive(Debug)]
pub(crate) struct Allowed(pub(crate) String);

impl Switch {
    /// The switch of this name.
    pub(crate) fn find(name: &str) -> Result<usize, Allowed> {
        let row = TABLE.iter().position(|row| row.name == name);
        row.ok_or_else(|| {
            let names: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
            Allowed(names.join(", "))
        })
    }

    /// The switch found, set to this.
    pub(crate) fn to(row: usize, value: &str) -> Result<Switch, Allowed> {
        let Row { set, allowed, .. } = &TABLE[row];
        match set(&mut Profile::ec25(), value) {
            true => Ok(Switch {
                row,
                value: value.to_owned(),
            }),
            false => Err(Allowed(allowed())),
        }
    }

    /// Those that have other values in `to` than in `from`, with these.
    pub(crate) fn between(from: &Profile, to: &Profile) -> Vec<Switch> {
        let values = TABLE.iter().map(|row| ((row.get)(from), (row.get)(to)));
        values
            .enumerate()
            .filter(|(_, (before, after))| before != after)
            .map(|(row, (_, value))| Switch { row, value })
            .collect()
    }

    /// Its name, such as `client-state-3`.
    pub fn name(&self) -> &'static str {
        TABLE[self.row].name
    }

    /// What it is to be set to, such as `on`.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Sets it.
    pub fn set(&self, profile: &mut Profile) {
        (TABLE[self.row].set)(profile, &self.value);
    }

    /// Every switch with what it can be set to, one a line.
    pub fn list() -> String {
        TABLE
            .iter()
            .map(|row| format!("  {:<22} {}\n", row.name, (row.allowed)()))
            .collect()
    }
}

/// `NAME:VALUE`, as in the text form of a fault.
impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name(), self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of all kinds, more than one of each.
    const TRIED: &[&str] = &[
        "on",
        "off",
        "1s",
        "2s",
        "0",
        "1",
        "2",
        "3",
        "7",
        "8",
        "20",
        "40",
        "text",
        "9600,115200",
        "9600",
        "1s +CFUN: 1",
        "1s RDY; 2s +CFUN: 1",
        "ec2x",
        "bg9x",
        "ec200u",
        "ec200x",
        "bc",
        "as-set",
        "number",
        "as-received",
        "at-end",
        "wait",
        "pass",
        "send-part",
        "fail",
        "error",
        "never",
        "ok",
        "send-fail",
        "ok-send-ok",
        "blank-line",
        "plain",
        "when-empty",
        "after-zero-read",
        "at-once",
        "after-drain",
        "blank",
        "bare",
        "line",
        "full",
        "short",
        "longer",
        "fin-acked",
        "both-closed",
        "abort",
        "linger",
        "cancel",
        "refuse",
    ];

    #[test]
    fn each_switch_changes_its_field_and_nothing_else() {
        for (row, Row { name, get, .. }) in TABLE.iter().enumerate() {
            let mut seen = Vec::new();
            for value in TRIED {
                let Ok(switch) = Switch::to(row, value) else {
                    continue;
                };
                let mut profile = Profile::ec25();
                switch.set(&mut profile);
                assert_eq!(get(&profile), *value, "{name}");
                assert!(!seen.contains(&profile), "{name}: {value}");
                let changed = profile.quirks();
                assert!(
                    changed.iter().all(|one| *one == switch),
                    "{name}: {changed:?}"
                );
                seen.push(profile);
            }
            assert!(seen.len() >= 2, "{name}");
            assert!(Switch::to(row, "non\"sense").is_err(), "{name}");
        }
    }

    #[test]
    fn names_are_those_of_the_fields() {
        for (row, field) in TABLE.iter().zip(FIELDS) {
            let field = field.strip_suffix("_us").unwrap_or(field);
            assert_eq!(row.name, field.replace('_', "-"));
        }
    }

    #[test]
    fn numbers_keep_their_bounds() {
        for (name, value, fits) in [
            ("connect-ids", "12", true),
            ("connect-ids", "13", false),
            ("longest-payload", "0", false),
            ("ping-ttl", "256", false),
            ("auto-activate", "none", true),
            ("auto-activate", "x", false),
        ] {
            let row = Switch::find(name).expect("a switch");
            assert_eq!(Switch::to(row, value).is_ok(), fits, "{name} {value}");
        }
    }
}
