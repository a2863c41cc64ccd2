//! What the module and its network are told to be.

use crate::program::Served;

#[test]
fn faults_happen() {
    let served = Served::tcp(&[
        "--fault",
        "refuse:+CSQ:2",
        "--fault",
        "urc:before-ok:+QIACT:\"+QIURC: \"x:y\",1\"",
        "--fault",
        "already-active",
        "--fault",
        "corrupt:answer:E:2:0x20",
    ]);
    let mut host = served.connect();
    host.talk("ATE0\r", "ATE0\r\r\noK\r\n");
    host.talk("AT+CSQ\r", "\r\nERROR\r\n");
    host.talk("AT+CSQ\r", "\r\nERROR\r\n");
    host.talk("AT+CSQ\r", "\r\n+CSQ: 22,99\r\n\r\nOK\r\n");
    host.talk("AT+QIACT=1\r", "\r\nERROR\r\n");
    host.talk(
        "AT+QIACT?\r",
        "\r\n+QIACT: 1,1,1,\"10.7.157.1\"\r\n\r\n+QIURC: \"x:y\",1\r\n\r\nOK\r\n",
    );
}

#[test]
fn sim_cards() {
    for (card, answer) in [
        ("ready", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
        ("absent", "\r\n+CME ERROR: 10\r\n"),
        ("pin", "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n"),
    ] {
        let served = Served::tcp(&["--sim-card", card]);
        let mut host = served.connect();
        host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
        host.talk("AT+CPIN?\r", answer);
    }
}
