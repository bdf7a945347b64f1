//! `GET /v1/peers` and `GET /v1/peers/{peer}`: the BGP sessions of this node.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// One BGP session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// The peer's address, which is its name in other commands.
    pub address: IpAddr,
    /// Where it comes from: `mesh/NODE` or `BGPPeer/NAME`.
    pub name: String,
    /// The peer's autonomous system.
    pub remote_as: u32,
    /// Our autonomous system towards it.
    pub local_as: u32,
    /// `internal` (iBGP) or `external` (eBGP).
    pub kind: String,
    /// State of RFC 4271 section 8.2.2: `Idle`, `Connect`, `Active`, `OpenSent`, `OpenConfirm`, `Established`.
    pub state: String,
    /// Seconds in this state.
    pub since_seconds: u64,
    /// Our end of the TCP connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_address: Option<IpAddr>,
    /// The peer's BGP identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router_id: Option<String>,
    /// Negotiated hold time in seconds; 0: none.
    pub hold_seconds: u64,
    /// Why the session last went down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The peer may be restarting: its routes are kept for so many seconds more (RFC 4724).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_seconds: Option<u64>,
    /// Times that the session went down after it was established.
    pub flaps: u64,
    /// Prefixes, a row for each negotiated family.
    pub families: Vec<PeerFamily>,
    /// Capabilities that both sides announced.
    pub capabilities: Vec<String>,
    /// BGP messages received.
    pub messages_in: u64,
    /// BGP messages sent.
    pub messages_out: u64,
}

/// Prefix counts of a session in one family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerFamily {
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// Prefixes in the Adj-RIB-In, accepted or not.
    pub received: u64,
    /// Of these, accepted by the import policy.
    pub accepted: u64,
    /// Of these, refused by the import policy.
    pub rejected: u64,
    /// Prefixes in the Adj-RIB-Out.
    pub advertised: u64,
    /// End-of-RIB has arrived (RFC 4724 section 2).
    pub end_of_rib: bool,
}
