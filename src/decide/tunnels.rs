//! The tunnel devices that the pools ask for, and the MTU that pods get.
//!
//! A device exists as soon as a pool may use it and this node has an address in the underlay's family:
//! the sender decides, so a packet may arrive through a tunnel that this node itself does not use.
//!
//! A device is as wide as the widest of its paths, and each route says its own size ([`NodePath::sizes`]); pods get what
//! fits every path, tunnels counted that a path may become.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use tunnel::{
    DesiredTunnels, Device, Encapsulation, Family, IpipDevice, Mode, MtuError, Overhead, Reach, Remote,
    RemoteKey, VxlanDevice,
};

use super::{Inputs, NodePath};
use crate::plan::{Plan, Pool};

/// Tunnels, and the sizes that follow.
#[derive(Debug, Clone, PartialEq)]
pub struct Tunnels {
    /// For `tunnel`.
    pub desired: DesiredTunnels,
    /// MTU for pods, in bytes.
    pub pod_mtu: u32,
    /// Devices that no packet of their family fits into, with what to do.
    pub problems: Vec<(Device, MtuError)>,
}

/// The devices that pools may use.
pub fn devices(plan: &Plan) -> BTreeSet<Device> {
    let of = |pool: &Pool| {
        let family = family(pool);
        let vxlan = (pool.modes.vxlan != Mode::Never).then_some(Device::vxlan(family));
        let ipip = (pool.modes.ipip != Mode::Never && family == Family::Ipv4).then_some(Device::Ipip);
        [vxlan, ipip]
    };
    let wanted = plan.pools.iter().flat_map(of).flatten();
    wanted
        .filter(|device| local_end(plan, *device).is_some())
        .collect()
}

/// The desired tunnels, and the MTU for pods in bytes; `mtu` is that of the underlay while there is no other node.
pub fn desired(inputs: Inputs<'_>, paths: &[NodePath], mtu: u32) -> Tunnels {
    let plan = inputs.plan;
    let devices = devices(plan);
    let mut problems = Vec::new();
    let mut mtu_of = |device| match device_mtu(plan, paths, device, mtu) {
        Ok(mtu) => mtu,
        Err((least, error)) => {
            problems.push((device, error));
            least
        }
    };
    let mut vxlan = |family| {
        let device = Device::vxlan(family);
        let local = local_end(plan, device).filter(|_| devices.contains(&device))?;
        Some(VxlanDevice {
            vni: plan.vxlan.vni,
            port: plan.vxlan.port,
            local,
            mtu: mtu_of(device),
            mac: match family {
                Family::Ipv4 => plan.node.vtep_mac,
                Family::Ipv6 => plan.node.vtep_mac6,
            },
            address: own_pod_address(inputs, family),
        })
    };
    let mut tunnels = DesiredTunnels {
        sweep: inputs.rib.fully_fed,
        vxlan: vxlan(Family::Ipv4),
        vxlan6: vxlan(Family::Ipv6),
        ..DesiredTunnels::default()
    };
    if let Some(local) = plan.node.v4.filter(|_| devices.contains(&Device::Ipip)) {
        // One device holds the pod address; both modes at once happen only across several pools.
        let address = own_pod_address(inputs, Family::Ipv4).filter(|_| tunnels.vxlan.is_none());
        tunnels.ipip = Some(IpipDevice {
            local,
            mtu: mtu_of(Device::Ipip),
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
    Tunnels {
        desired: tunnels,
        pod_mtu: pod_mtu(plan, paths, mtu),
        problems,
    }
}

/// The MTU of a device, or with the error the size that is left of the widest path.
fn device_mtu(plan: &Plan, paths: &[NodePath], device: Device, alone: u32) -> Result<u32, (u32, MtuError)> {
    let (encapsulation, family) = match device {
        Device::Vxlan => (Encapsulation::Vxlan, Family::Ipv4),
        Device::Vxlan6 => (Encapsulation::Vxlan, Family::Ipv6),
        Device::Ipip => (Encapsulation::Ipip, Family::Ipv4),
    };
    let may_use = |path: &&NodePath| {
        let pool = plan.pools.iter().find(|pool| pool.name == path.pool);
        pool.is_some_and(|pool| family == self::family(pool) && mode(pool, encapsulation) != Mode::Never)
    };
    let size = |link| tunnel::Path {
        link,
        encapsulation,
        family,
    };
    let links = paths.iter().filter(may_use).map(|path| path.underlay.mtu);
    let widest = links.max().unwrap_or(alone);
    let left = widest.saturating_sub(Overhead::of(encapsulation, family).0);
    tunnel::device_mtu([size(widest)]).map_err(|error| (left, error))
}

fn pod_mtu(plan: &Plan, paths: &[NodePath], alone: u32) -> u32 {
    let reach = |pool: &Pool, link| Reach {
        link,
        modes: pool.modes,
        family: family(pool),
    };
    let to_nodes = paths.iter().filter_map(|path| {
        let pool = plan.pools.iter().find(|pool| pool.name == path.pool)?;
        Some(reach(pool, path.underlay.mtu))
    });
    let alone = tunnel::pod_mtu(plan.pools.iter().map(|pool| reach(pool, alone)), alone);
    tunnel::pod_mtu(to_nodes, alone)
}

fn mode(pool: &Pool, encapsulation: Encapsulation) -> Mode {
    match encapsulation {
        Encapsulation::Direct => Mode::Never,
        Encapsulation::Vxlan => pool.modes.vxlan,
        Encapsulation::Ipip => pool.modes.ipip,
    }
}

fn family(pool: &Pool) -> Family {
    pool.cidr.addr().into()
}

/// This node's own end of a tunnel.
fn local_end(plan: &Plan, device: Device) -> Option<IpAddr> {
    plan.node.address(device != Device::Vxlan6)
}

fn own_pod_address(inputs: Inputs<'_>, family: Family) -> Option<IpNet> {
    inputs
        .own_pod_addresses
        .iter()
        .find(|a| Family::from(**a) == family)
        .map(|a| IpNet::from(*a))
}

/// The nodes that some pool reaches through VXLAN, or may at any moment: theirs are the forwarding and neighbour entries.
fn remotes(inputs: Inputs<'_>, paths: &[NodePath]) -> BTreeMap<RemoteKey, Remote> {
    let plan = inputs.plan;
    let auto = |pool: &str| {
        let pool = plan.pools.iter().find(|p| p.name == pool);
        pool.is_some_and(|p| p.modes.vxlan == Mode::Auto)
    };
    let wanted = |p: &&NodePath| p.choice.encapsulation == Encapsulation::Vxlan || auto(&p.pool);
    let mut remotes = BTreeMap::new();
    for path in paths.iter().filter(wanted) {
        let Some(node) = plan.remotes.iter().find(|n| n.name == path.node) else {
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
