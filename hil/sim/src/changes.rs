//! What changes while a simulation runs: the card, the network, the link; and the record of packets.

use std::io::Write;

use crate::config::SimCard;
use crate::faults::Faults;
use crate::module::Module;
use crate::net::Link;
use crate::sim::Sim;

impl Sim {
    /// Takes the SIM card out and puts another, or the same in another state, or none, in.
    pub fn set_sim_card(&mut self, card: SimCard) {
        self.change(|module| module.change_sim_card(card));
    }

    /// Changes the registration: 1 home, 2 searching, 3 denied, 5 roaming.
    ///
    /// PDP contexts stay as they are; nothing passes while the module is not registered.
    pub fn set_registration(&mut self, state: u8) {
        self.change(|module| module.set_registration(state));
    }

    /// What `AT+CSQ` answers from now on: signal strength, 0 to 31 or 99, and bit error rate, 0 to 7
    /// or 99.
    pub fn set_signal(&mut self, rssi: u8, ber: u8) {
        self.change(|module| (module.cellular.rssi, module.cellular.ber) = (rssi, ber));
    }

    /// The network takes a PDP context away, as [`Incident::PdpDeact`](crate::Incident::PdpDeact) does. False if it is not active.
    pub fn drop_context(&mut self, context: u8) -> bool {
        let mut active = false;
        self.change(|module| active = module.pdpdeact(context));
        active
    }

    /// The network takes all PDP contexts away.
    pub fn drop_contexts(&mut self) {
        self.change(Module::pdpdeact_all);
    }

    /// Lets the network refuse contexts with this APN from now on, or allow them again.
    pub fn set_apn_refused(&mut self, apn: &str, refused: bool) {
        let denied = &mut self.module.cellular.denied_apns;
        denied.retain(|one| one != apn);
        if refused {
            denied.push(apn.to_owned());
        }
    }

    /// Changes the radio link from now on; what is on its way stays so.
    pub fn set_link(&mut self, link: Link) {
        *self.link_mut() = link;
    }

    /// The radio link, to be changed from now on.
    pub fn link_mut(&mut self) -> &mut Link {
        self.module.net.link_mut()
    }

    /// Writes every IP packet that leaves the module or reaches it to `out` from now on, in the pcap
    /// format that Wireshark, tshark and tcpdump read. Times are those of the simulation, since 1970.
    ///
    /// # Errors
    /// If the head of the file cannot be written. See [`Sim::capture_failure`] for what comes later.
    pub fn capture(&mut self, out: impl Write + Send + 'static) -> std::io::Result<()> {
        self.module.net.set_capture(Box::new(out))
    }

    /// Ends the capture: `out` is flushed and dropped.
    pub fn end_capture(&mut self) {
        self.module.net.end_capture();
    }

    /// What went wrong with the capture; nothing was written since then.
    pub fn capture_failure(&self) -> Option<&std::io::Error> {
        self.module.net.capture_failure()
    }

    /// Forgets all faults that have not happened yet. Switches and the URC port stay as they were set.
    pub fn clear_faults(&mut self) {
        let mute_until = self.module.faults.mute_until;
        self.module.faults = Faults::default();
        self.module.faults.mute_until = mute_until;
        self.to_module.clear_faults();
        self.to_host.clear_faults();
        self.next = None;
    }
}
