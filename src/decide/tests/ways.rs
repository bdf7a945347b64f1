//! The ways of learned routes.

use super::*;

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
        .outline
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
    assert_eq!(never.outline.tunnels.desired.vxlan, None);
    assert_eq!(
        never.outline.tunnels.desired.loopback,
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
fn the_same_link_local_address_on_two_links_is_two_next_hops() {
    let mut view = view();
    view.links.get_mut(&3).unwrap().name = "eth1".into();
    let both = &[(EBGP, "fe80::1%eth0"), (EBGP, "fe80::1%eth1")];
    // The second one leads on over the first.
    let rib = rib(&[
        ("203.0.113.0/24", both),
        ("198.51.100.0/24", &[(IBGP, "203.0.113.9")]),
    ]);
    let plan = plan("Never");
    let decided = |view: &KernelView| {
        decide(Inputs {
            plan: &plan,
            rib: &rib,
            view,
            pods: &[],
            own_pod_addresses: &[],
            services: None,
            place: Place::default(),
            verdicts: &Verdicts::default(),
        })
    };
    let [eth0, eth1] = ["eth0", "eth1"].map(|link| hop("fe80::1", link, false));
    let decisions = decided(&view);
    let near = NextHopState::Reachable { metric: 0 };
    assert_eq!(decisions.outline.next_hops[&scoped("fe80::1%eth1")], near);
    for prefix in ["203.0.113.0/24", "198.51.100.0/24"] {
        let target = wanted(&decisions, prefix).unwrap().target;
        assert_eq!(
            target,
            Target::Forward(vec![eth0.clone(), eth1.clone()]),
            "{prefix}"
        );
    }
    view.links.get_mut(&2).unwrap().carrier = false;
    let decisions = decided(&view);
    let away = NextHopState::Unreachable;
    assert_eq!(decisions.outline.next_hops[&scoped("fe80::1%eth0")], away);
    let target = wanted(&decisions, "203.0.113.0/24").unwrap().target;
    assert_eq!(target, Target::Forward(vec![eth1]));
}

#[test]
fn next_hops_are_reachable_with_their_distance() {
    let rib = rib(&[
        ("203.0.113.0/24", &[(EBGP, "192.0.2.1")]),
        ("10.244.3.0/24", &[(IBGP, "198.51.100.11")]),
    ]);
    let table = decided(&plan("CrossSubnet"), &rib, &[]).outline.next_hops.clone();
    let near = NextHopState::Reachable { metric: 0 };
    let far = NextHopState::Reachable { metric: 1 };
    // The near node teaches nothing yet: it is resolved ahead of need.
    let wanted = [("192.0.2.1", near), ("192.0.2.12", near), ("198.51.100.11", far)];
    assert_eq!(
        table,
        wanted.map(|(address, state)| (scoped(address), state)).into()
    );
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
fn a_dead_next_hop_moves_its_set_before_any_route_is_looked_at() {
    let plan = plan("Never");
    let mut rib = rib(&[("203.0.113.0/24", &[(EBGP, "192.0.2.1")])]);
    let route = rib.loc_rib.values_mut().next().unwrap();
    route.backup = Some(scoped("198.51.100.1"));
    rib.tracked.insert(scoped("198.51.100.1"));
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
    rib.tracked.remove(&scoped("192.0.2.1"));
    let begun = Begun::new(inputs(&plan, &view, &rib), &table, Extent::default(), |_, _| {});
    assert_eq!(hops(begun.moved.as_ref().unwrap()), standing_by);
    begun.finish();
}
