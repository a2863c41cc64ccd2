//! Byte soup into the engine: noise, and damaged answers to what it has just
//! asked, with socket calls in between. Nothing panics, nothing hangs, and
//! every kind of command is reached.
//!
//! `QUECTEL_SEED=<n> cargo test --test dialogue_soup` repeats one run.

mod support;

use std::collections::{BTreeMap, VecDeque};

use quectel_sockets::{Config, Engine, Event, Handle, Slot};
use support::dialogue::{NO_DATA, config, pattern, qird};

/// xorshift64*
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// 0 to `n - 1`.
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'t, T: ?Sized>(&mut self, from: &[&'t T]) -> &'t T {
        from[self.below(from.len())]
    }
}

/// The module's end of the line: it knows what was asked, and seldom keeps
/// to it.
struct Soup {
    rng: Rng,
    /// One answer in so many is damaged, one chunk in so many is noise.
    damage: usize,
    noise: usize,
    /// Neither yet.
    calm: bool,
    inbox: VecDeque<u8>,
    command: Vec<u8>,
    /// The last whole command, until it was answered.
    asked: Option<String>,
    /// Payload seen since the last command.
    payload: usize,
    /// Bare carriage returns in a row.
    returns: u32,
    /// The setting that the host reads back.
    /// Connect id of the latest listener.
    listener: u8,
    canary: u16,
    /// Commands are repeated.
    echo: bool,
    kinds: BTreeMap<String, u32>,
}

/// What every run must reach.
const KINDS: [&str; 36] = [
    "AT",
    "ATE0",
    "ATE1",
    "AT+CMEE",
    "AT+QISDE",
    "ATI",
    "AT+QISTATE?",
    "AT+CPIN?",
    "AT+CEREG?",
    "AT+CGREG?",
    "AT+CREG?",
    "AT+QICSGP",
    "AT+QIACT",
    "AT+QIACT?",
    "AT+QIDEACT",
    "AT+QIDNSGIP",
    "AT+QIOPEN",
    "AT+QISEND",
    "payload",
    "AT+QISEND=id,0",
    "AT+QIRD",
    "AT+QISTATE=1",
    "AT+QICLOSE",
    "AT+QICLOSE=id,0",
    "restart",
    "CR",
    "filler",
    "half a line",
    "AT+QICFG",
    "AT+QICFG=set",
    "AT+QIRD=id,0",
    "AT+CFUN",
    "recovered",
    "AT+QIRD=id",
    "accepted",
    "datagram",
];

impl Soup {
    fn count(&mut self, kind: &str) {
        *self.kinds.entry(kind.into()).or_default() += 1;
    }

    /// The host transmits; payload is above 0x7F here, commands below.
    fn transmitted(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte >= 0x80 {
                if self.payload == 0 {
                    self.count("payload");
                }
                self.payload += 1;
                continue;
            }
            if *byte != b'\r' {
                self.command.push(*byte);
                continue;
            }
            let command = String::from_utf8(std::mem::take(&mut self.command)).unwrap();
            // A bare CR is filler, or ends a half-typed line.
            if command.is_empty() {
                self.count("CR");
                self.returns += 1;
                if self.returns == 2 {
                    self.count("filler");
                }
                continue;
            }
            self.returns = 0;
            // A restart, or an answer too early, cuts a command short.
            let starts = ["AT+", "ATE0", "ATE1", "ATI"].map(|start| command.rfind(start));
            let bare = command.len().saturating_sub(2);
            let start = starts.into_iter().flatten().max().unwrap_or(bare);
            let command = command[start..].to_string();
            if command == "A" {
                self.count("half a line");
                continue;
            }
            assert!(command.starts_with("AT"), "{command}");
            if self.echo {
                self.inbox.extend(command.bytes().chain(*b"\r"));
            }
            self.payload = 0;
            let (name, arguments) = command.split_once('=').unwrap_or((&command, ""));
            let kind = match name {
                "AT+QIRD" if arguments.ends_with(",0") => format!("{name}=id,0"),
                "AT+QISEND" | "AT+QICLOSE" if arguments.ends_with(",0") => format!("{name}=id,0"),
                "AT+QISTATE" => "AT+QISTATE=1".into(),
                "AT+QICFG" if arguments.contains(',') => format!("{name}=set"),
                _ => name.into(),
            };
            self.count(&kind);
            self.asked = Some(command);
        }
    }

    /// An answer that fits what was asked, or a URC.
    fn answer(&mut self) -> Vec<u8> {
        let Some(asked) = self.asked.take() else {
            return self.urc();
        };
        let (name, arguments) = asked.split_once('=').unwrap_or((&asked, ""));
        let second = arguments.split(',').nth(1).unwrap_or_default();
        let ok = "\r\nOK\r\n";
        let text = match name {
            _ if self.rng.one_in(1_000) => String::new(),
            _ if self.rng.one_in(15) => self
                .rng
                .pick(&["\r\nERROR\r\n", "\r\n+CME ERROR: 3\r\n"])
                .into(),
            "ATI" => format!("\r\nQuectel\r\nEC25\r\nRevision: EC25EFAR02A09M4G\r\n{ok}"),
            "AT+CPIN?" => format!("\r\n+CPIN: READY\r\n{ok}"),
            "AT+CEREG?" | "AT+CGREG?" | "AT+CREG?" => {
                let stat = self.rng.pick(&["0", "1", "1", "4", "5"]);
                format!("\r\n{}: 0,{stat}\r\n{ok}", &name[2..name.len() - 1])
            }
            "AT+QIACT?" => self
                .rng
                .pick(&[
                    "\r\n+QIACT: 1,1,1,\"10.7.157.1\"\r\n\r\nOK\r\n",
                    "\r\n+QIACT: 1,1,1,\"10.7.157.1\"\r\n\r\nOK\r\n",
                    ok,
                ])
                .into(),
            "AT+QIOPEN" => {
                if arguments.contains("LISTENER") {
                    self.listener = second.parse().unwrap_or(0);
                }
                let result = self.rng.pick(&["0", "0", "0", "0", "563", "566", "568"]);
                format!("{ok}\r\n+QIOPEN: {second},{result}\r\n")
            }
            "AT+QIDNSGIP" => format!(
                "{ok}\r\n+QIURC: \"dnsgip\",0,1,9\r\n\r\n+QIURC: \"dnsgip\",\"192.0.2.1\"\r\n"
            ),
            "AT+QISTATE?" => {
                format!("\r\n+QISTATE: 2,\"TCP\",\"192.0.2.20\",80,22742,2,1,0,0,\"uart1\"\r\n{ok}")
            }
            "AT+QISTATE" => {
                let state = self.rng.pick(&["2", "2", "2", "3", "4", "1"]);
                format!(
                    "\r\n+QISTATE: {second},\"TCP\",\"192.0.2.20\",80,2,{state},1,0,0,\"uart1\"\r\n{ok}"
                )
            }
            "AT+QISEND" if second == "0" => {
                let n = self.rng.below(30);
                format!("\r\n+QISEND: {n},{n},{}\r\n{ok}", self.rng.below(2))
            }
            "AT+QISEND" if self.payload == 0 => {
                self.asked = Some(asked.clone());
                "\r\n> ".into()
            }
            "AT+QISEND" => self
                .rng
                .pick(&[
                    "\r\nSEND OK\r\n",
                    "\r\nSEND OK\r\n",
                    "\r\nSEND FAIL\r\n",
                    "\r\nERROR\r\n",
                ])
                .into(),
            "AT+QICFG" if arguments.contains(',') => {
                if let (true, Some(value)) = (arguments.contains("trans"), second.parse().ok()) {
                    self.canary = value;
                }
                ok.into()
            }
            "AT+QICFG" => format!("\r\n+QICFG: {arguments},{}\r\n{ok}", self.canary),
            "AT+QIRD" if second == "0" => format!("\r\n+QIRD: 9,9,0\r\n{ok}"),
            "AT+CFUN" => format!("{ok}\r\nRDY\r\n"),
            // The next datagram of a service, with its sender.
            "AT+QIRD" if second.is_empty() => {
                self.count("AT+QIRD=id");
                let n = self.rng.below(1_500);
                if n == 0 || self.rng.one_in(2) {
                    return NO_DATA.to_vec();
                }
                let port = self.rng.pick(&["7", "0", "65536", ""]);
                let header = format!("\r\n+QIRD: {n},\"192.0.2.20\",{port}\r\n");
                return [header.as_bytes(), &pattern(n), b"\r\n\r\nOK\r\n"].concat();
            }
            "AT+QIRD" => {
                let most = second.parse::<usize>().unwrap_or(0);
                return match self.rng.below(most + 1) {
                    0 => NO_DATA.to_vec(),
                    _ if self.rng.one_in(2) => NO_DATA.to_vec(),
                    n => qird(&pattern(n)),
                };
            }
            _ => ok.into(),
        };
        text.into_bytes()
    }

    fn urc(&mut self) -> Vec<u8> {
        let id = self.rng.below(12);
        let line = match self.rng.below(40) {
            0..=15 => format!("+QIURC: \"recv\",{id}"),
            16..=21 => format!("+QIURC: \"closed\",{id}"),
            22..=26 => format!("+QIOPEN: {id},{}", self.rng.pick(&["0", "566"])),
            27 if self.rng.one_in(4) => "+QIURC: \"pdpdeact\",1".into(),
            28 if self.rng.one_in(4) => {
                self.count("restart");
                self.rng.pick(&["RDY", "APP RDY"]).into()
            }
            29 | 35 | 36 => {
                let server = self.listener;
                format!("+QIURC: \"incoming\",{id},{server},\"198.51.100.7\",62060")
            }
            30 => "+QIURC: \"dnsgip\",0,2,9".into(),
            31 => "+QIURC: \"dnsgip\",565".into(),
            32 => "+CEREG: 1".into(),
            33 => "+CPIN: NOT READY".into(),
            34 => "POWERED DOWN".into(),
            _ => "+QIND: SMS DONE".into(),
        };
        format!("\r\n{line}\r\n").into_bytes()
    }

    fn damaged(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if bytes.is_empty() {
            return bytes;
        }
        let at = self.rng.below(bytes.len());
        match self.rng.below(5) {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, bytes[at]),
            2 => bytes[at] = self.rng.next() as u8,
            3 => bytes.truncate(at),
            _ => bytes
                .splice(at..at, *b"\r\n+QIURC: \"recv\",0\r\n")
                .for_each(drop),
        }
        bytes
    }

    fn noise(&mut self) -> Vec<u8> {
        let n = 1 + self.rng.below(20);
        let words = [
            "\r\n",
            "OK",
            "ERROR",
            "+QIURC: ",
            "> ",
            "+QIRD: ",
            "\"closed\",",
            "SEND OK",
        ];
        (0..n)
            .flat_map(|_| match self.rng.below(3) {
                0 => self.rng.pick(&words).as_bytes().to_vec(),
                _ => vec![self.rng.next() as u8],
            })
            .collect()
    }

    /// What comes over the line next.
    fn chunk(&mut self) -> Vec<u8> {
        if !self.calm && self.rng.one_in(self.noise) {
            return self.noise();
        }
        if self.inbox.is_empty() {
            let mut answer = self.answer();
            if !self.calm && self.rng.one_in(self.damage) {
                answer = self.damaged(answer);
            }
            self.inbox.extend(answer);
        }
        let n = self.rng.below(self.inbox.len() + 1);
        self.inbox.drain(..n).collect()
    }
}

/// One engine from its first byte to its fault, or so many steps.
struct Run<'a> {
    engine: Engine<'a>,
    now: u64,
    handles: Vec<Handle>,
    soup: &'a mut Soup,
}

impl Run<'_> {
    fn transmit(&mut self) {
        for _ in 0..2_000 {
            let waiting = self.engine.tx();
            if waiting.is_empty() {
                return;
            }
            let n = 1 + self.soup.rng.below(waiting.len());
            self.soup.transmitted(&waiting[..n]);
            self.engine.tx_done(self.now, n);
            if self.soup.rng.one_in(20) {
                // The UART is full; something comes in meanwhile.
                return;
            }
        }
        panic!("the host transmits without end");
    }

    fn call(&mut self) {
        let Soup { rng, .. } = &mut *self.soup;
        let engine = &mut self.engine;
        let mut buffer = [0; 700];
        let call = rng.below(22);
        if call < 3 {
            let socket = match call {
                0 => engine.udp_socket(),
                _ => engine.tcp_socket(),
            };
            if let Ok(handle) = socket
                && call == 1
                && rng.one_in(2)
            {
                let _ = engine.listen(handle, rng.below(4) as u8);
            }
            self.handles.extend(socket);
            return;
        }
        if call == 3 {
            let _ = engine.resolve(rng.pick(&["a.test", "b.test", "192.0.2.1", "not a name"]));
            return;
        }
        if self.handles.is_empty() {
            return;
        }
        // Some of them are stale.
        let handle = self.handles[rng.below(self.handles.len())];
        match call {
            4..=6 => {
                let remote = rng.pick(&["192.0.2.20:80", "192.0.2.20:80", "[2001:db8::1]:9"]);
                let _ = engine.connect(handle, remote.parse().unwrap());
            }
            7..=9 => {
                let data = vec![0x80 | rng.next() as u8; rng.below(600)];
                let _ = engine.send(handle, &data);
            }
            10..=12 => {
                let _ = engine.recv(handle, &mut buffer[..rng.below(700)]);
            }
            13 => match rng.below(8) {
                0 => drop(engine.shutdown(self.now, handle)),
                1 => engine.release(self.now, handle),
                2 => engine.abort(self.now, handle),
                3 => engine.cancel_connect(handle),
                _ => {}
            },
            14 => {
                let local = rng.pick(&["0.0.0.0:0", "0.0.0.0:7", "10.7.157.1:8", "192.0.2.9:1"]);
                let _ = engine.bind(handle, local.parse().unwrap());
            }
            15 => {
                let _ = engine.listen(handle, rng.below(4) as u8);
            }
            16 => {
                if let Ok((child, _)) = engine.accept(self.now, handle) {
                    self.handles.push(child);
                    self.soup.count("accepted");
                }
            }
            17 | 18 => {
                let data = vec![0x80 | rng.next() as u8; rng.below(600)];
                let to = rng.pick(&["192.0.2.20:7", "192.0.2.21:0", "[2001:db8::1]:9"]);
                let to = rng.one_in(2).then(|| to.parse().unwrap());
                let _ = engine.send_to(handle, &data, to);
            }
            19 => {
                let room = &mut buffer[..rng.below(700)];
                if engine.recv_from(handle, room).is_ok() {
                    self.soup.count("datagram");
                }
            }
            20 => {
                let _ = engine.set_keep_alive(handle, rng.below(130) as u8);
                let _ = engine.peek(handle, &mut buffer[..rng.below(700)]);
                let _ = (engine.readiness(handle), engine.local(handle));
                let _ = (engine.waiting(handle), engine.readable(handle));
            }
            _ => {
                let _ = engine.connected(handle);
                let _ = engine.flushed(handle);
                let _ = (engine.is_connecting(handle), engine.is_closed(handle));
                assert!(engine.state(handle).is_none_or(|state| state as u8 <= 10));
            }
        }
    }

    fn pass_time(&mut self) {
        let Soup {
            rng, asked, inbox, ..
        } = &mut *self.soup;
        let answered = asked.is_none() && inbox.is_empty();
        self.now += match rng.below(40) {
            0..=19 => 0,
            20..=29 => rng.next() % 10,
            30..=38 if answered => {
                let at = self.engine.wake_at(self.now);
                at.map_or(100, |at| (at - self.now).min(20_000))
            }
            39 if rng.one_in(50) => rng.next() % 200_000,
            _ => 1,
        };
    }

    /// With nothing more from the module everything ends: the engine stops,
    /// or sleeps, or asks now and then.
    fn silence(&mut self) {
        let end = self.now + 400_000;
        for _ in 0..3_000 {
            self.engine.poll(self.now);
            self.transmit();
            match self.engine.wake_at(self.now) {
                None if self.engine.tx().is_empty() => {
                    self.engine.poll(self.now + 1_000_000);
                    assert!(self.engine.tx().is_empty(), "slept while something was due");
                    return;
                }
                None => {}
                Some(at) => {
                    assert!(at > self.now, "woken in the past");
                    self.now = at;
                }
            }
            if self.now > end {
                return;
            }
        }
        panic!("woken again and again for nothing");
    }

    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.engine.poll(self.now);
            self.transmit();
            if self.engine.fault().is_some() {
                break;
            }
            while let Some(event) = self.engine.event() {
                if event == Event::LineRestored {
                    self.soup.count("recovered");
                }
            }
            self.soup.calm &= !self.engine.network().is_up();
            if self.soup.rng.one_in(2) {
                let chunk = self.soup.chunk();
                self.engine.rx(self.now, &chunk);
            }
            if self.soup.rng.one_in(2) {
                self.call();
            }
            self.pass_time();
        }
        self.silence();
    }
}

fn soup(seed: u64) -> BTreeMap<String, u32> {
    let mut rng = Rng(seed | 1);
    rng.next();
    let damage = [1_000, 50, 10, 3][rng.below(4)];
    let noise = [1_000, 100, 10, 2][rng.below(4)];
    let sizes: Vec<_> = (0..4)
        .map(|_| (rng.below(2_000), rng.below(1_600)))
        .collect();
    let look_ms = [0, 500][rng.below(2)];
    let echo = rng.one_in(2);
    // Most runs get past bring-up.
    let calm = !rng.one_in(4);
    let mut soup = Soup {
        rng,
        damage,
        noise,
        calm,
        inbox: VecDeque::new(),
        command: Vec::new(),
        asked: None,
        payload: 0,
        returns: 0,
        canary: 1_024,
        listener: 0,
        echo,
        kinds: BTreeMap::new(),
    };
    let mut memory: Vec<_> = sizes
        .iter()
        .map(|(rx, tx)| (vec![0; *rx], vec![0; *tx]))
        .collect();
    let mut slots: Vec<_> = memory
        .iter_mut()
        .map(|(rx, tx)| Slot::new(rx, tx))
        .collect();
    let mut run = Run {
        engine: Engine::new(
            &mut slots,
            Config {
                look_ms,
                check_echo: echo,
                ..config()
            },
        ),
        now: 0,
        handles: Vec::new(),
        soup: &mut soup,
    };
    run.run(4_000);
    soup.kinds
}

/// Says which seed it was.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("QUECTEL_SEED={}", self.0);
        }
    }
}

#[test]
fn no_soup_stops_or_hangs_the_engine() {
    if let Ok(seed) = std::env::var("QUECTEL_SEED") {
        println!("{:#?}", soup(seed.parse().unwrap()));
        return;
    }
    let mut kinds = BTreeMap::new();
    for seed in 0..1_500 {
        let said = Seed(seed * 0x9e37_79b9 + 1);
        for (kind, n) in soup(said.0) {
            *kinds.entry(kind).or_insert(0) += n;
        }
    }
    println!("{kinds:#?}");
    for kind in KINDS {
        assert!(kinds.contains_key(kind), "{kind} was never reached");
    }
}
