//! Whatever may happen, in any order.

use std::collections::BTreeSet;

use super::*;
use crate::{
    nexthop::object::{Group, KernelNexthop, NexthopOpKind, Object, Single},
    route::{NexthopId, Way},
};

#[derive(Debug, Clone)]
enum Act {
    Want(Vec<(u8, u8, Option<u8>)>, bool),
    Delete(u8, u8, bool),
    Add(u8, u8, u8),
    Replace(u8, u8, u8, bool),
    Sets(SmallSets),
    DeleteObject(prop::sample::Index),
    ShrinkGroup(prop::sample::Index),
    CarrierLost(u8),
    LinkDown(u8),
    LinkGone(u8),
    LinkUp(u8),
    Lose,
    Fail(i32),
    Meddle(bool, Meddle),
    Round,
}

/// What others do to the key of a write of ours at the same moment.
#[derive(Debug, Clone, Copy)]
enum Meddle {
    Nothing,
    Delete,
    DeleteTheirs,
    Add,
    AddOurs,
    ReplaceByOurs,
    Renew,
}

impl Meddle {
    fn perform(self, kernel: &mut FakeKernel, key: RouteKey) {
        match self {
            Meddle::Nothing => {}
            Meddle::Delete => kernel.others_delete(key, OURS),
            Meddle::DeleteTheirs => kernel.others_delete(key, BIRD),
            Meddle::Add => kernel.others_add(key, kernel_dev(BIRD, 1)),
            Meddle::AddOurs => kernel.others_add(key, kernel_dev(OURS, 2)),
            Meddle::ReplaceByOurs => {
                let first = kernel.fib.get(&key).and_then(|routes| routes.first());
                if first.is_some_and(|route| route.protocol == OURS) {
                    kernel.others_replace(key, kernel_dev(OURS, 3));
                }
            }
            Meddle::Renew => {
                let held = kernel.fib.get(&key).and_then(|routes| routes.first()).cloned();
                if let Some(route) = held.filter(|route| route.protocol == OURS) {
                    kernel.others_delete(key, OURS);
                    kernel.others_add(key, route);
                }
            }
        }
    }
}

fn meddle() -> impl Strategy<Value = Meddle> {
    prop_oneof![
        Just(Meddle::Nothing),
        Just(Meddle::Delete),
        Just(Meddle::DeleteTheirs),
        Just(Meddle::Add),
        Just(Meddle::AddOurs),
        Just(Meddle::ReplaceByOurs),
        Just(Meddle::Renew),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let wish = proptest::collection::vec((0u8..6, 0u8..2, proptest::option::of(0u8..6)), 0..8);
    let act = prop_oneof![
        4 => (wish, any::<bool>()).prop_map(|(routes, sweep)| Act::Want(routes, sweep)),
        3 => (0u8..6, 0u8..2, any::<bool>()).prop_map(|(d, m, ours)| Act::Delete(d, m, ours)),
        2 => (0u8..6, 0u8..2, 0u8..3).prop_map(|(d, m, i)| Act::Add(d, m, i)),
        2 => (0u8..6, 0u8..2, 0u8..3, any::<bool>()).prop_map(|(d, m, i, ours)| Act::Replace(d, m, i, ours)),
        3 => small_sets(0).prop_map(Act::Sets),
        1 => any::<prop::sample::Index>().prop_map(Act::DeleteObject),
        1 => any::<prop::sample::Index>().prop_map(Act::ShrinkGroup),
        1 => (0u8..3).prop_map(Act::CarrierLost),
        1 => (0u8..3).prop_map(Act::LinkDown),
        1 => (0u8..3).prop_map(Act::LinkGone),
        2 => (0u8..3).prop_map(Act::LinkUp),
        1 => Just(Act::Lose),
        2 => prop_oneof![Just(17), Just(2), Just(3), Just(100), Just(22)].prop_map(Act::Fail),
        3 => (any::<bool>(), meddle()).prop_map(|(before, what)| Act::Meddle(before, what)),
        4 => Just(Act::Round),
    ];
    proptest::collection::vec(act, 0..40)
}

fn perform(bench: &mut Bench, wish: &mut BTreeMap<RouteKey, DesiredRoute>, act: Act) {
    let owner = |ours| if ours { OURS } else { BIRD };
    match act {
        Act::Want(routes, sweep) => {
            *wish = routes
                .into_iter()
                .map(|(d, m, target)| (small_key(d, m), small_route(target)))
                .collect();
            let routes: Vec<_> = wish.clone().into_iter().collect();
            bench.want(&routes, sweep);
        }
        Act::Delete(d, m, ours) => bench.kernel.others_delete(small_key(d, m), owner(ours)),
        Act::Add(d, m, i) => bench
            .kernel
            .others_add(small_key(d, m), kernel_dev(BIRD, u32::from(i) + 1)),
        Act::Replace(d, m, i, ours) => {
            bench
                .kernel
                .others_replace(small_key(d, m), kernel_dev(owner(ours), u32::from(i) + 1));
        }
        Act::Sets(sets) => {
            let objects = bench.engine.settings.nexthops != NexthopMode::Plain;
            bench.publish_sets(published(&sets, objects));
        }
        Act::DeleteObject(at) => {
            let ours = our_objects(&bench.kernel);
            if !ours.is_empty() {
                bench.kernel.others_delete_nexthop(at.get(&ours).id);
            }
        }
        Act::ShrinkGroup(at) => {
            let ours = our_objects(&bench.kernel);
            if !ours.is_empty()
                && let Object::Group(group) = &at.get(&ours).object
            {
                let members = group.members[..1].to_vec();
                let less = Object::Group(Group {
                    members,
                    ..group.clone()
                });
                let op = NexthopOp {
                    id: at.get(&ours).id,
                    protocol: OURS,
                    kind: NexthopOpKind::Delete,
                };
                bench.kernel.others_put_nexthop(&op, &less);
            }
        }
        Act::CarrierLost(index) => bench.kernel.carrier_lost(u32::from(index) + 1),
        Act::LinkDown(index) => bench.kernel.link_down(u32::from(index) + 1),
        Act::LinkGone(index) => bench.kernel.link_gone(u32::from(index) + 1),
        Act::LinkUp(index) => bench
            .kernel
            .link_up(u32::from(index) + 1, NAMES[usize::from(index)]),
        Act::Lose => bench.kernel.lose_events(),
        Act::Fail(errno) => bench.kernel.failures.push_back(errno),
        Act::Meddle(before, what) => {
            let kernel = &mut bench.kernel;
            let queue = if before {
                &mut kernel.before_writes
            } else {
                &mut kernel.after_writes
            };
            queue.push_back(Box::new(move |kernel, key| what.perform(kernel, key)));
        }
        Act::Round => bench.round(),
    }
}

fn our_objects(kernel: &FakeKernel) -> Vec<KernelNexthop> {
    let ours = kernel.objects.values().filter(|object| object.is_of(OURS));
    ours.cloned().collect()
}

/// An object of another program whose number is in our range.
fn theirs() -> KernelNexthop {
    KernelNexthop {
        id: NexthopId(NexthopId::OURS.start() + 1),
        protocol: BIRD,
        object: Object::Single(Single {
            v6: true,
            gateway: None,
            index: 2,
            onlink: false,
        }),
    }
}

/// That object as it is now; once it is gone, its number may be ours.
fn others_object(kernel: &FakeKernel) -> Option<KernelNexthop> {
    let now = kernel.objects.get(&theirs().id).cloned();
    now.filter(|object| object.protocol == BIRD)
}

fn foreign_of(kernel: &FakeKernel) -> BTreeMap<RouteKey, Vec<KernelRoute>> {
    let foreign = |routes: &Vec<KernelRoute>| {
        routes
            .iter()
            .filter(|r| r.protocol != OURS)
            .cloned()
            .collect::<Vec<_>>()
    };
    kernel
        .fib
        .iter()
        .map(|(key, routes)| (*key, foreign(routes)))
        .filter(|(_, routes)| !routes.is_empty())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    /// Whatever is wanted, removed, flushed, lost or refused, in any order: once things calm down the FIB is what is wanted
    /// and what others put there, and nothing of the others' was ever touched by us.
    #[test]
    fn ends_as_wish_and_foreign(acts in acts(), sets in small_sets(1), objects: bool) {
        let mut bench = Bench::with(Settings {
            nexthops: if objects { NexthopMode::Auto } else { NexthopMode::Plain },
            ..Settings::default()
        });
        bench.kernel.objects.insert(theirs().id, theirs());
        let mut wish = BTreeMap::new();
        for act in acts {
            // Only others' acts and falling links change others' routes.
            let before = foreign_of(&bench.kernel);
            let object = others_object(&bench.kernel);
            let kernel = &bench.kernel;
            let alone = kernel.before_writes.is_empty() && kernel.after_writes.is_empty();
            let ours_alone = alone && matches!(act, Act::Round | Act::Want(..) | Act::Sets(..));
            perform(&mut bench, &mut wish, act);
            if ours_alone {
                prop_assert_eq!(&before, &foreign_of(&bench.kernel));
                prop_assert_eq!(&object, &others_object(&bench.kernel));
            }
        }
        let sets = published(&sets, objects);
        bench.kernel.before_writes.clear();
        bench.kernel.after_writes.clear();
        bench.publish_sets(sets.clone());
        (1..).zip(NAMES).for_each(|(index, name)| bench.kernel.link_up(index, name));
        let before = foreign_of(&bench.kernel);
        let routes: Vec<_> = wish.clone().into_iter().collect();
        bench.want(&routes, true);
        bench.rest();
        prop_assert_eq!(&before, &foreign_of(&bench.kernel));

        let status = bench.engine.status();
        let mut expected = before;
        for (key, route) in &wish {
            let conflict = expected.contains_key(key);
            let failed = status.failed.iter().any(|(failed, ..)| failed == key);
            let ours = bench.kernel.fib.get(key).is_some_and(|routes| routes.iter().any(|r| r.protocol == OURS));
            // A conflict is reported, unless ours was there before the other one came.
            prop_assert_eq!(failed, conflict && !ours, "{} {:?}", key, status.failed);
            if ours || !conflict {
                let index_of = |name: &str| NAMES.iter().position(|n| *n == name).map(|at| at as u32 + 1);
                let v4 = RouteKey { destination: "10.0.0.0/8".parse().unwrap(), ..*key };
                let way = |name| Ok(Way::Hops(&sets[name].hops));
                // As an IPv4 route, which takes hops of any kind.
                let key_of = if matches!(route.target, Target::Via(_)) { &v4 } else { key };
                let compiled = route::compile(key_of, route, OURS, index_of, way).unwrap();
                expected.entry(*key).or_default().push(compiled);
            }
        }
        expected.values_mut().for_each(|routes| routes.sort_by_key(|route| route.protocol));
        prop_assert_eq!(written_out(&bench.kernel), expected);
        // A group for each used set, an object for each hop of theirs, and nothing else.
        let used = wish.values().filter_map(|route| match &route.target {
            Target::Via(name) => Some(name),
            _ => None,
        });
        let used: BTreeSet<_> = used.filter(|_| objects).collect();
        let hops = used.iter().flat_map(|name| &sets[*name].hops);
        let hops: BTreeSet<_> = hops.map(|hop| (&hop.interface, hop.gateway)).collect();
        let (groups, singles): (Vec<_>, Vec<_>) =
            our_objects(&bench.kernel).into_iter().partition(|object| matches!(object.object, Object::Group(_)));
        prop_assert_eq!(groups.len(), used.len());
        // A hop without gateway may be there for each family.
        let twice = hops.iter().filter(|(_, gateway)| gateway.is_none()).count();
        prop_assert!((hops.len()..=hops.len() + twice).contains(&singles.len()), "{:?}", singles);
        prop_assert_eq!(status.failed_nexthops, vec![]);
        prop_assert_eq!(status.in_sync_with, bench.generation);
    }
}
