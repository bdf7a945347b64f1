//! The way of one learned route into the kernel.
//!
//! Routes with the same next hops for the same pool go one way: it is decided once ([`Shared`]), they refer to it, and in
//! the kernel they are one set of hops ([`super::sets`]). Only a prefix that holds the end of a tunnel is looked at by itself.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use bgpd_proto::rib::{BestRoute, PathKind};
use bgpd_proto::types::ScopedAddr;
use config::vocabulary::NodeName;
use ipnet::IpNet;
use routesync::{DesiredRoute, Hop, KernelView, LearnedRoutes};
use tunnel::{Encapsulation, RouteSizes};

use super::routes::{KernelRoute, Origin, RouteDecision};
use super::sets::{Sets, Spec};
use super::ways::{Finder, Way, Ways, merge};
use crate::plan::Plan;

/// What routes with the same next hops for the same pool ask for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Asked {
    next_hops: Vec<ScopedAddr>,
    backup: Option<ScopedAddr>,
    /// Its place in the plan.
    pool: Option<usize>,
    v4: bool,
}

/// What they all get.
struct Shared {
    node: Option<NodeName>,
    encapsulation: Option<Encapsulation>,
    reason: Arc<str>,
    kernel: Option<Arc<KernelRoute>>,
    /// Some of it goes through a tunnel.
    tunnelled: bool,
}

/// Decides about learned routes, one after the other.
pub struct Decider<'a> {
    ways: &'a Ways,
    finder: Finder<'a>,
    /// Where tunnels end.
    ends: BTreeSet<IpAddr>,
    shared: HashMap<Asked, Arc<Shared>>,
    asked: Asked,
}

impl<'a> Decider<'a> {
    /// For these ways; the view and the routes outside are those that they were made from.
    pub fn new(ways: &'a Ways, view: &'a KernelView, outside: &'a LearnedRoutes) -> Self {
        let remotes = ways.plan.remotes.iter();
        let ends = remotes.flat_map(|n| [n.address(true), n.address(false)]);
        Decider {
            ways,
            finder: Finder::new(ways, view, outside),
            ends: ends.flatten().collect(),
            shared: HashMap::new(),
            asked: Asked::default(),
        }
    }

    /// The hops of a set as they are now; none where nothing leads there.
    pub fn hops(&mut self, spec: &Spec) -> Vec<Hop> {
        let pools = &self.ways.plan.pools;
        let pool = match &spec.pool {
            Some(name) => match pools.iter().position(|pool| pool.name == *name) {
                Some(at) => Some(at),
                None => return Vec::new(),
            },
            None => None,
        };
        // A next hop that BGP knows no route over any more is one whose session is lost.
        let alive = |next_hop: &&ScopedAddr| self.ways.is_tracked(**next_hop);
        let next_hops: Vec<ScopedAddr> = spec.next_hops.iter().filter(alive).copied().collect();
        let backup = spec.backup.filter(|backup| alive(&backup));
        hops_of(&self.find(&next_hops, backup, pool, None).0)
    }

    /// The decision for one route; sets that it needs are put into `sets`.
    pub fn decide(&mut self, route: &BestRoute, sets: &mut Sets) -> RouteDecision {
        let best = route.paths.first();
        let plan: &Plan = &self.ways.plan;
        if self.ways.serves && plan.is_of_services(&route.prefix) {
            return RouteDecision {
                origin: Origin::Service,
                best: best.cloned(),
                node: None,
                encapsulation: None,
                reason: "not installed: addresses of Services are served on this node itself".into(),
                kernel: None,
            };
        }
        let origin = match best.map(|b| b.kind) {
            Some(PathKind::External) => Origin::External,
            _ => Origin::Internal,
        };
        let shared = self.shared_by(route, sets);
        RouteDecision {
            origin,
            best: best.cloned(),
            node: shared.node.clone(),
            encapsulation: shared.encapsulation,
            reason: shared.reason.clone(),
            kernel: shared.kernel.clone(),
        }
    }

    fn shared_by(&mut self, route: &BestRoute, sets: &mut Sets) -> Arc<Shared> {
        let mut asked = std::mem::take(&mut self.asked);
        asked.next_hops.clear();
        asked
            .next_hops
            .extend(route.paths.iter().filter_map(|p| p.next_hop));
        asked.backup = route.backup;
        let pools = &self.ways.plan.pools;
        asked.pool = pools.iter().position(|pool| pool.cidr.contains(&route.prefix));
        asked.v4 = route.prefix.addr().is_ipv4();
        let shared = match self.shared.get(&asked) {
            Some(shared) => shared.clone(),
            None => {
                let shared = Arc::new(self.share(&asked, sets));
                self.shared.insert(asked.clone(), shared.clone());
                shared
            }
        };
        let shared = match self.covered_endpoint(&route.prefix).filter(|_| shared.tunnelled) {
            Some(covered) => Arc::new(self.of_one(&asked, Some(covered)).0),
            None => shared,
        };
        self.asked = asked;
        shared
    }

    /// Decides for all routes that ask for the same.
    fn share(&mut self, asked: &Asked, sets: &mut Sets) -> Shared {
        let (mut shared, hops) = self.of_one(asked, None);
        if let Some(kernel) = shared.kernel.take() {
            let pool = asked.pool.and_then(|at| self.ways.plan.pools.get(at));
            let spec = Spec {
                next_hops: asked.next_hops.clone(),
                backup: asked.backup,
                pool: pool.map(|pool| pool.name.clone()),
            };
            let key = spec.key();
            sets.put(key.clone(), spec, hops);
            shared.kernel = Some(Arc::new(KernelRoute::over(key, (*kernel).clone().route)));
        }
        shared
    }

    /// Decides for routes of their own hops; `covered`: the tunnel's end that lies in the prefix.
    fn of_one(&mut self, asked: &Asked, covered: Option<IpAddr>) -> (Shared, Vec<Hop>) {
        let (ways, refusals) = self.find(&asked.next_hops, asked.backup, asked.pool, covered);
        let hops = hops_of(&ways);
        let Some(first) = ways.first() else {
            let why = match refusals.is_empty() {
                true => "the path has no next hop".to_owned(),
                false => refusals.join("; "),
            };
            let nothing = Shared {
                node: None,
                encapsulation: None,
                reason: format!("not installed: {why}").into(),
                kernel: None,
                tunnelled: false,
            };
            return (nothing, hops);
        };
        let reason = match ways.len() {
            1 => first.reason.clone(),
            n => format!("{} (and {} more equal paths)", first.reason, n - 1).into(),
        };
        let shared = Shared {
            node: first.node.clone(),
            encapsulation: Some(first.encapsulation),
            reason,
            kernel: Some(Arc::new(KernelRoute::plain(self.route(
                asked.v4,
                &ways,
                hops.clone(),
            )))),
            tunnelled: ways.iter().any(is_tunnel),
        };
        (shared, hops)
    }

    /// The ways over these next hops, else over the one that stands by; and why others are refused.
    fn find(
        &mut self,
        next_hops: &[ScopedAddr],
        backup: Option<ScopedAddr>,
        pool: Option<usize>,
        covered: Option<IpAddr>,
    ) -> (Vec<Way>, Vec<Arc<str>>) {
        let (mut ways, mut refusals): (Vec<Way>, Vec<Arc<str>>) = (Vec::new(), Vec::new());
        for group in [next_hops, backup.as_slice()] {
            for next_hop in group {
                match self.finder.find(*next_hop, pool) {
                    Ok(found) if covered.is_some() && found.iter().any(is_tunnel) => {
                        let end = covered.map_or_else(String::new, |end| end.to_string());
                        let why = format!("it would lead the way to the tunnel end {end} into the tunnel");
                        refusals.push(why.into());
                    }
                    Ok(found) => found.iter().for_each(|way| merge(&mut ways, way)),
                    Err(why) => refusals.push(why),
                }
            }
            if !ways.is_empty() {
                break;
            }
        }
        (ways, refusals)
    }

    fn covered_endpoint(&self, prefix: &IpNet) -> Option<IpAddr> {
        let within = prefix.network()..=prefix.broadcast();
        self.ends.range(within).next().copied()
    }

    fn route(&self, v4: bool, ways: &[Way], hops: Vec<Hop>) -> DesiredRoute {
        let tunnelled = ways.iter().all(is_tunnel);
        // What the node itself sends into a tunnel carries its pod address: an answer to its own address
        // would come back outside the tunnel.
        let mut own = self.ways.sources.iter();
        let source = own.find(|a| tunnelled && a.is_ipv4() == v4);
        // The narrowest of its ways: the kernel does not know which one a packet will take.
        let sizes: Option<RouteSizes> = ways.iter().filter_map(|w| w.sizes).min_by_key(|s| s.mtu);
        DesiredRoute {
            preferred_source: source.copied(),
            mtu: sizes.map(|sizes| sizes.mtu),
            advmss: sizes.map(|sizes| sizes.advmss),
            ..DesiredRoute::forward(hops)
        }
    }
}

fn is_tunnel(way: &Way) -> bool {
    way.encapsulation != Encapsulation::Direct
}

fn hops_of(ways: &[Way]) -> Vec<Hop> {
    let mut hops: Vec<Hop> = ways.iter().map(|w| w.hop.clone()).collect();
    hops.sort();
    hops
}
