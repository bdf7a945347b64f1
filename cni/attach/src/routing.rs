//! Which routes and rules an interface has inside its pod, from what is asked for and what is there (pure).
//!
//! The interface that holds the default route of a family has it in the main table. Any other interface has a table of
//! its own with a default route, and a rule for each of its addresses that leads there: what leaves from such an
//! address leaves through its interface, as the strict reverse path on the node's end demands. The number of the
//! table is 0x52000000 and the first 24 bits of the digits in the name on the node, so it stays the same as long as
//! the name does. Routes and rules carry protocol 82, rules priority 0x5200. What carries another protocol is left
//! alone, unless it stands where a route of the interface has to be.
//!
//! Further routes of an interface are in the main table and so count for all senders of the pod: what leaves from the
//! address of another interface to such a destination does not pass the strict reverse path. The interface with the
//! default route has no rules, for most pods have one interface, and rules cost each of their packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use netlink_packet_route::route::RouteHeader;

use crate::error::Error;
use crate::model::{DefaultRoute, PodLink, gateway};
use crate::requests::{Route, SeenRoute, SeenRule};

const MAIN: u32 = RouteHeader::RT_TABLE_MAIN as u32;
const TABLES: u32 = 0x5200_0000;

/// The table of an interface with this name on the node.
pub(crate) fn table(host_ifname: &str) -> u32 {
    let digits = host_ifname.get(2..8).unwrap_or_default();
    TABLES | u32::from_str_radix(digits, 16).unwrap_or(0)
}

/// What the routing of an interface inside its pod has to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Routing {
    pub routes: Vec<Route>,
    /// The addresses with a rule.
    pub rules: Vec<IpAddr>,
}

impl Routing {
    /// The routes of the main table: destination, gateway.
    pub(crate) fn main(&self) -> Vec<(IpNet, Option<IpAddr>)> {
        let main = self.routes.iter().filter(|r| r.table == MAIN);
        main.map(|r| (r.destination, r.gateway)).collect()
    }
}

/// The default destination of the family of an address.
fn default_net(family: IpAddr) -> IpNet {
    match family {
        IpAddr::V4(_) => Ipv4Net::default().into(),
        IpAddr::V6(_) => Ipv6Net::default().into(),
    }
}

fn same_family(net: &IpNet, address: IpAddr) -> bool {
    net.addr().is_ipv4() == address.is_ipv4()
}

fn through_other(route: &SeenRoute, index: u32) -> bool {
    route.table == MAIN && route.links.iter().any(|&link| link != index)
}

/// Whether the default route of a family has to go through the interface. Where that depends on what is free, an
/// interface stays what it is: one with a table of its own does not take the place of another that lost its route.
fn default_here(wanted: &PodLink, family: IpAddr, seen: &[SeenRoute], index: u32) -> bool {
    let default = default_net(family);
    let defaults = |table| {
        let of_table = move |r: &&SeenRoute| r.table == table && r.destination == default;
        seen.iter().filter(of_table)
    };
    match wanted.default_route {
        DefaultRoute::No => false,
        DefaultRoute::Yes => true,
        DefaultRoute::IfFree => {
            let taken = defaults(MAIN).any(|r| through_other(r, index));
            let second = defaults(table(&wanted.host_ifname)).any(|r| r.links == [index]);
            wanted.routes.contains(&default)
                || defaults(MAIN).any(|r| r.links == [index])
                || !(taken || second)
        }
    }
}

/// What has to be, given the pod's routes and the interface's index.
pub(crate) fn routing(wanted: &PodLink, seen: &[SeenRoute], index: u32) -> Routing {
    let own = table(&wanted.host_ifname);
    let mut routing = Routing::default();
    for family in [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()] {
        let addresses = || {
            wanted
                .addresses
                .iter()
                .filter(|a| a.is_ipv4() == family.is_ipv4())
        };
        if addresses().next().is_none() {
            continue;
        }
        let via = gateway(family);
        let route = |table, destination, onlink: bool| Route {
            table,
            destination,
            gateway: Some(via),
            onlink: onlink && via.is_ipv4(),
        };
        if default_here(wanted, family, seen, index) {
            let to_gateway = Route {
                table: MAIN,
                destination: via.into(),
                gateway: None,
                onlink: false,
            };
            let taken = conflicts(&to_gateway, seen, index);
            if via.is_ipv4() && !taken {
                routing.routes.push(to_gateway);
            }
            routing.routes.push(route(MAIN, default_net(family), taken));
        } else {
            routing.routes.push(route(own, default_net(family), true));
            routing.rules.extend(addresses());
        }
        let mut further: Vec<IpNet> = wanted.routes.iter().map(IpNet::trunc).collect();
        further.retain(|net| same_family(net, family) && net.prefix_len() > 0);
        further.sort();
        further.dedup();
        let further = further.into_iter().map(|net| route(MAIN, net, true));
        routing.routes.extend(further);
    }
    routing
}

/// The destination leads through another interface, and not through this one.
fn conflicts(route: &Route, seen: &[SeenRoute], index: u32) -> bool {
    let same = || {
        let same = |r: &&SeenRoute| (r.table, r.destination) == (route.table, route.destination);
        seen.iter().filter(same)
    };
    same().any(|r| through_other(r, index)) && !same().any(|r| r.links == [index])
}

/// Refuses destinations that lead through another interface of the pod.
pub(crate) fn refuse_conflicts(
    wanted: &PodLink,
    routing: &Routing,
    seen: &[SeenRoute],
    index: u32,
) -> Result<(), Error> {
    let (ifname, path) = (wanted.ifname.clone(), wanted.netns.clone());
    match routing.routes.iter().find(|route| conflicts(route, seen, index)) {
        None => Ok(()),
        Some(route) if route.destination.prefix_len() == 0 => Err(Error::OtherDefault { ifname, path }),
        Some(route) => Err(Error::OtherRoute {
            destination: route.destination,
            ifname,
            path,
        }),
    }
}

/// The route is there as it has to be.
pub(crate) fn is_there(route: &Route, seen: &[SeenRoute], index: u32) -> bool {
    seen.iter().any(|r| is_it(r, route, index))
}

fn is_it(seen: &SeenRoute, route: &Route, index: u32) -> bool {
    (seen.table, seen.destination, seen.gateway) == (route.table, route.destination, route.gateway)
        && seen.links == [index]
}

/// What is there and must not be: ours that is not wanted any more, and what stands in the place of a route of ours.
pub(crate) fn surplus_routes<'a>(
    wanted: &PodLink,
    routing: &Routing,
    seen: &'a [SeenRoute],
    index: u32,
) -> Vec<&'a SeenRoute> {
    let own = table(&wanted.host_ifname);
    let surplus = |r: &&SeenRoute| {
        let (right, in_place) = routing
            .routes
            .iter()
            .fold((false, false), |(right, in_place), route| {
                let same = (r.table, r.destination) == (route.table, route.destination);
                (right || is_it(r, route, index), in_place || same)
            });
        let through_us = r.links == [index] && (r.ours || in_place);
        !right && (r.table == own || r.table == MAIN && through_us)
    };
    seen.iter().filter(surplus).collect()
}

/// The rule for an address is there.
pub(crate) fn has_rule(address: IpAddr, seen: &[SeenRule]) -> bool {
    seen.iter().any(|rule| rule.exact && rule.from == Some(address))
}

/// The rules that lead to the table of the interface and must not.
pub(crate) fn surplus_rules<'a>(routing: &Routing, seen: &'a [SeenRule]) -> Vec<&'a SeenRule> {
    let right = |rule: &SeenRule| rule.exact && rule.from.is_some_and(|from| routing.rules.contains(&from));
    seen.iter().filter(|rule| !right(rule)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_table_follows_from_the_name() {
        assert_eq!(table("rb48d36029a6c"), 0x5248_d360);
        assert_eq!(table("rb00000012345"), 0x5200_0000);
        assert_eq!(table("not ours"), 0x5200_0000);
        assert_eq!(table("é"), 0x5200_0000);
    }
}
