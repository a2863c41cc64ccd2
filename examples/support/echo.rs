//! Echo servers on real sockets of this PC.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, UdpSocket},
    thread,
};

/// Starts servers for TCP and UDP, until the program ends; returns their
/// addresses.
pub fn echo_servers() -> std::io::Result<(SocketAddr, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let datagrams = UdpSocket::bind("127.0.0.1:0")?;
    let addresses = (listener.local_addr()?, datagrams.local_addr()?);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut buffer = [0; 2_048];
                while let Ok(n @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..n]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while let Ok((n, from)) = datagrams.recv_from(&mut buffer) {
            let _ = datagrams.send_to(&buffer[..n], from);
        }
    });
    Ok(addresses)
}
