//! Ranges of services: apart from pods and nodes.

use ipnet::IpNet;

use crate::intent::{BgpConfiguration, IpPool};
use crate::problem::{Problem, Severity};
use crate::resources::{Read, Resources};

pub(super) fn check(resources: &Resources, problems: &mut Vec<Problem>) {
    for read in &resources.bgp {
        let services = &read.value.services;
        let kinds = [
            ("spec.serviceClusterIPs", &services.cluster_ips),
            ("spec.serviceExternalIPs", &services.external_ips),
            ("spec.serviceLoadBalancerIPs", &services.load_balancer_ips),
        ];
        for (kind, ranges) in kinds {
            for (index, range) in ranges.iter().enumerate() {
                let field = format!("{kind}[{index}].cidr");
                check_pools(read, &field, range, resources, problems);
                check_nodes(read, &field, range, resources, problems);
            }
        }
    }
}

/// Whether pods or nodes get addresses of a pool. One for load balancers only is where services' addresses may lie.
fn has_pods(pool: &IpPool) -> bool {
    pool.allowed_uses.workload || pool.allowed_uses.tunnel
}

/// The range would be announced by every node, and pods inside would be drawn to nodes that do not have them.
fn check_pools(
    read: &Read<BgpConfiguration>,
    field: &str,
    range: &IpNet,
    resources: &Resources,
    problems: &mut Vec<Problem>,
) {
    let meets = |cidr: &IpNet| cidr.contains(range) || range.contains(cidr);
    let pools = resources.pools.iter();
    for pool in pools.filter(|pool| has_pods(&pool.value) && meets(&pool.value.cidr)) {
        let (cidr, name, place) = (pool.value.cidr, &pool.value.name, pool.location("spec.cidr"));
        let message =
            format!("{range} meets {cidr} of pool {name}, at {place}: pods would be announced by every node");
        let fix = "give services a range apart from every pool";
        problems.push(read.problem(Severity::Error, field, message, fix));
    }
}

fn check_nodes(
    read: &Read<BgpConfiguration>,
    field: &str,
    range: &IpNet,
    resources: &Resources,
    problems: &mut Vec<Problem>,
) {
    let nodes = resources.nodes.iter();
    let mut inside = nodes.filter_map(|node| {
        let mut addresses = node.value.bgp.addresses();
        addresses
            .find(|address| range.contains(address))
            .map(|address| (node, address))
    });
    // One is enough to see the mistake, and there may be thousands.
    if let Some((node, address)) = inside.next() {
        let more = match inside.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!(
            "{range} holds {address} of {}{more}: other nodes would be reached by way of this route",
            node.value.name
        );
        let fix = "keep services and nodes in ranges apart";
        problems.push(read.problem(Severity::Warning, field, message, fix));
    }
}
