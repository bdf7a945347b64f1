//! Tables of decisions: inputs made by hand, and what follows.

mod changes;
mod host;
mod own;
mod ways;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use bgpd_proto::rib::{BestRoute, NextHopState, PathKind, PathView};
use bgpd_proto::types::{PeerId, ScopedAddr};
use bgpd_proto::wire::PathAttributes;
use config::load::{Source, load};
use ipnet::IpNet;
use routesync::{
    Address, DesiredNexthops, DesiredRoute, ForeignRoute, Hop, KernelView, Link, Metric, NextHop, NexthopKey,
    Protocol, RouteKey, RouteKind, Target,
};
use tunnel::Encapsulation;
use tunnel::probe::Verdicts;

use super::difference::{self, Change, Part};
use super::place::METRIC;
use super::routes::Origin;
use super::{Begun, Decisions, Extent, Inputs, Place, PodLink, RibSnapshot, Services, decide, decide_again};
use crate::plan::{Ownership, Passwords, Plan, compile};

fn plan(vxlan_mode: &str) -> Plan {
    let text = format!(
        "
apiVersion: roadbed.dev/v1
kind: IPPool
metadata: {{ name: pods }}
spec: {{ cidr: 10.244.0.0/16, vxlanMode: {vxlan_mode} }}
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: {{ name: a }}
spec: {{ bgp: {{ ipv4Address: 192.0.2.11/24 }}, podCIDRs: [10.244.1.0/24] }}
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: {{ name: near }}
spec: {{ bgp: {{ ipv4Address: 192.0.2.12/24 }}, podCIDRs: [10.244.2.0/24] }}
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: {{ name: far }}
spec: {{ bgp: {{ ipv4Address: 198.51.100.11/24 }}, podCIDRs: [10.244.3.0/24] }}
"
    );
    let loaded = load(&[Source {
        name: "test".into(),
        text,
    }]);
    let intent = loaded.intent.unwrap_or_else(|| panic!("{:?}", loaded.problems));
    let name = "a".parse().unwrap();
    compile(
        &intent,
        &name,
        &Ownership::of_resources(&intent, &name),
        &Passwords::new(),
    )
    .unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// eth0 with 192.0.2.11/24, a default route through 192.0.2.1, and the tunnel device with the node's pod address.
fn view() -> KernelView {
    let link = |index, name: &str, mtu| Link {
        index,
        name: name.into(),
        up: true,
        carrier: true,
        mtu,
        ..Link::default()
    };
    let links = [
        link(1, "lo", 65536),
        link(2, "eth0", 1500),
        link(3, "rb-vxlan", 1450),
        link(4, "rbpod", 1450),
    ];
    let route = |destination, gateway| ForeignRoute {
        destination: net(destination),
        metric: Metric(0),
        protocol: Protocol(2),
        kind: RouteKind::Unicast,
        hops: vec![NextHop {
            gateway,
            index: 2,
            usable: true,
        }],
    };
    KernelView {
        generation: 1,
        links: links.into_iter().map(|l| (l.index, l)).collect(),
        addresses: vec![
            Address {
                index: 2,
                net: net("192.0.2.11/24"),
            },
            Address {
                index: 3,
                net: net("10.244.1.0/32"),
            },
        ],
        foreign: vec![
            route("0.0.0.0/0", Some(ip("192.0.2.1"))),
            route("192.0.2.0/24", None),
        ],
    }
}

fn scoped(text: &str) -> ScopedAddr {
    text.parse().unwrap()
}

fn path(kind: PathKind, next_hop: &str) -> PathView {
    PathView {
        peer: Some(PeerId::Address(scoped(next_hop).ip)),
        kind,
        next_hop: Some(scoped(next_hop)),
        attributes: Arc::new(PathAttributes::default()),
        learned: None,
        priority: None,
    }
}

fn rib(routes: &[(&str, &[(PathKind, &str)])]) -> RibSnapshot {
    let route = |(prefix, paths): &(&str, &[(PathKind, &str)])| {
        let paths = paths.iter().map(|(kind, next_hop)| path(*kind, next_hop));
        let route = BestRoute {
            prefix: net(prefix),
            paths: paths.collect(),
            backup: None,
        };
        (route.prefix, route)
    };
    let tracked: BTreeSet<ScopedAddr> = routes
        .iter()
        .flat_map(|(_, p)| p.iter().map(|(_, n)| scoped(n)))
        .collect();
    RibSnapshot {
        loc_rib: routes.iter().map(route).collect(),
        tracked,
        fully_fed: true,
    }
}

fn decided(plan: &Plan, rib: &RibSnapshot, pods: &[PodLink]) -> Decisions {
    let own = [ip("10.244.1.0")];
    decide(Inputs {
        plan,
        rib,
        view: &view(),
        pods,
        own_pod_addresses: &own,
        services: None,
        place: Place::default(),
        verdicts: &Verdicts::default(),
    })
}

fn wanted(decisions: &Decisions, prefix: &str) -> Option<DesiredRoute> {
    let fib = decisions.fib(true);
    let mut route = fib.routes.get(&RouteKey::main(net(prefix), METRIC))?.clone();
    if let Target::Via(set) = &route.target {
        route.target = Target::Forward(decisions.nexthops.sets[set].hops.clone());
    }
    Some(route)
}

fn hop(gateway: &str, interface: &str, onlink: bool) -> Hop {
    Hop {
        gateway: Some(ip(gateway)),
        interface: interface.into(),
        onlink,
        weight: 1,
    }
}

const IBGP: PathKind = PathKind::Internal;
const EBGP: PathKind = PathKind::External;
