//! `GET /v1/routes`: the looking glass.
//!
//! Query parameters: `prefix`, and at most one of `received=PEER`, `advertised=PEER`, `rejected=true`.
//! Without them it is the Loc-RIB together with the way each route takes into the kernel.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// One route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// The destination.
    pub prefix: IpNet,
    /// `local`, `external` (eBGP), `internal` (iBGP), or `pod` (host route of a pod on this node).
    pub origin: String,
    /// The peer that announced it: its address or interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The BGP NEXT_HOP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<IpAddr>,
    /// The interface on which a link-local NEXT_HOP is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The AS_PATH, as text.
    #[serde(default)]
    pub as_path: String,
    /// LOCAL_PREF, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_pref: Option<u32>,
    /// Communities (RFC 1997), well-known ones by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<String>,
    /// Large communities (RFC 8092).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub large_communities: Vec<String>,
    /// Extended communities (RFC 4360).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended_communities: Vec<String>,
    /// The BGPFilter that decided on the route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Its list, such as `importV4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// Place of the rule in the list, from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<u16>,
    /// The node that owns the prefix, where the next hop is a node of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `direct`, `vxlan`, `ipip`; `none` for a route that forwards nowhere else (own blocks, own pods).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encapsulation: Option<String>,
    /// Why: the check that decided the encapsulation, or the verdict on the route.
    #[serde(default)]
    pub reason: String,
    /// The kernel's route, as `ip route` would write it; empty where it has none.
    #[serde(default)]
    pub kernel: String,
    /// The kernel has the route exactly so.
    #[serde(default)]
    pub installed: bool,
}
