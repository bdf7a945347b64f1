//! What is known of Kubernetes: plain values, keyed as `namespace/name`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

pub(crate) mod convert;

/// Namespace and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// Its namespace.
    pub namespace: String,
    /// Its name in there.
    pub name: String,
}

impl ObjectName {
    /// The object `name` of `namespace`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        ObjectName {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Everything that is known. Each kind is shared with what was published before, as long as it did not change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Every kind that is followed was listed once: what is missing is not there.
    pub synced: bool,
    /// Services (core/v1).
    pub services: Arc<BTreeMap<ObjectName, Service>>,
    /// Nodes with ready endpoints of each Service, from its EndpointSlices (discovery.k8s.io/v1).
    pub endpoints: Arc<BTreeMap<ObjectName, BTreeSet<EndpointNode>>>,
    /// The pods of this node.
    pub pods: Arc<BTreeMap<ObjectName, Pod>>,
    /// Annotations of the namespaces.
    pub namespaces: Arc<BTreeMap<String, Namespace>>,
    /// Labels of this node's Node.
    pub node_labels: BTreeMap<String, String>,
}

/// A node that has endpoints of a Service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointNode {
    /// The node; empty where the endpoint says none.
    pub node: String,
    /// IPv4 or IPv6 (`addressType`).
    pub ipv4: bool,
}

/// What of a Service matters to routes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// `spec.clusterIPs` but for `None`.
    pub cluster_ips: Vec<IpAddr>,
    /// `spec.externalIPs`.
    pub external_ips: Vec<IpAddr>,
    /// `status.loadBalancer.ingress[].ip` but for those with `ipMode: Proxy`, which nodes do not serve. What is only
    /// asked for (`spec.loadBalancerIP`) is not: nodes do not serve it before it is granted.
    pub load_balancer_ips: Vec<IpAddr>,
    /// `spec.externalTrafficPolicy: Local`.
    pub external_local: bool,
    /// `spec.internalTrafficPolicy: Local`.
    pub internal_local: bool,
    /// Its annotations of Roadbed and Calico.
    pub annotations: BTreeMap<String, String>,
}

/// What of a pod matters to its address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.uid`; of a static pod that by which the kubelet knows it.
    pub uid: String,
    /// Its annotations of Roadbed and Calico.
    pub annotations: BTreeMap<String, String>,
}

/// What of a namespace matters to the addresses of its pods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations of Roadbed and Calico.
    pub annotations: BTreeMap<String, String>,
}
