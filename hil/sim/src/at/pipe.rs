//! Transparent mode: the port is a pipe to one connection, until `+++` or the end of it.

use super::channel::Io;
use crate::commands::qicfg::Key;
use crate::line::Line;
use crate::module::Module;
use crate::trace::Content;

const PLUS: u8 = b'+';
/// So many of them lead back to commands.
const ESCAPE: usize = 3;
/// Bytes for the host at a time.
const CHUNK: usize = 512;

/// The state of the pipe.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) id: u8,
    /// Bytes from the host that make the next packet.
    packet: Vec<u8>,
    /// When the first of them came.
    since: u64,
    /// When the host was last heard.
    heard_at: u64,
    /// Held back because they may be an escape, and when the first of them came.
    pluses: usize,
    pluses_since: u64,
}

/// How a pipe ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It does not; nothing was done.
    Idle,
    /// It does not; something was done.
    Progress,
    /// By `+++`.
    Escaped,
    /// The connection has ended.
    NoCarrier,
}

impl Pipe {
    pub(super) fn new(id: u8, now: u64) -> Pipe {
        Pipe {
            id,
            packet: Vec::new(),
            since: now,
            heard_at: now,
            pluses: 0,
            pluses_since: now,
        }
    }

    fn packet_size(module: &Module) -> usize {
        module.settings.qicfg.get(Key::TransPktSize, 0).max(1) as usize
    }

    /// Until when the packet may wait for more bytes.
    fn flush_at(&self, module: &Module) -> Option<u64> {
        let tenths = u64::from(module.settings.qicfg.get(Key::TransWaitTm, 0));
        (!self.packet.is_empty()).then_some(self.since + tenths * 100_000)
    }

    /// When there is something to do next.
    pub(super) fn next(
        &self,
        now: u64,
        from_host: &Line,
        to_host: &Line,
        module: &Module,
    ) -> Option<u64> {
        let size = Pipe::packet_size(module);
        let waiting = from_host.queue().len();
        // The end of a burst is looked at, to know how long the host is silent after it.
        // With a whole packet that is not taken, the host is not listened to.
        let missing = size.saturating_sub(self.packet.len());
        let index = waiting.min(missing).checked_sub(1);
        let heard = index.and_then(|index| from_host.arrival_of(index));
        let blocked = module.pipe_room(self.id) < self.packet.len().min(size);
        let flush = self.flush_at(module).filter(|_| !blocked);
        let guard = (self.pluses > 0).then_some(self.heard_at + module.profile.escape_guard_us);
        let unread = module.pipe_unread(self.id) > 0;
        let down = to_host.idle_at().filter(|_| unread).map(|at| at.max(now));
        [heard, flush, guard, down].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, io: &mut Io<'_>) -> Turn {
        let heard = self.listen(io);
        let now = io.now;
        let silent = now >= self.heard_at + io.module.profile.escape_guard_us;
        if self.pluses == ESCAPE && silent {
            self.send(io, true);
            return Turn::Escaped;
        }
        if self.pluses > 0 && silent {
            self.give_back(now);
        }
        let flush = self.flush_at(io.module).is_some_and(|at| at <= now);
        let sent = self.send(io, flush);
        let mut shown = false;
        if io.to_host.idle_at().is_some_and(|at| at <= now) && io.module.pipe_unread(self.id) > 0 {
            let data = io.module.pipe_read(self.id, CHUNK);
            shown = !data.is_empty();
            io.to_host.push_as(Content::Payload, now, &data);
        }
        if io.module.pipe_ended(self.id) {
            return Turn::NoCarrier;
        }
        match heard || sent || shown {
            true => Turn::Progress,
            false => Turn::Idle,
        }
    }

    /// Sends what there is, as far as there is room.
    pub(super) fn flush(&mut self, io: &mut Io<'_>) {
        self.listen(io);
        self.give_back(io.now);
        self.send(io, true);
    }

    /// Takes what the host has sent. False if that is nothing.
    fn listen(&mut self, io: &mut Io<'_>) -> bool {
        let room = Pipe::packet_size(io.module).saturating_sub(self.packet.len());
        let bytes: Vec<u8> = io.from_host.take(room).collect();
        if bytes.is_empty() {
            return false;
        }
        let guard = io.module.profile.escape_guard_us;
        let took = io.to_host.characters_us(bytes.len() as u64);
        let quiet = io.now.saturating_sub(took) >= self.heard_at + guard;
        let slow = io.now > self.pluses_since + guard;
        if self.pluses == 0 && quiet && bytes.iter().all(|b| *b == PLUS) && bytes.len() <= ESCAPE {
            self.pluses = bytes.len();
            self.pluses_since = io.now;
        } else if self.pluses > 0
            && !slow
            && bytes.iter().all(|b| *b == PLUS)
            && self.pluses + bytes.len() <= ESCAPE
        {
            self.pluses += bytes.len();
        } else {
            self.give_back(io.now);
            self.append(io.now, &bytes);
        }
        self.heard_at = io.now;
        true
    }

    /// What looked like an escape was data.
    fn give_back(&mut self, now: u64) {
        let pluses = std::mem::take(&mut self.pluses);
        self.append(now, &[PLUS; ESCAPE][..pluses.min(ESCAPE)]);
    }

    fn append(&mut self, now: u64, bytes: &[u8]) {
        if self.packet.is_empty() {
            self.since = now;
        }
        self.packet.extend(bytes);
    }

    /// Sends whole packets, and what is left too if it is to be flushed. False if nothing was sent.
    fn send(&mut self, io: &mut Io<'_>, flush: bool) -> bool {
        let size = Pipe::packet_size(io.module);
        let mut sent = false;
        while self.packet.len() >= size || flush && !self.packet.is_empty() {
            let n = self.packet.len().min(size);
            if !io.module.pipe_write(self.id, &self.packet[..n]) {
                break;
            }
            self.packet.drain(..n);
            self.since = io.now;
            sent = true;
        }
        sent
    }
}
