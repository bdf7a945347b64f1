//! Communities: classic (RFC 1997), extended (RFC 4360) and large (RFC 8092).

use std::fmt;

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
    /// About to be taken out of service (RFC 8326).
    pub const GRACEFUL_SHUTDOWN: Community = Community(0xFFFF_0000);
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Community::NO_EXPORT => f.write_str("no-export"),
            Community::NO_ADVERTISE => f.write_str("no-advertise"),
            Community::NO_EXPORT_SUBCONFED => f.write_str("no-export-subconfed"),
            Community::GRACEFUL_SHUTDOWN => f.write_str("graceful-shutdown"),
            Community(value) => write!(f, "{}:{}", value >> 16, value & 0xFFFF),
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
