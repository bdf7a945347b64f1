//! MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760), with next hops of RFC 8950 and link-local ones of RFC 2545.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::context::DecodeContext;
use super::nlri::{self, Nlri};
use super::reader::Reader;
use crate::types::Family;

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
}

impl NextHop {
    /// The address to resolve.
    pub fn address(self) -> IpAddr {
        match self {
            NextHop::V4(address) => address.into(),
            NextHop::V6 { global, .. } => global.into(),
        }
    }

    /// Whether it can be the address of a host at all (RFC 4271 §6.3): not unspecified, loopback, multicast or,
    /// for IPv4, class E.
    pub(super) fn is_host(self) -> bool {
        match self {
            NextHop::V4(a) => {
                !(a.octets()[0] == 0 || a.is_loopback() || a.is_multicast() || a.octets()[0] >= 240)
            }
            NextHop::V6 { global, .. } => {
                !(global.is_unspecified() || global.is_loopback() || global.is_multicast())
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

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)
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
pub(super) fn decode_reach(value: &[u8], context: &DecodeContext) -> Multi<(Family, NextHop, Vec<Nlri>)> {
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
            (Family::Ipv4Unicast, NextHop::V6 { .. }) => context.extended_next_hop,
            (Family::Ipv6Unicast, NextHop::V4(_)) => false,
            _ => true,
        };
        let _reserved = reader.u8().filter(|_| fits)?;
        let nlri = nlri::decode(reader.rest(), family, *context.add_path.get(family))?;
        Some((family, next_hop, nlri))
    };
    body().map_or(Multi::Disable(family), Multi::Good)
}

/// The value of MP_UNREACH_NLRI.
pub(super) fn decode_unreach(value: &[u8], context: &DecodeContext) -> Multi<(Family, Vec<Nlri>)> {
    let mut reader = Reader::new(value);
    let (Some(afi), Some(safi)) = (reader.u16(), reader.u8()) else {
        return Multi::Unreadable;
    };
    let Some(family) = Family::from_afi_safi(afi, safi) else {
        return Multi::OtherFamily;
    };
    match nlri::decode(reader.rest(), family, *context.add_path.get(family)) {
        Some(list) => Multi::Good((family, list)),
        None => Multi::Disable(family),
    }
}
