//! The outer header that our devices put before each packet: hop limit, DSCP, the bit against fragments, source port.
//!
//! Pure: what we set, and whether what a device has is that. Each of the values, with what Calico's and flannel's devices
//! have, is in `docs/tunnels.md`.

use std::fmt;

use crate::family::Family;

/// `IPv4`'s "don't fragment" on outer packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DontFragment {
    /// Never: routers on the way may fragment.
    Unset,
    /// Always.
    Set,
    /// As the inner packet has it.
    Inherit,
}

/// What of the outer header the kernel changes on a live device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outer {
    /// Hop limit. 0 is the machine's default (`net.ipv4.ip_default_ttl`) for VXLAN, and that of the inner packet for
    /// IPIP.
    pub ttl: u8,
    /// The field of DSCP and ECN; 1 takes DSCP from the inner packet. ECN always follows RFC 6040.
    pub tos: u8,
    /// Whether outer packets may be fragmented.
    pub df: DontFragment,
}

/// `tos inherit`: the field has no such value of its own, its lowest bit belongs to ECN.
const INHERIT: u8 = 1;

impl Outer {
    /// What our VXLAN devices over an underlay of `family` have.
    ///
    /// RFC 7348 §4.3: a tunnel end must not fragment; with the bit set no router does it either, and one with a smaller MTU
    /// answers instead. IPv6 routers never fragment, and the kernel has the attribute for IPv4 alone.
    pub const fn vxlan(family: Family) -> Self {
        Self {
            ttl: 0,
            tos: INHERIT,
            df: match family {
                Family::Ipv4 => DontFragment::Set,
                Family::Ipv6 => DontFragment::Unset,
            },
        }
    }

    /// What our IPIP device has. A fixed hop limit, so that it does not depend on how far the inner packet has come; the
    /// kernel allows it only with the bit set.
    pub const fn ipip() -> Self {
        Self {
            ttl: 64,
            tos: INHERIT,
            df: DontFragment::Set,
        }
    }
}

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ttl {
            0 => f.write_str("ttl auto")?,
            ttl => write!(f, "ttl {ttl}")?,
        }
        match self.tos {
            INHERIT => f.write_str(" tos inherit")?,
            tos => write!(f, " tos {tos:#x}")?,
        }
        f.write_str(match self.df {
            DontFragment::Unset => " df unset",
            DontFragment::Set => " df set",
            DontFragment::Inherit => " df inherit",
        })
    }
}

/// The UDP source ports of VXLAN: those that RFC 7348 §5 recommends. The kernel takes one by a hash of the inner packet's
/// flow, which is what lets routers spread flows over equal paths.
pub const SOURCE_PORTS: (u16, u16) = (49152, 65535);

/// With fewer source ports than this, flows share too few values to spread over equal paths.
const LEAST_SOURCE_PORTS: u16 = 1024;

/// Whether a range of source ports, as the kernel tells it, has too few for spreading. A range from 0 to 0, which
/// devices of earlier versions have, is the machine's own (`net.ipv4.ip_local_port_range`).
pub fn is_narrow((low, high): (u16, u16)) -> bool {
    low < high && high - low < LEAST_SOURCE_PORTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_source_ports() {
        for (range, narrow) in [
            (SOURCE_PORTS, false),
            ((0, 0), false),
            ((4789, 4789), false),
            ((4789, 4790), true),
            ((40000, 41023), true),
            ((40000, 41024), false),
            ((2, 1), false),
        ] {
            assert_eq!(is_narrow(range), narrow, "{range:?}");
        }
    }

    #[test]
    fn texts_are_those_of_iproute2() {
        assert_eq!(
            Outer::vxlan(Family::Ipv4).to_string(),
            "ttl auto tos inherit df set"
        );
        assert_eq!(
            Outer::vxlan(Family::Ipv6).to_string(),
            "ttl auto tos inherit df unset"
        );
        assert_eq!(Outer::ipip().to_string(), "ttl 64 tos inherit df set");
    }
}
