//! A super-loop: one loop that turns for ever and never waits, with a TCP
//! client, a UDP client, a name and a lamp. All of it over embedded-nal's
//! traits: there is no executor, no thread and no time-out in a call.
//!
//! Without `--server` it starts echo servers on this PC. Without `--port` the
//! module is a simulated one inside this process.

mod support;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use embedded_io::{Read, ReadReady, Write, WriteReady};
use embedded_nal::{
    AddrType, Dns, TcpClientStack, UdpClientStack, UdpFullStack,
    nb::{self, Error::WouldBlock},
};
use quectel_sim::SimCard;
use quectel_sockets::{
    Config, Slot, Stack,
    nb::{Error, Polled},
};
use support::{
    echo::echo_servers,
    module::Module,
    told::{exit, wrong},
};

/// Runs a TCP and a UDP client through a cellular module in one loop.
#[derive(Parser)]
#[command(
    name = "super_loop",
    version,
    after_help = "Exit status: 0 everything came back, 1 failed, 2 wrong arguments.\n\n\
    Examples:\n  \
    super_loop                       a simulated module, servers of its own\n  \
    super_loop --trace --bytes 3000\n  \
    super_loop --port /dev/ttyUSB2 --apn internet --server echo.example.com:7"
)]
struct Args {
    /// An echo server for TCP and UDP, HOST:PORT; none: servers started by
    /// this program
    #[arg(long, value_name = "SERVER")]
    server: Option<String>,
    /// Bytes to send over TCP
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    bytes: usize,
    /// Datagrams to send
    #[arg(long, value_name = "N", default_value_t = 10)]
    datagrams: u32,
    /// Seconds without progress after which the program gives up
    #[arg(long, value_name = "S", default_value_t = 60)]
    timeout: u16,
    #[command(flatten)]
    module: Module,
}

/// The name under which the program's own servers are reached.
const OWN_NAME: &str = "echo.example.test";
/// Bytes of a datagram.
const DATAGRAM: usize = 500;
/// A datagram that has not come back by then is lost.
const LOST: Duration = Duration::from_secs(5);

/// Where the servers are.
struct Servers {
    host: String,
    tcp: u16,
    udp: u16,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.module.port.is_some() && args.server.is_none() {
        return wrong("--port needs --server: a real module does not reach this program's own");
    }
    let servers = args.server.as_deref().map(|server| {
        let (host, port) = server.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let host = host.into();
        Some(Servers {
            host,
            tcp: port,
            udp: port,
        })
    });
    let servers = match servers {
        Some(None) => return wrong("--server: give HOST:PORT, for example echo.example.com:7"),
        Some(servers) => servers,
        None => None,
    };
    match args.module.config() {
        Ok(config) => exit(run(&args, servers, config)),
        Err(what) => wrong(&what),
    }
}

fn run(args: &Args, servers: Option<Servers>, config: Config<'_>) -> Result<(), String> {
    let servers = match servers {
        Some(servers) => servers,
        None => {
            let started = echo_servers();
            let (tcp, udp) = started.map_err(|error| format!("no socket on 127.0.0.1: {error}"))?;
            let (host, tcp, udp) = (OWN_NAME.into(), tcp.port(), udp.port());
            Servers { host, tcp, udp }
        }
    };
    let port = args.module.open(SimCard::Ready, |sim| {
        sim.set_name(OWN_NAME, &[Ipv4Addr::LOCALHOST], 300);
        Ok(())
    })?;
    super_loop(port, args, &servers, config)
}

/// On a microcontroller: the UART with its buffers, and a timer that counts
/// milliseconds.
fn super_loop(
    uart: impl Read + ReadReady + Write + WriteReady,
    args: &Args,
    servers: &Servers,
    config: Config<'_>,
) -> Result<(), String> {
    let start = Instant::now();
    let millis = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut memory = [([0; 2_048], [0; 2_048]); 2];
    let mut slots = memory.each_mut().map(|(rx, tx)| Slot::new(rx, tx));
    let stack = Stack::new(Polled::new(uart, millis), &mut slots, config);

    let mut net = &stack;
    let mut name = Name::Wanted;
    let mut stream = Stream::new(args.bytes);
    let mut datagrams = Datagrams::new(args.datagrams);
    let (mut turns, mut longest, mut blinks) = (0_u64, Duration::ZERO, 0);
    let (mut before, mut progress_at) = (0, Instant::now());
    loop {
        let turn = Instant::now();
        // Every call below does a step of the stack; this one is for the
        // times in which none of them is made.
        stack.poll().map_err(failed("the stack"))?;
        if stack.is_up().map_err(failed("the stack"))?
            && let Some(address) = name.turn(&mut net, &servers.host)?
        {
            stream.turn(&mut net, SocketAddr::new(address, servers.tcp))?;
            datagrams.turn(&mut net, SocketAddr::new(address, servers.udp))?;
        }
        if start.elapsed() >= Duration::from_millis(250) * blinks {
            // The lamp keeps its pace, whatever the network does. (A simulated
            // module does its own work inside the turns, too.)
            blinks += 1;
        }
        turns += 1;
        longest = longest.max(turn.elapsed());

        if stream.done() && datagrams.done() {
            break;
        }
        if let Some(fault) = stack.fault().map_err(failed("the stack"))? {
            return Err(format!("{fault}; check the port"));
        }
        let now = stream.received + datagrams.settled() as usize;
        if now > before {
            (before, progress_at) = (now, Instant::now());
        } else if progress_at.elapsed() > Duration::from_secs(args.timeout.into()) {
            return Err(format!(
                "no progress for {} s; run it again, or with --trace",
                args.timeout
            ));
        }
        // Other work; a microcontroller could sleep until its UART or its
        // timer wakes it.
        let due = stack.wake_at().map_err(failed("the stack"))?;
        let left = due.map_or(1, |at| at.saturating_sub(millis()).min(1));
        std::thread::sleep(Duration::from_millis(left));
    }
    stream.close(&mut net)?;
    println!(
        "{turns} turns, the longest took {} µs, {blinks} blinks",
        longest.as_micros()
    );
    if datagrams.lost > 0 {
        return Err(format!(
            "{} datagrams were lost; run it again",
            datagrams.lost
        ));
    }
    Ok(())
}

/// One plain line: what failed, why, what to do.
fn failed<E: Into<Failure>>(what: &str) -> impl Fn(E) -> String {
    move |error| {
        let Failure(why, errno) = error.into();
        format!("{what}: {why} (errno {errno}); run it again, or with --trace")
    }
}

/// What an error says, and its number.
struct Failure(String, i32);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error.to_string(), error.errno())
    }
}

impl From<quectel_sockets::socket::Error> for Failure {
    fn from(error: quectel_sockets::socket::Error) -> Self {
        Self(error.to_string(), error.errno())
    }
}

/// Nothing was done if the call would have to wait; the next turn calls
/// again.
fn now<T>(result: nb::Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(WouldBlock) => Ok(None),
        Err(nb::Error::Other(error)) => Err(error),
    }
}

/// The server's name.
enum Name {
    Wanted,
    Known(IpAddr),
}

impl Name {
    fn turn(
        &mut self,
        net: &mut impl Dns<Error = Error>,
        host: &str,
    ) -> Result<Option<IpAddr>, String> {
        if let Self::Known(address) = self {
            return Ok(Some(*address));
        }
        let found = now(net.get_host_by_name(host, AddrType::Either)).map_err(failed(host))?;
        if let Some(address) = found {
            println!("{host} is {address}");
            *self = Self::Known(address);
        }
        Ok(found)
    }
}

/// A TCP client: sends its bytes and compares what comes back.
struct Stream<S> {
    socket: Option<S>,
    connected: bool,
    data: Vec<u8>,
    sent: usize,
    received: usize,
}

impl<S> Stream<S> {
    fn new(bytes: usize) -> Self {
        Self {
            socket: None,
            connected: false,
            data: (0..bytes).map(|at| (at * 7 + at / 251) as u8).collect(),
            sent: 0,
            received: 0,
        }
    }

    fn turn<N>(&mut self, net: &mut N, server: SocketAddr) -> Result<(), String>
    where
        N: TcpClientStack<TcpSocket = S, Error = Error>,
    {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => none.insert(net.socket().map_err(failed("TCP"))?),
        };
        if !self.connected {
            self.connected = now(net.connect(socket, server))
                .map_err(failed("TCP"))?
                .is_some();
            if self.connected {
                println!("TCP: connected to {server}");
            }
            return Ok(());
        }
        if let rest @ [_, ..] = &self.data[self.sent..] {
            let taken = now(net.send(socket, rest)).map_err(failed("TCP"))?;
            self.sent += taken.unwrap_or(0);
        }
        if self.received < self.data.len() {
            let mut buffer = [0; 1_024];
            let come = now(net.receive(socket, &mut buffer)).map_err(failed("TCP"))?;
            let come = &buffer[..come.unwrap_or(0)];
            if !self.data[self.received..].starts_with(come) {
                return Err(format!(
                    "TCP: other bytes came back after {}",
                    self.received
                ));
            }
            self.received += come.len();
            if self.done() {
                println!("TCP: {} bytes came back unchanged", self.received);
            }
        }
        Ok(())
    }

    fn done(&self) -> bool {
        self.received == self.data.len()
    }

    fn close<N>(self, net: &mut N) -> Result<(), String>
    where
        N: TcpClientStack<TcpSocket = S, Error = Error>,
    {
        let closed = self.socket.map(|socket| net.close(socket)).transpose();
        closed.map(drop).map_err(failed("TCP"))
    }
}

/// A UDP client: a datagram follows when the one before has come back, or is
/// lost.
struct Datagrams<S> {
    socket: Option<S>,
    wanted: u32,
    sent_at: Option<Instant>,
    returned: u32,
    lost: u32,
}

impl<S> Datagrams<S> {
    fn new(wanted: u32) -> Self {
        Self {
            socket: None,
            wanted,
            sent_at: None,
            returned: 0,
            lost: 0,
        }
    }

    fn turn<N>(&mut self, net: &mut N, server: SocketAddr) -> Result<(), String>
    where
        N: UdpFullStack<UdpSocket = S, Error = Error>,
    {
        if self.done() {
            return Ok(());
        }
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => {
                let socket = none.insert(UdpClientStack::socket(net).map_err(failed("UDP"))?);
                net.bind(socket, 0).map_err(failed("UDP"))?;
                socket
            }
        };
        let number = self.returned + self.lost;
        let data = [number as u8; DATAGRAM];
        match self.sent_at {
            None => {
                if now(net.send_to(socket, server, &data))
                    .map_err(failed("UDP"))?
                    .is_some()
                {
                    self.sent_at = Some(Instant::now());
                }
            }
            Some(at) => {
                let mut buffer = [0; DATAGRAM];
                match now(net.receive(socket, &mut buffer)).map_err(failed("UDP"))? {
                    Some((DATAGRAM, from)) if from == server && buffer == data => {
                        self.returned += 1;
                        self.sent_at = None;
                    }
                    // One that was taken for lost, or somebody else's.
                    Some(_) => {}
                    None if at.elapsed() > LOST => {
                        self.lost += 1;
                        self.sent_at = None;
                    }
                    None => {}
                }
            }
        }
        if self.done() {
            let Self {
                returned, wanted, ..
            } = self;
            println!("UDP: {returned} of {wanted} datagrams came back");
        }
        Ok(())
    }

    fn settled(&self) -> u32 {
        self.returned + self.lost
    }

    fn done(&self) -> bool {
        self.settled() >= self.wanted
    }
}
