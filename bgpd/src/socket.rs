//! TCP sockets as BGP wants them: TTL by kind of peer (RFC 4271 §5.1.3), the smallest TTL that is let in (RFC 5082), the key
//! of MD5 signatures (RFC 2385),
//! precedence Internetwork Control (RFC 4271 Appendix E: DSCP CS6), no Nagle delay, a chosen source address.

use crate::{Error, options};
use bgpd_proto::speaker::Transport;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::{TcpSocket, TcpStream};

/// DSCP CS6 in the position of the TOS / traffic class byte.
const INTERNETWORK_CONTROL: u32 = 0xc0;

/// Accept queue of the kernel: a whole mesh may connect at once after a restart.
const BACKLOG: i32 = 1024;

/// Bytes that the kernel holds for a peer, as asked for (it counts its own overhead against twice that). Left to itself it
/// would take megabytes for each peer that does not read, full of routes that are no longer true.
const SEND_BUFFER: usize = 256 * 1024;

/// Opens a listening socket, non-blocking. An IPv6 one takes no IPv4 connections, so that `0.0.0.0` and `::` go together.
pub fn listen(address: SocketAddr) -> Result<std::net::TcpListener, Error> {
    try_listen(address).map_err(|source| Error::Listen { address, source })
}

fn try_listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    set_precedence(&SockRef::from(&socket), address.ip());
    // A peer with TTL security drops the answer to its SYN otherwise.
    set_ttl(&SockRef::from(&socket), address.ip(), 255)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Connects from `local` to `remote`.
pub async fn connect(
    local: Option<IpAddr>,
    remote: SocketAddr,
    transport: &Transport,
) -> io::Result<TcpStream> {
    let socket = if remote.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    set_precedence(&SockRef::from(&socket), remote.ip());
    set_ttl(&SockRef::from(&socket), remote.ip(), transport.ttl)?;
    if let Some(min) = transport.min_ttl {
        options::set_min_ttl(&socket, remote.ip(), min)?;
    }
    if let Some(password) = &transport.password {
        options::set_key(&socket, remote.ip().into(), Some(password))?;
    }
    SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER)?;
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0)).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot use local address {local}: {error}"))
        })?;
    }
    let stream = socket.connect(remote).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sets up an accepted connection; it has the key of its listener. Of what the peer
/// sent before this moment the kernel did not look at the TTL: one socket listens for peers of all distances.
pub fn accepted(stream: &TcpStream, remote: IpAddr, transport: &Transport) -> io::Result<()> {
    set_ttl(&SockRef::from(stream), remote, transport.ttl)?;
    if let Some(min) = transport.min_ttl {
        options::set_min_ttl(stream, remote, min)?;
    }
    set_precedence(&SockRef::from(stream), remote);
    SockRef::from(stream).set_send_buffer_size(SEND_BUFFER)?;
    stream.set_nodelay(true)
}

/// A refusal (containers forbid it sometimes) costs priority, not the session.
fn set_precedence(socket: &SockRef<'_>, ip: IpAddr) {
    let result = match ip {
        IpAddr::V4(_) => socket.set_tos_v4(INTERNETWORK_CONTROL),
        IpAddr::V6(_) => socket.set_tclass_v6(INTERNETWORK_CONTROL),
    };
    if let Err(error) = result {
        tracing::debug!(%error, "cannot mark BGP packets as network control");
    }
}

fn set_ttl(socket: &SockRef<'_>, ip: IpAddr, ttl: u8) -> io::Result<()> {
    match ip {
        IpAddr::V4(_) => socket.set_ttl_v4(u32::from(ttl)),
        IpAddr::V6(_) => socket.set_unicast_hops_v6(u32::from(ttl)),
    }
}
