//! What the RIB is told: about ourselves, about each session, about next hops, and what we originate.

use crate::types::{Asn, Family, PeerKind, RouterId};
use crate::wire::Community;
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
    /// Our BGP identifier; our cluster identifier as well.
    pub router_id: RouterId,
    /// What is refused at import, whoever sends it.
    pub import: ImportRules,
    /// How many equal paths a route may have; zero is taken as one.
    pub multipath: usize,
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
pub type NextHopTable = BTreeMap<IpAddr, NextHopState>;

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
    /// Our IPv4 address for NEXT_HOP.
    pub next_hop_v4: Option<Ipv4Addr>,
    /// Our IPv6 address for the next hop of IPv6 routes.
    pub next_hop_v6: Option<Ipv6Addr>,
    /// The default policy is lifted, in both directions.
    pub transit: bool,
}

impl PeerSession {
    /// Our address in the family of the routes.
    pub fn next_hop_self(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::Ipv4Unicast => self.next_hop_v4.map(IpAddr::V4),
            Family::Ipv6Unicast => self.next_hop_v6.map(IpAddr::V6),
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
        self.transit = policy.transit;
    }
}

/// The part of a session that can change while it is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerPolicy {
    /// See [`PeerSession::next_hop_v4`].
    pub next_hop_v4: Option<Ipv4Addr>,
    /// See [`PeerSession::next_hop_v6`].
    pub next_hop_v6: Option<Ipv6Addr>,
    /// See [`PeerSession::transit`].
    pub transit: bool,
}
