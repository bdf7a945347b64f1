//! A listener for what the kernel has: route notifications (`RTNLGRP_IPV4_ROUTE`, `RTNLGRP_IPV6_ROUTE`) of the prefixes that the
//! benchmark feeds, and where some were lost, dumps.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use ipnet::IpNet;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::message;
use crate::place::Place;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTNLGRP_IPV4_ROUTE: u32 = 7;
const RTNLGRP_IPV6_ROUTE: u32 = 11;
const ENOBUFS: i32 = 105;
/// Room for the notifications of some hundred thousand routes.
const ROOM: usize = 512 * 1024 * 1024;
/// No router takes longer for anything here.
const PATIENCE: Duration = Duration::from_secs(90);

/// The listener.
#[derive(Debug)]
pub struct Watch {
    socket: Socket,
    dumps: Socket,
    buffer: Vec<u8>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Routes that come.
    Added,
    /// Routes that go.
    Removed,
}

impl Watch {
    /// Listens in the router's namespace.
    pub fn open(place: &Place) -> anyhow::Result<Watch> {
        let (socket, dumps) = place.at_router(|| Ok((open()?, open()?)))?;
        for group in [RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE] {
            socket.add_membership(group).context("cannot listen for routes")?;
        }
        setsockopt(&socket, sockopt::RcvBufForce, &ROOM).context("no room for notifications")?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(200)).context("no time limit")?;
        Ok(Watch {
            socket,
            dumps,
            buffer: Vec::with_capacity(1 << 20),
        })
    }

    /// Forgets what has been notified so far.
    pub fn skip(&mut self) -> anyhow::Result<()> {
        const DONT_WAIT: i32 = 0x40;
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, DONT_WAIT) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => {}
                other => _ = other.context("cannot listen")?,
            }
        }
    }

    /// Waits for so many changes to the prefixes within `space`; when the last one came.
    pub fn wait(&mut self, change: Change, space: &IpNet, count: usize) -> anyhow::Result<Instant> {
        let (mut seen, began) = (0, Instant::now());
        while seen < count {
            ensure!(
                began.elapsed() < PATIENCE,
                "saw {seen} of {count} routes {change:?} in {PATIENCE:?}"
            );
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, 0) {
                Ok(_) => {
                    seen += messages(&self.buffer)
                        .filter(|(kind, _, payload)| {
                            let wanted = match change {
                                Change::Added => RTM_NEWROUTE,
                                Change::Removed => RTM_DELROUTE,
                            };
                            *kind == wanted && within(payload, space)
                        })
                        .count();
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => {
                    return self.poll(change, space, count, began);
                }
                Err(error) => return Err(error).context("cannot listen"),
            }
        }
        Ok(Instant::now())
    }

    /// Where notifications were lost: looks itself, again and again.
    fn poll(
        &mut self,
        change: Change,
        space: &IpNet,
        count: usize,
        began: Instant,
    ) -> anyhow::Result<Instant> {
        eprintln!("notifications were lost; the end of this step is found by dumps");
        let wanted = if change == Change::Added { count } else { 0 };
        while self.count(space)? != wanted {
            ensure!(
                began.elapsed() < PATIENCE,
                "the kernel has not {wanted} routes in {PATIENCE:?}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let end = Instant::now();
        self.skip()?;
        Ok(end)
    }

    /// How many routes of that space the kernel has.
    pub fn count(&mut self, space: &IpNet) -> anyhow::Result<usize> {
        dump(&self.dumps, &mut self.buffer, space, |payload| {
            within(payload, space)
        })
    }
}

/// Takes a dump of the family of `like`; how many routes satisfy the condition.
pub fn dump(
    socket: &Socket,
    buffer: &mut Vec<u8>,
    like: &IpNet,
    condition: impl Fn(&[u8]) -> bool,
) -> anyhow::Result<usize> {
    let mut request = Vec::new();
    message::dump(&mut request, like, 1);
    socket
        .send_to(&request, &SocketAddr::new(0, 0), 0)
        .context("cannot ask for a dump")?;
    let mut count = 0;
    loop {
        buffer.clear();
        socket.recv(buffer, 0).context("a dump was cut short")?;
        for (kind, _, payload) in messages(buffer) {
            match kind {
                NLMSG_DONE => return Ok(count),
                NLMSG_ERROR => bail!("the kernel refused a dump"),
                RTM_NEWROUTE if condition(payload) => count += 1,
                _ => {}
            }
        }
    }
}

/// A blocking socket in the namespace of the calling thread.
pub fn open() -> anyhow::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE).context("cannot open a netlink socket")?;
    socket.bind_auto().context("cannot bind a netlink socket")?;
    socket.set_cap_ack(true).context("cannot ask for short answers")?;
    socket
        .set_netlink_get_strict_chk(true)
        .context("cannot ask for strict checks")?;
    Ok(socket)
}

/// The messages of a datagram: kind, sequence number, what follows the header.
pub fn messages(mut rest: &[u8]) -> impl Iterator<Item = (u16, u32, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
        let kind = u16::from_ne_bytes(*rest.get(4..)?.first_chunk()?);
        let sequence = u32::from_ne_bytes(*rest.get(8..)?.first_chunk()?);
        let payload = rest.get(16..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, sequence, payload))
    })
}

/// Whether a route message is about a prefix in that space, in any table (`RTA_DST` comes early).
fn within(payload: &[u8], space: &IpNet) -> bool {
    const RTA_DST: u16 = 1;
    let family = if space.addr().is_ipv4() { 2 } else { 10 };
    if payload.first() != Some(&family) {
        return false;
    }
    let mut rest = payload.get(12..).unwrap_or_default();
    while let (Some(length), Some(kind)) = (rest.first_chunk(), rest.get(2..).and_then(|r| r.first_chunk())) {
        let length = usize::from(u16::from_ne_bytes(*length));
        if u16::from_ne_bytes(*kind) == RTA_DST {
            let value = rest.get(4..length).unwrap_or_default();
            return match space {
                IpNet::V4(space) => value
                    .first_chunk::<4>()
                    .is_some_and(|b| space.contains(&std::net::Ipv4Addr::from(*b))),
                IpNet::V6(space) => value
                    .first_chunk::<16>()
                    .is_some_and(|b| space.contains(&std::net::Ipv6Addr::from(*b))),
            };
        }
        let Some(next) = rest.get(length.max(4).next_multiple_of(4)..) else {
            return false;
        };
        rest = next;
    }
    false
}
