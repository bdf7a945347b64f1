//! Reachability and metric of BGP next hops, an input of the decision process (RFC 4271 section 9.1.2.1).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgpd_proto::rib::{NextHopState, NextHopTable};
use ipnet::IpNet;
use routesync::{KernelView, Resolution, resolve};

/// The state of every tracked next hop.
pub fn table(
    view: &KernelView,
    learned: &BTreeMap<IpNet, Vec<IpAddr>>,
    tracked: &BTreeSet<IpAddr>,
) -> NextHopTable {
    tracked
        .iter()
        .map(|&address| (address, state(&resolve(view, learned, address))))
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
