//! Import policy: everything is believed but what cannot be right or would harm this node.
//!
//! RFCs: 4271 §9.1.2 (AS loop), §6.3 and §5.1.3 (NEXT_HOP), 4456 §8 (reflection loops), 6890 (special addresses).

use super::martian;
use crate::rib::model::{LocalSettings, PeerSession};
use crate::types::{PeerKind, RouterId};
use crate::wire::{NextHop, PathAttributes};
use ipnet::IpNet;
use std::fmt;

/// LOCAL_PREF of what has none: eBGP routes, and iBGP routes without the attribute.
pub const DEFAULT_LOCAL_PREF: u32 = 100;

/// Why a received route is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RejectReason {
    /// Destination in martian space.
    MartianPrefix = 1,
    /// Our own block, or a part of it.
    OwnPrefix,
    /// Our AS number is in the AS_PATH.
    AsLoop,
    /// The first AS of the path is not the peer's.
    FirstAs,
    /// We are the ORIGINATOR_ID.
    OriginatorLoop,
    /// Our identifier is in the CLUSTER_LIST.
    ClusterLoop,
    /// NEXT_HOP is an address that is never one.
    MartianNextHop,
    /// NEXT_HOP is our own address.
    OwnNextHop,
    /// A pool that is always tunnelled, and NEXT_HOP is not a node.
    NotANode,
}

impl RejectReason {
    /// All of them.
    pub const ALL: [RejectReason; 9] = [
        RejectReason::MartianPrefix,
        RejectReason::OwnPrefix,
        RejectReason::AsLoop,
        RejectReason::FirstAs,
        RejectReason::OriginatorLoop,
        RejectReason::ClusterLoop,
        RejectReason::MartianNextHop,
        RejectReason::OwnNextHop,
        RejectReason::NotANode,
    ];
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RejectReason::MartianPrefix => "martian: no route may lead into this address space",
            RejectReason::OwnPrefix => "our own block, or a part of it",
            RejectReason::AsLoop => "AS loop: our AS number is in the AS_PATH",
            RejectReason::FirstAs => "the AS_PATH does not begin with the peer's AS number",
            RejectReason::OriginatorLoop => "reflection loop: ORIGINATOR_ID is our router id",
            RejectReason::ClusterLoop => "reflection loop: our router id is in the CLUSTER_LIST",
            RejectReason::MartianNextHop => "NEXT_HOP is an address that nothing can be sent to",
            RejectReason::OwnNextHop => "NEXT_HOP is our own address",
            RejectReason::NotANode => {
                "the pool is always tunnelled, and NEXT_HOP is not the address of a node"
            }
        })
    }
}

/// The verdict in a byte: what the table stores of each route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rib) struct Verdict(u8);

impl Verdict {
    /// Accepted.
    pub const ACCEPTED: Verdict = Verdict(0);

    pub fn is_accepted(self) -> bool {
        self == Verdict::ACCEPTED
    }

    /// Why not, if not.
    pub fn reason(self) -> Option<RejectReason> {
        RejectReason::ALL
            .get(usize::from(self.0).checked_sub(1)?)
            .copied()
    }
}

impl From<Result<(), RejectReason>> for Verdict {
    fn from(result: Result<(), RejectReason>) -> Self {
        match result {
            Ok(()) => Verdict::ACCEPTED,
            Err(reason) => Verdict(reason as u8),
        }
    }
}

/// Judges a route as received.
pub fn check(
    prefix: &IpNet,
    next_hop: NextHop,
    attributes: &PathAttributes,
    session: &PeerSession,
    local: &LocalSettings,
) -> Result<(), RejectReason> {
    check_prefix(prefix, local)?;
    check_path(attributes, session, local)?;
    check_next_hop(prefix, next_hop, session, local)
}

fn check_prefix(prefix: &IpNet, local: &LocalSettings) -> Result<(), RejectReason> {
    if martian::is_martian_prefix(prefix) {
        return Err(RejectReason::MartianPrefix);
    }
    // Equal or inside, but for single addresses that we lent.
    let ours = local.import.own_prefixes.iter().any(|own| own.contains(prefix));
    if ours && !local.import.on_loan.contains(prefix) {
        return Err(RejectReason::OwnPrefix);
    }
    Ok(())
}

fn check_path(
    attributes: &PathAttributes,
    session: &PeerSession,
    local: &LocalSettings,
) -> Result<(), RejectReason> {
    if attributes.as_path.contains(session.local_asn) {
        return Err(RejectReason::AsLoop);
    }
    match session.kind {
        PeerKind::External if attributes.as_path.first() != Some(session.remote_asn) => {
            Err(RejectReason::FirstAs)
        }
        PeerKind::Internal if attributes.originator_id == Some(local.router_id) => {
            Err(RejectReason::OriginatorLoop)
        }
        PeerKind::Internal
            if attributes
                .cluster_list
                .iter()
                .any(|id| RouterId(*id) == local.router_id) =>
        {
            Err(RejectReason::ClusterLoop)
        }
        _ => Ok(()),
    }
}

fn check_next_hop(
    prefix: &IpNet,
    next_hop: NextHop,
    session: &PeerSession,
    local: &LocalSettings,
) -> Result<(), RejectReason> {
    let address = next_hop.address();
    if martian::is_martian_next_hop(address) {
        return Err(RejectReason::MartianNextHop);
    }
    if session.is_ours(address) {
        return Err(RejectReason::OwnNextHop);
    }
    let forbids = |pool: &crate::rib::model::NodeOnly| {
        pool.within.contains(prefix) && !pool.next_hops.contains(&address)
    };
    if local.import.node_only.iter().any(forbids) {
        return Err(RejectReason::NotANode);
    }
    Ok(())
}
