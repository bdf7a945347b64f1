//! From rtnetlink(7) messages to this crate's terms. Lenient: unknown attributes are skipped, a message without the needed
//! ones is no event.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use ipnet::IpNet;

use crate::{
    few::Few,
    model::{Address, Link, Metric, Protocol, RouteKey, RouteKind, Table},
    route::{KernelHop, KernelRoute, NexthopId},
};

const AF_UNSPEC: u8 = 0;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_NH_ID: u16 = 30;
const RTAX_MTU: u16 = 2;
const RTAX_ADVMSS: u16 = 8;

const RTM_F_CLONED: u32 = 0x200;
const RTNH_F_DEAD: u8 = 1;
const RTNH_F_ONLINK: u8 = 4;
const RTNH_F_LINKDOWN: u8 = 16;

/// The attributes of a message: (`nla_type` without its flags, value). A broken one ends the list.
pub(super) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    pub fn new(rest: &'a [u8]) -> Self {
        Attributes { rest }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_at(self.rest, 0)?);
        let kind = u16_at(self.rest, 2)? & 0x3fff;
        let value = self.rest.get(4..length)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_ne_bytes(*b))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_ne_bytes(*b))
}

pub(super) fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => bytes.first_chunk::<4>().map(|b| Ipv4Addr::from(*b).into()),
        16 => bytes.first_chunk::<16>().map(|b| Ipv6Addr::from(*b).into()),
        _ => None,
    }
}

/// A route message (`struct rtmsg`), or `None` for what is no FIB route of ours to know: another family, the local table,
/// a cached clone, a TOS or source-specific route (those have keys of their own and never meet ours).
pub(super) fn route(payload: &[u8]) -> Option<(RouteKey, KernelRoute)> {
    let &[family, prefix_len, source_len, tos, table, protocol, _scope, kind] = payload.first_chunk::<8>()?;
    let flags = u32_at(payload, 8)?;
    if !matches!(family, AF_INET | AF_INET6) || source_len != 0 || tos != 0 || flags & RTM_F_CLONED != 0 {
        return None;
    }
    let unspecified: IpAddr = if family == AF_INET {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let mut destination = unspecified;
    let (mut table, mut metric) = (u32::from(table), 0);
    let (mut preferred_source, mut mtu, mut advmss, mut nexthop) = (None, None, None, None);
    // The low byte of rtm_flags holds the flags of a single hop.
    let mut single = RawHop {
        flags: flags.to_ne_bytes()[low_byte()],
        index: 0,
        gateway: None,
        weight: 1,
    };
    let mut hops = Few::default();
    for (attribute, value) in Attributes::new(payload.get(12..)?) {
        match attribute {
            RTA_DST => destination = address(value)?,
            RTA_SRC => return None,
            RTA_OIF => single.index = u32_at(value, 0)?,
            RTA_GATEWAY => single.gateway = address(value),
            RTA_VIA => single.gateway = via(value),
            RTA_PRIORITY => metric = u32_at(value, 0)?,
            RTA_PREFSRC => preferred_source = address(value),
            RTA_METRICS => {
                for (metric, value) in Attributes::new(value) {
                    match metric {
                        RTAX_MTU => mtu = u32_at(value, 0),
                        RTAX_ADVMSS => advmss = u32_at(value, 0),
                        _ => {}
                    }
                }
            }
            RTA_NH_ID => nexthop = u32_at(value, 0).map(NexthopId),
            RTA_MULTIPATH => hops = multipath(value).into(),
            RTA_TABLE => table = u32_at(value, 0)?,
            _ => {}
        }
    }
    if Table(table) == Table::LOCAL {
        return None;
    }
    if hops.is_empty() && single.index != 0 {
        hops = Few::One(KernelHop::from(single));
    }
    let destination = IpNet::new(destination, prefix_len).ok()?.trunc();
    let route = KernelRoute {
        protocol: Protocol(protocol),
        kind: route_kind(kind),
        hops,
        nexthop,
        preferred_source,
        mtu,
        advmss,
    };
    Some((
        RouteKey {
            table: Table(table),
            destination,
            metric: Metric(metric),
        },
        route.normalized(),
    ))
}

const fn low_byte() -> usize {
    if cfg!(target_endian = "little") { 0 } else { 3 }
}

struct RawHop {
    flags: u8,
    index: u32,
    gateway: Option<IpAddr>,
    weight: u16,
}

impl From<RawHop> for KernelHop {
    fn from(raw: RawHop) -> Self {
        KernelHop {
            gateway: raw.gateway,
            index: raw.index,
            onlink: raw.flags & RTNH_F_ONLINK != 0,
            weight: raw.weight,
            usable: raw.flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN) == 0,
        }
    }
}

/// `struct rtnexthop`s, each with attributes of its own.
fn multipath(mut rest: &[u8]) -> Vec<KernelHop> {
    let mut hops = Vec::new();
    while let (Some(length), Some(index)) = (u16_at(rest, 0), u32_at(rest, 4)) {
        let length = usize::from(length);
        let Some(attributes) = rest.get(8..length) else {
            break;
        };
        let mut hop = RawHop {
            flags: rest[2],
            index,
            gateway: None,
            weight: u16::from(rest[3]) + 1,
        };
        for (attribute, value) in Attributes::new(attributes) {
            match attribute {
                RTA_GATEWAY => hop.gateway = address(value),
                RTA_VIA => hop.gateway = via(value),
                _ => {}
            }
        }
        hops.push(KernelHop::from(hop));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    hops
}

/// `struct rtvia`: a gateway of another family than the route's.
fn via(value: &[u8]) -> Option<IpAddr> {
    address(value.get(2..)?)
}

fn route_kind(kind: u8) -> RouteKind {
    match kind {
        1 => RouteKind::Unicast,
        6 => RouteKind::Blackhole,
        7 => RouteKind::Unreachable,
        8 => RouteKind::Prohibit,
        9 => RouteKind::Throw,
        other => RouteKind::Other(other),
    }
}

/// A link message (`struct ifinfomsg`); bridge ports and other families' views of a link are no links.
pub(super) fn link(payload: &[u8]) -> Option<Link> {
    const IFF_UP: u32 = 1;
    const IFF_RUNNING: u32 = 1 << 6;
    const IFF_LOWER_UP: u32 = 1 << 16;
    const IFLA_ADDRESS: u16 = 1;
    const IFLA_IFNAME: u16 = 3;
    const IFLA_MTU: u16 = 4;
    const IFLA_MASTER: u16 = 10;
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_INFO_KIND: u16 = 1;
    if *payload.first()? != AF_UNSPEC {
        return None;
    }
    let flags = u32_at(payload, 8)?;
    let mut link = Link {
        index: u32_at(payload, 4)?,
        up: flags & IFF_UP != 0,
        carrier: flags & IFF_LOWER_UP != 0,
        running: flags & IFF_RUNNING != 0,
        ..Link::default()
    };
    for (attribute, value) in Attributes::new(payload.get(16..)?) {
        match attribute {
            IFLA_ADDRESS => link.mac = value.try_into().ok(),
            IFLA_IFNAME => link.name = Arc::from(text(value)),
            IFLA_MTU => link.mtu = u32_at(value, 0)?,
            IFLA_MASTER => link.master = u32_at(value, 0),
            IFLA_LINKINFO => {
                let kind = Attributes::new(value).find(|(kind, _)| *kind == IFLA_INFO_KIND);
                link.kind = kind.map(|(_, value)| text(value));
            }
            _ => {}
        }
    }
    Some(link)
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches('\0').to_string()
}

/// An address message (`struct ifaddrmsg`). `IFA_LOCAL` is the host's end where the link is point-to-point.
pub(super) fn interface_address(payload: &[u8]) -> Option<Address> {
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    let prefix_len = *payload.get(1)?;
    let index = u32_at(payload, 4)?;
    let (mut local, mut either) = (None, None);
    for (attribute, value) in Attributes::new(payload.get(8..)?) {
        match attribute {
            IFA_LOCAL => local = address(value),
            IFA_ADDRESS => either = address(value),
            _ => {}
        }
    }
    Some(Address {
        index,
        net: IpNet::new(local.or(either)?, prefix_len).ok()?,
    })
}

/// The index in a link message of any family but the bridge's.
pub(super) fn link_index(payload: &[u8]) -> Option<u32> {
    (*payload.first()? == AF_UNSPEC)
        .then(|| u32_at(payload, 4))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), family in 0u8..11) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = family;
            }
            let _ = (route(&bytes), link(&bytes), interface_address(&bytes), link_index(&bytes));
        }
    }
}
