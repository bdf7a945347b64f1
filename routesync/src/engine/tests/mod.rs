//! The engine against the fake kernel: single cases first, then whatever may happen in any order.

use proptest::prelude::*;

mod anything;
mod nexthops;
mod updates;

use std::time::SystemTime;

use super::*;
use crate::{
    diff::Op,
    fake_kernel::FakeKernel,
    model::{Hop, Metric, NexthopKey, NexthopSet, Protocol},
    nexthop::object::NexthopOp,
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
    objects: Vec<NexthopOp>,
}

impl Bench {
    fn new(repair: bool) -> Self {
        Self::with(Settings {
            repair,
            ..Settings::default()
        })
    }

    fn with(settings: Settings) -> Self {
        let mut kernel = FakeKernel::default();
        for (index, name) in [(1, "a"), (2, "b"), (3, "c")] {
            let link = Link {
                index,
                name: name.into(),
                up: true,
                carrier: true,
                running: true,
                ..Link::default()
            };
            kernel.host.links.insert(index, link);
        }
        let settings = Settings {
            protocol: OURS,
            audit: Duration::ZERO,
            ..settings
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
            objects: Vec::new(),
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
            match self.engine.plan(self.now, 3) {
                Batch::Routes(ops) if ops.is_empty() => return,
                Batch::Routes(ops) => {
                    for op in ops {
                        let result = self.kernel.write(&op);
                        self.engine.finished(op.clone(), result, self.now);
                        self.writes.push(op);
                    }
                }
                Batch::Nexthops(ops) => {
                    for op in ops {
                        let result = self.kernel.write_nexthop(&op);
                        self.engine.finished_nexthop(&op, result, self.now);
                        self.objects.push(op);
                    }
                }
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

/// The kernel replaces without a look at whose the route is now: that somebody came a moment before shows only in the order, which
/// is not known.
#[test]
fn a_route_that_others_replaced_just_before_we_did_is_known_to_be_ours() {
    let mut bench = Bench::new(true);
    let route = key("10.0.0.0/24", 9);
    bench.want(&[(route, dev("a"))], true);
    bench.rest();
    let meddle = |kernel: &mut FakeKernel, key| kernel.others_replace(key, kernel_dev(BIRD, 3));
    bench.kernel.before_writes.push_back(Box::new(meddle));
    bench.want(&[(route, dev("b"))], true);
    bench.rest();
    assert_eq!(bench.kernel.fib[&route], [kernel_dev(OURS, 2)]);
    let status = bench.engine.status();
    assert_eq!((status.installed, status.failed), (1, vec![]));
    // Just after: it is theirs, and told.
    bench.kernel.after_writes.push_back(Box::new(meddle));
    bench.want(&[(route, dev("a"))], true);
    bench.rest();
    assert_eq!(bench.kernel.fib[&route], [kernel_dev(BIRD, 3)]);
    assert!(bench.engine.status().failed[0].1.contains("protocol bird"));
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
        running: true,
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
    let mut said = false;
    for _ in 0..50 {
        let Batch::Routes(ops) = bench.engine.plan(bench.now, 9) else {
            panic!("no objects are wanted");
        };
        for op in ops {
            bench.engine.finished(op.clone(), Ok(()), bench.now);
            bench.writes.push(op);
        }
        // The audit shows it.
        bench.engine.load(
            Snapshot {
                host: bench.kernel.host.clone(),
                nexthops: Some(Vec::new()),
                routes: Vec::new(),
            },
            bench.now,
            Duration::ZERO,
        );
        let failed = bench.engine.status().failed;
        said |= failed
            .iter()
            .any(|(_, reason, _)| reason.contains("does not show it"));
        bench.now.at += Duration::from_millis(1);
    }
    // Every other look at most is followed by another try.
    assert!((2..=25).contains(&bench.writes.len()), "{}", bench.writes.len());
    assert!(said);
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
        Some(index @ 0..3) => dev(NAMES[usize::from(index)]),
        Some(set) => DesiredRoute::via(SETS[usize::from(set) % 3].into()),
        None => DesiredRoute::blackhole(),
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];
const SETS: [&str; 3] = ["s", "t", "u"];

/// Sets of hops by link, gateway (0: none) and weight.
type SmallSets = BTreeMap<u8, BTreeMap<(u8, u8), u16>>;

fn small_sets(least: usize) -> impl Strategy<Value = SmallSets> {
    let hops = proptest::collection::btree_map((0u8..3, 0u8..2), 1u16..4, least..4);
    proptest::collection::btree_map(0u8..3, hops, least * 3..=3)
}

/// The sets as they are published. Without objects a hop of several needs a gateway, for IPv6.
fn published(sets: &SmallSets, objects: bool) -> BTreeMap<NexthopKey, NexthopSet> {
    let hop = |(&(link, gateway), &weight): (&(u8, u8), &u16)| Hop {
        gateway: (gateway > 0 || !objects)
            .then(|| std::net::Ipv6Addr::from(0xfd99 << 112 | u128::from(gateway)).into()),
        interface: NAMES[usize::from(link)].into(),
        onlink: gateway > 0 || !objects,
        weight,
    };
    let sets = sets.iter().map(|(name, hops)| {
        let set = NexthopSet::of(hops.iter().map(hop).collect());
        (SETS[usize::from(*name)].into(), set)
    });
    sets.collect()
}

/// All routes, with the hops of their objects in them.
fn written_out(kernel: &FakeKernel) -> BTreeMap<RouteKey, Vec<KernelRoute>> {
    let routes = |routes: &Vec<KernelRoute>| {
        let mut routes: Vec<_> = routes.iter().map(|route| kernel.written_out(route)).collect();
        routes.sort_by_key(|route| route.protocol);
        routes
    };
    (kernel.fib.iter())
        .map(|(key, held)| (*key, routes(held)))
        .collect()
}
