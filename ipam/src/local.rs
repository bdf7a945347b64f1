//! What the node's own ledger knows and what it is told: the seam between the addresses of a node and the
//! ownership of blocks in the cluster. Plain values; the ledger makes the view, the decision returns steps.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;

use config::NodeName;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::blocks::Family;
use crate::lease::Lease;

/// Why a block is this node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The resources say so (`Node.spec.podCIDRs`).
    Given,
    /// It was claimed in the datastore.
    Claimed,
}

/// What a block may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockState {
    /// Pods get addresses from it.
    Open,
    /// No new addresses: it is to be given back when the last one in it is.
    Leaving,
}

/// A block of this node, as the ledger has it on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnBlock {
    /// The block.
    pub cidr: IpNet,
    /// Name of its pool; `None` where it lies in none.
    pub pool: Option<String>,
    /// Why it is ours.
    pub origin: Origin,
    /// What it may be used for.
    pub state: BlockState,
}

/// A block and how full it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockUse {
    /// The block.
    pub block: OwnBlock,
    /// Addresses in it.
    pub size: u128,
    /// Addresses that are held: leases, the node's own, lent ones, kept ones. A block with none may be given back.
    pub used: u128,
    /// Addresses that a pod without special wishes could get now: neither held, nor reserved, nor cooling down.
    pub free: u128,
    /// Since when nothing in it has been held.
    pub empty_since: Option<SystemTime>,
}

impl BlockUse {
    /// Whether the node announces it: as long as it takes pods or has some. A block that is about to be given
    /// back is withdrawn first.
    pub fn announced(&self) -> bool {
        self.block.state == BlockState::Open || self.used > 0
    }
}

/// What a pod asked for and no block of this node could give.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Want {
    /// The family.
    pub family: Family,
    /// Pools that would do, in this order; empty for any that serves the node.
    pub pools: Vec<String>,
    /// This address and no other.
    pub address: Option<IpAddr>,
    /// The workload whose sticky address is wanted, `namespace.name`.
    pub workload: Option<String>,
}

/// An address of ours on loan to another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lent {
    /// Who has it.
    pub borrower: NodeName,
    /// For which workload.
    pub workload: Option<String>,
}

/// An address of another node's block that is on loan to us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Borrowed {
    /// Whose block it is in.
    pub lender: NodeName,
    /// For which workload; `None` where it was borrowed because our own blocks were full.
    pub workload: Option<String>,
    /// Name of its pool.
    pub pool: Option<String>,
}

/// Everything that a decision about ownership needs to know of this node's ledger, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalView {
    /// The ledger was made anew and nothing has told it yet what was given out before.
    pub fresh: bool,
    /// The blocks in the order of their taking.
    pub blocks: Vec<BlockUse>,
    /// All leases.
    pub leases: Vec<Lease>,
    /// The node's own pod address of each family.
    pub node: BTreeMap<Family, IpAddr>,
    /// Our addresses that others have.
    pub lent: BTreeMap<IpAddr, Lent>,
    /// Others' addresses that we have.
    pub borrowed: BTreeMap<IpAddr, Borrowed>,
    /// Sticky addresses in our blocks, kept for workloads that are not here now.
    pub kept: BTreeMap<IpAddr, String>,
    /// What pods wait for.
    pub wants: Vec<Want>,
}

/// One change of the ledger. Each is durable when it has been applied, and applying it twice changes nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerStep {
    /// The block is ours: pods may get addresses from it.
    Take(OwnBlock),
    /// No new addresses from this block.
    Leave(IpNet),
    /// It may be used again after all.
    Stay(IpNet),
    /// The block is not ours any more. Leases in it stay until their pods go.
    Drop(IpNet),
    /// Sets an address of ours aside for another node. Refused (no change) where it is held here.
    Lend(IpAddr, Lent),
    /// The loan is over.
    TakeBack(IpAddr),
    /// Another node lends us this address.
    Borrow(IpAddr, Borrowed),
    /// We have given it back. Refused (no change) while a pod has it.
    Return(IpAddr),
    /// Keeps a sticky address of ours for its workload.
    Keep(IpAddr, String),
    /// The workload does not need it any more, or has taken it to another node.
    Unkeep(IpAddr),
    /// What a mirror remembers of a ledger that was lost. An address that is held stays with its holder.
    Restore(Vec<Lease>),
    /// What was given out before is known now, or there was nothing.
    Known,
}
