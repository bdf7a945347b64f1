//! Who owns which block, put together from the node's own ledger and the records in the datastore. Pure.

use config::vocabulary::NodeName;
use datastore::{Key, SpaceView};
use ipam::cluster::BlockRecord;
use ipam::local::LocalView;

use crate::plan::{OwnBlock, Ownership};

/// What the plan needs to know. The ledger is the authority on this node's blocks; the datastore (where there is one
/// that shares blocks out) on those of the others.
pub fn of(local: &LocalView, records: Option<&SpaceView>, me: &NodeName) -> Ownership {
    let announced = local.blocks.iter().filter(|block| block.announced());
    let mut ownership = Ownership {
        blocks: announced
            .map(|block| OwnBlock {
                cidr: block.block.cidr,
                pool: block.block.pool.clone(),
            })
            .collect(),
        lent: local.lent.keys().copied().collect(),
        ..Ownership::default()
    };
    for (key, item) in records.into_iter().flat_map(|view| &view.items) {
        // What cannot be read is reported by those who decide about blocks.
        let (Key::Block(cidr), Ok(block)) = (key, BlockRecord::parse(&item.value)) else {
            continue;
        };
        if block.node != *me {
            ownership.claimed.entry(block.node).or_default().push(*cidr);
        }
    }
    ownership
}
