//! The time with an unchanged async client: sntpc over the `asynch` face.
//!
//! Without `--server` it starts a server on this PC whose clock is an hour
//! ahead. Without `--port` the module is a simulated one inside this process.

mod support;

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket as PcSocket},
    process::ExitCode,
    thread,
    time::{Duration, SystemTime},
};

use clap::Parser;
use embassy_sync::{blocking_mutex::raw::NoopRawMutex, mutex::Mutex};
use quectel_sim::SimCard;
use quectel_sockets::{
    Config, Slot,
    asynch::{Shared, Stack, UdpSocket},
};
use sntpc::{NtpContext, NtpResult, NtpTimestampGenerator, NtpUdpSocket, get_time};
use support::{
    module::Module,
    tasks,
    told::{exit, told, wrong},
    url::Server,
};

/// Asks a server for the time through a cellular module, with the client
/// sntpc.
#[derive(Parser)]
#[command(
    name = "sntp",
    version,
    after_help = "Exit status: 0 the time is known, 1 failed, 2 wrong arguments.\n\n\
    Examples:\n  \
    sntp                                           a simulated module, a server of its own\n  \
    sntp --server pool.ntp.org\n  \
    sntp --port /dev/ttyUSB2 --apn internet --server pool.ntp.org"
)]
struct Args {
    /// The time server, HOST[:PORT]; none: one started by this program
    #[arg(long, value_name = "SERVER")]
    server: Option<String>,
    /// Times to ask: datagrams may get lost
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    tries: u32,
    /// Milliseconds to wait for each answer
    #[arg(long, value_name = "MS", default_value_t = 3_000)]
    timeout: u32,
    #[command(flatten)]
    module: Module,
}

/// How far the clock of the program's own server is ahead.
const AHEAD: Duration = Duration::from_secs(3_600);
/// Seconds from 1900, where NTP begins to count, to 1970.
const FROM_1900: u64 = 2_208_988_800;

fn main() -> ExitCode {
    let args = Args::parse();
    if args.module.port.is_some() && args.server.is_none() {
        return wrong("--port needs --server: a real module does not reach this program's own");
    }
    let server = args.server.as_deref().map(|server| {
        Server::parse(server, 123)
            .map_err(|what| format!("{what} in --server; allowed is HOST[:PORT]"))
    });
    match server
        .transpose()
        .and_then(|server| Ok((server, args.module.config()?)))
    {
        Ok((server, config)) => exit(run(&args, server, config)),
        Err(what) => wrong(&what),
    }
}

fn run(args: &Args, server: Option<Server>, config: Config<'_>) -> Result<(), String> {
    let own = server.is_none();
    let server = match server {
        Some(server) => server,
        None => {
            let address =
                time_server().map_err(|error| format!("no socket on 127.0.0.1: {error}"))?;
            Server {
                host: address.ip().to_string(),
                port: address.port(),
            }
        }
    };
    let port = args.module.open(SimCard::Ready, |_| Ok(()))?;
    // A request has 48 bytes, and so has an answer; room for some of each.
    let (mut rx, mut tx) = ([0; 512], [0; 256]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let mut shared = Shared::new(&mut slots, config);
    let timeout = args.module.network_timeout;
    let time = tasks::run(port, &mut shared, timeout, async |stack, _| {
        ask(stack, &server, args).await
    })?;
    println!(
        "stratum {}, offset {:+.6} s, round trip {:.6} s",
        time.stratum(),
        time.offset() as f64 / 1e6,
        time.roundtrip() as f64 / 1e6
    );
    let wrong = time.offset() - AHEAD.as_micros() as i64;
    if own && wrong.unsigned_abs() > 1_000_000 {
        return Err("the server is an hour ahead, and that is not what came out".into());
    }
    Ok(())
}

async fn ask(stack: Stack<'_>, server: &Server, args: &Args) -> Result<NtpResult, String> {
    let failed = format!("cannot ask {server}");
    let failed = told(&failed, "check the name and the network");
    let addresses = stack.resolve(&server.host).await.map_err(&failed)?;
    let ip = addresses
        .into_iter()
        .next()
        .ok_or("the name has no address")?;
    let address = SocketAddr::new(ip, server.port);
    let mut socket = stack.udp_socket().await.map_err(&failed)?;
    socket.set_timeout(Some(args.timeout));
    socket.connect(address).await.map_err(&failed)?;
    let socket = Socket(Mutex::new(socket));
    for _ in 0..args.tries {
        match get_time(address, &socket, NtpContext::new(PcClock::default())).await {
            Ok(time) => return Ok(time),
            // Late answers to earlier questions are among these.
            Err(error) => println!("no time: {error:?}"),
        }
    }
    Err(format!(
        "{server} did not tell the time; check that it runs, or ask more often with --tries"
    ))
}

/// What sntpc sends and receives with. Its trait shares the socket, ours does
/// not; it uses it for one thing at a time.
struct Socket<'a>(Mutex<NoopRawMutex, UdpSocket<'a>>);

impl NtpUdpSocket for Socket<'_> {
    async fn send_to(&self, bytes: &[u8], address: SocketAddr) -> sntpc::Result<usize> {
        let sent = self.0.lock().await.send_to(bytes, address).await;
        sent.map_err(|_| sntpc::Error::Network)
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> sntpc::Result<(usize, SocketAddr)> {
        let received = self.0.lock().await.recv_from(buffer).await;
        let received = received.map_err(|_| sntpc::Error::Network)?;
        Ok((received.len, received.from))
    }
}

/// The clock that is compared: on a microcontroller a timer that starts at 0.
#[derive(Clone, Copy, Default)]
struct PcClock(Duration);

impl NtpTimestampGenerator for PcClock {
    fn init(&mut self) {
        self.0 = since_1970();
    }

    fn timestamp_sec(&self) -> u64 {
        self.0.as_secs()
    }

    fn timestamp_subsec_micros(&self) -> u32 {
        self.0.subsec_micros()
    }
}

fn since_1970() -> Duration {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    time.unwrap_or_default()
}

/// Answers every request of version 4; returns the address.
fn time_server() -> std::io::Result<SocketAddr> {
    let socket = PcSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = socket.local_addr()?;
    thread::spawn(move || {
        let mut request = [0; 48];
        while let Ok((n, from)) = socket.recv_from(&mut request) {
            if n < request.len() || request[0] & 0x07 != 3 {
                continue;
            }
            let now = timestamp(since_1970() + AHEAD);
            let mut answer = [0; 48];
            // Version 4, mode server; stratum 1, precision 2^-20 s.
            answer[..4].copy_from_slice(&[0x24, 1, 0, 0xEC]);
            answer[12..16].copy_from_slice(b"TEST");
            answer[16..24].copy_from_slice(&now);
            // What the client has sent last is its own time.
            answer[24..32].copy_from_slice(&request[40..48]);
            answer[32..40].copy_from_slice(&now);
            answer[40..48].copy_from_slice(&now);
            let _ = socket.send_to(&answer, from);
        }
    });
    Ok(address)
}

/// Seconds and fractions of 2^-32 s since 1900.
fn timestamp(since_1970: Duration) -> [u8; 8] {
    let seconds = (since_1970.as_secs() + FROM_1900) as u32;
    let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
    let (seconds, fraction) = (seconds.to_be_bytes(), (fraction as u32).to_be_bytes());
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&seconds);
    bytes[4..].copy_from_slice(&fraction);
    bytes
}
