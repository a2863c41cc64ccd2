//! An HTTP GET through the TCP/IP stack of a module: QuecPython's socket
//! example in Rust. Wait for the network, resolve, connect, send, receive,
//! close; and what to do if there is no network.
//!
//! Without a URL it starts a small web server on this PC and fetches from
//! it. Without `--port` the module is a simulated one inside this process.

mod support;

use std::{net::Ipv4Addr, path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use quectel_sim::SimCard;
use quectel_sockets::{
    CheckNetwork, Config, ConnectError, Port, Slot, Stack,
    socket::{AF_INET, Error, IPPROTO_TCP, SHUT_RDWR, SOCK_STREAM, Socket},
};
use support::{
    http::{self, Head},
    module::Module,
    states::States,
    told::{exit, no_network, sha256, store, told, wrong},
    url::Url,
    web::WebServer,
};

/// Fetches a URL through a cellular module, a real or a simulated one.
#[derive(Parser)]
#[command(
    name = "http_get",
    version,
    after_help = "Exit status: 0 fetched, 1 failed, 2 wrong arguments.\n\n\
    Examples:\n  \
    http_get                                    from a web server of its own\n  \
    http_get http://example.com/                from a real server\n  \
    http_get --trace --output page http://example.com/\n  \
    http_get --sim-card absent                  without a network\n  \
    http_get --port /dev/ttyUSB2 --apn internet http://example.com/   a real module\n  \
    http_get --port tcp:127.0.0.1:7000 http://example.com/            quectel-sim serve"
)]
struct Args {
    /// http://HOST[:PORT][/PATH]; none: a web server started by this program
    url: Option<String>,
    /// Store the body in FILE, byte for byte
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    module: Module,
    /// The SIM card of the simulated module
    #[arg(long, value_enum, default_value = "ready")]
    sim_card: Card,
    /// Seconds to wait for each step of the transfer
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3600))]
    timeout: u16,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Card {
    Ready,
    Absent,
    Pin,
}

/// The name under which the program's own server is reached.
const OWN_NAME: &str = "www.example.test";

fn main() -> ExitCode {
    let args = Args::parse();
    if args.module.port.is_some() && args.url.is_none() {
        return wrong("--port needs a URL: a real module does not reach this program's own server");
    }
    let checked = args.url.as_deref().map(str::parse::<Url>).transpose();
    match checked.and_then(|url| Ok((url, args.module.config()?))) {
        Ok((url, config)) => exit(run(&args, url, config)),
        Err(what) => wrong(&what),
    }
}

fn run(args: &Args, url: Option<Url>, config: Config<'_>) -> Result<(), String> {
    let own = match url {
        Some(_) => None,
        None => {
            let body = (1..=1_000).flat_map(|n| format!("line {n} of the news\r\n").into_bytes());
            let server = WebServer::start(body.collect());
            Some(server.map_err(|error| format!("no listening socket on 127.0.0.1: {error}"))?)
        }
    };
    let url = url.unwrap_or_else(|| Url {
        scheme: "http",
        host: OWN_NAME.into(),
        port: own.as_ref().map_or(80, |own| own.address.port()),
        path: "/News".into(),
    });
    let card = match args.sim_card {
        Card::Ready => SimCard::Ready,
        Card::Absent => SimCard::Absent,
        Card::Pin => SimCard::Pin("1234".into()),
    };
    let port = args.module.open(card, |sim| {
        sim.set_name(OWN_NAME, &[Ipv4Addr::LOCALHOST], 300);
        Ok(())
    })?;
    program(port, args, &url, own.as_ref(), config)
}

/// The example of QuecPython's page, on the module at `port`.
fn program(
    port: impl Port,
    args: &Args,
    url: &Url,
    own: Option<&WebServer>,
    config: Config<'_>,
) -> Result<(), String> {
    let (mut rx, mut tx) = ([0; 4096], [0; 1460]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let stack = Stack::new(port, &mut slots, config);

    let check_net = CheckNetwork::new(&stack, "rust_socket_example", env!("CARGO_PKG_VERSION"));
    let mut banner = String::new();
    check_net
        .poweron_print_once(&mut banner)
        .map_err(|_| "the module does not say who it is")?;
    print!("{banner}");
    let (stage, code) = check_net
        .wait_network_connected(args.module.network_timeout)
        .map_err(told("the network check failed", "run it again"))?;
    println!("stagecode = {stage}, subcode = {code}");
    if (stage, code) != (3, 1) {
        // Without a network a look-up cannot work; it says so.
        let outcome = stack.getaddrinfo(&url.host, url.port);
        println!("getaddrinfo: {outcome:?}");
        return Err(no_network(stage, code));
    }

    let answer = fetch(&stack, url, args, own.is_some())?;
    let hash = sha256(&answer.body);
    println!("body   {} bytes, sha256 {hash}", answer.body.len());
    if let Some(own) = own {
        let theirs = sha256(&own.body);
        println!("server {} bytes, sha256 {theirs}", own.body.len());
        if hash != theirs {
            return Err("the body differs from the server's; run with --trace to see where".into());
        }
    }
    if !(200..300).contains(&answer.head.status) {
        return Err(format!(
            "the server answered {} {} for {url}; check the path",
            answer.head.status, answer.head.reason
        ));
    }
    store(args.output.as_deref(), &answer.body)
}

struct Answer {
    head: Head,
    body: Vec<u8>,
}

/// Resolves, connects, requests, receives and closes, and prints each state
/// of the socket as it changes.
fn fetch<P: Port>(
    stack: &Stack<'_, P>,
    url: &Url,
    args: &Args,
    twice: bool,
) -> Result<Answer, String> {
    let mut states = States::default();
    let mut socket = stack
        .socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
        .map_err(told("no socket", "close another one"))?;
    states.show(&mut socket);
    let infos = stack.getaddrinfo(&url.host, url.port).map_err(told(
        &format!("cannot resolve {}", url.host),
        "check the name",
    ))?;
    let address = infos.first().ok_or("the name has no address")?.sockaddr;
    println!("resolved {} to {address}", url.host);

    connect(stack, &mut socket, address.into(), args, &mut states).map_err(told(
        &format!("cannot connect to {address}"),
        "check that the server runs",
    ))?;
    socket
        .settimeout(Some(f32::from(args.timeout)))
        .map_err(told("bad time-out", "choose another"))?;
    let request = |version: &str, connection: &str| {
        let Url {
            host, port, path, ..
        } = url;
        format!(
            "GET {path} HTTP/{version}\r\nHost: {host}:{port}\r\nConnection: {connection}\r\n\r\n"
        )
    };

    let first = if twice {
        request("1.1", "keep-alive")
    } else {
        request("1.0", "close")
    };
    println!("send {}", send(&mut socket, &first)?);
    let answer = receive(&mut socket, args)?;
    println!("recv\n{}", answer.head.text.trim_end());
    states.show(&mut socket);

    if twice {
        // The example on QuecPython's page asks once more over the same
        // connection and takes 256 bytes of the answer.
        println!("send {}", send(&mut socket, &request("1.1", "close"))?);
        let mut buffer = [0; 256];
        let (n, from) = socket
            .recvfrom(&mut buffer)
            .map_err(told("no second answer", "run it again"))?;
        println!("recvfrom {n} bytes from {from}");
        states.show(&mut socket);
    }

    socket
        .shutdown(SHUT_RDWR)
        .map_err(told("cannot close", "run it again"))?;
    stack
        .poll_until(u64::from(args.timeout) * 1_000, || {
            states.show(&mut socket).is_none_or(over)
        })
        .map_err(told("cannot close", "run it again"))?;
    socket
        .close()
        .map_err(told("cannot close", "run it again"))?;
    println!("state {}", socket.getsocketsta());
    Ok(answer)
}

/// Connects without blocking, so that SYN_SENT can be seen.
fn connect<P: Port>(
    stack: &Stack<'_, P>,
    socket: &mut Socket<'_, '_, P>,
    address: quectel_sockets::socket::Address<'_>,
    args: &Args,
    states: &mut States,
) -> Result<(), Error> {
    socket.setblocking(false);
    let mut outcome = socket.connect(address);
    let running = |outcome: &Result<(), Error>| {
        matches!(
            outcome,
            Err(Error::InProgress | Error::Connect(ConnectError::AlreadyConnecting))
        )
    };
    stack.poll_until(u64::from(args.timeout) * 1_000, || {
        states.show(socket);
        if running(&outcome) {
            outcome = socket.connect(address);
        }
        !running(&outcome)
    })?;
    if running(&outcome) {
        return Err(Error::TimedOut);
    }
    outcome
}

fn send<P: Port>(socket: &mut Socket<'_, '_, P>, request: &str) -> Result<usize, String> {
    socket
        .sendall(request.as_bytes())
        .map_err(told("the request was not sent", "run it again"))?;
    Ok(request.len())
}

/// One answer: the head, then the body with a progress bar.
fn receive<P: Port>(socket: &mut Socket<'_, '_, P>, args: &Args) -> Result<Answer, String> {
    let next = "run it again, or with a longer --timeout";
    let mut bytes = Vec::new();
    // The page's example takes 256 bytes at a time.
    let mut buffer = [0; 256];
    let (head, start) = loop {
        let n = socket.recv(&mut buffer).map_err(told("no answer", next))?;
        if n == 0 {
            return Err("the server closed the connection without an answer; run it again".into());
        }
        bytes.extend(&buffer[..n]);
        if let Some(found) = http::head(&bytes)? {
            break found;
        }
    };
    let mut body = bytes.split_off(start);
    let bar = progress(head.length, args);
    let mut buffer = [0; 4096];
    while head
        .length
        .is_none_or(|length| (body.len() as u64) < length)
    {
        bar.set_position(body.len() as u64);
        let left = head
            .length
            .map_or(u64::MAX, |length| length - body.len() as u64);
        let most = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let n = socket.recv(&mut buffer[..most]).map_err(told(
            &format!("broken off after {} bytes", body.len()),
            next,
        ))?;
        if n == 0 {
            break;
        }
        body.extend(&buffer[..n]);
    }
    bar.finish_and_clear();
    match head.length {
        Some(length) if (body.len() as u64) < length => Err(format!(
            "the connection ended after {} of {length} bytes; {next}",
            body.len()
        )),
        _ => Ok(Answer { head, body }),
    }
}

/// A bar on standard error if that is a terminal, and not in a trace.
fn progress(length: Option<u64>, args: &Args) -> ProgressBar {
    if args.module.trace {
        return ProgressBar::hidden();
    }
    let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// CLOSED or TIME_WAIT.
fn over(state: i8) -> bool {
    matches!(state, 0 | 10)
}
