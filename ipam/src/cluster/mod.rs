//! Who owns which block of addresses in the cluster: what a node does about it, as a pure function of what it knows.
//!
//! The way of the data: the records of the datastore, the resources and the intent become a [`ClusterView`]; the
//! node's ledger shows itself as a [`LocalView`](crate::local::LocalView). [`decide()`] compares the two and says
//! the next few steps: changes of the ledger, and at most one transaction. Whoever carries them out brings the view
//! up to date and asks again; so nothing here remembers what it hoped for, and an answer that was lost is only a
//! view that tells later. A transaction names everything that it rests on, so that one that comes late does nothing.
//!
//! What keeps two owners apart:
//! - a block is claimed by making its record, and given up by deleting just the writing of it that was seen;
//! - the ledger takes a block only from a view that shows the record, and that shows nothing that overlaps it;
//! - a block that is *leaving* in the ledger, durably, never takes pods again while its deletion may be under way;
//! - an address on loan is set aside in the lender's ledger before the record says so, and until the record is gone.

mod aggregates;
mod candidates;
pub mod check;
mod choose;
mod decide;
mod decision;
mod demand;
mod gc;
mod index;
mod loans;
mod memory;
mod purpose;
mod reason;
mod records;
mod release;
mod returning;
mod settings;
mod situation;
mod span;
mod sticky;
mod trouble;
mod usage;
mod view;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use candidates::Choice;
pub use decide::decide;
pub use decision::{Decision, Step};
pub use memory::Memory;
pub use purpose::{LoanAct, Purpose};
pub use reason::{NoBlock, Reason};
pub use records::{
    AddressRecord, AggregateRecord, BlockRecord, FORMAT, LoanRecord, LoanState, PresenceRecord, RecordError,
    StickyRecord,
};
pub use release::{Release, release_address, release_block};
pub use settings::{ClaimAhead, Settings};
pub use span::size;
pub use trouble::{Hopeless, Trouble};
pub use usage::{in_use, show};
pub use view::{ClusterView, NodeFacts, Pool, Stored};
