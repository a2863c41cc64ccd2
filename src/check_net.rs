//! `checkNet`, as QuecPython's examples use it: wait until the network is
//! ready, and say where it stands if it is not.

use core::cell::Cell;
use core::fmt;

use crate::{
    engine::{ModuleInfo, SIM_READY},
    socket::Error,
    stack::{Port, Stack},
};

/// `checkNet.CheckNetwork(project, version)`.
///
/// The stages, as [`wait_network_connected`](Self::wait_network_connected)
/// returns them with a code:
///
/// | stage | code |
/// |---|---|
/// | 1 SIM | 0 absent, 2 PIN, 3 PUK, 8 PIN2, 9 PUK2, 10 locked, 18 busy, 20 wrong, 21 unknown |
/// | 2 registration | -1 unknown, else 3GPP's number: 0 idle, 2 searching, 3 denied, 4 unknown, … |
/// | 3 PDP context | 1 ready, 0 not active |
#[derive(Debug)]
pub struct CheckNetwork<'s, 'a, P: Port> {
    stack: &'s Stack<'a, P>,
    project: &'s str,
    version: &'s str,
    printed: Cell<bool>,
}

/// How long `poweron_print_once` waits for the module to say who it is.
const IDENTIFY_MS: u64 = 5_000;

impl<'s, 'a, P: Port> CheckNetwork<'s, 'a, P> {
    /// For a project of this name and version.
    pub const fn new(stack: &'s Stack<'a, P>, project: &'s str, version: &'s str) -> Self {
        Self {
            stack,
            project,
            version,
            printed: Cell::new(false),
        }
    }

    /// Writes name, version, the module's firmware and the SIM's status,
    /// once; later calls write nothing. Waits up to 5 s for the module. The
    /// power-on reason is 0, unknown: no AT command tells it.
    ///
    /// # Errors
    /// `fmt::Error` of `out`, or if called from inside another call on the
    /// stack.
    pub fn poweron_print_once(&self, out: &mut impl fmt::Write) -> fmt::Result {
        if self.printed.replace(true) {
            return Ok(());
        }
        let stack = self.stack;
        let known = || {
            let core = stack.core();
            core.is_ok_and(|core| {
                core.engine.network().sim() == SIM_READY || core.engine.fault().is_some()
            })
        };
        stack
            .poll_until(IDENTIFY_MS, known)
            .map_err(|_| fmt::Error)?;
        let core = stack.core().map_err(|_| fmt::Error)?;
        let network = core.engine.network();
        let ModuleInfo { model, revision } = network.info();
        let line = "==================================================";
        writeln!(out, "{line}")?;
        writeln!(out, "PROJECT_NAME     : {}", self.project)?;
        writeln!(out, "PROJECT_VERSION  : {}", self.version)?;
        writeln!(out, "MODULE           : {model}")?;
        writeln!(out, "FIRMWARE_VERSION : {revision}")?;
        writeln!(out, "POWERON_REASON   : 0")?;
        writeln!(out, "SIM_CARD_STATUS  : {}", network.sim())?;
        writeln!(out, "{line}")
    }

    /// Waits until the PDP context is active, `timeout` seconds at the most,
    /// and returns (stage, code): (3, 1) is success. A SIM that is absent,
    /// locked or asks for a code is reported at once.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless `timeout` is 1 to 3600,
    /// [`Error::Busy`].
    pub fn wait_network_connected(&self, timeout: u16) -> Result<(u8, i8), Error> {
        if !(1..=3600).contains(&timeout) {
            return Err(Error::InvalidArgument);
        }
        let stack = self.stack;
        let decided = || stack.core().is_ok_and(|core| core.engine.is_decided());
        stack.poll_until(u64::from(timeout) * 1_000, decided)?;
        Ok(stack.core()?.engine.stage())
    }
}
