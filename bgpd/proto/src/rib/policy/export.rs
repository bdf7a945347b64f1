//! Export policy: what goes to a peer, and how it looks there.
//!
//! By default a node tells what it originates and nothing else. A transit session lifts that in both directions: what
//! it teaches goes to others, and it is taught what others teach. Between two iBGP sessions nothing passes, whatever
//! the policy, until this speaker reflects: it is the split horizon that keeps iBGP free of loops.
//!
//! RFCs: 4271 §5.1 (attributes by kind of peer) and §9.1.3, 1997 (well-known communities), 4360 §6 (non-transitive
//! extended communities), 4456 §8 (what is not sent outside).

use super::import::DEFAULT_LOCAL_PREF;
use crate::rib::model::{PathKind, PeerSession};
use crate::types::{Family, PeerKind};
use crate::wire::{Community, NextHop, PathAttributes};
use ipnet::IpNet;
use std::fmt;

/// What export needs to know of the best path of a prefix.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Where the path comes from.
    pub kind: PathKind,
    /// Its session is a transit session.
    pub transit: bool,
    /// It is the session that the route would go to.
    pub is_target: bool,
    /// NEXT_HOP as received; `None` for what is originated here.
    pub next_hop: Option<NextHop>,
    /// Attributes as received.
    pub attributes: &'a PathAttributes,
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
    /// NO_EXPORT or NO_EXPORT_SUBCONFED, and the peer is outside.
    NoExport,
    /// iBGP taught it, the peer is iBGP, and we do not reflect.
    SplitHorizon,
    /// It is not originated here, and neither session is a transit session.
    NotOriginated(PathKind),
    /// We have no address of the family to put into NEXT_HOP.
    NoNextHop(Family),
    /// The attributes alone are longer than the peer's messages may be.
    TooLong,
}

impl fmt::Display for ExportRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportRefusal::Family => f.write_str("the session does not carry this address family"),
            ExportRefusal::NoPath => f.write_str("there is no usable path"),
            ExportRefusal::Sender => f.write_str("the peer is where the best path comes from"),
            ExportRefusal::NoAdvertise => f.write_str("it carries the community no-advertise"),
            ExportRefusal::NoExport => {
                f.write_str("it carries the community no-export, and the peer is eBGP")
            }
            ExportRefusal::SplitHorizon => {
                f.write_str("learned by iBGP, and this node is no route reflector")
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
        }
    }
}

/// Whether the route may go to the peer.
pub fn permit(prefix: &IpNet, source: &Source<'_>, target: &PeerSession) -> Result<(), ExportRefusal> {
    let family = Family::of(prefix);
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
    let inside = [Community::NO_EXPORT, Community::NO_EXPORT_SUBCONFED];
    if external && inside.iter().any(|community| source.attributes.has(*community)) {
        return Err(ExportRefusal::NoExport);
    }
    match source.kind {
        PathKind::Local => {}
        PathKind::Internal if !external => return Err(ExportRefusal::SplitHorizon),
        kind if !source.transit && !target.transit => return Err(ExportRefusal::NotOriginated(kind)),
        _ => {}
    }
    next_hop(family, source, target).map(|_| ())
}

/// The route as the peer is to see it.
pub fn rewrite(
    prefix: &IpNet,
    source: &Source<'_>,
    target: &PeerSession,
) -> Result<(NextHop, PathAttributes), ExportRefusal> {
    permit(prefix, source, target)?;
    let next_hop = next_hop(Family::of(prefix), source, target)?;
    let attributes = match target.kind {
        PeerKind::External => outside(source.attributes, target),
        PeerKind::Internal => inside(source),
    };
    Ok((next_hop, attributes))
}

/// Ours, for what we originate and for all that goes outside (§5.1.3); as learned inside.
fn next_hop(family: Family, source: &Source<'_>, target: &PeerSession) -> Result<NextHop, ExportRefusal> {
    match (target.kind, source.next_hop) {
        (PeerKind::Internal, Some(learned)) => Ok(without_link_local(learned)),
        _ => {
            let own = target
                .next_hop_self(family)
                .ok_or(ExportRefusal::NoNextHop(family))?;
            Ok(NextHop::from(own))
        }
    }
}

/// A link-local address means nothing beyond the link that it was learned on.
fn without_link_local(next_hop: NextHop) -> NextHop {
    NextHop::from(next_hop.address())
}

/// For an eBGP peer: our AS in front, and nothing that is meant for the inside. A MED that another AS sent is not
/// passed on (§5.1.4), and we set none of our own.
fn outside(attributes: &PathAttributes, target: &PeerSession) -> PathAttributes {
    let mut extended_communities = attributes.extended_communities.clone();
    extended_communities.retain(|community| community.is_transitive());
    PathAttributes {
        as_path: attributes.as_path.prepended(target.local_asn),
        med: None,
        local_pref: None,
        originator_id: None,
        cluster_list: Vec::new(),
        extended_communities,
        ..attributes.clone()
    }
}

/// For an iBGP peer: as it is, with our degree of preference.
fn inside(source: &Source<'_>) -> PathAttributes {
    let local_pref = match source.kind {
        PathKind::External => DEFAULT_LOCAL_PREF,
        PathKind::Local | PathKind::Internal => source.attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF),
    };
    PathAttributes {
        local_pref: Some(local_pref),
        ..source.attributes.clone()
    }
}
