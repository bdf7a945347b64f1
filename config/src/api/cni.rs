//! Bodies of `/v1/cni/...`: one CNI verb each, carried by the plugin.
//!
//! | path | request | answer |
//! |---|---|---|
//! | `POST /v1/cni/add` | [`CniAdd`] | [`CniAdded`] |
//! | `POST /v1/cni/del` | [`CniDel`] | [`CniDeleted`] |
//! | `POST /v1/cni/check` | [`CniCheck`] | [`CniChecked`] |
//! | `POST /v1/cni/gc` | [`CniGc`] | [`CniCollected`] |
//! | `GET /v1/cni/status` | | [`CniReadiness`] |
//! | `POST /v1/cni/ipam/add` | [`CniIpamAdd`] | [`CniIpamAdded`] |
//!
//! DEL, CHECK and GC of the IPAM plugin are those above: the ledger knows which lease has no interface of ours.

use std::collections::BTreeMap;
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
    /// `pools` is what the network's configuration says: an annotation of the pod wins over it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pools_of_network: bool,
    /// The addresses are to follow the pod, by its namespace and name (`sticky` of the network, or
    /// `ROADBED_STICKY=` in `CNI_ARGS`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sticky: bool,
    /// Hardware address asked for inside the pod, `aa:bb:cc:dd:ee:ff` (`MAC=` in `CNI_ARGS`, or `runtimeConfig.mac`);
    /// `None`: one that follows from the container and the interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Whether the pod's default route goes through this interface; `None`: unless the pod has one already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_route: Option<bool>,
    /// Further destinations that the pod reaches through this interface.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<IpNet>,
    /// Sysctls of the pod's namespace, `net.` only, with dots; `IFNAME` in a name stands for the interface.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
    /// Answer only when the pod's addresses are announced to every established peer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait_announced: bool,
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

/// CNI CHECK: whether what an ADD made is still as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniCheck {
    /// `CNI_CONTAINERID`.
    pub container_id: String,
    /// `CNI_NETNS`.
    pub netns: String,
    /// `CNI_IFNAME`.
    pub ifname: String,
    /// `name` of the network configuration.
    pub network: String,
    /// Only the lease is asked about: the interface is another plugin's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ipam_only: bool,
    /// The addresses that `prevResult` gives this interface.
    #[serde(default)]
    pub addresses: Vec<IpNet>,
    /// The hardware address that `prevResult` gives this interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// MTU that the network configuration asks for, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Whether the network configuration puts the pod's default route on this interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_route: Option<bool>,
    /// Further destinations that the network configuration asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<IpNet>,
    /// Sysctls that the network configuration asks for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
}

/// What CHECK found; nothing where all is as it must be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniChecked {
    /// Each thing that is not as ADD left it.
    pub drifts: Vec<CniDrift>,
}

/// One thing that is not as ADD left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniDrift {
    /// What it is about: `address 10.244.1.5 on eth0`, `host route of 10.244.1.5`, `rp_filter of rb0123456789a`.
    pub what: String,
    /// What it has to be.
    pub expected: String,
    /// What it is; `None`: it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// One attachment, as the specification names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniAttachment {
    /// `containerID`.
    pub container_id: String,
    /// `ifname`.
    pub ifname: String,
}

/// CNI GC: give back everything of a network that is not listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniGc {
    /// `name` of the network configuration.
    pub network: String,
    /// `cni.dev/valid-attachments`.
    pub valid: Vec<CniAttachment>,
}

/// What GC gave back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniCollected {
    /// Attachments that are gone now.
    pub removed: Vec<CniAttachment>,
    /// What could not be removed, and why; tried again by the next GC.
    pub failed: Vec<String>,
}

/// CNI STATUS: whether an ADD can succeed now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniReadiness {
    /// ADD works.
    pub available: bool,
    /// Pods that run are connected as they should be. False is code 51 of the specification, whatever `available` says;
    /// code 50 is that only ADD does not work.
    pub connected: bool,
    /// Why not.
    pub reasons: Vec<String>,
}

/// ADD of the IPAM plugin: addresses for an interface that another plugin makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniIpamAdd {
    /// `CNI_CONTAINERID`.
    pub container_id: String,
    /// `CNI_NETNS`.
    pub netns: String,
    /// `CNI_IFNAME`.
    pub ifname: String,
    /// `name` of the network configuration.
    pub network: String,
    /// The pod, where the runtime tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRef>,
    /// Addresses asked for; empty: any.
    #[serde(default)]
    pub ips: Vec<IpAddr>,
    /// Pools to take the addresses from; empty: those that are for the pod's namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<String>,
    /// `pools` is what the network's configuration says: an annotation of the pod wins over it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pools_of_network: bool,
    /// The addresses are to follow the pod.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sticky: bool,
    /// Which gateway the pod is told.
    #[serde(default)]
    pub gateway: IpamGateway,
}

/// The gateway of an interface that another plugin makes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IpamGateway {
    /// The link-local gateway of all our pods; addresses are host prefixes. For plugins that answer for the gateway
    /// themselves: the reference ptp cannot work with a host prefix of IPv4.
    #[default]
    LinkLocal,
    /// The first address after the block's own: kept free of pods; addresses have the block's length (bridge, ptp).
    Block,
    /// These, outside of our hands; addresses have the length of the network named with each (macvlan, SR-IOV).
    Given(Vec<IpNet>),
    /// None; addresses are host prefixes.
    None,
}

/// Addresses for an interface that another plugin makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniIpamAdded {
    /// One for each family, with the length and the gateway asked for.
    pub addresses: Vec<CniAddress>,
}
