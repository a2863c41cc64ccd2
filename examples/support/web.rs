//! A small web server on a real listening socket of this PC.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

/// Serves one body under every path, until the program ends.
pub struct WebServer {
    pub address: SocketAddr,
    pub body: Arc<[u8]>,
}

impl WebServer {
    /// Listens on a free port of 127.0.0.1.
    pub fn start(body: Vec<u8>) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let body: Arc<[u8]> = body.into();
        let served = body.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let body = served.clone();
                // A client that goes away ends its own thread only.
                thread::spawn(move || drop(serve(stream, &body)));
            }
        });
        Ok(Self { address, body })
    }
}

/// Answers requests until the client asks to close or goes away.
fn serve(mut stream: TcpStream, body: &[u8]) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut keep, mut line) = (true, String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            keep &= !line.eq_ignore_ascii_case("connection: close\r\n");
            if line == "\r\n" {
                break;
            }
        }
        let connection = if keep { "keep-alive" } else { "close" };
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: example\r\nContent-Type: text/plain\r\n\
             Content-Length: {}\r\nConnection: {connection}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        if !keep {
            return Ok(());
        }
    }
}
