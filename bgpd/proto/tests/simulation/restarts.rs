//! Graceful restart: what a loss of connections, a restart, or many of them cost.

use crate::chance::Chance;
use crate::faults::{Storm, Weather};
use crate::manner::Manner;
use crate::topology::Topology;
use crate::world::World;
use std::time::Duration;

fn two(seed: u64, manner: Manner) -> World {
    let topology = Topology::external(2, &mut Chance::new(seed));
    World::of(seed, topology, vec![manner, Manner::Ours])
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
        let mut world = two(seed, manner);
        world.run_for(Duration::from_secs(10));
        assert_eq!(world.learned(1, 0), 3, "{manner:?}");
        for resets in 1..=5 {
            world.reset_one(0, 0);
            assert_eq!(fewest(&mut world, 30), 3, "{manner:?}, reset {resets}");
            assert_eq!(world.session(1, 0), (resets, true), "{manner:?}");
        }
        world.assert_settled();
    }
}

#[test]
fn a_restart_costs_routes_where_the_peer_says_that_its_forwarding_is_lost() {
    for (manner, kept) in [(Manner::Ours, 3), (Manner::Bird, 3), (Manner::Forgetful, 0)] {
        let mut world = two(50, manner);
        world.run_for(Duration::from_secs(10));
        world.kill(0, false, false);
        assert_eq!(fewest(&mut world, 5), 3, "{manner:?}: while it is away");
        world.start(0);
        assert_eq!(fewest(&mut world, 30), kept, "{manner:?}: when it is back");
        world.assert_settled();
    }
}

/// Connections are lost and speakers restart by the kernel's close, one after another: no route is lost anywhere, at no moment.
fn graceful(seed: u64, topology: Topology) {
    let mut world = World::new(seed, topology);
    world.run_for(Duration::from_secs(100));
    world.assert_loc_ribs();
    let all: usize = world.originated.iter().map(|prefixes| prefixes.len()).sum();
    let storm = Storm::new(seed, Weather::Graceful);
    for number in 0..6 {
        storm.strike(&mut world, number);
        let nodes = world.count();
        let restarted: Vec<bool> = (0..nodes)
            .map(|node| world.speaker(node).is_none_or(|s| !s.fully_fed()))
            .collect();
        world.run_watched(Duration::from_secs(100), |world| {
            for node in (0..nodes).filter(|node| !restarted[*node]) {
                let known = world
                    .speaker(node)
                    .map_or(all, |speaker| speaker.rib().loc_rib().count());
                assert_eq!(known, all, "seed {seed}: speaker {node} after strike {number}");
            }
        });
    }
    world.assert_settled();
}

#[test]
fn restarts_in_a_mesh_cost_no_route_anywhere() {
    for seed in 60..63 {
        graceful(seed, Topology::internal(4, &mut Chance::new(seed)));
    }
}

#[test]
fn a_speaker_that_loses_its_power_is_taken_up_again_within_the_hold_time() {
    for seed in [60, 61] {
        let mut chance = Chance::new(seed);
        let topology = match seed {
            60 => Topology::internal(3, &mut chance),
            _ => Topology::external(3, &mut chance),
        };
        let kind = topology.kind;
        let mut world = World::new(seed, topology);
        world.run_for(Duration::from_secs(20));
        // Nobody closes its connections: the others take it to be there yet.
        world.kill(0, false, true);
        world.run_for(Duration::from_secs(1));
        world.start(0);
        assert_eq!(fewest(&mut world, 15), 3, "{kind:?}: its routes stay in use");
        world.run_for(Duration::from_secs(60));
        world.assert_settled();
    }
}
