//! Twelve sockets at once, as many as a module has: TCP and UDP to an echo
//! server, every byte compared.
//!
//! Without `--server` it starts echo servers on this PC. Without `--port` the
//! module is a simulated one inside this process.

mod support;

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use quectel_sim::SimCard;
use quectel_sockets::{
    Config, Port, Slot, Stack,
    socket::{AF_INET, Error, Protocol, SOCK_DGRAM, SOCK_STREAM, Socket},
};
use support::{
    echo::echo_servers,
    module::Module,
    told::{exit, told, wrong},
};

/// Moves data over twelve sockets of a cellular module at once.
#[derive(Parser)]
#[command(
    name = "multi_socket",
    version,
    after_help = "Exit status: 0 every byte came back, 1 failed, 2 wrong arguments.\n\n\
    Examples:\n  \
    multi_socket --bytes 20000\n  \
    multi_socket --port /dev/ttyUSB2 --apn internet --server 198.51.100.7:7 --udp 0"
)]
struct Args {
    /// Address of an echo server for TCP and UDP, IP:PORT; none: servers
    /// started by this program
    #[arg(long, value_name = "ADDRESS")]
    server: Option<SocketAddr>,
    /// TCP sockets
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=12))]
    tcp: u8,
    /// UDP sockets
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=12))]
    udp: u8,
    /// Bytes of each socket
    #[arg(long, value_name = "N", default_value_t = 8_000)]
    bytes: usize,
    /// Seconds without a byte after which the program gives up
    #[arg(long, value_name = "S", default_value_t = 60)]
    timeout: u16,
    #[command(flatten)]
    module: Module,
}

const SOCKETS: usize = 12;
/// Bytes of one datagram.
const DATAGRAM: usize = 1_000;

fn main() -> ExitCode {
    let args = Args::parse();
    if args.module.port.is_some() && args.server.is_none() {
        return wrong("--port needs --server: a real module does not reach this program's own");
    }
    if !(1..=SOCKETS).contains(&usize::from(args.tcp + args.udp)) {
        return wrong("--tcp and --udp: modules have 12 sockets in all; choose 1 to 12");
    }
    match args.module.config() {
        Ok(config) => exit(run(&args, config)),
        Err(what) => wrong(&what),
    }
}

fn run(args: &Args, config: Config<'_>) -> Result<(), String> {
    let servers = match args.server {
        Some(server) => (server, server),
        None => echo_servers().map_err(|error| format!("no socket on 127.0.0.1: {error}"))?,
    };
    let port = args.module.open(SimCard::Ready, |_| Ok(()))?;
    transfer(port, args, servers, config)
}

/// A socket and its bytes, which come back.
struct Flow<'s, 'a, P: Port> {
    socket: Socket<'s, 'a, P>,
    data: Vec<u8>,
    sent: usize,
    received: usize,
    datagrams: bool,
}

impl<P: Port> Flow<'_, '_, P> {
    /// Sends and receives what can be done at once; returns how many bytes
    /// came back.
    fn step(&mut self) -> Result<usize, String> {
        let again = "run it again, or with --trace";
        // A datagram follows when the one before has come back.
        let end = if self.datagrams {
            (self.received + DATAGRAM).min(self.data.len())
        } else {
            self.data.len()
        };
        if self.sent < end {
            match self.socket.send(&self.data[self.sent..end]) {
                Ok(n) => self.sent += n,
                Err(Error::WouldBlock) => {}
                Err(error) => return Err(told("not sent", again)(error)),
            }
        }
        let mut buffer = [0; 2_048];
        let n = match self.socket.recv(&mut buffer) {
            Ok(0) => return Err(format!("the server has closed; {again}")),
            Ok(n) => n,
            Err(Error::WouldBlock) => return Ok(0),
            Err(error) => return Err(told("not received", again)(error)),
        };
        if self.data.get(self.received..self.received + n) != Some(&buffer[..n]) {
            return Err(format!(
                "other bytes came back after {}; {again}",
                self.received
            ));
        }
        self.received += n;
        Ok(n)
    }
}

fn transfer(
    port: impl Port,
    args: &Args,
    (stream_server, datagram_server): (SocketAddr, SocketAddr),
    config: Config<'_>,
) -> Result<(), String> {
    let mut memory = [([0; 2_048], [0; 2_048]); SOCKETS];
    let mut slots = memory.each_mut().map(|(rx, tx)| Slot::new(rx, tx));
    let stack = Stack::new(port, &mut slots, config);
    args.module.wait(&stack)?;
    let again = "run it again, or with --trace";
    let mut flows = Vec::new();
    for number in 0..args.tcp + args.udp {
        let datagrams = number >= args.tcp;
        let (kind, server) = if datagrams {
            (SOCK_DGRAM, datagram_server)
        } else {
            (SOCK_STREAM, stream_server)
        };
        let mut socket = stack
            .socket(AF_INET, kind, Protocol::DEFAULT)
            .map_err(told("no socket", again))?;
        socket
            .settimeout(Some(f32::from(args.timeout)))
            .and_then(|()| socket.connect(server))
            .map_err(told("cannot connect", "check the server"))?;
        socket.setblocking(false);
        let data = (0..args.bytes).map(|at| (at * 7 + usize::from(number) * 31) as u8);
        flows.push(Flow {
            socket,
            data: data.collect(),
            sent: 0,
            received: 0,
            datagrams,
        });
    }
    println!("{} sockets are open", flows.len());

    let total = (args.bytes * flows.len()) as u64;
    let bar = if args.module.trace {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(total)
    };
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec}")
    {
        bar.set_style(style);
    }
    let mut waited_ms = 0;
    while bar.position() < total {
        let mut moved = 0;
        for flow in &mut flows {
            moved += flow.step()?;
        }
        bar.inc(moved as u64);
        waited_ms = if moved > 0 { 0 } else { waited_ms + 2 };
        if waited_ms > u32::from(args.timeout) * 1_000 {
            return Err(format!("nothing came for {} s; {again}", args.timeout));
        }
        stack
            .poll_until(2, || false)
            .map_err(told("the stack is busy", again))?;
    }
    bar.finish_and_clear();
    for flow in &mut flows {
        flow.socket.close().map_err(told("cannot close", again))?;
    }
    println!("{total} bytes came back unchanged");
    Ok(())
}
