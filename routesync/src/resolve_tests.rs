use super::*;
use crate::model::{Address, Link};

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn foreign(destination: &str, gateway: Option<&str>, index: u32, metric: u32) -> ForeignRoute {
    ForeignRoute {
        destination: net(destination),
        metric: Metric(metric),
        protocol: Protocol(2),
        kind: RouteKind::Unicast,
        hops: vec![NextHop {
            gateway: gateway.map(ip),
            index,
            usable: true,
        }],
    }
}

/// eth0 (2) with 192.0.2.11/24, eth1 (3) with 198.51.100.11/24, default over eth0.
fn view() -> KernelView {
    let link = |index: u32, name: &str| Link {
        index,
        name: name.into(),
        up: true,
        carrier: true,
        ..Link::default()
    };
    KernelView {
        generation: 1,
        links: [(2, link(2, "eth0")), (3, link(3, "eth1"))].into(),
        addresses: vec![
            Address {
                index: 2,
                net: net("192.0.2.11/24"),
            },
            Address {
                index: 3,
                net: net("198.51.100.11/24"),
            },
        ],
        foreign: vec![
            foreign("192.0.2.0/24", None, 2, 0),
            foreign("198.51.100.0/24", None, 3, 0),
            foreign("0.0.0.0/0", Some("192.0.2.1"), 2, 100),
            foreign("2001:db8::/64", None, 2, 256),
        ],
    }
}

/// `fe80::1%eth0` has its link.
fn hop(text: &str) -> LearnedHop {
    match text.split_once('%') {
        Some((address, link)) => LearnedHop {
            address: ip(address),
            link: Some(link.into()),
        },
        None => ip(text).into(),
    }
}

fn learned(routes: &[(&str, &[&str])]) -> LearnedRoutes {
    routes
        .iter()
        .map(|(prefix, hops)| (net(prefix), hops.iter().map(|text| hop(text)).collect()))
        .collect()
}

fn outcome(view: &KernelView, routes: &[(&str, &[&str])], address: &str) -> String {
    match resolve(view, &learned(routes), hop(address)).outcome {
        Outcome::OnLink { interface, index } => format!("on {interface} ({index})"),
        Outcome::Via {
            gateway,
            interface,
            metric,
            depth,
            ..
        } => {
            format!("via {gateway} on {interface} metric {} depth {depth}", metric.0)
        }
        Outcome::Unreachable(why) => why.to_string(),
    }
}

#[test]
fn the_kernel_alone() {
    let view = view();
    assert_eq!(outcome(&view, &[], "192.0.2.12"), "on eth0 (2)");
    assert_eq!(
        outcome(&view, &[], "203.0.113.9"),
        "via 192.0.2.1 on eth0 metric 100 depth 0"
    );
    assert_eq!(
        outcome(&view, &[], "192.0.2.11"),
        "192.0.2.11 is an address of this host itself"
    );
    assert_eq!(outcome(&view, &[], "2001:db8::5"), "on eth0 (2)");
    assert_eq!(outcome(&view, &[], "2001:db9::5"), "no route to 2001:db9::5");
    assert_eq!(
        outcome(&view, &[], "fe80::1"),
        "fe80::1 is link-local and no link is given with it"
    );
}

#[test]
fn a_link_local_address_is_a_neighbour_on_its_link_while_that_is_up() {
    let mut view = view();
    assert_eq!(outcome(&view, &[], "fe80::1%eth0"), "on eth0 (2)");
    assert_eq!(outcome(&view, &[], "fe80::1%eth1"), "on eth1 (3)");
    let routes: &[(&str, &[&str])] = &[("203.0.113.0/24", &["fe80::1%eth0", "fe80::1%eth1"])];
    let resolution = resolve(&view, &learned(routes), ip("203.0.113.9"));
    let hops = resolution
        .hops
        .iter()
        .map(|hop| (hop.gateway, &*hop.interface))
        .collect::<Vec<_>>();
    let same = Some(ip("fe80::1"));
    assert_eq!(hops, [(same, "eth0"), (same, "eth1")], "two neighbours");
    if let Some(link) = view.links.get_mut(&2) {
        link.carrier = false;
    }
    assert_eq!(
        outcome(&view, &[], "fe80::1%eth0"),
        "the link of fe80::1%eth0 is down"
    );
    assert_eq!(
        outcome(&view, routes, "203.0.113.9"),
        "via fe80::1 on eth1 metric 0 depth 1"
    );
    assert_eq!(
        outcome(&view, &[], "fe80::1%eth7"),
        "the link of fe80::1%eth7 is down"
    );
}

#[test]
fn learned_routes_lead_on_to_an_on_link_gateway() {
    let routes: &[(&str, &[&str])] = &[
        ("203.0.113.0/24", &["198.51.100.1"]),
        ("10.9.9.9/32", &["203.0.113.7"]),
    ];
    assert_eq!(
        outcome(&view(), routes, "203.0.113.9"),
        "via 198.51.100.1 on eth1 metric 0 depth 1"
    );
    assert_eq!(
        outcome(&view(), routes, "10.9.9.9"),
        "via 198.51.100.1 on eth1 metric 0 depth 2"
    );
    let resolution = resolve(&view(), &learned(routes), ip("10.9.9.9"));
    let trace: Vec<_> = resolution.trace.iter().map(ToString::to_string).collect();
    assert_eq!(
        trace,
        [
            "10.9.9.9: learned route 10.9.9.9/32 via 203.0.113.7",
            "203.0.113.7: learned route 203.0.113.0/24 via 198.51.100.1",
            "198.51.100.1: kernel unicast route 198.51.100.0/24 (protocol kernel, metric 0)",
        ]
    );
}

#[test]
fn several_next_hops_are_all_kept() {
    let routes: &[(&str, &[&str])] = &[("203.0.113.0/24", &["198.51.100.1", "192.0.2.1", "172.16.0.1"])];
    let resolution = resolve(&view(), &learned(routes), ip("203.0.113.9"));
    let hops: Vec<_> = resolution
        .hops
        .iter()
        .map(|hop| (hop.gateway.unwrap(), &*hop.interface))
        .collect();
    assert_eq!(hops, [(ip("198.51.100.1"), "eth1"), (ip("192.0.2.1"), "eth0")]);
}

#[test]
fn no_route_resolves_itself() {
    let own: &[(&str, &[&str])] = &[("10.0.0.0/8", &["10.1.1.1"])];
    assert_eq!(
        outcome(&view(), own, "10.1.1.1"),
        "via 192.0.2.1 on eth0 metric 100 depth 0"
    );
    let mutual: &[(&str, &[&str])] = &[("10.1.0.0/16", &["10.2.0.1"]), ("10.2.0.0/16", &["10.1.0.1"])];
    assert_eq!(
        outcome(&view(), mutual, "10.1.5.5"),
        "the learned routes 10.2.0.0/16 and 10.1.0.0/16 lead to each other"
    );
}

#[test]
fn the_depth_is_bounded() {
    let chain: Vec<(String, String)> = (0..20)
        .map(|i| (format!("10.{i}.0.0/16"), format!("10.{}.0.1", i + 1)))
        .collect();
    let chain: BTreeMap<_, _> = chain
        .iter()
        .map(|(prefix, hop)| (net(prefix), vec![ip(hop).into()]))
        .collect();
    let outcome = resolve(&view(), &chain, ip("10.0.0.9")).outcome;
    assert_eq!(outcome, Outcome::Unreachable(Why::TooDeep));
    assert!(matches!(
        resolve(&view(), &chain, ip("10.12.0.9")).outcome,
        Outcome::Via { depth: 8, .. }
    ));
}

#[test]
fn links_that_are_down_resolve_nothing() {
    let mut view = view();
    view.links.get_mut(&3).unwrap().carrier = false;
    assert_eq!(
        outcome(&view, &[], "198.51.100.7"),
        "every link of the route 198.51.100.0/24 is down"
    );
    view.foreign
        .push(foreign("198.51.100.0/24", Some("192.0.2.5"), 2, 50));
    assert_eq!(
        outcome(&view, &[], "198.51.100.7"),
        "via 192.0.2.5 on eth0 metric 50 depth 0"
    );
    view.foreign.push(ForeignRoute {
        kind: RouteKind::Blackhole,
        hops: Vec::new(),
        ..foreign("203.0.113.0/24", None, 0, 0)
    });
    assert_eq!(
        outcome(&view, &[], "203.0.113.7"),
        "203.0.113.7 is under the blackhole route 203.0.113.0/24"
    );
}
