//! Opening connections, against hand-written bytes.

mod support;

use nb::Error::{Other, WouldBlock};
use quectel_sockets::{
    Config, ConnectError, Event, Failure, Family, OpenError, RecvError, SendError, TcpIpError,
};
use support::dialogue::{BRING_UP, Dialogue, NO_DATA, closing, config, connected, opening};

const REMOTE: &str = "192.0.2.20:80";

fn open(id: u8) -> String {
    format!("AT+QIOPEN=1,{id},\"TCP\",\"192.0.2.20\",80,0,0\r")
}

/// A new socket that begins to connect.
#[track_caller]
fn begin(d: &mut Dialogue<'_>) -> quectel_sockets::Handle {
    let socket = d.engine.tcp_socket().unwrap();
    d.engine.connect(socket, REMOTE.parse().unwrap()).unwrap();
    socket
}

#[test]
fn states_while_a_connection_is_opened() {
    up!(d, 1);
    let socket = d.engine.tcp_socket().unwrap();
    assert_eq!(d.state(socket), 0);
    assert_eq!(
        d.engine.connected(socket),
        Err(Other(ConnectError::NotStarted))
    );
    d.engine.connect(socket, REMOTE.parse().unwrap()).unwrap();
    assert_eq!(d.state(socket), 0);
    d.host(open(0));
    assert_eq!(d.state(socket), 0);
    d.module(b"\r\nOK");
    assert_eq!(d.state(socket), 0);
    d.module(b"\r\n");
    assert_eq!(d.state(socket), 2);
    d.module(b"\r\n+QIOPEN: 0,0");
    assert_eq!(d.state(socket), 2);
    assert_eq!(d.engine.connected(socket), Err(WouldBlock));
    d.module(b"\r\n");
    assert_eq!(d.state(socket), 4);
    assert_eq!(d.engine.connected(socket), Ok(()));
    assert_eq!(d.engine.connected(socket), Ok(()));
    assert_eq!(d.engine.remote(socket), Some(REMOTE.parse().unwrap()));
}

/// T42
#[test]
fn ok_and_success_in_one_read() {
    up!(d, 1);
    let socket = begin(&mut d);
    d.host(open(0)).module(b"\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n");
    assert_eq!(d.engine.connected(socket), Ok(()));
    assert_eq!(d.state(socket), 4);
}

/// 566 is refused within 20 s, a SYN that was never answered later (10).
#[test]
fn results_of_an_open() {
    let module = |n| ConnectError::Module(TcpIpError(n));
    for (result, after, error) in [
        (566, 0, ConnectError::Refused),
        (566, 19_000, ConnectError::Refused),
        (566, 21_000, ConnectError::TimedOut),
        (569, 0, ConnectError::TimedOut),
        (556, 0, ConnectError::AddressInUse),
        (561, 0, ConnectError::NoNetwork),
        (570, 0, ConnectError::NoNetwork),
        (565, 0, module(565)),
        (550, 0, module(550)),
        (552, 0, module(552)),
    ] {
        up!(d, 1);
        let socket = begin(&mut d);
        d.host(open(0))
            .ok()
            .quiet(after)
            .line(format!("+QIOPEN: 0,{result}"));
        assert_eq!(d.state(socket), 0, "{result}");
        assert_eq!(d.engine.connected(socket), Err(Other(error)), "{result}");
        // Told once.
        assert_eq!(
            d.engine.connected(socket),
            Err(Other(ConnectError::NotStarted))
        );
        if error == ConnectError::NoNetwork {
            // Did the module restart? No.
            d.suspicion().rows(&[closing(0)]).active();
        }
        // EC2x keeps the id until it is closed (4.2).
        d.host("AT+QICLOSE=0,0\r").ok();
        // The socket can be used again, under another id.
        d.connect(socket, 1);
        assert_eq!(d.state(socket), 4);
    }
}

/// Some firmware gives the reason with the final code (1.3).
#[test]
fn results_in_the_place_of_ok() {
    let module = |n| ConnectError::Module(TcpIpError(n));
    for (answer, error) in [
        ("ERROR", module(550)),
        ("+CME ERROR: 566", ConnectError::Refused),
        ("+CME ERROR:569", ConnectError::TimedOut),
        ("+CME ERROR: 552", module(552)),
        ("+CME ERROR: operation not allowed", module(3)),
    ] {
        up!(d, 1);
        let socket = begin(&mut d);
        d.host(open(0)).line(answer);
        assert_eq!(d.engine.connected(socket), Err(Other(error)), "{answer}");
        assert_eq!(d.state(socket), 0);
        d.host("AT+QICLOSE=0,0\r").error();
        d.connect(socket, 1);
    }
}

/// Row K, T40, T42: the module still holds a socket under this id.
#[test]
fn an_id_in_use_is_closed_and_another_one_taken() {
    for answer in [
        "\r\nOK\r\n\r\n+QIOPEN: 0,563\r\n",
        "\r\n+CME ERROR: 563\r\n",
    ] {
        up!(d, 1);
        let socket = begin(&mut d);
        d.host(open(0)).module(answer);
        assert_eq!(d.engine.connected(socket), Err(WouldBlock));
        assert_eq!(d.state(socket), 0);
        d.host("AT+QICLOSE=0,0\r").ok();
        d.host(open(1)).ok().line("+QIOPEN: 1,0").silent();
        assert_eq!(d.engine.connected(socket), Ok(()));
        assert_eq!(d.state(socket), 4);
    }
}

#[test]
fn a_busy_module_is_asked_again_after_a_pause() {
    for busy in [
        "OK\r\n\r\n+QIOPEN: 0,551",
        "OK\r\n\r\n+QIOPEN: 0,568",
        "+CME ERROR: 568",
    ] {
        up!(d, 1);
        let socket = begin(&mut d);
        d.host(open(0)).line(busy);
        d.host("AT+QICLOSE=0,0\r").ok();
        assert_eq!(d.engine.connected(socket), Err(WouldBlock));
        d.wakes(200..=2_000, open(1)).ok().line("+QIOPEN: 1,0");
        assert_eq!(d.engine.connected(socket), Ok(()), "{busy}");
    }
}

#[test]
fn an_open_whose_result_never_comes_ends_after_150_s() {
    up!(d, 1);
    let socket = begin(&mut d);
    d.host(open(0)).ok().quiet(149_000);
    assert_eq!(d.engine.connected(socket), Err(WouldBlock));
    d.wakes(1_000..=11_000, "AT+QICLOSE=0,0\r");
    assert_eq!(
        d.engine.connected(socket),
        Err(Other(ConnectError::TimedOut))
    );
    // It comes after all.
    d.line("+QIOPEN: 0,0").ok().silent();
    assert_eq!(d.state(socket), 0);
}

/// Row P, 4.15 11: the URC is lost, a look finds out.
#[test]
fn a_lost_result_is_found_by_looking() {
    // Row Q, T03: BG96 says 3 of a client.
    for state in [2, 3] {
        up!(
            d,
            1,
            Config {
                look_ms: 2_000,
                ..config()
            }
        );
        let socket = begin(&mut d);
        let row = |state| {
            format!(
                "\r\n+QISTATE: 0,\"TCP\",\"192.0.2.20\",80,22742,{state},1,0,0,\"uart1\"\r\n\r\nOK\r\n"
            )
        };
        d.host(open(0)).ok();
        d.wakes(2_000..=2_000, "AT+QISTATE=1,0\r").module(row(1));
        assert_eq!(d.state(socket), 2);
        d.wakes(4_000..=4_000, "AT+QISTATE=1,0\r").module(row(0));
        assert_eq!(d.state(socket), 2);
        d.wakes(8_000..=8_000, "AT+QISTATE=1,0\r")
            .module(row(state));
        assert_eq!(d.state(socket), 4);
        assert_eq!(d.engine.connected(socket), Ok(()));
        // The URC was only late.
        d.line("+QIOPEN: 0,0").silent();
        assert_eq!(d.state(socket), 4);
    }
}

#[test]
fn a_lost_failure_is_found_by_looking() {
    for rows in [
        "",
        "\r\n+QISTATE: 0,\"TCP\",\"192.0.2.20\",80,0,4,1,0,0,\"uart1\"\r\n",
    ] {
        up!(
            d,
            1,
            Config {
                look_ms: 2_000,
                ..config()
            }
        );
        let socket = begin(&mut d);
        d.host(open(0))
            .ok()
            .wakes(2_000..=2_000, "AT+QISTATE=1,0\r");
        d.module(rows).ok();
        assert_eq!(d.state(socket), 0);
        assert!(matches!(d.engine.connected(socket), Err(Other(_))));
        d.suspicion().rows(&[closing(0)]).active();
        d.host("AT+QICLOSE=0,0\r");
    }
}

/// Neither `pdpdeact` nor the result of the open arrived: the module's list
/// of contexts tells, and the context is set up again.
#[test]
fn a_lost_context_is_found_by_looking() {
    let look_ms = 2_000;
    up!(
        d,
        1,
        Config {
            look_ms,
            ..config()
        }
    );
    let socket = begin(&mut d);
    d.host(open(0)).ok();
    d.wakes(2_000..=2_000, "AT+QISTATE=1,0\r").ok();
    assert!(matches!(d.engine.connected(socket), Err(Other(_))));
    d.suspicion().rows(&[]).host("AT+QIACT?\r").ok();
    assert!(!d.engine.is_up());
    d.host("AT+QIDEACT=1\r").ok();
    d.bring_up_from("AT+QICSGP=1,1,\"\",\"\",\"\",0\r");
    d.connect(socket, 1);
}

#[test]
fn several_opens_run_at_the_same_time() {
    up!(d, 3);
    let sockets = [begin(&mut d), begin(&mut d), begin(&mut d)];
    for id in 0..3 {
        d.host(open(id)).ok();
    }
    d.silent();
    d.line("+QIOPEN: 2,0")
        .line("+QIOPEN: 0,566")
        .line("+QIOPEN: 1,0");
    assert_eq!(d.engine.connected(sockets[2]), Ok(()));
    assert_eq!(
        d.engine.connected(sockets[0]),
        Err(Other(ConnectError::Refused))
    );
    assert_eq!(d.engine.connected(sockets[1]), Ok(()));
    d.host("AT+QICLOSE=0,0\r");
}

/// A family that opens one at a time: cancelling makes room for the next.
#[test]
fn a_silent_server_does_not_block_the_next_connect() {
    static ONE: Family = Family {
        opens_in_flight: 1,
        ..Family::EC25
    };
    up!(
        d,
        2,
        Config {
            family: &ONE,
            ..config()
        }
    );
    let silent = begin(&mut d);
    let next = begin(&mut d);
    d.host(open(0)).ok().quiet(5_000);
    d.engine.cancel_connect(silent);
    let mut sent = vec![d.transmitted()];
    d.ok();
    sent.push(d.transmitted());
    sent.sort();
    assert_eq!(sent, ["AT+QICLOSE=0,0\r".into(), open(1).into_bytes()]);
    d.ok().line("+QIOPEN: 1,0");
    assert_eq!(d.engine.connected(next), Ok(()));
}

#[test]
fn a_connect_that_is_cancelled_before_its_ok() {
    up!(d, 1);
    let socket = begin(&mut d);
    d.host(open(0));
    d.engine.cancel_connect(socket);
    assert_eq!(d.state(socket), 0);
    d.silent().ok();
    d.host("AT+QICLOSE=0,0\r").ok().silent();
    d.connect(socket, 1);
}

#[test]
fn a_connect_that_is_cancelled_before_it_was_sent() {
    up!(d, 1);
    let socket = begin(&mut d);
    d.engine.cancel_connect(socket);
    d.quiet(200_000);
    assert_eq!(
        d.engine.connected(socket),
        Err(Other(ConnectError::NotStarted))
    );
    d.connect(socket, 0);
}

/// Row T: the late success of a cancelled open is nobody's.
#[test]
fn a_late_result_of_a_cancelled_open_touches_nobody() {
    up!(d, 2);
    let socket = begin(&mut d);
    d.host(open(0)).ok();
    d.engine.cancel_connect(socket);
    d.engine.connect(socket, REMOTE.parse().unwrap()).unwrap();
    let other = begin(&mut d);
    d.host(open(1)).line("+QIOPEN: 0,0").ok();
    d.host("AT+QICLOSE=0,0\r").line("+QIOPEN: 0,0");
    assert_eq!(d.engine.connected(socket), Err(WouldBlock));
    assert_eq!(d.engine.connected(other), Err(WouldBlock));
    d.ok();
    d.host(open(2)).ok().line("+QIOPEN: 0,566");
    d.line("+QIOPEN: 0,0")
        .line("+QIURC: \"recv\",0")
        .line("+QIURC: \"closed\",0");
    d.silent();
    assert_eq!(d.engine.connected(socket), Err(WouldBlock));
    assert_eq!(d.engine.connected(other), Err(WouldBlock));
    d.line("+QIOPEN: 2,0").line("+QIOPEN: 1,0");
    assert_eq!((d.state(socket), d.state(other)), (4, 4));
    assert_eq!(d.engine.connected(other), Ok(()));
}

/// The id that was free longest comes first, and only after `AT+QICLOSE`
/// was answered.
#[test]
fn ids_go_round() {
    static THREE: Family = Family {
        sockets: 3,
        ..Family::EC25
    };
    up!(
        d,
        2,
        Config {
            family: &THREE,
            ..config()
        }
    );
    let socket = d.engine.tcp_socket().unwrap();
    for id in [0, 1, 2, 0, 1, 2, 0] {
        d.connect(socket, id);
        d.line(format!("+QIURC: \"closed\",{id}"));
        d.host(format!("AT+QIRD={id},1500\r")).error();
        d.host(format!("AT+QICLOSE={id},0\r")).ok();
    }
    // All but one are in use: the connect waits for the close.
    d.engine.connect(socket, REMOTE.parse().unwrap()).unwrap();
    d.host(open(1)).ok();
    let other = begin(&mut d);
    d.host(open(2)).ok().line("+QIOPEN: 2,566");
    d.host("AT+QICLOSE=2,0\r").silent();
    d.engine.connected(other).unwrap_err();
    d.engine.connect(other, REMOTE.parse().unwrap()).unwrap();
    d.ok().host(open(0)).ok().line("+QIOPEN: 0,563");
    d.host("AT+QICLOSE=0,0\r").silent().ok().host(open(2));
}

/// More slots than the family has ids.
#[test]
fn a_connect_waits_for_a_free_id() {
    static ONE: Family = Family {
        sockets: 1,
        ..Family::EC25
    };
    up!(
        d,
        2,
        Config {
            family: &ONE,
            ..config()
        }
    );
    let first = d.socket(0);
    let second = begin(&mut d);
    d.quiet(60_000);
    d.engine.abort(d.now, first);
    d.host("AT+QICLOSE=0,0\r").silent().ok();
    d.host(open(0)).ok().line("+QIOPEN: 0,0");
    assert_eq!(d.engine.connected(second), Ok(()));
}

#[test]
fn a_second_connect() {
    up!(d, 1);
    let socket = begin(&mut d);
    let same = REMOTE.parse().unwrap();
    let other = "192.0.2.20:81".parse().unwrap();
    for step in 0..2 {
        assert_eq!(d.engine.connect(socket, same), Ok(()), "{step}");
        let again = d.engine.connect(socket, other);
        assert_eq!(again, Err(ConnectError::AlreadyConnecting));
        assert_eq!(again.unwrap_err().errno(), 114);
        if step == 0 {
            d.host(open(0)).ok();
        }
    }
    d.line("+QIOPEN: 0,0");
    // Ended, not told yet.
    assert_eq!(d.engine.connect(socket, same), Ok(()));
    let again = d.engine.connect(socket, other);
    assert_eq!(again, Err(ConnectError::AlreadyConnected));
    assert_eq!(d.engine.connected(socket), Ok(()));
    let again = d.engine.connect(socket, same);
    assert_eq!(again, Err(ConnectError::AlreadyConnected));
    assert_eq!(again.unwrap_err().errno(), 106);
    d.silent();
    d.engine.shutdown(d.now, socket).unwrap();
    d.host("AT+QICLOSE=0,10\r");
    assert!(d.engine.connect(socket, same).is_err());
}

#[test]
fn what_cannot_be_connected_to_is_refused_at_once() {
    up!(d, 1);
    let socket = d.engine.tcp_socket().unwrap();
    for remote in ["192.0.2.20:0", "0.0.0.0:80", "[::]:80"] {
        let refused = d.engine.connect(socket, remote.parse().unwrap());
        assert_eq!(refused, Err(ConnectError::InvalidAddress), "{remote}");
    }
    d.quiet(60_000);
}

#[test]
fn calls_while_a_connection_is_opened_would_block() {
    up!(d, 1);
    let socket = begin(&mut d);
    for step in 0..3 {
        let mut buffer = [0; 4];
        assert_eq!(d.engine.send(socket, b"a"), Err(WouldBlock), "{step}");
        assert_eq!(d.engine.recv(socket, &mut buffer), Err(WouldBlock));
        assert!(d.engine.is_connecting(socket));
        match step {
            0 => d.host(open(0)),
            1 => d.ok(),
            _ => d.line("+QIOPEN: 0,0"),
        };
    }
    assert_eq!(d.engine.send(socket, b"a"), Ok(1));
}

#[test]
fn calls_on_a_socket_that_never_connected() {
    up!(d, 1);
    let socket = d.engine.tcp_socket().unwrap();
    let mut buffer = [0; 4];
    let refused = d.engine.recv(socket, &mut buffer);
    assert_eq!(refused, Err(Other(RecvError::NotConnected)));
    let refused = d.engine.send(socket, b"a");
    assert_eq!(refused, Err(Other(SendError::NotConnected)));
    let refused = d.engine.shutdown(d.now, socket);
    assert_eq!(refused, Err(OpenError::NotConnected));
}

/// Nobody listens: the id goes back to where it came from.
#[test]
fn an_incoming_connection_is_closed() {
    up!(d, 1);
    let socket = d.socket(0);
    d.line("+QIURC: \"incoming\",11,0,\"198.51.100.7\",62060");
    d.host("AT+QICLOSE=11,0\r").ok();
    // Under an id of ours it cannot be: did the module restart unnoticed?
    d.line("+QIURC: \"incoming\",0,5,\"198.51.100.7\",62060");
    d.suspicion().audit(&[connected(0, 0, 0)]);
    assert_eq!(d.state(socket), 4);
}

#[test]
fn a_context_lost_while_a_connection_is_opened() {
    up!(d, 2);
    let (early, late) = (begin(&mut d), begin(&mut d));
    d.host(open(0)).ok().host(open(1));
    d.line("+QIURC: \"pdpdeact\",1");
    let lost = Err(Other(ConnectError::Failed(Failure::ContextLost)));
    assert_eq!(d.engine.connected(early), lost);
    assert_eq!(d.engine.connected(late), lost);
    d.silent().error();
    d.host("AT+QIDEACT=1\r").ok().line("+QIOPEN: 0,0");
    assert_eq!((d.state(early), d.state(late)), (0, 0));
    let remote = REMOTE.parse().unwrap();
    assert_eq!(
        d.engine.connect(early, remote),
        Err(ConnectError::NoNetwork)
    );
    d.bring_up_from("AT+QICSGP=1,1,\"\",\"\",\"\",0\r");
    d.host("AT+QICLOSE=0,0\r").ok();
    d.host("AT+QICLOSE=1,0\r").error();
    d.connect(early, 2);
}

#[test]
fn a_module_that_restarts_while_a_connection_is_opened() {
    up!(d, 2);
    let (early, late) = (begin(&mut d), begin(&mut d));
    d.host(open(0)).ok().host(open(1)).line("RDY");
    let lost = Err(Other(ConnectError::Failed(Failure::Restarted)));
    assert_eq!(d.engine.connected(early), lost);
    assert_eq!(d.engine.connected(late), lost);
    d.host("AT\r").module(b"AT\r\r\nOK\r\n");
    d.wakes(1..=1_000, "ATE0\r").ok();
    for (host, module) in &BRING_UP[2..] {
        d.host(host).module(module);
    }
    // The module has forgotten every id.
    d.connect(early, 0);
}

/// 0d: `OK` is missing. The open itself runs on, as the module says.
#[test]
fn an_open_that_is_not_answered() {
    for (rows, state) in [
        (&[][..], 0),
        (&[opening(0)][..], 2),
        (&[connected(0, 0, 0)][..], 4),
    ] {
        up!(d, 1);
        let socket = begin(&mut d);
        d.host(open(0)).resync(5_000..=7_000).rows(rows);
        assert_eq!(d.state(socket), state);
        if state == 4 {
            d.counters(connected(0, 0, 0));
        }
        d.active();
        match state {
            // It never reached the module: once more, under another id.
            0 => d.host(open(1)).ok().line("+QIOPEN: 1,0"),
            2 => d.quiet(60_000).line("+QIOPEN: 0,0"),
            _ => d.host("AT+QIRD=0,1500\r").module(NO_DATA),
        };
        assert_eq!(d.engine.connected(socket), Ok(()));
        assert_eq!(d.state(socket), 4);
        let events = [Event::Up, Event::LineLost, Event::LineRestored];
        assert_eq!(d.events(), events);
    }
}

/// The module is gone.
#[test]
fn an_open_that_is_never_answered() {
    up!(d, 1);
    let socket = begin(&mut d);
    d.host(open(0));
    let start = d.now;
    while d.engine.connected(socket) == Err(WouldBlock) {
        d.sleep();
    }
    assert!(d.now - start <= 20_000);
    begin_again_fails(&mut d, socket);
    assert_eq!(d.engine.fault(), None);
}

fn begin_again_fails(d: &mut Dialogue<'_>, socket: quectel_sockets::Handle) {
    assert_eq!(d.state(socket), 0);
    assert_eq!(
        d.engine.connect(socket, REMOTE.parse().unwrap()),
        Err(ConnectError::NoNetwork)
    );
}

/// Data and the end may come with the result.
#[test]
fn everything_in_one_read() {
    up!(d, 1);
    let socket = begin(&mut d);
    d.host(open(0)).module(
        b"\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n\r\n+QIURC: \"recv\",0\r\n\r\n+QIURC: \"closed\",0\r\n",
    );
    assert_eq!(d.state(socket), 7);
    assert_eq!(d.engine.connected(socket), Ok(()));
    d.host("AT+QIRD=0,1500\r")
        .module(b"\r\n+QIRD: 2\r\nhi\r\n\r\nOK\r\n");
    assert_eq!(d.received(socket), b"hi");
}
