//! The rules by which a node gives addresses, as the resources say them.

use std::time::Duration;

use ipnet::IpNet;

/// How long an address rests after its release where nothing else is said: longer than a connection of the pod
/// that had it is half open, and than caches of names and neighbours remember it.
pub const COOL_DOWN: Duration = Duration::from_secs(60);

/// What the addresses of one pool are for, on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRule {
    /// Name of the pool.
    pub name: String,
    /// The pool.
    pub cidr: IpNet,
    /// It gives new addresses to this node's pods: it is not disabled, and it selects this node.
    pub open: bool,
    /// It also serves pods that do not ask for it by name.
    pub automatic: bool,
}

/// The rules. Until they are set, every block is open and automatic and nothing is reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRules {
    /// How long an address rests after its release.
    pub cool_down: Duration,
    /// Never given unless asked for by name.
    pub reserved: Vec<IpNet>,
    /// All pools. A block of a pool that is not listed gives no new addresses.
    pub pools: Vec<PoolRule>,
    /// Blocks are claimed in a datastore: a pod waits for a block of each family that has an open pool, where
    /// the resources give this node no block of that family.
    pub shared_out: bool,
}

impl Default for LocalRules {
    fn default() -> Self {
        LocalRules {
            cool_down: COOL_DOWN,
            reserved: Vec::new(),
            pools: Vec::new(),
            shared_out: false,
        }
    }
}
