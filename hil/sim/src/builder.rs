//! A simulation put together step by step, for tests: all of [`Config`] and what is done to a [`Sim`]
//! before it runs.

use std::net::{IpAddr, SocketAddr};

use crate::config::{Boot, Cellular, Config, SimCard};
use crate::fault::Fault;
use crate::net::{Link, Peer, UdpPeer, Unbound};
use crate::profile::Profile;
use crate::sim::Sim;

type Step = Box<dyn FnOnce(&mut Sim)>;

/// Puts a [`Sim`] together; made by [`Sim::builder`].
///
/// What is not said is as in [`Config::default`], but the dialogue is recorded: a test wants to see it.
///
/// ```
/// use quectel_sim::{Boot, Echo, Profile, Sim};
///
/// let mut sim = Sim::builder()
///     .family(Profile::bg96())
///     .baud(921_600)
///     .latency_us(10_000)
///     .boot(Boot::Cold)
///     .serve("192.0.2.7:7".parse().unwrap(), || Echo)
///     .name("echo.test", &["192.0.2.7".parse().unwrap()])
///     .fault("send-fail:2".parse().unwrap())
///     .build();
/// sim.run_for(5_900_000);
/// assert_eq!(sim.read_all(), b"\r\nRDY\r\n\r\n+CFUN: 1\r\n");
/// ```
#[must_use = "nothing is simulated before `build`"]
pub struct Builder {
    config: Config,
    steps: Vec<Step>,
}

impl Builder {
    pub(crate) fn new() -> Builder {
        Builder {
            config: Config {
                trace: true,
                ..Config::default()
            },
            steps: Vec::new(),
        }
    }

    fn set(mut self, set: impl FnOnce(&mut Config)) -> Builder {
        set(&mut self.config);
        self
    }

    fn then(mut self, step: impl FnOnce(&mut Sim) + 'static) -> Builder {
        self.steps.push(Box::new(step));
        self
    }

    /// The module family, with all its switches.
    pub fn family(self, family: Profile) -> Builder {
        self.set(|config| config.profile = family)
    }

    /// Bits a second, both ways; a byte is ten bits.
    pub fn baud(self, baud: u32) -> Builder {
        self.set(|config| config.baud = baud)
    }

    /// From the end of a command to the first byte of its answer, in µs.
    pub fn latency_us(self, us: u64) -> Builder {
        self.set(|config| config.latency_us = us)
    }

    /// Decides everything that is left to chance.
    pub fn seed(self, seed: u64) -> Builder {
        self.set(|config| config.seed = seed)
    }

    /// Whether the module runs at the beginning.
    pub fn boot(self, boot: Boot) -> Builder {
        self.set(|config| config.boot = boot)
    }

    /// Size of the host's transmit FIFO in bytes.
    pub fn transmit_fifo(self, bytes: usize) -> Builder {
        self.set(|config| config.transmit_fifo = bytes)
    }

    /// Whether the dialogue is recorded. A test that moves megabytes may do without.
    pub fn trace(self, trace: bool) -> Builder {
        self.set(|config| config.trace = trace)
    }

    /// The SIM card.
    pub fn sim_card(self, card: SimCard) -> Builder {
        self.set(|config| config.sim_card = card)
    }

    /// The air.
    pub fn cellular(self, cellular: Cellular) -> Builder {
        self.set(|config| config.cellular = cellular)
    }

    /// The radio link.
    pub fn link(self, link: Link) -> Builder {
        self.set(|config| config.link = link)
    }

    /// What happens to connections to addresses at which nothing is.
    pub fn unbound(self, unbound: Unbound) -> Builder {
        self.set(|config| config.unbound = unbound)
    }

    /// Puts a server at an address. `make` gives a peer for each connection.
    pub fn serve<P: Peer + 'static>(
        self,
        at: SocketAddr,
        make: impl FnMut() -> P + Send + 'static,
    ) -> Builder {
        self.then(move |sim| sim.serve(at, make))
    }

    /// Puts a UDP server at an address.
    pub fn serve_udp(self, at: SocketAddr, peer: impl UdpPeer + 'static) -> Builder {
        self.then(move |sim| sim.serve_udp(at, peer))
    }

    /// Tells the name server a name, for five minutes at a time.
    pub fn name(self, name: &str, addresses: &[IpAddr]) -> Builder {
        let (name, addresses) = (name.to_owned(), addresses.to_vec());
        self.then(move |sim| sim.set_name_addresses(&name, &addresses, 300))
    }

    /// Lets something go wrong, or behave as some modules do. Usually parsed from text: see [`Fault`].
    pub fn fault(self, fault: Fault) -> Builder {
        self.then(move |sim| sim.add_fault(fault))
    }

    /// The simulation, at time 0.
    pub fn build(self) -> Sim {
        let mut sim = Sim::new(self.config);
        for step in self.steps {
            step(&mut sim);
        }
        sim
    }
}
