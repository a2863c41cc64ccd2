//! Wrong arguments, and help.

use crate::program::{failure, run};

#[test]
fn wrong_arguments() {
    for (args, part, allowed) in [
        (&[][..], "--tcp", "--pty"),
        (&["--tcp", "7000"], "7000", "127.0.0.1:7000"),
        (&["--tcp", "127.0.0.1:0", "--pty", "x"], "--pty", "--tcp"),
        (&["--pty", "x", "--family", "SIM800"], "SIM800", "EC25"),
        (&["--pty", "x", "--baud", "1"], "--baud", "300"),
        (
            &["--pty", "x", "--name", "host"],
            "host",
            "server.test=127.0.0.1",
        ),
        (&["--pty", "x", "--name", "a=b"], "'b'", "127.0.0.1"),
        (&["--pty", "x", "--linger", "1s"], "--linger", "--pty"),
        (
            &["--pty", "x", "--control", "local:x"],
            "local:x",
            "127.0.0.1:7001",
        ),
        (&["--pty", "x", "--signal", "32"], "'32'", "0 to 31"),
        (
            &["--pty", "x", "--registration", "gone"],
            "'gone'",
            "roaming",
        ),
        (&["--pty", "x", "--user", "me"], "--password", "--user"),
        (&["--pty", "x", "--delay", "5"], "'5'", "50ms"),
        (&["--pty", "x", "--loss", "101%"], "'101%'", "0% to 100%"),
        (&["--pty", "x", "--loss", "1% down"], "1% down", "one word"),
        (&["--pty", "x", "--rate", "fast"], "'fast'", "64k"),
        (
            &["--pty", "x", "--forward", "80"],
            "80",
            "tcp:127.0.0.1:8080=80",
        ),
        (
            &["--pty", "x", "--forward", "tcp:127.0.0.1:80=0"],
            "'0'",
            "1 to 65535",
        ),
        (
            &["--pty", "x", "--switch", "closed-url=x"],
            "'closed-url'",
            "closed-urc",
        ),
        (
            &["--pty", "x", "--switch", "closed-urc=x"],
            "'x'",
            "at-once or after-drain",
        ),
        (
            &["--pty", "x", "--switch", "nagle"],
            "nagle",
            "closed-urc=after-drain",
        ),
        (
            &["--pty", "x", "--fault", "drp:host:1"],
            "'drp'",
            "drop, double",
        ),
        (
            &["--pty", "x", "--fault", "drop:host:x"],
            "'x'",
            "a number, from 0",
        ),
        (&["--pty", "x", "--fault", "mute:1s"], "'mute:1s'", "500ms"),
    ] {
        let (code, text) = failure(args);
        assert_eq!(code, 2, "{args:?}: {text}");
        assert!(
            text.contains(part) && text.contains(allowed),
            "{args:?}: {text}"
        );
    }
}

#[test]
fn wrong_arguments_of_the_others() {
    for (args, part, allowed) in [
        (&["commands", "--family", "SIM800"][..], "SIM800", "BC660K"),
        (&["commands", "--format", "xml"], "xml", "tsv"),
        (
            &["commands", "--family", "EC25", "--all-families"],
            "--family",
            "--all-families",
        ),
        (&["families", "SIM800"], "SIM800", "BC660K"),
        (&["control"], "ADDR:PORT|PATH", "Usage"),
        (
            &["control", "localhost:x", "help"],
            "localhost:x",
            "127.0.0.1:7001",
        ),
        (&["control", "x", "--timeout", "5"], "'5'", "500ms"),
        (&["cereal"], "cereal", "Usage"),
        (&[], "serve", "control"),
    ] {
        let (code, _, text) = run(args, b"");
        assert_eq!(code, 2, "{args:?}: {text}");
        assert!(
            text.contains(part) && text.contains(allowed),
            "{args:?}: {text}"
        );
    }
}

#[test]
fn help_and_version() {
    let examples = &["Examples:\n  quectel-sim "][..];
    for (args, parts) in [
        (&["--help"][..], &["Usage", "Exit status", "Examples"][..]),
        (&["--version"], &[env!("CARGO_PKG_VERSION")]),
        (
            &["serve", "--help"],
            &[
                "Examples",
                "Exit status",
                "stall:PLACE:TIME",
                "closed-urc",
                "as with RTS/CTS",
            ],
        ),
        (&["serve", "-h"], &["--fault", "Examples"]),
        (
            &["control", "--help"],
            &["Examples", "Exit status", "pdp drop CONTEXT"],
        ),
        (&["commands", "--help"], examples),
        (&["families", "--help"], examples),
        (&["switches", "--help"], examples),
        (&["faults", "--help"], examples),
    ] {
        let (code, text, _) = run(args, b"");
        assert_eq!(code, 0);
        for part in parts {
            assert!(text.contains(part), "{args:?}: {text}");
        }
    }
}
