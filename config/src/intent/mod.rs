//! The intent: what the operator wants of the whole cluster, typed and checked.
//!
//! One value holds everything; a change makes a new one. The agent's plan compiles it for its own node and
//! looks at nothing else. Field names follow the resources (`asNumber` → `as_number`).

mod bfd;
mod filter;
mod ipam;
mod policy;
mod pool;
mod services;
mod session;

pub use bfd::{Bfd, BfdMode};
pub use filter::{
    BgpFilter, Community, FilterAction, FilterOperation, FilterPeerType, FilterRule, MatchOperator,
    PrefixMatch,
};
pub use ipam::{IpReservation, IpamConfiguration};
pub use policy::{LocalAsMode, Multipath, NextHopMode, PeerPolicy, PrefixAdvertisement, RemovePrivateAs};
pub use pool::{AggregateRule, AllowedUses, Assignment, EncapMode, IpPool};
pub use services::ServiceRules;
pub use session::{
    AddPath, AddPathSend, AddressFamilies, MaxPrefixAction, MaxPrefixes, PasswordRef, SessionRole,
    SessionRules,
};

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::selector::Selector;
use crate::vocabulary::{Asn, Labels, MacAddress, NodeName, RouterId};

/// All resources of the cluster, without contradictions among them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Intent {
    /// The `BGPConfiguration` named `default`, or the defaults where there is none.
    pub bgp: BgpConfiguration,
    /// Pools by name; no two overlap.
    pub pools: Vec<IpPool>,
    /// Explicit peerings by name.
    pub peers: Vec<BgpPeer>,
    /// Nodes by name.
    pub nodes: BTreeMap<NodeName, Node>,
    /// Filters of routes by name.
    #[serde(default)]
    pub filters: Vec<BgpFilter>,
    /// Addresses that no pod gets, by name.
    #[serde(default)]
    pub reservations: Vec<IpReservation>,
    /// How blocks are claimed and addresses given out.
    #[serde(default)]
    pub ipam: IpamConfiguration,
}

impl Intent {
    /// The AS number of a node: its own, or the cluster's.
    pub fn as_number_of(&self, node: &Node) -> Asn {
        node.bgp.as_number.unwrap_or(self.bgp.as_number)
    }

    /// The pool that holds this network or address, disabled ones included.
    pub fn pool_of(&self, net: &IpNet) -> Option<&IpPool> {
        self.pools.iter().find(|pool| pool.cidr.contains(net))
    }

    /// The node whose BGP address this is.
    pub fn node_by_address(&self, address: IpAddr) -> Option<&Node> {
        self.nodes
            .values()
            .find(|node| node.bgp.addresses().any(|a| a == address))
    }
}

/// Settings of BGP for the whole cluster (`BGPConfiguration`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpConfiguration {
    /// AS number of every node that has none of its own. Default 64512.
    pub as_number: Asn,
    /// Whether each node peers with each other node. Default true.
    pub node_to_node_mesh: bool,
    /// TCP port on which nodes listen and at which they reach each other. Default 179.
    pub listen_port: u16,
    /// Metric of learned IPv4 routes (`ipv4NormalRoutePriority`); where absent, that of the agent.
    #[serde(default)]
    pub ipv4_route_priority: Option<u32>,
    /// The same for IPv6.
    #[serde(default)]
    pub ipv6_route_priority: Option<u32>,
    /// VNI of the VXLAN devices of all nodes. Default 4096. (ours)
    #[serde(default = "default_vni")]
    pub vxlan_vni: u32,
    /// UDP port of the VXLAN devices of all nodes. Default 4789. (ours)
    #[serde(default = "default_vxlan_port")]
    pub vxlan_port: u16,
    /// Whether learned routes go into the kernel; false makes a pure reflector or route server. Default true. (ours)
    pub install_routes: bool,
    /// The longest wait for the first full feed before routes of an earlier run are swept. Default 60 s. (ours)
    pub feed_deferral: Duration,
    /// Which addresses of Kubernetes' Services are announced.
    #[serde(default)]
    pub services: ServiceRules,
    /// Settings of the sessions of the mesh (`nodeMeshPassword`, `nodeMeshMaxRestartTime`), and, as far as they are timers,
    /// of all others that have none of their own.
    #[serde(default, skip_serializing_if = "SessionRules::is_default")]
    pub session: SessionRules,
    /// How the paths of all sessions are watched. (ours)
    #[serde(default, skip_serializing_if = "Bfd::is_default")]
    pub bfd: Bfd,
    /// Communities that announced routes carry, by range.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefix_advertisements: Vec<PrefixAdvertisement>,
    /// Which equal paths are used together. (ours)
    #[serde(default, skip_serializing_if = "Multipath::is_default")]
    pub multipath: Multipath,
}

/// Calico's VNI.
fn default_vni() -> u32 {
    4096
}

/// The port of RFC 7348 §8, and Calico's.
fn default_vxlan_port() -> u16 {
    4789
}

impl Default for BgpConfiguration {
    fn default() -> Self {
        Self {
            as_number: Asn(64512),
            node_to_node_mesh: true,
            listen_port: 179,
            ipv4_route_priority: None,
            ipv6_route_priority: None,
            vxlan_vni: default_vni(),
            vxlan_port: default_vxlan_port(),
            install_routes: true,
            feed_deferral: Duration::from_secs(60),
            services: ServiceRules::default(),
            session: SessionRules::default(),
            bfd: Bfd::default(),
            prefix_advertisements: Vec::new(),
            multipath: Multipath::default(),
        }
    }
}

/// Which nodes have a peering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerNodes {
    /// This node (`node`).
    Named(NodeName),
    /// The nodes whose labels match (`nodeSelector`); all where neither field is given.
    Selected(Selector),
}

/// Whom they peer with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerRemote {
    /// A router at a fixed address (`peerIP`, `asNumber`).
    Address {
        /// Its address.
        address: IpAddr,
        /// Its TCP port where `peerIP` has one; else 179, or the `listenPort` where the address is a node's.
        port: Option<u16>,
        /// Its AS number.
        as_number: RemoteAs,
    },
    /// Whoever connects from these addresses (`peerIPRange`). (ours)
    Range {
        /// The addresses.
        prefix: IpNet,
        /// How many there may be at the same time.
        limit: u32,
        /// Their AS number.
        as_number: RemoteAs,
    },
    /// Whoever is at the other end of a link (`interface`). (ours)
    Interface {
        /// The node's end of it.
        name: String,
        /// The link-local address of the peer, where it is not to be looked for.
        address: Option<Ipv6Addr>,
        /// Its TCP port, if it is not 179.
        port: Option<u16>,
        /// Its AS number.
        as_number: RemoteAs,
    },
    /// The nodes whose labels match (`peerSelector`), but for the node itself.
    Nodes(Selector),
}

/// The AS number of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RemoteAs {
    /// This one.
    Is(Asn),
    /// Any of one side.
    Any(Side),
}

/// Inside our AS, or outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Any AS but ours.
    External,
    /// Ours.
    Internal,
}

/// The source address of the TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum SourceAddress {
    /// The node's BGP address.
    #[default]
    #[serde(rename = "UseNodeIP")]
    UseNodeIp,
    /// What the kernel chooses.
    None,
    /// This one. (ours)
    Address(IpAddr),
}

/// A peering beyond the mesh (`BGPPeer`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpPeer {
    /// Name of the resource.
    pub name: String,
    /// The near side.
    pub nodes: PeerNodes,
    /// The far side.
    pub remote: PeerRemote,
    /// With [`PeerRemote::Nodes`]: whether the far nodes peer back without a resource of their own
    /// (`reversePeering: Auto`). Default true.
    pub reverse: bool,
    /// Source address of the session.
    pub source_address: SourceAddress,
    /// Wait for the peer to connect. (ours)
    pub passive: bool,
    /// Lifts the default import and export policy for this peer. (ours)
    pub transit: bool,
    /// Names of the filters of its routes, in the order in which they are asked.
    #[serde(default)]
    pub filters: Vec<String>,
    /// How the session behaves.
    #[serde(default, skip_serializing_if = "SessionRules::is_default")]
    pub session: SessionRules,
    /// How the paths of its sessions are watched. (ours)
    #[serde(default, skip_serializing_if = "Bfd::is_default")]
    pub bfd: Bfd,
    /// What is changed on its routes, and which are believed.
    #[serde(default, skip_serializing_if = "PeerPolicy::is_default")]
    pub policy: PeerPolicy,
}

impl BgpPeer {
    /// Whether this peering is one of that node's.
    pub fn selects(&self, node: &Node) -> bool {
        match &self.nodes {
            PeerNodes::Named(name) => *name == node.name,
            PeerNodes::Selected(selector) => selector.matches(&node.labels),
        }
    }

    /// The nodes with which `from` peers through this resource, in either direction; none for a fixed address.
    pub fn remote_nodes<'a>(&'a self, from: &'a Node, intent: &'a Intent) -> impl Iterator<Item = &'a Node> {
        let leads = |near: &Node, far: &Node| match &self.remote {
            PeerRemote::Nodes(selector) => self.selects(near) && selector.matches(&far.labels),
            PeerRemote::Address { .. } | PeerRemote::Range { .. } | PeerRemote::Interface { .. } => false,
        };
        let others = intent.nodes.values().filter(|node| node.name != from.name);
        others.filter(move |node| leads(from, node) || (self.reverse && leads(node, from)))
    }
}

/// BGP identity of a node (`Node.spec.bgp`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeBgp {
    /// IPv4 address of the node, host bits kept; /32 where no prefix length is given.
    pub ipv4_address: Option<Ipv4Net>,
    /// IPv6 address of the node, host bits kept; /128 where no prefix length is given.
    pub ipv6_address: Option<Ipv6Net>,
    /// Its own AS number, where it differs from the cluster's.
    pub as_number: Option<Asn>,
    /// It is a route reflector, and this is its cluster (`routeReflectorClusterID`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<Ipv4Addr>,
}

impl NodeBgp {
    /// The node's BGP addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let v4 = self.ipv4_address.map(|net| IpAddr::V4(net.addr()));
        let v6 = self.ipv6_address.map(|net| IpAddr::V6(net.addr()));
        v4.into_iter().chain(v6)
    }
}

/// One node of the cluster (`Node`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Name of the resource, equal to the agent's `nodeName`.
    pub name: NodeName,
    /// Labels, for selectors.
    pub labels: Labels,
    /// BGP identity; empty where the resource has no `spec.bgp`.
    pub bgp: NodeBgp,
    /// MAC address of its IPv4 VXLAN device; where absent, the rule over the node's name holds.
    pub vxlan_mac: Option<MacAddress>,
    /// The same for IPv6.
    pub vxlan_mac_v6: Option<MacAddress>,
    /// The pod subnets that this node owns as given (ours). With `kind: file` that is all it has; with etcd and
    /// Kubernetes blocks are claimed where none is given.
    pub pod_cidrs: Vec<IpNet>,
}

impl Node {
    /// The BGP identifier: the IPv4 address, or a hash of the name on a node that has none.
    pub fn router_id(&self) -> RouterId {
        if let Some(net) = self.bgp.ipv4_address {
            return RouterId(net.addr());
        }
        // FNV-1a, 32 bits. The first octet is kept within 1 to 223: some routers refuse an identifier that
        // could not be a unicast address.
        let fnv = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
        let [a, b, c, d] = self.name.as_str().bytes().fold(2_166_136_261, fnv).to_be_bytes();
        RouterId(Ipv4Addr::new(a % 223 + 1, b, c, d))
    }
}
