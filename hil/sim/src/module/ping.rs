//! `AT+QPING`: echo requests through the module's IP stack.

use std::net::IpAddr;

use super::Module;
use crate::at::table::Outcome;
use crate::dns::Asker;
use crate::net::PING_BYTES;

/// From one request to the next, in µs.
const PACE_US: u64 = 1_000_000;

/// An `AT+QPING` that is going on.
#[derive(Debug)]
pub(crate) struct Ping {
    context: u8,
    /// Requests to be sent.
    number: u32,
    /// How long an answer is waited for, in µs.
    timeout: u64,
    target: Option<IpAddr>,
    sent: u32,
    /// When the last request was sent.
    sent_at: u64,
    answered: bool,
    /// Times of the answers, in ms.
    times: Vec<u64>,
    /// The context was activated for this, and is to be released.
    releases: bool,
}

impl Module {
    /// `AT+QPING` begins.
    pub(crate) fn start_ping(
        &mut self,
        context: u8,
        host: &str,
        timeout: u64,
        number: u32,
    ) -> Outcome {
        if self.ping.is_some() {
            return self.tcpip_error(568);
        }
        let releases = !self.is_active(context);
        if releases {
            let may = self.profile.ping_activates && self.in_service();
            if !may || !self.activate(context) {
                self.last_error = 561;
                self.urc("+QPING: 561");
                return Outcome::OK;
            }
        }
        // The address is only there to be shown: nothing can be read from it.
        if self.contexts.get(&context).is_some_and(|one| one.stale) {
            self.last_error = 550;
            self.urc("+QPING: 559");
            self.urc("+QPING: 550");
            return Outcome::OK;
        }
        self.ping = Some(Ping {
            context,
            number,
            timeout,
            target: None,
            sent: 0,
            sent_at: 0,
            answered: false,
            times: Vec::new(),
            releases,
        });
        match host.parse() {
            Ok(address) => self.ping_resolved(Some(address)),
            Err(_) => self.ask(Asker::Ping, context, host),
        }
        Outcome::OK
    }

    /// The name of a ping was looked up.
    pub(super) fn ping_resolved(&mut self, address: Option<IpAddr>) {
        let Some(ping) = &mut self.ping else {
            return;
        };
        match address {
            Some(address) => {
                ping.target = Some(address);
                self.send_ping();
            }
            None => {
                self.last_error = 565;
                self.urc("+QPING: 565");
                self.end_ping();
            }
        }
    }

    fn send_ping(&mut self) {
        let now = self.now;
        let Some(ping) = &mut self.ping else {
            return;
        };
        let (context, target) = (ping.context, ping.target);
        ping.sent += 1;
        ping.sent_at = now;
        ping.answered = false;
        let seq = ping.sent as u16;
        let from = target.and_then(|target| self.local_address(context, target));
        if let (Some(from), Some(target)) = (from, target) {
            // A request that cannot be sent gets no answer.
            self.net.send_ping(from, target, seq);
        }
    }

    /// What has become of the requests.
    pub(super) fn tick_ping(&mut self) {
        let now = self.now;
        while let Some((from, seq)) = self.net.receive_ping() {
            let Some(ping) = &mut self.ping else {
                continue;
            };
            if ping.target == Some(from) && u32::from(seq) == ping.sent && !ping.answered {
                ping.answered = true;
                let ms = (now - ping.sent_at) / 1_000;
                ping.times.push(ms);
                let ttl = self.profile.ping_ttl;
                self.urc(&format!("+QPING: 0,\"{from}\",{PING_BYTES},{ms},{ttl}"));
            }
        }
        let Some(ping) = &self.ping else {
            return;
        };
        if ping.sent == 0 || self.ping_at().is_some_and(|at| at > now) {
            return;
        }
        let (answered, more) = (ping.answered, ping.sent < ping.number);
        if !answered {
            self.last_error = 569;
            self.urc("+QPING: 569");
        }
        if more {
            self.send_ping();
        } else {
            self.report_ping();
            self.end_ping();
        }
    }

    fn report_ping(&mut self) {
        let Some(ping) = &self.ping else {
            return;
        };
        let (sent, received) = (ping.sent, ping.times.len() as u32);
        let least = ping.times.iter().min().copied().unwrap_or(0);
        let most = ping.times.iter().max().copied().unwrap_or(0);
        let mean = ping.times.iter().sum::<u64>() / u64::from(received.max(1));
        let lost = sent - received;
        self.urc(&format!(
            "+QPING: 0,{sent},{received},{lost},{least},{most},{mean}"
        ));
    }

    fn end_ping(&mut self) {
        self.net.stop_ping();
        if let Some(ping) = self.ping.take()
            && ping.releases
        {
            self.pdpdeact(ping.context);
            self.deactivate(ping.context);
        }
    }

    /// When the next request is due, or the answer to the last one overdue.
    pub(super) fn ping_at(&self) -> Option<u64> {
        let ping = self.ping.as_ref().filter(|ping| ping.sent > 0)?;
        Some(match ping.answered {
            true if ping.sent == ping.number => ping.sent_at,
            true => ping.sent_at + PACE_US,
            false => ping.sent_at + ping.timeout,
        })
    }
}
