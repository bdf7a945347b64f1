//! `natOutgoing`: what pods send out of all pools leaves with an address of the node. One chain and four sets of table
//! `inet roadbed` ([`crate::nftables`]). Pure.
//!
//! ```text
//! first packet of a connection, on its way out ── from a pool with natOutgoing, not into a tunnel, to no pool and no node,
//!                                                  to another host ──► the node's address, a random port
//! ```
//!
//! Which address: the one that the kernel would take itself by that interface (masquerade), or a fixed one where the node has an
//! address that belongs to no uplink. A fixed one survives the loss of an uplink: masqueraded connections end with it.
//!
//! The port is random (`fully-random`), not the pod's own: many pods use the same ports towards the same server (DNS), and
//! two connections that are made at the same moment are given the same port now and then; the kernel drops the packet of the
//! second one. A random port makes that rare, and cannot be guessed from outside.
//!
//! Multicast, broadcast and the node's own addresses are no other host's. IPv4's link-local addresses are: the metadata services
//! of clouds have them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::nftables::{Base, Chain, Family, Hook, Part, Purpose, Ranges, Rule, SRCNAT, Set};

/// What is masqueraded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Pools with `natOutgoing`. None: nothing is masqueraded, and the kernel is not made to track connections for it.
    pub pools: Vec<IpNet>,
    /// Destinations that see pods' own addresses: all pools, and the addresses of all nodes.
    pub exceptions: Vec<IpNet>,
    /// The node's IPv4 address that connections get, whatever way they leave; none: an address of the interface.
    pub source_v4: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub source_v6: Option<Ipv6Addr>,
}

/// Beginning of the names of tunnel devices.
const TUNNELS: &str = "rb-";

/// The names of a family's sets: what is masqueraded, and towards what it is not.
fn names(family: Family) -> (&'static str, &'static str) {
    match family {
        Family::V4 => ("nat4", "plain4"),
        Family::V6 => ("nat6", "plain6"),
    }
}

/// The sets, if anything is masqueraded at all: a family without pools has empty ones, so that a pool of it is an element more and
/// not another table.
pub(crate) fn sets(wanted: &Wanted) -> Vec<Set> {
    if wanted.pools.is_empty() {
        return Vec::new();
    }
    let of_family = |family| {
        let (from, to) = names(family);
        let set = |name, comment, networks: &[IpNet]| Set {
            name,
            comment,
            family,
            ranges: Ranges::new(family, networks),
        };
        [
            set(from, "pools with natOutgoing", &wanted.pools),
            set(to, "all pools and nodes", &wanted.exceptions),
        ]
    };
    [of_family(Family::V4), of_family(Family::V6)].concat()
}

/// The chain, if anything is masqueraded.
pub(crate) fn chain(wanted: &Wanted) -> Option<Chain> {
    (!wanted.pools.is_empty()).then(|| Chain {
        name: "postrouting",
        purpose: Purpose::Nat,
        base: Some(Base {
            kind: "nat",
            hook: Hook::Postrouting,
            priority: SRCNAT,
        }),
        rules: vec![
            leaving(
                Family::V4,
                "nat_v4",
                "IPv4 of pods leaves the pools",
                wanted.source_v4.map(IpAddr::V4),
            ),
            leaving(
                Family::V6,
                "nat_v6",
                "IPv6 of pods leaves the pools",
                wanted.source_v6.map(IpAddr::V6),
            ),
        ],
    })
}

fn leaving(family: Family, name: &'static str, comment: &'static str, source: Option<IpAddr>) -> Rule {
    let (from, to) = names(family);
    Rule {
        name,
        comment,
        parts: vec![
            Part::Of(family),
            Part::SourceIn(family, from),
            Part::NotToInterface(TUNNELS),
            Part::DestinationNotIn(family, to),
            Part::ToAnotherHost,
            Part::Count,
            source.map_or(Part::Masquerade, Part::SourceTo),
        ],
    }
}

#[cfg(test)]
mod tests;
