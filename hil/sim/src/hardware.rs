//! What differs between families below the commands: the pins, and the serial port.

const MS: u64 = 1_000;
const S: u64 = 1_000_000;

/// How long the pins have to be held, and what they do. All times are in µs.
///
/// From the hardware designs, as far as known; a pulse that is too short does nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pins {
    /// The power key turns the module on when it has been held this long.
    pub on_us: u64,
    /// It turns the module off when it is released after this long; never if none.
    pub off_us: Option<u64>,
    /// From `POWERED DOWN` after the power key to the loss of power, when STATUS falls.
    pub power_off_us: u64,
    /// The reset pin stops the module when it has been held this long; released, it boots.
    pub reset_us: u64,
    /// From power to the rise of STATUS.
    pub status_us: u64,
    /// After `AT+CFUN=1,1` the module hears nothing, tells this long after the command that the
    /// contexts which were active are gone, and then starts; without, it is silent until `RDY`.
    pub restart_tells_us: Option<u64>,
    /// Whether the URCs of the SIM card come a second time in a start.
    pub sim_urcs_twice: bool,
}

impl Pins {
    /// EC2x and EG9x.
    pub const EC2X: Pins = Pins {
        on_us: 500 * MS,
        off_us: Some(650 * MS),
        power_off_us: 5 * S,
        reset_us: 150 * MS,
        status_us: 2_500 * MS,
        restart_tells_us: None,
        sim_urcs_twice: false,
    };
    /// BG96.
    pub const BG96: Pins = Pins {
        power_off_us: 2 * S,
        restart_tells_us: Some(3 * S),
        ..Pins::EC2X
    };
    /// BG95, BG77: the reset needs two seconds.
    pub const BG95: Pins = Pins {
        power_off_us: 1_300 * MS,
        reset_us: 2 * S,
        status_us: 2_100 * MS,
        ..Pins::EC2X
    };
    /// EC200U, EG915U.
    pub const EC200U: Pins = Pins {
        on_us: 2 * S,
        off_us: Some(3 * S),
        power_off_us: S,
        reset_us: 100 * MS,
        ..Pins::EC2X
    };
    /// EC200A, EC800K, EG800K and their like.
    pub const EC200X: Pins = Pins {
        power_off_us: 12 * S,
        reset_us: 300 * MS,
        status_us: S,
        ..Pins::EC200U
    };
    /// BC660K and its like: off only by `AT+QPOWD`.
    pub const BC: Pins = Pins {
        off_us: None,
        power_off_us: S,
        reset_us: 50 * MS,
        status_us: 500 * MS,
        ..Pins::EC2X
    };
}

/// How the module's end of the serial line behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serial {
    /// Whether the module looks for the host's speed after each start, as with `AT+IPR=0`: it is deaf
    /// and dumb until it has received `AT` or `at` at a speed that it has.
    pub autobaud: bool,
    /// Whether the URCs of the time before that are sent then; else they are lost.
    pub autobaud_keeps_urcs: bool,
    /// Bytes from the host that the module stores while it is busy. With the flow control of
    /// `AT+IFC=<n>,2`, CTS goes off when three quarters of it are used.
    pub buffer: usize,
    /// Whether bytes are lost when that is full; else it is as large as is needed.
    pub overruns: bool,
    /// How long nothing must have happened before the module sleeps, if `AT+QSCLK` lets it, in µs.
    pub sleep_us: u64,
    /// Whether bytes wake the module if DTR let it sleep; else they are all lost until DTR is on.
    pub bytes_wake: bool,
    /// Bytes lost when bytes wake the module.
    pub wake_loses: usize,
}

impl Default for Serial {
    fn default() -> Serial {
        Serial {
            autobaud: false,
            autobaud_keeps_urcs: false,
            buffer: 4_096,
            overruns: false,
            sleep_us: 5 * S,
            bytes_wake: false,
            wake_loses: 1,
        }
    }
}
