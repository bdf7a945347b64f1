//! Which addresses of Services this node announces, and why. Pure.

use std::collections::BTreeMap;

use config::intent::ServiceRules;
use ipnet::IpNet;

use crate::model::Cluster;

/// What this node announces for Services: each prefix with the reason, in words for `roadbed explain`.
pub fn announce(cluster: &Cluster, rules: &ServiceRules, node: &str) -> BTreeMap<IpNet, String> {
    let _ = (cluster, rules, node);
    BTreeMap::new()
}
