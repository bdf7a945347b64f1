//! What the intent means for one node: the values that [`super::compile`] makes and the decisions read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgpd_proto::rib::Originated;
use bgpd_proto::speaker::SpeakerConfig;
use config::intent::{PasswordRef, PrefixAdvertisement};
use config::vocabulary::NodeName;
use ipnet::IpNet;
use tunnel::{Mode, PoolModes};

/// Everything that one node is to do, as far as the resources alone tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// This node.
    pub node: OwnNode,
    /// TCP port of our listener.
    pub listen_port: u16,
    /// Learned routes go into the kernel (`false`: a pure reflector or route server).
    pub install_routes: bool,
    /// The BGP speaker, complete.
    pub speaker: SpeakerConfig,
    /// Where passwords of sessions are to be read.
    pub passwords: BTreeSet<PasswordRef>,
    /// What this node originates.
    pub originated: BTreeMap<IpNet, Originated>,
    /// Filters of peers ask which interface a route leaves by.
    pub asks_for_interfaces: bool,
    /// The metrics that filters of peers give to routes.
    pub priorities: BTreeSet<u32>,
    /// Communities of what this node originates, by range.
    pub advertisements: Vec<PrefixAdvertisement>,
    /// The pod blocks that this node announces, in the order of their taking.
    pub blocks: Vec<OwnBlock>,
    /// The pools, the longest prefix first.
    pub pools: Vec<Pool>,
    /// Every other node that has an address.
    pub remotes: Vec<RemoteNode>,
    /// Ranges of addresses of Kubernetes' Services.
    pub service_ranges: Vec<IpNet>,
    /// Metric of learned IPv4 routes, where the resources say one.
    pub route_metric_v4: Option<u32>,
    /// The same for IPv6.
    pub route_metric_v6: Option<u32>,
    /// How VXLAN is told from other VXLAN; the same on all nodes.
    pub vxlan: Vxlan,
}

/// What VXLAN packets carry (RFC 7348).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vxlan {
    /// The network identifier (24 bits).
    pub vni: u32,
    /// The UDP destination port.
    pub port: u16,
}

/// This node's own addresses.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnNode {
    /// Its name.
    pub name: NodeName,
    /// BGP address, IPv4.
    pub v4: Option<Ipv4Addr>,
    /// BGP address, IPv6.
    pub v6: Option<Ipv6Addr>,
    /// MAC of its IPv4 VTEP.
    pub vtep_mac: [u8; 6],
    /// MAC of its IPv6 VTEP.
    pub vtep_mac6: [u8; 6],
}

impl OwnNode {
    /// The BGP address of one family.
    pub fn address(&self, v4: bool) -> Option<IpAddr> {
        if v4 {
            self.v4.map(IpAddr::V4)
        } else {
            self.v6.map(IpAddr::V6)
        }
    }
}

/// A pod block of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnBlock {
    /// The block.
    pub cidr: IpNet,
    /// The pool that it lies in.
    pub pool: Option<String>,
}

/// An address pool.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub cidr: IpNet,
    /// How its pods are reached.
    pub modes: PoolModes,
    /// Its blocks are announced.
    pub exported: bool,
    /// What its pods send out of all pools leaves with an address of the node.
    pub nat_outgoing: bool,
}

impl Pool {
    /// Nodes are reached directly where a probe proves that it works.
    pub fn is_auto(&self) -> bool {
        [self.modes.vxlan, self.modes.ipip].contains(&Mode::Auto)
    }
}

/// Another node of the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteNode {
    /// Its name.
    pub name: NodeName,
    /// BGP address, IPv4.
    pub v4: Option<Ipv4Addr>,
    /// BGP address, IPv6.
    pub v6: Option<Ipv6Addr>,
    /// MAC of its IPv4 VTEP.
    pub vtep_mac: [u8; 6],
    /// MAC of its IPv6 VTEP.
    pub vtep_mac6: [u8; 6],
    /// Its pod blocks: those that its resource lists, and those that it claimed.
    pub blocks: Vec<IpNet>,
}

impl RemoteNode {
    /// The BGP address of one family.
    pub fn address(&self, v4: bool) -> Option<IpAddr> {
        if v4 {
            self.v4.map(IpAddr::V4)
        } else {
            self.v6.map(IpAddr::V6)
        }
    }

    /// The VTEP MAC of one family of the underlay.
    pub fn mac(&self, v4: bool) -> [u8; 6] {
        if v4 { self.vtep_mac } else { self.vtep_mac6 }
    }
}

impl Plan {
    /// A route that this node originates.
    pub fn originated(&self, prefix: &IpNet) -> Originated {
        super::policy::originated(&self.advertisements, prefix)
    }

    /// The pool that a prefix lies in.
    pub fn pool_of(&self, prefix: &IpNet) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.cidr.contains(prefix))
    }

    /// Whether a prefix of this node is announced, as far as its pool tells.
    pub fn exports(&self, prefix: &IpNet) -> bool {
        self.pool_of(prefix).is_none_or(|pool| pool.exported)
    }

    /// Whether a prefix lies in a range of Services.
    pub fn is_of_services(&self, prefix: &IpNet) -> bool {
        self.service_ranges.iter().any(|range| range.contains(prefix))
    }

    /// The node with this BGP address.
    pub fn remote_at(&self, address: IpAddr) -> Option<&RemoteNode> {
        self.remotes
            .iter()
            .find(|n| n.address(address.is_ipv4()) == Some(address))
    }
}
