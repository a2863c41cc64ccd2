//! How outcomes are told: what was fetched; what failed, why, and what to do.

use std::{fs, path::Path, process::ExitCode};

use quectel_sockets::socket::Error;
use sha2::{Digest, Sha256};

/// One plain line: what failed, why, what to do.
pub fn told<'t>(what: &'t str, next: &'t str) -> impl Fn(Error) -> String + 't {
    move |error| format!("{what}: {error} (errno {}); {next}", error.errno())
}

pub fn no_network(stage: u8, code: i8) -> String {
    let (what, next) = match (stage, code) {
        (1, 0) => ("there is no SIM card", "insert one"),
        (1, 2 | 3 | 8 | 9) => ("the SIM card asks for a code", "switch its code off"),
        (1, 21) => (
            "the module has not answered, or not told of its SIM card",
            "check its power, the wires and the baud rate",
        ),
        (1, _) => (
            "the SIM card is not ready",
            "check it, and that the module is on",
        ),
        (2, 3) => ("the network refuses the registration", "check the contract"),
        (2, _) => (
            "not registered with a network",
            "check antenna and coverage",
        ),
        _ => ("the PDP context is not active", "check the APN"),
    };
    format!("no network (stage {stage}, code {code}): {what}; {next}")
}

/// The exit status: 0, or 1 with the reason on standard error.
pub fn exit(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The exit status of wrong arguments.
pub fn wrong(what: &str) -> ExitCode {
    eprintln!("error: {what}");
    ExitCode::from(2)
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes what was fetched to a file, if there is to be one.
pub fn store(file: Option<&Path>, bytes: &[u8]) -> Result<(), String> {
    let Some(file) = file else {
        return Ok(());
    };
    let shown = file.display();
    fs::write(file, bytes)
        .map_err(|error| format!("cannot write {shown}: {error}; choose another file"))?;
    println!("stored in {shown}");
    Ok(())
}
