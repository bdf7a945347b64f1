//! What is done to the members of the cluster and to the nodes, by chance and by seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use datastore::{Datastore, Expect, Write};
use etcd_testbed::Cluster;

use crate::chance::Chance;
use crate::node::{Control, Mishap};
use crate::scene;

/// How often what was done.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemberFaults {
    /// Members killed and started again.
    pub killed: usize,
    /// Members stopped and continued.
    pub paused: usize,
    /// Members cut off and joined again.
    pub cut: usize,
    /// Times when no majority was left.
    pub without_quorum: usize,
}

#[derive(Clone, Copy)]
enum Fault {
    Kill,
    Pause,
    Cut,
}

/// Makes members fail until `end` is set, then heals all and waits until they are healthy. Blocks.
pub fn members(cluster: &mut Cluster, end: &AtomicBool, seed: u64) -> MemberFaults {
    let mut chance = Chance::new(seed);
    let mut counts = MemberFaults::default();
    while !end.load(Ordering::SeqCst) {
        let size = cluster.size();
        let first = chance.below(size);
        let mut now = vec![(first, fault(&mut chance))];
        if chance.percent(20) {
            now.push(((first + 1) % size, fault(&mut chance)));
            counts.without_quorum += 1;
        }
        for (member, fault) in &now {
            match fault {
                Fault::Kill => cluster.kill(*member),
                Fault::Pause => cluster.pause(*member),
                Fault::Cut => cluster.cut(*member),
            }
        }
        rest(&mut chance, 300, 2500, end);
        for (member, fault) in now {
            match fault {
                Fault::Kill => {
                    cluster.restart(member);
                    counts.killed += 1;
                }
                Fault::Pause => {
                    cluster.resume(member);
                    counts.paused += 1;
                }
                Fault::Cut => {
                    cluster.heal(member);
                    counts.cut += 1;
                }
            }
        }
        rest(&mut chance, 1000, 4000, end);
    }
    cluster.await_healthy();
    counts
}

fn fault(chance: &mut Chance) -> Fault {
    [Fault::Kill, Fault::Pause, Fault::Cut][chance.below(3)]
}

/// Faults last some time by their nature; the end cuts it short.
fn rest(chance: &mut Chance, least: u64, most: u64, end: &AtomicBool) {
    let time = chance.between(Duration::from_millis(least), Duration::from_millis(most));
    let until = Instant::now() + time;
    while Instant::now() < until && !end.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How often what was done to nodes.
#[derive(Debug, Clone, Copy, Default)]
pub struct NodeFaults {
    /// Agents killed and started again.
    pub crashed: usize,
    /// The same with the loss of their disks.
    pub lost_disk: usize,
    /// All pods of a node deleted.
    pub drained: usize,
    /// `Node` resources deleted and made again.
    pub reborn: usize,
    /// Nodes gone for good.
    pub died: usize,
}

/// How many nodes fail at the same time, at most.
const AT_ONCE: usize = 4;

/// Makes nodes fail until `end`. `deaths`: how many may go for good.
pub async fn nodes(
    nodes: &[Arc<Control>],
    store: &dyn Datastore,
    end: Instant,
    deaths: usize,
    seed: u64,
) -> NodeFaults {
    // Each has nodes of its own, so that nobody brings a dead node back.
    let parts = (0..AT_ONCE).map(|part| {
        let chance = Chance::new(seed.wrapping_add(u64::try_from(part).unwrap_or(0)));
        part_of_nodes(nodes, part, store, end, deaths / AT_ONCE, chance)
    });
    let all = futures::future::join_all(parts).await;
    all.into_iter()
        .fold(NodeFaults::default(), |sum, part| NodeFaults {
            crashed: sum.crashed + part.crashed,
            lost_disk: sum.lost_disk + part.lost_disk,
            drained: sum.drained + part.drained,
            reborn: sum.reborn + part.reborn,
            died: sum.died + part.died,
        })
}

async fn part_of_nodes(
    nodes: &[Arc<Control>],
    part: usize,
    store: &dyn Datastore,
    end: Instant,
    deaths: usize,
    mut chance: Chance,
) -> NodeFaults {
    let mut counts = NodeFaults::default();
    while Instant::now() < end {
        let pause = chance.between(Duration::from_millis(50), Duration::from_millis(400));
        tokio::time::sleep(pause).await;
        let number = chance.below(nodes.len().div_ceil(AT_ONCE)) * AT_ONCE + part;
        let Some(node) = nodes.get(number) else { continue };
        if node.dead.load(Ordering::SeqCst) {
            continue;
        }
        match chance.below(100) {
            0..60 => {
                node.happen(Mishap::Crash);
                counts.crashed += 1;
            }
            60..75 => {
                node.happen(Mishap::LoseDisk);
                counts.lost_disk += 1;
            }
            75..80 => {
                node.happen(Mishap::Drain);
                counts.drained += 1;
            }
            80..95 => {
                delete(store, number).await;
                let gone = chance.between(Duration::ZERO, Duration::from_millis(1500));
                tokio::time::sleep(gone).await;
                make(store, number).await;
                counts.reborn += 1;
            }
            _ if counts.died < deaths => {
                die(node, store, number).await;
                counts.died += 1;
            }
            _ => {}
        }
    }
    counts
}

/// The machine is gone first, then somebody deletes its resource.
async fn die(node: &Control, store: &dyn Datastore, number: usize) {
    node.happen(Mishap::Die);
    while !node.dead.load(Ordering::SeqCst) {
        node.happen(Mishap::Die);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    delete(store, number).await;
}

/// Until it is done: the store may be away for a while.
async fn delete(store: &dyn Datastore, number: usize) {
    let (key, _) = scene::node(number);
    while store
        .write(Write::Delete(key.clone()), Expect::Any)
        .await
        .is_err()
    {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn make(store: &dyn Datastore, number: usize) {
    let (key, text) = scene::node(number);
    while store
        .write(Write::Put(key.clone(), text.clone()), Expect::Any)
        .await
        .is_err()
    {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
