//! Bodies of `POST /v1/cni/add` and `POST /v1/cni/del`: one CNI verb each, carried by the plugin.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// CNI ADD: plug one interface into one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniAdd {
    /// `CNI_CONTAINERID`.
    pub container_id: String,
    /// `CNI_NETNS`: path of the pod's network namespace, as the agent sees it too.
    pub netns: String,
    /// `CNI_IFNAME`: name of the interface inside the pod.
    pub ifname: String,
    /// `name` of the network configuration.
    pub network: String,
    /// The pod, where the runtime tells it in `CNI_ARGS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRef>,
    /// MTU that the network configuration asks for, in bytes; `None`: that of the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Addresses asked for (`IP=` in `CNI_ARGS`, or `runtimeConfig.ips`); empty: any.
    #[serde(default)]
    pub ips: Vec<IpAddr>,
    /// Pools to take the addresses from (`pools` of the network, or `ROADBED_POOLS=` in `CNI_ARGS`); empty: those
    /// that are for the pod's namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<String>,
    /// The addresses are to follow the pod, by its namespace and name (`sticky` of the network, or
    /// `ROADBED_STICKY=` in `CNI_ARGS`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sticky: bool,
}

/// The pod that an interface belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodRef {
    /// `K8S_POD_NAMESPACE`.
    pub namespace: String,
    /// `K8S_POD_NAME`.
    pub name: String,
    /// `K8S_POD_UID`, where the runtime sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

/// What ADD made; sent only when the kernel has the pod's host route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniAdded {
    /// The end of the veth pair on the node.
    pub host_interface: CniInterface,
    /// The end inside the pod.
    pub pod_interface: CniInterface,
    /// The pod's addresses, one for each family.
    pub addresses: Vec<CniAddress>,
    /// Routes inside the pod.
    pub routes: Vec<CniRoute>,
    /// MTU of both ends, in bytes.
    pub mtu: u32,
}

/// One end of a veth pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CniInterface {
    /// Interface name.
    pub name: String,
    /// Hardware address, `aa:bb:cc:dd:ee:ff`.
    pub mac: String,
}

/// An address of the pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CniAddress {
    /// Always a host prefix: /32 or /128.
    pub address: IpNet,
    /// The gateway inside the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
}

/// A route inside the pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CniRoute {
    /// Destination.
    pub dst: IpNet,
    /// Gateway; `None`: on the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gw: Option<IpAddr>,
}

/// CNI DEL: unplug what an ADD made. What is not there is a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniDel {
    /// `CNI_CONTAINERID`.
    pub container_id: String,
    /// `CNI_IFNAME`.
    pub ifname: String,
    /// `CNI_NETNS`; absent where the runtime has lost it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
}

/// What DEL removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniDeleted {
    /// Addresses given back; empty where nothing was there.
    pub released: Vec<IpAddr>,
}
