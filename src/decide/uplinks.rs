//! The links of this node that lead into the fabric: their sysctls matter to forwarding, their MTU to tunnels
//! and pods.
//!
//! They are found from where they lead, not from where the node's BGP address sits: that may be loopback, in
//! fabrics that route to the host. A route with several hops leads over several links.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use bgpd_proto::types::PeerId;
use routesync::{LearnedRoutes, resolve};

use super::{Inputs, NodePath};

/// MTU where nothing is known of any link.
pub const ETHERNET: u32 = 1500;
/// The one link that leads nowhere.
const LOOPBACK: &str = "lo";

/// Names of links, by what makes them uplinks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uplinks {
    /// They lead to other nodes, over the kernel's routes or over learned ones.
    pub to_nodes: BTreeSet<Arc<str>>,
    /// They lead to BGP peers.
    pub to_peers: BTreeSet<Arc<str>>,
    /// They hold an address of this node.
    pub holding: BTreeSet<Arc<str>>,
}

/// The uplinks as they are now.
pub fn find(inputs: Inputs<'_>, learned: &LearnedRoutes, paths: &[NodePath]) -> Uplinks {
    let (plan, view) = (inputs.plan, inputs.view);
    let towards = |address: IpAddr| -> Vec<Arc<str>> {
        let hops = resolve(view, learned, address).hops;
        hops.into_iter().map(|hop| hop.interface).collect()
    };
    let to_peer = |peer: &PeerId| -> Vec<Arc<str>> {
        match peer {
            PeerId::Address(address) => towards(*address),
            PeerId::Interface(name) => vec![Arc::from(name.as_str())],
        }
    };
    let own = [plan.node.address(true), plan.node.address(false)];
    let holding = view
        .addresses
        .iter()
        .filter(|a| own.contains(&Some(a.net.addr())));
    let not_loopback = |name: &Arc<str>| **name != *LOOPBACK;
    Uplinks {
        to_nodes: paths
            .iter()
            .flat_map(|p| &p.underlay.links)
            .filter(|name| not_loopback(name))
            .cloned()
            .collect(),
        to_peers: plan
            .speaker
            .peers
            .keys()
            .flat_map(to_peer)
            .filter(not_loopback)
            .collect(),
        holding: holding
            .filter_map(|a| Some(view.links.get(&a.index)?.name.clone()))
            .filter(not_loopback)
            .collect(),
    }
}

impl Uplinks {
    /// All of them.
    pub fn names(&self) -> BTreeSet<String> {
        let all = [&self.to_nodes, &self.to_peers, &self.holding];
        all.into_iter().flatten().map(ToString::to_string).collect()
    }

    /// The smallest MTU on the way to other nodes, in bytes; while nothing leads to any, on the way to peers,
    /// else of the links that hold our addresses.
    pub fn mtu(&self, view: &routesync::KernelView) -> u32 {
        let least =
            |names: &BTreeSet<Arc<str>>| names.iter().filter_map(|n| view.link(n)).map(|l| l.mtu).min();
        let in_order = [&self.to_nodes, &self.to_peers, &self.holding];
        in_order.into_iter().find_map(least).unwrap_or(ETHERNET)
    }
}
