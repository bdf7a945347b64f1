//! The node's other kernel state, one owner for it:
//!
//! - [`sysctl`]: the sysctls without which a node does not forward for pods.
//! - [`conntrack`]: entries of flows whose path is no more.
//! - [`ruleset`]: nftables table `inet roadbed`, put together from what [`nat`] (natOutgoing) and the guard of pods' interfaces want.
//!
//! A newcomer reads `nat/mod.rs` and `guard/mod.rs` for what is wanted, `nftables/mod.rs` for how it comes into the kernel.

pub mod conntrack;
mod guard;
pub mod nat;
mod nfnetlink;
mod nftables;
pub mod ruleset;
pub mod sysctl;
#[cfg(test)]
mod testing;

pub use sysctl::{Advice, Drift, Error, Refused, Report, Wanted, advice, apply, check, open_sysctls};
