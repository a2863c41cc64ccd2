//! The command line: what can be asked for, and what the program says.

mod endpoint;
mod pty;
mod serve;
mod stop;
mod tcp;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use quectel_sim::{Config, Fault, Internet, Profile, SimCard};

/// A simulated Quectel cellular module.
///
/// It takes AT commands, and the sockets they open lead to the real network.
#[derive(Parser)]
#[command(
    name = "quectel-sim",
    version,
    after_help = "Exit status: 0 ended by Ctrl-C or a signal, 1 failed, 2 wrong arguments.\n\n\
    Examples:\n  \
    quectel-sim serve --tcp 127.0.0.1:7000     a module behind a TCP port\n  \
    quectel-sim serve --pty /tmp/module        a module behind a serial port\n  \
    quectel-sim serve --help                   all options and all faults"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve one module, until Ctrl-C
    #[command(long_about = ABOUT, after_help = EXAMPLES, after_long_help = long_help())]
    Serve(Serve),
}

const ABOUT: &str = "Serve one module, until Ctrl-C.

When it can be used, one line that begins with 'ready' is printed to standard
output. The module has been running for a while then: it is registered, its
echo is on, its PDP contexts are not active.

The serial line has the speed of --baud in both directions, whatever speed a
program sets on the pseudo-terminal. A program that goes away and one that comes
find the module as it is: sockets, settings, a half-sent command.

What the module sends while nobody is connected to the TCP port is lost. A
connected program that does not read stops the module's output, as with RTS/CTS;
with more than 64 KiB waiting the module stops listening to it as well; what
exceeds 4 MiB is lost. Behind a pseudo-terminal there is always a reader: what
one program has not read the next one finds, unless it flushes its input.";

const EXAMPLES: &str = "\
Examples:
  quectel-sim serve --tcp 127.0.0.1:7000
  quectel-sim serve --tcp 127.0.0.1:0 --trace
  quectel-sim serve --pty /tmp/module --baud 921600
  quectel-sim serve --pty /tmp/module --name server.test=127.0.0.1
  quectel-sim serve --tcp 127.0.0.1:7000 --sim-card absent
  quectel-sim serve --tcp 127.0.0.1:7000 --fault send-fail:3 --fault reset:60s
  quectel-sim serve --tcp 127.0.0.1:7000 --fault stall:answer:+QIRD:100:6s
  quectel-sim serve --tcp 127.0.0.1:7000 \\
      --fault 'urc:before-prompt:+QISEND:\"+CEREG: 1\":always'

To talk to it by hand:
  socat -,rawer,escape=0x1d TCP:127.0.0.1:7000   Ctrl-] ends it
  picocom /tmp/module";

fn long_help() -> String {
    format!("{EXAMPLES}\n\nFaults:\n{}", Fault::help())
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    endpoint: Endpoint,
    /// The module family
    #[arg(long, value_enum, ignore_case = true, default_value = "EC25")]
    family: Family,
    /// Speed of the serial line, in bits a second
    #[arg(long, value_name = "N", default_value_t = 115_200, value_parser = clap::value_parser!(u32).range(300..=10_000_000))]
    baud: u32,
    /// From the end of a command to the beginning of its answer
    #[arg(long, value_name = "MS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=60_000))]
    latency_ms: u16,
    /// Decides everything that is left to chance
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Show the AT dialogue on standard error: >> to the module, << from it,
    /// with the time in microseconds
    #[arg(long)]
    trace: bool,
    /// Let something go wrong, NAME:ARGUMENT...; can be given several times;
    /// --help lists all faults
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// Let the module's name server know an address, beside those that this PC
    /// knows; can be given several times
    #[arg(long, value_name = "HOST=ADDR", value_parser = name)]
    name: Vec<(String, Ipv4Addr)>,
    /// The SIM card; pin: locked with 1234
    #[arg(long, value_enum, default_value = "ready")]
    sim_card: Card,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Endpoint {
    /// Listen on a TCP port; port 0 is any free one
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    tcp: Option<SocketAddr>,
    /// Make a pseudo-terminal, and a link to it
    #[arg(long, value_name = "LINK")]
    pty: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Family {
    #[value(name = "EC25")]
    Ec25,
    #[value(name = "BG96")]
    Bg96,
}

#[derive(Clone, Copy, ValueEnum)]
enum Card {
    Ready,
    Absent,
    Pin,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let text = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    text.parse()
        .map_err(|_| "an IP address and a port is wanted, such as 127.0.0.1:7000".into())
}

fn name(text: &str) -> Result<(String, Ipv4Addr), String> {
    let (host, address) = text
        .split_once('=')
        .filter(|(host, _)| !host.is_empty())
        .ok_or("a name and its address is wanted, such as server.test=127.0.0.1")?;
    let address = address
        .parse()
        .map_err(|_| format!("'{address}' is not an IPv4 address, such as 127.0.0.1"))?;
    Ok((host.into(), address))
}

impl Serve {
    fn config(&self) -> Config {
        Config {
            seed: self.seed,
            baud: self.baud,
            latency_us: u64::from(self.latency_ms) * 1_000,
            // As a serial port of a PC has. Also what arrives while this program does not run.
            transmit_fifo: 4_096,
            trace: self.trace,
            profile: match self.family {
                Family::Ec25 => Profile::ec25(),
                Family::Bg96 => Profile::bg96(),
            },
            sim_card: match self.sim_card {
                Card::Ready => SimCard::Ready,
                Card::Absent => SimCard::Absent,
                Card::Pin => SimCard::Pin("1234".into()),
            },
            internet: Internet::Real,
            ..Config::default()
        }
    }
}

pub(crate) fn main() -> ExitCode {
    let Command::Serve(args) = Cli::parse().command;
    match serve::serve(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
