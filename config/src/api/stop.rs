//! `POST /v1/stop`: the agent ends for good, and its peers hear of it.

use serde::{Deserialize, Serialize};

/// Asks the agent to close its BGP sessions with Cease, Administrative Shutdown (a Hard Reset where the peer would keep our
/// routes over it, RFC 8538), and to end. A plain SIGTERM closes them without a word, for an agent that comes back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// Why, for the operators of the peers (RFC 9003), up to 128 octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
