//! What programs of other authors say first, and what they need to hear.

use quectel_sim::{Boot, Sim};

/// gammu on an EC25: with escapes and line ends before it knows whom it talks to.
#[test]
fn gammu_identifies_a_phone() {
    let mut sim = Sim::builder().build();
    sim.talk("\x1b\r", "\x1b\r");
    sim.talk("AT\r", "AT\r\r\nOK\r\n");
    sim.talk("ATE1\r", "ATE1\r\r\nOK\r\n");
    sim.talk("AT+MODE=2\r", "AT+MODE=2\r\r\nERROR\r\n");
    sim.talk("AT+CMEE=1\r", "AT+CMEE=1\r\r\nOK\r\n");
    sim.talk("AT+CSCS?\r", "AT+CSCS?\r\r\n+CSCS: \"GSM\"\r\n\r\nOK\r\n");
    sim.talk("AT+CGMM\r", "AT+CGMM\r\r\nEC25\r\n\r\nOK\r\n");
    sim.talk("AT$TSSPCSW=?\r", "AT$TSSPCSW=?\r\r\nERROR\r\n");
    sim.talk("AT+CFUN=1\r", "AT+CFUN=1\r\r\nOK\r\n");
    sim.talk("AT+CGSN\r", "AT+CGSN\r\r\n866349040000000\r\n\r\nOK\r\n");
    sim.talk("AT+CBC\r", "AT+CBC\r\r\n+CBC: 0,66,3800\r\n\r\nOK\r\n");
}

/// quectel-bg77: a first line that the module did not hear whole is followed by others at once.
#[test]
fn a_driver_that_asks_until_the_module_has_started() {
    let mut sim = Sim::builder().boot(Boot::Cold).build();
    for _ in 0..11 {
        assert_eq!(sim.exchange("AT\r", 1_000_000), b"");
    }
    sim.run_until(12_000_000);
    sim.expect("\r\nRDY\r\n");
    sim.talk("AT\r", "AT\r\r\nOK\r\n");
}
