//! What is probed: the native way to every other node, for pools of mode `Auto`; and what the test of checksum offload needs.
//!
//! [`wanted`] reads the plan and the kernel alone, and not what the probes have found: it is decided first, and the
//! verdicts are an input of all else. Nodes of pools that use VXLAN without `Auto` are named too, without a way: they
//! send no requests, but answer the packets by which another node tests its checksum offload.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use routesync::KernelView;
use tunnel::offload::Check;
use tunnel::probe::{self, DesiredProbes, LocalEnd, NativeHop, ProbeKey, ProbePeer};
use tunnel::{Device, Encapsulation, Family, L2Path, Mode};

use super::uplinks::ETHERNET;
use super::{NodePath, paths};
use crate::plan::{Plan, RemoteNode};

/// Size of the packets that test checksum offload, bytes of the whole IP packet: it fits through every tunnel.
const CHECK_SIZE: u32 = 500;

/// How many nodes a test has to choose from.
const TESTED: usize = 8;

/// How many addresses besides the likeliest are tried.
const OTHERS: usize = 15;

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// What is probed, complete. Empty where no pool has `Auto` or VXLAN.
pub fn wanted(plan: &Plan, view: &KernelView, own_pod_addresses: &[IpAddr]) -> DesiredProbes {
    let mut probes = DesiredProbes::default();
    for family in FAMILIES {
        let auto = uses(plan, family, |mode| mode == Mode::Auto);
        if !auto && !tunnels(plan, family) {
            continue;
        }
        let own = own_pod_addresses.iter().find(|a| Family::from(**a) == family);
        let node = plan.node.address(family == Family::Ipv4);
        let (Some(&pod), Some(node)) = (own, node) else {
            continue;
        };
        probes.local.insert(family, LocalEnd { pod, node });
        let peer = |remote: &RemoteNode| {
            let key = ProbeKey::new(remote.name.as_str(), family);
            Some((key, peer(view, remote, family, auto)?))
        };
        probes.peers.extend(plan.remotes.iter().filter_map(peer));
    }
    probes
}

/// The peers whose routes the kernel has as direct ones, by what an earlier run has left there: `direct` are the
/// prefixes of routes of ours that lead into no tunnel.
pub fn carried(plan: &Plan, direct: &BTreeSet<IpNet>) -> BTreeSet<ProbeKey> {
    let is_direct = |block: &&IpNet| direct.contains(*block);
    plan.remotes
        .iter()
        .flat_map(|remote| remote.blocks.iter().filter(is_direct).map(move |b| (remote, b)))
        .map(|(remote, block)| ProbeKey::new(remote.name.as_str(), block.addr().into()))
        .collect()
}

/// A test of the checksum offload of one tunnel device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffloadTest {
    /// Index of the link: a device that was made anew has another one.
    pub index: u32,
    /// The nodes that are reached through it, any of which can answer.
    pub checks: Vec<Check>,
}

/// The tests of the VXLAN devices that are there and in use.
pub fn offload_tests(
    plan: &Plan,
    view: &KernelView,
    own_pod_addresses: &[IpAddr],
    paths: &[NodePath],
) -> BTreeMap<Device, OffloadTest> {
    let test = |family: Family| {
        let device = Device::vxlan(family);
        let index = view.link(device.name())?.index;
        let from = *own_pod_addresses.iter().find(|a| Family::from(**a) == family)?;
        let through = |path: &&NodePath| {
            path.choice.encapsulation == Encapsulation::Vxlan && Family::from(path.endpoint) == family
        };
        let names = paths.iter().filter(through).map(|path| &path.node);
        let remotes = names
            .take(TESTED)
            .filter_map(|name| plan.remotes.iter().find(|r| r.name == *name));
        let checks = remotes.flat_map(|remote| {
            let nodes = remote
                .address(family == Family::Ipv4)
                .into_iter()
                .collect::<Vec<_>>();
            pod_addresses_of(remote, family).map(move |to| Check {
                from,
                to,
                nodes: nodes.clone(),
                port: probe::DEFAULT_PORT,
                size: CHECK_SIZE,
            })
        });
        let checks: Vec<Check> = checks.collect();
        (!checks.is_empty()).then_some((device, OffloadTest { index, checks }))
    };
    FAMILIES.into_iter().filter_map(test).collect()
}

/// Whether a pool of the family has such a mode.
fn uses(plan: &Plan, family: Family, is: impl Fn(Mode) -> bool) -> bool {
    let pools = plan
        .pools
        .iter()
        .filter(|p| Family::from(p.cidr.addr()) == family);
    let mut modes = pools.flat_map(|p| [p.modes.vxlan, p.modes.ipip]);
    modes.any(is)
}

/// Whether packets of the family may travel in VXLAN.
fn tunnels(plan: &Plan, family: Family) -> bool {
    let mut pools = plan.pools.iter();
    pools.any(|p| Family::from(p.cidr.addr()) == family && p.modes.vxlan != Mode::Never)
}

fn peer(view: &KernelView, remote: &RemoteNode, family: Family, auto: bool) -> Option<ProbePeer> {
    let node = remote.address(family == Family::Ipv4)?;
    let hop = auto
        .then(|| native_hop(&paths::l2_path(view, node), node))
        .flatten();
    let link = hop.as_ref().and_then(|hop| view.link(&hop.interface));
    let mut pods = pod_addresses_of(remote, family);
    Some(ProbePeer {
        pod: pods.next()?,
        others: pods.take(OTHERS).collect(),
        nodes: vec![node],
        size: link.map_or(ETHERNET, |link| link.mtu),
        hop,
    })
}

fn native_hop(path: &L2Path, node: IpAddr) -> Option<NativeHop> {
    let (gateway, interface) = match path {
        L2Path::OnLink { interface } => (node, interface),
        L2Path::Routed { gateway, interface } => (*gateway, interface),
        L2Path::NoRoute(_) => return None,
    };
    // The route of a probe has a gateway of its own family.
    (gateway.is_ipv4() == node.is_ipv4()).then(|| NativeHop {
        gateway,
        interface: interface.clone(),
    })
}

/// A node takes the first address of its first block. That is the first that its resource gives it; of those that it claims itself
/// others do not know the order.
fn pod_addresses_of(remote: &RemoteNode, family: Family) -> impl Iterator<Item = IpAddr> + '_ {
    let blocks = remote
        .blocks
        .iter()
        .filter(move |block| Family::from(block.addr()) == family);
    blocks.map(IpNet::network)
}

#[cfg(test)]
mod tests;
