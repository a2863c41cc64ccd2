//! One direction of the serial line: bytes at ten bits each, and the faults a line can have.
//!
//! Arrival times are arithmetic. Bytes that follow one another without a gap form a run; a run knows
//! when it began and how many bytes it holds, so a megabyte costs no more events than a byte.

use std::collections::{BTreeMap, VecDeque};

use crate::trace::Content;
use crate::uart;

/// Bits of one character: start, eight data, stop.
const BITS: u64 = 10;
const MICROS: u64 = 1_000_000;
/// What the receiving end stores before bytes are lost as overruns.
const RECEIVER_LIMIT: usize = 4 << 20;

/// A fault of the serial line, at a byte position of one direction.
///
/// Positions count the bytes that the sender has put on the line since the simulation began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFault {
    /// The byte is lost; its time on the line passes.
    Drop(u64),
    /// The byte arrives twice.
    Double(u64),
    /// The byte arrives changed: exclusive-or with the second value.
    Corrupt(u64, u8),
    /// The line pauses before the byte, for the second value in µs.
    Stall(u64, u64),
}

impl LineFault {
    /// The byte position the fault waits for.
    pub fn position(&self) -> u64 {
        match *self {
            LineFault::Drop(at)
            | LineFault::Double(at)
            | LineFault::Corrupt(at, _)
            | LineFault::Stall(at, _) => at,
        }
    }
}

/// Bytes that follow one another without a gap: byte `i` ends `first + i + 1` characters after `epoch`.
#[derive(Debug)]
struct Run {
    epoch: u64,
    first: u64,
    len: u64,
    /// The speed they are sent at.
    baud: u64,
}

impl Run {
    /// When the first byte begins.
    fn begins(&self) -> u64 {
        self.epoch + characters_us(self.first, self.baud)
    }

    /// When so many bytes have ended.
    fn ends(&self, n: u64) -> u64 {
        self.epoch + characters_us(self.first + n, self.baud)
    }

    /// How many bytes have ended by `now`.
    fn ended(&self, now: u64) -> u64 {
        let elapsed = u128::from(now.saturating_sub(self.epoch));
        let ended = (elapsed * u128::from(self.baud) / u128::from(BITS * MICROS)) as u64;
        ended.saturating_sub(self.first).min(self.len)
    }
}

/// How long `n` characters take, in µs, rounded up.
fn characters_us(n: u64, baud: u64) -> u64 {
    (n * BITS * MICROS).div_ceil(baud)
}

/// Bytes that were put on the line at once: when, and what they are.
pub(crate) type Logged = (u64, Content, Vec<u8>);

#[derive(Debug)]
pub(crate) struct Line {
    /// The sender's speed.
    baud: u64,
    /// The receiver's; none if it takes any.
    receiver: Option<u64>,
    /// What the receiver stores; what arrives when that is full is lost.
    limit: usize,
    overruns: u64,
    /// How often bytes came to be other than they were sent, or were lost as they arrived.
    changes: u64,
    /// The receiver is not ready: so many bytes may still end, none or the one being sent.
    held: Option<u64>,
    /// Bytes that have arrived and were not taken, then bytes on their way.
    queue: VecDeque<u8>,
    arrived: usize,
    runs: VecDeque<Run>,
    /// The end of the last character: this many characters after the epoch.
    epoch: u64,
    characters: u64,
    position: u64,
    faults: BTreeMap<u64, Vec<LineFault>>,
    /// What was put on the line since it was last asked for, if that is recorded.
    log: Option<Vec<Logged>>,
    /// An echo that is not complete; it becomes one entry of the log.
    echo: Vec<u8>,
    echo_at: u64,
}

impl Line {
    pub(crate) fn new(baud: u32, record: bool) -> Line {
        let baud = u64::from(baud.max(1));
        Line {
            baud,
            receiver: Some(baud),
            limit: RECEIVER_LIMIT,
            overruns: 0,
            changes: 0,
            held: None,
            queue: VecDeque::new(),
            arrived: 0,
            runs: VecDeque::new(),
            epoch: 0,
            characters: 0,
            position: 0,
            faults: BTreeMap::new(),
            log: record.then(Vec::new),
            echo: Vec::new(),
            echo_at: 0,
        }
    }

    /// The sender's speed.
    pub(crate) fn baud(&self) -> u32 {
        self.baud as u32
    }

    /// Sends at another speed from `now` on; what is on the line leaves at the old one.
    pub(crate) fn set_baud(&mut self, now: u64, baud: u32) {
        self.advance(now);
        self.epoch = self.end();
        self.characters = 0;
        self.baud = u64::from(baud.max(1));
    }

    /// When the last byte ends that leaves at another speed than the sender has now; none if there is
    /// no such byte, or if it is not known.
    pub(crate) fn old_speed_until(&self) -> Option<u64> {
        let old = self.runs.iter().rev().find(|run| run.baud != self.baud)?;
        self.held.is_none().then(|| old.ends(old.len))
    }

    /// Whether there is a byte that leaves at another speed than the sender has now.
    pub(crate) fn has_old_speed(&self) -> bool {
        self.runs.iter().any(|run| run.baud != self.baud)
    }

    /// Receives at another speed from `now` on; at any if there is none.
    pub(crate) fn set_receiver(&mut self, now: u64, baud: Option<u32>) {
        self.advance(now);
        self.receiver = baud.map(u64::from);
    }

    /// Sets what the receiver stores; none for very much.
    pub(crate) fn set_limit(&mut self, now: u64, bytes: Option<usize>) {
        self.advance(now);
        self.limit = bytes.unwrap_or(RECEIVER_LIMIT);
    }

    /// Bytes lost because the receiver's store was full.
    pub(crate) fn overruns(&self) -> u64 {
        self.overruns
    }

    /// Grows when bytes change or get lost as they arrive: what was known of the queue is void then.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether the bytes on their way can arrive other than they are.
    pub(crate) fn may_change(&self) -> bool {
        let differs = |run: &Run| self.receiver.is_some_and(|baud| baud != run.baud);
        self.limit != RECEIVER_LIMIT || self.runs.front().is_some_and(differs)
    }

    /// The receiver is ready, or not: the sender stops behind the byte it is sending.
    pub(crate) fn set_held(&mut self, now: u64, held: bool) {
        self.advance(now);
        let begun = |run: &Run| run.begins() < now;
        match self.held {
            None if held => self.held = Some(self.runs.front().is_some_and(begun).into()),
            Some(sending) if !held => {
                self.held = None;
                let late = |run: &Run| now.saturating_sub(run.begins());
                let by = self.runs.front().map_or(0, late);
                if sending == 0 && by > 0 {
                    self.runs.iter_mut().for_each(|run| run.epoch += by);
                    self.epoch += by;
                }
            }
            _ => {}
        }
    }

    /// Bytes that the sender has put on the line since the simulation began.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn add_fault(&mut self, fault: LineFault) {
        self.faults.entry(fault.position()).or_default().push(fault);
    }

    pub(crate) fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// What was put on the line since the last call, with the time.
    pub(crate) fn take_log(&mut self) -> Vec<Logged> {
        self.log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// How long `n` characters take, in µs, rounded up.
    pub(crate) fn characters_us(&self, n: u64) -> u64 {
        characters_us(n, self.baud)
    }

    /// When the last byte on the line ends, if the receiver does not hold it up.
    fn end(&self) -> u64 {
        self.epoch + self.characters_us(self.characters)
    }

    /// When the last byte on the line ends; none if the receiver holds it up.
    pub(crate) fn idle_at(&self) -> Option<u64> {
        (self.held.is_none() || self.runs.is_empty()).then(|| self.end())
    }

    /// Puts bytes on the line at `now`, behind what is on it already.
    pub(crate) fn push(&mut self, now: u64, bytes: &[u8]) {
        self.push_as(Content::Dialogue, now, bytes);
    }

    /// The same with something special.
    pub(crate) fn push_as(&mut self, content: Content, now: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.end_echo();
            if let Some(log) = &mut self.log {
                log.push((now, content, bytes.to_vec()));
            }
        }
        self.transmit(now, bytes);
    }

    /// Puts a byte of an echo on the line. The echo of a command line is recorded in one piece.
    pub(crate) fn push_echo(&mut self, now: u64, byte: u8) {
        if self.log.is_some() {
            if self.echo.is_empty() {
                self.echo_at = now;
            }
            self.echo.push(byte);
            if byte == b'\r' {
                self.end_echo();
            }
        }
        self.transmit(now, &[byte]);
    }

    fn end_echo(&mut self) {
        if let Some(log) = &mut self.log
            && !self.echo.is_empty()
        {
            let echo = std::mem::take(&mut self.echo);
            log.push((self.echo_at, Content::Echo, echo));
        }
    }

    fn transmit(&mut self, now: u64, bytes: &[u8]) {
        self.advance(now);
        let end = self.position + bytes.len() as u64;
        if self.faults.range(self.position..end).next().is_none() {
            self.append(now, bytes);
        } else {
            for &byte in bytes {
                self.push_faulty(now, byte);
                self.position += 1;
            }
        }
        self.position = end;
    }

    fn push_faulty(&mut self, now: u64, byte: u8) {
        let mut value = byte;
        let mut copies = 1;
        for fault in self.faults.remove(&self.position).unwrap_or_default() {
            match fault {
                LineFault::Drop(_) => copies = 0,
                LineFault::Double(_) => copies = 2,
                LineFault::Corrupt(_, mask) => value ^= mask,
                LineFault::Stall(_, pause) => {
                    self.epoch = self.end().max(now) + pause;
                    self.characters = 0;
                }
            }
        }
        match copies {
            0 => {
                self.start_run(now);
                self.characters += 1;
            }
            1 => self.append(now, &[value]),
            _ => self.append(now, &[value, value]),
        }
    }

    fn start_run(&mut self, now: u64) {
        // What is held up follows what is held up without a gap.
        if self.end() <= now && (self.held.is_none() || self.runs.is_empty()) {
            self.epoch = now;
            self.characters = 0;
        }
    }

    fn append(&mut self, now: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.start_run(now);
        let room = RECEIVER_LIMIT.saturating_sub(self.queue.len());
        let bytes = bytes.get(..room).unwrap_or(bytes);
        self.queue.extend(bytes);
        let len = bytes.len() as u64;
        match self.runs.back_mut() {
            Some(run)
                if run.epoch == self.epoch
                    && run.first + run.len == self.characters
                    && run.baud == self.baud =>
            {
                run.len += len;
            }
            _ => self.runs.push_back(Run {
                epoch: self.epoch,
                first: self.characters,
                len,
                baud: self.baud,
            }),
        }
        self.characters += len;
    }

    /// Moves the bytes that have arrived by `now` to the receiver.
    pub(crate) fn advance(&mut self, now: u64) {
        while let Some(run) = self.runs.front_mut() {
            let mut done = run.ended(now);
            if let Some(sending) = &mut self.held {
                done = done.min(*sending);
                *sending -= done;
            }
            let baud = run.baud;
            run.first += done;
            run.len -= done;
            let last = run.len > 0;
            if !last {
                self.runs.pop_front();
            }
            self.arrive(done as usize, baud);
            if last {
                return;
            }
        }
    }

    /// So many bytes arrive, sent at `baud`.
    fn arrive(&mut self, n: usize, baud: u64) {
        let heard = self.receiver.unwrap_or(baud);
        if heard == baud && self.arrived + n <= self.limit {
            self.arrived += n;
            return;
        }
        for _ in 0..n {
            let Some(byte) = self.queue.get_mut(self.arrived) else {
                return;
            };
            let seen = uart::received(*byte, baud, heard);
            let room = self.arrived < self.limit;
            self.overruns += u64::from(!room && seen.is_some());
            self.changes += u64::from(!room || seen != Some(*byte));
            match seen {
                Some(seen) if room => {
                    *byte = seen;
                    self.arrived += 1;
                }
                _ => drop(self.queue.remove(self.arrived)),
            }
        }
    }

    /// When the next byte arrives that has not arrived yet.
    pub(crate) fn next_arrival(&self) -> Option<u64> {
        if self.held == Some(0) {
            return None;
        }
        self.runs.front().map(|run| run.ends(1))
    }

    /// When the byte at `index` of the queue arrives; 0 if it has, none if it is held up.
    pub(crate) fn arrival_of(&self, index: usize) -> Option<u64> {
        let Some(ahead) = index.checked_sub(self.arrived) else {
            return Some(0);
        };
        let mut ahead = ahead as u64;
        if self.held.is_some_and(|sending| ahead >= sending) {
            return None;
        }
        for run in &self.runs {
            if ahead < run.len {
                return Some(run.ends(ahead + 1));
            }
            ahead -= run.len;
        }
        None
    }

    /// When the byte at a position since the beginning arrives, if it was put on the line.
    pub(crate) fn time_of(&self, position: u64) -> Option<u64> {
        let behind = usize::try_from(self.position.checked_sub(position)?).ok()?;
        match behind {
            0 => None,
            _ if behind > self.unsent() => Some(0),
            _ => self.arrival_of(self.queue.len() - behind),
        }
    }

    /// Bytes that have arrived.
    pub(crate) fn arrived(&self) -> usize {
        self.arrived
    }

    /// Bytes that are still on their way.
    pub(crate) fn unsent(&self) -> usize {
        self.queue.len() - self.arrived
    }

    /// All bytes, arrived or not, from the oldest.
    pub(crate) fn queue(&self) -> &VecDeque<u8> {
        &self.queue
    }

    /// Takes up to `n` of the bytes that have arrived.
    pub(crate) fn take(&mut self, n: usize) -> impl Iterator<Item = u8> {
        let n = n.min(self.arrived);
        self.arrived -= n;
        self.queue.drain(..n)
    }

    /// Loses the last `n` of the bytes that have arrived.
    pub(crate) fn lose_arrived(&mut self, n: usize) {
        let n = n.min(self.arrived);
        if n > 0 {
            self.queue.drain(self.arrived - n..self.arrived);
            self.arrived -= n;
            self.changes += 1;
        }
    }

    /// Loses the bytes that have arrived.
    pub(crate) fn discard_arrived(&mut self) {
        self.queue.drain(..self.arrived);
        self.arrived = 0;
    }

    /// Reads bytes that have arrived into `buf`.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> usize {
        let n = buf.len().min(self.arrived);
        for (to, from) in buf.iter_mut().zip(self.take(n)) {
            *to = from;
        }
        n
    }

    /// Forgets the bytes that have not left the sender at `now`: it lost power.
    pub(crate) fn cut(&mut self, now: u64) {
        self.end_echo();
        self.advance(now);
        self.queue.truncate(self.arrived);
        self.runs.clear();
        if let Some(sending) = &mut self.held {
            *sending = 0;
        }
        self.epoch = now;
        self.characters = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10 bits at 100 kbaud are 100 µs.
    fn line() -> Line {
        Line::new(100_000, false)
    }

    #[track_caller]
    fn arrives(line: &mut Line, at: u64, bytes: &[u8]) {
        line.advance(at - 1);
        let before = line.arrived();
        line.advance(at);
        assert!(line.arrived() > before, "a byte arrives at {at}");
        assert_eq!(line.take(usize::MAX).collect::<Vec<u8>>(), bytes);
    }

    #[test]
    fn bytes_take_ten_bits_each_and_queue_behind_one_another() {
        let mut line = line();
        line.push(1000, b"ab");
        line.push(1050, b"c");
        assert_eq!(line.next_arrival(), Some(1100));
        arrives(&mut line, 1100, b"a");
        arrives(&mut line, 1200, b"b");
        arrives(&mut line, 1300, b"c");
        line.push(5000, b"d");
        assert_eq!(line.next_arrival(), Some(5100));
    }

    #[test]
    fn no_rounding_error_builds_up() {
        let mut line = Line::new(921_600, false);
        for i in 0..921_600 / 10 {
            line.push(i, b"x");
        }
        assert_eq!(line.idle_at(), Some(1_000_000));
    }

    #[test]
    fn a_lost_byte_keeps_its_time() {
        let mut line = line();
        line.add_fault(LineFault::Drop(1));
        line.push(0, b"abc");
        assert_eq!(line.position(), 3);
        arrives(&mut line, 100, b"a");
        arrives(&mut line, 300, b"c");
    }

    #[test]
    fn a_doubled_and_a_changed_byte() {
        let mut line = line();
        line.add_fault(LineFault::Double(0));
        line.add_fault(LineFault::Corrupt(1, 0x20));
        line.push(0, b"ab");
        line.advance(300);
        assert_eq!(line.take(9).collect::<Vec<u8>>(), b"aaB");
    }

    #[test]
    fn a_stall_delays_what_follows() {
        let mut line = line();
        line.add_fault(LineFault::Stall(1, 5_000));
        line.push(0, b"abc");
        arrives(&mut line, 100, b"a");
        arrives(&mut line, 5_200, b"b");
        arrives(&mut line, 5_300, b"c");
    }

    #[test]
    fn positions_have_times() {
        let mut line = line();
        line.push(0, b"abc");
        assert_eq!(line.time_of(2), Some(300));
        assert_eq!(line.time_of(3), None);
        line.cut(150);
        line.advance(10_000);
        assert_eq!(line.take(9).collect::<Vec<u8>>(), b"a");
    }
    #[test]
    fn what_is_on_the_line_keeps_its_speed() {
        let mut line = line();
        line.push(0, b"ab");
        line.set_baud(50, 50_000);
        assert!(line.has_old_speed());
        assert_eq!(line.old_speed_until(), Some(200));
        line.push(60, b"c");
        line.advance(399);
        // The last byte is sent at half the speed of the receiver, and has no stop bit for it.
        assert_eq!(line.take(9).collect::<Vec<u8>>(), b"ab");
        assert!(!line.has_old_speed());
        line.set_receiver(399, Some(50_000));
        arrives(&mut line, 400, b"c");
        assert_eq!((line.changes(), line.overruns()), (0, 0));
    }

    #[test]
    fn another_speed_changes_bytes_or_loses_them() {
        let mut line = line();
        line.set_receiver(0, Some(50_000));
        line.push(0, b"AB");
        line.push(0, b"A");
        assert!(line.may_change());
        line.advance(300);
        assert_eq!(line.take(9).collect::<Vec<u8>>(), b"\xFC");
        assert_eq!((line.changes(), line.overruns()), (3, 0));
        line.set_receiver(300, None);
        line.push(300, b"A");
        arrives(&mut line, 400, b"A");
    }

    #[test]
    fn a_receiver_that_is_not_ready_holds_the_line_between_bytes() {
        let mut line = line();
        line.push(0, b"abc");
        line.set_held(150, true);
        assert_eq!((line.next_arrival(), line.arrival_of(2)), (Some(200), None));
        assert_eq!(line.idle_at(), None);
        line.advance(5_000);
        assert_eq!(line.take(9).collect::<Vec<u8>>(), b"ab");
        assert_eq!((line.next_arrival(), line.arrival_of(0)), (None, None));
        line.push(6_000, b"d");
        line.set_held(7_000, false);
        arrives(&mut line, 7_100, b"c");
        arrives(&mut line, 7_200, b"d");
        assert_eq!(line.idle_at(), Some(7_200));
        // Held and released within a byte: as if nothing had been.
        line.push(8_000, b"ef");
        line.set_held(8_010, true);
        line.set_held(8_020, false);
        arrives(&mut line, 8_100, b"e");
        arrives(&mut line, 8_200, b"f");
        // Held while nothing is sent.
        line.set_held(9_000, true);
        assert_eq!(line.idle_at(), Some(8_200));
        line.push(9_100, b"g");
        line.set_held(9_300, false);
        arrives(&mut line, 9_400, b"g");
    }

    #[test]
    fn what_the_receiver_cannot_store_is_lost_and_counted() {
        let mut line = line();
        line.set_limit(0, Some(2));
        line.push(0, b"abcd");
        line.advance(300);
        assert_eq!((line.arrived(), line.overruns()), (2, 1));
        assert_eq!(line.take(1).collect::<Vec<u8>>(), b"a");
        line.advance(400);
        assert_eq!(line.take(9).collect::<Vec<u8>>(), b"bd");
        assert_eq!(line.overruns(), 1);
    }
}
