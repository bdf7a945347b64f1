//! All that the node wants of table `inet roadbed`, put together, and brought into the kernel by [`crate::nftables`].
//!
//! A further purpose is one more room beside [`crate::nat`], and one more line in [`ruleset`].

use crate::nftables::{self, Ruleset};
use crate::{guard, nat};

pub use nftables::{Counter, Ensured, TABLE, TableError, Watch, remove, watch};

/// What the node wants of the table. The guard of pods' interfaces is always wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// What is masqueraded; nothing by default.
    pub nat: nat::Wanted,
}

/// The whole table.
pub(crate) fn ruleset(wanted: &Wanted) -> Ruleset {
    let mut chains = guard::chains().to_vec();
    chains.extend(nat::chain(&wanted.nat));
    Ruleset {
        comment: "made by roadbed, changes are undone",
        sets: nat::sets(&wanted.nat),
        chains,
    }
}

/// Makes the table what is wanted, in the network namespace of the calling thread. What is there already stays, with its
/// counters; what differs is replaced at one moment: addresses in sets alone, rules with all others of their chain. Where the table
/// itself or the place of a chain is not as wanted, all is made anew, and a packet that is just then between two hooks may pass.
///
/// # Errors
/// [`TableError`], among others where the kernel lacks nftables or one of its expressions. Where it is NAT that is missing, the
/// guard is in place all the same.
pub fn ensure(wanted: &Wanted) -> Result<Ensured, TableError> {
    ensure_or(&ruleset(wanted), &ruleset(&Wanted::default()))
}

/// Sees to it that the guard of pods' interfaces is there, and leaves everything else in the table as it is: for as long as it is
/// not known what else is wanted. An agent that starts finds what the one before it left.
///
/// # Errors
/// As [`ensure`].
pub fn ensure_guard() -> Result<Ensured, TableError> {
    nftables::ensure_within(&ruleset(&Wanted::default()))
}

/// Where the kernel cannot do all that is wanted, what it can do is in place, and the error says the rest.
pub(crate) fn ensure_or(wanted: &Ruleset, at_least: &Ruleset) -> Result<Ensured, TableError> {
    match nftables::ensure(wanted) {
        Err(error @ TableError::Unsupported { .. }) if wanted != at_least => {
            nftables::ensure(at_least)?;
            Err(error)
        }
        outcome => outcome,
    }
}

/// What the rules have counted since they were made, those of them that are there.
///
/// # Errors
/// [`TableError`].
pub fn counters() -> Result<Vec<Counter>, TableError> {
    // All rules that there can be; only their names matter.
    let mut every = Wanted::default();
    every.nat.pools = vec![ipnet::Ipv4Net::default().into()];
    nftables::counters(&ruleset(&every))
}
