//! Which addresses of Services this node announces, and why. Pure.
//!
//! The rules are Calico's. A range of `BGPConfiguration` is announced as a whole by every node, which is right for
//! addresses that every node serves. An address that only some nodes serve (`externalTrafficPolicy: Local`) is
//! announced by itself by just these, and wins over the range by its length. [`verdicts`] goes through every range and
//! every address of every Service and says what becomes of it; [`announce`] is the yes of it, [`explain`] all of it
//! about one address.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
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
pub struct Verdict<'a> {
    /// The range, or the address by itself.
    pub prefix: IpNet,
    /// Whether this node announces it. Its words are the [`fmt::Display`] of the verdict.
    pub announced: bool,
    kind: Kind,
    /// The Service; none: it is a range.
    service: Option<&'a ObjectName>,
    why: Why,
}

/// The check that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    WholeRange,
    SingleOfService,
    SingleOfLocal,
    NotKnownYet,
    NoAggregation,
    OutsideOfRanges,
    Local { policy: &'static str, here: bool },
    InRange(IpNet),
    ByItself { served: bool },
    SingleRange,
    Excluded,
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.kind.field();
        match self.service {
            Some(service) => write!(f, "{} of Service {service}: ", self.kind.name())?,
            None => write!(f, "range of {field}: ")?,
        }
        match self.why {
            Why::WholeRange => f.write_str("announced by every node"),
            Why::SingleOfService => f.write_str("one address, announced where a Service has it"),
            Why::SingleOfLocal => {
                f.write_str("one address, and its Service is local to nodes with endpoints")
            }
            Why::NotKnownYet => f.write_str("one address, and Services are not known yet"),
            Why::NoAggregation => {
                f.write_str("serviceLoadBalancerAggregation is Disabled: each address by itself")
            }
            Why::OutsideOfRanges => write!(f, "outside of the ranges of {field}"),
            Why::Local { policy, here: true } => {
                write!(f, "{policy} is Local, and this node has a ready endpoint")
            }
            Why::Local { policy, here: false } => {
                write!(f, "{policy} is Local, and this node has no ready endpoint")
            }
            Why::InRange(range) => write!(f, "every node announces it with the range {range}"),
            Why::ByItself { served: true } => {
                f.write_str("announced by itself, since serviceLoadBalancerAggregation is Disabled")
            }
            Why::ByItself { served: false } => f.write_str("the Service has no ready endpoint"),
            Why::SingleRange => write!(f, "{field} has just this address"),
            Why::Excluded => write!(f, "not announced: this node has the label {EXCLUDE}"),
        }
    }
}

/// What this node announces for Services: each prefix with the reason, in words for `roadbed explain`.
///
/// Before the Services are known ([`Cluster::synced`]) it is the ranges alone.
pub fn announce(cluster: &Cluster, rules: &ServiceRules, node: &str) -> BTreeMap<IpNet, String> {
    let mut reasons: BTreeMap<IpNet, Vec<Verdict<'_>>> = BTreeMap::new();
    for verdict in verdicts(cluster, rules, node).filter(|verdict| verdict.announced) {
        let reasons = reasons.entry(verdict.prefix).or_default();
        if reasons.len() < REASONS && !reasons.contains(&verdict) {
            reasons.push(verdict);
        }
    }
    let words = |reasons: Vec<Verdict<'_>>| {
        let reasons: Vec<String> = reasons.iter().map(Verdict::to_string).collect();
        reasons.join("; ")
    };
    let joined = reasons.into_iter();
    joined.map(|(prefix, reasons)| (prefix, words(reasons))).collect()
}

/// What becomes of every range that holds this address, and of the address itself for each Service that has it.
pub fn explain<'a>(
    cluster: &'a Cluster,
    rules: &'a ServiceRules,
    node: &'a str,
    address: IpAddr,
) -> Vec<Verdict<'a>> {
    verdicts(cluster, rules, node)
        .filter(|verdict| verdict.prefix.contains(&address))
        .collect()
}

/// What becomes of every range, and of every address of every Service.
pub fn verdicts<'a>(
    cluster: &'a Cluster,
    rules: &'a ServiceRules,
    node: &'a str,
) -> impl Iterator<Item = Verdict<'a>> + 'a {
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
    let known = cluster.services.iter().filter(|_| cluster.synced);
    let ranges = Kind::ALL.map(|kind| view.of_ranges(kind)).concat();
    ranges
        .into_iter()
        .chain(known.flat_map(move |(name, service)| view.of_service(name, service)))
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

impl<'a> View<'a> {
    fn of_ranges(&self, kind: Kind) -> Vec<Verdict<'a>> {
        let ranges = kind.ranges(self.rules).iter().map(IpNet::trunc);
        ranges
            .map(|range| {
                let (announced, why) = self.of_range(kind, &range);
                self.verdict(range, announced, kind, None, why)
            })
            .collect()
    }

    fn of_range(&self, kind: Kind, range: &IpNet) -> (bool, Why) {
        match (is_single(range), kind) {
            (true, Kind::Cluster) if !self.cluster.synced => (false, Why::NotKnownYet),
            (true, Kind::Cluster) if self.local_cluster_ips.contains(&range.addr()) => {
                (false, Why::SingleOfLocal)
            }
            (true, Kind::Cluster) => (true, Why::WholeRange),
            (true, _) => (false, Why::SingleOfService),
            (false, _) if self.is_whole(kind, range) => (true, Why::WholeRange),
            (false, _) => (false, Why::NoAggregation),
        }
    }

    /// Whether every node announces the range as such.
    fn is_whole(&self, kind: Kind, range: &IpNet) -> bool {
        !is_single(range) && (kind != Kind::LoadBalancer || self.rules.load_balancer_aggregation)
    }

    fn of_service(&self, name: &'a ObjectName, service: &Service) -> Vec<Verdict<'a>> {
        // Headless, or of type ExternalName: nodes serve nothing of it.
        if service.cluster_ips.is_empty() {
            return Vec::new();
        }
        let of_kind = |kind: Kind| {
            let addresses = kind.addresses(service).iter();
            addresses.map(move |address| {
                let (announced, why) = self.of_address(kind, name, service, *address);
                self.verdict(IpNet::from(*address), announced, kind, Some(name), why)
            })
        };
        Kind::ALL.into_iter().flat_map(of_kind).collect()
    }

    fn of_address(&self, kind: Kind, name: &ObjectName, service: &Service, address: IpAddr) -> (bool, Why) {
        let mut around = kind
            .ranges(self.rules)
            .iter()
            .filter(|range| range.contains(&address))
            .peekable();
        if around.peek().is_none() {
            return (false, Why::OutsideOfRanges);
        }
        if kind.is_local(service) {
            let policy = match service.external_local {
                true => "externalTrafficPolicy",
                false => "internalTrafficPolicy",
            };
            let here = self.has_endpoint(name, address, Some(self.node));
            return (here, Why::Local { policy, here });
        }
        if let Some(range) = around.find(|range| self.is_whole(kind, range)) {
            return (false, Why::InRange(range.trunc()));
        }
        if kind == Kind::LoadBalancer && !self.rules.load_balancer_aggregation {
            let served = self.has_endpoint(name, address, None);
            return (served, Why::ByItself { served });
        }
        (true, Why::SingleRange)
    }

    /// Whether there is a ready endpoint of the family of this address, on this node or on any.
    fn has_endpoint(&self, name: &ObjectName, address: IpAddr, node: Option<&str>) -> bool {
        let fits = |endpoint: &EndpointNode| {
            endpoint.ipv4 == address.is_ipv4() && node.is_none_or(|node| endpoint.node == node)
        };
        let endpoints = self.cluster.endpoints.get(name);
        endpoints.is_some_and(|endpoints| endpoints.iter().any(fits))
    }

    fn verdict(
        &self,
        prefix: IpNet,
        announced: bool,
        kind: Kind,
        service: Option<&'a ObjectName>,
        why: Why,
    ) -> Verdict<'a> {
        let excluded = announced && self.excluded;
        Verdict {
            prefix,
            announced: announced && !excluded,
            kind,
            service,
            why: if excluded { Why::Excluded } else { why },
        }
    }
}

fn is_single(range: &IpNet) -> bool {
    range.prefix_len() == range.max_prefix_len()
}

#[cfg(test)]
mod tests;
