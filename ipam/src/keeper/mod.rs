//! The keeper carries decisions about ownership out.
//!
//! ```text
//! store ── resources, ownership, intent ──► views ──Seen──┬─► task ── decide (pure) ──┬─► ledger (durable)
//!                                                         │     ▲                     └─► store (transactions)
//! ledger ── has changed ──────────────────────────────────┼─────┘
//!                                                         ├─► presence ──► store (a key that lives as we do)
//!                                                         └─► mirror ────► store (addresses given out)
//! ```
//!
//! One task for each node is the only writer of that node's claims. It holds no plan: every turn starts from the
//! followed view and the ledger, and none is made on a view that is known to be old. When the store is away, the
//! ledger goes on giving out addresses of the blocks that it has; the keeper tries again, and says since when.

mod awaited;
pub(crate) mod backoff;
pub(crate) mod claims;
mod presence;
pub(crate) mod reporter;
mod restore;
pub(crate) mod status;
mod task;
pub(crate) mod views;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use config::NodeName;
use datastore::Datastore;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use claims::Claims;
pub use status::{KeeperStatus, LastCommit, MirrorStatus, Since};
pub use views::{KeeperInputs, Seen, follow};

use crate::cluster::ClaimAhead;
use crate::facade::Ipam;
use crate::local::LedgerStep;
use crate::mirror::Mirror;

/// How a node keeps its blocks.
#[derive(Debug, Clone)]
pub struct KeeperSettings {
    /// The node.
    pub node: NodeName,
    /// Whether blocks are claimed in the store at all. False (kind `file`): the ledger is told that nothing else
    /// remembers for it, and that is all.
    pub shared_out: bool,
    /// When the next block is claimed.
    pub claim_ahead: ClaimAhead,
    /// In a large cluster something changes all the time: what others do makes this node decide anew not more often
    /// than this. What its own pods do is decided at once.
    pub view_pace: Duration,
    /// How long the store waits for a silent agent before its presence key goes. At least 5 s.
    pub presence_ttl: Duration,
}

impl KeeperSettings {
    /// The usual settings of a node.
    pub fn new(node: NodeName, shared_out: bool) -> Self {
        KeeperSettings {
            node,
            shared_out,
            claim_ahead: ClaimAhead::default(),
            view_pace: Duration::from_millis(200),
            presence_ttl: Duration::from_secs(30),
        }
    }
}

/// The running keeper of a node. Its tasks end when it is dropped; what they did stays.
pub struct Handle {
    status: watch::Receiver<Arc<KeeperStatus>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Handle {
    /// What it says about itself, as that changes.
    pub fn status(&self) -> watch::Receiver<Arc<KeeperStatus>> {
        self.status.clone()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Starts the keeper of a node. Must be called inside a tokio runtime.
pub fn start(
    ipam: Arc<Ipam>,
    store: Arc<dyn Datastore>,
    inputs: KeeperInputs,
    settings: KeeperSettings,
) -> Handle {
    let views = match settings.shared_out {
        true => follow(inputs),
        false => watch::channel(None).1,
    };
    start_on(ipam, store, views, settings)
}

/// Starts the keeper of a node on views that are read elsewhere: several nodes of one process share them.
pub fn start_on(
    ipam: Arc<Ipam>,
    store: Arc<dyn Datastore>,
    views: watch::Receiver<Option<Arc<Seen>>>,
    settings: KeeperSettings,
) -> Handle {
    let (sender, status) = reporter::StatusSender::new();
    if !settings.shared_out {
        let tasks = vec![tokio::task::spawn_blocking(move || alone(&ipam, &sender))];
        return Handle { status, tasks };
    }
    let (for_task, for_mirror) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let wake = [for_task.clone(), for_mirror.clone()];
    ipam.on_change(Box::new(move || {
        wake.iter().for_each(|notify| notify.notify_one())
    }));
    let task = task::Task {
        ipam: ipam.clone(),
        store: store.clone(),
        views: views.clone(),
        ledger: for_task,
        rules: task::Rules {
            node: settings.node.clone(),
            claim_ahead: settings.claim_ahead,
            view_pace: settings.view_pace,
        },
        report: reporter::Reporter::new(sender.clone()),
        state: task::State::default(),
    };
    let mirror = Mirror {
        ipam,
        store: store.clone(),
        node: settings.node.clone(),
        views: views.clone(),
        ledger: for_mirror,
        status: sender,
        state: Default::default(),
    };
    let presence = presence::run(store, settings.node, settings.presence_ttl, views);
    let tasks = vec![
        tokio::spawn(task.run()),
        tokio::spawn(mirror.run()),
        tokio::spawn(presence),
    ];
    Handle { status, tasks }
}

/// Without a store that shares blocks out, nobody but the ledger knows what was given out.
fn alone(ipam: &Ipam, status: &reporter::StatusSender) {
    match ipam.apply(&[LedgerStep::Known], SystemTime::now()) {
        Ok(_) => status.alone(None),
        Err(error) => status.alone(Some(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
