//! The tunnel state that the kernel holds, as far as it matters here: our devices with all that is on them, the
//! tunnels of other programs that could collide with ours, and the loopback's addresses.
//!
//! Links are named, not numbered: an index changes when a device is made again. [`Actual::apply`] is what an operation does to
//! this picture; the owner uses it to know the state after its own operations without reading it again, and the tests
//! use it as the fake kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::family::Family;
use crate::model::{Device, IpipDevice, VxlanDevice};
use crate::ops::{Changes, Op, Place, Spec};
use crate::outer::Outer;

/// A picture of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actual {
    /// Our devices.
    pub devices: BTreeMap<Device, Own>,
    /// VXLAN and IPIP links of other programs.
    pub foreign: Vec<Foreign>,
    /// Addresses of the loopback, with whether they carry our mark.
    pub loopback: BTreeMap<IpNet, bool>,
}

/// One of our devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// What kind of link it is.
    pub kind: Kind,
    /// MTU in bytes.
    pub mtu: u32,
    /// MAC address, if it is an Ethernet link.
    pub mac: Option<[u8; 6]>,
    /// IFF_UP.
    pub up: bool,
    /// Whether the kernel gives the link an IPv6 link-local address by itself.
    pub makes_link_local: bool,
    /// Forwarding entries (VXLAN), by MAC address and destination.
    pub fdb: BTreeMap<([u8; 6], Option<IpAddr>), Entry>,
    /// Neighbours by address.
    pub neighbours: BTreeMap<IpAddr, Neighbour>,
    /// Addresses.
    pub addresses: BTreeSet<IpNet>,
}

/// What a link that bears one of our names is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A VXLAN device.
    Vxlan(Vxlan),
    /// An IPIP device.
    Ipip(Ipip),
    /// Something else that was given our name.
    Other(String),
}

/// The attributes of a VXLAN device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vxlan {
    /// VNI.
    pub vni: u32,
    /// UDP destination port.
    pub port: u16,
    /// Our end.
    pub local: Option<IpAddr>,
    /// Whether it learns from the wire.
    pub learning: bool,
    /// Outer UDP checksums as we set them: none, in either family.
    pub plain_checksums: bool,
    /// The outer header.
    pub outer: Outer,
    /// Attributes that we never set, by iproute2's name; they can only be undone by making the device again.
    pub strange: BTreeSet<&'static str>,
}

/// The attributes of an IPIP device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipip {
    /// Our end.
    pub local: Option<Ipv4Addr>,
    /// The outer header.
    pub outer: Outer,
    /// Attributes that we never set.
    pub strange: BTreeSet<&'static str>,
}

/// How a forwarding entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Static, with nothing beside MAC address and destination.
    Plain,
    /// Learned, or with a port, VNI, link or nexthop object of its own.
    Odd,
}

/// A neighbour entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// Link-layer address.
    pub mac: Option<[u8; 6]>,
    /// NUD_PERMANENT; the others are the kernel's own doings and expire.
    pub permanent: bool,
}

/// A tunnel link of another program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its name.
    pub name: String,
    /// What it occupies.
    pub kind: ForeignKind,
}

/// What a link of another program occupies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForeignKind {
    /// A VNI on a port in one family.
    Vxlan {
        /// VNI.
        vni: u32,
        /// UDP destination port.
        port: u16,
        /// Underlay family.
        family: Family,
        /// `external`: takes every VNI of the port.
        external: bool,
    },
    /// An IPIP tunnel.
    Ipip {
        /// Its end here.
        local: Option<Ipv4Addr>,
        /// Its end there.
        remote: Option<Ipv4Addr>,
    },
}

impl Own {
    /// A device just made to `spec`.
    fn made(spec: &Spec) -> Self {
        let (kind, mtu, mac) = match spec {
            Spec::Vxlan(_, config) => (Kind::Vxlan(Vxlan::made(config)), config.mtu, Some(config.mac)),
            Spec::Ipip(config) => (Kind::Ipip(Ipip::made(config)), config.mtu, None),
        };
        Self {
            kind,
            mtu,
            mac,
            up: false,
            makes_link_local: false,
            fdb: BTreeMap::new(),
            neighbours: BTreeMap::new(),
            addresses: BTreeSet::new(),
        }
    }

    fn change(&mut self, changes: &Changes) {
        self.mtu = changes.mtu.unwrap_or(self.mtu);
        self.mac = changes.mac.or(self.mac);
        self.up |= changes.up;
        self.makes_link_local &= !changes.no_link_local;
        match &mut self.kind {
            Kind::Vxlan(vxlan) => {
                vxlan.local = changes.local.or(vxlan.local);
                vxlan.learning &= !changes.no_learning;
                vxlan.outer = changes.outer.unwrap_or(vxlan.outer);
            }
            Kind::Ipip(ipip) => {
                if let Some(IpAddr::V4(local)) = changes.local {
                    ipip.local = Some(local);
                }
                ipip.outer = changes.outer.unwrap_or(ipip.outer);
            }
            Kind::Other(_) => {}
        }
    }
}

impl Vxlan {
    fn made(config: &VxlanDevice) -> Self {
        Self {
            vni: config.vni,
            port: config.port,
            local: Some(config.local),
            learning: false,
            plain_checksums: true,
            outer: Outer::vxlan(Family::from(config.local)),
            strange: BTreeSet::new(),
        }
    }
}

impl Ipip {
    fn made(config: &IpipDevice) -> Self {
        Self {
            local: Some(config.local),
            outer: Outer::ipip(),
            strange: BTreeSet::new(),
        }
    }
}

impl Actual {
    /// Does to the picture what `op` does to the kernel.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Delete(device) => {
                self.devices.remove(device);
            }
            Op::Create(spec) => {
                self.devices.insert(spec.device(), Own::made(spec));
            }
            Op::Change(device, changes) => self.on(*device, |own| own.change(changes)),
            Op::AddAddress(Place::On(device), net) => self.on(*device, |own| {
                own.addresses.insert(*net);
            }),
            Op::DeleteAddress(Place::On(device), net) => self.on(*device, |own| {
                own.addresses.remove(net);
            }),
            Op::AddAddress(Place::Loopback, net) => {
                self.loopback.insert(*net, true);
            }
            Op::DeleteAddress(Place::Loopback, net) => {
                self.loopback.remove(net);
            }
            Op::SetFdb {
                device,
                mac,
                endpoint,
            } => self.on(*device, |own| {
                own.fdb.retain(|(existing, _), _| existing != mac);
                own.fdb.insert((*mac, Some(*endpoint)), Entry::Plain);
            }),
            Op::DeleteFdb {
                device,
                mac,
                endpoint,
            } => self.on(*device, |own| {
                own.fdb.remove(&(*mac, *endpoint));
            }),
            Op::SetNeighbour { device, address, mac } => self.on(*device, |own| {
                own.neighbours.insert(
                    *address,
                    Neighbour {
                        mac: Some(*mac),
                        permanent: true,
                    },
                );
            }),
            Op::DeleteNeighbour { device, address } => self.on(*device, |own| {
                own.neighbours.remove(address);
            }),
        }
    }

    fn on(&mut self, device: Device, change: impl FnOnce(&mut Own)) {
        if let Some(own) = self.devices.get_mut(&device) {
            change(own);
        }
    }
}
