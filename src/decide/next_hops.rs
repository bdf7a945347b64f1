//! Reachability and metric of BGP next hops, an input of the decision process (RFC 4271 section 9.1.2.1).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgpd_proto::rib::{NextHopState, NextHopTable};
use ipnet::IpNet;
use routesync::{KernelView, Resolution, resolve};

use crate::plan::Plan;

/// The state of every tracked next hop, and of those that routes usually have: the nodes and the peers. They
/// are resolved ahead of need, so that a route that takes another's place is usable in the moment it comes.
pub fn table(
    plan: &Plan,
    view: &KernelView,
    learned: &BTreeMap<IpNet, Vec<IpAddr>>,
    tracked: &BTreeSet<IpAddr>,
) -> NextHopTable {
    let nodes = plan
        .remotes
        .iter()
        .flat_map(|n| [n.address(true), n.address(false)])
        .flatten();
    let peers = plan.speaker.peers.keys().map(|peer| peer.0);
    let wanted: BTreeSet<IpAddr> = tracked.iter().copied().chain(nodes).chain(peers).collect();
    wanted
        .into_iter()
        .map(|address| (address, state(&resolve(view, learned, address))))
        .collect()
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
