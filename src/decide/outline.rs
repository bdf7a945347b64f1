//! What is decided about the node as a whole: all but the way of each learned route. In a large cluster it takes as long as
//! some thousand routes, and most rounds change nothing of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgpd_proto::rib::{NextHopTable, Originated};
use ipnet::IpNet;

use super::{Decided, NodePath, Place, Tunnels};

/// See the module.
#[derive(Debug)]
pub struct Outline {
    /// For `bgpd`: what this node announces of its own.
    pub originated: BTreeMap<IpNet, Originated>,
    /// For `tunnel`, with the MTU for pods.
    pub tunnels: Tunnels,
    /// For `bgpd`.
    pub next_hops: NextHopTable,
    /// How each node is reached, for each pool.
    pub paths: Vec<NodePath>,
    /// The way of each pod, block and Service of this node, with its reason.
    pub own: Decided,
    /// Where our routes stand in the kernel.
    pub place: Place,
    /// For `hostnet`.
    pub host: hostnet::Wanted,
    /// For `hostnet`: table `inet roadbed`.
    pub ruleset: hostnet::ruleset::Wanted,
}

impl Outline {
    /// Whether a learned route outside the pools that is another now may lead to anything that was looked for: each node, each
    /// peer and each next hop is in the table of next hops, and a next hop is looked for over others of them.
    pub fn depends_on(&self, prefix: &IpNet) -> bool {
        let within: std::ops::RangeInclusive<IpAddr> = prefix.network()..=prefix.broadcast();
        self.next_hops.range(within).next().is_some()
    }
}
