//! UDP: sends datagrams to an echo server and checks what comes back, with
//! the address it comes from.
//!
//! Without `--server` it starts an echo server on this PC. Without `--port`
//! the module is a simulated one inside this process.

mod support;

use std::{
    net::{SocketAddr, UdpSocket},
    process::ExitCode,
    thread,
};

use clap::Parser;
use quectel_sim::SimCard;
use quectel_sockets::{
    Config, Port, Slot, Stack,
    socket::{AF_INET, Error, Protocol, SOCK_DGRAM},
};
use support::{
    module::Module,
    told::{exit, told, wrong},
};

/// Sends datagrams through a cellular module to an echo server.
#[derive(Parser)]
#[command(
    name = "udp_echo",
    version,
    after_help = "Exit status: 0 all came back, 1 failed, 2 wrong arguments.\n\n\
    Examples:\n  \
    udp_echo                                          a simulated module, a server of its own\n  \
    udp_echo --server 198.51.100.7:7 --count 100\n  \
    udp_echo --port /dev/ttyUSB2 --apn internet --server 198.51.100.7:7"
)]
struct Args {
    /// Address of the echo server, IP:PORT; none: one started by this program
    #[arg(long, value_name = "ADDRESS")]
    server: Option<SocketAddr>,
    /// Datagrams to send
    #[arg(long, value_name = "N", default_value_t = 10)]
    count: u32,
    /// Bytes of the longest, 1 to 1460
    #[arg(long, value_name = "N", default_value_t = 1_400, value_parser = clap::value_parser!(u16).range(1..=1_460))]
    size: u16,
    /// Seconds to wait for each answer
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    timeout: f32,
    #[command(flatten)]
    module: Module,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.module.port.is_some() && args.server.is_none() {
        return wrong("--port needs --server: a real module does not reach this program's own");
    }
    match args.module.config() {
        Ok(config) => exit(run(&args, config)),
        Err(what) => wrong(&what),
    }
}

/// Sends every datagram back; returns the address.
fn echo_server() -> std::io::Result<SocketAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..n], from);
        }
    });
    Ok(address)
}

fn run(args: &Args, config: Config<'_>) -> Result<(), String> {
    let server = match args.server {
        Some(server) => server,
        None => echo_server().map_err(|error| format!("no socket on 127.0.0.1: {error}"))?,
    };
    let port = args.module.open(SimCard::Ready, |_| Ok(()))?;
    echo(port, args, server, config)
}

fn echo(
    port: impl Port,
    args: &Args,
    server: SocketAddr,
    config: Config<'_>,
) -> Result<(), String> {
    // Room for the longest datagram and its header, both ways.
    let (mut rx, mut tx) = ([0; 2_048], [0; 2_048]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let stack = Stack::new(port, &mut slots, config);
    args.module.wait(&stack)?;
    let again = "run it again, or with --trace";
    let mut socket = stack
        .socket(AF_INET, SOCK_DGRAM, Protocol::DEFAULT)
        .map_err(told("no socket", again))?;
    println!("state {}", socket.getsocketsta());
    socket.bind(("", 0)).map_err(told("cannot bind", again))?;
    socket
        .settimeout(Some(args.timeout))
        .map_err(told("bad time-out", "choose another"))?;
    println!("state {}", socket.getsocketsta());
    if let Ok(local) = socket.getsockname() {
        println!("bound to {local}");
    }

    let mut lost = 0;
    for number in 0..args.count {
        // From 1 byte to the longest, each with other bytes.
        let longest = u32::from(args.size);
        let len = 1 + (longest - 1) * number / args.count.max(2).saturating_sub(1);
        let sent: Vec<u8> = (0..len).map(|at| (at + number) as u8).collect();
        socket
            .sendto(&sent, server)
            .map_err(told("not sent", again))?;
        let mut buffer = [0; 2_048];
        match socket.recvfrom(&mut buffer) {
            Ok((n, from)) => {
                println!("{n} bytes from {from}");
                if from != server || buffer[..n] != sent {
                    return Err(format!("datagram {number} came back changed; {again}"));
                }
            }
            // Datagrams may get lost on their way.
            Err(Error::TimedOut) => lost += 1,
            Err(error) => return Err(told("nothing received", again)(error)),
        }
    }
    socket.close().map_err(told("cannot close", again))?;
    println!("{} of {} came back", args.count - lost, args.count);
    if lost > 0 {
        return Err(format!("{lost} of {} were lost; {again}", args.count));
    }
    Ok(())
}
