//! Whatever may happen, in any order.

use super::*;

#[derive(Debug, Clone)]
enum Act {
    Want(Vec<(u8, u8, Option<u8>)>, bool),
    Delete(u8, u8, bool),
    Add(u8, u8, u8),
    Replace(u8, u8, u8, bool),
    LinkDown(u8),
    LinkGone(u8),
    LinkUp(u8),
    Lose,
    Fail(i32),
    Round,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let wish = proptest::collection::vec((0u8..6, 0u8..2, proptest::option::of(0u8..3)), 0..8);
    let act = prop_oneof![
        4 => (wish, any::<bool>()).prop_map(|(routes, sweep)| Act::Want(routes, sweep)),
        3 => (0u8..6, 0u8..2, any::<bool>()).prop_map(|(d, m, ours)| Act::Delete(d, m, ours)),
        2 => (0u8..6, 0u8..2, 0u8..3).prop_map(|(d, m, i)| Act::Add(d, m, i)),
        2 => (0u8..6, 0u8..2, 0u8..3, any::<bool>()).prop_map(|(d, m, i, ours)| Act::Replace(d, m, i, ours)),
        1 => (0u8..3).prop_map(Act::LinkDown),
        1 => (0u8..3).prop_map(Act::LinkGone),
        2 => (0u8..3).prop_map(Act::LinkUp),
        1 => Just(Act::Lose),
        2 => prop_oneof![Just(17), Just(2), Just(3), Just(100), Just(22)].prop_map(Act::Fail),
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
        Act::LinkDown(index) => bench.kernel.link_down(u32::from(index) + 1),
        Act::LinkGone(index) => bench.kernel.link_gone(u32::from(index) + 1),
        Act::LinkUp(index) => bench
            .kernel
            .link_up(u32::from(index) + 1, NAMES[usize::from(index)]),
        Act::Lose => bench.kernel.lose_events(),
        Act::Fail(errno) => bench.kernel.failures.push_back(errno),
        Act::Round => bench.round(),
    }
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
    fn ends_as_wish_and_foreign(acts in acts()) {
        let mut bench = Bench::new(true);
        let mut wish = BTreeMap::new();
        for act in acts {
            // Only others' acts and falling links change others' routes.
            let before = foreign_of(&bench.kernel);
            let ours_alone = matches!(act, Act::Round | Act::Want(..));
            perform(&mut bench, &mut wish, act);
            if ours_alone {
                prop_assert_eq!(&before, &foreign_of(&bench.kernel));
            }
        }
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
                let compiled = route::compile(key, route, OURS, index_of, |_| unreachable!()).unwrap();
                expected.entry(*key).or_default().push(compiled);
            }
        }
        let sorted = |fib: &BTreeMap<RouteKey, Vec<KernelRoute>>| {
            let mut fib = fib.clone();
            fib.values_mut().for_each(|routes| routes.sort_by_key(|route| route.protocol));
            fib
        };
        prop_assert_eq!(sorted(&bench.kernel.fib), sorted(&expected));
        prop_assert_eq!(status.in_sync_with, bench.generation);
    }
}
