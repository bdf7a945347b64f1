//! The settings of sessions in `BGPPeer` and `BGPConfiguration`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a TCP MD5 password is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend(
    "x-kubernetes-preserve-unknown-fields" = true,
    "x-kubernetes-validations" = [{
        "rule": "has(self.secretKeyRef) != has(self.file)",
        "message": "set one of secretKeyRef and file",
    }],
))]
pub struct Password {
    /// A Kubernetes secret in the namespace of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKey>,
    /// A file on the node, in place of a secret: its first line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096), regex(pattern = "^/"))]
    pub file: Option<String>,
}

/// A key of a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct SecretKey {
    /// Name of the secret.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// What becomes of stale routes when the restart time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RestartMode {
    /// They go.
    GracefulRestart,
    /// They stay for a while, at the lowest preference (RFC 9494).
    LongLivedGracefulRestart,
    /// There are none: routes go with the session.
    None,
}

/// How many prefixes the peer may announce.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend(
    "x-kubernetes-preserve-unknown-fields" = true,
    "x-kubernetes-validations" = [{
        "rule": "has(self.ipv4) || has(self.ipv6)",
        "message": "set ipv4, ipv6 or both",
    }],
))]
pub struct MaxPrefixes {
    /// IPv4 prefixes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295u32))]
    pub ipv4: Option<i64>,
    /// IPv6 prefixes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295u32))]
    pub ipv6: Option<i64>,
    /// Share of the limit from which on `status` warns. Default 80.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub warn_percent: Option<i32>,
    /// `Restart` (default): the session ends at the limit. `Warn`: it is only said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<MaxPrefixAction>,
    /// After this long an ended session is tried again. Default: when the peering is changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_time: Option<String>,
}

/// What happens at the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MaxPrefixAction {
    /// The session ends.
    Restart,
    /// It is said.
    Warn,
}

/// Several paths for each prefix (RFC 7911).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct AddPath {
    /// Take several paths from the peer. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receive: Option<bool>,
    /// How many are sent: one (`None`, default), the `sendMax` best, or all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send: Option<AddPathSend>,
    /// With `send: Best`: how many. Default 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 32))]
    pub send_max: Option<i32>,
}

/// How many paths of a prefix are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AddPathSend {
    /// One.
    None,
    /// The best ones.
    Best,
    /// All.
    All,
}

/// Our role towards an eBGP peer (RFC 9234).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Role {
    /// We carry the peer's traffic to others.
    Provider,
    /// The peer carries ours.
    Customer,
    /// Neither.
    Peer,
    /// We are the route server.
    RouteServer,
    /// The peer is the route server.
    RouteServerClient,
}
