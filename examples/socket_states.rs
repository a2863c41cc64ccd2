//! The lives of sockets: prints each state of `getsocketsta` as it comes, in
//! several scripts, then all eleven with what a module's family can show.
//!
//! The module is a simulated one inside this process, since the scripts need
//! peers that refuse, close first, or close at the same time.

mod support;

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    process::ExitCode,
    thread,
};

use clap::Parser;
use quectel_sim::{Ending, Link, Peer, PeerIo, Sim, SimCard, Unbound};
use quectel_sockets::{
    Config, Family, Port, Slot, SocketState, Stack,
    socket::{AF_INET, Error, IPPROTO_TCP, SHUT_RDWR, SOCK_STREAM, Socket},
};
use support::{
    module::Module,
    states::States,
    told::{exit, told, wrong},
};

/// Shows the TCP states of sockets as they change.
#[derive(Parser)]
#[command(
    name = "socket_states",
    version,
    after_help = "Exit status: 0 each life went as it should, 1 not so, 2 wrong arguments.\n\n\
    Example:\n  \
    socket_states --delay-ms 500 --trace"
)]
struct Args {
    /// One-way delay of the simulated network in milliseconds: how long the
    /// states last
    #[arg(long, value_name = "MS", default_value_t = 300, value_parser = clap::value_parser!(u16).range(50..=5_000))]
    delay_ms: u16,
    #[command(flatten)]
    module: Module,
}

/// Accepts, and closes by itself if it is told to.
struct Server {
    closes: bool,
}

impl Peer for Server {
    fn connected(&mut self, io: &mut PeerIo) {
        if self.closes {
            io.close();
        }
    }

    fn closed(&mut self, io: &mut PeerIo, _how: Ending) {
        io.close();
    }
}

const SERVER: &str = "192.0.2.7:80";
const CLOSES: &str = "192.0.2.7:81";
const REFUSES: &str = "192.0.2.7:82";

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text} is no address"))
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.module.port.is_some() {
        return wrong("--port: these scripts need the simulated module's peers");
    }
    match args.module.config() {
        Ok(config) => exit(run(&args, config)),
        Err(what) => wrong(&what),
    }
}

fn run(args: &Args, config: Config<'_>) -> Result<(), String> {
    let link = Link {
        delay_us: u64::from(args.delay_ms) * 1_000,
        ..Link::default()
    };
    let mut door = None;
    let port = args.module.open(SimCard::Ready, |sim: &mut Sim| {
        *sim.link_mut() = link;
        sim.serve(address(SERVER)?, || Server { closes: false });
        sim.serve(address(CLOSES)?, || Server { closes: true });
        sim.set_unbound(address(REFUSES)?, Unbound::Refuse);
        // For the listener's client, which comes from this PC.
        let told = |error| format!("no listening socket on 127.0.0.1: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(told)?;
        door = Some(listener.local_addr().map_err(told)?);
        sim.forward_tcp(listener, 8_080).map_err(told)
    })?;
    lives(port, args, config, door)
}

fn lives(
    port: impl Port,
    args: &Args,
    config: Config<'_>,
    door: Option<SocketAddr>,
) -> Result<(), String> {
    let mut memory = [([0; 256], [0; 256]); 2];
    let mut slots = memory.each_mut().map(|(rx, tx)| Slot::new(rx, tx));
    let family = config.family;
    let stack = Stack::new(port, &mut slots, config);
    args.module.wait(&stack)?;
    life(&stack, "refused", REFUSES, false, &[0, 2, 0])?;
    life(&stack, "we close first", SERVER, true, &[0, 2, 4, 5, 10, 0])?;
    life(
        &stack,
        "the peer closes first",
        CLOSES,
        true,
        &[0, 2, 4, 7, 9, 0],
    )?;
    listener(&stack, door)?;
    table(family);
    Ok(())
}

fn socket<'s, 'a, P: Port>(stack: &'s Stack<'a, P>) -> Result<Socket<'s, 'a, P>, String> {
    stack
        .socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
        .map_err(told("no socket", "run it again"))
}

/// Connects to `to`, closes one second after the connection stands or ends,
/// and watches until it is over.
fn life<P: Port>(
    stack: &Stack<'_, P>,
    title: &str,
    to: &str,
    close: bool,
    expected: &[i8],
) -> Result<(), String> {
    println!("\n{title}");
    let again = "run it again, or with --trace";
    let mut socket = socket(stack)?;
    let mut states = States::default();
    let mut seen: Vec<i8> = states.show(&mut socket).into_iter().collect();
    socket.setblocking(false);
    match socket.connect(address(to)?) {
        Err(Error::InProgress) => {}
        other => return Err(format!("the connect did not start: {other:?}; {again}")),
    }
    let mut closed = !close;
    let mut stood_ms = 0;
    // 40 s, in steps of 10 ms.
    for _ in 0..4_000 {
        stack
            .poll_until(10, || false)
            .map_err(told("the stack is busy", again))?;
        stood_ms += 10;
        let state = states.show(&mut socket).unwrap_or(0);
        if seen.last() != Some(&state) {
            seen.push(state);
            stood_ms = 0;
        }
        // The state lasts a while before it is ended.
        if !closed && matches!(state, 4 | 7) && stood_ms > 1_000 {
            socket
                .shutdown(SHUT_RDWR)
                .map_err(told("cannot close", again))?;
            closed = true;
        }
        if seen.len() > 2 && state == 0 {
            break;
        }
    }
    socket.close().map_err(told("cannot close", again))?;
    println!("state {}", socket.getsocketsta());
    if seen != expected {
        return Err(format!(
            "{title}: {seen:?} instead of {expected:?}; {again}"
        ));
    }
    Ok(())
}

fn listener<P: Port>(stack: &Stack<'_, P>, door: Option<SocketAddr>) -> Result<(), String> {
    println!("\na listener, and a client that it accepts");
    let again = "run it again, or with --trace";
    let mut server = socket(stack)?;
    let mut states = States::default();
    states.show(&mut server);
    server
        .bind(("", 8_080))
        .and_then(|()| server.listen(1))
        .map_err(told("cannot listen", again))?;
    if states.show(&mut server) != Some(1) {
        return Err(format!("a listener is not in LISTEN; {again}"));
    }
    server
        .settimeout(Some(20.0))
        .map_err(told("bad time-out", again))?;
    let caller = door.map(|door| thread::spawn(move || TcpStream::connect(door)));
    let (mut client, from) = server.accept().map_err(told("no client", again))?;
    println!("{from}");
    if States::default().show(&mut client) != Some(4) {
        return Err(format!("its client is not in ESTABLISHED; {again}"));
    }
    drop(caller.map(thread::JoinHandle::join));
    client.close().map_err(told("cannot close", again))?;
    server.close().map_err(told("cannot close", again))?;
    println!("state {}", server.getsocketsta());
    Ok(())
}

/// All eleven, and which of them a family's modules show.
fn table(family: &Family) {
    println!(
        "\n{}: what is reported, and what it can stand for",
        family.name
    );
    for state in SocketState::ALL {
        let truths = family.states.truths(state);
        let names: Vec<&str> = truths.iter().map(|truth| truth.name()).collect();
        let stands_for = match names.as_slice() {
            [] => "never shown".to_owned(),
            _ => names.join(", "),
        };
        println!("{:>2} {:<12} {stands_for}", state as i8, state.name());
    }
}
