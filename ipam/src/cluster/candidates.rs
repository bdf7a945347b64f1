//! Free blocks of a pool, without listing any: a pool is a number of slots, and a candidate costs a few look-ups.
//!
//! A node begins at places of its own, so that many nodes that start at once rarely want the same block.

use datastore::Transaction;
use ipnet::IpNet;

use super::reason::Reason;
use super::situation::Situation;
use super::span::{Slots, bounds, hash};
use super::view::{ClusterView, Pool};

/// How many places are tried before the next free block is looked for in order.
const PROBES: u32 = 16;

/// A block to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The block.
    pub block: IpNet,
    /// Name of its pool.
    pub pool: String,
    /// Why this one.
    pub reason: Reason,
    /// What else has to hold, and is written with it: the record of the aggregate.
    pub(super) beside: Transaction,
}

/// Why a candidate cannot be claimed: the last address of what is in the way, and what it is.
pub(super) struct InTheWay {
    pub last: u128,
    pub what: String,
}

pub(super) fn in_the_way(view: &ClusterView, block: IpNet) -> Option<InTheWay> {
    let end = |net: &IpNet| bounds(*net).1.max(bounds(block).1);
    if let Some((net, stored)) = view.blocks.overlapping(block) {
        let what = match stored.read() {
            Some(record) => format!("overlaps {net} of node {}", record.node),
            None => format!("overlaps {net}, whose record cannot be read"),
        };
        return Some(InTheWay { last: end(net), what });
    }
    if let Some((net, node)) = view.given.overlapping(block) {
        let what = format!("overlaps {net}, which node {node} was given");
        return Some(InTheWay { last: end(net), what });
    }
    let last = view.reserved.covering(block)?;
    let what = "is reserved".to_owned();
    Some(InTheWay { last, what })
}

/// A free block of a pool inside a prefix, with whether it was found at a first place.
pub(super) fn free_block(here: Situation<'_>, pool: &Pool, within: IpNet) -> Option<(IpNet, Reason)> {
    let slots = Slots::of(within, pool.intent.block_size)?;
    let count = here
        .view
        .owned
        .get(here.me())
        .map_or(0, |blocks| blocks.len())
        .to_string();
    let place = |probe: u32| {
        let parts = [
            here.me().as_str(),
            pool.intent.name.as_str(),
            &count,
            &probe.to_string(),
        ];
        // Two words: an IPv6 pool may have more than 2^64 blocks.
        let wide =
            u128::from(hash(&parts)) << 64 | u128::from(hash(&parts[1..]).rotate_left(17) ^ hash(&parts));
        wide % slots.count
    };
    for probe in 0..PROBES {
        let block = slots.at(place(probe))?;
        if in_the_way(here.view, block).is_none() {
            return Some((block, Reason::Spread));
        }
    }
    let start = place(0);
    let ahead = first_free(here.view, &slots, start, slots.count);
    let block = ahead.or_else(|| first_free(here.view, &slots, 0, start))?;
    Some((block, Reason::NextFree))
}

/// The first free slot in `[from, to)`; steps over what is in the way, never through it.
fn first_free(view: &ClusterView, slots: &Slots, from: u128, to: u128) -> Option<IpNet> {
    let mut index = from;
    while index < to {
        let block = slots.at(index)?;
        match in_the_way(view, block) {
            None => return Some(block),
            Some(way) => index = slots.after(way.last)?,
        }
    }
    None
}
