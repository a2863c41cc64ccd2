//! The face for super-loops, `quectel_sockets::nb`, by the traits of embedded-nal.

use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    time::Instant,
};

use embedded_nal::{AddrType, Dns, TcpClientStack, TcpFullStack, UdpClientStack, UdpFullStack};
use quectel_sockets::{
    Slot, SocketState, Stack,
    nb::{Error, TcpSocket, UdpSocket},
};

use super::{
    face::{BOUND, Face, Failure, Id, Result},
    live::{self, Live, SERVER_PORT},
};

enum Socket<'s, 'a> {
    Tcp(TcpSocket<'s, 'a, Live>),
    /// With its remote address, if it is connected.
    Udp(UdpSocket<'s, 'a, Live>, Option<SocketAddr>),
    Released,
}

struct NbFace<'s, 'a> {
    stack: &'s Stack<'a, Live>,
    module: Live,
    sockets: Vec<Socket<'s, 'a>>,
}

/// Runs `script` on this face of a module that has been brought up.
pub(crate) fn on_nb_face(script: impl FnOnce(&mut dyn Face)) {
    let module = Live::new();
    let mut memory = vec![([0; 1500], [0; 1460]); 4];
    let mut slots: Vec<Slot> = memory
        .iter_mut()
        .map(|(rx, tx)| Slot::new(rx, tx))
        .collect();
    let stack = Stack::new(module.clone(), &mut slots, live::config());
    while !stack.is_up().unwrap() {
        stack.poll().unwrap();
    }
    script(&mut NbFace {
        stack: &stack,
        module,
        sockets: Vec::new(),
    });
}

fn failure(error: Error) -> Failure {
    Failure::of_errno(error.errno())
}

/// Calls until it no longer would block. Every call is a step of the stack.
#[track_caller]
fn block<T>(mut call: impl FnMut() -> nb::Result<T, Error>) -> std::result::Result<T, Error> {
    let begin = Instant::now();
    while begin.elapsed() < BOUND {
        match call() {
            Ok(value) => return Ok(value),
            Err(nb::Error::Other(error)) => return Err(error),
            Err(nb::Error::WouldBlock) => {}
        }
    }
    panic!("not within {BOUND:?}");
}

impl<'s, 'a> NbFace<'s, 'a> {
    fn add(&mut self, socket: Socket<'s, 'a>) -> Id {
        self.sockets.push(socket);
        self.sockets.len() - 1
    }

    fn tcp(&mut self, id: Id) -> &mut TcpSocket<'s, 'a, Live> {
        match &mut self.sockets[id] {
            Socket::Tcp(socket) => socket,
            _ => panic!("{id} is no TCP socket"),
        }
    }
}

impl Face for NbFace<'_, '_> {
    fn connect(&mut self, to: SocketAddr) -> Result<Id> {
        let mut stack = self.stack;
        let mut socket = TcpClientStack::socket(&mut stack).map_err(failure)?;
        block(|| TcpClientStack::connect(&mut stack, &mut socket, to)).map_err(failure)?;
        Ok(self.add(Socket::Tcp(socket)))
    }

    fn send(&mut self, id: Id, data: &[u8]) -> Result<()> {
        let mut stack = self.stack;
        let socket = self.tcp(id);
        let mut rest = data;
        while !rest.is_empty() {
            let n = block(|| TcpClientStack::send(&mut stack, socket, rest)).map_err(failure)?;
            rest = &rest[n..];
        }
        block(|| socket.flush()).map_err(failure)
    }

    fn recv(&mut self, id: Id, most: usize) -> Result<Vec<u8>> {
        let mut stack = self.stack;
        let mut buffer = vec![0; most];
        let socket = self.tcp(id);
        let n = match block(|| TcpClientStack::receive(&mut stack, socket, &mut buffer)) {
            // What embedded-nal has for the end of the data.
            Err(Error::Ended) => 0,
            other => other.map_err(failure)?,
        };
        buffer.truncate(n);
        Ok(buffer)
    }

    /// embedded-nal has no other close.
    fn close(&mut self, id: Id) {
        self.release(id);
    }

    fn release(&mut self, id: Id) {
        let mut stack = self.stack;
        match std::mem::replace(&mut self.sockets[id], Socket::Released) {
            Socket::Tcp(socket) => TcpClientStack::close(&mut stack, socket).unwrap(),
            Socket::Udp(socket, _) => UdpClientStack::close(&mut stack, socket).unwrap(),
            Socket::Released => {}
        }
    }

    fn resolve(&mut self, name: &str) -> Result<IpAddr> {
        let mut stack = self.stack;
        block(|| stack.get_host_by_name(name, AddrType::IPv4)).map_err(failure)
    }

    fn listen(&mut self) -> Option<Result<(Id, SocketAddr)>> {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = door.local_addr().unwrap();
        self.module.forward(door);
        let mut stack = self.stack;
        let mut socket = TcpClientStack::socket(&mut stack).unwrap();
        let listening = TcpFullStack::bind(&mut stack, &mut socket, SERVER_PORT)
            .and_then(|()| stack.listen(&mut socket));
        // `listen` only begins it.
        while listening.is_ok() && socket.state() != Ok(SocketState::Listen) {
            self.stack.poll().unwrap();
        }
        Some(match listening {
            Ok(()) => Ok((self.add(Socket::Tcp(socket)), at)),
            Err(error) => Err(failure(error)),
        })
    }

    fn accept(&mut self, id: Id) -> Result<Id> {
        let mut stack = self.stack;
        let socket = self.tcp(id);
        let (child, _) = block(|| stack.accept(socket)).map_err(failure)?;
        Ok(self.add(Socket::Tcp(child)))
    }

    fn udp(&mut self, to: Option<SocketAddr>) -> Result<Id> {
        let mut stack = self.stack;
        let mut socket = UdpClientStack::socket(&mut stack).map_err(failure)?;
        match to {
            Some(to) => UdpClientStack::connect(&mut stack, &mut socket, to),
            None => UdpFullStack::bind(&mut stack, &mut socket, 0),
        }
        .map_err(failure)?;
        Ok(self.add(Socket::Udp(socket, to)))
    }

    fn send_to(&mut self, id: Id, to: SocketAddr, data: &[u8]) -> Result<()> {
        let mut stack = self.stack;
        let Socket::Udp(socket, remote) = &mut self.sockets[id] else {
            panic!("{id} is no datagram socket");
        };
        block(|| match remote {
            Some(_) => UdpClientStack::send(&mut stack, socket, data),
            None => stack.send_to(socket, to, data),
        })
        .map_err(failure)
    }

    fn recv_from(&mut self, id: Id, most: usize) -> Result<(Vec<u8>, Option<SocketAddr>)> {
        let mut stack = self.stack;
        let mut buffer = vec![0; most];
        let Socket::Udp(socket, _) = &mut self.sockets[id] else {
            panic!("{id} is no datagram socket");
        };
        let (n, from) =
            block(|| UdpClientStack::receive(&mut stack, socket, &mut buffer)).map_err(failure)?;
        buffer.truncate(n);
        Ok((buffer, Some(from)))
    }

    fn states(&mut self, id: Id) -> Option<Vec<SocketState>> {
        match &self.sockets[id] {
            Socket::Tcp(socket) => Some(live::truths(socket.state().unwrap())),
            _ => None,
        }
    }

    fn pass(&mut self) {
        self.stack.poll().unwrap();
    }
}
