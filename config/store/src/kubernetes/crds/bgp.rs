//! `BGPConfiguration` and `BGPPeer`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bfd::{Bfd, FailureDetection};
use super::policy::{CommunityName, LocalAsMode, Multipath, NextHop, PrefixAdvertisement, RemovePrivate};
use super::session::{AddPath, MaxPrefixes, Password, RestartMode, Role};
use super::shared::{AsNumber, Status};

/// Settings of BGP for the whole cluster; the one that is read is named `default`.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "roadbed.dev",
    version = "v1",
    kind = "BGPConfiguration",
    doc = "Settings of BGP for the whole cluster; the one that is read is named `default`.",
    plural = "bgpconfigurations",
    singular = "bgpconfiguration",
    shortname = "bgpconf",
    category = "roadbed",
    status = "Status",
    printcolumn(name = "AS", type_ = "string", json_path = ".spec.asNumber"),
    printcolumn(name = "Mesh", type_ = "boolean", json_path = ".spec.nodeToNodeMeshEnabled"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct BgpConfigurationSpec {
    /// AS number of every node that has none of its own, `64512` or `1.10`. Default 64512.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_number: Option<AsNumber>,
    /// Whether every node peers with every other. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_to_node_mesh_enabled: Option<bool>,
    /// TCP port of BGP on the nodes. Default 179.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub listen_port: Option<i32>,
    /// Ranges of ClusterIPs: every node announces each as a whole.
    #[serde(rename = "serviceClusterIPs", default, skip_serializing_if = "Vec::is_empty")]
    pub service_cluster_ips: Vec<ServiceRange>,
    /// Ranges of `spec.externalIPs` of Services: only those inside are announced.
    #[serde(rename = "serviceExternalIPs", default, skip_serializing_if = "Vec::is_empty")]
    pub service_external_ips: Vec<ServiceRange>,
    /// Ranges of load balancers' addresses: only those inside are announced.
    #[serde(
        rename = "serviceLoadBalancerIPs",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub service_load_balancer_ips: Vec<ServiceRange>,
    /// `Enabled` (default): every node announces each range of load balancers as a whole. `Disabled`: each address of a
    /// Service by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_load_balancer_aggregation: Option<Aggregation>,
    /// Metric of learned IPv4 routes in the kernel. Default 1082.
    #[serde(rename = "ipv4NormalRoutePriority", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_646))]
    pub ipv4_normal_route_priority: Option<i32>,
    /// Metric of learned IPv6 routes in the kernel. Default 1082.
    #[serde(rename = "ipv6NormalRoutePriority", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_646))]
    pub ipv6_normal_route_priority: Option<i32>,
    /// Names for communities, for `prefixAdvertisements`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<CommunityName>,
    /// Communities of the routes that nodes originate, by range.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefix_advertisements: Vec<PrefixAdvertisement>,
    /// Which equal paths are used together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multipath: Option<Multipath>,
    /// VNI of the VXLAN devices, the same on all nodes. Default 4096.
    #[serde(rename = "vxlanVNI", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16_777_215))]
    pub vxlan_vni: Option<i32>,
    /// UDP port of the VXLAN devices, the same on all nodes. Default 4789.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub vxlan_port: Option<i32>,
    /// false keeps learned routes out of the kernel: a pure route server. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install_routes: Option<bool>,
    /// The longest wait for the first full feed before routes of an earlier run are swept, up to 1h. Default 60s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed_deferral_time: Option<String>,
    /// Where the TCP MD5 password of the mesh is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_mesh_password: Option<Password>,
    /// How long nodes keep each other's routes while one restarts. Default 120s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_mesh_max_restart_time: Option<String>,
    /// Hold time of every session whose BGPPeer has none. Default 90s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_time: Option<String>,
    /// Pause between attempts to connect, of every session whose BGPPeer has none. Default 5s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_retry_time: Option<String>,
    /// How the paths of all sessions are watched with BFD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bfd: Option<Bfd>,
}

/// A range of addresses of Services.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ServiceRange {
    /// The range, such as `10.96.0.0/12`; a /32 or /128 is one address.
    #[schemars(length(max = 64), regex(pattern = "^[0-9A-Fa-f.:]+/[0-9]{1,3}$"))]
    pub cidr: String,
}

/// How ranges of load balancers are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Aggregation {
    /// As a whole.
    Enabled,
    /// Address by address.
    Disabled,
}

/// A peering beyond the mesh.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "roadbed.dev",
    version = "v1",
    kind = "BGPPeer",
    doc = "A peering beyond the mesh.",
    plural = "bgppeers",
    singular = "bgppeer",
    shortname = "peer",
    category = "roadbed",
    status = "Status",
    printcolumn(name = "Peer", type_ = "string", json_path = ".spec.peerIP"),
    printcolumn(
        name = "Range",
        type_ = "string",
        json_path = ".spec.peerIPRange",
        priority = 1
    ),
    printcolumn(name = "Interface", type_ = "string", json_path = ".spec.interface"),
    printcolumn(name = "AS", type_ = "string", json_path = ".spec.asNumber"),
    printcolumn(name = "Node", type_ = "string", json_path = ".spec.node"),
    printcolumn(name = "Nodes", type_ = "string", json_path = ".spec.nodeSelector"),
    printcolumn(name = "Peers", type_ = "string", json_path = ".spec.peerSelector"),
    printcolumn(
        name = "Passive",
        type_ = "boolean",
        json_path = ".spec.passive",
        priority = 1
    ),
    printcolumn(
        name = "Transit",
        type_ = "boolean",
        json_path = ".spec.transit",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend(
    "x-kubernetes-preserve-unknown-fields" = true,
    "x-kubernetes-validations" = [
        {
            "rule": "!(has(self.node) && self.node != '' && has(self.nodeSelector) && self.nodeSelector != '')",
            "message": "node and nodeSelector are both set: remove one of them",
        },
        {
            "rule": "[has(self.peerIP) && self.peerIP != '' && !(has(self.interface) && self.interface != ''), has(self.peerSelector) && self.peerSelector != '', has(self.peerIPRange) && self.peerIPRange != '', has(self.interface) && self.interface != ''].filter(x, x).size() == 1",
            "message": "set one of peerIP, peerIPRange, interface and peerSelector",
        },
        {
            "rule": "has(self.asNumber) || !((has(self.peerIP) && self.peerIP != '') || (has(self.peerIPRange) && self.peerIPRange != '') || (has(self.interface) && self.interface != ''))",
            "message": "asNumber is required with peerIP, peerIPRange and interface",
        },
        {
            "rule": "!has(self.ebgpMultihop) || !has(self.ttlSecurity) || self.ttlSecurity == 0",
            "message": "ebgpMultihop does not go together with ttlSecurity",
        },
        {
            "rule": "!has(self.bfd) || !has(self.failureDetectionMode)",
            "message": "failureDetectionMode does not go together with bfd: remove it",
        },
    ],
))]
pub struct BgpPeerSpec {
    /// Name of the one node that has this peering. Not together with `nodeSelector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub node: Option<String>,
    /// Nodes that have this peering. Default, without `node`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub node_selector: Option<String>,
    /// Address of the peer, with a port if it is not 179.
    #[serde(rename = "peerIP", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub peer_ip: Option<String>,
    /// AS number of the peer, `external` or `internal`. Required, but with `peerSelector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_number: Option<AsNumber>,
    /// Network whose hosts may connect, in place of `peerIP`.
    #[serde(rename = "peerIPRange", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub peer_ip_range: Option<String>,
    /// With `peerIPRange`: how many there may be at the same time. Default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_peers: Option<i32>,
    /// The node's interface at whose other end the peer is, in place of `peerIP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 15))]
    pub interface: Option<String>,
    /// With `interface`: TCP port of the peer. Default 179.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub peer_port: Option<i32>,
    /// Nodes to peer with, in place of `peerIP` and `asNumber`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub peer_selector: Option<String>,
    /// With `peerSelector`: `Auto` (default) also peers back, `Manual` does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverse_peering: Option<Reverse>,
    /// `UseNodeIP` (default): from the node's BGP address. `None`: what the kernel chooses. Else an address of the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub source_address: Option<String>,
    /// Names of BGPFilters, asked in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub filters: Vec<String>,
    /// Our AS number towards this peer, in place of the node's.
    #[serde(rename = "localASNumber", skip_serializing_if = "Option::is_none")]
    pub local_as_number: Option<AsNumber>,
    /// With `localASNumber`: how it shows in AS paths. Default `ReplaceAS`.
    #[serde(rename = "localASMode", skip_serializing_if = "Option::is_none")]
    pub local_as_mode: Option<LocalAsMode>,
    /// How often our AS number may be in an AS path that the peer sends. Default 0.
    #[serde(rename = "numAllowedLocalASNumbers", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 255))]
    pub num_allowed_local_as_numbers: Option<i32>,
    /// What the peer is told as the next hop. Default `Auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_hop_mode: Option<NextHop>,
    /// true is `nextHopMode: Keep` towards eBGP peers. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_original_next_hop: Option<bool>,
    /// Replace the peer's AS number by ours in what it is told. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_override: Option<bool>,
    /// What becomes of private AS numbers in what an eBGP peer is told. Default `Never`.
    #[serde(rename = "removePrivateAS", skip_serializing_if = "Option::is_none")]
    pub remove_private_as: Option<RemovePrivate>,
    /// Refuse routes of an eBGP peer whose AS path does not begin with its AS number. Default true.
    #[serde(rename = "enforceFirstAS", skip_serializing_if = "Option::is_none")]
    pub enforce_first_as: Option<bool>,
    /// Routes with the community graceful-shutdown are the last resort. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub honor_graceful_shutdown: Option<bool>,
    /// Wait for the peer to connect. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passive: Option<bool>,
    /// Lift the default policy: pass on to and accept from this peer what eBGP taught. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transit: Option<bool>,
    /// Where the TCP MD5 password of the session is kept. Without it the session does not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
    /// The peer is at most this many hops away (RFC 5082). Default 0: not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 254))]
    pub ttl_security: Option<i32>,
    /// An eBGP peer is at most this many hops away: the TTL of our packets. Default 255, with `interface` 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 255))]
    pub ebgp_multihop: Option<i32>,
    /// Which routes are exchanged. Default both families.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub address_families: Vec<RouteFamily>,
    /// Whether IPv4 routes may have IPv6 next hops (RFC 8950). Default true with `interface`, else false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_next_hop: Option<bool>,
    /// Hold time that we propose. Default 90s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_time: Option<String>,
    /// The shortest hold time that the peer may propose. Default 3s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_hold_time: Option<String>,
    /// Pause between our keepalives. Default: a third of the hold time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keepalive_time: Option<String>,
    /// Pause between attempts to connect. Default 5s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_retry_time: Option<String>,
    /// Least time between two advertisements to the peer. Default 0s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertisement_interval: Option<String>,
    /// How long the peer may keep our routes while we restart. Default 120s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_restart_time: Option<String>,
    /// What becomes of stale routes when the restart time is over. Default: they go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_mode: Option<RestartMode>,
    /// A NOTIFICATION and the end of the hold time count as a restart too, where the peer says the same. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_on_notification: Option<bool>,
    /// How long routes of the peer are kept while it restarts, whatever it asks for. Default 10m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_stale_time: Option<String>,
    /// With `restartMode: LongLivedGracefulRestart`: how long they stay. Default 24h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long_lived_stale_time: Option<String>,
    /// How many prefixes the peer may announce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_prefixes: Option<MaxPrefixes>,
    /// Several paths for each prefix (RFC 7911).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_path: Option<AddPath>,
    /// Our role towards an eBGP peer (RFC 9234).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Refuse a peer that does not say its role. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_role: Option<bool>,
    /// How the paths of its sessions are watched with BFD. What is absent is as BGPConfiguration has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bfd: Option<Bfd>,
    /// Calico Enterprise's: `None`, or `BFDIfDirectlyConnected`. Not together with `bfd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_detection_mode: Option<FailureDetection>,
}

/// Whether the nodes of a `peerSelector` peer back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Reverse {
    /// They do.
    Auto,
    /// They do where a BGPPeer of their own says so.
    Manual,
}

/// A family of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RouteFamily {
    /// IPv4 unicast.
    IPv4,
    /// IPv6 unicast.
    IPv6,
}
