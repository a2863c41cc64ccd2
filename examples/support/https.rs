//! A small TLS 1.3 web server on a real listening socket of this PC, with a
//! P-256 certificate of an authority of its own.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
    version::TLS13,
};

pub struct HttpsServer {
    pub address: SocketAddr,
    /// The certificate of the authority.
    pub authority: CertificateDer<'static>,
}

impl HttpsServer {
    /// Serves one body under every path to who asks for `name`.
    pub fn start(name: &str, body: Vec<u8>) -> io::Result<Self> {
        let (authority, issuer) = authority("authority").map_err(io::Error::other)?;
        let config = config(name, &issuer).map_err(io::Error::other)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, body) = (config.clone(), body.clone());
                // A client that goes away ends its own thread only.
                thread::spawn(move || drop(serve(stream, config, &body)));
            }
        });
        Ok(Self { address, authority })
    }
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// An authority: its certificate, and what signs others.
pub fn authority(name: &str) -> Result<(CertificateDer<'static>, Issuer<'static, KeyPair>)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key)?;
    Ok((certificate.der().clone(), Issuer::new(params, key)))
}

fn config(name: &str, issuer: &Issuer<'_, KeyPair>) -> Result<Arc<ServerConfig>> {
    let key = KeyPair::generate()?;
    let params = CertificateParams::new([name.to_owned()])?;
    let certificate = params.signed_by(&key, issuer)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der())?,
        )?;
    Ok(Arc::new(config))
}

/// Answers one request.
fn serve(stream: TcpStream, config: Arc<ServerConfig>, body: &[u8]) -> Result<()> {
    let connection = ServerConnection::new(config)?;
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
    }
    let mut tls = reader.into_inner();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    tls.write_all(head.as_bytes())?;
    tls.write_all(body)?;
    tls.conn.send_close_notify();
    tls.flush()?;
    Ok(())
}
