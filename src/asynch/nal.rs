//! The traits of embedded-nal-async, on the stack handle.

use core::net::{IpAddr, SocketAddr};

use embedded_nal_async::{AddrType, ConnectedUdp, Dns, TcpConnect, UdpStack, UnconnectedUdp};

use super::{Error, Stack, TcpSocket, UdpSocket};
use crate::error::{ResolveError, errno};

impl<'a> TcpConnect for Stack<'a> {
    type Error = Error;
    type Connection<'m>
        = TcpSocket<'a>
    where
        Self: 'm;

    async fn connect<'m>(&'m self, remote: SocketAddr) -> Result<TcpSocket<'a>, Error> {
        let mut socket = self.tcp_socket().await?;
        socket.connect(remote).await?;
        Ok(socket)
    }
}

impl Dns for Stack<'_> {
    type Error = Error;

    async fn get_host_by_name(&self, host: &str, kind: AddrType) -> Result<IpAddr, Error> {
        let addresses = self.resolve(host).await?;
        let mut fitting = addresses.into_iter().filter(|ip| match kind {
            AddrType::IPv4 => ip.is_ipv4(),
            AddrType::IPv6 => ip.is_ipv6(),
            AddrType::Either => true,
        });
        Ok(fitting.next().ok_or(ResolveError::NotFound)?)
    }

    /// Modules do not have it: EOPNOTSUPP.
    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, Error> {
        Err(Error::NotSupported(errno::EOPNOTSUPP))
    }
}

impl<'a> UdpStack for Stack<'a> {
    type Error = Error;
    type Connected = UdpSocket<'a>;
    type UniquelyBound = UdpSocket<'a>;
    type MultiplyBound = UdpSocket<'a>;

    async fn connect_from(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<(SocketAddr, UdpSocket<'a>), Error> {
        let mut socket = self.udp_socket().await?;
        if local.port() != 0 || !local.ip().is_unspecified() {
            socket.bind(local).await?;
        }
        socket.connect(remote).await?;
        Ok((socket.local_addr()?, socket))
    }

    async fn bind_single(&self, local: SocketAddr) -> Result<(SocketAddr, UdpSocket<'a>), Error> {
        let socket = self.bind_multiple(local).await?;
        Ok((socket.local_addr()?, socket))
    }

    async fn bind_multiple(&self, local: SocketAddr) -> Result<UdpSocket<'a>, Error> {
        let mut socket = self.udp_socket().await?;
        socket.bind(local).await?;
        Ok(socket)
    }
}

impl ConnectedUdp for UdpSocket<'_> {
    type Error = Error;

    async fn send(&mut self, data: &[u8]) -> Result<(), Error> {
        UdpSocket::send(self, data).await.map(drop)
    }

    async fn receive_into(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        Ok(self.recv_from(buffer).await?.whole)
    }
}

/// The module has one address: the local one is told, and not asked for.
impl UnconnectedUdp for UdpSocket<'_> {
    type Error = Error;

    async fn send(&mut self, _: SocketAddr, to: SocketAddr, data: &[u8]) -> Result<(), Error> {
        self.send_to(data, to).await.map(drop)
    }

    async fn receive_into(
        &mut self,
        buffer: &mut [u8],
    ) -> Result<(usize, SocketAddr, SocketAddr), Error> {
        let received = self.recv_from(buffer).await?;
        Ok((received.whole, self.local_addr()?, received.from))
    }
}
