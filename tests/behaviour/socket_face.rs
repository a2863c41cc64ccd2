//! The blocking face, `quectel_sockets::socket`.

use std::net::{IpAddr, SocketAddr, TcpListener};

use quectel_sockets::{
    CheckNetwork, Slot, SocketState, Stack,
    socket::{AF_INET, Error, Protocol, SHUT_RDWR, SOCK_DGRAM, SOCK_STREAM, Socket},
};

use super::{
    face::{BOUND, Face, Failure, Id, Result},
    live::{self, Live, SERVER_PORT},
};

pub(crate) struct SocketFace<'s, 'a> {
    stack: &'s Stack<'a, Live>,
    module: Live,
    sockets: Vec<Option<Socket<'s, 'a, Live>>>,
}

/// Runs `script` on this face of a module that has been brought up.
pub(crate) fn on_socket_face(script: impl FnOnce(&mut dyn Face)) {
    let module = Live::new();
    let mut memory = vec![([0; 1500], [0; 1460]); 4];
    let mut slots: Vec<Slot> = memory
        .iter_mut()
        .map(|(rx, tx)| Slot::new(rx, tx))
        .collect();
    let stack = Stack::new(module.clone(), &mut slots, live::config());
    let network = CheckNetwork::new(&stack, "behaviour", "1");
    assert_eq!(network.wait_network_connected(60), Ok((3, 1)));
    script(&mut SocketFace {
        stack: &stack,
        module,
        sockets: Vec::new(),
    });
}

fn failure(error: Error) -> Failure {
    Failure::of_errno(error.errno())
}

impl<'s, 'a> SocketFace<'s, 'a> {
    fn add(&mut self, socket: Socket<'s, 'a, Live>) -> Id {
        self.sockets.push(Some(socket));
        self.sockets.len() - 1
    }

    fn socket(&mut self, id: Id) -> &mut Socket<'s, 'a, Live> {
        self.sockets[id].as_mut().expect("a socket in use")
    }

    fn new_socket(&self, kind: quectel_sockets::socket::Type) -> Socket<'s, 'a, Live> {
        let mut socket = self.stack.socket(AF_INET, kind, Protocol::DEFAULT).unwrap();
        socket.settimeout(Some(BOUND.as_secs_f32())).unwrap();
        socket
    }
}

impl Face for SocketFace<'_, '_> {
    fn connect(&mut self, to: SocketAddr) -> Result<Id> {
        let mut socket = self.new_socket(SOCK_STREAM);
        socket.connect(to).map_err(failure)?;
        Ok(self.add(socket))
    }

    fn send(&mut self, id: Id, data: &[u8]) -> Result<()> {
        self.socket(id).sendall(data).map_err(failure)
    }

    fn recv(&mut self, id: Id, most: usize) -> Result<Vec<u8>> {
        let mut buffer = vec![0; most];
        let n = self.socket(id).recv(&mut buffer).map_err(failure)?;
        buffer.truncate(n);
        Ok(buffer)
    }

    fn close(&mut self, id: Id) {
        self.socket(id).shutdown(SHUT_RDWR).unwrap();
    }

    fn release(&mut self, id: Id) {
        let socket = self.sockets[id].take();
        socket.expect("a socket in use").close().unwrap();
    }

    fn resolve(&mut self, name: &str) -> Result<IpAddr> {
        let all = self.stack.getaddrinfo(name, 0).map_err(failure)?;
        Ok(all[0].sockaddr.ip())
    }

    fn listen(&mut self) -> Option<Result<(Id, SocketAddr)>> {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = door.local_addr().unwrap();
        self.module.forward(door);
        let mut socket = self.new_socket(SOCK_STREAM);
        let listening = socket
            .bind(("", SERVER_PORT))
            .and_then(|()| socket.listen(2));
        Some(match listening {
            Ok(()) => Ok((self.add(socket), at)),
            Err(error) => Err(failure(error)),
        })
    }

    fn accept(&mut self, id: Id) -> Result<Id> {
        let (mut child, _) = self.socket(id).accept().map_err(failure)?;
        child.settimeout(Some(BOUND.as_secs_f32())).unwrap();
        Ok(self.add(child))
    }

    fn udp(&mut self, to: Option<SocketAddr>) -> Result<Id> {
        let mut socket = self.new_socket(SOCK_DGRAM);
        if let Some(to) = to {
            socket.connect(to).map_err(failure)?;
        }
        Ok(self.add(socket))
    }

    fn send_to(&mut self, id: Id, to: SocketAddr, data: &[u8]) -> Result<()> {
        let socket = self.socket(id);
        let sent = match socket.getpeername() {
            Ok(_) => socket.send(data),
            Err(_) => socket.sendto(data, to),
        };
        assert_eq!(sent.map_err(failure)?, data.len());
        Ok(())
    }

    fn recv_from(&mut self, id: Id, most: usize) -> Result<(Vec<u8>, Option<SocketAddr>)> {
        let mut buffer = vec![0; most];
        let (n, from) = self.socket(id).recvfrom(&mut buffer).map_err(failure)?;
        buffer.truncate(n);
        Ok((buffer, Some(from)))
    }

    fn states(&mut self, id: Id) -> Option<Vec<SocketState>> {
        let state = self.socket(id).state().unwrap();
        Some(live::truths(state))
    }

    fn pass(&mut self) {
        self.stack.poll().unwrap();
    }
}
