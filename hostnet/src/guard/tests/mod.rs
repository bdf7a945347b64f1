//! The guard in real network namespaces, with real packets.

mod packets;
mod routers;

use crate::ruleset::{Ensured, TableError, Wanted};
use crate::testing::Ns;

/// Nothing but the guard.
fn guard(ns: &Ns) -> Result<Ensured, TableError> {
    ns.run(|| crate::ruleset::ensure(&Wanted::default()))
}
