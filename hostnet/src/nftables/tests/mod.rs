//! The table in real network namespaces. `nft` judges; the code under test does not need it.

mod comparing;
mod errors;
mod table;
mod watching;

use super::{Ensured, Ruleset, TableError};
use crate::ruleset::{Wanted, ensure};

/// Nothing but the guard.
fn guard() -> Result<Ensured, TableError> {
    ensure(&Wanted::default())
}

fn ruleset() -> Ruleset {
    crate::ruleset::ruleset(&Wanted::default())
}
