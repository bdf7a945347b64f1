//! The way of each route into the kernel.
//!
//! - A block of ours is a blackhole, so that its holes are not looked for elsewhere.
//! - A pod of ours is a host route to its link, once the link exists.
//! - A learned route whose NEXT_HOP is a node takes that node's path for the pool: the tunnel or direct.
//! - A learned route to addresses of Services stays out of the kernel of a node that serves them itself.
//! - Any other learned route goes to its NEXT_HOP as the kernel resolves it.
//!
//! A route that would lead the path to a tunnel's end into that tunnel is refused here.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use bgpd_proto::rib::{BestRoute, PathKind, PathView};
use config::vocabulary::NodeName;
use ipnet::IpNet;
use routesync::{DesiredFib, DesiredRoute, Hop, Metric, Outcome, ResolvedHop, RouteKey, Target, resolve};
use tunnel::{Encapsulation, L2Path};

use super::{Inputs, NodePath, paths};
use crate::plan::{Plan, Pool, RemoteNode};

/// Metric of our routes: above every connected and static route's default, so that theirs win. 1024 itself is
/// what IPv6 gives static routes and default routes from router advertisements (`IP6_RT_PRIO_USER`), and what
/// systemd-networkd gives those from DHCP: at the same metric theirs would keep ours out of the kernel.
pub const METRIC: Metric = Metric(1082);

/// Where a route comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A block of this node.
    Block,
    /// A pod of this node.
    Pod,
    /// Addresses of a Service of Kubernetes.
    Service,
    /// Learned by eBGP.
    External,
    /// Learned by iBGP.
    Internal,
}

/// The decision for one prefix.
#[derive(Debug, Clone)]
pub struct RouteDecision {
    /// Where it comes from.
    pub origin: Origin,
    /// The best path, where BGP taught it.
    pub best: Option<PathView>,
    /// The owner, where the next hop is a node.
    pub node: Option<NodeName>,
    /// How packets leave; `None` where they do not leave the node, or nothing is installed.
    pub encapsulation: Option<Encapsulation>,
    /// The check that decided.
    pub reason: String,
    /// What the kernel is to have; `None`: nothing, for the reason given.
    pub kernel: Option<DesiredRoute>,
}

/// Originated here: nothing to install but the blackhole of the block.
fn is_local(route: &BestRoute) -> bool {
    route
        .paths
        .first()
        .is_none_or(|best| best.kind == PathKind::Local)
}

/// The learned routes outside all pools: what next hops may be resolved over. `serves`: this node serves Services
/// itself, so that routes to them are not installed.
pub fn learned_outside_pools(
    plan: &Plan,
    loc_rib: &[BestRoute],
    serves: bool,
) -> BTreeMap<IpNet, Vec<IpAddr>> {
    let outside = |r: &&BestRoute| {
        !is_local(r)
            && plan.pools.iter().all(|p| !overlaps(&p.cidr, &r.prefix))
            && !(serves && plan.is_of_services(&r.prefix))
    };
    loc_rib
        .iter()
        .filter(outside)
        .map(|r| (r.prefix, r.paths.iter().filter_map(|p| p.next_hop).collect()))
        .collect()
}

/// A default route may cover the pools; a pool's own prefixes and what lies inside may not be resolved over.
fn overlaps(pool: &IpNet, prefix: &IpNet) -> bool {
    pool.contains(prefix)
}

/// The decision for every prefix that is ours or learned.
pub fn decide(
    inputs: Inputs<'_>,
    learned: &BTreeMap<IpNet, Vec<IpAddr>>,
    node_paths: &[NodePath],
) -> BTreeMap<IpNet, RouteDecision> {
    let mut routes = BTreeMap::new();
    if inputs.plan.install_routes {
        let context = Context {
            inputs,
            learned,
            node_paths,
        };
        let known = inputs.rib.loc_rib.iter().filter(|r| !is_local(r));
        routes.extend(known.map(|route| (route.prefix, context.learned_route(route))));
    }
    let services = inputs.services.into_iter().flatten();
    routes.extend(services.map(|(prefix, why)| (*prefix, own_service(why))));
    // Ours come last: nothing that is learned replaces them.
    routes.extend(
        inputs
            .plan
            .blocks
            .iter()
            .map(|b| (b.cidr, own_block(inputs.plan.exports(&b.cidr)))),
    );
    let links: HashSet<&str> = inputs.view.links.values().map(|link| &*link.name).collect();
    for pod in inputs.pods {
        let present = links.contains(&*pod.interface);
        for address in &pod.addresses {
            routes.insert(IpNet::from(*address), own_pod(present, &pod.interface));
        }
    }
    routes
}

/// The desired FIB that these decisions make.
pub fn fib(routes: &BTreeMap<IpNet, RouteDecision>, fully_fed: bool) -> DesiredFib {
    let wanted = routes
        .iter()
        .filter_map(|(prefix, decision)| Some((RouteKey::main(*prefix, METRIC), decision.kernel.clone()?)));
    DesiredFib {
        routes: wanted.collect(),
        sweep: fully_fed,
    }
}

/// A block that is announced draws packets for all its addresses here. One that is not may be a part of a network
/// around the node (`roadbed-ipam` under macvlan), whose packets have their own way.
fn own_block(exported: bool) -> RouteDecision {
    let (reason, kernel) = match exported {
        true => (
            "own block: addresses that no pod holds are dropped here",
            Some(DesiredRoute::blackhole()),
        ),
        false => (
            "own block of a pool that is not announced (disableBGPExport)",
            None,
        ),
    };
    RouteDecision {
        origin: Origin::Block,
        best: None,
        node: None,
        encapsulation: None,
        reason: reason.into(),
        kernel,
    }
}

fn own_service(why: &str) -> RouteDecision {
    RouteDecision {
        origin: Origin::Service,
        best: None,
        node: None,
        encapsulation: None,
        reason: format!("announced, nothing is installed: {why}"),
        kernel: None,
    }
}

fn own_pod(present: bool, interface: &Arc<str>) -> RouteDecision {
    let hop = Hop {
        gateway: None,
        interface: interface.clone(),
        onlink: false,
        weight: 1,
    };
    RouteDecision {
        origin: Origin::Pod,
        best: None,
        node: None,
        encapsulation: None,
        reason: match present {
            true => format!("pod of this node, on {interface}"),
            false => format!("pod of this node, but its link {interface} does not exist"),
        },
        kernel: present.then(|| DesiredRoute::forward(vec![hop])),
    }
}

/// One usable way of a learned route.
struct Way {
    hop: Hop,
    encapsulation: Encapsulation,
    node: Option<NodeName>,
    reason: String,
}

/// Without encapsulation, to a neighbour.
fn native(gateway: IpAddr, interface: Arc<str>, node: Option<&RemoteNode>, reason: String) -> Way {
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

struct Context<'a> {
    inputs: Inputs<'a>,
    learned: &'a BTreeMap<IpNet, Vec<IpAddr>>,
    node_paths: &'a [NodePath],
}

impl Context<'_> {
    fn learned_route(&self, route: &BestRoute) -> RouteDecision {
        let best = route.paths.first();
        if self.inputs.services.is_some() && self.inputs.plan.is_of_services(&route.prefix) {
            return RouteDecision {
                origin: Origin::Service,
                best: best.cloned(),
                node: None,
                encapsulation: None,
                reason: "not installed: addresses of Services are served on this node itself".into(),
                kernel: None,
            };
        }
        let mut ways: Vec<Way> = Vec::new();
        let mut refusals: Vec<String> = Vec::new();
        for path in &route.paths {
            match self.ways(&route.prefix, path) {
                Ok(found) => found.into_iter().for_each(|way| merge(&mut ways, way)),
                Err(why) => refusals.push(why),
            }
        }
        let origin = match best.map(|b| b.kind) {
            Some(PathKind::External) => Origin::External,
            _ => Origin::Internal,
        };
        let Some(first) = ways.first() else {
            let reason = format!("not installed: {}", refusals.join("; "));
            return RouteDecision {
                origin,
                best: best.cloned(),
                node: None,
                encapsulation: None,
                reason,
                kernel: None,
            };
        };
        let reason = match ways.len() {
            1 => first.reason.clone(),
            n => format!("{} (and {} more equal paths)", first.reason, n - 1),
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
    fn ways(&self, prefix: &IpNet, path: &PathView) -> Result<Vec<Way>, String> {
        let next_hop = path.next_hop.ok_or("the path has no next hop")?;
        let plan = self.inputs.plan;
        match (plan.remote_at(next_hop), plan.pool_of(prefix)) {
            (Some(node), Some(pool)) => self.way_to_node(prefix, node, pool, next_hop),
            (node, _) => {
                let reason = match node {
                    Some(node) => format!("outside the pools: direct to node {}", node.name),
                    None => "next hop is no node of the cluster: native".into(),
                };
                self.direct(next_hop, node, reason)
            }
        }
    }

    fn way_to_node(
        &self,
        prefix: &IpNet,
        node: &RemoteNode,
        pool: &Pool,
        next_hop: IpAddr,
    ) -> Result<Vec<Way>, String> {
        let path = paths::find(self.node_paths, &pool.name, &node.name).ok_or_else(|| {
            format!(
                "node {} has no address in the family of pool {}",
                node.name, pool.name
            )
        })?;
        let (device, gateway) = match path.choice.encapsulation {
            Encapsulation::Direct => {
                let reason = path.choice.reason.to_string();
                return match &path.path {
                    // A neighbour is sent to as such: a fabric that announces host routes of the nodes would
                    // otherwise draw pod packets to a switch that may not know the pods.
                    L2Path::OnLink { interface } => {
                        Ok(vec![native(next_hop, interface.clone(), Some(node), reason)])
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
        if let Some(covered) = self.covered_endpoint(prefix) {
            return Err(format!(
                "it would lead the way to the tunnel end {covered} into the tunnel"
            ));
        }
        Ok(vec![Way {
            hop: Hop {
                gateway: Some(gateway),
                interface: device.name().into(),
                onlink: true,
                weight: 1,
            },
            encapsulation: path.choice.encapsulation,
            node: Some(node.name.clone()),
            reason: path.choice.reason.to_string(),
        }])
    }

    /// Every hop that the kernel would take to the next hop: where its route has several, so has ours.
    fn direct(
        &self,
        next_hop: IpAddr,
        node: Option<&RemoteNode>,
        reason: String,
    ) -> Result<Vec<Way>, String> {
        let resolution = resolve(self.inputs.view, self.learned, next_hop);
        if let Outcome::Unreachable(why) = resolution.outcome {
            return Err(format!("next hop {next_hop} is unreachable: {why}"));
        }
        let way = |hop: ResolvedHop| {
            let gateway = hop.gateway.unwrap_or(next_hop);
            native(gateway, hop.interface, node, reason.clone())
        };
        Ok(resolution.hops.into_iter().map(way).collect())
    }

    fn covered_endpoint(&self, prefix: &IpNet) -> Option<IpAddr> {
        let ends = self
            .inputs
            .plan
            .remotes
            .iter()
            .flat_map(|n| [n.address(true), n.address(false)]);
        ends.flatten().find(|end| prefix.contains(end))
    }

    fn kernel_route(&self, prefix: &IpNet, ways: &[Way]) -> DesiredRoute {
        let tunnelled = ways.iter().all(|w| w.encapsulation != Encapsulation::Direct);
        // What the node itself sends into a tunnel carries its pod address: an answer to its own address
        // would come back outside the tunnel. The kernel refuses a source that it does not hold yet.
        let own = self.inputs.own_pod_addresses.iter().copied();
        let source = own.filter(|a| tunnelled && a.is_ipv4() == prefix.addr().is_ipv4());
        let mut hops: Vec<Hop> = ways.iter().map(|w| w.hop.clone()).collect();
        hops.sort();
        DesiredRoute {
            target: Target::Forward(hops),
            preferred_source: source.into_iter().find(|a| self.inputs.view.is_local(*a)),
            mtu: None,
        }
    }
}

/// Two paths that resolve to the same hop share it, with the weight of both.
fn merge(ways: &mut Vec<Way>, way: Way) {
    let same = |w: &&mut Way| w.hop.gateway == way.hop.gateway && w.hop.interface == way.hop.interface;
    match ways.iter_mut().find(same) {
        Some(known) => known.hop.weight = known.hop.weight.saturating_add(1).min(256),
        None => ways.push(way),
    }
}
