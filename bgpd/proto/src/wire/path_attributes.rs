//! Path attributes as the RIB keeps them: typed, free of NLRI and next hop, so that one value is shared by all
//! the routes that have it.

use std::fmt;
use std::net::Ipv4Addr;

use super::as_path::AsPath;
use super::codes as code;
use super::community::{Community, ExtendedCommunity, LargeCommunity};
use crate::types::{Asn, RouterId};

/// ORIGIN (RFC 4271 §5.1.1); the order is that of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Origin {
    /// Interior to the originating AS.
    #[default]
    Igp,
    /// Learned through EGP.
    Egp,
    /// By other means.
    Incomplete,
}

impl Origin {
    pub(super) fn code(self) -> u8 {
        match self {
            Origin::Igp => 0,
            Origin::Egp => 1,
            Origin::Incomplete => 2,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Igp => "IGP",
            Origin::Egp => "EGP",
            Origin::Incomplete => "incomplete",
        })
    }
}

/// AGGREGATOR (RFC 4271 §5.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aggregator {
    /// The AS that made the aggregate.
    pub asn: Asn,
    /// The router in it.
    pub address: Ipv4Addr,
}

/// Optional transitive attributes that came with the partial bit: whoever passes them on leaves it set (RFC 4271 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partial(u8);

impl Partial {
    const CODES: [u8; 5] = [
        code::AGGREGATOR,
        code::COMMUNITIES,
        code::EXTENDED_COMMUNITIES,
        code::LARGE_COMMUNITIES,
        code::ONLY_TO_CUSTOMER,
    ];

    /// Notes the bit of an attribute; one that is not optional and transitive, or is not passed on, has none.
    pub fn insert(&mut self, code: u8) {
        self.0 |= Self::mask(code);
    }

    /// Whether the attribute came with the bit.
    pub fn contains(self, code: u8) -> bool {
        self.0 & Self::mask(code) != 0
    }

    fn mask(code: u8) -> u8 {
        Self::CODES
            .iter()
            .position(|known| *known == code)
            .map_or(0, |bit| 1 << bit)
    }
}

/// A transitive attribute that we do not know, kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawAttribute {
    /// Type code.
    pub code: u8,
    /// Its value.
    pub value: Box<[u8]>,
}

/// The attributes of a route, but for NEXT_HOP and NLRI.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct PathAttributes {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH, in four-octet form whatever the session has.
    pub as_path: AsPath,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// ATOMIC_AGGREGATE.
    pub atomic_aggregate: bool,
    /// AGGREGATOR.
    pub aggregator: Option<Aggregator>,
    /// COMMUNITIES, sorted and without repeats.
    pub communities: Vec<Community>,
    /// ORIGINATOR_ID (RFC 4456).
    pub originator_id: Option<RouterId>,
    /// CLUSTER_LIST (RFC 4456), the latest first.
    pub cluster_list: Vec<Ipv4Addr>,
    /// Extended communities, sorted and without repeats.
    pub extended_communities: Vec<ExtendedCommunity>,
    /// Large communities, sorted and without repeats.
    pub large_communities: Vec<LargeCommunity>,
    /// ONLY_TO_CUSTOMER (RFC 9234 §5): the AS that said so.
    pub otc: Option<Asn>,
    /// Which of these attributes a speaker on the way did not know.
    pub partial: Partial,
    /// Transitive attributes that we do not know, by type code; they leave with the partial bit set
    /// (RFC 4271 §5).
    pub unknown: Vec<RawAttribute>,
}

impl PathAttributes {
    /// Whether the community is there.
    pub fn has(&self, community: Community) -> bool {
        self.communities.contains(&community)
    }
}
