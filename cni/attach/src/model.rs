//! What is asked for, what is answered, and the gateways of every pod.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use ipnet::IpNet;

/// The gateway of every pod in IPv4. No interface has this address; the pod has a permanent neighbour for it.
pub const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// The gateway of every pod in IPv6: an address of the node's end of each pair.
pub const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// The gateway for the family of an address.
pub fn gateway(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => GATEWAY_V4.into(),
        IpAddr::V6(_) => GATEWAY_V6.into(),
    }
}

/// A hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// One interface of one pod, as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodLink {
    /// Path of the pod's network namespace.
    pub netns: PathBuf,
    /// Name inside the pod.
    pub ifname: String,
    /// Name on the node, from [`host_ifname`](crate::host_ifname).
    pub host_ifname: String,
    /// The pod's addresses; each becomes a host prefix.
    pub addresses: Vec<IpAddr>,
    /// MTU of both ends, in bytes.
    pub mtu: u32,
    /// Hardware address inside the pod; `None`: derived from the name on the node.
    pub mac: Option<Mac>,
    /// Whether the pod's default route goes through this interface.
    pub default_route: DefaultRoute,
    /// Further destinations through this interface, by the gateway of their family.
    pub routes: Vec<IpNet>,
    /// Sysctls of the pod's namespace with dots, `net.` only; `IFNAME` stands for the interface.
    pub sysctls: BTreeMap<String, String>,
}

/// Whether the pod's default route goes through an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DefaultRoute {
    /// Unless the pod has one through another interface.
    #[default]
    IfFree,
    /// It does; a pod that has another is an error.
    Yes,
    /// It does not.
    No,
}

/// One thing about a pod's link that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// What it is about.
    pub what: String,
    /// What it has to be.
    pub expected: String,
    /// What it is; `None`: it is not there.
    pub found: Option<String>,
}

/// What is there after [`add`](crate::add).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// Hardware address of the node's end.
    pub host_mac: Mac,
    /// Hardware address of the pod's end.
    pub pod_mac: Mac,
    /// Interface index of the node's end.
    pub host_index: u32,
    /// The routes inside the pod through this interface: destination, gateway.
    pub routes: Vec<(IpNet, Option<IpAddr>)>,
}
