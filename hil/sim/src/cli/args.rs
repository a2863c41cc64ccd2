//! The options of `serve`, and how their words are understood.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anstream::ColorChoice;
use clap::{Args, ValueEnum};
use quectel_sim::{Boot, Cellular, Config, Fault, Internet, Plan, Profile, Sim, SimCard, Switch};

#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    pub(super) endpoint: Place,
    /// With --stdio: how long the module goes on after the end of the input,
    /// once everything is answered
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time, conflicts_with_all = ["tcp", "pty"])]
    pub(super) linger: Duration,
    /// Take control lines: faults, pins, the network while the module runs.
    /// A TCP port, or the path of a Unix socket; see `quectel-sim control`
    #[arg(long, value_name = "ADDR:PORT|PATH")]
    pub(super) control: Option<Door>,

    /// The module family, one of `quectel-sim families`
    #[arg(long, value_parser = family, default_value = Profile::NAMES[0], help_heading = "Module")]
    family: Profile,
    /// Another behaviour than the family's, one of `quectel-sim switches`; can
    /// be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = switch, help_heading = "Module")]
    switch: Vec<Switch>,
    /// cold: its power has just come, and it is deaf until RDY; off: until the
    /// control line `power on` or `powerkey press`
    #[arg(long, value_enum, default_value = "booted", help_heading = "Module")]
    boot: Start,
    /// Speed of the serial line, in bits a second
    #[arg(long, value_name = "N", default_value_t = 115_200, help_heading = "Module",
        value_parser = clap::value_parser!(u32).range(300..=10_000_000))]
    baud: u32,
    /// From the end of a command to the beginning of its answer
    #[arg(long, value_name = "MS", default_value_t = 2, help_heading = "Module",
        value_parser = clap::value_parser!(u16).range(0..=60_000))]
    latency_ms: u16,
    /// The SIM card; pin: locked with 1234; puk: with 12345678; failure: it
    /// does not answer
    #[arg(long, value_enum, default_value = "ready", help_heading = "Module")]
    sim_card: Card,
    /// Decides everything that is left to chance
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Module")]
    seed: u64,
    /// Let something go wrong, NAME:ARGUMENT..., one of `quectel-sim faults`;
    /// can be given several times
    #[arg(long, value_name = "FAULT", help_heading = "Module")]
    fault: Vec<Fault>,
    /// Let things go wrong that are drawn from a seed: 5, or COUNT, within the
    /// first 60s, or TIME. Each is printed as --fault takes it
    #[arg(long, value_name = "SEED[:COUNT[:TIME]]", help_heading = "Module")]
    pub(super) plan: Option<Plan>,

    /// What the network says to the module
    #[arg(long, value_enum, default_value = "home", help_heading = "Network")]
    registration: Registration,
    /// Signal strength as AT+CSQ prints it: 0 to 31, or 99 for none
    #[arg(long, value_name = "RSSI", value_parser = line("signal ", ""), help_heading = "Network")]
    signal: Option<String>,
    /// Activate contexts with this APN only
    #[arg(long, value_name = "NAME", help_heading = "Network")]
    apn: Option<String>,
    /// Activate contexts with this user name only
    #[arg(
        long,
        value_name = "NAME",
        requires = "password",
        help_heading = "Network"
    )]
    user: Option<String>,
    /// Activate contexts with this password only
    #[arg(long, value_name = "TEXT", requires = "user", help_heading = "Network")]
    password: Option<String>,
    /// The address of PDP context 1; the next ones belong to the next contexts
    #[arg(long, value_name = "ADDR", default_value_t = Cellular::default().address,
        help_heading = "Network")]
    address: Ipv4Addr,
    /// Delay of the radio link, one way [default: 20ms]
    #[arg(long, value_name = "TIME", value_parser = line("link delay=", ""),
        help_heading = "Network")]
    delay: Option<String>,
    /// Up to this much more delay
    #[arg(long, value_name = "TIME", value_parser = line("link jitter=", ""),
        help_heading = "Network")]
    jitter: Option<String>,
    /// Packets that the radio link loses, such as 3%
    #[arg(long, value_name = "PERCENT", value_parser = line("link loss=", ""),
        help_heading = "Network")]
    loss: Option<String>,
    /// Bytes a second that pass the radio link, each way, such as 64k
    #[arg(long, value_name = "BYTES", value_parser = line("link rate=", ""),
        help_heading = "Network")]
    rate: Option<String>,
    /// Let the module's name server know an address, beside those that this PC
    /// knows; can be given several times
    #[arg(long, value_name = "HOST=ADDR", value_parser = name, help_heading = "Network")]
    name: Vec<(String, IpAddr)>,
    /// Ask this name server for all other names, by UDP, instead of this PC
    #[arg(long, value_name = "ADDR:PORT", value_parser = address, help_heading = "Network")]
    dns: Option<SocketAddr>,
    /// Let an address of this PC lead to a port of the module, which may be a
    /// TCP LISTENER or a UDP SERVICE; can be given several times
    #[arg(long, value_name = "tcp|udp:ADDR:PORT=PORT", help_heading = "Network")]
    pub(super) forward: Vec<Forward>,

    /// Show the AT dialogue on standard error: >> to the module, << from it,
    /// with the time in seconds
    #[arg(long, help_heading = "Records")]
    pub(super) trace: bool,
    /// Write every IP packet that leaves the module or reaches it to a file for
    /// Wireshark, tshark or tcpdump
    #[arg(long, value_name = "FILE", help_heading = "Records")]
    pub(super) pcap: Option<PathBuf>,
    /// Whether the trace is coloured; auto: on a terminal, unless NO_COLOR is
    /// set
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Records"
    )]
    pub(super) color: Color,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct Place {
    /// Listen on a TCP port; port 0 is any free one
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub(super) tcp: Option<SocketAddr>,
    /// Make a pseudo-terminal, and a link to it
    #[arg(long, value_name = "LINK")]
    pub(super) pty: Option<PathBuf>,
    /// Be the serial line on standard input and output, until the input ends
    #[arg(long)]
    pub(super) stdio: bool,
}

/// Where control lines come in.
#[derive(Clone)]
pub(super) enum Door {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// An address of this PC that leads to a port of the module.
#[derive(Clone, Copy)]
pub(super) struct Forward {
    pub(super) udp: bool,
    pub(super) from: SocketAddr,
    pub(super) to: u16,
}

#[derive(Clone, Copy, ValueEnum)]
enum Card {
    Ready,
    Absent,
    Pin,
    Puk,
    Failure,
}

#[derive(Clone, Copy, ValueEnum)]
enum Start {
    Booted,
    Cold,
    Off,
}

#[derive(Clone, Copy, ValueEnum)]
enum Registration {
    Home,
    Roaming,
    Searching,
    Denied,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> ColorChoice {
        match color {
            Color::Auto => anstream::AutoStream::choice(&std::io::stderr()),
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let text = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    text.parse()
        .map_err(|_| "an IP address and a port is wanted, such as 127.0.0.1:7000".into())
}

impl FromStr for Door {
    type Err = String;

    fn from_str(text: &str) -> Result<Door, String> {
        match address(text) {
            Ok(address) => Ok(Door::Tcp(address)),
            Err(_) if text.contains(':') && !text.contains('/') => Err(
                "an address and a port such as 127.0.0.1:7001, or a path such as /tmp/module.control \
                 is wanted"
                    .into(),
            ),
            Err(_) => Ok(Door::Unix(text.into())),
        }
    }
}

impl FromStr for Forward {
    type Err = String;

    fn from_str(text: &str) -> Result<Forward, String> {
        let wanted = "such as tcp:127.0.0.1:8080=80 or udp:127.0.0.1:5000=5000 is wanted";
        let parts = text
            .split_once(':')
            .and_then(|(kind, rest)| Some((kind, rest.rsplit_once('=')?)));
        let Some((kind @ ("tcp" | "udp"), (from, to))) = parts else {
            return Err(wanted.into());
        };
        Ok(Forward {
            udp: kind == "udp",
            from: address(from)?,
            to: to
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| format!("'{to}' is not a port of the module: 1 to 65535"))?,
        })
    }
}

pub(super) fn family(text: &str) -> Result<Profile, String> {
    Profile::named(text).ok_or_else(|| format!("there are {}", Profile::NAMES.join(", ")))
}

fn switch(text: &str) -> Result<Switch, String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("a name and a value is wanted, such as closed-urc=after-drain")?;
    if name.contains(':') {
        return Err(format!(
            "'{name}' is not the name of a switch: see `quectel-sim switches`"
        ));
    }
    match format!("switch:{name}:{value}").parse() {
        Ok(Fault::Switch(switch)) => Ok(switch),
        Ok(_) => Err(format!("'{name}' is not the name of a switch")),
        Err(error) => Err(error.to_string()),
    }
}

fn name(text: &str) -> Result<(String, IpAddr), String> {
    let (host, address) = text
        .split_once('=')
        .filter(|(host, _)| !host.is_empty())
        .ok_or("a name and its address is wanted, such as server.test=127.0.0.1")?;
    let address = address
        .parse()
        .map_err(|_| format!("'{address}' is not an address, such as 127.0.0.1"))?;
    Ok((host.into(), address))
}

/// A control line made of one word: it is tried on a module of its own.
fn line(
    before: &'static str,
    behind: &'static str,
) -> impl Fn(&str) -> Result<String, String> + Clone {
    move |word| {
        if word.contains(char::is_whitespace) {
            return Err("one word is wanted".into());
        }
        let line = format!("{before}{word}{behind}");
        let tried = Sim::new(Config::default()).control(&line);
        tried.map(|_| line).map_err(|error| error.to_string())
    }
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let unit = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "min" => 60.0,
        _ => f64::NAN,
    };
    let seconds = number.parse::<f64>().map_or(f64::NAN, |n| n * unit);
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|time| *time <= Duration::from_secs(1_000_000))
        .ok_or_else(|| "a number with its unit is wanted, such as 500ms, 1.5s or 2min".into())
}

impl Serve {
    pub(super) fn config(&self) -> Config {
        let mut cellular = Cellular {
            registration: match self.registration {
                Registration::Home => 1,
                Registration::Roaming => 5,
                Registration::Searching => 2,
                Registration::Denied => 3,
            },
            apn: self.apn.clone(),
            address: self.address,
            ..Cellular::default()
        };
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            cellular.credentials = Some((user.clone(), password.clone()));
        }
        Config {
            seed: self.seed,
            baud: self.baud,
            latency_us: u64::from(self.latency_ms) * 1_000,
            // As a serial port of a PC has. Also what arrives while this program does not run.
            transmit_fifo: 4_096,
            trace: self.trace,
            boot: match self.boot {
                Start::Booted => Boot::Booted,
                Start::Cold => Boot::Cold,
                Start::Off => Boot::Off,
            },
            profile: self.profile(),
            sim_card: match self.sim_card {
                Card::Ready => SimCard::Ready,
                Card::Absent => SimCard::Absent,
                Card::Pin => SimCard::Pin("1234".into()),
                Card::Puk => SimCard::Puk,
                Card::Failure => SimCard::Failure,
            },
            cellular,
            internet: Internet::Real,
            name_server: self.dns,
            ..Config::default()
        }
    }

    /// The family with the switches set, before the module has begun to start.
    fn profile(&self) -> Profile {
        let mut profile = self.family.clone();
        for switch in &self.switch {
            switch.set(&mut profile);
        }
        profile
    }

    /// The module, with everything that is asked for.
    pub(super) fn sim(&self) -> Result<Sim, String> {
        let mut sim = Sim::new(self.config());
        let mut names: Vec<&str> = self.name.iter().map(|(host, _)| host.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for host in names {
            let of_host = self.name.iter().filter(|(one, _)| one == host);
            let addresses: Vec<_> = of_host.map(|(_, address)| *address).collect();
            sim.set_name_addresses(host, &addresses, 300);
        }
        let link = [&self.delay, &self.jitter, &self.loss, &self.rate];
        for line in link.into_iter().chain([&self.signal]).flatten() {
            sim.control(line).map_err(|error| error.to_string())?;
        }
        for fault in &self.fault {
            sim.add_fault(fault.clone());
        }
        Ok(sim)
    }
}
