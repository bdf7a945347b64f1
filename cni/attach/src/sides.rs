//! The two ends of a pair, set up after it exists. Every step can be repeated.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};

use crate::error::Error;
use crate::model::{GATEWAY_V6, PodLink, gateway};
use crate::names::Macs;
use crate::netlink::{Netlink, Request};
use crate::netns::Inside;
use crate::requests::{
    Change, Link, SeenRoute, SeenRule, add_route, add_rule, addresses, change, delete_address, delete_route,
    delete_rule, put_address, put_neighbour, routes, rules,
};
use crate::routing::{
    Routing, has_rule, is_there, refuse_conflicts, routing, surplus_routes, surplus_rules, table,
};
use crate::sysctl::{self, Setting};

/// The loopback interface has this index in every namespace.
pub(crate) const LOOPBACK: u32 = 1;

/// The address of the node's end in IPv6.
pub(crate) fn gateway_net() -> IpNet {
    Ipv6Net::new_assert(GATEWAY_V6, 64).into()
}

pub(crate) fn has_ipv6_address(link: &PodLink) -> bool {
    link.addresses.iter().any(IpAddr::is_ipv6)
}

/// The gateways of the pod's families.
pub(crate) fn gateways(link: &PodLink) -> Vec<IpAddr> {
    let mut gateways: Vec<IpAddr> = link.addresses.iter().map(|&a| gateway(a)).collect();
    gateways.sort();
    gateways.dedup();
    gateways
}

/// The node's end, in the namespace of the calling thread.
///
/// `proxy_arp` answers a pod that asks for its gateway although it need not, `rp_filter` lets through only packets
/// from the pod's own address (strict), forwarding is on for what comes from the pod.
pub(crate) fn host(netlink: &mut Netlink, link: &PodLink, host: &Link, macs: Macs) -> Result<(), Error> {
    let name = link.host_ifname.as_str();
    let kernel_has_ipv6 = host.ipv6.is_some();
    if has_ipv6_address(link) && !kernel_has_ipv6 {
        return Err(Error::Invalid(
            "the pod has an IPv6 address, and this node's kernel has no IPv6; remove the IPv6 pool".into(),
        ));
    }
    sysctl::host(link, host.ipv6).iter().try_for_each(Setting::set)?;
    let mut requests = Vec::new();
    if kernel_has_ipv6 {
        let quiet = Change {
            no_link_local: true,
            ..Change::default()
        };
        requests.push(change(
            host.index,
            &quiet,
            format!("keep {name} without addresses of its own"),
        ));
    }
    let up = Change {
        up: true,
        router: true,
        ..Change::default()
    };
    requests.push(change(host.index, &up, format!("set {name} up")));
    if has_ipv6_address(link) {
        requests.push(put_address(host.index, gateway_net(), name));
    }
    for &address in &link.addresses {
        requests.push(put_neighbour(host.index, address, macs.pod, name));
    }
    netlink.carry_out(requests)
}

/// The pod's end, through a socket of its namespace. The node's end is up already. Gives the routing that is there.
pub(crate) fn pod<'env>(
    netlink: &mut Netlink,
    inside: &Inside<'env>,
    link: &PodLink,
    pod: &Link,
    macs: Macs,
) -> Result<Routing, Error> {
    if has_ipv6_address(link) && pod.ipv6.is_none() {
        return Err(Error::Invalid(
            "the pod has an IPv6 address, and its kernel has no IPv6".into(),
        ));
    }
    let settings = sysctl::pod(link, pod.ipv6)?;
    inside
        .run(move || settings.iter().try_for_each(Setting::set))
        .map_err(Error::at("work in the pod's namespace"))??;
    let name = format!("{} in the pod", link.ifname);
    let there =
        addresses(netlink, pod.index, false).map_err(Error::at(format!("read the addresses of {name}")))?;
    let seen = routes(netlink).map_err(Error::at("read the routes of the pod"))?;
    let seen_rules =
        rules(netlink, table(&link.host_ifname)).map_err(Error::at("read the rules of the pod"))?;
    let routing = routing(link, &seen, pod.index);
    refuse_conflicts(link, &routing, &seen, pod.index)?;
    let mut requests = pod_addresses(link, pod.index, &there, macs, &name);
    requests.extend(pod_routing(link, pod.index, &routing, &seen, &seen_rules));
    netlink.carry_out(requests)?;
    Ok(routing)
}

fn pod_addresses(link: &PodLink, index: u32, there: &[IpNet], macs: Macs, name: &str) -> Vec<Request> {
    let up = Change {
        up: true,
        ..Change::default()
    };
    let mut requests = vec![
        change(LOOPBACK, &up, "set the pod's lo up".into()),
        change(index, &up, format!("set {name} up")),
    ];
    let wanted: Vec<IpNet> = link.addresses.iter().map(|&a| IpNet::from(a)).collect();
    // The new ones first: with the last address of IPv4 the kernel drops all routes of the link.
    requests.extend(wanted.iter().map(|&net| put_address(index, net, name)));
    let stale = there.iter().filter(|net| !wanted.contains(net));
    requests.extend(stale.map(|&net| delete_address(index, net, name)));
    let entries = gateways(link).into_iter();
    requests.extend(entries.map(|g| put_neighbour(index, g, macs.host, name)));
    requests
}

fn pod_routing(
    link: &PodLink,
    index: u32,
    routing: &Routing,
    seen: &[SeenRoute],
    seen_rules: &[SeenRule],
) -> Vec<Request> {
    let name = format!("{} in the pod", link.ifname);
    let mut requests = Vec::new();
    let surplus = surplus_routes(link, routing, seen, index);
    requests.extend(surplus.into_iter().map(|route| delete_route(route, &name)));
    requests.extend(surplus_rules(routing, seen_rules).into_iter().map(delete_rule));
    let missing = routing.routes.iter().filter(|r| !is_there(r, seen, index));
    requests.extend(missing.map(|route| add_route(index, route, &name)));
    let missing = routing.rules.iter().filter(|from| !has_rule(**from, seen_rules));
    requests.extend(missing.map(|&from| add_rule(from, table(&link.host_ifname))));
    requests
}
