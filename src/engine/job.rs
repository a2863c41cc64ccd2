//! The outstanding AT transaction: what was sent, how long it may take, and
//! what its answer does.

use core::net::SocketAddr;

use quectel_at_commands::{
    ResultCode, dns, general, network,
    network::Domain,
    pdp,
    settings::{self, KeepAlive, Setting, UrcPort},
    sim,
    tcp::{self, ModuleState, SendCounters, Service, SocketRow},
};

use super::{Engine, Fault, World, resync::Probe, setup::Step};
use crate::{
    config::Config,
    datagram::{DATAGRAM_HEADER, Header},
    error::Failure,
    family::Family,
    slot::{AskState, Opening, Slot, Sock},
    state::SocketState,
};

/// One AT transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    /// A step of the set-up.
    Setup(Step),
    /// `AT+QIDNSGIP`
    Resolve,
    /// `AT+QICFG="tcp/keepalive"`, before the slot's open.
    KeepAlive { slot: usize, minutes: u8 },
    /// `AT+QIOPEN` for a slot.
    Open { slot: usize, id: u8 },
    /// `AT+QISEND`: the first `len` bytes of the slot's transmit ring belong
    /// to it until its final code.
    Send {
        slot: usize,
        id: u8,
        len: u16,
        /// Bytes of the payload already transmitted; `None` before the prompt.
        sent: Option<u16>,
    },
    /// `AT+QISENDEX`: the same, with the payload in the command.
    SendHex { slot: usize, id: u8, len: u16 },
    /// `AT+QIRD`
    Read {
        slot: usize,
        id: u8,
        len: u16,
        /// So many bytes of a datagram are still to be kept; a stream keeps
        /// all.
        keep: usize,
        /// What the header announced.
        announced: Option<usize>,
        /// The socket failed meanwhile: the bytes are counted and dropped.
        discard: bool,
    },
    /// `AT+QISEND=<id>,0`
    Counters {
        slot: usize,
        id: u8,
        answer: Option<SendCounters>,
    },
    /// `AT+QISTATE=1,<id>`
    AskState {
        slot: usize,
        id: u8,
        why: AskState,
        answer: Option<ModuleState>,
    },
    /// `AT+QICLOSE` of a slot's connection.
    Close { slot: usize, id: u8, timeout: u16 },
    /// `AT+QICLOSE=<id>,0` of an id that no slot holds.
    Discard { id: u8 },
    /// A command of a resynchronisation.
    Resync(Probe),
    /// `AT+CFUN=1,1`
    Restart,
}

impl Job {
    /// Its payload or its credentials may come back, and piecemeal if the
    /// line is damaged.
    pub(super) fn is_private(&self) -> bool {
        matches!(
            self,
            Self::Setup(Step::Configure)
                | Self::Send { .. }
                | Self::SendHex { .. }
                | Self::Read { .. }
        )
    }

    /// The slot that must not be given to someone else meanwhile.
    pub(super) fn slot(&self) -> Option<usize> {
        match *self {
            Self::Open { slot, .. }
            | Self::KeepAlive { slot, .. }
            | Self::Send { slot, .. }
            | Self::SendHex { slot, .. }
            | Self::Read { slot, .. }
            | Self::Counters { slot, .. }
            | Self::AskState { slot, .. }
            | Self::Close { slot, .. } => Some(slot),
            Self::Setup(_)
            | Self::Resolve
            | Self::Discard { .. }
            | Self::Resync(_)
            | Self::Restart => None,
        }
    }
}

/// A [`Job`] and its clock.
#[derive(Debug)]
pub(super) struct Outstanding {
    pub(super) job: Job,
    /// Longest time for the answer in milliseconds.
    limit: u32,
    pub(super) deadline: u64,
    /// When its last byte was transmitted.
    pub(super) since: u64,
    /// A line came meanwhile that may be a damaged row of the answer: what
    /// is not in the answer may have been lost on the line.
    pub(super) blurred: bool,
}

/// Longest time for transmitting a command, in milliseconds: 384 bytes at
/// 4800 baud take less than a second, the rest is for flow control.
const TRANSMIT_MS: u64 = 10_000;

/// Seconds between keep-alive probes, and how many may go unanswered: as
/// QuecPython has them.
const KEEP_ALIVE_INTERVAL_S: u16 = 25;
const KEEP_ALIVE_PROBES: u8 = 3;

/// Added to every documented maximum for the line and the host's own delay.
const MARGIN_MS: u32 = 1_000;

impl Outstanding {
    fn new(job: Job, limit: u32, now: u64) -> Self {
        Self {
            job,
            limit,
            deadline: now.saturating_add(TRANSMIT_MS),
            since: now,
            blurred: false,
        }
    }

    /// Another longest time for the answer than the command's own.
    pub(super) fn limit_to(&mut self, limit: u32) {
        self.limit = limit;
    }

    fn restart(&mut self, now: u64, limit: u32) {
        self.deadline = now.saturating_add(u64::from(limit));
    }

    /// Bytes came in. Inside a payload that restarts the clock; where only a
    /// lost OK is missing it must not.
    pub(super) fn heard(&mut self, now: u64, config: &Config<'_>) {
        if let Job::Read {
            announced: Some(1..),
            ..
        } = self.job
        {
            self.restart(now, config.family.stall_ms);
        }
    }
}

impl Engine<'_> {
    /// Puts the job's command on the line.
    pub(super) fn start(&mut self, job: Job, now: u64) {
        let Self { wire, world } = self;
        let config = &world.config;
        // The first two set the echo; every other command must be repeated
        // by the module as it was sent.
        let echo = config.check_echo && !matches!(job, Job::Setup(Step::Attention | Step::Echo));
        let limit = match job {
            Job::Setup(step) => match step {
                Step::Attention => wire.command(echo, &general::Attention {}, 0),
                Step::Echo if config.check_echo => wire.command(echo, &general::EchoOn {}, 0),
                Step::Echo => wire.command(echo, &general::EchoOff {}, 0),
                Step::ErrorFormat => wire.command(echo, &general::SetErrorFormat { format: 1 }, 0),
                Step::PayloadEcho => wire.command(echo, &settings::SetPayloadEcho { echo: 0 }, 0),
                Step::Identify => wire.command(echo, &general::Identify {}, 0),
                Step::UrcPort => wire.command(echo, &settings::GetUrcPort { what: UrcPort }, 0),
                Step::SetUrcPort => config.urc_port.and_then(|port| {
                    wire.command(
                        echo,
                        &settings::SetUrcPort {
                            what: UrcPort,
                            port,
                        },
                        0,
                    )
                }),
                Step::SendTimeout => {
                    let (setting, value) = (Setting::SendTimeout, config.family.send_timeout_s);
                    wire.command(echo, &settings::SetSetting { setting, value }, 0)
                }
                Step::Canary => {
                    let (setting, value) = (Setting::TransparentPacketSize, world.canary.next);
                    wire.command(echo, &settings::SetSetting { setting, value }, 0)
                }
                Step::Leftovers => wire.command(echo, &tcp::GetSockets {}, 0),
                Step::Sim => wire.command(echo, &sim::GetSimState {}, 0),
                Step::Registration(Domain::Eps) => {
                    wire.command(echo, &network::GetEpsRegistration {}, 0)
                }
                Step::Registration(Domain::PacketSwitched) => {
                    wire.command(echo, &network::GetPacketRegistration {}, 0)
                }
                Step::Registration(Domain::CircuitSwitched) => {
                    wire.command(echo, &network::GetCircuitRegistration {}, 0)
                }
                Step::Configure => wire.command(
                    echo,
                    &pdp::ConfigureContext {
                        context: config.context,
                        kind: config.context_type,
                        apn: config.apn,
                        user: config.user,
                        password: config.password,
                        authentication: config.authentication,
                    },
                    0,
                ),
                Step::Activate => {
                    let context = config.context;
                    wire.command(echo, &pdp::ActivateContext { context }, 0)
                }
                Step::CheckActive => wire.command(echo, &pdp::GetActiveContexts {}, 0),
                Step::Deactivate => {
                    let context = config.context;
                    wire.command(echo, &pdp::DeactivateContext { context }, 0)
                }
                // Nothing to send: never asked for.
                Step::CloseLeftovers | Step::Up => None,
            },
            Job::Resolve => world.dns.name().and_then(|name| {
                let context = config.context;
                wire.command(echo, &dns::Resolve { context, name }, 0)
            }),
            Job::KeepAlive { minutes: 0, .. } => {
                let what = KeepAlive;
                wire.command(echo, &settings::ClearKeepAlive { what, off: 0 }, 0)
            }
            Job::KeepAlive { minutes, .. } => wire.command(
                echo,
                &settings::SetKeepAlive {
                    what: KeepAlive,
                    on: 1,
                    idle: u16::from(minutes).saturating_mul(config.family.keep_alive_minute),
                    interval: KEEP_ALIVE_INTERVAL_S,
                    probes: KEEP_ALIVE_PROBES,
                },
                0,
            ),
            Job::Open { slot, id } => world
                .slots
                .get(slot)
                .and_then(|slot| open(&slot.sock, config.context, id))
                .and_then(|command| wire.command(echo, &command, 0)),
            Job::Send { slot, id, len, .. } => match world.destination(slot) {
                Some(remote) => wire.command(
                    echo,
                    &tcp::SendTo {
                        id,
                        len,
                        remote: tcp::QuotedAddress(remote.ip()),
                        remote_port: remote.port(),
                    },
                    0,
                ),
                None => wire.command(echo, &tcp::Send { id, len }, 0),
            },
            Job::SendHex { slot, id, len } => world
                .slots
                .get(slot)
                .and_then(|slot| slot.tx.chunk(0).get(..usize::from(len)))
                .and_then(tcp::Hex::new)
                .and_then(|data| wire.command(echo, &tcp::SendHex { id, data }, 0)),
            Job::Read { slot, id, len, .. } if world.is_service(slot) => {
                wire.command(echo, &tcp::ReadDatagram { id }, usize::from(len))
            }
            Job::Read { id, len, .. } => {
                wire.command(echo, &tcp::ReadData { id, len }, usize::from(len))
            }
            Job::Counters { id, .. } => {
                wire.command(echo, &tcp::GetSendCounters { id, zero: 0 }, 0)
            }
            // A listener's connections are told of, too.
            Job::AskState { slot, .. } if world.is_listener(slot) => {
                wire.command(echo, &tcp::GetSockets {}, 0)
            }
            Job::AskState { id, .. } => wire.command(echo, &tcp::GetSocket { query: 1, id }, 0),
            Job::Close { id, timeout, .. } => wire
                .command(echo, &tcp::Close { id, timeout }, 0)
                .map(|least| {
                    least.max(
                        u32::from(timeout)
                            .saturating_mul(1_000)
                            .saturating_add(5_000),
                    )
                }),
            Job::Discard { id } => wire.command(echo, &tcp::Close { id, timeout: 0 }, 0),
            Job::Restart => wire.command(
                echo,
                &general::Restart {
                    functionality: 1,
                    restart: 1,
                },
                0,
            ),
            Job::Resync(probe) => {
                let setting = Setting::TransparentPacketSize;
                match probe {
                    Probe::ReadCanary | Probe::CheckCanary => {
                        wire.command(echo, &settings::GetSetting { setting }, 0)
                    }
                    Probe::WriteCanary => {
                        let value = world.canary.next;
                        wire.command(echo, &settings::SetSetting { setting, value }, 0)
                    }
                    Probe::Rows => wire.command(echo, &tcp::GetSockets {}, 0),
                    Probe::Context => wire.command(echo, &pdp::GetActiveContexts {}, 0),
                    Probe::Received(slot) => {
                        let id = world.id_of(slot);
                        wire.command(echo, &tcp::GetReadCounters { id, zero: 0 }, 0)
                    }
                    Probe::Sent(slot) => {
                        let id = world.id_of(slot);
                        wire.command(echo, &tcp::GetSendCounters { id, zero: 0 }, 0)
                    }
                }
            }
        };
        match limit {
            Some(limit) => {
                let limit = limit.saturating_add(MARGIN_MS);
                world.trace.command(wire.echo());
                if let Job::SendHex { len, .. } = job {
                    world.trace.payload(len);
                }
                world.started(job, now);
                world.job = Some(Outstanding::new(job, limit, now));
            }
            // Every command fits its buffer, which a test shows.
            None => self.give_up(Fault::Internal, now),
        }
    }
}

/// The command that opens this socket.
fn open(sock: &Sock, context: u8, id: u8) -> Option<tcp::Open> {
    let port = sock.bind_port;
    Some(match sock.service {
        Service::Tcp => tcp::Open::tcp(context, id, sock.remote?, port),
        Service::Udp => tcp::Open::udp(context, id, sock.remote?, port),
        Service::TcpListener => tcp::Open::listener(context, id, sock.v6, port),
        Service::UdpService => tcp::Open::udp_service(context, id, sock.v6, port),
    })
}

impl World<'_> {
    /// The slot's connect id. One that has none meanwhile asks for an id that
    /// does not exist, and is answered with ERROR.
    fn id_of(&self, slot: usize) -> u8 {
        let id = self.slots.get(slot).and_then(|slot| slot.sock.id);
        id.unwrap_or(Family::MAX_SOCKETS as u8)
    }

    fn is_service(&self, slot: usize) -> bool {
        let slot = self.slots.get(slot);
        slot.is_some_and(|slot| slot.sock.service == Service::UdpService)
    }

    fn is_listener(&self, slot: usize) -> bool {
        let slot = self.slots.get(slot);
        slot.is_some_and(|slot| slot.sock.is_listener())
    }

    /// Where the next datagram goes, if the command must say so.
    fn destination(&self, slot: usize) -> Option<SocketAddr> {
        let slot = self.slots.get(slot)?;
        match slot.sock.service {
            Service::UdpService => Slot::first(&slot.tx)?.address,
            _ => None,
        }
    }

    pub(super) fn sock(&mut self, slot: usize) -> Option<&mut Sock> {
        self.slots.get_mut(slot).map(|slot| &mut slot.sock)
    }

    /// What changes as soon as a command is on its way.
    fn started(&mut self, job: Job, now: u64) {
        match job {
            Job::Resolve => self.dns.asked(now),
            Job::Open { slot, id } => {
                self.ids.take(id);
                let look_ms = self.config.look_ms;
                if let Some(slot) = self.slots.get_mut(slot) {
                    slot.rx.clear();
                    slot.tx.clear();
                    slot.sock.id = Some(id);
                    slot.sock.opening = Opening::Running { since: now };
                    slot.sock.first_open.get_or_insert(now);
                    slot.sock.watch(now, look_ms);
                }
            }
            Job::Read { slot, .. } => {
                if let Some(sock) = self.sock(slot) {
                    sock.data_ready = false;
                }
            }
            _ => {}
        }
    }

    /// The last byte of the command has been transmitted: its time runs.
    pub(super) fn command_sent(&mut self, now: u64) {
        let prompt_ms = self.config.family.prompt_ms;
        let Some(outstanding) = &mut self.job else {
            return;
        };
        outstanding.since = now;
        let limit = match outstanding.job {
            Job::Send { .. } => prompt_ms,
            _ => outstanding.limit,
        };
        outstanding.restart(now, limit);
        if let Job::Close { slot, timeout, .. } = outstanding.job
            && let Some(sock) = self.sock(slot)
            && timeout > 0
            && sock.is_stream()
        {
            sock.state = match sock.state {
                SocketState::CloseWait => SocketState::LastAck,
                SocketState::Established => SocketState::FinWait1,
                other => other,
            };
        }
    }

    /// Payload that can be transmitted now.
    pub(super) fn payload(&self) -> &[u8] {
        let Some(Outstanding {
            job:
                Job::Send {
                    slot,
                    len,
                    sent: Some(sent),
                    ..
                },
            ..
        }) = &self.job
        else {
            return &[];
        };
        let left = usize::from(len.saturating_sub(*sent));
        let chunk = self.slots.get(*slot).map_or(&[][..], |slot| {
            slot.tx.chunk(slot.header_len() + usize::from(*sent))
        });
        chunk.get(..left.min(chunk.len())).unwrap_or_default()
    }

    pub(super) fn payload_sent(&mut self, now: u64, n: usize) {
        let Some(outstanding) = &mut self.job else {
            return;
        };
        if let Job::Send {
            len,
            sent: Some(sent),
            ..
        } = &mut outstanding.job
        {
            *sent = usize::from(*sent).saturating_add(n).min(usize::from(*len)) as u16;
            if sent == len {
                self.trace.payload(*len);
            }
            outstanding.since = now;
            outstanding.restart(now, outstanding.limit);
        }
    }

    pub(super) fn prompted(&mut self, now: u64) {
        if let Some(outstanding) = &mut self.job
            && let Job::Send { sent, .. } = &mut outstanding.job
        {
            *sent = Some(0);
            outstanding.restart(now, outstanding.limit);
            self.answer_came();
        }
    }

    /// A line that is neither an answer nor a URC.
    pub(super) fn unknown_line(&mut self, line: &[u8]) {
        // No URC is that short. The line has doubled a byte of a block: what
        // was left over waits in the module's command line, and a URC has cut
        // its echo off from that of the next command.
        let left_over = line.len() <= 2 && ResultCode::parse(line).is_none();
        if left_over && self.config.check_echo {
            self.send_spoilt();
        }
        if let Some(outstanding) = &mut self.job {
            outstanding.blurred |= !line.starts_with(b"+") || line.starts_with(b"+Q");
        }
    }

    pub(super) fn info(&mut self, line: &[u8], now: u64) {
        let Some(outstanding) = &mut self.job else {
            return;
        };
        // The documented times do not count the transmission of many rows.
        outstanding.restart(now, outstanding.limit);
        match &mut outstanding.job {
            Job::Setup(step) => {
                let step = *step;
                self.setup_info(step, line);
            }
            Job::Resync(probe) => {
                let probe = *probe;
                if !self.probe_info(probe, line) {
                    self.unknown_line(line);
                }
            }
            Job::Counters { answer, .. } => *answer = SendCounters::parse(line),
            Job::AskState {
                slot, id, answer, ..
            } => match SocketRow::parse(line) {
                Some(row) if row.id == *id => {
                    *answer = Some(row.state);
                    let slot = *slot;
                    if let Some(sock) = self.sock(slot)
                        && sock.local_port == 0
                    {
                        sock.local_port = row.local_port;
                    }
                }
                Some(row) => self.child_listed(row),
                None => outstanding.blurred = true,
            },
            _ => {}
        }
    }

    pub(super) fn header(&mut self, n: usize, from: Option<SocketAddr>) {
        let Some(outstanding) = &mut self.job else {
            return;
        };
        let Job::Read {
            slot,
            announced,
            keep,
            discard,
            ..
        } = &mut outstanding.job
        else {
            return;
        };
        *announced = Some(n);
        let Some(entry) = self.slots.get_mut(*slot) else {
            return;
        };
        if !entry.sock.is_datagram() {
            return;
        }
        // A connected socket takes datagrams of its peer only, and nobody can
        // be told of one that comes from nowhere.
        let peer = entry.sock.remote;
        let address = from.or(peer).filter(|from| !from.ip().is_unspecified());
        let wanted = address.is_some() && (from.is_none() || peer.is_none() || from == peer);
        // One of no bytes has a sender all the same: more may stand behind it.
        entry.sock.data_ready |= n == 0 && from.is_some_and(|from| !from.ip().is_unspecified());
        let room = entry.rx.free().checked_sub(DATAGRAM_HEADER);
        *keep = 0;
        if let Some(room) = room
            && n > 0
            && wanted
            && !*discard
        {
            *keep = n.min(room);
            let header = Header {
                stored: u16::try_from(*keep).unwrap_or(u16::MAX),
                whole: u16::try_from(n).unwrap_or(u16::MAX),
                address,
            };
            // There is room.
            entry.rx.push_pending(&header.encode());
        }
    }

    /// Payload of a read goes behind the readable bytes of the ring, where
    /// room was kept for it. If there is none the trailer will find no
    /// matching count, and nothing is delivered.
    pub(super) fn payload_received(&mut self, bytes: &[u8]) {
        let Some(Outstanding {
            job:
                Job::Read {
                    slot,
                    keep,
                    discard,
                    ..
                },
            ..
        }) = &mut self.job
        else {
            return;
        };
        if !*discard {
            let kept = bytes.get(..*keep).unwrap_or(bytes);
            *keep -= kept.len();
            let fits = self
                .slots
                .get_mut(*slot)
                .is_some_and(|slot| slot.rx.push_pending(kept));
            *discard = !fits;
        }
    }

    /// The outstanding command is answered.
    pub(super) fn finish(&mut self, code: ResultCode, now: u64) {
        let Some(Outstanding {
            job,
            since,
            blurred,
            ..
        }) = self.job.take()
        else {
            return;
        };
        match job {
            Job::Setup(Step::Deactivate) | Job::Restart if self.escalation.is_some() => {
                self.escalation_answered(now);
            }
            Job::Restart => {}
            Job::Setup(step) => self.setup_finished(step, code, now),
            Job::Resync(probe) => self.probe_answered(probe, code, blurred, now),
            Job::Resolve => {
                if code.is_error() {
                    self.dns.refused(code, now);
                }
            }
            Job::Open { slot, id } => self.open_answered(slot, id, code, now),
            Job::Send {
                slot, len, sent, ..
            } => self.sent(slot, len, sent, code, since, now),
            Job::SendHex { slot, len, .. } => self.sent(slot, len, Some(len), code, since, now),
            Job::Read {
                slot,
                announced,
                discard,
                ..
            } => {
                self.read(slot, announced, discard, code, now);
            }
            Job::Counters { slot, id, answer } => self.counted(slot, id, answer, now),
            Job::AskState {
                slot,
                id,
                why,
                answer,
            } => {
                if code == ResultCode::Ok && (answer.is_some() || !blurred) {
                    self.state_told(slot, id, why, answer, now);
                } else if code == ResultCode::Ok {
                    self.ask_again(slot, now);
                } else {
                    self.state_not_told(slot, id, why, now);
                }
            }
            Job::Close { slot, id, timeout } => {
                let in_time = now.saturating_sub(since) < u64::from(timeout).saturating_mul(1_000);
                self.close_answered(slot, id, timeout > 0 && in_time, code, now);
            }
            // The module may have given the id to a new connection just
            // before: that one is closed now.
            Job::Discard { id } if self.incoming.remove(id) => self.ids.discard(id),
            Job::Discard { id } => match self.by_id(id) {
                // It has been accepted meanwhile.
                Some(slot) => self.fail(slot, Failure::Reset),
                None => self.ids.free(id),
            },
            Job::KeepAlive { slot, minutes } => self.keep_alive_answered(slot, minutes, code),
        }
        if let Some(slot) = job.slot() {
            self.job_ended(slot);
        }
    }
}
