//! `GET /v1/peers` and `GET /v1/peers/{peer}`: the BGP sessions of this node. `POST /v1/peers/{peer}/refresh` asks the peer
//! for all its routes again.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// One BGP session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// The peer's address, or the interface that it is known by: its name in other commands.
    pub address: String,
    /// Where it comes from: `mesh/NODE` or `BGPPeer/NAME`.
    pub name: String,
    /// The peer's autonomous system; 0 while it is not known (any outside ours will do).
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
    /// Our pause between KEEPALIVEs in seconds, before jitter; 0: none.
    #[serde(default)]
    pub keepalive_seconds: u64,
    /// What went wrong last, in a session or an attempt at one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Why the last established session ended, with the text that the peer sent along (RFC 9003).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_loss: Option<String>,
    /// The peer is refused and not called for so many seconds more: after a fault that would only repeat itself, or too many
    /// prefixes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u64>,
    /// Failures in a row since the last established session.
    #[serde(default)]
    pub connect_retries: u64,
    /// What was wrong with what the peer sent, and did not end its session.
    #[serde(default)]
    pub faults: PeerFaults,
    /// The peer may be restarting: its routes are kept for so many seconds more (RFC 4724).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_seconds: Option<u64>,
    /// Times that the session went down after it was established.
    pub flaps: u64,
    /// Prefixes, a row for each negotiated family.
    pub families: Vec<PeerFamily>,
    /// Capabilities in force, by name: what follows from both OPENs, such as `route refresh`, `ADD-PATH receive (IPv4 unicast)` or
    /// `role customer towards provider`.
    pub capabilities: Vec<String>,
    /// The BFD session that watches the path to the peer; absent where none is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bfd: Option<PeerBfd>,
    /// Directions in which no filter says what may pass, of an eBGP peer: `import`, and with `transit` `export`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfiltered: Vec<String>,
    /// BGP messages received.
    pub messages_in: u64,
    /// BGP messages sent.
    pub messages_out: u64,
}

/// The BFD session of a peer (RFC 5880).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerBfd {
    /// `up`, `init`, `down`, or `admin-down` while it is taken down here.
    pub state: String,
    /// Seconds in this state.
    pub since_seconds: u64,
    /// What is to be known of the state; empty while it is up.
    pub note: String,
    /// `single` (port 3784) or `multi` (port 4784).
    pub hops: String,
    /// Why it last left `up`, or `no diagnostic`.
    pub diagnostic: String,
    /// The state that the peer says it is in; absent while nothing is heard from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_state: Option<String>,
    /// Silence of so many milliseconds is a loss; absent while nothing is heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection_ms: Option<u64>,
    /// Milliseconds between our packets, before jitter.
    pub transmit_ms: u64,
    /// Packets received and accepted.
    pub packets_in: u64,
    /// Packets sent.
    pub packets_out: u64,
    /// Times that it was lost after it was up.
    pub losses: u64,
    /// Times that a loss was doubted because this process had stood still.
    pub late: u64,
}

/// Faults of a peer that did not end its session (RFC 7606), since it was configured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerFaults {
    /// Attributes that were dropped.
    pub discarded: u64,
    /// UPDATEs whose routes were taken as withdrawn.
    pub treated_as_withdraw: u64,
    /// Families that were switched off until the end of the session.
    pub families_disabled: u64,
    /// Anything else that was ignored.
    pub ignored: u64,
    /// The last ones, the newest last.
    pub last: Vec<PeerFault>,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerFault {
    /// How many seconds ago.
    pub ago_seconds: u64,
    /// What was wrong, and what was done about it.
    pub what: String,
}

/// The answer to `POST /v1/peers/{peer}/refresh`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerRefresh {
    /// Whether the peer was asked; one that has no session, or did not announce route refresh, cannot be.
    pub asked: bool,
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
    /// How many prefixes the peer may send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Switched off for this session, because the peer's updates of it cannot be read (RFC 7606 section 2).
    #[serde(default)]
    pub disabled: bool,
    /// Prefixes in the Adj-RIB-Out.
    pub advertised: u64,
    /// End-of-RIB has arrived (RFC 4724 section 2).
    pub end_of_rib: bool,
}
