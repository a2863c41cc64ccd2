//! Closing, against hand-written bytes: the exact state after every byte
//! that matters.

mod support;

use nb::Error::{Other, WouldBlock};
use quectel_sockets::{
    Config, ConnectError, Failure, Family, Handle, OpenError, RecvError, SendError,
};
use support::dialogue::{Dialogue, NO_DATA, PROMPT, SEND_OK, config, qird, state_row};

const CLOSED: &str = "+QIURC: \"closed\",0";

fn row(state: u8) -> String {
    format!("\r\n+QISTATE: 0,\"TCP\",\"192.0.2.20\",80,22742,{state},1,0,0,\"uart1\"\r\n\r\nOK\r\n")
}

fn counters(total: u32, unacked: u32) -> String {
    format!(
        "\r\n+QISEND: {total},{},{unacked}\r\n\r\nOK\r\n",
        total - unacked
    )
}

fn shutdown(d: &mut Dialogue<'_>, socket: Handle) {
    d.engine.shutdown(d.now, socket).unwrap();
}

/// Sends 4 bytes.
fn send(d: &mut Dialogue<'_>, socket: Handle) {
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r")
        .module(PROMPT)
        .host("data")
        .module(SEND_OK);
}

/// 4, 5, 10, 0; the id is free as soon as the module says so.
#[test]
fn an_active_close() {
    up!(d, 1);
    let socket = d.socket(0);
    shutdown(&mut d, socket);
    assert_eq!(d.state(socket), 4);
    d.engine.poll(d.now);
    let command = d.engine.tx().len();
    assert_eq!(d.engine.tx(), b"AT+QICLOSE=0,10\r");
    d.engine.tx_done(d.now, command - 1);
    assert_eq!(d.state(socket), 4);
    d.engine.tx_done(d.now, 1);
    assert_eq!(d.state(socket), 5);
    assert!(!d.engine.is_closed(socket));
    d.quiet(1_000).module(b"\r\nOK\r\n");
    // A row would mean that the peer's FIN is awaited; until the module has
    // told, the state is the last one that was known.
    assert_eq!(d.state(socket), 5);
    d.host("AT+QISTATE=1,0\r").module(b"\r\nOK\r\n");
    assert_eq!(d.state(socket), 10);
    assert!(d.engine.is_closed(socket));
    d.quiet(119_999);
    assert_eq!(d.state(socket), 10);
    d.quiet(1);
    assert_eq!(d.state(socket), 0);
    d.quiet(1_000_000);
    d.engine.release(d.now, socket);
    assert_eq!(d.state(socket), -1);
}

/// 4, 5, 6, 10
#[test]
fn an_active_close_whose_row_remains() {
    up!(d, 1);
    let socket = d.socket(0);
    shutdown(&mut d, socket);
    d.host("AT+QICLOSE=0,10\r").ok();
    for _ in 0..3 {
        assert!(matches!(d.state(socket), 5 | 6));
        assert_eq!(d.sleep(), "AT+QISTATE=1,0\\r");
        d.module(row(4));
        assert_eq!(d.state(socket), 6);
        assert!(!d.engine.is_closed(socket));
    }
    assert_eq!(d.sleep(), "AT+QISTATE=1,0\\r");
    d.ok();
    assert_eq!(d.state(socket), 10);
}

/// The peer never sends its FIN: 6 does not last for ever.
#[test]
fn fin_wait_2_ends() {
    for answer in [row(4), row(2), "\r\nERROR\r\n".into()] {
        up!(d, 1);
        let socket = d.socket(0);
        shutdown(&mut d, socket);
        d.host("AT+QICLOSE=0,10\r").ok();
        let start = d.now;
        while matches!(d.state(socket), 5 | 6) {
            assert_eq!(d.sleep(), "AT+QISTATE=1,0\\r");
            d.module(&answer);
            assert!(d.now - start <= 15_000, "{answer}");
        }
        assert_eq!(d.state(socket), 10);
        d.quiet(200_000);
        assert_eq!(d.state(socket), 0);
    }
}

/// 4, 7, 9, 0
#[test]
fn a_passive_close() {
    up!(d, 1);
    let socket = d.socket(0);
    d.module(b"\r\n+QIURC: \"closed\",0");
    assert_eq!(d.state(socket), 4);
    d.module(b"\r\n");
    assert_eq!(d.state(socket), 7);
    d.host("AT+QIRD=0,1500\r").module(NO_DATA);
    d.host("AT+QISTATE=1,0\r").module(row(4));
    shutdown(&mut d, socket);
    assert_eq!(d.state(socket), 7);
    d.host("AT+QICLOSE=0,10\r");
    assert_eq!(d.state(socket), 9);
    d.module(b"\r\nOK");
    assert_eq!(d.state(socket), 9);
    d.module(b"\r\n");
    assert_eq!(d.state(socket), 0);
    d.quiet(1_000_000);
}

/// 4, 5, 8, 0: `closed` has crossed our command.
#[test]
fn a_close_that_crosses_the_peers() {
    up!(d, 1);
    let socket = d.socket(0);
    shutdown(&mut d, socket);
    d.host("AT+QICLOSE=0,10\r").line(CLOSED);
    assert_eq!(d.state(socket), 8);
    d.quiet(500).ok();
    assert_eq!(d.state(socket), 0);
    d.quiet(1_000_000);
}

/// 4, 5, 0: the timer ran out before the peer acknowledged.
#[test]
fn a_close_that_is_answered_at_its_time_out() {
    for (after, state) in [(9_900, 5), (10_000, 0), (12_000, 0)] {
        up!(d, 1);
        let socket = d.socket(0);
        shutdown(&mut d, socket);
        d.host("AT+QICLOSE=0,10\r").quiet(after);
        assert_eq!(d.state(socket), 5);
        d.ok();
        assert_eq!(d.state(socket), state, "{after}");
        assert_eq!(d.transmitted().is_empty(), state == 0);
    }
}

/// 2 s where another connection would be held up.
#[test]
fn the_time_of_a_close_depends_on_the_others() {
    up!(d, 2);
    let (first, second) = (d.socket(0), d.socket(1));
    shutdown(&mut d, first);
    d.host("AT+QICLOSE=0,2\r").quiet(1_999).ok();
    d.host("AT+QISTATE=1,0\r").ok();
    assert_eq!(d.state(first), 10);
    shutdown(&mut d, second);
    // TIME_WAIT holds nothing in the module.
    d.host("AT+QICLOSE=1,10\r").quiet(2_000).ok();
    assert_eq!(d.state(second), 5);
}

/// 4, then 0 with the OK: nothing is waited for.
#[test]
fn an_abort() {
    up!(d, 2);
    let (socket, peer_closed) = (d.socket(0), d.socket(1));
    d.line("+QIURC: \"closed\",1");
    d.host("AT+QIRD=1,1500\r").module(NO_DATA);
    d.host("AT+QISTATE=1,1\r").module(state_row(1, 4));
    d.engine.send(socket, b"data").unwrap();
    d.engine.abort(d.now, socket);
    assert_eq!(d.state(socket), -1);
    d.engine.abort(d.now, peer_closed);
    let mut sent = vec![d.sleep()];
    d.ok();
    sent.push(d.sleep());
    sent.sort();
    assert_eq!(sent, ["AT+QICLOSE=0,0\\r", "AT+QICLOSE=1,0\\r"]);
    d.ok().quiet(1_000_000);
    assert!(d.engine.tcp_socket().is_ok() && d.engine.tcp_socket().is_ok());
}

/// What was taken is sent and its acknowledgement awaited.
#[test]
fn closing_sends_first_and_waits_for_the_peer() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    shutdown(&mut d, socket);
    d.host("AT+QISEND=0,4\r")
        .module(PROMPT)
        .host("data")
        .module(SEND_OK);
    assert_eq!(d.engine.flushed(socket), Err(WouldBlock));
    d.host("AT+QISEND=0,0\r").module(counters(4, 4));
    assert_eq!(d.engine.flushed(socket), Ok(()));
    for pause in [100, 200, 400, 800] {
        assert_eq!(d.state(socket), 4);
        d.wakes(pause..=pause, "AT+QISEND=0,0\r")
            .module(counters(4, 1));
    }
    d.wakes(1_600..=1_600, "AT+QISEND=0,0\r")
        .module(counters(4, 0));
    d.host("AT+QICLOSE=0,10\r");
    assert_eq!(d.state(socket), 5);
}

/// While the acknowledgement is awaited the peer's data is still read.
#[test]
fn data_that_comes_while_closing() {
    up!(d, 1);
    let socket = d.socket(0);
    send(&mut d, socket);
    shutdown(&mut d, socket);
    d.host("AT+QISEND=0,0\r").module(counters(4, 4));
    d.line("+QIURC: \"recv\",0")
        .host("AT+QIRD=0,1500\r")
        .module(qird(b"answer"));
    d.host("AT+QIRD=0,1500\r").module(NO_DATA);
    assert_eq!(d.received(socket), b"answer");
    d.wakes(1..=100, "AT+QISEND=0,0\r").module(counters(4, 0));
    d.host("AT+QICLOSE=0,10\r");
}

/// Linger is over: 4, then 0.
#[test]
fn an_acknowledgement_that_never_comes() {
    up!(d, 1);
    let socket = d.socket(0);
    send(&mut d, socket);
    shutdown(&mut d, socket);
    let start = d.now;
    loop {
        match d.sleep().as_str() {
            "AT+QISEND=0,0\\r" => d.module(counters(4, 4)),
            "AT+QICLOSE=0,0\\r" => break,
            other => panic!("{other}"),
        };
    }
    assert!((10_000..=12_000).contains(&(d.now - start)));
    assert_eq!(d.state(socket), 4);
    d.ok();
    assert_eq!(d.state(socket), 0);
    d.quiet(1_000_000);
}

/// The module's buffer stays full: what could not be sent is lost, and said.
#[test]
fn data_that_cannot_be_sent_before_linger_is_over() {
    for close in ["OK", "ERROR"] {
        up!(d, 1);
        let socket = d.socket(0);
        d.engine.send(socket, b"data").unwrap();
        shutdown(&mut d, socket);
        loop {
            match d.sleep().as_str() {
                "AT+QISEND=0,4\\r" => d.module(PROMPT).host("data").line("SEND FAIL"),
                "AT+QICLOSE=0,0\\r" => break,
                other => panic!("{other}"),
            };
        }
        d.line(close);
        assert_eq!(d.state(socket), 0);
        let lost = SendError::Failed(Failure::Reset);
        assert_eq!(d.engine.flushed(socket), Err(Other(lost)), "{close}");
    }
}

#[test]
fn linger_can_be_turned_off() {
    up!(
        d,
        1,
        Config {
            linger_ms: 0,
            ..config()
        }
    );
    let socket = d.socket(0);
    send(&mut d, socket);
    shutdown(&mut d, socket);
    d.host("AT+QICLOSE=0,0\r").ok();
    assert_eq!(d.state(socket), 0);
}

/// The module does not tell its counters: closing goes on without them.
#[test]
fn counters_that_are_refused() {
    up!(d, 1);
    let socket = d.socket(0);
    send(&mut d, socket);
    shutdown(&mut d, socket);
    let start = d.now;
    loop {
        match d.sleep().as_str() {
            "AT+QISEND=0,0\\r" => d.error(),
            "AT+QISTATE=1,0\\r" => d.module(row(2)),
            "AT+QICLOSE=0,10\\r" | "AT+QICLOSE=0,0\\r" => break,
            other => panic!("{other}"),
        };
    }
    assert!(d.now - start <= 12_000);
}

/// The peer closes while we do: its `closed` ends the waiting.
#[test]
fn closed_while_the_acknowledgement_is_awaited() {
    up!(d, 1);
    let socket = d.socket(0);
    send(&mut d, socket);
    shutdown(&mut d, socket);
    d.host("AT+QISEND=0,0\r")
        .module(counters(4, 4))
        .line(CLOSED);
    assert_eq!(d.state(socket), 7);
    let mut command = d.sleep();
    if command == "AT+QIRD=0,1500\\r" {
        d.module(NO_DATA);
        command = d.sleep();
    }
    assert_eq!(command, "AT+QISTATE=1,0\\r");
    d.module(row(4));
    command = d.sleep();
    assert_eq!(command, "AT+QICLOSE=0,10\\r");
    assert_eq!(d.state(socket), 9);
}

#[test]
fn a_close_that_is_refused() {
    for passive in [false, true] {
        up!(d, 1);
        let socket = d.socket(0);
        if passive {
            d.line(CLOSED).host("AT+QIRD=0,1500\r").module(NO_DATA);
            d.host("AT+QISTATE=1,0\r").module(row(4));
        }
        shutdown(&mut d, socket);
        d.host("AT+QICLOSE=0,10\r").error();
        assert_eq!(d.state(socket), 0);
        d.host("AT+QICLOSE=0,0\r").error().quiet(1_000_000);
        d.connect(socket, 1);
    }
}

#[test]
fn closing_ends_by_a_restart_or_a_lost_context() {
    for urc in ["RDY", "+QIURC: \"pdpdeact\",1"] {
        up!(d, 1);
        let socket = d.socket(0);
        shutdown(&mut d, socket);
        d.host("AT+QICLOSE=0,10\r").line(urc);
        assert_eq!(d.state(socket), 0);
        assert!(d.engine.is_closed(socket));
        // Nothing of the user's was lost.
        assert_eq!(d.engine.flushed(socket), Ok(()));
        assert_eq!(d.engine.recv(socket, &mut [0; 4]), Ok(0));
    }
}

#[test]
fn a_socket_that_is_not_connected_has_nothing_to_close() {
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.shutdown(d.now, socket).unwrap();
    d.engine.shutdown(d.now, socket).unwrap();
    d.host("AT+QICLOSE=0,10\r")
        .ok()
        .host("AT+QISTATE=1,0\r")
        .ok();
    let again = d.engine.shutdown(d.now, socket);
    assert_eq!(again, Err(OpenError::NotConnected));
    d.engine.release(d.now, socket);
    let fresh = d.engine.tcp_socket().unwrap();
    d.engine.release(d.now, fresh);
    d.quiet(1_000_000);
}

/// A released slot is free when the module has let go, not before.
#[test]
fn a_released_slot_is_free_after_its_close() {
    up!(d, 1);
    for id in 0..15 {
        let socket = d.socket(id % 12);
        d.engine.release(d.now, socket);
        assert_eq!(d.state(socket), -1);
        assert!(d.engine.is_closing_any());
        assert_eq!(d.engine.tcp_socket(), Err(OpenError::NoSlot));
        d.host(format!("AT+QICLOSE={},10\r", id % 12));
        assert_eq!(d.engine.tcp_socket(), Err(OpenError::NoSlot));
        d.ok().silent();
        assert!(!d.engine.is_closing_any());
    }
}

/// TIME_WAIT gives its slot to the next socket.
#[test]
fn time_wait_is_evicted_when_a_slot_is_needed() {
    static QUICK: Family = Family::EC25.with_time_wait(10_000);
    up!(
        d,
        2,
        Config {
            family: &QUICK,
            ..config()
        }
    );
    let (waiting, open) = (d.socket(0), d.socket(1));
    shutdown(&mut d, waiting);
    d.host("AT+QICLOSE=0,2\r")
        .ok()
        .host("AT+QISTATE=1,0\r")
        .ok();
    assert_eq!(d.state(waiting), 10);
    let next = d.engine.tcp_socket().unwrap();
    assert_eq!(d.state(waiting), -1);
    assert_eq!((d.state(next), d.state(open)), (0, 4));
    assert_eq!(d.engine.tcp_socket(), Err(OpenError::NoSlot));
    d.quiet(60_000);
    // Of a socket that is not needed nothing is evicted.
    d.engine.release(d.now, next);
    shutdown(&mut d, open);
    d.host("AT+QICLOSE=1,10\r")
        .ok()
        .host("AT+QISTATE=1,1\r")
        .ok();
    assert!(d.engine.tcp_socket().is_ok());
    assert_eq!(d.state(open), 10);
    d.quiet(10_000);
    assert_eq!(d.state(open), 0);
}

#[test]
fn every_call_knows_a_stale_handle() {
    up!(d, 1);
    let stale = d.engine.tcp_socket().unwrap();
    d.engine.release(d.now, stale);
    let owner = d.socket(0);
    let remote = "192.0.2.20:80".parse().unwrap();
    let mut buffer = [0; 4];
    let connect = d.engine.connect(stale, remote);
    assert_eq!(connect, Err(ConnectError::BadHandle));
    let connected = d.engine.connected(stale);
    assert_eq!(connected, Err(Other(ConnectError::BadHandle)));
    let send = d.engine.send(stale, b"a");
    assert_eq!(send, Err(Other(SendError::BadHandle)));
    let flushed = d.engine.flushed(stale);
    assert_eq!(flushed, Err(Other(SendError::BadHandle)));
    let recv = d.engine.recv(stale, &mut buffer);
    assert_eq!(recv, Err(Other(RecvError::BadHandle)));
    let shutdown = d.engine.shutdown(d.now, stale);
    assert_eq!(shutdown, Err(OpenError::BadHandle));
    assert_eq!(shutdown.unwrap_err().errno(), 9);
    assert_eq!(d.engine.readable(stale), 0);
    assert_eq!(d.engine.state(stale), None);
    assert_eq!(d.engine.remote(stale), None);
    assert!(!d.engine.is_connecting(stale));
    d.engine.cancel_connect(stale);
    d.engine.release(d.now, stale);
    d.engine.abort(d.now, stale);
    d.quiet(1_000_000);
    assert_eq!(d.state(owner), 4);
}

/// Dropped in the middle of any transaction.
#[test]
fn a_socket_that_is_dropped_while_a_job_runs() {
    // In the middle of QISEND: the payload is finished, then closed.
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r");
    d.engine.release(d.now, socket);
    assert_eq!(d.engine.tcp_socket(), Err(OpenError::NoSlot));
    d.module(PROMPT).host("data").module(SEND_OK);
    d.host("AT+QISEND=0,0\r").module(counters(4, 0));
    d.host("AT+QICLOSE=0,10\r").ok();
    assert!(d.engine.tcp_socket().is_ok());

    // Aborted there: the payload is finished all the same.
    up!(d, 1);
    let socket = d.socket(0);
    d.engine.send(socket, b"data").unwrap();
    d.host("AT+QISEND=0,4\r");
    d.engine.abort(d.now, socket);
    d.module(PROMPT).host("data").module(SEND_OK);
    d.host("AT+QICLOSE=0,0\r").ok();
    assert!(d.engine.tcp_socket().is_ok());

    // While it is opened.
    up!(d, 1);
    let socket = d.engine.tcp_socket().unwrap();
    let remote = "192.0.2.20:80".parse().unwrap();
    d.engine.connect(socket, remote).unwrap();
    d.host("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",80,0,0\r");
    d.engine.release(d.now, socket);
    assert_eq!(d.engine.tcp_socket(), Err(OpenError::NoSlot));
    d.ok();
    let next = d.engine.tcp_socket().unwrap();
    d.line("+QIOPEN: 0,0")
        .host("AT+QICLOSE=0,0\r")
        .ok()
        .quiet(200_000);
    assert_eq!(d.state(next), 0);

    // While its state is asked for.
    up!(d, 1);
    let socket = d.socket(0);
    shutdown(&mut d, socket);
    d.host("AT+QICLOSE=0,10\r").ok().host("AT+QISTATE=1,0\r");
    d.engine.release(d.now, socket);
    d.ok();
    assert!(d.engine.tcp_socket().is_ok());
    d.quiet(200_000);
}

/// The first unused slot is still in use by a command: the second is free.
#[test]
fn a_slot_in_use_by_a_command_hides_no_free_one() {
    up!(d, 2);
    let socket = d.engine.tcp_socket().unwrap();
    let remote = "192.0.2.20:80".parse().unwrap();
    d.engine.connect(socket, remote).unwrap();
    d.host("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",80,0,0\r");
    d.engine.release(d.now, socket);
    assert!(d.engine.tcp_socket().is_ok());
    assert_eq!(d.engine.tcp_socket(), Err(OpenError::NoSlot));
}
