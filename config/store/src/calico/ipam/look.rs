//! The look itself: each block against pools, nodes and records, then each record against the blocks.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::super::snapshot::{Affinity, AffinityRecord, Block, Snapshot, State, Use};
use super::model::{Addresses, IpamReport, NodeUse, Pool, PoolUse, Trouble};

/// Looks at the blocks of a snapshot. `nodes` are the names of the Nodes that exist.
pub fn look(snapshot: &Snapshot, pools: &[Pool], nodes: &BTreeSet<String>) -> IpamReport {
    let mut look = Look {
        pools,
        exists: nodes,
        records: by_block(&snapshot.affinities),
        report: IpamReport {
            blocks: snapshot.blocks.len(),
            affinities: snapshot.affinities.len(),
            handles: snapshot.handles,
            ..IpamReport::default()
        },
        pool_use: BTreeMap::new(),
        node_use: BTreeMap::new(),
        first: BTreeMap::new(),
    };
    let mut blocks: Vec<&Block> = snapshot.blocks.iter().collect();
    blocks.sort_by_key(|block| block.cidr);
    let overlaps = overlaps(&blocks);
    for block in &blocks {
        look.block(block, overlaps.get(&block.cidr).copied());
    }
    let cidrs: BTreeSet<IpNet> = blocks.iter().map(|block| block.cidr).collect();
    for record in &snapshot.affinities {
        look.record(record, &cidrs);
    }
    look.finish()
}

fn by_block(records: &[AffinityRecord]) -> BTreeMap<IpNet, Vec<&AffinityRecord>> {
    let mut map: BTreeMap<IpNet, Vec<&AffinityRecord>> = BTreeMap::new();
    for record in records {
        map.entry(record.cidr).or_default().push(record);
    }
    map
}

/// Blocks that lie inside another one, each with that one. Sorted by address and length, an outer block comes
/// before the inner ones.
fn overlaps(blocks: &[&Block]) -> BTreeMap<IpNet, IpNet> {
    let mut found = BTreeMap::new();
    let mut outer: Option<IpNet> = None;
    for block in blocks {
        match outer {
            Some(net) if net.contains(&block.cidr) => {
                found.insert(block.cidr, net);
                found.insert(net, block.cidr);
            }
            _ => outer = Some(block.cidr),
        }
    }
    found
}

struct Look<'a> {
    pools: &'a [Pool],
    exists: &'a BTreeSet<String>,
    records: BTreeMap<IpNet, Vec<&'a AffinityRecord>>,
    report: IpamReport,
    pool_use: BTreeMap<String, PoolUse>,
    node_use: BTreeMap<String, NodeUse>,
    /// The first block of each node and family, and whether a pod has its first address.
    first: BTreeMap<(String, bool), bool>,
}

impl Look<'_> {
    fn block(&mut self, block: &Block, overlap: Option<IpNet>) {
        let pool = self.pools.iter().find(|pool| pool.cidr.contains(&block.cidr));
        let host = match &block.affinity {
            Some(Affinity::Host(node)) => Some(node.clone()),
            _ => None,
        };
        let before = self.report.troubles.len();
        self.range(block, pool, overlap);
        self.owner(block, host.as_deref());
        let fits = !self.report.troubles[before..].iter().any(|trouble| trouble.stops);
        self.count(block, pool, host.as_deref(), fits);
        if let (true, Some(node)) = (fits, host) {
            let taken = block
                .allocations
                .iter()
                .any(|a| a.ordinal == 0 && a.purpose != Use::Tunnel);
            self.first
                .entry((node, matches!(block.cidr, IpNet::V6(_))))
                .or_insert(taken);
        }
    }

    fn trouble(
        &mut self,
        what: &'static str,
        block: IpNet,
        node: Option<&str>,
        stops: bool,
        message: String,
        advice: &str,
    ) {
        let (node, advice) = (node.map(str::to_owned), advice.to_owned());
        self.report.troubles.push(Trouble {
            what,
            block,
            node,
            message,
            advice,
            stops,
        });
    }

    /// Whether a pool of ours has this block.
    fn range(&mut self, block: &Block, pool: Option<&Pool>, overlap: Option<IpNet>) {
        let cidr = block.cidr;
        match pool {
            None => {
                let used = block.allocations.len();
                let message = format!("is in no pool; {used} of its addresses are in use");
                let advice = "make a pool that has it, or move its pods first";
                self.trouble("noPool", cidr, None, true, message, advice);
            }
            Some(pool) if !pool.carries_over => {
                let message = format!("its pool {} does not carry over", pool.name);
                self.trouble(
                    "poolLeft",
                    cidr,
                    None,
                    true,
                    message,
                    "see what is said about the pool",
                );
            }
            Some(pool) if pool.block_size != cidr.prefix_len() => {
                let message = format!(
                    "is a /{}, but the pool {} has blocks of /{}",
                    cidr.prefix_len(),
                    pool.name,
                    pool.block_size
                );
                let advice = "move its pods to blocks of the pool's size first";
                self.trouble("otherSize", cidr, None, true, message, advice);
            }
            Some(_) => {}
        }
        if let Some(other) = overlap {
            let message = format!("overlaps the block {other}: an address may be in use twice");
            self.trouble(
                "overlap",
                cidr,
                None,
                true,
                message,
                "run `calicoctl ipam check`, and release one of them",
            );
        }
        for damage in &block.damage {
            self.trouble(
                "damaged",
                cidr,
                None,
                false,
                damage.clone(),
                "run `calicoctl ipam check`",
            );
        }
    }

    /// Whether a node that exists owns this block, and the records agree.
    fn owner(&mut self, block: &Block, host: Option<&str>) {
        let cidr = block.cidr;
        let records = self.records.get(&cidr).cloned().unwrap_or_default();
        match (&block.affinity, host) {
            (Some(Affinity::Virtual(name)), _) => {
                let message = format!("belongs to `{name}`, which is no node");
                self.trouble(
                    "noNode",
                    cidr,
                    None,
                    true,
                    message,
                    "keep Calico's controller for it, or move what uses it",
                );
            }
            (_, None) => {
                let used = block.allocations.len();
                let message = format!("belongs to nobody; {used} of its addresses are in use");
                self.trouble(
                    "noOwner",
                    cidr,
                    None,
                    true,
                    message,
                    "start the pods on these addresses anew first",
                );
            }
            (_, Some(node)) if !self.exists.contains(node) => {
                let used = block.allocations.len();
                let message = format!(
                    "belongs to {node}, and there is no such node; {used} of its addresses are given out"
                );
                let advice = "release it with `calicoctl ipam release`, or leave it: the block is free after a takeover";
                self.trouble("nodeGone", cidr, Some(node), true, message, advice);
            }
            (_, Some(node)) => {
                if !records
                    .iter()
                    .any(|record| record.owner == Affinity::Host(node.to_owned()))
                {
                    let message =
                        format!("says that it is {node}'s, but there is no affinity record for that");
                    let advice = "none needed: Roadbed goes by the block";
                    self.trouble("noAffinity", cidr, Some(node), false, message, advice);
                }
            }
        }
    }

    /// What an affinity record says beyond its block.
    fn record(&mut self, record: &AffinityRecord, cidrs: &BTreeSet<IpNet>) {
        let cidr = record.cidr;
        let Affinity::Host(node) = &record.owner else {
            return;
        };
        self.node(node).affinities += 1;
        let half = match record.state {
            State::Confirmed => None,
            State::Pending => Some(("pendingAffinity", "was begun to be given to")),
            State::PendingDeletion => Some(("pendingDeletion", "was begun to be taken from")),
        };
        if let Some((what, words)) = half {
            let there = if cidrs.contains(&cidr) {
                "the block is there"
            } else {
                "there is no such block"
            };
            let message = format!("{words} {node}, and that was never finished; {there}");
            let advice = "let calico-node on it run once more, or release it with `calicoctl ipam release`";
            self.trouble(what, cidr, Some(node), false, message, advice);
        } else if !cidrs.contains(&cidr) {
            let message = format!("is recorded for {node}, but there is no such block");
            self.trouble(
                "danglingAffinity",
                cidr,
                Some(node),
                false,
                message,
                "none needed: it holds no addresses",
            );
        }
    }

    fn node(&mut self, name: &str) -> &mut NodeUse {
        let exists = self.exists.contains(name);
        let make = || NodeUse {
            node: name.to_owned(),
            exists,
            ..NodeUse::default()
        };
        self.node_use.entry(name.to_owned()).or_insert_with(make)
    }

    fn count(&mut self, block: &Block, pool: Option<&Pool>, host: Option<&str>, fits: bool) {
        let pool_use = self
            .pool_use
            .entry(pool.map(|pool| pool.name.clone()).unwrap_or_default());
        let pool_use = pool_use.or_insert_with(|| unused(pool));
        pool_use.blocks += 1;
        pool_use.fitting += usize::from(fits);
        block
            .allocations
            .iter()
            .for_each(|a| pool_use.addresses.add(a.purpose));
        block
            .allocations
            .iter()
            .for_each(|a| self.report.addresses.add(a.purpose));
        if let Some(host) = host {
            let node = self.node(host);
            node.blocks += 1;
            block
                .allocations
                .iter()
                .for_each(|a| node.addresses.add(a.purpose));
        }
        for allocation in &block.allocations {
            let borrowed = allocation.node.as_deref().filter(|node| Some(*node) != host);
            if let Some(borrower) = borrowed {
                self.node(borrower).borrowed += 1;
            }
            let known = allocation
                .node
                .as_deref()
                .is_none_or(|node| self.exists.contains(node));
            let takeover = &mut self.report.takeover;
            match (allocation.purpose, fits, borrowed) {
                (Use::Tunnel, _, _) => takeover.tunnels_returned += 1,
                (Use::Pod, true, None) => takeover.pods += 1,
                (Use::Pod, true, Some(_)) if known => takeover.pods_borrowed += 1,
                (Use::Pod, _, _) => takeover.pods_left += 1,
                _ => {}
            }
        }
        let takeover = &mut self.report.takeover;
        if fits {
            takeover.blocks += 1;
        } else {
            takeover.blocks_left += 1;
        }
    }

    fn finish(mut self) -> IpamReport {
        for pool in self.pools {
            self.pool_use
                .entry(pool.name.clone())
                .or_insert_with(|| unused(Some(pool)));
        }
        let nameless = self.pool_use.remove("");
        self.report.pools = self.pool_use.into_values().chain(nameless).collect();
        self.report.nodes = self.node_use.into_values().collect();
        let taken = self
            .first
            .into_iter()
            .filter(|(_, taken)| *taken)
            .map(|((node, _), _)| node);
        let taken: BTreeSet<String> = taken.collect();
        self.report.takeover.first_address_taken = taken.into_iter().collect();
        self.report
            .troubles
            .sort_by(|a, b| (a.block, a.what).cmp(&(b.block, b.what)));
        self.report
    }
}

fn unused(pool: Option<&Pool>) -> PoolUse {
    PoolUse {
        pool: pool.map(|pool| pool.name.clone()).unwrap_or_default(),
        cidr: pool.map(|pool| pool.cidr),
        block_size: pool.map(|pool| pool.block_size),
        carries_over: pool.is_some_and(|pool| pool.carries_over),
        blocks: 0,
        fitting: 0,
        addresses: Addresses::default(),
    }
}
