//! The way of each route into the kernel.
//!
//! - A block of ours is a blackhole, so that its holes are not looked for elsewhere.
//! - A pod of ours is a host route to its link, once the link exists.
//! - A learned route whose NEXT_HOP is a node takes that node's path for the pool: the tunnel or direct.
//! - A learned route to addresses of Services stays out of the kernel of a node that serves them itself.
//! - Any other learned route goes to its NEXT_HOP as the kernel resolves it.
//!
//! A route that would lead the path to a tunnel's end into that tunnel is refused here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use bgpd_proto::rib::PathView;
use config::vocabulary::NodeName;
use ipnet::IpNet;
use routesync::{DesiredFib, DesiredRoute, Hop, NexthopKey, RouteKey, Target};
use tunnel::Encapsulation;

use super::{Inputs, Place};

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

/// Decisions by prefix.
pub type Decided = BTreeMap<IpNet, RouteDecision>;

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
    pub reason: Arc<str>,
    /// What the kernel is to have; `None`: nothing, for the reason given.
    pub kernel: Option<Arc<KernelRoute>>,
}

/// What the kernel is to have, and how it is to be kept there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelRoute {
    /// The route, with its hops as they are now.
    pub route: DesiredRoute,
    /// The set that has these hops for all routes like it; `None`: the route has its own.
    pub set: Option<NexthopKey>,
}

impl RouteDecision {
    /// The metric that a filter gave it.
    pub fn priority(&self) -> Option<u32> {
        self.best.as_ref()?.priority
    }
}

impl KernelRoute {
    /// A route with hops of its own.
    pub fn plain(route: DesiredRoute) -> Self {
        KernelRoute { route, set: None }
    }

    /// One of the routes over a set.
    pub fn over(set: NexthopKey, route: DesiredRoute) -> Self {
        KernelRoute {
            route,
            set: Some(set),
        }
    }

    /// For `routesync`.
    pub fn wish(&self) -> DesiredRoute {
        match &self.set {
            Some(set) => DesiredRoute {
                target: Target::Via(set.clone()),
                preferred_source: self.route.preferred_source,
                mtu: self.route.mtu,
                advmss: self.route.advmss,
            },
            None => self.route.clone(),
        }
    }
}

/// The decision for every prefix that is ours: nothing that is learned replaces them.
pub fn own(inputs: Inputs<'_>) -> BTreeMap<IpNet, RouteDecision> {
    let services = inputs.services.into_iter().flatten();
    let mut routes: BTreeMap<IpNet, RouteDecision> = services
        .map(|(prefix, why)| (*prefix, own_service(why)))
        .collect();
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

/// The desired FIB that these decisions make. Ours come first.
pub fn fib(place: &Place, own: &Decided, learned: &Decided, fully_fed: bool) -> DesiredFib {
    let wish = |decision: &RouteDecision| decision.kernel.as_ref().map(|kernel| kernel.wish());
    let learned = learned
        .iter()
        .filter(|(prefix, _)| !own.contains_key(prefix))
        .filter_map(|(prefix, decision)| {
            Some((place.learned_at(*prefix, decision.priority()), wish(decision)?))
        });
    let own = own.iter();
    let own = own.filter_map(|(prefix, decision)| Some((place.own(*prefix), wish(decision)?)));
    DesiredFib {
        routes: learned.chain(own).collect(),
        sweep: fully_fed,
    }
}

/// What is different in the desired FIB where `learned` is so now for the `changed` prefixes, and ours were others. A route may
/// have had any of the `priorities` that filters give.
pub fn fib_changes(
    (place, priorities): (&Place, &BTreeSet<u32>),
    (was, own): (&Decided, &Decided),
    learned: &Decided,
    changed: &BTreeSet<IpNet>,
) -> Vec<(RouteKey, Option<DesiredRoute>)> {
    let moved = |(prefix, decision): (&IpNet, &RouteDecision)| {
        let before = was.get(prefix).map(|decision| &decision.kernel);
        (before != Some(&decision.kernel)).then_some(*prefix)
    };
    let mut prefixes = BTreeSet::new();
    if !std::ptr::eq(was, own) {
        prefixes.extend(own.iter().filter_map(moved));
        prefixes.extend(was.keys().filter(|prefix| !own.contains_key(prefix)));
    }
    prefixes.extend(changed);
    let mut changes = Vec::with_capacity(prefixes.len());
    for prefix in prefixes {
        let priority = learned.get(&prefix).and_then(RouteDecision::priority);
        let wish = |decided: &Decided| Some(decided.get(&prefix)?.kernel.as_ref()?.wish());
        let (key, route) = match own.contains_key(&prefix) {
            true => (place.own(prefix), wish(own)),
            false => (place.learned_at(prefix, priority), wish(learned)),
        };
        changes.push((key, route));
        // With other metrics it is another route.
        let at = |priority: &u32| place.learned_at(prefix, Some(*priority));
        let standard = [place.own(prefix), place.learned(prefix)];
        let mut others: Vec<RouteKey> = Vec::new();
        for other in standard.into_iter().chain(priorities.iter().map(at)) {
            if other != key && !others.contains(&other) {
                others.push(other);
            }
        }
        changes.extend(others.into_iter().map(|other| (other, None)));
    }
    changes
}

/// A block that is announced draws packets for all its addresses here. One that is not may be a part of a network
/// around the node (`roadbed-ipam` under macvlan), whose packets have their own way.
fn own_block(exported: bool) -> RouteDecision {
    let (reason, kernel) = match exported {
        true => (
            "own block: addresses that no pod holds are dropped here",
            Some(Arc::new(KernelRoute::plain(DesiredRoute::blackhole()))),
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
        reason: format!("announced, nothing is installed: {why}").into(),
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
            true => format!("pod of this node, on {interface}").into(),
            false => format!("pod of this node, but its link {interface} does not exist").into(),
        },
        kernel: present.then(|| Arc::new(KernelRoute::plain(DesiredRoute::forward(vec![hop])))),
    }
}
