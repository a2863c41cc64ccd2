//! A TCP port: one program at a time is the module's host.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::endpoint::{Endpoint, later};
use super::say::warn;

pub(super) struct Tcp {
    listener: TcpListener,
    address: SocketAddr,
    client: Option<Client>,
    /// What a program that has left had sent, as far as it was not read.
    left: Vec<u8>,
}

/// What of a program that has left is still read.
const LEFT: usize = 64 << 10;

/// The connection was reset.
const GONE: PollFlags = PollFlags::HUP.union(PollFlags::ERR);

struct Client {
    stream: TcpStream,
    peer: SocketAddr,
    /// It will not send any more. It may still read, until another program comes.
    finished: bool,
}

/// A socket that listens, not blocking, and its address.
pub(super) fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), String> {
    let listener = TcpListener::bind(address).map_err(|error| cannot(address, &error))?;
    let setup = listener
        .set_nonblocking(true)
        .and_then(|()| listener.local_addr());
    let address = setup.map_err(|error| cannot(address, &error))?;
    Ok((listener, address))
}

/// Why an address cannot be had, and what to do.
pub(super) fn cannot(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => format!(
            "{address} is in use: end the program that uses it, or choose another port, \
             or port 0 for any free one"
        ),
        ErrorKind::PermissionDenied => {
            format!("no permission for {address}: choose a port from 1024")
        }
        ErrorKind::AddrNotAvailable => {
            format!("{address} is not an address of this PC: 127.0.0.1 always is one")
        }
        _ => format!("cannot listen on {address}: {error}"),
    }
}

impl Tcp {
    pub(super) fn open(address: SocketAddr) -> Result<Tcp, String> {
        let (listener, address) = listen(address)?;
        if !address.ip().is_loopback() {
            warn(&format!(
                "warning: whoever reaches {address} can connect to whatever this PC reaches"
            ));
        }
        Ok(Tcp {
            listener,
            address,
            client: None,
            left: Vec::new(),
        })
    }

    /// The program has left.
    fn lose(&mut self) {
        if let Some(client) = &mut self.client.take() {
            let mut buffer = [0; 4096];
            while self.left.len() < LEFT
                && let Ok(n @ 1..) = client.stream.read(&mut buffer)
            {
                self.left.extend(&buffer[..n]);
            }
        }
    }

    /// Which of these are true of the program's connection now.
    fn is(client: &Client, flags: PollFlags) -> bool {
        let mut fds = [PollFd::new(&client.stream, flags)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().intersects(flags)
    }

    /// Whether the program will send nothing more, perhaps after what it has sent.
    fn leaving(client: &Client) -> bool {
        #[cfg(target_os = "linux")]
        let flags = GONE | PollFlags::RDHUP;
        #[cfg(not(target_os = "linux"))]
        let flags = GONE;
        client.finished || Tcp::is(client, flags)
    }
}

impl Endpoint for Tcp {
    fn describe(&self) -> String {
        format!("tcp {}", self.address)
    }

    fn wait_for(&self, input: bool, output: bool) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let mut fds = vec![(self.listener.as_fd(), PollFlags::IN)];
        if let Some(client) = &self.client {
            let mut flags = PollFlags::empty();
            flags.set(
                PollFlags::IN,
                input && !client.finished && self.left.is_empty(),
            );
            flags.set(PollFlags::OUT, output);
            fds.push((client.stream.as_fd(), flags));
        }
        fds
    }

    fn attend(&mut self) -> bool {
        let mut changed = false;
        while let Ok((stream, peer)) = self.listener.accept() {
            if let Some(client) = &self.client
                && !Tcp::leaving(client)
            {
                warn(&format!(
                    "refused {peer}: {} is connected, and a serial port has one host",
                    client.peer
                ));
                continue;
            }
            let setup = stream
                .set_nonblocking(true)
                .and_then(|()| stream.set_nodelay(true));
            if let Err(error) = setup {
                warn(&format!("lost {peer}: {error}"));
                continue;
            }
            self.lose();
            self.client = Some(Client {
                stream,
                peer,
                finished: false,
            });
            changed = true;
        }
        if self
            .client
            .as_ref()
            .is_some_and(|client| Tcp::is(client, GONE))
        {
            self.lose();
            changed = true;
        }
        changed
    }

    fn read(&mut self, buf: &mut [u8]) -> usize {
        if !self.left.is_empty() {
            let n = buf.len().min(self.left.len());
            buf[..n].copy_from_slice(&self.left[..n]);
            self.left.drain(..n);
            return n;
        }
        let Some(client) = &mut self.client else {
            return 0;
        };
        if client.finished {
            return 0;
        }
        match client.stream.read(buf) {
            Ok(0) => {
                client.finished = true;
                0
            }
            Ok(n) => n,
            Err(error) if later(&error) => 0,
            Err(_) => {
                self.client = None;
                0
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let Some(client) = &mut self.client else {
            return bytes.len();
        };
        match client.stream.write(bytes) {
            Ok(n) => n,
            Err(error) if later(&error) => 0,
            Err(_) => {
                self.client = None;
                bytes.len()
            }
        }
    }
}
