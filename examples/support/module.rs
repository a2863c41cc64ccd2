//! The command-line options that say which module to use, and its port.

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use quectel_port::{FlowControl, PcPort, PortError, Settings};
use quectel_sim::{Fault, Sim, SimCard};
use quectel_sockets::{Apn, CheckNetwork, Config, Family, Port, PortName, Stack, TextError};

use super::{
    live::LiveModule,
    told::{no_network, told},
    trace::Traced,
};

/// Which module to use.
#[derive(clap::Args)]
pub struct Module {
    /// Serial port of the module: a device path or tcp:HOST:PORT; none: a
    /// simulated module in this process
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    /// Bits per second on a serial device
    #[arg(long, value_name = "N", default_value_t = 115_200)]
    baud: u32,
    /// RTS/CTS flow control on a serial device
    #[arg(long)]
    rtscts: bool,
    /// Access point name of the network
    #[arg(long, value_name = "NAME", default_value = "")]
    apn: String,
    /// Port of the module that URCs go to, uart1 for example; written to its
    /// flash if it differs
    #[arg(long, value_name = "NAME")]
    urc_port: Option<String>,
    /// Let something go wrong in the simulated module, NAME:ARGUMENT..., one of
    /// `quectel-sim faults`; can be given several times
    #[arg(long, value_name = "FAULT", conflicts_with = "port")]
    fault: Vec<Fault>,
    /// Show the AT dialogue on standard error
    #[arg(long)]
    pub trace: bool,
    /// Seconds to wait for the network
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub network_timeout: u16,
}

/// The simulated module's stack leaves TIME_WAIT after 10 s.
static SIMULATED: Family = Family::EC25.with_time_wait(10_000);

impl Module {
    /// The library's settings; wrong texts are named before anything is sent.
    pub fn config(&self) -> Result<Config<'_>, String> {
        let wrong = |what: &str, text: &str, error: TextError| {
            format!("{what} {}: {error}", text.escape_debug())
        };
        let port = |name| PortName::new(name).map_err(|error| wrong("URC port", name, error));
        Ok(Config {
            family: if self.port.is_some() {
                &Family::EC25
            } else {
                &SIMULATED
            },
            apn: Apn::new(&self.apn).map_err(|error| wrong("APN", &self.apn, error))?,
            urc_port: self.urc_port.as_deref().map(port).transpose()?,
            seed: std::process::id(),
            ..Config::default()
        })
    }

    /// Opens the port, or starts a simulated module in the world that `world`
    /// builds around it.
    pub fn open(
        &self,
        card: SimCard,
        world: impl FnOnce(&mut Sim) -> Result<(), String>,
    ) -> Result<Traced<AnyPort>, String> {
        let port = match &self.port {
            Some(name) => {
                let settings = Settings {
                    baud: self.baud,
                    flow_control: if self.rtscts {
                        FlowControl::RtsCts
                    } else {
                        FlowControl::None
                    },
                    ..Settings::default()
                };
                let port = PcPort::open(name, &settings).map_err(|error| error.to_string())?;
                AnyPort::Device(port)
            }
            None => {
                let mut module = LiveModule::new(card);
                world(module.sim())?;
                for fault in &self.fault {
                    module.sim().add_fault(fault.clone());
                }
                AnyPort::Simulated(Box::new(module))
            }
        };
        Ok(Traced::new(port, self.trace))
    }

    /// Waits for the network.
    pub fn wait<P: Port>(&self, stack: &Stack<'_, P>) -> Result<(), String> {
        let network = CheckNetwork::new(stack, "rust_socket_example", env!("CARGO_PKG_VERSION"));
        let (stage, code) = network
            .wait_network_connected(self.network_timeout)
            .map_err(told("the network check failed", "run it again"))?;
        if (stage, code) == (3, 1) {
            Ok(())
        } else {
            Err(no_network(stage, code))
        }
    }
}

/// A port of this PC, or that of a simulated module.
pub enum AnyPort {
    Device(PcPort),
    Simulated(Box<LiveModule>),
}

/// A simulated module's port never fails.
fn infallible<T>(result: Result<T, std::convert::Infallible>) -> Result<T, PortError> {
    result.map_err(|never| match never {})
}

impl ErrorType for AnyPort {
    type Error = PortError;
}

impl Read for AnyPort {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, PortError> {
        match self {
            Self::Device(port) => port.read(buffer),
            Self::Simulated(module) => infallible(module.read(buffer)),
        }
    }
}

impl ReadReady for AnyPort {
    fn read_ready(&mut self) -> Result<bool, PortError> {
        match self {
            Self::Device(port) => port.read_ready(),
            Self::Simulated(module) => infallible(module.read_ready()),
        }
    }
}

impl Write for AnyPort {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, PortError> {
        match self {
            Self::Device(port) => port.write(bytes),
            Self::Simulated(module) => infallible(module.write(bytes)),
        }
    }

    fn flush(&mut self) -> Result<(), PortError> {
        match self {
            Self::Device(port) => port.flush(),
            Self::Simulated(module) => infallible(module.flush()),
        }
    }
}

impl WriteReady for AnyPort {
    fn write_ready(&mut self) -> Result<bool, PortError> {
        match self {
            Self::Device(port) => port.write_ready(),
            Self::Simulated(module) => infallible(module.write_ready()),
        }
    }
}

impl Port for AnyPort {
    fn now(&mut self) -> u64 {
        match self {
            Self::Device(port) => port.now(),
            Self::Simulated(module) => module.now(),
        }
    }

    fn idle_until(&mut self, at: u64) {
        match self {
            Self::Device(port) => port.idle_until(at),
            Self::Simulated(module) => module.idle_until(at),
        }
    }
}
