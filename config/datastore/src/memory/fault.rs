//! What a test wants to go wrong.

use config::NodeName;

use crate::key::{Key, Space};
use crate::transaction::{Expect, Transaction, Write};

/// A call that is about to be made.
#[derive(Debug, Clone, Copy)]
pub enum Call<'a> {
    /// [`crate::Datastore::get`].
    Get(&'a Key),
    /// [`crate::Datastore::list`].
    List(Space),
    /// [`crate::Datastore::watch`].
    Watch(Space),
    /// [`crate::Datastore::write`].
    Write(&'a Write, &'a Expect),
    /// [`crate::Transactional::commit`].
    Commit(&'a Transaction),
    /// [`crate::Presence::hold`].
    Hold(&'a NodeName),
}

impl Call<'_> {
    /// Whether it may change something.
    pub fn writes(&self) -> bool {
        matches!(self, Call::Write(..) | Call::Commit(_) | Call::Hold(_))
    }
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing goes wrong.
    None,
    /// [`crate::Error::Unavailable`]; nothing is changed.
    Unavailable,
    /// It is carried out and the answer is lost: [`crate::Error::Unknown`].
    Lost,
    /// It is lost on the way there: [`crate::Error::Unknown`], and nothing is changed.
    LostBefore,
    /// Writes fail with [`crate::Error::Full`]; reads work.
    Full,
    /// A write is carried out and answered with [`crate::Error::Full`], as etcd sometimes does with the one that
    /// raises the alarm; reads work.
    FullAfter,
    /// [`crate::Error::Refused`].
    Refused,
}

/// Decides for each call.
pub type FaultPlan = Box<dyn FnMut(&Call<'_>) -> Fault + Send>;
