//! Sets of hops as nexthop objects, and what else concerns all routes at once.

use super::*;
use crate::{
    nexthop::object::{Group, KernelNexthop, Member, NexthopOpKind, Object, Single},
    route::NexthopId,
};

fn hop(gateway: u8, interface: &str) -> Hop {
    Hop {
        gateway: Some([192, 0, 2, gateway].into()),
        interface: interface.into(),
        onlink: true,
        weight: 1,
    }
}

fn over(name: &str) -> DesiredRoute {
    DesiredRoute::via(name.into())
}

fn many(name: &str, from: usize, count: usize) -> Vec<(RouteKey, DesiredRoute)> {
    let route = |i| (key(&format!("10.{}.{}.0/24", i / 256, i % 256), 9), over(name));
    (from..from + count).map(route).collect()
}

impl Bench {
    fn sets(&mut self, sets: &[(&str, Vec<Hop>)]) {
        self.generation += 1;
        let sets = sets
            .iter()
            .map(|(name, hops)| ((*name).into(), NexthopSet::of(hops.clone())));
        self.publish_sets(sets.collect());
    }

    pub(super) fn publish_sets(&mut self, sets: BTreeMap<NexthopKey, NexthopSet>) {
        self.engine
            .set_nexthops(Arc::new(DesiredNexthops { sets }), self.now);
        self.engine.set_generation(self.generation);
    }

    /// The gateways' last bytes that the route leads to, sorted.
    fn leads_to(&self, key: &RouteKey) -> Vec<u8> {
        let route = self.kernel.written_out(&self.kernel.fib[key][0]);
        let last = |hop: &crate::route::KernelHop| match hop.gateway {
            Some(std::net::IpAddr::V4(gateway)) => gateway.octets()[3],
            _ => 0,
        };
        route.hops.iter().map(last).collect()
    }

    /// Another engine for the same kernel, as after a restart.
    fn restarted(self) -> Bench {
        Bench {
            kernel: self.kernel,
            now: self.now,
            ..Bench::new(true)
        }
    }

    fn forget_writes(&mut self) {
        self.writes.clear();
        self.objects.clear();
    }
}

#[test]
fn a_set_moves_with_one_replacement() {
    let mut bench = Bench::new(true);
    bench.sets(&[("n1", vec![hop(1, "a")])]);
    let routes = many("n1", 0, 40);
    bench.want(&routes, true);
    bench.rest();
    assert_eq!(bench.engine.status().installed, 40);
    assert_eq!((bench.objects.len(), bench.writes.len()), (2, 40));
    bench.forget_writes();
    bench.sets(&[("n1", vec![hop(2, "b")])]);
    bench.rest();
    assert_eq!(bench.writes, []);
    let kinds: Vec<_> = bench.objects.iter().map(|op| &op.kind).collect();
    assert!(
        matches!(
            kinds[..],
            [
                NexthopOpKind::Create(_),
                NexthopOpKind::Replace(_),
                NexthopOpKind::Delete
            ]
        ),
        "{kinds:?}"
    );
    assert_eq!(bench.leads_to(&routes[0].0), [2]);
    let status = bench.engine.status();
    assert_eq!((status.nexthop_objects, status.in_sync_with), (2, 3));
    assert_eq!(status.nexthop_form, NexthopForm::Objects);
}

/// What is written to objects when the set `n1` is published as these hops, beside what else is there.
fn written(bench: &mut Bench, sets: &[(&str, Vec<Hop>)]) -> Vec<NexthopOpKind> {
    bench.forget_writes();
    bench.sets(sets);
    bench.rest();
    assert_eq!(bench.writes, []);
    bench.objects.iter().map(|op| op.kind.clone()).collect()
}

#[test]
fn a_hop_that_dies_leaves_its_groups_by_its_own_end() {
    let mut bench = Bench::new(true);
    let both = || vec![hop(1, "a"), hop(2, "b")];
    bench.sets(&[("n1", both()), ("n2", both())]);
    let routes = [many("n1", 0, 5), many("n2", 5, 5)].concat();
    bench.want(&routes, true);
    bench.rest();
    // Of one group only: the hop is needed, and the group is written.
    let kinds = written(&mut bench, &[("n1", vec![hop(2, "b")]), ("n2", both())]);
    assert!(matches!(kinds[..], [NexthopOpKind::Replace(_)]), "{kinds:?}");
    assert_eq!(
        (bench.leads_to(&routes[0].0), bench.leads_to(&routes[9].0)),
        (vec![2], vec![1, 2])
    );
    bench.sets(&[("n1", both()), ("n2", both())]);
    bench.rest();
    // Of all: it is removed, and that is all.
    let kinds = written(
        &mut bench,
        &[("n1", vec![hop(2, "b")]), ("n2", vec![hop(2, "b")])],
    );
    assert_eq!(kinds, [NexthopOpKind::Delete]);
    assert_eq!(
        (bench.leads_to(&routes[0].0), bench.leads_to(&routes[9].0)),
        (vec![2], vec![2])
    );
    let status = bench.engine.status();
    assert_eq!(
        (status.nexthop_objects, status.installed, status.repaired),
        (3, 10, 0)
    );
    // Back again, and another weight at the same time as the end of one: the group is written.
    bench.sets(&[("n1", both()), ("n2", both())]);
    bench.rest();
    let heavy = vec![Hop {
        weight: 3,
        ..hop(2, "b")
    }];
    let kinds = written(&mut bench, &[("n1", heavy.clone()), ("n2", heavy)]);
    assert!(
        matches!(
            kinds[..],
            [
                NexthopOpKind::Replace(_),
                NexthopOpKind::Replace(_),
                NexthopOpKind::Delete
            ]
        ),
        "{kinds:?}"
    );
    // A refused end is no end.
    bench.sets(&[("n1", both()), ("n2", both())]);
    bench.rest();
    bench.kernel.failures.push_back(16);
    bench.sets(&[("n1", vec![hop(1, "a")]), ("n2", vec![hop(1, "a")])]);
    bench.rest();
    assert_eq!(
        (bench.leads_to(&routes[0].0), bench.leads_to(&routes[9].0)),
        (vec![1], vec![1])
    );
    assert_eq!(bench.engine.status().nexthop_objects, 3);
}

#[test]
fn a_restart_writes_nothing_though_sets_are_alike() {
    let mut bench = Bench::new(true);
    let sets = [
        ("n1", vec![hop(1, "a")]),
        ("n2", vec![hop(1, "a")]),
        ("n3", vec![hop(1, "a"), hop(2, "b")]),
        ("n4", vec![hop(1, "a")]),
    ];
    bench.sets(&sets);
    // In an order in which numbers and names do not agree.
    let parts = [
        many("n4", 0, 5),
        many("n2", 5, 5),
        many("n3", 10, 5),
        many("n1", 15, 5),
    ];
    let mut routes = Vec::new();
    for part in parts {
        routes.extend(part);
        bench.want(&routes, true);
        bench.rest();
    }
    let mut bench = bench.restarted();
    // The first wish knows half of it.
    bench.sets(&sets);
    bench.want(&routes[10..], false);
    bench.rest();
    bench.want(&routes, true);
    bench.rest();
    assert_eq!((bench.writes.len(), bench.objects.len()), (0, 0));
    assert_eq!(bench.engine.status().installed, 20);
}

#[test]
fn a_restart_with_another_wish_repoints_and_sweeps() {
    let mut bench = Bench::new(true);
    bench.sets(&[("n1", vec![hop(1, "a")]), ("n2", vec![hop(2, "b")])]);
    let routes: Vec<_> = many("n1", 0, 5).into_iter().chain(many("n2", 5, 5)).collect();
    bench.want(&routes, true);
    bench.rest();
    let mut bench = bench.restarted();
    bench.sets(&[("n1", vec![hop(3, "a")]), ("n2", vec![hop(2, "b")])]);
    bench.want(&routes, false);
    bench.rest();
    assert_eq!(
        (bench.leads_to(&routes[0].0), bench.leads_to(&routes[9].0)),
        (vec![3], vec![2])
    );
    assert_eq!(bench.engine.status().nexthop_objects, 6);
    bench.want(&routes, true);
    bench.rest();
    assert_eq!(bench.engine.status().nexthop_objects, 4);
}

#[test]
fn a_flap_is_repaired_in_the_round_of_its_end() {
    let mut bench = Bench::new(true);
    bench.sets(&[("n1", vec![hop(1, "a")])]);
    let routes = many("n1", 0, 20);
    bench.want(&routes, true);
    bench.rest();
    let dumps = bench.engine.status().resyncs;
    bench.kernel.carrier_lost(1);
    bench.round();
    assert!(bench.kernel.fib.is_empty());
    let status = bench.engine.status();
    assert_eq!(status.failed.len(), 20);
    assert_eq!(status.failed[0].1, "next-hop set n1: interface a has no carrier");
    assert_eq!(status.failed_nexthops[0].1, "interface a has no carrier");
    bench.kernel.link_up(1, "a");
    bench.round();
    let status = bench.engine.status();
    assert_eq!(
        (status.installed, status.failed_nexthops.len(), status.repaired),
        (20, 0, 0)
    );
    assert_eq!(bench.leads_to(&routes[7].0), [1]);
    assert_eq!(bench.engine.status().resyncs, dumps);
    // Down and up before anyone looked.
    bench.kernel.link_down(1);
    bench.kernel.link_up(1, "a");
    bench.round();
    assert_eq!(bench.kernel.fib.len(), 20);
}

/// However it is heard of: in time, by a dump that was quicker than the notification, or in two steps.
#[test]
fn gateways_on_a_link_that_is_back_are_told_once() {
    let mut bench = Bench::new(true);
    bench.sets(&[("n1", vec![hop(1, "a")]), ("n2", vec![hop(2, "b")])]);
    bench.want(&many("n1", 0, 2), true);
    bench.rest();
    let gateway = hop(1, "a").gateway.unwrap();
    let told = [(1, BTreeSet::from([gateway]))];
    assert_eq!(bench.engine.gateways_back(), [], "at the start none was away");

    bench.kernel.carrier_lost(1);
    bench.round();
    bench.kernel.link_up(1, "a");
    bench.round();
    assert_eq!(bench.engine.gateways_back(), told);

    bench.kernel.carrier_lost(1);
    bench.round();
    bench.kernel.link_up(1, "a");
    bench.engine.load(bench.kernel.dump(), bench.now, Duration::ZERO);
    bench.rest();
    assert_eq!(bench.engine.gateways_back(), told);

    bench.kernel.carrier_lost(1);
    bench.round();
    bench.kernel.carrier_comes(1);
    bench.round();
    assert_eq!(bench.engine.gateways_back(), [], "nothing would leave by it");
    bench.kernel.link_up(1, "a");
    bench.rest();
    assert_eq!(bench.engine.gateways_back(), told);
    assert_eq!(bench.engine.gateways_back(), []);
}

#[test]
fn a_flap_is_no_drift() {
    let mut bench = Bench::new(false);
    bench.sets(&[("n1", vec![hop(1, "a")])]);
    bench.want(&many("n1", 0, 5), true);
    bench.rest();
    bench.kernel.carrier_lost(1);
    bench.rest();
    bench.kernel.link_up(1, "a");
    bench.rest();
    let status = bench.engine.status();
    assert_eq!((status.installed, status.drifted, status.repaired), (5, 0, 0));
    // What somebody does to them is, and stays.
    bench.kernel.others_delete(many("n1", 0, 1)[0].0, OURS);
    bench.rest();
    assert_eq!((bench.engine.status().drifted, bench.kernel.fib.len()), (1, 4));
}

#[test]
fn other_members_carry_on_while_one_link_is_dead() {
    let mut bench = Bench::new(true);
    bench.sets(&[("n1", vec![hop(1, "a"), hop(2, "b")])]);
    let routes = many("n1", 0, 20);
    bench.want(&routes, true);
    bench.rest();
    bench.forget_writes();
    bench.kernel.carrier_lost(1);
    bench.rest();
    assert_eq!(bench.leads_to(&routes[0].0), [2]);
    assert_eq!(bench.engine.status().installed, 20);
    assert_eq!(
        bench.engine.status().failed_nexthops[0].1,
        "interface a has no carrier"
    );
    bench.kernel.link_up(1, "a");
    bench.round();
    assert_eq!(bench.leads_to(&routes[0].0), [1, 2]);
    assert_eq!(bench.writes, []);
    assert_eq!(bench.engine.status().failed_nexthops, []);
}

#[test]
fn a_hop_that_the_kernel_refuses_is_left_out_and_tried_again() {
    let mut bench = Bench::new(true);
    bench.kernel.failures.push_back(101);
    bench.sets(&[("n1", vec![hop(1, "a"), hop(2, "b")])]);
    let routes = many("n1", 0, 2);
    bench.want(&routes, true);
    bench.round();
    assert_eq!(bench.leads_to(&routes[0].0), [2]);
    let status = bench.engine.status();
    assert!(
        status.failed_nexthops[0].1.contains("on no network"),
        "{status:?}"
    );
    bench.rest();
    assert_eq!(bench.leads_to(&routes[0].0), [1, 2]);
    assert_eq!(bench.engine.status().failed_nexthops, []);
}

#[test]
fn what_others_do_to_our_objects_is_undone() {
    let mut bench = Bench::new(true);
    bench.sets(&[("n1", vec![hop(1, "a"), hop(2, "b")])]);
    let routes = many("n1", 0, 3);
    bench.want(&routes, true);
    bench.rest();
    let group = bench.kernel.fib[&routes[0].0][0].nexthop.unwrap();
    let Object::Group(members) = bench.kernel.objects[&group].object.clone() else {
        panic!("no group")
    };
    bench.kernel.others_delete_nexthop(members.members[0].id);
    bench.rest();
    assert_eq!(bench.leads_to(&routes[0].0), [1, 2]);
    let op = NexthopOp {
        id: group,
        protocol: OURS,
        kind: NexthopOpKind::Delete,
    };
    let less = Object::Group(Group {
        members: members.members[1..].to_vec(),
        resilient: None,
    });
    bench.kernel.others_put_nexthop(&op, &less);
    bench.rest();
    assert_eq!(bench.leads_to(&routes[0].0), [1, 2]);
    bench.kernel.others_delete_nexthop(group);
    bench.rest();
    assert_eq!(bench.leads_to(&routes[0].0), [1, 2]);
    // Twice a hop or a group's members, then the group and three routes.
    assert!(bench.engine.status().repaired >= 6, "{:?}", bench.engine.status());
}

#[test]
fn objects_of_others_are_left_alone_even_in_our_range() {
    let mut bench = Bench::new(true);
    let theirs = |id, protocol| KernelNexthop {
        id: NexthopId(id),
        protocol,
        object: Object::Single(Single {
            v6: false,
            gateway: Some([192, 0, 2, 1].into()),
            index: 1,
            onlink: true,
        }),
    };
    let group = KernelNexthop {
        id: NexthopId(7),
        protocol: OURS,
        object: Object::Group(Group {
            members: vec![Member {
                id: NexthopId(0x5200_0000),
                weight: 1,
            }],
            resilient: None,
        }),
    };
    let foreign = [
        theirs(0x5200_0000, BIRD),
        theirs(0x5200_0002, BIRD),
        theirs(9, OURS),
        group,
    ];
    for object in &foreign {
        bench.kernel.objects.insert(object.id, object.clone());
    }
    bench.sets(&[("n1", vec![hop(1, "a")])]);
    let routes = many("n1", 0, 3);
    bench.want(&routes, true);
    bench.rest();
    assert_eq!(bench.engine.status().installed, 3);
    bench.want(&[], true);
    bench.rest();
    let left: Vec<_> = bench.kernel.objects.values().cloned().collect();
    assert_eq!(left.len(), 4, "{left:?}");
    assert!(foreign.iter().all(|object| left.contains(object)));
}

#[test]
fn what_is_no_longer_used_goes_after_its_routes() {
    let mut bench = Bench::new(true);
    bench.sets(&[("n1", vec![hop(1, "a")]), ("n2", vec![hop(1, "a"), hop(2, "b")])]);
    let (one, two) = (many("n1", 0, 10), many("n2", 10, 10));
    bench.want(&[one.clone(), two].concat(), true);
    bench.rest();
    assert_eq!(bench.engine.status().nexthop_objects, 4);
    // Published still, used no longer.
    bench.want(&one, false);
    bench.rest();
    assert_eq!(bench.engine.status().nexthop_objects, 2);
    // Used still, published no longer: it stays as it was.
    bench.sets(&[]);
    bench.rest();
    let status = bench.engine.status();
    assert_eq!((status.nexthop_objects, status.installed), (2, 10));
    assert_eq!(status.failed_nexthops[0].1, "it is not published (yet)");
}

#[test]
fn without_objects_the_same_routes_are_plain() {
    for mode in [NexthopMode::Auto, NexthopMode::Objects, NexthopMode::Plain] {
        let mut bench = Bench::with(Settings {
            nexthops: mode,
            ..Settings::default()
        });
        bench.kernel.no_objects = mode != NexthopMode::Plain;
        bench.sets(&[("n1", vec![hop(1, "a"), hop(2, "b")])]);
        let routes = many("n1", 0, 3);
        bench.want(&[routes.clone(), many("n2", 3, 1)].concat(), true);
        bench.rest();
        assert_eq!(bench.objects, []);
        let status = bench.engine.status();
        let expected = match mode {
            NexthopMode::Plain => NexthopForm::PlainByChoice,
            _ => NexthopForm::PlainByKernel,
        };
        assert_eq!(status.nexthop_form, expected);
        assert_eq!(status.failed[0].1, "the next-hop set n2 is not published (yet)");
        assert_eq!(bench.kernel.fib[&routes[0].0][0].hops.len(), 2);
        bench.sets(&[("n1", vec![hop(3, "b")]), ("n2", vec![hop(4, "b")])]);
        bench.rest();
        assert_eq!(bench.leads_to(&routes[2].0), [3]);
        assert_eq!(bench.engine.status().installed, 4);
    }
}

#[test]
fn switching_objects_off_leaves_none_behind() {
    let mut bench = Bench::new(true);
    let sets = [("n1", vec![hop(1, "a")])];
    bench.sets(&sets);
    let routes = many("n1", 0, 3);
    bench.want(&routes, true);
    bench.rest();
    let mut other = Bench::with(Settings {
        nexthops: NexthopMode::Plain,
        ..Settings::default()
    });
    other.kernel = bench.kernel;
    other.sets(&sets);
    other.want(&routes, true);
    other.rest();
    assert!(other.kernel.objects.is_empty());
    assert!(
        other
            .writes
            .iter()
            .all(|op| matches!(op.kind, crate::diff::OpKind::Replace(_)))
    );
    assert_eq!(other.leads_to(&routes[0].0), [1]);
}

#[test]
fn resilience_takes_a_new_group() {
    let mut bench = Bench::new(true);
    let routes = many("n1", 0, 3);
    bench.want(&routes, true);
    for resilient in [None, Some(32), Some(64), None] {
        let set = NexthopSet {
            hops: vec![hop(1, "a"), hop(2, "b")],
            resilient: resilient.map(|buckets| crate::model::Resilient {
                buckets,
                ..Default::default()
            }),
        };
        bench.publish_sets(BTreeMap::from([("n1".into(), set)]));
        bench.rest();
        let group = bench.kernel.fib[&routes[0].0][0].nexthop.unwrap();
        let Object::Group(group) = &bench.kernel.objects[&group].object else {
            panic!("no group")
        };
        assert_eq!(group.resilient.map(|buckets| buckets.number), resilient);
        assert_eq!(bench.engine.status().nexthop_objects, 3);
    }
}

#[test]
fn the_families_share_what_they_can() {
    let mut bench = Bench::new(true);
    let on_link = Hop {
        gateway: None,
        onlink: false,
        ..hop(0, "a")
    };
    bench.sets(&[("dev", vec![on_link]), ("v4", vec![hop(1, "a")])]);
    let (v4, v6, wrong) = (key("10.0.0.0/24", 9), key("fd00::/64", 9), key("fd01::/64", 9));
    bench.want(&[(v4, over("dev"))], true);
    bench.rest();
    bench.forget_writes();
    bench.want(&[(v4, over("dev")), (v6, over("dev")), (wrong, over("v4"))], true);
    bench.rest();
    assert_eq!(bench.writes.len(), 1);
    assert_eq!(bench.kernel.fib[&v4][0].nexthop, bench.kernel.fib[&v6][0].nexthop);
    let status = bench.engine.status();
    assert!(status.failed[0].1.contains("IPv4 gateway"), "{status:?}");
    // The IPv6 route leaves: its object stays an IPv6 one.
    bench.forget_writes();
    bench.want(&[(v4, over("dev"))], true);
    bench.rest();
    assert!(
        bench.objects.iter().all(|op| op.kind == NexthopOpKind::Delete),
        "{:?}",
        bench.objects
    );
}

#[test]
fn no_more_routes_than_allowed() {
    let mut bench = Bench::with(Settings {
        max_routes: Some(4),
        ..Settings::default()
    });
    bench.sets(&[("n1", vec![hop(1, "a")])]);
    let routes = many("n1", 0, 7);
    bench.want(&routes, true);
    bench.rest();
    let status = bench.engine.status();
    assert_eq!(
        (bench.kernel.fib.len(), status.installed, status.held_back),
        (4, 4, 3)
    );
    assert!(status.failed[0].1.contains("(4)"), "{status:?}");
    // A changed metric needs no room, and a removal makes some.
    let mut changed = routes.clone();
    changed[0].0.metric = Metric(5);
    bench.want(&changed, true);
    bench.rest();
    assert_eq!((bench.kernel.fib.len(), bench.engine.status().held_back), (4, 3));
    assert!(bench.kernel.fib.contains_key(&changed[0].0) && !bench.kernel.fib.contains_key(&routes[0].0));
    bench.want(&changed[2..], true);
    bench.rest();
    let status = bench.engine.status();
    assert_eq!(
        (bench.kernel.fib.len(), status.installed, status.held_back),
        (4, 4, 1)
    );
    bench.want(&changed[3..], true);
    bench.rest();
    let status = bench.engine.status();
    assert_eq!(
        (status.installed, status.held_back, status.failed.len()),
        (4, 0, 0)
    );
}
