//! The simulation: a module, a serial line to it, a network behind it, and time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use crate::at::channel::{Channel, Io};
use crate::builder::Builder;
use crate::config::Config;
use crate::dns::Name;
use crate::fault::Fault;
use crate::faults::{Effect, Incident, Mishap, Part, Place, Storm, Target, Times, UrcPlace, When};
use crate::line::{Line, LineFault};
use crate::module::{Module, Power};
use crate::net::{Peer, PeerIo, TcpSocket, TcpState, UdpPeer, Unbound};
use crate::profile::Profile;
use crate::trace::{Content, Direction, Traced};
use crate::wires::Wires;

/// A simulated module behind a serial line.
///
/// Times are in µs since the simulation began. Nothing happens but in [`Sim::run_until`].
pub struct Sim {
    pub(crate) now: u64,
    transmit_fifo: usize,
    pub(crate) to_module: Line,
    pub(crate) to_host: Line,
    pub(crate) channel: Channel,
    pub(crate) module: Module,
    pub(crate) wires: Wires,
    dialogue: Vec<Traced>,
    /// When something happens inside next, if that is known.
    pub(crate) next: Option<Option<u64>>,
}

impl Sim {
    /// Puts a simulation together, for tests.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A simulation at time 0.
    pub fn new(config: Config) -> Sim {
        let module = Module::new(&config);
        let mut sim = Sim {
            now: 0,
            transmit_fifo: config.transmit_fifo,
            to_module: Line::new(config.baud, config.trace),
            to_host: Line::new(config.baud, config.trace),
            channel: Channel::new(config.latency_us),
            wires: Wires::new(config.baud, &module),
            module,
            dialogue: Vec::new(),
            next: None,
        };
        sim.set_receive_fifo(config.receive_fifo);
        sim
    }

    // The host's side of the serial line.

    /// The time in µs.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The host sends bytes, from now on, behind what it is sending already.
    pub fn write(&mut self, bytes: &[u8]) {
        let channel = &self.channel;
        let payload = channel.payload_ahead(&self.module, &self.to_module, bytes);
        let (payload, dialogue) = bytes.split_at(payload);
        self.to_module.push_as(Content::Payload, self.now, payload);
        self.to_module.push(self.now, dialogue);
        self.next = None;
        self.record(Direction::ToModule);
    }

    /// Room in the host's transmit FIFO, in bytes.
    ///
    /// [`Sim::write`] takes more than this too, as a host with a larger buffer would.
    pub fn write_free(&self) -> usize {
        self.transmit_fifo.saturating_sub(self.to_module.unsent())
    }

    /// Size of the host's transmit FIFO in bytes.
    pub fn transmit_fifo(&self) -> usize {
        self.transmit_fifo
    }

    /// Reads bytes that have arrived at the host, and says how many.
    pub fn read(&mut self, buf: &mut [u8]) -> usize {
        self.to_host.read(buf)
    }

    /// How many bytes have arrived at the host and were not read.
    pub fn readable(&self) -> usize {
        self.to_host.arrived()
    }

    /// Whether the module is still to answer something, or bytes are on the line.
    ///
    /// What only a URC tells, such as the end of an `AT+QIOPEN`, does not count, nor does a command or
    /// a payload of which the host has sent a part.
    pub fn is_busy(&self) -> bool {
        self.channel.is_busy() || self.to_module.unsent() > 0 || self.to_host.unsent() > 0
    }

    /// Reads everything that has arrived at the host.
    pub fn read_all(&mut self) -> Vec<u8> {
        let mut all = vec![0; self.readable()];
        let n = self.read(&mut all);
        all.truncate(n);
        all
    }

    /// Sends bytes, lets time pass for `us`, and reads everything that has arrived at the host.
    ///
    /// ```
    /// let mut sim = quectel_sim::Sim::builder().build();
    /// assert_eq!(sim.exchange("AT\r", 10_000), b"AT\r\r\nOK\r\n");
    /// ```
    pub fn exchange(&mut self, bytes: impl AsRef<[u8]>, us: u64) -> Vec<u8> {
        self.write(bytes.as_ref());
        self.run_for(us);
        self.read_all()
    }

    // Time.

    /// Lets time pass for `us`, in µs.
    pub fn run_for(&mut self, us: u64) {
        self.run_until(self.now.saturating_add(us));
    }

    /// Lets time pass until `t`. A time that has passed already does nothing.
    pub fn run_until(&mut self, t: u64) {
        while let Some(at) = self.next_inside() {
            if at > t {
                break;
            }
            self.now = self.now.max(at);
            self.step();
        }
        self.now = self.now.max(t);
        self.to_host.advance(self.now);
        self.to_module.advance(self.now);
    }

    /// When something can happen next: something inside, or a byte arrives at the host.
    ///
    /// Never before [`Sim::now`]. `None` if nothing will happen until the host does something.
    pub fn next_event(&mut self) -> Option<u64> {
        let inside = self.next_inside();
        let next = inside.into_iter().chain(self.to_host.next_arrival()).min();
        next.map(|at| at.max(self.now))
    }

    fn next_inside(&mut self) -> Option<u64> {
        if let Some(next) = self.next {
            return next;
        }
        self.module.now = self.now;
        let mute_until = self.module.faults.mute_until;
        let line = match self.listening() {
            true if self.wires.seeks() => None,
            true => self
                .channel
                .next(self.now, &self.to_module, &self.to_host, &self.module),
            false => mute_until,
        };
        let wires = self
            .wires
            .next(&self.to_module, &self.to_host, &self.module);
        let incidents = self.module.faults.incidents.iter();
        let incident = incidents.filter_map(|(when, _)| self.time_of(*when)).min();
        let storm = self.module.faults.next_of_storms();
        let next = [line, wires, incident, storm, self.module.next()]
            .into_iter()
            .flatten()
            .min();
        self.next = Some(next);
        next
    }

    fn time_of(&self, when: When) -> Option<u64> {
        match when {
            When::At(at) => Some(at),
            When::ByteToHost(position) => self.to_host.time_of(position),
            When::ByteToModule(position) => self.to_module.time_of(position),
        }
    }

    /// Whether the module takes commands.
    pub(crate) fn listening(&self) -> bool {
        self.module.power() == Power::On
            && !self.module.leaving
            && self.module.faults.mute_until.is_none()
    }

    /// Does everything that is due now.
    pub(crate) fn step(&mut self) {
        self.next = None;
        self.module.now = self.now;
        self.tick_pins();
        self.hear();
        self.to_host.advance(self.now);
        if !self.listening() {
            self.to_module.discard_arrived();
            self.channel.reset();
        }
        self.module
            .faults
            .mute_until
            .take_if(|until| *until <= self.now);
        self.incidents();
        for urc in self.module.faults.urcs_of_storms(self.now) {
            self.module.urc(&urc);
        }
        loop {
            self.module.net.poll(self.now);
            self.module.tick();
            if std::mem::take(&mut self.module.cut) {
                self.to_host.cut(self.now);
                self.channel.reset();
            }
            if !self.turn() {
                break;
            }
        }
        self.record(Direction::ToHost);
    }

    /// One turn of the AT port. False if there was nothing to do.
    fn turn(&mut self) -> bool {
        if self.wires.seeks() && self.listening() {
            let rates = &self.module.profile.rates;
            self.module.found_speed = self.wires.seek(&mut self.to_module, rates);
        }
        let listening = self.listening();
        let mut io = Io {
            now: self.now,
            from_host: &mut self.to_module,
            to_host: &mut self.to_host,
            module: &mut self.module,
        };
        self.wires.follow(self.channel.between_commands(), &mut io);
        if !listening && io.module.leaving {
            self.channel.send_urcs(&mut io);
            return false;
        }
        if !listening || self.wires.seeks() {
            if !listening || !io.module.profile.serial.autobaud_keeps_urcs {
                io.module.take_urcs();
            }
            return false;
        }
        let mut progress = self.channel.send_urcs(&mut io);
        progress |= self.channel.tick(&mut io);
        self.wires.follow(self.channel.between_commands(), &mut io);
        progress |= self.channel.send_urcs(&mut io);
        progress
    }

    fn incidents(&mut self) {
        let mut waiting = std::mem::take(&mut self.module.faults.incidents);
        while let Some((when, incident)) = waiting.pop_front() {
            if self.time_of(when).is_some_and(|at| at <= self.now) {
                self.happen(incident);
            } else {
                self.module.faults.incidents.push_back((when, incident));
            }
        }
    }

    fn happen(&mut self, incident: Incident) {
        match incident {
            Incident::Reset => self.module.restart(),
            Incident::SilentReset => self.module.restart_silently(),
            Incident::PdpDeact(context) => {
                self.module.pdpdeact(context);
            }
            Incident::Mute(time) => {
                self.module.faults.mute_until = Some(self.now.saturating_add(time));
                self.channel.reset();
            }
            Incident::Storm(storm) => self.module.faults.blow(storm, self.now),
        }
    }

    fn record(&mut self, direction: Direction) {
        let line = match direction {
            Direction::ToModule => &mut self.to_module,
            Direction::ToHost => &mut self.to_host,
        };
        let entries = line.take_log();
        self.dialogue
            .extend(entries.into_iter().map(|(at, content, bytes)| Traced {
                at,
                direction,
                content,
                bytes,
            }));
    }

    /// Everything that was put on the serial line, if [`Config::trace`] is set.
    pub fn dialogue(&self) -> &[Traced] {
        &self.dialogue
    }

    /// Takes what [`Sim::dialogue`] gives, which begins anew.
    pub fn take_dialogue(&mut self) -> Vec<Traced> {
        std::mem::take(&mut self.dialogue)
    }

    // The truth.

    /// The true state of the TCP connection of a connect id; none if the id is free or has no
    /// connection.
    pub fn tcp_state(&self, connect_id: u8) -> Option<TcpState> {
        let row = self.module.sockets.get(connect_id)?;
        Some(
            row.tcp()
                .map_or(TcpState::Closed, |serial| self.module.net.state(serial)),
        )
    }

    /// Every TCP socket of the module, the oldest first, also those whose connect id is free again.
    pub fn tcp_sockets(&self) -> Vec<TcpSocket> {
        self.module.net.list()
    }

    // The world.

    /// Puts a server at an address. `make` gives a peer for each connection.
    pub fn serve<P: Peer + 'static>(
        &mut self,
        at: SocketAddr,
        make: impl FnMut() -> P + Send + 'static,
    ) {
        self.module.net.serve(at, make);
        self.next = None;
    }

    /// Puts a UDP server at an address.
    ///
    /// ```
    /// # use quectel_sim::{Config, Echo, Sim, UdpIo};
    /// # use std::net::SocketAddr;
    /// # let mut sim = Sim::new(Config::default());
    /// sim.serve_udp("192.0.2.7:7".parse().unwrap(), Echo);
    /// let shout = |io: &mut UdpIo, from: SocketAddr, data: &[u8]| {
    ///     io.send_to(from, &data.to_ascii_uppercase());
    /// };
    /// sim.serve_udp("192.0.2.7:8".parse().unwrap(), shout);
    /// ```
    pub fn serve_udp(&mut self, at: SocketAddr, peer: impl UdpPeer + 'static) {
        self.module.net.serve_udp(at, Box::new(peer));
        self.next = None;
    }

    /// Sends a datagram that the module has not asked for, from `from` to a port of it. False if the
    /// module has no address of that version.
    pub fn send_datagram(&mut self, from: SocketAddr, module_port: u16, data: &[u8]) -> bool {
        self.next = None;
        self.module.net.send_datagram(from, module_port, data)
    }

    /// Lets a client connect from `remote` to a port of the module, where a `TCP LISTENER` may be.
    ///
    /// The peer is told of the connection when it stands; if the module refuses it, it is only told
    /// that it is closed. False if it cannot be tried: the module has no address of that version, or
    /// there is such a connection already. [`Sim::with_peer`] finds the connection by `remote`.
    pub fn dial(
        &mut self,
        remote: SocketAddr,
        module_port: u16,
        peer: impl Peer + 'static,
    ) -> bool {
        self.next = None;
        let net = &mut self.module.net;
        net.dial(self.now, remote, module_port, Box::new(peer))
    }

    /// Lets what connects to a socket of this PC connect to a port of the module. Time should follow
    /// the clock.
    ///
    /// # Errors
    /// If the socket cannot be made non-blocking.
    pub fn forward_tcp(&mut self, from: TcpListener, module_port: u16) -> std::io::Result<()> {
        self.next = None;
        self.module.net.forward_tcp(from, module_port)
    }

    /// Lets what is sent to a socket of this PC go to a UDP port of the module, and what the module
    /// sends back to where it came from. Time should follow the clock.
    ///
    /// # Errors
    /// If the socket cannot be made non-blocking.
    pub fn forward_udp(&mut self, from: UdpSocket, module_port: u16) -> std::io::Result<()> {
        self.next = None;
        self.module.net.forward_udp(from, module_port)
    }

    /// Lets a test act for a server, on its youngest established connection; none if there is none.
    ///
    /// ```
    /// # use quectel_sim::{Config, Sim, Sink};
    /// # let mut sim = Sim::new(Config::default());
    /// let server = "192.0.2.7:7".parse().unwrap();
    /// sim.serve(server, || Sink);
    /// // … the module connects …
    /// sim.with_peer(server, |io| io.send(b"hello"));
    /// sim.with_peer(server, |io| io.close());
    /// ```
    pub fn with_peer<R>(
        &mut self,
        server: SocketAddr,
        act: impl FnOnce(&mut PeerIo) -> R,
    ) -> Option<R> {
        self.next = None;
        self.module.net.peer(self.now, server).map(act)
    }

    /// Lets connections to an address be refused, or get no answer.
    pub fn set_unbound(&mut self, at: SocketAddr, what: Unbound) {
        self.module.net.set_unbound(at, what);
    }

    /// Switches a host off, or on again: off, it answers nothing, not even `AT+QPING`.
    pub fn set_silent(&mut self, host: IpAddr, silent: bool) {
        self.module.net.set_silent(host, silent);
    }

    /// Tells the name server the addresses of a name, and their time to live in seconds.
    ///
    /// A name without addresses is unknown.
    pub fn set_name(&mut self, name: &str, addresses: &[Ipv4Addr], ttl_s: u32) {
        let addresses: Vec<IpAddr> = addresses.iter().copied().map(IpAddr::from).collect();
        self.set_name_addresses(name, &addresses, ttl_s);
    }

    /// The same with addresses of either version.
    pub fn set_name_addresses(&mut self, name: &str, addresses: &[IpAddr], ttl_s: u32) {
        let known = Name::Addresses(addresses.to_vec(), ttl_s);
        self.module.resolver.set(name, known);
    }

    /// Lets the name server never answer for a name.
    pub fn set_name_silent(&mut self, name: &str) {
        self.module.resolver.set(name, Name::Silent);
    }

    /// Lets `tap` see every IP packet that leaves the module or reaches it, with right checksums.
    pub fn set_tap(&mut self, tap: impl FnMut(u64, &[u8]) + Send + 'static) {
        self.module.net.set_tap(Box::new(tap));
    }

    // Power.

    /// Gives power to a module that is off: it boots, whatever the power key does.
    pub fn power_on(&mut self) {
        self.change(Module::power_on);
    }

    /// Takes the power away.
    pub fn power_off(&mut self) {
        self.change(Module::power_off);
    }

    /// Resets the module at once: it restarts, and says `RDY` when it has booted.
    pub fn reset(&mut self) {
        self.change(Module::restart);
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Module)) {
        self.module.now = self.now;
        change(&mut self.module);
        self.step();
    }

    // Faults.

    /// The number of bytes put on the line in a direction so far: the position of the next one.
    pub fn position(&self, direction: Direction) -> u64 {
        match direction {
            Direction::ToModule => self.to_module.position(),
            Direction::ToHost => self.to_host.position(),
        }
    }

    /// Adds a fault of the serial line.
    pub fn add_line_fault(&mut self, direction: Direction, fault: LineFault) {
        match direction {
            Direction::ToModule => self.to_module.add_fault(fault),
            Direction::ToHost => self.to_host.add_fault(fault),
        }
    }

    /// Puts a URC, given without its CRLFs, at a place in the dialogue of a command such as
    /// `+QISEND`. An empty command stands for all.
    pub fn inject_urc(&mut self, place: UrcPlace, command: &str, text: &str, times: Times) {
        self.module.faults.inject(place, command, text, times);
    }

    /// Sends a URC, given without its CRLFs, as soon as URCs may be sent.
    pub fn send_urc(&mut self, text: &str) {
        self.change(|module| module.urc(text));
    }

    /// Sends many URCs from now on, as [`Incident::Storm`] does.
    ///
    /// ```
    /// # let mut sim = quectel_sim::Sim::builder().build();
    /// sim.send_storm(2, "+QIURC: \"recv\",{}", 0);
    /// let urcs = b"\r\n+QIURC: \"recv\",0\r\n\r\n+QIURC: \"recv\",1\r\n";
    /// assert_eq!(sim.exchange("", 10_000), urcs);
    /// ```
    pub fn send_storm(&mut self, count: u32, text: &str, every_us: u64) {
        let storm = Storm {
            count,
            text: text.to_owned(),
            every_us,
        };
        let now = self.now;
        self.change(|module| module.faults.blow(storm, now));
    }

    /// Makes a part of a command late, in µs. An empty command stands for all.
    pub fn delay(&mut self, part: Part, command: &str, by_us: u64, times: Times) {
        self.module.faults.delay_answer(part, command, by_us, times);
    }

    /// Lets something happen by itself.
    pub fn schedule(&mut self, when: When, incident: Incident) {
        self.module.faults.incidents.push_back((when, incident));
        self.next = None;
    }

    /// Loses the next recv URCs.
    pub fn lose_recv_urcs(&mut self, count: u32) {
        self.module.faults.lose_recv = Times::Times(count);
    }

    /// Loses the next closed URCs.
    pub fn lose_closed_urcs(&mut self, count: u32) {
        self.module.faults.lose_closed = Times::Times(count);
    }

    /// Answers the next payloads with `SEND FAIL`, and drops them.
    pub fn fail_sends(&mut self, count: u32) {
        self.module.faults.send_fail = Times::Times(count);
    }

    /// Answers the next `AT+QISEND` with `ERROR` instead of a prompt.
    pub fn refuse_prompts(&mut self, count: u32) {
        self.module.faults.refuse_prompt = Times::Times(count);
    }

    /// Loses the next prompts: the module awaits payload, and the host does not know.
    pub fn lose_prompts(&mut self, count: u32) {
        self.module.faults.lose_prompt = Times::Times(count);
    }

    /// Ignores or refuses a command such as `+QIRD`, or loses its answer. An empty command stands for
    /// all.
    pub fn spoil(&mut self, what: Mishap, command: &str, times: Times) {
        self.module.faults.add_mishap(what, command, times);
    }

    /// Sends URCs to a port: `usbat`, `usbmodem`, `uart1`, `uart2` or `all`; see [`Profile::port`].
    ///
    /// As `AT+QURCCFG="urcport"` does.
    pub fn set_urc_port(&mut self, port: &str) {
        self.module.saved.urc_port = port.to_owned();
    }

    /// Adds a fault of any kind. Times and positions are counted from the beginning of the simulation.
    ///
    /// ```
    /// # let mut sim = quectel_sim::Sim::new(Default::default());
    /// sim.add_fault("stall:answer:+QIRD:100:6s".parse().unwrap());
    /// ```
    pub fn add_fault(&mut self, fault: Fault) {
        let faults = &mut self.module.faults;
        match fault {
            Fault::Line {
                place,
                damage,
                times,
            } => match place {
                Place::ToHost(at) => self.to_host.add_fault(damage.at(at)),
                Place::ToModule(at) => self.to_module.add_fault(damage.at(at)),
                place => self.place(place, Effect::Damage(damage), times),
            },
            Fault::At { at, incident } => self.schedule(When::At(at), incident),
            Fault::Byte {
                place,
                incident,
                times,
            } => match place {
                Place::ToHost(at) => self.schedule(When::ByteToHost(at), incident),
                Place::ToModule(at) => self.schedule(When::ByteToModule(at), incident),
                place => self.place(place, Effect::Incident(incident), times),
            },
            Fault::Urc {
                place,
                command,
                text,
                times,
            } => faults.inject(place, &command, &text, times),
            Fault::Late {
                part,
                command,
                by_us,
                times,
            } => faults.delay_answer(part, &command, by_us, times),
            Fault::Spoil {
                what,
                command,
                times,
            } => faults.add_mishap(what, &command, times),
            Fault::LosePrompt(times) => faults.lose_prompt = faults.lose_prompt.and(times),
            Fault::RefusePrompt(times) => faults.refuse_prompt = faults.refuse_prompt.and(times),
            Fault::SendFail(times) => faults.send_fail = faults.send_fail.and(times),
            Fault::LoseRecv(times) => faults.lose_recv = faults.lose_recv.and(times),
            Fault::LoseClosed(times) => faults.lose_closed = faults.lose_closed.and(times),
            Fault::UrcPort(port) => self.set_urc_port(&port),
            Fault::AlreadyActive(context) => self.change(|module| {
                module.profile.activate_again_fails = true;
                module.profile.auto_activate = Some(context);
                module.auto_activate();
            }),
            Fault::Switch(switch) => switch.set(self.profile_mut()),
        }
    }

    fn place(&mut self, place: Place, effect: Effect, times: Times) {
        let (target, command, byte) = match &place {
            Place::ToHost(_) | Place::ToModule(_) => return,
            Place::Answer(command, byte) => (Target::Answer, command.as_str(), *byte),
            Place::Prompt(byte) => (Target::Prompt, "", *byte),
            Place::Payload(byte) => (Target::Payload, "", *byte),
        };
        let faults = &mut self.module.faults;
        faults.place(target, command, byte, effect, times);
    }

    /// The constants and switches of the module, to be changed from now on.
    pub fn profile_mut(&mut self) -> &mut Profile {
        self.next = None;
        &mut self.module.profile
    }
}
