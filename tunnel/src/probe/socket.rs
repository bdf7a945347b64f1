//! The sockets of one family: one that sends marked requests, one that hears requests and answers, and answers unmarked.
//!
//! Requests carry [`MARK`] and the DF bit, whatever the kernel believes of the path's MTU, so that a path that has healed
//! is seen. Of what arrives the kernel tells the link and the destination address (IP_PKTINFO, IPV6_RECVPKTINFO): that is how
//! a request through a tunnel is told from one without.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};
use rustix::net::netdevice::{index_to_name, name_to_index};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use rustix::net::sockopt::{set_ip_mtu_discover, set_ipv6_mtu_discover};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::model::MARK;
use super::wire::{LENGTH, Packet};
use crate::family::Family;

/// Room for what arrives while the task is busy: about 2,000 small packets.
const RECEIVE_BUFFER: usize = 1 << 20;

/// What arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    pub packet: Packet,
    pub from: IpAddr,
    pub port: u16,
    /// The address that it was sent to.
    pub to: IpAddr,
    /// Index of the link that it came by.
    pub interface: u32,
}

/// Both sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    family: Family,
    port: u16,
    requests: UdpSocket,
    hearing: UdpSocket,
}

impl Sockets {
    /// Opens them in the network namespace of the calling thread.
    pub fn open(family: Family, port: u16) -> io::Result<Self> {
        let requests = bound(family, 0)?;
        requests.set_mark(MARK)?;
        match family {
            Family::Ipv4 => set_ip_mtu_discover(&requests, Ipv4PathMtuDiscovery::PROBE)?,
            Family::Ipv6 => set_ipv6_mtu_discover(&requests, Ipv6PathMtuDiscovery::PROBE)?,
        }
        let hearing = hearing(family, port)?;
        Ok(Self {
            family,
            port,
            requests: UdpSocket::from_std(requests.into())?,
            hearing,
        })
    }

    /// Sends a request; `size` is that of the whole IP packet.
    pub fn request(&self, from: IpAddr, to: IpAddr, packet: Packet, size: usize) -> io::Result<()> {
        let mut bytes = packet.encode().to_vec();
        bytes.resize(payload(self.family, size), 0);
        send(
            &self.requests,
            from,
            SocketAddr::new(to, self.port),
            &bytes,
            MsgFlags::empty(),
        )
    }

    /// Sends an answer; it takes the way that all packets between node addresses take.
    pub fn answer(&self, from: IpAddr, to: SocketAddr, packet: Packet) -> io::Result<()> {
        send(&self.hearing, from, to, &packet.encode(), MsgFlags::empty())
    }

    /// The index of the link `name` in the sockets' namespace.
    pub fn index_of(&self, name: &str) -> io::Result<u32> {
        Ok(name_to_index(&self.hearing, name)?)
    }

    /// The name of the link `index` in the sockets' namespace.
    pub fn name_of(&self, index: u32) -> io::Result<String> {
        Ok(index_to_name(&self.hearing, index)?)
    }

    /// Waits for the next packet of ours; what is none is left out.
    pub async fn receive(&self) -> io::Result<Received> {
        next(&self.hearing).await
    }
}

/// A socket that is told how packets arrive; port 0 is any.
pub(crate) fn hearing(family: Family, port: u16) -> io::Result<UdpSocket> {
    let socket = bound(family, port)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    match family {
        Family::Ipv4 => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
        Family::Ipv6 => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
    }
    UdpSocket::from_std(socket.into())
}

/// Waits for the next packet of ours on `socket`; what is none is left out.
pub(crate) async fn next(socket: &UdpSocket) -> io::Result<Received> {
    loop {
        if let Some(received) = socket.async_io(Interest::READABLE, || receive(socket)).await? {
            return Ok(received);
        }
    }
}

fn bound(family: Family, port: u16) -> io::Result<Socket> {
    let (domain, any) = match family {
        Family::Ipv4 => (Domain::IPV4, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        Family::Ipv6 => (Domain::IPV6, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if family == Family::Ipv6 {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::new(any, port).into())?;
    Ok(socket)
}

/// Bytes of UDP payload in an IP packet of `size` bytes; never less than a packet of ours.
pub(crate) fn payload(family: Family, size: usize) -> usize {
    const UDP: usize = 8;
    let header = match family {
        Family::Ipv4 => 20,
        Family::Ipv6 => 40,
    };
    size.saturating_sub(header + UDP).max(LENGTH)
}

/// Sends `bytes` from the address `from`.
pub(crate) fn send(
    socket: &UdpSocket,
    from: IpAddr,
    to: SocketAddr,
    bytes: &[u8],
    flags: MsgFlags,
) -> io::Result<()> {
    let (v4, v6);
    let source = match from {
        IpAddr::V4(from) => {
            v4 = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: u32::from_ne_bytes(from.octets()),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            ControlMessage::Ipv4PacketInfo(&v4)
        }
        IpAddr::V6(from) => {
            v6 = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: from.octets(),
                },
                ipi6_ifindex: 0,
            };
            ControlMessage::Ipv6PacketInfo(&v6)
        }
    };
    sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(bytes)],
        &[source],
        flags | MsgFlags::MSG_DONTWAIT,
        Some(&SockaddrStorage::from(to)),
    )?;
    Ok(())
}

/// One packet; none if it is not one of ours.
fn receive(socket: &UdpSocket) -> io::Result<Option<Received>> {
    // Longer packets are cut off: padding says nothing.
    let mut bytes = [0; LENGTH];
    let mut buffers = [IoSliceMut::new(&mut bytes)];
    let mut control = nix::cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut buffers,
        Some(&mut control),
        MsgFlags::MSG_DONTWAIT,
    )?;
    let mut arrived = None;
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                let to = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes());
                arrived = u32::try_from(info.ipi_ifindex)
                    .ok()
                    .map(|index| (IpAddr::from(to), index));
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                let to = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                arrived = Some((IpAddr::from(to), info.ipi6_ifindex));
            }
            _ => {}
        }
    }
    let sender = message.address.and_then(|address| source(&address));
    let length = message.bytes;
    let packet = bytes.get(..length).and_then(Packet::decode);
    Ok(match (packet, sender, arrived) {
        (Some(packet), Some(sender), Some((to, interface))) => Some(Received {
            packet,
            from: sender.ip(),
            port: sender.port(),
            to,
            interface,
        }),
        _ => None,
    })
}

fn source(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address
        .as_sockaddr_in()
        .map(|address| SocketAddr::from((address.ip(), address.port())));
    v4.or_else(|| {
        let address = address.as_sockaddr_in6()?;
        Some(SocketAddr::from((address.ip(), address.port())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_whole_packets() {
        assert_eq!(payload(Family::Ipv4, 1500), 1472);
        assert_eq!(payload(Family::Ipv6, 1500), 1452);
        assert_eq!(payload(Family::Ipv4, 0), LENGTH);
    }
}
