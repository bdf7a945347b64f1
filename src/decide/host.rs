//! The interfaces whose sysctls forwarding depends on, and how much this node has to do with others.

use super::{Inputs, uplinks::Uplinks};

/// Neighbours are counted in steps, so that not each pod makes another wish.
const STEP: usize = 128;

/// What `hostnet` is to see to: forwarding, and loose reverse path filters on uplinks and tunnels,
/// because the sender alone decides whether a packet comes through a tunnel.
pub fn wanted(inputs: Inputs<'_>, uplinks: &Uplinks) -> hostnet::Wanted {
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
    let uplinks = uplinks.names();
    let neighbours = inputs.plan.remotes.len() + inputs.pods.len();
    hostnet::Wanted {
        ipv6,
        multipath: uplinks.len() > 1,
        uplinks,
        tunnels,
        // The agent's own file decides that, which is nothing to the cluster.
        nexthop_compat_off: false,
        neighbours: neighbours.next_multiple_of(STEP),
    }
}
