//! Tests a driver that knows nothing of the simulated module.
//!
//! `cargo run -p quectel-sim --features embedded-io --example test_a_driver` shows the dialogue;
//! `cargo test -p quectel-sim --features embedded-io --example test_a_driver` runs the tests below.

use quectel_sim::{Echo, Sim, Uart};

/// A driver for any serial port, as small as can be. Yours stands here instead.
mod driver {
    use embedded_io::{Read, ReadExactError, Write};

    #[derive(Debug, PartialEq, Eq)]
    pub(super) enum Error<E> {
        /// The serial port failed.
        Port(E),
        /// The module said no.
        Refused,
        /// No connection, and the module's number for why.
        Open(u16),
        /// The module restarted.
        Restarted,
    }

    impl<E> From<ReadExactError<E>> for Error<E> {
        fn from(error: ReadExactError<E>) -> Self {
            match error {
                ReadExactError::Other(error) => Error::Port(error),
                ReadExactError::UnexpectedEof => Error::Refused,
            }
        }
    }

    pub(super) struct Driver<P> {
        port: P,
    }

    impl<P: Read + Write> Driver<P> {
        /// Turns the echoes off and activates context 1.
        pub(super) fn new(port: P) -> Result<Self, Error<P::Error>> {
            let mut driver = Driver { port };
            for command in ["ATE0", "AT+QISDE=0", "AT+QIACT=1"] {
                driver.write(format!("{command}\r").as_bytes())?;
                driver.until("OK")?;
            }
            Ok(driver)
        }

        /// Opens a TCP connection on connect id 0.
        pub(super) fn connect(&mut self, host: &str, port: u16) -> Result<(), Error<P::Error>> {
            self.write(format!("AT+QIOPEN=1,0,\"TCP\",\"{host}\",{port},0,0\r").as_bytes())?;
            match self.until("+QIOPEN: 0,")?.parse() {
                Ok(0) => Ok(()),
                Ok(number) => Err(Error::Open(number)),
                Err(_) => Err(Error::Refused),
            }
        }

        /// Sends up to 1460 bytes.
        pub(super) fn send(&mut self, data: &[u8]) -> Result<(), Error<P::Error>> {
            self.write(format!("AT+QISEND=0,{}\r", data.len()).as_bytes())?;
            let mut prompt = [0; 4];
            self.port.read_exact(&mut prompt)?;
            self.write(data)?;
            self.until("SEND OK").map(drop)
        }

        /// Reads up to 1500 bytes of what has come.
        pub(super) fn receive(&mut self) -> Result<Vec<u8>, Error<P::Error>> {
            self.write(b"AT+QIRD=0,1500\r")?;
            let n = self.until("+QIRD: ")?.parse();
            let mut data = vec![0; n.map_err(|_| Error::Refused)?];
            self.port.read_exact(&mut data)?;
            self.until("OK")?;
            Ok(data)
        }

        fn write(&mut self, bytes: &[u8]) -> Result<(), Error<P::Error>> {
            self.port.write_all(bytes).map_err(Error::Port)
        }

        /// Reads lines until one begins like this, and gives its rest.
        fn until(&mut self, start: &str) -> Result<String, Error<P::Error>> {
            let mut line = Vec::new();
            loop {
                let mut byte = [0];
                self.port.read_exact(&mut byte)?;
                if byte != *b"\n" {
                    line.extend(byte);
                    continue;
                }
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                match text.as_str() {
                    "RDY" => return Err(Error::Restarted),
                    "ERROR" | "SEND FAIL" => return Err(Error::Refused),
                    text => {
                        if let Some(rest) = text.strip_prefix(start) {
                            return Ok(rest.into());
                        }
                    }
                }
            }
        }
    }
}

/// A module whose network has an echo server.
fn module() -> quectel_sim::Builder {
    Sim::builder().serve("192.0.2.7:7".parse().expect("an address"), || Echo)
}

/// What all tests do: sends something, and reads it back.
fn echo(port: &Uart, data: &[u8]) -> Result<Vec<u8>, driver::Error<quectel_sim::Stuck>> {
    let mut driver = driver::Driver::new(port.clone())?;
    driver.connect("192.0.2.7", 7)?;
    driver.send(data)?;
    let mut got = Vec::new();
    while got.len() < data.len() {
        got.extend(driver.receive()?);
    }
    Ok(got)
}

fn main() {
    let port = Uart::new(module().build());
    let got = echo(&port, b"hello").expect("an echo");
    println!("{}", port.with(|sim| sim.transcript()));
    println!("received: {}", got.escape_ascii());
}

#[cfg(test)]
mod tests {
    use super::driver::Error;
    use super::*;
    use quectel_sim::Stuck;

    #[test]
    fn the_driver_does_what_it_is_for() {
        let port = Uart::new(module().build());
        assert_eq!(echo(&port, b"hello").unwrap(), b"hello");
    }

    #[test]
    fn it_speaks_as_planned() {
        let port = Uart::new(module().build());
        echo(&port, b"hello").unwrap();
        let mut said = port.with(|sim| sim.transcript());
        said.expect_command("ATE0");
        said.expect_answer("ATE0\r\r\nOK\r\n");
        said.expect_command("AT+QISDE=0");
        said.skip_to_command("AT+QISEND=0,5");
        let prompt = said.expect_answer("\r\n> ");
        let payload = said.expect_payload("hello");
        // Four characters at 115200 baud.
        assert_eq!(payload - prompt, 348);
        said.expect_answer("\r\nSEND OK\r\n");
        // It knows the length, so it never needs the other form.
        said.expect_no_command("AT+QISEND=0\r");
    }

    #[test]
    fn payload_that_looks_like_an_answer() {
        let port = Uart::new(module().build());
        let data = b"\r\nOK\r\n\r\nERROR\r\n\r\nRDY\r\n";
        assert_eq!(echo(&port, data).unwrap(), data);
    }

    #[test]
    fn a_slow_line_and_a_slow_network() {
        let mut sim = module().baud(9_600).latency_us(300_000).build();
        sim.link_mut().delay_us = 2_000_000;
        let port = Uart::new(sim);
        assert_eq!(echo(&port, &[0x1a; 1_460]).unwrap(), [0x1a; 1_460]);
        let took = port.now_us();
        assert!((4_000_000..60_000_000).contains(&took), "{took}");
    }

    #[test]
    fn a_refused_send() {
        let port = Uart::new(module().fault("send-fail".parse().unwrap()).build());
        assert_eq!(echo(&port, b"hello"), Err(Error::Refused));
    }

    #[test]
    fn a_restart_in_the_middle_of_a_connection() {
        let fault = "reset:payload:3".parse().unwrap();
        let port = Uart::new(module().fault(fault).build());
        assert_eq!(echo(&port, b"hello"), Err(Error::Restarted));
    }

    #[test]
    fn an_answer_that_never_comes_is_noticed() {
        let fault = "ignore:+QIACT".parse().unwrap();
        let port = Uart::new(module().fault(fault).build());
        assert_eq!(echo(&port, b"hello"), Err(Error::Port(Stuck)));
        port.with(|sim| sim.transcript())
            .skip_to_command("AT+QIACT=1");
    }
}
