//! Nodes: their addresses and pod subnets, among each other and against the pools.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::overlap::{Owned, Ranges, overlaps};
use crate::intent::{IpPool, Node};
use crate::problem::{Problem, Severity};
use crate::resources::{Read, Resources};
use crate::source::Rules;

pub(super) fn check(resources: &Resources, rules: Rules, problems: &mut Vec<Problem>) {
    let mut addresses: HashMap<IpAddr, &Read<Node>> = HashMap::new();
    let pools = Ranges::new(resources.pools.iter().map(|pool| (pool.value.cidr, pool)));
    for read in &resources.nodes {
        check_addresses(read, &pools, &mut addresses, problems);
        check_pod_cidrs(read, resources, &pools, rules, problems);
        if !rules.shared_out {
            check_given(read, resources, problems);
        }
        check_reachable(read, problems);
    }
    check_overlaps(&resources.nodes, problems);
}

fn address_field(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "spec.bgp.ipv4Address",
        IpAddr::V6(_) => "spec.bgp.ipv6Address",
    }
}

fn check_addresses<'r>(
    read: &'r Read<Node>,
    pools: &Ranges<&Read<IpPool>>,
    seen: &mut HashMap<IpAddr, &'r Read<Node>>,
    problems: &mut Vec<Problem>,
) {
    for address in read.value.bgp.addresses() {
        let field = address_field(address);
        if let Some(other) = seen
            .get(&address)
            .filter(|other| other.value.name != read.value.name)
        {
            let message = format!(
                "{address} is the address of {} too, at {}",
                other.value.name,
                other.location(field)
            );
            problems.push(read.problem(
                Severity::Error,
                field,
                message,
                "each node needs an address of its own",
            ));
        }
        seen.entry(address).or_insert(read);
        if let Some(pool) = pools.around(address.into()) {
            let message = format!(
                "{address} lies inside pool {}: the node would be taken for a pod",
                pool.value.name
            );
            problems.push(read.problem(
                Severity::Warning,
                field,
                message,
                "keep nodes and pods in ranges apart",
            ));
        }
    }
}

fn check_pod_cidrs(
    read: &Read<Node>,
    resources: &Resources,
    pools: &Ranges<&Read<IpPool>>,
    rules: Rules,
    problems: &mut Vec<Problem>,
) {
    if !resources.complete {
        return;
    }
    for (index, cidr) in read.value.pod_cidrs.iter().enumerate() {
        if pools.around(*cidr).is_none() {
            let message = format!("{cidr} lies in no pool");
            let fix = match pools.inside(*cidr) {
                Some(pool) => format!(
                    "pool {} is smaller ({}): write a part of it",
                    pool.value.name, pool.value.cidr
                ),
                None => "write an IPPool around it, or a subnet of a pool".to_owned(),
            };
            // Where blocks are shared out, Kubernetes may hand out subnets that nobody asked it for.
            let severity = if rules.shared_out {
                Severity::Warning
            } else {
                Severity::Error
            };
            problems.push(read.problem(severity, &format!("spec.podCIDRs[{index}]"), message, fix));
        }
    }
}

/// With `kind: file`, a node that a pool serves says what it owns.
fn check_given(read: &Read<Node>, resources: &Resources, problems: &mut Vec<Problem>) {
    let node = &read.value;
    if !resources.complete {
        return;
    }
    let serving = resources
        .pools
        .iter()
        .find(|pool| pool.value.serves(&node.labels));
    if let Some(pool) = serving.filter(|_| !read.has("spec.podCIDRs")) {
        let message = format!(
            "is required: pool {} is for this node, and a file has no one who shares it out",
            pool.value.name
        );
        let fix = format!(
            "list subnets of {} that no other node has, or [] for none",
            pool.value.cidr
        );
        problems.push(read.problem(Severity::Error, "spec.podCIDRs", message, fix));
    }
}

fn check_reachable(read: &Read<Node>, problems: &mut Vec<Problem>) {
    let node = &read.value;
    let mistaken = |field| read.has(field);
    if node.bgp.addresses().next().is_none() {
        if mistaken("spec.bgp.ipv4Address") || mistaken("spec.bgp.ipv6Address") {
            return;
        }
        let (severity, message) = if node.pod_cidrs.is_empty() {
            (
                Severity::Warning,
                "no address: this node takes no part in routing",
            )
        } else {
            (
                Severity::Error,
                "no address: no other node could reach the pods of this one",
            )
        };
        problems.push(read.problem(
            severity,
            "spec.bgp",
            message.to_owned(),
            "write `bgp: { ipv4Address: ... }`",
        ));
        return;
    }
    for (index, cidr) in node.pod_cidrs.iter().enumerate() {
        let (served, field) = match cidr {
            IpNet::V4(_) => (node.bgp.ipv4_address.is_some(), "spec.bgp.ipv4Address"),
            IpNet::V6(_) => (node.bgp.ipv6_address.is_some(), "spec.bgp.ipv6Address"),
        };
        if !served && !mistaken(field) {
            let message = format!("{cidr} has no next hop: the node has no address of that family");
            let field_of = format!("spec.podCIDRs[{index}]");
            problems.push(read.problem(Severity::Warning, &field_of, message, format!("write {field}")));
        }
    }
}

fn check_overlaps(nodes: &[Read<Node>], problems: &mut Vec<Problem>) {
    let ranges = nodes.iter().enumerate().flat_map(|(owner, read)| {
        read.value
            .pod_cidrs
            .iter()
            .enumerate()
            .map(move |(index, net)| Owned {
                net: *net,
                owner,
                index,
            })
    });
    for (first, second) in overlaps(ranges.collect()) {
        let (Some(a), Some(b)) = (nodes.get(first.owner), nodes.get(second.owner)) else {
            continue;
        };
        if first.owner != second.owner && a.value.name == b.value.name {
            continue;
        }
        let whose = if first.owner == second.owner {
            "the same node".to_owned()
        } else {
            a.value.name.to_string()
        };
        let place = a.location(&format!("spec.podCIDRs[{}]", first.index));
        let message = format!("{} overlaps {} of {whose}, at {place}", second.net, first.net);
        let field = format!("spec.podCIDRs[{}]", second.index);
        problems.push(b.problem(
            Severity::Error,
            &field,
            message,
            "each subnet belongs to one node, once",
        ));
    }
}
