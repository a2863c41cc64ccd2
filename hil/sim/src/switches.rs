//! The switches of a profile by name, for those who have only text.

use crate::commands::qicfg::OptionSet;
use crate::profile::{
    CloseAnswer, CloseOpening, CloseTimeout, ClosedUrc, CmeForm, CommandSet, EscapeAnswer,
    LineEcho, PayloadUrcs, Profile, QirdTail, RecvUrc, SendTimeout,
};

type Choices = &'static [(&'static str, fn(&mut Profile))];

/// What a switch can be set to, and how.
enum Kind {
    OnOff(fn(&mut Profile, bool)),
    /// In µs.
    Time(fn(&mut Profile, u64)),
    /// A number up to this.
    Number(u32, fn(&mut Profile, u32)),
    Choice(Choices),
}

struct Row(&'static str, Kind);

/// A switch of a [`Profile`] and what it is to be set to.
///
/// Part of [`Fault`](crate::Fault), whose text form is `switch:NAME:VALUE`; a name is that of the
/// profile's field, with dashes, and without the unit of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Switch {
    row: usize,
    value: u64,
}

/// Text that is no switch: what is allowed instead.
#[derive(Debug)]
pub(crate) struct Allowed(pub(crate) String);

const TABLE: &[Row] = &[
    Row(
        "line-echo",
        Kind::Choice(&[
            ("as-received", |p| p.line_echo = LineEcho::AsReceived),
            ("at-end", |p| p.line_echo = LineEcho::AtEnd),
        ]),
    ),
    Row(
        "line-feed-is-payload",
        Kind::OnOff(|p, on| p.line_feed_is_payload = on),
    ),
    Row(
        "cme-form",
        Kind::Choice(&[
            ("as-set", |p| p.cme_form = CmeForm::AsSet),
            ("number", |p| p.cme_form = CmeForm::Number),
            ("text", |p| p.cme_form = CmeForm::Text),
        ]),
    ),
    Row("cme-blank", Kind::OnOff(|p, on| p.cme_blank = on)),
    Row("tcpip-cme", Kind::OnOff(|p, on| p.tcpip_cme = on)),
    Row(
        "unknown-command",
        Kind::Number(999, |p, number| p.unknown_command = Some(number as u16)),
    ),
    Row(
        "commands",
        Kind::Choice(&[
            ("ec2x", |p| p.commands = CommandSet::Ec2x),
            ("bg9x", |p| p.commands = CommandSet::Bg9x),
            ("ec200u", |p| p.commands = CommandSet::Ec200u),
            ("ec200x", |p| p.commands = CommandSet::Ec200x),
            ("bc", |p| p.commands = CommandSet::Bc),
        ]),
    ),
    Row("scan", Kind::Time(|p, us| p.scan_us = us)),
    Row("stale-contexts", Kind::OnOff(|p, on| p.stale_contexts = on)),
    Row("servers", Kind::OnOff(|p, on| p.servers = on)),
    Row("transparent", Kind::OnOff(|p, on| p.transparent = on)),
    Row(
        "access-mode",
        Kind::Number(1, |p, number| p.access_mode = number as u8),
    ),
    Row(
        "longest-payload",
        Kind::Number(1_460, |p, number| {
            p.longest_payload = (number as usize).max(1)
        }),
    ),
    Row(
        "longest-read",
        Kind::Number(1_500, |p, number| p.longest_read = number.max(1)),
    ),
    Row(
        "read-needs-length",
        Kind::OnOff(|p, on| p.read_needs_length = on),
    ),
    Row("inline-send", Kind::OnOff(|p, on| p.inline_send = on)),
    Row(
        "ok-before-send-ok",
        Kind::OnOff(|p, on| p.ok_before_send_ok = on),
    ),
    Row(
        "payload-echo-by-ate",
        Kind::OnOff(|p, on| p.payload_echo_by_ate = on),
    ),
    Row("close-ok", Kind::OnOff(|p, on| p.close_ok = on)),
    Row("short-rows", Kind::OnOff(|p, on| p.short_rows = on)),
    Row("quoted-push", Kind::OnOff(|p, on| p.quoted_push = on)),
    Row(
        "auto-activate",
        Kind::Number(16, |p, number| p.auto_activate = Some(number as u8)),
    ),
    Row(
        "contexts",
        Kind::Number(16, |p, number| p.contexts = number as u8),
    ),
    Row(
        "active-contexts",
        Kind::Number(16, |p, number| p.active_contexts = number as usize),
    ),
    Row(
        "connect-ids",
        Kind::Number(12, |p, number| p.connect_ids = number as u8),
    ),
    Row("autobaud", Kind::OnOff(|p, on| p.serial.autobaud = on)),
    Row(
        "autobaud-keeps-urcs",
        Kind::OnOff(|p, on| p.serial.autobaud_keeps_urcs = on),
    ),
    Row(
        "serial-buffer",
        Kind::Number(1 << 20, |p, n| p.serial.buffer = n as usize),
    ),
    Row(
        "serial-overruns",
        Kind::OnOff(|p, on| p.serial.overruns = on),
    ),
    Row("sleep", Kind::Time(|p, us| p.serial.sleep_us = us)),
    Row("bytes-wake", Kind::OnOff(|p, on| p.serial.bytes_wake = on)),
    Row(
        "wake-loses",
        Kind::Number(1_000, |p, n| p.serial.wake_loses = n as usize),
    ),
    Row(
        "sim-urcs-twice",
        Kind::OnOff(|p, on| p.pins.sim_urcs_twice = on),
    ),
    Row("power-on-pulse", Kind::Time(|p, us| p.pins.on_us = us)),
    Row(
        "power-off-pulse",
        Kind::Time(|p, us| p.pins.off_us = Some(us)),
    ),
    Row("reset-pulse", Kind::Time(|p, us| p.pins.reset_us = us)),
    Row("power-off", Kind::Time(|p, us| p.pins.power_off_us = us)),
    Row(
        "restart-tells",
        Kind::Time(|p, us| p.pins.restart_tells_us = Some(us)),
    ),
    Row("boot", Kind::Time(|p, us| p.boot_us = us)),
    Row("shutdown", Kind::Time(|p, us| p.shutdown_us = us)),
    Row(
        "powered-down-urc",
        Kind::OnOff(|p, on| p.powered_down_urc = on),
    ),
    Row("cfun", Kind::Time(|p, us| p.cfun_us = us)),
    Row("activate", Kind::Time(|p, us| p.activate_us = us)),
    Row(
        "activate-limit",
        Kind::Time(|p, us| p.activate_limit_us = us),
    ),
    Row(
        "activate-again-fails",
        Kind::OnOff(|p, on| p.activate_again_fails = on),
    ),
    Row("deactivate", Kind::Time(|p, us| p.deactivate_us = us)),
    Row(
        "deactivate-again-fails",
        Kind::OnOff(|p, on| p.deactivate_again_fails = on),
    ),
    Row("open-activates", Kind::OnOff(|p, on| p.open_activates = on)),
    Row(
        "cgreg-unknown-on-lte",
        Kind::OnOff(|p, on| p.cgreg_unknown_on_lte = on),
    ),
    Row(
        "opening",
        Kind::Number(12, |p, number| p.opening = number as usize),
    ),
    Row(
        "connect-timeout",
        Kind::Time(|p, us| p.connect_timeout_us = us),
    ),
    Row(
        "connect-timeout-error",
        Kind::Number(999, |p, number| p.connect_timeout_error = number as u16),
    ),
    Row(
        "failed-open-keeps-id",
        Kind::OnOff(|p, on| p.failed_open_keeps_id = on),
    ),
    Row(
        "send-buffer",
        Kind::Number(1 << 20, |p, number| {
            p.send_buffer = (number as usize).max(1)
        }),
    ),
    Row("nagle", Kind::OnOff(|p, on| p.nagle = on)),
    Row(
        "send-timeout",
        Kind::Choice(&[
            ("send-part", |p| p.send_timeout = SendTimeout::SendPart),
            ("fail", |p| p.send_timeout = SendTimeout::Fail),
            ("error", |p| p.send_timeout = SendTimeout::Error),
            ("never", |p| p.send_timeout = SendTimeout::Never),
        ]),
    ),
    Row(
        "escape",
        Kind::Choice(&[
            ("ok", |p| p.escape = EscapeAnswer::Ok),
            ("send-fail", |p| p.escape = EscapeAnswer::SendFail),
            ("ok-send-ok", |p| p.escape = EscapeAnswer::OkSendOk),
        ]),
    ),
    Row(
        "payload-urcs",
        Kind::Choice(&[
            ("wait", |p| p.payload_urcs = PayloadUrcs::Wait),
            ("pass", |p| p.payload_urcs = PayloadUrcs::Pass),
        ]),
    ),
    Row(
        "qird-tail",
        Kind::Choice(&[
            ("blank-line", |p| p.qird_tail = QirdTail::BlankLine),
            ("plain", |p| p.qird_tail = QirdTail::Plain),
        ]),
    ),
    Row(
        "recv-urc",
        Kind::Choice(&[
            ("when-empty", |p| p.recv_urc = RecvUrc::WhenEmpty),
            ("after-zero-read", |p| p.recv_urc = RecvUrc::AfterZeroRead),
        ]),
    ),
    Row(
        "closed-urc",
        Kind::Choice(&[
            ("at-once", |p| p.closed_urc = ClosedUrc::AtOnce),
            ("after-drain", |p| p.closed_urc = ClosedUrc::AfterDrain),
        ]),
    ),
    Row(
        "close-answer",
        Kind::Choice(&[
            ("fin-acked", |p| p.close_answer = CloseAnswer::FinAcked),
            ("both-closed", |p| p.close_answer = CloseAnswer::BothClosed),
        ]),
    ),
    Row(
        "close-timeout",
        Kind::Choice(&[
            ("abort", |p| p.close_timeout = CloseTimeout::Abort),
            ("linger", |p| p.close_timeout = CloseTimeout::Linger),
        ]),
    ),
    Row(
        "close-opening",
        Kind::Choice(&[
            ("cancel", |p| p.close_opening = CloseOpening::Cancel),
            ("refuse", |p| p.close_opening = CloseOpening::Refuse),
        ]),
    ),
    Row(
        "row-in-fin-wait-2",
        Kind::OnOff(|p, on| p.row_in_fin_wait_2 = on),
    ),
    Row("client-state-3", Kind::OnOff(|p, on| p.client_state_3 = on)),
    Row(
        "udp-service-state-3",
        Kind::OnOff(|p, on| p.udp_service_state_3 = on),
    ),
    Row(
        "port-taken-error",
        Kind::Number(999, |p, number| p.port_taken_error = number as u16),
    ),
    Row(
        "datagram-rest-lost",
        Kind::OnOff(|p, on| p.datagram_rest_lost = on),
    ),
    Row("open-extras", Kind::OnOff(|p, on| p.open_extras = on)),
    Row(
        "requested-local-port",
        Kind::OnOff(|p, on| p.requested_local_port = on),
    ),
    Row("escape-guard", Kind::Time(|p, us| p.escape_guard_us = us)),
    Row(
        "options",
        Kind::Choice(&[
            ("ec2x", |p| p.options = OptionSet::Ec2x),
            ("bg9x", |p| p.options = OptionSet::Bg9x),
            ("ec200u", |p| p.options = OptionSet::Ec200u),
            ("ec200x", |p| p.options = OptionSet::Ec200x),
            ("bc", |p| p.options = OptionSet::Bc),
        ]),
    ),
    Row("dns-timeout", Kind::Time(|p, us| p.dns_timeout_us = us)),
    Row(
        "ping-ttl",
        Kind::Number(255, |p, number| p.ping_ttl = number as u8),
    ),
    Row("ping-activates", Kind::OnOff(|p, on| p.ping_activates = on)),
    Row("dns-ttl", Kind::OnOff(|p, on| p.dns_ttl = on)),
    Row("dns-busy-urc", Kind::OnOff(|p, on| p.dns_busy_urc = on)),
];

impl Kind {
    fn allowed(&self) -> String {
        match self {
            Kind::OnOff(_) => "on or off".into(),
            Kind::Time(_) => "a time such as 500ms or 2s".into(),
            Kind::Number(most, _) => format!("a number from 0 to {most}"),
            Kind::Choice(choices) => {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                names.join(" or ")
            }
        }
    }
}

impl Switch {
    /// The switch of this name.
    pub(crate) fn find(name: &str) -> Result<usize, Allowed> {
        let row = TABLE.iter().position(|row| row.0 == name);
        row.ok_or_else(|| {
            let names: Vec<&str> = TABLE.iter().map(|row| row.0).collect();
            Allowed(names.join(", "))
        })
    }

    /// The switch found, set to this.
    pub(crate) fn to(row: usize, value: &str) -> Result<Switch, Allowed> {
        let kind = &TABLE[row].1;
        let parsed = match kind {
            Kind::OnOff(_) => match value {
                "on" => Some(1),
                "off" => Some(0),
                _ => None,
            },
            Kind::Time(_) => crate::fault::time(value),
            Kind::Number(most, _) => value.parse().ok().filter(|n| *n <= u64::from(*most)),
            Kind::Choice(choices) => choices
                .iter()
                .position(|(name, _)| *name == value)
                .map(|i| i as u64),
        };
        match parsed {
            Some(value) => Ok(Switch { row, value }),
            None => Err(Allowed(kind.allowed())),
        }
    }

    /// Sets it.
    pub fn set(&self, profile: &mut Profile) {
        match &TABLE[self.row].1 {
            Kind::OnOff(set) => set(profile, self.value == 1),
            Kind::Time(set) => set(profile, self.value),
            Kind::Number(_, set) => set(profile, self.value as u32),
            Kind::Choice(choices) => choices[self.value as usize].1(profile),
        }
    }

    /// Every switch with what it can be set to, one a line.
    pub(crate) fn list() -> String {
        TABLE
            .iter()
            .map(|Row(name, kind)| format!("  {name:<22} {}\n", kind.allowed()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_changes_the_profile() {
        for (row, Row(name, kind)) in TABLE.iter().enumerate() {
            let values: Vec<&str> = match kind {
                Kind::OnOff(_) => vec!["on", "off"],
                Kind::Time(_) => vec!["1us", "2us"],
                Kind::Number(1, _) => vec!["0", "1"],
                Kind::Number(..) => vec!["10", "11"],
                Kind::Choice(choices) => choices.iter().map(|choice| choice.0).collect(),
            };
            let profiles: Vec<Profile> = values
                .iter()
                .map(|value| {
                    let mut profile = Profile::ec25();
                    Switch::to(row, value).expect("allowed").set(&mut profile);
                    profile
                })
                .collect();
            for (i, profile) in profiles.iter().enumerate() {
                assert!(!profiles[..i].contains(profile), "{name}: {}", values[i]);
            }
            assert!(Switch::to(row, "nonsense").is_err(), "{name}");
        }
    }
}
