//! What can happen to a network, by seeded chance.

use crate::chance::Chance;
use crate::network::NodeId;
use crate::world::{World, address, prefix};
use bgpd_proto::types::PeerId;
use std::time::Duration;

/// A source of faults.
pub struct Storm {
    chance: Chance,
}

impl Storm {
    /// Faults of `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            chance: Chance::new(seed ^ 0x7374_6f72),
        }
    }

    /// One fault.
    pub fn strike(&mut self, world: &mut World) {
        let node = self.chance.between(0, world.count() - 1);
        match self.chance.between(0, 9) {
            0 | 1 => self.routes(world, node),
            2 => world.network.cut(node, self.chance.between(0, world.count() - 1)),
            3 => world.network.heal(world.now),
            4 | 5 => world.reset_one(node, self.chance.between(0, 100)),
            6 | 7 => self.power(world, node),
            8 => self.settings(world, node),
            _ => self.peer(world, node),
        }
    }

    /// Everything runs and is configured as at first; routes stay as they are.
    pub fn end(&mut self, world: &mut World) {
        world.network.heal(world.now);
        for (node, other) in world.pairs() {
            // Hold times stay: a reset of every session would cure what should cure itself.
            let hold = world.configs[node]
                .peers
                .get(&PeerId(address(other)))
                .map(|peer| peer.hold_time);
            self.add_peer(world, node, other);
            if let (Some(hold), Some(peer)) =
                (hold, world.configs[node].peers.get_mut(&PeerId(address(other))))
            {
                peer.hold_time = hold;
            }
        }
        for node in 0..world.count() {
            if world.is_running(node) {
                world.reconfigure(node);
            } else {
                world.start(node);
            }
        }
    }

    fn routes(&mut self, world: &mut World, node: NodeId) {
        for _ in 0..self.chance.between(1, 30) {
            let prefix = prefix(node, self.chance.between(0, 99));
            if self.chance.percent(60) {
                world.originated[node].insert(prefix);
            } else {
                world.originated[node].remove(&prefix);
            }
        }
        world.announce(node);
    }

    fn power(&mut self, world: &mut World, node: NodeId) {
        if world.is_running(node) {
            let politely = self.chance.percent(40);
            let silently = !politely && self.chance.percent(30);
            world.kill(node, politely, silently);
        } else {
            world.start(node);
        }
    }

    fn settings(&mut self, world: &mut World, node: NodeId) {
        let hold = Duration::from_secs(*self.chance.pick(&[9, 30, 90]));
        let (transit, passive) = (self.chance.percent(50), self.chance.percent(20));
        let which = self.chance.between(0, world.count() - 1);
        if let Some(peer) = world.configs[node].peers.get_mut(&PeerId(address(which))) {
            match self.chance.between(0, 2) {
                0 => peer.hold_time = hold,
                1 => peer.transit = transit,
                _ => peer.passive = passive,
            }
        }
        world.reconfigure(node);
    }

    fn peer(&mut self, world: &mut World, node: NodeId) {
        let other = self.chance.between(0, world.count() - 1);
        if world.configs[node]
            .peers
            .remove(&PeerId(address(other)))
            .is_none()
            && other != node
        {
            self.add_peer(world, node, other);
        }
        world.reconfigure(node);
    }

    /// Puts back what was taken out, and undoes what was changed.
    fn add_peer(&mut self, world: &mut World, node: NodeId, other: NodeId) {
        let mut peer = world.template(node, other);
        peer.hold_time = Duration::from_secs(*self.chance.pick(&[9, 30, 90]));
        world.configs[node].peers.insert(PeerId(address(other)), peer);
    }
}
