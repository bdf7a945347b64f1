//! Who has which address: the records of the ledger.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use config::api::cni::PodRef;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The holder of a lease: one interface of one container, as CNI names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// `CNI_CONTAINERID`.
    pub container_id: String,
    /// `CNI_IFNAME`.
    pub ifname: String,
}

impl Owner {
    /// The interface `ifname` of the container `container_id`.
    pub fn new(container_id: impl Into<String>, ifname: impl Into<String>) -> Self {
        Owner {
            container_id: container_id.into(),
            ifname: ifname.into(),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of container {}", self.ifname, self.container_id)
    }
}

/// A wish for addresses: who asks, and what the record shall say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub owner: Owner,
    /// Name of the CNI network.
    pub network: String,
    /// The pod, where it is known.
    pub pod: Option<PodRef>,
    /// Path of the pod's network namespace.
    pub netns: String,
    /// Name of the interface on the node.
    pub host_ifname: String,
    /// Addresses asked for, at most one of each family; a family that is not named gets any free one.
    pub wanted: Vec<IpAddr>,
    /// Pools that addresses may come from, the first choice first; empty for any automatic one. Addresses that
    /// are asked for by name may come from any.
    pub pools: Vec<String>,
    /// The workload (`namespace.name`) whose address stays with it, also when the pod comes back elsewhere.
    pub sticky: Option<String>,
}

impl Request {
    /// Who the address is for, in the words of loans and cool-down: the workload, else the pod.
    pub(crate) fn workload(&self) -> Option<String> {
        self.sticky.clone().or_else(|| workload(self.pod.as_ref()))
    }
}

fn workload(pod: Option<&PodRef>) -> Option<String> {
    pod.map(|pod| format!("{}.{}", pod.namespace, pod.name))
}

/// One record of the ledger. It lasts from its first assignment until its release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who has it.
    #[serde(flatten)]
    pub owner: Owner,
    /// Name of the CNI network.
    pub network: String,
    /// The pod, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRef>,
    /// The addresses, at most one of each family, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// Name of the interface on the node.
    pub host_ifname: String,
    /// Path of the pod's network namespace.
    pub netns: String,
    /// The workload (`namespace.name`) whose address stays with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<String>,
    /// Name of the pool of each address that lay in one when it was given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pools: BTreeMap<IpAddr, String>,
    /// When it was first given, to the millisecond.
    #[serde(with = "millis")]
    pub created_at: SystemTime,
}

/// How the owner of a gateway's lease begins. No container is named so: the specification allows no blank in there.
const GATEWAY: &str = "gateway of ";

impl Owner {
    /// The holder of the gateway of one CNI network in one block: an address that a bridge has, and no container.
    pub(crate) fn gateway(network: &str, block: IpNet) -> Owner {
        Owner::new(format!("{GATEWAY}{network}"), block.to_string())
    }

    /// Whether it is the gateway of a network and no container.
    pub fn is_gateway(&self) -> bool {
        self.container_id.starts_with(GATEWAY)
    }
}

impl Lease {
    /// The interface is another plugin's: there is no link of ours, and no host route.
    pub fn is_address_only(&self) -> bool {
        self.host_ifname.is_empty()
    }

    /// Who it is for: the workload, else the pod.
    pub(crate) fn workload(&self) -> Option<String> {
        self.sticky.clone().or_else(|| workload(self.pod.as_ref()))
    }
}

/// A time without what the ledger does not keep: what is answered and what is read back are equal.
pub(crate) fn whole_millis(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_millis(u64::try_from(since.as_millis()).unwrap_or(0))
}

/// Times as milliseconds since 1970.
pub(crate) mod millis {
    use super::{Duration, SystemTime, UNIX_EPOCH};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        to.serialize_u64(u64::try_from(millis).unwrap_or(0))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let millis = Duration::from_millis(u64::deserialize(from)?);
        UNIX_EPOCH
            .checked_add(millis)
            .ok_or_else(|| D::Error::custom("time out of range"))
    }
}
