//! The MTU of a tunnel device: what the path carries less what the encapsulation adds.
//!
//! VXLAN (RFC 7348 §5) adds the outer IP header, UDP (8), VXLAN (8) and the inner Ethernet header (14); IPIP (RFC 2003)
//! adds one IPv4 header (20).

use thiserror::Error;

use crate::encap::Encapsulation;
use crate::family::Family;

const IPV4_HEADER: u32 = 20;
const IPV6_HEADER: u32 = 40;
const UDP_VXLAN_ETHERNET: u32 = 8 + 8 + 14;

/// The least MTU that IPv6 accepts on a link (RFC 8200 §5).
const IPV6_LEAST: u32 = 1280;
/// The least datagram that every IPv4 host must take (RFC 791 §3.1).
const IPV4_LEAST: u32 = 576;

/// Bytes that an encapsulation adds to each packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Overhead(pub u32);

impl Overhead {
    /// VXLAN over IPv4: 50 bytes.
    pub const VXLAN_V4: Self = Self(IPV4_HEADER + UDP_VXLAN_ETHERNET);
    /// VXLAN over IPv6: 70 bytes.
    pub const VXLAN_V6: Self = Self(IPV6_HEADER + UDP_VXLAN_ETHERNET);
    /// IPIP: 20 bytes.
    pub const IPIP: Self = Self(IPV4_HEADER);
    /// No tunnel.
    pub const NONE: Self = Self(0);

    /// What `encapsulation` adds over an underlay of `family`.
    pub fn of(encapsulation: Encapsulation, family: Family) -> Self {
        match (encapsulation, family) {
            (Encapsulation::Direct, _) => Self::NONE,
            (Encapsulation::Vxlan, Family::Ipv4) => Self::VXLAN_V4,
            (Encapsulation::Vxlan, Family::Ipv6) => Self::VXLAN_V6,
            (Encapsulation::Ipip, _) => Self::IPIP,
        }
    }
}

/// Why no MTU can be given to a tunnel device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MtuError {
    /// No link leads to any tunnel end.
    #[error("no link leads to a tunnel end yet, so the tunnel has no MTU")]
    NoPath,
    /// The path is so narrow that the inner family does not fit.
    #[error(
        "the narrowest path has MTU {path}; less {overhead} bytes of encapsulation {left} are left, and {family} needs \
         {least}: raise the MTU of the uplink"
    )]
    TooSmall {
        /// The least link MTU on the paths.
        path: u32,
        /// Bytes of encapsulation.
        overhead: u32,
        /// What remains.
        left: u32,
        /// The family inside the tunnel.
        family: Family,
        /// What that family needs.
        least: u32,
    },
}

/// The MTU of a tunnel device whose packets of `family` leave through links with the MTUs `paths`.
///
/// The narrowest path counts, for one device serves all of them.
///
/// # Errors
/// [`MtuError::NoPath`] without a path, [`MtuError::TooSmall`] if `family` does not fit.
pub fn device_mtu(
    paths: impl IntoIterator<Item = u32>,
    overhead: Overhead,
    family: Family,
) -> Result<u32, MtuError> {
    let path = paths.into_iter().min().ok_or(MtuError::NoPath)?;
    let left = path.saturating_sub(overhead.0);
    let least = match family {
        Family::Ipv4 => IPV4_LEAST,
        Family::Ipv6 => IPV6_LEAST,
    };
    if left < least {
        return Err(MtuError::TooSmall {
            path,
            overhead: overhead.0,
            left,
            family,
            least,
        });
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overheads_are_those_of_the_headers() {
        assert_eq!(Overhead::VXLAN_V4.0, 50);
        assert_eq!(Overhead::VXLAN_V6.0, 70);
        assert_eq!(Overhead::IPIP.0, 20);
        assert_eq!(Overhead::of(Encapsulation::Direct, Family::Ipv6), Overhead::NONE);
    }

    #[test]
    fn the_narrowest_path_counts() {
        assert_eq!(
            device_mtu([9000, 1500, 1450], Overhead::VXLAN_V4, Family::Ipv4),
            Ok(1400)
        );
        assert_eq!(device_mtu([9000], Overhead::VXLAN_V6, Family::Ipv6), Ok(8930));
        assert_eq!(
            device_mtu([], Overhead::IPIP, Family::Ipv4),
            Err(MtuError::NoPath)
        );
    }

    #[test]
    fn a_path_too_narrow_for_ipv6_is_an_error_that_says_so() {
        let error = device_mtu([1320], Overhead::VXLAN_V6, Family::Ipv6).unwrap_err();
        assert!(
            error.to_string().contains("1250 are left, and IPv6 needs 1280"),
            "{error}"
        );
        assert!(device_mtu([20], Overhead::VXLAN_V4, Family::Ipv4).is_err());
    }
}
