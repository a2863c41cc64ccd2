//! HTTPS with unchanged async crates: reqwless over embedded-tls over the
//! `asynch` face. The server's certificate is checked against an authority.
//!
//! Without a URL it starts a small TLS server on this PC, fetches from that,
//! and sees that another authority is not believed. Without `--port` the
//! module is a simulated one inside this process.

mod support;

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use clap::Parser;
use embedded_io_async::{ErrorType, Read, Write};
use embedded_tls::{
    Aes128GcmSha256, Certificate, CryptoProvider, CryptoRngCore, TlsClock, TlsConfig,
    TlsConnection, TlsContext, TlsError, TlsVerifier, pki::CertVerifier,
};
use quectel_sim::SimCard;
use quectel_sockets::{
    Config, Slot,
    asynch::{Shared, Stack, TcpSocket},
};
use rand_core::OsRng;
use reqwless::{
    request::{Method, Request, RequestBuilder},
    response::Response,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use support::{
    fetch::body,
    https::{self, HttpsServer},
    module::Module,
    tasks::{self, within},
    told::{exit, sha256, store, told, wrong},
    url::Url,
};

/// Fetches a file over HTTPS through a cellular module, with the clients
/// reqwless and embedded-tls.
#[derive(Parser)]
#[command(
    name = "tls",
    version,
    after_help = "TLS 1.3 and certificates with P-256 keys and ECDSA with SHA-256 only.\n\n\
    Exit status: 0 fetched, 1 failed or not believed, 2 wrong arguments.\n\n\
    Examples:\n  \
    tls                                            a simulated module, a server of its own\n  \
    tls --ca ca.pem https://server.example/\n  \
    tls --port /dev/ttyUSB2 --apn internet --ca ca.pem https://server.example/"
)]
struct Args {
    /// What to fetch: https://HOST[:PORT][/PATH]; none: from a server started
    /// by this program
    #[arg(requires = "ca")]
    url: Option<String>,
    /// Certificate of the authority that the server's is checked against, PEM
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
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
/// TLS records have up to 16 KiB and the rest of the record. A server may be
/// asked for shorter ones, but need not listen.
const RECORD: usize = 16_640;

fn main() -> ExitCode {
    let args = Args::parse();
    if args.module.port.is_some() && args.url.is_none() {
        return wrong("--port needs a URL: a real module does not reach this program's own server");
    }
    let url = args.url.as_deref();
    let url = url.map(|url| Url::parse(url, "https", 443)).transpose();
    let ca = args.ca.as_deref().map(authority).transpose();
    let checked = url.and_then(|url| Ok((url.zip(ca?), args.module.config()?)));
    match checked {
        Ok((given, config)) => exit(run(&args, given, config)),
        Err(what) => wrong(&what),
    }
}

fn authority(file: &Path) -> Result<CertificateDer<'static>, String> {
    CertificateDer::from_pem_file(file).map_err(|error| {
        let file = file.display();
        format!("no certificate in {file}: {error}; give the authority's as PEM")
    })
}

fn run(
    args: &Args,
    given: Option<(Url, CertificateDer<'static>)>,
    config: Config<'_>,
) -> Result<(), String> {
    let own = given.is_none();
    let (url, ca) = match given {
        Some(given) => given,
        None => {
            let body = (1..=1_000).flat_map(|n| format!("line {n} of the news\r\n").into_bytes());
            let own = HttpsServer::start(OWN_NAME, body.collect())
                .map_err(|error| format!("no TLS server on 127.0.0.1: {error}"))?;
            let url = format!("https://{OWN_NAME}:{}/News", own.address.port());
            (Url::parse(&url, "https", 443)?, own.authority)
        }
    };
    let port = args.module.open(SimCard::Ready, |sim| {
        sim.set_name(OWN_NAME, &[Ipv4Addr::LOCALHOST], 300);
        Ok(())
    })?;
    let (mut rx, mut tx) = ([0; 4096], [0; 2048]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let mut shared = Shared::new(&mut slots, config);
    let limit = u64::from(args.timeout) * 1_000;
    let fetched = tasks::run(
        port,
        &mut shared,
        args.module.network_timeout,
        async |stack, port| {
            let late = || {
                format!(
                    "{url} was not fetched within {} s; run it again, or with a longer --timeout",
                    args.timeout
                )
            };
            let fetched = within(port, limit, fetch(stack, &url, &ca)).await;
            let fetched = fetched.ok_or_else(late)??;
            if own {
                let (other, _) =
                    https::authority("another authority").map_err(|e| e.to_string())?;
                match within(port, limit, fetch(stack, &url, &other)).await {
                    Some(Err(refused)) => println!("with another authority: {refused}"),
                    Some(Ok(_)) => return Err("another authority was believed".into()),
                    None => return Err(late()),
                }
            }
            Ok(fetched)
        },
    )?;
    println!(
        "body   {} bytes, sha256 {}",
        fetched.len(),
        sha256(&fetched)
    );
    store(args.output.as_deref(), &fetched)
}

/// Connects, checks the server, requests, receives.
async fn fetch(stack: Stack<'_>, url: &Url, ca: &[u8]) -> Result<Vec<u8>, String> {
    let no_server = format!("cannot connect to {url}");
    let no_server = told(&no_server, "check that the server runs");
    let addresses = stack.resolve(&url.host).await.map_err(&no_server)?;
    let ip = addresses
        .into_iter()
        .next()
        .ok_or("the name has no address")?;
    let mut socket = stack.tcp_socket().await.map_err(&no_server)?;
    socket
        .connect((ip, url.port).into())
        .await
        .map_err(&no_server)?;

    let (mut read, mut write) = (vec![0; RECORD], vec![0; RECORD]);
    let config = TlsConfig::new().with_server_name(&url.host);
    let mut tls = Tls(TlsConnection::new(socket, &mut read, &mut write));
    let opened = tls
        .0
        .open(TlsContext::new(&config, Provider::new(ca)))
        .await;
    opened.map_err(|error| match error {
        TlsError::InvalidCertificate | TlsError::InvalidSignature => format!(
            "the certificate of {} is refused ({error:?}); check --ca and the name",
            url.host
        ),
        error => format!("no TLS with {url}: {error:?}; run it again, or with --trace"),
    })?;
    println!("TLS with {}, certificate checked", url.host);

    let failed = |error| format!("cannot fetch {url}: {error:?}; run it again, or with --trace");
    let request = Request::get(&url.path).host(&url.host).build();
    request.write_header(&mut tls).await.map_err(failed)?;
    tls.flush()
        .await
        .map_err(|error| format!("not sent: {error:?}; run it again"))?;
    let mut head = [0; 2048];
    let response = Response::read(&mut tls, Method::GET, &mut head)
        .await
        .map_err(failed)?;
    body(response).await
}

/// A connection whose orderly end is the end of the data, where embedded-tls
/// has an error. Without that end, the data may have been cut off.
struct Tls<'t, 'a>(TlsConnection<'t, TcpSocket<'a>, Aes128GcmSha256>);

impl ErrorType for Tls<'_, '_> {
    type Error = TlsError;
}

impl Read for Tls<'_, '_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TlsError> {
        match self.0.read(buffer).await {
            Err(TlsError::ConnectionClosed) => Ok(0),
            other => other,
        }
    }
}

impl Write for Tls<'_, '_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, TlsError> {
        self.0.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), TlsError> {
        self.0.flush().await
    }
}

/// Where TLS takes chance and trust from. On a microcontroller chance comes
/// from its random number generator, and the time from SNTP.
struct Provider<'c> {
    verifier: CertVerifier<'c, Aes128GcmSha256, PcClock, 4096>,
}

impl<'c> Provider<'c> {
    fn new(ca: &'c [u8]) -> Self {
        Self {
            verifier: CertVerifier::new(Certificate::X509(ca)),
        }
    }
}

impl CryptoProvider for Provider<'_> {
    type CipherSuite = Aes128GcmSha256;
    /// Of the client's own certificate; it has none.
    type Signature = [u8; 0];

    fn rng(&mut self) -> impl CryptoRngCore {
        OsRng
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut self.verifier)
    }
}

struct PcClock;

impl TlsClock for PcClock {
    fn now() -> Option<u64> {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since_1970.ok().map(|time| time.as_secs())
    }
}
