//! Which addresses of Services this node announces, and why. Pure.
//!
//! The rules are Calico's. A range of `BGPConfiguration` is announced as a whole by every node, which is right for
//! addresses that every node serves. An address that only some nodes serve (`externalTrafficPolicy: Local`) is
//! announced by itself by just these, and wins over the range by its length. [`verdicts`] goes through every range and
//! every address of every Service and says what becomes of it; [`announce`] is the yes of it, [`explain`] all of it
//! about one address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use config::intent::ServiceRules;
use ipnet::IpNet;

use crate::model::{Cluster, EndpointNode, ObjectName, Service};

/// The label of Nodes that announce no addresses of Services, where its value is `true`, as for Calico. (The bare label
/// that kubeadm gives to nodes of the control plane does not count: they would be the only ones in a small cluster.)
pub const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// So many reasons are told of one prefix.
const REASONS: usize = 4;

/// What becomes of a range, or of an address of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The range, or the address by itself.
    pub prefix: IpNet,
    /// Whether this node announces it.
    pub announced: bool,
    /// Why, in words.
    pub reason: String,
}

/// What this node announces for Services: each prefix with the reason, in words for `roadbed explain`.
///
/// Before the Services are known ([`Cluster::synced`]) it is the ranges alone.
pub fn announce(cluster: &Cluster, rules: &ServiceRules, node: &str) -> BTreeMap<IpNet, String> {
    let mut reasons: BTreeMap<IpNet, Vec<String>> = BTreeMap::new();
    for verdict in verdicts(cluster, rules, node).filter(|verdict| verdict.announced) {
        let reasons = reasons.entry(verdict.prefix).or_default();
        if reasons.len() < REASONS && !reasons.contains(&verdict.reason) {
            reasons.push(verdict.reason);
        }
    }
    let joined = reasons.into_iter();
    joined
        .map(|(prefix, reasons)| (prefix, reasons.join("; ")))
        .collect()
}

/// What becomes of every range that holds this address, and of the address itself for each Service that has it.
pub fn explain(cluster: &Cluster, rules: &ServiceRules, node: &str, address: IpAddr) -> Vec<Verdict> {
    verdicts(cluster, rules, node)
        .filter(|verdict| verdict.prefix.contains(&address))
        .collect()
}

/// What becomes of every range, and of every address of every Service.
pub fn verdicts<'a>(
    cluster: &'a Cluster,
    rules: &'a ServiceRules,
    node: &'a str,
) -> impl Iterator<Item = Verdict> + 'a {
    let view = View {
        cluster,
        rules,
        node,
        excluded: cluster
            .node_labels
            .get(EXCLUDE)
            .is_some_and(|value| value == "true"),
        local_cluster_ips: local_cluster_ips(cluster, rules),
    };
    let services: Box<dyn Iterator<Item = (&ObjectName, &Service)>> = match cluster.synced {
        true => Box::new(cluster.services.iter()),
        false => Box::new(std::iter::empty()),
    };
    let ranges = Kind::ALL.map(|kind| view.of_ranges(kind)).concat();
    ranges
        .into_iter()
        .chain(services.flat_map(move |(name, service)| view.of_service(name, service)))
}

/// The single addresses among the ranges of ClusterIPs that a Service with a Local policy has.
fn local_cluster_ips(cluster: &Cluster, rules: &ServiceRules) -> BTreeSet<IpAddr> {
    let single: BTreeSet<IpAddr> = (rules.cluster_ips.iter().filter(|range| is_single(range)))
        .map(IpNet::addr)
        .collect();
    if single.is_empty() {
        return single;
    }
    let local = cluster
        .services
        .values()
        .filter(|service| Kind::Cluster.is_local(service));
    let theirs: BTreeSet<IpAddr> = local.flat_map(|service| &service.cluster_ips).copied().collect();
    single.intersection(&theirs).copied().collect()
}

/// The kinds of addresses of a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Cluster,
    External,
    LoadBalancer,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Cluster, Kind::External, Kind::LoadBalancer];

    fn name(self) -> &'static str {
        match self {
            Kind::Cluster => "ClusterIP",
            Kind::External => "external address",
            Kind::LoadBalancer => "load balancer address",
        }
    }

    fn field(self) -> &'static str {
        match self {
            Kind::Cluster => "serviceClusterIPs",
            Kind::External => "serviceExternalIPs",
            Kind::LoadBalancer => "serviceLoadBalancerIPs",
        }
    }

    fn ranges(self, rules: &ServiceRules) -> &[IpNet] {
        match self {
            Kind::Cluster => &rules.cluster_ips,
            Kind::External => &rules.external_ips,
            Kind::LoadBalancer => &rules.load_balancer_ips,
        }
    }

    fn addresses(self, service: &Service) -> &[IpAddr] {
        match self {
            Kind::Cluster => &service.cluster_ips,
            Kind::External => &service.external_ips,
            Kind::LoadBalancer => &service.load_balancer_ips,
        }
    }

    /// Whether only nodes with endpoints serve these addresses. A ClusterIP with `externalTrafficPolicy: Local` is
    /// served by every node, and announced by these all the same, as by Calico: it spares a hop.
    fn is_local(self, service: &Service) -> bool {
        service.external_local || (self == Kind::Cluster && service.internal_local)
    }
}

/// What the verdicts rest on.
struct View<'a> {
    cluster: &'a Cluster,
    rules: &'a ServiceRules,
    node: &'a str,
    excluded: bool,
    local_cluster_ips: BTreeSet<IpAddr>,
}

impl View<'_> {
    fn of_ranges(&self, kind: Kind) -> Vec<Verdict> {
        let ranges = kind.ranges(self.rules).iter().map(IpNet::trunc);
        ranges
            .map(|range| {
                let (announced, reason) = self.of_range(kind, &range);
                self.verdict(range, announced, format!("range of {}: {reason}", kind.field()))
            })
            .collect()
    }

    fn of_range(&self, kind: Kind, range: &IpNet) -> (bool, String) {
        let cluster_single = kind == Kind::Cluster && is_single(range);
        if cluster_single && !self.cluster.synced {
            return (false, "one address, and Services are not known yet".into());
        }
        if cluster_single && self.local_cluster_ips.contains(&range.addr()) {
            return (
                false,
                "one address, and its Service is local to nodes with endpoints".into(),
            );
        }
        if cluster_single || self.is_whole(kind, range) {
            return (true, "announced by every node".into());
        }
        match is_single(range) {
            true => (false, "one address, announced where a Service has it".into()),
            false => (
                false,
                "serviceLoadBalancerAggregation is Disabled: each address by itself".into(),
            ),
        }
    }

    /// Whether every node announces the range as such.
    fn is_whole(&self, kind: Kind, range: &IpNet) -> bool {
        !is_single(range) && (kind != Kind::LoadBalancer || self.rules.load_balancer_aggregation)
    }

    fn of_service(&self, name: &ObjectName, service: &Service) -> Vec<Verdict> {
        // Headless, or of type ExternalName: nodes serve nothing of it.
        if service.cluster_ips.is_empty() {
            return Vec::new();
        }
        let of_kind = |kind: Kind| {
            let addresses = kind.addresses(service).iter();
            addresses.map(move |address| {
                let (announced, reason) = self.of_address(kind, name, service, *address);
                let reason = format!("{} of Service {name}: {reason}", kind.name());
                self.verdict(IpNet::from(*address), announced, reason)
            })
        };
        Kind::ALL.into_iter().flat_map(of_kind).collect()
    }

    fn of_address(
        &self,
        kind: Kind,
        name: &ObjectName,
        service: &Service,
        address: IpAddr,
    ) -> (bool, String) {
        let ranges = kind.ranges(self.rules).iter();
        let around: Vec<&IpNet> = ranges.filter(|range| range.contains(&address)).collect();
        if around.is_empty() {
            return (false, format!("outside of the ranges of {}", kind.field()));
        }
        if kind.is_local(service) {
            let policy = match service.external_local {
                true => "externalTrafficPolicy",
                false => "internalTrafficPolicy",
            };
            return match self.has_endpoint(name, address, Some(self.node)) {
                true => (
                    true,
                    format!("{policy} is Local, and this node has a ready endpoint"),
                ),
                false => (
                    false,
                    format!("{policy} is Local, and this node has no ready endpoint"),
                ),
            };
        }
        if let Some(range) = around.iter().find(|range| self.is_whole(kind, range)) {
            return (
                false,
                format!("every node announces it with the range {}", range.trunc()),
            );
        }
        if kind == Kind::LoadBalancer && !self.rules.load_balancer_aggregation {
            return match self.has_endpoint(name, address, None) {
                true => (
                    true,
                    "announced by itself, since serviceLoadBalancerAggregation is Disabled".into(),
                ),
                false => (false, "the Service has no ready endpoint".into()),
            };
        }
        (true, format!("{} has just this address", kind.field()))
    }

    /// Whether there is a ready endpoint of the family of this address, on this node or on any.
    fn has_endpoint(&self, name: &ObjectName, address: IpAddr, node: Option<&str>) -> bool {
        let fits = |endpoint: &EndpointNode| {
            endpoint.ipv4 == address.is_ipv4() && node.is_none_or(|node| endpoint.node == node)
        };
        let endpoints = self.cluster.endpoints.get(name);
        endpoints.is_some_and(|endpoints| endpoints.iter().any(fits))
    }

    fn verdict(&self, prefix: IpNet, announced: bool, reason: String) -> Verdict {
        match announced && self.excluded {
            true => Verdict {
                prefix,
                announced: false,
                reason: format!("{reason}; but this node has the label {EXCLUDE}"),
            },
            false => Verdict {
                prefix,
                announced,
                reason,
            },
        }
    }
}

fn is_single(range: &IpNet) -> bool {
    range.prefix_len() == range.max_prefix_len()
}

#[cfg(test)]
mod tests;
