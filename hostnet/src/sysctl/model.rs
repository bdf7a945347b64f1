//! What is wanted of the node's sysctls, and what differs from it.

use std::{collections::BTreeSet, fmt};

/// What the node does, as far as sysctls depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// There are IPv6 pods. IPv4 is always forwarded.
    pub ipv6: bool,
    /// Interfaces towards the fabric.
    pub uplinks: BTreeSet<String>,
    /// Tunnel devices. What does not exist (yet) is passed over.
    pub tunnels: BTreeSet<String>,
    /// Routes may have more than one path.
    pub multipath: bool,
    /// `nexthopCompat: off`: nexthop objects are replaced without a word about the routes on them.
    pub nexthop_compat_off: bool,
    /// How many neighbours the node may have: other nodes of its network, and pods.
    pub neighbours: usize,
}

/// A limit of the machine that is too low. It is said, and never set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The name with slashes.
    pub key: String,
    /// The present value.
    pub is: usize,
    /// What it should be at least.
    pub at_least: usize,
    /// What goes wrong otherwise.
    pub why: &'static str,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is {}, should be {} at least: {}",
            self.key, self.is, self.at_least, self.why
        )
    }
}

/// A sysctl that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The name with slashes, as `sysctl -w` takes it too: interface names may hold dots.
    pub key: String,
    /// The present value; `None`: it does not exist or cannot be read.
    pub is: Option<String>,
    /// The value that is needed.
    pub wanted: &'static str,
    /// What goes wrong otherwise.
    pub why: &'static str,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = self.is.as_deref().unwrap_or("missing");
        write!(f, "{} is {is}, must be {}: {}", self.key, self.wanted, self.why)
    }
}
