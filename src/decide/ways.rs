//! The ways of packets to one BGP next hop.
//!
//! What all of them depend on is one value, [`Ways`]: while that is the same, what was decided before holds. Routes share next
//! hops, so each is looked for once in a round ([`Finder`]).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use bgpd_proto::types::ScopedAddr;
use config::vocabulary::NodeName;
use routesync::{Hop, KernelView, LearnedRoutes, Outcome, Resolution, ResolvedHop, resolve};
use tunnel::{Encapsulation, L2Path, RouteSizes};

use super::next_hops::learned_hop;
use super::{Inputs, NodePath, paths};
use crate::plan::{Plan, Pool, RemoteNode};

/// Everything that the way of a learned route depends on, the route itself apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Ways {
    /// The plan.
    pub plan: Arc<Plan>,
    /// This node serves Services itself.
    pub serves: bool,
    node_paths: Vec<NodePath>,
    /// How the kernel gets to each NEXT_HOP.
    direct: BTreeMap<ScopedAddr, Resolution>,
    /// The node's own pod addresses that the kernel holds.
    pub sources: Vec<IpAddr>,
}

impl Ways {
    /// The ways as they are now; `outside`: the learned routes outside all pools. What is as `before` is shared with it.
    pub fn of(
        inputs: Inputs<'_>,
        outside: &LearnedRoutes,
        node_paths: &[NodePath],
        before: Option<&Ways>,
    ) -> Ways {
        let plan = before
            .map(|ways| &ways.plan)
            .filter(|plan| ***plan == *inputs.plan);
        let direct = |next_hop: &ScopedAddr| {
            let resolution = resolve(inputs.view, outside, learned_hop(next_hop));
            (*next_hop, resolution)
        };
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

    /// Whether BGP knows a route over this next hop.
    pub fn is_tracked(&self, next_hop: ScopedAddr) -> bool {
        self.direct.contains_key(&next_hop)
    }

    /// Whether the same prefixes lie outside the pools as with that plan.
    pub fn has_the_same_pools(&self, plan: &Plan, serves: bool) -> bool {
        let (old, new) = (&self.plan, plan);
        self.serves == serves && old.pools == new.pools && old.service_ranges == new.service_ranges
    }
}

/// One usable way.
#[derive(Debug, Clone)]
pub struct Way {
    /// The kernel's hop.
    pub hop: Hop,
    /// How packets travel.
    pub encapsulation: Encapsulation,
    /// The node that it leads to, if it is one.
    pub node: Option<NodeName>,
    /// The check that decided.
    pub reason: Arc<str>,
    /// What a route over it says about sizes.
    pub sizes: Option<RouteSizes>,
}

/// The ways that a next hop takes for prefixes of one pool (or of none), or why it takes none.
pub type Found = Result<Arc<[Way]>, Arc<str>>;

/// Finds ways.
pub struct Finder<'a> {
    ways: &'a Ways,
    view: &'a KernelView,
    outside: &'a LearnedRoutes,
    /// By NEXT_HOP and the place of the pool in the plan.
    found: HashMap<(ScopedAddr, Option<usize>), Found>,
}

impl<'a> Finder<'a> {
    /// For these ways; the view and the routes outside are those that they were made from.
    pub fn new(ways: &'a Ways, view: &'a KernelView, outside: &'a LearnedRoutes) -> Self {
        Finder {
            ways,
            view,
            outside,
            found: HashMap::new(),
        }
    }

    /// The ways to `next_hop` for prefixes of that pool of the plan.
    pub fn find(&mut self, next_hop: ScopedAddr, pool: Option<usize>) -> Found {
        if let Some(found) = self.found.get(&(next_hop, pool)) {
            return found.clone();
        }
        let found = self.look(next_hop, pool.and_then(|at| self.ways.plan.pools.get(at)));
        self.found.insert((next_hop, pool), found.clone());
        found
    }

    fn look(&self, next_hop: ScopedAddr, pool: Option<&Pool>) -> Found {
        match (self.ways.plan.remote_at(next_hop.ip), pool) {
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

    fn way_to_node(&self, node: &RemoteNode, pool: &Pool, next_hop: ScopedAddr) -> Found {
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
                        Ok([native(next_hop.ip, interface.clone(), Some(node), reason)].into())
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
            sizes: path.sizes(),
        }]
        .into())
    }

    /// Every hop that the kernel would take to the next hop: where its route has several, so has ours.
    fn direct(&self, next_hop: ScopedAddr, node: Option<&RemoteNode>, reason: Arc<str>) -> Found {
        let resolution = match self.ways.direct.get(&next_hop) {
            Some(known) => known.clone(),
            None => resolve(self.view, self.outside, learned_hop(&next_hop)),
        };
        if let Outcome::Unreachable(why) = resolution.outcome {
            return Err(format!("next hop {next_hop} is unreachable: {why}").into());
        }
        let way = |hop: ResolvedHop| {
            let gateway = hop.gateway.unwrap_or(next_hop.ip);
            native(gateway, hop.interface, node, reason.clone())
        };
        Ok(resolution.hops.into_iter().map(way).collect())
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
        sizes: None,
    }
}

/// Two paths that resolve to the same hop share it, with the weight of both.
pub fn merge(ways: &mut Vec<Way>, way: &Way) {
    let same = |w: &&mut Way| w.hop.gateway == way.hop.gateway && w.hop.interface == way.hop.interface;
    match ways.iter_mut().find(same) {
        Some(known) => known.hop.weight = known.hop.weight.saturating_add(1).min(256),
        None => ways.push(way.clone()),
    }
}
