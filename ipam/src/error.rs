//! What can go wrong with addresses and with their ledger, in words for the operator.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use config::NodeName;
use ipnet::IpNet;

use crate::blocks::Family;
use crate::lease::Owner;
use crate::local::Want;

/// Why no address was given, or why the ledger cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file or its folder cannot be read or written.
    #[error("address ledger {}: {detail}; check the disk and the rights of the folder", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// Another process has the ledger open.
    #[error("address ledger {} is in use by another process; is a second agent running on this node?", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged. It is left as it is.
    #[error(
        "address ledger {} is damaged ({detail}); nothing was changed. Restore the file, or remove the pods \
         of this node, move the file away and start the agent again",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A later version wrote the file.
    #[error(
        "address ledger {} has format {found}, and this version knows formats up to {known}; \
         run the version that wrote it, or a later one",
        .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format number in the file.
        found: u32,
        /// The newest format number that this version reads.
        known: u32,
    },
    /// The node has no block that this pod may have an address of.
    #[error(
        "this node has no block for the pod{}: give its Node resource podCIDRs inside an open pool, or see \
         `roadbed status` for why no block was claimed",
        of_pools(.pools)
    )]
    NoBlocks {
        /// The pools that were asked for; empty for any.
        pools: Vec<String>,
        /// What to register.
        wants: Vec<Want>,
    },
    /// Every address of a family is in use.
    #[error("{0}")]
    Full(Box<Full>),
    /// The ledger is new, and what was given out before is not known yet.
    #[error(
        "the ledger of addresses is new and waits for what the datastore remembers of this node's pods; \
         it goes on by itself when the datastore answers"
    )]
    Recovering,
    /// An address was asked for that no block of this node contains.
    #[error("address {address} is in no block of this node ({blocks}); ask for one inside them")]
    OutsideBlocks {
        /// The address asked for.
        address: IpAddr,
        /// The blocks, comma-separated.
        blocks: String,
        /// What to register: the block may be claimed, or the address borrowed.
        want: Box<Want>,
    },
    /// An address was asked for in a block that takes no more pods.
    #[error("address {address} is in block {block}, which this node is giving back; ask for another one")]
    Leaving {
        /// The address asked for.
        address: IpAddr,
        /// The block.
        block: IpNet,
    },
    /// An address was asked for in a pool that gives none.
    #[error(
        "address {address} is in pool {pool}, which is disabled or does not serve this node; enable it, or ask for another address"
    )]
    PoolClosed {
        /// The address asked for.
        address: IpAddr,
        /// Name of the pool.
        pool: String,
    },
    /// An address was asked for that another node has on loan.
    #[error("address {address} is on loan to node {borrower}; ask for another one")]
    OnLoan {
        /// The address asked for.
        address: IpAddr,
        /// Who has it.
        borrower: NodeName,
    },
    /// An address was asked for that belongs to a workload.
    #[error("address {address} is kept for workload {workload}; ask for another one")]
    Kept {
        /// The address asked for.
        address: IpAddr,
        /// Whose it is.
        workload: String,
    },
    /// An address was asked for that another pod had a moment ago.
    #[error("address {address} was released a moment ago and rests for {} more seconds; try again then", .rest.as_secs().max(1))]
    Cooling {
        /// The address asked for.
        address: IpAddr,
        /// How long it rests.
        rest: Duration,
    },
    /// An address was asked for that belongs to the node itself.
    #[error("address {address} is the node's own pod address; ask for another one")]
    Reserved {
        /// The address asked for.
        address: IpAddr,
    },
    /// An address was asked for that another pod has.
    #[error("address {address} is already given to {holder}; ask for another one")]
    Taken {
        /// The address asked for.
        address: IpAddr,
        /// Who has it.
        holder: Owner,
    },
    /// Two addresses of one family were asked for.
    #[error("{first} and {second} are of one family; ask for at most one address of each family")]
    TwoOfOneFamily {
        /// The first of them.
        first: IpAddr,
        /// The second of them.
        second: IpAddr,
    },
    /// An address was asked for whose block cannot have a gateway for it.
    #[error(
        "{address} has no room for a gateway beside it: {why}; ask for a larger block, or for another gateway"
    )]
    NoGateway {
        /// The address of the pod.
        address: IpAddr,
        /// Why not.
        why: String,
    },
    /// The owner has a lease already, without the address that it asks for now.
    #[error("{owner} already has {held} and now asks for {asked}; delete the pod's interface first")]
    HasAnother {
        /// Who asks.
        owner: Owner,
        /// Its addresses, comma-separated.
        held: String,
        /// The address that it does not have.
        asked: IpAddr,
    },
}

impl Error {
    /// What the pod that got this error waits for, where another block or a loan would help: register it with
    /// `Ipam::want`, and try again when the ledger has changed.
    pub fn wants(&self) -> Vec<Want> {
        match self {
            Error::NoBlocks { wants, .. } => wants.clone(),
            Error::Full(full) => full.wants.clone(),
            Error::OutsideBlocks { want, .. } => vec![Want::clone(want)],
            _ => Vec::new(),
        }
    }
}

/// Where all addresses of a family are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    /// The family.
    pub family: Family,
    /// Pools that were asked for; empty for any.
    pub pools: Vec<String>,
    /// The blocks that were searched.
    pub blocks: Vec<IpNet>,
    /// How many addresses they have.
    pub capacity: u128,
    /// Addresses of pods.
    pub pods: usize,
    /// Addresses on loan to other nodes.
    pub lent: usize,
    /// Addresses kept for workloads that are not here now.
    pub kept: usize,
    /// Addresses in reservations that nothing else holds.
    pub reserved: u128,
    /// What to register.
    pub wants: Vec<Want>,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks: Vec<String> = self.blocks.iter().map(IpNet::to_string).collect();
        write!(
            f,
            "no free {} address{}: all {} addresses of this node's blocks ({}) are in use ({} by pods, {} on loan, \
             {} kept for workloads, {} reserved); give the node one more block, or remove pods",
            self.family,
            of_pools(&self.pools),
            self.capacity,
            blocks.join(", "),
            self.pods,
            self.lent,
            self.kept,
            self.reserved,
        )
    }
}

fn of_pools(pools: &[String]) -> String {
    match pools {
        [] => String::new(),
        [pool] => format!(" of pool {pool}"),
        pools => format!(" of pools {}", pools.join(", ")),
    }
}
