//! The capture of packets, compared byte by byte.

mod common;

use std::io::{Error, Result, Write};

use common::{File, Host, shown};
use quectel_sim::{Config, Sink};

#[test]
fn a_datagram_and_its_times() {
    let file = File::default();
    let mut host = Host::ready(Config::default());
    host.sim.capture(file.clone()).unwrap();
    let server = "192.0.2.7:7".parse().unwrap();
    host.sim.serve_udp(server, Sink);
    host.talk(
        "AT+QIOPEN=1,0,\"UDP\",\"192.0.2.7\",7,3030,0\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
    host.sim.run_until(2_000_000);
    host.sim.send_datagram(server, 3030, b"hi");
    host.sim.run_until(3_000_000);
    host.sim.end_capture();
    host.sim.send_datagram(server, 3030, b"not seen");
    host.sim.run_until(4_000_000);
    let head = b"\xD4\xC3\xB2\xA1\x02\x00\x04\x00\0\0\0\0\0\0\0\0\xFF\xFF\x00\x00\x65\x00\x00\x00";
    // 2.02 s, 30 bytes.
    let record = b"\x02\x00\x00\x00\x20\x4E\x00\x00\x1E\x00\x00\x00\x1E\x00\x00\x00";
    let packet =
        b"\x45\x00\x00\x1E\x00\x00\x40\x00\x40\x11\xD1\xBF\xC0\x00\x02\x07\x0A\x07\x9D\x01\
        \x00\x07\x0B\xD6\x00\x0A\x22\x84hi";
    let expected = [&head[..], record, packet].concat();
    assert_eq!(shown(&file.0.lock().unwrap()), shown(&expected));
}

struct Full;

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match bytes.len() {
            24 => Ok(24),
            _ => Err(Error::other("the disk is full")),
        }
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_that_cannot_be_written() {
    let mut host = Host::ready(Config::default());
    host.sim.capture(Full).unwrap();
    assert!(host.sim.capture_failure().is_none());
    host.sim
        .send_datagram("192.0.2.7:7".parse().unwrap(), 3030, b"hi");
    host.silence(1_000_000);
    let failure = host.sim.capture_failure().unwrap().to_string();
    assert_eq!(failure, "the disk is full");
}
