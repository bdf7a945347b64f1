//! Who owns which block, as the ledger of this node and the datastore say: what the resources alone cannot tell
//! where blocks are claimed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use config::intent::Intent;
use config::vocabulary::NodeName;
use ipnet::IpNet;

use super::OwnBlock;

/// Blocks of this node and of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    /// The blocks that this node announces, in the order of their taking.
    pub blocks: Vec<OwnBlock>,
    /// Addresses inside them that other nodes have on loan.
    pub lent: BTreeSet<IpAddr>,
    /// The claimed blocks of every other node.
    pub claimed: BTreeMap<NodeName, Vec<IpNet>>,
}

impl Ownership {
    /// The blocks that a node's resource gives it, with the pools that they lie in.
    pub fn given(intent: &Intent, name: &NodeName) -> Vec<(IpNet, Option<String>)> {
        let cidrs = intent.nodes.get(name).map(|node| node.pod_cidrs.as_slice());
        cidrs
            .unwrap_or_default()
            .iter()
            .map(|cidr| (cidr.trunc(), intent.pool_of(cidr).map(|pool| pool.name.clone())))
            .collect()
    }

    /// What the resources alone say: the blocks that they give, nothing claimed, nothing lent.
    pub fn of_resources(intent: &Intent, name: &NodeName) -> Ownership {
        let block = |(cidr, pool)| OwnBlock { cidr, pool };
        Ownership {
            blocks: Self::given(intent, name).into_iter().map(block).collect(),
            ..Ownership::default()
        }
    }
}
