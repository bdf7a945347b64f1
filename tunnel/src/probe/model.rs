//! What is to be probed, and the marks by which the kernel tells probes from other packets.
//!
//! A [`DesiredProbes`] is complete: what it does not name is not probed, and not answered. An empty one takes the rule and
//! the table out of the kernel and closes the sockets.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::family::Family;

/// The mark (SO_MARK) of requests, all 32 bits compared. Its lower half is zero, for kube-proxy and Cilium use bits there.
pub const MARK: u32 = 0x5242_0000;
/// The routing table of requests: a route to each probed address, and nothing else reachable.
pub const TABLE: u32 = 0x5242;
/// The priority of the `ip rule` that sends [`MARK`] to [`TABLE`]: behind `local` (0), before what others usually have.
pub const RULE_PRIORITY: u32 = 82;
/// The protocol number of the rule.
pub const RULE_PROTOCOL: u8 = 82;
/// The protocol number of the routes in [`TABLE`]; not that of pod routes, which have another writer.
pub const ROUTE_PROTOCOL: u8 = 83;
/// The UDP port of requests and answers.
pub const DEFAULT_PORT: u16 = 9179;

/// One direction of probing: a node, and the family of the pod addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeKey {
    /// The peer node's name.
    pub node: Arc<str>,
    /// Of the pod addresses.
    pub family: Family,
}

impl ProbeKey {
    /// That of `node` and `family`.
    pub fn new(node: &str, family: Family) -> Self {
        Self {
            node: node.into(),
            family,
        }
    }
}

impl fmt::Display for ProbeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.node, self.family)
    }
}

/// This node's addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalEnd {
    /// The node's own pod address: where requests come from.
    pub pod: IpAddr,
    /// The node's own address (BGP): where answers come from.
    pub node: IpAddr,
}

/// The native way to a node: what the kernel's routes, ours left aside, say about its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeHop {
    /// The router; the node's own address where it stands on the same link.
    pub gateway: IpAddr,
    /// The link.
    pub interface: Arc<str>,
}

/// A peer node, for one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbePeer {
    /// The peer's own pod address (the first of its first block): requests go there, and its requests come from there.
    pub pod: IpAddr,
    /// Addresses that may be it instead: which of its blocks a node took first is not known where it claims them itself.
    pub others: Vec<IpAddr>,
    /// The addresses that the node is known by, of the same family. Answers are taken from these; ours go to the first.
    pub nodes: Vec<IpAddr>,
    /// The native way. None: there is none, so nothing is sent; its requests are answered all the same.
    pub hop: Option<NativeHop>,
    /// The largest IP packet, in bytes, that pods would send directly: the MTU of the direct way.
    pub size: u32,
}

/// Everything that is to be probed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DesiredProbes {
    /// This node's ends. A family that is not named is not probed, nor answered.
    pub local: BTreeMap<Family, LocalEnd>,
    /// The peers.
    pub peers: BTreeMap<ProbeKey, ProbePeer>,
}
