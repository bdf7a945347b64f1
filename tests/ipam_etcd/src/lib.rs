//! The proof on a real cluster: many simulated nodes claim blocks from three etcd members that are killed, paused
//! and cut off, while agents are killed, disks are lost, nodes die and come back.
//!
//! ```text
//! main thread: faults of members ──► etcd × 3, each in a network namespace
//!                                      ▲            │
//! client namespace: nodes ── keeper ───┘            └──► witness (plain etcd client): every revision, judged
//!                     └── ledger ◄── pods ── told what they were answered ──► registry: given twice? lost?
//! ```
//!
//! [`run`] plays it and returns the figures; whatever is wrong is a panic that says what.

pub mod bare;
mod chance;
pub mod counted;
mod faults;
mod figures;
pub mod follower;
mod history;
pub mod node;
pub mod play;
mod registry;
pub mod scene;
mod verdict;

pub use chance::Chance;
pub use figures::Figures;
pub use play::run;
pub use scene::Scale;
