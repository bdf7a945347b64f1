//! `BGPNodeStatus`: what each agent says of BGP on its node. It is made by the agent, and has no wishes in it.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the agent of the node of this name says of BGP there. Written by agents only.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "roadbed.dev",
    version = "v1",
    kind = "BGPNodeStatus",
    doc = "What the agent of the node of this name says of BGP there. Written by agents only.",
    plural = "bgpnodestatuses",
    singular = "bgpnodestatus",
    shortname = "bgpstat",
    category = "roadbed",
    status = "BgpNodeReport",
    printcolumn(name = "AS", type_ = "integer", json_path = ".status.asn"),
    printcolumn(name = "Established", type_ = "string", json_path = ".status.sessions"),
    printcolumn(name = "Routes", type_ = "integer", json_path = ".status.routes.installed"),
    printcolumn(name = "Ready", type_ = "boolean", json_path = ".status.ready"),
    printcolumn(
        name = "Router ID",
        type_ = "string",
        json_path = ".status.routerID",
        priority = 1
    ),
    printcolumn(
        name = "Version",
        type_ = "string",
        json_path = ".status.agentVersion",
        priority = 1
    ),
    printcolumn(name = "Updated", type_ = "date", json_path = ".status.lastUpdated"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct BgpNodeStatusSpec {}

/// BGP on a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct BgpNodeReport {
    /// When something in here changed last.
    #[schemars(extend("format" = "date-time"))]
    pub last_updated: Option<String>,
    /// Version of the agent.
    pub agent_version: Option<String>,
    /// AS number of the node; 0 before there is a configuration.
    pub asn: Option<i64>,
    /// BGP identifier of the node.
    #[serde(rename = "routerID")]
    pub router_id: Option<String>,
    /// Whether the node is ready.
    pub ready: Option<bool>,
    /// Established sessions and all that there should be, as `3/4`.
    pub sessions: Option<String>,
    /// The named conditions of which readiness is made.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ReportedCondition>,
    /// The sessions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<ReportedPeer>,
    /// How many routes there are.
    pub routes: Option<ReportedRoutes>,
    /// Blocks of pod addresses that the node owns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<String>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ReportedCondition {
    /// Its name.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: ConditionStatus,
    /// Why, in one word.
    pub reason: Option<String>,
    /// Why, in words.
    pub message: Option<String>,
}

/// Whether a condition is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It is.
    True,
    /// It is not.
    False,
    /// Nobody knows.
    Unknown,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ReportedPeer {
    /// The resource that it comes from.
    pub name: Option<String>,
    /// Address of the peer.
    pub address: String,
    /// AS number of the peer.
    pub asn: Option<i64>,
    /// `internal` or `external`.
    pub r#type: Option<String>,
    /// State of the session (RFC 4271, section 8).
    pub state: Option<String>,
    /// Since when it is in that state.
    #[schemars(extend("format" = "date-time"))]
    pub since: Option<String>,
    /// Why it is not established.
    pub reason: Option<String>,
    /// Routes received from the peer.
    pub received: Option<i64>,
    /// Routes advertised to the peer.
    pub advertised: Option<i64>,
}

/// How many routes there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ReportedRoutes {
    /// Prefixes in the Loc-RIB.
    #[serde(rename = "locRIB")]
    pub loc_rib: Option<i64>,
    /// Routes that the kernel should have.
    pub wanted: Option<i64>,
    /// Routes that it has.
    pub installed: Option<i64>,
    /// Routes that it refused.
    pub failed: Option<i64>,
}
