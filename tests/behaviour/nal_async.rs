//! Whatever has the traits of embedded-nal-async.

use std::{
    net::{IpAddr, SocketAddr},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Instant,
};

use embedded_io_async::{ErrorKind, Read, Write};
use embedded_nal_async::{AddrType, ConnectedUdp, Dns, TcpConnect, UdpStack, UnconnectedUdp};

use super::face::{BOUND, Face, Failure, Id, Result};

enum Socket<'s, S: TcpConnect + UdpStack + 's> {
    Stream(S::Connection<'s>),
    /// With the address it is bound to.
    Bound(S::UniquelyBound, SocketAddr),
    Connected(S::Connected),
    Released,
}

pub(crate) struct NalAsync<'s, S: TcpConnect + UdpStack, W> {
    stack: &'s S,
    /// Lets the rest of the world go on.
    world: W,
    /// Where an unconnected datagram socket is bound.
    local: SocketAddr,
    sockets: Vec<Socket<'s, S>>,
}

/// Polls until it is done.
#[track_caller]
pub(crate) fn block_on<T>(mut world: impl FnMut(), future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let begin = Instant::now();
    while begin.elapsed() < BOUND {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        world();
    }
    panic!("not within {BOUND:?}");
}

fn failure<E: embedded_io_async::Error>(error: E) -> Failure {
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::ConnectionReset => Failure::Reset,
        ErrorKind::BrokenPipe => Failure::BrokenPipe,
        ErrorKind::NotConnected => Failure::NotConnected,
        ErrorKind::AddrInUse => Failure::AddressInUse,
        _ => Failure::Other(None),
    }
}

impl<'s, S: TcpConnect + UdpStack, W: FnMut()> NalAsync<'s, S, W> {
    pub(crate) fn new(stack: &'s S, local: SocketAddr, world: W) -> Self {
        Self {
            stack,
            world,
            local,
            sockets: Vec::new(),
        }
    }

    fn add(&mut self, socket: Socket<'s, S>) -> Id {
        self.sockets.push(socket);
        self.sockets.len() - 1
    }
}

impl<S: TcpConnect + UdpStack + Dns, W: FnMut()> Face for NalAsync<'_, S, W> {
    fn connect(&mut self, to: SocketAddr) -> Result<Id> {
        let stream = block_on(&mut self.world, TcpConnect::connect(self.stack, to));
        let stream = stream.map_err(failure)?;
        Ok(self.add(Socket::Stream(stream)))
    }

    fn send(&mut self, id: Id, data: &[u8]) -> Result<()> {
        let Socket::Stream(stream) = &mut self.sockets[id] else {
            panic!("{id} is no connection");
        };
        block_on(&mut self.world, async {
            stream.write_all(data).await?;
            stream.flush().await
        })
        .map_err(failure)
    }

    fn recv(&mut self, id: Id, most: usize) -> Result<Vec<u8>> {
        let Socket::Stream(stream) = &mut self.sockets[id] else {
            panic!("{id} is no connection");
        };
        let mut buffer = vec![0; most];
        let n = block_on(&mut self.world, stream.read(&mut buffer)).map_err(failure)?;
        buffer.truncate(n);
        Ok(buffer)
    }

    /// The traits have no close but the drop.
    fn close(&mut self, id: Id) {
        self.release(id);
    }

    fn release(&mut self, id: Id) {
        self.sockets[id] = Socket::Released;
    }

    fn resolve(&mut self, name: &str) -> Result<IpAddr> {
        let address = self.stack.get_host_by_name(name, AddrType::IPv4);
        block_on(&mut self.world, address).map_err(|_| Failure::NoSuchName)
    }

    fn listen(&mut self) -> Option<Result<(Id, SocketAddr)>> {
        None
    }

    fn udp(&mut self, to: Option<SocketAddr>) -> Result<Id> {
        let socket = block_on(&mut self.world, async {
            match to {
                Some(to) => {
                    let (_, socket) = UdpStack::connect(self.stack, to).await?;
                    Ok(Socket::Connected(socket))
                }
                None => {
                    let (local, socket) = self.stack.bind_single(self.local).await?;
                    Ok(Socket::Bound(socket, local))
                }
            }
        });
        let socket = socket.map_err(failure::<<S as UdpStack>::Error>)?;
        Ok(self.add(socket))
    }

    fn send_to(&mut self, id: Id, to: SocketAddr, data: &[u8]) -> Result<()> {
        let sockets = &mut self.sockets;
        let sent = block_on(&mut self.world, async {
            match &mut sockets[id] {
                Socket::Bound(socket, local) => socket.send(*local, to, data).await,
                Socket::Connected(socket) => socket.send(data).await,
                _ => panic!("{id} is no datagram socket"),
            }
        });
        sent.map_err(failure)
    }

    fn recv_from(&mut self, id: Id, most: usize) -> Result<(Vec<u8>, Option<SocketAddr>)> {
        let mut buffer = vec![0; most];
        let sockets = &mut self.sockets;
        let received = block_on(&mut self.world, async {
            match &mut sockets[id] {
                Socket::Bound(socket, _) => {
                    let (n, _, from) = socket.receive_into(&mut buffer).await?;
                    Ok((n, Some(from)))
                }
                Socket::Connected(socket) => Ok((socket.receive_into(&mut buffer).await?, None)),
                _ => panic!("{id} is no datagram socket"),
            }
        });
        let (n, from) = received.map_err(failure::<<S as UdpStack>::Error>)?;
        buffer.truncate(n);
        Ok((buffer, from))
    }

    fn pass(&mut self) {
        (self.world)();
    }
}
