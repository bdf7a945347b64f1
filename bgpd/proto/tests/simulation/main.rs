//! A whole fabric of speakers in one process, on virtual time, with seeded chance: delays, lost connections, silent
//! links, killed and restarted speakers, changes of configuration. After the faults end, every Loc-RIB must hold what is
//! originated, and nothing of what was withdrawn.
//!
//! A failing seed is printed; `ROADBED_SIM_SEED=N cargo test -p bgpd-proto --test simulation` runs it alone.

mod chance;
mod faults;
mod network;
mod world;

use chance::Chance;
use faults::Storm;
use std::time::Duration;
use world::{Manner, Mesh, World};

/// Time for all back-off, hold and retry timers to pass once the faults are over.
const SETTLE: Duration = Duration::from_secs(400);

fn run(seed: u64) {
    let mut chance = Chance::new(seed);
    let nodes = chance.between(2, 8);
    let mesh = *chance.pick(&[Mesh::Internal, Mesh::External]);
    let all = [Manner::Ours, Manner::Bird, Manner::Forgetful];
    let manners: Vec<Manner> = (0..nodes).map(|_| *chance.pick(&all)).collect();
    println!("seed {seed}: {mesh:?}, {manners:?}");
    let mut world = World::of(seed, mesh, manners);
    world.run_for(Duration::from_secs(20));
    let mut storm = Storm::new(seed);
    for _ in 0..chance.between(5, 40) {
        storm.strike(&mut world);
        let pause = Duration::from_millis(chance.between(0, 20_000) as u64);
        world.run_for(pause);
        world.assert_consistent(&format!("seed {seed}"));
    }
    storm.end(&mut world);
    world.run_for(SETTLE);
    world.assert_converged(&format!("seed {seed}"));
}

fn seeds(range: std::ops::Range<u64>) {
    if let Ok(seed) = std::env::var("ROADBED_SIM_SEED") {
        return run(seed.parse().expect("ROADBED_SIM_SEED is a number"));
    }
    range.for_each(run);
}

#[test]
fn a_quiet_mesh_converges_within_seconds() {
    for mesh in [Mesh::Internal, Mesh::External] {
        let mut world = World::new(1, 5, mesh);
        world.run_for(Duration::from_secs(10));
        world.assert_converged(&format!("{mesh:?}"));
        world.assert_fed();
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let trace = |seed| {
        let mut world = World::new(seed, 4, Mesh::Internal);
        let mut storm = Storm::new(seed);
        for _ in 0..10 {
            storm.strike(&mut world);
            world.run_for(Duration::from_secs(7));
        }
        world.trace()
    };
    assert_eq!(trace(5), trace(5));
    assert_ne!(trace(5), trace(6));
}

#[test]
fn storms_of_faults_leave_nothing_behind_first_half() {
    seeds(0..10);
}

#[test]
fn storms_of_faults_leave_nothing_behind_second_half() {
    seeds(10..20);
}

/// The fewest routes that speaker 1 has of speaker 0 at any moment of a while.
fn fewest(world: &mut World, seconds: u64) -> usize {
    let mut fewest = world.learned(1, 0);
    world.run_watched(Duration::from_secs(seconds), |world| {
        fewest = fewest.min(world.learned(1, 0));
    });
    fewest
}

#[test]
fn a_reset_of_connections_costs_no_route_whatever_the_peer_says_of_itself() {
    for (seed, manner) in (40..).zip([Manner::Ours, Manner::Bird, Manner::Forgetful]) {
        let mut world = World::of(seed, Mesh::External, vec![manner, Manner::Ours]);
        world.run_for(Duration::from_secs(10));
        assert_eq!(world.learned(1, 0), 3, "{manner:?}");
        for resets in 1..=5 {
            world.reset_one(0, 0);
            assert_eq!(fewest(&mut world, 30), 3, "{manner:?}, reset {resets}");
            assert_eq!(world.session(1, 0), (resets, true), "{manner:?}");
        }
        world.assert_converged(&format!("{manner:?}"));
    }
}

#[test]
fn a_restart_costs_routes_where_the_peer_says_that_its_forwarding_is_lost() {
    for (manner, kept) in [(Manner::Ours, 3), (Manner::Bird, 3), (Manner::Forgetful, 0)] {
        let mut world = World::of(50, Mesh::External, vec![manner, Manner::Ours]);
        world.run_for(Duration::from_secs(10));
        world.kill(0, false, false);
        assert_eq!(fewest(&mut world, 5), 3, "{manner:?}: while it is away");
        world.start(0);
        assert_eq!(fewest(&mut world, 30), kept, "{manner:?}: when it is back");
        world.assert_converged(&format!("{manner:?}"));
    }
}
