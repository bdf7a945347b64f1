//! Fabrics of the size that matters, some faults each.

use crate::chance::Chance;
use crate::faults::{Storm, Weather};
use crate::topology::Topology;
use crate::world::World;
use std::time::{Duration, Instant};

#[expect(
    clippy::disallowed_methods,
    reason = "how long a simulation takes is shown, not judged"
)]
fn clock() -> Instant {
    Instant::now()
}

/// Time for hold and retry timers to pass once the faults are over: with hold times of 90 s and feeds deferred 60 s, and no
/// restart kept longer than 120 s.
const SETTLE: Duration = Duration::from_secs(240);

/// Sets a fabric up, strikes it, and asks that all is right in the end.
fn weather(name: &str, seed: u64, topology: Topology, strikes: usize) {
    let start = clock();
    let mut world = World::new(seed, topology);
    world.run_for(Duration::from_secs(30));
    let storm = Storm::new(seed, Weather::Storm);
    for number in 0..strikes {
        let pause = storm.strike(&mut world, number);
        world.run_for(pause);
        world.assert_consistent();
    }
    storm.end(&mut world);
    world.run_for(SETTLE);
    world.assert_settled();
    world.assert_empties();
    println!(
        "{name}, seed {seed}: {} speakers, {} sessions, {} strikes, {:.0} virtual s, {} arrivals, {} UPDATEs, {:.1} s",
        world.count(),
        world.topology.edges.len(),
        strikes,
        world.age().as_secs_f64(),
        world.arrivals,
        world.updates_out(),
        start.elapsed().as_secs_f64()
    );
}

/// A hundred nodes where many seeds are asked for, in a release build; else as many as are done in seconds without
/// optimisation, for the work grows with the cube of their number.
#[test]
fn a_mesh_of_many_nodes() {
    let nodes = if std::env::var_os("ROADBED_SIM_SEEDS").is_some() {
        100
    } else {
        25
    };
    weather("mesh", 70, Topology::internal(nodes, &mut Chance::new(70)), 5);
}

/// Two reflectors of a thousand clients where many seeds are asked for; else of some dozens.
#[test]
fn two_reflectors_of_many_clients() {
    let clients = if std::env::var_os("ROADBED_SIM_SEEDS").is_some() {
        1000
    } else {
        40
    };
    weather(
        "reflectors",
        75,
        Topology::reflected(2, clients, &mut Chance::new(75)),
        5,
    );
}

#[test]
fn a_clos_of_two_spines() {
    for seed in 80..82 {
        weather("clos", seed, Topology::clos(2, 8, 6, &mut Chance::new(seed)), 8);
    }
}
