//! Why Calico's datastore cannot be read.

use thiserror::Error;

/// Why Calico's datastore cannot be read. No text holds a password or a key.
#[derive(Debug, Error)]
pub enum Error {
    /// A file of the settings (certificate, password) is not usable.
    #[error("{path}: {why}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// It was not reached.
    #[error("{location} cannot be read: {detail}; {fix}")]
    Access {
        /// Which datastore.
        location: String,
        /// What was seen.
        detail: String,
        /// What to do.
        fix: String,
    },
    /// There is nothing of Calico's.
    #[error("{location} has no data of Calico's ({looked}); {fix}")]
    Nothing {
        /// Which datastore.
        location: String,
        /// Where it was looked for.
        looked: &'static str,
        /// What to do.
        fix: &'static str,
    },
}
