//! What the tests share.
#![allow(dead_code, unreachable_pub)]

use std::fs::File;

use quectel_port::{PcPort, Settings};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A pseudo-terminal; the master is the module's side.
pub struct Pty {
    pub master: File,
    pub path: String,
}

impl Pty {
    pub fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        Self {
            master: master.into(),
            path: path.into_string().unwrap(),
        }
    }

    pub fn open(&self) -> PcPort {
        PcPort::open(&self.path, &Settings::default()).unwrap()
    }
}

/// 0 to 255: CR, LF, XON, XOFF, the interrupt character and all others.
pub fn every_byte() -> [u8; 256] {
    std::array::from_fn(|i| i as u8)
}
