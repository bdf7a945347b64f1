//! What can happen to a network, by seeded chance. Each strike has chance of its own, so that others can be left out when a
//! failure is narrowed down.

use crate::chance::Chance;
use crate::network::NodeId;
use crate::topology::{PREFIXES, address, address6, id, prefix};
use crate::world::World;
use bgpd_proto::rib::NextHopState;
use bgpd_proto::rib::filter::{Action, Conditions, Filters, Operator, Origin, PrefixMatch, Rule};
use bgpd_proto::speaker::PathChange;
use bgpd_proto::types::RouterId;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// What strikes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// All of them.
    Storm,
    /// Only those that cost no route where everyone restarts gracefully: connections are lost, kernels close them.
    Graceful,
}

/// A source of faults.
pub struct Storm {
    seed: u64,
    weather: Weather,
}

impl Storm {
    /// Faults of `seed`.
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self { seed, weather }
    }

    /// One fault, and the pause after it.
    pub fn strike(&self, world: &mut World, number: usize) -> Duration {
        let mut chance = Chance::new(self.seed ^ 0x7374_6f72 ^ (number as u64) << 32);
        let node = chance.between(0, world.count() - 1);
        match self.weather {
            Weather::Storm => storm(&mut chance, world, node),
            Weather::Graceful => graceful(&mut chance, world, node),
        }
        Duration::from_millis(chance.between(0, 20_000) as u64)
    }

    /// Everything runs and is configured as at first; routes stay as they are.
    pub fn end(&self, world: &mut World) {
        world.network.heal(world.now);
        for (node, other) in world.topology.ends().collect::<Vec<_>>() {
            // Hold times stay: a reset of every session would cure what should cure itself.
            let hold = world.configs[node]
                .peers
                .get(&id(other))
                .map(|peer| peer.hold_time);
            let mut peer = world.topology.template(node, other);
            peer.hold_time = hold.unwrap_or(peer.hold_time);
            world.configs[node].peers.insert(id(other), peer);
        }
        for node in 0..world.count() {
            world.configs[node].import = Default::default();
            world.configs[node].multipath = 8;
            world.distances[node].clear();
            if world.is_running(node) {
                world.reconfigure(node);
                world.measure(node);
            } else {
                world.start(node);
            }
        }
    }
}

fn storm(chance: &mut Chance, world: &mut World, node: NodeId) {
    let which = chance.between(0, 1000);
    match chance.between(0, 18) {
        0 | 1 => routes(chance, world, node),
        2 => world.network.cut(node, chance.between(0, world.count() - 1)),
        3 => world.network.heal(world.now),
        4 => world.reset_one(node, which),
        5 => world.lose_one(node, which, false),
        6 => world.lose_one(node, which, true),
        7 | 8 => power(chance, world, node),
        9 | 10 => settings(chance, world, node),
        11 => own_settings(chance, world, node),
        12 => peer(chance, world, node),
        13 => distances(chance, world, node),
        14 => {
            let until = world.now + Duration::from_millis(chance.between(10, 20_000) as u64);
            world.network.stall(node, until);
        }
        15 | 16 => filter(chance, world, node),
        17 => path(chance, world, node),
        _ => restart_and_change(chance, world, node),
    }
}

fn graceful(chance: &mut Chance, world: &mut World, node: NodeId) {
    let which = chance.between(0, 1000);
    match chance.between(0, 2) {
        0 => world.reset_one(node, which),
        1 if world.is_running(node) => {
            world.kill(node, false, false);
            world.run_for(Duration::from_millis(chance.between(1, 9000) as u64));
            world.start(node);
        }
        _ => world.lose_one(node, which, false),
    }
}

fn routes(chance: &mut Chance, world: &mut World, node: NodeId) {
    for _ in 0..chance.between(1, 30) {
        let prefix = prefix(node, chance.between(0, PREFIXES - 1));
        if chance.percent(60) {
            world.originated[node].insert(prefix);
        } else {
            world.originated[node].remove(&prefix);
        }
    }
    world.announce(node);
}

fn power(chance: &mut Chance, world: &mut World, node: NodeId) {
    if world.is_running(node) {
        let politely = chance.percent(40);
        let silently = !politely && chance.percent(30);
        world.kill(node, politely, silently);
    } else {
        world.start(node);
    }
}

/// Settings of one of the peers.
fn settings(chance: &mut Chance, world: &mut World, node: NodeId) {
    let number = chance.between(0, 1000);
    let (yes, name) = (chance.percent(50), format!("renamed-{number}"));
    let hold = Duration::from_secs(*chance.pick(&[9, 30, 90]));
    let retry = Duration::from_secs(chance.between(1, 9) as u64);
    let what = chance.between(0, 5);
    let peers = &mut world.configs[node].peers;
    let count = peers.len().max(1);
    if let Some((_, peer)) = peers.iter_mut().nth(number % count) {
        match what {
            0 => peer.hold_time = hold,
            1 => peer.set_transit(yes),
            2 => peer.passive = yes,
            3 => peer.name = name,
            4 => peer.connect_retry = retry,
            _ => peer.next_hop_v6 = peer.next_hop_v6.filter(|_| yes),
        }
    }
    world.reconfigure(node);
}

/// A filter of one of the peers comes, goes, or refuses something else: in what is said to it, or by it.
fn filter(chance: &mut Chance, world: &mut World, node: NodeId) {
    let number = chance.between(0, 1000);
    let refused = prefix(chance.between(0, world.count() - 1), 2 * chance.between(0, 3));
    let (comes, said_by_it) = (chance.percent(70), chance.percent(50));
    let lists = [Operator::In, Operator::NotIn].map(|operator| Rule {
        conditions: Conditions {
            prefix: Some(PrefixMatch::new(refused, operator, None, None)),
            ..Conditions::default()
        },
        action: Action::Reject,
        operations: Vec::new(),
        origin: Origin {
            filter: "storm".into(),
            list: "v4",
            number: 1,
        },
    });
    let [one, all_else] = lists;
    let rule = if chance.percent(70) { one } else { all_else };
    let filters = Filters::new(comes.then_some(rule).into_iter().collect(), Vec::new());
    let peers = &mut world.configs[node].peers;
    let count = peers.len().max(1);
    if let Some((_, peer)) = peers.iter_mut().nth(number % count) {
        if said_by_it {
            Arc::make_mut(&mut peer.import).filters = filters;
        } else {
            Arc::make_mut(&mut peer.export).filters = filters;
        }
    }
    world.reconfigure(node);
}

/// Somebody who watches the path to a peer takes it for dead, or sees it again.
fn path(chance: &mut Chance, world: &mut World, node: NodeId) {
    let neighbours = world.topology.neighbours();
    let other = *chance.pick(&neighbours[&node]);
    if chance.percent(70) {
        world.path(node, other, PathChange::Down("nothing comes".into()));
    }
    if chance.percent(60) {
        world.path(node, other, PathChange::Up);
    }
}

/// Settings of the speaker itself.
fn own_settings(chance: &mut Chance, world: &mut World, node: NodeId) {
    let other = chance.between(0, world.count() - 1);
    let refused = prefix(other, chance.between(0, 3));
    let (multipath, high) = (chance.between(1, 8), chance.percent(50));
    let what = chance.between(0, 2);
    let config = &mut world.configs[node];
    match what {
        0 => config.import.own_prefixes = vec![refused],
        1 => config.multipath = multipath,
        _ => {
            let [_, _, a, b] = config.router_id.0.octets();
            config.router_id = RouterId(Ipv4Addr::new(if high { 200 } else { 1 }, 1, a, b));
        }
    }
    world.reconfigure(node);
}

/// A peer is taken out, or put back.
fn peer(chance: &mut Chance, world: &mut World, node: NodeId) {
    let neighbours = world.topology.neighbours();
    let other = *chance.pick(&neighbours[&node]);
    if world.configs[node].peers.remove(&id(other)).is_none() {
        let mut peer = world.topology.template(node, other);
        peer.hold_time = Duration::from_secs(*chance.pick(&[9, 30, 90]));
        world.configs[node].peers.insert(id(other), peer);
    }
    world.reconfigure(node);
}

/// A next hop is farther away, or out of reach, or as usual again.
fn distances(chance: &mut Chance, world: &mut World, node: NodeId) {
    let other = chance.between(0, world.count() - 1);
    let (what, metric) = (chance.between(0, 2), chance.between(0, 5) as u32);
    for hop in [address(other), IpAddr::from(address6(other))] {
        match what {
            0 => drop(world.distances[node].remove(&hop)),
            1 => drop(world.distances[node].insert(hop, NextHopState::Unreachable)),
            _ => drop(world.distances[node].insert(hop, NextHopState::Reachable { metric })),
        }
    }
    world.measure(node);
}

/// A node restarts with fewer routes, and those that wait for it change their mind about something while it comes back.
fn restart_and_change(chance: &mut Chance, world: &mut World, node: NodeId) {
    if !world.is_running(node) {
        return;
    }
    world.kill(node, false, chance.percent(20));
    let kept = chance.between(0, 3);
    world.originated[node] = world.originated[node].iter().copied().take(kept).collect();
    world.run_for(Duration::from_millis(chance.between(1, 5000) as u64));
    world.start(node);
    for _ in 0..chance.between(0, 3) {
        world.run_for(Duration::from_micros(chance.between(100, 4000) as u64));
        let other = chance.between(0, world.count() - 1);
        if world.is_running(other) {
            settings(chance, world, other);
        }
    }
}
