//! The tunnel devices that the pools ask for, and the MTU that pods get.
//!
//! A device exists as soon as a pool may use it and this node has an address in the underlay's family:
//! the sender decides, so a packet may arrive through a tunnel that this node itself does not use.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use tunnel::{
    DEFAULT_PORT, DEFAULT_VNI, DesiredTunnels, Encapsulation, Family, IpipDevice, Mode, Overhead, Remote,
    RemoteKey, VxlanDevice,
};

use super::{Inputs, NodePath};

/// The desired tunnels, and the MTU for pods in bytes; `mtu` is that of the underlay.
pub fn desired(inputs: Inputs<'_>, paths: &[NodePath], mtu: u32) -> (DesiredTunnels, u32) {
    let plan = inputs.plan;
    let vxlan = |v4: bool| {
        plan.pools
            .iter()
            .any(|p| is_v4(&p.cidr) == v4 && p.modes.vxlan != Mode::Never)
    };
    let ipip = plan
        .pools
        .iter()
        .any(|p| is_v4(&p.cidr) && p.modes.ipip != Mode::Never);

    let mut tunnels = DesiredTunnels {
        sweep: inputs.rib.fully_fed,
        ..DesiredTunnels::default()
    };
    if vxlan(true) {
        tunnels.vxlan = vxlan_device(inputs, Family::Ipv4, mtu);
    }
    if vxlan(false) {
        tunnels.vxlan6 = vxlan_device(inputs, Family::Ipv6, mtu);
    }
    if let Some(local) = plan.node.v4.filter(|_| ipip) {
        // One device holds the pod address; both modes at once happen only across several pools.
        let address = own_pod_address(inputs, Family::Ipv4).filter(|_| tunnels.vxlan.is_none());
        tunnels.ipip = Some(IpipDevice {
            local,
            mtu: mtu.saturating_sub(Overhead::IPIP.0),
            address,
        });
    }
    let held = |a: &&IpAddr| match a.is_ipv4() {
        true => tunnels.vxlan.is_some() || tunnels.ipip.is_some(),
        false => tunnels.vxlan6.is_some(),
    };
    tunnels.loopback = inputs
        .own_pod_addresses
        .iter()
        .filter(|a| !held(a))
        .map(|a| IpNet::from(*a))
        .collect();
    tunnels.remotes = remotes(inputs, paths);
    let narrowest = [
        tunnels.vxlan.as_ref().map(|d| d.mtu),
        tunnels.vxlan6.as_ref().map(|d| d.mtu),
        tunnels.ipip.as_ref().map(|d| d.mtu),
    ];
    let pod_mtu = narrowest.into_iter().flatten().min().unwrap_or(mtu);
    (tunnels, pod_mtu)
}

fn vxlan_device(inputs: Inputs<'_>, family: Family, underlay_mtu: u32) -> Option<VxlanDevice> {
    let node = &inputs.plan.node;
    Some(VxlanDevice {
        vni: DEFAULT_VNI,
        port: DEFAULT_PORT,
        local: node.address(family == Family::Ipv4)?,
        mtu: underlay_mtu.saturating_sub(Overhead::of(Encapsulation::Vxlan, family).0),
        mac: if family == Family::Ipv4 {
            node.vtep_mac
        } else {
            node.vtep_mac6
        },
        address: own_pod_address(inputs, family),
    })
}

fn own_pod_address(inputs: Inputs<'_>, family: Family) -> Option<IpNet> {
    inputs
        .own_pod_addresses
        .iter()
        .find(|a| Family::from(**a) == family)
        .map(|a| IpNet::from(*a))
}

fn is_v4(net: &IpNet) -> bool {
    matches!(net, IpNet::V4(_))
}

/// The nodes that some pool reaches through VXLAN: theirs are the forwarding and neighbour entries.
fn remotes(inputs: Inputs<'_>, paths: &[NodePath]) -> BTreeMap<RemoteKey, Remote> {
    let mut remotes = BTreeMap::new();
    for path in paths
        .iter()
        .filter(|p| p.choice.encapsulation == Encapsulation::Vxlan)
    {
        let Some(node) = inputs.plan.remotes.iter().find(|n| n.name == path.node) else {
            continue;
        };
        let family = Family::from(path.endpoint);
        let mac = node.mac(family == Family::Ipv4);
        let remote = Remote {
            endpoint: path.endpoint,
            mac,
            gateway: tunnel::vtep_gateway(path.endpoint, mac),
        };
        remotes.insert(RemoteKey::new(node.name.as_str(), family), remote);
    }
    remotes
}
