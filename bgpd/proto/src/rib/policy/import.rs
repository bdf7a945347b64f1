//! Import policy: everything is believed but what cannot be right, what would harm this node, and what filters refuse.
//!
//! [`judge`] says whether a route as received is used; [`changed`] what it then says, where that is something else. A
//! filter comes after what cannot be right, so that none of its rules lets that in, and before what depends on the pool
//! that the destination is in.
//!
//! RFCs: 4271 §9.1.2 (AS loop), §6.3 and §5.1.3 (NEXT_HOP), 4456 §8 (reflection loops), 6890 (special addresses), 7705
//! §3.2 (local AS), 8326 §4.1 (graceful shutdown), 9234 §5 (route leaks).

use super::filter::{Action, Facts, Looked, Rule, RuleId, apply};
use super::martian;
use crate::rib::model::{LocalSettings, PeerSession};
use crate::types::PeerKind;
use crate::wire::canonical::Says;
use crate::wire::{Community, NextHop, PathAttributes, Role};
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
    /// Our AS number is in the AS_PATH, more often than is allowed.
    AsLoop,
    /// The first AS of the path is not the peer's.
    FirstAs,
    /// We are the ORIGINATOR_ID.
    OriginatorLoop,
    /// Our cluster identifier is in the CLUSTER_LIST.
    ClusterLoop,
    /// NEXT_HOP is an address that is never one.
    MartianNextHop,
    /// NEXT_HOP is our own address.
    OwnNextHop,
    /// A pool that is always tunnelled, and NEXT_HOP is not a node.
    NotANode,
    /// A rule of a filter.
    Filter,
    /// It came the wrong way: ONLY_TO_CUSTOMER says so (RFC 9234 §5).
    RouteLeak,
}

impl RejectReason {
    /// All of them, in the order of their numbers.
    pub const ALL: [RejectReason; 11] = [
        RejectReason::MartianPrefix,
        RejectReason::OwnPrefix,
        RejectReason::AsLoop,
        RejectReason::FirstAs,
        RejectReason::OriginatorLoop,
        RejectReason::ClusterLoop,
        RejectReason::MartianNextHop,
        RejectReason::OwnNextHop,
        RejectReason::NotANode,
        RejectReason::Filter,
        RejectReason::RouteLeak,
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
            RejectReason::ClusterLoop => "reflection loop: our cluster id is in the CLUSTER_LIST",
            RejectReason::MartianNextHop => "NEXT_HOP is an address that nothing can be sent to",
            RejectReason::OwnNextHop => "NEXT_HOP is our own address",
            RejectReason::NotANode => {
                "the pool is always tunnelled, and NEXT_HOP is not the address of a node"
            }
            RejectReason::Filter => "a filter rejects it",
            RejectReason::RouteLeak => "route leak: ONLY_TO_CUSTOMER (OTC) shows that it came the wrong way",
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

/// A route as received, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Its destination.
    pub prefix: &'a IpNet,
    /// Its NEXT_HOP.
    pub next_hop: NextHop,
    /// What it says.
    pub attributes: &'a PathAttributes,
    /// The interface that leads to its next hop, where that is known.
    pub interface: Option<&'a str>,
}

impl Received<'_> {
    fn facts(&self, session: &PeerSession) -> Facts<'_> {
        Facts {
            prefix: self.prefix,
            attributes: self.attributes,
            learned: true,
            peer_kind: session.kind,
            interface: self.interface,
            priority: None,
        }
    }

    /// The rule of a filter that decides on it.
    pub fn rule<'s>(&self, session: &'s PeerSession) -> Option<(RuleId, &'s Rule)> {
        session.import.filters.first_match(&self.facts(session))
    }

    /// Each rule that is looked at, up to the one that decides.
    pub fn trace(&self, session: &PeerSession) -> Vec<Looked> {
        session.import.filters.trace(&self.facts(session))
    }
}

/// What import policy says of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether it is used, and why not.
    pub result: Result<(), RejectReason>,
    /// The rule that accepted it or rejected it.
    pub rule: Option<RuleId>,
}

/// Judges a route as received.
pub fn judge(route: &Received<'_>, session: &PeerSession, local: &LocalSettings) -> Judgement {
    let sound = check_prefix(route.prefix, local)
        .and_then(|()| check_path(route.attributes, session, local))
        .and_then(|()| check_leak(route.attributes, session));
    if let Err(reason) = sound {
        return Judgement {
            result: Err(reason),
            rule: None,
        };
    }
    let rule = route.rule(session);
    let result = match rule {
        Some((_, rule)) if rule.action == Action::Reject => Err(RejectReason::Filter),
        _ => check_next_hop(route.prefix, route.next_hop, session, local),
    };
    Judgement {
        result,
        rule: rule.map(|(id, _)| id),
    }
}

/// What holds for all routes of one set from one session: worked out once for the prefixes of an UPDATE, and without making
/// the set into values. For sessions without filters, that is nearly all that import policy has to say.
#[derive(Clone, Copy, Debug)]
pub(in crate::rib) struct OfSet {
    sound: Result<(), RejectReason>,
    next_hop: Result<(), RejectReason>,
    /// Whether [`changed`] has anything to do, were there no filters.
    pub changes: bool,
}

impl OfSet {
    pub fn new(says: &impl Says, next_hop: NextHop, session: &PeerSession, local: &LocalSettings) -> Self {
        OfSet {
            sound: check_path(says, session, local).and_then(|()| check_leak(says, session)),
            next_hop: check_address(next_hop, session, local),
            changes: Changes::of(says, session, local).any(),
        }
    }

    /// The same as [`judge`], where no filter has a say.
    pub fn judge(&self, prefix: &IpNet, next_hop: NextHop, local: &LocalSettings) -> Verdict {
        let sound = check_prefix(prefix, local).and(self.sound).and(self.next_hop);
        sound.and_then(|()| check_pool(prefix, next_hop, local)).into()
    }
}

/// What import changes by itself, without filters.
#[derive(Clone, Copy)]
struct Changes {
    shutdown: bool,
    otc: bool,
    local_as: bool,
}

impl Changes {
    fn of(says: &impl Says, session: &PeerSession, local: &LocalSettings) -> Self {
        let policy = &session.import;
        let external = session.kind == PeerKind::External;
        Changes {
            shutdown: external && policy.honour_graceful_shutdown && says.has(Community::GRACEFUL_SHUTDOWN),
            otc: external && marks_incoming(policy.role) && says.otc().is_none(),
            local_as: external && policy.prepend_local_as && session.local_asn != local.asn,
        }
    }

    fn any(self) -> bool {
        self.shutdown || self.otc || self.local_as
    }
}

/// What an accepted route says after import, where that differs from what was received. It depends on the attributes,
/// the session and the rule alone, so an answer holds for all routes that have them in common.
pub fn changed(
    attributes: &PathAttributes,
    rule: Option<&Rule>,
    session: &PeerSession,
    local: &LocalSettings,
) -> Option<PathAttributes> {
    let changes = Changes::of(attributes, session, local);
    let rule = rule.filter(|rule| rule.changes_attributes());
    if !changes.any() && rule.is_none() {
        return None;
    }
    let mut changed = attributes.clone();
    if changes.shutdown {
        changed.local_pref = Some(0);
    }
    if changes.otc {
        changed.otc = Some(session.remote_asn);
    }
    if changes.local_as {
        changed.as_path = changed.as_path.prepended(session.local_asn);
    }
    if let Some(rule) = rule {
        apply(&rule.operations, &mut changed);
    }
    Some(changed)
}

/// Routes of providers, peers and route servers are for our customers only (RFC 9234 §5, ingress, third rule).
fn marks_incoming(role: Option<Role>) -> bool {
    matches!(role, Some(Role::Customer | Role::Peer | Role::RouteServerClient))
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

fn check_path(says: &impl Says, session: &PeerSession, local: &LocalSettings) -> Result<(), RejectReason> {
    // Both numbers are ours where the session has one of its own (RFC 7705 §3.2).
    let ours = [session.local_asn, local.asn];
    if says.count_asns(ours) > usize::from(session.import.allow_own_as) {
        return Err(RejectReason::AsLoop);
    }
    let foreign_first = || says.first_asn() != Some(session.remote_asn);
    match session.kind {
        PeerKind::External if session.import.enforce_first_as && foreign_first() => {
            Err(RejectReason::FirstAs)
        }
        PeerKind::Internal if says.originator() == Some(local.router_id) => Err(RejectReason::OriginatorLoop),
        PeerKind::Internal if says.has_cluster(local.cluster()) => Err(RejectReason::ClusterLoop),
        _ => Ok(()),
    }
}

/// RFC 9234 §5, ingress, the first two rules.
fn check_leak(says: &impl Says, session: &PeerSession) -> Result<(), RejectReason> {
    let leaked = match session.import.role {
        _ if session.kind == PeerKind::Internal => false,
        Some(Role::Provider | Role::RouteServer) => says.otc().is_some(),
        Some(Role::Peer) => says.otc().is_some_and(|otc| otc != session.remote_asn),
        _ => false,
    };
    if leaked {
        Err(RejectReason::RouteLeak)
    } else {
        Ok(())
    }
}

fn check_next_hop(
    prefix: &IpNet,
    next_hop: NextHop,
    session: &PeerSession,
    local: &LocalSettings,
) -> Result<(), RejectReason> {
    check_address(next_hop, session, local).and_then(|()| check_pool(prefix, next_hop, local))
}

/// Whether anything can be sent there, and not to ourselves.
fn check_address(
    next_hop: NextHop,
    session: &PeerSession,
    local: &LocalSettings,
) -> Result<(), RejectReason> {
    let address = next_hop.address();
    if martian::is_martian_next_hop(address) {
        return Err(RejectReason::MartianNextHop);
    }
    if session.is_ours(address) || local.import.own_addresses.contains(&address) {
        return Err(RejectReason::OwnNextHop);
    }
    Ok(())
}

/// Whether the pool that the destination is in allows the next hop.
fn check_pool(prefix: &IpNet, next_hop: NextHop, local: &LocalSettings) -> Result<(), RejectReason> {
    let forbids = |pool: &crate::rib::model::NodeOnly| {
        pool.within.contains(prefix) && !pool.next_hops.contains(&next_hop.address())
    };
    if local.import.node_only.iter().any(forbids) {
        return Err(RejectReason::NotANode);
    }
    Ok(())
}
