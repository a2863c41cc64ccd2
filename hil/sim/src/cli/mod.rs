//! The command line: what can be asked for, and what the program says.

mod args;
mod client;
mod control;
mod endpoint;
mod link;
mod lists;
mod pty;
mod say;
mod serve;
mod show;
mod stdio;
mod stop;
mod tcp;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use quectel_sim::{Fault, Sim};

use client::Client;

/// A simulated Quectel cellular module.
///
/// It takes AT commands, and the sockets they open lead to the real network.
#[derive(Parser)]
#[command(name = "quectel-sim", version, after_help = AFTER)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve one module, until Ctrl-C
    #[command(long_about = SERVE, after_help = SERVE_EXAMPLES, after_long_help = serve_help())]
    Serve(Box<args::Serve>),
    /// Send control lines to a module that is being served
    #[command(long_about = CONTROL, after_help = CONTROL_EXAMPLES, after_long_help = control_help())]
    Control(Client),
    /// List the AT commands: implemented, accepted only, or missing
    #[command(after_help = COMMANDS_EXAMPLES)]
    Commands(lists::Commands),
    /// List the module families, and in which switches they differ from an EC25
    #[command(after_help = FAMILIES_EXAMPLES)]
    Families(lists::Families),
    /// List the switches: behaviours that differ between modules
    #[command(after_help = SWITCHES_EXAMPLES)]
    Switches,
    /// List what can be made to go wrong
    #[command(after_help = FAULTS_EXAMPLES)]
    Faults,
}

const AFTER: &str = "\
Exit status: 0 done, or ended by Ctrl-C, a signal or the end of the input;
1 failed, or a control line was refused; 2 wrong arguments.

Examples:
  quectel-sim serve --tcp 127.0.0.1:7000     a module behind a TCP port
  quectel-sim serve --pty /tmp/module        a module behind a serial port
  quectel-sim serve --help                   all options
  quectel-sim commands --family BG95         what it can do";

const SERVE: &str = "Serve one module, until Ctrl-C.

When it can be used, one line that begins with 'ready' is printed to standard
output, or with --stdio to standard error; before it 'control' and 'forward'
lines with the addresses, if there are such. Unless --boot says otherwise, the
module has been running for a while then: it is registered, its echo is on, and
no PDP context is active but those that its family activates by itself.

The serial line has the speed of --baud in both directions, whatever speed a
program sets on the pseudo-terminal. A program that goes away and one that comes
find the module as it is: sockets, settings, a half-sent command.

What the module sends while nobody is connected to the TCP port is lost. A
connected program that does not read stops the module's output, as with RTS/CTS;
with more than 64 KiB waiting the module stops listening to it as well; what
exceeds 4 MiB is lost. Behind a pseudo-terminal there is always a reader: what
one program has not read the next one finds, unless it flushes its input.

A link that is in use is refused, and one that a killed process left behind is
replaced: a hidden file beside it, .LINK.lock, tells which process holds it.";

const SERVE_EXAMPLES: &str = "\
Exit status: 0 ended by Ctrl-C, a signal or the end of the input, 1 failed,
2 wrong arguments.

Examples:
  quectel-sim serve --tcp 127.0.0.1:7000
  quectel-sim serve --tcp 127.0.0.1:0 --trace
  quectel-sim serve --pty /tmp/module --baud 921600
  quectel-sim serve --pty /tmp/module --control /tmp/module.control
  printf 'ATI\\r' | quectel-sim serve --stdio --family BG95
  quectel-sim serve --pty /tmp/module --name server.test=127.0.0.1
  quectel-sim serve --tcp 127.0.0.1:7000 --forward tcp:127.0.0.1:8080=80
  quectel-sim serve --tcp 127.0.0.1:7000 --pcap packets.pcap
  quectel-sim serve --tcp 127.0.0.1:7000 --delay 300ms --loss 2% --rate 8k
  quectel-sim serve --tcp 127.0.0.1:7000 --boot cold --sim-card absent
  quectel-sim serve --tcp 127.0.0.1:7000 --switch closed-urc=after-drain
  quectel-sim serve --tcp 127.0.0.1:7000 --fault send-fail:3 --fault reset:60s
  quectel-sim serve --tcp 127.0.0.1:7000 \\
      --fault 'urc:before-prompt:+QISEND:\"+CEREG: 1\":always'

To talk to it by hand:
  socat -,rawer,escape=0x1d TCP:127.0.0.1:7000   Ctrl-] ends it
  picocom /tmp/module";

const CONTROL: &str = "Send control lines to a module that is being served.

With a COMMAND: sends it and prints the answer. Without: sends each line of
standard input.

A program can talk to the control port by itself. It sends lines of up to 1024
bytes. The answer to each is a line 'ok' or 'error', with a blank and a text
behind it if there is something to say, perhaps more lines, and an empty line at
the end. Up to 16 programs can be connected. Neither a wrong line nor a program
that goes away disturbs the module.";

const CONTROL_EXAMPLES: &str = "\
Exit status: 0 done, 1 refused or no connection, 2 wrong arguments.

Examples:
  quectel-sim control 127.0.0.1:7001 fault send-fail
  quectel-sim control /tmp/module.control reset press
  quectel-sim control /tmp/module.control pdp drop 1
  quectel-sim control /tmp/module.control < lines.txt";

const COMMANDS_EXAMPLES: &str = "\
Examples:
  quectel-sim commands
  quectel-sim commands --family BC660K
  quectel-sim commands --all-families
  quectel-sim commands --all-families --format tsv | grep -w missing";

const FAMILIES_EXAMPLES: &str = "\
Examples:
  quectel-sim families
  quectel-sim families EC200U";

const SWITCHES_EXAMPLES: &str = "\
Examples:
  quectel-sim switches
  quectel-sim serve --pty /tmp/module --switch closed-urc=after-drain";

const FAULTS_EXAMPLES: &str = "\
Examples:
  quectel-sim faults
  quectel-sim serve --pty /tmp/module --fault drop:answer:+QIRD:10
  quectel-sim control /tmp/module.control fault send-fail:2";

fn serve_help() -> String {
    format!("{SERVE_EXAMPLES}\n\nFaults:\n{}", Fault::help())
}

fn control_help() -> String {
    format!(
        "{CONTROL_EXAMPLES}\n\nControl lines:\n{}",
        Sim::control_help()
    )
}

pub(crate) fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::serve(&args).map(|()| true),
        Command::Control(client) => client.run(),
        Command::Commands(args) => say::out(&args.list()).map(|()| true),
        Command::Families(args) => say::out(&args.list()).map(|()| true),
        Command::Switches => say::out(&lists::switches()).map(|()| true),
        Command::Faults => say::out(&lists::faults()).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            say::warn(&format!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}
