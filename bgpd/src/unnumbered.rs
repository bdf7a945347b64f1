//! Finds the neighbour on each interface that a peer is known by, with router advertisements (RFC 4861): we send ours, so that
//! the other end finds us, and take the source of whatever comes for the neighbour. One task for each interface.
//!
//! ```text
//!  configuration ─interfaces─► Discovery ─► task ─advertisement, solicitation─► link
//!  speaker ◄──────Found─────── channel ◄──── task ◄─advertisement (hop limit 255, from a link-local address)
//! ```
//!
//! While no advertisement is good any more (for as long as it said that it is a router, and three of our own pauses where it
//! said nothing), the kernel's table of neighbours is looked at: where it has one link-local address on that link that
//! answers, as after a connection of the other end, that is it. Else the neighbour is gone, as it is with its interface. A
//! session stays while its TCP connection does, whatever is found.
//!
//! Our advertisements have a router lifetime of zero: nobody takes us for a default router because of them. They
//! are sent only where a peer is configured by its interface.
//!
//! An interface that is not there yet, or goes and comes again with another index, is looked for each second.

use crate::neighbours;
use bgpd_proto::types::InterfaceName;
use nix::cmsg_space;
use nix::net::if_::{if_indextoname, if_nametoindex};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use std::collections::BTreeMap;
use std::io::{self, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

/// Pause between advertisements. Faster than a router's (RFC 4861 §6.2.1 has 200 s at least): a session waits for it.
const INTERVAL: Duration = Duration::from_secs(5);

/// Pause before an interface is looked for again.
const RETRY: Duration = Duration::from_secs(1);

/// How long a neighbour that says no lifetime counts as there.
const SILENCE: Duration = Duration::from_secs(15);

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

const SOLICITATION: u8 = 133;
const ADVERTISEMENT: u8 = 134;

/// Router Advertisement: type, code, checksum (the kernel's), hop limit unspecified, no flags, lifetime zero, no timers.
const OURS: [u8; 16] = [ADVERTISEMENT, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Router Solicitation: type, code, checksum, reserved.
const ASK: [u8; 8] = [SOLICITATION, 0, 0, 0, 0, 0, 0, 0];

/// A neighbour has been heard, or not for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub interface: InterfaceName,
    /// Its link-local address, with the index of the interface as scope; none where it is gone.
    pub neighbour: Option<SocketAddrV6>,
}

/// Interfaces with the address of the neighbour there, where that is known.
pub type Places = BTreeMap<InterfaceName, Option<Ipv6Addr>>;

/// All interfaces that are listened to. Dropping this ends it.
#[derive(Debug)]
pub struct Discovery {
    running: BTreeMap<InterfaceName, (Option<Ipv6Addr>, AbortHandle)>,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Found>,
    found: mpsc::Receiver<Found>,
}

impl Default for Discovery {
    fn default() -> Self {
        let (sender, found) = mpsc::channel(16);
        Self {
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            sender,
            found,
        }
    }
}

impl Discovery {
    /// Listens on these interfaces from now on, and on no others. Must be called inside a runtime.
    pub fn listen_on(&mut self, places: Places) {
        self.running.retain(|name, (known, task)| {
            let wanted = places.get(name) == Some(known);
            if !wanted {
                task.abort();
            }
            wanted
        });
        for (name, known) in places {
            let (tasks, sender) = (&mut self.tasks, &self.sender);
            let start = || (known, tasks.spawn(discover(name, known, sender.clone())));
            self.running.entry(name).or_insert_with(start);
        }
        while self.tasks.try_join_next().is_some() {}
    }

    /// The next neighbour that is found or lost; the same one each time it speaks.
    pub async fn found(&mut self) -> Found {
        match self.found.recv().await {
            Some(found) => found,
            // Never: the other end is in `self`.
            None => std::future::pending().await,
        }
    }
}

/// The interface that a link-local address is on, by its scope.
pub fn interface_of(address: SocketAddrV6) -> Option<InterfaceName> {
    if !address.ip().is_unicast_link_local() {
        return None;
    }
    let name = if_indextoname(address.scope_id()).ok()?;
    name.to_str().ok()?.parse().ok()
}

async fn discover(interface: InterfaceName, known: Option<Ipv6Addr>, found: mpsc::Sender<Found>) {
    let mut said = String::new();
    loop {
        let error = match Radio::open(interface) {
            Ok(radio) => match radio.run(known, &found).await {
                Ok(()) => return,
                Err(error) => error,
            },
            Err(error) => error,
        };
        let neighbour = None;
        if found.send(Found { interface, neighbour }).await.is_err() {
            return;
        }
        let why = error.to_string();
        if why != said {
            tracing::warn!(%interface, error = why, "cannot look for the BGP peer on this interface, trying again");
            said = why;
        }
        sleep(RETRY).await;
    }
}

/// A raw ICMPv6 socket on one interface.
struct Radio {
    interface: InterfaceName,
    index: u32,
    socket: UdpSocket,
}

impl Radio {
    fn open(interface: InterfaceName) -> io::Result<Self> {
        let index = if_nametoindex(interface.as_str())?;
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        socket.set_nonblocking(true)?;
        socket.bind_device(Some(interface.as_str().as_bytes()))?;
        socket.set_multicast_if_v6(index)?;
        // Who receives them checks that no router was between (RFC 4861 §6.1).
        socket.set_multicast_hops_v6(255)?;
        socket.set_multicast_loop_v6(false)?;
        socket.join_multicast_v6(&ALL_ROUTERS, index)?;
        setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
        // A socket of packets is one to the runtime, whatever is in them.
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self {
            interface,
            index,
            socket,
        })
    }

    /// Ends with `Ok` when nobody listens any more. A `known` neighbour is told of at once, and nothing that is heard.
    async fn run(&self, known: Option<Ipv6Addr>, found: &mpsc::Sender<Found>) -> io::Result<()> {
        let at = |address| SocketAddrV6::new(address, 0, 0, self.index);
        let tell = async |address: Option<Ipv6Addr>| {
            let (interface, neighbour) = (self.interface, address.map(at));
            found.send(Found { interface, neighbour }).await.is_ok()
        };
        self.send(&ASK, ALL_ROUTERS)?;
        if known.is_some() && !tell(known).await {
            return Ok(());
        }
        let mut next = Instant::now();
        // Until when what was heard last counts.
        let mut until: Option<Instant> = None;
        loop {
            let told = tokio::select! {
                received = self.socket.async_io(Interest::READABLE, || receive(&self.socket)) => {
                    match received? {
                        None => true,
                        Some((Heard::Solicitation, _)) => {
                            self.send(&OURS, ALL_NODES)?;
                            true
                        }
                        Some((Heard::Advertisement(lifetime), source)) => {
                            until = Some(Instant::now() + lifetime.max(SILENCE));
                            known.is_some() || tell(Some(source)).await
                        }
                    }
                }
                () = sleep_until(next) => {
                    if if_nametoindex(self.interface.as_str())? != self.index {
                        return Err(io::Error::other("it is another interface now"));
                    }
                    self.send(&OURS, ALL_NODES)?;
                    next = Instant::now() + INTERVAL;
                    let silent = until.is_none_or(|until| until < Instant::now());
                    match silent && known.is_none() {
                        // Its connection is not asked: whoever is not heard may still be in the table.
                        true => tell(neighbours::only_one_on(self.index)?).await,
                        false => true,
                    }
                }
            };
            if !told {
                return Ok(());
            }
        }
    }

    fn send(&self, packet: &[u8], to: Ipv6Addr) -> io::Result<()> {
        let to = SockAddr::from(SocketAddrV6::new(to, 0, 0, self.index));
        match SockRef::from(&self.socket).send_to(packet, &to) {
            Ok(_) => Ok(()),
            // A full queue is no reason to begin anew: the next advertisement follows.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What a neighbour says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// It is there, and is a router for so long.
    Advertisement(Duration),
    /// It asks for routers.
    Solicitation,
}

/// Takes one packet: what it says and its source if it is a valid advertisement or solicitation of a neighbour, which the hop
/// limit proves.
fn receive(socket: &UdpSocket) -> io::Result<Option<(Heard, Ipv6Addr)>> {
    let mut packet = [0; 256];
    let mut control = cmsg_space!(libc::c_int);
    let mut parts = [IoSliceMut::new(&mut packet)];
    let message = recvmsg::<SockaddrIn6>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::MSG_DONTWAIT,
    )?;
    let near = message
        .cmsgs()?
        .any(|control| matches!(control, ControlMessageOwned::Ipv6HopLimit(255)));
    let source = message.address.map(|address| address.ip());
    let length = message.bytes;
    Ok(source
        .filter(|_| near)
        .and_then(|source| Some((judge(packet.get(..length)?, source)?, source))))
}

/// What a valid message says (RFC 4861 §6.1.1 and §6.1.2; the kernel has checked the sum).
fn judge(packet: &[u8], source: Ipv6Addr) -> Option<Heard> {
    match packet {
        // Checksum, hop limit, flags, lifetime in seconds.
        [ADVERTISEMENT, 0, _, _, _, _, high, low, rest @ ..]
            if rest.len() >= 8 && source.is_unicast_link_local() =>
        {
            let lifetime = u16::from_be_bytes([*high, *low]);
            Some(Heard::Advertisement(Duration::from_secs(lifetime.into())))
        }
        // A host that has no address yet may ask as well.
        [SOLICITATION, 0, rest @ ..] if rest.len() >= 6 => Some(Heard::Solicitation),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
