//! The sysctls without which a node does not forward for pods.
//!
//! [`Wanted`] says what the node does; a pure table ([`table`]) turns that and what `/proc/sys` holds into a list of [`Drift`]s,
//! [`check`] lists them and [`apply`] writes them. Nothing outside that table is touched, nothing is loosened that need not be,
//! and each entry says why it is there. Interface sysctls of pods belong to whoever makes the pod's link. The meaning of each
//! is in the kernel's `Documentation/networking/ip-sysctl.rst`.

mod container;
mod model;
mod proc;
mod table;

use std::{fmt, path::Path};

pub use container::open_sysctls;
pub use model::{Advice, Drift, Wanted};
pub use proc::Error;

/// What [`apply`] did.
#[derive(Debug, Default)]
pub struct Report {
    /// Set to what is wanted.
    pub changed: Vec<Drift>,
    /// Could not be set.
    pub refused: Vec<Refused>,
}

/// A sysctl that could not be set; its text says what to do by hand.
#[derive(Debug)]
pub struct Refused {
    /// What is not as it must be.
    pub drift: Drift,
    /// Why it could not be set.
    pub error: Error,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.drift, self.error)
    }
}

/// Lists what is not as it must be, in the network namespace of the calling thread.
pub fn check(wanted: &Wanted) -> Vec<Drift> {
    check_under(Path::new(proc::ROOT), wanted)
}

/// Sets what is not as it must be, in the network namespace of the calling thread. Goes on after a failure.
pub fn apply(wanted: &Wanted) -> Report {
    apply_under(Path::new(proc::ROOT), wanted)
}

/// Lists limits of the machine that are too low, for the operator: they are never set.
pub fn advice(wanted: &Wanted) -> Vec<Advice> {
    table::advice(wanted, |key| proc::read(Path::new(proc::ROOT), key))
}

fn check_under(root: &Path, wanted: &Wanted) -> Vec<Drift> {
    table::drifts(wanted, |key| proc::read(root, key))
}

fn apply_under(root: &Path, wanted: &Wanted) -> Report {
    let mut report = Report::default();
    for drift in check_under(root, wanted) {
        match proc::write(root, &drift.key, drift.wanted) {
            Ok(()) => report.changed.push(drift),
            Err(error) => report.refused.push(Refused { drift, error }),
        }
    }
    report
}

#[cfg(test)]
mod tests;
