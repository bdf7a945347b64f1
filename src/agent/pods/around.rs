//! What the verbs need of the rest of the agent.

use tokio::sync::watch;

use crate::agent::snapshot::Snapshot;
use crate::decide::Place;

/// Handles to the rest of the agent, as one call sees it. Cheap to clone.
#[derive(Clone)]
pub struct Around {
    /// Owner of our routes in the kernel.
    pub fib: routesync::Handle,
    /// The latest decisions.
    pub snapshots: watch::Receiver<Snapshot>,
    /// The BGP speaker, once it runs.
    pub bgp: watch::Receiver<Option<bgpd::Handle>>,
    /// Protocol number of our routes.
    pub route_protocol: u8,
}

impl Around {
    /// Where our routes stand in the kernel.
    pub fn place(&self) -> Place {
        let snapshot = self.snapshots.borrow();
        let decisions = snapshot.decisions.as_ref();
        decisions.map(|d| d.outline.place).unwrap_or_default()
    }

    /// MTU of the narrowest way that pods have, in bytes; `None` where there is no plan to take it from.
    pub fn path_mtu(&self) -> Option<u32> {
        self.snapshots
            .borrow()
            .decisions
            .as_ref()
            .map(|d| d.outline.tunnels.pod_mtu)
    }
}
