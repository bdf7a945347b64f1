//! The sockets of BFD: up to four that receive (each family, ports 3784 and 4784), and one that sends for each session.
//!
//! A packet's TTL comes as ancillary data (`IP_RECVTTL`, `IPV6_RECVHOPLIMIT`): the kernel filters by it for TCP only.
//! No address is shared with other programs (no `SO_REUSEADDR`: with UDP it would take their packets without a word).
//! Senders have a source port of RFC 5881 §4 (49152 to 65535) for the life of the session, and are not connected, so that
//! an ICMP error from the way is not taken for one of ours.

use bfd_proto::{Arrival, Hops, Key};
use nix::sys::socket::sockopt::{Ipv4RecvTtl, Ipv6RecvHopLimit};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;

/// Source ports of RFC 5881 §4.
const FIRST_PORT: u16 = 49152;
const PORTS: u16 = u16::MAX - FIRST_PORT + 1;

/// DSCP CS6 in the position of the TOS / traffic class byte.
const INTERNETWORK_CONTROL: u32 = 0xc0;

/// Some hundred packets: a second of a large node, and no more of a flood.
const RECEIVE_BUFFER: usize = 256 * 1024;

/// A socket that receives, with the space for ancillary data.
#[derive(Debug)]
pub struct Receiver {
    pub socket: Socket,
    hops: Hops,
    control: Vec<u8>,
}

impl Receiver {
    /// Takes the port of `hops` on `address`.
    pub fn open(address: IpAddr, hops: Hops) -> io::Result<Self> {
        let at = SocketAddr::new(address, hops.port());
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        match address {
            IpAddr::V4(_) => setsockopt(&socket, Ipv4RecvTtl, &true)?,
            IpAddr::V6(_) => {
                socket.set_only_v6(true)?;
                setsockopt(&socket, Ipv6RecvHopLimit, &true)?;
            }
        }
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.set_nonblocking(true)?;
        socket.bind(&at.into())?;
        Ok(Self {
            socket,
            hops,
            control: nix::cmsg_space!(i32),
        })
    }

    /// The next datagram that waits, if one does; what does not fit is cut.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<(usize, Arrival)> {
        let mut parts = [IoSliceMut::new(buffer)];
        let fd = self.socket.as_raw_fd();
        let control = Some(self.control.as_mut_slice());
        let message = recvmsg::<SockaddrStorage>(fd, &mut parts, control, MsgFlags::MSG_DONTWAIT).ok()?;
        let (source, scope) = message.address.as_ref().map_or((UNKNOWN, 0), source);
        let ttl = message
            .cmsgs()
            .ok()
            .and_then(|mut all| all.find_map(|one| ttl(&one)));
        let arrival = Arrival {
            source,
            scope,
            ttl,
            hops: self.hops,
        };
        Some((message.bytes, arrival))
    }
}

/// Nobody's source.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

fn source(address: &SockaddrStorage) -> (IpAddr, u32) {
    if let Some(v4) = address.as_sockaddr_in() {
        (IpAddr::V4(v4.ip()), 0)
    } else if let Some(v6) = address.as_sockaddr_in6() {
        (IpAddr::V6(v6.ip()), v6.scope_id())
    } else {
        (UNKNOWN, 0)
    }
}

fn ttl(message: &ControlMessageOwned) -> Option<u8> {
    match message {
        ControlMessageOwned::Ipv4Ttl(ttl) | ControlMessageOwned::Ipv6HopLimit(ttl) => u8::try_from(*ttl).ok(),
        _ => None,
    }
}

/// The socket that sends for one session.
#[derive(Debug)]
pub struct Sender {
    socket: Socket,
    key: Key,
}

impl Sender {
    /// A socket at `local` (or where the kernel likes) and a port of the range that is free; `first` says where the search
    /// begins.
    pub fn open(key: Key, local: Option<IpAddr>, first: u16) -> io::Result<Self> {
        let any: IpAddr = match key.remote {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let local = local
            .filter(|local| local.is_ipv4() == key.remote.is_ipv4())
            .unwrap_or(any);
        let socket = Socket::new(
            Domain::for_address(address(key, 0)),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        // Precedence refused (containers do so sometimes) is precedence lost, no more.
        let _ = match local {
            IpAddr::V4(_) => {
                socket.set_ttl_v4(255)?;
                socket.set_tos_v4(INTERNETWORK_CONTROL)
            }
            IpAddr::V6(_) => {
                socket.set_only_v6(true)?;
                socket.set_unicast_hops_v6(255)?;
                socket.set_tclass_v6(INTERNETWORK_CONTROL)
            }
        };
        let _ = socket.set_priority(7).or_else(|_| socket.set_priority(6));
        // Nothing is read here.
        let _ = socket.set_recv_buffer_size(0);
        socket.set_nonblocking(true)?;
        for step in 0..PORTS {
            let port = FIRST_PORT + (first % PORTS + step) % PORTS;
            let at = scoped(local, port, key.scope);
            match socket.bind(&at.into()) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                bound => return bound.map(|()| Self { socket, key }),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    pub fn send(&self, hops: Hops, packet: &[u8]) -> io::Result<()> {
        self.socket
            .send_to(packet, &address(self.key, hops.port()).into())
            .map(drop)
    }
}

fn address(key: Key, port: u16) -> SocketAddr {
    scoped(key.remote, port, key.scope)
}

fn scoped(ip: IpAddr, port: u16, scope: u32) -> SocketAddr {
    match ip {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => SocketAddrV6::new(v6, port, 0, scope).into(),
        _ => SocketAddr::new(ip, port),
    }
}
