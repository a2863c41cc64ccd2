//! One direction of the serial line: bytes at ten bits each, and the faults a line can have.
//!
//! Arrival times are arithmetic. Bytes that follow one another without a gap form a run; a run knows
//! when it began and how many bytes it holds, so a megabyte costs no more events than a byte.

use std::collections::{BTreeMap, VecDeque};

use crate::trace::Content;

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
}

/// Bytes that were put on the line at once: when, and what they are.
pub(crate) type Logged = (u64, Content, Vec<u8>);

#[derive(Debug)]
pub(crate) struct Line {
    baud: u64,
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
        Line {
            baud: u64::from(baud.max(1)),
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
        (n * BITS * MICROS).div_ceil(self.baud)
    }

    /// When the last byte on the line ends.
    pub(crate) fn idle_at(&self) -> u64 {
        self.epoch + self.characters_us(self.characters)
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
                    self.epoch = self.idle_at().max(now) + pause;
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
        if self.idle_at() <= now {
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
            Some(run) if run.epoch == self.epoch && run.first + run.len == self.characters => {
                run.len += len;
            }
            _ => self.runs.push_back(Run {
                epoch: self.epoch,
                first: self.characters,
                len,
            }),
        }
        self.characters += len;
    }

    /// Moves the bytes that have arrived by `now` to the receiver.
    pub(crate) fn advance(&mut self, now: u64) {
        while let Some(run) = self.runs.front_mut() {
            let elapsed = now.saturating_sub(run.epoch);
            let ended =
                (u128::from(elapsed) * u128::from(self.baud) / u128::from(BITS * MICROS)) as u64;
            let done = ended.saturating_sub(run.first).min(run.len);
            self.arrived += done as usize;
            run.first += done;
            run.len -= done;
            if run.len > 0 {
                return;
            }
            self.runs.pop_front();
        }
    }

    /// When the next byte arrives that has not arrived yet.
    pub(crate) fn next_arrival(&self) -> Option<u64> {
        self.runs
            .front()
            .map(|run| run.epoch + self.characters_us(run.first + 1))
    }

    /// When the byte at `index` of the queue arrives; 0 if it has.
    pub(crate) fn arrival_of(&self, index: usize) -> Option<u64> {
        let Some(mut ahead) = index.checked_sub(self.arrived) else {
            return Some(0);
        };
        for run in &self.runs {
            if (ahead as u64) < run.len {
                return Some(run.epoch + self.characters_us(run.first + ahead as u64 + 1));
            }
            ahead -= run.len as usize;
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
        assert_eq!(line.idle_at(), 1_000_000);
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
}
