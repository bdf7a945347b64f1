//! A route in the kernel's own terms, the one form in which wish and reality are compared.
//!
//! Decoded messages become [`KernelRoute`]s as they are; a [`DesiredRoute`] becomes one when its interface names are resolved
//! to indexes. Both are brought to one normal form, so that equality means "nothing to write": hops sorted, a weight only where
//! there are several, no hops on a blackhole (IPv6 shows `lo` there) nor beside a nexthop object of our range (the kernel shows
//! the object's hops with each route, `net.ipv4.nexthop_compat_mode`, and they may be old ones).

use std::{fmt, net::IpAddr, ops::RangeInclusive};

use ipnet::IpNet;

use crate::{
    few::Few,
    model::{DesiredRoute, Hop, NextHop, NexthopKey, Protocol, RouteKey, RouteKind, Target},
};

/// The number of a nexthop object (`NHA_ID`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NexthopId(pub u32);

impl NexthopId {
    /// The numbers that are ours to give.
    pub const OURS: RangeInclusive<u32> = 0x5200_0000..=0x52ff_ffff;

    /// Whether the number is ours to give.
    pub fn in_our_range(self) -> bool {
        Self::OURS.contains(&self.0)
    }
}

impl fmt::Display for NexthopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A hop with everything that the kernel keeps for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KernelHop {
    pub gateway: Option<IpAddr>,
    pub index: u32,
    pub onlink: bool,
    pub weight: u16,
    /// Not dead, link not down. State, not identity: left out of [`KernelRoute::same`].
    pub usable: bool,
}

impl KernelHop {
    /// The hop in the form in which it is published.
    pub fn published(&self) -> NextHop {
        NextHop {
            gateway: self.gateway,
            index: self.index,
            usable: self.usable,
        }
    }
}

/// A route as the kernel has it, or is to have it, under its [`RouteKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KernelRoute {
    pub protocol: Protocol,
    pub kind: RouteKind,
    pub hops: Few<KernelHop>,
    /// The nexthop object that it refers to (`RTA_NH_ID`).
    pub nexthop: Option<NexthopId>,
    pub preferred_source: Option<IpAddr>,
    pub mtu: Option<u32>,
    pub advmss: Option<u32>,
}

impl KernelRoute {
    /// A route straight onto a link, for tests.
    #[cfg(test)]
    pub fn on_link(protocol: Protocol, index: u32) -> Self {
        let hop = KernelHop {
            gateway: None,
            index,
            onlink: false,
            weight: 1,
            usable: true,
        };
        KernelRoute {
            protocol,
            kind: RouteKind::Unicast,
            hops: Few::One(hop),
            nexthop: None,
            preferred_source: None,
            mtu: None,
            advmss: None,
        }
    }

    /// Brings the route to the normal form of this module.
    pub fn normalized(mut self) -> Self {
        if self.kind != RouteKind::Unicast || self.nexthop.is_some_and(NexthopId::in_our_range) {
            self.hops = Few::default();
        }
        match &mut self.hops[..] {
            [only] => only.weight = 1,
            hops => hops.sort_unstable(),
        }
        self
    }

    /// Equal in all that was asked for; a hop that is dead for now is still the same hop.
    pub fn same(&self, other: &KernelRoute) -> bool {
        let identity = |hop: &KernelHop| (hop.gateway, hop.index, hop.onlink, hop.weight);
        self.protocol == other.protocol
            && self.kind == other.kind
            && self.nexthop == other.nexthop
            && self.preferred_source == other.preferred_source
            && self.mtu == other.mtu
            && self.advmss == other.advmss
            && self.hops.len() == other.hops.len()
            && self
                .hops
                .iter()
                .zip(other.hops.iter())
                .all(|(a, b)| identity(a) == identity(b))
    }

    /// The hops in the form in which they are published.
    pub fn next_hops(&self) -> Vec<NextHop> {
        self.hops.iter().map(KernelHop::published).collect()
    }
}

/// Why a wanted route cannot even be put into the kernel's terms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("interface {0} does not exist (yet)")]
    NoInterface(String),
    #[error("the route has no next hop: use a blackhole or give one")]
    NoHops,
    #[error("an IPv6 route cannot go through the IPv4 gateway {0}")]
    WrongFamily(IpAddr),
    #[error("IPv6 spreads traffic over gateways only: a hop over {0} has none")]
    NoGateway(String),
    #[error("the next-hop set {0} is not published (yet)")]
    NoSet(NexthopKey),
    #[error("next-hop set {0}: {1}")]
    NotReady(NexthopKey, String),
}

/// What the name of a set of hops stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way<'a> {
    /// These hops, written into the route.
    Hops(&'a [Hop]),
    /// The nexthop object of that id.
    Object(NexthopId),
}

/// Puts a wanted route into the kernel's terms; `index_of` finds interfaces by name, `way` sets of hops.
pub(crate) fn compile<'a>(
    key: &RouteKey,
    route: &'a DesiredRoute,
    protocol: Protocol,
    index_of: impl Fn(&str) -> Option<u32>,
    way: impl FnOnce(&'a NexthopKey) -> Result<Way<'a>, Unfit>,
) -> Result<KernelRoute, Unfit> {
    let target = match &route.target {
        Target::Blackhole => None,
        Target::Forward(hops) => Some(Way::Hops(hops)),
        Target::Via(set) => Some(way(set)?),
    };
    let (kind, hops, nexthop) = match target {
        None => (RouteKind::Blackhole, Few::default(), None),
        Some(Way::Object(id)) => (RouteKind::Unicast, Few::default(), Some(id)),
        Some(Way::Hops([])) => return Err(Unfit::NoHops),
        Some(Way::Hops(hops)) => {
            let several = hops.len() > 1;
            let hops = hops.iter().map(|hop| compile_hop(key, hop, several, &index_of));
            (RouteKind::Unicast, hops.collect::<Result<Few<_>, _>>()?, None)
        }
    };
    let route = KernelRoute {
        protocol,
        kind,
        hops,
        nexthop,
        preferred_source: route.preferred_source,
        mtu: route.mtu.filter(|m| *m > 0),
        advmss: route.advmss.filter(|m| *m > 0),
    };
    Ok(route.normalized())
}

fn compile_hop(
    key: &RouteKey,
    hop: &Hop,
    several: bool,
    index_of: impl Fn(&str) -> Option<u32>,
) -> Result<KernelHop, Unfit> {
    if let IpNet::V6(_) = key.destination {
        match hop.gateway {
            Some(gateway @ IpAddr::V4(_)) => return Err(Unfit::WrongFamily(gateway)),
            None if several => return Err(Unfit::NoGateway(hop.interface.to_string())),
            _ => {}
        }
    }
    let index = index_of(&hop.interface).ok_or_else(|| Unfit::NoInterface(hop.interface.to_string()))?;
    Ok(KernelHop {
        gateway: hop.gateway,
        index,
        // Without a gateway there is nothing that could be on-link, and the kernel refuses the flag.
        onlink: hop.onlink && hop.gateway.is_some(),
        weight: hop.weight.clamp(1, 256),
        usable: true,
    })
}
