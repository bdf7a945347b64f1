//! Which addresses of Kubernetes' Services are announced (`BGPConfiguration`, Calico's fields).

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The ranges whose addresses are announced. Nothing outside of them ever is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRules {
    /// Ranges of ClusterIPs (`serviceClusterIPs`).
    pub cluster_ips: Vec<IpNet>,
    /// Ranges of `spec.externalIPs` (`serviceExternalIPs`).
    pub external_ips: Vec<IpNet>,
    /// Ranges of load balancers' addresses (`serviceLoadBalancerIPs`).
    pub load_balancer_ips: Vec<IpNet>,
    /// Whether the range of load balancers is announced as a whole by every node (`serviceLoadBalancerAggregation:
    /// Enabled`, the default), or each address by itself.
    pub load_balancer_aggregation: bool,
}

impl Default for ServiceRules {
    fn default() -> Self {
        ServiceRules {
            cluster_ips: Vec::new(),
            external_ips: Vec::new(),
            load_balancer_ips: Vec::new(),
            load_balancer_aggregation: true,
        }
    }
}

impl ServiceRules {
    /// Every range of every kind.
    pub fn ranges(&self) -> impl Iterator<Item = &IpNet> {
        self.cluster_ips
            .iter()
            .chain(&self.external_ips)
            .chain(&self.load_balancer_ips)
    }

    /// Whether anything is announced at all.
    pub fn is_empty(&self) -> bool {
        self.ranges().next().is_none()
    }
}
