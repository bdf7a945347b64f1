//! Pools do not overlap, and what is set on them has an effect.

use super::overlap::{Owned, overlaps};
use crate::problem::{Problem, Severity};
use crate::resources::Resources;
use crate::source::Rules;

pub(super) fn check(resources: &Resources, rules: Rules, problems: &mut Vec<Problem>) {
    let pools = &resources.pools;
    for pool in pools
        .iter()
        .filter(|pool| pool.value.aggregate.is_some() && !rules.shared_out)
    {
        let message = "has no effect: with kind: file the nodes' subnets are given, not claimed".to_owned();
        let fix = "choose podCIDRs of a rack from one range";
        problems.push(pool.problem(Severity::Warning, "spec.aggregate", message, fix));
    }
    let ranges = pools.iter().enumerate().map(|(owner, read)| Owned {
        net: read.value.cidr,
        owner,
        index: 0,
    });
    for (first, second) in overlaps(ranges.collect()) {
        let (Some(a), Some(b)) = (pools.get(first.owner), pools.get(second.owner)) else {
            continue;
        };
        // The same pool twice is one mistake, and that of its name.
        if a.value.name == b.value.name {
            continue;
        }
        let (net, place) = (a.value.cidr, a.location("spec.cidr"));
        let message = format!(
            "{} overlaps {net} of pool {}, at {place}",
            b.value.cidr, a.value.name
        );
        problems.push(b.problem(
            Severity::Error,
            "spec.cidr",
            message,
            "give each pool a range of its own",
        ));
    }
}
