//! `BGPFilter`: which routes pass to and from a peer, and what is changed on them.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::vocabulary::Asn;

/// Rules for routes of one or several peers. The first rule that matches decides; what no rule matches goes the way
/// that it would go without filters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpFilter {
    /// Name of the resource.
    pub name: String,
    /// IPv4 routes to the peer.
    pub export_v4: Vec<FilterRule>,
    /// IPv4 routes from the peer.
    pub import_v4: Vec<FilterRule>,
    /// IPv6 routes to the peer.
    pub export_v6: Vec<FilterRule>,
    /// IPv6 routes from the peer.
    pub import_v6: Vec<FilterRule>,
}

/// One rule: every condition that is there must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterRule {
    /// How the prefix compares (`cidr`, `matchOperator`, `prefixLength`).
    pub prefix: Option<PrefixMatch>,
    /// Only routes that were learned from peers, not this node's own (`source: RemotePeers`).
    pub remote_only: bool,
    /// Name of the interface that the route leaves by; `*` stands for any text.
    pub interface: Option<String>,
    /// Only for peers of this type.
    pub peer_type: Option<FilterPeerType>,
    /// A community that the route carries (`communities.values`; Calico takes exactly one).
    pub communities: Vec<Community>,
    /// How the AS path begins.
    pub as_path_prefix: Vec<Asn>,
    /// The priority of the route (its metric), 1 to 2147483646.
    pub priority: Option<u32>,
    /// What becomes of the route.
    pub action: FilterAction,
    /// What is changed on it first, in this order; only with `Accept`.
    pub operations: Vec<FilterOperation>,
}

/// A condition on the prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixMatch {
    /// The range.
    pub cidr: IpNet,
    /// How the route compares with it.
    pub operator: MatchOperator,
    /// Shortest prefix length that matches.
    pub min_length: Option<u8>,
    /// Longest prefix length that matches.
    pub max_length: Option<u8>,
}

/// How a prefix compares with a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MatchOperator {
    /// It is the range.
    Equal,
    /// It is not the range.
    NotEqual,
    /// It lies inside the range, or is it.
    In,
    /// It does not lie inside the range.
    NotIn,
}

/// A type of peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FilterPeerType {
    /// Of another AS.
    #[serde(rename = "eBGP")]
    External,
    /// Of the same AS.
    #[serde(rename = "iBGP")]
    Internal,
}

/// What becomes of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FilterAction {
    /// It passes.
    Accept,
    /// It does not pass.
    Reject,
}

/// One change of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FilterOperation {
    /// Adds a community.
    AddCommunity(Community),
    /// Puts these numbers before the AS path.
    PrependAsPath(Vec<Asn>),
    /// Sets the priority (metric), 1 to 2147483646.
    SetPriority(u32),
}

/// A community: `aa:nn` (RFC 1997) or `aa:nn:mm` (RFC 8092).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Community {
    /// Of RFC 1997: two numbers of 16 bits.
    Standard(u16, u16),
    /// Of RFC 8092: three numbers of 32 bits.
    Large(u32, u32, u32),
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Community::Standard(a, b) => write!(f, "{a}:{b}"),
            Community::Large(a, b, c) => write!(f, "{a}:{b}:{c}"),
        }
    }
}

impl FromStr for Community {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a community: two numbers up to 65535 as in 64512:100, or three up to \
                 4294967295 as in 64512:1:2"
            )
        };
        let number = |part: &str| {
            let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let short = part == "0" || !part.starts_with('0');
            part.parse::<u32>()
                .ok()
                .filter(|_| plain && short)
                .ok_or_else(wrong)
        };
        let parts: Vec<&str> = text.split(':').collect();
        match *parts.as_slice() {
            [a, b] => {
                let half = |part| u16::try_from(number(part)?).map_err(|_| wrong());
                Ok(Community::Standard(half(a)?, half(b)?))
            }
            [a, b, c] => Ok(Community::Large(number(a)?, number(b)?, number(c)?)),
            _ => Err(wrong()),
        }
    }
}

impl Serialize for Community {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Community {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn communities_read_in_both_forms() {
        assert_eq!("65535:0".parse(), Ok(Community::Standard(65535, 0)));
        assert_eq!("4294967295:1:0".parse(), Ok(Community::Large(u32::MAX, 1, 0)));
        for bad in [
            "",
            "1",
            "65536:0",
            "1:2:3:4",
            "4294967296:0:0",
            "01:1",
            "+1:1",
            "1:",
            "a:b",
        ] {
            assert!(bad.parse::<Community>().is_err(), "{bad}");
        }
    }
}
