//! The operations on the kernel's tunnel state: what `diff` plans, `apply` carries out and `actual` models.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::{Device, IpipDevice, VxlanDevice};
use crate::outer::Outer;

/// One change of the kernel's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Removes a link of ours.
    Delete(Device),
    /// Makes a link, which is down.
    Create(Spec),
    /// Corrects a link in place.
    Change(Device, Changes),
    /// Adds an address.
    AddAddress(Place, IpNet),
    /// Removes an address of ours.
    DeleteAddress(Place, IpNet),
    /// Adds or replaces the forwarding entry of a MAC address.
    SetFdb {
        /// On this device.
        device: Device,
        /// The other VTEP's MAC address.
        mac: [u8; 6],
        /// Its end of the tunnel.
        endpoint: IpAddr,
    },
    /// Removes a forwarding entry.
    DeleteFdb {
        /// On this device.
        device: Device,
        /// The MAC address.
        mac: [u8; 6],
        /// The destination, if the entry has one.
        endpoint: Option<IpAddr>,
    },
    /// Adds or replaces a permanent neighbour.
    SetNeighbour {
        /// On this device.
        device: Device,
        /// The next hop's address.
        address: IpAddr,
        /// The other VTEP's MAC address.
        mac: [u8; 6],
    },
    /// Removes a neighbour.
    DeleteNeighbour {
        /// On this device.
        device: Device,
        /// Its address.
        address: IpAddr,
    },
}

impl Op {
    /// The device that must exist for this operation to make sense, if it is one of ours.
    pub fn device(&self) -> Option<Device> {
        match self {
            Self::Delete(device)
            | Self::Change(device, _)
            | Self::AddAddress(Place::On(device), _)
            | Self::DeleteAddress(Place::On(device), _)
            | Self::SetFdb { device, .. }
            | Self::DeleteFdb { device, .. }
            | Self::SetNeighbour { device, .. }
            | Self::DeleteNeighbour { device, .. } => Some(*device),
            Self::Create(spec) => Some(spec.device()),
            Self::AddAddress(Place::Loopback, _) | Self::DeleteAddress(Place::Loopback, _) => None,
        }
    }
}

/// Where an address sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On a tunnel device.
    On(Device),
    /// On the loopback.
    Loopback,
}

/// A link to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// A VXLAN link.
    Vxlan(Device, VxlanDevice),
    /// The IPIP link.
    Ipip(IpipDevice),
}

impl Spec {
    /// Its name.
    pub fn device(&self) -> Device {
        match self {
            Self::Vxlan(device, _) => *device,
            Self::Ipip(_) => Device::Ipip,
        }
    }
}

/// What to correct on a link; all that is `None` or false stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// New MTU.
    pub mtu: Option<u32>,
    /// New MAC address.
    pub mac: Option<[u8; 6]>,
    /// New local end.
    pub local: Option<IpAddr>,
    /// New outer header.
    pub outer: Option<Outer>,
    /// Stop learning.
    pub no_learning: bool,
    /// Stop making an IPv6 link-local address.
    pub no_link_local: bool,
    /// Set up.
    pub up: bool,
}
