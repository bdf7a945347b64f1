//! The guard of pod interfaces: nftables table `inet roadbed`.

use std::fmt;

/// Why the guard could not be set; the text says what to do.
#[derive(Debug, thiserror::Error)]
#[error("nftables table inet roadbed: {0}")]
pub struct GuardError(pub String);

/// What [`ensure`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarded {
    /// All was there.
    Kept,
    /// It was made, or made anew because it differed.
    Made,
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Guarded::Kept => "was there",
            Guarded::Made => "made",
        })
    }
}
