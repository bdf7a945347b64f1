//! `BGPFilter`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{AsNumber, Status};

/// Rules for routes to and from peers.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "roadbed.dev",
    version = "v1",
    kind = "BGPFilter",
    doc = "Rules for routes to and from peers.",
    plural = "bgpfilters",
    singular = "bgpfilter",
    category = "roadbed",
    status = "Status",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct BgpFilterSpec {
    /// Rules for IPv4 routes to the peer; the first one that matches decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub export_v4: Vec<Rule>,
    /// Rules for IPv4 routes from the peer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub import_v4: Vec<Rule>,
    /// Rules for IPv6 routes to the peer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub export_v6: Vec<Rule>,
    /// Rules for IPv6 routes from the peer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub import_v6: Vec<Rule>,
}

/// One rule. What is set must all match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend(
    "x-kubernetes-preserve-unknown-fields" = true,
    "x-kubernetes-validations" = [
        { "rule": "has(self.cidr) == has(self.matchOperator)", "message": "cidr and matchOperator go together" },
        { "rule": "!has(self.prefixLength) || has(self.cidr)", "message": "prefixLength goes with cidr" },
        {
            "rule": "!has(self.operations) || self.operations.size() == 0 || self.action == 'Accept'",
            "message": "operations go with action Accept",
        },
    ],
))]
pub struct Rule {
    /// A range of the family of the list, host bits zero; together with `matchOperator`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub cidr: Option<String>,
    /// How the prefix of the route compares with `cidr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_operator: Option<MatchOperator>,
    /// Bounds of the prefix length, with `cidr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_length: Option<PrefixLength>,
    /// `RemotePeers`: only routes that were learned from peers. Empty: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["RemotePeers", ""]))]
    pub source: Option<String>,
    /// Only routes that leave by this interface; `*` stands for any text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// `eBGP` or `iBGP`: only for peers of this type. Empty: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["eBGP", "iBGP", ""]))]
    pub peer_type: Option<String>,
    /// A community that the route carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub communities: Option<Communities>,
    /// AS numbers with which the AS path begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub as_path_prefix: Vec<AsNumber>,
    /// The priority of the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_646))]
    pub priority: Option<i32>,
    /// What becomes of the route.
    pub action: Action,
    /// What is changed on the route, in order; only with `Accept`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub operations: Vec<Operation>,
}

/// How prefixes compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MatchOperator {
    /// The same.
    Equal,
    /// Another one.
    NotEqual,
    /// Inside.
    In,
    /// Not inside.
    NotIn,
}

/// What becomes of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// It passes.
    Accept,
    /// It does not.
    Reject,
}

/// Bounds of the prefix length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PrefixLength {
    /// Shortest that matches. Default: that of `cidr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 128))]
    pub min: Option<i32>,
    /// Longest that matches. Default 32, IPv6 128.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 128))]
    pub max: Option<i32>,
}

/// Communities to match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Communities {
    /// Exactly one: `64512:100`, or large as in `64512:1:2`.
    #[schemars(length(min = 1, max = 1))]
    pub values: Vec<String>,
}

/// One change; one of the fields is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Adds a community.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_community: Option<AddCommunity>,
    /// Makes the AS path longer.
    #[serde(rename = "prependASPath", skip_serializing_if = "Option::is_none")]
    pub prepend_as_path: Option<PrependAsPath>,
    /// Sets the priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_priority: Option<SetPriority>,
}

/// A community to add.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AddCommunity {
    /// The community.
    pub value: String,
}

/// AS numbers to put in front.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PrependAsPath {
    /// They come in this order.
    pub prefix: Vec<AsNumber>,
}

/// A priority to set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetPriority {
    /// The priority.
    #[schemars(range(min = 1, max = 2_147_483_646))]
    pub value: i32,
}
