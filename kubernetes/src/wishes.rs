//! What a pod asks for by its annotations, and its namespace's. Pure.

use std::net::IpAddr;

/// What a pod asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Addresses, at most one of each family.
    pub addresses: Vec<IpAddr>,
    /// Pools, the first choice first.
    pub pools: Vec<String>,
    /// The addresses follow the pod.
    pub sticky: bool,
    /// Hardware address.
    pub mac: Option<String>,
    /// Labels of the pod's namespace.
    pub namespace_labels: std::collections::BTreeMap<String, String>,
}
