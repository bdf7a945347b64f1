//! The engine against the fake kernel: single cases first, then whatever may happen in any order.

use proptest::prelude::*;

use super::*;
use crate::{
    diff::Op,
    fake_kernel::FakeKernel,
    inbox::Inbox,
    model::{Hop, Metric, Protocol},
    route,
};

const OURS: Protocol = Protocol(82);
const BIRD: Protocol = Protocol(12);

/// Engine and kernel, and a clock that only moves when told.
struct Bench {
    engine: Engine,
    kernel: FakeKernel,
    now: Now,
    generation: u64,
    /// What other programs hold by their own doing.
    writes: Vec<Op>,
}

impl Bench {
    fn new(repair: bool) -> Self {
        let mut kernel = FakeKernel::default();
        for (index, name) in [(1, "a"), (2, "b"), (3, "c")] {
            let link = Link {
                index,
                name: name.into(),
                up: true,
                carrier: true,
                ..Link::default()
            };
            kernel.host.links.insert(index, link);
        }
        let settings = Settings {
            protocol: OURS,
            repair,
            audit: Duration::ZERO,
            ..Settings::default()
        };
        let now = Now {
            at: Instant::now(),
            wall: SystemTime::UNIX_EPOCH,
        };
        Bench {
            engine: Engine::new(settings),
            kernel,
            now,
            generation: 0,
            writes: Vec::new(),
        }
    }

    fn want(&mut self, routes: &[(RouteKey, DesiredRoute)], sweep: bool) {
        self.generation += 1;
        let routes = routes.iter().cloned().collect();
        self.engine.set_desired(DesiredFib { routes, sweep });
        self.engine.set_generation(self.generation);
    }

    /// One round as the task does it.
    fn round(&mut self) {
        self.take_events();
        if self.engine.resync_due(self.now) {
            self.engine.load(self.kernel.dump(), self.now, Duration::ZERO);
            self.take_events();
        }
        for turn in 0.. {
            assert!(turn < 100, "the engine does not come to rest");
            let ops = self.engine.plan(self.now, 3);
            if ops.is_empty() {
                return;
            }
            for op in ops {
                let result = self.kernel.write(&op);
                self.engine.finished(&op, result, self.now);
                self.writes.push(op);
            }
            self.take_events();
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.kernel.events.pop_front() {
            self.engine.handle(event, self.now);
        }
    }

    /// Rounds until nothing is due within a minute of quiet.
    fn rest(&mut self) {
        self.round();
        for turn in 0.. {
            assert!(turn < 200, "the engine never rests");
            match self.engine.next_wake() {
                Some(at) if at <= self.now.at + Duration::from_secs(60) => self.now.at = at.max(self.now.at),
                _ => return,
            }
            self.round();
        }
    }
}

fn key(destination: &str, metric: u32) -> RouteKey {
    RouteKey::main(destination.parse().unwrap(), Metric(metric))
}

fn dev(interface: &str) -> DesiredRoute {
    DesiredRoute::forward(vec![Hop {
        gateway: None,
        interface: interface.into(),
        onlink: false,
        weight: 1,
    }])
}

fn kernel_dev(protocol: Protocol, index: u32) -> KernelRoute {
    KernelRoute::on_link(protocol, index)
}

#[test]
fn adopts_without_writing() {
    let mut bench = Bench::new(true);
    let route = key("10.0.0.0/24", 9);
    bench.kernel.fib.insert(route, vec![kernel_dev(OURS, 1)]);
    bench.want(&[(route, dev("a"))], false);
    bench.rest();
    assert_eq!(bench.writes, []);
    assert_eq!(bench.engine.status().installed, 1);
    assert_eq!(bench.engine.status().in_sync_with, 1);
}

#[test]
fn orphans_wait_for_the_sweep_but_dropped_routes_do_not() {
    let mut bench = Bench::new(true);
    let (orphan, dropped) = (key("10.0.0.0/24", 9), key("10.0.1.0/24", 9));
    bench.kernel.fib.insert(orphan, vec![kernel_dev(OURS, 1)]);
    bench.want(&[(dropped, dev("a"))], false);
    bench.rest();
    bench.want(&[], false);
    bench.rest();
    assert_eq!(bench.kernel.fib.keys().collect::<Vec<_>>(), [&orphan]);
    assert_eq!(
        (bench.engine.status().orphans, bench.engine.status().swept),
        (1, 0)
    );
    bench.want(&[], true);
    bench.rest();
    assert!(bench.kernel.fib.is_empty());
    assert_eq!(
        (bench.engine.status().orphans, bench.engine.status().swept),
        (0, 1)
    );
}

#[test]
fn a_changed_metric_leaves_no_gap() {
    let mut bench = Bench::new(true);
    let (old, new) = (key("10.0.0.0/24", 9), key("10.0.0.0/24", 5));
    bench.want(&[(old, dev("a"))], true);
    bench.rest();
    // The new one fails at first: the old one stays until it is in.
    bench.kernel.failures.extend([100, 100]);
    bench.want(&[(new, dev("b"))], true);
    bench.round();
    assert_eq!(bench.kernel.fib.keys().collect::<Vec<_>>(), [&old]);
    bench.rest();
    assert_eq!(bench.kernel.fib.keys().collect::<Vec<_>>(), [&new]);
    let last: Vec<_> = bench
        .writes
        .iter()
        .rev()
        .take(2)
        .map(|op| op.key.metric.0)
        .collect();
    assert_eq!(last, [9, 5]);
}

#[test]
fn foreign_routes_are_reported_and_left() {
    let mut bench = Bench::new(true);
    let route = key("10.0.0.0/24", 9);
    bench.kernel.others_add(route, kernel_dev(BIRD, 2));
    bench.want(&[(route, dev("a"))], true);
    bench.rest();
    assert_eq!(bench.kernel.fib[&route], [kernel_dev(BIRD, 2)]);
    let status = bench.engine.status();
    assert!(status.failed[0].1.contains("protocol bird"), "{status:?}");
    // It goes: ours comes.
    bench.kernel.others_delete(route, BIRD);
    bench.rest();
    assert_eq!(bench.kernel.fib[&route], [kernel_dev(OURS, 1)]);
    assert_eq!(bench.engine.status().failed, []);
}

#[test]
fn a_foreign_route_that_nobody_told_us_of_survives() {
    let mut bench = Bench::new(true);
    bench.rest();
    let route = key("10.0.0.0/24", 9);
    bench.kernel.others_add(route, kernel_dev(BIRD, 2));
    bench.kernel.events.clear();
    bench.want(&[(route, dev("a"))], true);
    bench.rest();
    assert_eq!(bench.kernel.fib[&route], [kernel_dev(BIRD, 2)]);
    assert!(bench.engine.status().failed[0].1.contains("protocol bird"));
}

#[test]
fn repairs_and_counts_or_leaves_and_counts() {
    for repair in [true, false] {
        let mut bench = Bench::new(repair);
        let route = key("10.0.0.0/24", 9);
        bench.want(&[(route, dev("a"))], true);
        bench.rest();
        bench.kernel.others_delete(route, OURS);
        bench.rest();
        let status = bench.engine.status();
        assert_eq!(bench.kernel.fib.contains_key(&route), repair);
        assert_eq!(
            (status.repaired, status.drifted),
            if repair { (1, 0) } else { (0, 1) }
        );
        assert_eq!(status.installed, usize::from(repair));
    }
}

#[test]
fn waits_for_an_interface_and_goes_at_once_when_it_comes() {
    let mut bench = Bench::new(true);
    let route = key("10.0.0.7/32", 9);
    bench.want(&[(route, dev("late"))], true);
    bench.rest();
    assert_eq!(
        bench.engine.status().failed[0].1,
        "interface late does not exist (yet)"
    );
    assert_eq!(bench.writes, []);
    let link = Link {
        index: 9,
        name: "late".into(),
        up: true,
        carrier: true,
        ..Link::default()
    };
    bench.kernel.host.links.insert(9, link.clone());
    bench.kernel.events.push_back(Event::Link(link));
    bench.round();
    assert_eq!(bench.kernel.fib[&route], [kernel_dev(OURS, 9)]);
    assert_eq!(bench.engine.status().failed, []);
}

#[test]
fn a_link_that_comes_and_goes_costs_no_dump() {
    let mut bench = Bench::new(true);
    let (pod, other) = (key("10.0.0.7/32", 9), key("10.1.0.0/16", 9));
    bench.want(&[(pod, dev("pod")), (other, dev("a"))], true);
    bench.rest();
    let dumps = bench.engine.status().resyncs;
    for _ in 0..3 {
        bench.kernel.link_up(9, "pod");
        bench.rest();
        assert_eq!(bench.kernel.fib[&pod], [kernel_dev(OURS, 9)]);
        bench.kernel.link_gone(9);
        bench.rest();
        assert_eq!(bench.engine.status().failed[0].0, pod);
    }
    assert_eq!(bench.engine.status().resyncs, dumps);
    // A link that only falls is looked after, twice.
    bench.kernel.link_down(2);
    bench.rest();
    assert_eq!(bench.engine.status().resyncs, dumps + 2);
}

#[test]
fn a_kernel_that_says_yes_and_does_nothing_is_not_asked_forever() {
    let mut bench = Bench::new(true);
    let route = key("10.0.0.0/24", 9);
    bench.want(&[(route, dev("a"))], true);
    bench.engine.load(bench.kernel.dump(), bench.now, Duration::ZERO);
    for _ in 0..50 {
        for op in bench.engine.plan(bench.now, 9) {
            bench.engine.finished(&op, Ok(()), bench.now);
            bench.writes.push(op);
        }
        if bench.engine.resync_due(bench.now) {
            bench.engine.load(
                Snapshot {
                    host: bench.kernel.host.clone(),
                    routes: Vec::new(),
                },
                bench.now,
                Duration::ZERO,
            );
        }
        bench.now.at += Duration::from_millis(1);
    }
    assert!(bench.writes.len() < 20, "{}", bench.writes.len());
    assert!(bench.engine.status().failed[0].1.contains("does not show it"));
}

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

fn small_key(destination: u8, metric: u8) -> RouteKey {
    let destination = if destination < 3 {
        format!("10.{destination}.0.0/16")
    } else {
        format!("fd0{destination}::/16")
    };
    key(&destination, 10 + u32::from(metric))
}

fn small_route(target: Option<u8>) -> DesiredRoute {
    match target {
        Some(index) => dev(NAMES[usize::from(index)]),
        None => DesiredRoute::blackhole(),
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

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
    let target = || proptest::option::of(0u8..3);
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
    fn updates_equal_publishing_the_result(calls in calls(), left_behind in 0u8..6) {
        let inbox = Inbox::default();
        let (mut bench, mut other) = (Bench::new(true), Bench::new(true));
        for bench in [&mut bench, &mut other] {
            bench.kernel.fib.insert(small_key(left_behind, 1), vec![kernel_dev(OURS, 3)]);
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
            prop_assert_eq!(&bench.kernel.fib, &other.kernel.fib);
        }
        prop_assert_eq!(bench.engine.status().installed, result.routes.len());
        prop_assert_eq!(bench.engine.status().failed, vec![]);
    }
}
