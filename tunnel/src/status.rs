//! What the owner task tells the rest of the agent.

use std::net::IpAddr;
use std::time::SystemTime;

/// A tunnel device as it is in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceStatus {
    /// `rb-vxlan`, `rb-vxlan6` or `rb-ipip`.
    pub name: String,
    /// MTU in bytes.
    pub mtu: u32,
    /// The VNI, for VXLAN.
    pub vni: Option<u32>,
    /// The UDP port, for VXLAN.
    pub port: Option<u16>,
    /// Our end.
    pub local: Option<IpAddr>,
    /// Our MAC address, for VXLAN.
    pub mac: Option<[u8; 6]>,
    /// Whether the link is administratively up.
    pub up: bool,
    /// Remotes of this device whose forwarding entry and neighbour are in the kernel. IPIP needs none.
    pub remotes: usize,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusError {
    /// What, and what to do about it.
    pub what: String,
    /// Since when.
    pub since: SystemTime,
}

/// The state of the tunnels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TunnelStatus {
    /// Our devices.
    pub devices: Vec<DeviceStatus>,
    /// Remotes for which the forwarding entry and the neighbour are in the kernel.
    pub remotes: usize,
    /// Remotes wanted, those left out because their device is not wanted not counted.
    pub remotes_wanted: usize,
    /// What is wrong now.
    pub errors: Vec<StatusError>,
    /// The newest generation of the desired state that the kernel was brought to, without an error. 0: none yet.
    pub in_sync_with: u64,
    /// The newest generation that was tried.
    pub tried: u64,
    /// Operations made to undo changes by others.
    pub repaired: u64,
}
