//! A TCP server in the module: several clients at once, each gets its lines
//! back.
//!
//! Without `--port` the module is a simulated one inside this process; a port
//! of this PC leads to it, and the program's own clients come that way.

mod support;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::ExitCode,
    thread,
};

use clap::Parser;
use quectel_sim::SimCard;
use quectel_sockets::{
    Config, Port, Slot, Stack,
    socket::{AF_INET, Error, IPPROTO_TCP, SOCK_STREAM, Socket},
};
use support::{
    module::Module,
    told::{exit, told, wrong},
};

/// An echo server in a cellular module.
#[derive(Parser)]
#[command(
    name = "tcp_server",
    version,
    after_help = "Exit status: 0 all clients were served, 1 failed, 2 wrong arguments.\n\n\
    Examples:\n  \
    tcp_server                                        3 clients of its own\n  \
    tcp_server --forward 127.0.0.1:8080 --clients 10  clients of yours\n  \
    tcp_server --port /dev/ttyUSB2 --apn static.ip"
)]
struct Args {
    /// Port of the module
    #[arg(long, value_name = "N", default_value_t = 8_080)]
    listen: u16,
    /// Clients to serve before the program ends
    #[arg(long, value_name = "N", default_value_t = 3)]
    clients: usize,
    /// Address of this PC that leads to the simulated module, for clients of
    /// yours; none: the program brings its own clients
    #[arg(long, value_name = "ADDRESS")]
    forward: Option<SocketAddr>,
    /// Seconds without a client or a byte after which the program gives up
    #[arg(long, value_name = "S", default_value_t = 60)]
    timeout: u16,
    #[command(flatten)]
    module: Module,
}

/// Sockets of the stack: a listener, and clients at the same time.
const SOCKETS: usize = 5;

fn main() -> ExitCode {
    let args = Args::parse();
    if args.module.port.is_some() && args.forward.is_some() {
        return wrong("--forward is for the simulated module");
    }
    match args.module.config() {
        Ok(config) => exit(run(&args, config)),
        Err(what) => wrong(&what),
    }
}

fn run(args: &Args, config: Config<'_>) -> Result<(), String> {
    let own = args.module.port.is_none() && args.forward.is_none();
    let mut door = None;
    let port = args.module.open(SimCard::Ready, |sim| {
        let at = args.forward.unwrap_or(([127, 0, 0, 1], 0).into());
        let told = |error| format!("no listening socket on {at}: {error}; choose another");
        let listener = TcpListener::bind(at).map_err(told)?;
        door = Some(listener.local_addr().map_err(told)?);
        sim.forward_tcp(listener, args.listen).map_err(told)
    })?;
    if let Some(door) = door {
        println!("{door} leads to the module");
    }
    serve(port, args, config, door.filter(|_| own))
}

/// A client on this PC: what it sends must come back.
fn client(door: SocketAddr, number: usize) -> Result<usize, String> {
    let told = |error| format!("client {number}: {error}");
    let mut stream = TcpStream::connect(door).map_err(told)?;
    let lines: String = (0..200)
        .map(|line| format!("client {number}, line {line}\r\n"))
        .collect();
    let mut echo = vec![0; lines.len()];
    let mut writer = stream.try_clone().map_err(told)?;
    let sent = lines.clone();
    let writing = thread::spawn(move || writer.write_all(sent.as_bytes()));
    stream.read_exact(&mut echo).map_err(told)?;
    writing
        .join()
        .map_err(|_| "the writer failed".to_owned())?
        .map_err(told)?;
    if echo != lines.as_bytes() {
        return Err(format!("client {number}: the lines came back changed"));
    }
    Ok(echo.len())
}

fn serve(
    port: impl Port,
    args: &Args,
    config: Config<'_>,
    door: Option<SocketAddr>,
) -> Result<(), String> {
    let mut memory = [([0; 1_500], [0; 1_460]); SOCKETS];
    let mut slots = memory.each_mut().map(|(rx, tx)| Slot::new(rx, tx));
    let stack = Stack::new(port, &mut slots, config);
    args.module.wait(&stack)?;
    let again = "run it again, or with --trace";
    let mut listener = stack
        .socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
        .map_err(told("no socket", again))?;
    listener
        .bind(("", args.listen))
        .map_err(told("cannot bind", "choose another port with --listen"))?;
    listener
        .listen(3)
        .map_err(told("cannot listen", "choose another port with --listen"))?;
    listener.setblocking(false);
    match listener.getsockname() {
        Ok(local) => println!("listening on {local}"),
        Err(error) => return Err(told("no address", again)(error)),
    }

    let own: Vec<_> = door
        .into_iter()
        .flat_map(|door| (0..args.clients).map(move |number| (door, number)))
        .map(|(door, number)| thread::spawn(move || client(door, number)))
        .collect();
    let mut clients: Vec<Client<'_, '_, _>> = Vec::new();
    let (mut served, mut most) = (0, 0);
    let mut waited_ms = 0;
    while served < args.clients {
        match listener.accept() {
            Ok((mut socket, from)) => {
                println!("{from} connected");
                socket.setblocking(false);
                clients.push(Client {
                    socket,
                    from,
                    waiting: Vec::new(),
                    bytes: 0,
                });
                most = most.max(clients.len());
                waited_ms = 0;
            }
            // All slots are taken: it waits in the module.
            Err(Error::WouldBlock) => {}
            Err(error) if error.errno() == 24 => {}
            Err(error) => return Err(told("cannot accept", again)(error)),
        }
        let mut at = 0;
        while let Some(client) = clients.get_mut(at) {
            let before = client.bytes;
            let over = client.serve()?;
            if client.bytes > before || over {
                waited_ms = 0;
            }
            if over {
                let client = clients.remove(at);
                println!("{} has gone after {} bytes", client.from, client.bytes);
                served += 1;
            } else {
                at += 1;
            }
        }
        // Lets the stack work for a moment.
        stack
            .poll_until(5, || false)
            .map_err(told("the stack is busy", again))?;
        waited_ms += 5;
        if waited_ms > u32::from(args.timeout) * 1_000 {
            return Err(format!("nothing happened for {} s; {again}", args.timeout));
        }
    }
    listener.close().map_err(told("cannot close", again))?;
    println!("{served} clients served, up to {most} at once");
    for client in own {
        let bytes = client.join().map_err(|_| "a client failed".to_owned())??;
        println!("a client got its {bytes} bytes back");
    }
    Ok(())
}

struct Client<'s, 'a, P: Port> {
    socket: Socket<'s, 'a, P>,
    from: SocketAddr,
    /// Received and not sent back yet.
    waiting: Vec<u8>,
    bytes: usize,
}

impl<P: Port> Client<'_, '_, P> {
    /// Sends back what has come. Returns whether the client has gone.
    fn serve(&mut self) -> Result<bool, String> {
        if self.waiting.is_empty() {
            let mut buffer = [0; 512];
            match self.socket.recv(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(n) => self.waiting.extend(&buffer[..n]),
                Err(Error::WouldBlock) => return Ok(false),
                Err(error) => return Err(told("a client was lost", "run it again")(error)),
            }
        }
        match self.socket.send(&self.waiting) {
            Ok(n) => {
                self.waiting.drain(..n);
                self.bytes += n;
                Ok(false)
            }
            Err(Error::WouldBlock) => Ok(false),
            // It has closed without waiting for its lines.
            Err(error) if error.errno() == 32 => Ok(true),
            Err(error) => Err(told("a client was lost", "run it again")(error)),
        }
    }
}
