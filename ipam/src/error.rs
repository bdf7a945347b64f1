//! What can go wrong with addresses and with their ledger, in words for the operator.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::blocks::Family;
use crate::lease::Owner;

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
    /// The node has no pod subnet yet.
    #[error("this node has no pod subnet; give its Node resource podCIDRs inside a pool")]
    NoBlocks,
    /// Every address of a family is in use.
    #[error(
        "no free {family} address: all {capacity} addresses of this node's blocks ({blocks}) are in use; \
         give the node one more block or remove pods"
    )]
    Full {
        /// The family.
        family: Family,
        /// How many addresses pods can have in the blocks.
        capacity: u128,
        /// The blocks, comma-separated.
        blocks: String,
    },
    /// An address was asked for that no block of this node contains.
    #[error("address {address} is in no block of this node ({blocks}); ask for one inside them")]
    OutsideBlocks {
        /// The address asked for.
        address: IpAddr,
        /// The blocks, comma-separated.
        blocks: String,
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
