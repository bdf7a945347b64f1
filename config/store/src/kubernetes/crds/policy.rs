//! Types of the fields of `BGPConfiguration` and `BGPPeer` that are about routes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A name for a community.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct CommunityName {
    /// The name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The community, `64512:100`, or large as in `64512:1:2`.
    #[schemars(regex(pattern = "^[0-9]+:[0-9]+(:[0-9]+)?$"))]
    pub value: String,
}

/// Communities of the routes in a range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct PrefixAdvertisement {
    /// The range.
    #[schemars(length(max = 64))]
    pub cidr: String,
    /// Communities, or names from `communities`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<String>,
}

/// Which equal paths are used together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct Multipath {
    /// How many paths a route has at most. Default 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub max_paths: Option<i32>,
    /// Whether eBGP paths of equal length are used together whatever ASes they cross. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relax: Option<bool>,
}

/// How an AS number of the session's own shows in AS paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LocalAsMode {
    /// In the place of the node's.
    ReplaceAS,
    /// Before the node's, in what the peer is told.
    NoPrepend,
    /// Before the node's, and before the path of what the peer tells.
    Prepend,
}

/// What the peer is told as the next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NextHop {
    /// The node towards eBGP, as learned towards iBGP.
    Auto,
    /// The node.
    #[serde(rename = "Self")]
    Own,
    /// As learned.
    Keep,
}

/// What becomes of private AS numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RemovePrivate {
    /// They stay.
    Never,
    /// They go where there are no others.
    IfAllPrivate,
    /// They go.
    All,
    /// Ours stands in the place of each.
    Replace,
}
