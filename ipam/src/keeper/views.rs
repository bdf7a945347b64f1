//! What the keeper sees: the followed spaces, read into a [`ClusterView`].
//!
//! Reading some ten thousand records takes a while, so it is done on a thread of its own and not more often than
//! a third of one processor allows; what came in between is seen with the next reading. Whoever follows the
//! result sees whole views only, the latest one.

use std::sync::Arc;
use std::time::Duration;

use config::fields::ResourceKind;
use config::{Intent, NodeName};
use datastore::{Incarnation, Item, Key, SpaceView, Transaction, Version, Write};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cluster::{ClusterView, Trouble};
use crate::keeper::awaited::Spaces;

/// The longest pause between two readings.
const MOST_REST: Duration = Duration::from_secs(1);

/// What is followed: the intent and the two spaces behind it, each `None` until it was read once.
#[derive(Debug, Clone)]
pub struct KeeperInputs {
    /// The intent, as far as it is without contradictions.
    pub intent: watch::Receiver<Option<Arc<Intent>>>,
    /// The resources, with their versions and incarnations.
    pub resources: watch::Receiver<Option<Arc<SpaceView>>>,
    /// Who owns what.
    pub ownership: watch::Receiver<Option<Arc<SpaceView>>>,
}

/// Everything about the cluster that is decided on, at one moment.
pub struct Seen {
    pub(crate) intent: Arc<Intent>,
    pub(crate) resources: Arc<SpaceView>,
    pub(crate) ownership: Arc<SpaceView>,
    /// The same, as typed values.
    pub cluster: ClusterView,
    /// What could not be read, or contradicts itself.
    pub troubles: Vec<Trouble>,
}

impl Seen {
    /// Reads what was written since `before`. Takes time in proportion to the number of records.
    pub fn after(
        before: Option<&Seen>,
        intent: Arc<Intent>,
        resources: Arc<SpaceView>,
        ownership: Arc<SpaceView>,
    ) -> Self {
        let mut cluster = before.map(|seen| seen.cluster.clone()).unwrap_or_default();
        let troubles = cluster.refresh(&resources, &intent, &ownership);
        Seen {
            intent,
            resources,
            ownership,
            cluster,
            troubles,
        }
    }

    /// The same with what a transaction has written since.
    pub(crate) fn with(&self, transaction: &Transaction, version: &Version) -> Self {
        let mut ownership = SpaceView::clone(&self.ownership);
        for write in &transaction.write {
            match write {
                Write::Put(key, text) => {
                    // The first writing of a key begins its life; what a store calls it is of no matter here.
                    let before = ownership.items.get(key);
                    let incarnation = before.map(|item| item.incarnation.clone());
                    let item = Item {
                        key: key.clone(),
                        value: text.as_str().into(),
                        version: version.clone(),
                        incarnation: incarnation.unwrap_or_else(|| Incarnation::new(version.as_str())),
                    };
                    ownership.items.insert(key.clone(), item);
                }
                Write::Delete(key) => {
                    ownership.items.remove(key);
                }
            }
        }
        let (intent, resources) = (self.intent.clone(), self.resources.clone());
        Seen::after(Some(self), intent, resources, Arc::new(ownership))
    }

    pub(crate) fn spaces(&self) -> Spaces<'_> {
        Spaces {
            resources: &self.resources,
            ownership: &self.ownership,
        }
    }

    /// This life of a node's resource.
    pub(crate) fn incarnation(&self, node: &NodeName) -> Option<Incarnation> {
        let key = Key::resource(ResourceKind::Node, node.to_string());
        self.resources
            .items
            .get(&key)
            .map(|item| item.incarnation.clone())
    }
}

/// Views read from the inputs as they change. The task ends when nobody follows them, or when the inputs end.
pub fn follow(inputs: KeeperInputs) -> watch::Receiver<Option<Arc<Seen>>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(run(inputs, sender));
    receiver
}

async fn run(mut inputs: KeeperInputs, out: watch::Sender<Option<Arc<Seen>>>) {
    loop {
        let intent = inputs.intent.borrow_and_update().clone();
        let resources = inputs.resources.borrow_and_update().clone();
        let ownership = inputs.ownership.borrow_and_update().clone();
        let begun = Instant::now();
        let mut rest = Duration::ZERO;
        if let (Some(intent), Some(resources), Some(ownership)) = (intent, resources, ownership) {
            let before = out.borrow().clone();
            let reading = tokio::task::spawn_blocking(move || {
                Seen::after(before.as_deref(), intent, resources, ownership)
            });
            let Ok(seen) = reading.await else { return };
            if out.send(Some(Arc::new(seen))).is_err() {
                return;
            }
            rest = (begun.elapsed() * 2).min(MOST_REST);
        }
        let changed = async {
            tokio::time::sleep(rest).await;
            tokio::select! {
                changed = inputs.intent.changed() => changed,
                changed = inputs.resources.changed() => changed,
                changed = inputs.ownership.changed() => changed,
            }
        };
        tokio::select! {
            changed = changed => if changed.is_err() { return },
            () = out.closed() => return,
        }
    }
}
