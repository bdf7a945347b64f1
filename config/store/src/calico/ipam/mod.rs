//! Calico's address management looked at with the eyes of Roadbed's: which blocks a takeover could keep as they
//! are, which not and why, and what in Calico's own books does not add up.
//!
//! A block fits where a pool that carries over has its range and its size, and a node that exists owns it. In
//! Calico the block itself says whose it is; the affinity records beside it are written in separate steps, so
//! that they can be left behind half done.

mod look;
mod model;

#[cfg(test)]
mod tests;

pub use look::look;
pub use model::{Addresses, IpamReport, NodeUse, Pool, PoolUse, Takeover, Trouble};
