//! `bfd` of `BGPConfiguration` and `BGPPeer`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the path of a session is watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct Bfd {
    /// `Auto` (default), `Off`, `SingleHop` (RFC 5881) or `MultiHop` (RFC 5883).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<BfdMode>,
    /// The peer need not send faster than this, 10ms to 60s. Default 300ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub receive_interval: Option<String>,
    /// We do not send faster than this, 10ms to 60s. Default 300ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub transmit_interval: Option<String>,
    /// So many packets missing are a loss. Default 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 255))]
    pub detect_multiplier: Option<i32>,
}

/// Whether and how a path is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BfdMode {
    /// As is best for the session.
    Auto,
    /// Not at all.
    Off,
    /// The peer is on a network of the node's.
    SingleHop,
    /// There may be routers between.
    MultiHop,
}

/// Calico Enterprise's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailureDetection {
    /// Not at all.
    None,
    /// Single hop, if the peer is on a network of the node's.
    BFDIfDirectlyConnected,
}
