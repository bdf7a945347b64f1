//! `IPPool`, `IPReservation` and `IPAMConfiguration`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{Encapsulation, Status};

/// A range of pod addresses and how it is carried.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "roadbed.dev",
    version = "v1",
    kind = "IPPool",
    doc = "A range of pod addresses and how it is carried.",
    plural = "ippools",
    singular = "ippool",
    shortname = "pool",
    category = "roadbed",
    status = "Status",
    printcolumn(name = "CIDR", type_ = "string", json_path = ".spec.cidr"),
    printcolumn(name = "Block", type_ = "integer", json_path = ".spec.blockSize"),
    printcolumn(name = "VXLAN", type_ = "string", json_path = ".spec.vxlanMode"),
    printcolumn(name = "IPIP", type_ = "string", json_path = ".spec.ipipMode"),
    printcolumn(name = "Disabled", type_ = "boolean", json_path = ".spec.disabled"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend(
    "x-kubernetes-preserve-unknown-fields" = true,
    "x-kubernetes-validations" = [
        {
            "rule": "!has(self.blockSize) || (self.cidr.contains(':') ? self.blockSize >= 116 && self.blockSize <= 128 : self.blockSize >= 20 && self.blockSize <= 32)",
            "message": "blockSize is 20 to 32, IPv6 116 to 128",
        },
        {
            "rule": "!has(self.blockSize) || !self.cidr.matches('^[0-9A-Fa-f.:]+/[0-9]{1,3}$') || int(self.cidr.split('/')[1]) <= self.blockSize",
            "message": "a block of this size does not fit into cidr",
        },
        {
            "rule": "!(has(self.ipipMode) && self.ipipMode != 'Never' && has(self.vxlanMode) && self.vxlanMode != 'Never')",
            "message": "ipipMode and vxlanMode are both on: set one of them to Never",
        },
        {
            "rule": "!(has(self.ipipMode) && self.ipipMode != 'Never' && self.cidr.contains(':'))",
            "message": "IPIP carries IPv4 only: use vxlanMode",
        },
    ],
))]
pub struct IpPoolSpec {
    /// The range, host bits zero; pools do not overlap.
    #[schemars(length(max = 64))]
    pub cidr: String,
    /// Prefix length of the nodes' blocks: 20 to 32 (default 26), IPv6 116 to 128 (default 122).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 20, max = 128))]
    pub block_size: Option<i32>,
    /// VXLAN tunnels. Default `Never`. Not together with `ipipMode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vxlan_mode: Option<Encapsulation>,
    /// IPIP tunnels. Default `Never`; IPv4 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipip_mode: Option<Encapsulation>,
    /// No new addresses from this pool. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Nodes that may take addresses from this pool. Default `all()`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<String>,
    /// Namespaces whose pods may get addresses from this pool. Default `all()`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<String>,
    /// `Automatic` (default), or `Manual`: only for pods that name the pool or an address of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignment_mode: Option<Assignment>,
    /// What its addresses are for. Default `Workload` and `Tunnel`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_uses: Vec<Use>,
    /// true: blocks and addresses of this pool are not announced to any peer. Default false.
    #[serde(rename = "disableBGPExport", skip_serializing_if = "Option::is_none")]
    pub disable_bgp_export: Option<bool>,
    /// true: packets of its pods that leave all pools have the node's address as source. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat_outgoing: Option<bool>,
    /// Blocks of nodes with the same label value come from one range. Needs a datastore with transactions (etcd).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
}

/// Who gets addresses of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Assignment {
    /// Every pod.
    Automatic,
    /// Pods that ask for it.
    Manual,
}

/// A use of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Use {
    /// Pods.
    Workload,
    /// Tunnel devices.
    Tunnel,
    /// Services: accepted, and without effect.
    LoadBalancer,
}

/// Ranges for nodes with the same label value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Aggregate {
    /// The label of the nodes, such as `rack`.
    pub node_label: String,
    /// Prefix length of the ranges: from that of the pool to `blockSize`.
    #[schemars(range(min = 0, max = 128))]
    pub prefix_length: i32,
}

/// Addresses that no pod gets.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "roadbed.dev",
    version = "v1",
    kind = "IPReservation",
    doc = "Addresses that no pod gets.",
    plural = "ipreservations",
    singular = "ipreservation",
    category = "roadbed",
    status = "Status",
    printcolumn(name = "CIDRs", type_ = "string", json_path = ".spec.reservedCIDRs"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct IpReservationSpec {
    /// Ranges and single addresses that no pod gets. Pods that have one already keep it.
    #[serde(rename = "reservedCIDRs", default, skip_serializing_if = "Vec::is_empty")]
    pub reserved_cidrs: Vec<String>,
}

/// How blocks are claimed and addresses given out; the one that is read is named `default`.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "roadbed.dev",
    version = "v1",
    kind = "IPAMConfiguration",
    doc = "How blocks are claimed and addresses given out; the one that is read is named `default`.",
    plural = "ipamconfigurations",
    singular = "ipamconfiguration",
    category = "roadbed",
    status = "Status",
    printcolumn(name = "Strict", type_ = "boolean", json_path = ".spec.strictAffinity"),
    printcolumn(name = "Blocks", type_ = "integer", json_path = ".spec.maxBlocksPerHost"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend(
    "x-kubernetes-preserve-unknown-fields" = true,
    "x-kubernetes-validations" = [
        {
            "rule": "!(has(self.autoAllocateBlocks) && !self.autoAllocateBlocks && has(self.strictAffinity) && !self.strictAffinity)",
            "message": "autoAllocateBlocks: false goes with strictAffinity: true only",
        },
    ],
))]
pub struct IpamConfigurationSpec {
    /// Whether a node gives out addresses of its own blocks only. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_affinity: Option<bool>,
    /// The most blocks of each family that a node may own; 0 (default) for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub max_blocks_per_host: Option<i32>,
    /// Whether nodes claim blocks by themselves. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_allocate_blocks: Option<bool>,
    /// How long a block stays empty before it is given back, 0s to 24h. Default 10m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_block_linger: Option<String>,
    /// How long a node has to be gone before its blocks go to others, 30s to 24h. Default 5m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_node_grace: Option<String>,
    /// How long a released address rests before another pod gets it, 0s to 24h. Default 60s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_cool_down: Option<String>,
}
