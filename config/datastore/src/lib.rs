//! The contract of the datastores, and what of it can be had without one.
//!
//! A datastore holds small text values under [`Key`]s, grouped into three [`Space`]s that are listed and followed
//! each as a whole: the resources of the cluster, the records of who owns which block, and the mirror of the
//! addresses that nodes gave out. Every store can do what [`Datastore`] asks: get, list, watch from a revision,
//! and write one key on a condition. What only some can do is a trait of its own: [`Transactional`] stores
//! commit several writes under several conditions or none of them; [`Presence`] stores keep a value for as
//! long as its writer lives. Who needs more than one key at once asks for the stronger trait, so that a store
//! that cannot give it is refused by the compiler, not by a comment.
//!
//! [`Memory`] is a store in memory with the meaning of etcd: the reference that `conformance` and the model tests
//! hold the real ones against.

pub mod conformance;
mod error;
mod key;
pub mod memory;
mod transaction;
mod value;
mod view;

pub use error::Error;
pub use key::{Key, KeyError, Space, address_name, block_name, parse_address_name, parse_block_name};
pub use memory::Memory;
pub use transaction::{Compare, Expect, Outcome, Transaction, Write};
pub use value::{Change, Changes, Incarnation, Item, Listing, Revision, Version};
pub use view::SpaceView;

use std::time::Duration;

use config::NodeName;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

/// The future of an answer.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// What every datastore can do.
///
/// Calls are bounded in time: a store that is away answers [`Error::Unavailable`] or [`Error::Unknown`] after its
/// own few attempts, never hangs. All are safe to drop.
pub trait Datastore: Send + Sync + 'static {
    /// What kind of store this is and where, without any secret: `etcd https://10.0.0.5:2379`.
    fn describe(&self) -> String;

    /// One item; `None` where there is none.
    fn get(&self, key: &Key) -> Answer<'_, Option<Item>>;

    /// All items of a space, and the revision to watch from so that nothing is missed.
    fn list(&self, space: Space) -> Answer<'_, Listing>;

    /// What changes in a space after a revision, in order and complete.
    ///
    /// The stream survives lost connections where the store allows it. It ends after the first error;
    /// [`Error::Compacted`] says that the revision is too old and the space has to be listed again.
    fn watch(&self, space: Space, after: Revision) -> Answer<'_, BoxStream<'static, Result<Changes, Error>>>;

    /// Writes one key if it is as expected.
    ///
    /// # Errors
    /// [`Error::Unknown`] where the answer was lost: the write may be there or not.
    fn write(&self, write: Write, expect: Expect) -> Answer<'_, Outcome>;

    /// The store as one that commits several keys at once, if it can.
    fn transactional(&self) -> Option<&dyn Transactional> {
        None
    }

    /// The store as one that notices when a writer dies, if it can.
    fn presence(&self) -> Option<&dyn Presence> {
        None
    }
}

/// A datastore that commits several writes under several conditions, all or none.
pub trait Transactional: Datastore {
    /// Commits, if every comparison holds at one moment; [`Outcome::Conflict`] if not, and nothing is written.
    ///
    /// # Errors
    /// [`Error::Unknown`] where the answer was lost: all of it may be there or nothing.
    fn commit(&self, transaction: &Transaction) -> Answer<'_, Outcome>;
}

/// A datastore that keeps a value for as long as its writer shows that it lives.
pub trait Presence: Datastore {
    /// Writes `value` under the presence key of a node and keeps it there until the returned hold is dropped or
    /// its writer has been silent for `ttl` (whole seconds, at least 5). The hold renews itself, through outages
    /// as well, and writes the key again if it was lost.
    fn hold(&self, node: &NodeName, value: String, ttl: Duration) -> Answer<'_, Hold>;
}

/// Keeps a presence key until it is dropped; the key then ends with its time to live.
pub struct Hold {
    _keeper: Box<dyn Send + Sync>,
}

impl Hold {
    /// A hold that lets go when `keeper` is dropped.
    pub fn new(keeper: impl Send + Sync + 'static) -> Self {
        Hold {
            _keeper: Box::new(keeper),
        }
    }
}
