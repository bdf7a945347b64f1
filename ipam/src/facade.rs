//! [`Ipam`]: the blocks, the rules and the ledger together, as the agent uses them.
//!
//! A change is decided in memory against everything that was decided before it, goes to the disk together with
//! the changes that wait there at the same time (`write`), and is answered when it is durable. What is read is
//! what is on disk. Calls that change something block for about one fsync; reading never waits for the disk.
//! After an error of the disk the memory is not trusted any more: the next change reads the ledger again.

mod apply;
mod assign;
mod gateway;
mod state;
#[cfg(test)]
mod tests;
mod view;
mod write;

pub use self::apply::BlocksReport;
pub use self::gateway::Gateway;
pub use self::state::Ipam;
