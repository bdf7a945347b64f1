//! Why a datastore cannot be had.

use thiserror::Error;

/// Why a datastore cannot be started.
#[derive(Debug, Error)]
pub enum Error {
    /// The path is no place for resources.
    #[error("datastore.path {path}: {why}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The store's settings lead nowhere, or it refuses them.
    #[error(transparent)]
    Datastore(#[from] datastore::Error),
}
