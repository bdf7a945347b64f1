//! Ways out, single and in named sets.

use std::{collections::BTreeMap, fmt, net::IpAddr, sync::Arc, time::Duration};

/// One way out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hop {
    /// The neighbour to send to; `None` where the destination itself is on the link. May be IPv6 for an IPv4 route (RFC 8950).
    pub gateway: Option<IpAddr>,
    /// The interface by name: indexes are re-used by the kernel.
    pub interface: Arc<str>,
    /// Take the gateway as on-link although no route says so.
    pub onlink: bool,
    /// Share of traffic among the hops of one route, 1..=256.
    pub weight: u16,
}

/// The name of a set of hops, given by the caller: a node's path, a BGP next hop.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NexthopKey(pub Arc<str>);

impl From<&str> for NexthopKey {
    fn from(name: &str) -> Self {
        NexthopKey(name.into())
    }
}

impl fmt::Display for NexthopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The hops that all routes of one [`NexthopKey`] take.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NexthopSet {
    /// Traffic is spread over them; those over links that are down are left out meanwhile.
    pub hops: Vec<Hop>,
    /// Keep flows where they are when a hop comes or goes. Needs nexthop objects; without them it has no effect.
    pub resilient: Option<Resilient>,
}

impl NexthopSet {
    /// A set over these hops, with nothing special.
    pub fn of(hops: Vec<Hop>) -> Self {
        NexthopSet {
            hops,
            resilient: None,
        }
    }
}

/// A resilient group (`NHA_RES_GROUP`): flows hash into buckets, and a change of hops moves only the buckets that must move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resilient {
    /// Number of buckets, at least one; many times the number of hops. It cannot be changed in place.
    pub buckets: u16,
    /// A bucket that carried nothing for this long may move to another hop. The kernel counts hundredths of a second.
    pub idle: Duration,
    /// After this long out of balance, buckets in use move too; zero: never.
    pub unbalanced: Duration,
}

impl Default for Resilient {
    /// The kernel's own values: 128 buckets, 120 s, never.
    fn default() -> Self {
        Resilient {
            buckets: 128,
            idle: Duration::from_secs(120),
            unbalanced: Duration::ZERO,
        }
    }
}

/// The complete wish for sets of hops: routes refer to them by name ([`Target::Via`](super::Target::Via)).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DesiredNexthops {
    /// Every set. One that no wanted route refers to takes no place in the kernel.
    pub sets: BTreeMap<NexthopKey, NexthopSet>,
}
