//! Ranges of services: apart from pods and nodes.

use ipnet::IpNet;

use super::overlap::Ranges;
use crate::intent::{BgpConfiguration, IpPool, Node};
use crate::problem::{Problem, Severity};
use crate::resources::{Read, Resources};

/// What ranges of services are to be apart from, each to be looked up by a range.
struct Others<'r> {
    pools: Ranges<&'r Read<IpPool>>,
    given: Ranges<(&'r Read<Node>, IpNet)>,
    nodes: Ranges<(&'r Read<Node>, IpNet)>,
}

pub(super) fn check(resources: &Resources, problems: &mut Vec<Problem>) {
    if resources.bgp.iter().all(|read| read.value.services.is_empty()) {
        return;
    }
    let nodes = || resources.nodes.iter();
    let pools = resources.pools.iter().filter(|pool| has_pods(&pool.value));
    let given = nodes().flat_map(|node| {
        let cidrs = node.value.pod_cidrs.iter();
        cidrs.map(move |cidr| (*cidr, (node, *cidr)))
    });
    let addresses = nodes().flat_map(|node| {
        let addresses = node.value.bgp.addresses().map(IpNet::from);
        addresses.map(move |address| (address, (node, address)))
    });
    let others = Others {
        pools: Ranges::new(pools.map(|pool| (pool.value.cidr, pool))),
        given: Ranges::new(given),
        nodes: Ranges::new(addresses),
    };
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
                others.check(read, &field, *range, problems);
            }
        }
    }
}

/// Whether pods or nodes get addresses of a pool. One for load balancers only is where services' addresses may lie.
fn has_pods(pool: &IpPool) -> bool {
    pool.allowed_uses.workload || pool.allowed_uses.tunnel
}

impl Others<'_> {
    /// A range is announced by every node: pods inside would be drawn to nodes that do not have them.
    fn check(&self, read: &Read<BgpConfiguration>, field: &str, range: IpNet, problems: &mut Vec<Problem>) {
        let mut error = |message| {
            let fix = "give services a range apart from every pod";
            problems.push(read.problem(Severity::Error, field, message, fix));
        };
        if let Some(pool) = self.pools.around(range).or_else(|| self.pools.inside(range)) {
            let (cidr, name, place) = (pool.value.cidr, &pool.value.name, pool.location("spec.cidr"));
            error(format!(
                "{range} meets {cidr} of pool {name}, at {place}: its pods would be announced by every node"
            ));
        } else if let Some((node, cidr)) = self.given.around(range).or_else(|| self.given.inside(range)) {
            // Subnets that lie in no pool, as Kubernetes may hand them out.
            let (name, place) = (&node.value.name, node.location("spec.podCIDRs"));
            error(format!(
                "{range} meets {cidr} of node {name}, at {place}: its pods would be announced by every node"
            ));
        }
        if let Some((node, address)) = self.nodes.inside(range) {
            let message = format!(
                "{range} holds {} of {}: other nodes would be reached by way of this route",
                address.addr(),
                node.value.name
            );
            let fix = "keep services and nodes in ranges apart";
            problems.push(read.problem(Severity::Warning, field, message, fix));
        }
    }
}
