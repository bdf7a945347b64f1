//! What is decided about the node as a whole: all but the way of each learned route. In a large cluster it takes as long as
//! some thousand routes, and most rounds change nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bgpd_proto::rib::{NextHopTable, Originated};
use bgpd_proto::types::ScopedAddr;
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
    /// For `bgpd`: which interface leads to each next hop, where filters ask for it.
    pub interfaces: BTreeMap<ScopedAddr, Arc<str>>,
    /// The metrics that filters give to learned routes.
    pub priorities: BTreeSet<u32>,
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
        let within = ScopedAddr::from(prefix.network())..=ScopedAddr::from(prefix.broadcast());
        self.next_hops.range(within).next().is_some()
    }
}
