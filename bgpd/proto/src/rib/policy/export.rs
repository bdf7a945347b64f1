//! Export policy: what goes to a peer, and how it looks there.
//!
//! By default a node tells what it originates and nothing else. A transit session lifts that in both directions: what
//! it teaches goes to others, and it is taught what others teach; a rule of a filter that accepts a route lifts it for
//! that route. Between two iBGP sessions nothing passes, whatever the policy, unless one of them is a client's: it is
//! the split horizon that keeps iBGP free of loops, and reflection has its own way to be free of them.
//!
//! [`permit`] answers whether a route goes, [`rewrite`] also how. What `rewrite` makes of a route depends on its
//! attributes, its next hop, the session that it comes from, the session that it goes to and the rule of [`rule`]
//! alone, so an answer holds for all routes that have them in common.
//!
//! RFCs: 4271 §5.1 (attributes by kind of peer) and §9.1.3, 1997 (well-known communities), 4360 §6 (non-transitive
//! extended communities), 4456 §8, §10 (reflection), 8326 §4 (graceful shutdown), 9234 §5 (route leaks), 9494 §4.3
//! (long-lived stale routes).

use super::as_path::{self, Ours};
use super::filter::operations::insert;
use super::filter::{Action, Facts, Looked, Rule, RuleId, apply};
use super::import::DEFAULT_LOCAL_PREF;
use super::rules::{NextHopMode, RemovePrivate};
use crate::rib::model::{LocalSettings, PathKind, PeerSession};
use crate::types::{Family, PeerKind};
use crate::wire::canonical::{Canonical, Says};
use crate::wire::{Community, NextHop, PathAttributes, Relay, Role};
use ipnet::IpNet;
use std::fmt;

/// What export needs to know of the best path of a prefix.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a, S = PathAttributes> {
    /// The session that taught it; `None` for what is originated here.
    pub session: Option<&'a PeerSession>,
    /// Its peer is long gone: it is used because nothing better is known (RFC 9494).
    pub long_lived: bool,
    /// It is the session that the route would go to.
    pub is_target: bool,
    /// NEXT_HOP as received; `None` for what is originated here.
    pub next_hop: Option<NextHop>,
    /// Attributes after import policy.
    pub attributes: &'a S,
    /// The interface that leads to its next hop, where that is known.
    pub interface: Option<&'a str>,
    /// The metric that import policy gave it in the kernel.
    pub priority: Option<u32>,
}

impl<'a> Source<'a> {
    /// What is originated here.
    pub fn local(attributes: &'a PathAttributes) -> Self {
        Self {
            session: None,
            long_lived: false,
            is_target: false,
            next_hop: None,
            attributes,
            interface: None,
            priority: None,
        }
    }

    fn facts<'b>(&'b self, prefix: &'b IpNet, target: &PeerSession) -> Facts<'b> {
        Facts {
            prefix,
            attributes: self.attributes,
            learned: self.session.is_some(),
            peer_kind: target.kind,
            interface: self.interface,
            priority: self.priority,
        }
    }
}

impl<S> Source<'_, S> {
    /// How it was learned.
    pub fn kind(&self) -> PathKind {
        self.session.map_or(PathKind::Local, PeerSession::path_kind)
    }

    fn is_transit(&self) -> bool {
        self.session.is_some_and(|session| session.import.transit)
    }

    fn is_of_client(&self) -> bool {
        self.session.is_some_and(|session| session.export.client)
    }
}

/// Why a route does not go to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExportRefusal {
    /// The family was not negotiated.
    Family,
    /// There is no usable path.
    NoPath,
    /// The peer taught it.
    Sender,
    /// NO_ADVERTISE.
    NoAdvertise,
    /// It is long-lived stale, and the peer would not know what that means (RFC 9494 §4.3).
    LongLivedStale,
    /// NO_EXPORT or NO_EXPORT_SUBCONFED, and the peer is outside.
    NoExport,
    /// iBGP taught it, the peer is iBGP, and neither is a client of ours.
    SplitHorizon,
    /// It is not originated here, and neither session is a transit session.
    NotOriginated(PathKind),
    /// We have no address of the family to put into NEXT_HOP.
    NoNextHop(Family),
    /// The attributes alone are longer than the peer's messages may be.
    TooLong,
    /// A rule of a filter rejects it.
    Filter(RuleId),
    /// ONLY_TO_CUSTOMER keeps it from providers, peers and route servers (RFC 9234 §5).
    OnlyToCustomer,
}

impl fmt::Display for ExportRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportRefusal::Family => f.write_str("the session does not carry this address family"),
            ExportRefusal::NoPath => f.write_str("there is no usable path"),
            ExportRefusal::Sender => f.write_str("the peer is where the best path comes from"),
            ExportRefusal::NoAdvertise => f.write_str("it carries the community no-advertise"),
            ExportRefusal::LongLivedStale => f.write_str(
                "it is long-lived stale, and the peer has not announced long-lived graceful restart",
            ),
            ExportRefusal::NoExport => {
                f.write_str("it carries the community no-export, and the peer is eBGP")
            }
            ExportRefusal::SplitHorizon => {
                f.write_str("learned by iBGP, and neither that peer nor this one is a client of this node")
            }
            ExportRefusal::NotOriginated(kind) => {
                write!(
                    f,
                    "learned by {kind}, and neither that session nor this one has transit: true"
                )
            }
            ExportRefusal::NoNextHop(family) => {
                write!(
                    f,
                    "this node has no {family} address to be the next hop: give the Node one"
                )
            }
            ExportRefusal::TooLong => f.write_str("its attributes do not fit into a message of this session"),
            ExportRefusal::Filter(_) => f.write_str("a filter rejects it"),
            ExportRefusal::OnlyToCustomer => {
                f.write_str("it is for customers only (OTC), and the peer is none")
            }
        }
    }
}

/// The rule of the target's filters that decides on the route.
pub fn rule<'t>(prefix: &IpNet, source: &Source<'_>, target: &'t PeerSession) -> Option<(RuleId, &'t Rule)> {
    target.export.filters.first_match(&source.facts(prefix, target))
}

/// Each rule of the target's filters that is looked at, up to the one that decides.
pub fn trace(prefix: &IpNet, source: &Source<'_>, target: &PeerSession) -> Vec<Looked> {
    target.export.filters.trace(&source.facts(prefix, target))
}

/// Whether the route may go to the peer.
pub fn permit(prefix: &IpNet, source: &Source<'_>, target: &PeerSession) -> Result<(), ExportRefusal> {
    permitted(Family::of(prefix), source, target, || {
        rule(prefix, source, target)
    })
    .map(|_| ())
}

/// The next hop that it goes with, and the rule that accepted it; the rule that decides is looked for where it matters.
fn permitted<'t, S: Says>(
    family: Family,
    source: &Source<'_, S>,
    target: &'t PeerSession,
    rule: impl FnOnce() -> Option<(RuleId, &'t Rule)>,
) -> Result<(NextHop, Option<&'t Rule>), ExportRefusal> {
    if !target.families.contains(&family) {
        return Err(ExportRefusal::Family);
    }
    if source.is_target {
        return Err(ExportRefusal::Sender);
    }
    let external = target.kind == PeerKind::External;
    if source.attributes.has(Community::NO_ADVERTISE) {
        return Err(ExportRefusal::NoAdvertise);
    }
    let stale = source.long_lived || source.attributes.has(Community::LLGR_STALE);
    if stale && !target.features.takes_stale {
        return Err(ExportRefusal::LongLivedStale);
    }
    let inside = [Community::NO_EXPORT, Community::NO_EXPORT_SUBCONFED];
    if external && inside.iter().any(|community| source.attributes.has(*community)) {
        return Err(ExportRefusal::NoExport);
    }
    if source.kind() == PathKind::Internal && !external && !source.is_of_client() && !target.export.client {
        return Err(ExportRefusal::SplitHorizon);
    }
    let rule = match rule() {
        Some((id, rule)) if rule.action == Action::Reject => return Err(ExportRefusal::Filter(id)),
        rule => rule.map(|(_, rule)| rule),
    };
    let passes_by_default = match source.kind() {
        PathKind::Local => true,
        // By reflection, as was just asked.
        PathKind::Internal if !external => true,
        _ => source.is_transit() || target.export.transit,
    };
    if !passes_by_default && rule.is_none() {
        return Err(ExportRefusal::NotOriginated(source.kind()));
    }
    if external && source.attributes.otc().is_some() && keeps_to_customers(target.export.role) {
        return Err(ExportRefusal::OnlyToCustomer);
    }
    Ok((next_hop(family, source, target)?, rule))
}

/// RFC 9234 §5, egress, the second rule: towards a provider, a peer or a route server.
fn keeps_to_customers(role: Option<Role>) -> bool {
    matches!(role, Some(Role::Customer | Role::Peer | Role::RouteServerClient))
}

/// The first rule: towards a customer, a peer or a client of our route server.
fn marks_outgoing(role: Option<Role>) -> bool {
    matches!(role, Some(Role::Provider | Role::Peer | Role::RouteServer))
}

/// The route as the peer is to see it.
pub fn rewrite(
    prefix: &IpNet,
    source: &Source<'_>,
    target: &PeerSession,
    local: &LocalSettings,
) -> Result<(NextHop, PathAttributes), ExportRefusal> {
    let decided = || rule(prefix, source, target);
    let (next_hop, rule) = permitted(Family::of(prefix), source, target, decided)?;
    let mut attributes = match target.kind {
        PeerKind::External => outside(source.attributes, rule, target, local),
        PeerKind::Internal => inside(source, rule, target, local),
    };
    if source.long_lived && !attributes.has(Community::LLGR_STALE) {
        attributes.communities.push(Community::LLGR_STALE);
        attributes.communities.sort();
    }
    Ok((next_hop, attributes))
}

/// The same as [`rewrite`] in terms of stored octets, where no filter has a say and nothing else is changed than what
/// always is; `None` where the values are needed.
pub(in crate::rib) fn relay(
    family: Family,
    source: &Source<'_, Canonical<'_>>,
    target: &PeerSession,
    local: &LocalSettings,
) -> Option<Result<(NextHop, Relay), ExportRefusal>> {
    let export = &target.export;
    let rules = &export.as_rules;
    let renumbers = rules.as_override || rules.remove_private != RemovePrivate::Never;
    let plain = export.filters.is_empty(family) && target.four_octet && !export.drain && !source.long_lived;
    if !plain || renumbers {
        return None;
    }
    let next_hop = match permitted(family, source, target, || None) {
        Ok((next_hop, _)) => next_hop,
        Err(refusal) => return Some(Err(refusal)),
    };
    let relay = match target.kind {
        PeerKind::External => {
            let ours = Ours {
                speaker: local.asn,
                session: target.local_asn,
            };
            let (first, second) = as_path::in_front(rules, ours);
            let marks = marks_outgoing(export.role) && source.attributes.otc().is_none();
            let otc = marks.then_some(target.local_asn);
            Relay::Outside { first, second, otc }
        }
        PeerKind::Internal => {
            let from = source.session.filter(|from| from.kind == PeerKind::Internal);
            Relay::Inside {
                local_pref: DEFAULT_LOCAL_PREF,
                reflected: from.map(|from| (from.remote_router_id, local.cluster())),
            }
        }
    };
    Some(Ok((next_hop, relay)))
}

/// Ours, for what we originate and for all that goes outside (§5.1.3); as learned inside, reflected or not
/// (RFC 4456 §10). The policy of the session may say something else of what is learned.
fn next_hop<S>(
    family: Family,
    source: &Source<'_, S>,
    target: &PeerSession,
) -> Result<NextHop, ExportRefusal> {
    let keeps = match target.export.next_hop {
        NextHopMode::Auto => target.kind == PeerKind::Internal,
        NextHopMode::SelfAddress => false,
        NextHopMode::Keep => true,
    };
    // A link-local address means nothing beyond the link that it was learned on.
    let learned = (source.next_hop).filter(|learned| keeps && !learned.scoped().is_link_local());
    match learned {
        // It is not changed for a peer that cannot have it (RFC 8950 §5).
        Some(learned) if !target.takes_next_hop(family, learned.address()) => {
            Err(ExportRefusal::NoNextHop(family))
        }
        // Nor does one that came with a global address.
        Some(learned) => Ok(NextHop::from(learned.address())),
        None => {
            let own = target
                .next_hop_self(family)
                .ok_or(ExportRefusal::NoNextHop(family))?;
            Ok(NextHop::from(own))
        }
    }
}

/// For an eBGP peer: our AS in front, and nothing that is meant for the inside. A MED that another AS sent is not
/// passed on (§5.1.4), and we set none of our own.
fn outside(
    attributes: &PathAttributes,
    rule: Option<&Rule>,
    target: &PeerSession,
    local: &LocalSettings,
) -> PathAttributes {
    let mut sent = PathAttributes {
        med: None,
        local_pref: None,
        originator_id: None,
        cluster_list: Vec::new(),
        ..attributes.clone()
    };
    sent.extended_communities
        .retain(|community| community.is_transitive());
    let ours = Ours {
        speaker: local.asn,
        session: target.local_asn,
    };
    let rules = &target.export.as_rules;
    sent.as_path = as_path::replaced(&sent.as_path, rules, ours, target.remote_asn);
    if let Some(rule) = rule {
        apply(&rule.operations, &mut sent);
    }
    sent.as_path = as_path::with_ours(sent.as_path, rules, ours);
    if marks_outgoing(target.export.role) && sent.otc.is_none() {
        sent.otc = Some(target.local_asn);
    }
    if target.export.drain {
        insert(&mut sent.communities, Community::GRACEFUL_SHUTDOWN);
    }
    sent
}

/// For an iBGP peer: as it is, with our degree of preference. What iBGP taught is reflected: who brought it into the AS
/// and which clusters it has crossed are added, and nothing else is touched (RFC 4456 §8, §10).
fn inside(
    source: &Source<'_>,
    rule: Option<&Rule>,
    target: &PeerSession,
    local: &LocalSettings,
) -> PathAttributes {
    let mut sent = source.attributes.clone();
    sent.local_pref = Some(sent.local_pref.unwrap_or(DEFAULT_LOCAL_PREF));
    if let Some(from) = source.session.filter(|from| from.kind == PeerKind::Internal) {
        sent.originator_id = Some(sent.originator_id.unwrap_or(from.remote_router_id));
        sent.cluster_list.insert(0, local.cluster());
    }
    if let Some(rule) = rule {
        apply(&rule.operations, &mut sent);
    }
    if target.export.drain {
        sent.local_pref = Some(0);
        insert(&mut sent.communities, Community::GRACEFUL_SHUTDOWN);
    }
    sent
}
