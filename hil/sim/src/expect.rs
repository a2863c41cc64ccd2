//! For tests that play the host themselves: send bytes, and compare what comes back.

use crate::sim::Sim;

/// How long an answer is waited for, in µs: longer than any command may take.
const PATIENCE: u64 = 200_000_000;

impl Sim {
    /// Sends a command and expects exactly this answer, with the echo if that is on.
    ///
    /// ```
    /// let mut sim = quectel_sim::Sim::builder().build();
    /// sim.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    /// sim.talk("AT+QIACT=1\r", "\r\nOK\r\n");
    /// sim.expect_silence(1_000_000);
    /// ```
    ///
    /// # Panics
    /// If another one comes, or none for 200 s.
    #[track_caller]
    pub fn talk(&mut self, command: impl AsRef<[u8]>, answer: impl AsRef<[u8]>) {
        self.write(command.as_ref());
        self.expect(answer);
    }

    /// Lets time pass until the host has got as many bytes, which must be exactly these.
    ///
    /// # Panics
    /// If others come, or none for 200 s.
    #[track_caller]
    pub fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let got = self.take(bytes.len());
        self.compare(&got, bytes);
    }

    /// Lets time pass, which must bring nothing, in µs. What has come already counts as well.
    ///
    /// # Panics
    /// If something comes.
    #[track_caller]
    pub fn expect_silence(&mut self, us: u64) {
        self.run_for(us);
        let got = self.read_all();
        self.compare(&got, b"");
    }

    /// Lets time pass until the host has got `n` bytes, and gives them; fewer if they do not come
    /// within 200 s.
    pub fn take(&mut self, n: usize) -> Vec<u8> {
        let until = self.now() + PATIENCE;
        while self.readable() < n {
            match self.next_event() {
                Some(at) if at <= until => self.run_until(at),
                _ => break,
            }
        }
        let mut got = vec![0; n];
        let len = self.read(&mut got);
        got.truncate(len);
        got
    }

    /// Lets time pass while `busy`.
    ///
    /// # Panics
    /// If nothing more happens by itself, or not within 200 s.
    #[track_caller]
    pub fn run_while(&mut self, mut busy: impl FnMut(&mut Sim) -> bool) {
        let until = self.now() + PATIENCE;
        while busy(self) {
            match self.next_event() {
                Some(at) if at <= until => self.run_until(at),
                other => panic!("stuck at {}: next event {other:?}", self.now()),
            }
        }
    }

    #[track_caller]
    fn compare(&self, got: &[u8], expected: &[u8]) {
        if got != expected {
            let said = match self.dialogue() {
                [] => String::new(),
                _ => format!("\n{}", self.transcript()),
            };
            let (expected, got) = (expected.escape_ascii(), got.escape_ascii());
            panic!("expected: {expected}\n   found: {got}{said}")
        }
    }
}
