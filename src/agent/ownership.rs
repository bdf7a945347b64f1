//! Who owns which block, put together from the node's own ledger and the records in the datastore.
//!
//! [`of`] is pure and says it from nothing. [`Known`] says the same and remembers: in a large cluster some record
//! changes all the time, and the reconciler asks in every round.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::vocabulary::NodeName;
use datastore::{Key, SpaceView, Version};
use ipam::Ipam;
use ipam::cluster::BlockRecord;
use ipam::local::LocalView;
use ipnet::IpNet;

use crate::plan::{OwnBlock, Ownership};

/// What the plan needs to know. The ledger is the authority on this node's blocks; the datastore (where there is one
/// that shares blocks out) on those of the others.
pub fn of(local: &LocalView, records: Option<&SpaceView>, me: &NodeName) -> Ownership {
    let announced = local.blocks.iter().filter(|block| block.announced());
    let mut read = BTreeMap::new();
    Ownership {
        blocks: announced
            .map(|block| OwnBlock {
                cidr: block.block.cidr,
                pool: block.block.pool.clone(),
            })
            .collect(),
        lent: local.lent.keys().copied().collect(),
        claimed: claimed(records, me, &mut read),
    }
}

/// Records that were read, each with the writing that it was read from.
type Read = BTreeMap<IpNet, (Version, Option<NodeName>)>;

/// The claimed blocks of every other node. Reads only records that `read` does not have as they are now.
fn claimed(records: Option<&SpaceView>, me: &NodeName, read: &mut Read) -> BTreeMap<NodeName, Vec<IpNet>> {
    let mut claimed: BTreeMap<NodeName, Vec<IpNet>> = BTreeMap::new();
    let mut now = Read::new();
    for (key, item) in records.into_iter().flat_map(|view| &view.items) {
        let Key::Block(cidr) = key else { continue };
        let owner = match read.remove(cidr) {
            Some((version, owner)) if version == item.version => owner,
            // What cannot be read is reported by those who decide about blocks.
            _ => BlockRecord::parse(&item.value).ok().map(|record| record.node),
        };
        if let Some(node) = owner.as_ref().filter(|node| *node != me) {
            match claimed.get_mut(node) {
                Some(blocks) => blocks.push(*cidr),
                None => drop(claimed.insert(node.clone(), vec![*cidr])),
            }
        }
        now.insert(*cidr, (item.version.clone(), owner));
    }
    *read = now;
    claimed
}

/// What was found last, and from what.
#[derive(Default)]
pub struct Known {
    ledger: Option<u64>,
    records: Option<Arc<SpaceView>>,
    read: Read,
    owned: Ownership,
}

impl Known {
    /// As [`of`]; only what has changed since the last call is looked at.
    pub fn now(&mut self, ledger: &Ipam, records: Option<Arc<SpaceView>>, me: &NodeName) -> &Ownership {
        // The number first: what changes meanwhile has a greater one, and is looked at again.
        let changes = ledger.changes();
        if self.ledger != Some(changes) {
            let (blocks, lent) = ledger.announced();
            let block = |block: ipam::local::OwnBlock| OwnBlock {
                cidr: block.cidr,
                pool: block.pool,
            };
            self.owned.blocks = blocks.into_iter().map(block).collect();
            self.owned.lent = lent;
            self.ledger = Some(changes);
        }
        let same = match (&self.records, &records) {
            (Some(known), Some(now)) => Arc::ptr_eq(known, now),
            (known, now) => known.is_none() && now.is_none(),
        };
        if !same {
            self.owned.claimed = claimed(records.as_deref(), me, &mut self.read);
            self.records = records;
        }
        &self.owned
    }
}

#[cfg(test)]
mod tests;
