//! Names that resources use of each other, and addresses that are reserved in vain.

use std::collections::HashSet;

use super::overlap::Ranges;
use crate::problem::{Problem, Severity};
use crate::resources::Resources;

pub(super) fn check(resources: &Resources, problems: &mut Vec<Problem>) {
    if !resources.complete {
        return;
    }
    let filters: HashSet<&str> = (resources.filters.iter())
        .map(|filter| filter.value.name.as_str())
        .collect();
    for peer in &resources.peers {
        for (index, name) in peer.value.filters.iter().enumerate() {
            if !filters.contains(name.as_str()) {
                let message = format!("no BGPFilter is named `{name}`");
                let field = format!("spec.filters[{index}]");
                problems.push(peer.problem(Severity::Error, &field, message, "write it, or remove the name"));
            }
        }
    }
    let pools = Ranges::new(resources.pools.iter().map(|pool| (pool.value.cidr, ())));
    for reservation in &resources.reservations {
        for (index, cidr) in reservation.value.cidrs.iter().enumerate() {
            if pools.around(*cidr).is_none() && pools.inside(*cidr).is_none() {
                let message = format!("{cidr} lies in no pool: this reserves nothing");
                let field = format!("spec.reservedCIDRs[{index}]");
                problems.push(reservation.problem(Severity::Warning, &field, message, ""));
            }
        }
    }
}
