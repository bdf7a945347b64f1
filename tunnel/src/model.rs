//! The desired state: which tunnel devices there are to be, and which nodes stand at their other ends.
//!
//! A [`DesiredTunnels`] is complete: what it does not name is not wanted. Remotes go to the device of their endpoint's
//! family; a remote whose device is not wanted is left out, so the caller may list all nodes.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::family::Family;

/// The VNI of our devices unless configured otherwise; Calico's too.
pub const DEFAULT_VNI: u32 = 4096;
/// The UDP port of VXLAN (RFC 7348 §8).
pub const DEFAULT_PORT: u16 = 4789;

/// One of the links that are ours by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Device {
    /// `rb-vxlan`: VXLAN over IPv4.
    Vxlan,
    /// `rb-vxlan6`: VXLAN over IPv6.
    Vxlan6,
    /// `rb-ipip`: IPv4 in IPv4.
    Ipip,
}

impl Device {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Vxlan, Self::Vxlan6, Self::Ipip];

    /// The link's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vxlan => "rb-vxlan",
            Self::Vxlan6 => "rb-vxlan6",
            Self::Ipip => "rb-ipip",
        }
    }

    /// The device called `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|device| device.name() == name)
    }

    /// The VXLAN device over an underlay of `family`.
    pub fn vxlan(family: Family) -> Self {
        match family {
            Family::Ipv4 => Self::Vxlan,
            Family::Ipv6 => Self::Vxlan6,
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A VXLAN device; whether it is `rb-vxlan` or `rb-vxlan6` follows from the field of [`DesiredTunnels`] it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VxlanDevice {
    /// VXLAN network identifier, 24 bits.
    pub vni: u32,
    /// UDP destination port.
    pub port: u16,
    /// Our end: the node's BGP address. Its family must be the device's.
    pub local: IpAddr,
    /// Device MTU in bytes ([`crate::device_mtu`]).
    pub mtu: u32,
    /// Our MAC address ([`crate::vtep_mac`]).
    pub mac: [u8; 6],
    /// The node's own pod address, as /32 or /128.
    pub address: Option<IpNet>,
}

/// The IPIP device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpipDevice {
    /// Our end: the node's BGP address.
    pub local: Ipv4Addr,
    /// Device MTU in bytes.
    pub mtu: u32,
    /// The node's own pod address, as /32.
    pub address: Option<IpNet>,
}

/// Names one tunnel end of a node: a dual-stack node has two.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteKey {
    /// The node's name.
    pub node: Arc<str>,
    /// The family of the pods and of the underlay.
    pub family: Family,
}

impl RemoteKey {
    /// The end of `node` for `family`.
    pub fn new(node: impl Into<Arc<str>>, family: Family) -> Self {
        Self {
            node: node.into(),
            family,
        }
    }
}

/// A VXLAN tunnel end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote {
    /// Where the outer packets go; its family chooses the device.
    pub endpoint: IpAddr,
    /// The MAC address of the other VTEP.
    pub mac: [u8; 6],
    /// The next hop that routes over the tunnel name ([`crate::vtep_gateway`]).
    pub gateway: IpAddr,
}

/// All that is wanted of this crate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DesiredTunnels {
    /// `rb-vxlan`.
    pub vxlan: Option<VxlanDevice>,
    /// `rb-vxlan6`.
    pub vxlan6: Option<VxlanDevice>,
    /// `rb-ipip`. It needs no remotes: the outer destination is the route's next hop.
    pub ipip: Option<IpipDevice>,
    /// The nodes at the other ends of the VXLAN devices.
    pub remotes: BTreeMap<RemoteKey, Remote>,
    /// Own pod addresses that sit on the loopback, for want of a tunnel.
    pub loopback: Vec<IpNet>,
    /// Whether what is ours and not wanted is removed. False until the first full feed, so that a restart loses nothing.
    pub sweep: bool,
}

impl DesiredTunnels {
    /// The wanted VXLAN devices.
    pub(crate) fn vxlans(&self) -> impl Iterator<Item = (Device, &VxlanDevice)> {
        [(Device::Vxlan, &self.vxlan), (Device::Vxlan6, &self.vxlan6)]
            .into_iter()
            .filter_map(|(device, config)| config.as_ref().map(|config| (device, config)))
    }

    /// Whether `device` is wanted.
    pub(crate) fn wants(&self, device: Device) -> bool {
        match device {
            Device::Vxlan => self.vxlan.is_some(),
            Device::Vxlan6 => self.vxlan6.is_some(),
            Device::Ipip => self.ipip.is_some(),
        }
    }

    /// The own pod address wanted on `device`.
    pub(crate) fn address(&self, device: Device) -> Option<IpNet> {
        match device {
            Device::Vxlan => self.vxlan.as_ref()?.address,
            Device::Vxlan6 => self.vxlan6.as_ref()?.address,
            Device::Ipip => self.ipip.as_ref()?.address,
        }
    }
}
