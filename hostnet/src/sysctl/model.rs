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
