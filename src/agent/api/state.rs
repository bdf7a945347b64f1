//! What the handlers of the socket API share.

use std::sync::Arc;
use std::time::Instant;

use config::agent_file::{AgentConfig, RouteSettings};
use tokio::sync::watch;

use crate::agent::parts::Parts;
use crate::agent::snapshot::Snapshot;

/// What the handlers share.
#[derive(Clone)]
pub struct State(Arc<Shared>);

/// Behind [`State`].
pub struct Shared {
    /// The node's name.
    pub node: String,
    /// Protocol number of our routes.
    pub route_protocol: u8,
    /// How our routes are written into the kernel.
    pub routes: RouteSettings,
    /// When the agent started.
    pub started: Instant,
    /// The parts.
    pub parts: Parts,
    /// The latest decisions.
    pub snapshots: watch::Receiver<Snapshot>,
}

impl State {
    /// The state of a new agent.
    pub fn new(config: &AgentConfig, parts: Parts, snapshots: watch::Receiver<Snapshot>) -> Self {
        State(Arc::new(Shared {
            node: config.node_name.to_string(),
            route_protocol: config.route_protocol,
            routes: config.routes,
            started: Instant::now(),
            parts,
            snapshots,
        }))
    }
}

impl std::ops::Deref for State {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Shared {
    /// The latest snapshot.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }
}
