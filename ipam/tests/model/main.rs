//! The model test of ownership: simulated nodes, each with its own late view of the store, decide and carry out their
//! steps, while everything goes wrong that can: processes that end between any two steps, transactions that come
//! late, twice or never, nodes that go and come back, pools that change, clocks that jump, disks that are lost. After
//! each operation the whole cluster is held against what must be true; in the end, without faults, against what
//! must have come about.
//!
//! A seed is one history. `MODEL_SEEDS=n` runs more of them, `MODEL_SEED=s` one, `MODEL_STEPS=n` sets their length.

mod invariants;
mod ledger;
mod node;
mod operations;
mod resources;
mod rng;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use invariants::Truth;
use ledger::{Ledger, Real, Reference};
use world::World;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// One history. Prints the seed and its last operations where something does not hold.
fn run(
    seed: u64,
    steps: u64,
    nodes: usize,
    ledger: &dyn Fn() -> Box<dyn Ledger>,
) -> BTreeMap<&'static str, u64> {
    let mut world = World::new(seed, ledger, nodes);
    let mut truth = Truth::new();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        for i in 0..world.nodes.len() {
            world.start(i);
        }
        for _ in 0..steps {
            operations::one(&mut world);
            invariants::check(&mut world, &mut truth);
        }
        invariants::settle(&mut world, &mut truth);
    }));
    if let Err(cause) = outcome {
        for line in &world.log {
            eprintln!("{line}");
        }
        eprintln!("replay with MODEL_SEED={seed} MODEL_STEPS={steps}");
        resume_unwind(cause);
    }
    world.counts
}

fn all(
    seeds: u64,
    steps: u64,
    nodes: usize,
    ledger: &dyn Fn() -> Box<dyn Ledger>,
) -> BTreeMap<&'static str, u64> {
    let steps = setting("MODEL_STEPS").unwrap_or(steps);
    let range = match setting("MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("MODEL_SEEDS").unwrap_or(seeds),
    };
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in range {
        *counts.entry("operations").or_default() += steps;
        for (what, n) in run(seed, steps, nodes, ledger) {
            *counts.entry(what).or_default() += n;
        }
    }
    eprintln!("{counts:?}");
    counts
}

#[test]
fn no_address_is_given_twice_whatever_happens() {
    let counts = all(40, 2000, 6, &|| Box::new(Reference::default()));
    // A history in which nothing happens proves nothing.
    if setting("MODEL_SEED").is_none() {
        for what in [
            "adds",
            "claim",
            "reclaim",
            "release",
            "collect",
            "loan",
            "sticky",
            "conflicts",
        ] {
            assert!(
                counts.get(what).is_some_and(|n| *n > 5),
                "too few of {what}: {counts:?}"
            );
        }
    }
}

#[test]
fn the_same_with_the_ledger_on_disk() {
    all(2, 400, 3, &|| Box::new(Real::new()));
}
