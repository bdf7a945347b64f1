//! What happens at random.

use std::time::Duration;

use config::fields::ResourceKind;
use datastore::Key;
use ipam::Owner;

use crate::world::World;

/// One thing happens somewhere.
pub fn one(world: &mut World) {
    let i = world.rng.below(world.nodes.len());
    match world.rng.below(200) {
        0..=34 => world.refresh(i, false),
        35..=54 => world.refresh(i, true),
        55..=89 => _ = world.decide(i, false),
        90..=95 => {
            let at = world.rng.below(world.flight.len());
            if at < world.flight.len() {
                world.deliver(at, false);
            }
        }
        96..=129 => world.pod_comes_or_goes(i),
        130..=134 => reap(world, i),
        135..=149 => world.retry(i),
        150..=151 => {
            world.note(|| format!("node-{i} crashes"));
            world.nodes[i].crash();
        }
        152..=166 => world.start(i),
        167 => machine_dies(world, i),
        168..=170 => world.nodes[i].machine = true,
        171..=172 => node_resource_goes(world, i),
        173..=174 => node_resource_comes(world, i),
        175 => pool_changes(world),
        176..=182 => pass(world),
        183 => clock_jumps(world, i),
        184 => world.nodes[i].reaches = false,
        185..=189 => {
            world.nodes[i].reaches = true;
            world.connect(i);
        }
        190 => world.store.compact(),
        191..=193 => presence_ends(world, i),
        194..=198 => mirror(world, i),
        _ => ledger_is_lost(world, i),
    }
}

/// The runtime deletes the pods that died while the agent was away.
pub fn reap(world: &mut World, i: usize) {
    let dead: Vec<Owner> = (world.nodes[i].pods.iter())
        .filter(|(_, pod)| !pod.alive)
        .map(|(owner, _)| owner.clone())
        .collect();
    for owner in dead {
        world.del(i, &owner);
    }
}

fn machine_dies(world: &mut World, i: usize) {
    world.note(|| format!("node-{i} dies"));
    let node = &mut world.nodes[i];
    node.crash();
    node.machine = false;
    node.pods.values_mut().for_each(|pod| pod.alive = false);
}

fn node_resource_goes(world: &mut World, i: usize) {
    // Mostly of a machine that is dead; sometimes of one that is not. A subnet that is given lasts as long as the
    // resource that gives it, so that one stays.
    if world.nodes[i].machine && !world.rng.one_in(6) || !world.nodes[i].given.is_empty() {
        return;
    }
    let name = world.nodes[i].name.clone();
    if world.resources.nodes.contains_key(&name) {
        world.note(|| format!("Node {name} is deleted"));
        world.resources.delete_node(&world.store, &name);
    }
}

pub fn node_resource_comes(world: &mut World, i: usize) {
    let node = &world.nodes[i];
    let (name, rack, given) = (node.name.clone(), node.rack, node.given);
    if !world.resources.nodes.contains_key(&name) {
        world.note(|| format!("Node {name} is made"));
        world.resources.put_node(&world.store, &name, rack, given);
    }
}

fn pool_changes(world: &mut World) {
    let names: Vec<&'static str> = world.resources.pools.keys().copied().collect();
    let Some(name) = world.rng.pick(&names).copied() else {
        return;
    };
    let mut pool = world.resources.pools[name].clone();
    match world.rng.below(6) {
        0 => pool.disabled = !pool.disabled,
        1 => {
            pool.selector = if pool.selector == "all()" {
                "rack != 'r2'"
            } else {
                "all()"
            }
        }
        2 if name == "more" => pool.cidr = "10.0.4.0/24".into(),
        3 if name == "pods" => pool.aggregate = pool.aggregate.map_or(Some(26), |_| None),
        4 | 5 if name != "six" => pool.block_size = if pool.block_size == 28 { 29 } else { 28 },
        _ => return,
    }
    world.note(|| format!("pool is now {pool:?}"));
    world.resources.put_pool(&world.store, pool);
}

fn pass(world: &mut World) {
    let seconds = 1 + world.rng.below(150) as u64;
    world.now += Duration::from_secs(seconds);
}

fn clock_jumps(world: &mut World, i: usize) {
    let by = Duration::from_secs(world.rng.below(20_000) as u64);
    let ahead = world.rng.one_in(2);
    world.note(|| {
        format!(
            "the clock of node-{i} is now {by:?} {}",
            if ahead { "ahead" } else { "behind" }
        )
    });
    world.nodes[i].skew = (ahead, by);
}

/// The lease of the presence key runs out where nobody renews it.
pub fn presence_ends(world: &mut World, i: usize) {
    let node = &mut world.nodes[i];
    if node.process.is_none() {
        node.hold = None;
    } else if !node.reaches {
        world.store.expire(&node.name);
    } else {
        // The holder comes back, if it was gone.
        let key = Key::Presence(node.name.to_string());
        if world.store.get_now(&key).expect("a store that works").is_none() {
            let value = ipam::cluster::PresenceRecord::new(node.name.clone(), None).to_text();
            node.hold = Some(
                world
                    .store
                    .hold_now(&node.name, value)
                    .expect("a store that works"),
            );
        }
    }
}

fn mirror(world: &mut World, i: usize) {
    let now = world.now;
    let node = &mut world.nodes[i];
    if node.process.is_some() && node.reaches {
        let clock = node.clock(now);
        let local = node.ledger.local(clock);
        if !local.fresh {
            node.mirror = local.leases;
        }
    }
}

/// The disk of a node is lost while its agent is down. What the mirror did not have is not promised any more.
fn ledger_is_lost(world: &mut World, i: usize) {
    let node = &mut world.nodes[i];
    if node.agent || !node.given.is_empty() {
        return;
    }
    node.ledger.lose();
    let known: Vec<&Owner> = node.mirror.iter().map(|lease| &lease.owner).collect();
    node.pods.retain(|owner, _| known.contains(&owner));
    let pods = &node.pods;
    node.mirror.retain(|lease| pods.contains_key(&lease.owner));
    world.note(|| format!("node-{i} loses its ledger"));
}

/// Whether the operator's resources are as the store has them.
pub fn has_node(world: &World, i: usize) -> bool {
    let key = Key::resource(ResourceKind::Node, world.nodes[i].name.as_str());
    world.store.get_now(&key).expect("a store that works").is_some()
}
