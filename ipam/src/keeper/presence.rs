//! The key that says that this node's agent lives: held for as long as the task runs, renewed by the store's
//! client. It names the life of the `Node` resource that it belongs to, and is written anew when that changes.

use std::sync::Arc;
use std::time::Duration;

use config::NodeName;
use datastore::{Datastore, Hold, Incarnation};
use tokio::sync::watch;

use crate::cluster::PresenceRecord;
use crate::keeper::backoff::Backoff;
use crate::keeper::views::Seen;

/// Holds the key; runs until the views end. A store that has no such keys is left alone.
pub(crate) async fn run(
    store: Arc<dyn Datastore>,
    node: NodeName,
    ttl: Duration,
    mut views: watch::Receiver<Option<Arc<Seen>>>,
) {
    let Some(presence) = store.presence() else { return };
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(15));
    let mut held: Option<(Option<Incarnation>, Hold)> = None;
    loop {
        let seen = views.borrow_and_update().clone();
        if let Some(seen) = seen {
            let incarnation = seen.incarnation(&node);
            if held.as_ref().is_none_or(|(of, _)| *of != incarnation) {
                let record = PresenceRecord::new(node.clone(), incarnation.as_ref().map(ToString::to_string));
                match presence.hold(&node, record.to_text(), ttl).await {
                    Ok(hold) => {
                        backoff.reset();
                        // The new hold is there before the old one lets go.
                        held = Some((incarnation, hold));
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the presence key is not held yet");
                        tokio::time::sleep(backoff.next()).await;
                        continue;
                    }
                }
            }
        }
        if views.changed().await.is_err() {
            return;
        }
    }
}
