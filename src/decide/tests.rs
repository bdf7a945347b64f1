use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use bgpd_proto::rib::{BestRoute, NextHopState, PathKind, PathView};
use bgpd_proto::types::PeerId;
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
use crate::plan::{Ownership, Plan, compile};

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
    compile(&intent, &name, &Ownership::of_resources(&intent, &name)).unwrap()
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

fn path(kind: PathKind, next_hop: &str) -> PathView {
    PathView {
        peer: Some(PeerId(ip(next_hop))),
        kind,
        next_hop: Some(ip(next_hop)),
        attributes: Arc::new(PathAttributes::default()),
        learned: None,
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
    let tracked: BTreeSet<IpAddr> = routes
        .iter()
        .flat_map(|(_, p)| p.iter().map(|(_, n)| ip(n)))
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

#[test]
fn a_near_node_is_direct_and_a_far_one_goes_through_the_tunnel() {
    let rib = rib(&[
        ("10.244.2.0/24", &[(IBGP, "192.0.2.12")]),
        ("10.244.3.0/24", &[(IBGP, "198.51.100.11")]),
    ]);
    let decisions = decided(&plan("CrossSubnet"), &rib, &[]);
    let near = wanted(&decisions, "10.244.2.0/24").unwrap();
    assert_eq!(
        near.target,
        Target::Forward(vec![hop("192.0.2.12", "eth0", false)])
    );
    assert_eq!(near.preferred_source, None);
    let far = wanted(&decisions, "10.244.3.0/24").unwrap();
    assert_eq!(
        far.target,
        Target::Forward(vec![hop("198.51.100.11", "rb-vxlan", true)])
    );
    assert_eq!(far.preferred_source, Some(ip("10.244.1.0")));
    let ends: Vec<&str> = decisions
        .tunnels
        .desired
        .remotes
        .keys()
        .map(|k| &*k.node)
        .collect();
    assert_eq!(ends, ["far"], "only nodes behind a gateway have a tunnel end");
}

#[test]
fn a_host_route_of_a_near_node_does_not_lead_its_pods_away() {
    // Fabrics with EVPN announce each host: the switch's route to the node must not become the pods' way.
    let rib = rib(&[
        ("192.0.2.12/32", &[(EBGP, "192.0.2.1")]),
        ("10.244.2.0/24", &[(IBGP, "192.0.2.12")]),
    ]);
    for mode in ["CrossSubnet", "Never"] {
        let near = wanted(&decided(&plan(mode), &rib, &[]), "10.244.2.0/24").unwrap();
        let straight = Target::Forward(vec![hop("192.0.2.12", "eth0", false)]);
        assert_eq!(near.target, straight, "{mode}");
    }
}

#[test]
fn always_and_never_mean_what_they_say() {
    let rib = rib(&[
        ("10.244.2.0/24", &[(IBGP, "192.0.2.12")]),
        ("10.244.3.0/24", &[(IBGP, "198.51.100.11")]),
    ]);
    let always = decided(&plan("Always"), &rib, &[]);
    for prefix in ["10.244.2.0/24", "10.244.3.0/24"] {
        assert_eq!(
            always.routes()[&net(prefix)].encapsulation,
            Some(Encapsulation::Vxlan),
            "{prefix}"
        );
    }
    let never = decided(&plan("Never"), &rib, &[]);
    let far = wanted(&never, "10.244.3.0/24").unwrap();
    assert_eq!(
        far.target,
        Target::Forward(vec![hop("192.0.2.1", "eth0", false)]),
        "the gateway is installed"
    );
    assert_eq!(never.tunnels.desired.vxlan, None);
    assert_eq!(
        never.tunnels.desired.loopback,
        [net("10.244.1.0/32")],
        "without a tunnel the pod address sits on loopback"
    );
}

#[test]
fn a_next_hop_that_is_no_node_is_native() {
    let rib = rib(&[
        ("10.244.3.0/24", &[(EBGP, "192.0.2.1")]),
        ("203.0.113.0/24", &[(EBGP, "192.0.2.1")]),
    ]);
    let decisions = decided(&plan("CrossSubnet"), &rib, &[]);
    for prefix in ["10.244.3.0/24", "203.0.113.0/24"] {
        let route = wanted(&decisions, prefix).unwrap();
        assert_eq!(
            route.target,
            Target::Forward(vec![hop("192.0.2.1", "eth0", false)]),
            "{prefix}"
        );
    }
}

#[test]
fn a_route_over_a_tunnel_end_is_not_put_into_the_tunnel() {
    // The pool itself cannot hold a node's address here, so let the route be a supernet inside a wide pool.
    let mut plan = plan("Always");
    plan.pools[0].cidr = net("0.0.0.0/0");
    let rib = rib(&[("198.51.100.0/24", &[(IBGP, "192.0.2.12")])]);
    let decisions = decided(&plan, &rib, &[]);
    assert_eq!(wanted(&decisions, "198.51.100.0/24"), None);
    assert!(
        decisions.routes()[&net("198.51.100.0/24")]
            .reason
            .contains("198.51.100.11")
    );
}

#[test]
fn own_blocks_are_blackholes_whatever_is_learned() {
    let rib = rib(&[("10.244.1.0/24", &[(EBGP, "192.0.2.1")])]);
    let decisions = decided(&plan("CrossSubnet"), &rib, &[]);
    assert_eq!(
        wanted(&decisions, "10.244.1.0/24"),
        Some(DesiredRoute::blackhole())
    );
}

#[test]
fn a_pod_gets_its_host_route_once_its_link_exists() {
    let pod = |interface: &str| PodLink {
        addresses: vec![ip("10.244.1.7")],
        interface: interface.into(),
    };
    let present = decided(&plan("CrossSubnet"), &rib(&[]), &[pod("rbpod")]);
    assert!(wanted(&present, "10.244.1.7/32").is_some());
    let absent = decided(&plan("CrossSubnet"), &rib(&[]), &[pod("rbgone")]);
    assert_eq!(wanted(&absent, "10.244.1.7/32"), None);
    assert!(
        absent.routes()[&net("10.244.1.7/32")]
            .reason
            .contains("does not exist")
    );
}

#[test]
fn equal_paths_share_the_route_and_paths_over_one_hop_share_the_hop() {
    let rib = rib(&[(
        "203.0.113.0/24",
        &[(EBGP, "192.0.2.1"), (EBGP, "192.0.2.5"), (EBGP, "192.0.2.1")],
    )]);
    let decisions = decided(&plan("CrossSubnet"), &rib, &[]);
    let double = Hop {
        weight: 2,
        ..hop("192.0.2.1", "eth0", false)
    };
    let route = wanted(&decisions, "203.0.113.0/24").unwrap();
    assert_eq!(
        route.target,
        Target::Forward(vec![double, hop("192.0.2.5", "eth0", false)])
    );
}

#[test]
fn next_hops_are_reachable_with_their_distance() {
    let rib = rib(&[
        ("203.0.113.0/24", &[(EBGP, "192.0.2.1")]),
        ("10.244.3.0/24", &[(IBGP, "198.51.100.11")]),
    ]);
    let table = decided(&plan("CrossSubnet"), &rib, &[]).next_hops;
    let near = NextHopState::Reachable { metric: 0 };
    let far = NextHopState::Reachable { metric: 1 };
    // The near node teaches nothing yet: it is resolved ahead of need.
    let wanted = [("192.0.2.1", near), ("192.0.2.12", near), ("198.51.100.11", far)];
    assert_eq!(table, wanted.map(|(address, state)| (ip(address), state)).into());
}

#[test]
fn nothing_of_ours_is_swept_before_the_first_full_feed() {
    let mut rib = rib(&[]);
    rib.fully_fed = false;
    let decisions = decided(&plan("CrossSubnet"), &rib, &[]);
    assert!(!decisions.fib(rib.fully_fed).sweep && !decisions.tunnels.desired.sweep);
}

#[test]
fn pods_get_the_mtu_of_the_narrowest_way() {
    assert_eq!(
        decided(&plan("CrossSubnet"), &rib(&[]), &[]).tunnels.pod_mtu,
        1450
    );
    assert_eq!(decided(&plan("Never"), &rib(&[]), &[]).tunnels.pod_mtu, 1500);
}

#[test]
fn a_pure_reflector_installs_only_what_is_its_own() {
    let mut plan = plan("CrossSubnet");
    plan.install_routes = false;
    let decisions = decided(&plan, &rib(&[("10.244.2.0/24", &[(IBGP, "192.0.2.12")])]), &[]);
    assert_eq!(wanted(&decisions, "10.244.2.0/24"), None);
    assert!(wanted(&decisions, "10.244.1.0/24").is_some());
}

#[test]
fn a_next_hop_behind_several_gateways_takes_all_of_them() {
    let mut view = view();
    view.foreign[0].hops.push(NextHop {
        gateway: Some(ip("192.0.2.2")),
        index: 2,
        usable: true,
    });
    let plan = plan("Never");
    let rib = rib(&[("10.244.3.0/24", &[(IBGP, "198.51.100.11")])]);
    let decisions = decide(Inputs {
        plan: &plan,
        rib: &rib,
        view: &view,
        pods: &[],
        own_pod_addresses: &[],
        services: None,
        place: Place::default(),
        verdicts: &Verdicts::default(),
    });
    let both = vec![hop("192.0.2.1", "eth0", false), hop("192.0.2.2", "eth0", false)];
    assert_eq!(
        wanted(&decisions, "10.244.3.0/24").unwrap().target,
        Target::Forward(both)
    );
}

#[test]
fn the_underlay_is_found_from_where_it_leads_not_from_where_the_node_address_sits() {
    // A node that routes to the host: its address on loopback, no default route, all others learned by BGP.
    let mut view = view();
    view.foreign.remove(0);
    view.addresses[0] = Address {
        index: 1,
        net: net("192.0.2.11/32"),
    };
    let plan = plan("CrossSubnet");
    let mtu_with = |rib: RibSnapshot| {
        let decisions = decide(Inputs {
            plan: &plan,
            rib: &rib,
            view: &view,
            pods: &[],
            own_pod_addresses: &[],
            services: None,
            place: Place::default(),
            verdicts: &Verdicts::default(),
        });
        let uplinks: Vec<String> = decisions.host.uplinks.into_iter().collect();
        (decisions.tunnels.pod_mtu, uplinks)
    };
    let learned = rib(&[("198.51.100.0/24", &[(EBGP, "192.0.2.1")])]);
    assert_eq!(mtu_with(learned), (1450, vec!["eth0".to_owned()]));
    // Not even a peer can be reached: the usual MTU, and certainly not that of loopback.
    view.foreign.clear();
    let decisions = decide(Inputs {
        plan: &plan,
        rib: &rib(&[]),
        view: &view,
        pods: &[],
        own_pod_addresses: &[],
        services: None,
        place: Place::default(),
        verdicts: &Verdicts::default(),
    });
    assert_eq!(decisions.tunnels.pod_mtu, 1450);
}

#[test]
fn what_does_not_fit_together_is_found() {
    let mut view = view();
    let lost = PodLink {
        addresses: vec![ip("10.244.1.7")],
        interface: "rbgone".into(),
    };
    let found = |view: &KernelView, pods: &[PodLink]| -> Vec<(&str, bool)> {
        let inputs = Inputs {
            plan: &plan("CrossSubnet"),
            rib: &rib(&[]),
            view,
            pods,
            own_pod_addresses: &[],
            services: None,
            place: Place::default(),
            verdicts: &Verdicts::default(),
        };
        let found = super::findings::of(inputs);
        found.iter().map(|f| (f.part, f.severe)).collect()
    };
    assert_eq!(found(&view, &[]), []);
    assert_eq!(found(&view, &[lost]), [("pod", false)]);
    let stray = Link {
        index: 9,
        name: "rb0123456789a".into(),
        ..Link::default()
    };
    view.links.insert(9, stray);
    assert_eq!(found(&view, &[]), [("ipam", false)]);
    view.links.remove(&9);
    view.addresses.clear();
    assert_eq!(found(&view, &[]), [("host", true)]);
}

#[test]
fn a_pod_outside_the_blocks_is_announced_by_itself() {
    let pod = |address: &str| PodLink {
        addresses: vec![ip(address)],
        interface: "rbpod".into(),
    };
    let pods = [pod("10.244.1.7"), pod("10.244.9.9")];
    let decisions = decided(&plan("CrossSubnet"), &rib(&[]), &pods);
    let announced: Vec<IpNet> = decisions.originated.keys().copied().collect();
    assert_eq!(announced, [net("10.244.1.0/24"), net("10.244.9.9/32")]);
}

#[test]
fn a_change_of_mode_is_told_apart_in_all_that_follows_from_it() {
    let rib = rib(&[("10.244.2.0/24", &[(IBGP, "192.0.2.12")])]);
    let (old, new) = (plan("Never"), plan("Always"));
    let (was, is) = (decided(&old, &rib, &[]), decided(&new, &rib, &[]));
    assert_eq!(difference::between((&old, &was), (&old, &was)), []);
    let found = difference::between((&old, &was), (&new, &is));
    let of = |part, subject: &str| {
        found
            .iter()
            .find(|d| d.part == part && d.subject == subject)
            .unwrap_or_else(|| panic!("{part:?} {subject}: {found:#?}"))
    };
    let route = of(Part::Route, "10.244.2.0/24");
    assert_eq!(route.change, Change::Change);
    let ways: Vec<&str> = route.detail.split(" -> ").collect();
    assert!(
        ways[0].contains("dev eth0") && ways[1].contains("dev rb-vxlan"),
        "{ways:?}"
    );
    assert_eq!(of(Part::Device, "rb-vxlan").change, Change::Add);
    let path = of(Part::Encapsulation, "near/pods");
    assert!(
        path.detail.contains("direct") && path.detail.contains("vxlan"),
        "{}",
        path.detail
    );
    assert!(
        !found
            .iter()
            .any(|d| matches!(d.part, Part::Peer | Part::Announcement)),
        "{found:#?}"
    );
}

#[test]
fn a_changed_peer_says_whether_its_session_survives() {
    let old = plan("Never");
    let was = decided(&old, &rib(&[]), &[]);
    let id = PeerId(ip("192.0.2.12"));
    let changed = |change: fn(&mut bgpd_proto::speaker::PeerConfig)| {
        let mut new = old.clone();
        change(new.speaker.peers.get_mut(&id).unwrap());
        difference::between((&old, &was), (&new, &was)).remove(0)
    };
    let kept = changed(|p| p.transit = true);
    assert!(kept.detail.ends_with("the session stays"), "{}", kept.detail);
    let anew = changed(|p| p.remote_port = 1179);
    assert!(
        anew.detail.contains("port 179 -> 1179; the session starts anew"),
        "{}",
        anew.detail
    );
    let mut without = old.clone();
    without.speaker.peers.clear();
    let gone = difference::between((&old, &was), (&without, &was));
    assert!(
        gone.iter()
            .all(|d| d.part == Part::Peer && d.change == Change::Remove)
    );
    assert_eq!(gone.len(), 2);
}

#[test]
fn services_are_announced_and_never_installed_where_they_are_served() {
    let mut plan = plan("Never");
    plan.service_ranges = vec![net("10.96.0.0/12"), net("203.0.113.0/24")];
    let rib = rib(&[
        ("10.96.0.0/12", &[(PathKind::Internal, "192.0.2.12")]),
        ("203.0.113.7/32", &[(PathKind::Internal, "192.0.2.12")]),
    ]);
    let services = Services::from([(net("10.96.0.0/12"), "ClusterIPs, announced by every node".into())]);
    let with = |services| {
        let view = view();
        decide(Inputs {
            plan: &plan,
            rib: &rib,
            view: &view,
            pods: &[],
            own_pod_addresses: &[],
            services,
            place: Place::default(),
            verdicts: &Verdicts::default(),
        })
    };
    let inside = with(Some(&services));
    assert!(inside.originated.contains_key(&net("10.96.0.0/12")));
    for prefix in ["10.96.0.0/12", "203.0.113.7/32"] {
        let decision = &inside.routes()[&net(prefix)];
        assert_eq!(
            (decision.origin, &decision.kernel),
            (Origin::Service, &None),
            "{prefix}"
        );
    }
    assert!(
        inside.routes()[&net("10.96.0.0/12")]
            .reason
            .contains("every node")
    );
    assert!(
        inside.table().outside.is_empty(),
        "no next hop is resolved over what is not installed"
    );
    // A router that belongs to no Kubernetes installs them like any other route.
    let outside = with(None);
    assert!(
        outside
            .routes()
            .values()
            .filter(|r| r.best.is_some())
            .all(|r| r.kernel.is_some())
    );
    assert!(!outside.originated.contains_key(&net("10.96.0.0/12")));
}

#[test]
fn a_pool_that_is_not_announced_has_neither_announcement_nor_blackhole() {
    let mut plan = plan("Never");
    plan.pools[0].exported = false;
    plan.originated.clear();
    let stray = PodLink {
        addresses: vec![ip("10.244.9.9")],
        interface: "rbpod".into(),
    };
    let decisions = decided(&plan, &rib(&[]), &[stray]);
    assert!(decisions.originated.is_empty());
    assert_eq!(decisions.routes()[&net("10.244.1.0/24")].kernel, None);
    assert!(decisions.routes()[&net("10.244.9.9/32")].kernel.is_some());
}

#[test]
fn a_dead_next_hop_moves_its_set_before_any_route_is_looked_at() {
    let plan = plan("Never");
    let mut rib = rib(&[("203.0.113.0/24", &[(EBGP, "192.0.2.1")])]);
    let route = rib.loc_rib.values_mut().next().unwrap();
    route.backup = Some(ip("198.51.100.1"));
    rib.tracked.insert(ip("198.51.100.1"));
    let mut view = view();
    // The one that stands by is behind another link.
    view.links.get_mut(&3).unwrap().name = "eth1".into();
    view.foreign.push(ForeignRoute {
        destination: net("198.51.100.0/24"),
        metric: Metric(0),
        protocol: Protocol(2),
        kind: RouteKind::Unicast,
        hops: vec![NextHop {
            gateway: None,
            index: 3,
            usable: true,
        }],
    });
    let table = Arc::default();
    static NOTHING: LazyLock<Verdicts> = LazyLock::new(Verdicts::default);
    fn inputs<'a>(plan: &'a Plan, view: &'a KernelView, rib: &'a RibSnapshot) -> Inputs<'a> {
        Inputs {
            plan,
            rib,
            view,
            pods: &[],
            own_pod_addresses: &[],
            services: None,
            place: Place::default(),
            verdicts: &NOTHING,
        }
    }
    let (before, _) = decide_again(inputs(&plan, &view, &rib), &table, Extent::All);
    let key = NexthopKey::from("192.0.2.1, else 198.51.100.1");
    let hops = |sets: &DesiredNexthops| sets.sets[&key].hops.clone();
    assert_eq!(hops(&before.nexthops), [hop("192.0.2.1", "eth0", false)]);
    let standing_by = [hop("198.51.100.1", "eth1", false)];

    // Its link is down.
    let mut down = view.clone();
    down.links.get_mut(&2).unwrap().carrier = false;
    down.foreign
        .retain(|route| route.hops.iter().all(|hop| hop.index != 2));
    let begun = Begun::new(inputs(&plan, &down, &rib), &table, Extent::default(), |_, _| {});
    assert_eq!(hops(begun.moved.as_ref().unwrap()), standing_by);
    let (after, _) = begun.finish();
    assert_eq!(
        wanted(&after, "203.0.113.0/24").unwrap().target,
        Target::Forward(standing_by.to_vec())
    );
    assert_eq!(before.fib(true), after.fib(true), "its routes are as they were");

    // Back again; then its session is lost, and BGP has no route over it any more.
    decide_again(inputs(&plan, &view, &rib), &table, Extent::default());
    rib.tracked.remove(&ip("192.0.2.1"));
    let begun = Begun::new(inputs(&plan, &view, &rib), &table, Extent::default(), |_, _| {});
    assert_eq!(hops(begun.moved.as_ref().unwrap()), standing_by);
    begun.finish();
}
