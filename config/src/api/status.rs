//! `GET /v1/status`: one screen that says how the node is.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::drain::Drain;

/// How this node is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The node's name.
    pub node: String,
    /// Version of the agent.
    pub version: String,
    /// Seconds since the agent started.
    pub uptime_seconds: u64,
    /// Our autonomous system; 0 before there is a configuration.
    pub asn: u32,
    /// Our BGP identifier; empty before there is a configuration.
    pub router_id: String,
    /// The node is ready: required peers up, kernel in step with what was decided.
    pub ready: bool,
    /// The named conditions, of which `ready` is made.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// Everything that is wrong, and since when; empty when all is well.
    pub problems: Vec<Issue>,
    /// Where resources come from.
    pub datastore: Datastore,
    /// Sessions.
    pub peers: PeerCounts,
    /// Routes.
    pub routes: RouteCounts,
    /// Tunnel devices.
    pub tunnels: Vec<Tunnel>,
    /// How each other node is reached.
    pub nodes: Vec<NodePath>,
    /// The pod blocks of this node.
    pub blocks: Vec<Block>,
    /// Probes of direct paths; absent where no pool has mode `Auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<ProbeCounts>,
    /// What the tests of checksum offload have found, for each tunnel device that was tested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offloads: Vec<Offload>,
    /// The node is taken out of service, so far; absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
    /// Limits of the machine that are too low for this cluster. They are never set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
}

/// One named condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `ConfigurationApplied`, `RoutesFed`, `KernelInStep`, `AddressesAvailable`, `RoutesWithinLimit`,
    /// `SessionsEstablished`, `DatastoreReachable`, `KubernetesReachable`.
    pub name: String,
    /// It holds.
    pub met: bool,
    /// Without it the node is not ready.
    pub required: bool,
    /// Why, in one word; `Ok` where it holds.
    pub reason: String,
    /// Why, in a sentence; empty where there is nothing to say.
    pub message: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    /// The part that says it: `config`, `bgp`, `kernel`, `tunnel`, `ipam`, `host`.
    pub part: String,
    /// `error`: something does not work; `warning`: something may surprise.
    pub severity: String,
    /// What is wrong, and what to do.
    pub message: String,
    /// Seconds since it began.
    pub since_seconds: u64,
}

/// The datastore's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Datastore {
    /// `file`, `etcd` or `kubernetes`.
    pub kind: String,
    /// The path, the endpoints with the prefix, or the API server.
    pub location: String,
    /// `ok`: what is there is applied; `stale`: what is there is refused, the last good state is kept;
    /// `empty`: there never was a good state.
    pub state: String,
    /// Counts the good states since the start.
    pub revision: u64,
    /// Seconds since the last good state was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_seconds: Option<u64>,
    /// Where the good state is from: `live` (the datastore), or `last-good` (this node's disk, while the datastore
    /// has not been reached since the start).
    #[serde(default = "live")]
    pub origin: String,
    /// Seconds since the datastore went away; absent while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_seconds: Option<u64>,
    /// What is wrong with the datastore itself (away, no leader, wrong certificate, no space).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

fn live() -> String {
    "live".to_owned()
}

/// Sessions, counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerCounts {
    /// Configured.
    pub configured: usize,
    /// Established.
    pub established: usize,
    /// Every peer has sent its whole table once, or the deferral time is over.
    pub fully_fed: bool,
    /// eBGP peers of BGPPeers for which no BGPFilter says what may pass (in the spirit of RFC 8212), with the directions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfiltered: Vec<String>,
}

/// Routes, counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteCounts {
    /// Prefixes in the Loc-RIB.
    pub loc_rib: usize,
    /// Routes that the kernel should have.
    pub wanted: usize,
    /// Routes that it has.
    pub installed: usize,
    /// Routes that it refused.
    pub failed: usize,
    /// Routes put back or put right after someone else changed them.
    pub repaired: u64,
    /// Routes that someone else changed and that are left so, because `repair` is off.
    #[serde(default)]
    pub drifted: usize,
    /// Learned routes kept out of the kernel because `maxRoutes` are in it.
    #[serde(default)]
    pub held_back: usize,
    /// The form in which next hops are in the kernel: `objects`, `plain` (the agent's file says so), `unsupported`
    /// (plain, because the kernel has no nexthop objects), or `unknown` (not asked yet).
    #[serde(default)]
    pub nexthop_form: String,
    /// Nexthop objects of ours in the kernel.
    #[serde(default)]
    pub nexthop_objects: usize,
    /// Sets of next hops that are not exactly so in the kernel.
    #[serde(default)]
    pub nexthops_failed: usize,
}

/// Probes of direct paths, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeCounts {
    /// Nodes, by family, to which the fabric is proven to carry pod addresses.
    pub carries: usize,
    /// Those to which it does not.
    pub silent: usize,
    /// Those of which nothing is known yet.
    pub unknown: usize,
    /// Probes sent since the agent started.
    pub sent: u64,
    /// Those of them that arrived without a tunnel.
    pub answered: u64,
}

/// A test of the checksum offload of a tunnel device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offload {
    /// The device.
    pub device: String,
    /// `sound`; `turned-off`: it corrupted packets; `undecided`: tested again later; `failed`: it could not be tested or
    /// turned off.
    pub finding: String,
    /// The same with its counts.
    pub detail: String,
    /// Seconds since the test.
    pub age_seconds: u64,
}

/// One tunnel device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tunnel {
    /// `rb-vxlan`, `rb-vxlan6`, `rb-ipip`.
    pub name: String,
    /// MTU in bytes.
    pub mtu: u32,
    /// Remote nodes with their forwarding and neighbour entries in place.
    pub remotes: usize,
    /// The device is up.
    pub up: bool,
}

/// How pods of another node are reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodePath {
    /// The other node.
    pub node: String,
    /// Its BGP address.
    pub address: String,
    /// The pool that the choice is for.
    pub pool: String,
    /// `direct`, `vxlan` or `ipip`.
    pub encapsulation: String,
    /// The check that decided.
    pub reason: String,
    /// What the probe of the direct path has found, with its counts; absent where the pool's mode is not `Auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
}

/// One pod block of this node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// The block.
    pub cidr: IpNet,
    /// The pool it lies in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Addresses in use, the node's own included.
    pub used: u64,
    /// Addresses in all (saturating).
    pub size: u64,
}
