//! `BGPConfiguration` and `BGPPeer`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
            "rule": "(has(self.peerIP) && self.peerIP != '') != (has(self.peerSelector) && self.peerSelector != '')",
            "message": "set one of peerIP and peerSelector",
        },
        {
            "rule": "!has(self.peerIP) || self.peerIP == '' || has(self.asNumber)",
            "message": "asNumber is required with peerIP",
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
    /// AS number of the peer. Required with `peerIP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_number: Option<AsNumber>,
    /// Nodes to peer with, in place of `peerIP` and `asNumber`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub peer_selector: Option<String>,
    /// With `peerSelector`: `Auto` (default) also peers back, `Manual` does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverse_peering: Option<Reverse>,
    /// `UseNodeIP` (default): from the node's BGP address. `None`: what the kernel chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_address: Option<Source>,
    /// Wait for the peer to connect. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passive: Option<bool>,
    /// Lift the default policy: pass on to and accept from this peer what eBGP taught. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transit: Option<bool>,
}

/// Whether the nodes of a `peerSelector` peer back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Reverse {
    /// They do.
    Auto,
    /// They do where a BGPPeer of their own says so.
    Manual,
}

/// The source address of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Source {
    /// The BGP address of the node.
    UseNodeIP,
    /// What the kernel chooses.
    None,
}
