//! From desired and actual state to the operations between them: a pure function, [`plan`].
//!
//! What can be corrected in place is corrected in place; a device is made again only where an attribute that the kernel does
//! not change differs (VNI, port, checksum flags, too few source ports, or one that we never set). Additions come before removals, forwarding
//! entries before the neighbours that point at them, so that a changed remote is never without a path. A new link is set up
//! last of all: routes follow when it is up, and find everything in its place. Without `sweep` nothing is removed except what stands in the place of something wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::actual::{Actual, Entry, ForeignKind, Kind, Neighbour, Own, Vxlan};
use crate::family::Family;
use crate::model::{DesiredTunnels, Device, IpipDevice, Remote, RemoteKey, VxlanDevice};
use crate::ops::{Changes, Op, Place, Spec};
use crate::outer::Outer;
use crate::problem::{Problem, Shared};

/// What is to be done, and what cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// In this order.
    pub ops: Vec<Op>,
    /// What is refused; the rest goes ahead.
    pub problems: Vec<Problem>,
}

/// The operations that bring `actual` to `desired`.
pub fn plan(desired: &DesiredTunnels, actual: &Actual) -> Plan {
    let mut plan = Plan::default();
    let mut removals = Vec::new();
    if desired.sweep {
        plan.ops.extend(
            actual
                .devices
                .keys()
                .filter(|device| !desired.wants(**device))
                .map(|d| Op::Delete(*d)),
        );
    }
    for (device, config) in desired.vxlans() {
        if let Some(own) = plan.vxlan_link(device, config, actual) {
            plan.address(device, desired, own, &mut removals);
            plan.remotes(device, desired, own, &mut removals);
            plan.set_up(device, own);
        }
    }
    if let Some(config) = &desired.ipip
        && let Some(own) = plan.ipip_link(config, actual)
    {
        plan.address(Device::Ipip, desired, own, &mut removals);
        plan.set_up(Device::Ipip, own);
    }
    plan.loopback(desired, actual, &mut removals);
    if desired.sweep {
        plan.ops.extend(removals);
    }
    plan
}

/// The device to work on after the link operations: the present one, or (`None` inside) a fresh and empty one.
type Standing<'a> = Option<&'a Own>;

impl Plan {
    /// Plans the link of `device`; `None` if it cannot be had.
    fn vxlan_link<'a>(
        &mut self,
        device: Device,
        config: &VxlanDevice,
        actual: &'a Actual,
    ) -> Option<Standing<'a>> {
        let family = Family::from(config.local);
        if Device::vxlan(family) != device {
            self.problems.push(Problem::WrongFamily {
                device,
                local: config.local,
            });
            return None;
        }
        let present = actual.devices.get(&device);
        if let Some(own) = present
            && let Kind::Vxlan(vxlan) = &own.kind
            && keeps_vxlan(config, vxlan)
        {
            let changes = Changes {
                mac: (own.mac != Some(config.mac)).then_some(config.mac),
                local: (vxlan.local != Some(config.local)).then_some(config.local),
                outer: differing(vxlan.outer, Outer::vxlan(family)),
                no_learning: vxlan.learning,
                ..common_changes(own, config.mtu)
            };
            self.change(device, changes);
            return Some(present);
        }
        if let Some(problem) = vxlan_conflict(device, config, family, actual) {
            self.problems.push(problem);
            return None;
        }
        self.make(Spec::Vxlan(device, config.clone()), present);
        Some(None)
    }

    fn ipip_link<'a>(&mut self, config: &IpipDevice, actual: &'a Actual) -> Option<Standing<'a>> {
        let present = actual.devices.get(&Device::Ipip);
        let local = IpAddr::V4(config.local);
        if let Some(own) = present
            && let Kind::Ipip(ipip) = &own.kind
            && ipip.strange.is_empty()
        {
            let outer = differing(ipip.outer, Outer::ipip());
            let moved = ipip.local != Some(config.local);
            let changes = Changes {
                // The kernel takes a change of an IP tunnel as a whole, so the local end goes with the rest.
                local: (moved || outer.is_some()).then_some(local),
                outer,
                ..common_changes(own, config.mtu)
            };
            self.change(Device::Ipip, changes);
            return Some(present);
        }
        let taken = ForeignKind::Ipip {
            local: Some(config.local),
            remote: None,
        };
        if let Some(other) = actual.foreign.iter().find(|foreign| foreign.kind == taken) {
            self.problems.push(Problem::IpipTaken {
                by: other.name.clone(),
                local,
            });
            return None;
        }
        self.make(Spec::Ipip(config.clone()), present);
        Some(None)
    }

    fn make(&mut self, spec: Spec, present: Option<&Own>) {
        if present.is_some() {
            self.ops.push(Op::Delete(spec.device()));
        }
        self.ops.push(Op::Create(spec));
    }

    /// A new link is down until everything is on it.
    fn set_up(&mut self, device: Device, own: Standing) {
        if own.is_none() {
            let up = Changes {
                up: true,
                ..Changes::default()
            };
            self.ops.push(Op::Change(device, up));
        }
    }

    fn change(&mut self, device: Device, changes: Changes) {
        if changes != Changes::default() {
            self.ops.push(Op::Change(device, changes));
        }
    }

    fn address(&mut self, device: Device, desired: &DesiredTunnels, own: Standing, removals: &mut Vec<Op>) {
        let wanted = desired.address(device);
        let present = own.map(|own| &own.addresses);
        if let Some(net) = wanted
            && present.is_none_or(|present| !present.contains(&net))
        {
            self.ops.push(Op::AddAddress(Place::On(device), net));
        }
        let extra = present.into_iter().flatten().filter(|net| Some(**net) != wanted);
        removals.extend(extra.map(|net| Op::DeleteAddress(Place::On(device), *net)));
    }

    fn remotes(&mut self, device: Device, desired: &DesiredTunnels, own: Standing, removals: &mut Vec<Op>) {
        let wanted = self.wanted_remotes(device, desired);
        let no_fdb = BTreeMap::new();
        let no_neighbours = BTreeMap::new();
        let fdb = own.map_or(&no_fdb, |own| &own.fdb);
        let neighbours = own.map_or(&no_neighbours, |own| &own.neighbours);
        for remote in &wanted {
            if fdb.get(&(remote.mac, Some(remote.endpoint))) != Some(&Entry::Plain) {
                self.ops.push(Op::SetFdb {
                    device,
                    mac: remote.mac,
                    endpoint: remote.endpoint,
                });
            }
        }
        for remote in &wanted {
            let right = Neighbour {
                mac: Some(remote.mac),
                permanent: true,
            };
            if neighbours.get(&remote.gateway) != Some(&right) {
                self.ops.push(Op::SetNeighbour {
                    device,
                    address: remote.gateway,
                    mac: remote.mac,
                });
            }
        }
        let macs: BTreeSet<_> = wanted.iter().map(|remote| remote.mac).collect();
        let gateways: BTreeSet<_> = wanted.iter().map(|remote| remote.gateway).collect();
        // Entries that the kernel made for its own use (not permanent) expire by themselves.
        let extra = neighbours
            .iter()
            .filter(|(address, n)| n.permanent && !gateways.contains(*address));
        removals.extend(extra.map(|(address, _)| Op::DeleteNeighbour {
            device,
            address: *address,
        }));
        // A wanted MAC address has one destination: setting it replaced the others.
        let extra = fdb.keys().filter(|(mac, _)| !macs.contains(mac));
        removals.extend(extra.map(|(mac, endpoint)| Op::DeleteFdb {
            device,
            mac: *mac,
            endpoint: *endpoint,
        }));
    }

    /// The remotes of `device`, each MAC address and each gateway once: the first node by name has it.
    fn wanted_remotes(&mut self, device: Device, desired: &DesiredTunnels) -> Vec<Remote> {
        let mut macs: BTreeMap<[u8; 6], &RemoteKey> = BTreeMap::new();
        let mut gateways: BTreeMap<IpAddr, &RemoteKey> = BTreeMap::new();
        let mut wanted = Vec::new();
        for (key, remote) in &desired.remotes {
            if Device::vxlan(Family::from(remote.endpoint)) != device {
                continue;
            }
            let taken = macs
                .get(&remote.mac)
                .map(|first| (first, Shared::Mac(remote.mac)));
            let taken = taken.or(gateways
                .get(&remote.gateway)
                .map(|first| (first, Shared::Gateway(remote.gateway))));
            if let Some((first, shared)) = taken {
                let (first, second) = (first.node.to_string(), key.node.to_string());
                self.problems.push(Problem::SameKey {
                    device,
                    first,
                    second,
                    shared,
                });
                continue;
            }
            macs.insert(remote.mac, key);
            gateways.insert(remote.gateway, key);
            wanted.push(*remote);
        }
        wanted
    }

    fn loopback(&mut self, desired: &DesiredTunnels, actual: &Actual, removals: &mut Vec<Op>) {
        let wanted: BTreeSet<_> = desired.loopback.iter().copied().collect();
        // An address that somebody else put there serves as well, and stays theirs.
        let missing = wanted.iter().filter(|net| !actual.loopback.contains_key(*net));
        self.ops
            .extend(missing.map(|net| Op::AddAddress(Place::Loopback, *net)));
        let extra = actual
            .loopback
            .iter()
            .filter(|(net, ours)| **ours && !wanted.contains(*net));
        removals.extend(extra.map(|(net, _)| Op::DeleteAddress(Place::Loopback, *net)));
    }
}

fn differing(have: Outer, wanted: Outer) -> Option<Outer> {
    (have != wanted).then_some(wanted)
}

fn common_changes(own: &Own, mtu: u32) -> Changes {
    Changes {
        mtu: (own.mtu != mtu).then_some(mtu),
        no_link_local: own.makes_link_local,
        up: !own.up,
        ..Changes::default()
    }
}

/// Whether all that the kernel refuses to change on a live VXLAN link is as wanted.
fn keeps_vxlan(config: &VxlanDevice, have: &Vxlan) -> bool {
    have.vni == config.vni
        && have.port == config.port
        && have.plain_checksums
        && have.strange.is_empty()
        // The family of the socket is fixed when the link is made.
        && have.local.is_some_and(|local| Family::from(local) == Family::from(config.local))
}

fn vxlan_conflict(device: Device, config: &VxlanDevice, family: Family, actual: &Actual) -> Option<Problem> {
    actual.foreign.iter().find_map(|foreign| match foreign.kind {
        ForeignKind::Vxlan {
            vni,
            port,
            family: theirs,
            external,
        } if port == config.port && theirs == family && (external || vni == config.vni) => {
            Some(Problem::VxlanTaken {
                device,
                by: foreign.name.clone(),
                vni: config.vni,
                port,
                family,
                external,
            })
        }
        _ => None,
    })
}

#[cfg(test)]
pub(crate) mod arbitrary;
#[cfg(test)]
mod tests;
