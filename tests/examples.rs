//! The example programs as their users run them: processes, real sockets of
//! this PC, real time. `http_get` has tests of its own.

use std::process::{Command, Output};

const EXAMPLES: [&str; 9] = [
    "async_http",
    "coap",
    "mqtt",
    "multi_socket",
    "sntp",
    "socket_states",
    "tcp_server",
    "tls",
    "udp_echo",
];

/// The program; `cargo test` builds it beside the tests.
fn run(name: &str, args: &[&str]) -> Output {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    Command::new(path)
        .args(args)
        .output()
        .expect("the example is built by `cargo test`")
}

#[track_caller]
fn succeeds(name: &str, args: &[&str], says: &[&str]) {
    let output = run(name, args);
    let out = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{out}{error}");
    for text in says {
        assert!(out.contains(text), "{text:?} is not in:\n{out}");
    }
}

#[track_caller]
fn refuses(name: &str, args: &[&str], says: &str) {
    let output = run(name, args);
    assert_eq!(output.status.code(), Some(2), "{name} {args:?}");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(says), "{says:?} is not in:\n{error}");
}

#[test]
fn udp_echo() {
    let says = [
        "state 0\nstate 4\n",
        "1 bytes from 127.0.0.1:",
        "5 of 5 came back",
    ];
    succeeds("udp_echo", &["--count", "5"], &says);
}

#[test]
fn tcp_server() {
    let says = ["3 clients served", "a client got its 3890 bytes back"];
    succeeds("tcp_server", &[], &says);
}

#[test]
fn socket_states() {
    let lives = [
        "refused\nstate 0 CLOSED\nstate 2 SYN_SENT\nstate 0 CLOSED\nstate -1\n",
        "state 4 ESTABLISHED\nstate 5 FIN_WAIT_1\nstate 10 TIME_WAIT\nstate 0 CLOSED\n",
        "state 4 ESTABLISHED\nstate 7 CLOSE_WAIT\nstate 9 LAST_ACK\nstate 0 CLOSED\n",
        "state 1 LISTEN\n127.0.0.1:",
        " 3 SYN_RCVD     never shown\n",
    ];
    succeeds("socket_states", &[], &lives);
}

#[test]
fn multi_socket() {
    let says = ["12 sockets are open", "48000 bytes came back unchanged"];
    succeeds("multi_socket", &["--bytes", "4000"], &says);
}

#[cfg(feature = "nb")]
#[test]
fn super_loop() {
    let says = [
        "echo.example.test is 127.0.0.1\n",
        "TCP: connected",
        "TCP: 20000 bytes came back unchanged",
        "UDP: 3 of 3 datagrams came back",
        " turns, the longest took ",
    ];
    succeeds(
        "super_loop",
        &["--bytes", "20000", "--datagrams", "3"],
        &says,
    );
}

/// The name does not resolve: told, with what to do.
#[cfg(feature = "nb")]
#[test]
fn super_loop_without_a_server() {
    let output = run("super_loop", &["--server", "nowhere.test:7"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("nowhere.test"), "{error}");
    assert!(error.contains("does not resolve (errno -2)"), "{error}");
}

#[test]
fn async_http() {
    let says = [
        "status 200\n",
        "body   21893 bytes, sha256 f967a1df5dffc5ed",
        "server 21893 bytes, sha256 f967a1df5dffc5ed",
    ];
    succeeds("async_http", &[], &says);
}

#[test]
fn tls() {
    let says = [
        "TLS with www.example.test, certificate checked\n",
        "with another authority: the certificate of www.example.test is refused",
        "body   21893 bytes, sha256 f967a1df5dffc5ed",
    ];
    succeeds("tls", &[], &says);
}

#[test]
fn mqtt() {
    let says = ["20 of 20 published, 20 received, 0 of them twice, connected 1 times"];
    succeeds("mqtt", &[], &says);
}

/// The broker keeps the session meanwhile.
#[test]
fn mqtt_after_a_restart() {
    let says = [
        "which knows us\n",
        "40 of 40 published, 40 received",
        "connected 2 times",
    ];
    // When so many bytes have reached the module: about in the middle.
    let args = ["--fault", "reset:module:4000", "--count", "40"];
    succeeds("mqtt", &args, &says);
}

#[test]
fn sntp() {
    succeeds("sntp", &[], &["stratum 1, offset +3"]);
}

#[test]
fn coap() {
    let says = [
        "no answer, sent again\n",
        "payload 1242 bytes, sha256 0d20e345d760efa7",
    ];
    succeeds("coap", &["--ack-timeout", "300"], &says);
}

#[test]
fn arguments() {
    let super_loop = cfg!(feature = "nb").then_some("super_loop");
    for name in EXAMPLES.into_iter().chain(super_loop) {
        succeeds(
            name,
            &["--help"],
            &["Exit status:", "Example", "--port <PORT>"],
        );
        succeeds(name, &["--version"], &[name]);
        refuses(name, &["--nonsense"], "--nonsense");
        refuses(name, &["--apn", "a\"b"], "APN");
    }
    refuses("udp_echo", &["--port", "/dev/null"], "--server");
    refuses("multi_socket", &["--port", "/dev/null"], "--server");
    if let Some(name) = super_loop {
        refuses(name, &["--port", "/dev/null"], "--server");
        refuses(name, &["--server", "nowhere"], "HOST:PORT");
    }
    refuses("async_http", &["--port", "/dev/null"], "needs a URL");
    refuses("tls", &["--port", "/dev/null"], "needs a URL");
    refuses("tls", &["https://www.example.test/"], "--ca");
    let ca = ["--ca", "/dev/null", "https://www.example.test/"];
    refuses("tls", &ca, "no certificate in /dev/null");
    refuses("mqtt", &["--port", "/dev/null"], "--broker");
    refuses("mqtt", &["--topic", "a/#"], "--topic");
    refuses("mqtt", &["--broker", "a b"], "--broker");
    refuses("mqtt", &["--fault", "nonsense"], "nonsense");
    refuses("sntp", &["--port", "/dev/null"], "--server");
    refuses("sntp", &["--server", "127.0.0.1:0"], "--server");
    refuses("coap", &["--port", "/dev/null"], "needs a URL");
    refuses("coap", &["http://127.0.0.1/"], "coap://");
    refuses("multi_socket", &["--tcp", "12", "--udp", "1"], "12 sockets");
}
