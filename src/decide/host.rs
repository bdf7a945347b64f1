//! The interfaces whose sysctls forwarding depends on.

use super::{Inputs, uplinks::Uplinks};

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
    hostnet::Wanted {
        ipv6,
        uplinks: uplinks.names(),
        tunnels,
        ..hostnet::Wanted::default()
    }
}
