//! What differs between modules, or is uncertain: the constants and switches of a module family.
//!
//! The default is an EC25. Where manuals and logs leave a question open, the default is what most
//! evidence points to, and the switch lets a test try the other answers.

mod choices;
mod families;

pub use choices::*;

use crate::commands::qicfg::OptionSet;
use crate::hardware::{Pins, Serial};
use crate::switches::Switch;

/// Constants and switches of a module family. All times are in µs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// `AT+CGMI`, first row of `ATI`.
    pub manufacturer: String,
    /// `AT+CGMM`, second row of `ATI`.
    pub model: String,
    /// `AT+CGMR`, third row of `ATI`.
    pub revision: String,
    /// `AT+QGMR`: the revision with its sub-version.
    pub full_revision: String,
    /// `AT+GSN`.
    pub imei: String,
    /// `AT+GSN=0`.
    pub serial_number: String,
    /// The commands there are.
    pub commands: CommandSet,
    /// The speeds that `AT+IPR` takes.
    pub rates: Vec<u32>,
    /// The name of the port being served, as `AT+QISTATE` prints it.
    pub port: String,
    /// The port to which a new module sends URCs; only those for [`Profile::port`] or `all` are seen.
    pub urc_port: String,

    /// `AT+CMEE` after a start.
    pub cmee: u8,
    /// How `+CME ERROR` is written.
    pub cme_form: CmeForm,
    /// Whether a blank follows the colon of `+CME ERROR:`.
    pub cme_blank: bool,
    /// The number that answers an unknown command if `AT+CMEE` is not 0; plain `ERROR` without.
    pub unknown_command: Option<u16>,
    /// Whether TCP/IP commands fail with `+CME ERROR` too, instead of always with `ERROR`.
    pub tcpip_cme: bool,
    /// When a command line is echoed, if `ATE1` is set.
    pub line_echo: LineEcho,
    /// The longest command line.
    pub longest_line: usize,
    /// Whether a line feed after the `\r` of `AT+QISEND` counts as payload.
    pub line_feed_is_payload: bool,

    /// The pins.
    pub pins: Pins,
    /// The serial port.
    pub serial: Serial,
    /// From power to `RDY`.
    pub boot_us: u64,
    /// From `RDY` to each of the URCs that follow it.
    pub boot_urcs: Vec<(u64, String)>,
    /// URCs that follow `OK` of `AT+CFUN=1` after `AT+CFUN=0`, with the time after it.
    pub sim_urcs: Vec<(u64, String)>,
    /// From `AT+CFUN=1,1` or `AT+QPOWD` to the loss of power.
    pub shutdown_us: u64,
    /// Whether `POWERED DOWN` is sent before a reset by `AT+CFUN=1,1`.
    pub powered_down_urc: bool,
    /// Time for `AT+CFUN`.
    pub cfun_us: u64,

    /// How long `AT+COPS=?` searches.
    pub scan_us: u64,
    /// `AT+QINISTAT` when everything is ready.
    pub initialised: u8,

    /// Lowest PDP context.
    pub first_context: u8,
    /// Highest PDP context.
    pub contexts: u8,
    /// Contexts active at a time.
    pub active_contexts: usize,
    /// Time for `AT+QIACT`.
    pub activate_us: u64,
    /// Time for `AT+QIDEACT`.
    pub deactivate_us: u64,
    /// How long `AT+QIACT` waits for registration.
    pub activate_limit_us: u64,
    /// Whether `AT+QIACT` of an active context is an `ERROR`.
    pub activate_again_fails: bool,
    /// Whether `AT+QIDEACT` of an inactive context is an `ERROR`.
    pub deactivate_again_fails: bool,
    /// A context that activates itself after a start.
    pub auto_activate: Option<u8>,
    /// The type of a context that was never set: 1 IPv4, 2 IPv6, 3 both.
    pub context_type: u8,
    /// Whether `AT+QIACT?` shows no IPv6 address beside an IPv4 one.
    pub one_address_shown: bool,
    /// A context that the 3GPP layer holds from the start; until `AT+CGACT` releases it, no other can be
    /// activated.
    pub held_bearer: Option<u8>,
    /// Whether `AT+QIDNSCFG` fails for an inactive context.
    pub dns_needs_context: bool,
    /// Whether `AT+QIOPEN` activates an inactive context instead of failing with 561.
    pub open_activates: bool,
    /// Whether the TCP/IP commands do not notice that `AT+CGACT` took a context away: its address still
    /// shows, and nothing passes.
    pub stale_contexts: bool,
    /// How LTE is printed as an access technology: 7, or 8 for LTE-M, or 9 for NB-IoT.
    pub lte_technology: u8,
    /// On LTE: whether `+CGREG` says 4 (unknown) although the module is registered.
    pub cgreg_unknown_on_lte: bool,

    /// Whether there are listeners and UDP services.
    pub servers: bool,
    /// Whether there is transparent mode.
    pub transparent: bool,
    /// The access mode of an `AT+QIOPEN` that names none.
    pub access_mode: u8,
    /// The most bytes of one `AT+QISEND`.
    pub longest_payload: usize,
    /// The most bytes of one `AT+QIRD`.
    pub longest_read: u32,
    /// Whether `AT+QIRD` must say how many bytes.
    pub read_needs_length: bool,
    /// Whether `AT+QISEND=<id>,<n>,"<data>"` sends what is in the command.
    pub inline_send: bool,
    /// Whether `OK` comes before `SEND OK`.
    pub ok_before_send_ok: bool,
    /// Whether payload is echoed as `ATE` says, instead of `AT+QISDE`.
    pub payload_echo_by_ate: bool,
    /// Whether `CLOSE OK` follows the `OK` of `AT+QICLOSE`.
    pub close_ok: bool,
    /// The rows of `AT+QISTATE`.
    pub rows: Rows,
    /// Whether pushed data stands in quotes within the URC.
    pub quoted_push: bool,
    /// Connect ids 0 to one below this.
    pub connect_ids: u8,
    /// Opens in progress at a time; one more gets 568.
    pub opening: usize,
    /// Default receive buffer of a socket; `AT+QICFG="recv/buffersize"` changes it.
    pub receive_buffer: usize,
    /// Send buffer of a socket.
    pub send_buffer: usize,
    /// Whether the module's TCP delays small segments as Nagle said.
    pub nagle: bool,
    /// A connect that nobody answers fails after this.
    pub connect_timeout_us: u64,
    /// The error it fails with.
    pub connect_timeout_error: u16,
    /// Unacknowledged data and no progress for this long: the connection is lost.
    pub retransmission_us: u64,
    /// How long a released socket stays in FIN_WAIT_2.
    pub fin_wait_2_us: u64,
    /// Released sockets kept until TCP is done with them.
    pub released_sockets: usize,
    /// Whether a connect id is occupied after a failed open, until `AT+QICLOSE`.
    pub failed_open_keeps_id: bool,
    /// Seconds that `AT+QICLOSE` waits if it is not told.
    pub close_s: u32,
    /// When `AT+QICLOSE` is answered.
    pub close_answer: CloseAnswer,
    /// Whether it fails for an id that is not in use.
    pub close_unknown_fails: bool,
    /// What happens when its time ends.
    pub close_timeout: CloseTimeout,
    /// What it does to a connection that is being opened.
    pub close_opening: CloseOpening,
    /// Whether `AT+QISTATE` shows a closed socket until it leaves FIN_WAIT_2.
    pub row_in_fin_wait_2: bool,
    /// Whether `AT+QISTATE` shows 3 for a connected client, as seen on a BG96.
    pub client_state_3: bool,
    /// Whether `AT+QISTATE` shows 3 for a `UDP SERVICE`, where an EC25 shows 2.
    pub udp_service_state_3: bool,
    /// The error of an open whose local port is taken: 556, or 574.
    pub port_taken_error: u16,
    /// Whether what one `AT+QIRD` leaves of a datagram is lost.
    pub datagram_rest_lost: bool,
    /// Whether `AT+QIOPEN` takes a number of clients and a connect timeout too, as an EC200U does.
    pub open_extras: bool,
    /// Whether `AT+QISTATE` shows a socket's own id as its server, where an EC25 shows 0.
    pub own_server_id: bool,
    /// Whether `AT+QISTATE` shows the local port asked for instead of the real one.
    pub requested_local_port: bool,

    /// What asks for payload.
    pub prompt: Prompt,
    /// What ends a `+QIRD` answer.
    pub qird_tail: QirdTail,
    /// When the recv URC is repeated.
    pub recv_urc: RecvUrc,
    /// When the closed URC is sent.
    pub closed_urc: ClosedUrc,
    /// URCs while payload is awaited.
    pub payload_urcs: PayloadUrcs,
    /// The end of the payload timer.
    pub send_timeout: SendTimeout,
    /// `AT+QICFG="qisend/timeout"` after a start, in seconds; 0 for never.
    pub send_timeout_s: u32,
    /// ESC in a `AT+QISEND` without length.
    pub escape: EscapeAnswer,
    /// Whether it ends one with a length, too, where it is payload elsewhere.
    pub escape_ends_fixed: bool,
    /// Whether one without length sends as soon as it is as long as can be, where further bytes are
    /// dropped elsewhere.
    pub full_payload_sends: bool,
    /// Whether Ctrl-Z alone in one is answered with `SEND FAIL`.
    pub empty_send_fails: bool,

    /// Silence before and after `+++`, and the time its three characters may take.
    pub escape_guard_us: u64,

    /// The options of `AT+QICFG`.
    pub options: OptionSet,
    /// How long the module waits for a name server.
    pub dns_timeout_us: u64,
    /// The ttl that `+QPING` shows: 255 on Qualcomm's chips, whatever the true one is.
    pub ping_ttl: u8,
    /// Whether `AT+QPING` activates an inactive context, and releases it afterwards.
    pub ping_activates: bool,
    /// Whether the dnsgip URC has the ttl.
    pub dns_ttl: bool,
    /// Whether a second look-up fails with a URC (`"dnsgip",564`) instead of `ERROR`.
    pub dns_busy_urc: bool,
}

impl Default for Profile {
    fn default() -> Profile {
        Profile::ec25()
    }
}

impl Profile {
    /// The names of the families, in the order of [`Profile::families`].
    pub const NAMES: [&'static str; 6] = ["EC25", "BG96", "BG95", "EC200U", "EG800K", "BC660K"];

    /// One of each family.
    pub fn families() -> [Profile; 6] {
        [
            Profile::ec25(),
            Profile::bg96(),
            Profile::bg95(),
            Profile::ec200u(),
            Profile::eg800k(),
            Profile::bc660k(),
        ]
    }

    /// The family of this name, in capitals or not.
    ///
    /// ```
    /// use quectel_sim::Profile;
    ///
    /// assert_eq!(Profile::named("bg96"), Some(Profile::bg96()));
    /// assert_eq!(Profile::named("BG"), None);
    /// ```
    pub fn named(name: &str) -> Option<Profile> {
        let mut names = Profile::NAMES.iter();
        let at = names.position(|one| one.eq_ignore_ascii_case(name))?;
        Profile::families().into_iter().nth(at)
    }

    /// What it has in other ways than an EC25, as switches: those set make one of the other.
    ///
    /// ```
    /// use quectel_sim::Profile;
    ///
    /// let mut profile = Profile::ec25();
    /// for switch in Profile::bg96().quirks() {
    ///     switch.set(&mut profile);
    /// }
    /// assert_eq!(profile, Profile::bg96());
    /// ```
    pub fn quirks(&self) -> Vec<Switch> {
        Switch::between(&Profile::ec25(), self)
    }

    pub(crate) fn context_range(&self) -> std::ops::RangeInclusive<u32> {
        u32::from(self.first_context)..=u32::from(self.contexts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_an_ec25_with_its_switches_set() {
        for (name, family) in Profile::NAMES.iter().zip(Profile::families()) {
            let mut made = Profile::ec25();
            for switch in family.quirks() {
                switch.set(&mut made);
            }
            assert_eq!(made, family, "{name}");
            assert!(family.model.starts_with(name), "{name}");
        }
        assert!(Profile::ec25().quirks().is_empty());
    }
}
