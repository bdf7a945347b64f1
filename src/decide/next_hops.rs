//! Reachability and metric of BGP next hops, an input of the decision process (RFC 4271 section 9.1.2.1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bgpd_proto::rib::{NextHopState, NextHopTable};
use bgpd_proto::types::ScopedAddr;
use routesync::{KernelView, LearnedHop, LearnedRoutes, Resolution, resolve};

use crate::plan::Plan;

/// The state of every tracked next hop, and of those that routes usually have: the nodes and the peers. They
/// are resolved ahead of need, so that a route that takes another's place is usable in the moment it comes.
pub fn table(
    plan: &Plan,
    view: &KernelView,
    learned: &LearnedRoutes,
    tracked: &BTreeSet<ScopedAddr>,
) -> NextHopTable {
    wanted(plan, tracked)
        .into_iter()
        .map(|address| (address, state(&resolve(view, learned, learned_hop(&address)))))
        .collect()
}

/// A next hop of BGP in the words of `routesync`.
pub fn learned_hop(next_hop: &ScopedAddr) -> LearnedHop {
    LearnedHop {
        address: next_hop.ip,
        link: next_hop.zone.map(|zone| zone.as_str().into()),
    }
}

/// The interface that leads to each of them; empty where no filter asks for interfaces.
pub fn interfaces(
    plan: &Plan,
    view: &KernelView,
    learned: &LearnedRoutes,
    tracked: &BTreeSet<ScopedAddr>,
) -> BTreeMap<ScopedAddr, Arc<str>> {
    if !plan.asks_for_interfaces {
        return BTreeMap::new();
    }
    let interface = |address: ScopedAddr| match resolve(view, learned, learned_hop(&address)).outcome {
        routesync::Outcome::OnLink { interface, .. } | routesync::Outcome::Via { interface, .. } => {
            Some((address, interface))
        }
        routesync::Outcome::Unreachable(_) => None,
    };
    wanted(plan, tracked).into_iter().filter_map(interface).collect()
}

fn wanted(plan: &Plan, tracked: &BTreeSet<ScopedAddr>) -> BTreeSet<ScopedAddr> {
    let nodes = plan
        .remotes
        .iter()
        .flat_map(|n| [n.address(true), n.address(false)])
        .flatten();
    let peers = plan.speaker.peers.keys().filter_map(|peer| peer.address());
    let known = nodes.chain(peers).map(ScopedAddr::from);
    tracked.iter().copied().chain(known).collect()
}

/// On-link is nearest; beyond a gateway the metric is the kernel's own, and at least one.
fn state(resolution: &Resolution) -> NextHopState {
    match resolution.outcome {
        routesync::Outcome::OnLink { .. } => NextHopState::Reachable { metric: 0 },
        routesync::Outcome::Via { metric, .. } => NextHopState::Reachable {
            metric: metric.0.max(1),
        },
        routesync::Outcome::Unreachable(_) => NextHopState::Unreachable,
    }
}
