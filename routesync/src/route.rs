//! A route in the kernel's own terms, the one form in which wish and reality are compared.
//!
//! Decoded messages become [`KernelRoute`]s as they are; a [`DesiredRoute`] becomes one when its interface names are resolved
//! to indexes. Both are brought to one normal form, so that equality means "nothing to write": hops sorted, a weight only where
//! there are several, no hops on a blackhole (IPv6 shows `lo` there).

use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::{DesiredRoute, Hop, NextHop, Protocol, RouteKey, RouteKind, Target};

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

/// A route as the kernel has it, or is to have it, under its [`RouteKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KernelRoute {
    pub protocol: Protocol,
    pub kind: RouteKind,
    pub hops: Vec<KernelHop>,
    pub preferred_source: Option<IpAddr>,
    pub mtu: Option<u32>,
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
            hops: vec![hop],
            preferred_source: None,
            mtu: None,
        }
    }

    /// Brings the route to the normal form of this module.
    pub fn normalized(mut self) -> Self {
        if self.kind != RouteKind::Unicast {
            self.hops.clear();
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
            && self.preferred_source == other.preferred_source
            && self.mtu == other.mtu
            && self.hops.len() == other.hops.len()
            && self
                .hops
                .iter()
                .zip(&other.hops)
                .all(|(a, b)| identity(a) == identity(b))
    }

    /// The hops in the form in which they are published.
    pub fn next_hops(&self) -> Vec<NextHop> {
        self.hops
            .iter()
            .map(|h| NextHop {
                gateway: h.gateway,
                index: h.index,
                usable: h.usable,
            })
            .collect()
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
}

/// Puts a wanted route into the kernel's terms; `index_of` finds interfaces by name.
pub(crate) fn compile(
    key: &RouteKey,
    route: &DesiredRoute,
    protocol: Protocol,
    index_of: impl Fn(&str) -> Option<u32>,
) -> Result<KernelRoute, Unfit> {
    let (kind, hops) = match &route.target {
        Target::Blackhole => (RouteKind::Blackhole, Vec::new()),
        Target::Forward(hops) => {
            if hops.is_empty() {
                return Err(Unfit::NoHops);
            }
            let several = hops.len() > 1;
            let hops = hops
                .iter()
                .map(|hop| compile_hop(key, hop, several, &index_of))
                .collect::<Result<Vec<_>, _>>()?;
            (RouteKind::Unicast, hops)
        }
    };
    let route = KernelRoute {
        protocol,
        kind,
        hops,
        preferred_source: route.preferred_source,
        mtu: route.mtu.filter(|m| *m > 0),
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
