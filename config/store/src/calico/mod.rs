//! Reading an existing Calico: what of it would carry over to Roadbed, what would not, and why.
//!
//! Two readers, one for each datastore that Calico has, turn what they find into a [`Snapshot`] of values; they only
//! ever read. All else is pure: documents are judged by the readers and checks that `validate` uses, blocks are
//! looked at with the eyes of Roadbed's own address management, and both become a [`Report`].
//!
//! ```text
//! etcd ───────► keys, convert, block ─┐
//!                                     ├─► Snapshot ─► documents, ipam, felix, notes ─► Report ─► table, JSON, YAML
//! Kubernetes ─► convert, block ───────┘                                                   └─► documents (write)
//! ```

mod block;
mod convert;
mod documents;
mod error;
mod etcd;
mod felix;
mod ipam;
mod keys;
mod kinds;
mod kubernetes;
mod notes;
mod report;
mod snapshot;
mod write;

#[cfg(test)]
mod tests;

pub use documents::{Judgement, Remark, Verdict};
pub use error::Error;
pub use etcd::read as read_etcd;
pub use felix::Setting;
pub use ipam::{Addresses, IpamReport, NodeUse, PoolUse, Takeover, Trouble};
pub use kubernetes::read as read_kubernetes;
pub use report::{Other, Report, Summary};
pub use snapshot::{
    Affinity, AffinityRecord, Allocation, Block, Counted, Document, Snapshot, State, Unreadable, Use,
};
