//! `Node`: what Kubernetes does not know about a node.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{AsNumber, Status};

/// What Kubernetes does not know about the node of the same name; its fields win over those of Kubernetes' Node.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "roadbed.dev",
    version = "v1",
    kind = "Node",
    doc = "What Kubernetes does not know about the node of the same name; its fields win over those of Kubernetes' Node.",
    plural = "nodes",
    singular = "node",
    category = "roadbed",
    status = "Status",
    printcolumn(name = "IPv4", type_ = "string", json_path = ".spec.bgp.ipv4Address"),
    printcolumn(name = "IPv6", type_ = "string", json_path = ".spec.bgp.ipv6Address"),
    printcolumn(name = "AS", type_ = "string", json_path = ".spec.bgp.asNumber"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct NodeSpec {
    /// BGP identity of the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bgp: Option<NodeBgp>,
    /// MAC address of its IPv4 VXLAN device. Default: made of the node's name.
    #[serde(rename = "vxlanTunnelMACAddr", skip_serializing_if = "Option::is_none")]
    pub vxlan_tunnel_mac_addr: Option<String>,
    /// The same for IPv6.
    #[serde(rename = "vxlanTunnelMACAddrV6", skip_serializing_if = "Option::is_none")]
    pub vxlan_tunnel_mac_addr_v6: Option<String>,
    /// Pod subnets that the node owns as given, inside pools; `[]` where those of Kubernetes are not to be used.
    #[serde(rename = "podCIDRs", skip_serializing_if = "Option::is_none")]
    pub pod_cidrs: Option<Vec<String>>,
}

/// BGP identity of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct NodeBgp {
    /// Its IPv4 address, with or without a prefix length. Default: the InternalIP of Kubernetes' Node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4_address: Option<String>,
    /// Its IPv6 address, with or without a prefix length. Default: the InternalIP of Kubernetes' Node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_address: Option<String>,
    /// Its own AS number. Default: that of the BGPConfiguration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_number: Option<AsNumber>,
    /// Makes the node a route reflector of this cluster, written as an IPv4 address.
    #[serde(rename = "routeReflectorClusterID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 15))]
    pub route_reflector_cluster_id: Option<String>,
}
