//! A byte ring over memory that the user owns.
//!
//! Received payload is written behind the readable bytes and stays invisible
//! until it is committed: a payload whose trailer does not fit is rolled back
//! and never delivered.

/// First in, first out. `len` readable bytes from `head`, behind them
/// `pending` bytes that are not readable yet.
#[derive(Debug)]
pub(crate) struct Ring<'a> {
    memory: &'a mut [u8],
    head: usize,
    len: usize,
    pending: usize,
}

impl<'a> Ring<'a> {
    pub(crate) const fn new(memory: &'a mut [u8]) -> Self {
        Self {
            memory,
            head: 0,
            len: 0,
            pending: 0,
        }
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.memory.len()
    }

    /// Readable bytes.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) const fn free(&self) -> usize {
        self.memory.len() - self.len - self.pending
    }

    pub(crate) fn clear(&mut self) {
        (self.head, self.len, self.pending) = (0, 0, 0);
    }

    /// Appends as much of `bytes` as fits, readable at once; returns how much.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> usize {
        let n = self.write(bytes);
        self.len += n;
        n
    }

    /// Appends all of `bytes` uncommitted, or nothing if they do not fit.
    pub(crate) fn push_pending(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.free() {
            return false;
        }
        self.pending += self.write(bytes);
        true
    }

    /// Makes the pending bytes readable.
    pub(crate) fn commit(&mut self) {
        self.len += self.pending;
        self.pending = 0;
    }

    /// Forgets the pending bytes.
    pub(crate) fn rollback(&mut self) {
        self.pending = 0;
    }

    /// Copies from the front into `into` without taking; returns how much.
    pub(crate) fn peek(&self, into: &mut [u8]) -> usize {
        self.peek_at(0, into)
    }

    /// The same from `offset` on.
    pub(crate) fn peek_at(&self, offset: usize, into: &mut [u8]) -> usize {
        let mut copied = 0;
        while let chunk @ [_, ..] = self.chunk(offset.saturating_add(copied)) {
            let Some(room) = into.get_mut(copied..).filter(|room| !room.is_empty()) else {
                break;
            };
            let n = chunk.len().min(room.len());
            copy(room, chunk, n);
            copied += n;
        }
        copied
    }

    /// Drops up to `n` bytes from the front.
    pub(crate) fn consume(&mut self, n: usize) {
        let n = n.min(self.len);
        self.head = self.wrap(self.head + n);
        self.len -= n;
    }

    /// The readable bytes from `offset` up to the end of the memory: all of
    /// them in at most two chunks.
    pub(crate) fn chunk(&self, offset: usize) -> &[u8] {
        let left = self.len.saturating_sub(offset);
        let start = self.wrap(self.head + offset.min(self.len));
        let end = (start + left).min(self.memory.len());
        self.memory.get(start..end).unwrap_or_default()
    }

    /// How many of the first `n` readable bytes stand behind the last one
    /// that is not `byte`.
    pub(crate) fn run_at_end(&self, n: usize, byte: u8) -> usize {
        let mut run = 0;
        let mut at = 0;
        while at < n
            && let chunk @ [_, ..] = self.chunk(at)
        {
            let chunk = chunk.get(..n - at).unwrap_or(chunk);
            let tail = chunk.iter().rev().take_while(|b| **b == byte).count();
            run = if tail == chunk.len() {
                run + tail
            } else {
                tail
            };
            at += chunk.len();
        }
        run
    }

    /// Copies behind all present bytes; the caller counts them.
    fn write(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.free());
        let start = self.wrap(self.head + self.len + self.pending);
        let first = n.min(self.memory.len() - start);
        copy(
            self.memory.get_mut(start..).unwrap_or_default(),
            bytes,
            first,
        );
        copy(
            self.memory,
            bytes.get(first..).unwrap_or_default(),
            n - first,
        );
        n
    }

    /// A position below twice the capacity, brought below the capacity.
    const fn wrap(&self, at: usize) -> usize {
        if at < self.memory.len() {
            at
        } else {
            at - self.memory.len()
        }
    }
}

/// Copies the first `n` bytes; both slices are at least that long. Unlike
/// `copy_from_slice` it leaves no panic in the image.
fn copy(to: &mut [u8], from: &[u8], n: usize) {
    for (to, from) in to.iter_mut().zip(from).take(n) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_bytes_are_invisible_until_committed() {
        let mut memory = [0; 8];
        let mut ring = Ring::new(&mut memory);
        assert_eq!(ring.push(b"abc"), 3);
        assert!(ring.push_pending(b"defg"));
        assert!(!ring.push_pending(b"hi"));
        let mut out = [0; 8];
        assert_eq!(ring.peek(&mut out), 3);
        ring.rollback();
        assert!(ring.push_pending(b"xy"));
        ring.commit();
        assert_eq!(ring.peek(&mut out), 5);
        assert_eq!(&out[..5], b"abcxy");
    }

    #[test]
    fn order_is_kept_across_the_end_of_the_memory() {
        for capacity in 1..=9 {
            let mut memory = std::vec![0; capacity];
            let mut ring = Ring::new(&mut memory);
            let (mut next_in, mut next_out, mut moved) = (0u8, 0u8, 0);
            for step in 0..200 {
                let bytes: std::vec::Vec<u8> =
                    (0..step % 5).map(|i| next_in.wrapping_add(i)).collect();
                next_in = next_in.wrapping_add(ring.push(&bytes) as u8);
                let mut out = [0; 3];
                let n = ring.peek(&mut out[..step as usize % 4]);
                for byte in &out[..n] {
                    assert_eq!(*byte, next_out);
                    next_out = next_out.wrapping_add(1);
                }
                ring.consume(n);
                moved += n;
                assert_eq!(ring.len(), usize::from(next_in.wrapping_sub(next_out)));
                assert_eq!(ring.len() + ring.free(), capacity);
            }
            assert!(moved > 20, "capacity {capacity} moved {moved} bytes");
        }
    }

    #[test]
    fn a_run_at_the_end_is_counted_across_the_end_of_the_memory() {
        for start in 0..8 {
            let mut memory = [0; 8];
            let mut ring = Ring::new(&mut memory);
            ring.push(&[0; 8][..start]);
            ring.consume(start);
            ring.push(b"\nab\n\n\nc");
            let runs = [0, 1, 0, 0, 1, 2, 3, 0];
            for (n, run) in runs.into_iter().enumerate() {
                assert_eq!(ring.run_at_end(n, b'\n'), run, "{start} {n}");
            }
        }
    }

    #[test]
    fn memory_of_no_bytes_takes_nothing() {
        let mut ring = Ring::new(&mut []);
        assert_eq!(ring.push(b"a"), 0);
        assert_eq!(ring.chunk(0), b"");
        ring.consume(1);
    }
}
