//! Two of them at a time, and what one leaves behind.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::program::{Host, Served, failure, link};

#[test]
fn signals_end_it_well() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let link = link();
        let mut served = Served::start(&["--pty", link.to_str().unwrap()]);
        assert!(link.is_symlink());
        served.signal(signal);
        assert_eq!(served.ended().code(), Some(0), "{signal:?}");
        assert!(!link.is_symlink());
    }
}

#[test]
fn two_of_them_do_not_collide() {
    let (one, two) = (Served::tcp(&[]), Served::tcp(&[]));
    let (mut first, mut second) = (one.connect(), two.connect());
    first.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    second.talk("AT\r", "AT\r\r\nOK\r\n");

    let links = [link(), link()];
    let served = links
        .each_ref()
        .map(|link| Served::start(&["--pty", link.to_str().unwrap()]));
    let mut hosts = links.each_ref().map(|link| Host::open(link));
    hosts[0].talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    hosts[1].talk("AT\r", "AT\r\r\nOK\r\n");
    let (code, text) = failure(&["--pty", links[0].to_str().unwrap()]);
    assert_eq!(code, 1);
    let holder = format!("process {0}: end it (kill {0})", served[0].child.id());
    assert!(text.contains(&holder), "{text}");
    hosts[0].talk("AT\r", "\r\nOK\r\n");
    drop(served);
    for link in &links {
        fs::remove_file(link).unwrap();
        fs::remove_file(lock_of(link)).unwrap();
    }
}

/// The file that tells who holds a link.
fn lock_of(link: &Path) -> PathBuf {
    let name = link.file_name().unwrap().to_str().unwrap();
    link.with_file_name(format!(".{name}.lock"))
}

#[test]
fn a_link_left_behind_is_taken_over() {
    let link = link();
    symlink("/dev/pts/of-a-killed-one", &link).unwrap();
    let mut served = Served::start(&["--pty", link.to_str().unwrap()]);
    let mut host = Host::open(&link);
    host.talk("AT\r", "AT\r\r\nOK\r\n");
    // A link that was changed meanwhile belongs to another.
    fs::remove_file(&link).unwrap();
    symlink("/dev/pts/of-another", &link).unwrap();
    served.signal(Signal::TERM);
    assert_eq!(served.ended().code(), Some(0));
    fs::remove_file(&link).unwrap();
}

#[test]
fn a_port_in_use() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (code, text) = failure(&["--tcp", &address]);
    assert_eq!(code, 1);
    assert!(text.contains(&format!("{address} is in use")), "{text}");
    assert!(text.contains("choose another port"), "{text}");
}

#[test]
fn links_that_cannot_be() {
    let path = link();
    fs::write(&path, "precious").unwrap();
    let (code, text) = failure(&["--pty", path.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(text.contains("exists already, and is no link"), "{text}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(&path).unwrap();
    // Another program's, which is alive.
    symlink("/dev/null", &path).unwrap();
    let (code, text) = failure(&["--pty", path.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(
        text.contains("exists already and leads to /dev/null"),
        "{text}"
    );
    assert_eq!(fs::read_link(&path).unwrap(), Path::new("/dev/null"));
    fs::remove_file(&path).unwrap();
    let (code, text) = failure(&["--pty", path.join("x").to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(text.contains("its directory does not exist"), "{text}");
}

#[test]
fn what_a_killed_one_leaves_is_replaced() {
    let (link, door) = (link(), link());
    let args = [
        "--pty",
        link.to_str().unwrap(),
        "--control",
        door.to_str().unwrap(),
    ];
    let mut killed = Served::start(&args);
    killed.signal(Signal::KILL);
    assert_eq!(killed.ended().code(), None);
    assert!(link.is_symlink() && door.exists());
    // The number of its terminal may belong to another one by now.
    let other = link.with_extension("other");
    let mut taken = Served::start(&["--pty", other.to_str().unwrap()]);
    let mut next = Served::start(&args);
    Host::open(&link).talk("AT\r", "AT\r\r\nOK\r\n");
    assert!(next.control("help").1.contains("pdp drop CONTEXT"));
    for served in [&mut taken, &mut next] {
        served.signal(Signal::INT);
        assert_eq!(served.ended().code(), Some(0));
    }
    for left in [&link, &other, &door, &lock_of(&link)] {
        assert!(fs::symlink_metadata(left).is_err(), "{}", left.display());
    }
}

#[test]
fn a_control_socket_in_use() {
    let door = link();
    let place = door.to_str().unwrap();
    let args = ["--tcp", "127.0.0.1:0", "--control", place];
    let served = Served::start(&args);
    let (code, text) = failure(&args);
    assert_eq!(code, 1);
    assert!(text.contains("the socket of a running program"), "{text}");
    assert!(served.control("help").1.contains("pdp drop"));
    drop(served);
    fs::remove_file(&door).unwrap();
    fs::write(&door, "precious").unwrap();
    let (code, text) = failure(&args);
    assert_eq!(code, 1);
    assert!(text.contains("exists already, and is no socket"), "{text}");
    assert_eq!(fs::read_to_string(&door).unwrap(), "precious");
    fs::remove_file(&door).unwrap();
}
