//! MTU of each path, of the tunnel devices and of pods.
//!
//! Packets to one peer leave by the links of the kernel's route to it, and each peer may have others: a path's MTU is that of
//! its narrowest link less the encapsulation ([`Path::mtu`]). One device serves many peers, so it has the largest MTU of its
//! paths ([`device_mtu`]), and each route over it says its own ([`Path::route`]), which the kernel honours for its own
//! packets and for those that it forwards (IPv6: since 5.10). The other way round, jumbo frames between two peers would end
//! with the first peer on an ordinary link. Pods get the least of all ([`pod_mtu`]): a path may become a tunnel while they
//! run, and what they send has to fit without asking.

use thiserror::Error;

use crate::encap::{Encapsulation, Mode, PoolModes};
use crate::family::Family;

const IPV4_HEADER: u32 = 20;
const IPV6_HEADER: u32 = 40;
/// TCP without options (RFC 9293 §3.1).
const TCP_HEADER: u32 = 20;
/// UDP, VXLAN and the inner Ethernet header (RFC 7348 §5).
const UDP_VXLAN_ETHERNET: u32 = 8 + 8 + 14;
/// The least MTU that IPv6 works with (RFC 8200 §5).
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

    /// The most that a pool with `modes` may add, now or when a path changes.
    pub fn most(modes: PoolModes, family: Family) -> Self {
        match modes {
            PoolModes {
                vxlan: Mode::Never,
                ipip: Mode::Never,
            } => Self::NONE,
            // IPIP carries no IPv6: such a pool is direct.
            PoolModes {
                vxlan: Mode::Never, ..
            } if family == Family::Ipv6 => Self::NONE,
            PoolModes {
                vxlan: Mode::Never, ..
            } => Self::IPIP,
            _ => Self::of(Encapsulation::Vxlan, family),
        }
    }
}

/// Why a path or a device has no MTU that works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MtuError {
    /// No link leads to any tunnel end.
    #[error("no link leads to a tunnel end yet, so the tunnel has no MTU")]
    NoPath,
    /// The path is so narrow that the inner family does not fit.
    #[error(
        "the narrowest link of the path has MTU {link}; less {overhead} bytes of encapsulation {left} are left, and {family} \
         needs {least}: raise the MTU of the uplink"
    )]
    TooSmall {
        /// The least link MTU on the path.
        link: u32,
        /// Bytes of encapsulation.
        overhead: u32,
        /// What remains.
        left: u32,
        /// The family inside.
        family: Family,
        /// What that family needs.
        least: u32,
    },
}

/// The way of packets to one peer, as far as their size goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// MTU of the link that they leave by, in bytes; the least, where they leave by several.
    pub link: u32,
    /// How they travel.
    pub encapsulation: Encapsulation,
    /// The family of the packets, and of the underlay.
    pub family: Family,
}

/// What a route says about sizes, in bytes (`RTAX_MTU`, `RTAX_ADVMSS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteSizes {
    /// The largest packet.
    pub mtu: u32,
    /// The largest TCP segment that this host announces.
    pub advmss: u32,
}

impl Path {
    /// The largest packet that this path carries, in bytes.
    ///
    /// # Errors
    /// [`MtuError::TooSmall`] if the family does not fit.
    pub fn mtu(self) -> Result<u32, MtuError> {
        let overhead = Overhead::of(self.encapsulation, self.family).0;
        let left = self.link.saturating_sub(overhead);
        let least = match self.family {
            Family::Ipv4 => IPV4_LEAST,
            Family::Ipv6 => IPV6_LEAST,
        };
        if left >= least {
            return Ok(left);
        }
        Err(MtuError::TooSmall {
            link: self.link,
            overhead,
            left,
            family: self.family,
            least,
        })
    }

    /// What routes over this path say: always, where it is a tunnel, whose device may be wider; nothing where it is direct,
    /// for there the link's own MTU holds and follows the link at once. Nothing either where the family does not fit: a
    /// route with such an MTU would only hide what is wrong.
    pub fn route(self) -> Option<RouteSizes> {
        if self.encapsulation == Encapsulation::Direct {
            return None;
        }
        self.mtu().ok().map(|mtu| RouteSizes::of(mtu, self.family))
    }
}

impl RouteSizes {
    /// For packets of `family` of at most `mtu` bytes: a segment has no room for the headers of IP and TCP.
    pub fn of(mtu: u32, family: Family) -> Self {
        let headers = TCP_HEADER
            + match family {
                Family::Ipv4 => IPV4_HEADER,
                Family::Ipv6 => IPV6_HEADER,
            };
        Self {
            mtu,
            advmss: mtu.saturating_sub(headers),
        }
    }
}

/// The MTU of a tunnel device that serves `paths`, in bytes: the largest of theirs, which each route narrows to its own.
///
/// A path on which the family does not fit takes no part as long as another one works.
///
/// # Errors
/// [`MtuError::NoPath`] without a path, [`MtuError::TooSmall`] of the widest if none works.
pub fn device_mtu(paths: impl IntoIterator<Item = Path>) -> Result<u32, MtuError> {
    let widest = paths.into_iter().max_by_key(|path| path.link);
    widest.ok_or(MtuError::NoPath)?.mtu()
}

/// What decides about the MTU of pods: one pool on its way to one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// MTU of the narrowest link to the peer, in bytes.
    pub link: u32,
    /// The pool's modes.
    pub modes: PoolModes,
    /// The pool's family.
    pub family: Family,
}

/// The MTU of pods, in bytes: the least that any pool's packets to any peer may need, tunnels counted that a pool may
/// take later. `alone` is what holds while there is no peer at all: the MTU of the uplink, with the pools' modes.
pub fn pod_mtu(reaches: impl IntoIterator<Item = Reach>, alone: u32) -> u32 {
    let needs = reaches.into_iter().map(|reach| {
        let most = Overhead::most(reach.modes, reach.family).0;
        reach.link.saturating_sub(most)
    });
    needs.min().unwrap_or(alone)
}

#[cfg(test)]
mod tests;
