//! What stands in the way of a desired state, found before the kernel is asked: texts for the operator.

use std::fmt;
use std::net::IpAddr;

use crate::family::Family;
use crate::mac::ShowMac;
use crate::model::Device;

/// A part of the desired state that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Another program's VXLAN link has our VNI and port.
    VxlanTaken {
        /// Ours.
        device: Device,
        /// The other's name.
        by: String,
        /// VNI.
        vni: u32,
        /// UDP port.
        port: u16,
        /// Underlay family.
        family: Family,
        /// Whether the other link takes all VNIs of the port.
        external: bool,
    },
    /// Another program's IPIP link has our local end and no remote.
    IpipTaken {
        /// The other's name.
        by: String,
        /// Our end.
        local: IpAddr,
    },
    /// The local end is not of the device's family.
    WrongFamily {
        /// Ours.
        device: Device,
        /// The address that does not fit.
        local: IpAddr,
    },
    /// Two remotes have one MAC address or one gateway.
    SameKey {
        /// Ours.
        device: Device,
        /// The node that is served.
        first: String,
        /// The node that is not.
        second: String,
        /// What they share.
        shared: Shared,
    },
}

/// What two remotes have in common and must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// The VTEP's MAC address.
    Mac([u8; 6]),
    /// The neighbour address.
    Gateway(IpAddr),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VxlanTaken {
                device,
                by,
                vni,
                port,
                family,
                external: false,
            } => write!(
                f,
                "cannot make {device}: the VXLAN link {by} of another program already has VNI {vni} on UDP port {port} \
                 over {family}; remove {by}, or give Roadbed another VNI or port"
            ),
            Self::VxlanTaken {
                device,
                by,
                port,
                family,
                external: true,
                ..
            } => write!(
                f,
                "cannot make {device}: the VXLAN link {by} of another program takes every VNI on UDP port {port} over \
                 {family} (external); remove {by}, or give Roadbed another port"
            ),
            Self::IpipTaken { by, local } => write!(
                f,
                "cannot make rb-ipip: the IPIP link {by} of another program already has the local address {local} and \
                 no remote; remove {by}"
            ),
            Self::WrongFamily { device, local } => {
                write!(
                    f,
                    "cannot make {device}: its local address {local} is not of the device's family"
                )
            }
            Self::SameKey {
                device,
                first,
                second,
                shared: Shared::Mac(mac),
            } => write!(
                f,
                "{device}: nodes {first} and {second} have the same VXLAN MAC address {}; {second} is left out: \
                 give it another vxlanTunnelMACAddr",
                ShowMac(*mac)
            ),
            Self::SameKey {
                device,
                first,
                second,
                shared: Shared::Gateway(address),
            } => write!(
                f,
                "{device}: nodes {first} and {second} have the same address {address}; {second} is left out: correct \
                 the Node's spec.bgp"
            ),
        }
    }
}
