//! `quectel-sim control`: control lines for a module that another process serves.

use std::io::{BufRead, BufReader, Read, Write, stdin};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use clap::Args;

use super::args::{Door, time};
use super::say::{out, warn};

#[derive(Args)]
pub(super) struct Client {
    /// What `serve` was given as --control, or has printed behind `control tcp`
    /// or `control unix`
    #[arg(value_name = "ADDR:PORT|PATH")]
    at: Door,
    /// The control line; without it, lines are read from standard input
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,
    /// How long to wait for the connection, and for each answer
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    timeout: Duration,
}

/// A connection to the control port.
struct Connection {
    answers: Box<dyn BufRead>,
    lines: Box<dyn Write>,
}

impl Client {
    /// False if the module has refused a line.
    pub(super) fn run(&self) -> Result<bool, String> {
        let mut connection = self.connect()?;
        if !self.command.is_empty() {
            return connection.ask(&self.command.join(" "));
        }
        let mut all_done = true;
        for line in stdin().lines() {
            let line = line.map_err(|error| format!("cannot read standard input: {error}"))?;
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                all_done &= connection.ask(line)?;
            }
        }
        Ok(all_done)
    }

    fn connect(&self) -> Result<Connection, String> {
        let (at, connection) = match &self.at {
            Door::Tcp(address) => (address.to_string(), self.tcp(*address)),
            Door::Unix(path) => (path.display().to_string(), self.unix(path)),
        };
        connection.map_err(|error| {
            format!(
                "no module at {at}: {error}; start one with \
                 `quectel-sim serve --pty LINK --control {at}`"
            )
        })
    }

    fn tcp(&self, address: std::net::SocketAddr) -> std::io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, self.timeout)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        Ok(Connection::new(stream.try_clone()?, stream))
    }

    fn unix(&self, path: &std::path::Path) -> std::io::Result<Connection> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        Ok(Connection::new(stream.try_clone()?, stream))
    }
}

impl Connection {
    fn new(answers: impl Read + 'static, lines: impl Write + 'static) -> Connection {
        Connection {
            answers: Box::new(BufReader::new(answers)),
            lines: Box::new(lines),
        }
    }

    /// Sends a line and prints the answer. False if it was refused.
    fn ask(&mut self, line: &str) -> Result<bool, String> {
        let lost = |error| format!("no answer: {error}");
        if line.contains('\n') {
            return Err("one line is wanted".into());
        }
        let sent = writeln!(self.lines, "{line}").and_then(|()| self.lines.flush());
        sent.map_err(lost)?;
        let mut answer = Vec::new();
        for line in self.answers.by_ref().lines() {
            match line.map_err(lost)? {
                line if line.is_empty() => return print(&answer),
                line => answer.push(line),
            }
        }
        Err("no answer: the module has ended".into())
    }
}

fn print(answer: &[String]) -> Result<bool, String> {
    let text = answer.join("\n");
    match text.split_once(|c: char| c.is_whitespace()) {
        None if text == "ok" => Ok(true),
        Some(("ok", text)) => {
            out(&format!("{text}\n"))?;
            Ok(true)
        }
        Some(("error", text)) => {
            warn(&format!("error: {text}"));
            Ok(false)
        }
        _ => Err(format!("'{text}' is no answer: is this a control port?")),
    }
}
