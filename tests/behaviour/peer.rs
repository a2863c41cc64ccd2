//! The other end: sockets of this PC that a script controls step by step.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
};

use super::face::{Face, until};

const LOOPBACK: &str = "127.0.0.1:0";

/// A listening socket on any free port.
pub(crate) struct Server(TcpListener);

impl Server {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind(LOOPBACK).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub(crate) fn at(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// The next connection.
    #[track_caller]
    pub(crate) fn accept(&self, face: &mut dyn Face) -> Connection {
        let stream = until(face, "a connection at the server", |_| {
            match self.0.accept() {
                Ok((stream, _)) => Some(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                Err(error) => panic!("{error}"),
            }
        });
        Connection::new(stream)
    }
}

/// An address where nobody listens.
pub(crate) fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    listener.local_addr().unwrap()
}

/// One end of a connection.
pub(crate) struct Connection(TcpStream);

impl Connection {
    fn new(stream: TcpStream) -> Self {
        stream.set_nonblocking(true).unwrap();
        Self(stream)
    }

    pub(crate) fn to(at: SocketAddr) -> Self {
        Self::new(TcpStream::connect(at).unwrap())
    }

    #[track_caller]
    pub(crate) fn send(&mut self, face: &mut dyn Face, data: &[u8]) {
        let mut sent = 0;
        until(face, "room at the server", |_| {
            match self.0.write(&data[sent..]) {
                Ok(n) => sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            (sent == data.len()).then_some(())
        });
    }

    /// Exactly `n` bytes, or what there is before the end of the data.
    #[track_caller]
    pub(crate) fn recv(&mut self, face: &mut dyn Face, n: usize) -> Vec<u8> {
        let mut got = Vec::new();
        until(face, "data at the server", |_| {
            let mut buffer = vec![0; n - got.len()];
            match self.0.read(&mut buffer) {
                Ok(0) => return Some(()),
                Ok(read) => got.extend(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            (got.len() == n).then_some(())
        });
        got
    }

    /// Waits until the other side has closed; what comes before that is too much.
    #[track_caller]
    pub(crate) fn expect_end(&mut self, face: &mut dyn Face) {
        assert_eq!(self.recv(face, 1), b"");
    }
}

/// A datagram socket on any free port.
pub(crate) struct Datagrams(UdpSocket);

impl Datagrams {
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind(LOOPBACK).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    pub(crate) fn at(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    #[track_caller]
    pub(crate) fn recv(&self, face: &mut dyn Face) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 2048];
        until(face, "a datagram at the server", |_| {
            match self.0.recv_from(&mut buffer) {
                Ok((n, from)) => Some((buffer[..n].to_vec(), from)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                Err(error) => panic!("{error}"),
            }
        })
    }

    pub(crate) fn send(&self, to: SocketAddr, data: &[u8]) {
        self.0.send_to(data, to).unwrap();
    }
}
