//! How each other node is reached for each pool: the encapsulation belongs to (pool, owner node).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use config::vocabulary::NodeName;
use ipnet::IpNet;
use routesync::{KernelView, LearnedRoutes, resolve};
use tunnel::probe::{ProbeKey, Proof, Verdicts};
use tunnel::{Choice, Facts, L2Path, RouteSizes};

use super::uplinks::ETHERNET;
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
    /// Where packets to the endpoint leave, by all routes, and the least MTU of these links.
    pub underlay: Arc<Underlay>,
}

/// The links that lead to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Underlay {
    /// Their names.
    pub links: BTreeSet<Arc<str>>,
    /// The least MTU of them, in bytes; Ethernet's where none is known.
    pub mtu: u32,
}

impl NodePath {
    /// The way as far as the size of packets goes.
    pub fn size(&self) -> tunnel::Path {
        tunnel::Path {
            link: self.underlay.mtu,
            encapsulation: self.choice.encapsulation,
            family: self.endpoint.into(),
        }
    }

    /// What routes over it say about sizes.
    pub fn sizes(&self) -> Option<RouteSizes> {
        self.size().route()
    }
}

/// The choice for every pool and every node that has an address in the pool's family. `outside`: the learned routes
/// outside all pools, which may lead to nodes.
pub fn node_paths(
    plan: &Plan,
    view: &KernelView,
    outside: &LearnedRoutes,
    verdicts: &Verdicts,
) -> Vec<NodePath> {
    let mut ways: BTreeMap<IpAddr, (L2Path, Arc<Underlay>)> = BTreeMap::new();
    let mut paths = Vec::with_capacity(plan.pools.len() * plan.remotes.len());
    for pool in &plan.pools {
        for node in &plan.remotes {
            let Some(endpoint) = node.address(matches!(pool.cidr, IpNet::V4(_))) else {
                continue;
            };
            let (path, underlay) = ways
                .entry(endpoint)
                .or_insert_with(|| (l2_path(view, endpoint), underlay(view, outside, endpoint)))
                .clone();
            // Without the counts: the next probe alone makes no other choice.
            let proof = verdicts.proof(&ProbeKey::new(node.name.as_str(), endpoint.into()));
            paths.push(node_path(pool, node, endpoint, (path, underlay), proof));
        }
    }
    paths
}

fn node_path(
    pool: &Pool,
    node: &RemoteNode,
    endpoint: IpAddr,
    (path, underlay): (L2Path, Arc<Underlay>),
    probe: Proof,
) -> NodePath {
    let facts = Facts {
        family: endpoint.into(),
        node: node.name.as_str().into(),
        endpoint,
        path: path.clone(),
        probe,
    };
    let choice = tunnel::choose(pool.modes, &facts);
    NodePath {
        node: node.name.clone(),
        pool: pool.name.clone(),
        endpoint,
        path,
        choice,
        underlay,
    }
}

/// The kernel's own way to an address: learned routes are left aside, or the tunnel could justify itself.
pub(super) fn l2_path(view: &KernelView, endpoint: IpAddr) -> L2Path {
    match resolve(view, &BTreeMap::new(), endpoint).outcome {
        routesync::Outcome::OnLink { interface, .. } => L2Path::OnLink { interface },
        routesync::Outcome::Via {
            gateway, interface, ..
        } => L2Path::Routed { gateway, interface },
        routesync::Outcome::Unreachable(why) => L2Path::NoRoute(why.to_string()),
    }
}

fn underlay(view: &KernelView, outside: &LearnedRoutes, endpoint: IpAddr) -> Arc<Underlay> {
    let hops = resolve(view, outside, endpoint).hops;
    let links: BTreeSet<Arc<str>> = hops.into_iter().map(|hop| hop.interface).collect();
    let mtus = links
        .iter()
        .filter_map(|name| view.link(name))
        .map(|link| link.mtu);
    let mtu = mtus.min().unwrap_or(ETHERNET);
    Arc::new(Underlay { links, mtu })
}

/// The path for one pool and node among all of them.
pub fn find<'a>(paths: &'a [NodePath], pool: &str, node: &NodeName) -> Option<&'a NodePath> {
    paths.iter().find(|p| p.pool == pool && p.node == *node)
}
