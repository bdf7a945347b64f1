//! How each other node is reached for each pool: the encapsulation belongs to (pool, owner node).

use std::collections::BTreeMap;
use std::net::IpAddr;

use config::vocabulary::NodeName;
use routesync::{KernelView, resolve};
use tunnel::probe::ProbeVerdict;
use tunnel::{Choice, Facts, L2Path};

use crate::plan::{Plan, Pool, RemoteNode};

/// The choice for one pool and one node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodePath {
    /// The other node.
    pub node: NodeName,
    /// The pool.
    pub pool: String,
    /// The node's BGP address, in the pool's family.
    pub endpoint: IpAddr,
    /// How the kernel itself gets there, our own routes left aside.
    pub path: L2Path,
    /// What follows, and why.
    pub choice: Choice,
}

/// The choice for every pool and every node that has an address in the pool's family.
pub fn node_paths(plan: &Plan, view: &KernelView) -> Vec<NodePath> {
    let ways = |pool| {
        plan.remotes
            .iter()
            .filter_map(move |node| node_path(view, pool, node))
    };
    plan.pools.iter().flat_map(ways).collect()
}

fn node_path(view: &KernelView, pool: &Pool, node: &RemoteNode) -> Option<NodePath> {
    let endpoint = node.address(matches!(pool.cidr, ipnet::IpNet::V4(_)))?;
    let path = l2_path(view, endpoint);
    let facts = Facts {
        family: endpoint.into(),
        node: node.name.as_str().into(),
        endpoint,
        path: path.clone(),
        probe: ProbeVerdict::default(),
    };
    let choice = tunnel::choose(pool.modes, &facts);
    Some(NodePath {
        node: node.name.clone(),
        pool: pool.name.clone(),
        endpoint,
        path,
        choice,
    })
}

/// The kernel's own way to an address: learned routes are left aside, or the tunnel could justify itself.
fn l2_path(view: &KernelView, endpoint: IpAddr) -> L2Path {
    match resolve(view, &BTreeMap::new(), endpoint).outcome {
        routesync::Outcome::OnLink { interface, .. } => L2Path::OnLink { interface },
        routesync::Outcome::Via {
            gateway, interface, ..
        } => L2Path::Routed { gateway, interface },
        routesync::Outcome::Unreachable(why) => L2Path::NoRoute(why.to_string()),
    }
}

/// The path for one pool and node among all of them.
pub fn find<'a>(paths: &'a [NodePath], pool: &str, node: &NodeName) -> Option<&'a NodePath> {
    paths.iter().find(|p| p.pool == pool && p.node == *node)
}
