//! Writes the seed corpus of the target `simulator`: what the hosts in the tests of the simulated
//! module send, a file for each test. `cargo run --bin seeds`, in this directory.

use std::path::Path;
use std::{fs, io};

/// Two milliseconds, half a second, half a minute.
const SHORT: u8 = 0x8b;
const LONGER: u8 = 0x93;
const LONG: u8 = 0x99;

fn main() -> io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = here.join("corpus/simulator");
    fs::create_dir_all(&corpus)?;
    for test in [
        "at",
        "link",
        "listener",
        "push",
        "qicfg",
        "states",
        "transcripts",
        "transcripts_sockets",
        "transparent",
        "udp",
    ] {
        let text = fs::read_to_string(here.join(format!("../hil/sim/tests/{test}.rs")))?;
        for function in text.split("#[test]").skip(1) {
            let name = function
                .split("fn ")
                .nth(1)
                .and_then(|rest| rest.split('(').next());
            let said = host(function);
            if let (Some(name), false) = (name, said.is_empty()) {
                let seed = [&[0, 0][..], &said, &[LONG]].concat();
                fs::write(corpus.join(format!("{test}-{name}")), seed)?;
            }
        }
    }
    Ok(())
}

/// The command lines among the string literals of a test, with time between them.
fn host(function: &str) -> Vec<u8> {
    let mut said = Vec::new();
    for literal in literals(function) {
        let echoed = literal
            .windows(2)
            .any(|pair| pair == b"\r\r" || pair == b"\r\n");
        if literal.is_ascii() && literal.starts_with(b"AT") && literal.ends_with(b"\r") && !echoed {
            said.extend(&literal);
            said.push(SHORT);
            said.push(LONGER);
        }
    }
    said
}

/// The string literals of Rust source, unescaped.
fn literals(source: &str) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut rest = source.bytes();
    while rest.by_ref().any(|byte| byte == b'"') {
        let mut literal = Vec::new();
        while let Some(byte) = rest.next() {
            match byte {
                b'"' => break,
                b'\\' => match rest.next() {
                    Some(b'r') => literal.push(b'\r'),
                    Some(b'n') => literal.push(b'\n'),
                    Some(b'x') => {
                        let hex: String = rest.by_ref().take(2).map(char::from).collect();
                        literal.push(u8::from_str_radix(&hex, 16).unwrap_or(0));
                    }
                    Some(other) => literal.push(other),
                    None => break,
                },
                other => literal.push(other),
            }
        }
        all.push(literal);
    }
    all
}
