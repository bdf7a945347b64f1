//! What this node announces for Services of Kubernetes: computed anew when Kubernetes or the rules have changed.

use std::sync::Arc;
use std::time::Duration;

use config::intent::{Intent, ServiceRules};
use config::vocabulary::NodeName;
use kubernetes::model::Cluster;
use tokio::sync::watch;

use crate::decide;

/// How long the start of BGP waits for the first listing of Services. Peers that kept this node's routes over a restart
/// drop at its End-of-RIB what is not announced by then.
pub const FIRST_LISTING: Duration = Duration::from_secs(5);

/// What was found last, and from what.
#[derive(Default)]
pub struct Known {
    cluster: Option<Arc<Cluster>>,
    rules: ServiceRules,
    announced: decide::Services,
}

impl Known {
    /// What is announced now.
    pub fn now(&mut self, cluster: Arc<Cluster>, intent: &Intent, node: &NodeName) -> &decide::Services {
        let rules = &intent.bgp.services;
        let same = self
            .cluster
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, &cluster));
        if !same || self.rules != *rules {
            self.announced = match rules.is_empty() {
                true => decide::Services::new(),
                false => kubernetes::services::announce(&cluster, rules, node.as_str()),
            };
            self.cluster = Some(cluster);
            self.rules = rules.clone();
        }
        &self.announced
    }

    /// Whether something else is announced by now.
    pub fn differs(&mut self, cluster: Arc<Cluster>, intent: &Intent, node: &NodeName) -> bool {
        let before = self.announced.clone();
        *self.now(cluster, intent, node) != before
    }
}

/// What is known of the cluster; none on a node that belongs to no Kubernetes.
pub struct Source(Option<watch::Receiver<Arc<Cluster>>>);

impl Source {
    /// From the part that follows Kubernetes.
    pub fn new(handle: Option<&kubernetes::Handle>) -> Self {
        Source(handle.map(kubernetes::Handle::cluster))
    }

    /// What is known now.
    pub fn now(&self) -> Option<Arc<Cluster>> {
        self.0.as_ref().map(|cluster| cluster.borrow().clone())
    }

    /// Changes until now count as seen.
    pub fn seen(&mut self) {
        if let Some(cluster) = &mut self.0 {
            cluster.mark_unchanged();
        }
    }

    /// Waits for the next change; for ever where there is none to come.
    pub async fn changed(&mut self) {
        let changed = match &mut self.0 {
            Some(cluster) => cluster.changed().await.is_ok(),
            None => false,
        };
        if !changed {
            std::future::pending().await
        }
    }

    /// Waits a while for the first listing; a server that is away must not keep the node from its work.
    pub async fn listed(&mut self, patience: Duration) {
        if let Some(cluster) = &mut self.0 {
            let _ = tokio::time::timeout(patience, cluster.wait_for(|cluster| cluster.synced)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use kubernetes::model::{EndpointNode, ObjectName, Pod, Service};

    use super::*;

    #[test]
    fn what_happens_elsewhere_changes_nothing_here() {
        let (name, node) = (
            ObjectName::new("default", "web"),
            "a".parse::<NodeName>().unwrap(),
        );
        let mut intent = Intent::default();
        intent.bgp.services.cluster_ips = vec!["10.96.0.0/12".parse().unwrap()];
        let service = Service {
            cluster_ips: vec!["10.96.0.1".parse().unwrap()],
            external_local: true,
            ..Service::default()
        };
        let mut cluster = Cluster {
            synced: true,
            services: Arc::new([(name.clone(), service)].into()),
            ..Cluster::default()
        };
        let mut known = Known::default();
        let mut differs = |cluster: &Cluster| known.differs(Arc::new(cluster.clone()), &intent, &node);
        assert!(differs(&cluster), "the range");
        cluster.pods = Arc::new([(name.clone(), Pod::default())].into());
        assert!(!differs(&cluster), "a pod");
        let endpoint = |node: &str| EndpointNode {
            node: node.into(),
            ipv4: true,
        };
        cluster.endpoints = Arc::new([(name.clone(), [endpoint("b")].into())].into());
        assert!(!differs(&cluster), "an endpoint on another node");
        cluster.endpoints = Arc::new([(name, [endpoint("a"), endpoint("b")].into())].into());
        assert!(differs(&cluster), "an endpoint here");
    }
}
