//! The true states of a connection, from open to closed, and what the AT layer shows of them.

mod common;

use common::Host;
use quectel_sim::TcpState::{
    CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRcvd, SynSent,
    TimeWait,
};
use quectel_sim::{
    CloseAnswer, CloseOpening, CloseTimeout, ClosedUrc, Config, Echo, Ending, OptionSet, Peer,
    PeerIo, Record, RecvUrc, Sim, Sink, Source, TcpState, Then, Unbound,
};

/// Runs until the youngest socket is in the last of these states, or gone after it, and expects it to
/// pass through exactly these.
#[track_caller]
fn passes(host: &mut Host, states: &[TcpState]) {
    let serial = host
        .sim
        .tcp_sockets()
        .iter()
        .map(|socket| socket.serial)
        .max()
        .expect("a socket");
    let state = |sim: &Sim| {
        let sockets = sim.tcp_sockets();
        let socket = sockets.iter().find(|socket| socket.serial == serial);
        socket.map_or(Closed, |socket| socket.state)
    };
    let mut seen = vec![state(&host.sim)];
    host.run_while(|sim| {
        let now = state(sim);
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        seen.last() != states.last()
    });
    assert_eq!(seen, states);
}

fn serve<P: Peer + 'static>(make: impl FnMut() -> P + Send + 'static) -> impl FnOnce(&mut Sim) {
    move |sim| sim.serve("192.0.2.7:7".parse().unwrap(), make)
}

/// Keeps its side open when the module closes.
struct HalfOpen;

impl Peer for HalfOpen {
    fn closed(&mut self, _: &mut PeerIo, _: Ending) {}
}

fn close() -> Source {
    Source::new(*b"", Then::Close)
}

#[test]
fn an_open_passes_syn_sent() {
    let mut host = Host::ready(Config::default());
    serve(|| Echo)(&mut host.sim);
    assert_eq!(host.sim.tcp_state(0), None);
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7\r", "\r\nOK\r\n");
    passes(&mut host, &[SynSent, Established]);
    host.expect("\r\n+QIOPEN: 0,0\r\n");
}

#[test]
fn a_name_is_looked_up_before_syn_sent() {
    let mut host = Host::ready(Config::default());
    serve(|| Echo)(&mut host.sim);
    host.sim
        .set_name("echo.example", &["192.0.2.7".parse().unwrap()], 60);
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"echo.example\",7\r", "\r\nOK\r\n");
    assert_eq!(host.sim.tcp_state(0), Some(Closed));
    assert!(host.sim.tcp_sockets().is_empty());
    host.expect("\r\n+QIOPEN: 0,0\r\n");
    host.talk("AT+QIOPEN=1,1,\"TCP\",\"nobody.example\",7\r", "\r\nOK\r\n");
    host.expect("\r\n+QIOPEN: 1,565\r\n");
}

#[test]
fn the_module_closes_first() {
    let mut host = Host::connected(Config::default(), serve(|| Echo));
    host.send("AT+QICLOSE=0\r");
    passes(&mut host, &[Established, FinWait1, TimeWait]);
    host.expect("\r\nOK\r\n");
    assert_eq!(host.sim.tcp_state(0), None);
    let begin = host.sim.now();
    passes(&mut host, &[TimeWait, Closed]);
    assert!((9_000_000..11_000_000).contains(&(host.sim.now() - begin)));
}

#[test]
fn the_peer_closes_later() {
    let mut host = Host::connected(Config::default(), serve(|| CloseLater));
    host.send("AT+QICLOSE=0\r");
    passes(&mut host, &[Established, FinWait1, FinWait2]);
    host.expect("\r\nOK\r\n");
    assert!(!host.sim.tcp_sockets()[0].attached);
    passes(&mut host, &[FinWait2, TimeWait]);
    passes(&mut host, &[TimeWait, Closed]);
}

/// Closes a second after the module has.
struct CloseLater;

impl Peer for CloseLater {
    fn closed(&mut self, io: &mut PeerIo, _: Ending) {
        io.wake_at(io.now() + 1_000_000);
    }
    fn woken(&mut self, io: &mut PeerIo) {
        io.close();
    }
}

#[test]
fn a_peer_that_never_closes_is_forgotten() {
    let mut host = Host::connected(Config::default(), serve(|| HalfOpen));
    host.send("AT+QICLOSE=0\r");
    passes(&mut host, &[Established, FinWait1, FinWait2]);
    host.expect("\r\nOK\r\n");
    passes(&mut host, &[FinWait2, Closed]);
    assert!(host.sim.tcp_sockets().is_empty());
}

#[test]
fn a_close_may_wait_for_the_peer() {
    let mut config = Config::default();
    config.profile.close_answer = CloseAnswer::BothClosed;
    let mut host = Host::connected(config, serve(|| CloseLater));
    host.send("AT+QICLOSE=0\r");
    passes(&mut host, &[Established, FinWait1, FinWait2]);
    assert_eq!(host.sim.tcp_state(0), Some(FinWait2));
    host.silence(500_000);
    host.expect("\r\nOK\r\n");
    assert_eq!(host.sim.tcp_sockets()[0].state, TimeWait);
}

#[test]
fn a_row_may_stay_in_fin_wait_2() {
    let mut config = Config::default();
    config.profile.row_in_fin_wait_2 = true;
    let mut host = Host::connected(config, serve(|| CloseLater));
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    let port = host.sim.tcp_sockets()[0].local_port;
    host.talk(
        "AT+QISTATE=1,0\r",
        format!("\r\n+QISTATE: 0,\"TCP\",\"192.0.2.7\",7,{port},4,1,0,0,\"uart1\"\r\n\r\nOK\r\n"),
    );
    passes(&mut host, &[FinWait2, TimeWait]);
    host.talk("AT+QISTATE=1,0\r", "\r\nOK\r\n");
}

#[test]
fn the_peer_closes_first() {
    let mut host = Host::connected(Config::default(), serve(close));
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
    assert_eq!(host.sim.tcp_state(0), Some(CloseWait));
    let port = host.sim.tcp_sockets()[0].local_port;
    host.talk(
        "AT+QISTATE\r",
        format!("\r\n+QISTATE: 0,\"TCP\",\"192.0.2.7\",7,{port},4,1,0,0,\"uart1\"\r\n\r\nOK\r\n"),
    );
    host.talk("AT+QISEND=0,1\r", "\r\nERROR\r\n");
    host.send("AT+QICLOSE=0\r");
    passes(&mut host, &[CloseWait, LastAck, Closed]);
    host.expect("\r\nOK\r\n");
    assert!(host.sim.tcp_sockets().is_empty());
}

#[test]
fn both_close_at_once() {
    let mut host = Host::connected(Config::default(), serve(|| Sink));
    host.silence(1_000_000);
    let server = "192.0.2.7:7".parse().unwrap();
    host.sim
        .with_peer(server, |io| io.close())
        .expect("a connection");
    host.send("AT+QICLOSE=0\r");
    passes(&mut host, &[Established, FinWait1, Closing, TimeWait]);
    host.expect("\r\nOK\r\n");
    host.silence(5_000_000);
}

#[test]
fn a_reset_by_the_peer() {
    let source = || Source::new(*b"last words", Then::Abort);
    let mut host = Host::connected(Config::default(), serve(source));
    host.expect("\r\n+QIURC: \"recv\",0\r\n\r\n+QIURC: \"closed\",0\r\n");
    assert_eq!(host.sim.tcp_state(0), Some(Closed));
    host.qird(0, b"last words");
    host.talk("AT+QISEND=0,1\r", "\r\nERROR\r\n");
    host.talk(
        "AT+QIGETERROR\r",
        "\r\n+QIGETERROR: 567,socket has been closed\r\n\r\nOK\r\n",
    );
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
}

#[test]
fn an_abort_by_the_host() {
    let record = Record::new();
    let mut host = Host::connected(Config::default(), serve(record.of(|| Sink)));
    host.talk("AT+QICLOSE=0,0\r", "\r\nOK\r\n");
    assert_eq!(host.sim.tcp_state(0), None);
    host.run_while(|_| record.get(0).ending.is_none());
    assert_eq!(record.get(0).ending, Some(Ending::Reset));
    assert!(host.sim.tcp_sockets().is_empty());
}

#[test]
fn refused_and_silent_servers() {
    let mut host = Host::ready(Config::default());
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.1\",1\r", "\r\nOK\r\n");
    host.expect("\r\n+QIOPEN: 0,566\r\n");
    assert_eq!(host.sim.tcp_state(0), Some(Closed));
    host.talk(
        "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.1\",1\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,563\r\n",
    );
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");

    host.sim
        .set_unbound("192.0.2.2:2".parse().unwrap(), Unbound::Silence);
    let begin = host.sim.now();
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.2\",2\r", "\r\nOK\r\n");
    passes(&mut host, &[SynSent, Closed]);
    host.expect("\r\n+QIOPEN: 0,566\r\n");
    let took = host.sim.now() - begin;
    assert!((75_000_000..76_000_000).contains(&took), "{took}");
}

#[test]
fn an_open_can_be_cancelled() {
    let mut host = Host::ready(Config::default());
    host.sim
        .set_unbound("192.0.2.2:2".parse().unwrap(), Unbound::Silence);
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.2\",2\r", "\r\nOK\r\n");
    host.talk("AT+QICLOSE=0,0\r", "\r\nOK\r\n");
    host.silence(160_000_000);
    assert!(host.sim.tcp_sockets().is_empty());
    host.sim.profile_mut().close_opening = CloseOpening::Refuse;
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.2\",2\r", "\r\nOK\r\n");
    host.talk("AT+QICLOSE=0\r", "\r\nERROR\r\n");
}

#[test]
fn a_close_that_nobody_acknowledges() {
    for (what, after) in [
        (CloseTimeout::Abort, Closed),
        (CloseTimeout::Linger, FinWait1),
    ] {
        let mut host = Host::connected(Config::default(), serve(|| Echo));
        host.sim.profile_mut().close_timeout = what;
        let now = host.sim.now();
        host.sim.link_mut().blackouts.push(now..u64::MAX);
        host.send("AT+QICLOSE=0,3\r");
        host.silence(3_000_000);
        host.expect("\r\nOK\r\n");
        let state = host
            .sim
            .tcp_sockets()
            .first()
            .map_or(Closed, |socket| socket.state);
        assert_eq!(state, after);
        host.silence(130_000_000);
        assert!(host.sim.tcp_sockets().is_empty());
    }
}

#[test]
fn a_port_in_use() {
    let mut host = Host::connected(Config::default(), serve(|| Echo));
    let port = host.sim.tcp_sockets()[0].local_port;
    host.talk(
        format!("AT+QIOPEN=1,1,\"TCP\",\"192.0.2.7\",7,{port}\r"),
        "\r\nOK\r\n",
    );
    host.expect("\r\n+QIOPEN: 1,556\r\n");
}

#[test]
fn the_closed_urc_may_wait_for_the_reader() {
    let source = || Source::new([b'x'; 2000], Then::Close);
    let mut config = Config::default();
    config.profile.closed_urc = ClosedUrc::AfterDrain;
    let mut host = Host::connected(config, serve(source));
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.silence(1_000_000);
    assert_eq!(host.sim.tcp_state(0), Some(CloseWait));
    host.qird(0, &[b'x'; 1500]);
    host.silence(1_000_000);
    host.qird(0, &[b'x'; 500]);
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
}

#[test]
fn the_closed_urc_comes_before_the_tail_is_read() {
    let source = || Source::new([b'x'; 5000], Then::Close);
    let mut host = Host::connected(Config::default(), serve(source));
    host.expect("\r\n+QIURC: \"recv\",0\r\n\r\n+QIURC: \"closed\",0\r\n");
    for _ in 0..3 {
        host.qird(0, &[b'x'; 1500]);
    }
    host.qird(0, &[b'x'; 500]);
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
    host.silence(1_000_000);
}

/// Sends a byte every second.
struct Ticker;

impl Peer for Ticker {
    fn connected(&mut self, io: &mut PeerIo) {
        self.woken(io);
    }
    fn woken(&mut self, io: &mut PeerIo) {
        io.send(b"t");
        io.wake_at(io.now() + 1_000_000);
    }
}

#[test]
fn the_recv_urc_is_not_repeated_while_data_is_unread() {
    let mut host = Host::connected(Config::default(), serve(|| Ticker));
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.silence(2_500_000);
    host.talk("AT+QIRD=0,2\r", "\r\n+QIRD: 2\r\ntt\r\n\r\nOK\r\n");
    host.silence(2_000_000);
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 3\r\nttt\r\n\r\nOK\r\n");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.sim.profile_mut().recv_urc = RecvUrc::AfterZeroRead;
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 1\r\nt\r\n\r\nOK\r\n");
    host.silence(2_000_000);
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 2\r\ntt\r\n\r\nOK\r\n");
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
}

#[test]
fn options_change_what_is_printed() {
    let mut host = Host::connected(Config::default(), serve(|| Echo));
    host.talk("AT+QICFG=\"recvind\",1\r", "\r\nOK\r\n");
    host.talk("AT+QICFG=\"viewmode\",1\r", "\r\nOK\r\n");
    host.qisend(0, b"hello");
    host.expect("\r\n+QIURC: \"recv\",0,5\r\n");
    host.talk("AT+QIRD=0,1500\r", "\r\n+QIRD: 5,hello\r\n\r\nOK\r\n");
    host.talk("AT+QICFG=\"passiveclosed\",1\r", "\r\nOK\r\n");
    host.talk(
        "AT+QICFG=\"passiveclosed\"\r",
        "\r\n+QICFG: \"passiveclosed\",1\r\n\r\nOK\r\n",
    );
    host.talk("AT+QICFG=\"passiveclosed\",2\r", "\r\nERROR\r\n");
    host.talk(
        "AT+QICFG=\"tcp/keepalive\"\r",
        "\r\n+QICFG: \"tcp/keepalive\",0\r\n\r\nOK\r\n",
    );
    host.talk("AT+QICFG=\"tcp/keepalive\",1,1,25,3\r", "\r\nOK\r\n");
    host.talk(
        "AT+QICFG=\"tcp/keepalive\"\r",
        "\r\n+QICFG: \"tcp/keepalive\",1,1,25,3\r\n\r\nOK\r\n",
    );
}

#[test]
fn keep_alive_finds_a_lost_peer() {
    let mut host = Host::ready(Config::default());
    host.talk("AT+QICFG=\"tcp/keepalive\",1,1,25,3\r", "\r\nOK\r\n");
    serve(|| Echo)(&mut host.sim);
    host.open(0);
    host.silence(600_000_000);
    assert_eq!(host.sim.tcp_state(0), Some(Established));
    let now = host.sim.now();
    host.sim.link_mut().blackouts.push(now..u64::MAX);
    host.silence(60_000_000);
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
    assert_eq!(host.sim.tcp_state(0), Some(Closed));
}

#[test]
fn passive_close_frees_the_id() {
    let mut host = Host::ready(Config::default());
    host.talk("AT+QICFG=\"passiveclosed\",1\r", "\r\nOK\r\n");
    serve(close)(&mut host.sim);
    host.open(0);
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
    host.talk("AT+QISTATE=1,0\r", "\r\nOK\r\n");
    host.open(0);
}

#[test]
fn released_sockets_are_bounded() {
    let mut host = Host::ready(Config::default());
    serve(|| Echo)(&mut host.sim);
    for _ in 0..40 {
        host.open(0);
        host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    }
    assert_eq!(host.sim.tcp_sockets().len(), 16);
}

#[test]
fn twelve_ids_at_once() {
    let mut host = Host::ready(Config::default());
    serve(|| Echo)(&mut host.sim);
    for id in 0..12 {
        host.open(id);
    }
    host.talk("AT+QIOPEN=1,12,\"TCP\",\"192.0.2.7\",7\r", "\r\nERROR\r\n");
    for id in 0..12 {
        let data = [b'0' + id; 100];
        host.qisend(id, &data);
        host.expect(format!("\r\n+QIURC: \"recv\",{id}\r\n"));
        host.qird(id, &data);
    }
}

#[test]
fn addresses_at_which_nobody_can_be() {
    let mut host = Host::ready(Config::default());
    for address in [
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "10.7.157.1",
        "127.0.0.1",
    ] {
        serve(|| Echo)(&mut host.sim);
        host.sim
            .serve(format!("{address}:7").parse().unwrap(), || Echo);
        host.talk(
            format!("AT+QIOPEN=1,0,\"TCP\",\"{address}\",7\r"),
            "\r\nOK\r\n",
        );
        let error = if address.starts_with("1") { 0 } else { 566 };
        host.expect(format!("\r\n+QIOPEN: 0,{error}\r\n"));
        host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    }
}

/// The number that `AT+QISTATE` shows for id 0; none if there is no row.
#[track_caller]
fn shown(host: &mut Host) -> Option<u8> {
    host.send("AT+QISTATE=1,0\r");
    let mut row = Vec::new();
    while !row.ends_with(b"\r\nOK\r\n") {
        let byte = host.take(1);
        assert_eq!(byte.len(), 1, "{}", row.escape_ascii());
        row.extend(byte);
    }
    let row = String::from_utf8(row).expect("text");
    row.split(',')
        .nth(5)
        .map(|state| state.parse().expect("a state"))
}

/// A host whose `AT+QICLOSE` does not block, so that the states on the way down can be looked at.
fn unblocked(link_delay_us: u64) -> Host {
    let mut config = Config::default();
    config.profile.options = OptionSet::Ec200u;
    config.profile.close_answer = CloseAnswer::BothClosed;
    config.link.delay_us = link_delay_us;
    let mut host = Host::ready(config);
    host.talk("AT+QICFG=\"close/mode\",1\r", "\r\nOK\r\n");
    host
}

/// Times are such that each state lasts longer than `AT+QISTATE` takes.
const SLOW: u64 = 200_000;

#[test]
fn opening_is_1_open_is_2_listening_is_3() {
    let mut host = unblocked(SLOW);
    serve(|| Echo)(&mut host.sim);
    host.sim
        .set_name("echo.example", &["192.0.2.7".parse().unwrap()], 60);
    assert_eq!((host.sim.tcp_state(0), shown(&mut host)), (None, None));
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"echo.example\",7\r", "\r\nOK\r\n");
    assert_eq!(
        (host.sim.tcp_state(0), shown(&mut host)),
        (Some(Closed), Some(1))
    );
    host.run_while(|sim| sim.tcp_state(0) == Some(Closed));
    assert_eq!(
        (host.sim.tcp_state(0), shown(&mut host)),
        (Some(SynSent), Some(1))
    );
    host.expect("\r\n+QIOPEN: 0,0\r\n");
    assert_eq!(
        (host.sim.tcp_state(0), shown(&mut host)),
        (Some(Established), Some(2))
    );
    host.talk("AT+QICLOSE=0,0\r", "\r\nOK\r\n\r\n+QIURC: \"closed\",0\r\n");
    host.talk(
        "AT+QIOPEN=1,0,\"TCP LISTENER\",\"127.0.0.1\",0,8080\r",
        "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
    );
    assert_eq!(
        (host.sim.tcp_state(0), shown(&mut host)),
        (Some(Listen), Some(3))
    );
}

#[test]
fn both_open_at_once() {
    let mut host = unblocked(SLOW);
    let server = "192.0.2.7:7".parse().unwrap();
    host.talk("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,5000\r", "\r\nOK\r\n");
    assert!(host.sim.dial(server, 5000, Echo));
    host.run_while(|sim| sim.tcp_state(0) == Some(SynSent));
    assert_eq!(
        (host.sim.tcp_state(0), shown(&mut host)),
        (Some(SynRcvd), Some(1))
    );
    host.expect("\r\n+QIOPEN: 0,0\r\n");
    host.qisend(0, b"both");
    host.expect("\r\n+QIURC: \"recv\",0\r\n");
    host.qird(0, b"both");
}

#[test]
fn closing_is_4_until_the_row_is_gone() {
    let mut host = unblocked(SLOW);
    serve(|| CloseLater)(&mut host.sim);
    host.open(0);
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    for state in [FinWait1, FinWait2] {
        assert_eq!(
            (host.sim.tcp_state(0), shown(&mut host)),
            (Some(state), Some(4))
        );
        host.run_while(|sim| sim.tcp_state(0) == Some(state));
    }
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
    assert_eq!(shown(&mut host), None);
    assert_eq!(host.sim.tcp_sockets()[0].state, TimeWait);

    serve(|| Sink)(&mut host.sim);
    host.open(0);
    host.silence(1_000_000);
    let server = "192.0.2.7:7".parse().unwrap();
    host.sim.with_peer(server, |io| io.close());
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    host.run_while(|sim| sim.tcp_state(0) == Some(FinWait1));
    assert_eq!(
        (host.sim.tcp_state(0), shown(&mut host)),
        (Some(Closing), Some(4))
    );
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
    assert_eq!(shown(&mut host), None);

    serve(close)(&mut host.sim);
    host.open(0);
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
    assert_eq!(
        (host.sim.tcp_state(0), shown(&mut host)),
        (Some(CloseWait), Some(4))
    );
    host.talk("AT+QICLOSE=0\r", "\r\nOK\r\n");
    assert_eq!(
        (host.sim.tcp_state(0), shown(&mut host)),
        (Some(LastAck), Some(4))
    );
    host.expect("\r\n+QIURC: \"closed\",0\r\n");
    assert_eq!(shown(&mut host), None);
}
