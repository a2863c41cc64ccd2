//! The module in real time, between a program and the network.
//!
//! One thread does everything. The simulation knows when each byte is due; this loop only wakes up at
//! those times, or when something can be read, so lateness of a wake-up never adds up.

use std::io::Write;
use std::time::{Duration, Instant};

use quectel_sim::Sim;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::endpoint::Endpoint;
use super::pty::Pty;
use super::stop::Stop;
use super::tcp::Tcp;

/// Bytes that wait for a program that does not read before it is not listened to either.
const WAITING: usize = 64 << 10;
/// The shortest sleep: at high speed bytes are passed on by the dozen.
const NAP: Duration = Duration::from_micros(200);
/// The longest sleep.
const REST: Duration = Duration::from_millis(500);
/// How soon to look again for room in the serial port's FIFO.
const FIFO: Duration = Duration::from_millis(1);

pub(super) fn serve(args: &super::Serve) -> Result<(), String> {
    let stop = Stop::new().map_err(|error| format!("cannot wait for signals: {error}"))?;
    let mut endpoint: Box<dyn Endpoint> = match (&args.endpoint.tcp, &args.endpoint.pty) {
        (Some(address), _) => Box::new(Tcp::open(*address)?),
        (None, Some(link)) => Box::new(Pty::open(link)?),
        (None, None) => return Err("neither --tcp nor --pty is given".into()),
    };
    let mut module = Module::new(args);
    announce(&*endpoint)?;
    module.start = Instant::now();
    loop {
        let pause = module.turn(&mut *endpoint);
        let input = module.listens();
        let output = !module.waiting.is_empty();
        if wait(&stop, &*endpoint, input, output, pause)? {
            return Ok(());
        }
    }
}

fn announce(endpoint: &dyn Endpoint) -> Result<(), String> {
    let mut out = std::io::stdout();
    writeln!(out, "ready {}", endpoint.describe())
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot write to standard output: {error}"))
}

/// Waits until there is something to do. True if it is time to end.
fn wait(
    stop: &Stop,
    endpoint: &dyn Endpoint,
    input: bool,
    output: bool,
    pause: Duration,
) -> Result<bool, String> {
    let mut fds = vec![PollFd::new(stop, PollFlags::IN)];
    for (fd, flags) in endpoint.wait_for(input, output) {
        fds.push(PollFd::from_borrowed_fd(fd, flags));
    }
    let pause = Timespec {
        tv_sec: pause.as_secs() as i64,
        tv_nsec: pause.subsec_nanos().into(),
    };
    match poll(&mut fds, Some(&pause)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(!fds[0].revents().is_empty()),
        Err(error) => Err(format!("cannot wait for input: {error}")),
    }
}

struct Module {
    sim: Sim,
    start: Instant,
    /// Bytes that have arrived at the program's side, and were not taken.
    waiting: Vec<u8>,
}

impl Module {
    fn new(args: &super::Serve) -> Module {
        let mut sim = Sim::new(args.config());
        let mut names: Vec<&str> = args.name.iter().map(|(host, _)| host.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for host in names {
            let of_host = args.name.iter().filter(|(one, _)| one == host);
            let addresses: Vec<_> = of_host.map(|(_, address)| *address).collect();
            sim.set_name(host, &addresses, 300);
        }
        for fault in &args.fault {
            sim.add_fault(fault.clone());
        }
        Module {
            sim,
            start: Instant::now(),
            waiting: Vec::new(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Whether bytes from the program are wanted.
    fn listens(&self) -> bool {
        self.sim.write_free() > 0 && self.waiting.len() < WAITING
    }

    /// Does what is due, and says how long nothing will be.
    fn turn(&mut self, endpoint: &mut dyn Endpoint) -> Duration {
        self.sim.run_until(self.now());
        self.listen(endpoint);
        if endpoint.attend() {
            // A program that comes does not get what was meant for another.
            self.waiting.clear();
            self.discard();
            self.listen(endpoint);
        }
        self.deliver(endpoint);
        for line in self.sim.take_dialogue() {
            // Without a reader the module goes on.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
        self.pause()
    }

    /// Takes what the program sends, as far as there is room.
    fn listen(&mut self, endpoint: &mut dyn Endpoint) {
        let mut buffer = [0; 4096];
        while self.listens() {
            let room = self.sim.write_free().min(buffer.len());
            match endpoint.read(&mut buffer[..room]) {
                0 => break,
                n => self.sim.write(&buffer[..n]),
            }
        }
    }

    fn discard(&mut self) {
        let mut buffer = [0; 4096];
        while self.sim.read(&mut buffer) > 0 {}
    }

    /// Passes on what has arrived.
    fn deliver(&mut self, endpoint: &mut dyn Endpoint) {
        let mut buffer = [0; 4096];
        while self.waiting.len() < WAITING {
            match self.sim.read(&mut buffer) {
                0 => break,
                n => self.waiting.extend(&buffer[..n]),
            }
        }
        while !self.waiting.is_empty() {
            match endpoint.write(&self.waiting) {
                0 => break,
                n => drop(self.waiting.drain(..n)),
            }
        }
    }

    fn pause(&mut self) -> Duration {
        let now = self.now();
        let event = match self.sim.next_event() {
            Some(at) => Duration::from_micros(at.saturating_sub(now)),
            None => REST,
        };
        let event = if self.sim.write_free() == 0 {
            event.min(FIFO)
        } else {
            event
        };
        event.clamp(NAP, REST)
    }
}
