//! The decisions about all learned routes, kept between rounds: the fast path of law 2.
//!
//! A round says which prefixes of the Loc-RIB have changed. While everything else that their ways depend on ([`Ways`]) is as it
//! was, these alone are decided; otherwise all are. A test holds the outcome equal to deciding everything from nothing.
//!
//! Where the ways are others, the sets of hops are renewed first ([`Table::renew`]): they are few, and routes follow them.

use std::collections::{BTreeMap, BTreeSet};

use bgpd_proto::rib::{BestRoute, LocRibChanges, PathKind};
use ipnet::IpNet;
use routesync::{KernelView, LearnedHop, LearnedRoutes};

use super::Inputs;
use super::learned::Decider;
use super::next_hops::learned_hop;
use super::routes::RouteDecision;
use super::sets::Sets;
use super::ways::Ways;
use crate::plan::Plan;

/// Which prefixes are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// All that there are.
    All,
    /// These.
    Only(BTreeSet<IpNet>),
}

impl Default for Extent {
    fn default() -> Self {
        Extent::Only(BTreeSet::new())
    }
}

impl Extent {
    /// Takes up what has changed in the Loc-RIB since the last time.
    pub fn note(&mut self, changes: &LocRibChanges) {
        match self {
            _ if changes.whole => *self = Extent::All,
            Extent::All => {}
            Extent::Only(prefixes) => prefixes.extend(changes.routes.iter().map(|(prefix, _)| *prefix)),
        }
    }
}

/// What is decided about learned routes.
#[derive(Debug, Default)]
pub struct Table {
    ways: Option<Ways>,
    /// The learned routes outside all pools, with their next hops: what next hops may be resolved over.
    pub outside: LearnedRoutes,
    /// The decision for each learned prefix.
    pub routes: BTreeMap<IpNet, RouteDecision>,
    /// The sets of hops that the routes refer to.
    pub sets: Sets,
}

impl Table {
    /// Takes in the prefixes that have changed outside the pools. Before [`Table::decide`], and before anything is
    /// resolved.
    pub fn take(&mut self, inputs: Inputs<'_>, changed: &Extent) {
        let (plan, rib, serves) = (inputs.plan, inputs.rib, inputs.services.is_some());
        let same = (self.ways.as_ref()).is_some_and(|ways| ways.has_the_same_pools(plan, serves));
        match changed {
            Extent::Only(prefixes) if same => {
                for prefix in prefixes {
                    let next_hops = rib.loc_rib.get(prefix).and_then(|r| outside(plan, serves, r));
                    match next_hops {
                        Some(next_hops) => self.outside.insert(*prefix, next_hops),
                        None => self.outside.remove(prefix),
                    };
                }
            }
            _ => self.outside = all_outside(plan, serves, &rib.loc_rib),
        }
    }

    /// Where the ways are others than before: the hops of all sets that routes refer to, as they are now. True where any moved.
    pub fn renew(&mut self, ways: &Ways, view: &KernelView) -> bool {
        if self.sets.is_empty() || self.ways.as_ref() == Some(ways) {
            return false;
        }
        let mut decider = Decider::new(ways, view, &self.outside);
        self.sets.renew(|spec| decider.hops(spec))
    }

    /// Decides what has changed, and says which decisions may be others now. `ways`: none where they are as they were.
    pub fn decide(&mut self, inputs: Inputs<'_>, ways: Option<Ways>, changed: Extent) -> Extent {
        let (ways, same) = match (ways, self.ways.take()) {
            (Some(ways), before) => {
                let same = before.as_ref() == Some(&ways);
                (ways, same)
            }
            (None, Some(before)) => (before, true),
            // Nobody can say that of a table that was never decided.
            (None, None) => return Extent::default(),
        };
        let changed = match same && !self.sets.is_overgrown() {
            true => changed,
            false => Extent::All,
        };
        let loc_rib = &inputs.rib.loc_rib;
        let wanted = inputs.plan.install_routes;
        let mut decider = Decider::new(&ways, inputs.view, &self.outside);
        let (routes, sets) = (&mut self.routes, &mut self.sets);
        match &changed {
            Extent::All => {
                sets.next_generation();
                let learned = loc_rib.values().filter(|route| wanted && !is_local(route));
                *routes = learned
                    .map(|route| (route.prefix, decider.decide(route, sets)))
                    .collect();
                sets.keep();
            }
            Extent::Only(prefixes) => {
                for prefix in prefixes {
                    let learned = loc_rib.get(prefix).filter(|route| wanted && !is_local(route));
                    match learned {
                        Some(route) => routes.insert(*prefix, decider.decide(route, sets)),
                        None => routes.remove(prefix),
                    };
                }
            }
        }
        self.ways = Some(ways);
        changed
    }

    /// The ways of the last decisions.
    pub fn ways(&self) -> Option<&Ways> {
        self.ways.as_ref()
    }
}

/// The learned routes outside all pools. `serves`: this node serves Services itself, so that routes to them are not
/// installed.
pub fn all_outside(plan: &Plan, serves: bool, loc_rib: &BTreeMap<IpNet, BestRoute>) -> LearnedRoutes {
    let found = |(prefix, route): (&IpNet, &BestRoute)| Some((*prefix, outside(plan, serves, route)?));
    loc_rib.iter().filter_map(found).collect()
}

/// The next hops of a learned route that lies outside all pools. A default route may cover the pools; a pool's own prefixes
/// and what lies inside may not be resolved over.
fn outside(plan: &Plan, serves: bool, route: &BestRoute) -> Option<Vec<LearnedHop>> {
    let inside = plan.pool_of(&route.prefix).is_some() || (serves && plan.is_of_services(&route.prefix));
    let next_hops = || {
        let learned = route.paths.iter().filter_map(|p| p.next_hop.as_ref());
        learned.map(learned_hop).collect()
    };
    (!is_local(route) && !inside).then(next_hops)
}

/// Originated here: nothing to install but the blackhole of the block.
fn is_local(route: &BestRoute) -> bool {
    (route.paths.first()).is_none_or(|best| best.kind == PathKind::Local)
}

#[cfg(test)]
mod tests;
