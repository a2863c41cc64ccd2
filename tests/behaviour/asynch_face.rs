//! The face for tasks, `quectel_sockets::asynch`, by its own calls.

use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    pin::pin,
    task::{Context, Waker},
};

use quectel_port::AsyncPort;
use quectel_sockets::{
    Slot, SocketState,
    asynch::{Error, Shared, Stack, TcpSocket, UdpSocket},
};

use super::{
    face::{BOUND, Face, Failure, Id, Result},
    live::{self, Live, SERVER_PORT},
    nal_async::{NalAsync, block_on},
};

enum Socket<'a> {
    Tcp(TcpSocket<'a>),
    Udp(UdpSocket<'a>),
    Released,
}

struct AsynchFace<'a, W> {
    stack: Stack<'a>,
    module: Live,
    world: W,
    sockets: Vec<Socket<'a>>,
}

/// Runs `script` on this face of a module that has been brought up.
pub(crate) fn on_asynch_face(script: impl FnOnce(&mut dyn Face)) {
    on_stack(|stack, module, world| {
        script(&mut AsynchFace {
            stack,
            module,
            world,
            sockets: Vec::new(),
        });
    });
}

/// The same by the traits of embedded-nal-async.
pub(crate) fn on_nal_async_face(script: impl FnOnce(&mut dyn Face)) {
    on_stack(|stack, _, world| {
        let any = "0.0.0.0:0".parse().unwrap();
        script(&mut NalAsync::new(&stack, any, world));
    });
}

fn on_stack(script: impl FnOnce(Stack<'_>, Live, &mut dyn FnMut())) {
    let module = Live::new();
    let port = AsyncPort::new(module.clone());
    let mut memory = vec![([0; 1500], [0; 1460]); 4];
    let mut slots: Vec<Slot> = memory
        .iter_mut()
        .map(|(rx, tx)| Slot::new(rx, tx))
        .collect();
    let mut shared = Shared::new(&mut slots, live::config());
    let (stack, runner) = shared.split();
    let mut run = pin!(runner.run(port.rx(), port.tx(), port.clock()));
    let mut world = || {
        let mut context = Context::from_waker(Waker::noop());
        assert!(run.as_mut().poll(&mut context).is_pending());
    };
    assert_eq!(block_on(&mut world, stack.wait_network()), (3, 1));
    script(stack, module, &mut world);
}

fn failure(error: Error) -> Failure {
    Failure::of_errno(error.errno())
}

impl<'a, W: FnMut()> AsynchFace<'a, W> {
    fn add(&mut self, socket: Socket<'a>) -> Id {
        self.sockets.push(socket);
        self.sockets.len() - 1
    }

    /// A connection or a listener, and what lets the world go on meanwhile.
    fn tcp(&mut self, id: Id) -> (&mut TcpSocket<'a>, &mut W) {
        match &mut self.sockets[id] {
            Socket::Tcp(socket) => (socket, &mut self.world),
            _ => panic!("{id} is no TCP socket"),
        }
    }

    fn udp_socket(&mut self, id: Id) -> (&mut UdpSocket<'a>, &mut W) {
        match &mut self.sockets[id] {
            Socket::Udp(socket) => (socket, &mut self.world),
            _ => panic!("{id} is no datagram socket"),
        }
    }

    fn new_tcp(&mut self) -> TcpSocket<'a> {
        let mut socket = block_on(&mut self.world, self.stack.tcp_socket()).unwrap();
        socket.set_timeout(Some(BOUND.as_millis() as u32));
        socket
    }
}

impl<W: FnMut()> Face for AsynchFace<'_, W> {
    fn connect(&mut self, to: SocketAddr) -> Result<Id> {
        let mut socket = self.new_tcp();
        block_on(&mut self.world, socket.connect(to)).map_err(failure)?;
        Ok(self.add(Socket::Tcp(socket)))
    }

    fn send(&mut self, id: Id, data: &[u8]) -> Result<()> {
        let (socket, world) = self.tcp(id);
        let sent = block_on(world, async {
            socket.write_all(data).await?;
            socket.flush().await
        });
        sent.map_err(failure)
    }

    fn recv(&mut self, id: Id, most: usize) -> Result<Vec<u8>> {
        let mut buffer = vec![0; most];
        let (socket, world) = self.tcp(id);
        let n = block_on(world, socket.read(&mut buffer)).map_err(failure)?;
        buffer.truncate(n);
        Ok(buffer)
    }

    fn close(&mut self, id: Id) {
        let (socket, world) = self.tcp(id);
        socket.shutdown().unwrap();
        world();
    }

    fn release(&mut self, id: Id) {
        match std::mem::replace(&mut self.sockets[id], Socket::Released) {
            Socket::Tcp(socket) => block_on(&mut self.world, socket.close()).unwrap(),
            Socket::Udp(socket) => block_on(&mut self.world, socket.close()).unwrap(),
            Socket::Released => panic!("{id} is released already"),
        }
    }

    fn resolve(&mut self, name: &str) -> Result<IpAddr> {
        let all = block_on(&mut self.world, self.stack.resolve(name));
        Ok(all.map_err(failure)?[0])
    }

    fn listen(&mut self) -> Option<Result<(Id, SocketAddr)>> {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = door.local_addr().unwrap();
        self.module.forward(door);
        let mut socket = self.new_tcp();
        let listening = block_on(&mut self.world, async {
            socket.bind(SocketAddr::from(([0; 4], SERVER_PORT)))?;
            socket.listen(2).await
        });
        Some(match listening {
            Ok(()) => Ok((self.add(Socket::Tcp(socket)), at)),
            Err(error) => Err(failure(error)),
        })
    }

    fn accept(&mut self, id: Id) -> Result<Id> {
        let (socket, world) = self.tcp(id);
        let (mut child, _) = block_on(world, socket.accept()).map_err(failure)?;
        child.set_timeout(Some(BOUND.as_millis() as u32));
        Ok(self.add(Socket::Tcp(child)))
    }

    fn udp(&mut self, to: Option<SocketAddr>) -> Result<Id> {
        let mut socket = block_on(&mut self.world, self.stack.udp_socket()).unwrap();
        if let Some(to) = to {
            block_on(&mut self.world, socket.connect(to)).map_err(failure)?;
        }
        Ok(self.add(Socket::Udp(socket)))
    }

    fn send_to(&mut self, id: Id, to: SocketAddr, data: &[u8]) -> Result<()> {
        let (socket, world) = self.udp_socket(id);
        let sent = match socket.remote_addr() {
            Ok(_) => block_on(world, socket.send(data)),
            Err(_) => block_on(world, socket.send_to(data, to)),
        };
        assert_eq!(sent.map_err(failure)?, data.len());
        Ok(())
    }

    fn recv_from(&mut self, id: Id, most: usize) -> Result<(Vec<u8>, Option<SocketAddr>)> {
        let mut buffer = vec![0; most];
        let (socket, world) = self.udp_socket(id);
        let received = block_on(world, socket.recv_from(&mut buffer)).map_err(failure)?;
        buffer.truncate(received.len);
        Ok((buffer, Some(received.from)))
    }

    fn states(&mut self, id: Id) -> Option<Vec<SocketState>> {
        let (socket, _) = self.tcp(id);
        Some(live::truths(socket.state()))
    }

    fn pass(&mut self) {
        (self.world)();
    }
}
