//! The looking glass of sessions: one plain value for each peer.

use super::faults::Faults;
use crate::session::{Counters, State};
use crate::types::{Asn, Family, PeerId, PeerKind, RouterId};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// All that is worth knowing of a peer.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Its address, or its interface.
    pub id: PeerId,
    /// Its name in the configuration.
    pub name: String,
    /// The AS number that it must have, or that its OPEN named.
    pub remote_asn: Option<Asn>,
    /// The AS number that we use towards it.
    pub local_asn: Asn,
    /// iBGP or eBGP.
    pub kind: PeerKind,
    /// Where the session stands.
    pub state: State,
    /// Since when it is Established, or since when it is not: attempts do not hide a long outage.
    pub since: Instant,
    /// What went wrong last, in a session or an attempt at one; kept while the session is up again.
    pub last_error: Option<String>,
    /// Why the last Established session ended, with the text that the peer sent along (RFC 9003); failed attempts since
    /// then do not hide it.
    pub last_loss: Option<String>,
    /// Prefixes, by configured or negotiated family.
    pub families: Vec<FamilyStatus>,
    /// What was negotiated, while the session is up.
    pub negotiated: Option<NegotiatedStatus>,
    /// Until when the peer is refused and not called: after a fault that would only repeat itself, or too many prefixes.
    pub idle_until: Option<Instant>,
    /// It sent too many prefixes, and is refused: until `idle_until`, or until its configuration changes.
    pub exceeded: bool,
    /// What was wrong with what it sent and did not end the session.
    pub faults: Faults,
    /// Messages and flaps since the peer was configured.
    pub counters: Counters,
    /// Our end of the TCP connection.
    pub local_address: Option<SocketAddr>,
    /// The peer's end.
    pub remote_address: Option<SocketAddr>,
    /// The peer is away, or has not said everything again, and its routes are kept until then at the latest
    /// (graceful restart, RFC 4724).
    pub retained_until: Option<Instant>,
    /// Whether its first feed is complete: see `Speaker::fully_fed`.
    pub fed: bool,
    /// Directions of an eBGP session in which everything goes that the default policy does not stop, because no filter says
    /// what may (in the spirit of RFC 8212).
    pub unfiltered: Unfiltered,
}

/// In which directions nobody has said what may pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfiltered {
    /// All that the peer sends and that can be right is used.
    pub import: bool,
    /// The peer is told what others teach, all of it.
    pub export: bool,
}

/// Counts of one family of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyStatus {
    /// The family.
    pub family: Family,
    /// Prefixes in Adj-RIB-In.
    pub received: usize,
    /// Those that the import policy accepts.
    pub accepted: usize,
    /// Those that it refuses.
    pub rejected: usize,
    /// Prefixes in Adj-RIB-Out.
    pub advertised: usize,
    /// How many it may send.
    pub limit: Option<u32>,
    /// The peer's End-of-RIB came.
    pub end_of_rib: bool,
    /// The peer has been away for longer than a restart takes, and its routes are used where nothing better is known (RFC 9494).
    pub long_lived: bool,
    /// Switched off for this session, because the peer's updates of it cannot be read (RFC 7606 §2).
    pub disabled: bool,
}

/// What both OPEN messages agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedStatus {
    /// The peer's BGP identifier.
    pub remote_router_id: RouterId,
    /// The smaller of both hold times; zero is off.
    pub hold_time: Duration,
    /// Pause between our KEEPALIVEs, before jitter.
    pub keepalive_time: Duration,
    /// Capabilities that we announced, for people.
    pub local_capabilities: Vec<String>,
    /// Capabilities that the peer announced.
    pub remote_capabilities: Vec<String>,
    /// What follows from both: the capabilities in force.
    pub capabilities: Vec<String>,
}
