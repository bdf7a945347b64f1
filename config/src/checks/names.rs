//! Names are unique for each kind.

use std::collections::HashMap;

use crate::problem::{Problem, Severity};
use crate::resources::{Read, Resources};

pub(super) fn check(resources: &Resources, problems: &mut Vec<Problem>) {
    unique("BGPConfiguration", &resources.bgp, |_| "default", problems);
    unique("IPPool", &resources.pools, |pool| &pool.name, problems);
    unique("BGPPeer", &resources.peers, |peer| &peer.name, problems);
    unique("IPAMConfiguration", &resources.ipam, |_| "default", problems);
    unique("BGPFilter", &resources.filters, |filter| &filter.name, problems);
    unique("IPReservation", &resources.reservations, |it| &it.name, problems);
    unique("Node", &resources.nodes, |node| node.name.as_str(), problems);
}

fn unique<T>(kind: &str, list: &[Read<T>], name: fn(&T) -> &str, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<&str, &Read<T>> = HashMap::new();
    for read in list {
        let name = name(&read.value);
        match seen.get(name) {
            Some(first) => {
                let first = first.location("metadata.name");
                let message = format!("another {kind} is named {name}, at {first}");
                problems.push(read.problem(
                    Severity::Error,
                    "metadata.name",
                    message,
                    "rename or remove one of them",
                ));
            }
            None => {
                seen.insert(name, read);
            }
        }
    }
}
