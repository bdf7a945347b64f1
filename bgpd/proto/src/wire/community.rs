//! Communities: classic (RFC 1997), extended (RFC 4360) and large (RFC 8092).

use std::fmt;
use std::net::Ipv4Addr;

/// A classic community.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

impl Community {
    /// Not to be advertised outside the AS (RFC 1997).
    pub const NO_EXPORT: Community = Community(0xFFFF_FF01);
    /// Not to be advertised to anyone (RFC 1997).
    pub const NO_ADVERTISE: Community = Community(0xFFFF_FF02);
    /// Not to be advertised to any eBGP peer (RFC 1997).
    pub const NO_EXPORT_SUBCONFED: Community = Community(0xFFFF_FF03);
    /// Used on although its speaker is long gone: only where nothing better is known (RFC 9494 §3.1).
    pub const LLGR_STALE: Community = Community(0xFFFF_0006);
    /// Not to be used on longer than a graceful restart takes (RFC 9494 §3.2).
    pub const NO_LLGR: Community = Community(0xFFFF_0007);
    /// About to be taken out of service (RFC 8326).
    pub const GRACEFUL_SHUTDOWN: Community = Community(0xFFFF_0000);
    /// Traffic is to be dropped (RFC 7999).
    pub const BLACKHOLE: Community = Community(0xFFFF_029A);
    /// Not to be advertised to peers in the sense of RFC 3765: only to providers and customers.
    pub const NO_PEER: Community = Community(0xFFFF_FF04);

    /// Those that have names, by their value.
    const NAMES: [(Community, &str); 8] = [
        (Community::GRACEFUL_SHUTDOWN, "graceful-shutdown"),
        (Community::LLGR_STALE, "llgr-stale"),
        (Community::NO_LLGR, "no-llgr"),
        (Community::BLACKHOLE, "blackhole"),
        (Community::NO_EXPORT, "no-export"),
        (Community::NO_ADVERTISE, "no-advertise"),
        (Community::NO_EXPORT_SUBCONFED, "no-export-subconfed"),
        (Community::NO_PEER, "no-peer"),
    ];

    /// The community of a name of the registry.
    pub fn from_name(name: &str) -> Option<Community> {
        let known = Self::NAMES.iter().find(|(_, known)| *known == name);
        known.map(|(community, _)| *community)
    }

    /// Its name in the registry, where it has one.
    pub fn name(self) -> Option<&'static str> {
        let known = Self::NAMES.iter().find(|(known, _)| *known == self);
        known.map(|(_, name)| *name)
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}:{}", self.0 >> 16, self.0 & 0xFFFF),
        }
    }
}

/// An extended community, kept as its eight octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedCommunity(pub [u8; 8]);

impl ExtendedCommunity {
    /// Crosses AS borders (RFC 4360 §2: the T bit is clear).
    pub fn is_transitive(self) -> bool {
        self.0[0] & 0x40 == 0
    }
}

impl fmt::Display for ExtendedCommunity {
    /// Route targets and origins as other implementations write them (RFC 4360 §3 to §5, RFC 5668), all else in hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, sub, a, b, c, d, e, g] = self.0;
        let name = match sub {
            2 => "rt",
            3 => "soo",
            _ => "",
        };
        let short = u16::from_be_bytes([e, g]);
        match kind & !0x40 {
            _ if name.is_empty() => {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
            // Two-octet AS, IPv4 address, four-octet AS.
            0 => write!(
                f,
                "{name}:{}:{}",
                u16::from_be_bytes([a, b]),
                u32::from_be_bytes([c, d, e, g])
            ),
            1 => write!(f, "{name}:{}:{short}", Ipv4Addr::new(a, b, c, d)),
            2 => write!(f, "{name}:{}:{short}", u32::from_be_bytes([a, b, c, d])),
            _ => {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

/// A large community.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity {
    /// Global administrator: usually an AS number.
    pub global: u32,
    /// First part, of the administrator's choice.
    pub local1: u32,
    /// Second part.
    pub local2: u32,
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.global, self.local1, self.local2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_ones_have_names() {
        for (community, name) in Community::NAMES {
            assert_eq!(community.to_string(), name);
            assert_eq!(Community::from_name(name), Some(community));
        }
        assert_eq!(Community(64512 << 16 | 7).to_string(), "64512:7");
        assert_eq!(Community::from_name("64512:7"), None);
    }

    #[test]
    fn extended_ones_are_written_as_elsewhere() {
        let rows = [
            ([0, 2, 0xfc, 0, 0, 0, 0, 7], "rt:64512:7"),
            ([0x40, 3, 0xfc, 0, 0, 1, 0, 0], "soo:64512:65536"),
            ([1, 2, 192, 0, 2, 1, 0, 9], "rt:192.0.2.1:9"),
            ([2, 2, 0, 1, 0, 0, 0, 9], "rt:65536:9"),
            ([3, 2, 0, 1, 0, 0, 0, 9], "0x0302000100000009"),
            ([0x43, 0, 0, 0, 0, 0, 0, 1], "0x4300000000000001"),
        ];
        for (octets, want) in rows {
            assert_eq!(ExtendedCommunity(octets).to_string(), want);
        }
    }
}
