//! Follows the spaces of a store for a group of simulated nodes, as late as is asked for.

use std::sync::Arc;
use std::time::Duration;

use config::Intent;
use datastore::{Datastore, Space, SpaceView};
use futures::StreamExt;
use ipam::keeper::KeeperInputs;
use tokio::sync::watch;

use crate::scene::GRACE;

/// Both spaces and the intent. `lag`: how old a view may become before what was watched is shown.
pub fn inputs(store: Arc<dyn Datastore>, lag: Duration) -> KeeperInputs {
    let resources = follow(store.clone(), Space::Resources, lag);
    KeeperInputs {
        intent: intent(resources.clone()),
        resources,
        ownership: follow(store, Space::Ownership, lag),
    }
}

fn follow(store: Arc<dyn Datastore>, space: Space, lag: Duration) -> watch::Receiver<Option<Arc<SpaceView>>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = one_watch(&*store, space, lag, &sender) => {}
                () = sender.closed() => return,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    receiver
}

/// Lists, then watches until that fails.
async fn one_watch(
    store: &dyn Datastore,
    space: Space,
    lag: Duration,
    out: &watch::Sender<Option<Arc<SpaceView>>>,
) {
    let Ok(listing) = store.list(space).await else {
        return;
    };
    let mut view = SpaceView::from(listing);
    let Ok(mut stream) = store.watch(space, view.revision.clone()).await else {
        return;
    };
    out.send_replace(Some(Arc::new(view.clone())));
    while let Some(Ok(changes)) = stream.next().await {
        view.apply(changes);
        let until = tokio::time::Instant::now() + lag;
        while let Ok(more) = tokio::time::timeout_at(until, stream.next()).await {
            let Some(Ok(changes)) = more else { return };
            view.apply(changes);
        }
        out.send_replace(Some(Arc::new(view.clone())));
    }
}

fn intent(mut resources: watch::Receiver<Option<Arc<SpaceView>>>) -> watch::Receiver<Option<Arc<Intent>>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            let view = resources.borrow_and_update().clone();
            if let Some(view) = view
                && sender.send(Some(Arc::new(load(&view)))).is_err()
            {
                return;
            }
            if resources.changed().await.is_err() {
                return;
            }
        }
    });
    receiver
}

fn load(view: &SpaceView) -> Intent {
    let sources: Vec<_> = (view.items.values())
        .map(|item| config::Source {
            name: item.key.to_string(),
            text: item.value.to_string(),
        })
        .collect();
    let loaded = config::load_with(&sources, config::Rules { shared_out: true });
    let mut intent = loaded
        .intent
        .unwrap_or_else(|| panic!("the resources are wrong: {:?}", loaded.problems));
    intent.ipam.dead_node_grace = GRACE;
    intent
}
