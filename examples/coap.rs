//! CoAP over the `asynch` face: messages by coap-lite, sent again until they
//! are answered (RFC 7252), long answers block by block (RFC 7959).
//!
//! Without a URL it starts a server on this PC that overhears the first
//! datagram. Without `--port` the module is a simulated one inside this
//! process.

mod support;

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket as PcSocket},
    path::PathBuf,
    process::ExitCode,
    thread,
};

use clap::Parser;
use coap_lite::{
    BlockHandler, BlockHandlerConfig, CoapOption, CoapRequest, MessageClass, MessageType, Packet,
    RequestType, block_handler::BlockValue,
};
use quectel_port::AsyncPort;
use quectel_sim::SimCard;
use quectel_sockets::{
    Config, Port, Slot,
    asynch::{Shared, Stack, UdpSocket},
};
use rand_core::{OsRng, RngCore};
use support::{
    module::Module,
    tasks::{self, within},
    told::{exit, sha256, store, told, wrong},
    url::Url,
};

/// Asks a CoAP server for a resource through a cellular module.
#[derive(Parser)]
#[command(
    name = "coap",
    version,
    after_help = "Exit status: 0 fetched, 1 failed, 2 wrong arguments.\n\n\
    Examples:\n  \
    coap                                           a simulated module, a server of its own\n  \
    coap coap://coap.me/large\n  \
    coap --port /dev/ttyUSB2 --apn internet coap://coap.me/large"
)]
struct Args {
    /// What to ask for: coap://HOST[:PORT][/PATH]; none: from a server
    /// started by this program
    url: Option<String>,
    /// Store the payload in FILE, byte for byte
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Milliseconds until a request is sent again for the first time; doubled
    /// each time
    #[arg(long, value_name = "MS", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    ack_timeout: u32,
    /// Times a request is sent again at the most
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(..=10))]
    max_retransmit: u32,
    #[command(flatten)]
    module: Module,
}

/// Longest datagram; blocks have 1024 bytes at the most.
const DATAGRAM: usize = 1_280;

fn main() -> ExitCode {
    let args = Args::parse();
    if args.module.port.is_some() && args.url.is_none() {
        return wrong("--port needs a URL: a real module does not reach this program's own server");
    }
    let url = args
        .url
        .as_deref()
        .map(|url| Url::parse(url, "coap", 5_683))
        .transpose();
    match url.and_then(|url| Ok((url, args.module.config()?))) {
        Ok((url, config)) => exit(run(&args, url, config)),
        Err(what) => wrong(&what),
    }
}

fn run(args: &Args, url: Option<Url>, config: Config<'_>) -> Result<(), String> {
    let (url, own) = match url {
        Some(url) => (url, None),
        None => {
            let body: Vec<u8> = (1..=150)
                .flat_map(|n| format!("line {n}\n").into_bytes())
                .collect();
            let address =
                server(body.clone()).map_err(|error| format!("no socket on 127.0.0.1: {error}"))?;
            (
                Url::parse(&format!("coap://{address}/news"), "coap", 5_683)?,
                Some(body),
            )
        }
    };
    let port = args.module.open(SimCard::Ready, |_| Ok(()))?;
    let (mut rx, mut tx) = ([0; 2 * DATAGRAM], [0; 512]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let mut shared = Shared::new(&mut slots, config);
    let timeout = args.module.network_timeout;
    let payload = tasks::run(port, &mut shared, timeout, async |stack, port| {
        Client::new(stack, port, &url, args).await?.get(&url).await
    })?;
    println!(
        "payload {} bytes, sha256 {}",
        payload.len(),
        sha256(&payload)
    );
    if own.is_some_and(|own| own != payload) {
        return Err("the payload differs from the server's; run with --trace to see where".into());
    }
    store(args.output.as_deref(), &payload)
}

/// One socket that asks one server.
struct Client<'c, 'a, P> {
    socket: UdpSocket<'a>,
    port: &'c AsyncPort<P>,
    args: &'c Args,
    /// Identifies the next message, so that what is sent again is known.
    message_id: u16,
}

impl<'c, 'a, P: Port> Client<'c, 'a, P> {
    async fn new(
        stack: Stack<'a>,
        port: &'c AsyncPort<P>,
        url: &Url,
        args: &'c Args,
    ) -> Result<Self, String> {
        let failed = format!("cannot ask {}", url.host);
        let failed = told(&failed, "check the name and the network");
        let addresses = stack.resolve(&url.host).await.map_err(&failed)?;
        let ip = addresses
            .into_iter()
            .next()
            .ok_or("the name has no address")?;
        let mut socket = stack.udp_socket().await.map_err(&failed)?;
        socket
            .connect((ip, url.port).into())
            .await
            .map_err(&failed)?;
        Ok(Self {
            socket,
            port,
            args,
            message_id: OsRng.next_u32() as u16,
        })
    }

    /// The whole resource.
    async fn get(&mut self, url: &Url) -> Result<Vec<u8>, String> {
        let mut payload = Vec::new();
        loop {
            let mut request = CoapRequest::<()>::new();
            request.set_method(RequestType::Get);
            request.set_path(url.path.trim_start_matches('/'));
            let next = payload.len() / 1_024;
            let block = BlockValue::new(next, false, 1_024).map_err(|error| error.to_string())?;
            request.message.add_option_as(CoapOption::Block2, block);
            let answer = self.exchange(request.message).await?;
            let MessageClass::Response(status) = answer.header.code else {
                return Err(
                    "the server answers without a code; check that it is a CoAP server".into(),
                );
            };
            if status.is_error() {
                return Err(format!(
                    "the server answered {status:?} for {url}; check the path"
                ));
            }
            let block = answer.get_first_option_as::<BlockValue>(CoapOption::Block2);
            payload.extend(answer.payload);
            match block {
                // A server that wants other blocks would have to be asked for these.
                Some(Ok(block)) if block.more && block.size() == 1_024 => (),
                Some(Ok(block)) if block.more => {
                    return Err(format!(
                        "the server sends blocks of {} bytes, not 1024",
                        block.size()
                    ));
                }
                _ => return Ok(payload),
            }
        }
    }

    /// Sends a confirmable message until it is answered.
    async fn exchange(&mut self, mut request: Packet) -> Result<Packet, String> {
        self.message_id = self.message_id.wrapping_add(1);
        let token = OsRng.next_u32().to_be_bytes().to_vec();
        request.header.message_id = self.message_id;
        request.header.set_type(MessageType::Confirmable);
        request.set_token(token.clone());
        let bytes = request.to_bytes().map_err(|error| error.to_string())?;
        // Up to half as much again, so that clients do not fall into step.
        let first = u64::from(self.args.ack_timeout);
        let mut wait = first + u64::from(OsRng.next_u32()) % (first / 2 + 1);
        for attempt in 0..=self.args.max_retransmit {
            if attempt > 0 {
                println!("no answer, sent again");
            }
            self.send(&bytes).await?;
            if let Some(answer) = within(self.port, wait, self.answer(&token)).await {
                return answer;
            }
            wait *= 2;
        }
        Err(
            "the server does not answer; check that it runs, or try longer with --max-retransmit"
                .into(),
        )
    }

    /// The answer, with the acknowledgement or after it.
    async fn answer(&mut self, token: &[u8]) -> Result<Packet, String> {
        let mut buffer = [0; DATAGRAM];
        loop {
            let received = self.socket.recv_from(&mut buffer).await;
            let received = received.map_err(told("nothing received", "run it again"))?;
            let Ok(packet) = Packet::from_bytes(&buffer[..received.len]) else {
                continue;
            };
            let id = packet.header.message_id;
            match packet.header.get_type() {
                MessageType::Reset if id == self.message_id => {
                    return Err("the server does not understand the request".into());
                }
                _ if packet.header.code == MessageClass::Empty => (),
                _ if packet.get_token() != token => (),
                MessageType::Confirmable => {
                    let mut acknowledgement = Packet::new();
                    acknowledgement
                        .header
                        .set_type(MessageType::Acknowledgement);
                    acknowledgement.header.code = MessageClass::Empty;
                    acknowledgement.header.message_id = id;
                    let bytes = acknowledgement
                        .to_bytes()
                        .map_err(|error| error.to_string())?;
                    self.send(&bytes).await?;
                    return Ok(packet);
                }
                _ => return Ok(packet),
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let sent = self.socket.send(bytes).await;
        sent.map(drop).map_err(told("not sent", "run it again"))
    }
}

/// Serves one body under every path, in blocks. Overhears the first datagram.
fn server(body: Vec<u8>) -> std::io::Result<SocketAddr> {
    let socket = PcSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = socket.local_addr()?;
    thread::spawn(move || {
        let mut blocks = BlockHandler::new(BlockHandlerConfig::default());
        let mut buffer = [0; DATAGRAM];
        let _ = socket.recv_from(&mut buffer);
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            let Ok(packet) = Packet::from_bytes(&buffer[..n]) else {
                continue;
            };
            let mut request = CoapRequest::from_packet(packet, from);
            if let Ok(false) = blocks.intercept_request(&mut request) {
                if let Some(response) = &mut request.response {
                    response.message.payload = body.clone();
                }
                let _ = blocks.intercept_response(&mut request);
            }
            let answer = request.response.map(|response| response.message.to_bytes());
            if let Some(Ok(bytes)) = answer {
                let _ = socket.send_to(&bytes, from);
            }
        }
    });
    Ok(address)
}
