//! What the RIB is told: about ourselves, about each session, about next hops, and what we originate.

use super::policy::{ExportPolicy, ImportPolicy};
use crate::session::AddPathSend;
use crate::types::{Asn, Family, PeerKind, PerFamily, RouterId, ScopedAddr};
use crate::wire::{Community, LargeCommunity};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Where a path comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathKind {
    /// Originated here.
    Local,
    /// Learned by eBGP.
    External,
    /// Learned by iBGP.
    Internal,
}

impl fmt::Display for PathKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathKind::Local => "local",
            PathKind::External => "eBGP",
            PathKind::Internal => "iBGP",
        })
    }
}

/// Ourselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalSettings {
    /// Our AS number.
    pub asn: Asn,
    /// Our BGP identifier.
    pub router_id: RouterId,
    /// Our cluster as a route reflector (RFC 4456 §7); the BGP identifier where there is none.
    pub cluster_id: Option<Ipv4Addr>,
    /// What is refused at import, whoever sends it.
    pub import: ImportRules,
    /// How many equal paths a route may have; zero is taken as one.
    pub multipath: usize,
    /// eBGP paths of equal length are used together whatever ASes they cross.
    pub multipath_relax: bool,
}

impl LocalSettings {
    /// What we put into CLUSTER_LIST, and refuse in it.
    pub fn cluster(&self) -> Ipv4Addr {
        self.cluster_id.unwrap_or(self.router_id.0)
    }
}

/// What is refused at import, whoever sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportRules {
    /// Refuse what is equal to or inside one of these: our own blocks.
    pub own_prefixes: Vec<IpNet>,
    /// Exactly these are accepted although they lie inside our own: addresses on loan to others.
    pub on_loan: BTreeSet<IpNet>,
    /// Inside these, only routes to certain next hops.
    pub node_only: Vec<NodeOnly>,
    /// All our addresses: none of them is the next hop of what others teach (RFC 4271 §5.1.3).
    pub own_addresses: BTreeSet<IpAddr>,
}

/// A pool whose traffic is always tunnelled: only paths straight to a node make sense in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOnly {
    /// The rule is for this prefix and all inside it.
    pub within: IpNet,
    /// The only NEXT_HOPs that are accepted.
    pub next_hops: Arc<BTreeSet<IpAddr>>,
}

/// A route that we originate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Originated {
    /// Communities that it carries.
    pub communities: Vec<Community>,
    /// Large communities that it carries.
    pub large_communities: Vec<LargeCommunity>,
}

/// Whether an address can be reached, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHopState {
    /// It can.
    Reachable {
        /// Interior cost; smaller is nearer.
        metric: u32,
    },
    /// It cannot.
    Unreachable,
}

/// The state of every tracked next hop; one that is absent is unreachable.
pub type NextHopTable = BTreeMap<ScopedAddr, NextHopState>;

/// An Established session, as far as routes are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSession {
    /// iBGP or eBGP.
    pub kind: PeerKind,
    /// Our AS number on this session.
    pub local_asn: Asn,
    /// The peer's AS number.
    pub remote_asn: Asn,
    /// The peer's BGP identifier.
    pub remote_router_id: RouterId,
    /// The peer's address.
    pub remote_address: IpAddr,
    /// Negotiated families.
    pub families: Vec<Family>,
    /// AS numbers have four octets on this session.
    pub four_octet: bool,
    /// The largest message that the peer takes, in octets.
    pub max_message_len: usize,
    /// What else was agreed.
    pub features: Features,
    /// Our IPv4 address for NEXT_HOP.
    pub next_hop_v4: Option<Ipv4Addr>,
    /// Our IPv6 address for the next hop of IPv6 routes.
    pub next_hop_v6: Option<Ipv6Addr>,
    /// What is believed of what the peer teaches, and what is changed on it.
    pub import: Arc<ImportPolicy>,
    /// What the peer is told, and how.
    pub export: Arc<ExportPolicy>,
}

/// Abilities that both ends of a session announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// NLRI from the peer carry path identifiers (RFC 7911).
    pub add_path_in: PerFamily<bool>,
    /// NLRI to the peer carry path identifiers, and it is told so many paths of a prefix.
    pub add_path_out: PerFamily<AddPathSend>,
    /// IPv4 routes may have IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// A refresh has begin and end marks (RFC 7313).
    pub enhanced_refresh: bool,
    /// Long-lived stale routes may be sent to the peer (RFC 9494 §4.3).
    pub takes_stale: bool,
}

impl PeerSession {
    /// How what the peer teaches counts as learned.
    pub fn path_kind(&self) -> PathKind {
        match self.kind {
            PeerKind::Internal => PathKind::Internal,
            PeerKind::External => PathKind::External,
        }
    }

    /// Our address for routes of `family`: of the same family, or our IPv6 address for IPv4 routes too, on a session over
    /// IPv6 whose both ends announced that (RFC 8950 §4).
    pub fn next_hop_self(&self, family: Family) -> Option<IpAddr> {
        let v4 = self.next_hop_v4.map(IpAddr::V4);
        let v6 = self.next_hop_v6.map(IpAddr::V6);
        match family {
            Family::Ipv6Unicast => v6,
            Family::Ipv4Unicast if self.features.extended_next_hop && self.remote_address.is_ipv6() => {
                v6.or(v4)
            }
            Family::Ipv4Unicast => v4,
        }
    }

    /// Whether a route of `family` may be sent with this next hop (RFC 8950 §4).
    pub fn takes_next_hop(&self, family: Family, next_hop: IpAddr) -> bool {
        match (family, next_hop) {
            (Family::Ipv4Unicast, IpAddr::V6(_)) => self.features.extended_next_hop,
            (Family::Ipv6Unicast, IpAddr::V4(_)) => false,
            _ => true,
        }
    }

    /// Whether the address is one that we use for ourselves on this session.
    pub(super) fn is_ours(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.next_hop_v4 == Some(v4),
            IpAddr::V6(v6) => self.next_hop_v6 == Some(v6),
        }
    }

    pub(super) fn apply(&mut self, policy: PeerPolicy) {
        self.next_hop_v4 = policy.next_hop_v4;
        self.next_hop_v6 = policy.next_hop_v6;
        self.import = policy.import;
        self.export = policy.export;
    }
}

/// The part of a session that can change while it is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerPolicy {
    /// See [`PeerSession::next_hop_v4`].
    pub next_hop_v4: Option<Ipv4Addr>,
    /// See [`PeerSession::next_hop_v6`].
    pub next_hop_v6: Option<Ipv6Addr>,
    /// See [`PeerSession::import`].
    pub import: Arc<ImportPolicy>,
    /// See [`PeerSession::export`].
    pub export: Arc<ExportPolicy>,
}
