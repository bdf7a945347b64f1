//! What there is against what is wanted (pure).

use std::net::IpAddr;

use ipnet::IpNet;

use super::seen::End;
use crate::model::{Drift, Mac, PodLink};
use crate::names::Macs;
use crate::requests::{Link, Route, SeenRoute};
use crate::routing::{has_rule, is_there, routing, table};
use crate::sides::{gateway_net, has_ipv6_address};

fn is(what: impl Into<String>, expected: impl ToString, found: Option<String>) -> Drift {
    Drift {
        what: what.into(),
        expected: expected.to_string(),
        found,
    }
}

/// Everything that differs; in the order from the node into the pod. `pair`: the two ends belong together.
pub(super) fn drift(wanted: &PodLink, macs: Macs, host: &End, pod: &End, pair: bool) -> Vec<Drift> {
    let mut all = Vec::new();
    let host_name = wanted.host_ifname.as_str();
    let host_what = format!("the node's end {host_name}");
    let pod_name = format!("{} in the pod", wanted.ifname);
    let host_link = match &host.link {
        None => {
            all.push(is(host_what, "a veth", None));
            None
        }
        Some(link) if !link.is_veth => {
            all.push(is(host_what, "a veth", Some("a link of another kind".into())));
            None
        }
        some => some.as_ref(),
    };
    let pod_link = match &pod.link {
        None => {
            all.push(is(format!("the pod's end {}", wanted.ifname), "a veth", None));
            None
        }
        Some(link) if host_link.is_some() && !pair => {
            let found = if link.is_veth {
                "another interface"
            } else {
                "a link of another kind"
            };
            let what = format!("the other end of {host_name}");
            all.push(is(what, &pod_name, Some(found.into())));
            None
        }
        some => some.as_ref(),
    };
    if let Some(link) = host_link {
        all.extend(end(host_name, link, wanted.mtu, macs.host));
        all.extend(settings(host, "on the node"));
        if link.up {
            all.extend(host_side(wanted, macs, host));
        }
    }
    if let Some(link) = pod_link {
        all.extend(end(&pod_name, link, wanted.mtu, macs.pod));
        if !pod.lo_up {
            all.push(is("the state of lo in the pod", "up", Some("down".into())));
        }
        all.extend(settings(pod, "in the pod"));
        if link.up {
            all.extend(neighbours(pod, &pod_name, macs.host));
            all.extend(pod_addresses(wanted, pod, &pod_name));
            all.extend(pod_routing(wanted, pod, link, &pod_name));
        }
    }
    all
}

fn end(name: &str, link: &Link, mtu: u32, mac: Mac) -> Vec<Drift> {
    let mut all = Vec::new();
    if !link.up {
        all.push(is(format!("the state of {name}"), "up", Some("down".into())));
    }
    if link.mtu != mtu {
        all.push(is(format!("the MTU of {name}"), mtu, Some(link.mtu.to_string())));
    }
    if link.mac != Some(mac) {
        let found = link.mac.map(|m| m.to_string());
        all.push(is(format!("the hardware address of {name}"), mac, found));
    }
    all
}

fn settings(end: &End, place: &str) -> Vec<Drift> {
    let off = end.settings.iter().filter(|(setting, found)| {
        let met = found.as_ref().is_some_and(|found| setting.is_met_by(found));
        !met
    });
    off.map(|(s, found)| is(format!("the sysctl {} {place}", s.name), &s.value, found.clone()))
        .collect()
}

fn neighbours(end: &End, name: &str, mac: Mac) -> Vec<Drift> {
    let off = end.neighbours.iter().filter_map(|(address, found)| {
        let text = match found {
            Some(entry) if entry.mac == Some(mac) && entry.permanent => return None,
            Some(entry) => {
                let at = entry
                    .mac
                    .map_or_else(|| "unresolved".to_owned(), |m| m.to_string());
                let lasting = if entry.permanent {
                    "permanent"
                } else {
                    "not permanent"
                };
                Some(format!("{at}, {lasting}"))
            }
            None => None,
        };
        let what = format!("the neighbour {address} of {name}");
        Some(is(what, format!("{mac}, permanent"), text))
    });
    off.collect()
}

fn host_side(wanted: &PodLink, macs: Macs, host: &End) -> Vec<Drift> {
    let mut all = Vec::new();
    let gateway = gateway_net();
    if has_ipv6_address(wanted) && !host.addresses.contains(&gateway) {
        all.push(is(
            format!("the address {gateway} of {}", wanted.host_ifname),
            "there",
            None,
        ));
    }
    all.extend(neighbours(host, &wanted.host_ifname, macs.pod));
    all
}

fn pod_addresses(wanted: &PodLink, pod: &End, name: &str) -> Vec<Drift> {
    let nets: Vec<IpNet> = wanted.addresses.iter().map(|&a| IpNet::from(a)).collect();
    let missing = nets.iter().filter(|net| !pod.addresses.contains(net));
    let foreign = pod.addresses.iter().filter(|net| !nets.contains(net));
    let missing = missing.map(|net| is(format!("the address {net} of {name}"), "there", None));
    let foreign = foreign.map(|net| {
        is(
            format!("the address {net} of {name}"),
            "none",
            Some("there".into()),
        )
    });
    missing.chain(foreign).collect()
}

fn pod_routing(wanted: &PodLink, pod: &End, link: &Link, name: &str) -> Vec<Drift> {
    let routing = routing(wanted, &pod.routes, link.index);
    let missing = routing
        .routes
        .iter()
        .filter(|r| !is_there(r, &pod.routes, link.index));
    let mut all: Vec<Drift> = missing
        .map(|route| {
            let what = route_name(wanted, route, name);
            is(
                what,
                path(route.gateway, true, name),
                instead(route, &pod.routes, link, name),
            )
        })
        .collect();
    let missing = routing.rules.iter().filter(|from| !has_rule(**from, &pod.rules));
    all.extend(missing.map(|&from| {
        let elsewhere = pod.rules.iter().any(|rule| rule.from == Some(from));
        let what = format!("the rule for packets from {from} in the pod");
        let expected = format!("look up table {}", table(&wanted.host_ifname));
        is(what, expected, elsewhere.then(|| "a rule that differs".into()))
    }));
    all
}

fn route_name(wanted: &PodLink, route: &Route, name: &str) -> String {
    let family = match route.destination.addr() {
        IpAddr::V4(_) => "IPv4",
        IpAddr::V6(_) => "IPv6",
    };
    match (route.destination.prefix_len(), route.gateway) {
        (0, _) if route.table == table(&wanted.host_ifname) => {
            format!("the {family} default route for packets from the addresses of {name}")
        }
        (0, _) => format!("the {family} default route through {name}"),
        (_, None) => format!(
            "the route to the gateway {} through {name}",
            route.destination.addr()
        ),
        _ => format!("the route {} through {name}", route.destination),
    }
}

fn path(gateway: Option<IpAddr>, ours: bool, name: &str) -> String {
    let through = if ours { name } else { "another interface" };
    match gateway {
        Some(gateway) => format!("via {gateway} through {through}"),
        None => format!("through {through}"),
    }
}

/// The route to the same destination that is there.
fn instead(route: &Route, seen: &[SeenRoute], link: &Link, name: &str) -> Option<String> {
    let same = |r: &&SeenRoute| (r.table, r.destination) == (route.table, route.destination);
    let found = seen.iter().find(same)?;
    Some(path(found.gateway, found.links == [link.index], name))
}
