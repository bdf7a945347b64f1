//! What this node does, decided anew from everything that it knows (law 1: pure; law 2: complete state).
//!
//! ```text
//! Plan ─┬─ paths     how each other node is reached, for each pool        (tunnel::choose)
//! Rib  ─┤  next_hops reachability and metric of each BGP next hop         (routesync::resolve) ─► bgpd
//! View ─┤  routes    each Loc-RIB entry's way into the kernel, with why   ─► routesync
//! Pods ─┘  tunnels   devices, forwarding and neighbour entries            ─► tunnel
//!          host      the interfaces whose sysctls matter                  ─► hostnet
//! ```
//!
//! Nothing here remembers anything: the same inputs give the same decisions, and `explain` runs the same
//! functions again.

pub mod difference;
pub mod findings;
pub mod host;
pub mod next_hops;
pub mod paths;
pub mod routes;
#[cfg(test)]
mod tests;
pub mod tunnels;
pub mod uplinks;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bgpd_proto::rib::{BestRoute, NextHopTable, Originated};
use ipnet::IpNet;
use routesync::{DesiredFib, KernelView};
use tunnel::DesiredTunnels;

use crate::plan::Plan;

pub use paths::NodePath;
pub use routes::RouteDecision;

/// What BGP knows, as one consistent picture.
#[derive(Debug, Clone, Default)]
pub struct RibSnapshot {
    /// The Loc-RIB.
    pub loc_rib: Vec<BestRoute>,
    /// Every NEXT_HOP in any Adj-RIB-In.
    pub tracked: BTreeSet<IpAddr>,
    /// Every peer has sent its whole table once, or the deferral time is over.
    pub fully_fed: bool,
}

/// A pod of this node: where its host route goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodLink {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// The node's end of its veth pair.
    pub interface: Arc<str>,
}

/// What this node announces for Services of Kubernetes, each with the reason.
pub type Services = BTreeMap<IpNet, String>;

/// Everything that decisions are made from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What the resources ask of this node.
    pub plan: &'a Plan,
    /// What BGP knows.
    pub rib: &'a RibSnapshot,
    /// What the kernel has that is not ours.
    pub view: &'a KernelView,
    /// The pods of this node.
    pub pods: &'a [PodLink],
    /// The node's own pod address of each family that has a block.
    pub own_pod_addresses: &'a [IpAddr],
    /// What is announced for Services; `None` on a node that belongs to no Kubernetes.
    pub services: Option<&'a Services>,
}

/// Everything that is decided, complete.
#[derive(Debug, Clone)]
pub struct Decisions {
    /// For `bgpd`: what this node announces of its own.
    pub originated: BTreeMap<IpNet, Originated>,
    /// For `routesync`.
    pub fib: DesiredFib,
    /// For `tunnel`.
    pub tunnels: DesiredTunnels,
    /// For `bgpd`.
    pub next_hops: NextHopTable,
    /// How each node is reached, for each pool.
    pub paths: Vec<NodePath>,
    /// The learned routes that next hops were resolved over.
    pub learned: BTreeMap<IpNet, Vec<IpAddr>>,
    /// The way of each Loc-RIB entry and each pod, with its reason.
    pub routes: BTreeMap<IpNet, RouteDecision>,
    /// For `hostnet`.
    pub host: hostnet::Wanted,
    /// MTU for pods, in bytes.
    pub pod_mtu: u32,
}

/// The state of every next hop that the Loc-RIB asks for, or is likely to ask for.
pub fn next_hops_of(plan: &Plan, rib: &RibSnapshot, view: &KernelView, serves: bool) -> NextHopTable {
    let learned = routes::learned_outside_pools(plan, &rib.loc_rib, serves);
    next_hops::table(plan, view, &learned, &rib.tracked)
}

/// What this node originates: its blocks; as /32 or /128 the address of each pod that lies outside them, which
/// happens when its block was taken away while it runs; and addresses of Services.
pub fn originated(plan: &Plan, pods: &[PodLink], services: Option<&Services>) -> BTreeMap<IpNet, Originated> {
    let inside = |address: &IpAddr| plan.blocks.iter().any(|block| block.cidr.contains(address));
    let strays = pods
        .iter()
        .flat_map(|pod| &pod.addresses)
        .filter(|address| !inside(address))
        .map(|address| IpNet::from(*address))
        .filter(|address| plan.exports(address));
    let mut originated = plan.originated.clone();
    originated.extend(strays.map(|address| (address, Originated::default())));
    let services = services.into_iter().flat_map(BTreeMap::keys);
    originated.extend(services.map(|prefix| (*prefix, Originated::default())));
    originated
}

/// Decides everything.
pub fn decide(inputs: Inputs<'_>) -> Decisions {
    let serves = inputs.services.is_some();
    let learned = routes::learned_outside_pools(inputs.plan, &inputs.rib.loc_rib, serves);
    let paths = paths::node_paths(inputs.plan, inputs.view);
    let next_hops = next_hops::table(inputs.plan, inputs.view, &learned, &inputs.rib.tracked);
    let routes = routes::decide(inputs, &learned, &paths);
    let uplinks = uplinks::find(inputs, &learned, &paths);
    let (tunnels, pod_mtu) = tunnels::desired(inputs, &paths, uplinks.mtu(inputs.view));
    let host = host::wanted(inputs, &uplinks);
    let fib = routes::fib(&routes, inputs.rib.fully_fed);
    Decisions {
        originated: originated(inputs.plan, inputs.pods, inputs.services),
        fib,
        tunnels,
        next_hops,
        paths,
        learned,
        routes,
        host,
        pod_mtu,
    }
}
