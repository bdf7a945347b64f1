//! The way of one learned route into the kernel.
//!
//! What it depends on besides the route itself is one value, [`Ways`]: while that is the same, a route that did not change needs
//! no new decision. Routes share next hops, so what follows from one is found once and kept ([`Decider`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use bgpd_proto::rib::{BestRoute, PathKind, PathView};
use config::vocabulary::NodeName;
use ipnet::IpNet;
use routesync::{DesiredRoute, Hop, KernelView, Outcome, Resolution, ResolvedHop, resolve};
use tunnel::{Encapsulation, L2Path};

use super::routes::{Origin, RouteDecision};
use super::{Inputs, NodePath, paths};
use crate::plan::{Plan, Pool, RemoteNode};

/// Everything that the way of a learned route depends on, the route itself apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Ways {
    plan: Arc<Plan>,
    serves: bool,
    node_paths: Vec<NodePath>,
    /// How the kernel gets to each NEXT_HOP.
    direct: BTreeMap<IpAddr, Resolution>,
    /// The node's own pod addresses that the kernel holds.
    sources: Vec<IpAddr>,
}

impl Ways {
    /// The ways as they are now; `outside`: the learned routes outside all pools. What is as `before` is shared with it.
    pub fn of(
        inputs: Inputs<'_>,
        outside: &BTreeMap<IpNet, Vec<IpAddr>>,
        node_paths: &[NodePath],
        before: Option<&Ways>,
    ) -> Ways {
        let plan = before
            .map(|ways| &ways.plan)
            .filter(|plan| ***plan == *inputs.plan);
        let direct = |address: &IpAddr| (*address, resolve(inputs.view, outside, *address));
        let own = inputs.own_pod_addresses.iter().copied();
        Ways {
            plan: plan.cloned().unwrap_or_else(|| Arc::new(inputs.plan.clone())),
            serves: inputs.services.is_some(),
            node_paths: node_paths.to_vec(),
            direct: inputs.rib.tracked.iter().map(direct).collect(),
            // The kernel refuses a source that it does not hold yet.
            sources: own.filter(|a| inputs.view.is_local(*a)).collect(),
        }
    }

    /// Whether the same prefixes lie outside the pools as with that plan.
    pub fn has_the_same_pools(&self, plan: &Plan, serves: bool) -> bool {
        let (old, new) = (&self.plan, plan);
        self.serves == serves && old.pools == new.pools && old.service_ranges == new.service_ranges
    }
}

/// One usable way of a learned route.
#[derive(Debug, Clone)]
struct Way {
    hop: Hop,
    encapsulation: Encapsulation,
    node: Option<NodeName>,
    reason: Arc<str>,
}

/// The ways that a next hop takes for prefixes of one pool (or of none), or why it takes none.
type Found = Result<Arc<[Way]>, Arc<str>>;

/// Decides about learned routes, one after the other.
pub struct Decider<'a> {
    ways: &'a Ways,
    view: &'a KernelView,
    outside: &'a BTreeMap<IpNet, Vec<IpAddr>>,
    /// Where tunnels end.
    ends: BTreeSet<IpAddr>,
    /// By NEXT_HOP and the place of the pool in the plan.
    found: HashMap<(IpAddr, Option<usize>), Found>,
}

impl<'a> Decider<'a> {
    /// For these ways; the view and the routes outside are those that they were made from.
    pub fn new(ways: &'a Ways, view: &'a KernelView, outside: &'a BTreeMap<IpNet, Vec<IpAddr>>) -> Self {
        let remotes = ways.plan.remotes.iter();
        let ends = remotes.flat_map(|n| [n.address(true), n.address(false)]);
        Decider {
            ways,
            view,
            outside,
            ends: ends.flatten().collect(),
            found: HashMap::new(),
        }
    }

    /// The decision for one route.
    pub fn decide(&mut self, route: &BestRoute) -> RouteDecision {
        let best = route.paths.first();
        let plan = &self.ways.plan;
        let nothing = |origin, reason: Arc<str>| RouteDecision {
            origin,
            best: best.cloned(),
            node: None,
            encapsulation: None,
            reason,
            kernel: None,
        };
        if self.ways.serves && plan.is_of_services(&route.prefix) {
            let reason = "not installed: addresses of Services are served on this node itself";
            return nothing(Origin::Service, reason.into());
        }
        let origin = match best.map(|b| b.kind) {
            Some(PathKind::External) => Origin::External,
            _ => Origin::Internal,
        };
        let mut ways: Vec<Way> = Vec::new();
        let mut refusals: Vec<Arc<str>> = Vec::new();
        for path in &route.paths {
            match self.ways_of(&route.prefix, path) {
                Ok(found) => found.iter().for_each(|way| merge(&mut ways, way)),
                Err(why) => refusals.push(why),
            }
        }
        let Some(first) = ways.first() else {
            return nothing(origin, format!("not installed: {}", refusals.join("; ")).into());
        };
        let reason = match ways.len() {
            1 => first.reason.clone(),
            n => format!("{} (and {} more equal paths)", first.reason, n - 1).into(),
        };
        RouteDecision {
            origin,
            best: best.cloned(),
            node: first.node.clone(),
            encapsulation: Some(first.encapsulation),
            reason,
            kernel: Some(self.kernel_route(&route.prefix, &ways)),
        }
    }

    /// The ways that one path takes, or why it takes none.
    fn ways_of(&mut self, prefix: &IpNet, path: &PathView) -> Found {
        let next_hop = path.next_hop.ok_or("the path has no next hop")?;
        let pools = &self.ways.plan.pools;
        let pool = pools.iter().position(|pool| pool.cidr.contains(prefix));
        let found = match self.found.get(&(next_hop, pool)) {
            Some(found) => found.clone(),
            None => {
                let found = self.find(next_hop, pool.map(|at| &pools[at]));
                self.found.insert((next_hop, pool), found.clone());
                found
            }
        }?;
        let tunnelled = found.iter().any(|way| way.encapsulation != Encapsulation::Direct);
        match self.covered_endpoint(prefix).filter(|_| tunnelled) {
            Some(covered) => {
                Err(format!("it would lead the way to the tunnel end {covered} into the tunnel").into())
            }
            None => Ok(found),
        }
    }

    fn find(&self, next_hop: IpAddr, pool: Option<&Pool>) -> Found {
        match (self.ways.plan.remote_at(next_hop), pool) {
            (Some(node), Some(pool)) => self.way_to_node(node, pool, next_hop),
            (node, _) => {
                let reason = match node {
                    Some(node) => format!("outside the pools: direct to node {}", node.name),
                    None => "next hop is no node of the cluster: native".into(),
                };
                self.direct(next_hop, node, reason.into())
            }
        }
    }

    fn way_to_node(&self, node: &RemoteNode, pool: &Pool, next_hop: IpAddr) -> Found {
        let path = paths::find(&self.ways.node_paths, &pool.name, &node.name).ok_or_else(|| {
            format!(
                "node {} has no address in the family of pool {}",
                node.name, pool.name
            )
        })?;
        let (device, gateway) = match path.choice.encapsulation {
            Encapsulation::Direct => {
                let reason: Arc<str> = path.choice.reason.to_string().into();
                return match &path.path {
                    // A neighbour is sent to as such: a fabric that announces host routes of the nodes would
                    // otherwise draw pod packets to a switch that may not know the pods.
                    L2Path::OnLink { interface } => {
                        Ok([native(next_hop, interface.clone(), Some(node), reason)].into())
                    }
                    L2Path::Routed { .. } | L2Path::NoRoute(_) => self.direct(next_hop, Some(node), reason),
                };
            }
            Encapsulation::Vxlan => {
                let mac = node.mac(path.endpoint.is_ipv4());
                (
                    tunnel::Device::vxlan(path.endpoint.into()),
                    tunnel::vtep_gateway(path.endpoint, mac),
                )
            }
            Encapsulation::Ipip => (tunnel::Device::Ipip, path.endpoint),
        };
        Ok([Way {
            hop: Hop {
                gateway: Some(gateway),
                interface: device.name().into(),
                onlink: true,
                weight: 1,
            },
            encapsulation: path.choice.encapsulation,
            node: Some(node.name.clone()),
            reason: path.choice.reason.to_string().into(),
        }]
        .into())
    }

    /// Every hop that the kernel would take to the next hop: where its route has several, so has ours.
    fn direct(&self, next_hop: IpAddr, node: Option<&RemoteNode>, reason: Arc<str>) -> Found {
        let resolution = match self.ways.direct.get(&next_hop) {
            Some(known) => known.clone(),
            None => resolve(self.view, self.outside, next_hop),
        };
        if let Outcome::Unreachable(why) = resolution.outcome {
            return Err(format!("next hop {next_hop} is unreachable: {why}").into());
        }
        let way = |hop: ResolvedHop| {
            let gateway = hop.gateway.unwrap_or(next_hop);
            native(gateway, hop.interface, node, reason.clone())
        };
        Ok(resolution.hops.into_iter().map(way).collect())
    }

    fn covered_endpoint(&self, prefix: &IpNet) -> Option<IpAddr> {
        let within = prefix.network()..=prefix.broadcast();
        self.ends.range(within).next().copied()
    }

    fn kernel_route(&self, prefix: &IpNet, ways: &[Way]) -> DesiredRoute {
        let tunnelled = ways.iter().all(|w| w.encapsulation != Encapsulation::Direct);
        // What the node itself sends into a tunnel carries its pod address: an answer to its own address
        // would come back outside the tunnel.
        let mut own = self.ways.sources.iter();
        let source = own.find(|a| tunnelled && a.is_ipv4() == prefix.addr().is_ipv4());
        let mut hops: Vec<Hop> = ways.iter().map(|w| w.hop.clone()).collect();
        hops.sort();
        DesiredRoute {
            preferred_source: source.copied(),
            ..DesiredRoute::forward(hops)
        }
    }
}

/// Without encapsulation, to a neighbour.
fn native(gateway: IpAddr, interface: Arc<str>, node: Option<&RemoteNode>, reason: Arc<str>) -> Way {
    Way {
        hop: Hop {
            gateway: Some(gateway),
            interface,
            onlink: false,
            weight: 1,
        },
        encapsulation: Encapsulation::Direct,
        node: node.map(|n| n.name.clone()),
        reason,
    }
}

/// Two paths that resolve to the same hop share it, with the weight of both.
fn merge(ways: &mut Vec<Way>, way: &Way) {
    let same = |w: &&mut Way| w.hop.gateway == way.hop.gateway && w.hop.interface == way.hop.interface;
    match ways.iter_mut().find(same) {
        Some(known) => known.hop.weight = known.hop.weight.saturating_add(1).min(256),
        None => ways.push(way.clone()),
    }
}
