//! Settings of address management: what holds for all pools (`IPAMConfiguration`), and addresses that no pod
//! gets (`IPReservation`).

use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Addresses that are never given to pods (`IPReservation`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpReservation {
    /// Name of the resource.
    pub name: String,
    /// The ranges; single addresses are /32 or /128.
    pub cidrs: Vec<IpNet>,
}

/// How nodes claim blocks and give out addresses (`IPAMConfiguration` named `default`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpamConfiguration {
    /// Whether a node gives out addresses of its own blocks only. Default true; Calico's is false.
    pub strict_affinity: bool,
    /// Whether nodes claim blocks by themselves. Default true.
    pub auto_allocate_blocks: bool,
    /// The most blocks of a family that a node may own; `None` for no limit.
    pub max_blocks_per_host: Option<u32>,
    /// How long a block stays empty before it is given back. Default 10 min. (ours)
    pub empty_block_linger: Duration,
    /// How long a node has to be gone before its blocks are taken from it. Default 5 min. (ours)
    pub dead_node_grace: Duration,
    /// How long a released address rests before another pod gets it. Default 60 s. (ours)
    pub address_cool_down: Duration,
}

impl Default for IpamConfiguration {
    fn default() -> Self {
        Self {
            strict_affinity: true,
            auto_allocate_blocks: true,
            max_blocks_per_host: None,
            empty_block_linger: Duration::from_secs(600),
            dead_node_grace: Duration::from_secs(300),
            address_cool_down: Duration::from_secs(60),
        }
    }
}
