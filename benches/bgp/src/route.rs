//! Prefixes and path attributes as values: what a feed is made of, and what a receiver reads.

use std::fmt;
use std::net::Ipv4Addr;

/// An IPv4 prefix, host bits zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    /// Its address.
    pub address: u32,
    /// Its length, 0 to 32.
    pub length: u8,
}

impl Prefix {
    /// The prefix of this length around an address.
    pub fn around(address: u32, length: u8) -> Prefix {
        let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        Prefix {
            address: address & mask,
            length,
        }
    }

    /// A number that no other prefix has, and that is not 0.
    pub fn key(self) -> u64 {
        1 << 40 | u64::from(self.address) << 8 | u64::from(self.length)
    }

    /// The prefix of such a number.
    pub fn of_key(key: u64) -> Prefix {
        Prefix {
            address: (key >> 8) as u32,
            length: key as u8,
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.address), self.length)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The path attributes of a route, by meaning: forms of encoding left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// ORIGIN: 0 IGP, 1 EGP, 2 INCOMPLETE.
    pub origin: u8,
    /// AS_PATH: the AS_SEQUENCE segments, one after the other.
    pub path: Vec<u32>,
    /// NEXT_HOP.
    pub next_hop: u32,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// ATOMIC_AGGREGATE.
    pub atomic: bool,
    /// AGGREGATOR: AS and address.
    pub aggregator: Option<(u32, u32)>,
    /// COMMUNITIES (RFC 1997).
    pub communities: Vec<u32>,
    /// ORIGINATOR_ID (RFC 4456).
    pub originator: Option<u32>,
    /// CLUSTER_LIST (RFC 4456).
    pub cluster_list: Vec<u32>,
    /// LARGE_COMMUNITIES (RFC 8092).
    pub large: Vec<[u32; 3]>,
    /// Everything else, as it came: type and value of each.
    pub other: Vec<u8>,
}

impl Attributes {
    /// Empties it, and keeps its room.
    pub fn clear(&mut self) {
        self.origin = 0;
        self.path.clear();
        self.next_hop = 0;
        self.med = None;
        self.local_pref = None;
        self.atomic = false;
        self.aggregator = None;
        self.communities.clear();
        self.originator = None;
        self.cluster_list.clear();
        self.large.clear();
        self.other.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Prefix;

    #[test]
    fn keys_and_prefixes_are_one_to_one() {
        for (address, length) in [(0, 0), (0x0102_0304, 32), (0xdfff_ffff, 24), (0x8000_0000, 1)] {
            let prefix = Prefix::around(address, length);
            assert_eq!(Prefix::of_key(prefix.key()), prefix);
        }
        assert_eq!(Prefix::around(0x0102_03ff, 24).to_string(), "1.2.3.0/24");
        assert_eq!(Prefix::around(0xffff_ffff, 0).to_string(), "0.0.0.0/0");
    }
}
