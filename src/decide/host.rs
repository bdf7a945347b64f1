//! The interfaces whose sysctls forwarding depends on.

use std::collections::BTreeSet;

use tunnel::L2Path;

use super::{Inputs, NodePath};

/// What `hostnet` is to see to: forwarding, and loose reverse path filters on uplinks and tunnels,
/// because the sender alone decides whether a packet comes through a tunnel.
pub fn wanted(inputs: Inputs<'_>, paths: &[NodePath]) -> hostnet::Wanted {
    let mut uplinks: BTreeSet<String> = paths
        .iter()
        .filter_map(|p| match &p.path {
            L2Path::OnLink { interface } | L2Path::Routed { interface, .. } => Some(interface.to_string()),
            L2Path::NoRoute(_) => None,
        })
        .collect();
    let own = [inputs.plan.node.address(true), inputs.plan.node.address(false)];
    let holding = inputs
        .view
        .addresses
        .iter()
        .filter(|a| own.contains(&Some(a.net.addr())));
    uplinks.extend(holding.filter_map(|a| Some(inputs.view.links.get(&a.index)?.name.to_string())));
    let names = tunnel::Device::ALL.map(tunnel::Device::name);
    let tunnels = names
        .into_iter()
        .filter(|name| inputs.view.link(name).is_some())
        .map(str::to_owned)
        .collect();
    let ipv6 = inputs
        .plan
        .blocks
        .iter()
        .any(|b| matches!(b.cidr, ipnet::IpNet::V6(_)));
    hostnet::Wanted {
        ipv6,
        uplinks,
        tunnels,
    }
}
