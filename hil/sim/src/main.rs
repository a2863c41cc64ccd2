//! The command `quectel-sim`: a simulated module for programs that talk to a serial port.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod cli;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("error: quectel-sim needs Unix: it serves pseudo-terminals and waits with poll");
    std::process::ExitCode::FAILURE
}
