//! Conditions and writes.

use crate::key::{Key, Space};
use crate::value::{Incarnation, Revision, Version};

/// What one key has to be like for a write to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    Any,
    /// Not there.
    Absent,
    /// Written like this last.
    Version(Version),
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Makes or replaces the value.
    Put(Key, String),
    /// Removes it; what is not there is no error.
    Delete(Key),
}

impl Write {
    /// The key that is written.
    pub fn key(&self) -> &Key {
        match self {
            Write::Put(key, _) | Write::Delete(key) => key,
        }
    }
}

/// One condition of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compare {
    /// The key is not there.
    Absent(Key),
    /// The key was written like this last.
    Version(Key, Version),
    /// The key is there in this life of it, whatever was written since.
    Incarnation(Key, Incarnation),
    /// Nothing in the space was made or rewritten after this revision; deletions do not count.
    Unwritten(Space, Revision),
}

/// Several writes under several conditions. No key is written twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transaction {
    /// All must hold.
    pub compare: Vec<Compare>,
    /// All are done, or none.
    pub write: Vec<Write>,
}

impl Transaction {
    /// Adds a condition.
    #[must_use]
    pub fn when(mut self, compare: Compare) -> Self {
        self.compare.push(compare);
        self
    }

    /// Adds a write.
    #[must_use]
    pub fn then(mut self, write: Write) -> Self {
        self.write.push(write);
        self
    }
}

/// What became of a write or a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done. The version is that of the written keys (for a transaction one for all of them; for a deletion
    /// the store's mark of that moment).
    Done(Version),
    /// A condition does not hold; nothing was written.
    Conflict,
}

impl Outcome {
    /// Whether it was done.
    pub fn is_done(&self) -> bool {
        matches!(self, Outcome::Done(_))
    }
}
