//! The example program `http_get` as its users run it: a process, real
//! sockets of this PC, real time.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output},
    thread,
};

/// The program; `cargo test` builds it beside the tests.
fn http_get(args: &[&str]) -> Output {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push("http_get");
    Command::new(path)
        .args(args)
        .output()
        .expect("the example is built by `cargo test`")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Answers every request with `body`; returns the port.
fn serve(body: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                request.push(byte[0]);
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    port
}

fn scratch(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    dir.join(format!("{name}-{}", std::process::id()))
}

#[test]
fn without_arguments_it_fetches_from_its_own_server() {
    let output = http_get(&[]);
    let out = text(&output.stdout);
    assert!(output.status.success(), "{out}{}", text(&output.stderr));
    assert!(out.contains("stagecode = 3, subcode = 1\n"), "{out}");
    assert!(
        out.contains("resolved www.example.test to 127.0.0.1:"),
        "{out}"
    );
    assert!(out.contains("HTTP/1.1 200 OK"), "{out}");
    let states: Vec<&str> = out
        .lines()
        .filter(|line| line.starts_with("state "))
        .collect();
    assert_eq!(
        states[..3],
        ["state 0 CLOSED", "state 2 SYN_SENT", "state 4 ESTABLISHED"]
    );
    assert_eq!(states.last(), Some(&"state -1"));
    let hash = |who: &str| {
        out.lines()
            .find(|line| line.starts_with(who))
            .and_then(|line| line.split("sha256 ").nth(1))
    };
    assert!(hash("body").is_some_and(|hash| hash.len() == 64), "{out}");
    assert_eq!(hash("body"), hash("server"));
}

#[test]
fn the_trace_shows_the_dialogue() {
    let output = http_get(&["--trace"]);
    let trace = text(&output.stderr);
    for line in [
        ">> AT\\r",
        ">> AT+QISDE=0\\r",
        ">> AT+QIDNSGIP=1,\\\"www.example.test\\\"\\r",
    ] {
        assert!(trace.contains(line), "{line} not in {trace}");
    }
}

#[test]
fn bodies_from_a_real_server_are_stored_byte_for_byte() {
    for len in [0, 1, 1_499, 1_500, 1_501, 300_000] {
        let body: Vec<u8> = (0..len)
            .map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let port = serve(body.clone());
        let file = scratch(&format!("body{len}"));
        let url = format!("http://127.0.0.1:{port}/page");
        let output = http_get(&[&url, "--output", file.to_str().unwrap()]);
        assert!(output.status.success(), "{len}: {}", text(&output.stderr));
        assert!(std::fs::read(&file).unwrap() == body, "{len} bytes");
        std::fs::remove_file(file).unwrap();
    }
}

/// One line on standard error, and nothing else there.
#[track_caller]
fn one_line(output: &Output, code: i32, contents: &[&str]) {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    for part in contents {
        assert!(error.contains(part), "{part} not in {error}");
    }
}

#[test]
fn wrong_urls_are_named_in_one_line() {
    let long = format!("http://{}/", "a".repeat(151));
    for (url, named) in [
        ("example.com", "example.com"),
        ("https://example.com/", "https://example.com/"),
        ("http://", "http://"),
        ("http://a:0/", "http://a:0/"),
        ("http://a:65536/", "http://a:65536/"),
        ("http://a:+80/", "http://a:+80/"),
        ("http://a:/", "http://a:/"),
        ("http://a\"b/", "http://a\\\"b/"),
        ("http://a\rAT+CFUN=0/", "http://a\\rAT+CFUN=0/"),
        ("http://a/b c", "http://a/b c"),
        ("http://a/\n", "http://a/\\n"),
        (long.as_str(), "150 bytes"),
    ] {
        let output = http_get(&["--trace", url]);
        // The trace would show what is written to the module: nothing.
        one_line(&output, 2, &[named, "allowed is http://HOST[:PORT][/PATH]"]);
    }
}

#[test]
fn failures_say_what_to_do() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{closed}/");
    one_line(
        &http_get(&[&url]),
        1,
        &["refused", "errno 111", "check that the server runs"],
    );
    one_line(
        &http_get(&["http://name.invalid/"]),
        1,
        &["cannot resolve name.invalid", "check the name"],
    );
    let port = serve(b"x".to_vec());
    let url = format!("http://127.0.0.1:{port}/");
    let output = http_get(&[&url, "--output", "/nonexistent/file"]);
    one_line(&output, 1, &["/nonexistent/file", "choose another file"]);
}

#[test]
fn without_a_network_it_takes_the_other_branch() {
    let output = http_get(&["--sim-card", "absent"]);
    one_line(&output, 1, &["no network (stage 1, code 0)", "insert one"]);
    let out = text(&output.stdout);
    assert!(out.contains("stagecode = 1, subcode = 0\n"), "{out}");
    assert!(out.contains("getaddrinfo: Err("), "{out}");
    one_line(&http_get(&["--sim-card", "pin"]), 1, &["stage 1, code 2"]);
}

#[test]
fn help_and_version() {
    let help = http_get(&["--help"]);
    assert!(help.status.success());
    assert!(text(&help.stdout).contains("Exit status"));
    let version = http_get(&["--version"]);
    assert!(text(&version.stdout).contains(env!("CARGO_PKG_VERSION")));
}
