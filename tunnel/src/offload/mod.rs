//! A functional test of VXLAN checksum offload, and its cure.
//!
//! The kernel leaves the checksum of a packet inside VXLAN to the network card, for a tunnel device claims that it can have it
//! computed below. Some cards and virtual switches claim so and do not do it: the outer packet is fine, the inner one carries half a
//! checksum, and the receiver drops it. Pings pass, TCP hangs.
//!
//! [`examine`] sends pairs of packets through the tunnel to a peer's agent, alike in all but one thing: of one the
//! checksum is left to the link, of the other the kernel computes it (which it does for datagrams put together from pieces).
//! The peer answers on the underlay. Where only the computed ones arrive, [`cure`] turns `tx-checksum-ip-generic` of
//! our tunnel device off, which costs some CPU time for each packet, and tests again. It is tested with a sender whose
//! packets leave as such a card would send them; no card that does it was at hand.

mod ethtool;
mod finding;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::libc;
use nix::sys::socket::MsgFlags;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use crate::family::Family;
use crate::model::Device;
use crate::probe::socket::{Received, hearing, next, payload, send};
use crate::probe::wire::{Arrival, LENGTH, Nonces, Packet};

pub use finding::{Finding, Tallies, Tally};

/// Pairs of packets in a test.
const PAIRS: u32 = 5;
/// Between two pairs.
const GAP: Duration = Duration::from_millis(20);
/// From the last pair to the end of the test.
const WAIT: Duration = Duration::from_secs(1);

/// Who tests with whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// This node's own pod address.
    pub from: IpAddr,
    /// The peer's own pod address, to which the kernel's route leads through the tunnel.
    pub to: IpAddr,
    /// The addresses that the peer's node is known by: answers come from there.
    pub nodes: Vec<IpAddr>,
    /// The UDP port of probes, on which the peer's agent listens.
    pub port: u16,
    /// Bytes of the test's packets, as whole IP packets; at most the MTU of the tunnel device.
    pub size: u32,
}

/// What was found, and done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Our tunnel device.
    pub device: Device,
    /// What was found.
    pub found: Finding,
    /// What was found after the offload was turned off; none if it was not.
    pub after: Option<Finding>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.device, self.found)?;
        if let Some(after) = &self.after {
            write!(f, "; tx-checksum-ip-generic is turned off; after that: {after}")?;
        }
        Ok(())
    }
}

/// Tests, and turns the checksum offload of `device` off if it corrupts. It stays off until the device is made anew.
///
/// # Errors
/// If packets cannot be sent from our pod address, or the kernel does not let the offload be turned off.
pub async fn cure(device: Device, check: &Check) -> io::Result<Report> {
    let found = examine(check).await?;
    let mut report = Report {
        device,
        found,
        after: None,
    };
    if matches!(found, Finding::Corrupts(_)) && ethtool::is_on(device.name())? {
        ethtool::turn_off(device.name())?;
        report.after = Some(examine(check).await?);
        tracing::warn!("{report}");
    }
    Ok(report)
}

/// Whether the kernel leaves the checksums of what is sent through `device` to the link below.
///
/// # Errors
/// If the device is not there, or the kernel has no ethtool netlink (before 5.6).
pub fn is_offloaded(device: Device) -> io::Result<bool> {
    ethtool::is_on(device.name())
}

/// Tests; it takes up to 1.1 s, less where all is well.
///
/// # Errors
/// If packets cannot be sent from our pod address.
pub async fn examine(check: &Check) -> io::Result<Finding> {
    let mut test = Test {
        check,
        socket: hearing(Family::from(check.to), 0)?,
        nonces: Nonces::default(),
        open: BTreeSet::new(),
        tallies: Tallies::default(),
    };
    let mut pause = Instant::now();
    for pair in 0..=PAIRS {
        if pair < PAIRS {
            test.send_pair(u64::from(pair))?;
        }
        pause += if pair < PAIRS { GAP } else { WAIT };
        while let Ok(received) = timeout_at(pause, next(&test.socket)).await {
            test.note(&received?);
            if let finding @ Finding::Sound(_) = test.tallies.finding(false) {
                return Ok(finding);
            }
        }
    }
    Ok(test.tallies.finding(true))
}

struct Test<'a> {
    check: &'a Check,
    socket: UdpSocket,
    nonces: Nonces,
    /// The numbers that are not answered yet; even: offloaded.
    open: BTreeSet<u64>,
    tallies: Tallies,
}

impl Test<'_> {
    fn send_pair(&mut self, pair: u64) -> io::Result<()> {
        let Check { from, to, port, .. } = *self.check;
        let to = SocketAddr::new(to, port);
        let size = usize::try_from(self.check.size).unwrap_or(LENGTH);
        let length = payload(Family::from(to.ip()), size);
        for sequence in [2 * pair, 2 * pair + 1] {
            let mut bytes = Packet::Check(self.nonces.token(sequence)).encode().to_vec();
            bytes.resize(length, 0);
            if sequence % 2 == 0 {
                send(&self.socket, from, to, &bytes, MsgFlags::empty())?;
                self.tallies.offloaded.sent += 1;
            } else {
                // A datagram in two pieces is one that no link computes the checksum of (udp(7), MSG_MORE).
                let (head, rest) = bytes.split_at(LENGTH / 2);
                send(
                    &self.socket,
                    from,
                    to,
                    head,
                    MsgFlags::from_bits_retain(libc::MSG_MORE),
                )?;
                send(&self.socket, from, to, rest, MsgFlags::empty())?;
                self.tallies.computed.sent += 1;
            }
            self.open.insert(sequence);
        }
        Ok(())
    }

    fn note(&mut self, received: &Received) {
        let Packet::Answer(token, arrival, _) = received.packet else {
            return;
        };
        let known = self.nonces.knows(token) && self.check.nodes.contains(&received.from);
        if !known || !self.open.remove(&token.sequence) {
            return;
        }
        if arrival == Arrival::Native {
            self.tallies.direct += 1;
        }
        if token.sequence % 2 == 0 {
            self.tallies.offloaded.answered += 1;
        } else {
            self.tallies.computed.answered += 1;
        }
    }
}
