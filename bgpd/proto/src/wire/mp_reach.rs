//! MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760), with next hops of RFC 8950 and link-local ones of RFC 2545.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::context::DecodeContext;
use super::nlri::Prefixes;
use super::reader::Reader;
use crate::types::{Family, InterfaceName, ScopedAddr};

/// The NEXT_HOP of announced routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, and the link-local one on a shared link (RFC 2545 §3).
    V6 {
        /// The global address; a link-local one on unnumbered links.
        global: Ipv6Addr,
        /// The link-local address that came with it.
        link_local: Option<Ipv6Addr>,
    },
    /// A link-local address together with the link on which it was learned, which no message says: see [`NextHop::on`].
    Link {
        /// The address.
        address: Ipv6Addr,
        /// The link.
        zone: InterfaceName,
    },
}

impl NextHop {
    /// The address to resolve.
    pub fn address(self) -> IpAddr {
        match self {
            NextHop::V4(address) => address.into(),
            NextHop::V6 { global, .. } => global.into(),
            NextHop::Link { address, .. } => address.into(),
        }
    }

    /// The same with its link, where it is known.
    pub fn scoped(self) -> ScopedAddr {
        match self {
            NextHop::Link { address, zone } => ScopedAddr::on(address, zone),
            other => other.address().into(),
        }
    }

    /// What it means coming from the neighbour on that link: a link-local address is one there, and comes before a global
    /// one, which need not be on-link where links have no prefix.
    pub fn on(self, zone: InterfaceName) -> NextHop {
        match self {
            NextHop::V6 {
                link_local: Some(address),
                ..
            } if address.is_unicast_link_local() => NextHop::Link { address, zone },
            NextHop::V6 { global: address, .. } if address.is_unicast_link_local() => {
                NextHop::Link { address, zone }
            }
            other => other,
        }
    }

    /// Whether it can be the address of a host at all (RFC 4271 §6.3): not unspecified, loopback, multicast or,
    /// for IPv4, class E.
    pub(super) fn is_host(self) -> bool {
        match self {
            NextHop::V4(a) => {
                !(a.octets()[0] == 0 || a.is_loopback() || a.is_multicast() || a.octets()[0] >= 240)
            }
            NextHop::V6 { global: a, .. } | NextHop::Link { address: a, .. } => {
                !(a.is_unspecified() || a.is_loopback() || a.is_multicast())
            }
        }
    }

    /// Some speakers on links without a global address send `::` and the link-local one: only the latter counts.
    fn decode(octets: &[u8]) -> Option<NextHop> {
        let v6 = |o: &[u8]| <[u8; 16]>::try_from(o).ok().map(Ipv6Addr::from);
        match octets.len() {
            4 => <[u8; 4]>::try_from(octets).ok().map(|o| NextHop::V4(o.into())),
            16 => v6(octets).map(|global| NextHop::V6 {
                global,
                link_local: None,
            }),
            32 => {
                let (global, local) = (v6(&octets[..16])?, v6(&octets[16..])?);
                Some(match global.is_unspecified() {
                    true => NextHop::V6 {
                        global: local,
                        link_local: None,
                    },
                    false => NextHop::V6 {
                        global,
                        link_local: Some(local),
                    },
                })
            }
            _ => None,
        }
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        match self {
            NextHop::V4(address) => {
                out.push(4);
                out.extend(address.octets());
            }
            NextHop::V6 { global, link_local } => {
                out.push(if link_local.is_some() { 32 } else { 16 });
                out.extend(global.octets());
                out.extend(link_local.iter().flat_map(|a| a.octets()));
            }
            NextHop::Link { address, .. } => {
                out.push(16);
                out.extend(address.octets());
            }
        }
    }
}

impl From<IpAddr> for NextHop {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => NextHop::V4(address),
            IpAddr::V6(global) => NextHop::V6 {
                global,
                link_local: None,
            },
        }
    }
}

impl From<ScopedAddr> for NextHop {
    fn from(address: ScopedAddr) -> Self {
        let next_hop = NextHop::from(address.ip);
        address.zone.map_or(next_hop, |zone| next_hop.on(zone))
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scoped().fmt(f)
    }
}

/// What became of a multiprotocol attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Multi<T> {
    /// Its contents.
    Good(T),
    /// A family that we do not speak: ignored.
    OtherFamily,
    /// Unreadable: RFC 7606 §7.11 and §5.3 leave the choice of dropping the family for this session.
    Disable(Family),
    /// Too short even for the family: nothing can be said about what it was meant to change.
    Unreadable,
}

/// The value of MP_REACH_NLRI.
pub(super) fn decode_reach(value: &[u8], context: &DecodeContext) -> Multi<(NextHop, Prefixes)> {
    let mut reader = Reader::new(value);
    let (Some(afi), Some(safi)) = (reader.u16(), reader.u8()) else {
        return Multi::Unreadable;
    };
    let Some(family) = Family::from_afi_safi(afi, safi) else {
        return Multi::OtherFamily;
    };
    let mut body = || {
        let length = usize::from(reader.u8()?);
        let next_hop = NextHop::decode(reader.take(length)?)?;
        let fits = match (family, next_hop) {
            (Family::Ipv4Unicast, NextHop::V4(_)) => true,
            (Family::Ipv4Unicast, _) => context.extended_next_hop,
            (Family::Ipv6Unicast, NextHop::V4(_)) => false,
            (Family::Ipv6Unicast, _) => true,
        };
        let _reserved = reader.u8().filter(|_| fits)?;
        let nlri = Prefixes::read(reader.rest(), family, *context.add_path.get(family))?;
        Some((next_hop, nlri))
    };
    body().map_or(Multi::Disable(family), Multi::Good)
}

/// The value of MP_UNREACH_NLRI.
pub(super) fn decode_unreach(value: &[u8], context: &DecodeContext) -> Multi<Prefixes> {
    let mut reader = Reader::new(value);
    let (Some(afi), Some(safi)) = (reader.u16(), reader.u8()) else {
        return Multi::Unreadable;
    };
    let Some(family) = Family::from_afi_safi(afi, safi) else {
        return Multi::OtherFamily;
    };
    let nlri = Prefixes::read(reader.rest(), family, *context.add_path.get(family));
    nlri.map_or(Multi::Disable(family), Multi::Good)
}
