//! TCP sockets as BGP wants them: TTL by kind of peer (RFC 4271 §5.1.3, RFC 5082 leaves 255 to multihop and iBGP),
//! precedence Internetwork Control (RFC 4271 Appendix E: DSCP CS6), no Nagle delay, a chosen source address.

use crate::Error;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// DSCP CS6 in the position of the TOS / traffic class byte.
const INTERNETWORK_CONTROL: u32 = 0xc0;

/// Accept queue of the kernel: a whole mesh may connect at once after a restart.
const BACKLOG: i32 = 1024;

/// Opens a listening socket. An IPv6 one takes no IPv4 connections, so that `0.0.0.0` and `::` go together.
pub fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    try_listen(address).map_err(|source| Error::Listen { address, source })
}

fn try_listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    set_precedence(&SockRef::from(&socket), address.ip());
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Connects from `local` to `remote`.
pub async fn connect(local: Option<IpAddr>, remote: SocketAddr, ttl: u8) -> io::Result<TcpStream> {
    let socket = if remote.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    set_precedence(&SockRef::from(&socket), remote.ip());
    set_ttl(&SockRef::from(&socket), remote.ip(), ttl)?;
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0)).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot use local address {local}: {error}"))
        })?;
    }
    let stream = socket.connect(remote).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sets up an accepted connection.
pub fn accepted(stream: &TcpStream, remote: IpAddr, ttl: u8) -> io::Result<()> {
    set_ttl(&SockRef::from(stream), remote, ttl)?;
    set_precedence(&SockRef::from(stream), remote);
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
