//! Addresses inside the blocks of a node, and the durable ledger of who has which.
//!
//! The way of an address: the node's blocks come from its pod subnets ([`Ipam::set_given`]) or were claimed in
//! the datastore ([`Ipam::apply`]); [`Ipam::assign`] lets the pure rules of `assign` choose a free address of
//! each family, writes the [`Lease`] to the `ledger` and answers only when it is on disk. The same owner asking
//! again gets the same answer, also after a crash. Nothing here needs the datastore: [`local`] is what the
//! ownership of blocks is told and tells. What the ledger holds is in memory as well: reading never touches the
//! disk.
//!
//! A block is used whole. Pod addresses are host routes (/32, /128), so a block has neither a network nor a
//! broadcast address to leave out (Calico does the same); only the node's own pod address, the first address
//! of its first block of each family, is set aside and never given to a pod.

mod assign;
pub mod blocks;
pub mod cluster;
mod error;
mod facade;
pub mod keeper;
mod lease;
mod ledger;
pub mod local;
mod mirror;
mod rules;

pub use blocks::Family;
pub use error::{Error, Full};
pub use facade::{BlocksReport, Gateway, Ipam};
pub use lease::{Lease, Owner, Request};
pub use rules::{COOL_DOWN, LocalRules, PoolRule};
