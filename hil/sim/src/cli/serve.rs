//! The module in real time, between a program and the network.
//!
//! One thread does everything. The simulation knows when each byte is due; this loop only wakes up at
//! those times, or when something can be read, so lateness of a wake-up never adds up.

use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use quectel_sim::Sim;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::args::{Forward, Serve};
use super::control::Control;
use super::endpoint::Endpoint;
use super::pty::Pty;
use super::say::{tell, warn};
use super::show::Show;
use super::stdio::Stdio;
use super::stop::Stop;
use super::tcp::{self, Tcp};

/// Bytes that wait for a program that does not read before it is not listened to either.
const WAITING: usize = 64 << 10;
/// The shortest sleep: at high speed bytes are passed on by the dozen.
const NAP: Duration = Duration::from_micros(200);
/// The longest sleep.
const REST: Duration = Duration::from_millis(500);
/// How soon to look again for room in the serial port's FIFO.
const FIFO: Duration = Duration::from_millis(1);

pub(super) fn serve(args: &Serve) -> Result<(), String> {
    let stop = Stop::new().map_err(|error| format!("cannot wait for signals: {error}"))?;
    let place = &args.endpoint;
    let mut endpoint: Box<dyn Endpoint> = match (&place.tcp, &place.pty) {
        (Some(address), _) => Box::new(Tcp::open(*address)?),
        (None, Some(link)) => Box::new(Pty::open(link)?),
        (None, None) => Box::new(Stdio::default()),
    };
    let mut control = args.control.as_ref().map(Control::open).transpose()?;
    let mut module = Module::new(args)?;
    if let Some(path) = &args.pcap {
        module.capture(path)?;
    }
    let say = if place.stdio { warn } else { tell };
    if let Some(control) = &control {
        say(&format!("control {}", control.describe()));
    }
    for forward in &args.forward {
        say(&format!("forward {}", module.lead(forward)?));
    }
    if let Some(plan) = &args.plan {
        for fault in module.sim.add_plan(plan) {
            say(&format!("fault {fault}"));
        }
    }
    say(&format!("ready {}", endpoint.describe()));
    module.start = Instant::now();
    loop {
        if let Some(control) = &mut control {
            control.attend(&mut |line| module.control(line));
        }
        let pause = module.turn(&mut *endpoint);
        module.watch_capture();
        if module.has_ended(&*endpoint, args.linger) {
            break;
        }
        let mut wanted = endpoint.wait_for(module.listens(), !module.waiting.is_empty());
        wanted.extend(control.iter().flat_map(Control::wait_for));
        if wait(&stop, wanted, pause)? {
            break;
        }
    }
    module.show.end();
    module.sim.end_capture();
    Ok(())
}

/// Waits until there is something to do. True if it is time to end.
fn wait(
    stop: &Stop,
    wanted: Vec<(BorrowedFd<'_>, PollFlags)>,
    pause: Duration,
) -> Result<bool, String> {
    let mut fds = vec![PollFd::new(stop, PollFlags::IN)];
    for (fd, flags) in wanted {
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
    show: Show,
    /// Since when there has been nothing left to do, after the end of the input.
    idle_since: Option<Instant>,
}

impl Module {
    fn new(args: &Serve) -> Result<Module, String> {
        Ok(Module {
            sim: args.sim()?,
            start: Instant::now(),
            waiting: Vec::new(),
            show: Show::new(args.color.into()),
            idle_since: None,
        })
    }

    /// Writes packets to a file, each at once.
    fn capture(&mut self, path: &Path) -> Result<(), String> {
        let failed = |error| format!("no capture in {}: {error}", path.display());
        let file = File::create(path).map_err(failed)?;
        self.sim.capture(file).map_err(failed)
    }

    /// Says once that the capture has failed.
    fn watch_capture(&mut self) {
        if let Some(error) = self.sim.capture_failure() {
            warn(&format!("warning: the capture ends here: {error}"));
            self.sim.end_capture();
        }
    }

    /// Lets an address of this PC lead to a port of the module. Says which.
    fn lead(&mut self, forward: &Forward) -> Result<String, String> {
        let Forward { udp, from, to } = *forward;
        let failed = |error| tcp::cannot(from, &error);
        let (kind, from) = if udp {
            let socket = UdpSocket::bind(from).map_err(failed)?;
            let from = socket.local_addr().map_err(failed)?;
            self.sim.forward_udp(socket, to).map_err(failed)?;
            ("udp", from)
        } else {
            let (listener, from) = tcp::listen(from)?;
            self.sim.forward_tcp(listener, to).map_err(failed)?;
            ("tcp", from)
        };
        Ok(format!("{kind} {from} -> {to}"))
    }

    /// Does what a control line says, now.
    fn control(&mut self, line: &str) -> Result<String, String> {
        self.sim.run_until(self.now());
        self.sim.control(line).map_err(|error| error.to_string())
    }

    /// Whether the input has ended, and everything is answered.
    fn has_ended(&mut self, endpoint: &dyn Endpoint, linger: Duration) -> bool {
        let idle = endpoint.has_ended() && !self.sim.is_busy() && self.waiting.is_empty();
        if !idle {
            self.idle_since = None;
            return false;
        }
        self.idle_since.get_or_insert_with(Instant::now).elapsed() >= linger
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
        let dialogue = self.sim.take_dialogue();
        self.show.show(self.sim.now(), dialogue);
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
