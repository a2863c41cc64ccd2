//! The wires beside the data: speed, flow control, DTR, and the pins of the module.

use crate::at::channel::Io;
use crate::line::Line;
use crate::module::{Module, Power};
use crate::profile::CommandSet;
use crate::sim::Sim;

/// A pin that is held.
#[derive(Debug, Clone, Copy)]
struct Press {
    since: u64,
    /// When it is let go, if that is known.
    until: Option<u64>,
    /// It has done what it does.
    acted: bool,
}

/// What the wires carry, and what the module has made of it.
#[derive(Debug)]
pub(crate) struct Wires {
    /// The module's speed; none while it looks for the host's.
    speed: Option<u32>,
    /// The speed it receives at, which is the old one until its last answer has left.
    listens: Option<u32>,
    rts: bool,
    dtr: bool,
    power_key: Option<Press>,
    reset: Option<Press>,
    /// What the reset stopped is to start again.
    starts_after_reset: bool,
    /// When something last happened on the serial line.
    busy_at: u64,
    /// Bytes that get lost while the module wakes up.
    waking: usize,
}

/// Whether the module may sleep, and what wakes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sleep {
    Never,
    /// Until DTR is on.
    Deep,
    /// Until it receives something.
    Light,
}

impl Wires {
    pub(crate) fn new(baud: u32, module: &Module) -> Wires {
        Wires {
            speed: module.speed(),
            listens: Some(baud),
            rts: true,
            dtr: true,
            power_key: None,
            reset: None,
            starts_after_reset: false,
            busy_at: 0,
            waking: 0,
        }
    }

    /// Whether the module looks for the host's speed.
    pub(crate) fn seeks(&self) -> bool {
        self.listens.is_none()
    }

    /// Whether each byte from the host has to be looked at as it arrives.
    fn watches(&self, module: &Module) -> bool {
        module.power() == Power::On && (self.seeks() || self.sleep(module) != Sleep::Never)
    }

    /// When there is something to do next.
    pub(crate) fn next(&self, from_host: &Line, to_host: &Line, module: &Module) -> Option<u64> {
        let pins = &module.profile.pins;
        let key = self.power_key.filter(|one| !one.acted);
        let key = key.filter(|_| module.power() == Power::Off);
        let reset = self.reset.filter(|one| !one.acted);
        let byte = self.watches(module).then(|| from_host.next_arrival());
        let speed = (self.listens != self.speed).then(|| to_host.old_speed_until());
        [
            key.map(|one| one.since + pins.on_us),
            reset.map(|one| one.since + pins.reset_us),
            self.power_key.and_then(|one| one.until),
            self.reset.and_then(|one| one.until),
            byte.flatten(),
            speed.flatten(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Brings the line in step with what the module has been told. Its speed changes when a command is
    /// answered; what it has said leaves at the old one, and until then it listens at the old one.
    pub(crate) fn follow(&mut self, between_commands: bool, io: &mut Io<'_>) {
        let now = io.now;
        let speed = io.module.speed();
        if between_commands && self.speed != speed {
            self.speed = speed;
            if let Some(speed) = speed {
                io.to_host.set_baud(now, speed);
            }
        }
        if self.listens != self.speed && !io.to_host.has_old_speed() {
            self.listens = self.speed;
            io.from_host.set_receiver(now, self.listens);
        }
        let numbers = &io.module.settings.numbers;
        io.to_host
            .set_held(now, !self.rts && numbers.get("+IFC", 0) == 2);
        let serial = &io.module.profile.serial;
        let limit = serial.overruns.then_some(serial.buffer);
        io.from_host.set_limit(now, limit);
    }

    /// Looks for `AT` or `at` in what has arrived: the speed it was sent at, if the module has it.
    /// Everything before that is lost.
    pub(crate) fn seek(&self, from_host: &mut Line, rates: &[u32]) -> Option<u32> {
        let close = |rate: u32| from_host.baud().abs_diff(rate) <= rate / 33;
        let rate = rates.iter().copied().find(|rate| *rate > 0 && close(*rate));
        loop {
            let arrived = from_host.arrived();
            let mut first = from_host.queue().iter().take(arrived.min(2));
            match (first.next(), first.next()) {
                (Some(b'A'), Some(b'T')) | (Some(b'a'), Some(b't')) if rate.is_some() => {
                    return rate;
                }
                (None, _) | (Some(b'A' | b'a'), None) => return None,
                _ => drop(from_host.take(1)),
            }
        }
    }

    fn sleep(&self, module: &Module) -> Sleep {
        let numbers = &module.settings.numbers;
        if !numbers.was_set("+QSCLK") {
            return Sleep::Never;
        }
        let mode = numbers.get("+QSCLK", 0);
        match (mode, module.profile.commands) {
            (0, _) => Sleep::Never,
            (1, set) if set != CommandSet::Bc => match module.profile.serial.bytes_wake {
                _ if self.dtr => Sleep::Never,
                true => Sleep::Light,
                false => Sleep::Deep,
            },
            _ => Sleep::Light,
        }
    }

    fn sleeps(&self, now: u64, to_host: &Line, module: &Module) -> bool {
        let silent = to_host.idle_at().is_some_and(|at| {
            let since = at.max(self.busy_at);
            now >= since + module.profile.serial.sleep_us
        });
        silent && self.sleep(module) != Sleep::Never
    }

    /// Takes `fresh` bytes that have just arrived. Those that a sleeping module misses are lost.
    fn hear(&mut self, fresh: usize, io: &mut Io<'_>) {
        if fresh == 0 {
            return;
        }
        if self.sleeps(io.now, io.to_host, io.module) {
            if self.sleep(io.module) == Sleep::Deep {
                io.from_host.lose_arrived(fresh);
                return;
            }
            self.waking = io.module.profile.serial.wake_loses;
        }
        let lost = self.waking.min(fresh);
        self.waking -= lost;
        io.from_host.lose_arrived(lost);
        self.busy_at = io.now;
    }
}

impl Sim {
    // The wires of the serial port, as the host has them.

    /// The host sends and receives at another speed from now on, in bits a second.
    ///
    /// Speeds that differ from the module's by more than about 5 % damage what is sent: a receiver
    /// looks at each character at its own speed, and drops it if it has no start bit or stop bit
    /// there. What the host has already put on the line leaves at the old speed.
    pub fn set_host_baud(&mut self, baud: u32) {
        let baud = baud.max(1);
        self.to_module.set_baud(self.now, baud);
        self.to_host.set_receiver(self.now, Some(baud));
        self.next = None;
    }

    /// The host's speed in bits a second.
    pub fn host_baud(&self) -> u32 {
        self.to_module.baud()
    }

    /// The module's speed in bits a second, as `AT+IPR` has set it; none while it looks for the
    /// host's.
    pub fn module_baud(&self) -> Option<u32> {
        self.module.speed()
    }

    /// RTS: whether the host is ready to receive. If not, a module with the flow control of
    /// `AT+IFC=2,<n>` stops behind the byte it is sending; any other goes on.
    pub fn set_rts(&mut self, ready: bool) {
        self.wires.rts = ready;
        self.step();
    }

    /// CTS: whether the module is ready to receive. With the flow control of `AT+IFC=<n>,2` it is not
    /// while [`Serial::buffer`](crate::Serial::buffer) is three quarters full; without, it always is,
    /// unless it is off.
    pub fn cts(&self) -> bool {
        let flow_control = self.module.settings.numbers.get("+IFC", 1) == 2;
        let high = self.module.profile.serial.buffer / 4 * 3;
        let full = flow_control && self.to_module.arrived() >= high;
        self.module.power() == Power::On && !full
    }

    /// DTR: whether the host says that it is there. When it goes off, `AT&D1` leads from transparent
    /// mode back to commands (`OK`), and `AT&D2` closes the connection, too (`NO CARRIER`). With
    /// `AT+QSCLK=1` the module may sleep while it is off.
    pub fn set_dtr(&mut self, on: bool) {
        let falls = self.wires.dtr && !on;
        self.wires.dtr = on;
        self.wires.busy_at = self.now;
        self.step();
        if falls && self.listening() {
            let mut io = Io {
                now: self.now,
                from_host: &mut self.to_module,
                to_host: &mut self.to_host,
                module: &mut self.module,
            };
            self.channel.dtr_off(&mut io);
            self.step();
        }
    }

    pub(crate) fn rts_and_dtr(&self) -> (bool, bool) {
        (self.wires.rts, self.wires.dtr)
    }

    /// Sets how many bytes the host can receive without reading them; none for very many. What
    /// arrives beyond is lost, and counted in [`Sim::host_overruns`].
    pub fn set_receive_fifo(&mut self, bytes: Option<usize>) {
        self.to_host.set_limit(self.now, bytes);
    }

    /// Bytes lost because the host did not read in time.
    pub fn host_overruns(&self) -> u64 {
        self.to_host.overruns()
    }

    /// Bytes lost because the module did not; see [`Serial::overruns`](crate::Serial::overruns).
    pub fn module_overruns(&self) -> u64 {
        self.to_module.overruns()
    }

    /// Whether the module sleeps, as `AT+QSCLK` allows.
    pub fn sleeps(&self) -> bool {
        let on = self.module.power() == Power::On && self.channel.between_commands();
        on && self.wires.sleeps(self.now, &self.to_host, &self.module)
    }

    // The pins of the module.

    /// Presses the power key, or lets it go. How long it has to be held is in
    /// [`Pins`](crate::Pins).
    ///
    /// Held, it turns a module on that is off or in power saving mode; let go, it turns one off that
    /// runs, which says `POWERED DOWN` before.
    pub fn set_power_key(&mut self, pressed: bool) {
        self.press(|wires| &mut wires.power_key, pressed, None);
    }

    /// Presses the power key for this long, in µs.
    pub fn press_power_key(&mut self, us: u64) {
        self.press(|wires| &mut wires.power_key, true, Some(us));
    }

    /// Pulls the reset pin, or lets it go: the module stops, and boots when it is let go.
    pub fn set_reset(&mut self, pressed: bool) {
        self.press(|wires| &mut wires.reset, pressed, None);
    }

    /// Pulls the reset pin for this long, in µs.
    pub fn press_reset(&mut self, us: u64) {
        self.press(|wires| &mut wires.reset, true, Some(us));
    }

    /// The STATUS pin: whether the module is on.
    pub fn status(&self) -> bool {
        match self.module.power() {
            Power::Off => false,
            Power::On => true,
            Power::Booting(_) => {
                self.now >= self.module.powered_at + self.module.profile.pins.status_us
            }
        }
    }

    fn press(&mut self, pin: fn(&mut Wires) -> &mut Option<Press>, down: bool, us: Option<u64>) {
        let pin = pin(&mut self.wires);
        match (pin.as_mut(), down) {
            (None, true) => {
                *pin = Some(Press {
                    since: self.now,
                    until: us.map(|us| self.now + us),
                    acted: false,
                });
            }
            (Some(press), true) => press.until = us.map(|us| self.now + us),
            (Some(press), false) => press.until = Some(self.now),
            (None, false) => {}
        }
        self.step();
    }

    /// Does what is due with the pins.
    pub(crate) fn tick_pins(&mut self) {
        let now = self.now;
        let pins = self.module.profile.pins.clone();
        if let Some(press) = &mut self.wires.power_key {
            let held = now - press.since;
            let ends = press.until.is_some_and(|at| at <= now);
            match self.module.power() {
                Power::Off if !press.acted && held >= pins.on_us => {
                    press.acted = true;
                    self.module.power_on();
                }
                Power::On if ends && !press.acted && pins.off_us.is_some_and(|us| held >= us) => {
                    self.module.turn_off_by_key();
                }
                _ => {}
            }
            if ends {
                self.wires.power_key = None;
            }
        }
        if let Some(press) = &mut self.wires.reset {
            if !press.acted && now - press.since >= pins.reset_us {
                press.acted = true;
                self.wires.starts_after_reset = self.module.power() != Power::Off;
                if self.wires.starts_after_reset {
                    self.module.power_off();
                }
            }
            if press.until.is_some_and(|at| at <= now) {
                self.wires.reset = None;
                if std::mem::take(&mut self.wires.starts_after_reset) {
                    self.module.power_on();
                }
            }
        }
    }

    /// Takes what has arrived from the host by now.
    pub(crate) fn hear(&mut self) {
        let before = self.to_module.arrived();
        self.to_module.advance(self.now);
        let fresh = self.to_module.arrived() - before;
        let mut io = Io {
            now: self.now,
            from_host: &mut self.to_module,
            to_host: &mut self.to_host,
            module: &mut self.module,
        };
        if self.channel.between_commands() {
            self.wires.hear(fresh, &mut io);
        } else if fresh > 0 {
            self.wires.busy_at = self.now;
        }
    }
}
