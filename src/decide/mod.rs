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
pub mod learned;
pub mod next_hops;
pub mod paths;
pub mod routes;
pub mod table;
#[cfg(test)]
mod tests;
pub mod tunnels;
pub mod uplinks;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bgpd_proto::rib::{BestRoute, NextHopTable, Originated};
use ipnet::IpNet;
use routesync::{DesiredFib, KernelView};
use tunnel::DesiredTunnels;

use crate::plan::Plan;

pub use paths::NodePath;
pub use routes::{Decided, RouteDecision};
pub use table::{Extent, Table};

/// What BGP knows, as one consistent picture.
#[derive(Debug, Clone, Default)]
pub struct RibSnapshot {
    /// The Loc-RIB.
    pub loc_rib: BTreeMap<IpNet, BestRoute>,
    /// Every NEXT_HOP in any Adj-RIB-In.
    pub tracked: BTreeSet<IpAddr>,
    /// Every peer has sent its whole table once, or the deferral time is over.
    pub fully_fed: bool,
}

impl RibSnapshot {
    /// Follows what has changed.
    pub fn take(&mut self, news: bgpd::News) {
        if news.loc_rib.whole {
            self.loc_rib.clear();
        }
        for (prefix, route) in news.loc_rib.routes {
            match route {
                Some(route) => self.loc_rib.insert(prefix, route),
                None => self.loc_rib.remove(&prefix),
            };
        }
        self.tracked = news.tracked;
        self.fully_fed = news.fully_fed;
    }
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
    /// For `tunnel`.
    pub tunnels: DesiredTunnels,
    /// For `bgpd`.
    pub next_hops: NextHopTable,
    /// How each node is reached, for each pool.
    pub paths: Vec<NodePath>,
    /// The way of each pod, block and Service of this node, with its reason.
    pub own: Decided,
    /// The same for what is learned. The next round writes into it, and all who hold these decisions see that.
    pub table: Arc<RwLock<Table>>,
    /// For `hostnet`.
    pub host: hostnet::Wanted,
    /// MTU for pods, in bytes.
    pub pod_mtu: u32,
}

impl Decisions {
    /// What is decided about learned routes. Nobody else gets on while this is held.
    pub fn table(&self) -> RwLockReadGuard<'_, Table> {
        // One round does all its writing in one go: after a panic in it the table is at worst as of another round.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The decision for every prefix, ours before what is learned, in the order of prefixes.
    pub fn routes(&self) -> Decided {
        let mut all = self.table().routes.clone();
        all.extend(
            self.own
                .iter()
                .map(|(prefix, decision)| (*prefix, decision.clone())),
        );
        all
    }

    /// The decision for the longest prefix that holds `target`.
    pub fn covering(&self, target: &IpNet) -> Option<(IpNet, RouteDecision)> {
        let longest = |decided: &Decided| {
            let lengths = (0..=target.prefix_len()).rev();
            let prefixes = lengths.filter_map(|length| IpNet::new(target.addr(), length).ok());
            let mut found = prefixes.filter_map(|prefix| decided.get_key_value(&prefix.trunc()));
            found.next().map(|(prefix, decision)| (*prefix, decision.clone()))
        };
        let (own, learned) = (longest(&self.own), longest(&self.table().routes));
        [learned, own]
            .into_iter()
            .flatten()
            .max_by_key(|(prefix, _)| prefix.prefix_len())
    }

    /// The whole desired FIB.
    pub fn fib(&self, fully_fed: bool) -> DesiredFib {
        routes::fib(&self.own, &self.table().routes, fully_fed)
    }
}

/// The state of every next hop that the Loc-RIB asks for, or is likely to ask for.
pub fn next_hops_of(plan: &Plan, rib: &RibSnapshot, view: &KernelView, serves: bool) -> NextHopTable {
    let outside = table::all_outside(plan, serves, &rib.loc_rib);
    next_hops::table(plan, view, &outside, &rib.tracked)
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

/// Decides everything from nothing.
pub fn decide(inputs: Inputs<'_>) -> Decisions {
    decide_again(inputs, &Arc::default(), Extent::All).0
}

/// Decides everything, with the `table` of the round before, where only the `changed` prefixes of the Loc-RIB are others. Says which
/// decisions about learned routes may be others now.
pub fn decide_again(inputs: Inputs<'_>, table: &Arc<RwLock<Table>>, changed: Extent) -> (Decisions, Extent) {
    let mut learned = table.write().unwrap_or_else(PoisonError::into_inner);
    learned.take(inputs, &changed);
    let paths = paths::node_paths(inputs.plan, inputs.view);
    let next_hops = next_hops::table(inputs.plan, inputs.view, &learned.outside, &inputs.rib.tracked);
    let changed = learned.decide(inputs, &paths, changed);
    let uplinks = uplinks::find(inputs, &learned.outside, &paths);
    drop(learned);
    let (tunnels, pod_mtu) = tunnels::desired(inputs, &paths, uplinks.mtu(inputs.view));
    let host = host::wanted(inputs, &uplinks);
    let decisions = Decisions {
        originated: originated(inputs.plan, inputs.pods, inputs.services),
        tunnels,
        next_hops,
        paths,
        own: routes::own(inputs),
        table: table.clone(),
        host,
        pod_mtu,
    };
    (decisions, changed)
}
