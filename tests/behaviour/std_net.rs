//! The PC's own sockets, from `std::net`: what the faces are compared with.

use std::{
    fs,
    io::{self, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket},
};

use quectel_sockets::SocketState;

use super::face::{BOUND, Face, Failure, Id, Result};

enum Socket {
    Stream(TcpStream),
    Listener(TcpListener),
    Datagrams(UdpSocket),
    Released,
}

/// Sockets by their number.
#[derive(Default)]
pub(crate) struct StdNet(Vec<Socket>);

fn failure(error: io::Error) -> Failure {
    match error.raw_os_error() {
        Some(number) => Failure::of_errno(number),
        None => Failure::of_kind(error.kind()),
    }
}

impl StdNet {
    fn add(&mut self, socket: Socket) -> Id {
        self.0.push(socket);
        self.0.len() - 1
    }

    fn stream(&mut self, id: Id) -> &mut TcpStream {
        match &mut self.0[id] {
            Socket::Stream(stream) => stream,
            _ => panic!("{id} is no connection"),
        }
    }

    fn datagrams(&self, id: Id) -> &UdpSocket {
        match &self.0[id] {
            Socket::Datagrams(socket) => socket,
            _ => panic!("{id} is no datagram socket"),
        }
    }
}

impl Face for StdNet {
    fn connect(&mut self, to: SocketAddr) -> Result<Id> {
        let stream = TcpStream::connect(to).map_err(failure)?;
        stream.set_read_timeout(Some(BOUND)).unwrap();
        Ok(self.add(Socket::Stream(stream)))
    }

    fn send(&mut self, id: Id, data: &[u8]) -> Result<()> {
        self.stream(id).write_all(data).map_err(failure)
    }

    fn recv(&mut self, id: Id, most: usize) -> Result<Vec<u8>> {
        let mut buffer = vec![0; most];
        let n = self.stream(id).read(&mut buffer).map_err(failure)?;
        buffer.truncate(n);
        Ok(buffer)
    }

    fn close(&mut self, id: Id) {
        self.stream(id).shutdown(Shutdown::Both).unwrap();
    }

    fn release(&mut self, id: Id) {
        self.0[id] = Socket::Released;
    }

    fn resolve(&mut self, name: &str) -> Result<IpAddr> {
        let all = (name, 0).to_socket_addrs();
        let mut all = all.map_err(|_| Failure::NoSuchName)?;
        let first = all.find(SocketAddr::is_ipv4);
        first.map(|at| at.ip()).ok_or(Failure::NoSuchName)
    }

    fn listen(&mut self) -> Option<Result<(Id, SocketAddr)>> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failure);
        Some(listener.map(|listener| {
            let at = listener.local_addr().unwrap();
            (self.add(Socket::Listener(listener)), at)
        }))
    }

    fn accept(&mut self, id: Id) -> Result<Id> {
        let Socket::Listener(listener) = &self.0[id] else {
            panic!("{id} does not listen");
        };
        let (stream, _) = listener.accept().map_err(failure)?;
        stream.set_read_timeout(Some(BOUND)).unwrap();
        Ok(self.add(Socket::Stream(stream)))
    }

    fn udp(&mut self, to: Option<SocketAddr>) -> Result<Id> {
        let socket = UdpSocket::bind("127.0.0.1:0").map_err(failure)?;
        socket.set_read_timeout(Some(BOUND)).unwrap();
        if let Some(to) = to {
            socket.connect(to).map_err(failure)?;
        }
        Ok(self.add(Socket::Datagrams(socket)))
    }

    fn send_to(&mut self, id: Id, to: SocketAddr, data: &[u8]) -> Result<()> {
        let socket = self.datagrams(id);
        let sent = match socket.peer_addr() {
            Ok(_) => socket.send(data),
            Err(_) => socket.send_to(data, to),
        };
        assert_eq!(sent.map_err(failure)?, data.len());
        Ok(())
    }

    fn recv_from(&mut self, id: Id, most: usize) -> Result<(Vec<u8>, Option<SocketAddr>)> {
        let mut buffer = vec![0; most];
        let (n, from) = self.datagrams(id).recv_from(&mut buffer).map_err(failure)?;
        buffer.truncate(n);
        Ok((buffer, Some(from)))
    }

    fn states(&mut self, id: Id) -> Option<Vec<SocketState>> {
        let (local, remote) = match &self.0[id] {
            // After a reset there is no peer.
            Socket::Stream(stream) => (stream.local_addr().unwrap(), stream.peer_addr().ok()),
            Socket::Listener(listener) => (listener.local_addr().unwrap(), None),
            _ => return None,
        };
        kernel_state(local, remote).map(|state| vec![state])
    }
}

/// What Linux says of a connection of the loopback interface; none elsewhere.
fn kernel_state(local: SocketAddr, remote: Option<SocketAddr>) -> Option<SocketState> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
    for row in table.lines().skip(1) {
        let mut fields = row.split_whitespace().skip(1);
        let here = fields.next().and_then(port);
        let there = fields.next().and_then(port);
        let state = fields.next()?;
        let same = remote.is_none_or(|remote| there == Some(remote.port()));
        if here == Some(local.port()) && same {
            // include/net/tcp_states.h
            return Some(match state {
                "01" => SocketState::Established,
                "02" => SocketState::SynSent,
                "03" | "0C" => SocketState::SynReceived,
                "04" => SocketState::FinWait1,
                "05" => SocketState::FinWait2,
                "06" => SocketState::TimeWait,
                "07" => SocketState::Closed,
                "08" => SocketState::CloseWait,
                "09" => SocketState::LastAck,
                "0A" => SocketState::Listen,
                "0B" => SocketState::Closing,
                other => panic!("state {other}"),
            });
        }
    }
    Some(SocketState::Closed)
}
