//! `GET` and `POST /v1/drain`: graceful shutdown of this node's routes (RFC 8326).

use serde::{Deserialize, Serialize};

/// How far this node is taken out of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DrainState {
    /// In service.
    #[default]
    InService,
    /// Its routes are announced with the lowest preference, so that traffic takes other ways where there are any.
    Draining,
    /// Its BGP sessions are closed as well, with Cease, Administrative Shutdown, and stay closed.
    Shutdown,
}

/// What the node is to do, or does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drain {
    /// How far.
    pub state: DrainState,
    /// Why, for the operators of the peers (RFC 9003): sent to them when the sessions are closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
