//! Changes to a wish against complete wishes.

use super::*;
use crate::inbox::Inbox;

/// One step of a caller: a complete wish, or changes to the last one.
#[derive(Debug, Clone)]
enum Call {
    Publish(Vec<(u8, u8, Option<u8>)>, bool),
    Update(Vec<(u8, u8, Option<Option<u8>>)>, bool),
    /// The task looks into the inbox.
    Take,
    /// The task comes to rest.
    Rest,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let target = || proptest::option::of(0u8..6);
    let wish = proptest::collection::vec((0u8..6, 0u8..2, target()), 0..6);
    let changes = proptest::collection::vec((0u8..6, 0u8..2, proptest::option::of(target())), 0..6);
    let call = prop_oneof![
        1 => (wish, any::<bool>()).prop_map(|(wish, sweep)| Call::Publish(wish, sweep)),
        4 => (changes, any::<bool>()).prop_map(|(changes, sweep)| Call::Update(changes, sweep)),
        2 => Just(Call::Take),
        2 => Just(Call::Rest),
    ];
    proptest::collection::vec(call, 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Complete wishes and changes in any order lead where publishing their result leads.
    #[test]
    fn updates_equal_publishing_the_result(calls in calls(), sets in small_sets(1), left_behind in 0u8..6) {
        let inbox = Inbox::default();
        let (mut bench, mut other) = (Bench::new(true), Bench::new(true));
        for bench in [&mut bench, &mut other] {
            bench.kernel.fib.insert(small_key(left_behind, 1), vec![kernel_dev(OURS, 3)]);
            bench.publish_sets(published(&sets, true));
        }
        let take = |bench: &mut Bench| {
            let news = inbox.take();
            match (news.complete, news.sweep) {
                (Some(complete), _) => bench.engine.set_desired(complete),
                (None, Some(sweep)) => bench.engine.update(news.changes, sweep),
                (None, None) => {}
            }
            bench.engine.set_generation(news.generation);
        };
        let mut result = DesiredFib::default();
        for call in calls {
            match call {
                Call::Publish(wish, sweep) => {
                    let routes = wish.into_iter().map(|(d, m, to)| (small_key(d, m), small_route(to))).collect();
                    result = DesiredFib { routes, sweep };
                    inbox.publish(result.clone());
                }
                Call::Update(changes, sweep) => {
                    let changes = changes.into_iter().map(|(d, m, to)| (small_key(d, m), to.map(small_route)));
                    let changes: Vec<_> = changes.collect();
                    for (key, route) in changes.clone() {
                        match route {
                            Some(route) => drop(result.routes.insert(key, route)),
                            None => drop(result.routes.remove(&key)),
                        }
                    }
                    result.sweep = sweep;
                    inbox.update(changes, sweep);
                }
                Call::Take => take(&mut bench),
                Call::Rest => bench.rest(),
            }
        }
        take(&mut bench);
        bench.rest();
        other.engine.set_desired(result.clone());
        other.rest();
        for key in result.routes.keys() {
            prop_assert!(bench.engine.wants(key));
        }
        // What was wanted in between is gone; what was left behind stays, or goes, in both.
        let touched = |bench: &Bench| bench.writes.iter().any(|op| op.key == small_key(left_behind, 1));
        if touched(&bench) == touched(&other) {
            prop_assert_eq!(written_out(&bench.kernel), written_out(&other.kernel));
        }
        prop_assert_eq!(bench.engine.status().installed, result.routes.len());
        prop_assert_eq!(bench.engine.status().failed, vec![]);
    }
}
