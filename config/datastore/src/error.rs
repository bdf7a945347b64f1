//! What can go wrong with a datastore, in words for the operator. No text here ever holds a password, a token
//! or a key.

use thiserror::Error;

/// Why a datastore did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// It was not reached, or has no leader; nothing was changed.
    #[error("{store} cannot be reached: {detail}; nothing was changed, it is tried again")]
    Unavailable {
        /// [`crate::Datastore::describe`].
        store: String,
        /// What was seen.
        detail: String,
    },
    /// The request was sent and its answer lost: it may have been carried out or not.
    #[error(
        "{store} did not answer: {detail}; whether it was carried out is not known, look before doing it again"
    )]
    Unknown {
        /// [`crate::Datastore::describe`].
        store: String,
        /// What was seen.
        detail: String,
    },
    /// Certificate, user, password or rights: trying again does not help.
    #[error("{store} refuses us: {detail}; {fix}")]
    Refused {
        /// [`crate::Datastore::describe`].
        store: String,
        /// What it said.
        detail: String,
        /// What to do.
        fix: String,
    },
    /// The store takes no writes because its space is used up (etcd: alarm NOSPACE). Reads go on.
    #[error("{store} takes no writes: {detail}; compact and defragment it, then disarm the alarm")]
    Full {
        /// [`crate::Datastore::describe`].
        store: String,
        /// What it said.
        detail: String,
    },
    /// The revision to watch from is not kept any more: list again.
    #[error("{store} does not keep the history since revision {revision} any more; the whole is read again")]
    Compacted {
        /// [`crate::Datastore::describe`].
        store: String,
        /// The revision asked for.
        revision: String,
    },
    /// The request is not one that this store can carry out, or the value is not one that it takes.
    #[error("{store}: {detail}; {fix}")]
    Invalid {
        /// [`crate::Datastore::describe`].
        store: String,
        /// What is wrong.
        detail: String,
        /// What to do.
        fix: String,
    },
}

impl Error {
    /// Whether the same request may work in a moment.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Error::Unavailable { .. } | Error::Unknown { .. } | Error::Full { .. }
        )
    }
}
