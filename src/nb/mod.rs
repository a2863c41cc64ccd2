//! The `nb` face: the traits of embedded-nal 0.9 on `&Stack`, for super-loops
//! and RTIC. Nothing waits, and neither an executor nor a time driver is
//! needed. The guide, with an example, is the page [`super_loop`].

#[doc = include_str!("super_loop.md")]
pub mod super_loop {}

mod error;
mod polled;
mod tcp;
mod udp;

use core::net::{IpAddr, SocketAddr};

use embedded_nal::{AddrType, Dns};

pub use self::error::Error;
use self::error::busy;
pub use self::polled::Polled;
pub use self::tcp::TcpSocket;
pub use self::udp::UdpSocket;
use crate::{
    engine::Engine,
    error::{OpenError, ResolveError},
    slot::Handle,
    stack::{Port, Stack},
};

/// Of a call that may have to be made again.
type Result<T> = ::nb::Result<T, Error>;
/// Of a call that has nothing to wait for.
type Outcome<T> = core::result::Result<T, Error>;

fn convert<E: Into<Error>>(error: ::nb::Error<E>) -> ::nb::Error<Error> {
    error.map(Into::into)
}

/// One call. The step before it brings in what has come, the one behind it
/// sends what it has begun.
fn turn<'a, P: Port, T>(
    stack: &Stack<'a, P>,
    call: impl FnOnce(&mut Engine<'a>, u64) -> T,
) -> Outcome<T> {
    let mut core = stack.core().map_err(busy)?;
    let now = stack.step_of(&mut core);
    let outcome = call(&mut core.engine, now);
    stack.step_of(&mut core);
    Ok(outcome)
}

/// A socket's place in its stack; dropped, it is given back.
#[derive(Debug)]
struct Place<'s, 'a, P: Port> {
    stack: &'s Stack<'a, P>,
    handle: Handle,
}

impl<'s, 'a, P: Port> Place<'s, 'a, P> {
    fn new(
        stack: &'s Stack<'a, P>,
        socket: impl FnOnce(&mut Engine<'a>) -> core::result::Result<Handle, OpenError>,
    ) -> Outcome<Self> {
        // Sockets that were just dropped have given their slots back.
        let handle = turn(stack, |engine, _| socket(engine))??;
        Ok(Self { stack, handle })
    }

    /// One call on the socket.
    fn turn<T>(&self, call: impl FnOnce(&mut Engine<'a>, Handle, u64) -> T) -> Outcome<T> {
        turn(self.stack, |engine, now| call(engine, self.handle, now))
    }

    /// Bytes that were taken and are known to be lost are told; the rest is
    /// done by later steps.
    fn close(self) -> Outcome<()> {
        let told = self.turn(|engine, handle, _| engine.untold_loss(handle));
        let stack = self.stack;
        drop(self);
        stack.poll().map_err(busy)?;
        Ok(told??)
    }

    fn bind(&self, port: u16) -> Outcome<()> {
        let bound = self.turn(|engine, handle, _| {
            let any = if engine.has_family(false) {
                SocketAddr::from(([0; 4], port))
            } else {
                SocketAddr::from(([0u16; 8], port))
            };
            engine.bind(handle, any)
        })?;
        Ok(bound?)
    }

    fn local(&self) -> Outcome<Option<SocketAddr>> {
        self.turn(|engine, handle, _| engine.local(handle))
    }
}

impl<P: Port> Drop for Place<'_, '_, P> {
    fn drop(&mut self) {
        self.stack.drop_socket(self.handle);
    }
}

/// Names: one look-up at a time, since modules do not say which name an
/// answer is for.
impl<P: Port> Dns for &Stack<'_, P> {
    type Error = Error;

    /// Looks the name up; to be called again with the same name while it says
    /// `WouldBlock`. The stack keeps a copy of the name.
    ///
    /// Another name waits until the look-up that runs has ended. An answer
    /// that nobody collects is dropped after 60 s, or when another name is
    /// asked for.
    ///
    /// # Errors
    /// [`ResolveError`]; `NotFound` also if the name has addresses, but none
    /// of the type.
    fn get_host_by_name(&mut self, hostname: &str, addr_type: AddrType) -> Result<IpAddr> {
        let addresses = turn(self, |engine, _| engine.resolve(hostname))?;
        let addresses = addresses.map_err(convert)?;
        let mut fitting = addresses.into_iter().filter(|address| match addr_type {
            AddrType::IPv4 => address.is_ipv4(),
            AddrType::IPv6 => address.is_ipv6(),
            AddrType::Either => true,
        });
        let first = fitting.next();
        first.ok_or(Error::Resolve(ResolveError::NotFound).into())
    }

    /// Modules cannot do this.
    ///
    /// # Errors
    /// [`Error::NotSupported`] (EOPNOTSUPP), always.
    fn get_host_by_address(&mut self, _addr: IpAddr, _result: &mut [u8]) -> Result<usize> {
        Err(Error::NotSupported.into())
    }
}
