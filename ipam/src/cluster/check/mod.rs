//! What is wrong between the records, the ledger, its mirror and the kernel; and what repairs it.
//!
//! Pure: everything that is looked at comes as a value. A repair is a change of this node's own ledger, or a
//! transaction that holds only while what was seen is still so; where neither would be safe, a person decides.

mod addresses;
mod finding;
mod records;

pub use finding::{Finding, Fix, KernelFacts, Kind};

use std::time::SystemTime;

use datastore::SpaceView;

use super::settings::Settings;
use super::situation::Situation;
use super::view::ClusterView;
use crate::local::LocalView;

/// Everything that is wrong, the worst first. What is not given is not looked at: the mirror (the space of the
/// addresses) and what the kernel has.
pub fn check(
    view: &ClusterView,
    local: &LocalView,
    settings: &Settings,
    mirror: Option<&SpaceView>,
    kernel: Option<&KernelFacts>,
) -> Vec<Finding> {
    let here = Situation {
        view,
        local,
        settings,
        now: SystemTime::UNIX_EPOCH,
    };
    let mut findings = Vec::new();
    records::blocks(here, &mut findings);
    records::aggregates(here, &mut findings);
    records::loans(here, &mut findings);
    records::sticky(here, &mut findings);
    records::unread(here, &mut findings);
    addresses::leases(here, &mut findings);
    if let Some(kernel) = kernel {
        addresses::kernel(here, kernel, &mut findings);
    }
    if let Some(mirror) = mirror {
        addresses::mirror(here, mirror, &mut findings);
    }
    findings.sort_by(|a, b| (a.severity, a.kind, &a.subject).cmp(&(b.severity, b.kind, &b.subject)));
    findings
}

#[cfg(test)]
mod tests;
