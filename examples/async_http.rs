//! HTTP with an unchanged async client: reqwless over the `asynch` face.
//!
//! Without a URL it starts a small web server on this PC and fetches from
//! that. Without `--port` the module is a simulated one inside this process.

mod support;

use std::{net::Ipv4Addr, path::PathBuf, process::ExitCode};

use clap::Parser;
use quectel_sim::SimCard;
use quectel_sockets::{
    Config, Slot,
    asynch::{Shared, Stack},
};
use reqwless::{client::HttpClient, request::Method};
use support::{
    fetch::body,
    module::Module,
    tasks::{self, within},
    told::{exit, sha256, store, wrong},
    url::Url,
    web::WebServer,
};

/// Fetches a file over HTTP through a cellular module, with the client
/// reqwless.
#[derive(Parser)]
#[command(
    name = "async_http",
    version,
    after_help = "Exit status: 0 fetched, 1 failed, 2 wrong arguments.\n\n\
    Examples:\n  \
    async_http                                     a simulated module, a server of its own\n  \
    async_http http://example.com/\n  \
    async_http --port /dev/ttyUSB2 --apn internet http://example.com/"
)]
struct Args {
    /// What to fetch: http://HOST[:PORT][/PATH]; none: from a server started
    /// by this program
    url: Option<String>,
    /// Store the body in FILE, byte for byte
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Seconds to wait for the whole answer
    #[arg(long, value_name = "S", default_value_t = 120, value_parser = clap::value_parser!(u16).range(1..=3600))]
    timeout: u16,
    #[command(flatten)]
    module: Module,
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
    let (url, own) = match url {
        Some(url) => (url, None),
        None => {
            let body = (1..=1_000).flat_map(|n| format!("line {n} of the news\r\n").into_bytes());
            let own = WebServer::start(body.collect())
                .map_err(|error| format!("no listening socket on 127.0.0.1: {error}"))?;
            let url = format!("http://{OWN_NAME}:{}/News", own.address.port());
            (url.parse()?, Some(own))
        }
    };
    let port = args.module.open(SimCard::Ready, |sim| {
        sim.set_name(OWN_NAME, &[Ipv4Addr::LOCALHOST], 300);
        Ok(())
    })?;
    // One connection. The request is small; the answer comes as fast as it is
    // taken out of the larger ring.
    let (mut rx, mut tx) = ([0; 4096], [0; 1460]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let mut shared = Shared::new(&mut slots, config);
    let fetched = tasks::run(
        port,
        &mut shared,
        args.module.network_timeout,
        async |stack, port| {
            let limit = u64::from(args.timeout) * 1_000;
            let fetched = within(port, limit, fetch(stack, &url)).await;
            fetched.unwrap_or_else(|| {
                Err(format!(
                    "{url} was not fetched within {} s; run it again, or with a longer --timeout",
                    args.timeout
                ))
            })
        },
    )?;
    println!(
        "body   {} bytes, sha256 {}",
        fetched.len(),
        sha256(&fetched)
    );
    if let Some(own) = own {
        println!(
            "server {} bytes, sha256 {}",
            own.body.len(),
            sha256(&own.body)
        );
        if fetched != *own.body {
            return Err("the body differs from the server's; run with --trace to see where".into());
        }
    }
    store(args.output.as_deref(), &fetched)
}

async fn fetch(stack: Stack<'_>, url: &Url) -> Result<Vec<u8>, String> {
    let failed = |error| {
        format!("cannot fetch {url}: {error:?}; check that the server runs, or run with --trace")
    };
    // The stack both connects and resolves.
    let mut client = HttpClient::new(&stack, &stack);
    let text = url.to_string();
    let mut request = client.request(Method::GET, &text).await.map_err(failed)?;
    // Has to hold the head of the answer.
    let mut head = [0; 2048];
    let response = request.send(&mut head).await.map_err(failed)?;
    println!("status {}", response.status.0);
    body(response).await
}
